//! UpdateFeatures (key 57), versions 0-2: sets levels of features (KIP-584).
//!
//! Version notes
//! - v1: kinds of upgrades, checks only (KIP-778). v2: outcomes for the whole only (KIP-1022).
//!
//! Reference: Kafka `UpdateFeaturesRequest.json`, `UpdateFeaturesResponse.json`.

use crate::wire::error_code::ErrorCode;
use crate::wire::{ApiKey, Request};

crate::message! {
    /// Features and their levels.
    pub struct UpdateFeaturesRequest, flexible 0+ {
        [0+] timeout_ms: i32 = 60000,
        [0+] feature_updates: Vec<FeatureUpdateKey>,
        [1+] validate_only: bool,
    }
    /// A feature.
    pub struct FeatureUpdateKey {
        [0+] feature: String,
        [0+] max_version_level: i16,
        [0] allow_downgrade: bool,
        [1+] upgrade_type: i8 = 1,
    }
}

crate::message! {
    /// What became of it.
    pub struct UpdateFeaturesResponse, flexible 0+ {
        [0+] throttle_time_ms: i32,
        [0+] error_code: ErrorCode,
        [0+] error_message: Option<String> = Some(String::new()),
        [0-1] results: Vec<UpdatableFeatureResult>,
    }
    /// What became of a feature.
    pub struct UpdatableFeatureResult {
        [0+] feature: String,
        [0+] error_code: ErrorCode,
        [0+] error_message: Option<String> = Some(String::new()),
    }
}

impl Request for UpdateFeaturesRequest {
    const KEY: ApiKey = ApiKey::UpdateFeatures;
    type Response = UpdateFeaturesResponse;
    type Facts = ();

    fn facts(_: i16) {}
}
