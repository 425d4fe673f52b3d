//! Groups of the consumer protocol.

use std::collections::BTreeSet;

use super::*;
use crate::coordinator::group::event::{ConsumerHeartbeatAnswer, DescribedConsumerGroup, GroupError, Refusal};

type Owned = Vec<(TopicId, Vec<i32>)>;

fn call(rig: &mut Rig, request: ConsumerGroupHeartbeat) -> Result<ConsumerHeartbeatAnswer, GroupError> {
    match rig.call(Event::ConsumerGroupHeartbeat(request)) {
        Reply::ConsumerGroupHeartbeat(answer) => answer,
        other => panic!("{other:?}"),
    }
}

fn described(rig: &mut Rig, group: &str) -> DescribedConsumerGroup {
    match rig.call(Event::DescribeConsumerGroup(group.to_owned())) {
        Reply::DescribeConsumerGroup(Ok(described)) => described,
        other => panic!("not described: {other:?}"),
    }
}

/// A well-behaved client.
struct Member {
    id: String,
    epoch: i32,
    owned: Owned,
    regex: Option<String>,
}

impl Member {
    fn new(id: &str) -> Member {
        Member { id: id.to_owned(), epoch: 0, owned: Vec::new(), regex: None }
    }

    /// One heartbeat: reports what it owns, takes what it is told, gives back what it is no longer to own.
    fn step(&mut self, rig: &mut Rig) {
        let mut request = beat("g", &self.id, self.epoch);
        request.owned = Some(self.owned.clone());
        if let (Some(regex), true) = (&self.regex, self.epoch == 0) {
            request.subscribed_topics = None;
            request.subscribed_regex = Some(regex.clone());
        }
        let answer = call(rig, request).expect("accepted");
        self.epoch = answer.member_epoch;
        if let Some(assignment) = answer.assignment {
            self.owned = assignment;
        }
    }

    fn partitions(&self) -> BTreeSet<(TopicId, i32)> {
        self.owned.iter().flat_map(|(topic, of)| of.iter().map(|partition| (*topic, *partition))).collect()
    }
}

fn settle(rig: &mut Rig, members: &mut [Member]) {
    for _ in 0..6 {
        for nth in 0..members.len() {
            members[nth].step(rig);
            let mut seen = BTreeSet::new();
            for partition in members.iter().flat_map(Member::partitions) {
                assert!(seen.insert(partition), "two members own {partition:?}");
            }
        }
    }
    assert_eq!(described(rig, "g").state, "Stable");
}

#[test]
fn partitions_go_from_one_member_to_two_without_ever_having_two_owners() {
    let mut rig = Rig::new();
    rig.topic("t", 7);
    let mut members = vec![Member::new("a")];
    settle(&mut rig, &mut members);
    assert_eq!(members[0].partitions().len(), 7);
    members.push(Member::new("b"));
    settle(&mut rig, &mut members);
    assert_eq!(members.iter().map(|member| member.partitions().len()).max(), Some(4));
    members.push(Member::new("c"));
    settle(&mut rig, &mut members);
    let all: usize = members.iter().map(|member| member.partitions().len()).sum();
    assert_eq!(all, 7);
}

#[test]
fn a_restart_in_the_middle_of_a_rebalance_goes_on_with_it() {
    let mut rig = Rig::new();
    rig.topic("t", 4);
    let mut members = vec![Member::new("a"), Member::new("b")];
    members[0].step(&mut rig);
    members[1].step(&mut rig);
    let before = described(&mut rig, "g");
    assert_eq!(before.state, "Reconciling");
    rig.restart();
    assert_eq!(described(&mut rig, "g"), before);
    settle(&mut rig, &mut members);
}

#[test]
fn a_member_that_does_not_give_back_in_time_is_fenced() {
    let mut rig = Rig::new();
    rig.topic("t", 4);
    let mut members = [Member::new("a"), Member::new("b")];
    members[0].step(&mut rig);
    let held = members[0].owned.clone();
    members[1].step(&mut rig);
    for _ in 0..5 {
        rig.pass(5_000);
        let stubborn = ConsumerGroupHeartbeat { owned: Some(held.clone()), ..beat("g", "a", members[0].epoch) };
        drop(call(&mut rig, stubborn));
        members[1].step(&mut rig);
    }
    let error = call(&mut rig, beat("g", "a", members[0].epoch)).expect_err("it is out");
    assert_eq!(error.refusal, Refusal::UnknownMemberId);
    assert_eq!(members[1].partitions().len(), 4);
}

#[test]
fn a_silent_member_is_fenced_after_its_session() {
    let mut rig = Rig::new();
    rig.topic("t", 4);
    let mut members = vec![Member::new("a"), Member::new("b")];
    settle(&mut rig, &mut members);
    for _ in 0..10 {
        rig.pass(5_000);
        members[1].step(&mut rig);
    }
    assert_eq!(members[1].partitions().len(), 4);
}

#[test]
fn a_lost_answer_may_be_asked_for_again() {
    let mut rig = Rig::new();
    rig.topic("t", 4);
    let first = call(&mut rig, beat("g", "a", 0)).expect("joined");
    let again = call(&mut rig, beat("g", "a", 0)).expect("joined again");
    assert_eq!(first, again);
    assert_eq!(call(&mut rig, beat("g", "a", 9)).expect_err("ahead").refusal, Refusal::FencedMemberEpoch);
}

#[test]
fn a_new_topic_that_an_expression_matches_is_assigned() {
    let mut rig = Rig::new();
    rig.topic("a1", 1);
    let mut members = vec![Member { regex: Some("a.*".to_owned()), ..Member::new("m") }];
    settle(&mut rig, &mut members);
    assert_eq!(members[0].partitions().len(), 1);
    rig.topic("b1", 1);
    rig.topic("a2", 2);
    settle(&mut rig, &mut members);
    assert_eq!(members[0].partitions().len(), 3);
    rig.restart();
    settle(&mut rig, &mut members);
    assert_eq!(members[0].partitions().len(), 3);
}

#[test]
fn a_topic_that_grows_is_assigned_anew() {
    let mut rig = Rig::new();
    rig.topic("t", 2);
    let mut members = vec![Member::new("a"), Member::new("b")];
    settle(&mut rig, &mut members);
    rig.topic("t", 6);
    settle(&mut rig, &mut members);
    assert_eq!(members[0].partitions().len(), 3);
}

#[test]
fn a_static_member_comes_back_to_what_it_had() {
    let mut rig = Rig::new();
    rig.topic("t", 4);
    let with_instance =
        |member: &str, epoch| ConsumerGroupHeartbeat { instance_id: Some("i".to_owned()), ..beat("g", member, epoch) };
    let first = call(&mut rig, with_instance("a", 0)).expect("joined");
    let other = call(&mut rig, with_instance("b", 0)).expect_err("it is taken");
    assert_eq!(other.refusal, Refusal::UnreleasedInstanceId);
    call(&mut rig, with_instance("a", -2)).expect("left for a while");
    let epoch = described(&mut rig, "g").group_epoch;
    let back = call(&mut rig, with_instance("b", 0)).expect("joined");
    assert_eq!(back.assignment, first.assignment);
    assert_eq!(described(&mut rig, "g").group_epoch, epoch, "no rebalance");
    assert_eq!(
        call(&mut rig, with_instance("a", first.member_epoch)).expect_err("fenced").refusal,
        Refusal::FencedInstanceId
    );
}

#[test]
fn commits_and_fetches_are_fenced_by_the_member_epoch() {
    let mut rig = Rig::new();
    rig.topic("t", 1);
    let joined = call(&mut rig, beat("g", "a", 0)).expect("joined");
    let code = |reply| match reply {
        Reply::OffsetCommit(outcomes) => outcomes[0][0].clone().err().map(|error| error.refusal),
        other => panic!("{other:?}"),
    };
    let epoch = joined.member_epoch;
    assert_eq!(code(rig.call(Event::OffsetCommit(commit("g", "a", epoch, "t", 0, 1)))), None);
    assert_eq!(
        code(rig.call(Event::OffsetCommit(commit("g", "a", epoch + 1, "t", 0, 1)))),
        Some(Refusal::StaleMemberEpoch)
    );
    assert_eq!(code(rig.call(Event::OffsetCommit(commit("g", "b", epoch, "t", 0, 1)))), Some(Refusal::UnknownMemberId));
    assert_eq!(code(rig.call(Event::OffsetCommit(commit("g", "", -1, "t", 0, 1)))), Some(Refusal::UnknownMemberId));
    let stale = OffsetFetch { member: Some(("a".to_owned(), epoch + 1)), ..fetch("g") };
    let Reply::OffsetFetch(Err(error)) = rig.call(Event::OffsetFetch(stale)) else { panic!("fetched") };
    assert_eq!(error.refusal, Refusal::StaleMemberEpoch);
}

#[test]
fn an_empty_group_changes_its_protocol_and_leaves_nothing_behind() {
    let mut rig = Rig::new();
    rig.topic("t", 1);
    call(&mut rig, beat("g", "a", 0)).expect("joined");
    call(&mut rig, beat("g", "a", -1)).expect("left");
    assert!(matches!(rig.call(Event::JoinGroup(join("g", ""))), Reply::JoinGroup(Ok(_))));
    let Reply::ListGroups(listed) = rig.call(Event::ListGroups(Default::default())) else { panic!("no list") };
    assert_eq!((listed.len(), listed[0].kind), (1, "classic"));
}

#[test]
fn requests_that_cannot_be_meant_are_refused_and_remembered_nowhere() {
    let mut rig = Rig::new();
    let good = || beat("g", "a", 0);
    let bad = [
        ConsumerGroupHeartbeat { group: String::new(), ..good() },
        ConsumerGroupHeartbeat { member_id: String::new(), ..good() },
        ConsumerGroupHeartbeat { member_epoch: -3, ..good() },
        ConsumerGroupHeartbeat { member_epoch: -2, ..good() },
        ConsumerGroupHeartbeat { rebalance_timeout_ms: -1, ..good() },
        ConsumerGroupHeartbeat { owned: None, ..good() },
        ConsumerGroupHeartbeat { subscribed_topics: None, ..good() },
        ConsumerGroupHeartbeat { instance_id: Some(String::new()), ..good() },
    ];
    for request in bad {
        assert_eq!(
            call(&mut rig, request.clone()).expect_err("refused").refusal,
            Refusal::InvalidRequest,
            "{request:?}"
        );
    }
    let assignor = ConsumerGroupHeartbeat { server_assignor: Some("mine".to_owned()), ..good() };
    assert_eq!(call(&mut rig, assignor).expect_err("refused").refusal, Refusal::UnsupportedAssignor);
    let regex = ConsumerGroupHeartbeat { subscribed_regex: Some("[".to_owned()), ..good() };
    assert_eq!(call(&mut rig, regex).expect_err("refused").refusal, Refusal::InvalidRegularExpression);
    assert_eq!(call(&mut rig, beat("g", "a", 3)).expect_err("no group").refusal, Refusal::GroupIdNotFound);
    assert!(rig.log.is_empty());
    assert_eq!(rig.machine.group_count(), 0);
}

#[test]
fn members_whose_sessions_end_together_leave_nothing_behind() {
    let mut rig = Rig::new();
    rig.topic("t", 6);
    let mut members = vec![Member::new("a"), Member::new("b"), Member::new("c")];
    settle(&mut rig, &mut members);
    let mut last = vec![members.remove(2)];
    for _ in 0..11 {
        rig.pass(5_000);
        last[0].step(&mut rig);
    }
    settle(&mut rig, &mut last);
    assert_eq!(last[0].partitions().len(), 6);
    assert_eq!(described(&mut rig, "g").members.len(), 1);
}

#[test]
fn targets_are_not_made_more_often_than_is_wanted() {
    let mut rig = Rig::new();
    rig.configs.set_all(|config| config.assignment_interval_ms = 3_000);
    rig.topic("t", 4);
    let first = call(&mut rig, beat("g", "a", 0)).expect("joined");
    let second = call(&mut rig, beat("g", "b", 0)).expect("joined");
    assert_eq!((second.member_epoch, described(&mut rig, "g").state), (first.member_epoch, "Assigning"));
    rig.pass(2_999);
    assert_eq!(described(&mut rig, "g").state, "Assigning");
    rig.pass(1);
    assert_eq!(described(&mut rig, "g").state, "Reconciling");
    let mut members = vec![
        Member { epoch: first.member_epoch, owned: first.assignment.expect("told"), ..Member::new("a") },
        Member { epoch: second.member_epoch, ..Member::new("b") },
    ];
    settle(&mut rig, &mut members);
    assert_eq!(members[1].partitions().len(), 2);
}

#[test]
fn a_groups_own_configuration_holds_for_it_alone_and_from_the_next_heartbeat_on() {
    let mut rig = Rig::new();
    rig.topic("t", 2);
    let interval = |rig: &mut Rig, group: &str, member: &str, epoch: i32| {
        call(rig, beat(group, member, epoch)).expect("a heartbeat").heartbeat_interval_ms
    };
    assert_eq!(interval(&mut rig, "g", "a", 0), 5_000);
    let own = ConsumerConfig { session_timeout_ms: 60_000, heartbeat_interval_ms: 9_000, assignment_interval_ms: 0 };
    rig.configs.set("g", own);
    let epoch = described(&mut rig, "g").members[0].member_epoch;
    assert_eq!(interval(&mut rig, "g", "a", epoch), 9_000);
    assert_eq!(interval(&mut rig, "h", "a", 0), 5_000);
    rig.pass(45_000);
    assert_eq!((described(&mut rig, "g").members.len(), described(&mut rig, "h").members.len()), (1, 0));
    rig.pass(14_999);
    assert_eq!(described(&mut rig, "g").members.len(), 1);
    rig.pass(1);
    assert_eq!(described(&mut rig, "g").members.len(), 0);
}

#[test]
fn a_commit_of_an_older_epoch_is_taken_for_what_the_member_had_then() {
    let mut rig = Rig::new();
    let id = rig.topic("t", 2);
    let mut members = vec![Member::new("a")];
    settle(&mut rig, &mut members);
    let old = members[0].epoch;
    rig.topic("t", 3);
    settle(&mut rig, &mut members);
    assert!(members[0].epoch > old);
    let mut outcome = |partition, epoch| {
        let mut request = commit("g", "a", epoch, "t", partition, 1);
        request.topics[0].0.id = id;
        match rig.call(Event::OffsetCommit(request)) {
            Reply::OffsetCommit(outcomes) => outcomes[0][0].clone().err().map(|error| error.refusal),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(outcome(0, old), None);
    assert_eq!(outcome(2, old), Some(Refusal::StaleMemberEpoch), "given later");
    assert_eq!(outcome(0, old - 1), Some(Refusal::StaleMemberEpoch), "before it was given");
    let epoch = members[0].epoch;
    assert_eq!(outcome(2, epoch), None);
    let old_client = OffsetCommit { knows_member_epochs: false, ..commit("g", "a", epoch, "t", 0, 1) };
    let Reply::OffsetCommit(outcomes) = rig.call(Event::OffsetCommit(old_client)) else { panic!("no outcome") };
    assert_eq!(outcomes[0][0].clone().expect_err("too old").refusal, Refusal::UnsupportedVersion);
}

#[test]
fn without_memory_no_members_are_taken_and_those_that_are_there_go_on() {
    let mut rig = Rig::with_memory(200_000, |_| {});
    rig.topic("t", 3);
    let mut told = Vec::new();
    for number in 0..200 {
        let group = format!("g{}", number % 20);
        let answer = match rig.call(Event::ConsumerGroupHeartbeat(beat(&group, &format!("m{number}"), 0))) {
            Reply::ConsumerGroupHeartbeat(answer) => answer,
            other => panic!("{other:?}"),
        };
        told.push(answer.map(|answer| answer.member_epoch).map_err(|error| error.refusal));
    }
    let taken = told.iter().filter(|told| told.is_ok()).count();
    assert!((10..50).contains(&taken), "{taken}");
    assert!(told[100..].iter().all(|told| *told == Err(Refusal::CoordinatorNotAvailable)));
    assert!(rig.memory.taken() < 200_000, "{}", rig.memory.taken());
    let epoch = told[0].expect("the first");
    let stay = |rig: &mut Rig, change: &dyn Fn(&mut ConsumerGroupHeartbeat)| {
        let mut request = beat("g0", "m0", epoch);
        change(&mut request);
        match rig.call(Event::ConsumerGroupHeartbeat(request)) {
            Reply::ConsumerGroupHeartbeat(answer) => answer.map(drop).map_err(|error| error.refusal),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(stay(&mut rig, &|_| {}), Ok(()));
    let names = |count: usize| Some((0..count).map(|number| format!("topic-{number}")).collect::<Vec<_>>());
    assert_eq!(
        stay(&mut rig, &|request| request.subscribed_topics = names(1000)),
        Err(Refusal::CoordinatorNotAvailable)
    );
    rig.pass(60_000);
    assert_eq!(stay(&mut rig, &|_| {}), Err(Refusal::UnknownMemberId));
    assert!(rig.memory.taken() < 40_000, "their sessions are over: {}", rig.memory.taken());
}
