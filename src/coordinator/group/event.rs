//! What a group coordinator is asked, and what it answers. The shapes of the protocol without its versions: `api/` makes
//! events from requests and answers from replies.

use bytes::Bytes;

use super::consumer::regex::Compiled;
use crate::base::ids::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, TopicId, TopicName};

/// A group's name; may be empty for commits of version 0 clients.
pub type GroupId = String;

/// A request to one group, or to all groups of the partition.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    JoinGroup(JoinGroup),
    SyncGroup(SyncGroup),
    Heartbeat(Heartbeat),
    LeaveGroup(LeaveGroup),
    ConsumerGroupHeartbeat(ConsumerGroupHeartbeat),
    OffsetCommit(OffsetCommit),
    OffsetFetch(OffsetFetch),
    OffsetDelete(OffsetDelete),
    /// Groups of one partition; the API asks every partition.
    ListGroups(ListGroups),
    DescribeGroup(GroupId),
    DescribeConsumerGroup(GroupId),
    DeleteGroup(GroupId),
    /// The offsets of a deleted topic go.
    TopicsDeleted(Vec<(TopicId, TopicName)>),
}

/// The answer to each of the events.
#[derive(Clone, PartialEq, Debug)]
pub enum Reply {
    JoinGroup(Result<Joined, JoinRefused>),
    SyncGroup(Result<Synced, GroupError>),
    Heartbeat(Result<(), GroupError>),
    LeaveGroup(Result<Vec<Left>, GroupError>),
    ConsumerGroupHeartbeat(Result<ConsumerHeartbeatAnswer, GroupError>),
    /// An outcome for each partition, in the order of the request.
    OffsetCommit(Vec<Vec<Result<(), GroupError>>>),
    OffsetFetch(Result<Vec<FetchedTopic>, GroupError>),
    OffsetDelete(Result<Vec<Vec<Result<(), GroupError>>>, GroupError>),
    ListGroups(Vec<ListedGroup>),
    DescribeGroup(Result<DescribedGroup, GroupError>),
    DescribeConsumerGroup(Result<DescribedConsumerGroup, GroupError>),
    DeleteGroup(Result<(), GroupError>),
    TopicsDeleted,
}

/// Why something was refused; `api/errors.rs` maps each to Kafka's code of the same name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Refusal {
    CoordinatorNotAvailable,
    NotCoordinator,
    CoordinatorLoadInProgress,
    InvalidGroupId,
    GroupIdNotFound,
    NonEmptyGroup,
    GroupSubscribedToTopic,
    GroupMaxSizeReached,
    UnknownMemberId,
    MemberIdRequired,
    FencedInstanceId,
    IllegalGeneration,
    RebalanceInProgress,
    InconsistentGroupProtocol,
    InvalidSessionTimeout,
    InvalidRequest,
    FencedMemberEpoch,
    StaleMemberEpoch,
    UnreleasedInstanceId,
    UnsupportedAssignor,
    UnsupportedVersion,
    InvalidRegularExpression,
    OffsetMetadataTooLarge,
    InvalidCommitOffsetSize,
    UnknownTopicOrPartition,
    UnknownTopicId,
    UnstableOffsetCommit,
    InvalidProducerEpoch,
    /// The state could not be written or is inconsistent.
    UnknownServerError,
}

/// A refusal and what to tell of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupError {
    pub refusal: Refusal,
    /// For answers that carry a text.
    pub message: Option<String>,
}

impl From<Refusal> for GroupError {
    fn from(refusal: Refusal) -> GroupError {
        GroupError { refusal, message: None }
    }
}

/// Who asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Client {
    pub id: String,
    /// `/127.0.0.1`, as Kafka writes it.
    pub host: String,
}

/// JoinGroup: a member of a classic group, new or coming back.
#[derive(Clone, PartialEq, Debug)]
pub struct JoinGroup {
    pub group: GroupId,
    pub client: Client,
    pub session_timeout_ms: i32,
    /// Of version 0: the session timeout.
    pub rebalance_timeout_ms: i32,
    /// Empty: new.
    pub member_id: String,
    pub instance_id: Option<String>,
    pub protocol_type: String,
    /// Name and metadata, the most wanted first.
    pub protocols: Vec<(String, Bytes)>,
    pub reason: Option<String>,
    /// From version 4 on a new dynamic member must come back with the id it is given (KIP-394).
    pub member_id_required: bool,
    /// From version 9 on a leader may be told to skip the assignment (KIP-814).
    pub may_skip_assignment: bool,
}

/// A JoinGroup's answer.
#[derive(Clone, PartialEq, Debug)]
pub struct Joined {
    pub generation: i32,
    /// From version 7 on; `None` for none.
    pub protocol_type: Option<String>,
    pub protocol: Option<String>,
    pub leader: String,
    pub skip_assignment: bool,
    pub member_id: String,
    /// Id, instance id, metadata of each member, for the leader; empty for others.
    pub members: Vec<(String, Option<String>, Bytes)>,
}

/// A JoinGroup that was refused.
#[derive(Clone, PartialEq, Debug)]
pub struct JoinRefused {
    pub error: GroupError,
    /// With `MemberIdRequired` the id to come back with, else that of the request.
    pub member_id: String,
}

/// SyncGroup: a member asks for its assignment, the leader brings all.
#[derive(Clone, PartialEq, Debug)]
pub struct SyncGroup {
    pub group: GroupId,
    pub generation: i32,
    pub member_id: String,
    pub instance_id: Option<String>,
    /// From version 5 on; checked if given.
    pub protocol_type: Option<String>,
    pub protocol: Option<String>,
    /// Member id and assignment.
    pub assignments: Vec<(String, Bytes)>,
}

/// A SyncGroup's answer.
#[derive(Clone, PartialEq, Debug)]
pub struct Synced {
    pub protocol_type: Option<String>,
    pub protocol: Option<String>,
    pub assignment: Bytes,
}

/// Heartbeat of a classic member.
#[derive(Clone, PartialEq, Debug)]
pub struct Heartbeat {
    pub group: GroupId,
    pub generation: i32,
    pub member_id: String,
    pub instance_id: Option<String>,
}

/// LeaveGroup: members that go, by id or instance id.
#[derive(Clone, PartialEq, Debug)]
pub struct LeaveGroup {
    pub group: GroupId,
    pub members: Vec<LeavingMember>,
}

/// A member that goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LeavingMember {
    /// Empty: the instance id names it.
    pub member_id: String,
    pub instance_id: Option<String>,
    pub reason: Option<String>,
}

/// What became of a member that goes.
pub type Left = (LeavingMember, Result<(), GroupError>);

/// ConsumerGroupHeartbeat: join, stay, report, leave, all in one (KIP-848). `None`: unchanged since the last one.
#[derive(Clone, PartialEq, Debug)]
pub struct ConsumerGroupHeartbeat {
    pub group: GroupId,
    pub client: Client,
    /// Empty in version 0 when joining: the coordinator makes one.
    pub member_id: String,
    /// 0 joins, -1 leaves, -2 leaves for a while (static).
    pub member_epoch: i32,
    pub instance_id: Option<String>,
    pub rack_id: Option<String>,
    /// -1: unchanged.
    pub rebalance_timeout_ms: i32,
    pub subscribed_topics: Option<Vec<String>>,
    pub subscribed_regex: Option<String>,
    pub server_assignor: Option<String>,
    /// What the member owns.
    pub owned: Option<Vec<(TopicId, Vec<i32>)>>,
    /// From version 1 on the member makes its own id (KIP-1082).
    pub makes_own_id: bool,
    /// `subscribed_regex`, read where nobody waits for it; `None`: not yet.
    pub expression: Option<Compiled>,
}

/// A ConsumerGroupHeartbeat's answer.
#[derive(Clone, PartialEq, Debug)]
pub struct ConsumerHeartbeatAnswer {
    pub member_id: String,
    pub member_epoch: i32,
    pub heartbeat_interval_ms: i32,
    /// What the member is to own now; `None`: as before.
    pub assignment: Option<Vec<(TopicId, Vec<i32>)>>,
}

/// A topic as a request names it. The API fills in what the request does not say, as far as the topic exists.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TopicRef {
    /// `None`: asked for by an id that is not known.
    pub name: Option<TopicName>,
    /// Zero: not known.
    pub id: TopicId,
}

/// OffsetCommit, or TxnOffsetCommit if it has a producer.
#[derive(Clone, PartialEq, Debug)]
pub struct OffsetCommit {
    pub group: GroupId,
    pub generation_or_epoch: i32,
    pub member_id: String,
    pub instance_id: Option<String>,
    /// -1: the broker's `offsets.retention.minutes`. Versions 2 to 4 only.
    pub retention_ms: i64,
    /// The offsets are part of this producer's transaction.
    pub transaction: Option<(ProducerId, ProducerEpoch)>,
    pub topics: Vec<(TopicRef, Vec<CommitPartition>)>,
    /// From version 9 on: a member epoch that is too old is STALE_MEMBER_EPOCH; before, ILLEGAL_GENERATION.
    pub knows_member_epochs: bool,
}

/// One partition's offset to be committed.
#[derive(Clone, PartialEq, Debug)]
pub struct CommitPartition {
    pub partition: i32,
    pub offset: Offset,
    /// -1: not said.
    pub leader_epoch: LeaderEpoch,
    pub metadata: Option<String>,
    /// The API has found that the topic or partition does not exist: this outcome, and nothing is kept.
    pub refused: Option<Refusal>,
}

/// OffsetFetch of one group.
#[derive(Clone, PartialEq, Debug)]
pub struct OffsetFetch {
    pub group: GroupId,
    /// From version 9 on; checked if given.
    pub member: Option<(String, i32)>,
    /// `None`: every topic.
    pub topics: Option<Vec<(TopicRef, Vec<i32>)>>,
    /// A partition with an open transaction's offset is UNSTABLE_OFFSET_COMMIT.
    pub require_stable: bool,
}

/// A topic's committed offsets.
#[derive(Clone, PartialEq, Debug)]
pub struct FetchedTopic {
    pub topic: TopicRef,
    pub partitions: Vec<FetchedPartition>,
}

/// One partition's committed offset; -1 where there is none.
#[derive(Clone, PartialEq, Debug)]
pub struct FetchedPartition {
    pub partition: i32,
    pub offset: Offset,
    pub leader_epoch: LeaderEpoch,
    pub metadata: String,
    pub error: Option<Refusal>,
}

/// OffsetDelete.
#[derive(Clone, PartialEq, Debug)]
pub struct OffsetDelete {
    pub group: GroupId,
    pub topics: Vec<(TopicName, Vec<i32>)>,
}

/// Filters of ListGroups, lower case as Kafka compares them; empty: all.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ListGroups {
    pub states: Vec<String>,
    pub types: Vec<String>,
}

/// One group of a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListedGroup {
    pub group: GroupId,
    pub protocol_type: String,
    /// `Empty`, `PreparingRebalance`, `CompletingRebalance`, `Stable`, `Dead`; `Assigning`, `Reconciling`.
    pub state: &'static str,
    /// `classic` or `consumer`.
    pub kind: &'static str,
}

/// A classic group in full.
#[derive(Clone, PartialEq, Debug)]
pub struct DescribedGroup {
    pub state: &'static str,
    pub protocol_type: String,
    /// The chosen protocol; empty unless the group is stable.
    pub protocol: String,
    pub members: Vec<DescribedMember>,
}

/// A classic member.
#[derive(Clone, PartialEq, Debug)]
pub struct DescribedMember {
    pub member_id: String,
    pub instance_id: Option<String>,
    pub client: Client,
    pub metadata: Bytes,
    pub assignment: Bytes,
}

/// A consumer group in full.
#[derive(Clone, PartialEq, Debug)]
pub struct DescribedConsumerGroup {
    pub state: &'static str,
    pub group_epoch: i32,
    pub assignment_epoch: i32,
    pub assignor: String,
    pub members: Vec<DescribedConsumerMember>,
}

/// A member of a consumer group.
#[derive(Clone, PartialEq, Debug)]
pub struct DescribedConsumerMember {
    pub member_id: String,
    pub instance_id: Option<String>,
    pub rack_id: Option<String>,
    pub member_epoch: i32,
    pub client: Client,
    pub subscribed_topics: Vec<String>,
    pub subscribed_regex: Option<String>,
    pub assignment: Vec<(TopicId, TopicName, Vec<i32>)>,
    pub target: Vec<(TopicId, TopicName, Vec<i32>)>,
    /// It speaks the classic protocol.
    pub is_classic: bool,
}
