//! DeleteGroups (key 42), versions 0-3: forgets groups and their offsets (KIP-229).
//!
//! Version notes
//! - v1: throttling after the answer (KIP-219). v2: flexible. v3: error messages (KIP-1043).
//!
//! Reference: Kafka `DeleteGroupsRequest.json`, `DeleteGroupsResponse.json`.

use crate::wire::error_code::ErrorCode;
use crate::wire::{ApiKey, Request};

crate::message! {
    /// Groups by their ids.
    pub struct DeleteGroupsRequest, flexible 2+ {
        [0+] groups_names: Vec<String>,
    }
}

crate::message! {
    /// What became of each.
    pub struct DeleteGroupsResponse, flexible 2+ {
        [0+] throttle_time_ms: i32,
        [0+] results: Vec<DeletableGroupResult>,
    }
    /// A group deleted, or why not.
    pub struct DeletableGroupResult {
        [0+] group_id: String,
        [0+] error_code: ErrorCode,
        [3+] error_message: Option<String>,
    }
}

impl Request for DeleteGroupsRequest {
    const KEY: ApiKey = ApiKey::DeleteGroups;
    type Response = DeleteGroupsResponse;
    type Facts = ();

    fn facts(_: i16) {}
}
