//! Tests of configuration files, environment, flags and the faults found in them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::check::{Sources, load};
use super::flags::Flags;
use super::{env, file, names, print, properties};
use crate::settings::{Given, Scope, Settings, State, row, rows};

fn sources(text: &str, extension: &str) -> (tempfile::TempDir, Sources) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(format!("klamm{extension}"));
    std::fs::write(&path, text).unwrap();
    (folder, Sources { file: Some(path), ..Sources::default() })
}

fn faults(text: &str, extension: &str) -> Vec<String> {
    let (folder, sources) = sources(text, extension);
    let prefix = format!("{}/klamm{extension}:", folder.path().display());
    match load(&sources) {
        Ok(_) => Vec::new(),
        Err(findings) => findings.iter().map(|finding| finding.to_string().replace(&prefix, "")).collect(),
    }
}

#[track_caller]
fn loaded(text: &str, extension: &str) -> Settings {
    let (_folder, sources) = sources(text, extension);
    load(&sources).unwrap_or_else(|findings| panic!("{findings:?}"))
}

fn values(given: &[Given]) -> BTreeMap<&str, &str> {
    given.iter().map(|given| (given.name.as_str(), given.value.as_str())).collect()
}

fn pairs(text: &str) -> BTreeMap<String, String> {
    let (given, _, findings) = properties::read(text, &Arc::from(Path::new("x")));
    assert!(findings.is_empty(), "{findings:?}");
    given.into_iter().map(|given| (given.name, given.value)).collect()
}

#[test]
fn the_three_ways_to_write_a_dotted_key_are_one() {
    for text in [
        "log.retention.ms = 1000",
        "\"log.retention.ms\" = 1000",
        "[log]\nretention.ms = 1_000",
        "log = { \"retention.ms\" = \"1000\" }",
    ] {
        assert_eq!(loaded(text, ".toml").long("log.retention.ms"), 1000, "{text}");
    }
}

#[test]
fn toml_values_become_kafkas_texts() {
    let text = "a = 0x10\nb = true\nc = 0.5\nd = [\"x\", \"y\", 3]\ne = 'C:\\d'\n";
    let (given, findings) = file::read(text, &Arc::from(Path::new("x")));
    assert!(findings.is_empty(), "{findings:?}");
    let expected = [("a", "16"), ("b", "true"), ("c", "0.5"), ("d", "x,y,3"), ("e", "C:\\d")];
    assert_eq!(values(&given), BTreeMap::from(expected));
}

#[test]
fn every_fault_of_a_toml_file_is_found_at_once_with_its_place() {
    let text = "num.partitons = 3\n\
                log.segment.bytes = 10\n\
                \"compression.type\" = \"gzp\"\n\
                auto.create.topics.enable = 1\n\
                log.roll.ms = 1979-05-27\n\
                log.dirs = [\"/a\", \"/b\"]\n";
    assert_eq!(
        faults(text, ".toml"),
        [
            "1:5: num.partitons: unknown key. Did you mean num.partitions?",
            "2:13: log.segment.bytes = 10: value must be at least 1048576. Give an integer of at least 1048576",
            "3:1: compression.type = gzp: string must be one of: uncompressed, zstd, lz4, snappy, gzip, producer. Give one of uncompressed, zstd, lz4, snappy, gzip, producer",
            "4:20: auto.create.topics.enable = 1: expected value to be either true or false. Give true or false",
            "5:10: log.roll.ms: dates, nested lists and texts with a comma inside a list mean nothing here. Give a text, a number, true or false, or a list of them",
            "6:5: log.dirs = /a,/b: Klamm keeps its data in one directory, 2 are named. Name one",
        ]
    );
}

#[test]
fn a_key_that_is_the_beginning_of_another_is_to_be_quoted() {
    for text in
        ["max.connections = 5\nmax.connections.per.ip = 3\n", "max.connections.per.ip = 3\nmax.connections = 5\n"]
    {
        let faults = faults(text, ".toml");
        assert!(faults[0].starts_with("2:"), "{faults:?}");
        assert!(faults[0].contains("quote them: \"max.connections\" = ..."), "{faults:?}");
    }
    let good = loaded("\"max.connections\" = 5\n\"max.connections.per.ip\" = 3\n", ".toml");
    assert_eq!((good.int("max.connections"), good.int("max.connections.per.ip")), (5, 3));
    let faults = faults("log.dirs = \"/x\"\n[log]\nretention.ms = 1\n", ".toml");
    assert!(faults[0].contains("quoted dotted keys"), "{faults:?}");
}

#[test]
fn a_key_given_twice_is_refused_in_toml() {
    let faults = faults("\"log.retention.ms\" = 1\n[log]\nretention.ms = 2\n", ".toml");
    assert!(faults[0].starts_with("3:") && faults[0].contains("the key is there twice, first at"), "{faults:?}");
}

#[test]
fn what_is_no_toml_is_refused_with_its_line() {
    let faults = faults("num.partitions = 3\nlisteners = PLAINTEXT://:9092\n", ".toml");
    assert!(faults[0].starts_with("2:") && faults[0].contains("not TOML"), "{faults:?}");
}

#[test]
fn an_unknown_key_gets_the_nearest_name() {
    let nearest = |name| match names::classify(name) {
        names::Name::Unknown { nearest } => nearest,
        other => panic!("{name}: {other:?}"),
    };
    assert_eq!(nearest("num.partitons"), Some("num.partitions"));
    assert_eq!(nearest("log_retention_ms"), Some("log.retention.ms"));
    assert_eq!(nearest("Log.Dirs"), Some("log.dirs"));
    assert_eq!(nearest("retention.ms"), Some("log.retention.ms"));
    assert_eq!(nearest("durabilty.mode"), Some("durability.mode"));
    assert_eq!(nearest("something.else.entirely"), None);
}

#[test]
fn names_of_older_kafkas_are_known() {
    for name in [
        "zookeeper.connect",
        "inter.broker.protocol.version",
        "log.message.format.version",
        "super.users",
        "rsm.config.x",
    ] {
        assert!(matches!(names::classify(name), names::Name::Odd(_)), "{name}");
    }
    let settings = loaded("\"zookeeper.connect\" = \"a\"", ".toml");
    assert!(settings.notes()[0].contains("zookeeper.connect is accepted without effect"), "{:?}", settings.notes());
}

#[test]
fn properties_are_read_as_java_reads_them() {
    let text = "# comment\n  ! comment\n\na=1\nb : 2\nc 3\n  d\t=\t4 \ne = x\\\n   y\\\n\tz\nf\\=g=h=i\nk=\\u00e9\\ttab\\q\nl\nm=C:\\\\d\\\\\nn=a # b\r\no=p\rq=r";
    let expected = [
        ("a", "1"),
        ("b", "2"),
        ("c", "3"),
        ("d", "4 "),
        ("e", "xyz"),
        ("f=g", "h=i"),
        ("k", "\u{e9}\ttabq"),
        ("l", ""),
        ("m", "C:\\d\\"),
        ("n", "a # b"),
        ("o", "p"),
        ("q", "r"),
    ];
    let expected = expected.map(|(name, value)| (name.to_string(), value.to_string()));
    assert_eq!(pairs(text), BTreeMap::from(expected));
}

#[test]
fn a_properties_file_of_either_encoding_is_read() {
    assert_eq!(properties::decode(b"a=\xe9"), "a=\u{e9}");
    assert_eq!(properties::decode("a=\u{e9}".as_bytes()), "a=\u{e9}");
}

#[test]
fn an_escape_that_is_none_is_refused_with_its_line() {
    let faults = faults("num.partitions=3\nbroker.rack=\\u12x4\n", ".properties");
    assert!(faults[0].starts_with("2: ") && faults[0].contains("four hexadecimal digits"), "{faults:?}");
}

#[test]
fn the_last_of_a_repeated_property_counts_and_is_remarked_on() {
    let settings = loaded("num.partitions=3\nnum.partitions=4\n", ".properties");
    assert_eq!(settings.int("num.partitions"), 4);
    assert!(settings.notes()[0].contains("num.partitions is in the file twice"), "{:?}", settings.notes());
}

#[test]
fn an_unknown_property_is_one_remark() {
    let settings = loaded("num.partitons=3\n", ".properties");
    assert_eq!(settings.notes().len(), 1, "{:?}", settings.notes());
    assert!(settings.notes()[0].ends_with("klamm.properties:1: num.partitons is no key. Did you mean num.partitions?"));
}

#[test]
fn a_file_without_a_telling_name_is_known_by_its_content() {
    assert_eq!(loaded("num.partitions = 3\nbroker.rack = \"r\"\n", "").string("broker.rack"), "r");
    assert_eq!(loaded("listeners=PLAINTEXT://:9092\nbroker.rack=\"r\"\n", "").string("broker.rack"), "\"r\"");
}

#[test]
fn a_file_that_is_not_there_is_one_fault() {
    let sources = Sources { file: Some(PathBuf::from("/no/such/klamm.toml")), ..Sources::default() };
    let findings = load(&sources).unwrap_err();
    assert_eq!(findings.len(), 1);
    assert!(findings[0].to_string().starts_with("/no/such/klamm.toml:1: cannot be read"), "{}", findings[0]);
}

#[test]
fn environment_names_follow_the_rule_of_kafkas_image() {
    let variables = [
        ("KAFKA_LOG_RETENTION_MS", "1"),
        ("KAFKA_A__B", "2"),
        ("KAFKA_A___B", "3"),
        ("KAFKA_A____B", "4"),
        ("KAFKA_A_____B", "5"),
        ("KAFKA__X", "6"),
        ("KAFKA_KAFKA_METRICS_REPORTERS", "7"),
        ("CLUSTER_ID", "8"),
        ("KAFKA_HOME", "-"),
        ("KAFKA_OPTS", "-"),
        ("KAFKA_HEAP_OPTS", "-"),
        ("KAFKA_LOG4J_OPTS", "-"),
        ("KAFKA_JMX_PORT", "-"),
        ("KAFKA_PORT_9092_TCP_ADDR", "-"),
        ("kafka_x", "-"),
        ("KAFKA_", "-"),
        ("PATH", "-"),
    ];
    let given = env::read(variables.map(|(name, value)| (name.to_string(), value.to_string())));
    let expected = [
        ("log.retention.ms", "1"),
        ("a_b", "2"),
        ("a-b", "3"),
        ("a-.b", "4"),
        ("a-_b", "5"),
        (".x", "6"),
        ("kafka.metrics.reporters", "7"),
        ("cluster.id", "8"),
    ];
    assert_eq!(values(&given), BTreeMap::from(expected));
}

/// What Testcontainers gives Kafka's image.
#[test]
fn the_environment_of_testcontainers_is_without_faults() {
    let environment = [
        ("CLUSTER_ID", "4L6g3nShT-eMCtK--X86sw"),
        ("KAFKA_ADVERTISED_LISTENERS", "PLAINTEXT://localhost:32768,BROKER://f1a2:9093,TC-0://kafka:19092"),
        ("KAFKA_CONTROLLER_LISTENER_NAMES", "CONTROLLER"),
        ("KAFKA_CONTROLLER_QUORUM_VOTERS", "1@localhost:9094"),
        ("KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS", "0"),
        ("KAFKA_HEAP_OPTS", "-Xmx256m"),
        ("KAFKA_INTER_BROKER_LISTENER_NAME", "BROKER"),
        (
            "KAFKA_LISTENERS",
            "PLAINTEXT://0.0.0.0:9092,BROKER://0.0.0.0:9093,CONTROLLER://0.0.0.0:9094,TC-0://0.0.0.0:19092",
        ),
        (
            "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP",
            "BROKER:PLAINTEXT,PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,TC-0:PLAINTEXT",
        ),
        ("KAFKA_LOG_FLUSH_INTERVAL_MESSAGES", "9223372036854775807"),
        ("KAFKA_NODE_ID", "1"),
        ("KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS", "1"),
        ("KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR", "1"),
        ("KAFKA_PROCESS_ROLES", "broker,controller"),
        ("KAFKA_TRANSACTION_STATE_LOG_MIN_ISR", "1"),
        ("KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR", "1"),
    ];
    let environment = environment.map(|(name, value)| (name.to_string(), value.to_string())).to_vec();
    let settings = load(&Sources { environment, ..Sources::default() }).unwrap();
    let told: Vec<_> = settings.listeners().iter().map(|it| (it.name.as_str(), it.advertised.clone())).collect();
    let at = |host: &str, port| Some((host.to_string(), port));
    let expected = [("PLAINTEXT", at("localhost", 32768)), ("BROKER", at("f1a2", 9093)), ("TC-0", at("kafka", 19092))];
    assert_eq!(told, expected);
    assert_eq!(settings.string("cluster.id"), "4L6g3nShT-eMCtK--X86sw");
    assert!(!settings.notes().iter().any(|note| note.contains("is no key")), "{:?}", settings.notes());
}

#[test]
fn an_unknown_variable_is_one_remark() {
    let environment = vec![("KAFKA_NUM_PARTITONS".to_string(), "3".to_string())];
    let settings = load(&Sources { environment, ..Sources::default() }).unwrap();
    assert_eq!(
        settings.notes(),
        ["environment KAFKA_NUM_PARTITONS: num.partitons is no key. Did you mean num.partitions?"]
    );
}

#[test]
fn flag_beats_environment_beats_file_beats_default() {
    let (_folder, mut sources) = sources("num.partitions = 2\n", ".toml");
    let read = |sources: &Sources| {
        let settings = load(sources).unwrap();
        (settings.int("num.partitions"), settings.source("num.partitions").to_string())
    };
    assert_eq!(read(&Sources::default()), (1, "default".into()));
    assert!(read(&sources).1.ends_with("klamm.toml:1:5"));
    sources.environment = vec![("KAFKA_NUM_PARTITIONS".into(), "3".into())];
    assert_eq!(read(&sources), (3, "environment KAFKA_NUM_PARTITIONS".into()));
    sources.flags.set = vec!["num.partitions=4".into()];
    assert_eq!(read(&sources), (4, "flag --set".into()));
}

fn flags(set: &[&str], listen: &[&str]) -> Sources {
    let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
    Sources { flags: Flags { set: texts(set), listen: texts(listen), data_dir: None }, ..Sources::default() }
}

#[test]
fn flags_that_make_no_sense_are_refused() {
    let cases = [
        (flags(&["a"], &[]), "there is no = in it"),
        (flags(&["nod.id=1"], &[]), "unknown key. Did you mean node.id?"),
        (flags(&["node.id=1", "node.id=2"], &[]), "the flags set it twice"),
        (flags(&["listeners=PLAINTEXT://:1"], &[":2"]), "the flags set it twice"),
        (flags(&[], &["9092"]), "it is no address"),
        (flags(&[], &["a:b"]), "it is no address"),
        (flags(&["sasl.jaas.config=secret"], &[]), "every user of this machine"),
    ];
    for (sources, part) in cases {
        let findings = load(&sources).unwrap_err();
        assert_eq!(findings.len(), 1, "{findings:?}");
        let text = findings[0].to_string();
        assert!(text.contains(part) && !text.contains("secret:"), "{text}");
    }
}

#[test]
fn listen_flags_make_listeners() {
    let settings =
        load(&flags(&[], &["localhost:0", ":9095", "[::1]:9096", "SIDE://a:1"])).map_err(|it| it[0].to_string());
    assert!(settings.unwrap_err().contains("no protocol for the listener SIDE"));
    let settings = load(&flags(&[], &["localhost:0", ":9095", "[::1]:9096"])).unwrap();
    let got: Vec<_> = settings.listeners().iter().map(|it| (it.name.as_str(), it.host.as_str(), it.port)).collect();
    assert_eq!(got, [("PLAINTEXT", "localhost", 0), ("PLAINTEXT_2", "", 9095), ("PLAINTEXT_3", "::1", 9096)]);
}

#[test]
fn unknown_keys_and_bad_values_of_all_sources_come_together() {
    let (_folder, mut sources) = sources("num.partitons = 2\nlog.segment.bytes = 1\n", ".toml");
    sources.environment = vec![("KAFKA_NODE_ID".into(), "x".into())];
    sources.flags.set = vec!["log.retention.ms=0".into(), "b".into()];
    let findings = load(&sources).unwrap_err();
    assert_eq!(findings.len(), 5, "{findings:?}");
}

#[cfg(unix)]
#[test]
fn a_secret_that_others_can_read_is_remarked_on() {
    use std::os::unix::fs::PermissionsExt;
    let (_folder, sources) = sources("ssl.key.password=hunter2\n", ".properties");
    let path = sources.file.clone().unwrap();
    let warned = |mode| {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let settings = load(&sources).unwrap();
        assert!(!print::effective(&settings, true).contains("hunter2"));
        assert!(!format!("{settings:?} {:?}", settings.notes()).contains("hunter2"));
        assert!(format!("{settings:?}").contains("ssl.key.password = (hidden)"));
        settings.notes().iter().any(|note| note.contains("can be read by other users"))
    };
    assert!(warned(0o644));
    assert!(!warned(0o600));
}

#[test]
fn what_is_printed_as_effective_is_a_good_file() {
    let text = print::effective(&Settings::defaults(), true);
    let again = loaded(&text, ".toml");
    for row in rows(Scope::Broker) {
        assert_eq!(again.value(row.name), Settings::defaults().value(row.name), "{}", row.name);
    }
}

/// Set KLAMM_WRITE_TEXTS=1 to write the files again after a change of the table.
#[track_caller]
fn check_printed(path: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("KLAMM_WRITE_TEXTS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(there == text, "{} is not what the table says; run the test with KLAMM_WRITE_TEXTS=1", path.display());
}

#[test]
fn klamm_toml_is_what_the_table_says() {
    check_printed("config/klamm.toml", &print::klamm_toml());
}

#[test]
fn config_md_is_what_the_table_says() {
    check_printed("docs/CONFIG.md", &print::config_md());
}

#[test]
fn klamm_toml_holds_every_honoured_key_at_its_default() {
    let uncommented: String = print::klamm_toml()
        .lines()
        .filter_map(|line| line.strip_prefix("#\""))
        .fold(String::new(), |text, line| if line.ends_with("(not set)") { text } else { text + "\"" + line + "\n" });
    let settings = loaded(&uncommented, ".toml");
    for row in rows(Scope::Broker).iter().filter(|row| row.state == State::Honoured) {
        assert_eq!(settings.value(row.name), Settings::defaults().value(row.name), "{}", row.name);
        assert_eq!(settings.is_set(row.name), row.preset().text().is_some(), "{}", row.name);
    }
    assert!(row(Scope::Broker, "klamm.replication.clamp").is_some());
}

/// Pieces that the two readers treat specially, in any order.
fn text() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;
    let pieces = prop_oneof![
        prop::sample::select(vec![
            "log",
            ".",
            "=",
            "\"",
            "'",
            "[",
            "]",
            "{",
            "}",
            "\n",
            "\r",
            "\\",
            "\\u00",
            "é",
            "1",
            "max.connections",
            "#",
            " ",
            ",",
            "true",
            "\"\"\"",
            "1979-05-27",
        ])
        .prop_map(str::to_string),
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(pieces, 0..60).prop_map(|pieces| pieces.concat())
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 512, ..Default::default() })]

    #[test]
    fn no_text_breaks_the_readers(text in text()) {
        let path: Arc<Path> = Arc::from(Path::new("x"));
        file::read(&text, &path);
        properties::read(&text, &path);
        for given in env::read([(format!("KAFKA_{text}"), text.clone())]) {
            names::classify(&given.name);
        }
        for row in [Scope::Broker, Scope::Topic, Scope::Group].into_iter().flat_map(rows) {
            let _ = crate::settings::parse(row, &text);
        }
        let _ = Settings::from_pairs(&[("listeners", &text), ("listener.security.protocol.map", &text)]);
    }
}

#[test]
fn a_key_of_very_many_parts_breaks_nothing() {
    let text = format!("{} = 1\n", vec!["a"; 200_000].join("."));
    assert!(!faults(&text, ".toml").is_empty());
    let text = format!("a = {}1{}\n", "[".repeat(200_000), "]".repeat(200_000));
    assert!(!faults(&text, ".toml").is_empty());
}
