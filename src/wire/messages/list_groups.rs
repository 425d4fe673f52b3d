//! ListGroups (key 16), versions 0-5: the groups that there are.
//!
//! Version notes
//! - v1: throttle time. v2: throttling after the answer (KIP-219). v3: flexible. v4: states (KIP-518). v5: types (KIP-848).
//!
//! Reference: Kafka `ListGroupsRequest.json`, `ListGroupsResponse.json`.

use crate::wire::error_code::ErrorCode;
use crate::wire::{ApiKey, Request};

crate::message! {
    /// Empty filters: all groups.
    pub struct ListGroupsRequest, flexible 3+ {
        [4+] states_filter: Vec<String>,
        [5+] types_filter: Vec<String>,
    }
}

crate::message! {
    /// The groups.
    pub struct ListGroupsResponse, flexible 3+ {
        [1+] throttle_time_ms: i32,
        [0+] error_code: ErrorCode,
        [0+] groups: Vec<ListedGroup>,
    }
    /// A group.
    pub struct ListedGroup {
        [0+] group_id: String,
        [0+] protocol_type: String,
        [4+] group_state: String,
        [5+] group_type: String,
    }
}

impl Request for ListGroupsRequest {
    const KEY: ApiKey = ApiKey::ListGroups;
    type Response = ListGroupsResponse;
    type Facts = ();

    fn facts(_: i16) {}
}
