//! The log as its owner uses it, on the machine's disk.

use super::*;
use crate::base::disk::RealDisk;
use crate::base::ids::{LeaderEpoch, ProducerEpoch, ProducerId, Sequence};
use crate::record::batch::{BatchHeader, ValidBatch};
use crate::record::builder::{BatchBuilder, NewRecord};
use crate::record::compression::{Codec, Compression};
use crate::record::control::{ControlRecord, EndTxnMarker, marker_batch};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

mod faults;
mod files;
mod found;
mod random;
mod retention;

const NOW: WallMs = WallMs(1_700_000_000_000);

/// A log in a temporary folder.
struct Bench {
    _data: tempfile::TempDir,
    folder: PathBuf,
    config: LogConfig,
}

impl Bench {
    fn new(config: LogConfig) -> Bench {
        let data = tempfile::tempdir().expect("a folder");
        let folder = data.path().join("topic-0");
        Bench { _data: data, folder, config }
    }

    fn small_segments() -> Bench {
        Bench::new(LogConfig { segment_bytes: 4000, index_interval_bytes: 300, ..LogConfig::default() })
    }

    fn create(&self) -> Log {
        let config = Arc::new(self.config.clone());
        let mut log =
            Log::create(RealDisk::shared(), &self.folder, TopicId::METADATA_TOPIC, config, NOW).expect("created");
        log.sync_now().expect("durable");
        log
    }

    fn options(&self, clean: bool, recovery_point: Offset) -> OpenOptions {
        OpenOptions {
            config: Arc::new(self.config.clone()),
            topic_id: Some(TopicId::METADATA_TOPIC),
            clean,
            recovery_point,
            log_start: Offset::ZERO,
            strict: false,
            named: false,
            now: NOW,
        }
    }

    fn open(&self, clean: bool, recovery_point: Offset) -> (Log, Recovered) {
        Log::open(RealDisk::shared(), &self.folder, &self.options(clean, recovery_point)).expect("opened")
    }

    fn files(&self) -> Vec<(String, Vec<u8>)> {
        let mut files: Vec<_> = std::fs::read_dir(&self.folder)
            .expect("listed")
            .map(|entry| entry.expect("an entry"))
            .map(|entry| {
                (entry.file_name().into_string().expect("a name"), std::fs::read(entry.path()).expect("content"))
            })
            .collect();
        files.sort();
        files
    }

    fn path(&self, base: i64, kind: FileKind) -> PathBuf {
        self.folder.join(names::file_name(Offset(base), kind))
    }
}

fn record(timestamp: i64, value: &[u8]) -> NewRecord<'_> {
    NewRecord { timestamp, key: None, value: Some(value), headers: &[] }
}

fn batch(first_time: i64, count: i64, value_bytes: usize) -> ValidBatch {
    let value = vec![b'v'; value_bytes];
    let mut builder = BatchBuilder::new(Compression::NONE);
    for n in 0..count {
        builder.append(&record(first_time + n, &value));
    }
    builder.build()
}

fn produced(id: i64, epoch: i16, sequence: i32, count: i64, transactional: bool) -> ValidBatch {
    let builder = BatchBuilder::new(Compression::NONE);
    let mut builder = builder.producer(ProducerId(id), ProducerEpoch(epoch), Sequence(sequence));
    if transactional {
        builder = builder.transactional();
    }
    for n in 0..count {
        builder.append(&record(NOW.0 + n, b"produced"));
    }
    builder.build()
}

fn abort(id: i64, epoch: i16) -> ValidBatch {
    let marker = ControlRecord::Abort(EndTxnMarker { coordinator_epoch: 0 });
    marker_batch(ProducerId(id), ProducerEpoch(epoch), marker, NOW)
}

fn how(acknowledge: Acknowledge) -> Append {
    Append { leader_epoch: LeaderEpoch(0), acknowledge, origin: Origin::Client, now: NOW }
}

fn written() -> Append {
    how(Acknowledge::Written)
}

fn marker() -> Append {
    Append { origin: Origin::Coordinator, ..how(Acknowledge::Written) }
}

/// Every batch of the log by single reads of at most `max_bytes`.
fn read_all(reader: &LogReader, max_bytes: usize) -> Vec<BatchHeader> {
    let mut from = reader.log_start();
    let mut headers = Vec::new();
    while from < reader.high_watermark() {
        let slice = reader.read(from, Upper::HighWatermark, max_bytes, true).expect("read");
        let bytes = slice.region.read().expect("bytes");
        assert!(!bytes.is_empty(), "there is something at {from}");
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let header = BatchHeader::parse(rest).expect("a batch");
            assert!(crate::record::batch::crc_matches(&rest[..header.size_bytes]));
            rest = &rest[header.size_bytes..];
            headers.push(header);
        }
        assert_eq!(slice.end, headers.last().expect("a batch").next_offset());
        from = slice.end;
    }
    headers
}

/// A small generator, so that a failure prints a seed that repeats it.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// Appends batches of random sizes and times; returns (base offset, max timestamp) of each.
fn fill(log: &mut Log, seed: u64, count: usize) -> Vec<(Offset, i64)> {
    let mut random = Random(seed);
    let mut model = Vec::new();
    for _ in 0..count {
        let time = NOW.0 + i64::try_from(random.below(5000)).expect("small");
        let records = i64::try_from(1 + random.below(5)).expect("small");
        let batch = batch(time, records, usize::try_from(random.below(120)).expect("small"));
        let appended = log.append(&batch, &written()).expect("appended");
        model.push((appended.base_offset, batch.header().max_timestamp));
    }
    model
}

#[test]
fn what_is_appended_is_read_in_slices_of_any_size() {
    let bench = Bench::small_segments();
    let mut log = bench.create();
    let model = fill(&mut log, 1, 300);
    assert!(log.reader().segment_count() > 5, "the log rolled");
    for max_bytes in [1, 100, 700, 5000, usize::MAX] {
        let bases: Vec<Offset> = read_all(log.reader(), max_bytes).iter().map(|header| header.base_offset).collect();
        assert_eq!(bases, model.iter().map(|entry| entry.0).collect::<Vec<_>>(), "slices of {max_bytes}");
    }
}

#[test]
fn a_read_from_within_a_batch_begins_with_that_batch() {
    let bench = Bench::small_segments();
    let mut log = bench.create();
    fill(&mut log, 2, 100);
    for offset in 0..log.end().0 {
        let slice = log.reader().read(Offset(offset), Upper::End, 1, true).expect("read");
        let header = BatchHeader::parse(&slice.region.read().expect("bytes")).expect("a batch");
        assert!(header.base_offset.0 <= offset && offset <= header.last_offset().0);
        assert_eq!(slice.region.length, header.size_bytes, "one batch at least and at most");
    }
}

#[test]
fn a_read_outside_the_log_is_out_of_range_and_at_its_end_empty() {
    let bench = Bench::small_segments();
    let mut log = bench.create();
    fill(&mut log, 3, 10);
    let (reader, end) = (log.reader().clone(), log.end());
    assert_eq!(reader.read(end, Upper::End, 100, true).expect("empty").region.length, 0);
    assert!(matches!(reader.read(end.plus(1), Upper::End, 100, true), Err(ReadError::OutOfRange { .. })));
    log.advance_log_start(Offset(5)).expect("moved");
    assert!(matches!(reader.read(Offset(4), Upper::End, 100, true), Err(ReadError::OutOfRange { .. })));
    assert!(matches!(log.advance_log_start(end.plus(1)), Err(LogError::OutOfRange { .. })));
}

#[test]
fn a_slice_too_small_for_a_batch_is_empty_unless_one_is_asked_for() {
    let bench = Bench::small_segments();
    let mut log = bench.create();
    fill(&mut log, 4, 10);
    assert_eq!(log.reader().read(Offset(0), Upper::End, 10, false).expect("empty").region.length, 0);
    assert!(log.reader().read(Offset(0), Upper::End, 10, true).expect("a batch").region.length > 10);
}

#[test]
fn batches_that_must_be_durable_show_after_the_sync() {
    let bench = Bench::small_segments();
    let mut log = bench.create();
    let appended = log.append(&batch(NOW.0, 3, 10), &how(Acknowledge::Durable)).expect("appended");
    assert!(!appended.watermark_moved && log.wants_sync());
    assert_eq!(log.reader().read(Offset(0), Upper::HighWatermark, 1000, true).expect("empty").region.length, 0);
    let ticket = log.begin_sync().expect("a ticket");
    assert!(log.begin_sync().is_none(), "one at a time");
    log.append(&batch(NOW.0, 1, 10), &how(Acknowledge::Durable)).expect("appended");
    let result = ticket.run();
    assert!(log.finish_sync(ticket, result));
    assert_eq!((log.high_watermark(), log.durable_end(), log.end()), (Offset(3), Offset(3), Offset(4)));
    let slice = log.reader().read(Offset(0), Upper::HighWatermark, 1000, true).expect("read");
    assert_eq!(slice.end, Offset(3));
    log.sync_now().expect("durable");
    assert_eq!(log.recovery_point(), Offset(4));
    assert!(log.begin_sync().is_none(), "nothing is left");
}

/// A roll used to hold up the answers of all that was appended until indexes and snapshots were durable too.
#[test]
fn batches_show_before_what_is_derived_from_them_is_written() {
    let bench = Bench::small_segments();
    let mut log = bench.create();
    let sealed = |log: &mut Log| {
        while !log.append(&batch(NOW.0, 3, 100), &how(Acknowledge::Durable)).expect("appended").rolled {}
        let ticket = log.begin_sync().expect("a ticket");
        let result = ticket.run();
        assert!(log.finish_sync(ticket, result));
        assert_eq!((log.high_watermark(), log.durable_end()), (log.end(), log.end()));
        log.end()
    };
    sealed(&mut log);
    assert_eq!(log.recovery_point(), Offset(0), "a start still derives it");
    assert!(matches!(log.close(), Ok(())), "a stop does");
    sealed(&mut log);
    let first = log.recovery_point();
    let ticket = log.begin_derived().expect("a segment was rolled");
    assert!(log.begin_derived().is_none() && matches!(log.close(), Err(LogError::Io { .. })), "it is out");
    let result = ticket.run();
    let end = sealed(&mut log);
    assert_eq!(log.recovery_point(), first);
    assert!(log.finish_derived(ticket, result), "another was rolled meanwhile");
    assert!(first < log.recovery_point() && log.recovery_point() < end);
    log.sync_now().expect("durable");
    assert_eq!(log.recovery_point(), end);
    assert!(!log.needs_sync());
}

#[test]
fn a_failed_sync_poisons_and_durable_data_is_still_read() {
    let bench = Bench::small_segments();
    let mut log = bench.create();
    log.append(&batch(NOW.0, 3, 10), &written()).expect("appended");
    log.sync_now().expect("durable");
    log.append(&batch(NOW.0, 3, 10), &written()).expect("appended");
    let ticket = log.begin_sync().expect("a ticket");
    assert!(!log.finish_sync(ticket, Err(io::Error::other("a disk gone bad"))));
    assert!(matches!(log.append(&batch(NOW.0, 1, 1), &written()), Err(LogError::Poisoned { .. })));
    assert!(matches!(log.close(), Err(LogError::Poisoned { .. })));
    assert!(log.begin_sync().is_none());
    assert_eq!(log.reader().read(Offset(0), Upper::HighWatermark, 1000, true).expect("read").end, Offset(3));
}

#[test]
fn a_clean_stop_and_start_changes_no_file_and_no_answer() {
    let bench = Bench::small_segments();
    let mut log = bench.create();
    let model = fill(&mut log, 5, 300);
    log.append(&produced(7, 0, 0, 3, false), &written()).expect("appended");
    let end = log.end();
    log.close().expect("closed");
    let files = bench.files();
    assert!(!files.iter().any(|(name, _)| name.ends_with(".tmp")));
    let (mut log, report) = bench.open(true, end);
    assert_eq!(report, Recovered { topic_id: Some(TopicId::METADATA_TOPIC), ..Recovered::default() });
    assert_eq!((log.end(), log.high_watermark(), log.durable_end()), (end, end, end));
    assert_eq!(read_all(log.reader(), 900).len(), model.len() + 1);
    assert!(log.append(&produced(7, 0, 0, 3, false), &written()).expect("a duplicate").duplicate);
    assert_eq!(log.append(&produced(7, 0, 3, 3, false), &written()).expect("appended").base_offset, end);
    drop(log);
    let (mut log, _) = bench.open(false, end);
    log.close().expect("closed");
    let (mut log, _) = bench.open(true, log.end());
    log.close().expect("closed");
}

#[test]
fn indexes_that_are_built_again_equal_those_that_were_written() {
    let bench = Bench::small_segments();
    let mut log = bench.create();
    fill(&mut log, 6, 300);
    log.append(&produced(1, 0, 0, 2, true), &written()).expect("appended");
    log.append(&batch(NOW.0, 1, 10), &written()).expect("appended");
    log.append(&abort(1, 0), &marker()).expect("appended");
    fill(&mut log, 7, 100);
    log.close().expect("closed");
    let files = bench.files();
    for (name, _) in &files {
        if ["index", "timeindex", "txnindex", "snapshot"].iter().any(|suffix| name.ends_with(suffix)) {
            std::fs::remove_file(bench.folder.join(name)).expect("removed");
        }
    }
    let (mut log, report) = bench.open(false, Offset(0));
    assert!(report.scanned_bytes > 10_000);
    log.close().expect("closed");
    let again = bench.files();
    assert_eq!(
        again.iter().map(|file| &file.0).collect::<Vec<_>>(),
        files.iter().map(|file| &file.0).collect::<Vec<_>>()
    );
    for (one, other) in files.iter().zip(&again) {
        assert!(one == other, "{} is the same", one.0);
    }
}

/// What becomes of a file; `None`: it is removed.
type Damage = fn(Vec<u8>) -> Option<Vec<u8>>;

#[test]
fn damaged_indexes_of_sealed_segments_give_the_same_answers() {
    let bench = Bench::small_segments();
    let mut log = bench.create();
    let model = fill(&mut log, 8, 200);
    log.close().expect("closed");
    let end = log.end();
    let pristine = bench.files();
    let target = pristine.iter().filter(|(name, _)| name.ends_with(".index")).nth(2).expect("a sealed one").0.clone();
    let stem = target.trim_end_matches(".index").to_owned();
    let damages: [(&str, Damage); 8] = [
        ("missing", |_| None),
        ("empty", |_| Some(vec![])),
        ("zeros", |bytes| Some(vec![0; bytes.len()])),
        ("padded", |mut bytes| {
            bytes.resize(bytes.len() + 1200, 0);
            Some(bytes)
        }),
        ("ragged", |mut bytes| {
            bytes.push(1);
            Some(bytes)
        }),
        ("last byte changed", |mut bytes| {
            *bytes.last_mut()? ^= 5;
            Some(bytes)
        }),
        ("half", |mut bytes| {
            bytes.truncate(bytes.len() / 48 * 24);
            Some(bytes)
        }),
        ("random", |bytes| Some(bytes.iter().map(|byte| byte.wrapping_mul(31) ^ 0x5a).collect())),
    ];
    for suffix in ["index", "timeindex"] {
        for (what, damage) in damages {
            for (name, bytes) in &pristine {
                std::fs::write(bench.folder.join(name), bytes).expect("restored");
            }
            let path = bench.folder.join(format!("{stem}.{suffix}"));
            match damage(std::fs::read(&path).expect("content")) {
                Some(bytes) => std::fs::write(&path, bytes).expect("damaged"),
                None => std::fs::remove_file(&path).expect("removed"),
            }
            let (log, _) = bench.open(true, end);
            let bases: Vec<Offset> = read_all(log.reader(), 400).iter().map(|header| header.base_offset).collect();
            assert_eq!(bases, model.iter().map(|entry| entry.0).collect::<Vec<_>>(), "{suffix} {what}");
            check_timestamps(log.reader(), &format!("{suffix} {what}"));
        }
    }
}

/// Compares time lookups with a walk over every record.
fn check_timestamps(reader: &LogReader, what: &str) {
    let mut records: Vec<(Offset, i64)> = Vec::new();
    for header in read_all(reader, 1) {
        // `batch` gives consecutive times.
        records.extend(
            (0..i64::from(header.record_count)).map(|n| (header.base_offset.plus(n), header.base_timestamp + n)),
        );
    }
    for time in (NOW.0 - 10..NOW.0 + 5100).step_by(97) {
        let expected = records.iter().find(|record| record.1 >= time);
        let found = reader.offset_for_timestamp(time).expect("answered");
        assert_eq!(found.map(|found| (found.offset, found.timestamp)), expected.copied(), "{what}, time {time}");
    }
    let largest = records.iter().map(|record| record.1).max();
    let expected = records.iter().find(|record| Some(record.1) == largest);
    let found = reader.offset_of_max_timestamp().expect("answered");
    assert_eq!(found.map(|found| (found.offset, found.timestamp)), expected.copied(), "{what}, the largest");
}

#[test]
fn time_lookups_find_the_first_record_at_or_after() {
    let bench = Bench::small_segments();
    let mut log = bench.create();
    check_timestamps(log.reader(), "empty");
    fill(&mut log, 9, 250);
    check_timestamps(log.reader(), "open");
    log.sync_now().expect("durable");
    check_timestamps(log.reader(), "sealed segments on the disk");
}

#[test]
fn time_lookups_read_compressed_batches() {
    for codec in Codec::ALL {
        let bench = Bench::small_segments();
        let mut log = bench.create();
        let mut builder = BatchBuilder::new(Compression::of(codec));
        for n in 0..10 {
            builder.append(&record(NOW.0 + n, b"value"));
        }
        log.append(&builder.build(), &written()).expect("appended");
        let found = log.reader().offset_for_timestamp(NOW.0 + 7).expect("answered").expect("a record");
        assert_eq!((found.offset, found.timestamp, found.leader_epoch), (Offset(7), NOW.0 + 7, LeaderEpoch(0)));
    }
}

#[test]
fn a_torn_tail_is_quarantined_at_every_byte() {
    let bench = Bench::new(LogConfig::default());
    let mut log = bench.create();
    log.append(&batch(NOW.0, 2, 20), &written()).expect("appended");
    let whole = log.reader().size_bytes();
    log.append(&batch(NOW.0, 3, 20), &written()).expect("appended");
    drop(log);
    let path = bench.path(0, FileKind::Log);
    let bytes = std::fs::read(&path).expect("content");
    for length in usize::try_from(whole).expect("small") + 1..bytes.len() {
        std::fs::write(&path, &bytes[..length]).expect("torn");
        let (mut log, report) = bench.open(false, Offset(0));
        assert_eq!((log.end(), report.cut_at), (Offset(2), Some(Offset(2))), "torn at {length}");
        assert_eq!(report.quarantined_bytes, length as u64 - whole);
        let quarantine = bench.folder.join(names::quarantine_name(Offset(0), 1));
        assert_eq!(std::fs::read(&quarantine).expect("kept"), &bytes[usize::try_from(whole).expect("small")..length]);
        assert_eq!(log.append(&batch(NOW.0, 1, 5), &written()).expect("appended").base_offset, Offset(2));
        std::fs::remove_file(quarantine).expect("removed");
    }
}

#[test]
fn a_flipped_byte_above_the_recovery_point_cuts_what_is_behind_it() {
    let bench = Bench::small_segments();
    let mut log = bench.create();
    let model = fill(&mut log, 10, 120);
    log.sync_now().expect("durable");
    let (flipped, _) = model[60];
    let position = log.reader().read(flipped, Upper::End, 1, true).expect("read").region.position;
    drop(log);
    let logs = bench.files().into_iter().filter(|(name, _)| name.ends_with(".log"));
    let below = logs.filter(|(name, _)| name[..20].parse::<i64>().expect("digits") <= flipped.0);
    let (name, mut bytes) = below.max().expect("a segment");
    bytes[usize::try_from(position).expect("small") + 70] ^= 0x10;
    std::fs::write(bench.folder.join(&name), &bytes).expect("flipped");
    let (mut log, report) = bench.open(false, model[58].0);
    assert_eq!((report.cut_at, log.end()), (Some(flipped), flipped));
    assert_eq!(report.quarantined_batches, 59);
    assert_eq!(read_all(log.reader(), 1000).len(), 60);
    log.append(&batch(NOW.0, 1, 5), &written()).expect("appended");
    log.close().expect("closed");
    let (log, _) = bench.open(true, log.end());
    assert_eq!(read_all(log.reader(), 1000).len(), 61);
}

#[test]
fn durable_bytes_that_are_not_valid_are_not_cut() {
    let bench = Bench::new(LogConfig::default());
    let mut log = bench.create();
    let model = fill(&mut log, 11, 40);
    let end = log.end();
    let bad = model[20].0;
    let slice = log.reader().read(bad, Upper::End, 1, true).expect("read");
    drop(log);
    let path = bench.path(0, FileKind::Log);
    let mut bytes = std::fs::read(&path).expect("content");
    bytes[usize::try_from(slice.region.position).expect("small") + 16] = 9;
    std::fs::write(&path, &bytes).expect("damaged");
    let (mut log, report) = bench.open(false, end);
    assert_eq!((report.corrupt_at, report.cut_at, log.end()), (Some(bad), None, end));
    assert!(matches!(log.append(&batch(NOW.0, 1, 5), &written()), Err(LogError::Corrupt { .. })));
    assert!(matches!(log.reader().read(bad, Upper::End, 100, true), Err(ReadError::Corrupt { .. })));
    assert_eq!(log.reader().read(Offset(0), Upper::End, usize::MAX, true).expect("read").end, bad);
    assert_eq!(std::fs::read(&path).expect("content"), bytes, "nothing was changed");
    assert!(log.close().is_err(), "no clean-stop mark");
}

#[test]
fn strict_recovery_refuses_to_cut() {
    let bench = Bench::new(LogConfig::default());
    let mut log = bench.create();
    log.append(&batch(NOW.0, 2, 20), &written()).expect("appended");
    drop(log);
    let path = bench.path(0, FileKind::Log);
    let mut bytes = std::fs::read(&path).expect("content");
    bytes.extend([1; 40]);
    std::fs::write(&path, &bytes).expect("torn");
    let options = OpenOptions { strict: true, ..bench.options(false, Offset(0)) };
    let refused = Log::open(RealDisk::shared(), &bench.folder, &options).map(|_| ());
    assert!(matches!(refused, Err(LogError::Strict { at: Offset(2), bytes: 40 })), "{refused:?}");
    // A clean directory with a torn tail is no different: Kafka would leave it and lose what is written behind it.
    let (log, report) = bench.open(true, Offset(2));
    assert_eq!((log.end(), report.cut_at), (Offset(2), Some(Offset(2))));
}

#[test]
fn producers_survive_a_kill_and_an_older_resend_is_found_by_looking_back() {
    let bench = Bench::small_segments();
    let mut log = bench.create();
    for n in 0..40 {
        log.append(&produced(5, 0, n * 2, 2, false), &written()).expect("appended");
    }
    let again = log.append(&produced(5, 0, 6, 2, false), &written()).expect("found");
    assert!(again.duplicate);
    assert_eq!((again.base_offset, again.last_offset), (Offset(6), Offset(7)));
    assert!(matches!(
        log.append(&produced(5, 0, 82, 2, false), &written()),
        Err(LogError::OutOfOrderSequence { expected_after: 79, found: 82, .. })
    ));
    assert!(matches!(log.append(&produced(5, 0, 7, 2, false), &written()), Err(LogError::OutOfOrderSequence { .. })));
    drop(log);
    let (mut log, _) = bench.open(false, Offset(0));
    assert!(log.append(&produced(5, 0, 78, 2, false), &written()).expect("known").duplicate);
    assert!(log.append(&produced(5, 0, 4, 2, false), &written()).expect("found").duplicate);
    assert!(!log.append(&produced(5, 0, 80, 2, false), &written()).expect("next").duplicate);
}

#[test]
fn open_and_aborted_transactions_survive_a_stop_and_a_kill() {
    for clean in [true, false] {
        let bench = Bench::small_segments();
        let mut log = bench.create();
        log.append(&produced(1, 0, 0, 2, true), &written()).expect("appended");
        fill(&mut log, 12, 100);
        log.append(&abort(1, 1), &marker()).expect("appended");
        let open_at = log.end();
        log.append(&produced(2, 0, 0, 2, true), &written()).expect("appended");
        fill(&mut log, 13, 3);
        let check = |log: &Log, what: &str| {
            let reader = log.reader();
            assert_eq!((reader.last_stable_offset(), log.last_stable_offset()), (open_at, open_at), "{what}");
            let aborted = reader.aborted(Offset(0), Offset(1)).expect("answered");
            assert_eq!(aborted.len(), 1, "{what}");
            assert_eq!((aborted[0].first_offset, aborted[0].last_stable_offset), (Offset(0), open_at), "{what}");
            assert_eq!(reader.aborted(open_at, log.end()).expect("answered"), vec![], "{what}");
            let slice = reader.read(open_at, Upper::LastStable, 1000, true).expect("empty");
            assert_eq!(slice.region.length, 0, "{what}");
        };
        check(&log, "before");
        log.sync_now().expect("durable");
        check(&log, "synced");
        let point = log.recovery_point();
        if clean {
            log.close().expect("closed");
        }
        drop(log);
        let (mut log, _) = bench.open(clean, point);
        check(&log, "opened again");
        log.append(&abort(2, 0), &marker()).expect("appended");
        assert_eq!(log.last_stable_offset(), log.end());
    }
}

#[test]
fn a_damaged_transaction_index_is_built_again() {
    for clean in [true, false] {
        let bench = Bench::small_segments();
        let mut log = bench.create();
        for (id, seed) in [(1, 21), (2, 22)] {
            log.append(&produced(id, 0, 0, 2, true), &written()).expect("appended");
            fill(&mut log, seed, 60);
            log.append(&abort(id, 0), &marker()).expect("appended");
        }
        log.close().expect("closed");
        let (end, expected) = (log.end(), log.reader().aborted(Offset(0), log.end()).expect("answered"));
        drop(log);
        let indexes: Vec<_> = bench.files().into_iter().filter(|(name, _)| name.ends_with(".txnindex")).collect();
        assert_eq!((indexes.len(), expected.len()), (2, 2));
        for (name, bytes) in &indexes {
            std::fs::write(bench.folder.join(name), &bytes[1..]).expect("damaged");
        }
        let (log, _) = bench.open(clean, end);
        assert_eq!(log.reader().aborted(Offset(0), end).expect("answered"), expected, "clean {clean}");
        for (name, bytes) in &indexes {
            assert_eq!(&std::fs::read(bench.folder.join(name)).expect("a file"), bytes);
        }
    }
}

#[test]
fn a_segment_rolls_by_time_and_by_a_full_index() {
    let bench = Bench::new(LogConfig { segment_ms: 1000, ..LogConfig::default() });
    let mut log = bench.create();
    log.append(&batch(NOW.0, 1, 5), &written()).expect("appended");
    log.append(&batch(NOW.0 + 1000, 1, 5), &written()).expect("appended");
    assert_eq!(log.reader().segment_count(), 1);
    log.append(&batch(NOW.0 + 1001, 1, 5), &written()).expect("appended");
    assert_eq!(log.reader().segment_count(), 2);
    let bench = Bench::new(LogConfig { segment_index_bytes: 36, index_interval_bytes: 0, ..LogConfig::default() });
    let mut log = bench.create();
    for n in 0..12 {
        log.append(&batch(NOW.0 + n, 1, 5), &written()).expect("appended");
    }
    assert_eq!(log.reader().segment_count(), 4, "the time index has room for two entries and the last");
}

#[test]
fn a_batch_larger_than_a_segment_is_refused_and_nothing_changes() {
    let bench = Bench::small_segments();
    let mut log = bench.create();
    assert!(matches!(log.append(&batch(NOW.0, 1, 5000), &written()), Err(LogError::BatchTooLarge { .. })));
    assert_eq!((log.end(), log.reader().size_bytes()), (Offset(0), 0));
}

#[test]
fn leader_epochs_are_noted_and_survive() {
    let bench = Bench::small_segments();
    let mut log = bench.create();
    let at = |epoch| Append { leader_epoch: LeaderEpoch(epoch), ..written() };
    log.append(&batch(NOW.0, 3, 5), &at(0)).expect("appended");
    log.append(&batch(NOW.0, 3, 5), &at(4)).expect("appended");
    assert!(matches!(log.append(&batch(NOW.0, 3, 5), &at(3)), Err(LogError::StaleLeaderEpoch { .. })));
    log.sync_now().expect("durable");
    let text = std::fs::read_to_string(bench.folder.join(names::LEADER_EPOCHS)).expect("a file");
    assert_eq!(text, "0\n2\n0 0\n4 3\n");
    std::fs::remove_file(bench.folder.join(names::LEADER_EPOCHS)).expect("removed");
    let (log, _) = bench.open(false, Offset(0));
    assert_eq!(log.reader().end_of_epoch(LeaderEpoch(2)), Some((LeaderEpoch(0), Offset(3))));
    assert_eq!(log.reader().end_of_epoch(LeaderEpoch(4)), Some((LeaderEpoch(4), Offset(6))));
    assert_eq!(log.reader().end_of_epoch(LeaderEpoch(5)), None);
    assert_eq!(log.reader().epoch_of(Offset(2)), Some(LeaderEpoch(0)));
}

#[test]
fn a_folder_of_another_topic_is_refused() {
    let bench = Bench::small_segments();
    bench.create();
    let options = OpenOptions { topic_id: Some(TopicId::from_random([3; 16])), ..bench.options(false, Offset(0)) };
    let refused = Log::open(RealDisk::shared(), &bench.folder, &options).map(|_| ());
    assert!(matches!(refused, Err(LogError::OtherTopic { .. })));
}

#[test]
fn a_half_made_folder_becomes_an_empty_log() {
    let bench = Bench::small_segments();
    std::fs::create_dir(&bench.folder).expect("made");
    let (mut log, report) = bench.open(false, Offset(0));
    assert_eq!((log.end(), report.topic_id), (Offset(0), Some(TopicId::METADATA_TOPIC)));
    log.append(&batch(NOW.0, 1, 5), &written()).expect("appended");
}

#[test]
fn leftovers_of_a_compaction_are_tidied() {
    let bench = Bench::small_segments();
    let mut log = bench.create();
    let model = fill(&mut log, 14, 120);
    log.close().expect("closed");
    let end = log.end();
    drop(log);
    let bases: Vec<i64> = bench
        .files()
        .iter()
        .filter_map(|(name, _)| name.strip_suffix(".log").map(|stem| stem.parse().expect("digits")))
        .collect();
    let copy = |from: PathBuf, suffix: &str| {
        std::fs::copy(&from, crate::base::disk::suffixed(&from, suffix)).expect("copied");
    };
    copy(bench.path(bases[0], FileKind::Log), ".swap");
    copy(bench.path(bases[0], FileKind::OffsetIndex), ".swap");
    copy(bench.path(bases[1], FileKind::Log), ".deleted");
    copy(bench.path(bases[2], FileKind::Log), ".cleaned");
    std::fs::write(bench.folder.join("notes.txt"), "mine").expect("written");
    let (log, _) = bench.open(true, end);
    assert_eq!(read_all(log.reader(), 1000).len(), model.len());
    let names: Vec<String> = bench.files().into_iter().map(|file| file.0).collect();
    assert!(
        names.iter().all(|name| !name.ends_with("swap") && !name.ends_with("deleted") && !name.ends_with("cleaned"))
    );
    assert!(names.contains(&"notes.txt".to_owned()), "foreign files stay");
}

#[test]
fn readers_run_while_batches_are_appended() {
    let bench = Bench::small_segments();
    let mut log = bench.create();
    let reader = log.reader().clone();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let follower = scope.spawn(|| {
            let mut from = Offset(0);
            loop {
                let finished = done.load(Ordering::Acquire);
                let slice = reader.read(from, Upper::HighWatermark, 500, true).expect("read");
                let bytes = slice.region.read().expect("bytes");
                let mut rest = bytes.as_slice();
                while !rest.is_empty() {
                    let header = BatchHeader::parse(rest).expect("a batch");
                    assert_eq!(header.base_offset, from);
                    assert!(crate::record::batch::crc_matches(&rest[..header.size_bytes]));
                    rest = &rest[header.size_bytes..];
                    from = header.next_offset();
                }
                if finished && from == reader.high_watermark() {
                    return from;
                }
            }
        });
        fill(&mut log, 15, 2000);
        log.sync_now().expect("durable");
        done.store(true, Ordering::Release);
        assert_eq!(follower.join().expect("no panic"), log.end());
    });
}
#[test]
fn each_stop_leaves_one_producer_snapshot_beside_those_of_segments() {
    let bench = Bench::small_segments();
    let mut log = bench.create();
    for round in 0..4 {
        fill(&mut log, 20 + round, 40);
        log.close().expect("closed");
        let end = log.end();
        drop(log);
        let bases: Vec<String> =
            bench.files().into_iter().filter_map(|(name, _)| name.strip_suffix(".log").map(str::to_owned)).collect();
        let snapshots =
            bench.files().into_iter().filter_map(|(name, _)| name.strip_suffix(".snapshot").map(str::to_owned));
        let beside: Vec<String> = snapshots.filter(|stem| !bases.contains(stem)).collect();
        assert_eq!(beside, [format!("{:020}", end.0)]);
        log = bench.open(round % 2 == 0, end).0;
    }
}
