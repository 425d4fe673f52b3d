//! Committed offsets.

use super::*;
use crate::base::ids::{ProducerEpoch, ProducerId};
use crate::coordinator::group::event::{GroupError, OffsetDelete, Refusal};
use crate::coordinator::machine::Marker;

const HOUR_MS: u64 = 3_600_000;

fn outcome(rig: &mut Rig, request: OffsetCommit) -> Result<(), GroupError> {
    match rig.call(Event::OffsetCommit(request)) {
        Reply::OffsetCommit(mut outcomes) => outcomes.remove(0).remove(0),
        other => panic!("{other:?}"),
    }
}

/// Topic, partition and offset of all that is committed.
fn committed(rig: &mut Rig, group: &str) -> Vec<(String, i32, i64)> {
    let Reply::OffsetFetch(Ok(topics)) = rig.call(Event::OffsetFetch(fetch(group))) else { panic!("no offsets") };
    let mut all = Vec::new();
    for topic in topics {
        let name = topic.topic.name.expect("a name").to_string();
        all.extend(
            topic.partitions.into_iter().map(|partition| (name.clone(), partition.partition, partition.offset.0)),
        );
    }
    all
}

#[test]
fn a_simple_consumer_commits_without_a_group() {
    let mut rig = Rig::new();
    assert_eq!(outcome(&mut rig, commit("g", "", -1, "t", 0, 7)), Ok(()));
    assert_eq!(committed(&mut rig, "g"), [("t".to_owned(), 0, 7)]);
    rig.restart();
    assert_eq!(committed(&mut rig, "g"), [("t".to_owned(), 0, 7)]);
    assert_eq!(rig.machine.group_count(), 0);
}

#[test]
fn who_claims_to_be_a_member_must_be_one() {
    let mut rig = Rig::new();
    let error = outcome(&mut rig, commit("g", "m", 3, "t", 0, 7)).expect_err("no such group");
    assert_eq!(error.refusal, Refusal::GroupIdNotFound);
    let old = OffsetCommit { knows_member_epochs: false, ..commit("g", "m", 3, "t", 0, 7) };
    assert_eq!(outcome(&mut rig, old).expect_err("no such group").refusal, Refusal::IllegalGeneration);

    let Reply::JoinGroup(Ok(joined)) = rig.call(Event::JoinGroup(join("g", ""))) else { panic!("not joined") };
    let id = joined.member_id;
    assert_eq!(
        outcome(&mut rig, commit("g", &id, 1, "t", 0, 7)).expect_err("not synced").refusal,
        Refusal::RebalanceInProgress
    );
    rig.call(Event::SyncGroup(sync("g", &id, 1, &[])));
    assert_eq!(outcome(&mut rig, commit("g", &id, 1, "t", 0, 7)), Ok(()));
    assert_eq!(outcome(&mut rig, commit("g", &id, 0, "t", 0, 8)).expect_err("old").refusal, Refusal::IllegalGeneration);
    assert_eq!(
        outcome(&mut rig, commit("g", "x", 1, "t", 0, 8)).expect_err("stranger").refusal,
        Refusal::UnknownMemberId
    );
    assert_eq!(
        outcome(&mut rig, commit("g", "", -1, "t", 0, 8)).expect_err("nobody").refusal,
        Refusal::UnknownMemberId
    );
    assert_eq!(committed(&mut rig, "g"), [("t".to_owned(), 0, 7)]);
}

#[test]
fn metadata_has_a_limit() {
    let mut rig = Rig::new();
    let mut long = commit("g", "", -1, "t", 0, 7);
    long.topics[0].1[0].metadata = Some("x".repeat(4097));
    assert_eq!(outcome(&mut rig, long).expect_err("too long").refusal, Refusal::OffsetMetadataTooLarge);
    assert!(rig.log.is_empty());
}

#[test]
fn offsets_expire_from_the_moment_the_group_empties() {
    let mut rig = Rig::with(|settings| settings.offsets_retention_ms = 24 * 3_600_000);
    let Reply::JoinGroup(Ok(joined)) = rig.call(Event::JoinGroup(join("g", ""))) else { panic!("not joined") };
    let id = joined.member_id;
    rig.call(Event::SyncGroup(sync("g", &id, 1, &[])));
    outcome(&mut rig, commit("g", &id, 1, "t", 0, 7)).expect("committed");
    for _ in 0..48 * 720 {
        rig.pass(5_000);
        rig.call(Event::Heartbeat(heartbeat("g", &id, 1)));
    }
    assert_eq!(committed(&mut rig, "g").len(), 1, "in use");
    rig.call(Event::LeaveGroup(leave("g", &id)));
    rig.pass(23 * HOUR_MS);
    assert_eq!(committed(&mut rig, "g").len(), 1, "not yet");
    rig.pass(2 * HOUR_MS);
    assert!(committed(&mut rig, "g").is_empty());
    assert_eq!(rig.machine.group_count(), 0, "the group went with them");
    rig.restart();
    assert!(committed(&mut rig, "g").is_empty());
    assert_eq!(rig.machine.group_count(), 0);
}

#[test]
fn a_commit_with_its_own_retention_ends_when_it_says() {
    let mut rig = Rig::new();
    let own = OffsetCommit { retention_ms: 3_600_000, ..commit("g", "", -1, "t", 0, 7) };
    outcome(&mut rig, own).expect("committed");
    rig.pass(HOUR_MS / 2);
    assert_eq!(committed(&mut rig, "g").len(), 1);
    rig.pass(HOUR_MS);
    assert!(committed(&mut rig, "g").is_empty());
}

#[test]
fn a_deleted_topic_takes_its_offsets_along() {
    let mut rig = Rig::new();
    outcome(&mut rig, commit("g", "", -1, "t", 0, 7)).expect("committed");
    outcome(&mut rig, commit("g", "", -1, "u", 0, 8)).expect("committed");
    let name = TopicName::parse("t").expect("a legal name");
    rig.call(Event::TopicsDeleted(vec![(Uuid([9; 16]), name)]));
    rig.pass(1);
    assert_eq!(committed(&mut rig, "g"), [("u".to_owned(), 0, 8)]);
}

/// A topic that was deleted while the log was being read used to keep its offsets until they expired.
#[test]
fn offsets_of_topics_that_are_not_there_go_after_a_start() {
    let mut rig = Rig::new();
    let id = rig.topic("kept", 1);
    rig.topic("made-again", 1);
    let of = |topic: &str, id: TopicId, offset: i64| {
        let mut commit = commit("g", "", -1, topic, 0, offset);
        commit.topics[0].0.id = id;
        commit
    };
    for (topic, id, offset) in [
        ("kept", id, 1),
        ("made-again", Uuid([99; 16]), 2),
        ("gone", Uuid([98; 16]), 3),
        ("gone-and-nameless", Uuid::default(), 4),
    ] {
        outcome(&mut rig, of(topic, id, offset)).expect("committed");
    }
    let nameless = OffsetCommit { group: "h".to_owned(), ..of("kept", Uuid::default(), 5) };
    outcome(&mut rig, nameless).expect("committed");
    rig.restart();
    rig.pass(1);
    assert_eq!(committed(&mut rig, "g"), [("kept".to_owned(), 0, 1)]);
    assert_eq!(committed(&mut rig, "h"), [("kept".to_owned(), 0, 5)]);
    rig.restart();
    assert_eq!(committed(&mut rig, "g"), [("kept".to_owned(), 0, 1)], "there are tombstones for the others");
}

fn commit_many(rig: &mut Rig, group: &str, partitions: i32) {
    let mut many = commit(group, "", -1, "t", 0, 7);
    let one = CommitPartition { metadata: None, ..many.topics[0].1[0].clone() };
    many.topics[0].1 = (0..partitions).map(|partition| CommitPartition { partition, ..one.clone() }).collect();
    outcome(rig, many).expect("committed");
}

/// It went in one batch, however large.
#[test]
fn a_group_of_many_offsets_is_deleted_in_parts_and_the_answer_comes_with_the_last() {
    let mut rig = Rig::new();
    commit_many(&mut rig, "g", 12_000);
    commit_many(&mut rig, "h", 1);
    let before = rig.log.len();
    let first = rig.ask(Event::DeleteGroup("g".to_owned()));
    assert_eq!(rig.log.len() - before, 5_000);
    let second = rig.ask(Event::DeleteGroup("g".to_owned()));
    assert_eq!((rig.log.len() - before, rig.unanswered()), (10_000, 2));
    rig.pass(1);
    for ticket in [first, second] {
        assert!(matches!(rig.answer(ticket), Some(Reply::DeleteGroup(Ok(())))));
    }
    // The last record is the group's own tombstone.
    assert_eq!(
        (rig.log.len() - before, committed(&mut rig, "g").len(), committed(&mut rig, "h").len()),
        (12_001, 0, 1)
    );
}

#[test]
fn who_comes_into_a_group_that_is_being_deleted_keeps_it() {
    let mut rig = Rig::new();
    commit_many(&mut rig, "g", 12_000);
    let deletion = rig.ask(Event::DeleteGroup("g".to_owned()));
    let Reply::JoinGroup(Ok(_)) = rig.call(Event::JoinGroup(join("g", ""))) else { panic!("not joined") };
    rig.pass(1);
    let Some(Reply::DeleteGroup(Err(error))) = rig.answer(deletion) else { panic!("deleted under a member") };
    assert_eq!((error.refusal, committed(&mut rig, "g").len()), (Refusal::NonEmptyGroup, 7_000));
}

#[test]
fn long_names_make_small_parts() {
    let mut rig = Rig::new();
    let group = "g".repeat(32_000);
    commit_many(&mut rig, &group, 100);
    let before = rig.log.len();
    let deletion = rig.ask(Event::DeleteGroup(group.clone()));
    assert_eq!(rig.log.len() - before, 33);
    rig.pass(4);
    assert!(matches!(rig.answer(deletion), Some(Reply::DeleteGroup(Ok(())))));
}

#[test]
fn many_offsets_expire_in_parts_too() {
    let mut rig = Rig::new();
    commit_many(&mut rig, "g", 12_000);
    let before = rig.log.len();
    rig.pass(8 * 24 * HOUR_MS);
    assert_eq!((rig.log.len() - before, committed(&mut rig, "g").len()), (12_001, 0));
}

#[test]
fn offsets_of_a_topic_that_is_read_are_not_deleted() {
    let mut rig = Rig::new();
    let Reply::JoinGroup(Ok(joined)) = rig.call(Event::JoinGroup(join("g", ""))) else { panic!("not joined") };
    rig.call(Event::SyncGroup(sync("g", &joined.member_id, 1, &[])));
    outcome(&mut rig, commit("g", &joined.member_id, 1, "t", 0, 7)).expect("committed");
    outcome(&mut rig, commit("g", &joined.member_id, 1, "u", 0, 7)).expect("committed");
    let topics = ["t", "u"].map(|name| (TopicName::parse(name).expect("a legal name"), vec![0]));
    let request = OffsetDelete { group: "g".to_owned(), topics: topics.to_vec() };
    let Reply::OffsetDelete(Ok(outcomes)) = rig.call(Event::OffsetDelete(request)) else { panic!("refused") };
    assert_eq!(outcomes[0][0], Err(Refusal::GroupSubscribedToTopic.into()));
    assert_eq!(outcomes[1][0], Ok(()));
    assert_eq!(committed(&mut rig, "g"), [("t".to_owned(), 0, 7)]);
}

#[test]
fn an_offset_of_a_transaction_is_seen_when_it_commits() {
    let mut rig = Rig::new();
    outcome(&mut rig, commit("g", "", -1, "t", 0, 1)).expect("committed");
    let producer = (ProducerId(5), ProducerEpoch(0));
    for (committed_in_the_end, expected) in [(false, 1), (true, 9)] {
        let open = OffsetCommit { transaction: Some(producer), ..commit("g", "", -1, "t", 0, 9) };
        outcome(&mut rig, open).expect("committed");
        assert_eq!(committed(&mut rig, "g"), [("t".to_owned(), 0, 1)]);
        let stable = OffsetFetch { require_stable: true, ..fetch("g") };
        let Reply::OffsetFetch(Ok(topics)) = rig.call(Event::OffsetFetch(stable)) else { panic!("refused") };
        assert_eq!(topics[0].partitions[0].error, Some(Refusal::UnstableOffsetCommit));
        let marker = Marker { producer_id: producer.0, producer_epoch: producer.1, committed: committed_in_the_end };
        let at = At { offset: Offset(100), wall: WallMs(0), transaction: Some(producer) };
        rig.machine.replay_marker(marker, at);
        assert_eq!(committed(&mut rig, "g"), [("t".to_owned(), 0, expected)]);
    }
}

#[test]
fn a_client_that_invents_groups_does_not_take_all_memory() {
    let mut rig = Rig::with(|settings| settings.groups_max = 3);
    for name in ["a", "b", "c"] {
        outcome(&mut rig, commit(name, "", -1, "t", 0, 7)).expect("committed");
    }
    let error = outcome(&mut rig, commit("d", "", -1, "t", 0, 7)).expect_err("one too many");
    assert_eq!(error.refusal, Refusal::CoordinatorNotAvailable);
    outcome(&mut rig, commit("a", "", -1, "t", 0, 8)).expect("who is there stays");
    assert!(matches!(rig.call(Event::JoinGroup(join("e", ""))), Reply::JoinGroup(Err(_))));
    assert!(matches!(rig.call(Event::DeleteGroup("b".to_owned())), Reply::DeleteGroup(Ok(()))));
    outcome(&mut rig, commit("d", "", -1, "t", 0, 7)).expect("there is room again");
}

#[test]
fn a_commit_that_would_not_fit_into_the_log_is_refused_whole() {
    let mut rig = Rig::new();
    let mut huge = commit("g", "", -1, "t", 0, 7);
    let one = CommitPartition { metadata: Some("x".repeat(4096)), ..huge.topics[0].1[0].clone() };
    huge.topics[0].1 = (0..4_200).map(|partition| CommitPartition { partition, ..one.clone() }).collect();
    assert_eq!(outcome(&mut rig, huge).expect_err("too big").refusal, Refusal::InvalidCommitOffsetSize);
    assert!(rig.log.is_empty());
}

/// Apache Kafka makes a group of offsets that it reads, and forgets it only when told so.
#[test]
fn a_deleted_group_that_had_only_offsets_leaves_the_tombstone_of_a_group() {
    let mut rig = Rig::new();
    outcome(&mut rig, commit("g", "", -1, "t", 0, 7)).expect("committed");
    assert_eq!(rig.call(Event::DeleteGroup("g".to_owned())), Reply::DeleteGroup(Ok(())));
    assert!(rig.log.contains(&Record::Group { group: "g".to_owned(), value: None }));
    rig.restart();
    assert_eq!(committed(&mut rig, "g"), []);
}

/// The bytes that a rig's groups may take, and one that has groups of simple consumers up to it.
fn full_of_offsets() -> Rig {
    let mut rig = Rig::with_memory(100_000, |_| {});
    let refused = (0..1000).map(|number| outcome(&mut rig, commit(&format!("g{number}"), "", -1, "t", 0, 7)));
    let refused: Vec<_> = refused.filter_map(Result::err).collect();
    assert!(refused.len() > 900 && refused.iter().all(|error| error.refusal == Refusal::CoordinatorNotAvailable));
    rig
}

#[test]
fn without_memory_new_groups_are_refused_and_those_that_are_there_go_on() {
    let mut rig = full_of_offsets();
    assert!((60_000..=75_000).contains(&rig.memory.taken()), "{}", rig.memory.taken());
    outcome(&mut rig, commit("g0", "", -1, "t", 0, 8)).expect("no more than before");
    outcome(&mut rig, commit("g0", "", -1, "t", 1, 8)).expect("a little more, of a group that is there");
    let mut large = commit("g0", "", -1, "t", 2, 8);
    large.topics[0].1 =
        (2..90).map(|partition| CommitPartition { partition, ..large.topics[0].1[0].clone() }).collect();
    large.topics[0].1.iter_mut().for_each(|one| one.metadata = Some("x".repeat(1000)));
    let error = outcome(&mut rig, large).expect_err("far more");
    assert_eq!(error.refusal, Refusal::CoordinatorNotAvailable);
    for number in 0..10 {
        assert!(matches!(rig.call(Event::DeleteGroup(format!("g{number}"))), Reply::DeleteGroup(Ok(()))));
    }
    outcome(&mut rig, commit("new", "", -1, "t", 0, 7)).expect("there is memory again");
}

#[test]
fn what_groups_take_is_reckoned_the_same_after_a_restart_and_nothing_is_left_of_what_went() {
    let mut rig = full_of_offsets();
    let before = rig.memory.taken();
    rig.restart();
    assert_eq!(rig.memory.taken(), before);
    for number in 0..1000 {
        rig.call(Event::DeleteGroup(format!("g{number}")));
    }
    rig.call(Event::OffsetFetch(fetch("g")));
    assert_eq!(rig.memory.taken(), 0);
}
