//! ApiVersions (key 18), versions 0-5.
//!
//! Behavior: lists the table of `api`, and of Kafka's features those whose APIs are served. An unknown version is answered in
//! version 0 with error 35 and this API's own range, before anything of the body is read (KIP-511). A client that names a cluster
//! or node that this is not is told so (KIP-1242).
//!
//! Version notes: v3: client's name and version; features. v4: features whose lowest level is 0 are listed (KAFKA-17011).
//! v5: cluster and node id are checked.
//!
//! Reference: Kafka `ApiVersionManager`, `ApiVersionsRequest.java`, `ApiVersionsResponse.java`.

use super::outcome::{Asked, Dispatched, encode};
use super::{Call, Outcome, TABLE};
use crate::meta::change::SUPPORTED_FEATURES;
use crate::meta::image::METADATA_VERSION;
use crate::wire::messages::api_versions::{
    ApiVersionRange, ApiVersionsFacts, ApiVersionsRequest, ApiVersionsResponse, FinalizedFeature, SupportedFeature,
};
use crate::wire::{ApiKey, ErrorCode, RequestHeader};

/// The features that are told: those whose APIs are served.
const FEATURES: [&str; 2] = ["group.version", METADATA_VERSION];

/// True if an ApiVersions request of this version can be read.
pub fn is_served(version: i16) -> bool {
    range().is_some_and(|range| (range.min_version..=range.max_version).contains(&version))
}

fn range() -> Option<ApiVersionRange> {
    ranges().into_iter().find(|range| range.api_key == ApiKey::ApiVersions.as_i16())
}

fn ranges() -> Vec<ApiVersionRange> {
    TABLE
        .iter()
        .map(|row| ApiVersionRange {
            api_key: row.key.as_i16(),
            min_version: row.advertised.0,
            max_version: row.advertised.1,
        })
        .collect()
}

/// The answer to a version that is not served.
pub fn refuse_version(header: &RequestHeader) -> Dispatched {
    let response = ApiVersionsResponse {
        error_code: ErrorCode::UNSUPPORTED_VERSION,
        api_keys: range().into_iter().collect(),
        ..ApiVersionsResponse::default()
    };
    let header = RequestHeader { api_version: 0, client_id: None, ..*header };
    Dispatched::Reply(encode(&response, Asked::of(ApiKey::ApiVersions, &header)))
}

pub fn handle(call: Call<'_>, request: ApiVersionsRequest, facts: ApiVersionsFacts) -> Outcome<ApiVersionsResponse> {
    let error_code = judge(&call, &request, facts);
    if error_code != ErrorCode::NONE {
        return Outcome::Now(ApiVersionsResponse { error_code, ..ApiVersionsResponse::default() });
    }
    if facts.names_client {
        call.session.software = Some(Box::new((request.client_software_name, request.client_software_version)));
    }
    let image = call.broker.registry.image();
    let listed = |lowest: i16| lowest > 0 || facts.level_zero_features_listed;
    let served = || SUPPORTED_FEATURES.into_iter().filter(|(name, ..)| FEATURES.contains(name));
    let supported = |(name, min_version, max_version): (&str, i16, i16)| SupportedFeature {
        name: name.to_owned(),
        min_version,
        max_version,
    };
    let finalized = |(name, ..): (&str, i16, i16)| {
        let level = if name == METADATA_VERSION { image.metadata_version() } else { image.feature(name) };
        let feature =
            FinalizedFeature { name: name.to_owned(), max_version_level: level, min_version_level: level };
        (level > 0).then_some(feature)
    };
    Outcome::Now(ApiVersionsResponse {
        api_keys: ranges(),
        supported_features: served().filter(|(_, lowest, _)| listed(*lowest)).map(supported).collect(),
        finalized_features_epoch: call.broker.registry.store().log_end().0,
        finalized_features: served().filter_map(finalized).collect(),
        ..ApiVersionsResponse::default()
    })
}

fn judge(call: &Call<'_>, request: &ApiVersionsRequest, facts: ApiVersionsFacts) -> ErrorCode {
    let names = [&request.client_software_name, &request.client_software_version];
    if facts.names_client && !names.into_iter().all(|name| is_legal_name(name)) {
        return ErrorCode::INVALID_REQUEST;
    }
    match (&request.cluster_id, request.node_id) {
        (None, -1) => ErrorCode::NONE,
        (Some(_), -1) | (None, _) => ErrorCode::INVALID_REQUEST,
        (Some(cluster_id), node_id) => {
            let here = *cluster_id == call.broker.cluster_id && node_id == call.broker.node_id;
            if here { ErrorCode::NONE } else { ErrorCode::REBOOTSTRAP_REQUIRED }
        }
    }
}

/// `[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?`, as Kafka demands.
fn is_legal_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return false };
    let inner = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() && bytes.iter().all(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_names_follow_kafkas_pattern() {
        for legal in ["a", "librdkafka", "2.16.0", "apache-kafka-java", "1"] {
            assert!(is_legal_name(legal), "{legal}");
        }
        for illegal in ["", "-a", "a-", "a b", ".", "ä", "a_b"] {
            assert!(!is_legal_name(illegal), "{illegal}");
        }
    }
}
