//! DescribeConfigs: every key of a resource, where its value comes from, and what is never shown.

use std::collections::HashMap;

use klamm::wire::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResult, DescribedConfig,
};
use klamm::wire::messages::metadata::MetadataRequest;

use crate::rig::{Client, Rig, client, fresh};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const BROKER_LOGGER: i8 = 8;
const CLIENT_METRICS: i8 = 16;
const GROUP: i8 = 32;

fn resource(resource_type: i8, name: &str, keys: Option<&[&str]>) -> DescribeConfigsResource {
    DescribeConfigsResource {
        resource_type,
        resource_name: name.to_owned(),
        configuration_keys: keys.map(|keys| keys.iter().map(|key| (*key).to_owned()).collect()),
    }
}

fn ask(client: &mut Client, resource: DescribeConfigsResource, version: i16) -> DescribeConfigsResult {
    let request =
        DescribeConfigsRequest { resources: vec![resource], include_synonyms: true, include_documentation: true };
    let mut response = client.call(&request, version);
    assert_eq!(response.results.len(), 1);
    response.results.remove(0)
}

fn by_name(result: DescribeConfigsResult) -> HashMap<String, DescribedConfig> {
    assert_eq!(result.error_code.0, 0, "{:?}", result.error_message);
    let count = result.configs.len();
    let found: HashMap<_, _> = result.configs.into_iter().map(|one| (one.name.clone(), one)).collect();
    assert_eq!(found.len(), count, "each key once");
    found
}

fn node(client: &mut Client) -> String {
    client.call(&MetadataRequest { topics: Some(vec![]), ..Default::default() }, 9).controller_id.to_string()
}

#[test]
fn every_version_lists_a_topics_keys() {
    let mut client = client();
    let topic = fresh("configs-versions");
    client.create(&topic, 1, &[("retention.ms", "5000")]);
    for version in 1..=4 {
        let result = ask(&mut client, resource(TOPIC, &topic, None), version);
        assert_eq!((result.resource_type, result.resource_name.as_str()), (TOPIC, topic.as_str()));
        let found = by_name(result);
        for name in ["cleanup.policy", "segment.bytes", "compression.zstd.level", "message.timestamp.after.max.ms"] {
            assert!(found.contains_key(name), "{name}");
        }
        let retention = &found["retention.ms"];
        assert_eq!((retention.value.as_deref(), retention.config_source), (Some("5000"), 1));
        assert_eq!(retention.config_type, if version < 3 { 0 } else { 5 }, "a long");
        assert!(!retention.read_only && !retention.is_sensitive);
        let synonyms: Vec<_> =
            retention.synonyms.iter().map(|one| (one.name.as_str(), one.value.as_deref(), one.source)).collect();
        assert_eq!(synonyms[0], ("retention.ms", Some("5000"), 1), "version {version}");
        assert_eq!(found["cleanup.policy"].config_source, 5);
        assert_eq!(found["cleanup.policy"].value.as_deref(), Some("delete"));
    }
}

#[test]
fn all_topic_keys_of_kafka_are_known() {
    let mut client = client();
    let topic = fresh("configs-all");
    client.create(&topic, 1, &[]);
    let found = by_name(ask(&mut client, resource(TOPIC, &topic, None), 4));
    for name in include_str!("../golden/configs.tsv").lines().filter_map(|line| {
        let mut fields = line.split('\t');
        (fields.next() == Some("topic")).then(|| fields.next().expect("a name"))
    }) {
        assert!(found.contains_key(name), "{name} is missing");
    }
    assert!(found.len() >= 37, "{} keys", found.len());
}

#[test]
fn keys_that_are_asked_for_are_answered_and_no_others() {
    let mut client = client();
    let topic = fresh("configs-keys");
    client.create(&topic, 1, &[]);
    let found =
        by_name(ask(&mut client, resource(TOPIC, &topic, Some(&["retention.ms", "no.such.key", "segment.bytes"])), 4));
    let mut names: Vec<_> = found.into_keys().collect();
    names.sort();
    assert_eq!(names, ["retention.ms", "segment.bytes"]);
    let all = by_name(ask(&mut client, resource(TOPIC, &topic, Some(&[])), 4));
    assert!(all.len() > 20, "an empty list is all, as of Kafka");
}

#[test]
fn synonyms_and_documentation_come_only_if_asked_for() {
    let mut client = client();
    let topic = fresh("configs-lean");
    client.create(&topic, 1, &[]);
    let request = DescribeConfigsRequest { resources: vec![resource(TOPIC, &topic, None)], ..Default::default() };
    let response = client.call(&request, 4);
    for config in &response.results[0].configs {
        assert!(config.synonyms.is_empty() && config.documentation.is_none(), "{}", config.name);
    }
    let full = by_name(ask(&mut client, resource(TOPIC, &topic, None), 4));
    let one = &full["segment.bytes"];
    assert!(one.documentation.as_deref().is_some_and(|text| text.len() > 10), "{:?}", one.documentation);
    let synonyms: Vec<_> = one.synonyms.iter().map(|one| (one.name.as_str(), one.source)).collect();
    assert_eq!(synonyms, [("log.segment.bytes", 5)]);
    assert_eq!(full["retention.ms"].synonyms, [], "the broker's log.retention.ms has no default");
}

#[test]
fn a_brokers_own_values_are_told_with_their_source() {
    let rig = Rig::with(&[("message.max.bytes", "500000"), ("node.id", "3"), ("log.retention.hours", "5")]);
    let mut client = rig.client();
    let found = by_name(ask(&mut client, resource(BROKER, "3", None), 4));
    let max = &found["message.max.bytes"];
    assert_eq!((max.value.as_deref(), max.config_source, max.read_only), (Some("500000"), 4, false));
    let node = &found["node.id"];
    assert_eq!((node.value.as_deref(), node.read_only, node.config_type), (Some("3"), true, 3));
    assert_eq!(found["num.partitions"].config_source, 5);
    assert!(found.len() >= 300, "{} keys", found.len());
    // A topic inherits what the broker has.
    client.create("t", 1, &[]);
    let topic = by_name(ask(&mut client, resource(TOPIC, "t", None), 4));
    let max = &topic["max.message.bytes"];
    assert_eq!((max.value.as_deref(), max.config_source), (Some("500000"), 4));
    assert_eq!(topic["retention.ms"].value.as_deref(), Some("18000000"));
}

#[test]
fn secrets_are_never_shown() {
    let rig = Rig::with(&[("ssl.key.password", "hunter2")]);
    let mut client = rig.client();
    let node = node(&mut client);
    let found = by_name(ask(&mut client, resource(BROKER, &node, None), 4));
    let secret = &found["ssl.key.password"];
    assert!(secret.is_sensitive);
    assert_eq!(secret.value, None);
    for synonym in found.values().flat_map(|one| &one.synonyms) {
        assert_ne!(synonym.value.as_deref(), Some("hunter2"));
    }
}

#[test]
fn what_is_not_there_is_told() {
    let mut client = client();
    let node = node(&mut client);
    let cases = [
        (resource(TOPIC, &fresh("never"), None), 3),
        (resource(TOPIC, "a b", None), 17),
        (resource(TOPIC, "", None), 17),
        (resource(BROKER, "4711", None), 42),
        (resource(BROKER, "one", None), 42),
        (resource(BROKER_LOGGER, "4711", None), 42),
        (resource(BROKER_LOGGER, &node, None), 0),
        (resource(BROKER, "", None), 0),
        (resource(CLIENT_METRICS, "nobody", None), 0),
        (resource(GROUP, "nobody", None), 0),
        (resource(77, "x", None), 42),
        (resource(0, "x", None), 42),
        (resource(CLIENT_METRICS, "", None), 42),
        (resource(GROUP, "", None), 42),
    ];
    for (asked, error) in cases {
        let what = format!("{asked:?}");
        let result = ask(&mut client, asked, 4);
        assert_eq!(result.error_code.0, error, "{what}: {:?}", result.error_message);
        assert!(error == 0 || result.configs.is_empty() && result.error_message.is_some(), "{what}");
    }
}

#[test]
fn the_values_for_all_brokers_are_those_set_at_run_time() {
    let mut client = client();
    let found = by_name(ask(&mut client, resource(BROKER, "", None), 4));
    // What the format step of Kafka sets.
    assert_eq!(found.keys().collect::<Vec<_>>(), ["min.insync.replicas"]);
    let one = &found["min.insync.replicas"];
    assert_eq!((one.value.as_deref(), one.config_source), (Some("1"), 3));
    assert_eq!(one.synonyms.iter().map(|synonym| synonym.source).collect::<Vec<_>>(), [3], "nothing of this broker");
}

#[test]
fn a_groups_keys_are_listed_with_their_defaults() {
    let mut client = client();
    let found = by_name(ask(&mut client, resource(GROUP, "nobody", None), 4));
    assert_eq!(found["consumer.session.timeout.ms"].value.as_deref(), Some("45000"));
    assert_eq!(found["share.auto.offset.reset"].value.as_deref(), Some("latest"));
}

#[test]
fn several_resources_are_answered_in_one_request() {
    let mut client = client();
    let node = node(&mut client);
    let topic = fresh("configs-several");
    client.create(&topic, 1, &[]);
    let request = DescribeConfigsRequest {
        resources: vec![
            resource(TOPIC, &topic, None),
            resource(BROKER, &node, None),
            resource(TOPIC, &fresh("never"), None),
        ],
        ..Default::default()
    };
    let mut found: Vec<_> =
        client.call(&request, 4).results.iter().map(|one| (one.resource_type, one.error_code.0)).collect();
    found.sort_unstable();
    assert_eq!(found, [(TOPIC, 0), (TOPIC, 3), (BROKER, 0)]);
}
