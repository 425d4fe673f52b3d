//! ConsumerGroupDescribe (key 69), versions 0-1: groups of the consumer protocol in full (KIP-848).
//!
//! Version notes
//! - v1: the protocol of each member (KIP-1099).
//!
//! Reference: Kafka `ConsumerGroupDescribeRequest.json`, `ConsumerGroupDescribeResponse.json`.

use crate::base::ids::Uuid;
use crate::wire::error_code::ErrorCode;
use crate::wire::messages::OPERATIONS_NOT_ASKED;
use crate::wire::{ApiKey, Request};

crate::message! {
    /// Groups by their ids.
    pub struct ConsumerGroupDescribeRequest, flexible 0+ {
        [0+] group_ids: Vec<String>,
        [0+] include_authorized_operations: bool,
    }
}

crate::message! {
    /// The groups.
    pub struct ConsumerGroupDescribeResponse, flexible 0+ {
        [0+] throttle_time_ms: i32,
        [0+] groups: Vec<DescribedGroup>,
    }
    /// A group, or why it cannot be told.
    pub struct DescribedGroup {
        [0+] error_code: ErrorCode,
        [0+] error_message: Option<String>,
        [0+] group_id: String,
        [0+] group_state: String,
        [0+] group_epoch: i32,
        [0+] assignment_epoch: i32,
        [0+] assignor_name: String,
        [0+] members: Vec<Member>,
        [0+] authorized_operations: i32 = OPERATIONS_NOT_ASKED,
    }
    /// A member.
    pub struct Member {
        [0+] member_id: String,
        [0+] instance_id: Option<String>,
        [0+] rack_id: Option<String>,
        [0+] member_epoch: i32,
        [0+] client_id: String,
        [0+] client_host: String,
        [0+] subscribed_topic_names: Vec<String>,
        [0+] subscribed_topic_regex: Option<String>,
        [0+] assignment: Assignment,
        [0+] target_assignment: Assignment,
        /// 0: speaks the classic protocol, 1: the consumer protocol, -1: not known.
        [1+] member_type: i8 = -1,
    }
    /// What a member owns or is to own.
    pub struct Assignment {
        [0+] topic_partitions: Vec<TopicPartitions>,
    }
    /// Partitions of a topic.
    pub struct TopicPartitions {
        [0+] topic_id: Uuid,
        [0+] topic_name: String,
        [0+] partitions: Vec<i32>,
    }
}

impl Request for ConsumerGroupDescribeRequest {
    const KEY: ApiKey = ApiKey::ConsumerGroupDescribe;
    type Response = ConsumerGroupDescribeResponse;
    type Facts = ();

    fn facts(_: i16) {}
}
