//! Offset, time and transaction index files of a log whose records are right: whatever the files say, a read gives the records that
//! are there or says that it cannot, and a start that builds the indexes again is not led astray.
//!
//! ```text
//! input := flags, (kind and segment, content)..        flags: clean stop
//! kind  := 2 bits: .index, .timeindex, .txnindex | 2 bits segment | 0x80: xor with what is there, from its end
//! ```

use std::path::{Path, PathBuf};
use std::sync::Arc;

use klamm::base::clock::WallMs;
use klamm::base::disk::fault::FaultDisk;
use klamm::base::disk::{Disk, Open};
use klamm::base::ids::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, Uuid};
use klamm::log::names::{self, FileKind};
use klamm::log::{Acknowledge, Append, Log, LogConfig, LogReader, OpenOptions, Origin, ReadError, Upper};
use klamm::record::batch::ValidBatch;
use klamm::record::builder::{BatchBuilder, NewRecord};
use klamm::record::compression::Compression;
use klamm::record::control::{ControlRecord, EndTxnMarker, marker_batch};

use super::disk::plant;
use super::{Input, bounded};

const FOLDER: &str = "/data/topic-0";
const START: i64 = 1_700_000_000_000;
const FILES_MAX: usize = 8;
/// Windows of walks, the simulated disk.
const OPENING_BYTES: usize = 1 << 20;

/// A log that was closed clean, and what is in it.
struct Original {
    disk: FaultDisk,
    config: Arc<LogConfig>,
    bases: Vec<Offset>,
    end: Offset,
    /// By offset: the batch that holds it.
    batches: Vec<Vec<u8>>,
    /// By offset.
    times: Vec<i64>,
}

pub fn run(bytes: &[u8]) {
    thread_local!(static ORIGINAL: Original = Original::new());
    ORIGINAL.with(|original| original.check(bytes));
}

impl Original {
    fn new() -> Original {
        let config = LogConfig { segment_bytes: 12_000, index_interval_bytes: 200, ..LogConfig::default() };
        let config = Arc::new(config);
        let disk = FaultDisk::new().with_folder(Path::new("/data"));
        let id = Uuid([7; 16]);
        let mut log =
            Log::create(disk.shared(), Path::new(FOLDER), id, config.clone(), WallMs(START)).expect("created");
        let (mut batches, mut times) = (Vec::new(), Vec::new());
        for number in 0..300 {
            let (batch, origin) = batch(number);
            let how = Append {
                leader_epoch: LeaderEpoch(i32::from(number > 100)),
                acknowledge: Acknowledge::Written,
                origin,
                now: WallMs(START),
            };
            let appended = log.append(&batch, &how).expect("a batch that is in order");
            let bytes = batch.to_bytes(appended.base_offset, how.leader_epoch);
            for offset in appended.base_offset.0..=appended.last_offset.0 {
                batches.push(bytes.to_vec());
                times.push(time(number) + offset - appended.base_offset.0);
            }
        }
        log.close().expect("closed");
        let names = disk.list(Path::new(FOLDER)).expect("listed").into_iter();
        let mut bases: Vec<Offset> = names
            .filter_map(|entry| names::parse_file(&entry.name))
            .filter(|name| name.kind == FileKind::Log)
            .map(|name| name.base)
            .collect();
        bases.sort_unstable();
        assert_eq!(bases.len(), 4, "{bases:?}");
        Original { disk, config, bases, end: log.end(), batches, times }
    }

    fn check(&self, bytes: &[u8]) {
        let mut input = Input::new(bytes);
        let flags = input.byte();
        let disk = self.disk.fork();
        for _ in 0..FILES_MAX {
            if input.is_empty() {
                break;
            }
            self.replace(&disk, input.byte(), input.piece());
        }
        let clean = flags & 1 != 0;
        let options = OpenOptions {
            config: self.config.clone(),
            topic_id: None,
            clean,
            recovery_point: if flags & 2 != 0 { self.end } else { Offset(0) },
            log_start: Offset(0),
            strict: true,
            named: false,
            now: WallMs(START),
        };
        let shared = disk.shared();
        let opened = bounded(bytes.len(), OPENING_BYTES, "open", || Log::open(shared, Path::new(FOLDER), &options));
        let (mut log, _) = opened.expect("records that are right open whatever the indexes are");
        assert_eq!((log.end(), log.reader().corrupt_at()), (self.end, None));
        let rebuilt = !clean && flags & 2 == 0;
        self.check_reads(log.reader());
        self.check_times(log.reader(), rebuilt);
        for (from, to) in [(0, 40), (200, 320), (0, self.end.0)] {
            let aborted = log.reader().aborted(Offset(from), Offset(to));
            assert!(!rebuilt || aborted.is_ok());
        }
        log.close().expect("a log that works is closed");
    }

    fn replace(&self, disk: &FaultDisk, kind: u8, content: &[u8]) {
        let file = [FileKind::OffsetIndex, FileKind::TimeIndex, FileKind::TxnIndex][usize::from(kind & 3) % 3];
        let base = self.bases[usize::from(kind >> 2 & 3)];
        let path = PathBuf::from(FOLDER).join(names::file_name(base, file));
        let there = disk.read(&path).ok();
        let mut content = content.to_vec();
        if let Some(there) = there.as_ref().filter(|_| kind & 0x80 != 0) {
            let changes = content;
            content = there.clone();
            content.iter_mut().rev().zip(&changes).for_each(|(byte, change)| *byte ^= change);
        }
        if there.is_none() {
            return plant(disk, &path, &content);
        }
        let written = disk.open(&path, Open::Truncate);
        written.and_then(|file| file.write_all_at(&[std::io::IoSlice::new(&content)], 0)).expect("a disk that works");
    }

    /// Every offset gives the batch that holds it.
    fn check_reads(&self, reader: &LogReader) {
        for (offset, batch) in self.batches.iter().enumerate().step_by(3) {
            let offset = Offset(i64::try_from(offset).expect("small"));
            match reader.read(offset, Upper::End, 1, true) {
                Ok(slice) => {
                    assert!(slice.region.read().expect("a disk that works") == *batch, "another batch for {offset}")
                }
                Err(error) => assert!(matches!(error, ReadError::Corrupt { .. }), "{offset}: {error}"),
            }
        }
    }

    /// A record that is found by its time is there; by indexes that were built again it is the first one.
    fn check_times(&self, reader: &LogReader, rebuilt: bool) {
        for asked in [0, START - 500, START, START + 1_234, START + 20_000, i64::MAX] {
            let first = self.times.iter().position(|time| *time >= asked);
            match reader.offset_for_timestamp(asked) {
                Ok(Some(found)) => {
                    let index = usize::try_from(found.offset.0).expect("an offset");
                    assert_eq!(self.times.get(index), Some(&found.timestamp), "{found:?} for {asked}");
                    assert!(found.timestamp >= asked && (!rebuilt || Some(index) == first), "{found:?} for {asked}");
                }
                Ok(None) => assert!(!rebuilt || first.is_none(), "nothing for {asked}"),
                Err(error) => assert!(!rebuilt, "{asked}: {error}"),
            }
        }
    }
}

/// Times rise by and large.
fn time(number: i64) -> i64 {
    START + number * 100 - (number % 7) * 250
}

/// Plain batches, and transactions that are aborted.
fn batch(number: i64) -> (ValidBatch, Origin) {
    let (id, epoch) = (ProducerId(7), ProducerEpoch(0));
    let round = i32::try_from(number / 20).expect("small");
    if number % 20 == 19 {
        let marker = EndTxnMarker { coordinator_epoch: 1 };
        return (marker_batch(id, epoch, ControlRecord::Abort(marker), WallMs(time(number))), Origin::Coordinator);
    }
    let mut builder = BatchBuilder::new(Compression::NONE);
    if number % 20 == 15 {
        builder = builder.producer(id, epoch, Sequence(round)).transactional();
    }
    let count = if number % 20 == 15 { 1 } else { 1 + number % 3 };
    for index in 0..count {
        let value = [b'v'; 40];
        builder.append(&NewRecord { timestamp: time(number) + index, value: Some(&value), ..NewRecord::default() });
    }
    (builder.build(), Origin::Client)
}
