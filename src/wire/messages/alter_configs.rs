//! AlterConfigs (key 33), versions 0-2: replaces all configs of resources.
//!
//! Version notes
//! - v1: throttling after the answer (KIP-219). v2: flexible.
//!
//! Reference: Kafka `AlterConfigsRequest.json`, `AlterConfigsResponse.json`.

use crate::wire::error_code::ErrorCode;
use crate::wire::{ApiKey, Request};

crate::message! {
    /// Configs to be set, or only checked.
    pub struct AlterConfigsRequest, flexible 2+ {
        [0+] resources: Vec<AlterConfigsResource>,
        [0+] validate_only: bool,
    }
    /// A resource and all it is to have.
    pub struct AlterConfigsResource {
        [0+] resource_type: i8,
        [0+] resource_name: String,
        [0+] configs: Vec<AlterableConfig>,
    }
    /// A config.
    pub struct AlterableConfig {
        [0+] name: String,
        [0+] value: Option<String> = Some(String::new()),
    }
}

crate::message! {
    /// What became of each resource.
    pub struct AlterConfigsResponse, flexible 2+ {
        [0+] throttle_time_ms: i32,
        [0+] responses: Vec<AlterConfigsResourceResponse>,
    }
    /// A resource changed, or why not.
    pub struct AlterConfigsResourceResponse {
        [0+] error_code: ErrorCode,
        [0+] error_message: Option<String> = Some(String::new()),
        [0+] resource_type: i8,
        [0+] resource_name: String,
    }
}

impl Request for AlterConfigsRequest {
    const KEY: ApiKey = ApiKey::AlterConfigs;
    type Response = AlterConfigsResponse;
    type Facts = ();

    fn facts(_: i16) {}
}
