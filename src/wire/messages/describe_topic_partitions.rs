//! DescribeTopicPartitions (key 75), version 0: topics and their partitions, page by page (KIP-966).
//!
//! Reference: Kafka `DescribeTopicPartitionsRequest.json`, `DescribeTopicPartitionsResponse.json`.

use crate::base::ids::Uuid;
use crate::wire::error_code::ErrorCode;
use crate::wire::messages::OPERATIONS_NOT_ASKED;
use crate::wire::{ApiKey, Request};

crate::message! {
    /// Asks for one page.
    pub struct DescribeTopicPartitionsRequest, flexible 0+ {
        /// Empty: all topics.
        [0+] topics: Vec<DescribeTopicPartitionsTopic>,
        /// The most partitions that the page may have.
        [0+] response_partition_limit: i32 = 2000,
        /// Where the page begins; null: at the first topic.
        [0+] cursor: Option<TopicPartitionCursor>,
    }
    /// A topic by its name.
    pub struct DescribeTopicPartitionsTopic {
        [0+] name: String,
    }
    /// A place in the list of all partitions, by topic name and index.
    pub struct TopicPartitionCursor {
        [0+] topic_name: String,
        [0+] partition_index: i32,
    }
}

crate::message! {
    /// One page.
    pub struct DescribeTopicPartitionsResponse, flexible 0+ {
        [0+] throttle_time_ms: i32,
        [0+] topics: Vec<DescribedTopic>,
        /// Where the next page begins; null: this was the last.
        [0+] next_cursor: Option<TopicPartitionCursor>,
    }
    /// A topic, or why there is none.
    pub struct DescribedTopic {
        [0+] error_code: ErrorCode,
        [0+] name: Option<String>,
        [0+] topic_id: Uuid,
        [0+] is_internal: bool,
        [0+] partitions: Vec<DescribedPartition>,
        [0+] topic_authorized_operations: i32 = OPERATIONS_NOT_ASKED,
    }
    /// A partition and its replicas.
    pub struct DescribedPartition {
        [0+] error_code: ErrorCode,
        [0+] partition_index: i32,
        [0+] leader_id: i32,
        [0+] leader_epoch: i32 = -1,
        [0+] replica_nodes: Vec<i32>,
        [0+] isr_nodes: Vec<i32>,
        /// Replicas out of sync that hold all committed records and may lead.
        [0+] eligible_leader_replicas: Option<Vec<i32>>,
        /// The last eligible replicas, when there are none left.
        [0+] last_known_elr: Option<Vec<i32>>,
        [0+] offline_replicas: Vec<i32>,
    }
}

impl Request for DescribeTopicPartitionsRequest {
    const KEY: ApiKey = ApiKey::DescribeTopicPartitions;
    type Response = DescribeTopicPartitionsResponse;
    type Facts = ();

    fn facts(_: i16) {}
}
