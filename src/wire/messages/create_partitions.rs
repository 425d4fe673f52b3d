//! CreatePartitions (key 37), versions 0-3: gives topics more partitions.
//!
//! Version notes
//! - v1: throttling after the answer (KIP-219). v2: flexible. v3: THROTTLING_QUOTA_EXCEEDED may be answered (KIP-599).
//!
//! Reference: Kafka `CreatePartitionsRequest.json`, `CreatePartitionsResponse.json`.

use crate::wire::error_code::ErrorCode;
use crate::wire::{ApiKey, Request};

crate::message! {
    /// Topics that are to grow.
    pub struct CreatePartitionsRequest, flexible 2+ {
        [0+] topics: Vec<CreatePartitionsTopic>,
        [0+] timeout_ms: i32,
        /// Check everything, create nothing.
        [0+] validate_only: bool,
    }
    /// A topic and the count it is to have, the old partitions included.
    pub struct CreatePartitionsTopic {
        [0+] name: String,
        [0+] count: i32,
        /// Brokers of each new partition; null: the broker decides.
        [0+] assignments: Option<Vec<CreatePartitionsAssignment>>,
    }
    /// Brokers of one new partition.
    pub struct CreatePartitionsAssignment {
        [0+] broker_ids: Vec<i32>,
    }
}

crate::message! {
    /// What became of each topic.
    pub struct CreatePartitionsResponse, flexible 2+ {
        [0+] throttle_time_ms: i32,
        [0+] results: Vec<CreatePartitionsResult>,
    }
    /// A topic that grew, or why not.
    pub struct CreatePartitionsResult {
        [0+] name: String,
        [0+] error_code: ErrorCode,
        [0+] error_message: Option<String>,
    }
}

impl Request for CreatePartitionsRequest {
    const KEY: ApiKey = ApiKey::CreatePartitions;
    type Response = CreatePartitionsResponse;
    type Facts = ();

    fn facts(_: i16) {}
}
