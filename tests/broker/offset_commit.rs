//! OffsetCommit: what was read is remembered.

use klamm::base::ids::Uuid;
use klamm::wire::messages::offset_commit::OffsetCommitRequest;

use crate::groups::{
    GROUP_ID_NOT_FOUND, ILLEGAL_GENERATION, OFFSET_METADATA_TOO_LARGE, REBALANCE_IN_PROGRESS, STALE_MEMBER_EPOCH,
    UNKNOWN_MEMBER_ID, UNKNOWN_TOPIC_ID, UNKNOWN_TOPIC_OR_PARTITION, UNSUPPORTED_VERSION, beat_request, classic,
    commit, commit_request, committed, consumer, group, join, join_request, ready,
};
use crate::rig::{Rig, client, fresh};

#[test]
fn every_version_commits_for_a_simple_consumer() {
    let mut client = client();
    let topic = fresh("commit-topic");
    let topic_id = client.create(&topic, 1, &[]);
    let id = group(&mut client, "commit-versions");
    for version in 2..=10 {
        let mut request = commit_request(&id, &topic, 0, i64::from(version));
        request.topics[0].topic_id = topic_id;
        let response = client.call(&request, version);
        assert_eq!(response.topics.len(), 1);
        let told = &response.topics[0];
        if version >= 10 {
            assert_eq!((told.name.as_str(), told.topic_id), ("", topic_id));
        } else {
            assert_eq!(told.name, topic);
        }
        assert_eq!((told.partitions[0].partition_index, told.partitions[0].error_code.0), (0, 0), "version {version}");
        assert_eq!(committed(&mut client, &id, &topic, 0), i64::from(version));
    }
}

#[test]
fn partitions_have_their_own_outcomes() {
    let mut client = client();
    let topic = fresh("commit-topic");
    let topic_id = client.create(&topic, 2, &[]);
    let id = group(&mut client, "commit-partitions");
    let unknown = fresh("never-there");
    assert_eq!(commit(&mut client, &commit_request(&id, &unknown, 0, 1), 9), UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!(commit(&mut client, &commit_request(&id, &topic, 2, 1), 9), UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!(commit(&mut client, &commit_request(&id, &topic, -1, 1), 9), UNKNOWN_TOPIC_OR_PARTITION);
    for (asked, code) in [(Uuid([9; 16]), UNKNOWN_TOPIC_ID), (Uuid::ZERO, UNKNOWN_TOPIC_ID), (topic_id, 0)] {
        let mut request = commit_request(&id, "", 1, 5);
        request.topics[0].topic_id = asked;
        assert_eq!(commit(&mut client, &request, 10), code, "{asked}");
    }
    let mut request = commit_request(&id, &topic, 0, 3);
    let mut more = request.topics[0].partitions[0].clone();
    more.partition_index = 7;
    request.topics[0].partitions.push(more.clone());
    more.partition_index = 1;
    more.committed_metadata = Some("x".repeat(4097));
    request.topics[0].partitions.push(more);
    request.topics.push(commit_request(&id, &unknown, 0, 1).topics.remove(0));
    let response = client.call(&request, 9);
    let codes: Vec<(String, i32, i16)> = response
        .topics
        .iter()
        .flat_map(|one| one.partitions.iter().map(|at| (one.name.clone(), at.partition_index, at.error_code.0)))
        .collect();
    let mut codes = codes;
    codes.sort();
    let mut expected = vec![
        (topic.clone(), 0, 0),
        (topic.clone(), 1, OFFSET_METADATA_TOO_LARGE),
        (topic.clone(), 7, UNKNOWN_TOPIC_OR_PARTITION),
        (unknown, 0, UNKNOWN_TOPIC_OR_PARTITION),
    ];
    expected.sort();
    assert_eq!(codes, expected);
    assert_eq!(committed(&mut client, &id, &topic, 0), 3);
    assert_eq!(committed(&mut client, &id, &topic, 1), 5, "the refused one is as it was");
    let mut null = commit_request(&id, &topic, 0, 4);
    null.topics[0].partitions[0].committed_metadata = None;
    assert_eq!(commit(&mut client, &null, 9), 0);
}

#[test]
fn the_empty_group_id_commits_as_ever() {
    let mut client = client();
    let topic = fresh("commit-topic");
    client.create(&topic, 1, &[]);
    ready(&mut client, "");
    assert_eq!(commit(&mut client, &commit_request("", &topic, 0, 7), 8), 0);
    assert_eq!(committed(&mut client, "", &topic, 0), 7);
}

#[test]
fn who_claims_a_generation_must_be_of_it() {
    let mut client = client();
    let topic = fresh("commit-topic");
    client.create(&topic, 1, &[]);
    let id = group(&mut client, "commit-classic");
    let of = |member: &str, generation: i32| OffsetCommitRequest {
        member_id: member.to_owned(),
        generation_id_or_member_epoch: generation,
        ..commit_request(&id, &topic, 0, 7)
    };
    assert_eq!(commit(&mut client, &of("m", 1), 8), ILLEGAL_GENERATION, "no such group");
    assert_eq!(commit(&mut client, &of("m", 1), 9), GROUP_ID_NOT_FOUND, "no such group");
    let (member, generation) = classic(&mut client, &id, &[&topic]);
    for version in [2, 7, 9] {
        assert_eq!(commit(&mut client, &of(&member, generation), version), 0);
        assert_eq!(commit(&mut client, &of(&member, generation + 1), version), ILLEGAL_GENERATION);
        assert_eq!(commit(&mut client, &of(&member, -1), version), ILLEGAL_GENERATION);
        assert_eq!(commit(&mut client, &of("stranger", generation), version), UNKNOWN_MEMBER_ID);
        assert_eq!(commit(&mut client, &of("", -1), version), UNKNOWN_MEMBER_ID, "the group is not empty");
    }
    let as_static = OffsetCommitRequest { group_instance_id: Some("i".to_owned()), ..of(&member, generation) };
    assert_eq!(commit(&mut client, &as_static, 9), UNKNOWN_MEMBER_ID);
    // Joined, and not synced yet.
    let joined = join(&mut client, join_request(&id, &member), 9);
    assert_eq!(commit(&mut client, &of(&member, joined.generation_id), 9), REBALANCE_IN_PROGRESS);
}

#[test]
fn a_member_of_a_consumer_group_commits_by_its_epoch() {
    let mut client = client();
    let topic = fresh("commit-topic");
    client.create(&topic, 1, &[]);
    let id = group(&mut client, "commit-consumer");
    let (member, epoch) = consumer(&mut client, &id, &[&topic]);
    let of = |member: &str, epoch: i32| OffsetCommitRequest {
        member_id: member.to_owned(),
        generation_id_or_member_epoch: epoch,
        ..commit_request(&id, &topic, 0, 7)
    };
    assert_eq!(commit(&mut client, &of(&member, epoch), 9), 0);
    assert_eq!(commit(&mut client, &of(&member, epoch), 8), UNSUPPORTED_VERSION);
    assert_eq!(commit(&mut client, &of(&member, epoch + 1), 9), STALE_MEMBER_EPOCH);
    assert_eq!(commit(&mut client, &of(&member, epoch - 1), 9), STALE_MEMBER_EPOCH, "given later");
    assert_eq!(commit(&mut client, &of(&member, -1), 9), STALE_MEMBER_EPOCH);
    assert_eq!(commit(&mut client, &of("stranger", epoch), 9), UNKNOWN_MEMBER_ID);
    assert_eq!(commit(&mut client, &of("", -1), 9), UNKNOWN_MEMBER_ID);

    // A new subscription is a new epoch; the partition is still of the old one (KIP-1251).
    let more = fresh("commit-more");
    client.create(&more, 1, &[]);
    let mut request = beat_request(&id, &member, epoch, &[]);
    request.subscribed_topic_names = Some(vec![topic.clone(), more.clone()]);
    let response = client.call(&request, 1);
    assert_eq!((response.error_code.0, response.member_epoch), (0, epoch + 1));
    assert_eq!(commit(&mut client, &of(&member, epoch), 9), 0);
    let mut other = of(&member, epoch);
    other.topics[0].name = more;
    assert_eq!(commit(&mut client, &other, 9), STALE_MEMBER_EPOCH);
}

#[test]
fn offsets_survive_a_restart_and_go_with_their_topic() {
    let mut rig = Rig::with(&[]);
    let mut client = rig.client();
    client.create("t", 1, &[]);
    client.create("u", 1, &[]);
    let id = group(&mut client, "commit-restart");
    assert_eq!(commit(&mut client, &commit_request(&id, "t", 0, 7), 9), 0);
    assert_eq!(commit(&mut client, &commit_request(&id, "u", 0, 8), 9), 0);
    rig.restart();
    let mut client = rig.client();
    ready(&mut client, &id);
    assert_eq!(committed(&mut client, &id, "t", 0), 7);
    client.delete("t");
    crate::rig::until("the offsets of the topic go", || (committed(&mut client, &id, "t", 0) == -1).then_some(()));
    client.create("t", 1, &[]);
    assert_eq!(committed(&mut client, &id, "t", 0), -1, "the new topic is another one");
    assert_eq!(committed(&mut client, &id, "u", 0), 8);
}
