//! Classic groups.

use super::*;
use crate::coordinator::group::event::{DescribedGroup, Joined, Refusal, Synced};

fn joined(rig: &mut Rig, ticket: Ticket) -> Joined {
    match rig.answer(ticket) {
        Some(Reply::JoinGroup(Ok(joined))) => joined,
        other => panic!("not joined: {other:?}"),
    }
}

fn refused(reply: Option<Reply>) -> Refusal {
    match reply {
        Some(Reply::JoinGroup(Err(refused))) => refused.error.refusal,
        Some(Reply::SyncGroup(Err(error)) | Reply::Heartbeat(Err(error)) | Reply::DeleteGroup(Err(error))) => {
            error.refusal
        }
        other => panic!("not refused: {other:?}"),
    }
}

fn refused_join(rig: &mut Rig, request: JoinGroup) -> Refusal {
    let ticket = rig.ask(Event::JoinGroup(request));
    refused(rig.answer(ticket))
}

fn synced(rig: &mut Rig, ticket: Ticket) -> Synced {
    match rig.answer(ticket) {
        Some(Reply::SyncGroup(Ok(synced))) => synced,
        other => panic!("not synced: {other:?}"),
    }
}

fn described(rig: &mut Rig, group: &str) -> DescribedGroup {
    match rig.call(Event::DescribeGroup(group.to_owned())) {
        Reply::DescribeGroup(Ok(described)) => described,
        other => panic!("not described: {other:?}"),
    }
}

/// A stable group of these many members; their ids, the leader's first.
fn stable(rig: &mut Rig, count: usize) -> (Vec<String>, i32) {
    let first = rig.ask(Event::JoinGroup(join("g", "")));
    let leader = joined(rig, first).member_id;
    let mut ids = vec![leader.clone()];
    for _ in 1..count {
        let ticket = rig.ask(Event::JoinGroup(join("g", "")));
        let mut tickets = vec![ticket];
        for id in &ids {
            tickets.push(rig.ask(Event::JoinGroup(join("g", id))));
        }
        let new =
            tickets.into_iter().map(|ticket| joined(rig, ticket).member_id).next().expect("the first is the new one");
        ids.push(new);
    }
    let again = rig.ask(Event::JoinGroup(join("g", &leader)));
    let others: Vec<Ticket> = ids[1..].iter().map(|id| rig.ask(Event::JoinGroup(join("g", id)))).collect();
    let generation = joined(rig, again).generation;
    others.into_iter().for_each(|ticket| assert_eq!(joined(rig, ticket).generation, generation));
    let followers: Vec<Ticket> =
        ids[1..].iter().map(|id| rig.ask(Event::SyncGroup(sync("g", id, generation, &[])))).collect();
    let given: Vec<(&str, &[u8])> = ids.iter().map(|id| (id.as_str(), id.as_bytes())).collect();
    let ticket = rig.ask(Event::SyncGroup(sync("g", &leader, generation, &given)));
    assert_eq!(synced(rig, ticket).assignment, leader.as_bytes());
    for (ticket, id) in followers.into_iter().zip(&ids[1..]) {
        assert_eq!(synced(rig, ticket).assignment, id.as_bytes());
    }
    assert_eq!(described(rig, "g").state, "Stable");
    (ids, generation)
}

#[test]
fn members_join_the_leader_assigns_and_all_sync() {
    let mut rig = Rig::new();
    let (ids, generation) = stable(&mut rig, 3);
    for id in &ids {
        assert_eq!(rig.call(Event::Heartbeat(heartbeat("g", id, generation))), Reply::Heartbeat(Ok(())));
    }
}

#[test]
fn a_new_member_must_come_back_with_the_id_it_is_given() {
    let mut rig = Rig::new();
    let request = JoinGroup { member_id_required: true, ..join("g", "") };
    let Reply::JoinGroup(Err(refused)) = rig.call(Event::JoinGroup(request.clone())) else { panic!("joined at once") };
    assert_eq!(refused.error.refusal, Refusal::MemberIdRequired);
    assert!(refused.member_id.starts_with("client-"));
    let ticket = rig.ask(Event::JoinGroup(JoinGroup { member_id: refused.member_id.clone(), ..request }));
    assert_eq!(joined(&mut rig, ticket).member_id, refused.member_id);
}

#[test]
fn an_id_that_is_not_come_back_with_is_forgotten_and_the_group_with_it() {
    let mut rig = Rig::new();
    rig.call(Event::JoinGroup(JoinGroup { member_id_required: true, ..join("g", "") }));
    assert_eq!(rig.machine.group_count(), 1);
    rig.pass(10_000);
    assert_eq!(rig.machine.group_count(), 0);
}

#[test]
fn a_silent_member_is_removed_and_the_others_are_told_to_join_again() {
    let mut rig = Rig::new();
    let (ids, generation) = stable(&mut rig, 2);
    rig.pass(6_000);
    rig.call(Event::Heartbeat(heartbeat("g", &ids[1], generation)));
    rig.pass(6_000);
    let ticket = rig.ask(Event::Heartbeat(heartbeat("g", &ids[1], generation)));
    assert_eq!(refused(rig.answer(ticket)), Refusal::RebalanceInProgress);
    let ticket = rig.ask(Event::JoinGroup(join("g", &ids[1])));
    let joined = joined(&mut rig, ticket);
    assert_eq!((joined.leader.as_str(), joined.members.len()), (ids[1].as_str(), 1));
}

#[test]
fn a_rebalance_waits_for_members_no_longer_than_their_timeout() {
    let mut rig = Rig::new();
    let (ids, generation) = stable(&mut rig, 2);
    let ticket = rig.ask(Event::JoinGroup(join("g", "")));
    for _ in 0..5 {
        rig.pass(5_000);
        assert!(rig.answer(ticket).is_none(), "the others have time");
        for id in &ids {
            rig.call(Event::Heartbeat(heartbeat("g", id, generation)));
        }
    }
    rig.pass(5_000);
    assert_eq!(joined(&mut rig, ticket).members.len(), 1, "those who did not come are out");
}

#[test]
fn members_that_never_sync_are_removed() {
    let mut rig = Rig::new();
    let (ids, _) = stable(&mut rig, 2);
    let tickets = [rig.ask(Event::JoinGroup(join("g", &ids[0]))), rig.ask(Event::JoinGroup(join("g", &ids[1])))];
    let generation = tickets.map(|ticket| joined(&mut rig, ticket).generation)[0];
    let waits = rig.ask(Event::SyncGroup(sync("g", &ids[1], generation, &[])));
    for _ in 0..6 {
        rig.pass(5_000);
        rig.call(Event::Heartbeat(heartbeat("g", &ids[0], generation)));
    }
    assert_eq!(refused(rig.answer(waits)), Refusal::RebalanceInProgress);
    assert_eq!(described(&mut rig, "g").members.len(), 1, "the leader heartbeats and never synced");
}

#[test]
fn the_protocol_is_one_that_all_support() {
    let mut rig = Rig::new();
    let both = |member: &str| JoinGroup {
        protocols: vec![("a".to_owned(), subscription(&["t"])), ("b".to_owned(), subscription(&["t"]))],
        ..join("g", member)
    };
    let ticket = rig.ask(Event::JoinGroup(both("")));
    let first = joined(&mut rig, ticket);
    assert_eq!(first.protocol.as_deref(), Some("a"));
    let only_b = JoinGroup { protocols: vec![("b".to_owned(), subscription(&["t"]))], ..join("g", "") };
    let tickets = [rig.ask(Event::JoinGroup(only_b)), rig.ask(Event::JoinGroup(both(&first.member_id)))];
    for ticket in tickets {
        assert_eq!(joined(&mut rig, ticket).protocol.as_deref(), Some("b"));
    }
    let none = JoinGroup { protocols: vec![("c".to_owned(), Bytes::new())], ..join("g", "") };
    let ticket = rig.ask(Event::JoinGroup(none));
    assert_eq!(refused(rig.answer(ticket)), Refusal::InconsistentGroupProtocol);
    let connect = JoinGroup { protocol_type: "connect".to_owned(), ..both("") };
    let ticket = rig.ask(Event::JoinGroup(connect));
    assert_eq!(refused(rig.answer(ticket)), Refusal::InconsistentGroupProtocol);
}

#[test]
fn a_static_member_comes_back_without_a_rebalance_and_fences_its_former_self() {
    let mut rig = Rig::new();
    let with_instance = |member: &str| JoinGroup { instance_id: Some("i".to_owned()), ..join("g", member) };
    let ticket = rig.ask(Event::JoinGroup(with_instance("")));
    let first = joined(&mut rig, ticket);
    let given: [(&str, &[u8]); 1] = [(&first.member_id, b"mine")];
    let ticket = rig.ask(Event::SyncGroup(SyncGroup {
        instance_id: Some("i".to_owned()),
        ..sync("g", &first.member_id, 1, &given)
    }));
    synced(&mut rig, ticket);

    let ticket = rig.ask(Event::JoinGroup(with_instance("")));
    let second = joined(&mut rig, ticket);
    assert_ne!(second.member_id, first.member_id);
    assert_eq!((second.generation, second.skip_assignment), (first.generation, true));
    let ticket = rig
        .ask(Event::SyncGroup(SyncGroup { instance_id: Some("i".to_owned()), ..sync("g", &second.member_id, 1, &[]) }));
    assert_eq!(synced(&mut rig, ticket).assignment, b"mine".as_slice());
    let old = Heartbeat { instance_id: Some("i".to_owned()), ..heartbeat("g", &first.member_id, 1) };
    let ticket = rig.ask(Event::Heartbeat(old));
    assert_eq!(refused(rig.answer(ticket)), Refusal::FencedInstanceId);
}

#[test]
fn a_restart_loads_the_group_as_it_was() {
    let mut rig = Rig::new();
    let (ids, generation) = stable(&mut rig, 3);
    let before = described(&mut rig, "g");
    rig.restart();
    assert_eq!(described(&mut rig, "g"), before);
    for id in &ids {
        assert_eq!(rig.call(Event::Heartbeat(heartbeat("g", id, generation))), Reply::Heartbeat(Ok(())));
    }
    let ticket = rig.ask(Event::SyncGroup(sync("g", &ids[1], generation, &[])));
    assert_eq!(synced(&mut rig, ticket).assignment, ids[1].as_bytes());
}

#[test]
fn a_group_that_all_left_is_empty_and_may_be_deleted() {
    let mut rig = Rig::new();
    let (ids, _) = stable(&mut rig, 2);
    let ticket = rig.ask(Event::DeleteGroup("g".to_owned()));
    assert_eq!(refused(rig.answer(ticket)), Refusal::NonEmptyGroup);
    for id in &ids {
        let Reply::LeaveGroup(Ok(left)) = rig.call(Event::LeaveGroup(leave("g", id))) else { panic!("did not leave") };
        assert_eq!(left[0].1, Ok(()));
    }
    assert_eq!(described(&mut rig, "g").state, "Empty");
    rig.restart();
    assert_eq!(described(&mut rig, "g").state, "Empty");
    assert_eq!(rig.call(Event::DeleteGroup("g".to_owned())), Reply::DeleteGroup(Ok(())));
    rig.restart();
    assert!(matches!(rig.call(Event::DescribeGroup("g".to_owned())), Reply::DescribeGroup(Err(_))));
}

#[test]
fn the_initial_delay_gathers_members_that_come_soon_after_each_other() {
    let mut rig = Rig::with(|settings| settings.initial_rebalance_delay_ms = 3_000);
    let first = rig.ask(Event::JoinGroup(join("g", "")));
    rig.pass(2_000);
    let second = rig.ask(Event::JoinGroup(join("g", "")));
    rig.pass(2_000);
    assert!(rig.answer(first).is_none(), "prolonged by the second");
    rig.pass(2_000);
    assert_eq!(joined(&mut rig, first).generation, joined(&mut rig, second).generation);
}

#[test]
fn a_full_group_takes_nobody_else() {
    let mut rig = Rig::with(|settings| settings.classic_size_max = 2);
    stable(&mut rig, 2);
    let ticket = rig.ask(Event::JoinGroup(join("g", "")));
    assert_eq!(refused(rig.answer(ticket)), Refusal::GroupMaxSizeReached);
}

#[test]
fn who_comes_meanwhile_does_not_prolong_the_gathering() {
    let mut rig = Rig::new();
    let (ids, generation) = stable(&mut rig, 2);
    let first = rig.ask(Event::JoinGroup(join("g", "")));
    for _ in 0..5 {
        rig.pass(5_000);
        ids.iter().for_each(|id| drop(rig.call(Event::Heartbeat(heartbeat("g", id, generation)))));
        rig.ask(Event::JoinGroup(join("g", "")));
        assert!(rig.answer(first).is_none(), "the others have time");
    }
    rig.pass(5_000);
    assert_eq!(joined(&mut rig, first).members.len(), 6);
}

#[test]
fn what_would_not_fit_into_a_record_is_refused_and_disturbs_nobody() {
    let mut rig = Rig::new();
    let (ids, generation) = stable(&mut rig, 1);
    let bytes = Bytes::from(vec![0; 17 << 20]);
    let huge = JoinGroup { protocols: vec![("range".to_owned(), bytes.clone())], ..join("g", "") };
    let ticket = rig.ask(Event::JoinGroup(huge));
    assert_eq!(refused(rig.answer(ticket)), Refusal::UnknownServerError);
    assert_eq!(rig.call(Event::Heartbeat(heartbeat("g", &ids[0], generation))), Reply::Heartbeat(Ok(())));
    let ticket = rig.ask(Event::JoinGroup(join("g", &ids[0])));
    let generation = joined(&mut rig, ticket).generation;
    let ticket = rig.ask(Event::SyncGroup(sync("g", &ids[0], generation, &[(&ids[0], &bytes)])));
    assert_eq!(refused(rig.answer(ticket)), Refusal::UnknownServerError);
    assert_eq!(described(&mut rig, "g").state, "PreparingRebalance");
}

#[test]
fn without_memory_nobody_new_is_taken_and_members_go_on() {
    let mut rig = Rig::with_memory(200_000, |_| {});
    let (ids, generation) = stable(&mut rig, 2);
    let ask = |rig: &mut Rig, group: &str| {
        let request = JoinGroup { member_id_required: true, ..join(group, "") };
        refused_join(rig, request)
    };
    let told: Vec<Refusal> = (0..500).map(|number| ask(&mut rig, &format!("new-{number}"))).collect();
    let taken = told.iter().filter(|refusal| **refusal == Refusal::MemberIdRequired).count();
    assert!((20..200).contains(&taken), "{taken}");
    assert!(told[taken..].iter().all(|refusal| *refusal == Refusal::CoordinatorNotAvailable));
    // The members of the group that is there go on: heartbeats, a rebalance.
    assert_eq!(rig.call(Event::Heartbeat(heartbeat("g", &ids[0], generation))), Reply::Heartbeat(Ok(())));
    let tickets: Vec<Ticket> = ids.iter().map(|id| rig.ask(Event::JoinGroup(join("g", id)))).collect();
    let generations: Vec<i32> = tickets.into_iter().map(|ticket| joined(&mut rig, ticket).generation).collect();
    let generation = generations[0];
    let given: Vec<(&str, &[u8])> = ids.iter().map(|id| (id.as_str(), id.as_bytes())).collect();
    let ticket = rig.ask(Event::SyncGroup(sync("g", &ids[0], generation, &given)));
    synced(&mut rig, ticket);
    // One that never came back leaves nothing.
    for _ in 0..3 {
        rig.pass(4_000);
        ids.iter().for_each(|id| drop(rig.call(Event::Heartbeat(heartbeat("g", id, generation)))));
    }
    assert_eq!(rig.machine.group_count(), 1);
    assert!(rig.memory.taken() < 10_000, "{}", rig.memory.taken());
    assert_eq!(ask(&mut rig, "new"), Refusal::MemberIdRequired);
}

#[test]
fn ids_that_one_group_gives_out_are_bounded_too() {
    let mut rig = Rig::with_memory(200_000, |_| {});
    let request = JoinGroup { member_id_required: true, ..join("g", "") };
    let told: Vec<Refusal> = (0..500).map(|_| refused_join(&mut rig, request.clone())).collect();
    assert_eq!(told.last(), Some(&Refusal::CoordinatorNotAvailable));
}
