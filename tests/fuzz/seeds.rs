//! First inputs of each target, from real things: messages of every version, batches of every codec, the files of directories that Apache
//! Kafka wrote, our own configuration. The fuzzer grows its corpus from them; `minimise` keeps what it needs.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use klamm::api::TABLE;
use klamm::base::ids::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence};
use klamm::base::limits::BATCH_HEADER_BYTES;
use klamm::codec::{Message, Writer};
use klamm::record::batch::BatchHeader;
use klamm::record::builder::{BatchBuilder, Header, NewRecord};
use klamm::record::compression::{Codec, Compression, compress};
use klamm::record::records;
use klamm::wire::RequestHeader;
use klamm::wire::messages::fetch::{FetchPartition, FetchRequest, FetchTopic};
use klamm::wire::messages::produce::{ProducePartition, ProduceRequest, ProduceTopic};

use crate::bridge::{Row, rows};
use crate::corpus;
use crate::facts::{Schema, schemas};
use crate::generate::{Random, random, small};
use crate::value::encode;

/// What the fuzzer is given at most.
const INPUT_BYTES_MAX: usize = 8192;
const FIXTURES: [&str; 2] = ["kafka-4.4-admin", "kafka-4.4-basic"];
/// Partitions of a fixture that become inputs.
const PARTITIONS_MAX: usize = 40;

/// Makes the corpus anew, from nothing: `cargo test --test fuzz write_seeds -- --ignored`, then `fuzz/run` and `fuzz/run minimise`.
#[test]
#[ignore = "writes fuzz/corpus"]
fn write_seeds() {
    for (target, inputs) in all() {
        fs::create_dir_all(corpus(target)).expect("make a folder");
        for (number, input) in inputs.iter().filter(|input| input.len() <= INPUT_BYTES_MAX).enumerate() {
            fs::write(corpus(target).join(format!("seed-{number:04}")), input).expect("write an input");
        }
    }
}

/// Seeds are inputs like others.
#[test]
fn seeds_keep_the_promises() {
    for (target, inputs) in all() {
        let (_, run) = crate::targets::ALL.iter().find(|(name, _)| *name == target).expect("a target");
        assert!(!inputs.is_empty(), "{target}");
        inputs.iter().step_by(3).for_each(|input| run(input));
    }
}

fn all() -> BTreeMap<&'static str, Vec<Vec<u8>>> {
    let directories: Vec<Directory> = FIXTURES.iter().map(|name| unpack(name)).collect();
    BTreeMap::from([
        ("batch", batches()),
        ("checkpoints", checkpoints(&directories)),
        ("codecs", codecs()),
        ("config", configs()),
        ("frame", frames()),
        ("handlers", requests()),
        ("indexes", indexes()),
        ("logs", logs(&directories)),
        ("messages", messages()),
        ("metadata", metadata(&directories)),
    ])
}

// ---- messages

fn for_each_message(mut visit: impl FnMut(usize, &Row, i16, Vec<u8>)) {
    let schemas = schemas();
    let mut source = Random(1);
    for (index, row) in rows().iter().enumerate() {
        let schema: &Schema =
            schemas.iter().find(|schema| schema.name == row.name).expect("every message has a schema");
        for version in row.served.clone() {
            let first = small(schema, version);
            let others = (0..2).map(|_| random(schema, version, &mut source));
            for value in std::iter::once(first).chain(others) {
                visit(index, row, version, encode(schema, &value, version).expect("a legal value"));
            }
        }
    }
}

fn messages() -> Vec<Vec<u8>> {
    let rows = rows();
    let keyed = |key: u8| rows.iter().any(|row| row.key == Some(i16::from(key)));
    let mut inputs = Vec::new();
    for_each_message(|index, row, version, body| {
        let version = u8::try_from(version - row.served.start()).expect("few versions");
        let of_request = |row: &Row| row.key.and_then(|key| u8::try_from(key).ok());
        let (key, answer) = match (of_request(row), index.checked_sub(1).and_then(|index| of_request(&rows[index]))) {
            (Some(key), _) => (key, 0),
            (None, Some(key)) => (key, 0x80),
            // Headers have no key: any number that is none leads to them.
            _ => {
                ((0..=u8::MAX).find(|k| !keyed(*k) && usize::from(*k) % rows.len() == index).expect("a free number"), 0)
            }
        };
        inputs.push([&[key, version | answer], body.as_slice()].concat());
    });
    inputs
}

fn frames() -> Vec<Vec<u8>> {
    let mut inputs = vec![vec![128, 0, 0, 0, 7], vec![129, 0, 0, 0, 7, 0], b"\0GET / HTTP/1.1\r\n\r\n".to_vec()];
    for_each_message(|_, row, version, body| {
        let Some(api_key) = row.key else { return };
        let client_id = Some("seed".to_owned());
        let mut w = Writer::new();
        RequestHeader { api_key, api_version: version, correlation_id: 7, client_id }
            .encode(&mut w, version >= row.flexible_from);
        let frame = [&w.into_bytes(), body.as_slice()].concat();
        let length = i32::try_from(frame.len()).expect("a small frame").to_be_bytes();
        inputs.push([&[0], length.as_slice(), &frame].concat());
    });
    inputs
}

/// Of a running broker: a request of each version, and a produce that is fetched.
fn requests() -> Vec<Vec<u8>> {
    let row_of = |key: i16| TABLE.iter().position(|row| row.key.as_i16() == key).expect("a served API");
    let input = |key: i16, version: i16, body: &[u8]| {
        let index = row_of(key);
        let version = u8::try_from(version - TABLE[index].served.0).expect("few versions");
        let index = u8::try_from(index).expect("few APIs");
        [&[index, version], piece(body).as_slice()].concat()
    };
    let mut inputs = Vec::new();
    for_each_message(|_, row, version, body| {
        let is_served = |key: &i16| TABLE.iter().any(|row| row.key.as_i16() == *key);
        let Some(key) = row.key.filter(is_served) else { return };
        // The tagged fields of the header stand before the body.
        let body = if version >= row.flexible_from { [&[0], body.as_slice()].concat() } else { body };
        inputs.push(input(key, version, &body));
    });
    let mut w = Writer::new();
    produce(built(Codec::Lz4, 5, None)).encode(&mut w, 9);
    let produced = input(0, 9, &[&[0], &w.into_bytes()[..]].concat());
    let mut w = Writer::new();
    fetch().encode(&mut w, 12);
    let fetched = input(1, 12, &[&[0], &w.into_bytes()[..]].concat());
    inputs.push([produced.as_slice(), &fetched, &produced, &fetched].concat());
    inputs
}

fn produce(batch: Vec<u8>) -> ProduceRequest {
    let partition_data = vec![ProducePartition { index: 0, records: Some(batch.into()) }];
    let topic_data = vec![ProduceTopic { name: "a".to_owned(), partition_data, ..ProduceTopic::default() }];
    ProduceRequest { acks: 1, timeout_ms: 1000, topic_data, ..ProduceRequest::default() }
}

fn fetch() -> FetchRequest {
    let partitions = vec![FetchPartition { partition_max_bytes: 1 << 20, ..FetchPartition::default() }];
    let topics = vec![FetchTopic { topic: "a".to_owned(), partitions, ..FetchTopic::default() }];
    FetchRequest { max_bytes: 1 << 20, min_bytes: 1, topics, ..FetchRequest::default() }
}

// ---- batches

fn built(codec: Codec, records: usize, sender: Option<i32>) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Compression::of(codec));
    if let Some(sequence) = sender {
        builder = builder.producer(ProducerId(7), ProducerEpoch(0), Sequence(sequence));
    }
    let time = 1_700_000_000_000;
    let headers = [Header { key: b"trace", value: Some(b"825") }, Header { key: b"nothing", value: None }];
    for index in 0..records {
        let value = format!("a value that repeats itself, number {index}").repeat(1 + index % 3);
        let key = format!("key-{index}");
        builder.append(&NewRecord {
            timestamp: time + i64::try_from(index).expect("few records"),
            key: (index % 4 != 3).then_some(key.as_bytes()),
            value: (index % 5 != 4).then_some(value.as_bytes()),
            headers: &headers[..index % 3],
        });
    }
    builder.build().to_bytes(Offset(0), LeaderEpoch(-1)).to_vec()
}

fn batches() -> Vec<Vec<u8>> {
    let mut inputs = Vec::new();
    for codec in Codec::ALL {
        for rules in [0, 1, 2, 3, 4, 5, 8, 0x10, 0x15, 0x20, 0x40, 0x80, 0x83] {
            inputs.push([&[rules, 4], built(codec, 5, None).as_slice()].concat());
        }
        let pieces = |sequences: &[i32]| {
            let piece = |sequence: &i32| [&[0x80, 12], piece(&built(codec, 3, Some(*sequence))).as_slice()].concat();
            sequences.iter().flat_map(piece).collect::<Vec<u8>>()
        };
        inputs.extend([pieces(&[0, 3, 6]), pieces(&[0, 0, 3, 9]), pieces(&[5, 8, 11, 14, 17, 5])]);
    }
    inputs
}

/// Bytes behind a length of two bytes.
fn piece(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("a small piece").to_be_bytes();
    [length.as_slice(), bytes].concat()
}

fn codecs() -> Vec<Vec<u8>> {
    let text = "words that come again and again, words ".repeat(40).into_bytes();
    let mut inputs = Vec::new();
    for (number, codec) in (0..).zip([Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd]) {
        for plain in [&text[..0], &text[..100], &text[..]] {
            let compressed = compress(Compression::of(codec), plain).expect("compressed");
            inputs.push([&[number, 40], compressed.as_slice()].concat());
            inputs.push([&[number, 3], compressed.as_slice(), compressed.as_slice()].concat());
            inputs.push([&[0x80 | number, 5], plain].concat());
        }
    }
    // One raw block, as librdkafka's oldest wrote it: the xerial stream's first block without its length.
    let xerial = compress(Compression::of(Codec::Snappy), &text).expect("compressed");
    inputs.push([&[1, 9], &xerial[20..]].concat());
    inputs
}

// ---- files

/// The files of a directory that Kafka wrote, by path; the small ones.
type Directory = BTreeMap<String, Vec<u8>>;

fn unpack(name: &str) -> Directory {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/{name}.tar.zst"));
    let mut tar = zstd::stream::read::Decoder::new(fs::File::open(path).expect("a fixture")).expect("a fixture");
    let mut files = Directory::new();
    let mut head = [0; 512];
    while std::io::Read::read_exact(&mut tar, &mut head).is_ok() && head[0] != 0 {
        let text = |range: std::ops::Range<usize>| {
            String::from_utf8_lossy(&head[range]).trim_end_matches(['\0', ' ']).to_owned()
        };
        let size = u64::from_str_radix(text(124..136).trim(), 8).unwrap_or(0);
        let (name, prefix) = (text(0..100), text(345..500));
        let mut content = Vec::new();
        let padded = std::io::Read::take(&mut tar, size.next_multiple_of(512));
        let mut padded = padded;
        std::io::Read::read_to_end(&mut padded, &mut content).expect("a whole fixture");
        content.truncate(usize::try_from(size).expect("a small file"));
        if content.len() <= 1 << 16 {
            files.insert(format!("{prefix}{name}"), content);
        }
    }
    assert!(files.keys().any(|path| path.ends_with("meta.properties")), "{:?}", files.keys());
    files
}

fn checkpoints(directories: &[Directory]) -> Vec<Vec<u8>> {
    let mut inputs = Vec::new();
    for (path, content) in directories.iter().flatten() {
        let choice = match path.rsplit('/').next().unwrap_or_default() {
            "leader-epoch-checkpoint" => 1,
            "partition.metadata" => 2,
            ".kafka_cleanshutdown" => 3,
            name if name.ends_with("-checkpoint") => 0,
            name if name.ends_with(".snapshot") => 4,
            _ => continue,
        };
        let input = [&[choice], content.as_slice()].concat();
        if !inputs.contains(&input) && inputs.len() < 200 {
            inputs.push(input);
        }
    }
    inputs
}

fn indexes() -> Vec<Vec<u8>> {
    let mut inputs = vec![vec![0], vec![1], vec![3]];
    for flags in [0, 1, 2, 3] {
        for kind in 0..12 {
            let xor = [&[flags, kind | 0x80], piece(&[0, 0, 0, 1]).as_slice()].concat();
            let zeros = [&[flags, kind], piece(&[0; 48]).as_slice()].concat();
            inputs.extend([xor, zeros]);
        }
    }
    inputs
}

fn logs(directories: &[Directory]) -> Vec<Vec<u8>> {
    let mut inputs = Vec::new();
    for directory in directories {
        let mut partitions: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
        for (path, content) in directory.iter().filter(|(_, content)| content.len() < 6_000) {
            let Some((folder, name)) = path.rsplit_once('/') else { continue };
            let first = name.starts_with("00000000000000000000.");
            let kind = match name.rsplit('.').next().unwrap_or_default() {
                "log" if first && content.len() > 61 => 0,
                "index" if first => 1,
                "timeindex" if first => 2,
                "txnindex" if first => 3,
                "snapshot" => 4 | 2 << 3,
                _ if name == "leader-epoch-checkpoint" => 5,
                _ => continue,
            };
            partitions.entry(folder).or_default().extend([&[kind], piece(content).as_slice()].concat());
        }
        for (number, files) in partitions.values().filter(|files| files.len() > 200).take(PARTITIONS_MAX).enumerate() {
            let flags = [0, 1, 2, 4, 0x10, 0x11, 0x12][number % 7];
            inputs.push([&[flags, 0, 0], files.as_slice()].concat());
        }
    }
    let segment = |base: i64| {
        let mut builder = BatchBuilder::new(Compression::NONE);
        for _ in 0..3 {
            builder.append(&NewRecord { value: Some(b"value"), ..NewRecord::default() });
        }
        builder.build().to_bytes(Offset(base), LeaderEpoch(0)).to_vec()
    };
    for flags in [0, 1, 2, 4, 0x10, 0x19] {
        let two = [&[0], piece(&segment(0)).as_slice(), &[8], piece(&segment(3)).as_slice()].concat();
        inputs.push([&[flags, 3, 1], two.as_slice()].concat());
        let swapped = [&[0], piece(&segment(0)).as_slice(), &[0x28], piece(&segment(3)).as_slice()].concat();
        inputs.push([&[flags, 0, 0], swapped.as_slice()].concat());
    }
    inputs
}

fn metadata(directories: &[Directory]) -> Vec<Vec<u8>> {
    let mut inputs = Vec::new();
    for directory in directories {
        let files = directory.iter().filter(|(path, _)| !path.contains("__cluster") || !path.ends_with("index"));
        let mut log = Vec::new();
        let mut parts = Vec::new();
        for (path, content) in files {
            let kind = match path.rsplit('/').next().unwrap_or_default() {
                "meta.properties" => 0,
                "quorum-state" => 1,
                "bootstrap.checkpoint" => 6,
                "00000000000000000000-0000000000.checkpoint" => 5,
                "00000000000000000000.log" if path.contains("__cluster_metadata") => {
                    log.clone_from(content);
                    continue;
                }
                _ => continue,
            };
            parts.push([&[kind], piece(content).as_slice()].concat());
        }
        let head = whole_batches(&log, 6_000);
        let with_log = [parts.concat(), vec![2], piece(head)].concat();
        inputs.extend(parts.iter().map(|part| [&[2], part.as_slice()].concat()));
        inputs.push([&[2], parts.concat().as_slice()].concat());
        inputs.push([&[2], with_log.as_slice()].concat());
        inputs.extend(metadata_records(&log));
    }
    inputs
}

/// As many batches as fit.
fn whole_batches(log: &[u8], bytes_max: usize) -> &[u8] {
    let mut at = 0;
    while let Ok(header) = BatchHeader::parse(&log[at..]) {
        if at + header.size_bytes > bytes_max.min(log.len()) {
            break;
        }
        at += header.size_bytes;
    }
    &log[..at]
}

/// Each batch's records as inputs.
fn metadata_records(log: &[u8]) -> Vec<Vec<u8>> {
    let mut inputs = Vec::new();
    let mut rest = log;
    while let Ok(header) = BatchHeader::parse(rest) {
        let Some((batch, behind)) = rest.split_at_checked(header.size_bytes) else { break };
        rest = behind;
        let body = bytes::Bytes::copy_from_slice(&batch[BATCH_HEADER_BYTES..]);
        let plain = records::decode(&header, &body, 1 << 20).expect("Kafka's own batch");
        let mut values = vec![0, 33];
        for record in records::iterate(&header, &plain) {
            let record = record.expect("Kafka's own record");
            let value = record.value.unwrap_or_default();
            if header.attributes.is_control() {
                inputs.push([&[1], piece(record.key.unwrap_or_default()).as_slice(), &piece(value)].concat());
            } else {
                values.extend(piece(value));
            }
        }
        inputs.push(values);
    }
    inputs
}

// ---- configuration

fn configs() -> Vec<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/klamm.toml");
    let text = fs::read_to_string(path).expect("our own configuration");
    let set: Vec<String> =
        text.lines().filter_map(|line| line.strip_prefix("#\"")).map(|line| format!("\"{line}\n")).collect();
    let mut inputs = Vec::new();
    for some in set.chunks(8) {
        let toml: String = some.iter().filter(|line| !line.contains("(not set)")).cloned().collect();
        let properties = toml.replace('"', "");
        let environment: String = properties
            .lines()
            .filter_map(|line| line.split_once(" = "))
            .map(|(name, value)| format!("KAFKA_{}={value}\n", name.to_uppercase().replace('.', "_")))
            .collect();
        for (choice, text) in [(0, &toml), (1, &properties), (2, &properties), (3, &environment)] {
            inputs.push([&[choice], text.as_bytes()].concat());
        }
    }
    let listeners = "listeners=PLAINTEXT://:9092,CONTROLLER://localhost:9093\nadvertised.listeners = PLAINTEXT://a\\\n  :9092\n\
                     controller.listener.names: CONTROLLER\nprocess.roles broker,controller\n# remark\n! remark\nlog.dirs=\\u0061\n";
    inputs.push([&[1], listeners.as_bytes()].concat());
    inputs.push(
        b"\0listeners = [\"PLAINTEXT://:9092\", \"IN://[::1]:9094\"]\n[log]\nretention.ms = 1_000\ndirs = 'a'\n"
            .to_vec(),
    );
    inputs
}
