//! The batches of a metadata log or snapshot: walked in a file, read into records, made from records.
//!
//! Does not know what a record means, nor where a batch goes.

use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::record::Record;
use crate::base::clock::WallMs;
use crate::base::disk::DiskFile;
use crate::base::ids::Offset;
use crate::base::limits::BATCH_HEADER_BYTES;
use crate::codec::DecodeError;
use crate::record::batch::{BatchHeader, ValidBatch, crc_matches};
use crate::record::builder::{BatchBuilder, NewRecord};
use crate::record::compression::Compression;
use crate::record::control::ControlRecord;
use crate::record::records::{RecordsFault, decode, iterate};

/// Bytes read from a file at a time.
const READ_BYTES: usize = 1 << 20;

/// Plain bytes of one batch. Kafka's controller writes at most 8 MiB.
const BATCH_BYTES_MAX: usize = 256 << 20;

/// What a batch holds.
pub(super) enum Contents {
    Control(Vec<ControlRecord>),
    Data(Vec<Record>),
}

/// Why a batch with a right checksum does not make sense.
#[derive(Debug, thiserror::Error)]
pub enum ContentsFault {
    #[error("{0}")]
    Batch(#[from] RecordsFault),
    #[error("record at offset {offset}: {fault}")]
    Record { offset: Offset, fault: DecodeError },
    #[error("record at offset {offset} has no value")]
    NoValue { offset: Offset },
}

/// Reads the records of a batch.
pub(super) fn contents(header: &BatchHeader, batch: &Bytes) -> Result<Contents, ContentsFault> {
    let plain = decode(header, &batch.slice(BATCH_HEADER_BYTES..), BATCH_BYTES_MAX)?;
    let is_control = header.attributes.is_control();
    let (mut control, mut data) = (Vec::new(), Vec::new());
    for record in iterate(header, &plain) {
        let record = record?;
        let offset = record.offset;
        let value = record.value.ok_or(ContentsFault::NoValue { offset })?;
        if is_control {
            let key = record.key.unwrap_or_default();
            control.push(ControlRecord::decode(key, value).map_err(|fault| ContentsFault::Record { offset, fault })?);
        } else {
            let value = plain.slice_ref(value);
            data.push(Record::decode(&value).map_err(|fault| ContentsFault::Record { offset, fault })?);
        }
    }
    Ok(if is_control { Contents::Control(control) } else { Contents::Data(data) })
}

/// One batch of these records, in the versions that the level of `metadata.version` allows.
///
/// # Panics
/// If there is no record.
pub(super) fn data_batch(records: &[Record], metadata_version: i16, now: WallMs) -> ValidBatch {
    let mut builder = BatchBuilder::new(Compression::NONE);
    for record in records {
        let value = record.encode(metadata_version);
        builder.append(&NewRecord { timestamp: now.0, value: Some(&value), ..NewRecord::default() });
    }
    builder.build()
}

/// Where a walk stands.
pub(super) enum Step {
    /// A whole batch with a right checksum, behind the one before it.
    Batch(BatchHeader, Bytes),
    /// The file ends behind the last batch.
    End,
    /// What follows is no batch, or one that is out of place.
    Bad,
}

/// Reads batch after batch of one file.
pub(super) struct Walk {
    file: Arc<dyn DiskFile>,
    length: u64,
    /// Of the first byte in `buffer`.
    position: u64,
    buffer: Bytes,
    expected: Offset,
}

impl Walk {
    /// A walk from the start of `file`, whose first batch begins at `expected`. Offsets have no gaps: nothing compacts these logs.
    pub(super) fn new(file: Arc<dyn DiskFile>, expected: Offset) -> io::Result<Walk> {
        let length = file.length()?;
        Ok(Walk { file, length, position: 0, buffer: Bytes::new(), expected })
    }

    /// Behind the last good batch.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Behind the last record of the last good batch.
    pub(super) fn next_offset(&self) -> Offset {
        self.expected
    }

    /// The next batch.
    pub(super) fn step(&mut self) -> io::Result<Step> {
        if self.position == self.length {
            return Ok(Step::End);
        }
        if !self.fill(BATCH_HEADER_BYTES)? {
            return Ok(Step::Bad);
        }
        let Ok(header) = BatchHeader::parse(&self.buffer[..BATCH_HEADER_BYTES]) else { return Ok(Step::Bad) };
        if header.base_offset != self.expected || !self.fill(header.size_bytes)? {
            return Ok(Step::Bad);
        }
        let batch = self.buffer.slice(..header.size_bytes);
        if !crc_matches(&batch) {
            return Ok(Step::Bad);
        }
        self.buffer = self.buffer.slice(header.size_bytes..);
        self.position += header.size_bytes as u64;
        self.expected = header.next_offset();
        Ok(Step::Batch(header, batch))
    }

    /// True if a whole later batch lies anywhere behind a bad place: that is damage, not a torn tail.
    pub(super) fn finds_batch_behind(&self) -> io::Result<bool> {
        let rest = usize::try_from(self.length - self.position).map_err(io::Error::other)?;
        let mut tail = vec![0; rest];
        self.file.read_exact_at(&mut tail, self.position)?;
        Ok((1..tail.len()).any(|at| is_batch(&tail[at..], self.expected)))
    }

    /// Makes at least `count` bytes available; false if the file has fewer.
    fn fill(&mut self, count: usize) -> io::Result<bool> {
        if self.buffer.len() >= count {
            return Ok(true);
        }
        let left = self.length - self.position;
        if left < count as u64 {
            return Ok(false);
        }
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(count.max(READ_BYTES));
        let have = self.buffer.len();
        let mut buffer = BytesMut::zeroed(wanted);
        buffer[..have].copy_from_slice(&self.buffer);
        self.file.read_exact_at(&mut buffer[have..], self.position + have as u64)?;
        self.buffer = buffer.freeze();
        Ok(true)
    }
}

fn is_batch(bytes: &[u8], after: Offset) -> bool {
    if bytes.get(16) != Some(&2) {
        return false;
    }
    let Some(head) = bytes.get(..BATCH_HEADER_BYTES) else { return false };
    let Ok(header) = BatchHeader::parse(head) else { return false };
    header.base_offset > after && bytes.get(..header.size_bytes).is_some_and(crc_matches)
}
