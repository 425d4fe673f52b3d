//! What can go wrong in a log, one variant per thing that a caller treats differently.

use std::io;

use crate::base::ids::{LeaderEpoch, Offset, TopicId};

/// Why a log did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The producer skipped a sequence number.
    #[error("sequence {found} after {expected_after} is out of order for producer {producer_id}")]
    OutOfOrderSequence { producer_id: i64, expected_after: i32, found: i32 },
    /// The batch's producer epoch is below the last one seen.
    #[error("epoch {found} of producer {producer_id} is below {current}")]
    InvalidProducerEpoch { producer_id: i64, current: i16, found: i16 },
    /// The marker comes from an older transaction coordinator.
    #[error("coordinator epoch {found} is below {current}")]
    CoordinatorFenced { current: i32, found: i32 },
    /// A batch without a transaction from a producer that has one open.
    #[error("producer {producer_id} has a transaction open and sent a batch outside it")]
    InvalidTransactionState { producer_id: i64 },
    /// The batch is larger than a segment may be.
    #[error("batch of {size_bytes} bytes does not fit a segment of {segment_bytes}")]
    BatchTooLarge { size_bytes: usize, segment_bytes: u32 },
    /// The leader epoch is below the log's.
    #[error("leader epoch {found} is below {current}")]
    StaleLeaderEpoch { current: LeaderEpoch, found: LeaderEpoch },
    /// The offset is not in the log.
    #[error("offset {offset} is outside {log_start}..={end}")]
    OutOfRange { offset: Offset, log_start: Offset, end: Offset },
    /// There is no offset left to give out, or the batch's own counts are impossible.
    #[error("offsets are exhausted")]
    OffsetsExhausted,
    /// No room on the disk, or for another open file. Nothing was appended; the next request may succeed.
    #[error("no space left on the disk, or too many open files")]
    NoSpace,
    /// An earlier write or sync failed. Refused until restart; durable data is still read.
    #[error("log refuses writes until restart: {reason}")]
    Poisoned { reason: String },
    /// Bytes that were durable are not valid any more at this offset. What lies below is served.
    #[error("log is corrupt at offset {at}")]
    Corrupt { at: Offset },
    /// The folder belongs to a topic with another id.
    #[error("folder belongs to topic id {found}, not {expected}")]
    OtherTopic { expected: TopicId, found: TopicId },
    /// `recovery.mode = strict` and a tail would have to be cut.
    #[error("strict recovery refuses to cut {bytes} bytes at offset {at}")]
    Strict { at: Offset, bytes: u64 },
    /// The system refused while opening, creating or closing.
    #[error("{doing}: {source}")]
    Io { doing: &'static str, source: io::Error },
}

/// Attaches what was being done to an error of the system.
pub(crate) trait Doing<T> {
    fn doing(self, what: &'static str) -> Result<T, LogError>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, doing: &'static str) -> Result<T, LogError> {
        self.map_err(|source| LogError::Io { doing, source })
    }
}

/// Why a read gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("offset {offset} is outside {log_start}..={end}")]
    OutOfRange { offset: Offset, log_start: Offset, end: Offset },
    /// The bytes at this offset are not a valid batch.
    #[error("log is corrupt at offset {at}")]
    Corrupt { at: Offset },
    #[error("read log: {0}")]
    Io(#[from] io::Error),
}
