//! ListPartitionReassignments (key 46), version 0: moves under way (KIP-455).
//!
//! Reference: Kafka `ListPartitionReassignmentsRequest.json`, `ListPartitionReassignmentsResponse.json`.

use crate::wire::error_code::ErrorCode;
use crate::wire::{ApiKey, Request};

crate::message! {
    /// Partitions; null: all.
    pub struct ListPartitionReassignmentsRequest, flexible 0+ {
        [0+] timeout_ms: i32 = 60000,
        [0+] topics: Option<Vec<ListPartitionReassignmentsTopics>>,
    }
    /// Partitions of a topic.
    pub struct ListPartitionReassignmentsTopics {
        [0+] name: String,
        [0+] partition_indexes: Vec<i32>,
    }
}

crate::message! {
    /// The moves.
    pub struct ListPartitionReassignmentsResponse, flexible 0+ {
        [0+] throttle_time_ms: i32,
        [0+] error_code: ErrorCode,
        [0+] error_message: Option<String> = Some(String::new()),
        [0+] topics: Vec<OngoingTopicReassignment>,
    }
    /// A topic's moves.
    pub struct OngoingTopicReassignment {
        [0+] name: String,
        [0+] partitions: Vec<OngoingPartitionReassignment>,
    }
    /// A move.
    pub struct OngoingPartitionReassignment {
        [0+] partition_index: i32,
        [0+] replicas: Vec<i32>,
        [0+] adding_replicas: Vec<i32>,
        [0+] removing_replicas: Vec<i32>,
    }
}

impl Request for ListPartitionReassignmentsRequest {
    const KEY: ApiKey = ApiKey::ListPartitionReassignments;
    type Response = ListPartitionReassignmentsResponse;
    type Facts = ();

    fn facts(_: i16) {}
}
