//! IncrementalAlterConfigs: each kind of resource, what is refused and in which words, and that a change is in force at once.

use std::collections::BTreeMap;

use klamm::wire::messages::describe_configs::{DescribeConfigsRequest, DescribeConfigsResource, DescribedConfig};
use klamm::wire::messages::incremental_alter_configs::{
    AlterConfigsResource, AlterConfigsResourceResponse, AlterableConfig, IncrementalAlterConfigsRequest,
};
use klamm::wire::messages::metadata::MetadataRequest;

use crate::rig::{Client, Rig, batch, client, files, fresh, is_reference, records_of, timed, until};

pub const TOPIC: i8 = 2;
pub const BROKER: i8 = 4;
const BROKER_LOGGER: i8 = 8;
const CLIENT_METRICS: i8 = 16;
pub const GROUP: i8 = 32;

pub const SET: i8 = 0;
pub const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

fn change(name: &str, config_operation: i8, value: Option<&str>) -> AlterableConfig {
    AlterableConfig { name: name.to_owned(), config_operation, value: value.map(str::to_owned) }
}

fn resource(resource_type: i8, name: &str, configs: Vec<AlterableConfig>) -> AlterConfigsResource {
    AlterConfigsResource { resource_type, resource_name: name.to_owned(), configs }
}

fn send(
    client: &mut Client,
    resources: Vec<AlterConfigsResource>,
    validate_only: bool,
    version: i16,
) -> Vec<AlterConfigsResourceResponse> {
    client.call(&IncrementalAlterConfigsRequest { resources, validate_only }, version).responses
}

/// Keys, operations and values.
pub type Changes<'a> = &'a [(&'a str, i8, Option<&'a str>)];

/// Error code and message of one change.
fn outcome(client: &mut Client, kind: i8, name: &str, changes: Changes<'_>) -> (i16, Option<String>) {
    let changes = changes.iter().map(|(key, operation, value)| change(key, *operation, *value)).collect();
    let mut rows = send(client, vec![resource(kind, name, changes)], false, 1);
    assert_eq!(rows.len(), 1);
    let row = rows.remove(0);
    assert_eq!((row.resource_type, row.resource_name.as_str()), (kind, name));
    (row.error_code.0, row.error_message)
}

#[track_caller]
fn refused(client: &mut Client, kind: i8, name: &str, changes: Changes<'_>, code: i16, words: &str) {
    let found = outcome(client, kind, name, changes);
    assert_eq!((found.0, found.1.as_deref()), (code, Some(words)), "{kind} {name:?} {changes:?}");
}

#[track_caller]
pub fn set(client: &mut Client, kind: i8, name: &str, changes: Changes<'_>) {
    assert_eq!(outcome(client, kind, name, changes), (0, None), "{kind} {name:?} {changes:?}");
}

/// What DescribeConfigs says.
pub fn described(client: &mut Client, kind: i8, name: &str) -> BTreeMap<String, DescribedConfig> {
    let resources =
        vec![DescribeConfigsResource { resource_type: kind, resource_name: name.to_owned(), configuration_keys: None }];
    let request = DescribeConfigsRequest { resources, include_synonyms: true, ..Default::default() };
    let result = client.call(&request, 4).results.remove(0);
    assert_eq!(result.error_code.0, 0, "{:?}", result.error_message);
    result.configs.into_iter().map(|config| (config.name.clone(), config)).collect()
}

/// Waits until a key has this value: Kafka tells of a change before its broker has read it.
#[track_caller]
pub fn expect(client: &mut Client, kind: i8, name: &str, key: &str, value: &str, source: i8) {
    let is_so = |client: &mut Client| {
        let found = described(client, kind, name);
        let found = found.get(key).unwrap_or_else(|| panic!("{key} is described"));
        (found.value.as_deref() == Some(value) && found.config_source == source).then_some(())
    };
    if is_reference() {
        return until("the value", || is_so(client));
    }
    let found = described(client, kind, name);
    assert_eq!((found[key].value.as_deref(), found[key].config_source), (Some(value), source), "{key}");
}

pub fn node(client: &mut Client) -> String {
    let request = MetadataRequest { topics: Some(vec![]), ..Default::default() };
    client.call(&request, 9).controller_id.to_string()
}

#[test]
fn every_version_sets_and_removes_a_topics_keys() {
    let mut client = client();
    for version in 0..=1 {
        let topic = fresh("alter-versions");
        client.create(&topic, 1, &[]);
        for (operation, value, told) in [(SET, Some("4711"), ("4711", 1)), (DELETE, None, ("604800000", 5))] {
            let rows = send(
                &mut client,
                vec![resource(TOPIC, &topic, vec![change("segment.ms", operation, value)])],
                false,
                version,
            );
            assert_eq!((rows[0].error_code.0, rows[0].error_message.as_deref()), (0, None));
            expect(&mut client, TOPIC, &topic, "segment.ms", told.0, told.1);
        }
    }
}

#[test]
fn lists_are_added_to_and_taken_from() {
    let mut client = client();
    let topic = fresh("alter-lists");
    client.create(&topic, 1, &[]);
    let key = "cleanup.policy";
    for (operation, value, now) in [
        (APPEND, "compact", "delete,compact"),
        (APPEND, "delete,compact", "delete,compact"),
        (SUBTRACT, "delete", "compact"),
        (SUBTRACT, "compact,delete", ""),
        (APPEND, "delete", "delete"),
    ] {
        set(&mut client, TOPIC, &topic, &[(key, operation, Some(value))]);
        expect(&mut client, TOPIC, &topic, key, now, 1);
    }
    let no_list = "Can't APPEND to key retention.ms because its type is not LIST.";
    refused(&mut client, TOPIC, &topic, &[("retention.ms", APPEND, Some("1"))], 40, no_list);
    let no_list = "Can't SUBTRACT to key retention.ms because its type is not LIST.";
    refused(&mut client, TOPIC, &topic, &[("retention.ms", SUBTRACT, Some("1"))], 40, no_list);
    let bogus = "Invalid value bogus for configuration cleanup.policy: String must be one of: compact, delete";
    refused(&mut client, TOPIC, &topic, &[(key, APPEND, Some("bogus"))], 40, bogus);
}

#[test]
fn what_a_topic_cannot_take_is_refused_in_kafkas_words() {
    let mut client = client();
    let topic = fresh("alter-refused");
    client.create(&topic, 1, &[]);
    let cases: &[(Changes<'_>, &str)] = &[
        (&[("no.such.key", SET, Some("1"))], "Unknown topic config name: no.such.key"),
        (&[("no.such.key", APPEND, Some("1"))], "Can't APPEND to key no.such.key because its type is not LIST."),
        (
            &[("retention.ms", SET, Some("-2"))],
            "Invalid value -2 for configuration retention.ms: Value must be at least -1",
        ),
        (
            &[("retention.ms", SET, Some("abc"))],
            "Invalid value abc for configuration retention.ms: Not a number of type LONG",
        ),
        (
            &[("min.compaction.lag.ms", SET, Some("10")), ("max.compaction.lag.ms", SET, Some("5"))],
            "conflict topic config setting min.compaction.lag.ms (10) > max.compaction.lag.ms (5)",
        ),
    ];
    for (changes, words) in cases {
        refused(&mut client, TOPIC, &topic, changes, 40, words);
    }
    // A key that is not set, and that nobody knows, may be removed.
    set(&mut client, TOPIC, &topic, &[("no.such.key", DELETE, None)]);
    let null = "Null value not supported for : retention.ms, segment.ms";
    refused(&mut client, TOPIC, &topic, &[("retention.ms", SET, None), ("segment.ms", APPEND, None)], 42, null);
    let twice = [("retention.ms", SET, Some("1")), ("retention.ms", DELETE, None)];
    refused(&mut client, TOPIC, &topic, &twice, 42, "Error due to duplicate config keys");
    assert_eq!(described(&mut client, TOPIC, &topic)["retention.ms"].config_source, 5, "nothing was changed");
}

#[test]
fn resources_that_are_not_there_are_refused_in_kafkas_words() {
    let mut client = client();
    let node = node(&mut client);
    let never = fresh("never");
    let one = [("retention.ms", SET, Some("1000"))];
    refused(&mut client, TOPIC, &never, &one, 3, &format!("The topic '{never}' does not exist."));
    refused(&mut client, TOPIC, "", &one, 42, "Default topic resources are not allowed.");
    let illegal =
        "Topic name is invalid: 'a b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'";
    refused(&mut client, TOPIC, "a b", &one, 17, illegal);
    let max = [("message.max.bytes", SET, Some("1000000"))];
    let other = format!("Unexpected broker id, expected {node}, but received 4711");
    refused(&mut client, BROKER, "4711", &max, 42, &other);
    let root = [("root", SET, Some("INFO"))];
    let other = format!("Unexpected node id. Expected {node}, but received 4711");
    refused(&mut client, BROKER_LOGGER, "4711", &root, 42, &other);
    refused(&mut client, BROKER_LOGGER, "one", &root, 42, "Node id must be an integer, but it is: one");
    refused(&mut client, BROKER, "one", &max, 42, "Node id must be an integer, but it is: one");
    let group = [("consumer.session.timeout.ms", SET, Some("50000"))];
    refused(&mut client, GROUP, "", &group, 42, "Default group resources are not allowed.");
    let interval = [("interval.ms", SET, Some("1000"))];
    refused(&mut client, CLIENT_METRICS, "", &interval, 42, "Subscription name can't be empty");
    refused(&mut client, 77, "x", &one, 42, "Unknown resource type 77");
}

#[test]
fn a_resource_named_twice_is_not_changed_and_the_others_are() {
    let mut client = client();
    let (first, second) = (fresh("alter-twice"), fresh("alter-once"));
    client.create(&first, 1, &[]);
    client.create(&second, 1, &[]);
    let ask = |name: &str| resource(TOPIC, name, vec![change("segment.ms", SET, Some("5000"))]);
    let rows = send(&mut client, vec![ask(&first), ask(&second), ask(&first)], false, 1);
    let codes: Vec<_> = rows.iter().map(|row| (row.resource_name.as_str(), row.error_code.0)).collect();
    assert_eq!(codes, [(first.as_str(), 42), (second.as_str(), 0), (first.as_str(), 42)]);
    assert_eq!(rows[0].error_message.as_deref(), Some("Each resource must appear at most once."));
    expect(&mut client, TOPIC, &second, "segment.ms", "5000", 1);
    assert_eq!(described(&mut client, TOPIC, &first)["segment.ms"].config_source, 5);
}

#[test]
fn validate_only_changes_nothing() {
    let mut client = client();
    let topic = fresh("alter-validate");
    client.create(&topic, 1, &[]);
    for (value, code) in [("5000", 0), ("x", 40)] {
        let asked = resource(TOPIC, &topic, vec![change("segment.ms", SET, Some(value))]);
        assert_eq!(send(&mut client, vec![asked], true, 1)[0].error_code.0, code);
    }
    assert_eq!(described(&mut client, TOPIC, &topic)["segment.ms"].config_source, 5);
}

#[test]
fn a_brokers_keys_are_refused_in_kafkas_words() {
    let mut client = client();
    let node = node(&mut client);
    let cases: &[(&str, Changes<'_>, i16, &str)] = &[
        (&node, &[("node.id", SET, Some("7"))], 42, "Cannot update these configs dynamically: [node.id]"),
        (
            "",
            &[("node.id", SET, Some("7")), ("num.partitions", SET, Some("8"))],
            42,
            "Cannot update these configs dynamically: [node.id, num.partitions]",
        ),
        (
            "",
            &[("listeners", SET, Some("PLAINTEXT://127.0.0.1:1"))],
            42,
            "Cannot update these configs at default cluster level, broker id must be specified: [listeners]",
        ),
        (
            &node,
            &[("ssl.keystore.password", SET, Some("x"))],
            42,
            "These security configs can be dynamically updated only per-listener using the listener prefix: [ssl.keystore.password]",
        ),
        (
            &node,
            &[("message.max.bytes", SET, Some("x"))],
            42,
            "Invalid value x for configuration message.max.bytes: Not a number of type INT",
        ),
        (
            &node,
            &[("message.max.bytes", APPEND, Some("1"))],
            40,
            "Config value append is not allowed for config key: message.max.bytes",
        ),
    ];
    for (name, changes, code, words) in cases {
        refused(&mut client, BROKER, name, changes, *code, words);
    }
}

#[test]
fn what_does_not_go_together_for_a_broker_is_refused_in_kafkas_words() {
    let mut client = client();
    let node = node(&mut client);
    let cases: &[(&str, Changes<'_>, i16, &str)] = &[
        (
            "",
            &[("log.retention.ms", SET, Some("0"))],
            42,
            "requirement failed: log.retention.ms must be unlimited (-1) or, greater than or equal to 1",
        ),
        (
            "",
            &[("max.connections.per.ip", SET, Some("0"))],
            42,
            "requirement failed: max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides property is set.",
        ),
        (
            "",
            &[("min.insync.replicas", DELETE, None)],
            40,
            "Cluster-level min.insync.replicas cannot be removed while ELR is enabled.",
        ),
        (
            &node,
            &[("min.insync.replicas", SET, Some("1"))],
            40,
            "Broker-level min.insync.replicas cannot be altered while ELR is enabled.",
        ),
        (
            "",
            &[("group.consumer.assignment.interval.ms", SET, Some("99999999"))],
            42,
            "group.consumer.assignment.interval.ms must be less than or equal to group.consumer.max.assignment.interval.ms",
        ),
        (
            &node,
            &[("leader.replication.throttled.rate", SET, Some("x"))],
            42,
            "Invalid value x for configuration leader.replication.throttled.rate: Not a number of type LONG",
        ),
    ];
    for (name, changes, code, words) in cases {
        refused(&mut client, BROKER, name, changes, *code, words);
    }
}

#[test]
fn a_brokers_value_is_that_of_its_topics_at_once() {
    let rig = Rig::with(&[]);
    let mut client = rig.client();
    let node = node(&mut client);
    client.create("t", 1, &[]);
    set(&mut client, BROKER, "", &[("message.max.bytes", SET, Some("2000"))]);
    expect(&mut client, BROKER, "", "message.max.bytes", "2000", 3);
    expect(&mut client, TOPIC, "t", "max.message.bytes", "2000", 3);
    let large = "x".repeat(3000);
    assert_eq!(client.produce("t", 0, batch(&[&large])).error_code.0, 10);
    set(&mut client, BROKER, &node, &[("message.max.bytes", SET, Some("9000"))]);
    expect(&mut client, BROKER, &node, "message.max.bytes", "9000", 2);
    assert_eq!(client.produce("t", 0, batch(&[&large])).error_code.0, 0);
    set(&mut client, TOPIC, "t", &[("max.message.bytes", SET, Some("1000"))]);
    assert_eq!(client.produce("t", 0, batch(&[&large])).error_code.0, 10);
    // A new topic has the values of the broker as they are now.
    client.create("u", 1, &[]);
    assert_eq!(client.produce("u", 0, batch(&[&large])).error_code.0, 0);
    for (kind, name, key) in [(TOPIC, "t", "max.message.bytes"), (BROKER, &node, "message.max.bytes")] {
        set(&mut client, kind, name, &[(key, DELETE, None)]);
    }
    assert_eq!(client.produce("t", 0, batch(&[&large])).error_code.0, 10, "what is left is that of all brokers");
    set(&mut client, BROKER, "", &[("message.max.bytes", DELETE, None)]);
    assert_eq!(client.produce("t", 0, batch(&[&large])).error_code.0, 0);
}

#[test]
fn a_logs_settings_hold_from_the_next_append_on() {
    let rig = Rig::with(&[]);
    let mut client = rig.client();
    client.create("t", 1, &[]);
    let segments = |rig: &Rig| files(&rig.data().join("t-0"), ".log").len();
    client.append("t", 0, batch(&["a"]));
    client.append("t", 0, batch(&["b"]));
    assert_eq!(segments(&rig), 1);
    set(&mut client, TOPIC, "t", &[("segment.bytes", SET, Some("1048576"))]);
    let large = "x".repeat(1_000_000);
    client.append("t", 0, batch(&[&large]));
    client.append("t", 0, batch(&[&large]));
    assert_eq!(segments(&rig), 2);
    // Whose clock stamps a record, and whether it needs a key.
    set(&mut client, TOPIC, "t", &[("message.timestamp.type", SET, Some("LogAppendTime"))]);
    let offset = client.append("t", 0, timed(&[5]));
    assert!(records_of(&client.fetch("t", 0, offset).records)[0].timestamp > 5);
    set(&mut client, BROKER, "", &[("log.cleanup.policy", SET, Some("compact"))]);
    assert_eq!(client.produce("t", 0, batch(&["no key"])).error_code.0, 87);
}

#[test]
fn a_topic_may_become_durable_and_back() {
    let rig = Rig::with(&[]);
    let mut client = rig.client();
    client.create("t", 2, &[]);
    client.append("t", 0, batch(&["written back when the system likes"]));
    let syncs = || rig.broker().metrics.log_syncs.value();
    let before = syncs();
    set(&mut client, TOPIC, "t", &[("durability.mode", SET, Some("sync"))]);
    until("what is there is synced", || (syncs() > before).then_some(()));
    let before = syncs();
    client.append("t", 0, batch(&["durable"]));
    assert!(syncs() > before, "an answer waits for a sync");
}

#[test]
fn connections_follow_bounds_that_are_changed() {
    let rig = Rig::with(&[]);
    let mut client = rig.client();
    let address = client.address();
    let everything = MetadataRequest { topics: Some(vec![]), ..Default::default() };
    let is_let_in = || {
        let mut other = Client::connect(address);
        other.send(&everything, 9);
        other.frame().is_some()
    };
    assert!(is_let_in());
    set(&mut client, BROKER, "", &[("max.connections.per.ip", SET, Some("1"))]);
    until("nobody else is let in", || (!is_let_in()).then_some(()));
    set(&mut client, BROKER, "", &[("max.connections.per.ip", DELETE, None)]);
    until("others are let in again", || is_let_in().then_some(()));
    set(&mut client, BROKER, "", &[("max.connections", SET, Some("1"))]);
    assert_eq!(client.call(&everything, 9).brokers.len(), 1, "who is in stays");
    set(&mut client, BROKER, "", &[("max.connections", DELETE, None)]);
    assert_eq!(rig.client().call(&everything, 9).brokers.len(), 1, "who waited is let in");
}

#[test]
fn levels_of_loggers_are_refused_in_kafkas_words() {
    let mut client = client();
    let node = node(&mut client);
    let cases: &[(&str, i8, Option<&str>, i16, &str)] = &[
        (
            "root",
            SET,
            Some("debug"),
            40,
            "Cannot set the log level of root to debug as it is not a supported log level. Valid log levels are DEBUG, ERROR, FATAL, INFO, TRACE, WARN",
        ),
        ("nope", SET, Some("INFO"), 40, "Logger nope does not exist!"),
        ("root", DELETE, None, 42, "Removing the log level of the root logger is not allowed"),
        ("root", APPEND, Some("INFO"), 42, "APPEND operation is not allowed for the BROKER_LOGGER resource"),
    ];
    for (logger, operation, value, code, words) in cases {
        refused(&mut client, BROKER_LOGGER, &node, &[(logger, *operation, *value)], *code, words);
    }
}

#[test]
fn levels_of_loggers_are_set_and_told() {
    if is_reference() {
        return;
    }
    let mut client = client();
    let node = node(&mut client);
    set(&mut client, BROKER_LOGGER, &node, &[("klamm.log", SET, Some("DEBUG"))]);
    expect(&mut client, BROKER_LOGGER, &node, "klamm.log", "DEBUG", 6);
    let root = described(&mut client, BROKER_LOGGER, &node)["root"].value.clone();
    set(&mut client, BROKER_LOGGER, &node, &[("klamm.log", DELETE, None)]);
    assert_eq!(described(&mut client, BROKER_LOGGER, &node)["klamm.log"].value, root);
}

#[test]
fn a_groups_keys_are_kept_and_bounded() {
    let mut client = client();
    let group = fresh("alter-group");
    set(&mut client, GROUP, &group, &[("consumer.session.timeout.ms", SET, Some("50000"))]);
    expect(&mut client, GROUP, &group, "consumer.session.timeout.ms", "50000", 8);
    let cases: &[(&str, i8, &str, &str)] = &[
        (
            "consumer.session.timeout.ms",
            SET,
            "1",
            "consumer.session.timeout.ms must be in the range 45000 to 60000 inclusive.",
        ),
        (
            "consumer.heartbeat.interval.ms",
            SET,
            "16000",
            "consumer.heartbeat.interval.ms must be in the range 5000 to 15000 inclusive.",
        ),
        (
            "consumer.heartbeat.interval.ms",
            SET,
            "x",
            "Invalid value x for configuration consumer.heartbeat.interval.ms: Not a number of type INT",
        ),
        ("share.delivery.count.limit", SET, "20", "share.delivery.count.limit must be in the range 2 to 10 inclusive."),
        (
            "share.record.lock.duration.ms",
            SET,
            "1000",
            "share.record.lock.duration.ms must be in the range 15000 to 60000 inclusive.",
        ),
        ("streams.num.standby.replicas", SET, "7", "streams.num.standby.replicas must be less than or equal to 2"),
        ("no.such", SET, "1", "Unknown group config name: no.such"),
        (
            "consumer.session.timeout.ms",
            APPEND,
            "1",
            "Can't APPEND to key consumer.session.timeout.ms because its type is not LIST.",
        ),
    ];
    for (key, operation, value, words) in cases {
        refused(&mut client, GROUP, &group, &[(key, *operation, Some(value))], 40, words);
    }
    set(&mut client, GROUP, &group, &[("consumer.session.timeout.ms", DELETE, None)]);
    expect(&mut client, GROUP, &group, "consumer.session.timeout.ms", "45000", 5);
}

#[test]
fn client_metrics_are_kept_and_bounded() {
    let mut client = client();
    let name = fresh("alter-metrics");
    set(&mut client, CLIENT_METRICS, &name, &[("interval.ms", SET, Some("1000")), ("metrics", SET, Some("a.b,c.d"))]);
    expect(&mut client, CLIENT_METRICS, &name, "interval.ms", "1000", 7);
    let cases: &[(&str, i8, &str, i16, &str)] = &[
        ("interval.ms", SET, "x", 40, "Invalid value x for configuration interval.ms: Not a number of type INT"),
        (
            "interval.ms",
            SET,
            "1",
            42,
            "Invalid value 1 for interval.ms, interval must be between 100 and 3600000 (1 hour)",
        ),
        ("metrics", APPEND, "x", 40, "Can't APPEND to key metrics because its type is not LIST."),
        ("match", SET, "nope=.*", 40, "Illegal client matching pattern: nope=.*"),
        ("no.such", SET, "x", 42, "Unknown client metrics configuration: no.such"),
    ];
    for (key, operation, value, code, words) in cases {
        refused(&mut client, CLIENT_METRICS, &name, &[(key, *operation, Some(value))], *code, words);
    }
    set(&mut client, CLIENT_METRICS, &name, &[("interval.ms", DELETE, None), ("metrics", DELETE, None)]);
}

#[test]
fn what_was_set_is_there_after_a_restart() {
    let mut rig = Rig::with(&[]);
    let mut client = rig.client();
    let node = node(&mut client);
    client.create("t", 1, &[]);
    set(&mut client, TOPIC, "t", &[("retention.ms", SET, Some("5000"))]);
    set(&mut client, BROKER, &node, &[("message.max.bytes", SET, Some("2000"))]);
    set(&mut client, GROUP, "g", &[("consumer.session.timeout.ms", SET, Some("50000"))]);
    rig.restart();
    let mut client = rig.client();
    expect(&mut client, TOPIC, "t", "retention.ms", "5000", 1);
    expect(&mut client, BROKER, &node, "message.max.bytes", "2000", 2);
    expect(&mut client, GROUP, "g", "consumer.session.timeout.ms", "50000", 8);
    assert_eq!(client.produce("t", 0, batch(&[&"x".repeat(3000)])).error_code.0, 10);
}

#[test]
fn what_nobody_knows_is_kept_and_not_shown() {
    let rig = Rig::with(&[]);
    let mut client = rig.client();
    set(
        &mut client,
        BROKER,
        "",
        &[("no.such.key", SET, Some("a secret")), ("leader.replication.throttled.rate", SET, Some("9"))],
    );
    let found = described(&mut client, BROKER, "");
    assert_eq!((found["no.such.key"].value.as_deref(), found["no.such.key"].is_sensitive), (None, true));
    assert_eq!(found["leader.replication.throttled.rate"].value.as_deref(), Some("9"));
    set(&mut client, BROKER, "", &[("no.such.key", DELETE, None)]);
    assert!(!described(&mut client, BROKER, "").contains_key("no.such.key"));
}

#[test]
fn a_change_that_is_too_large_is_refused() {
    let rig = Rig::with(&[]);
    let mut client = rig.client();
    let changes = (0..10_001).map(|index| change(&format!("key.{index}"), SET, Some("1"))).collect();
    let rows = send(&mut client, vec![resource(BROKER, "", changes)], false, 1);
    assert_eq!(rows[0].error_code.0, 44);
    assert!(!described(&mut client, BROKER, "").contains_key("key.0"));
}
