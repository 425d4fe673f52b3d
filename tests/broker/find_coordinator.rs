//! FindCoordinator: this broker, for every group.

use klamm::wire::messages::find_coordinator::FindCoordinatorRequest;
use klamm::wire::messages::metadata::MetadataRequest;

use crate::groups::{INVALID_REQUEST, group};
use crate::rig::{Rig, client, fresh};

#[test]
fn every_version_names_the_broker() {
    let mut client = client();
    let id = group(&mut client, "coordinator");
    let brokers = client.call(&MetadataRequest { topics: Some(vec![]), ..Default::default() }, 9).brokers;
    let broker = (brokers[0].node_id, brokers[0].host.clone(), brokers[0].port);
    for version in 0..=3 {
        let request = FindCoordinatorRequest { key: id.clone(), ..Default::default() };
        let response = client.call(&request, version);
        assert_eq!(response.error_code.0, 0, "version {version}");
        assert_eq!((response.node_id, response.host, response.port), broker);
        if version > 0 {
            assert_eq!(response.error_message.as_deref(), Some("NONE"), "version {version}");
        }
    }
    for version in 4..=6 {
        let keys = vec![id.clone(), String::new(), "another".to_owned()];
        let request = FindCoordinatorRequest { coordinator_keys: keys.clone(), ..Default::default() };
        let response = client.call(&request, version);
        let found: Vec<_> = response.coordinators.iter().map(|one| one.key.clone()).collect();
        assert_eq!(found, keys);
        for one in response.coordinators {
            assert_eq!((one.error_code.0, one.error_message.as_deref()), (0, Some("")), "version {version}");
            assert_eq!((one.node_id, one.host, one.port), broker);
        }
    }
    let none = FindCoordinatorRequest { coordinator_keys: Vec::new(), ..Default::default() };
    assert!(client.call(&none, 4).coordinators.is_empty());
}

#[test]
fn a_kind_that_does_not_exist_is_refused() {
    let mut client = client();
    let request = FindCoordinatorRequest { key_type: 9, coordinator_keys: vec!["g".to_owned()], ..Default::default() };
    let response = client.call(&request, 6);
    assert_eq!((response.coordinators[0].error_code.0, response.coordinators[0].node_id), (INVALID_REQUEST, -1));
    let request = FindCoordinatorRequest { key_type: 9, key: "g".to_owned(), ..Default::default() };
    let response = client.call(&request, 3);
    assert_eq!((response.error_code.0, response.node_id, response.port), (INVALID_REQUEST, -1, -1));
}

#[test]
fn the_first_question_makes_the_topic_and_many_at_once_make_one() {
    let rig = Rig::with(&[("offsets.topic.num.partitions", "7")]);
    let mut clients: Vec<_> = (0..4).map(|_| rig.client()).collect();
    let request = FindCoordinatorRequest { coordinator_keys: vec![fresh("first")], ..Default::default() };
    let asked: Vec<i32> = clients.iter_mut().map(|client| client.send(&request, 4)).collect();
    for (client, correlation) in clients.iter_mut().zip(asked) {
        let response = client.receive::<FindCoordinatorRequest>(correlation, 4);
        assert_eq!(response.coordinators[0].error_code.0, 0);
    }
    let topics = clients[0].call(&MetadataRequest { topics: None, ..Default::default() }, 9).topics;
    assert_eq!(topics.len(), 1);
    assert_eq!((topics[0].name.as_deref(), topics[0].is_internal), (Some("__consumer_offsets"), true));
    assert_eq!(topics[0].partitions.len(), 7);
}
