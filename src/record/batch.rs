//! A record batch's header, and the batch that may be appended. Reads no records and decompresses nothing.
//!
//! ```text
//! at  0  i64 base offset       21  u16 attributes           51  i16 producer epoch
//!     8  i32 length behind it  23  i32 last offset delta    53  i32 base sequence
//!    12  i32 leader epoch      27  i64 base timestamp       57  i32 record count
//!    16  u8  magic             35  i64 max timestamp        61  records, compressed if at all
//!    17  u32 CRC-32C of 21..   43  i64 producer id
//! ```
//!
//! References: Kafka `DefaultRecordBatch.java`, KIP-98, KIP-32 (timestamps).

use bytes::{Bytes, BytesMut};

use super::compression::Codec;
use crate::base::ids::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence};
use crate::base::limits::BATCH_HEADER_BYTES;

/// Base offset and length: what lies before the bytes that the length counts.
pub const LENGTH_OVERHEAD_BYTES: usize = 12;
/// Where the CRC's range begins.
const CRC_FROM: usize = 21;
const MAGIC: u8 = 2;
const MAGIC_AT: usize = 16;
/// The smallest legal value of the length field: a header without records.
const LENGTH_MIN: i32 = 49;

/// The timestamp of a record that has none.
pub const NO_TIMESTAMP: i64 = -1;

/// The 16 attribute bits of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Attributes(pub u16);

impl Attributes {
    const CODEC: u16 = 0b111;
    const LOG_APPEND_TIME: u16 = 1 << 3;
    const TRANSACTIONAL: u16 = 1 << 4;
    const CONTROL: u16 = 1 << 5;
    const DELETE_HORIZON: u16 = 1 << 6;

    /// Attributes of a batch of this codec and nothing else.
    pub fn of(codec: Codec) -> Attributes {
        Attributes(u16::from(codec.id()))
    }

    /// The codec, `None` for the ids 5 to 7 that mean nothing yet.
    pub fn codec(self) -> Option<Codec> {
        Codec::from_id(self.codec_id())
    }

    /// The codec's number as written, 0 to 7.
    pub fn codec_id(self) -> u8 {
        (self.0 & Self::CODEC) as u8
    }

    /// True if every record's time is the header's max timestamp.
    pub fn is_log_append_time(self) -> bool {
        self.0 & Self::LOG_APPEND_TIME != 0
    }

    pub fn is_transactional(self) -> bool {
        self.0 & Self::TRANSACTIONAL != 0
    }

    pub fn is_control(self) -> bool {
        self.0 & Self::CONTROL != 0
    }

    /// True if the base timestamp holds the time from which tombstones and markers may go (KIP-534).
    pub fn has_delete_horizon(self) -> bool {
        self.0 & Self::DELETE_HORIZON != 0
    }

    #[must_use]
    pub fn with_codec(self, codec: Codec) -> Attributes {
        Attributes(self.0 & !Self::CODEC | u16::from(codec.id()))
    }

    #[must_use]
    pub fn with_log_append_time(self, on: bool) -> Attributes {
        self.with(Self::LOG_APPEND_TIME, on)
    }

    #[must_use]
    pub fn with_transactional(self, on: bool) -> Attributes {
        self.with(Self::TRANSACTIONAL, on)
    }

    #[must_use]
    pub fn with_control(self, on: bool) -> Attributes {
        self.with(Self::CONTROL, on)
    }

    #[must_use]
    pub fn with_delete_horizon(self, on: bool) -> Attributes {
        self.with(Self::DELETE_HORIZON, on)
    }

    fn with(self, bit: u16, on: bool) -> Attributes {
        Attributes(if on { self.0 | bit } else { self.0 & !bit })
    }
}

/// Why bytes are not the header of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HeaderFault {
    #[error("fewer bytes than a batch header")]
    Truncated,
    #[error("batch length {0} is below {LENGTH_MIN}")]
    Length(i32),
    /// Magic 0 or 1: a message set as clients wrote it before Kafka 0.11.
    #[error("message format {0} is no longer supported")]
    OldMagic(u8),
    #[error("unknown batch magic {0}")]
    Magic(u8),
    #[error("base offset {base} and last offset delta {delta} are no range of offsets")]
    OffsetRange { base: i64, delta: i32 },
    #[error("record count {count} does not fit last offset delta {delta}")]
    RecordCount { count: i32, delta: i32 },
}

/// The header of a batch, as it stands in a file or came from a client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchHeader {
    pub base_offset: Offset,
    /// Bytes of the whole batch, header included.
    pub size_bytes: usize,
    pub leader_epoch: LeaderEpoch,
    pub magic: u8,
    pub crc: u32,
    pub attributes: Attributes,
    pub last_offset_delta: i32,
    /// Of the first record; the delete horizon if the attributes say so. Record times are relative to it either way.
    pub base_timestamp: i64,
    pub max_timestamp: i64,
    pub producer_id: ProducerId,
    pub producer_epoch: ProducerEpoch,
    pub base_sequence: Sequence,
    /// 0 in a batch that compaction emptied.
    pub record_count: i32,
}

impl BatchHeader {
    /// Reads the header at the start of `bytes` and checks all that can be known without the records.
    ///
    /// The records may be missing; `size_bytes` says how many bytes the batch claims. The CRC is not checked (`crc_matches`).
    ///
    /// # Errors
    /// `Truncated` if fewer than 61 bytes are here and what is here is not yet wrong; others as they say.
    pub fn parse(bytes: &[u8]) -> Result<BatchHeader, HeaderFault> {
        let header = BatchHeader::parse_unchecked(bytes)?;
        header.check_ranges()?;
        Ok(header)
    }

    /// Reads the header without a look at offsets and counts, which mean nothing before the CRC was checked.
    pub(super) fn parse_unchecked(bytes: &[u8]) -> Result<BatchHeader, HeaderFault> {
        let length = check_framing(bytes)?;
        let head = bytes.first_chunk::<BATCH_HEADER_BYTES>().ok_or(HeaderFault::Truncated)?;
        let length = usize::try_from(length).map_err(|_| HeaderFault::Length(length))?;
        Ok(BatchHeader {
            base_offset: Offset(i64::from_be_bytes(field(head, 0))),
            size_bytes: LENGTH_OVERHEAD_BYTES + length,
            leader_epoch: LeaderEpoch(i32::from_be_bytes(field(head, 12))),
            magic: head[MAGIC_AT],
            crc: u32::from_be_bytes(field(head, 17)),
            attributes: Attributes(u16::from_be_bytes(field(head, 21))),
            last_offset_delta: i32::from_be_bytes(field(head, 23)),
            base_timestamp: i64::from_be_bytes(field(head, 27)),
            max_timestamp: i64::from_be_bytes(field(head, 35)),
            producer_id: ProducerId(i64::from_be_bytes(field(head, 43))),
            producer_epoch: ProducerEpoch(i16::from_be_bytes(field(head, 51))),
            base_sequence: Sequence(i32::from_be_bytes(field(head, 53))),
            record_count: i32::from_be_bytes(field(head, 57)),
        })
    }

    pub(super) fn check_ranges(&self) -> Result<(), HeaderFault> {
        let (base, delta, count) = (self.base_offset.0, self.last_offset_delta, self.record_count);
        if base < 0 || delta < 0 || base.checked_add(i64::from(delta) + 1).is_none() {
            return Err(HeaderFault::OffsetRange { base, delta });
        }
        if count < 0 || i64::from(count) > i64::from(delta) + 1 {
            return Err(HeaderFault::RecordCount { count, delta });
        }
        Ok(())
    }

    /// Offset of the last record, of the last that was there before compaction.
    pub fn last_offset(&self) -> Offset {
        Offset(self.base_offset.0.saturating_add(i64::from(self.last_offset_delta)))
    }

    /// The offset behind the batch.
    pub fn next_offset(&self) -> Offset {
        Offset(self.last_offset().0.saturating_add(1))
    }

    /// Sequence of the last record; none if the base sequence is none.
    pub fn last_sequence(&self) -> Sequence {
        if self.base_sequence.0 < 0 { Sequence::NONE } else { self.base_sequence.plus(self.last_offset_delta) }
    }

    /// True if an idempotent or transactional producer wrote it.
    pub fn has_producer(&self) -> bool {
        self.producer_id > ProducerId::NONE
    }

    /// The header's 61 bytes, with the CRC as it stands in `self`.
    pub fn to_bytes(&self) -> [u8; BATCH_HEADER_BYTES] {
        let mut head = [0; BATCH_HEADER_BYTES];
        let length = i32::try_from(self.size_bytes - LENGTH_OVERHEAD_BYTES).expect("a batch is at most 2 GiB");
        put(&mut head, 0, self.base_offset.0.to_be_bytes());
        put(&mut head, 8, length.to_be_bytes());
        put(&mut head, 12, self.leader_epoch.0.to_be_bytes());
        head[MAGIC_AT] = self.magic;
        put(&mut head, 17, self.crc.to_be_bytes());
        put(&mut head, 21, self.attributes.0.to_be_bytes());
        put(&mut head, 23, self.last_offset_delta.to_be_bytes());
        put(&mut head, 27, self.base_timestamp.to_be_bytes());
        put(&mut head, 35, self.max_timestamp.to_be_bytes());
        put(&mut head, 43, self.producer_id.0.to_be_bytes());
        put(&mut head, 51, self.producer_epoch.0.to_be_bytes());
        put(&mut head, 53, self.base_sequence.0.to_be_bytes());
        put(&mut head, 57, self.record_count.to_be_bytes());
        head
    }
}

/// Checks length and magic as far as their bytes are here, and returns the length field.
fn check_framing(bytes: &[u8]) -> Result<i32, HeaderFault> {
    let length = bytes.get(8..LENGTH_OVERHEAD_BYTES).and_then(|field| field.first_chunk().copied());
    let length = i32::from_be_bytes(length.ok_or(HeaderFault::Truncated)?);
    // The oldest format is shorter than ours: which format it is comes first.
    match bytes.get(MAGIC_AT) {
        Some(&MAGIC) => {}
        Some(&old @ (0 | 1)) if length >= 14 => return Err(HeaderFault::OldMagic(old)),
        Some(&other) if length >= 14 => return Err(HeaderFault::Magic(other)),
        Some(_) | None => {}
    }
    if length < LENGTH_MIN { Err(HeaderFault::Length(length)) } else { Ok(length) }
}

fn field<const N: usize>(head: &[u8; BATCH_HEADER_BYTES], at: usize) -> [u8; N] {
    let mut value = [0; N];
    value.copy_from_slice(&head[at..at + N]);
    value
}

fn put<const N: usize>(head: &mut [u8; BATCH_HEADER_BYTES], at: usize, value: [u8; N]) {
    head[at..at + N].copy_from_slice(&value);
}

/// True if the CRC-32C that a whole batch carries is that of its bytes.
pub fn crc_matches(batch: &[u8]) -> bool {
    let (Some(stored), Some(covered)) = (batch.get(17..CRC_FROM), batch.get(CRC_FROM..)) else { return false };
    crc32c::crc32c(covered).to_be_bytes() == *stored
}

/// A batch that may be appended: made by `validate` and `BatchBuilder` only.
///
/// Its base offset and leader epoch are whatever its maker wrote; the append sets them (`patched_header`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ValidBatch {
    header: BatchHeader,
    body: Bytes,
}

impl ValidBatch {
    /// `header` must describe `body`, its CRC included.
    pub(super) fn new(header: BatchHeader, body: Bytes) -> ValidBatch {
        assert_eq!(header.size_bytes, BATCH_HEADER_BYTES + body.len(), "a batch's header knows its size");
        ValidBatch { header, body }
    }

    /// Computes the CRC and puts the batch together.
    pub(super) fn sealed(mut header: BatchHeader, body: Bytes) -> ValidBatch {
        header.crc = crc32c::crc32c_append(crc32c::crc32c(&header.to_bytes()[CRC_FROM..]), &body);
        ValidBatch::new(header, body)
    }

    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// The records, compressed if the attributes say so: the bytes from position 61 on.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The same bytes as `body`, shared.
    pub fn shared_body(&self) -> Bytes {
        self.body.clone()
    }

    /// Bytes of the whole batch, header included.
    pub fn size_bytes(&self) -> usize {
        self.header.size_bytes
    }

    /// The header with the two fields that the append decides. Both lie before the CRC's range.
    pub fn patched_header(&self, base_offset: Offset, leader_epoch: LeaderEpoch) -> [u8; BATCH_HEADER_BYTES] {
        BatchHeader { base_offset, leader_epoch, ..self.header }.to_bytes()
    }

    /// The whole batch in one buffer, copied. For snapshots, tests and tools; the append writes header and body apart.
    pub fn to_bytes(&self, base_offset: Offset, leader_epoch: LeaderEpoch) -> Bytes {
        let mut all = BytesMut::with_capacity(self.size_bytes());
        all.extend_from_slice(&self.patched_header(base_offset, leader_epoch));
        all.extend_from_slice(&self.body);
        all.freeze()
    }
}
