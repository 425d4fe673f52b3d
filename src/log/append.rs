//! Appending one batch: producer check, offsets, roll if due, one write, index, publish.
//!
//! Record bytes are not copied: the patched header and the body as received go out in one vectored write.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::error::LogError;
use super::flush::Acknowledge;
use super::producers::{Check, out_of_order};
use super::segment::{Segment, relative};
use super::sync::{Reserve, Seal};
use super::walk::Walk;
use super::{Log, contents, new_segment};
use crate::base::clock::WallMs;
use crate::base::disk::{DiskFile, is_no_space};
use crate::base::ids::{LeaderEpoch, Offset, Sequence};
use crate::base::limits::{PRODUCER_BACKWARD_SCAN_BATCHES, RESERVE_FROM_BYTES, RESERVE_STEP_BYTES};
use crate::record::batch::{BatchHeader, NO_TIMESTAMP, ValidBatch};

/// Who appends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// Sequences are checked.
    Client,
    /// A coordinator or the controller: epochs are checked, sequences do not exist.
    Coordinator,
}

/// How a batch is to be appended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Append {
    pub leader_epoch: LeaderEpoch,
    pub acknowledge: Acknowledge,
    pub origin: Origin,
    pub now: WallMs,
}

/// Where a batch is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Appended {
    pub base_offset: Offset,
    pub last_offset: Offset,
    /// The batch's time if it is append time, else -1.
    pub append_time: i64,
    pub log_start: Offset,
    /// It was here before; nothing was written.
    pub duplicate: bool,
    pub watermark_moved: bool,
    /// A segment was closed: a sync is due, whatever the durability mode, to write its indexes and let its file go.
    pub rolled: bool,
}

struct Duplicate {
    first: Offset,
    last: Offset,
    timestamp: i64,
}

impl Log {
    /// Appends one batch and returns the offsets of its records.
    ///
    /// On return it is in the page cache. It is visible once the high watermark has passed `last_offset`; then, too, it may
    /// be acknowledged. A resend of a producer's batch appends nothing and returns the first one's offsets (KIP-98): it, too,
    /// may be acknowledged once the high watermark has passed it.
    ///
    /// # Errors
    /// As named by `LogError`; after any of them nothing was appended. `NoSpace` may be tried again, `Poisoned` not.
    ///
    /// # Panics
    /// Never on account of the batch: it is valid by its type.
    pub fn append(&mut self, batch: &ValidBatch, how: &Append) -> Result<Appended, LogError> {
        self.refuse_if_broken()?;
        let header = batch.header();
        let segment_bytes = self.config.segment_bytes.min(i32::MAX as u32);
        if header.size_bytes > segment_bytes as usize {
            return Err(LogError::BatchTooLarge { size_bytes: header.size_bytes, segment_bytes });
        }
        let marker = contents::marker(header, batch.body());
        match how.origin {
            Origin::Coordinator => self.producers.check_coordinator(header, marker)?,
            Origin::Client => {
                if let Some(duplicate) = self.find_duplicate(header)? {
                    return Ok(self.appended_before(header, &duplicate));
                }
            }
        }
        if let Some(current) = self.reader.latest_epoch().filter(|current| how.leader_epoch < *current) {
            return Err(LogError::StaleLeaderEpoch { current, found: how.leader_epoch });
        }
        let base_offset = self.end();
        let last_offset = base_offset.0.checked_add(i64::from(header.last_offset_delta)).map(Offset);
        let last_offset = last_offset.filter(|last| last.0 < i64::MAX).ok_or(LogError::OffsetsExhausted)?;
        let placed = BatchHeader { base_offset, leader_epoch: how.leader_epoch, ..*header };
        let rolled = self.roll_is_due(&placed, how.now)?;
        if rolled {
            self.roll(how.now)?;
        }
        self.write(batch, &placed)?;
        let aborted = self.producers.apply(&placed, marker);
        if self.reader.latest_epoch() != Some(how.leader_epoch) {
            self.epochs_unwritten |= self.reader.epochs.write().begin(how.leader_epoch, base_offset);
        }
        self.active.publish(self.active.length(), &placed, aborted);
        let watermark_moved = self.visibility.appended(last_offset.plus(1), how.acknowledge);
        self.view.written += header.size_bytes as u64;
        if watermark_moved {
            // Up to the end: a batch that may be acknowledged once written shows all before it.
            self.view.visible = self.view.written;
        }
        self.publish();
        Ok(Appended {
            base_offset,
            last_offset,
            append_time: append_time(header, header.max_timestamp),
            log_start: self.log_start(),
            duplicate: false,
            watermark_moved,
            rolled,
        })
    }

    fn write(&mut self, batch: &ValidBatch, placed: &BatchHeader) -> Result<(), LogError> {
        self.make()?;
        let file = match self.active.file() {
            Ok(file) => file,
            Err(error) => return Err(self.write_refused("open segment", &error)),
        };
        let position = self.active.length();
        self.reserve_ahead(&*file, position + placed.size_bytes as u64);
        let head = batch.patched_header(placed.base_offset, placed.leader_epoch);
        self.changed = true;
        self.active_unsynced = true;
        if self.config.synced {
            self.active.mark_unsynced();
        }
        let Err(error) = file.write_all_at(&[IoSlice::new(&head), IoSlice::new(batch.body())], position) else {
            return Ok(());
        };
        // Whatever part of it is there goes: readers and the next start must not see it.
        match file.set_length(position) {
            Ok(()) => Err(self.write_refused("append", &error)),
            Err(second) => Err(self.poison(&format!("cut back after failed append ({error}): {second}"))),
        }
    }

    /// Space that the next ticket is to ask for, so that no append has to: `reserve_ahead` is for who writes faster, or never syncs.
    pub(super) fn reserve_due(&self, file: &Arc<dyn DiskFile>) -> Option<Reserve> {
        let length = self.active.length();
        let room = self.reserved.saturating_sub(length);
        let to = (length + 2 * RESERVE_STEP_BYTES).min(u64::from(self.config.segment_bytes));
        let due = length >= RESERVE_FROM_BYTES && room < RESERVE_STEP_BYTES && to > self.reserved;
        let (base, file) = (self.active.base(), Arc::clone(file));
        due.then(|| Reserve { base, file, to, refused: AtomicBool::new(false) })
    }

    /// Asks for space before it is needed: appends of 16 to 256 KiB cost half. A hint; no space is no error here.
    fn reserve_ahead(&mut self, file: &dyn DiskFile, needed: u64) {
        if needed < RESERVE_FROM_BYTES || needed <= self.reserved {
            return;
        }
        let target = (needed + RESERVE_STEP_BYTES).min(u64::from(self.config.segment_bytes)).max(needed);
        self.reserved = if file.reserve(target).is_ok() { target } else { u64::MAX };
    }

    fn write_refused(&mut self, doing: &str, error: &io::Error) -> LogError {
        if is_no_space(error) { LogError::NoSpace } else { self.poison(&format!("{doing}: {error}")) }
    }

    // ---- resends

    fn find_duplicate(&self, header: &BatchHeader) -> Result<Option<Duplicate>, LogError> {
        match self.producers.check(header)? {
            Check::Append => Ok(None),
            Check::Duplicate { first, last, timestamp } => Ok(Some(Duplicate { first, last, timestamp })),
            Check::MaybeOlder { expected_after } => {
                let older =
                    if is_before(header.last_sequence(), expected_after) { self.look_back(header) } else { None };
                older.map(Some).ok_or_else(|| out_of_order(header, expected_after))
            }
        }
    }

    fn appended_before(&self, header: &BatchHeader, duplicate: &Duplicate) -> Appended {
        Appended {
            base_offset: duplicate.first,
            last_offset: duplicate.last,
            append_time: append_time(header, duplicate.timestamp),
            log_start: self.log_start(),
            duplicate: true,
            watermark_moved: false,
            rolled: false,
        }
    }

    /// Looks for a batch among the headers of the newest ones, piece by piece from the end.
    fn look_back(&self, wanted: &BatchHeader) -> Option<Duplicate> {
        let mut left = PRODUCER_BACKWARD_SCAN_BATCHES;
        for segment in self.reader.segments.load().iter().rev() {
            let file = segment.file().ok()?;
            let mut upper = segment.length();
            let starts = segment.entry_positions_backwards(left).ok()?;
            for start in starts.into_iter().chain(std::iter::once(0)) {
                let mut walk = Walk::headers(&*file, start, upper);
                while let Some(found) = walk.next_batch().ok()? {
                    left = left.checked_sub(1)?;
                    if is_same(&found.header, wanted) {
                        let (first, last) = (found.header.base_offset, found.header.last_offset());
                        return Some(Duplicate { first, last, timestamp: found.header.max_timestamp });
                    }
                }
                upper = start;
            }
        }
        None
    }

    // ---- rolling

    /// True if the active segment must not take this batch (FORMAT §5; Kafka `LogSegment.shouldRoll`).
    fn roll_is_due(&self, placed: &BatchHeader, now: WallMs) -> Result<bool, LogError> {
        let position = self.active.length();
        if relative(self.active.base(), placed.last_offset()).is_none() {
            return Ok(true);
        }
        if position == 0 {
            return Ok(false);
        }
        let segment_bytes = u64::from(self.config.segment_bytes.min(i32::MAX as u32));
        let full = |building: &super::segment::Building| building.is_full(self.config.segment_index_bytes);
        if position + placed.size_bytes as u64 > segment_bytes || self.active.with_building(full).unwrap_or(true) {
            return Ok(true);
        }
        let first =
            self.active.first_timestamp().map_err(|source| LogError::Io { doing: "read first batch", source })?;
        let waited = match first {
            Some(first) if first >= 0 => placed.max_timestamp.saturating_sub(first),
            _ => now.0.saturating_sub(self.active_since.0),
        };
        Ok(waited > self.config.segment_ms.saturating_sub(self.jitter()))
    }

    /// What is taken off `segment.ms` for this segment: even over `[0, segment.jitter.ms)`, the same at every look.
    pub(super) fn jitter(&self) -> i64 {
        let bound = self.config.segment_jitter_ms.min(self.config.segment_ms);
        let mixed = (self.jitter_seed ^ self.active.base().0.unsigned_abs()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let spread = i64::try_from(mixed >> 2).unwrap_or(0);
        if bound > 0 { spread % bound } else { 0 }
    }

    /// Closes the active segment and begins the next one at the log's end. Its bytes, indexes and the producer snapshot
    /// become durable with the next sync. Does nothing to an empty segment that begins there already.
    ///
    /// # Errors
    /// `NoSpace`: nothing changed. `Poisoned`.
    pub fn roll(&mut self, now: WallMs) -> Result<(), LogError> {
        self.refuse_if_broken()?;
        let base = self.end();
        if self.active.base() == base {
            return Ok(());
        }
        let file = match self.active.file() {
            Ok(file) => file,
            Err(error) => return Err(self.write_refused("open segment to roll it", &error)),
        };
        let (next, next_file) = match new_segment(&self.place, base, &self.config) {
            Ok(next) => next,
            Err(error) => return Err(self.write_refused("create segment", &error)),
        };
        let trim = (self.reserved > 0 || self.reserving).then(|| file.clone());
        if self.active_unsynced {
            self.rolled_files.push(file);
        }
        let old: Arc<Segment> = std::mem::replace(&mut self.active, next.clone());
        old.seal();
        next.set_file(next_file);
        let snapshot = Arc::new((base, self.producers.snapshot()));
        self.seals.push(Seal { segment: old, snapshot, trim });
        let mut segments = Vec::clone(&self.reader.segments.load());
        segments.push(next);
        self.reader.segments.store(Arc::new(segments));
        self.active_since = now;
        self.active_unsynced = true;
        self.aborted_written = 0;
        self.reserved = 0;
        self.folder_changed = true;
        self.changed = true;
        tracing::info!(folder = %self.place.folder.display(), base = base.0, "segment rolled");
        debug_assert!(self.reader.end.load(Ordering::Relaxed) == base.0, "a roll moves no end");
        Ok(())
    }
}

fn append_time(header: &BatchHeader, timestamp: i64) -> i64 {
    if header.attributes.is_log_append_time() { timestamp } else { NO_TIMESTAMP }
}

fn is_same(found: &BatchHeader, wanted: &BatchHeader) -> bool {
    found.producer_id == wanted.producer_id
        && found.producer_epoch == wanted.producer_epoch
        && found.base_sequence == wanted.base_sequence
        && found.last_offset_delta == wanted.last_offset_delta
        && !found.attributes.is_control()
}

/// True if a sequence lies behind another one, less than half of the circle away.
fn is_before(sequence: Sequence, other: Sequence) -> bool {
    let circle = i64::from(i32::MAX) + 1;
    let behind = (i64::from(other.0) - i64::from(sequence.0)).rem_euclid(circle);
    behind < circle / 2
}
