//! CreateTopics: what is made, what is refused, and what the answer tells.

use klamm::base::ids::Uuid;
use klamm::wire::messages::create_topics::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreatableTopicResult, CreateTopicsRequest,
    CreateTopicsResponse,
};
use klamm::wire::messages::metadata::MetadataRequest;

use crate::rig::{self, Client, Rig, batch, client, fresh, until};

fn topic(name: &str) -> CreatableTopic {
    CreatableTopic { name: name.to_owned(), num_partitions: 1, replication_factor: 1, ..Default::default() }
}

fn create(client: &mut Client, topics: Vec<CreatableTopic>, version: i16) -> CreateTopicsResponse {
    client.call(&CreateTopicsRequest { topics, timeout_ms: 15_000, validate_only: false }, version)
}

fn one(client: &mut Client, topic: CreatableTopic, version: i16) -> CreatableTopicResult {
    let mut response = create(client, vec![topic], version);
    assert_eq!(response.topics.len(), 1);
    response.topics.remove(0)
}

fn config(name: &str, value: Option<&str>) -> CreatableTopicConfig {
    CreatableTopicConfig { name: name.to_owned(), value: value.map(str::to_owned) }
}

fn exists(client: &mut Client, name: &str) -> bool {
    let all = client.call(&MetadataRequest { topics: None, ..Default::default() }, 9);
    all.topics.iter().any(|topic| topic.name.as_deref() == Some(name))
}

#[test]
fn every_version_makes_a_topic_that_takes_records() {
    let mut client = client();
    for version in 2..=7 {
        let name = fresh("create-versions");
        let row = one(&mut client, CreatableTopic { num_partitions: 3, ..topic(&name) }, version);
        assert_eq!((row.name.as_str(), row.error_code.0), (name.as_str(), 0), "version {version}");
        assert_eq!(row.error_message, None);
        assert_eq!(row.topic_id.is_zero(), version < 7);
        if version >= 5 {
            assert_eq!((row.num_partitions, row.replication_factor), (3, 1));
            let configs = row.configs.expect("configs");
            assert!(configs.iter().any(|one| one.name == "retention.ms" && one.value.as_deref() == Some("604800000")));
            assert!(configs.iter().all(|one| !one.read_only));
        } else {
            assert_eq!((row.num_partitions, row.replication_factor), (-1, -1));
        }
        until("the topic takes records", || (client.produce(&name, 2, batch(&["a"])).error_code.0 == 0).then_some(()));
    }
}

#[test]
fn defaults_are_asked_for_by_minus_one() {
    let rig = Rig::with(&[("num.partitions", "5")]);
    let mut client = rig.client();
    let row = one(&mut client, CreatableTopic { num_partitions: -1, replication_factor: -1, ..topic("t") }, 7);
    assert_eq!((row.error_code.0, row.num_partitions, row.replication_factor), (0, 5, 1));
}

#[test]
fn a_topic_that_is_there_is_not_made_again() {
    let mut client = client();
    let name = fresh("create-twice");
    assert_eq!(one(&mut client, topic(&name), 7).error_code.0, 0);
    let row = one(&mut client, topic(&name), 7);
    assert_eq!((row.error_code.0, row.topic_id, row.num_partitions), (36, Uuid::ZERO, -1));
    assert_eq!(row.error_message.as_deref(), Some(format!("Topic '{name}' already exists.").as_str()));
}

#[test]
fn names_that_collide_in_metrics_are_refused() {
    let mut client = client();
    let name = fresh("create_a.b");
    assert_eq!(one(&mut client, topic(&name), 7).error_code.0, 0);
    for other in [name.replace('.', "_"), name.replace('_', ".")] {
        let row = one(&mut client, topic(&other), 7);
        assert_eq!(row.error_code.0, 17, "{other}");
        assert!(row.error_message.expect("a message").contains("collides"));
    }
}

#[test]
fn names_that_cannot_be_are_refused() {
    let mut client = client();
    let long = "x".repeat(250);
    for name in ["", ".", "..", "a b", "a/b", "ä", long.as_str(), "a\n"] {
        assert_eq!(one(&mut client, topic(name), 7).error_code.0, 17, "{name:?}");
    }
    let longest = format!("{}{}", fresh("create-long"), "x".repeat(249))[..249].to_owned();
    assert_eq!(one(&mut client, topic(&longest), 7).error_code.0, 0);
    assert_eq!(client.append(&longest, 0, batch(&["a"])), 0);
}

#[test]
fn the_metadata_topic_is_not_for_clients() {
    let row = one(&mut client(), topic("__cluster_metadata"), 7);
    assert_ne!(row.error_code.0, 0);
    assert_eq!(row.error_code.0, 42);
}

#[test]
fn counts_of_partitions_are_judged() {
    let mut client = client();
    for (count, error) in [(0, 37), (-2, 37), (i32::MIN, 37), (1, 0)] {
        let name = fresh("create-count");
        assert_eq!(
            one(&mut client, CreatableTopic { num_partitions: count, ..topic(&name) }, 7).error_code.0,
            error,
            "{count}"
        );
    }
    let row = one(&mut client, CreatableTopic { num_partitions: i32::MAX, ..topic(&fresh("create-bomb")) }, 7);
    assert_eq!(row.error_code.0, 44, "{:?}", row.error_message);
}

#[test]
fn a_replication_factor_that_cannot_be_is_clamped_and_told() {
    if rig::is_reference() {
        return;
    }
    let mut client = client();
    for factor in [2, 3, i16::MAX] {
        let row = one(&mut client, CreatableTopic { replication_factor: factor, ..topic(&fresh("create-clamp")) }, 7);
        assert_eq!((row.error_code.0, row.replication_factor), (0, 1));
    }
}

#[test]
fn a_replication_factor_that_cannot_be_is_refused_where_that_is_set() {
    let rig = Rig::with(&[("klamm.replication.clamp", "false")]);
    let mut client = if rig::is_reference() { client() } else { rig.client() };
    for (factor, error) in [(0, 38), (-2, 38), (3, 38), (1, 0), (-1, 0)] {
        let asked = CreatableTopic { replication_factor: factor, ..topic(&fresh("create-factor")) };
        let row = one(&mut client, asked, 7);
        assert_eq!(row.error_code.0, error, "{factor}: {:?}", row.error_message);
    }
}

#[test]
fn a_topic_named_twice_in_a_request_is_refused_once() {
    let mut client = client();
    let (twice, other) = (fresh("create-double"), fresh("create-single"));
    let response = create(&mut client, vec![topic(&twice), topic(&other), topic(&twice)], 7);
    let mut found: Vec<_> = response.topics.iter().map(|row| (row.name.clone(), row.error_code.0)).collect();
    found.sort();
    let mut expected = vec![(twice.clone(), 42), (other, 0)];
    expected.sort();
    assert_eq!(found, expected);
    assert!(!exists(&mut client, &twice));
}

#[test]
fn validate_only_tells_and_makes_nothing() {
    let mut client = client();
    let name = fresh("create-validate");
    let asked =
        CreatableTopic { num_partitions: 4, configs: vec![config("retention.ms", Some("5000"))], ..topic(&name) };
    for version in [2, 5, 7] {
        let request = CreateTopicsRequest { topics: vec![asked.clone()], timeout_ms: 15_000, validate_only: true };
        let row = client.call(&request, version).topics.remove(0);
        assert_eq!(row.error_code.0, 0, "{:?}", row.error_message);
        if version >= 5 {
            assert_eq!((row.num_partitions, row.replication_factor), (4, 1));
        }
    }
    assert!(!exists(&mut client, &name));
    let bad = CreatableTopic { num_partitions: 0, ..topic(&name) };
    let request = CreateTopicsRequest { topics: vec![bad], timeout_ms: 15_000, validate_only: true };
    assert_eq!(client.call(&request, 7).topics[0].error_code.0, 37);
}

#[test]
fn faults_of_configs_are_refused() {
    let mut client = client();
    let cases = [
        (config("retention.mss", Some("1")), 40),
        (config("retention.ms", Some("soon")), 40),
        (config("retention.ms", Some("-2")), 40),
        (config("cleanup.policy", Some("shred")), 40),
        (config("segment.bytes", Some("100")), 40),
        (config("retention.ms", None), 40),
        (config("compression.type", Some("brotli")), 40),
        (config("message.timestamp.type", Some("Never")), 40),
        (config("", Some("1")), 40),
        (config("log.retention.ms", Some("1")), 40),
        (config("retention.ms", Some("-1")), 0),
        (config("cleanup.policy", Some("compact,delete")), 0),
    ];
    for (config, error) in cases {
        let asked = CreatableTopic { configs: vec![config.clone()], ..topic(&fresh("create-config")) };
        let row = one(&mut client, asked, 7);
        assert_eq!(row.error_code.0, error, "{config:?}: {:?}", row.error_message);
        assert_eq!(row.error_message.is_some(), error != 0);
    }
}

#[test]
fn configs_that_are_set_are_told_with_their_source() {
    let mut client = client();
    let configs = vec![config("retention.ms", Some("5000")), config("cleanup.policy", Some("compact"))];
    let row = one(&mut client, CreatableTopic { configs, ..topic(&fresh("create-told")) }, 7);
    let configs = row.configs.expect("configs");
    let find = |name: &str| {
        let one = configs.iter().find(|one| one.name == name).expect("a key");
        (one.value.clone().expect("a value"), one.config_source)
    };
    assert_eq!(find("retention.ms"), ("5000".to_owned(), 1));
    assert_eq!(find("cleanup.policy"), ("compact".to_owned(), 1));
    assert_eq!(find("index.interval.bytes"), ("4096".to_owned(), 5));
}

#[test]
fn assignments_by_hand_may_name_this_broker_only() {
    let mut client = client();
    let node = client.call(&MetadataRequest { topics: Some(vec![]), ..Default::default() }, 9).controller_id;
    let asked = |rows: &[(i32, &[i32])]| CreatableTopic {
        num_partitions: -1,
        replication_factor: -1,
        assignments: rows
            .iter()
            .map(|(partition_index, brokers)| CreatableReplicaAssignment {
                partition_index: *partition_index,
                broker_ids: brokers.to_vec(),
            })
            .collect(),
        ..topic(&fresh("create-assigned"))
    };
    let good = one(&mut client, asked(&[(0, &[node]), (1, &[node])]), 7);
    assert_eq!((good.error_code.0, good.num_partitions, good.replication_factor), (0, 2, 1));
    for rows in [
        &[(0, [node + 1].as_slice())][..],
        &[(0, &[node, node])],
        &[(0, &[])],
        &[(1, &[node])],
        &[(0, &[node]), (0, &[node])],
    ] {
        let row = one(&mut client, asked(rows), 7);
        assert_eq!(row.error_code.0, 39, "{rows:?}: {:?}", row.error_message);
    }
    let both = CreatableTopic { num_partitions: 1, ..asked(&[(0, &[node])]) };
    assert_eq!(one(&mut client, both, 7).error_code.0, 42);
}

#[test]
fn what_was_made_is_there_after_a_clean_restart() {
    let mut rig = Rig::with(&[]);
    let mut client = rig.client();
    let configs = vec![config("retention.ms", Some("5000"))];
    let made = one(&mut client, CreatableTopic { num_partitions: 2, configs, ..topic("t") }, 7);
    client.append("t", 1, batch(&["a"]));
    rig.restart();
    let mut client = rig.client();
    let all = client.call(&MetadataRequest { topics: None, ..Default::default() }, 12);
    assert_eq!(all.topics.len(), 1);
    assert_eq!((all.topics[0].topic_id, all.topics[0].partitions.len()), (made.topic_id, 2));
    assert_eq!(rig::values(&client.fetch("t", 1, 0).records), ["a"]);
    assert_eq!(client.append("t", 1, batch(&["b"])), 1);
    assert_eq!(one(&mut client, topic("t"), 7).error_code.0, 36);
}

#[test]
fn many_clients_making_one_topic_make_it_once() {
    let name = fresh("create-race");
    let codes: Vec<i16> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..8).map(|_| scope.spawn(|| one(&mut client(), topic(&name), 7).error_code.0)).collect();
        threads.into_iter().map(|thread| thread.join().expect("a result")).collect()
    });
    assert_eq!(codes.iter().filter(|code| **code == 0).count(), 1, "{codes:?}");
    assert!(codes.iter().all(|code| matches!(code, 0 | 36)), "{codes:?}");
}
