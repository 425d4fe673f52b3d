//! LeaveGroup (key 13), versions 0-5: members leave a classic group.
//!
//! Version notes
//! - v1: throttle time. v2: throttling after the answer (KIP-219). v3: many members, static ones by instance (KIP-345).
//! - v4: flexible. v5: a reason (KIP-800).
//!
//! Reference: Kafka `LeaveGroupRequest.json`, `LeaveGroupResponse.json`.

use crate::wire::error_code::ErrorCode;
use crate::wire::{ApiKey, Request};

crate::message! {
    /// One member (`member_id`, to v2) or many (`members`, from v3 on).
    pub struct LeaveGroupRequest, flexible 4+ {
        [0+] group_id: String,
        [0-2] member_id: String,
        [3+] members: Vec<MemberIdentity>,
    }
    /// A member by its id, or by its instance with an empty id.
    pub struct MemberIdentity {
        [3+] member_id: String,
        [3+] group_instance_id: Option<String>,
        [5+] reason: Option<String>,
    }
}

crate::message! {
    /// What became of them; to v2 the error is in the answer itself.
    pub struct LeaveGroupResponse, flexible 4+ {
        [1+] throttle_time_ms: i32,
        [0+] error_code: ErrorCode,
        [3+] members: Vec<MemberResponse>,
    }
    /// What became of one.
    pub struct MemberResponse {
        [3+] member_id: String,
        [3+] group_instance_id: Option<String> = Some(String::new()),
        [3+] error_code: ErrorCode,
    }
}

/// What the version of a LeaveGroup request means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LeaveGroupFacts {
    /// Outcomes stand beside the members; before, the one outcome is that of the answer.
    pub batched: bool,
}

impl Request for LeaveGroupRequest {
    const KEY: ApiKey = ApiKey::LeaveGroup;
    type Response = LeaveGroupResponse;
    type Facts = LeaveGroupFacts;

    fn facts(version: i16) -> LeaveGroupFacts {
        LeaveGroupFacts { batched: version >= 3 }
    }
}
