//! Producers of tutorials, as written there, against a broker that nobody configured: they want `localhost:9092`.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::need;
use crate::support::broker::{Broker, Kind, Plan, kinds};
use crate::support::clients::{Java, kcat, missing, python};
use crate::support::process::run;
use crate::support::topic::Topic;
use crate::support::{tests_folder, turn};

/// Each partition's records in order: offset, key (`NULL` if none) and value.
type Records = BTreeMap<i32, Vec<String>>;

#[test]
fn the_tutorials_producers_work_on_the_default_port() {
    let _turn = turn();
    let kcat = need!(kcat());
    let (java, python) = (Java::find(), python());
    let seeds = tests_folder().join("interop/seeds");
    for kind in kinds() {
        need!(default_port());
        let folder = tempfile::tempdir().expect("make a folder");
        let broker = Plan::new(kind, folder.path()).on_default_port().start();
        if let Some(java) = java {
            let out = run(&mut java.program(&seeds.join("ProducerExample.java")), Duration::from_secs(60)).out();
            let wanted: Vec<String> =
                (0..10).map(|offset| format!("Message sent to partition 0 with offset {offset}")).collect();
            assert_eq!(out.lines().collect::<Vec<_>>(), wanted, "ProducerExample.java on {kind:?}");
            let records = (0..10).map(|i| format!("{i} NULL Message {i}")).collect();
            assert_eq!(read(kcat, &broker, "my-topic"), Records::from([(0, records)]), "{kind:?}");
        }
        if let Some(python) = &python {
            run(Command::new(python).arg(seeds.join("produce_topic1.py")), Duration::from_secs(60)).out();
            let records = (0..10).map(|i| format!("{i} key{i} value{i}")).collect();
            assert_eq!(read(kcat, &broker, "topic1"), Records::from([(0, records)]), "{kind:?}");
        }
    }
}

#[test]
fn the_tutorials_producer_of_two_partitions_works_on_the_default_port() {
    let _turn = turn();
    let (kcat, python) = (need!(kcat()), need!(python()));
    for kind in kinds() {
        need!(default_port());
        let folder = tempfile::tempdir().expect("make a folder");
        let broker = Plan::new(kind, folder.path()).on_default_port().start();
        Topic { name: "my-topic", partitions: 2, configs: &[] }.create(&broker.bootstrap());
        let program = tests_folder().join("interop/seeds/produce_my_topic.py");
        run(Command::new(&python).arg(program), Duration::from_secs(60)).out();
        let of = |partition: i32| (0..500).map(|o| format!("{o} NULL {}", o * 2 + partition)).collect::<Vec<_>>();
        assert_eq!(read(kcat, &broker, "my-topic"), Records::from([(0, of(0)), (1, of(1))]), "{kind:?}");
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
    let out = run(command.args(["-f", "%p %o %k %s\\n"]), Duration::from_secs(60)).out();
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
