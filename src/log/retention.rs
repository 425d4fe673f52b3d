//! Which segments are kept no longer, and their way out.
//!
//! Two moves, between which the log's owner makes the log's start durable in the checkpoint:
//!
//! ```text
//! retain          the start moves behind the segments that are too old or too much, as DeleteRecords moves it
//! remove_below    the files of segments that end at or below that start are renamed to .deleted; their owner removes those
//!                 after file.delete.delay.ms, so that a reader that has one open goes on
//! ```
//! Whatever part of the renames a crash leaves, what lies below the start is not served and goes at the next start.
//! Kafka: `UnifiedLog.deleteOldSegments`.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::error::Doing;
use super::names::{self, FileKind};
use super::segment::Segment;
use super::walk::WalkError;
use super::{Log, LogError};
use crate::base::clock::WallMs;
use crate::base::disk::suffixed;
use crate::base::ids::Offset;
use crate::base::limits::SEGMENTS_REMOVED_AT_ONCE;

/// How long and how much a log keeps, if its `cleanup.policy` contains `delete`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retention {
    /// `retention.ms`; `None` for -1.
    pub ms: Option<i64>,
    /// `retention.bytes`; `None` for -1.
    pub bytes: Option<u64>,
}

/// Why a segment is not kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// Its newest record is older than `retention.ms`.
    Age { newest_ms: i64 },
    /// The log without it is still as large as `retention.bytes`.
    Size { log_bytes: u64 },
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Reason::Age { newest_ms } => write!(f, "retention.ms: its newest record is of {newest_ms}"),
            Reason::Size { log_bytes } => write!(f, "retention.bytes: the log has {log_bytes} bytes"),
        }
    }
}

/// What a plan knows of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Held {
    pub end: Offset,
    pub bytes: u64,
}

/// A segment whose records are read no longer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Due {
    pub base: Offset,
    pub end: Offset,
    pub bytes: u64,
    pub reason: Reason,
}

/// A segment whose files have been renamed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Removed {
    pub base: Offset,
    pub bytes: u64,
    pub files: Vec<PathBuf>,
}

/// Says why each of the first segments is due: all before the first that is to be kept. `newest_ms` tells a segment's largest
/// timestamp, or its file's time if no record has one; it is asked of as few as can be.
///
/// # Errors
/// Those of `newest_ms`.
pub fn plan<E>(
    held: &[Held],
    retention: &Retention,
    high_watermark: Offset,
    now: WallMs,
    mut newest_ms: impl FnMut(usize) -> Result<i64, E>,
) -> Result<Vec<Reason>, E> {
    let last = held.len().saturating_sub(1);
    // Kafka keeps what is not replicated yet; an empty active segment has nothing to give.
    let may_go = |at: usize| held[at].end <= high_watermark && (at < last || held[at].bytes > 0);
    let mut due = Vec::new();
    if let Some(ms) = retention.ms {
        while due.len() < held.len() && may_go(due.len()) {
            let newest_ms = newest_ms(due.len())?;
            if now.0.saturating_sub(newest_ms) <= ms {
                break;
            }
            due.push(Reason::Age { newest_ms });
        }
    }
    if let Some(bytes) = retention.bytes {
        let mut log_bytes: u64 = held[due.len()..].iter().map(|held| held.bytes).sum();
        while due.len() < held.len() && may_go(due.len()) {
            let without = log_bytes - held[due.len()].bytes;
            if without < bytes {
                break;
            }
            due.push(Reason::Size { log_bytes });
            log_bytes = without;
        }
    }
    Ok(due)
}

impl Log {
    /// Moves the log's start behind the segments that retention does not keep, closing the active one if it is among them, and
    /// tells which. Nothing is removed yet. A segment that nobody has written to for `segment.ms` is closed, too, so that it can
    /// go when its time comes.
    ///
    /// # Errors
    /// `NoSpace`: no room for a new segment. `Poisoned`, `Corrupt`, `Io`.
    pub fn retain(&mut self, now: WallMs) -> Result<Vec<Due>, LogError> {
        self.refuse_if_broken()?;
        let due = self.due(now)?;
        let segments = self.reader.segments.load_full();
        if due.len() == segments.len() || (due.is_empty() && self.is_idle_too_long(now)?) {
            self.roll(now)?;
        }
        let told = segments.iter().zip(due).map(|(segment, reason)| Due {
            base: segment.base(),
            end: segment.end(),
            bytes: segment.length(),
            reason,
        });
        let told: Vec<Due> = told.collect();
        if let Some(last) = told.last() {
            self.advance_log_start(last.end.max(self.log_start()))?;
        }
        Ok(told)
    }

    fn due(&self, now: WallMs) -> Result<Vec<Reason>, LogError> {
        let Some(retention) = self.config.retention.filter(|limits| limits.ms.is_some() || limits.bytes.is_some())
        else {
            return Ok(Vec::new());
        };
        let segments = self.reader.segments.load();
        let held: Vec<Held> =
            segments.iter().map(|segment| Held { end: segment.end(), bytes: segment.length() }).collect();
        let newest_ms = |at: usize| self.newest_ms(&segments[at]);
        plan(&held, &retention, self.high_watermark(), now, newest_ms).doing("look at a segment's age")
    }

    /// What each closed segment holds: its end, its bytes and its newest time; nothing of a log that is not to lose records.
    ///
    /// # Errors
    /// `Io`.
    pub fn closed_segments(&self) -> Result<Vec<(Held, i64)>, LogError> {
        if self.config.retention.is_none() || self.refuse_if_broken().is_err() {
            return Ok(Vec::new());
        }
        let segments = self.reader.segments.load();
        let closed = &segments[..segments.len().saturating_sub(1)];
        let readable = closed.iter().take_while(|segment| segment.end() <= self.high_watermark());
        let held = readable.map(|segment| {
            let newest_ms = self.newest_ms(segment).doing("look at a segment's age")?;
            Ok((Held { end: segment.end(), bytes: segment.length() }, newest_ms))
        });
        held.collect()
    }

    fn newest_ms(&self, segment: &Arc<Segment>) -> io::Result<i64> {
        let largest = segment.largest_timestamp().map_err(|error| match error {
            WalkError::Io(error) => error,
            WalkError::Bad { reason, .. } => io::Error::new(io::ErrorKind::InvalidData, reason),
        })?;
        match largest {
            Some((timestamp, _)) => Ok(timestamp),
            None => self.place.disk.modified_ms(&segment.path(FileKind::Log)),
        }
    }

    fn is_idle_too_long(&self, now: WallMs) -> Result<bool, LogError> {
        let age = self.config.segment_ms.saturating_sub(self.jitter());
        if self.active.length() == 0 || now.0.saturating_sub(self.active_since.0) <= age {
            return Ok(false);
        }
        let modified = self.place.disk.modified_ms(&self.active.path(FileKind::Log)).doing("look at active segment")?;
        Ok(now.0.saturating_sub(modified) > age)
    }

    /// True if a segment lies wholly below the log's start.
    pub fn has_removable(&self) -> bool {
        self.removable(self.log_start()) > 0
    }

    /// Number of the first segments that end at or below `start` and are not waiting for a sync.
    fn removable(&self, start: Offset) -> usize {
        let segments = self.reader.segments.load();
        let unsealed = self.seals.first().map_or(Offset(i64::MAX), |seal| seal.segment.base());
        let behind = segments.windows(2).take_while(|pair| pair[1].base() <= start && pair[0].base() < unsealed);
        behind.count().min(SEGMENTS_REMOVED_AT_ONCE)
    }

    /// Takes segments that end at or below `start` out of the log and renames their files, a bounded number at once. `start` is
    /// the log's start as it is in the checkpoint, durably. The names are durable with the next sync.
    ///
    /// # Errors
    /// `Poisoned`, `Corrupt`. A file that cannot be renamed is told of in the log and goes at the next start.
    pub fn remove_below(&mut self, start: Offset) -> Result<Vec<Removed>, LogError> {
        self.refuse_if_broken()?;
        let count = self.removable(start.min(self.log_start()));
        if count == 0 {
            return Ok(Vec::new());
        }
        let segments = self.reader.segments.load_full();
        let (gone, kept) = segments.split_at(count);
        self.reader.segments.store(Arc::new(kept.to_vec()));
        self.folder_changed = true;
        self.changed = true;
        Ok(gone.iter().map(|segment| self.renamed(segment)).collect())
    }

    fn renamed(&self, segment: &Segment) -> Removed {
        let mut files = Vec::new();
        for kind in names::KINDS_REMOVED {
            let path = segment.path(kind);
            let to = suffixed(&path, names::DELETED_SUFFIX);
            match self.place.disk.rename(&path, &to) {
                Ok(()) => files.push(to),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => tracing::warn!(file = %path.display(), %error, "rename removed segment"),
            }
        }
        Removed { base: segment.base(), bytes: segment.length(), files }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELD: [Held; 4] = [held(10, 100), held(20, 100), held(30, 50), held(35, 10)];
    const TIMES: [i64; 4] = [1_000, 3_000, 2_000, 9_000];

    const fn held(end: i64, bytes: u64) -> Held {
        Held { end: Offset(end), bytes }
    }

    fn due(ms: Option<i64>, bytes: Option<u64>, high_watermark: i64, now: i64) -> Vec<Reason> {
        let newest_ms = |at: usize| Ok::<i64, ()>(TIMES[at]);
        plan(&HELD, &Retention { ms, bytes }, Offset(high_watermark), WallMs(now), newest_ms).expect("times")
    }

    fn age(newest_ms: i64) -> Reason {
        Reason::Age { newest_ms }
    }

    #[test]
    fn only_the_first_segments_in_a_row_go_by_age() {
        assert_eq!(due(Some(1_000), None, 35, 2_000), []);
        assert_eq!(due(Some(1_000), None, 35, 2_001), [age(1_000)]);
        // the third is old enough, the second before it is not
        assert_eq!(due(Some(1_000), None, 35, 3_500), [age(1_000)]);
        assert_eq!(due(Some(1_000), None, 35, 4_001), [age(1_000), age(3_000), age(2_000)]);
        assert_eq!(due(Some(1_000), None, 35, 20_000).len(), 4);
    }

    #[test]
    fn a_log_is_never_made_smaller_than_its_size_by_size() {
        assert_eq!(due(None, Some(161), 35, 0), []);
        assert_eq!(due(None, Some(160), 35, 0), [Reason::Size { log_bytes: 260 }]);
        assert_eq!(due(None, Some(60), 35, 0), [Reason::Size { log_bytes: 260 }, Reason::Size { log_bytes: 160 }]);
        assert_eq!(due(None, Some(0), 35, 0).len(), 4);
    }

    #[test]
    fn size_counts_what_age_left() {
        assert_eq!(due(Some(1_000), Some(60), 35, 2_500), [age(1_000), Reason::Size { log_bytes: 160 }]);
    }

    #[test]
    fn what_may_not_be_read_yet_stays() {
        assert_eq!(due(Some(1_000), None, 29, 20_000).len(), 2);
        assert_eq!(due(None, Some(0), 9, 0), []);
    }

    #[test]
    fn an_empty_active_segment_stays() {
        let held = [held(10, 100), held(10, 0)];
        let due = |bytes| {
            plan(&held, &Retention { ms: Some(1), bytes }, Offset(10), WallMs(100), |_| Ok::<i64, ()>(0))
                .expect("times")
        };
        assert_eq!((due(None).len(), due(Some(0)).len()), (1, 1));
    }

    #[test]
    fn nothing_goes_without_limits() {
        assert_eq!(due(None, None, 35, i64::MAX), []);
    }

    #[test]
    fn a_time_in_the_future_keeps_its_segment() {
        assert_eq!(due(Some(0), None, 35, 500), []);
    }
}
