//! What a client may append: one batch of a produce request against the rules of its topic.
//!
//! ```text
//! framing, magic -> one batch only -> codec allowed -> base offset 0 -> size -> CRC -> counts, producer, no control
//!   -> every record (compressed ones as a stream) -> header's times, or a new batch in the topic's codec
//! ```
//!
//! With `compressed_unread` the step "every record" is left out for compressed batches: they cost what plain ones do.
//!
//! The order is Kafka's, so that a batch with several faults gets Kafka's answer. A batch that is kept as it came is not copied.
//! Sequences against the producer's state are the log's business.
//!
//! Differs from Kafka: records whose offset deltas are not 0, 1, 2, .. are refused (Kafka accepts them in uncompressed batches and
//! fails with an unknown error in compressed ones); so are batches of the attribute LogAppendTime in any topic, bytes behind the
//! batch, and undecodable records (an unknown error in Kafka).
//!
//! References: Kafka `ProduceRequest.validateRecords`, `UnifiedLog.analyzeAndValidateRecords`, `LogValidator.java`; KIP-467.

use std::io::{self, Write};
use std::ops::ControlFlow;

use bytes::Bytes;

use super::batch::{BatchHeader, HeaderFault, NO_TIMESTAMP, ValidBatch, crc_matches};
use super::compression::{Codec, Compression, Encoder};
use super::records::{Compressed, RecordsFault, Seen, scan_compressed, scan_plain};
use crate::base::clock::WallMs;
use crate::base::ids::{Offset, Sequence};
use crate::base::limits::{BATCH_HEADER_BYTES, RECORD_ERRORS_MAX};

/// Whose time the records of a topic carry (`message.timestamp.type`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TimestampType {
    CreateTime,
    LogAppendTime,
}

/// What a topic's batches are compressed with (`compression.type` and the codecs' levels).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// As the producer sent them.
    Producer,
    Always(Compression),
}

/// A topic's rules, and what the request allows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rules {
    /// `max.message.bytes`: of a whole batch, as it came and as it is written.
    pub max_message_bytes: usize,
    pub timestamp_type: TimestampType,
    /// How far records may lie in the past and in the future; CreateTime only.
    pub timestamp_before_max_ms: i64,
    pub timestamp_after_max_ms: i64,
    /// True for compacted topics.
    pub keys_required: bool,
    pub target: Target,
    /// `max.decompressed.message.bytes`: of one record of a compressed batch.
    pub decompressed_max_bytes: usize,
    /// Of all records of a compressed batch together: what bounds the time that a small batch can take.
    pub batch_decompressed_max_bytes: usize,
    /// True if a compressed batch is taken at its header's word and not decompressed (`compressed.validation=header`), where
    /// nothing else asks for its records.
    pub compressed_unread: bool,
    /// False for requests from before zstd (KIP-110).
    pub zstd_allowed: bool,
    pub now: WallMs,
}

/// Why a batch may not be appended. One variant for each answer; the text is the answer's message.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// CORRUPT_MESSAGE.
    #[error("corrupt batch: {0}")]
    Corrupt(HeaderFault),
    /// CORRUPT_MESSAGE.
    #[error("corrupt batch: its CRC does not match its bytes")]
    Crc,
    /// MESSAGE_TOO_LARGE.
    #[error("a batch of {size_bytes} bytes exceeds the maximum of {max_bytes}")]
    TooLarge { size_bytes: usize, max_bytes: usize },
    /// MESSAGE_TOO_LARGE too: the client splits the batch, if it can.
    #[error("a batch of more than {max_bytes} bytes of records when decompressed")]
    Expands { max_bytes: usize },
    /// A message set of magic 0 or 1: UNSUPPORTED_FOR_MESSAGE_FORMAT says what it is; Kafka 4.4 answers INVALID_RECORD.
    #[error("batches of message format {0} are not accepted, only of format 2")]
    OldFormat(u8),
    /// UNSUPPORTED_COMPRESSION_TYPE.
    #[error("codec {0} is not known, or not allowed in this request version")]
    UnsupportedCompression(u8),
    /// INVALID_TIMESTAMP, with the records at fault.
    #[error("invalid timestamp: {}", summary(.0))]
    InvalidTimestamps(Vec<RecordError>),
    /// INVALID_RECORD, with the records at fault.
    #[error("invalid record: {}", summary(.0))]
    InvalidRecords(Vec<RecordError>),
    /// INVALID_RECORD: the batch as a whole.
    #[error(transparent)]
    InvalidBatch(BatchFault),
}

impl Refusal {
    /// The records at fault, at most `RECORD_ERRORS_MAX` (KIP-467).
    pub fn record_errors(&self) -> &[RecordError] {
        match self {
            Refusal::InvalidTimestamps(errors) | Refusal::InvalidRecords(errors) => errors,
            _ => &[],
        }
    }
}

/// What makes a well-framed batch invalid.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BatchFault {
    #[error("the partition's records hold no whole batch")]
    NoBatch,
    #[error("the partition's records hold more than one batch")]
    SeveralBatches,
    #[error("the base offset of an appended batch is 0, not {0}")]
    BaseOffset(Offset),
    #[error("invalid batch: {0}")]
    Counts(HeaderFault),
    #[error("{count} records in a batch of {offsets} offsets")]
    RecordCount { count: i32, offsets: i64 },
    #[error("control records come from the broker only")]
    Control,
    #[error("a batch of a producer id has a sequence, not {0}")]
    Sequence(Sequence),
    #[error("a producer id and an epoch go together, and a transactional batch has both")]
    Producer,
    #[error("record {index} has offset delta {offset_delta}")]
    OffsetDelta { index: i32, offset_delta: i32 },
    #[error("invalid records: {0}")]
    Records(RecordsFault),
}

/// One record at fault.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordError {
    /// The record's index in the batch, from 0.
    pub batch_index: i32,
    pub fault: RecordFault,
}

/// What is wrong with a record. The text is the answer's `batch_index_error_message`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RecordFault {
    #[error("a compacted topic takes no record without a key")]
    NoKey,
    #[error("timestamp {timestamp} is not within {from} and {to}")]
    Timestamp { timestamp: i64, from: i64, to: i64 },
    #[error("a producer does not write batches of LogAppendTime")]
    LogAppendTime,
}

fn summary(errors: &[RecordError]) -> String {
    let first = errors.first().map(|first| format!("; record {}: {}", first.batch_index, first.fault));
    format!("records refused: {}{}", errors.len(), first.unwrap_or_default())
}

/// Checks the records that a produce request has for one partition.
///
/// # Errors
/// A `Refusal`; nothing may be appended.
pub fn validate(bytes: Bytes, rules: &Rules) -> Result<ValidBatch, Refusal> {
    let (header, codec) = check_envelope(&bytes, rules)?;
    let body = bytes.slice(BATCH_HEADER_BYTES..);
    let mut check = Check::new(&header, rules);
    let recoded = match rules.target {
        Target::Always(target) if target.codec() != codec => Some(check.recode(codec, target, &body)?),
        _ if check.is_taken_at_its_word(codec) => {
            check.largest = header.max_timestamp;
            None
        }
        _ => {
            check.scan(codec, &body, None)?;
            None
        }
    };
    let largest = check.finish()?;
    let max_timestamp = match rules.timestamp_type {
        TimestampType::CreateTime => largest,
        TimestampType::LogAppendTime => rules.now.0,
    };
    let log_append_time = rules.timestamp_type == TimestampType::LogAppendTime;
    let mut changed = header;
    changed.max_timestamp = max_timestamp;
    changed.attributes = header.attributes.with_log_append_time(log_append_time);
    let Some((target, sink)) = recoded else {
        return Ok(if changed == header { ValidBatch::new(header, body) } else { ValidBatch::sealed(changed, body) });
    };
    changed.attributes = changed.attributes.with_codec(target.codec()).with_delete_horizon(false);
    changed.size_bytes = BATCH_HEADER_BYTES + sink.total;
    check_size(changed.size_bytes, rules)?;
    Ok(ValidBatch::sealed(changed, Bytes::from(sink.bytes)))
}

/// Everything that is checked before the records are looked at.
fn check_envelope(bytes: &[u8], rules: &Rules) -> Result<(BatchHeader, Codec), Refusal> {
    let invalid = |fault| Err(Refusal::InvalidBatch(fault));
    let header = match BatchHeader::parse_unchecked(bytes) {
        Ok(header) => header,
        Err(HeaderFault::Truncated) => return invalid(BatchFault::NoBatch),
        Err(HeaderFault::OldMagic(magic)) => return Err(Refusal::OldFormat(magic)),
        Err(fault) => return Err(Refusal::Corrupt(fault)),
    };
    match bytes.len() {
        here if here < header.size_bytes => return invalid(BatchFault::NoBatch),
        here if here > header.size_bytes => return invalid(BatchFault::SeveralBatches),
        _ => {}
    }
    let attributes = header.attributes;
    if attributes.codec() == Some(Codec::Zstd) && !rules.zstd_allowed {
        return Err(Refusal::UnsupportedCompression(Codec::Zstd.id()));
    }
    if header.base_offset != Offset::ZERO {
        return invalid(BatchFault::BaseOffset(header.base_offset));
    }
    check_size(header.size_bytes, rules)?;
    if !crc_matches(bytes) {
        return Err(Refusal::Crc);
    }
    let Some(codec) = attributes.codec() else {
        return Err(Refusal::UnsupportedCompression(attributes.codec_id()));
    };
    header.check_ranges().map_err(|fault| Refusal::InvalidBatch(BatchFault::Counts(fault)))?;
    let offsets = i64::from(header.last_offset_delta) + 1;
    if i64::from(header.record_count) != offsets {
        return invalid(BatchFault::RecordCount { count: header.record_count, offsets });
    }
    if attributes.is_control() {
        return invalid(BatchFault::Control);
    }
    if header.has_producer() {
        if header.base_sequence.0 < 0 {
            return invalid(BatchFault::Sequence(header.base_sequence));
        }
        if header.producer_epoch.0 < 0 {
            return invalid(BatchFault::Producer);
        }
    } else if attributes.is_transactional() {
        return invalid(BatchFault::Producer);
    }
    Ok((header, codec))
}

fn check_size(size_bytes: usize, rules: &Rules) -> Result<(), Refusal> {
    let max_bytes = rules.max_message_bytes;
    if size_bytes > max_bytes { Err(Refusal::TooLarge { size_bytes, max_bytes }) } else { Ok(()) }
}

/// The walk over a batch's records.
struct Check<'a> {
    header: &'a BatchHeader,
    rules: &'a Rules,
    /// The times that a record may have. Kafka's sums, saturating where Kafka's would wrap.
    earliest: i64,
    latest: i64,
    index: i32,
    /// True if every record is at fault for its batch's attributes.
    log_append_time: bool,
    /// Largest time of the records.
    largest: i64,
    bad_delta: Option<i32>,
    timestamp_at_fault: bool,
    errors: Vec<RecordError>,
}

impl<'a> Check<'a> {
    fn new(header: &'a BatchHeader, rules: &'a Rules) -> Check<'a> {
        let (earliest, latest) = match rules.timestamp_type {
            TimestampType::CreateTime => (
                rules.now.0.saturating_sub(rules.timestamp_before_max_ms),
                rules.now.0.saturating_add(rules.timestamp_after_max_ms),
            ),
            TimestampType::LogAppendTime => (i64::MIN, i64::MAX),
        };
        Check {
            header,
            rules,
            earliest,
            latest,
            index: 0,
            log_append_time: header.attributes.is_log_append_time(),
            largest: NO_TIMESTAMP,
            bad_delta: None,
            timestamp_at_fault: false,
            errors: Vec::new(),
        }
    }

    /// True if the header alone decides. A batch whose header is at fault is read all the same: the answer names the records.
    fn is_taken_at_its_word(&self, codec: Codec) -> bool {
        let times = self.earliest..=self.latest;
        self.rules.compressed_unread
            && codec != Codec::None
            && !self.rules.keys_required
            && !self.log_append_time
            && times.contains(&self.header.base_timestamp)
            && times.contains(&self.header.max_timestamp)
    }

    /// Walks all records; `copy` gets the plain bytes of a compressed body.
    fn scan<'b>(&mut self, codec: Codec, body: &'b [u8], copy: Option<&'b mut dyn Write>) -> Result<(), Refusal> {
        let count = self.header.record_count;
        let result = if codec == Codec::None {
            scan_plain(count, body, |seen| self.visit(seen))
        } else {
            let record_bytes_max = self.rules.decompressed_max_bytes;
            let bytes_max = self.rules.batch_decompressed_max_bytes;
            scan_compressed(count, Compressed { codec, body, record_bytes_max, bytes_max, copy }, |seen| {
                self.visit(seen)
            })
        };
        result.map_err(|fault| match fault {
            RecordsFault::BatchTooLarge { max_bytes } => Refusal::Expands { max_bytes },
            fault => Refusal::InvalidBatch(BatchFault::Records(fault)),
        })?;
        match self.bad_delta {
            Some(offset_delta) => {
                Err(Refusal::InvalidBatch(BatchFault::OffsetDelta { index: self.index, offset_delta }))
            }
            None => Ok(()),
        }
    }

    /// Walks all records and writes them anew in another codec.
    fn recode(
        &mut self,
        codec: Codec,
        target: Compression,
        body: &[u8],
    ) -> Result<(Compression, BoundedSink), Refusal> {
        let undecodable =
            |error: io::Error| Refusal::InvalidBatch(BatchFault::Records(RecordsFault::Undecodable(error.to_string())));
        let limit = self.rules.max_message_bytes.saturating_sub(BATCH_HEADER_BYTES);
        let mut encoder =
            Encoder::new(target, BoundedSink { bytes: Vec::new(), total: 0, limit }).map_err(undecodable)?;
        if codec == Codec::None {
            self.scan(codec, body, None)?;
            encoder.write_all(body).map_err(undecodable)?;
        } else {
            self.scan(codec, body, Some(&mut encoder))?;
        }
        Ok((target, encoder.finish().map_err(undecodable)?))
    }

    #[inline]
    fn visit(&mut self, seen: Seen) -> ControlFlow<()> {
        if seen.offset_delta != self.index {
            self.bad_delta = Some(seen.offset_delta);
            return ControlFlow::Break(());
        }
        let timestamp = seen.timestamp(self.header);
        self.largest = self.largest.max(timestamp);
        let in_range = self.earliest <= timestamp && timestamp <= self.latest || timestamp == NO_TIMESTAMP;
        if !in_range || !seen.has_key && self.rules.keys_required || self.log_append_time {
            self.fault(timestamp, seen.has_key);
        }
        self.index += 1;
        ControlFlow::Continue(())
    }

    #[cold]
    fn fault(&mut self, timestamp: i64, has_key: bool) {
        let fault = if !has_key && self.rules.keys_required {
            RecordFault::NoKey
        } else if self.log_append_time {
            RecordFault::LogAppendTime
        } else {
            RecordFault::Timestamp { timestamp, from: self.earliest, to: self.latest }
        };
        self.timestamp_at_fault |= fault != RecordFault::NoKey;
        if self.errors.len() < RECORD_ERRORS_MAX {
            self.errors.push(RecordError { batch_index: self.index, fault });
        }
    }

    /// The largest timestamp of the records, if none is at fault.
    fn finish(self) -> Result<i64, Refusal> {
        match (self.errors.is_empty(), self.timestamp_at_fault) {
            (true, _) => Ok(self.largest),
            (false, true) => Err(Refusal::InvalidTimestamps(self.errors)),
            (false, false) => Err(Refusal::InvalidRecords(self.errors)),
        }
    }
}

/// Keeps what may be appended and counts the rest: a batch of some MiB can decode to many GiB.
struct BoundedSink {
    bytes: Vec<u8>,
    total: usize,
    limit: usize,
}

impl Write for BoundedSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.total = self.total.saturating_add(bytes.len());
        if self.total <= self.limit {
            self.bytes.extend_from_slice(bytes);
        } else {
            self.bytes = Vec::new();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
