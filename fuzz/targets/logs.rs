//! A partition's folder with arbitrary files in it: segments, indexes, snapshots, leader epochs, leftovers of compaction.
//!
//! ```text
//! input := flags, recovery point, log start, (kind and base, file)..
//! flags := clean | compacted | strict | with topic id | index entry for each batch
//! kind  := 3 bits kind | 2 bits base | state of a leftover: 0x20, 0x40 | checksums are made right: 0x80
//! ```
//! It opens or is refused. What opens can be read, takes appends, and opened again, after a kill or a stop, is the same.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use klamm::base::clock::WallMs;
use klamm::base::disk::Disk;
use klamm::base::disk::fault::{Cut, FaultDisk};
use klamm::base::ids::{LeaderEpoch, Offset, Uuid};
use klamm::log::names::{self, FileKind};
use klamm::log::{Acknowledge, Append, Log, LogConfig, LogError, LogReader, OpenOptions, Origin, Recovered, Upper};
use klamm::record::builder::{BatchBuilder, NewRecord};
use klamm::record::compression::Compression;

use super::disk::{checksum, plant, seal_all};
use super::{Input, bounded};

const FOLDER: &str = "/data/topic-0";
const NOW: WallMs = WallMs(1_700_000_000_000);
const FILES_MAX: usize = 12;
const READS_MAX: usize = 1_000;
/// Windows of walks, quarantine's copy buffer, the simulated disk.
const OPENING_BYTES: usize = 1 << 20;
const BASES: [i64; 4] = [0, 3, 10, i64::MAX - 5];

pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (flags, point, start) = (input.byte(), input.byte(), input.byte());
    let disk = FaultDisk::new().with_folder(Path::new(FOLDER));
    for _ in 0..FILES_MAX {
        if input.is_empty() {
            break;
        }
        plant_file(&disk, input.byte(), input.piece());
    }
    let is = |bit: u8| flags & bit != 0;
    let config = LogConfig {
        segment_bytes: 4_000,
        index_interval_bytes: if is(0x10) { 0 } else { 300 },
        compacted: is(0x02),
        ..LogConfig::default()
    };
    let options = OpenOptions {
        config: Arc::new(config),
        topic_id: is(0x08).then_some(Uuid([7; 16])),
        clean: is(0x01),
        recovery_point: Offset(i64::from(point)),
        log_start: Offset(i64::from(start)),
        strict: is(0x04),
        named: false,
        now: NOW,
    };
    if let Some((log, recovered)) = open(&disk, &options, bytes.len()) {
        let before = Dump::of(log.reader());
        check_again(&disk, log, &options, &recovered, &before);
    }
}

fn plant_file(disk: &FaultDisk, kind: u8, content: &[u8]) {
    let base = Offset(BASES[usize::from(kind >> 3 & 3)]);
    let mut content = content.to_vec();
    let name = match kind & 7 {
        0 | 6 => names::file_name(base, FileKind::Log),
        1 => names::file_name(base, FileKind::OffsetIndex),
        2 => names::file_name(base, FileKind::TimeIndex),
        3 => names::file_name(base, FileKind::TxnIndex),
        4 => names::file_name(base, FileKind::Snapshot),
        5 => names::LEADER_EPOCHS.to_owned(),
        _ => names::PARTITION_METADATA.to_owned(),
    };
    let suffix = if kind & 7 < 5 { ["", ".swap", ".cleaned", ".deleted"][usize::from(kind >> 5 & 3)] } else { "" };
    if kind & 0x80 != 0 {
        match kind & 7 {
            0 | 6 => seal_all(&mut content),
            4 if content.len() >= 10 => {
                let crc = checksum(&content[6..]);
                content[2..6].copy_from_slice(&crc.to_be_bytes());
            }
            _ => {}
        }
    }
    let path = PathBuf::from(FOLDER).join(name + suffix);
    if disk.length(&path).expect("a disk that works").is_none() {
        plant(disk, &path, &content);
    }
}

fn open(disk: &FaultDisk, options: &OpenOptions, input_bytes: usize) -> Option<(Log, Recovered)> {
    let shared = disk.shared();
    match bounded(input_bytes, OPENING_BYTES, "open", || Log::open(shared, Path::new(FOLDER), options)) {
        Ok(opened) => Some(opened),
        Err(error) => {
            assert!(!error.to_string().is_empty());
            assert!(!matches!(error, LogError::Poisoned { .. }), "{error} on a disk that works");
            None
        }
    }
}

/// What a reader sees.
#[derive(PartialEq, Debug)]
struct Dump {
    ends: [Offset; 3],
    corrupt_at: Option<Offset>,
    epochs: Option<LeaderEpoch>,
    /// What each read gave, until one gives nothing.
    batches: Vec<Result<(Offset, Vec<u8>), String>>,
}

impl Dump {
    fn of(reader: &LogReader) -> Dump {
        let (start, stable) = (reader.log_start(), reader.last_stable_offset());
        let (high, end) = (reader.high_watermark(), reader.end());
        if reader.corrupt_at().is_none() {
            assert!(start <= stable && stable <= high && high <= end, "{start} {stable} {high} {end}");
        }
        let mut batches = Vec::new();
        let mut at = start;
        while at < end && batches.len() < READS_MAX {
            let read = reader.read(at, Upper::End, 1, true).map_err(|error| error.to_string());
            match read {
                Ok(slice) if slice.region.length == 0 => {
                    batches.push(Ok((slice.end, Vec::new())));
                    break;
                }
                Ok(slice) => {
                    assert!(slice.end > at && slice.end <= end, "a read from {at} ends at {} of {end}", slice.end);
                    let bytes = slice.region.read().expect("a disk that works");
                    at = slice.end;
                    batches.push(Ok((slice.end, bytes)));
                }
                Err(error) => {
                    batches.push(Err(error));
                    break;
                }
            }
        }
        look_around(reader, &[start, stable, end]);
        Dump { ends: [start, stable, end], corrupt_at: reader.corrupt_at(), epochs: reader.latest_epoch(), batches }
    }
}

/// Everything else that a reader may ask; the answers are judged elsewhere.
fn look_around(reader: &LogReader, offsets: &[Offset]) {
    for timestamp in [i64::MIN, 0, NOW.0, i64::MAX] {
        if let Ok(Some(found)) = reader.offset_for_timestamp(timestamp) {
            assert!(found.timestamp >= timestamp && found.offset < reader.end(), "{found:?} for {timestamp}");
        }
    }
    let _ = reader.offset_of_max_timestamp();
    for offset in offsets {
        let _ = reader.aborted(*offset, reader.end());
        let _ = reader.epoch_of(*offset);
        let _ = reader.is_at_hand(*offset, 1 << 20);
        for upper in [Upper::HighWatermark, Upper::LastStable] {
            let _ = reader.read(*offset, upper, 500, false);
        }
    }
    for epoch in [-1, 0, 1, i32::MAX] {
        let _ = reader.end_of_epoch(LeaderEpoch(epoch));
    }
}

/// The same after a kill, the same after a stop; and it takes an append.
fn check_again(disk: &FaultDisk, mut log: Log, options: &OpenOptions, recovered: &Recovered, before: &Dump) {
    if !options.clean {
        let killed = disk.crash(&Cut::KILL, 0);
        let (again, report) = Log::open(killed.shared(), Path::new(FOLDER), options).expect("what opened opens again");
        assert_eq!((report.cut_at, report.quarantined_bytes), (None, 0), "cut again after {recovered:?}");
        assert_eq!(&Dump::of(again.reader()), before, "after a kill");
    }
    if log.reader().corrupt_at().is_some() {
        log.close().expect_err("a corrupt log is not closed clean");
        return;
    }
    log.close().expect("a log that works is closed");
    let stopped = disk.fork();
    let clean = OpenOptions {
        config: options.config.clone(),
        topic_id: options.topic_id,
        clean: true,
        recovery_point: log.recovery_point(),
        log_start: log.log_start(),
        strict: true,
        named: false,
        now: NOW,
    };
    let (mut again, _) = Log::open(stopped.shared(), Path::new(FOLDER), &clean).expect("a closed log opens");
    assert_eq!(&Dump::of(again.reader()), before, "after a stop");
    append(&mut again);
}

fn append(log: &mut Log) {
    let mut builder = BatchBuilder::new(Compression::NONE);
    builder.append(&NewRecord { timestamp: NOW.0, value: Some(b"new"), ..NewRecord::default() });
    let batch = builder.build();
    let leader_epoch = log.reader().latest_epoch().unwrap_or(LeaderEpoch(0));
    let how = Append { leader_epoch, acknowledge: Acknowledge::Durable, origin: Origin::Client, now: NOW };
    match log.append(&batch, &how) {
        Ok(appended) => {
            log.sync_now().expect("a disk that works");
            let slice =
                log.reader().read(appended.base_offset, Upper::End, 1, true).expect("what was appended is there");
            let read = slice.region.read().expect("a disk that works");
            assert_eq!(read, batch.to_bytes(appended.base_offset, leader_epoch), "at {}", appended.base_offset);
        }
        Err(error) => assert!(matches!(error, LogError::OffsetsExhausted), "{error}"),
    }
}
