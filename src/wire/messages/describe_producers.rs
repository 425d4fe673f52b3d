//! DescribeProducers (key 61), version 0: what a partition remembers of its idempotent producers (KIP-664).
//!
//! Reference: Kafka `DescribeProducersRequest.json`, `DescribeProducersResponse.json`.

use crate::wire::error_code::ErrorCode;
use crate::wire::{ApiKey, Request};

crate::message! {
    /// Partitions whose producers are asked for.
    pub struct DescribeProducersRequest, flexible 0+ {
        [0+] topics: Vec<DescribeProducersTopic>,
    }
    /// A topic by its name.
    pub struct DescribeProducersTopic {
        [0+] name: String,
        [0+] partition_indexes: Vec<i32>,
    }
}

crate::message! {
    /// The producers.
    pub struct DescribeProducersResponse, flexible 0+ {
        [0+] throttle_time_ms: i32,
        [0+] topics: Vec<DescribeProducersTopicResponse>,
    }
    /// A topic as the request named it.
    pub struct DescribeProducersTopicResponse {
        [0+] name: String,
        [0+] partitions: Vec<DescribeProducersPartitionResponse>,
    }
    /// The producers of one partition, or why they are not told.
    pub struct DescribeProducersPartitionResponse {
        [0+] partition_index: i32,
        [0+] error_code: ErrorCode,
        [0+] error_message: Option<String>,
        [0+] active_producers: Vec<DescribedProducer>,
    }
    /// One producer.
    pub struct DescribedProducer {
        [0+] producer_id: i64,
        [0+] producer_epoch: i32,
        [0+] last_sequence: i32 = -1,
        [0+] last_timestamp: i64 = -1,
        [0+] coordinator_epoch: i32,
        /// First offset of its open transaction, -1: none.
        [0+] current_txn_start_offset: i64 = -1,
    }
}

impl Request for DescribeProducersRequest {
    const KEY: ApiKey = ApiKey::DescribeProducers;
    type Response = DescribeProducersResponse;
    type Facts = ();

    fn facts(_: i16) {}
}
