//! Batches that the broker writes itself: the metadata log, coordinators' records, markers, snapshots.
//!
//! Base timestamp, deltas and counts follow Kafka's `MemoryRecordsBuilder.java`.

use bytes::Bytes;

use super::batch::{Attributes, BatchHeader, NO_TIMESTAMP, ValidBatch};
use super::compression::{Codec, Compression, compress};
use super::varint;
use crate::base::ids::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence};
use crate::base::limits::BATCH_HEADER_BYTES;

/// A record to be written. `NewRecord::default()` has no timestamp, key, value or header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NewRecord<'a> {
    pub timestamp: i64,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: &'a [Header<'a>],
}

impl Default for NewRecord<'_> {
    fn default() -> Self {
        NewRecord { timestamp: NO_TIMESTAMP, key: None, value: None, headers: &[] }
    }
}

/// A header of a record. Kafka means the key to be UTF-8 and does not check it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header<'a> {
    pub key: &'a [u8],
    pub value: Option<&'a [u8]>,
}

/// Collects records into one batch.
pub struct BatchBuilder {
    compression: Compression,
    header: BatchHeader,
    plain: Vec<u8>,
}

impl BatchBuilder {
    /// A batch of CreateTime, base offset 0, no producer.
    pub fn new(compression: Compression) -> BatchBuilder {
        let header = BatchHeader {
            base_offset: Offset::ZERO,
            size_bytes: 0,
            leader_epoch: LeaderEpoch::UNKNOWN,
            magic: 2,
            crc: 0,
            attributes: Attributes::of(compression.codec()),
            last_offset_delta: -1,
            base_timestamp: NO_TIMESTAMP,
            max_timestamp: NO_TIMESTAMP,
            producer_id: ProducerId::NONE,
            producer_epoch: ProducerEpoch::NONE,
            base_sequence: Sequence::NONE,
            record_count: 0,
        };
        BatchBuilder { compression, header, plain: Vec::new() }
    }

    /// An uncompressed control batch: markers, leader changes, the frame of a snapshot.
    pub fn control() -> BatchBuilder {
        let mut builder = BatchBuilder::new(Compression::NONE);
        builder.header.attributes = builder.header.attributes.with_control(true);
        builder
    }

    /// The offset of the first record, for readers of the batch itself; an append sets its own.
    #[must_use]
    pub fn base_offset(mut self, offset: Offset) -> BatchBuilder {
        self.header.base_offset = offset;
        self
    }

    /// Writes for an idempotent producer. Markers have no sequence: `Sequence::NONE`.
    #[must_use]
    pub fn producer(mut self, id: ProducerId, epoch: ProducerEpoch, base_sequence: Sequence) -> BatchBuilder {
        self.header.producer_id = id;
        self.header.producer_epoch = epoch;
        self.header.base_sequence = base_sequence;
        self
    }

    #[must_use]
    pub fn transactional(mut self) -> BatchBuilder {
        self.header.attributes = self.header.attributes.with_transactional(true);
        self
    }

    /// Gives every record the time of the append instead of its own (topics of `message.timestamp.type=LogAppendTime`).
    #[must_use]
    pub fn log_append_time(mut self) -> BatchBuilder {
        self.header.attributes = self.header.attributes.with_log_append_time(true);
        self
    }

    pub fn record_count(&self) -> i32 {
        self.header.record_count
    }

    pub fn is_empty(&self) -> bool {
        self.header.record_count == 0
    }

    /// Size of the batch so far, before compression.
    pub fn plain_bytes(&self) -> usize {
        BATCH_HEADER_BYTES + self.plain.len()
    }

    /// Appends a record behind the last one.
    pub fn append(&mut self, record: &NewRecord<'_>) -> &mut BatchBuilder {
        self.append_at(self.header.last_offset_delta + 1, record)
    }

    /// Appends a record at a distance from the base offset: compaction leaves holes.
    ///
    /// # Panics
    /// If the delta does not rise.
    pub fn append_at(&mut self, offset_delta: i32, record: &NewRecord<'_>) -> &mut BatchBuilder {
        assert!(offset_delta > self.header.last_offset_delta, "offset deltas rise");
        if self.header.record_count == 0 {
            self.header.base_timestamp = record.timestamp;
        }
        let timestamp_delta = record.timestamp.wrapping_sub(self.header.base_timestamp);
        put_record(&mut self.plain, timestamp_delta, offset_delta, record);
        self.header.max_timestamp = self.header.max_timestamp.max(record.timestamp);
        self.header.last_offset_delta = offset_delta;
        self.header.record_count += 1;
        self
    }

    /// Ends the batch at a later offset than that of its last record: compaction keeps the range of what it emptied.
    #[must_use]
    pub fn ending_at(mut self, last_offset_delta: i32) -> BatchBuilder {
        assert!(last_offset_delta >= self.header.last_offset_delta, "a batch ends behind its records");
        self.header.last_offset_delta = last_offset_delta;
        self
    }

    /// Compresses and seals the batch.
    ///
    /// # Panics
    /// If it holds no record and was not given an end, or passes 2 GiB.
    pub fn build(mut self) -> ValidBatch {
        assert!(self.header.last_offset_delta >= 0, "a batch covers at least one offset");
        let body = if self.plain.is_empty() {
            // Kafka keeps the codec of an emptied batch and writes no stream at all.
            Vec::new()
        } else {
            match self.compression.codec() {
                Codec::None => self.plain,
                _ => compress(self.compression, &self.plain).expect("compression into memory"),
            }
        };
        self.header.size_bytes = BATCH_HEADER_BYTES + body.len();
        ValidBatch::sealed(self.header, Bytes::from(body))
    }
}

/// Writes one record: length, attributes, deltas, key, value, headers.
fn put_record(out: &mut Vec<u8>, timestamp_delta: i64, offset_delta: i32, record: &NewRecord<'_>) {
    let sized = |bytes: Option<&[u8]>| {
        let length = bytes.map_or(0, <[u8]>::len);
        varint::length(signed_length(bytes)) + length
    };
    let headers: usize = record.headers.iter().map(|h| sized(Some(h.key)) + sized(h.value)).sum();
    let header_count = i64::try_from(record.headers.len()).expect("a count fits");
    let length = 1
        + varint::length(timestamp_delta)
        + varint::length(i64::from(offset_delta))
        + sized(record.key)
        + sized(record.value)
        + varint::length(header_count)
        + headers;
    out.reserve(length + 5);
    varint::put(out, i64::try_from(length).expect("a record is at most 2 GiB"));
    out.push(0);
    varint::put(out, timestamp_delta);
    varint::put(out, i64::from(offset_delta));
    put_sized(out, record.key);
    put_sized(out, record.value);
    varint::put(out, header_count);
    for header in record.headers {
        put_sized(out, Some(header.key));
        put_sized(out, header.value);
    }
}

/// The length written before bytes: -1 for null.
fn signed_length(bytes: Option<&[u8]>) -> i64 {
    bytes.map_or(-1, |bytes| i64::try_from(bytes.len()).expect("a length fits"))
}

fn put_sized(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    varint::put(out, signed_length(bytes));
    out.extend_from_slice(bytes.unwrap_or_default());
}
