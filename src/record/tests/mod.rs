//! What the tests of record batches share: rules, records, and bytes put back in order after a change.

mod compressed;
mod golden;
mod properties;
mod refusals;
mod rewriting;

use bytes::Bytes;

use super::batch::{BatchHeader, ValidBatch};
use super::builder::{BatchBuilder, Header, NewRecord};
use super::compression::{Codec, Compression};
use super::records::{decode, iterate};
use super::validate::{Refusal, Rules, Target, TimestampType, validate};
use crate::base::clock::WallMs;
use crate::base::ids::{LeaderEpoch, Offset};

const NOW: i64 = 1_800_000_000_000;
const NO_LIMIT: usize = 1 << 30;

fn rules() -> Rules {
    Rules {
        max_message_bytes: 1 << 20,
        timestamp_type: TimestampType::CreateTime,
        timestamp_before_max_ms: i64::MAX,
        timestamp_after_max_ms: 3_600_000,
        keys_required: false,
        target: Target::Producer,
        decompressed_max_bytes: i32::MAX as usize,
        batch_decompressed_max_bytes: usize::MAX,
        compressed_unread: false,
        zstd_allowed: true,
        now: WallMs(NOW),
    }
}

/// A record that owns its bytes.
#[derive(Clone, PartialEq, Debug, Default)]
struct Plain {
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

fn keyed(timestamp: i64, key: &str, value: &str) -> Plain {
    Plain { timestamp, key: Some(key.into()), value: Some(value.into()), headers: vec![] }
}

fn build(codec: Codec, records: &[Plain]) -> ValidBatch {
    let mut builder = BatchBuilder::new(Compression::of(codec));
    append_all(&mut builder, records);
    builder.build()
}

fn append_all(builder: &mut BatchBuilder, records: &[Plain]) {
    for record in records {
        let headers: Vec<Header<'_>> =
            record.headers.iter().map(|(key, value)| Header { key, value: value.as_deref() }).collect();
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        builder.append(&NewRecord { timestamp: record.timestamp, key, value, headers: &headers });
    }
}

/// The batch as a producer sends it.
fn sent(batch: &ValidBatch) -> Vec<u8> {
    batch.to_bytes(Offset::ZERO, LeaderEpoch::UNKNOWN).to_vec()
}

fn check(bytes: &[u8], rules: &Rules) -> Result<ValidBatch, Refusal> {
    validate(Bytes::copy_from_slice(bytes), rules)
}

/// Makes length and CRC those of the bytes again.
fn reseal(batch: &mut [u8]) {
    let length = i32::try_from(batch.len() - 12).expect("small");
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    let crc = crc32c::crc32c(&batch[21..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
}

/// A batch with some header bytes replaced and the CRC right.
fn with_field(batch: &[u8], at: usize, value: &[u8]) -> Vec<u8> {
    let mut changed = batch.to_vec();
    changed[at..at + value.len()].copy_from_slice(value);
    reseal(&mut changed);
    changed
}

/// All records of a batch, with the times that a reader sees.
fn read(batch: &ValidBatch) -> Vec<Plain> {
    let plain = decode(batch.header(), &batch.shared_body(), NO_LIMIT).expect("decodable");
    read_plain(batch.header(), &plain)
}

fn read_plain(header: &BatchHeader, plain: &[u8]) -> Vec<Plain> {
    let mut records = Vec::new();
    for (index, record) in iterate(header, plain).enumerate() {
        let record = record.expect("a record");
        assert_eq!(record.offset, Offset(header.base_offset.0 + index as i64));
        let headers = record.headers.map(|h| (h.key.to_vec(), h.value.map(<[u8]>::to_vec))).collect();
        let (key, value) = (record.key.map(<[u8]>::to_vec), record.value.map(<[u8]>::to_vec));
        records.push(Plain { timestamp: record.timestamp, key, value, headers });
    }
    records
}

/// A small generator for tests whose input is random bytes; every failure names its seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}
