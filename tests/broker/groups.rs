//! What the tests of group APIs share: a coordinator that is ready, classic groups and consumer groups of one member.

use bytes::Bytes;
use klamm::base::ids::Uuid;
use klamm::wire::messages::consumer_group_heartbeat::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, TopicPartitions,
};
use klamm::wire::messages::describe_groups::DescribeGroupsRequest;
use klamm::wire::messages::find_coordinator::FindCoordinatorRequest;
use klamm::wire::messages::heartbeat::HeartbeatRequest;
use klamm::wire::messages::join_group::{JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse};
use klamm::wire::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use klamm::wire::messages::offset_fetch::{OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use klamm::wire::messages::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment};

use crate::rig::{Client, fresh, until};

pub const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
pub const OFFSET_METADATA_TOO_LARGE: i16 = 12;
pub const ILLEGAL_GENERATION: i16 = 22;
pub const INCONSISTENT_GROUP_PROTOCOL: i16 = 23;
pub const INVALID_GROUP_ID: i16 = 24;
pub const UNKNOWN_MEMBER_ID: i16 = 25;
pub const INVALID_SESSION_TIMEOUT: i16 = 26;
pub const REBALANCE_IN_PROGRESS: i16 = 27;
pub const UNSUPPORTED_VERSION: i16 = 35;
pub const INVALID_REQUEST: i16 = 42;
pub const NON_EMPTY_GROUP: i16 = 68;
pub const GROUP_ID_NOT_FOUND: i16 = 69;
pub const MEMBER_ID_REQUIRED: i16 = 79;
pub const FENCED_INSTANCE_ID: i16 = 82;
pub const GROUP_SUBSCRIBED_TO_TOPIC: i16 = 86;
pub const UNKNOWN_TOPIC_ID: i16 = 100;
pub const FENCED_MEMBER_EPOCH: i16 = 110;
pub const UNRELEASED_INSTANCE_ID: i16 = 111;
pub const UNSUPPORTED_ASSIGNOR: i16 = 112;
pub const STALE_MEMBER_EPOCH: i16 = 113;
pub const INVALID_REGULAR_EXPRESSION: i16 = 128;

/// A group's name that nobody else uses, whose coordinator answers.
pub fn group(client: &mut Client, what: &str) -> String {
    let group = fresh(what);
    ready(client, &group);
    group
}

/// Waits until the coordinator of a group answers: the topic may have to be made, or the log to be read.
pub fn ready(client: &mut Client, group: &str) {
    until("a coordinator", || {
        let request = FindCoordinatorRequest { coordinator_keys: vec![group.to_owned()], ..Default::default() };
        (client.call(&request, 4).coordinators[0].error_code.0 == 0).then_some(())
    });
    until("a coordinator that answers", || {
        let request = DescribeGroupsRequest { groups: vec![group.to_owned()], ..Default::default() };
        let code = client.call(&request, 5).groups[0].error_code.0;
        (!(14..=16).contains(&code)).then_some(())
    });
}

/// A subscription of the classic consumer protocol: version 0, these topics.
pub fn subscription(topics: &[&str]) -> Bytes {
    let mut bytes = vec![0, 0];
    bytes.extend(u32::try_from(topics.len()).expect("few").to_be_bytes());
    for topic in topics {
        bytes.extend(u16::try_from(topic.len()).expect("short").to_be_bytes());
        bytes.extend(topic.as_bytes());
    }
    bytes.extend((-1_i32).to_be_bytes());
    bytes.into()
}

pub fn protocol(name: &str, topics: &[&str]) -> JoinGroupRequestProtocol {
    JoinGroupRequestProtocol { name: name.to_owned(), metadata: subscription(topics) }
}

pub fn join_request(group: &str, member: &str) -> JoinGroupRequest {
    JoinGroupRequest {
        group_id: group.to_owned(),
        session_timeout_ms: 30_000,
        rebalance_timeout_ms: 30_000,
        member_id: member.to_owned(),
        group_instance_id: None,
        protocol_type: "consumer".to_owned(),
        protocols: vec![protocol("range", &["t"])],
        reason: None,
    }
}

/// Joins, in two steps where the version demands it.
pub fn join(client: &mut Client, request: JoinGroupRequest, version: i16) -> JoinGroupResponse {
    let response = client.call(&request, version);
    if response.error_code.0 != MEMBER_ID_REQUIRED {
        return response;
    }
    client.call(&JoinGroupRequest { member_id: response.member_id, ..request }, version)
}

pub fn sync_request(group: &str, member: &str, generation: i32, given: &[(&str, &[u8])]) -> SyncGroupRequest {
    let assignment = |(member, bytes): &(&str, &[u8])| SyncGroupRequestAssignment {
        member_id: (*member).to_owned(),
        assignment: Bytes::copy_from_slice(bytes),
    };
    SyncGroupRequest {
        group_id: group.to_owned(),
        generation_id: generation,
        member_id: member.to_owned(),
        group_instance_id: None,
        protocol_type: Some("consumer".to_owned()),
        protocol_name: Some("range".to_owned()),
        assignments: given.iter().map(assignment).collect(),
    }
}

pub fn heartbeat_request(group: &str, member: &str, generation: i32) -> HeartbeatRequest {
    HeartbeatRequest {
        group_id: group.to_owned(),
        generation_id: generation,
        member_id: member.to_owned(),
        group_instance_id: None,
    }
}

/// A stable classic group of one member that reads `topics`: its id and generation.
pub fn classic(client: &mut Client, group: &str, topics: &[&str]) -> (String, i32) {
    let request = JoinGroupRequest { protocols: vec![protocol("range", topics)], ..join_request(group, "") };
    let joined = join(client, request, 9);
    assert_eq!(joined.error_code.0, 0);
    let request = sync_request(group, &joined.member_id, joined.generation_id, &[(&joined.member_id, b"")]);
    assert_eq!(client.call(&request, 5).error_code.0, 0);
    (joined.member_id, joined.generation_id)
}

pub fn beat_request(group: &str, member: &str, epoch: i32, topics: &[&str]) -> ConsumerGroupHeartbeatRequest {
    let joins = epoch == 0;
    ConsumerGroupHeartbeatRequest {
        group_id: group.to_owned(),
        member_id: member.to_owned(),
        member_epoch: epoch,
        rebalance_timeout_ms: if joins { 20_000 } else { -1 },
        subscribed_topic_names: joins.then(|| topics.iter().map(|topic| (*topic).to_owned()).collect()),
        topic_partitions: joins.then(Vec::new),
        ..Default::default()
    }
}

/// What a heartbeat tells the member to own, sorted; `None`: as before.
pub fn assigned(response: &ConsumerGroupHeartbeatResponse) -> Option<Vec<(Uuid, Vec<i32>)>> {
    let listed = |one: &TopicPartitions| {
        let mut partitions = one.partitions.clone();
        partitions.sort_unstable();
        (one.topic_id, partitions)
    };
    response.assignment.as_ref().map(|assignment| assignment.topic_partitions.iter().map(listed).collect())
}

/// A member of a consumer group that reads a topic alone, and owns all of it: its id and epoch.
pub fn consumer(client: &mut Client, group: &str, topics: &[&str]) -> (String, i32) {
    let member = fresh("member");
    let response = client.call(&beat_request(group, &member, 0, topics), 1);
    assert_eq!(response.error_code.0, 0, "{:?}", response.error_message);
    (member, response.member_epoch)
}

/// A commit of one offset by nobody in particular.
pub fn commit_request(group: &str, topic: &str, partition: i32, offset: i64) -> OffsetCommitRequest {
    let partition = OffsetCommitRequestPartition {
        partition_index: partition,
        committed_offset: offset,
        committed_leader_epoch: -1,
        committed_metadata: Some("note".to_owned()),
    };
    let topic = OffsetCommitRequestTopic { name: topic.to_owned(), partitions: vec![partition], ..Default::default() };
    OffsetCommitRequest { group_id: group.to_owned(), topics: vec![topic], ..Default::default() }
}

/// Commits; the outcome of the one partition.
pub fn commit(client: &mut Client, request: &OffsetCommitRequest, version: i16) -> i16 {
    client.call(request, version).topics[0].partitions[0].error_code.0
}

/// The committed offset of one partition.
pub fn committed(client: &mut Client, group: &str, topic: &str, partition: i32) -> i64 {
    let topics =
        OffsetFetchRequestTopics { name: topic.to_owned(), partition_indexes: vec![partition], ..Default::default() };
    let asked =
        OffsetFetchRequestGroup { group_id: group.to_owned(), topics: Some(vec![topics]), ..Default::default() };
    let response = client.call(&OffsetFetchRequest { groups: vec![asked], ..Default::default() }, 9);
    response.groups[0].topics[0].partitions[0].committed_offset
}
