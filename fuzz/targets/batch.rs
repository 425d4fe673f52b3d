//! Record batches of clients: validation by every set of rules, and what a log does with what it was given.
//!
//! ```text
//! input  := (choice of rules, choice, batch)..            the rest is a batch; a choice says whether another follows
//! rules  := 3 bits target | compacted | LogAppendTime | no zstd | small limits | length and checksum are made right
//! choice := low 2 bits: leader epoch | acks | batch is a piece of its own, more follow | coordinator
//! ```
//! A batch that is taken is valid as it stands, holds the records that came, and is read back from the log; one that is refused
//! leaves every file as it was.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use klamm::base::clock::WallMs;
use klamm::base::disk::fault::{Cut, FaultDisk};
use klamm::base::ids::{LeaderEpoch, Offset, Uuid};
use klamm::base::limits::BATCH_HEADER_BYTES;
use klamm::log::{Acknowledge, Append, Log, LogConfig, OpenOptions, Origin, Upper};
use klamm::record::batch::{BatchHeader, ValidBatch, crc_matches};
use klamm::record::compression::{Codec, Compression};
use klamm::record::records::{self, RecordsFault};
use klamm::record::validate::{Refusal, Rules, Target, TimestampType, validate};

use super::disk::{files, seal};
use super::{Input, bounded};

const FOLDER: &str = "/data/topic-0";
const NOW: WallMs = WallMs(1_700_000_000_000);
const BATCHES_MAX: usize = 8;
/// Of decoded records that are compared.
const PLAIN_BYTES_MAX: usize = 4 << 20;
/// Decoder and window of a compressed batch.
const DECODING_BYTES: usize = 192 * 1024;
/// An encoder's own memory, as far as it is Rust's: deflate's tables, snappy's.
const ENCODING_BYTES: usize = 512 * 1024;

pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut house = House::new();
    for _ in 0..BATCHES_MAX {
        let (choice, how) = (input.byte(), input.byte());
        let more = how & 8 != 0;
        let mut batch = if more { input.piece() } else { std::mem::take(&mut input).rest() }.to_vec();
        if choice & 0x80 != 0 {
            seal(&mut batch);
        }
        if let Some(valid) = check_validate(Bytes::from(batch), &rules(choice)) {
            house.append(&valid, how);
        }
        if !more || input.is_empty() {
            break;
        }
    }
    house.reopen();
}

fn rules(choice: u8) -> Rules {
    let is = |bit: u8| choice & bit != 0;
    let target = match choice & 7 {
        0 | 6 | 7 => Target::Producer,
        codec => Target::Always(Compression::of(Codec::ALL[usize::from(codec) - 1])),
    };
    Rules {
        max_message_bytes: if is(0x40) { 600 } else { 1 << 20 },
        timestamp_type: if is(0x10) { TimestampType::LogAppendTime } else { TimestampType::CreateTime },
        timestamp_before_max_ms: if is(0x40) { 3_600_000 } else { i64::MAX },
        timestamp_after_max_ms: 3_600_000,
        keys_required: is(0x08),
        target,
        decompressed_max_bytes: if is(0x40) { 200 } else { 1 << 20 },
        batch_decompressed_max_bytes: if is(0x40) { 4_000 } else { 64 << 20 },
        compressed_unread: false,
        zstd_allowed: !is(0x20),
        now: NOW,
    }
}

/// Heap that a validation may hold beyond its share of the input.
fn heap_bytes(bytes: &[u8], rules: &Rules) -> usize {
    let is_compressed = bytes.get(22).is_some_and(|attributes| attributes & 7 != 0);
    let recodes = rules.target != Target::Producer;
    let decoding = if is_compressed { DECODING_BYTES } else { 0 };
    // What is written anew is bounded by what may be appended; a growing vector holds its old half meanwhile.
    decoding + if recodes { ENCODING_BYTES + 3 * rules.max_message_bytes } else { 0 }
}

fn check_validate(bytes: Bytes, rules: &Rules) -> Option<ValidBatch> {
    let heap_bytes = heap_bytes(&bytes, rules);
    let valid = match bounded(bytes.len(), heap_bytes, "validate", || validate(bytes.clone(), rules)) {
        Ok(valid) => valid,
        Err(refusal) => {
            check_refusal(&refusal);
            return None;
        }
    };
    let header = valid.header();
    let written = valid.to_bytes(Offset(0), header.leader_epoch);
    assert_eq!(written.len(), header.size_bytes);
    assert!(written.len() <= rules.max_message_bytes, "{} bytes are more than allowed", written.len());
    assert!(crc_matches(&written), "a valid batch has a right checksum");
    assert_eq!(BatchHeader::parse(&written).as_ref(), Ok(header));
    if let Target::Always(compression) = rules.target {
        assert_eq!(header.attributes.codec(), Some(compression.codec()));
    }
    let came = BatchHeader::parse(&bytes).expect("it was valid");
    let (before, after) = (records_of(&came, &bytes), records_of(header, &written));
    if let (Some(before), Some(after)) = (before, after) {
        assert_eq!(before.len(), usize::try_from(header.record_count).expect("a count"));
        assert_same(&before, &after, rules);
    }
    if rules.timestamp_type == TimestampType::CreateTime {
        // A broker writes zstd for clients that may not send it.
        let again = Rules { zstd_allowed: true, ..*rules };
        let again = validate(written, &again).expect("what is valid is valid again");
        assert_eq!(again, valid);
    }
    Some(valid)
}

fn check_refusal(refusal: &Refusal) {
    assert!(!refusal.to_string().is_empty());
    for error in refusal.record_errors() {
        assert!(error.batch_index >= 0 && !error.fault.to_string().is_empty());
    }
}

/// Offset, timestamp, key, value, headers.
type Record = (i64, i64, Option<Vec<u8>>, Option<Vec<u8>>, Vec<(Vec<u8>, Option<Vec<u8>>)>);

/// The records of a valid batch; `None` if they are too many to be compared.
fn records_of(header: &BatchHeader, batch: &[u8]) -> Option<Vec<Record>> {
    let body = Bytes::copy_from_slice(&batch[BATCH_HEADER_BYTES..]);
    let plain = match records::decode(header, &body, PLAIN_BYTES_MAX) {
        Err(RecordsFault::TooLarge { .. }) => return None,
        plain => plain.expect("a valid batch can be decoded"),
    };
    let owned = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
    let record = |record: records::Record<'_>| {
        let headers = record.headers.map(|header| (header.key.to_vec(), owned(header.value))).collect();
        (record.offset.0, record.timestamp, owned(record.key), owned(record.value), headers)
    };
    Some(
        records::iterate(header, &plain).map(|found| record(found.expect("a valid batch has valid records"))).collect(),
    )
}

fn assert_same(before: &[Record], after: &[Record], rules: &Rules) {
    assert_eq!(before.len(), after.len());
    for (before, after) in before.iter().zip(after) {
        assert_eq!((before.0, &before.2, &before.3, &before.4), (after.0, &after.2, &after.3, &after.4));
        match rules.timestamp_type {
            TimestampType::CreateTime => assert_eq!(before.1, after.1),
            TimestampType::LogAppendTime => assert_eq!(after.1, NOW.0),
        }
    }
}

/// A log on a simulated disk, and what it must hold.
struct House {
    disk: FaultDisk,
    log: Log,
    config: Arc<LogConfig>,
    /// Base offset and bytes of each batch.
    appended: Vec<(Offset, Bytes)>,
}

impl House {
    fn new() -> House {
        let config = Arc::new(LogConfig { segment_bytes: 2_000, index_interval_bytes: 100, ..LogConfig::default() });
        let disk = FaultDisk::new().with_folder(Path::new("/data"));
        let log = Log::create(disk.shared(), Path::new(FOLDER), Uuid([7; 16]), config.clone(), NOW).expect("created");
        House { disk, log, config, appended: Vec::new() }
    }

    fn append(&mut self, valid: &ValidBatch, how: u8) {
        let leader_epoch = LeaderEpoch(i32::from(how & 3));
        let acknowledge = if how & 4 != 0 { Acknowledge::Durable } else { Acknowledge::Written };
        let origin = if how & 16 != 0 { Origin::Coordinator } else { Origin::Client };
        let before = files(&self.disk, Path::new(FOLDER));
        let end = self.log.end();
        match self.log.append(valid, &Append { leader_epoch, acknowledge, origin, now: NOW }) {
            Ok(appended) if appended.duplicate => {
                assert!(appended.last_offset < end, "a duplicate is there");
                assert_eq!(files(&self.disk, Path::new(FOLDER)), before);
            }
            Ok(appended) => {
                assert_eq!(appended.base_offset, end);
                assert_eq!(self.log.end(), appended.last_offset.plus(1));
                self.appended.push((end, valid.to_bytes(end, leader_epoch)));
            }
            Err(error) => {
                assert!(!error.to_string().is_empty());
                assert_eq!(self.log.end(), end, "{error}");
                assert!(files(&self.disk, Path::new(FOLDER)) == before, "a refused batch changed a file: {error}");
                assert!(self.log.reader().poisoned().is_none(), "a refused batch poisoned the log: {error}");
            }
        }
        self.compare(&self.log);
    }

    /// Every batch is there, byte for byte.
    fn compare(&self, log: &Log) {
        for (base, bytes) in &self.appended {
            let slice = log.reader().read(*base, Upper::End, 1, true).expect("a batch that was appended");
            let read = slice.region.read().expect("a disk that works");
            assert!(read == *bytes, "the batch at {base} is not what was appended");
        }
    }

    /// Killed or stopped, the log comes back as it was.
    fn reopen(mut self) {
        if self.appended.is_empty() {
            return;
        }
        let end = self.log.end();
        let killed = self.disk.crash(&Cut::KILL, 0);
        self.log.close().expect("a log that works is closed");
        for (disk, clean) in [(killed, false), (self.disk.fork(), true)] {
            let options = OpenOptions {
                config: self.config.clone(),
                topic_id: Some(Uuid([7; 16])),
                clean,
                recovery_point: if clean { end } else { Offset(0) },
                log_start: Offset(0),
                strict: true,
                named: false,
                now: NOW,
            };
            let (log, recovered) =
                Log::open(disk.shared(), Path::new(FOLDER), &options).expect("what was written opens");
            assert_eq!((log.end(), recovered.cut_at, recovered.corrupt_at), (end, None, None), "clean: {clean}");
            assert_eq!(log.last_stable_offset(), self.log.last_stable_offset(), "clean: {clean}");
            self.compare(&log);
        }
    }
}
