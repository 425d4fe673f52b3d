//! Heartbeat (key 12), versions 0-4: a member of a classic group is alive.
//!
//! Version notes
//! - v1: throttle time. v2: throttling after the answer (KIP-219). v3: static members (KIP-345). v4: flexible.
//!
//! Reference: Kafka `HeartbeatRequest.json`, `HeartbeatResponse.json`.

use crate::wire::error_code::ErrorCode;
use crate::wire::{ApiKey, Request};

crate::message! {
    /// A member of a generation.
    pub struct HeartbeatRequest, flexible 4+ {
        [0+] group_id: String,
        [0+] generation_id: i32,
        [0+] member_id: String,
        [3+] group_instance_id: Option<String>,
    }
}

crate::message! {
    /// Whether it still is one.
    pub struct HeartbeatResponse, flexible 4+ {
        [1+] throttle_time_ms: i32,
        [0+] error_code: ErrorCode,
    }
}

impl Request for HeartbeatRequest {
    const KEY: ApiKey = ApiKey::Heartbeat;
    type Response = HeartbeatResponse;
    type Facts = ();

    fn facts(_: i16) {}
}
