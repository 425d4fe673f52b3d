//! OffsetForLeaderEpoch (key 23), versions 2-4: where a leader epoch ends, so that a client notices a log that was cut (KIP-320).
//!
//! Version notes
//! - v2: the client's own leader epoch, throttle time (KIP-320). v3: who asks (KIP-392). v4: flexible.
//!
//! Reference: Kafka `OffsetForLeaderEpochRequest.json`, `OffsetForLeaderEpochResponse.json`.

use crate::wire::error_code::ErrorCode;
use crate::wire::{ApiKey, Request};

crate::message! {
    /// A question for each partition.
    pub struct OffsetForLeaderEpochRequest, flexible 4+ {
        /// -1 for a consumer, -2 for one that may look past the high watermark, else a follower's id.
        [3+] replica_id: i32 = -2,
        [0+] topics: Vec<OffsetForLeaderTopic>,
    }
    /// A topic by its name.
    pub struct OffsetForLeaderTopic {
        [0+] topic: String,
        [0+] partitions: Vec<OffsetForLeaderPartition>,
    }
    /// The epoch asked for.
    pub struct OffsetForLeaderPartition {
        [0+] partition: i32,
        /// Epoch of the leader as the client knows it, -1: not checked.
        [2+] current_leader_epoch: i32 = -1,
        [0+] leader_epoch: i32,
    }
}

crate::message! {
    /// The answers.
    pub struct OffsetForLeaderEpochResponse, flexible 4+ {
        [2+] throttle_time_ms: i32,
        [0+] topics: Vec<OffsetForLeaderTopicResult>,
    }
    /// A topic as the request named it.
    pub struct OffsetForLeaderTopicResult {
        [0+] topic: String,
        [0+] partitions: Vec<EpochEndOffset>,
    }
    /// The largest epoch that is not above the one asked for, and the offset at which it ends; -1 both if there is none.
    pub struct EpochEndOffset {
        [0+] error_code: ErrorCode,
        [0+] partition: i32,
        [1+] leader_epoch: i32 = -1,
        [0+] end_offset: i64 = -1,
    }
}

impl Request for OffsetForLeaderEpochRequest {
    const KEY: ApiKey = ApiKey::OffsetForLeaderEpoch;
    type Response = OffsetForLeaderEpochResponse;
    type Facts = ();

    fn facts(_: i16) {}
}
