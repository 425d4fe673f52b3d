//! OffsetDelete (key 47), version 0: forgets committed offsets (KIP-496).
//!
//! Reference: Kafka `OffsetDeleteRequest.json`, `OffsetDeleteResponse.json`.

use crate::wire::error_code::ErrorCode;
use crate::wire::{ApiKey, Request};

crate::message! {
    /// Partitions of a group.
    pub struct OffsetDeleteRequest, flexible none {
        [0+] group_id: String,
        [0+] topics: Vec<OffsetDeleteRequestTopic>,
    }
    /// Partitions of a topic.
    pub struct OffsetDeleteRequestTopic {
        [0+] name: String,
        [0+] partitions: Vec<OffsetDeleteRequestPartition>,
    }
    /// A partition.
    pub struct OffsetDeleteRequestPartition {
        [0+] partition_index: i32,
    }
}

crate::message! {
    /// What became of each, or why of none.
    pub struct OffsetDeleteResponse, flexible none {
        [0+] error_code: ErrorCode,
        [0+] throttle_time_ms: i32,
        [0+] topics: Vec<OffsetDeleteResponseTopic>,
    }
    /// A topic's outcomes.
    pub struct OffsetDeleteResponseTopic {
        [0+] name: String,
        [0+] partitions: Vec<OffsetDeleteResponsePartition>,
    }
    /// A partition's outcome.
    pub struct OffsetDeleteResponsePartition {
        [0+] partition_index: i32,
        [0+] error_code: ErrorCode,
    }
}

impl Request for OffsetDeleteRequest {
    const KEY: ApiKey = ApiKey::OffsetDelete;
    type Response = OffsetDeleteResponse;
    type Facts = ();

    fn facts(_: i16) {}
}
