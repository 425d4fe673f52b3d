//! The reader's half of a log. Used while an append runs; takes no lock that is held over a write.
//!
//! Published in this order: a new segment, then what is in it, then the end, the high watermark, the last stable offset.
//! A reader takes them in the other order and so never sees an end that its segments lack.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arc_swap::ArcSwap;
use parking_lot::RwLock;

use super::epochs::Epochs;
use super::error::ReadError;
use super::segment::Segment;
use super::txn_index::AbortedTxn;
use super::walk::{Found, Walk, WalkError};
use crate::base::disk::DiskFile;
use crate::base::ids::{LeaderEpoch, Offset};
use crate::base::poison::Poison;
use crate::base::region::FileRegion;

/// Up to where a read may go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Upper {
    /// The log's end: for the broker's own readers.
    End,
    /// What may be acknowledged: for consumers.
    HighWatermark,
    /// What no open transaction holds back: for consumers that read committed.
    LastStable,
}

/// Whole batches, one behind the other, of one segment.
#[derive(Clone, Debug)]
pub struct Slice {
    /// Begins with the batch that holds the offset asked for, which may begin before it. May be empty.
    pub region: FileRegion,
    /// The offset behind the last batch; the offset asked for if the region is empty.
    pub end: Offset,
}

/// A record found by its time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimestampOffset {
    pub timestamp: i64,
    pub offset: Offset,
    pub leader_epoch: LeaderEpoch,
}

/// What readers of one log share with its writer.
pub struct LogReader {
    pub(super) segments: ArcSwap<Vec<Arc<Segment>>>,
    pub(super) epochs: RwLock<Epochs>,
    pub(super) poison: Poison,
    pub(super) log_start: AtomicI64,
    pub(super) end: AtomicI64,
    pub(super) high_watermark: AtomicI64,
    pub(super) last_stable: AtomicI64,
    /// Where durable bytes are not valid; `i64::MAX` if they are.
    pub(super) corrupt_at: AtomicI64,
    /// Reads end here once the log is poisoned: what is not durable may not be what was written.
    pub(super) poisoned_end: AtomicI64,
}

impl LogReader {
    /// The first offset that is there.
    pub fn log_start(&self) -> Offset {
        Offset(self.log_start.load(Ordering::Acquire))
    }

    /// The offset that the next record gets.
    pub fn end(&self) -> Offset {
        Offset(self.end.load(Ordering::Acquire))
    }

    /// Records below it may be acknowledged and read.
    pub fn high_watermark(&self) -> Offset {
        Offset(self.high_watermark.load(Ordering::Acquire))
    }

    /// Records below it belong to no open transaction.
    pub fn last_stable_offset(&self) -> Offset {
        Offset(self.last_stable.load(Ordering::Acquire))
    }

    /// Why the log refuses writes, if it does.
    pub fn poisoned(&self) -> Option<&str> {
        self.poison.reason()
    }

    /// The offset at which bytes that were durable are not valid, if there is one.
    pub fn corrupt_at(&self) -> Option<Offset> {
        Some(Offset(self.corrupt_at.load(Ordering::Acquire))).filter(|at| *at < Offset(i64::MAX))
    }

    /// Bytes of all batches.
    pub fn size_bytes(&self) -> u64 {
        self.segments.load().iter().map(|segment| segment.length()).sum()
    }

    /// Number of segments.
    pub fn segment_count(&self) -> usize {
        self.segments.load().len()
    }

    /// The leader epoch of the record at `offset`.
    pub fn epoch_of(&self, offset: Offset) -> Option<LeaderEpoch> {
        self.epochs.read().of_offset(offset)
    }

    /// The leader epoch of the newest record.
    pub fn latest_epoch(&self) -> Option<LeaderEpoch> {
        self.epochs.read().latest()
    }

    /// The largest epoch not above `asked` and the offset at which it ends (KIP-101). `None` if `asked` is above all known.
    pub fn end_of_epoch(&self, asked: LeaderEpoch) -> Option<(LeaderEpoch, Offset)> {
        self.epochs.read().end_of(asked, self.end())
    }

    /// True if a read of `max_bytes` from `from` is likely to find its batches without waiting for the disk: at the end, among
    /// the newest batches, or where indexes and pages are in memory. Asks the system, at most, what it has cached.
    pub fn is_at_hand(&self, from: Offset, max_bytes: usize) -> bool {
        let segments = self.segments.load();
        if from >= self.high_watermark() || segments.last().is_some_and(|last| last.recent_start(from).is_some()) {
            return true;
        }
        let first = segments.partition_point(|segment| segment.base() <= from).saturating_sub(1);
        segments.get(first).is_some_and(|segment| segment.is_cached(from, max_bytes))
    }

    /// Finds whole batches from the one that holds `from` on: at most `max_bytes` of one segment, below `upper`.
    ///
    /// If the first batch alone is larger, it is returned all the same when `at_least_one`, and nothing otherwise. Between
    /// the upper bound and the log's end the slice is empty. Record bytes are not read.
    ///
    /// # Errors
    /// `OutOfRange` below the log's start and above its end. `Corrupt` where no valid batch is. `Io`.
    pub fn read(&self, from: Offset, upper: Upper, max_bytes: usize, at_least_one: bool) -> Result<Slice, ReadError> {
        let end = self.end();
        let bound = match upper {
            Upper::End => end,
            Upper::HighWatermark => self.high_watermark(),
            Upper::LastStable => self.last_stable_offset(),
        };
        let bound = bound.min(Offset(self.poisoned_end.load(Ordering::Acquire)));
        self.check_range(from, end)?;
        if self.corrupt_at().is_some_and(|at| from >= at) {
            return Err(ReadError::Corrupt { at: from });
        }
        if from >= bound {
            return Ok(empty(from));
        }
        let segments = self.segments.load();
        let first = segments.partition_point(|segment| segment.base() <= from).saturating_sub(1);
        let tail = segments[first].recent_run(from, bound, max_bytes);
        if let Some((position, stop, tail_end)) = tail {
            let length = usize::try_from(stop - position).map_err(std::io::Error::other)?;
            let file = segments[first].file().map_err(|error| self.read_error(error.into(), from, end))?;
            return Ok(Slice { region: FileRegion { file, position, length }, end: tail_end });
        }
        for segment in &segments[first..] {
            let found = segment.find(from).map_err(|error| self.read_error(error, from, end))?;
            let Some(found) = found else { continue };
            if found.header.last_offset() >= bound || (!at_least_one && found.header.size_bytes > max_bytes) {
                return Ok(empty(from));
            }
            let cut = cut(segment, &found, bound, max_bytes).map_err(|error| self.read_error(error, from, end))?;
            let length = usize::try_from(cut.position - found.position).map_err(std::io::Error::other)?;
            let file = segment.file().map_err(|error| self.read_error(error.into(), from, end))?;
            let region = FileRegion { file, position: found.position, length };
            return Ok(Slice { region, end: cut.end });
        }
        Ok(empty(from))
    }

    fn check_range(&self, from: Offset, end: Offset) -> Result<(), ReadError> {
        let log_start = self.log_start();
        if from < log_start || from > end {
            return Err(ReadError::OutOfRange { offset: from, log_start, end });
        }
        Ok(())
    }

    fn read_error(&self, error: WalkError, from: Offset, end: Offset) -> ReadError {
        match error {
            WalkError::Bad { .. } => ReadError::Corrupt { at: from },
            // The segment was removed under us: then the log's start has moved.
            WalkError::Io(error) => match self.check_range(from, end) {
                Err(out_of_range) => out_of_range,
                Ok(()) => ReadError::Io(error),
            },
        }
    }

    /// The aborted transactions that a reader of `[from, to)` must know, by first offset.
    ///
    /// # Errors
    /// `Io`.
    pub fn aborted(&self, from: Offset, to: Offset) -> Result<Vec<AbortedTxn>, ReadError> {
        let mut result = Vec::new();
        let segments = self.segments.load();
        let first = segments.partition_point(|segment| segment.base() <= from).saturating_sub(1);
        for segment in &segments[first..] {
            for entry in segment.aborted()? {
                if entry.last_offset >= from && entry.first_offset < to {
                    result.push(entry);
                }
                if entry.last_stable_offset >= to {
                    return Ok(result);
                }
            }
        }
        Ok(result)
    }

    /// The first record at or after the log's start whose time is not before `timestamp`.
    ///
    /// Reads and, where need be, decompresses one batch.
    ///
    /// # Errors
    /// `Corrupt`, `Io`.
    pub fn offset_for_timestamp(&self, timestamp: i64) -> Result<Option<TimestampOffset>, ReadError> {
        let start = self.log_start();
        for segment in self.segments.load().iter() {
            let fault = |error| self.read_error(error, segment.base(), self.end());
            if segment.end() <= start || segment.length() == 0 {
                continue;
            }
            if segment.largest_timestamp().map_err(fault)?.is_none_or(|(largest, _)| largest < timestamp) {
                continue;
            }
            let found = segment.find_timestamp(timestamp, start).map_err(fault)?;
            if let Some(record) =
                found.map(|found| self.record_at(segment, &found, timestamp, start)).transpose()?.flatten()
            {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    /// The first record that has the largest timestamp of the log; `None` if no record has one.
    ///
    /// # Errors
    /// `Corrupt`, `Io`.
    pub fn offset_of_max_timestamp(&self) -> Result<Option<TimestampOffset>, ReadError> {
        let start = self.log_start();
        let mut best: Option<(i64, Offset, Arc<Segment>)> = None;
        for segment in self.segments.load().iter().filter(|segment| segment.length() > 0) {
            let largest =
                segment.largest_timestamp().map_err(|error| self.read_error(error, segment.base(), self.end()))?;
            if let Some((timestamp, offset)) = largest
                && best.as_ref().is_none_or(|(known, _, _)| timestamp > *known)
            {
                best = Some((timestamp, offset, segment.clone()));
            }
        }
        let Some((timestamp, offset, segment)) = best else { return Ok(None) };
        let found = segment.find(offset).map_err(|error| self.read_error(error, offset, self.end()))?;
        found.map(|found| self.record_at(&segment, &found, timestamp, start)).transpose().map(Option::flatten)
    }

    /// The first record of a batch at or after `start` whose time is not before `timestamp`.
    fn record_at(
        &self,
        segment: &Arc<Segment>,
        found: &Found,
        timestamp: i64,
        start: Offset,
    ) -> Result<Option<TimestampOffset>, ReadError> {
        let leader_epoch = found.header.leader_epoch;
        if found.header.attributes.is_log_append_time() {
            let offset = found.header.base_offset.max(start);
            return Ok(Some(TimestampOffset { timestamp: found.header.max_timestamp, offset, leader_epoch }));
        }
        let region = FileRegion { file: segment.file()?, position: found.position, length: found.header.size_bytes };
        let bytes = region.read()?;
        let record = super::contents::first_at(&bytes, &found.header, timestamp, start);
        let record = record.map_err(|()| ReadError::Corrupt { at: found.header.base_offset })?;
        Ok(record.map(|(offset, timestamp)| TimestampOffset { timestamp, offset, leader_epoch }))
    }
}

struct Cut {
    position: u64,
    end: Offset,
}

/// Where a slice that begins with `first` ends: at a batch's end, at most `max_bytes` later, below `bound`.
fn cut(segment: &Arc<Segment>, first: &Found, bound: Offset, max_bytes: usize) -> Result<Cut, WalkError> {
    let extent = segment.extent();
    let limit = first.position.saturating_add(max_bytes as u64);
    if extent.end <= bound && extent.length <= limit {
        return Ok(Cut { position: extent.length, end: extent.end });
    }
    if let Some(position) = segment.recent_start(bound)
        && position <= limit
    {
        return Ok(Cut { position, end: bound });
    }
    let file = segment.file()?;
    let mut last = Cut { position: first.end(), end: first.header.next_offset() };
    if let Some(jump) = jump(segment, &*file, first, bound, limit)? {
        last = jump;
    }
    let mut walk = Walk::headers(&*file, last.position, extent.length);
    while walk.position() < limit
        && let Some(found) = walk.next_batch()?
    {
        if found.end() > limit || found.header.last_offset() >= bound {
            break;
        }
        last = Cut { position: found.end(), end: found.header.next_offset() };
    }
    Ok(last)
}

/// A batch near the limit, by the index, so that not every header on the way is read. Checked against the log.
fn jump(
    segment: &Arc<Segment>,
    file: &dyn DiskFile,
    first: &Found,
    bound: Offset,
    limit: u64,
) -> Result<Option<Cut>, WalkError> {
    let Some(entry) = segment.floor_position(limit, bound)? else { return Ok(None) };
    let position = u64::from(entry.position);
    if position <= first.end() {
        return Ok(None);
    }
    let mut walk = Walk::headers(file, position, segment.length());
    let found = match walk.next_batch() {
        Ok(Some(found)) => found,
        // A wrong entry costs the jump only.
        Ok(None) | Err(WalkError::Bad { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let base_offset = found.header.base_offset;
    let matches = super::segment::relative(segment.base(), found.header.last_offset()) == Some(entry.relative);
    let between = first.header.last_offset() < base_offset && base_offset <= bound;
    Ok((matches && between).then_some(Cut { position, end: base_offset }))
}

fn empty(from: Offset) -> Slice {
    let file: Arc<dyn DiskFile> = NOTHING.with(Arc::clone);
    Slice { region: FileRegion { file, position: 0, length: 0 }, end: from }
}

thread_local! {
    static NOTHING: Arc<Nothing> = Arc::new(Nothing);
}

/// The file of an empty region.
struct Nothing;

impl DiskFile for Nothing {
    fn write_all_at(&self, _: &[std::io::IoSlice<'_>], _: u64) -> std::io::Result<()> {
        Err(std::io::ErrorKind::Unsupported.into())
    }

    fn read_at(&self, _: &mut [u8], _: u64) -> std::io::Result<usize> {
        Ok(0)
    }

    fn sync(&self) -> std::io::Result<()> {
        Ok(())
    }

    fn set_length(&self, _: u64) -> std::io::Result<()> {
        Err(std::io::ErrorKind::Unsupported.into())
    }

    fn length(&self) -> std::io::Result<u64> {
        Ok(0)
    }

    fn reserve(&self, _: u64) -> std::io::Result<()> {
        Ok(())
    }

    fn system(&self) -> Option<&std::fs::File> {
        None
    }
}
