//! OffsetCommit (key 8), versions 2-10: what a group has consumed.
//!
//! Version notes
//! - v2: retention times. v3: throttle time. v4: throttling after the answer (KIP-219). v5: no retention times (KIP-211).
//! - v6: leader epochs (KIP-320). v7: static members (KIP-345). v8: flexible.
//! - v9: member epochs of the consumer protocol, with GROUP_ID_NOT_FOUND and STALE_MEMBER_EPOCH (KIP-848). v10: topic ids instead of names.
//!
//! Reference: Kafka `OffsetCommitRequest.json`, `OffsetCommitResponse.json`.

use crate::base::ids::Uuid;
use crate::wire::error_code::ErrorCode;
use crate::wire::{ApiKey, Request};

crate::message! {
    /// Offsets of a group, from a member or from nobody.
    pub struct OffsetCommitRequest, flexible 8+ {
        [0+] group_id: String,
        /// -1: not a member.
        [1+] generation_id_or_member_epoch: i32 = -1,
        [1+] member_id: String,
        [7+] group_instance_id: Option<String>,
        [2-4] retention_time_ms: i64 = -1,
        [0+] topics: Vec<OffsetCommitRequestTopic>,
    }
    /// A topic's offsets.
    pub struct OffsetCommitRequestTopic {
        [0-9] name: String,
        [10+] topic_id: Uuid,
        [0+] partitions: Vec<OffsetCommitRequestPartition>,
    }
    /// A partition's offset: of the next record to be read.
    pub struct OffsetCommitRequestPartition {
        [0+] partition_index: i32,
        [0+] committed_offset: i64,
        [6+] committed_leader_epoch: i32 = -1,
        [0+] committed_metadata: Option<String> = Some(String::new()),
    }
}

crate::message! {
    /// What became of each.
    pub struct OffsetCommitResponse, flexible 8+ {
        [3+] throttle_time_ms: i32,
        [0+] topics: Vec<OffsetCommitResponseTopic>,
    }
    /// A topic's outcomes.
    pub struct OffsetCommitResponseTopic {
        [0-9] name: String,
        [10+] topic_id: Uuid,
        [0+] partitions: Vec<OffsetCommitResponsePartition>,
    }
    /// A partition's outcome.
    pub struct OffsetCommitResponsePartition {
        [0+] partition_index: i32,
        [0+] error_code: ErrorCode,
    }
}

/// What the version of a OffsetCommit request means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OffsetCommitFacts {
    /// Topics are named by their ids.
    pub topics_by_id: bool,
    /// GROUP_ID_NOT_FOUND and STALE_MEMBER_EPOCH are known to the client; before, ILLEGAL_GENERATION stands for them.
    pub knows_member_epochs: bool,
}

impl Request for OffsetCommitRequest {
    const KEY: ApiKey = ApiKey::OffsetCommit;
    type Response = OffsetCommitResponse;
    type Facts = OffsetCommitFacts;

    fn facts(version: i16) -> OffsetCommitFacts {
        OffsetCommitFacts { topics_by_id: version >= 10, knows_member_epochs: version >= 9 }
    }
}
