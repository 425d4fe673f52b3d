//! DescribeQuorum (key 55), versions 0-2: the state of the metadata log's quorum (KIP-595).
//!
//! Version notes
//! - v1: when each replica fetched last and was last caught up (KIP-836).
//! - v2: error messages, addresses of the nodes, directory ids (KIP-853).
//!
//! Reference: Kafka `DescribeQuorumRequest.json`, `DescribeQuorumResponse.json`.

use crate::base::ids::Uuid;
use crate::wire::error_code::ErrorCode;
use crate::wire::{ApiKey, Request};

crate::message! {
    /// Partitions to describe; there is only the one of `__cluster_metadata`.
    pub struct DescribeQuorumRequest, flexible 0+ {
        [0+] topics: Vec<DescribeQuorumTopic>,
    }
    /// A topic by its name.
    pub struct DescribeQuorumTopic {
        [0+] topic_name: String,
        [0+] partitions: Vec<DescribeQuorumPartition>,
    }
    /// A partition of it.
    pub struct DescribeQuorumPartition {
        [0+] partition_index: i32,
    }
}

crate::message! {
    /// The quorum.
    pub struct DescribeQuorumResponse, flexible 0+ {
        [0+] error_code: ErrorCode,
        /// Empty if there was no error, unlike in other answers.
        [2+] error_message: Option<String> = Some(String::new()),
        [0+] topics: Vec<DescribeQuorumTopicResponse>,
        /// Addresses of voters and observers.
        [2+] nodes: Vec<QuorumNode>,
    }
    /// A topic as the request named it.
    pub struct DescribeQuorumTopicResponse {
        [0+] topic_name: String,
        [0+] partitions: Vec<DescribeQuorumPartitionResponse>,
    }
    /// The quorum of one partition.
    pub struct DescribeQuorumPartitionResponse {
        [0+] partition_index: i32,
        [0+] error_code: ErrorCode,
        /// Empty if there was no error, unlike in other answers.
        [2+] error_message: Option<String> = Some(String::new()),
        [0+] leader_id: i32,
        [0+] leader_epoch: i32,
        [0+] high_watermark: i64,
        [0+] current_voters: Vec<QuorumReplica>,
        [0+] observers: Vec<QuorumReplica>,
    }
    /// How far a replica is.
    pub struct QuorumReplica {
        [0+] replica_id: i32,
        [2+] replica_directory_id: Uuid,
        [0+] log_end_offset: i64,
        /// -1 for the leader, and if unknown.
        [1+] last_fetch_timestamp: i64 = -1,
        /// Now for the leader, -1 if unknown.
        [1+] last_caught_up_timestamp: i64 = -1,
    }
    /// A node of the quorum.
    pub struct QuorumNode {
        [2+] node_id: i32,
        [2+] listeners: Vec<QuorumListener>,
    }
    /// An address of the node.
    pub struct QuorumListener {
        [2+] name: String,
        [2+] host: String,
        [2+] port: u16,
    }
}

impl Request for DescribeQuorumRequest {
    const KEY: ApiKey = ApiKey::DescribeQuorum;
    type Response = DescribeQuorumResponse;
    type Facts = ();

    fn facts(_: i16) {}
}
