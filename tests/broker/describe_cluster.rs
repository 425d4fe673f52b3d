//! DescribeCluster: the one broker.

use klamm::wire::messages::describe_cluster::{DescribeClusterRequest, ENDPOINT_BROKERS, ENDPOINT_CONTROLLERS};
use klamm::wire::messages::metadata::MetadataRequest;

use crate::rig::{self, Rig, client};

#[test]
fn every_version_tells_the_broker() {
    let mut client = client();
    let metadata = client.call(&MetadataRequest { topics: Some(vec![]), ..Default::default() }, 9);
    for version in 0..=2 {
        let response = client.call(&DescribeClusterRequest::default(), version);
        assert_eq!((response.error_code.0, response.error_message), (0, None));
        assert_eq!(Some(response.cluster_id), metadata.cluster_id);
        assert_eq!(response.controller_id, metadata.brokers[0].node_id);
        assert_eq!(response.endpoint_type, ENDPOINT_BROKERS);
        assert_eq!(response.brokers.len(), 1);
        let broker = &response.brokers[0];
        assert_eq!(
            (broker.broker_id, broker.host.as_str(), broker.port),
            (response.controller_id, "127.0.0.1", i32::from(rig::shared_address().port()))
        );
        assert_eq!((broker.rack.as_deref(), broker.is_fenced), (None, false));
        assert_eq!(response.cluster_authorized_operations, i32::MIN);
    }
}

#[test]
fn operations_are_told_to_those_who_ask() {
    let mut client = client();
    let request = DescribeClusterRequest { include_cluster_authorized_operations: true, ..Default::default() };
    let found = client.call(&request, 2).cluster_authorized_operations;
    assert_eq!(found, 0x1fa0, "{found:x}");
}

#[test]
fn controllers_are_not_asked_for_at_a_broker() {
    let mut client = client();
    for (endpoint_type, error) in [(ENDPOINT_CONTROLLERS, 114), (9, 115), (0, 115), (-1, 115)] {
        for version in [1, 2] {
            let response = client.call(&DescribeClusterRequest { endpoint_type, ..Default::default() }, version);
            assert_eq!(response.error_code.0, error, "endpoint type {endpoint_type}");
            assert!(response.error_message.is_some() && response.brokers.is_empty());
        }
    }
}

#[test]
fn fenced_brokers_change_nothing_where_there_are_none() {
    let request = DescribeClusterRequest { include_fenced_brokers: true, ..Default::default() };
    assert_eq!(client().call(&request, 2).brokers.len(), 1);
}

#[test]
fn rack_and_advertised_address_are_told() {
    let rig = Rig::with(&[("broker.rack", "r9"), ("advertised.listeners", "PLAINTEXT://example.com:99")]);
    let response = rig.client().call(&DescribeClusterRequest::default(), 1);
    let broker = &response.brokers[0];
    assert_eq!((broker.rack.as_deref(), broker.host.as_str(), broker.port), (Some("r9"), "example.com", 99));
}
