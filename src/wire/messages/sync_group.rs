//! SyncGroup (key 14), versions 0-5: a member of a classic group asks for its assignment, the leader brings all.
//!
//! Version notes
//! - v1: throttle time. v2: throttling after the answer (KIP-219). v3: static members (KIP-345). v4: flexible.
//! - v5: protocol type and name, to be checked and answered (KIP-559).
//!
//! Reference: Kafka `SyncGroupRequest.json`, `SyncGroupResponse.json`.

use bytes::Bytes;

use crate::wire::error_code::ErrorCode;
use crate::wire::{ApiKey, Request};

crate::message! {
    /// A member of a generation.
    pub struct SyncGroupRequest, flexible 4+ {
        [0+] group_id: String,
        [0+] generation_id: i32,
        [0+] member_id: String,
        [3+] group_instance_id: Option<String>,
        [5+] protocol_type: Option<String>,
        [5+] protocol_name: Option<String>,
        /// From the leader only.
        [0+] assignments: Vec<SyncGroupRequestAssignment>,
    }
    /// What a member is to do.
    pub struct SyncGroupRequestAssignment {
        [0+] member_id: String,
        [0+] assignment: Bytes,
    }
}

crate::message! {
    /// What the asking member is to do.
    pub struct SyncGroupResponse, flexible 4+ {
        [1+] throttle_time_ms: i32,
        [0+] error_code: ErrorCode,
        [5+] protocol_type: Option<String>,
        [5+] protocol_name: Option<String>,
        [0+] assignment: Bytes,
    }
}

/// What the version of a SyncGroup request means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SyncGroupFacts {
    /// The request must name the protocol and its type.
    pub protocol_required: bool,
}

impl Request for SyncGroupRequest {
    const KEY: ApiKey = ApiKey::SyncGroup;
    type Response = SyncGroupResponse;
    type Facts = SyncGroupFacts;

    fn facts(version: i16) -> SyncGroupFacts {
        SyncGroupFacts { protocol_required: version >= 5 }
    }
}
