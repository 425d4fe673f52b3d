//! DeleteRecords (key 21), versions 0-2: moves the start of logs (KIP-107).
//!
//! Version notes
//! - v1: throttling after the answer (KIP-219). v2: flexible.
//!
//! Reference: Kafka `DeleteRecordsRequest.json`, `DeleteRecordsResponse.json`.

use crate::wire::error_code::ErrorCode;
use crate::wire::{ApiKey, Request};

crate::message! {
    /// Partitions and where they are to begin.
    pub struct DeleteRecordsRequest, flexible 2+ {
        [0+] topics: Vec<DeleteRecordsTopic>,
        [0+] timeout_ms: i32,
    }
    /// Partitions of a topic.
    pub struct DeleteRecordsTopic {
        [0+] name: String,
        [0+] partitions: Vec<DeleteRecordsPartition>,
    }
    /// A partition.
    pub struct DeleteRecordsPartition {
        [0+] partition_index: i32,
        /// -1: the high watermark.
        [0+] offset: i64,
    }
}

crate::message! {
    /// Where they begin now.
    pub struct DeleteRecordsResponse, flexible 2+ {
        [0+] throttle_time_ms: i32,
        [0+] topics: Vec<DeleteRecordsTopicResult>,
    }
    /// A topic's outcomes.
    pub struct DeleteRecordsTopicResult {
        [0+] name: String,
        [0+] partitions: Vec<DeleteRecordsPartitionResult>,
    }
    /// A partition's outcome.
    pub struct DeleteRecordsPartitionResult {
        [0+] partition_index: i32,
        [0+] low_watermark: i64,
        [0+] error_code: ErrorCode,
    }
}

impl Request for DeleteRecordsRequest {
    const KEY: ApiKey = ApiKey::DeleteRecords;
    type Response = DeleteRecordsResponse;
    type Facts = ();

    fn facts(_: i16) {}
}
