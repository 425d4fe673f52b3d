//! ApiVersions (key 18), versions 0-5: which APIs, versions and features the broker serves. A client's first request.
//!
//! Version notes
//! - v1: throttle time in the answer.
//! - v2: the answer leaves before the throttling, not after it (KIP-219).
//! - v3: flexible; the client names its software; features in the answer (KIP-511, KIP-584). The answer's header stays in its plain
//!   form in every version, because a client reads it before it knows whom it talks to.
//! - v4: a feature whose lowest level is 0 may be listed; below, it must be left out, or old clients fail (KAFKA-17011).
//! - v5: the client says which cluster and node it means to reach (KIP-1242).
//!
//! Reference: Kafka `ApiVersionsRequest.json`, `ApiVersionsResponse.json`.

use crate::wire::error_code::ErrorCode;
use crate::wire::{ApiKey, Request};

crate::message! {
    /// Asks what is served here.
    pub struct ApiVersionsRequest, flexible 3+ {
        /// Name of the client library.
        [3+] client_software_name: String,
        /// Version of the client library.
        [3+] client_software_version: String,
        /// The cluster that the client means to reach; given together with `node_id` or not at all.
        [5+] cluster_id: Option<String>,
        /// The node that the client means to reach, -1 if any.
        [5+] node_id: i32 = -1,
    }
}

crate::message! {
    /// What is served here.
    pub struct ApiVersionsResponse, flexible 3+ {
        [0+] error_code: ErrorCode,
        /// One entry for each API, by key.
        [0+] api_keys: Vec<ApiVersionRange>,
        /// Milliseconds for which the client is asked to stay quiet, as in every answer.
        [1+] throttle_time_ms: i32,
        /// Levels that the broker could run at.
        [3+, tag 0] supported_features: Vec<SupportedFeature>,
        /// Grows with each change of `finalized_features`; -1: unknown, and a client ignores them.
        [3+, tag 1] finalized_features_epoch: i64 = -1,
        /// Levels that the cluster runs at.
        [3+, tag 2] finalized_features: Vec<FinalizedFeature>,
        /// Of the move away from ZooKeeper. Never true here.
        [3+, tag 3] zk_migration_ready: bool,
    }
    /// Versions of one API, both ends included.
    pub struct ApiVersionRange {
        [0+] api_key: i16,
        [0+] min_version: i16,
        [0+] max_version: i16,
    }
    /// Levels of one feature that the broker could run at.
    pub struct SupportedFeature {
        [3+] name: String,
        [3+] min_version: i16,
        [3+] max_version: i16,
    }
    /// Level of one feature that the cluster runs at: both fields are the same.
    pub struct FinalizedFeature {
        [3+] name: String,
        [3+] max_version_level: i16,
        [3+] min_version_level: i16,
    }
}

/// What the version of an ApiVersions request means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ApiVersionsFacts {
    /// The client tells its library's name and version (KIP-511).
    pub names_client: bool,
    /// Features whose lowest level is 0 may be listed.
    pub level_zero_features_listed: bool,
}

impl Request for ApiVersionsRequest {
    const KEY: ApiKey = ApiKey::ApiVersions;
    type Response = ApiVersionsResponse;
    type Facts = ApiVersionsFacts;

    fn facts(version: i16) -> ApiVersionsFacts {
        ApiVersionsFacts { names_client: version >= 3, level_zero_features_listed: version >= 4 }
    }
}
