//! Groups that change their protocol while members are in them.

use std::collections::BTreeSet;

use super::*;
use crate::coordinator::group::event::{ConsumerHeartbeatAnswer, GroupError, JoinRefused, Joined, Refusal};
use crate::coordinator::group::subscription::{self, AssignedTopic, ConsumerProtocolAssignment};

fn call(rig: &mut Rig, request: ConsumerGroupHeartbeat) -> Result<ConsumerHeartbeatAnswer, GroupError> {
    match rig.call(Event::ConsumerGroupHeartbeat(request)) {
        Reply::ConsumerGroupHeartbeat(answer) => answer,
        other => panic!("{other:?}"),
    }
}

fn joined(rig: &mut Rig, ticket: Ticket) -> Result<Joined, JoinRefused> {
    match rig.answer(ticket) {
        Some(Reply::JoinGroup(joined)) => joined,
        other => panic!("no answer to a join: {other:?}"),
    }
}

fn heart(rig: &mut Rig, member: &str, generation: i32) -> Option<Refusal> {
    match rig.call(Event::Heartbeat(heartbeat("g", member, generation))) {
        Reply::Heartbeat(outcome) => outcome.err().map(|error| error.refusal),
        other => panic!("{other:?}"),
    }
}

fn kind(rig: &mut Rig) -> (&'static str, &'static str) {
    let Reply::ListGroups(listed) = rig.call(Event::ListGroups(Default::default())) else { panic!("no list") };
    assert_eq!(listed.len(), 1);
    (listed[0].kind, listed[0].state)
}

fn assigned(partitions: &[i32]) -> Vec<u8> {
    let topic = AssignedTopic { topic: "t".to_owned(), partitions: partitions.to_vec() };
    let assignment = ConsumerProtocolAssignment { assigned_partitions: vec![topic], user_data: None };
    subscription::write_assignment(&assignment, 0).to_vec()
}

fn partitions_of(bytes: &Bytes) -> BTreeSet<i32> {
    let assignment = subscription::read_assignment(bytes).expect("an assignment");
    assignment.assigned_partitions.into_iter().flat_map(|topic| topic.partitions).collect()
}

/// A stable classic group of one member that has all of these partitions.
fn classic(rig: &mut Rig, partitions: &[i32]) -> String {
    let ticket = rig.ask(Event::JoinGroup(join("g", "")));
    let first = joined(rig, ticket).expect("joined");
    let bytes = assigned(partitions);
    rig.call(Event::SyncGroup(sync("g", &first.member_id, first.generation, &[(&first.member_id, &bytes)])));
    assert_eq!(kind(rig), ("classic", "Stable"));
    first.member_id
}

/// A classic member joins and syncs; its generation and partitions.
fn rejoin(rig: &mut Rig, member: &str) -> (i32, BTreeSet<i32>) {
    let ticket = rig.ask(Event::JoinGroup(join("g", member)));
    let joined = joined(rig, ticket).expect("joined");
    assert_eq!(joined.member_id, member);
    match rig.call(Event::SyncGroup(sync("g", member, joined.generation, &[]))) {
        Reply::SyncGroup(Ok(synced)) => (joined.generation, partitions_of(&synced.assignment)),
        other => panic!("not synced: {other:?}"),
    }
}

fn owned(answer: &ConsumerHeartbeatAnswer) -> Option<BTreeSet<i32>> {
    let assignment = answer.assignment.as_ref()?;
    Some(assignment.iter().flat_map(|(_, partitions)| partitions.iter().copied()).collect())
}

#[test]
fn a_classic_group_becomes_a_consumer_group_and_keeps_what_was_assigned() {
    let mut rig = Rig::new();
    rig.topic("t", 4);
    let old = classic(&mut rig, &[0, 1, 2, 3]);
    rig.call(Event::OffsetCommit(commit("g", &old, 1, "t", 0, 7)));
    let answer = call(&mut rig, beat("g", "new", 0)).expect("the group is converted");
    assert_eq!(owned(&answer), Some(BTreeSet::new()), "the classic member has all of them still");
    assert_eq!(kind(&mut rig).0, "consumer");
    assert_eq!(heart(&mut rig, &old, 1), Some(Refusal::RebalanceInProgress));

    // A member of an eager assignor owns nothing when it joins.
    let (generation, kept) = rejoin(&mut rig, &old);
    assert_eq!(kept.len(), 2);
    assert_eq!(heart(&mut rig, &old, generation), None);
    let answer = call(&mut rig, beat("g", "new", answer.member_epoch)).expect("accepted");
    let given = owned(&answer).expect("what was given back");
    assert_eq!((given.len(), given.is_disjoint(&kept)), (2, true));
    rig.restart();
    assert_eq!(kind(&mut rig), ("consumer", "Stable"));
    assert_eq!(heart(&mut rig, &old, generation), None);
    let outcomes = rig.call(Event::OffsetCommit(commit("g", &old, generation, "t", 0, 8)));
    assert_eq!(outcomes, Reply::OffsetCommit(vec![vec![Ok(())]]));
    let Reply::OffsetCommit(outcomes) = rig.call(Event::OffsetCommit(commit("g", &old, 9, "t", 0, 8))) else {
        panic!()
    };
    assert_eq!(outcomes[0][0].clone().expect_err("of the future").refusal, Refusal::IllegalGeneration);
}

#[test]
fn who_waits_in_the_classic_group_is_told_to_join_again() {
    let mut rig = Rig::new();
    rig.topic("t", 4);
    let old = classic(&mut rig, &[0, 1, 2, 3]);
    let waits = rig.ask(Event::JoinGroup(join("g", "")));
    call(&mut rig, beat("g", "new", 0)).expect("the group is converted");
    let refused = joined(&mut rig, waits).expect_err("told");
    assert_eq!(refused.error.refusal, Refusal::RebalanceInProgress);
    assert_eq!(heart(&mut rig, &old, 1), Some(Refusal::RebalanceInProgress));
}

#[test]
fn a_group_that_cannot_be_converted_stays_as_it_is() {
    let refusal = |rig: &mut Rig| call(rig, beat("g", "new", 0)).expect_err("refused");
    let mut rig = Rig::with(|settings| settings.upgrade_allowed = false);
    rig.topic("t", 4);
    classic(&mut rig, &[0]);
    assert_eq!(refusal(&mut rig).refusal, Refusal::GroupIdNotFound);
    assert_eq!(kind(&mut rig), ("classic", "Stable"));

    let mut rig = Rig::new();
    let connect = JoinGroup { protocol_type: "connect".to_owned(), ..join("g", "") };
    rig.call(Event::JoinGroup(connect));
    assert!(refusal(&mut rig).message.is_some_and(|text| text.contains("embedded protocol")));
    assert_eq!(kind(&mut rig).0, "classic");

    let mut rig = Rig::new();
    let ticket = rig.ask(Event::JoinGroup(join("g", "")));
    let first = joined(&mut rig, ticket).expect("joined");
    rig.call(Event::SyncGroup(sync("g", &first.member_id, 1, &[(&first.member_id, b"\xff")])));
    assert!(refusal(&mut rig).message.is_some_and(|text| text.contains("malformed")));
    assert_eq!(kind(&mut rig), ("classic", "Stable"));
    assert_eq!(heart(&mut rig, &first.member_id, 1), None);
}

#[test]
fn a_classic_member_joins_a_consumer_group() {
    let mut rig = Rig::new();
    rig.topic("t", 4);
    let first = call(&mut rig, beat("g", "new", 0)).expect("joined");
    let required = JoinGroup { member_id_required: true, ..join("g", "") };
    let ticket = rig.ask(Event::JoinGroup(required.clone()));
    let refused = joined(&mut rig, ticket).expect_err("an id first");
    assert_eq!(refused.error.refusal, Refusal::MemberIdRequired);
    let old = refused.member_id;
    assert_eq!(rejoin(&mut rig, &old).1, BTreeSet::new(), "the other has all of them still");
    let mut owns = first.assignment.clone().expect("told");
    let answer = call(&mut rig, beat("g", "new", first.member_epoch)).expect("accepted");
    let keeps = owned(&answer).expect("two are to be given back");
    assert_eq!(keeps.len(), 2);
    owns[0].1 = keeps.iter().copied().collect();
    let acknowledged = ConsumerGroupHeartbeat { owned: Some(owns), ..beat("g", "new", answer.member_epoch) };
    call(&mut rig, acknowledged).expect("accepted");
    let generation = first.member_epoch + 1;
    assert_eq!(heart(&mut rig, &old, generation), Some(Refusal::RebalanceInProgress), "they are free");
    let (generation, given) = rejoin(&mut rig, &old);
    assert!(given.len() == 2 && given.is_disjoint(&keeps), "{given:?} {keeps:?}");
    assert_eq!(heart(&mut rig, &old, generation), None);
    assert_eq!(heart(&mut rig, &old, generation + 1), Some(Refusal::IllegalGeneration));
    assert_eq!(heart(&mut rig, "new", generation), Some(Refusal::UnknownMemberId), "it speaks the other protocol");

    let other = JoinGroup { protocols: vec![("sticky".to_owned(), subscription(&["t"]))], ..join("g", "") };
    let ticket = rig.ask(Event::JoinGroup(other));
    assert_eq!(joined(&mut rig, ticket).expect_err("refused").error.refusal, Refusal::InconsistentGroupProtocol);
}

#[test]
fn a_classic_member_that_does_not_sync_or_join_again_or_live_is_removed() {
    for silent_in in ["sync", "join", "session"] {
        let mut rig = Rig::new();
        rig.topic("t", 4);
        let mut epoch = call(&mut rig, beat("g", "new", 0)).expect("joined").member_epoch;
        let ticket = rig.ask(Event::JoinGroup(join("g", "")));
        let old = joined(&mut rig, ticket).expect("joined");
        if silent_in != "sync" {
            rig.call(Event::SyncGroup(sync("g", &old.member_id, old.generation, &[])));
        }
        if silent_in == "join" {
            // Another member: the classic one is to come.
            call(&mut rig, beat("g", "third", 0)).expect("joined");
        }
        for _ in 0..10 {
            rig.pass(4_000);
            if let Ok(answer) =
                call(&mut rig, ConsumerGroupHeartbeat { owned: Some(Vec::new()), ..beat("g", "new", epoch) })
            {
                epoch = answer.member_epoch;
            }
            if silent_in != "session" {
                heart(&mut rig, &old.member_id, old.generation);
            }
        }
        assert_eq!(heart(&mut rig, &old.member_id, old.generation), Some(Refusal::UnknownMemberId), "{silent_in}");
    }
}

#[test]
fn a_consumer_group_becomes_classic_when_its_last_consumer_member_goes() {
    let mut rig = Rig::new();
    rig.topic("t", 4);
    let old = classic(&mut rig, &[0, 1, 2, 3]);
    call(&mut rig, beat("g", "new", 0)).expect("converted");
    let (generation, _) = rejoin(&mut rig, &old);
    call(&mut rig, beat("g", "new", -1)).expect("left");
    assert_eq!(kind(&mut rig), ("classic", "PreparingRebalance"));
    assert_eq!(heart(&mut rig, &old, generation), Some(Refusal::RebalanceInProgress));
    let mut again = Rig::new();
    std::mem::swap(&mut again.log, &mut rig.log);
    again.topics = std::mem::take(&mut rig.topics);
    again.restart();
    assert_eq!(kind(&mut again), ("classic", "Stable"), "a restart knows the classic group");
    let ticket = again.ask(Event::JoinGroup(join("g", &old)));
    let joined = joined(&mut again, ticket).expect("joined");
    assert_eq!((joined.leader.as_str(), joined.members.len()), (old.as_str(), 1));
    assert!(joined.generation > generation);
}

#[test]
fn the_last_consumer_member_that_falls_silent_or_is_removed_downgrades_too() {
    for removed in [false, true] {
        let mut rig = Rig::new();
        rig.topic("t", 4);
        let old = classic(&mut rig, &[0, 1, 2, 3]);
        call(&mut rig, beat("g", "new", 0)).expect("converted");
        let (generation, _) = rejoin(&mut rig, &old);
        if removed {
            let Reply::LeaveGroup(Ok(left)) = rig.call(Event::LeaveGroup(leave("g", "new"))) else { panic!() };
            assert_eq!(left[0].1, Ok(()));
        }
        for _ in 0..10 {
            rig.pass(5_000);
            heart(&mut rig, &old, generation);
        }
        assert_eq!(kind(&mut rig).0, "classic", "removed: {removed}");
    }
}

#[test]
fn a_policy_against_downgrades_keeps_the_consumer_group() {
    let mut rig = Rig::with(|settings| settings.downgrade_allowed = false);
    rig.topic("t", 4);
    let old = classic(&mut rig, &[0, 1, 2, 3]);
    call(&mut rig, beat("g", "new", 0)).expect("converted");
    rejoin(&mut rig, &old);
    call(&mut rig, beat("g", "new", -1)).expect("left");
    assert_eq!(kind(&mut rig).0, "consumer");
    assert_eq!(rejoin(&mut rig, &old).1.len(), 4);
}

#[test]
fn a_static_member_moves_to_the_other_protocol_and_back_without_a_rebalance() {
    let mut rig = Rig::new();
    rig.topic("t", 4);
    let instance = Some("i".to_owned());
    let with_instance = |member: &str| JoinGroup { instance_id: instance.clone(), ..join("g", member) };
    let synced = |rig: &mut Rig, joined: &Joined, given: &[(&str, &[u8])]| {
        let request =
            SyncGroup { instance_id: instance.clone(), ..sync("g", &joined.member_id, joined.generation, given) };
        match rig.call(Event::SyncGroup(request)) {
            Reply::SyncGroup(Ok(synced)) => partitions_of(&synced.assignment),
            other => panic!("not synced: {other:?}"),
        }
    };
    let ticket = rig.ask(Event::JoinGroup(with_instance("")));
    let first = joined(&mut rig, ticket).expect("joined");
    let bytes = assigned(&[0, 1, 2, 3]);
    assert_eq!(synced(&mut rig, &first, &[(&first.member_id, &bytes)]).len(), 4);

    let moved = ConsumerGroupHeartbeat { instance_id: instance.clone(), ..beat("g", "new", 0) };
    let answer = call(&mut rig, moved).expect("it takes its own place");
    assert_eq!(owned(&answer).map(|owned| owned.len()), Some(4));
    assert_eq!(kind(&mut rig), ("consumer", "Stable"));

    let ticket = rig.ask(Event::JoinGroup(with_instance("")));
    let back = joined(&mut rig, ticket).expect("joined");
    assert_eq!(kind(&mut rig), ("classic", "Stable"));
    assert_eq!(synced(&mut rig, &back, &[]).len(), 4);
    rig.restart();
    assert_eq!(kind(&mut rig), ("classic", "Stable"));
}
