//! Fetch (key 1), versions 4-18: reads record batches, waiting for them if there are too few.
//!
//! Version notes
//! - v4: isolation level, last stable offset and aborted transactions (KIP-98). v5: log start offset (KIP-107).
//! - v6: KAFKA_STORAGE_ERROR may be answered (KIP-112). v7: incremental sessions (KIP-227).
//! - v8: throttling after the answer (KIP-219). v9: the client's leader epoch (KIP-320). v10: zstd may be answered (KIP-110).
//! - v11: rack of the client, preferred read replica (KIP-392).
//! - v12: flexible; epoch of the last record read, and where the logs part (KIP-595).
//! - v13: topics by id (KIP-516). v14: OFFSET_MOVED_TO_TIERED_STORAGE may be answered (KIP-405).
//! - v15: followers name themselves in `replica_state` (KIP-903). v16: addresses of new leaders (KIP-951).
//! - v17: a follower's directory id (KIP-853). v18: a follower's high watermark (KIP-1166).
//!
//! Reference: Kafka `FetchRequest.json`, `FetchResponse.json`.

use crate::base::ids::Uuid;
use crate::codec::primitives::Records;
use crate::wire::error_code::ErrorCode;
use crate::wire::messages::{LeaderIdAndEpoch, NodeEndpoint};
use crate::wire::{ApiKey, Request};

crate::message! {
    /// Partitions to read from, or changes to those of a session.
    pub struct FetchRequest, flexible 12+ {
        /// The cluster a follower believes to be in.
        [12+, tag 0] cluster_id: Option<String>,
        /// -1 for a consumer, else the follower's id. From v15 on in `replica_state`.
        [0-14] replica_id: i32 = -1,
        [15+, tag 1] replica_state: FetchReplicaState,
        /// How long to wait for `min_bytes`.
        [0+] max_wait_ms: i32,
        [0+] min_bytes: i32,
        /// Where the answer stops growing; the first batch is sent even if it is larger (KIP-74).
        [3+] max_bytes: i32 = i32::MAX,
        /// 0: all records up to the high watermark; 1: up to the last stable offset, and which transactions were aborted.
        [4+] isolation_level: i8,
        /// 0: no session, or a new one.
        [7+] session_id: i32,
        /// -1: no session. 0: a full fetch that begins one. From 1 on: the request's place in it.
        [7+] session_epoch: i32 = -1,
        [0+] topics: Vec<FetchTopic>,
        /// Partitions to take out of the session.
        [7+] forgotten_topics_data: Vec<ForgottenTopic>,
        [11+] rack_id: String,
    }
    /// Which follower asks.
    pub struct FetchReplicaState {
        [15+] replica_id: i32 = -1,
        [15+] replica_epoch: i64 = -1,
    }
    /// A topic by its name (to v12) or id (from v13).
    pub struct FetchTopic {
        [0-12] topic: String,
        [13+] topic_id: Uuid,
        [0+] partitions: Vec<FetchPartition>,
    }
    /// Where to read in one partition.
    pub struct FetchPartition {
        [0+] partition: i32,
        /// Epoch of the leader as the client knows it, -1: not checked.
        [9+] current_leader_epoch: i32 = -1,
        [0+] fetch_offset: i64,
        /// Epoch of the last record read, -1: no check for divergence.
        [12+] last_fetched_epoch: i32 = -1,
        /// Of a follower.
        [5+] log_start_offset: i64 = -1,
        [0+] partition_max_bytes: i32,
        /// Of a follower.
        [17+, tag 0] replica_directory_id: Uuid,
        /// Of a follower; -1: not known, `i64::MAX`: the follower does not say.
        [18+, tag 1] high_watermark: i64 = i64::MAX,
    }
    /// Partitions of one topic that leave the session.
    pub struct ForgottenTopic {
        [7-12] topic: String,
        [13+] topic_id: Uuid,
        [7+] partitions: Vec<i32>,
    }
}

crate::message! {
    /// The records read.
    pub struct FetchResponse, flexible 12+ {
        [1+] throttle_time_ms: i32,
        [7+] error_code: ErrorCode,
        /// The session that the next request may go on with, 0: none.
        [7+] session_id: i32,
        [0+] responses: Vec<FetchTopicResponse>,
        /// Addresses of the leaders named in `current_leader`.
        [16+, tag 0] node_endpoints: Vec<NodeEndpoint>,
    }
    /// A topic as the request named it.
    pub struct FetchTopicResponse {
        [0-12] topic: String,
        [13+] topic_id: Uuid,
        [0+] partitions: Vec<FetchPartitionResponse>,
    }
    /// What was read from one partition.
    pub struct FetchPartitionResponse {
        [0+] partition_index: i32,
        [0+] error_code: ErrorCode,
        [0+] high_watermark: i64,
        [4+] last_stable_offset: i64 = -1,
        [5+] log_start_offset: i64 = -1,
        /// Set if the client read records that this log does not have.
        [12+, tag 0] diverging_epoch: FetchEpochEnd,
        [12+, tag 1] current_leader: LeaderIdAndEpoch,
        /// Of the metadata log: a snapshot to read first.
        [12+, tag 2] snapshot_id: FetchSnapshotId,
        /// Null unless the client reads committed records only.
        [4+] aborted_transactions: Option<Vec<AbortedTransaction>>,
        [11+] preferred_read_replica: i32 = -1,
        /// Whole batches as they lie on disk. Never null: clients are used to empty records, on an error too.
        [0+] records: Records = Records::EMPTY,
    }
    /// An epoch and the offset at which it ends.
    pub struct FetchEpochEnd {
        [12+] epoch: i32 = -1,
        [12+] end_offset: i64 = -1,
    }
    /// Name of a snapshot of the metadata log.
    pub struct FetchSnapshotId {
        [0+] end_offset: i64 = -1,
        [0+] epoch: i32 = -1,
    }
    /// A transaction whose records, from its first offset to its marker, are to be skipped.
    pub struct AbortedTransaction {
        [4+] producer_id: i64,
        [4+] first_offset: i64,
    }
}

/// What the version of a Fetch request means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FetchFacts {
    /// Topics are given by id, not by name.
    pub topics_by_id: bool,
    /// The client reads zstd; before, a topic with `compression.type=zstd` is UNSUPPORTED_COMPRESSION_TYPE. (Kafka sends batches
    /// that a producer compressed with zstd in every version.)
    pub zstd_allowed: bool,
}

impl Request for FetchRequest {
    const KEY: ApiKey = ApiKey::Fetch;
    type Response = FetchResponse;
    type Facts = FetchFacts;

    fn facts(version: i16) -> FetchFacts {
        FetchFacts { topics_by_id: version >= 13, zstd_allowed: version >= 10 }
    }
}
