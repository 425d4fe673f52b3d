//! ElectLeaders (key 43), versions 0-2: elects preferred leaders (KIP-183, KIP-460).
//!
//! Version notes
//! - v1: kinds of elections. v2: flexible.
//!
//! Reference: Kafka `ElectLeadersRequest.json`, `ElectLeadersResponse.json`.

use crate::wire::error_code::ErrorCode;
use crate::wire::{ApiKey, Request};

crate::message! {
    /// Partitions; null: all.
    pub struct ElectLeadersRequest, flexible 2+ {
        [1+] election_type: i8,
        [0+] topic_partitions: Option<Vec<TopicPartitions>> = Some(Vec::new()),
        [0+] timeout_ms: i32 = 60000,
    }
    /// Partitions of a topic.
    pub struct TopicPartitions {
        [0+] topic: String,
        [0+] partitions: Vec<i32>,
    }
}

crate::message! {
    /// What became of each.
    pub struct ElectLeadersResponse, flexible 2+ {
        [0+] throttle_time_ms: i32,
        [1+] error_code: ErrorCode,
        [0+] replica_election_results: Vec<ReplicaElectionResult>,
    }
    /// A topic's outcomes.
    pub struct ReplicaElectionResult {
        [0+] topic: String,
        [0+] partition_result: Vec<PartitionResult>,
    }
    /// A partition's outcome.
    pub struct PartitionResult {
        [0+] partition_id: i32,
        [0+] error_code: ErrorCode,
        [0+] error_message: Option<String> = Some(String::new()),
    }
}

impl Request for ElectLeadersRequest {
    const KEY: ApiKey = ApiKey::ElectLeaders;
    type Response = ElectLeadersResponse;
    type Facts = ();

    fn facts(_: i16) {}
}
