//! AlterPartitionReassignments (key 45), versions 0-1: moves partitions between brokers (KIP-455).
//!
//! Version notes
//! - v1: the number of replicas may be kept (KIP-860).
//!
//! Reference: Kafka `AlterPartitionReassignmentsRequest.json`, `AlterPartitionReassignmentsResponse.json`.

use crate::wire::error_code::ErrorCode;
use crate::wire::{ApiKey, Request};

crate::message! {
    /// Partitions and where they are to be.
    pub struct AlterPartitionReassignmentsRequest, flexible 0+ {
        [0+] timeout_ms: i32 = 60000,
        [1+] allow_replication_factor_change: bool = true,
        [0+] topics: Vec<ReassignableTopic>,
    }
    /// Partitions of a topic.
    pub struct ReassignableTopic {
        [0+] name: String,
        [0+] partitions: Vec<ReassignablePartition>,
    }
    /// A partition.
    pub struct ReassignablePartition {
        [0+] partition_index: i32,
        /// Null: a pending move is cancelled.
        [0+] replicas: Option<Vec<i32>>,
    }
}

crate::message! {
    /// What became of each.
    pub struct AlterPartitionReassignmentsResponse, flexible 0+ {
        [0+] throttle_time_ms: i32,
        [1+] allow_replication_factor_change: bool = true,
        [0+] error_code: ErrorCode,
        [0+] error_message: Option<String> = Some(String::new()),
        [0+] responses: Vec<ReassignableTopicResponse>,
    }
    /// A topic's outcomes.
    pub struct ReassignableTopicResponse {
        [0+] name: String,
        [0+] partitions: Vec<ReassignablePartitionResponse>,
    }
    /// A partition's outcome.
    pub struct ReassignablePartitionResponse {
        [0+] partition_index: i32,
        [0+] error_code: ErrorCode,
        [0+] error_message: Option<String> = Some(String::new()),
    }
}

impl Request for AlterPartitionReassignmentsRequest {
    const KEY: ApiKey = ApiKey::AlterPartitionReassignments;
    type Response = AlterPartitionReassignmentsResponse;
    type Facts = ();

    fn facts(_: i16) {}
}
