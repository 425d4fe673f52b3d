//! DescribeConfigs (key 32), versions 1-4: the configs of topics, brokers, loggers and groups.
//!
//! Version notes
//! - v1: where a value comes from, and the synonyms it would come from (KIP-226). v2: throttling after the answer (KIP-219).
//! - v3: type and documentation of each config (KIP-569). v4: flexible.
//!
//! Reference: Kafka `DescribeConfigsRequest.json`, `DescribeConfigsResponse.json`.

use crate::wire::error_code::ErrorCode;
use crate::wire::{ApiKey, Request};

crate::message! {
    /// Resources to describe.
    pub struct DescribeConfigsRequest, flexible 4+ {
        [0+] resources: Vec<DescribeConfigsResource>,
        [1+] include_synonyms: bool,
        [3+] include_documentation: bool,
    }
    /// A resource by its type and name.
    pub struct DescribeConfigsResource {
        /// 2: topic, 4: broker, 8: broker logger, 16: client metrics, 32: group.
        [0+] resource_type: i8,
        [0+] resource_name: String,
        /// Null: all of them.
        [0+] configuration_keys: Option<Vec<String>>,
    }
}

crate::message! {
    /// The resources described.
    pub struct DescribeConfigsResponse, flexible 4+ {
        [0+] throttle_time_ms: i32,
        [0+] results: Vec<DescribeConfigsResult>,
    }
    /// One resource, or why it is not described.
    pub struct DescribeConfigsResult {
        [0+] error_code: ErrorCode,
        [0+] error_message: Option<String>,
        [0+] resource_type: i8,
        [0+] resource_name: String,
        [0+] configs: Vec<DescribedConfig>,
    }
    /// One config.
    pub struct DescribedConfig {
        [0+] name: String,
        /// Null if it has none or is a secret.
        [0+] value: Option<String>,
        [0+] read_only: bool,
        /// 1: topic, 2: this broker, 3: all brokers, 4: file or flag, 5: default, 6: logger, 7: client metrics, 8: group.
        [1+] config_source: i8 = -1,
        [0+] is_sensitive: bool,
        [1+] synonyms: Vec<DescribedConfigSynonym>,
        /// 1: boolean, 2: string, 3: int, 4: short, 5: long, 6: double, 7: list, 8: class, 9: password.
        [3+] config_type: i8,
        [3+] documentation: Option<String>,
    }
    /// A value that would hold if those above it were not set.
    pub struct DescribedConfigSynonym {
        [1+] name: String,
        [1+] value: Option<String>,
        /// As `config_source`.
        [1+] source: i8,
    }
}

impl Request for DescribeConfigsRequest {
    const KEY: ApiKey = ApiKey::DescribeConfigs;
    type Response = DescribeConfigsResponse;
    type Facts = ();

    fn facts(_: i16) {}
}
