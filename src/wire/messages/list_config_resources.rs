//! ListConfigResources (key 74), versions 0-1: the names of what has configs.
//!
//! Version notes
//! - v0: named ListClientMetricsResources then, and lists only those (KIP-1000).
//! - v1: resources of the types asked for, or of all (KIP-1142).
//!
//! Reference: Kafka `ListConfigResourcesRequest.json`, `ListConfigResourcesResponse.json`.

use crate::wire::error_code::ErrorCode;
use crate::wire::{ApiKey, Request};

/// `resource_type` of client metrics, the only one in v0.
pub const RESOURCE_CLIENT_METRICS: i8 = 16;

crate::message! {
    /// Asks for the resources of some types.
    pub struct ListConfigResourcesRequest, flexible 0+ {
        /// Types as in DescribeConfigs; empty: all that are supported.
        [1+] resource_types: Vec<i8>,
    }
}

crate::message! {
    /// The resources.
    pub struct ListConfigResourcesResponse, flexible 0+ {
        [0+] throttle_time_ms: i32,
        [0+] error_code: ErrorCode,
        [0+] config_resources: Vec<ConfigResource>,
    }
    /// A resource by its name and type.
    pub struct ConfigResource {
        [0+] resource_name: String,
        [1+] resource_type: i8 = RESOURCE_CLIENT_METRICS,
    }
}

/// What the version of a ListConfigResources request means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ListConfigResourcesFacts {
    /// Only client metrics are asked for, whatever `resource_types` says (v0).
    pub client_metrics_only: bool,
}

impl Request for ListConfigResourcesRequest {
    const KEY: ApiKey = ApiKey::ListConfigResources;
    type Response = ListConfigResourcesResponse;
    type Facts = ListConfigResourcesFacts;

    fn facts(version: i16) -> ListConfigResourcesFacts {
        ListConfigResourcesFacts { client_metrics_only: version == 0 }
    }
}
