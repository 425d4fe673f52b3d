//! One data directory, two brokers: Apache Kafka starts on what our metadata store and batch builder wrote, and our store reads what
//! Kafka wrote, compared by what Kafka's own client sees. The topics' logs here are the smallest that Kafka takes: batches and
//! `partition.metadata`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use klamm::base::clock::SystemClock;
use klamm::base::disk::RealDisk;
use klamm::base::ids::{LeaderEpoch, Offset, PartitionIndex, TopicName, Uuid};
use klamm::meta::change::{NewTopic, create_topic};
use klamm::meta::image::{Image, Resource, ResourceKind};
use klamm::meta::options::SNAPSHOT_AFTER_BYTES;
use klamm::meta::record::Record;
use klamm::meta::{BootOptions, Endpoint, Store};
use klamm::record::builder::{BatchBuilder, NewRecord};
use klamm::record::compression::Compression;
use serde_json::Value;

use crate::need;
use crate::support::broker::{Broker, Kind, Plan, shell};
use crate::support::clients::Java;
use crate::support::process::run;
use crate::support::{scratch, tests_folder, turn};

const LIMIT: Duration = Duration::from_secs(120);

/// A folder of this test's own, removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = scratch().join(format!("directory-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("make a folder");
        Folder(path)
    }

    fn data(&self) -> PathBuf {
        self.0.join("data")
    }

    /// Unpacks a fixture here and returns the settings that its Kafka had.
    fn unpack(&self, fixture: &str) -> Vec<String> {
        let packed = std::fs::read(tests_folder().join(format!("fixtures/{fixture}.tar.zst"))).expect("read a fixture");
        let tar = self.0.join("fixture.tar");
        std::fs::write(&tar, zstd::decode_all(&packed[..]).expect("unpack a fixture")).expect("write a fixture");
        let path = |path: &Path| path.display().to_string();
        shell("tar -C \"$1\" -xf \"$2\"", &[&path(&self.0), &path(&tar)]);
        let options = std::fs::read_to_string(self.0.join("options")).expect("read a fixture's options");
        options.split_whitespace().filter(|word| word.contains('=')).map(str::to_owned).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn endpoint(name: &str, port: u16) -> Endpoint {
    Endpoint { name: name.to_owned(), host: "127.0.0.1".to_owned(), port, security_protocol: 0 }
}

fn open(data: &Path) -> Store {
    let mut next = std::process::id();
    let mut random = || {
        next = next.wrapping_mul(0x9e37_79b1).wrapping_add(1);
        [next.to_be_bytes(); 4].concat().try_into().expect("16 bytes")
    };
    let mut options = BootOptions {
        node_id: None,
        cluster_id: None,
        listeners: vec![endpoint("PLAINTEXT", 9092)],
        controller: endpoint("CONTROLLER", 9093),
        rack: None,
        is_clean: false,
        clock: SystemClock::shared(),
        before_change: &mut || Ok(()),
        random: &mut random,
        snapshot_after_bytes: SNAPSHOT_AFTER_BYTES,
    };
    Store::open_or_create(&RealDisk::shared(), data, &mut options).expect("the directory opens")
}

fn fixture_facts(fixture: &str) -> Value {
    let text = std::fs::read(tests_folder().join(format!("fixtures/{fixture}.json"))).expect("read a fixture's facts");
    serde_json::from_slice(&text).expect("JSON")
}

/// What Kafka's client learns of a broker.
fn dump(java: Java, broker: &Broker, into: &Path) -> Value {
    let mut command = java.program(&tests_folder().join("interop/kafka/Dump.java"));
    let text = run(command.args(["--bootstrap", &broker.bootstrap()]), LIMIT).out();
    std::fs::write(into, &text).expect("keep a dump");
    serde_json::from_str(&text).expect("JSON")
}

/// A topic of two partitions with `batches` batches of three records each, written without a broker.
fn write_topic(data: &Path, store: &Store, name: &str, batches: i64) {
    let name = TopicName::parse(name).expect("a legal name");
    let id = Uuid::from_random(*b"a topic of ours!");
    let configs = [("retention.ms".to_owned(), "-1".to_owned())];
    let topic = NewTopic { name: &name, id, partition_count: 2, configs: &configs };
    store.append(create_topic(&topic, store.node())).expect("the topic is made");
    for partition in 0..2 {
        let folder = data.join(format!("{name}-{partition}"));
        std::fs::create_dir(&folder).expect("make a folder");
        let metadata = format!("version: 0\ntopic_id: {id}");
        std::fs::write(folder.join("partition.metadata"), metadata).expect("write partition.metadata");
        let mut bytes = Vec::new();
        for batch in 0..batches {
            let mut builder = BatchBuilder::new(Compression::NONE);
            for record in 0..3 {
                let value = format!("{partition} {batch} {record}");
                let timestamp = 1_700_000_000_000 + batch;
                builder.append(&NewRecord { timestamp, value: Some(value.as_bytes()), ..NewRecord::default() });
            }
            bytes.extend_from_slice(&builder.build().to_bytes(Offset(batch * 3), LeaderEpoch(0)));
        }
        std::fs::write(folder.join("00000000000000000000.log"), bytes).expect("write a segment");
    }
}

fn produce(java: Java, broker: &Broker, topic: &str, line: &str) {
    let mut command = java.tool("org.apache.kafka.tools.ConsoleProducer");
    command.args(["--bootstrap-server", &broker.bootstrap(), "--topic", topic]);
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().expect("start the producer");
    let mut input = child.stdin.take().expect("a pipe");
    writeln!(input, "{line}").expect("write to the producer");
    drop(input);
    assert!(child.wait().expect("wait for the producer").success(), "the producer failed");
}

/// What Kafka's dump tool makes of a file of the metadata log.
fn dump_log(java: Java, file: &Path) -> String {
    let mut command: Command = java.tool("org.apache.kafka.tools.DumpLogSegments");
    let text = run(command.args(["--cluster-metadata-decoder", "--files"]).arg(file), LIMIT).out();
    assert!(!text.contains("isvalid: false") && !text.contains("error"), "{text}");
    text
}

#[test]
fn kafka_takes_over_a_directory_of_ours_and_gives_it_back() {
    let java = need!(Java::find());
    let _turn = turn();
    let folder = Folder::new("ours");
    let store = open(&folder.data());
    write_topic(&folder.data(), &store, "ours", 4);
    let block = store.allocate_producer_id_block().expect("reserved");
    let (cluster_id, features) = (store.cluster_id().to_owned(), store.image().features().clone());
    store.close_clean().expect("closed");
    let text = dump_log(java, &folder.data().join("__cluster_metadata-0/00000000000000000000.log"));
    for part in ["LeaderChange", "KRaftVoters", "REGISTER_BROKER_RECORD", "\"name\":\"ours\"", "PARTITION_RECORD"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!text.contains("NO_OP"), "{text}");

    let broker = Plan::new(Kind::Kafka, &folder.0).start();
    produce(java, &broker, "ours", "from Kafka's own producer");
    let facts = dump(java, &broker, &folder.0.join("got.json"));
    broker.stop();
    assert_eq!(facts["clusterId"], cluster_id.as_str());
    let level = |name: &str| facts["features"][name].as_i64();
    assert!(features.iter().all(|(name, value)| level(name) == Some(i64::from(*value))), "{}", facts["features"]);
    let partitions = facts["topics"]["ours"]["partitions"].as_object().expect("partitions");
    let ends: Vec<i64> = partitions.values().filter_map(|partition| partition["highWatermark"].as_i64()).collect();
    assert_eq!(ends.iter().sum::<i64>(), 25, "{ends:?}");
    let records = |partition: &Value| partition["records"].as_object().expect("records").len();
    assert_eq!(partitions.values().map(records).sum::<usize>(), 25);

    let store = open(&folder.data());
    assert_eq!(store.cluster_id(), cluster_id);
    let next = store.allocate_producer_id_block().expect("reserved");
    assert!(next.start >= block.end + 1000, "Kafka gave out the block before {next:?}");
    let image = store.image();
    let partition = &image.topic_by_name("ours").expect("there").partitions[&PartitionIndex(0)];
    assert_eq!((partition.leader, &partition.isr[..]), (store.node().id, &[1][..]));
    assert!(partition.leader_epoch > LeaderEpoch(1), "Kafka led in between: {}", partition.leader_epoch);
}

#[test]
fn kafka_finds_its_own_directory_unchanged_after_us() {
    let java = need!(Java::find());
    let _turn = turn();
    let folder = Folder::new("kafkas");
    let settings = folder.unpack("kafka-4.4-basic");
    // The second snapshot removes everything that Kafka wrote into the metadata log.
    for _ in 0..2 {
        let store = open(&folder.data());
        store.snapshot().expect("written");
        store.close_clean().expect("closed");
    }
    let plan = Plan::new(Kind::Kafka, &folder.0);
    let broker = settings.iter().fold(plan, |plan, setting| plan.set(setting)).start();
    let got = folder.0.join("got.json");
    dump(java, &broker, &got);
    broker.stop();
    let mut command = java.program(&tests_folder().join("interop/kafka/Dump.java"));
    command.arg("--diff").arg(tests_folder().join("fixtures/kafka-4.4-basic.json")).arg(&got);
    let difference = run(&mut command, LIMIT).out();
    assert_eq!(difference.trim(), "", "Kafka serves something else than before");
}

#[test]
fn kafkas_metadata_is_what_its_client_says() {
    for fixture in ["kafka-4.4-basic", "kafka-4.4-admin"] {
        let folder = Folder::new(fixture);
        folder.unpack(fixture);
        let store = open(&folder.data());
        let (image, facts) = (store.image(), fixture_facts(fixture));
        assert_eq!(facts["clusterId"], store.cluster_id());
        check_topics(&image, &facts);
        check_configs(&image, &facts);
        let count = |wanted: fn(&Record) -> bool| image.kept().filter(|record| wanted(record)).count();
        let acls = facts["acls"].as_array().map_or(0, Vec::len);
        assert_eq!(count(|record| matches!(record, Record::AccessControlEntry(_))), acls);
        let inner = |key: &str| {
            let outer = facts[key].as_object().into_iter().flat_map(|users| users.values());
            outer.map(|inner| inner.as_object().map_or(0, |inner| inner.len())).sum::<usize>()
        };
        let scram = inner("scram");
        assert_eq!(count(|record| matches!(record, Record::UserScramCredential(_))), scram);
        assert_eq!(count(|record| matches!(record, Record::ClientQuota(_))), inner("quotas"));
    }
}

fn check_topics(image: &Image, facts: &Value) {
    let topics = facts["topics"].as_object().expect("topics");
    let internal = ["__consumer_offsets", "__transaction_state", "__share_group_state"];
    let names: Vec<&str> = image.topics_by_name().iter().map(|topic| topic.name.as_str()).collect();
    let listed = |name: &&&str| topics.contains_key(**name) || !internal.contains(*name);
    assert!(names.iter().filter(listed).eq(topics.keys().collect::<std::collections::BTreeSet<_>>()), "{names:?}");
    for (name, topic) in topics {
        let ours = image.topic_by_name(name).expect("a topic");
        assert_eq!(topic["id"], ours.id.to_string());
        assert_eq!(topic["partitionCount"].as_u64(), Some(ours.partitions.len() as u64), "{name}");
        let configs = image.configs(&Resource::topic(name)).map(|values| (**values).clone()).unwrap_or_default();
        assert_eq!(configs, set_at(&topic["configs"], "DYNAMIC_TOPIC_CONFIG"), "{name}");
    }
}

fn check_configs(image: &Image, facts: &Value) {
    for (name, configs) in facts["brokerConfigs"].as_object().expect("broker configs") {
        let (name, source) = match name.as_str() {
            "default" => ("", "DYNAMIC_DEFAULT_BROKER_CONFIG"),
            name => (name, "DYNAMIC_BROKER_CONFIG"),
        };
        let resource = Resource { kind: ResourceKind::BROKER, name: name.to_owned() };
        let ours = image.configs(&resource).map(|values| (**values).clone()).unwrap_or_default();
        assert_eq!(ours, set_at(configs, source), "broker {name:?}");
    }
}

/// The configurations of one source.
fn set_at(configs: &Value, source: &str) -> BTreeMap<String, String> {
    let configs = configs.as_object().expect("configurations").iter();
    let of_source = configs.filter(|(_, config)| config["source"] == source);
    of_source.map(|(name, config)| (name.clone(), config["value"].as_str().unwrap_or_default().to_owned())).collect()
}
