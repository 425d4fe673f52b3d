//! The metadata of a data directory: records, control records, and a directory of arbitrary `meta.properties`, `quorum-state`,
//! metadata log and snapshots.
//!
//! ```text
//! input := 0, metadata version, records..       pieces; each is decoded, written, read again and replayed
//!        | 1, key, value of a control record    pieces
//!        | 2.., (kind, file)..                  pieces; kind: 3 bits | 2 bits offset | 0x80: checksums are made right
//! ```
//! A directory that is refused is as it was; one that opens opens again with the same topics, and takes a change.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use klamm::base::clock::ManualClock;
use klamm::base::disk::Disk;
use klamm::base::disk::fault::{Cut, FaultDisk};
use klamm::meta::image::{Image, Replay};
use klamm::meta::record::{NoOpRecord, Record, level};
use klamm::meta::{BootOptions, Endpoint, MetaError, Store};
use klamm::record::control::ControlRecord;

use super::disk::{files, plant, seal_all};
use super::{Input, bounded, shared};

const ROOT: &str = "/data";
const FOLDER: &str = "/data/__cluster_metadata-0";
const PIECES_MAX: usize = 12;
/// Windows of walks, the image's and registration's own size, the simulated disk.
const OPENING_BYTES: usize = 2 << 20;
/// The image: what it has for each record beside the record.
const REPLAY_BYTES: usize = 256 * 1024;
const IDENTITY: &[u8] =
    b"cluster.id=GpUQmrcEQ3ukBHTQ135JPg\ndirectory.id=wzMCscdKSSaaPyjEk3eIow\nnode.id=1\nversion=1\n";

pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    match input.byte() {
        0 => records(bytes.len(), input),
        1 => control_record(&mut input),
        _ => directory(bytes.len(), input),
    }
}

fn records(input_bytes: usize, mut input: Input<'_>) {
    let metadata_version = i16::from(input.byte() % 40);
    let mut decoded = Vec::new();
    while !input.is_empty() {
        let value = shared(input.piece());
        let Ok(record) = bounded(value.len(), 0, "record", || Record::decode(&value)) else { continue };
        let written = record.encode(metadata_version);
        let again = Record::decode(&written).unwrap_or_else(|error| panic!("{error} in our own {record:?}"));
        // Bytes, not values: a quota may be no number.
        assert_eq!(again.encode(metadata_version), written, "{record:?}");
        decoded.push(record);
    }
    bounded(input_bytes, REPLAY_BYTES, "replay", || {
        let mut replay = Replay::default();
        for record in decoded {
            if replay.record(record).is_err_and(|error| error.to_string().is_empty()) {
                panic!("an error without words");
            }
        }
        check_image(replay.image());
    });
}

/// What an image is written as makes the same image.
fn check_image(image: &Image) {
    let records = image.records();
    let mut replay = Replay::default();
    for record in &records {
        replay.record(record.clone()).unwrap_or_else(|error| panic!("{error}: {record:?} of our own snapshot"));
    }
    let version = level::NEWEST;
    let encoded = |records: Vec<Record>| records.iter().map(|record| record.encode(version)).collect::<Vec<Bytes>>();
    assert_eq!(encoded(replay.image().records()), encoded(records));
}

fn control_record(input: &mut Input<'_>) {
    let (key, value) = (input.piece(), input.piece());
    let decoded = bounded(key.len() + value.len(), 0, "control record", || ControlRecord::decode(key, value));
    let Ok(record) = decoded else { return };
    if !matches!(record, ControlRecord::Unknown(_)) {
        let written = record.encode_value();
        assert_eq!(ControlRecord::decode(&record.control_type().to_key(), &written), Ok(record), "{written:?}");
    }
}

fn directory(input_bytes: usize, mut input: Input<'_>) {
    let disk = FaultDisk::new().with_folder(Path::new(FOLDER));
    for _ in 0..PIECES_MAX {
        if input.is_empty() {
            break;
        }
        plant_file(&disk, input.byte(), input.piece());
    }
    let identity = PathBuf::from(ROOT).join("meta.properties");
    if disk.length(&identity).expect("a disk that works").is_none() {
        plant(&disk, &identity, IDENTITY);
    }
    let before = everything(&disk);
    let opened = bounded(input_bytes, OPENING_BYTES, "open metadata", || open(&disk.shared()));
    match opened {
        Ok(store) => check_again(&disk, &store),
        Err(error) => {
            assert!(!error.to_string().is_empty());
            let touched = matches!(error, MetaError::Poisoned { .. } | MetaError::Contradiction(_));
            assert!(!touched, "{error} of what was on the disk");
            if matches!(error, MetaError::Identity(_) | MetaError::Damaged { .. }) {
                assert!(everything(&disk) == before, "a directory that is refused was changed: {error}");
            }
        }
    }
}

fn plant_file(disk: &FaultDisk, kind: u8, content: &[u8]) {
    let mut content = content.to_vec();
    if kind & 0x80 != 0 {
        seal_all(&mut content);
    }
    let offset = [0, 3, 20, i64::MAX][usize::from(kind >> 3 & 3)];
    let (root, folder) = (PathBuf::from(ROOT), PathBuf::from(FOLDER));
    let path = match kind & 7 {
        0 => root.join("meta.properties"),
        1 => folder.join("quorum-state"),
        2 | 3 => folder.join(format!("{offset:020}.log")),
        4 => folder.join(format!("{offset:020}-0000000001.checkpoint")),
        5 => folder.join("00000000000000000000-0000000000.checkpoint"),
        6 => root.join("bootstrap.checkpoint"),
        _ => folder.join("leader-epoch-checkpoint"),
    };
    if disk.length(&path).expect("a disk that works").is_none() {
        plant(disk, &path, &content);
    }
}

fn everything(disk: &FaultDisk) -> [BTreeMap<String, Vec<u8>>; 2] {
    [files(disk, Path::new(ROOT)), files(disk, Path::new(FOLDER))]
}

fn open(disk: &Arc<dyn Disk>) -> Result<Store, MetaError> {
    let mut count = 0;
    let mut random = || {
        count += 1;
        [count; 16]
    };
    let endpoint =
        |name: &str, port| Endpoint { name: name.to_owned(), host: "localhost".to_owned(), port, security_protocol: 0 };
    let mut options = BootOptions {
        node_id: None,
        cluster_id: None,
        listeners: vec![endpoint("PLAINTEXT", 9092)],
        controller: endpoint("CONTROLLER", 9093),
        rack: None,
        is_clean: true,
        clock: ManualClock::at(1_800_000_000_000),
        before_change: &mut || Ok(()),
        random: &mut random,
        snapshot_after_bytes: 4_000,
    };
    Store::open_or_create(disk, Path::new(ROOT), &mut options)
}

/// Id and count of partitions by name.
fn topics(image: &Image) -> Vec<(String, String, usize)> {
    let topics = image.topics_by_name().into_iter();
    topics.map(|topic| (topic.name.to_string(), topic.id.to_string(), topic.partitions.len())).collect()
}

fn check_again(disk: &FaultDisk, store: &Store) {
    let expected = (topics(&store.image()), store.image().next_producer_id());
    check_image(&store.image());
    let killed = disk.crash(&Cut::KILL, 0);
    let again = open(&killed.shared()).unwrap_or_else(|error| panic!("what opened opens again: {error}"));
    assert_eq!((topics(&again.image()), again.image().next_producer_id()), expected, "after a kill");
    assert!(again.quorum_epoch() > store.quorum_epoch(), "epochs rise with every start");
    assert_eq!(again.cluster_id(), store.cluster_id());
    again.append(vec![NoOpRecord {}.into()]).expect("an open store takes a record");
    again.snapshot().expect("a disk that works");
    again.close_clean().expect("a store that works is closed");
    let third = open(&killed.shared()).expect("a closed store opens");
    assert_eq!((topics(&third.image()), third.image().next_producer_id()), expected, "from its own snapshot");
}
