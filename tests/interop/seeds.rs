//! Producers and consumers of tutorials, as written there, against a broker that nobody configured: they want
//! `localhost:9092`. The consumers never end: they are read for what they print, and killed.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::need;
use crate::support::broker::{Broker, Kind, Plan, kinds};
use crate::support::clients::{Java, kcat, missing, python};
use crate::support::process::{Guarded, run};
use crate::support::topic::{Topic, committed};
use crate::support::{tests_folder, turn, wait_for};

const LIMIT: Duration = Duration::from_secs(60);

/// Each partition's records in order: offset, key (`NULL` if none) and value.
type Records = BTreeMap<i32, Vec<String>>;

#[test]
fn the_tutorials_producers_and_consumers_work_on_the_default_port() {
    let _turn = turn();
    let kcat = need!(kcat());
    let (java, python) = (Java::find(), python());
    for kind in kinds() {
        need!(default_port());
        let folder = tempfile::tempdir().expect("make a folder");
        let broker = Plan::new(kind, folder.path()).on_default_port().start();
        if let Some(java) = java {
            producer_and_consumer_in_java(java, kcat, &broker);
        }
        if let Some(python) = &python {
            producer_and_consumer_in_python(python, kcat, &broker);
        }
    }
}

/// The consumer, in a group, begins where the topic ends: it has to be there first.
fn producer_and_consumer_in_java(java: Java, kcat: &str, broker: &Broker) {
    let kind = broker.kind();
    let consumer = Endless::start(&java.program(&seeds().join("ConsumerExample.java")));
    wait_for("the consumer's position is committed", LIMIT, || {
        committed(&broker.bootstrap(), "my-group", "my-topic", 0).filter(|offset| *offset == 0)
    });
    let out = run(&mut java.program(&seeds().join("ProducerExample.java")), LIMIT).out();
    let wanted: Vec<String> =
        (0..10).map(|offset| format!("Message sent to partition 0 with offset {offset}")).collect();
    assert_eq!(out.lines().collect::<Vec<_>>(), wanted, "ProducerExample.java on {kind:?}");
    let records = (0..10).map(|i| format!("{i} NULL Message {i}")).collect();
    assert_eq!(read(kcat, broker, "my-topic"), Records::from([(0, records)]), "{kind:?}");
    let wanted: Vec<String> =
        (0..10).map(|i| format!("Received message: (key=null, value=Message {i}, partition=0, offset={i})")).collect();
    assert_eq!(consumer.lines(10), wanted, "ConsumerExample.java on {kind:?}");
    wait_for("what it received is committed", LIMIT, || {
        committed(&broker.bootstrap(), "my-group", "my-topic", 0).filter(|offset| *offset == 10)
    });
}

fn producer_and_consumer_in_python(python: &Path, kcat: &str, broker: &Broker) {
    let kind = broker.kind();
    run(Command::new(python).arg(seeds().join("produce_topic1.py")), LIMIT).out();
    let records = (0..10).map(|i| format!("{i} key{i} value{i}")).collect();
    assert_eq!(read(kcat, broker, "topic1"), Records::from([(0, records)]), "{kind:?}");
    let consumer = Endless::start(Command::new(python).arg(seeds().join("consume_topic1.py")));
    for (i, line) in consumer.lines(10).iter().enumerate() {
        assert!(line.starts_with("Received message: ConsumerRecord(topic='topic1', partition=0, "), "{kind:?}: {line}");
        for part in [format!("offset={i}, "), format!("key=b'key{i}', "), format!("value=b'value{i}', ")] {
            assert!(line.contains(&part), "{kind:?}: {part} in {line}");
        }
    }
}

#[test]
fn the_tutorials_program_of_two_partitions_works_on_the_default_port() {
    let _turn = turn();
    let (kcat, python) = (need!(kcat()), need!(python()));
    for kind in kinds() {
        need!(default_port());
        let folder = tempfile::tempdir().expect("make a folder");
        let broker = Plan::new(kind, folder.path()).on_default_port().start();
        Topic { name: "my-topic", partitions: 2, configs: &[] }.create(&broker.bootstrap());
        let program = Endless::start(Command::new(&python).arg(seeds().join("produce_and_consume.py")));
        let (mut even, mut odd) = (Vec::new(), Vec::new());
        for line in program.lines(1000) {
            let number = line.strip_prefix("Received message: ").and_then(|number| number.parse::<i32>().ok());
            let number = number.unwrap_or_else(|| panic!("{kind:?}: {line}"));
            if number % 2 == 0 { even.push(number) } else { odd.push(number) }
        }
        let wanted = |partition: i32| (0..500).map(|o| o * 2 + partition).collect::<Vec<_>>();
        assert_eq!((even, odd), (wanted(0), wanted(1)), "{kind:?}");
        let of = |partition: i32| (0..500).map(|o| format!("{o} NULL {}", o * 2 + partition)).collect::<Vec<_>>();
        assert_eq!(read(kcat, &broker, "my-topic"), Records::from([(0, of(0)), (1, of(1))]), "{kind:?}");
    }
}

fn seeds() -> PathBuf {
    tests_folder().join("interop/seeds")
}

/// A program that does not end by itself.
struct Endless {
    _process: Guarded,
    folder: TempDir,
}

impl Endless {
    fn start(program: &Command) -> Endless {
        let folder = tempfile::tempdir().expect("make a folder");
        // what is printed to a file is otherwise kept back
        let mut words = vec!["env".to_owned(), "PYTHONUNBUFFERED=1".to_owned(), "PYTHONWARNINGS=ignore".to_owned()];
        words.push(program.get_program().to_string_lossy().into_owned());
        words.extend(program.get_args().map(|word| word.to_string_lossy().into_owned()));
        Endless { _process: Guarded::start(&words, &folder.path().join("printed"), None), folder }
    }

    /// What it has received once there are so many lines; a client may warn that a topic is new.
    fn lines(&self, count: usize) -> Vec<String> {
        wait_for("a program has printed its lines", LIMIT, || {
            let printed = std::fs::read_to_string(self.folder.path().join("printed")).ok()?;
            let whole = printed.rsplit_once('\n')?.0;
            let received = whole.lines().filter(|line| line.starts_with("Received message"));
            let lines: Vec<String> = received.map(str::to_owned).collect();
            (lines.len() >= count).then_some(lines)
        })
    }
}

#[test]
fn klamm_answers_on_both_loopbacks_without_any_setting() {
    let _turn = turn();
    let kcat = need!(kcat());
    if !crate::support::broker::tried(Kind::Klamm) {
        return;
    }
    need!(default_port());
    let folder = tempfile::tempdir().expect("make a folder");
    let _broker = Plan::new(Kind::Klamm, folder.path()).on_default_port().start();
    for (address, told) in [("127.0.0.1:9092", "127.0.0.1:9092"), ("[::1]:9092", "::1:9092")] {
        let listed = run(Command::new(kcat).args(["-L", "-b", address]), Duration::from_secs(30)).out();
        let told_so = listed.replace(['[', ']'], "").contains(told);
        assert!(told_so, "a client that connected to {address} is told that address:\n{listed}");
    }
}

fn read(kcat: &str, broker: &Broker, topic: &str) -> Records {
    let mut command = Command::new(kcat);
    command.args(["-C", "-b", &broker.bootstrap(), "-t", topic, "-o", "beginning", "-e", "-q", "-Z"]);
    let out = run(command.args(["-f", "%p %o %k %s\\n"]), LIMIT).out();
    let mut records = Records::new();
    for line in out.lines() {
        let (partition, rest) = line.split_once(' ').expect("kcat prints the partition first");
        records.entry(partition.parse().expect("a partition")).or_default().push(rest.to_owned());
    }
    records
}

/// Whether 9092 is free, after waiting for a while: another test run may have it.
fn default_port() -> Option<()> {
    let begun = Instant::now();
    while TcpListener::bind("127.0.0.1:9092").is_err() {
        if begun.elapsed() > Duration::from_secs(60) {
            return missing("port 9092, which another program has,");
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Some(())
}
