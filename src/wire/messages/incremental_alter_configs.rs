//! IncrementalAlterConfigs (key 44), versions 0-1: changes some configs of resources (KIP-339).
//!
//! Version notes
//! - v1: flexible.
//!
//! Reference: Kafka `IncrementalAlterConfigsRequest.json`, `IncrementalAlterConfigsResponse.json`.

use crate::wire::error_code::ErrorCode;
use crate::wire::{ApiKey, Request};

crate::message! {
    /// Changes to be made, or only checked.
    pub struct IncrementalAlterConfigsRequest, flexible 1+ {
        [0+] resources: Vec<AlterConfigsResource>,
        [0+] validate_only: bool,
    }
    /// A resource and its changes.
    pub struct AlterConfigsResource {
        [0+] resource_type: i8,
        [0+] resource_name: String,
        [0+] configs: Vec<AlterableConfig>,
    }
    /// A change.
    pub struct AlterableConfig {
        [0+] name: String,
        /// 0 set, 1 delete, 2 append, 3 subtract.
        [0+] config_operation: i8,
        [0+] value: Option<String> = Some(String::new()),
    }
}

crate::message! {
    /// What became of each resource.
    pub struct IncrementalAlterConfigsResponse, flexible 1+ {
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

impl Request for IncrementalAlterConfigsRequest {
    const KEY: ApiKey = ApiKey::IncrementalAlterConfigs;
    type Response = IncrementalAlterConfigsResponse;
    type Facts = ();

    fn facts(_: i16) {}
}
