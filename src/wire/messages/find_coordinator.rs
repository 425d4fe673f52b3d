//! FindCoordinator (key 10), versions 0-6: which broker coordinates a group or a transactional id.
//!
//! Version notes
//! - v1: kinds of keys, throttle time, error messages. v2: throttling after the answer (KIP-219). v3: flexible.
//! - v4: many keys at once (KIP-699). v5: TRANSACTION_ABORTABLE may be answered (KIP-890). v6: share groups (KIP-932).
//!
//! Reference: Kafka `FindCoordinatorRequest.json`, `FindCoordinatorResponse.json`.

use crate::wire::error_code::ErrorCode;
use crate::wire::{ApiKey, Request};

crate::message! {
    /// Asks for one key (`key`, to v3) or many (`coordinator_keys`, from v4 on).
    pub struct FindCoordinatorRequest, flexible 3+ {
        [0-3] key: String,
        [1+] key_type: i8,
        [4+] coordinator_keys: Vec<String>,
    }
}

crate::message! {
    /// The broker: in the answer itself to v3, one for each key from v4 on.
    pub struct FindCoordinatorResponse, flexible 3+ {
        [1+] throttle_time_ms: i32,
        [0-3] error_code: ErrorCode,
        [1-3] error_message: Option<String> = Some(String::new()),
        [0-3] node_id: i32,
        [0-3] host: String,
        [0-3] port: i32,
        [4+] coordinators: Vec<Coordinator>,
    }
    /// Where a key is coordinated, or why that is not known.
    pub struct Coordinator {
        [4+] key: String,
        [4+] node_id: i32,
        [4+] host: String,
        [4+] port: i32,
        [4+] error_code: ErrorCode,
        [4+] error_message: Option<String> = Some(String::new()),
    }
}

/// What the version of a FindCoordinator request means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FindCoordinatorFacts {
    /// One answer for each of many keys.
    pub batched: bool,
}

impl Request for FindCoordinatorRequest {
    const KEY: ApiKey = ApiKey::FindCoordinator;
    type Response = FindCoordinatorResponse;
    type Facts = FindCoordinatorFacts;

    fn facts(version: i16) -> FindCoordinatorFacts {
        FindCoordinatorFacts { batched: version >= 4 }
    }
}
