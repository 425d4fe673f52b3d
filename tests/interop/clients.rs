//! The Java client, kafka-python and confluent-kafka each take the steps of a program and print what they saw.
//!
//! The documents they must print are in `clients/expected/`; Apache Kafka is held to them as Klamm is.
//! `KLAMM_BLESS=1` writes them anew from Apache Kafka.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use crate::need;
use crate::support::broker::{Kind, Shared, kinds, shared};
use crate::support::clients::{Java, python};
use crate::support::process::run;
use crate::support::{tests_folder, turn};
use crate::text_file::{CODECS, codec_on_disk};

#[test]
fn kafka_python_sees_what_it_sees_of_apache_kafka() {
    let _turn = turn();
    let python = need!(python());
    check("kafka-python", |broker, prefix| exercise(&python, "kafka-python", broker, prefix));
}

#[test]
fn confluent_kafka_sees_what_it_sees_of_apache_kafka() {
    let _turn = turn();
    let python = need!(python());
    check("confluent", |broker, prefix| exercise(&python, "confluent", broker, prefix));
}

#[test]
fn the_java_client_sees_what_it_sees_of_apache_kafka() {
    let _turn = turn();
    let java = need!(Java::find());
    check("java", |broker, prefix| {
        let mut command = java.program(&programs().join("Exercise.java"));
        command.args([&broker.bootstrap, prefix]);
        command
    });
}

#[test]
fn what_only_the_newest_java_client_asks_is_answered_as_by_apache_kafka() {
    let _turn = turn();
    let java = need!(Java::find());
    for kind in kinds() {
        let mut command = java.program(&programs().join("Newest.java"));
        compare("java-newest", kind, command.args([&shared(kind).bootstrap, &prefix("java-newest")]));
    }
}

#[test]
fn a_console_sees_what_it_sees_of_apache_kafka() {
    let _turn = turn();
    let java = need!(Java::find());
    for kind in kinds() {
        let mut command = java.program(&programs().join("Console.java"));
        compare("console", kind, command.args([&shared(kind).bootstrap, &prefix("console")]));
    }
}

/// Where the clients' programs are.
pub fn programs() -> PathBuf {
    tests_folder().join("interop/clients")
}

pub fn exercise(python: &Path, client: &str, broker: &Shared, prefix: &str) -> Command {
    let mut command = Command::new(python);
    command.arg(programs().join("exercise.py")).args([client, &broker.bootstrap, prefix]);
    command
}

/// Topic names that no other run on the shared broker has.
pub fn prefix(client: &str) -> String {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    format!("{client}{}", RUNS.fetch_add(1, Ordering::Relaxed))
}

/// Runs a client's program on each broker, and looks which codecs it really used.
pub fn check(client: &str, program: impl Fn(&Shared, &str) -> Command) {
    for kind in kinds() {
        let (broker, prefix) = (shared(kind), prefix(client));
        let begun = Instant::now();
        compare(client, kind, &mut program(&broker, &prefix));
        println!("{client} on {kind:?}: {:?}", begun.elapsed());
        check_codecs(client, kind, &broker, &prefix);
    }
}

/// Holds the document that a program prints to the expected one.
fn compare(client: &str, kind: Kind, program: &mut Command) {
    let printed = run(program, Duration::from_secs(300)).out();
    compare_document(client, kind, serde_json::from_str(&printed).expect("the program prints a document"));
}

/// The same of a document that is here already.
pub fn compare_document(client: &str, kind: Kind, mut got: Map<String, Value>) {
    if let (Kind::Klamm, Some(Value::Object(configs))) = (kind, got.get_mut("all configs of a topic")) {
        for own in ["compressed.validation", "durability.mode"] {
            assert!(configs.remove(own).is_some(), "Klamm's own topic config {own} is listed");
        }
    }
    let text = serde_json::to_string_pretty(&got).expect("print a document") + "\n";
    let wanted = wanted(&format!("{client}.json"), kind, &text);
    let wanted: Map<String, Value> = serde_json::from_str(&wanted).expect("parse what is expected");
    let faults = differences(&wanted, &got);
    assert!(faults.is_empty(), "{client} on {kind:?}:\n{}", faults.join("\n"));
}

/// A client that was silently content with plain batches would see the same records.
pub fn check_codecs(client: &str, kind: Kind, broker: &Shared, prefix: &str) {
    let on_disk = |topic: &str| codec_on_disk(&broker.data.join(format!("{prefix}-{topic}-0")));
    for (codec, code) in CODECS {
        assert_eq!(on_disk(&format!("codec-{codec}")), code, "{codec} of {client} on {kind:?}");
    }
    assert_eq!(on_disk("recompressed"), 4, "{client} on {kind:?}: the topic wants zstd");
}

/// What a file of `expected/` holds; blessed, it holds what was got from Apache Kafka.
fn wanted(file: &str, kind: Kind, got: &str) -> String {
    let path = programs().join("expected").join(file);
    if kind == Kind::Kafka && std::env::var("KLAMM_BLESS").is_ok_and(|value| value == "1") {
        std::fs::write(&path, got).expect("write what is expected");
    }
    std::fs::read_to_string(&path).expect("read what is expected")
}

/// Each step that saw something else, on one line.
fn differences(wanted: &Map<String, Value>, got: &Map<String, Value>) -> Vec<String> {
    let steps = wanted.keys().chain(got.keys().filter(|step| !wanted.contains_key(*step)));
    steps.filter_map(|step| difference(step, wanted.get(step), got.get(step))).collect()
}

fn difference(step: &str, wanted: Option<&Value>, got: Option<&Value>) -> Option<String> {
    if let (Some(Value::Object(wanted)), Some(Value::Object(got))) = (wanted, got) {
        let inner = differences(wanted, got);
        return (!inner.is_empty()).then(|| format!("{step}:\n  {}", inner.join("\n  ")));
    }
    let shown = |value: Option<&Value>| value.map_or_else(|| "nothing".to_owned(), Value::to_string);
    (wanted != got).then(|| format!("{step}: saw {}, expected {}", shown(got), shown(wanted)))
}
