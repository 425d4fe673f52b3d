//! DescribeGroups (key 15), versions 0-6: classic groups in full.
//!
//! Version notes
//! - v1: throttle time. v2: throttling after the answer (KIP-219). v3: authorized operations (KIP-430). v4: static members (KIP-345).
//! - v5: flexible. v6: GROUP_ID_NOT_FOUND and error messages; before, an unknown group is one in state Dead (KIP-1043).
//!
//! Reference: Kafka `DescribeGroupsRequest.json`, `DescribeGroupsResponse.json`.

use bytes::Bytes;

use crate::wire::error_code::ErrorCode;
use crate::wire::messages::OPERATIONS_NOT_ASKED;
use crate::wire::{ApiKey, Request};

crate::message! {
    /// Groups by their ids.
    pub struct DescribeGroupsRequest, flexible 5+ {
        [0+] groups: Vec<String>,
        [3+] include_authorized_operations: bool,
    }
}

crate::message! {
    /// The groups.
    pub struct DescribeGroupsResponse, flexible 5+ {
        [1+] throttle_time_ms: i32,
        [0+] groups: Vec<DescribedGroup>,
    }
    /// A group, or why it cannot be told.
    pub struct DescribedGroup {
        [0+] error_code: ErrorCode,
        [6+] error_message: Option<String>,
        [0+] group_id: String,
        [0+] group_state: String,
        [0+] protocol_type: String,
        /// The chosen protocol, of a stable group.
        [0+] protocol_data: String,
        [0+] members: Vec<DescribedGroupMember>,
        [3+] authorized_operations: i32 = OPERATIONS_NOT_ASKED,
    }
    /// A member.
    pub struct DescribedGroupMember {
        [0+] member_id: String,
        [4+] group_instance_id: Option<String>,
        [0+] client_id: String,
        [0+] client_host: String,
        [0+] member_metadata: Bytes,
        [0+] member_assignment: Bytes,
    }
}

/// What the version of a DescribeGroups request means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DescribeGroupsFacts {
    /// GROUP_ID_NOT_FOUND is known to the client; before, an unknown group is a dead one.
    pub knows_group_id_not_found: bool,
}

impl Request for DescribeGroupsRequest {
    const KEY: ApiKey = ApiKey::DescribeGroups;
    type Response = DescribeGroupsResponse;
    type Facts = DescribeGroupsFacts;

    fn facts(version: i16) -> DescribeGroupsFacts {
        DescribeGroupsFacts { knows_group_id_not_found: version >= 6 }
    }
}
