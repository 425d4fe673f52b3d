//! ApiVersions: the table, the features, and the rules of the first exchange.

use klamm::api::TABLE;
use klamm::codec::{Message, Reader, Writer};
use klamm::wire::messages::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use klamm::wire::messages::metadata::MetadataRequest;
use klamm::wire::{RequestHeader, frame};

use crate::rig::{self, Client, client};

fn asking() -> ApiVersionsRequest {
    ApiVersionsRequest {
        client_software_name: "klamm-tests".into(),
        client_software_version: "1.0".into(),
        ..Default::default()
    }
}

/// Sends a header and whatever comes behind it.
fn send_raw(client: &mut Client, api_key: i16, api_version: i16, behind: &[u8]) {
    let header = RequestHeader { api_key, api_version, correlation_id: 77, client_id: Some("c".into()) };
    let mut w = Writer::new();
    header.encode(&mut w, false);
    w.slice(behind);
    let body = w.into_bytes();
    client.raw(&frame::prefix(body.len()).expect("a short frame"));
    client.raw(&body);
}

#[test]
fn every_version_lists_the_table() {
    let mut client = client();
    for version in 0..=5 {
        let response = client.call(&asking(), version);
        assert_eq!(response.error_code.0, 0);
        let found: Vec<_> =
            response.api_keys.iter().map(|row| (row.api_key, row.min_version, row.max_version)).collect();
        for row in TABLE {
            assert!(
                found.contains(&(row.key.as_i16(), row.advertised.0, row.advertised.1)),
                "{} in {found:?}",
                row.name
            );
        }
        if !rig::is_reference() {
            assert_eq!(found.len(), TABLE.len());
        }
    }
}

#[test]
fn produce_is_advertised_from_0_for_librdkafka() {
    let produce = client().call(&asking(), 3).api_keys.into_iter().find(|row| row.api_key == 0).expect("Produce");
    assert_eq!((produce.min_version, produce.max_version), (0, 13));
}

#[test]
fn features_are_told_from_version_3_on() {
    let mut client = client();
    for version in 0..=5 {
        let response = client.call(&asking(), version);
        if version < 3 {
            assert!(response.supported_features.is_empty() && response.finalized_features.is_empty());
            assert_eq!(response.finalized_features_epoch, -1);
            continue;
        }
        assert!(response.finalized_features_epoch >= 0, "the Java producer ignores features of epoch -1");
        let finalized = response.finalized_features.iter().find(|one| one.name == "metadata.version");
        let finalized = finalized.expect("metadata.version");
        assert_eq!((finalized.min_version_level, finalized.max_version_level), (33, 33));
        let supported = response.supported_features.iter().find(|one| one.name == "metadata.version");
        let supported = supported.expect("metadata.version");
        assert_eq!((supported.min_version, supported.max_version), (7, 33));
        let level = response.finalized_features.iter().find(|one| one.name == "group.version");
        assert_eq!(level.map(|level| (level.min_version_level, level.max_version_level)), Some((1, 1)));
        let range = response.supported_features.iter().find(|one| one.name == "group.version");
        let range = range.map(|range| (range.min_version, range.max_version));
        assert_eq!(range, (version > 3).then_some((0, 1)));
        if version == 3 {
            let lowest = response.supported_features.iter().map(|one| one.min_version).min();
            assert!(lowest > Some(0), "older clients cannot decode a level of 0");
        }
    }
}

#[test]
fn an_unknown_version_is_answered_in_version_0_with_error_35() {
    for version in [6i16, 7, 100, i16::MAX, -1, i16::MIN] {
        let mut client = client();
        // Behind the header's tagged fields is a body that nobody knows yet, so it is not read.
        send_raw(&mut client, 18, version, &[0, 0xff, 0xff, 0xff, 0xff, 0xff]);
        let Some(bytes) = client.frame() else {
            assert!(version < 0, "version {version} is answered");
            continue;
        };
        let mut reader = Reader::new(bytes);
        assert_eq!(reader.i32().expect("a correlation id"), 77);
        let response = ApiVersionsResponse::decode(&mut reader, 0).expect("version 0");
        reader.finish().expect("nothing behind it");
        assert_eq!(response.error_code.0, 35);
        let rows: Vec<_> =
            response.api_keys.iter().map(|row| (row.api_key, row.min_version, row.max_version)).collect();
        assert_eq!(rows, [(18, 0, 5)]);
        // The connection goes on in a version that both know.
        assert_eq!(client.call(&asking(), 5).error_code.0, 0);
    }
}

#[test]
fn any_other_key_or_version_closes_the_connection() {
    if rig::is_reference() {
        return;
    }
    let served = |key: i16| TABLE.iter().find(|row| row.key.as_i16() == key).map(|row| row.served);
    for key in -1..=100i16 {
        let versions = match served(key) {
            _ if key == 18 => vec![],
            Some((min, max)) => vec![min - 1, max + 1, i16::MAX],
            None => vec![0, 1],
        };
        for version in versions {
            let mut client = client();
            send_raw(&mut client, key, version, &[0; 16]);
            assert_eq!(client.frame(), None, "key {key} version {version}");
        }
    }
}

#[test]
fn names_of_clients_follow_kafkas_rule() {
    let mut client = client();
    for (name, version, error) in [
        ("librdkafka", "2.16.0", 0),
        ("", "1", 42),
        ("a", "", 42),
        ("a b", "1", 42),
        ("-a", "1", 42),
        ("a-1.b", "1-2", 0),
    ] {
        let request = ApiVersionsRequest {
            client_software_name: name.into(),
            client_software_version: version.into(),
            ..Default::default()
        };
        for api_version in [3, 4, 5] {
            assert_eq!(client.call(&request, api_version).error_code.0, error, "{name:?} {version:?}");
        }
        assert_eq!(client.call(&request, 2).error_code.0, 0, "before version 3 there are no names");
    }
}

#[test]
fn a_client_that_means_another_cluster_is_told_so() {
    let mut client = client();
    let metadata = client.call(&MetadataRequest { topics: Some(vec![]), ..Default::default() }, 9);
    let (cluster, node) = (metadata.cluster_id.expect("a cluster id"), metadata.controller_id);
    let cases = [
        (Some(cluster.clone()), node, 0),
        (None, -1, 0),
        (Some("another".to_owned()), node, 129),
        (Some(cluster.clone()), node + 1, 129),
        (Some(cluster), -1, 42),
        (None, node, 42),
    ];
    for (cluster_id, node_id, error) in cases {
        let request = ApiVersionsRequest { cluster_id: cluster_id.clone(), node_id, ..asking() };
        let response = client.call(&request, 5);
        assert_eq!(response.error_code.0, error, "{cluster_id:?} {node_id}");
    }
}
