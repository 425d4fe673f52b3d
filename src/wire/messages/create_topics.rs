//! CreateTopics (key 19), versions 2-7.
//!
//! Version notes
//! - v2: throttle time. v3: throttling after the answer (KIP-219).
//! - v4: partitions and replication factor may be -1, the broker's defaults (KIP-464).
//! - v5: flexible; the answer tells partitions, replication factor and configs (KIP-525).
//! - v6: THROTTLING_QUOTA_EXCEEDED may be answered (KIP-599). v7: topic id in the answer (KIP-516).
//!
//! Reference: Kafka `CreateTopicsRequest.json`, `CreateTopicsResponse.json`.

use crate::base::ids::Uuid;
use crate::wire::error_code::ErrorCode;
use crate::wire::{ApiKey, Request};

crate::message! {
    /// Topics to create.
    pub struct CreateTopicsRequest, flexible 5+ {
        [0+] topics: Vec<CreatableTopic>,
        [0+] timeout_ms: i32 = 60_000,
        /// Check everything, create nothing.
        [1+] validate_only: bool,
    }
    /// A topic to create.
    pub struct CreatableTopic {
        [0+] name: String,
        /// -1: the broker's default, or as many as `assignments` has.
        [0+] num_partitions: i32,
        /// -1: the broker's default, or as `assignments` has it.
        [0+] replication_factor: i16,
        /// Which brokers are to hold which partition; empty: the broker decides.
        [0+] assignments: Vec<CreatableReplicaAssignment>,
        [0+] configs: Vec<CreatableTopicConfig>,
    }
    /// Brokers of one partition.
    pub struct CreatableReplicaAssignment {
        [0+] partition_index: i32,
        [0+] broker_ids: Vec<i32>,
    }
    /// A config to set.
    pub struct CreatableTopicConfig {
        [0+] name: String,
        [0+] value: Option<String>,
    }
}

crate::message! {
    /// What became of each topic.
    pub struct CreateTopicsResponse, flexible 5+ {
        [2+] throttle_time_ms: i32,
        [0+] topics: Vec<CreatableTopicResult>,
    }
    /// A topic created, or why not.
    pub struct CreatableTopicResult {
        [0+] name: String,
        [7+] topic_id: Uuid,
        [0+] error_code: ErrorCode,
        [1+] error_message: Option<String>,
        /// Why `configs` is null.
        [5+, tag 0] topic_config_error_code: ErrorCode,
        [5+] num_partitions: i32 = -1,
        [5+] replication_factor: i16 = -1,
        /// Null if the client may not see them.
        [5+] configs: Option<Vec<CreatableTopicConfigResult>> = Some(Vec::new()),
    }
    /// A config that the new topic has.
    pub struct CreatableTopicConfigResult {
        [5+] name: String,
        [5+] value: Option<String>,
        [5+] read_only: bool,
        /// Where the value comes from, as in DescribeConfigs.
        [5+] config_source: i8 = -1,
        [5+] is_sensitive: bool,
    }
}

impl Request for CreateTopicsRequest {
    const KEY: ApiKey = ApiKey::CreateTopics;
    type Response = CreateTopicsResponse;
    type Facts = ();

    fn facts(_: i16) {}
}
