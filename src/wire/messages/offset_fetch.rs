//! OffsetFetch (key 9), versions 1-10: what groups have committed.
//!
//! Version notes
//! - v2: all topics (null), an error for the answer. v3: throttle time. v4: throttling after the answer (KIP-219). v5: leader epochs (KIP-320).
//! - v6: flexible. v7: offsets of open transactions may be refused (KIP-447). v8: many groups at once (KIP-709).
//! - v9: members of the consumer protocol (KIP-848). v10: topic ids instead of names.
//!
//! Reference: Kafka `OffsetFetchRequest.json`, `OffsetFetchResponse.json`.

use crate::base::ids::Uuid;
use crate::wire::error_code::ErrorCode;
use crate::wire::{ApiKey, Request};

crate::message! {
    /// Asks for one group (`group_id`, to v7) or many (`groups`, from v8 on).
    pub struct OffsetFetchRequest, flexible 6+ {
        [0-7] group_id: String,
        /// Null: all.
        [0-7, null 2-7] topics: Option<Vec<OffsetFetchRequestTopic>> = Some(Vec::new()),
        [8+] groups: Vec<OffsetFetchRequestGroup>,
        [7+] require_stable: bool,
    }
    /// A topic, to v7.
    pub struct OffsetFetchRequestTopic {
        [0-7] name: String,
        [0-7] partition_indexes: Vec<i32>,
    }
    /// A group, from v8 on.
    pub struct OffsetFetchRequestGroup {
        [8+] group_id: String,
        [9+] member_id: Option<String>,
        [9+] member_epoch: i32 = -1,
        /// Null: all.
        [8+] topics: Option<Vec<OffsetFetchRequestTopics>> = Some(Vec::new()),
    }
    /// A topic, from v8 on.
    pub struct OffsetFetchRequestTopics {
        [8-9] name: String,
        [10+] topic_id: Uuid,
        [8+] partition_indexes: Vec<i32>,
    }
}

crate::message! {
    /// The offsets: `topics` to v7, `groups` from v8 on.
    pub struct OffsetFetchResponse, flexible 6+ {
        [3+] throttle_time_ms: i32,
        [0-7] topics: Vec<OffsetFetchResponseTopic>,
        [2-7] error_code: ErrorCode,
        [8+] groups: Vec<OffsetFetchResponseGroup>,
    }
    /// A topic's offsets, to v7.
    pub struct OffsetFetchResponseTopic {
        [0-7] name: String,
        [0-7] partitions: Vec<OffsetFetchResponsePartition>,
    }
    /// A group's offsets, or why there are none.
    pub struct OffsetFetchResponseGroup {
        [8+] group_id: String,
        [8+] topics: Vec<OffsetFetchResponseTopics>,
        [8+] error_code: ErrorCode,
    }
    /// An offset, to v7.
    pub struct OffsetFetchResponsePartition {
        [0-7] partition_index: i32,
        /// -1: none.
        [0-7] committed_offset: i64,
        [5-7] committed_leader_epoch: i32 = -1,
        [0-7] metadata: Option<String> = Some(String::new()),
        [0-7] error_code: ErrorCode,
    }
    /// A topic's offsets, from v8 on.
    pub struct OffsetFetchResponseTopics {
        [8-9] name: String,
        [10+] topic_id: Uuid,
        [8+] partitions: Vec<OffsetFetchResponsePartitions>,
    }
    /// An offset, from v8 on.
    pub struct OffsetFetchResponsePartitions {
        [8+] partition_index: i32,
        /// -1: none.
        [8+] committed_offset: i64,
        [8+] committed_leader_epoch: i32 = -1,
        [8+] metadata: Option<String> = Some(String::new()),
        [8+] error_code: ErrorCode,
    }
}

/// What the version of a OffsetFetch request means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OffsetFetchFacts {
    /// The request asks for many groups.
    pub batched: bool,
    /// Topics are named by their ids.
    pub topics_by_id: bool,
    /// An error of the group stands in the answer itself; before, at each partition.
    pub has_group_error: bool,
}

impl Request for OffsetFetchRequest {
    const KEY: ApiKey = ApiKey::OffsetFetch;
    type Response = OffsetFetchResponse;
    type Facts = OffsetFetchFacts;

    fn facts(version: i16) -> OffsetFetchFacts {
        OffsetFetchFacts { batched: version >= 8, topics_by_id: version >= 10, has_group_error: version >= 2 }
    }
}
