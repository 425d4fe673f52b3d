//! JoinGroup (key 11), versions 0-9: a member joins a classic group.
//!
//! Version notes
//! - v1: a rebalance timeout of its own; before, the session timeout stands for it. v2: throttle time. v3: throttling after the answer (KIP-219).
//! - v4: a new member must come back with the id it is given (KIP-394). v5: static members (KIP-345). v6: flexible.
//! - v7: the protocol type is answered; the protocol may be null (KIP-559). v8: a reason (KIP-800). v9: a leader may be told to assign nothing (KIP-814).
//!
//! Reference: Kafka `JoinGroupRequest.json`, `JoinGroupResponse.json`.

use bytes::Bytes;

use crate::wire::error_code::ErrorCode;
use crate::wire::{ApiKey, Request};

crate::message! {
    /// A member and the protocols it speaks.
    pub struct JoinGroupRequest, flexible 6+ {
        [0+] group_id: String,
        [0+] session_timeout_ms: i32,
        /// -1: not said.
        [1+] rebalance_timeout_ms: i32 = -1,
        /// Empty: new.
        [0+] member_id: String,
        [5+] group_instance_id: Option<String>,
        [0+] protocol_type: String,
        [0+] protocols: Vec<JoinGroupRequestProtocol>,
        [8+] reason: Option<String>,
    }
    /// One protocol and what the member says under it.
    pub struct JoinGroupRequestProtocol {
        [0+] name: String,
        [0+] metadata: Bytes,
    }
}

crate::message! {
    /// The generation, or why there is none.
    pub struct JoinGroupResponse, flexible 6+ {
        [2+] throttle_time_ms: i32,
        [0+] error_code: ErrorCode,
        [0+] generation_id: i32 = -1,
        [7+] protocol_type: Option<String>,
        [0+, null 7+] protocol_name: Option<String> = Some(String::new()),
        [0+] leader: String,
        [9+] skip_assignment: bool,
        [0+] member_id: String,
        /// For the leader only.
        [0+] members: Vec<JoinGroupResponseMember>,
    }
    /// A member, as the leader sees it.
    pub struct JoinGroupResponseMember {
        [0+] member_id: String,
        [5+] group_instance_id: Option<String>,
        [0+] metadata: Bytes,
    }
}

/// What the version of a JoinGroup request means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct JoinGroupFacts {
    /// The rebalance timeout is in the request; before, the session timeout stands for it.
    pub rebalance_timeout_given: bool,
    /// A new dynamic member is to be refused once, with its id.
    pub member_id_required: bool,
    /// An answer without a protocol has null; before, an empty name.
    pub protocol_may_be_null: bool,
    /// A leader may be told to assign nothing.
    pub may_skip_assignment: bool,
}

impl Request for JoinGroupRequest {
    const KEY: ApiKey = ApiKey::JoinGroup;
    type Response = JoinGroupResponse;
    type Facts = JoinGroupFacts;

    fn facts(version: i16) -> JoinGroupFacts {
        JoinGroupFacts {
            rebalance_timeout_given: version >= 1,
            member_id_required: version >= 4,
            protocol_may_be_null: version >= 7,
            may_skip_assignment: version >= 9,
        }
    }
}
