//! Tests of the table, the values in force and what DescribeConfigs shows of them.

use std::collections::BTreeMap;

use super::listeners::Bind;
use super::*;

const KAFKA: &str = include_str!("../../tests/golden/configs.tsv");

fn scope(name: &str) -> Scope {
    match name {
        "broker" => Scope::Broker,
        "topic" => Scope::Topic,
        "group" => Scope::Group,
        other => panic!("{other}"),
    }
}

fn overrides(pairs: &[(&str, &str)]) -> Overrides {
    pairs.iter().map(|(name, value)| ((*name).to_string(), (*value).to_string())).collect()
}

fn faults(pairs: &[(&str, &str)]) -> Vec<String> {
    match Settings::from_pairs(pairs) {
        Ok(_) => Vec::new(),
        Err(findings) => findings.iter().map(ToString::to_string).collect(),
    }
}

#[track_caller]
fn refused(pairs: &[(&str, &str)], part: &str) {
    let faults = faults(pairs);
    assert!(faults.iter().any(|fault| fault.contains(part)), "{part:?} is not in {faults:?}");
}

#[test]
fn every_key_of_kafka_is_there_with_its_type_default_and_change() {
    let mut count = BTreeMap::new();
    for line in KAFKA.lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [of, name, kind, default, change, sensitive] = fields[..] else { panic!("{line}") };
        let row = row(scope(of), name).unwrap_or_else(|| panic!("{of} {name} is missing"));
        assert_eq!(row.kind.name(), kind, "{name}");
        let expected = match default {
            "(required)" => Preset::Required,
            "null" => Preset::Null,
            text => Preset::Is(text),
        };
        assert_eq!(row.kafka, expected, "{name}");
        assert_eq!(row.dynamic, change == "dynamic", "{name}");
        assert_eq!(row.sensitive, sensitive == "sensitive", "{name}");
        assert!(!row.own, "{name}");
        *count.entry(of).or_insert(0) += 1;
    }
    assert_eq!(count, BTreeMap::from([("broker", 350), ("topic", 37), ("group", 21)]));
    for (of, count) in count {
        assert_eq!(rows(scope(of)).iter().filter(|row| !row.own).count(), count, "nothing else in {of}");
    }
}

#[test]
fn every_default_is_a_value_its_own_key_takes() {
    for row in [Scope::Broker, Scope::Topic, Scope::Group].into_iter().flat_map(rows) {
        for preset in [row.kafka, row.preset()] {
            if let Preset::Is(text) = preset {
                let value = parse(row, text).unwrap_or_else(|fault| panic!("{}: {fault}", row.name));
                assert_eq!(value.to_string(), text, "{} is shown as Kafka shows it", row.name);
            }
        }
    }
}

#[test]
fn every_honoured_key_has_a_doc_and_no_other() {
    for row in [Scope::Broker, Scope::Topic, Scope::Group].into_iter().flat_map(rows) {
        assert_eq!(row.state == State::Honoured, !row.doc.is_empty(), "{}", row.name);
        if let Some((ours, reason)) = row.ours {
            assert!(ours != row.kafka && !reason.is_empty(), "{}", row.name);
        }
    }
}

#[test]
fn every_topic_key_falls_back_to_a_broker_key_of_its_type() {
    for row in [Scope::Topic, Scope::Group].into_iter().flat_map(rows) {
        let Some(name) = row.synonym else { continue };
        let broker = super::row(Scope::Broker, name).unwrap();
        assert_eq!(broker.kind, row.kind, "{name}");
    }
}

#[test]
fn values_are_refused_in_kafkas_words() {
    let cases = [
        ("nope", "1", "Unknown topic config name: nope"),
        ("retention.ms", "abc", "Invalid value abc for configuration retention.ms: Not a number of type LONG"),
        ("retention.ms", "", "Invalid value  for configuration retention.ms: Not a number of type LONG"),
        ("retention.ms", "-2", "Invalid value -2 for configuration retention.ms: Value must be at least -1"),
        (
            "segment.bytes",
            "99999999999",
            "Invalid value 99999999999 for configuration segment.bytes: Not a number of type INT",
        ),
        ("segment.bytes", "1000", "Invalid value 1000 for configuration segment.bytes: Value must be at least 1048576"),
        (
            "cleanup.policy",
            "foo",
            "Invalid value foo for configuration cleanup.policy: String must be one of: compact, delete",
        ),
        ("cleanup.policy", "delete,", "Configuration 'cleanup.policy' values must not be empty."),
        (
            "compression.type",
            "GZIP",
            "Invalid value GZIP for configuration compression.type: String must be one of: uncompressed, zstd, lz4, snappy, gzip, producer",
        ),
        (
            "compression.gzip.level",
            "0",
            "Invalid value 0 for configuration compression.gzip.level: Value must be between 1 and 9 or equal to -1",
        ),
        (
            "compression.zstd.level",
            "23",
            "Invalid value 23 for configuration compression.zstd.level: Value must be no more than 22",
        ),
        (
            "preallocate",
            "maybe",
            "Invalid value maybe for configuration preallocate: Expected value to be either true or false",
        ),
        (
            "min.cleanable.dirty.ratio",
            "1.5",
            "Invalid value 1.5 for configuration min.cleanable.dirty.ratio: Value must be no more than 1",
        ),
        (
            "min.cleanable.dirty.ratio",
            "NaN",
            "Invalid value NaN for configuration min.cleanable.dirty.ratio: Not a number of type DOUBLE",
        ),
        (
            "leader.replication.throttled.replicas",
            "1:2,x",
            "Invalid value [1:2, x] for configuration leader.replication.throttled.replicas: leader.replication.throttled.replicas must be the literal '*' or a list of replicas in the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],...",
        ),
    ];
    for (name, value, message) in cases {
        assert_eq!(validate_topic_config(name, value).unwrap_err().to_string(), message);
    }
}

#[test]
fn values_that_kafka_takes_are_taken_and_shown_as_it_shows_them() {
    let cases = [
        ("retention.ms", " 5 ", "5"),
        ("retention.ms", "+5", "5"),
        ("retention.bytes", "-5", "-5"),
        ("cleanup.policy", "", ""),
        ("cleanup.policy", "delete, compact", "delete,compact"),
        ("cleanup.policy", "delete,delete", "delete"),
        ("compression.type", " gzip ", "gzip"),
        ("preallocate", "TRUE", "true"),
        ("min.cleanable.dirty.ratio", "0.5f", "0.5"),
        ("leader.replication.throttled.replicas", "*", "*"),
        ("leader.replication.throttled.replicas", "1:2,3:4", "1:2,3:4"),
        ("leader.replication.throttled.replicas", "", ""),
        ("durability.mode", "os", "os"),
    ];
    for (name, text, shown) in cases {
        let value = parse(row(Scope::Topic, name).unwrap(), text).unwrap();
        assert_eq!(value.to_string(), shown, "{name} = {text}");
    }
}

#[test]
fn a_topics_keys_are_checked_names_first_and_together_last() {
    let fault = |pairs| validate_topic_configs(&overrides(pairs)).unwrap_err().to_string();
    assert_eq!(fault(&[("aaa", "1"), ("retention.ms", "x")]), "Unknown topic config name: aaa");
    assert_eq!(fault(&[("zzz", "1"), ("retention.ms", "x")]), "Unknown topic config name: zzz");
    assert_eq!(
        fault(&[("min.compaction.lag.ms", "10"), ("max.compaction.lag.ms", "5")]),
        "conflict topic config setting min.compaction.lag.ms (10) > max.compaction.lag.ms (5)"
    );
    assert!(fault(&[("remote.storage.enable", "true")]).starts_with("Tiered Storage functionality is disabled"));
    assert_eq!(validate_topic_configs(&overrides(&[("min.insync.replicas", "2"), ("retention.ms", "5")])), Ok(()));
}

#[test]
fn the_shorter_unit_wins_among_time_keys() {
    let effective = |pairs, name| Settings::from_pairs(pairs).unwrap().long(name);
    assert_eq!(effective(&[], "log.retention.ms"), 604_800_000);
    assert_eq!(effective(&[("log.retention.hours", "2")], "log.retention.ms"), 7_200_000);
    assert_eq!(effective(&[("log.retention.hours", "2"), ("log.retention.minutes", "3")], "log.retention.ms"), 180_000);
    assert_eq!(effective(&[("log.retention.ms", "4"), ("log.retention.minutes", "3")], "log.retention.ms"), 4);
    assert_eq!(effective(&[("log.retention.minutes", "-7")], "log.retention.ms"), -1);
    assert_eq!(effective(&[], "log.roll.ms"), 604_800_000);
    assert_eq!(effective(&[("log.roll.hours", "1")], "log.roll.ms"), 3_600_000);
    assert_eq!(effective(&[("log.roll.hours", "1"), ("log.roll.ms", "9")], "log.roll.ms"), 9);
    assert_eq!(effective(&[("log.roll.hours", "2147483647")], "log.roll.ms"), 7_730_941_129_200_000);
    assert_eq!(effective(&[], "log.roll.jitter.ms"), 0);
    assert_eq!(effective(&[], "log.flush.interval.ms"), i64::MAX);
    assert_eq!(effective(&[("log.flush.scheduler.interval.ms", "8")], "log.flush.interval.ms"), 8);
}

#[test]
fn the_data_directory_is_log_dirs_before_log_dir() {
    let dir = |pairs| Settings::from_pairs(pairs).unwrap().data_dir().display().to_string();
    assert_eq!(dir(&[]), "./klamm-data");
    assert_eq!(dir(&[("log.dir", "/a")]), "/a");
    assert_eq!(dir(&[("log.dir", "/a"), ("log.dirs", "/b")]), "/b");
    refused(&[("log.dirs", "/a,/b")], "log.dirs = /a,/b: Klamm keeps its data in one directory, 2 are named. Name one");
    refused(&[("log.dirs", "")], "the list is empty");
}

#[test]
fn node_id_is_taken_from_its_older_name() {
    let ids = |pairs| {
        let settings = Settings::from_pairs(pairs).unwrap();
        (settings.int("node.id"), settings.int("broker.id"))
    };
    assert_eq!(ids(&[]), (1, -1));
    assert_eq!(ids(&[("broker.id", "7")]), (7, 7));
    assert_eq!(ids(&[("node.id", "7")]), (7, 7));
    refused(&[("node.id", "7"), ("broker.id", "8")], "node.id is 7");
}

#[test]
fn what_does_not_go_together_is_refused() {
    refused(&[("process.roles", "controller")], "a node that is no broker");
    refused(&[("process.roles", "cook")], "string must be one of: broker, controller");
    refused(&[("metadata.log.dir", "/elsewhere")], "the metadata log lies in the data directory");
    refused(&[("log.retention.ms", "0")], "must be unlimited (-1) or at least 1");
    refused(&[("queued.max.request.bytes", "10")], "below socket.request.max.bytes");
    refused(&[("socket.send.buffer.bytes", "0")], "must be -1 or at least 1");
    refused(&[("group.min.session.timeout.ms", "1800001")], "above group.max.session.timeout.ms (1800000)");
    refused(&[("max.connections.per.ip.overrides", "a:1,b")], "'b' is not HOST:COUNT");
    refused(&[("authorizer.class.name", "X")], "authorization does not exist yet");
    refused(&[("log.flush.interval.ms", "-5")], "topics cannot take it: Invalid value -5 for configuration flush.ms");
    refused(&[("durability.mode", "os"), ("durability.visibility", "durable")], "would show consumers nothing");
    refused(&[("no.such.key", "X")], "unknown key");
    refused(&[("num.partitions", "0"), ("broker.id", "x")], "num.partitions = 0");
    refused(&[("num.partitions", "0"), ("broker.id", "x")], "broker.id = x");
    assert_eq!(faults(&[("max.connections.per.ip.overrides", "a:1, ::1:2,")]), Vec::<String>::new());
}

#[test]
fn a_topic_that_would_never_be_visible_is_refused() {
    let configs = Overrides::from([("durability.mode".to_owned(), "os".to_owned())]);
    let here = |visibility| {
        let settings = Settings::from_pairs(&[("durability.visibility", visibility)]).expect("fine alone");
        validate_topic_configs_here(&settings, &configs)
    };
    assert_eq!(here("acknowledged"), Ok(()));
    assert_eq!(here("durable"), Err(Fault::NeverVisible));
}

#[test]
fn a_secret_is_never_in_a_finding_and_never_on_the_command_line() {
    let faults = faults(&[("ssl.keystore.password", "hunter2")]);
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].contains("every user of this machine"), "{faults:?}");
    assert!(!faults[0].contains("hunter2"), "{faults:?}");
}

fn listeners(pairs: &[(&str, &str)]) -> Vec<Listener> {
    Settings::from_pairs(pairs).unwrap_or_else(|findings| panic!("{findings:?}")).listeners().to_vec()
}

#[test]
fn the_default_listener_is_both_loopbacks() {
    let [listener] = &listeners(&[])[..] else { panic!("one listener") };
    assert_eq!((listener.name.as_str(), listener.port), ("PLAINTEXT", 9092));
    assert_eq!((&listener.bind, &listener.advertised), (&Bind::Loopbacks, &None));
    assert!(!listener.is_open_to_others());
}

#[test]
fn hosts_bind_what_they_say() {
    let bind = |text| listeners(&[("listeners", text)])[0].bind.clone();
    for everywhere in ["PLAINTEXT://:9092", "PLAINTEXT://0.0.0.0:9092", "PLAINTEXT://[::]:9092"] {
        assert_eq!(bind(everywhere), Bind::Everywhere, "{everywhere}");
    }
    assert_eq!(bind("PLAINTEXT://LocalHost:0"), Bind::Loopbacks);
    assert_eq!(bind("PLAINTEXT://[fe80::1%eth0]:1"), Bind::Host("fe80::1%eth0".into()));
    assert_eq!(bind("plaintext://kafka.example:65535"), Bind::Host("kafka.example".into()));
}

#[test]
fn each_listener_has_its_own_advertised_address_and_controllers_stay_closed() {
    let settings = Settings::from_pairs(&[
        ("listeners", "IN://:9092,OUT://:9094,CONTROLLER://:9093"),
        ("advertised.listeners", "out://example.org:19094,CONTROLLER://localhost:9093"),
        ("listener.security.protocol.map", "IN:PLAINTEXT,OUT:PLAINTEXT,CONTROLLER:SSL"),
        ("controller.listener.names", "CONTROLLER"),
        ("inter.broker.listener.name", "IN"),
    ])
    .unwrap();
    let told: Vec<_> = settings.listeners().iter().map(|it| (it.name.as_str(), it.advertised.clone())).collect();
    assert_eq!(told, [("IN", None), ("OUT", Some(("example.org".to_string(), 19094)))]);
    assert_eq!(settings.unopened_listeners(), ["CONTROLLER"]);
    assert!(settings.notes().iter().any(|note| note.contains("controller listeners are not opened")));
    assert!(settings.notes().iter().any(|note| note.contains("open to other machines")));
}

#[test]
fn listeners_that_cannot_be_are_refused() {
    for bad in ["x", "PLAINTEXT://9092", "PLAINTEXT://a:b", "PLAINTEXT://a:65536", "://a:1", "PLAINTEXT://::1:1"] {
        refused(&[("listeners", bad)], "is no listener");
    }
    refused(&[("listeners", "PLAINTEXT://:1,PLAINTEXT://:2")], "the name PLAINTEXT is there twice");
    refused(&[("listeners", "PLAINTEXT://:1,SSL://:1")], "the port 1 is there twice");
    refused(&[("listeners", "TC-0://:1")], "no protocol for the listener TC-0");
    refused(&[("listeners", "SSL://:1")], "SSL asks for SSL, which does not exist yet, and is not opened in clear");
    refused(&[("listeners", "SASL_PLAINTEXT://:1")], "asks for SASL_PLAINTEXT");
    refused(&[("listener.security.protocol.map", "A:B")], "'A:B' is no NAME:PROTOCOL");
    refused(&[("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,plaintext:SSL")], "is there twice");
    refused(&[("advertised.listeners", "PLAINTEXT://0.0.0.0:1")], "nobody can connect to '0.0.0.0'");
    refused(&[("advertised.listeners", "OTHER://a:1")], "there is no listener OTHER");
    refused(&[("inter.broker.listener.name", "OTHER")], "it is no listener of clients");
    refused(
        &[("inter.broker.listener.name", "PLAINTEXT"), ("security.inter.broker.protocol", "PLAINTEXT")],
        "security.inter.broker.protocol is set too",
    );
    refused(&[("controller.listener.names", "PLAINTEXT")], "no listener is left for clients");
}

#[test]
fn one_port_serves_two_addresses() {
    let pairs = [
        ("listeners", "A://127.0.0.1:9092,B://[::1]:9092"),
        ("listener.security.protocol.map", "A:PLAINTEXT,B:PLAINTEXT"),
    ];
    assert_eq!(listeners(&pairs).len(), 2);
}

#[test]
fn a_key_without_effect_is_said_once() {
    let settings = Settings::from_pairs(&[
        ("log.preallocate", "true"),
        ("log.cleaner.threads", "2"),
        ("num.io.threads", "8"),
        ("num.partitions", "3"),
    ])
    .unwrap();
    assert_eq!(settings.notes().len(), 2, "{:?}", settings.notes());
    assert!(settings.notes()[0].contains("log.cleaner.threads (compaction); log.preallocate ("));
    assert!(settings.notes()[1].contains("num.io.threads (threads follow"));
    assert!(Settings::defaults().notes().is_empty());
}

fn find<'a>(described: &'a [Described], name: &str) -> &'a Described {
    described.iter().find(|one| one.name == name).unwrap()
}

fn synonyms(described: &Described) -> Vec<(&str, &str, i8)> {
    let text = |value: &'_ Option<String>| -> &'static str {
        Box::leak(value.clone().unwrap_or_else(|| "null".into()).into_boxed_str())
    };
    described.synonyms.iter().map(|one| (one.name, text(&one.value), one.source.code())).collect()
}

#[test]
fn a_key_without_a_value_has_no_synonyms() {
    let broker = Settings::from_pairs(&[]).unwrap().describe_broker(Dynamic::NONE);
    let minutes = find(&broker, "log.retention.minutes");
    assert_eq!((&minutes.value, minutes.source, minutes.synonyms.len()), (&None, ConfigSource::Default, 0));
}

/// As a broker of Kafka 4.4 answered with log.segment.bytes and log.retention.minutes set.
#[test]
fn keys_are_described_as_kafka_describes_them() {
    let settings = Settings::from_pairs(&[("log.segment.bytes", "2097152"), ("log.retention.minutes", "500")]).unwrap();
    let all_nodes = overrides(&[("min.insync.replicas", "1")]);
    let dynamic = Dynamic { node: &Overrides::new(), all_nodes: &all_nodes };

    let broker = settings.describe_broker(dynamic);
    let ms = find(&broker, "log.retention.ms");
    assert_eq!((&ms.value, ms.source, ms.synonyms.len()), (&None, ConfigSource::Default, 0));
    let minutes = find(&broker, "log.retention.minutes");
    assert_eq!((minutes.value.as_deref(), minutes.source.code(), minutes.read_only), (Some("500"), 4, true));
    assert_eq!(synonyms(minutes), [("log.retention.minutes", "500", 4), ("log.retention.hours", "168", 5)]);
    let insync = find(&broker, "min.insync.replicas");
    assert_eq!(synonyms(insync), [("min.insync.replicas", "1", 3), ("min.insync.replicas", "1", 5)]);
    assert!(!insync.read_only);

    let own = overrides(&[("retention.ms", " 5 "), ("cleanup.policy", "delete, compact")]);
    let topic = settings.describe_topic(&own, dynamic);
    let policy = find(&topic, "cleanup.policy");
    assert_eq!((policy.value.as_deref(), policy.source.code(), policy.type_code), (Some("delete,compact"), 1, 7));
    assert_eq!(synonyms(policy), [("cleanup.policy", "delete,compact", 1), ("log.cleanup.policy", "delete", 5)]);
    assert_eq!(synonyms(find(&topic, "retention.ms")), [("retention.ms", "5", 1)]);
    let segment = find(&topic, "segment.bytes");
    assert_eq!((segment.value.as_deref(), segment.source.code()), (Some("2097152"), 4));
    assert_eq!(synonyms(segment), [("log.segment.bytes", "2097152", 4), ("log.segment.bytes", "1073741824", 5)]);
    let jitter = find(&topic, "segment.jitter.ms");
    assert_eq!((jitter.value.as_deref(), jitter.source.code(), jitter.synonyms.len()), (Some("0"), 5, 0));
    assert_eq!(find(&topic, "min.insync.replicas").source.code(), 3);
}

/// The other units of a key are told where the key itself has a value: once only those of the key itself were.
#[test]
fn a_retention_in_milliseconds_stands_before_those_in_minutes_and_hours() {
    let set = [("log.retention.ms", "-1"), ("log.retention.minutes", "500"), ("log.roll.hours", "3")];
    let topic = Settings::from_pairs(&set).unwrap().describe_topic(&Overrides::new(), Dynamic::NONE);
    let retention =
        [("log.retention.ms", "-1", 4), ("log.retention.minutes", "500", 4), ("log.retention.hours", "168", 5)];
    assert_eq!(synonyms(find(&topic, "retention.ms")), retention);
    assert_eq!(synonyms(find(&topic, "segment.ms")), []);
}

#[test]
fn a_topic_value_is_its_own_or_the_brokers() {
    let settings = Settings::from_pairs(&[("log.retention.hours", "1"), ("durability.mode", "os")]).unwrap();
    let value = |name, pairs| {
        let (value, source) = settings.topic_value(name, &overrides(pairs));
        (value.to_string(), source)
    };
    assert_eq!(value("retention.ms", &[]).0, "3600000");
    assert_eq!(value("retention.ms", &[("retention.ms", "9")]), ("9".into(), ConfigSource::DynamicTopic));
    assert_eq!(value("retention.ms", &[("retention.ms", "soon")]).0, "3600000");
    assert_eq!(value("segment.ms", &[]), ("604800000".into(), ConfigSource::Default));
    assert_eq!(value("durability.mode", &[]), ("os".into(), ConfigSource::StaticBroker));
    assert_eq!(value("flush.ms", &[]).0, i64::MAX.to_string());
}

#[test]
fn a_group_key_falls_back_to_its_broker_key() {
    let settings = Settings::from_pairs(&[("group.consumer.session.timeout.ms", "50000")]).unwrap();
    let described = settings.describe_group(&Overrides::new(), Dynamic::NONE);
    assert_eq!(find(&described, "consumer.session.timeout.ms").value.as_deref(), Some("50000"));
    let reset = find(&described, "share.auto.offset.reset");
    assert_eq!(synonyms(reset), [("share.auto.offset.reset", "latest", 5)], "without a broker key, its own default");
    assert!(validate_group_config("share.auto.offset.reset", "by_duration:PT1H").is_ok());
    assert!(validate_group_config("share.auto.offset.reset", "never").is_err());
    assert_eq!(validate_group_config("x", "").unwrap_err().to_string(), "Unknown group config name: x");
}

/// Source of everything that acts on settings: not the rows, the checks, the printing, nor tests.
fn acting_source() -> String {
    fn add(folder: &std::path::Path, text: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            match name.as_str() {
                "rows" | "config" | "tests" | "consistency.rs" | "tests.rs" => {}
                _ if path.is_dir() => add(&path, text),
                _ => text.push_str(&std::fs::read_to_string(&path).unwrap()),
            }
        }
    }
    let mut text = String::new();
    add(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut text);
    text
}

/// `State` is what `klamm check` and the documents promise: no key is called honoured that nothing reads.
#[test]
fn every_honoured_key_is_read_somewhere() {
    let source = acting_source();
    let is_read = |name: &str| source.contains(&format!("\"{name}\""));
    let checked_only = ["process.roles"];
    for row in [Scope::Broker, Scope::Topic].into_iter().flat_map(rows).filter(|row| row.state == State::Honoured) {
        let by_others = || {
            let falls_back = |other: &&&Row| other.synonym == Some(row.name) && other.state == State::Honoured;
            let others = [Scope::Topic, Scope::Group].into_iter().flat_map(rows);
            others.filter(falls_back).any(|other| is_read(other.name))
        };
        // `group.consumer.min.REST` and `.max.REST` bound `consumer.REST` of groups (`alter.rs`).
        let bounds = ["group.consumer.min.", "group.consumer.max."];
        let bounded = bounds.iter().find_map(|bound| row.name.strip_prefix(bound));
        let is_bound = bounded.is_some_and(|rest| is_read(&format!("consumer.{rest}")));
        let stands_in = row.name.ends_with(".hours");
        assert!(
            is_read(row.name)
                || stands_in
                || is_bound
                || (row.scope == Scope::Broker && by_others())
                || checked_only.contains(&row.name),
            "{} is called honoured, and nothing reads it",
            row.name
        );
    }
}
