//! ConsumerGroupHeartbeat (key 68), versions 0-1: join, stay, report and leave in the consumer protocol (KIP-848).
//!
//! Version notes
//! - v1: regular expressions; the member makes its own id (KIP-1082).
//!
//! Reference: Kafka `ConsumerGroupHeartbeatRequest.json`, `ConsumerGroupHeartbeatResponse.json`.

use crate::base::ids::Uuid;
use crate::wire::error_code::ErrorCode;
use crate::wire::{ApiKey, Request};

crate::message! {
    /// A member and what has changed of it.
    pub struct ConsumerGroupHeartbeatRequest, flexible 0+ {
        [0+] group_id: String,
        [0+] member_id: String,
        /// 0 joins, -1 leaves, -2 leaves for a while.
        [0+] member_epoch: i32,
        [0+] instance_id: Option<String>,
        [0+] rack_id: Option<String>,
        /// -1: unchanged, as null in what follows.
        [0+] rebalance_timeout_ms: i32 = -1,
        [0+] subscribed_topic_names: Option<Vec<String>>,
        [1+] subscribed_topic_regex: Option<String>,
        [0+] server_assignor: Option<String>,
        /// What the member owns.
        [0+] topic_partitions: Option<Vec<TopicPartitions>>,
    }
    /// Partitions of a topic.
    pub struct TopicPartitions {
        [0+] topic_id: Uuid,
        [0+] partitions: Vec<i32>,
    }
}

crate::message! {
    /// The epoch, and what has changed for the member.
    pub struct ConsumerGroupHeartbeatResponse, flexible 0+ {
        [0+] throttle_time_ms: i32,
        [0+] error_code: ErrorCode,
        [0+] error_message: Option<String>,
        [0+] member_id: Option<String>,
        [0+] member_epoch: i32,
        [0+] heartbeat_interval_ms: i32,
        /// Null: unchanged.
        [0+] assignment: Option<Assignment>,
    }
    /// All that the member is to own.
    pub struct Assignment {
        [0+] topic_partitions: Vec<TopicPartitions>,
    }
}

/// What the version of a ConsumerGroupHeartbeat request means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConsumerGroupHeartbeatFacts {
    /// The member must bring an id of its own making.
    pub makes_own_id: bool,
}

impl Request for ConsumerGroupHeartbeatRequest {
    const KEY: ApiKey = ApiKey::ConsumerGroupHeartbeat;
    type Response = ConsumerGroupHeartbeatResponse;
    type Facts = ConsumerGroupHeartbeatFacts;

    fn facts(version: i16) -> ConsumerGroupHeartbeatFacts {
        ConsumerGroupHeartbeatFacts { makes_own_id: version >= 1 }
    }
}
