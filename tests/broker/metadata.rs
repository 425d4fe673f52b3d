//! Metadata: what a client needs to know first, and topics that come into being by being asked for.

use klamm::base::ids::Uuid;
use klamm::wire::messages::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponse};

use crate::rig::{self, Client, Rig, client, fresh};

fn named(names: &[&str], may_create: bool) -> MetadataRequest {
    let topic = |name: &&str| MetadataRequestTopic { name: Some((*name).to_owned()), ..Default::default() };
    MetadataRequest {
        topics: Some(names.iter().map(topic).collect()),
        allow_auto_topic_creation: may_create,
        ..Default::default()
    }
}

fn codes(response: &MetadataResponse) -> Vec<i16> {
    response.topics.iter().map(|topic| topic.error_code.0).collect()
}

#[test]
fn every_version_describes_broker_and_topic() {
    let mut client = client();
    let topic = fresh("metadata-versions");
    let id = client.create(&topic, 3, &[]);
    for version in 0..=13 {
        let response = client.call(&named(&[&topic], false), version);
        assert_eq!(response.brokers.len(), 1);
        let broker = &response.brokers[0];
        assert_eq!(
            (broker.host.as_str(), broker.port),
            ("127.0.0.1", i32::from(rig::shared_address().port())),
            "the address that the client connected to"
        );
        assert_eq!(broker.rack, None);
        if version >= 1 {
            assert_eq!(response.controller_id, broker.node_id, "version {version}");
        }
        assert_eq!(response.cluster_id.as_ref().map(String::len), (version >= 2).then_some(22));
        assert_eq!(response.error_code.0, 0);
        let row = &response.topics[0];
        assert_eq!((row.error_code.0, row.name.as_deref()), (0, Some(topic.as_str())));
        assert_eq!(row.topic_id, if version >= 10 { id } else { Uuid::ZERO });
        assert!(!row.is_internal);
        let mut indexes: Vec<_> = row.partitions.iter().map(|partition| partition.partition_index).collect();
        indexes.sort_unstable();
        assert_eq!(indexes, [0, 1, 2]);
        for partition in &row.partitions {
            assert_eq!((partition.error_code.0, partition.leader_id), (0, broker.node_id));
            assert_eq!(partition.leader_epoch, if version >= 7 { 0 } else { -1 });
            assert_eq!(partition.replica_nodes, [broker.node_id]);
            assert_eq!(partition.isr_nodes, [broker.node_id]);
            assert!(partition.offline_replicas.is_empty());
        }
    }
}

#[test]
fn null_means_all_topics_and_in_version_0_an_empty_list_does() {
    let mut client = client();
    let topic = fresh("metadata-all");
    client.create(&topic, 1, &[]);
    let has = |response: &MetadataResponse| response.topics.iter().any(|one| one.name.as_deref() == Some(&topic));
    let empty = MetadataRequest { topics: Some(vec![]), ..Default::default() };
    let null = MetadataRequest { topics: None, ..Default::default() };
    assert!(has(&client.call(&empty, 0)));
    for version in [1, 4, 9, 13] {
        assert!(client.call(&empty, version).topics.is_empty(), "version {version}");
        assert!(has(&client.call(&null, version)), "version {version}");
    }
}

#[test]
fn a_topic_that_may_not_be_made_is_unknown() {
    let mut client = client();
    let name = fresh("metadata-unknown");
    for version in [4, 9, 13] {
        let response = client.call(&named(&[&name], false), version);
        let row = &response.topics[0];
        assert_eq!((row.error_code.0, row.name.as_deref()), (3, Some(name.as_str())), "version {version}");
        assert!(row.partitions.is_empty() && row.topic_id.is_zero());
    }
}

#[test]
fn names_that_cannot_be_are_told() {
    let mut client = client();
    let long = "x".repeat(250);
    for name in ["a b", "ä", "..", ".", "", long.as_str(), "a/b", "a\0"] {
        for may_create in [false, true] {
            assert_eq!(codes(&client.call(&named(&[name], may_create), 9)), [17], "{name:?}, create: {may_create}");
        }
    }
}

/// Asks until the topic is there: Kafka answers first and makes the topic then.
fn ask_until_made(client: &mut Client, name: &str, version: i16) -> MetadataResponse {
    rig::until("the topic", || {
        let response = client.call(&named(&[name], true), version);
        let pending = rig::is_reference() && matches!(codes(&response)[..], [3 | 5]);
        (!pending).then_some(response)
    })
}

#[test]
fn a_topic_comes_into_being_by_being_asked_for() {
    let mut client = client();
    for version in [0, 3, 4, 13] {
        let name = fresh("metadata-made");
        let response = ask_until_made(&mut client, &name, version);
        assert_eq!(codes(&response), [0], "version {version}");
        assert_eq!(response.topics[0].partitions.len(), 1);
        assert_eq!(client.append(&name, 0, rig::batch(&["a"])), 0);
    }
}

#[test]
fn a_topic_is_made_with_the_brokers_defaults() {
    let rig = Rig::with(&[("num.partitions", "4"), ("default.replication.factor", "3")]);
    let mut client = rig.client();
    let response = client.call(&named(&["t"], true), 13);
    assert_eq!((codes(&response), response.topics[0].partitions.len()), (vec![0], 4));
    assert_eq!(response.topics[0].partitions[0].replica_nodes.len(), 1);
}

#[test]
fn no_topic_is_made_where_the_broker_forbids_it() {
    let rig = Rig::with(&[("auto.create.topics.enable", "false")]);
    let mut client = rig.client();
    for version in [0, 4, 13] {
        assert_eq!(codes(&client.call(&named(&["t"], true), version)), [3]);
    }
}

#[test]
fn a_name_that_collides_is_not_made() {
    let mut client = client();
    let name = fresh("metadata_collides");
    client.create(&name, 1, &[]);
    let response = client.call(&named(&[&name.replace('_', ".")], true), 9);
    assert_ne!(codes(&response), [0]);
    if !rig::is_reference() {
        // Kafka says unknown and fails in the background.
        assert_eq!(codes(&response), [17]);
    }
}

#[test]
fn topics_are_found_by_id() {
    let mut client = client();
    let name = fresh("metadata-id");
    let id = client.create(&name, 1, &[]);
    let by_id = |topic_id| MetadataRequest {
        topics: Some(vec![MetadataRequestTopic { topic_id, name: None }]),
        ..Default::default()
    };
    for version in [12, 13] {
        let response = client.call(&by_id(id), version);
        assert_eq!((codes(&response), response.topics[0].name.as_deref()), (vec![0], Some(name.as_str())));
        let response = client.call(&by_id(Uuid([5; 16])), version);
        assert_eq!((codes(&response), response.topics[0].name.as_deref()), (vec![100], None));
        assert_eq!(response.topics[0].topic_id, Uuid([5; 16]));
    }
    client.delete(&name);
    assert_eq!(codes(&client.call(&by_id(id), 13)), [100]);
}

#[test]
fn a_null_name_or_an_id_before_version_12_is_an_invalid_request() {
    let mut client = client();
    for version in [10, 11] {
        let request = MetadataRequest {
            topics: Some(vec![MetadataRequestTopic { topic_id: Uuid([5; 16]), name: None }]),
            ..Default::default()
        };
        assert_eq!(codes(&client.call(&request, version)), [42], "version {version}");
    }
}

#[test]
fn a_topic_asked_twice_is_answered_once() {
    let mut client = client();
    let name = fresh("metadata-twice");
    client.create(&name, 1, &[]);
    assert_eq!(codes(&client.call(&named(&[&name, &name], false), 9)), [0]);
}

#[test]
fn operations_are_told_to_those_who_ask() {
    let mut client = client();
    let name = fresh("metadata-operations");
    client.create(&name, 1, &[]);
    let mut request = named(&[&name], false);
    for version in [8, 10, 13] {
        let response = client.call(&request, version);
        assert_eq!(response.topics[0].topic_authorized_operations, i32::MIN);
        assert_eq!(response.cluster_authorized_operations, i32::MIN);
    }
    request.include_topic_authorized_operations = true;
    request.include_cluster_authorized_operations = true;
    for version in [8, 10] {
        let response = client.call(&request, version);
        let found = [response.topics[0].topic_authorized_operations, response.cluster_authorized_operations];
        assert_eq!(found, [0xdf8, 0x1fa0], "{found:x?}");
    }
}

#[test]
fn internal_topics_are_flagged() {
    if rig::is_reference() {
        return;
    }
    let mut client = client();
    client.try_create("__consumer_offsets", 1, &[]);
    let response = client.call(&named(&["__consumer_offsets"], false), 9);
    assert!(response.topics[0].is_internal);
}

#[test]
fn a_client_is_sent_to_the_address_that_is_advertised() {
    let rig = Rig::with(&[("advertised.listeners", "PLAINTEXT://kafka.example.com:19092"), ("broker.rack", "r1")]);
    let response = rig.client().call(&named(&[], false), 9);
    let broker = &response.brokers[0];
    assert_eq!((broker.host.as_str(), broker.port), ("kafka.example.com", 19092));
    assert_eq!(broker.rack.as_deref(), Some("r1"));
}

#[test]
fn the_cluster_id_that_the_user_gives_is_taken() {
    let mut rig = Rig::with(&[("cluster.id", "MkU3OEVBNTcwNTJENDM2Qk"), ("node.id", "7")]);
    for _ in 0..2 {
        let response = rig.client().call(&named(&[], false), 9);
        assert_eq!(response.cluster_id.as_deref(), Some("MkU3OEVBNTcwNTJENDM2Qk"));
        assert_eq!((response.controller_id, response.brokers[0].node_id), (7, 7));
        rig.restart();
    }
}

/// librdkafka 2.16 leaves three bytes behind its request for all topics; Kafka passes over them, and we closed the connection.
#[test]
fn bytes_behind_a_request_are_passed_over() {
    let mut client = client();
    let text = "000000190003000d00000003000772646b61666b610000000000010000";
    let frame: Vec<u8> =
        (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).expect("hex")).collect();
    client.raw(&frame);
    let answer = rig::decode::<MetadataRequest>(client.frame().expect("an answer"), 3, 13);
    assert_eq!(answer.brokers.len(), 1);
}
