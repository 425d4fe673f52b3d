//! What all logs together may take of the disk (`klamm.disk.max.bytes`, `klamm.disk.min.free.bytes`), which Kafka lacks.
//!
//! ```text
//! near the limit (a twentieth of it, 1 GiB at most)   the oldest closed segments of topics that may lose records go
//! at the limit                                        clients' appends are refused until there is room again
//! ```
//! Counted are the segments that are served. What waits for `file.delete.delay.ms` is not; what goes for want of room does not wait.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::base::disk::Space;
use crate::base::ids::Offset;
use crate::settings::Settings;

/// The limits, and whether they are reached.
#[derive(Debug, Default)]
pub struct Budget {
    max_bytes: Option<u64>,
    min_free_bytes: Option<u64>,
    /// Of all logs when they were last counted.
    counted: AtomicU64,
    /// Appended since.
    appended: AtomicU64,
    /// The file system has less than `min_free_bytes`.
    short_of_space: AtomicBool,
}

/// A closed segment that may go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Closed {
    pub end: Offset,
    pub bytes: u64,
    pub newest_ms: i64,
}

/// Which limit is near, and by how much too near.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Excess {
    pub bytes: u64,
    pub key: &'static str,
}

impl Budget {
    pub fn of(settings: &Settings) -> Budget {
        let limit = |key| u64::try_from(settings.long(key)).ok();
        Budget {
            max_bytes: limit("klamm.disk.max.bytes"),
            min_free_bytes: limit("klamm.disk.min.free.bytes"),
            ..Budget::default()
        }
    }

    /// True if there is a limit.
    pub fn is_limited(&self) -> bool {
        self.max_bytes.is_some() || self.min_free_bytes.is_some()
    }

    /// Notes an append; false if there is no room for it.
    pub fn admit(&self, bytes: u64) -> bool {
        let Some(max) = self.max_bytes else { return !self.short_of_space.load(Ordering::Relaxed) };
        let appended = self.appended.load(Ordering::Relaxed).saturating_add(bytes);
        if self.short_of_space.load(Ordering::Relaxed) || self.counted.load(Ordering::Relaxed) + appended > max {
            return false;
        }
        self.appended.fetch_add(bytes, Ordering::Relaxed);
        true
    }

    /// What was admitted since logs were counted last.
    pub fn appended(&self) -> u64 {
        self.appended.load(Ordering::Relaxed)
    }

    /// Takes the logs as they were counted after `seen` was `appended`, and what the file system has left. What is appended meanwhile
    /// counts twice until the next time rather than never.
    pub fn note(&self, counted: u64, seen: u64, space: Option<Space>) {
        self.counted.store(counted, Ordering::Relaxed);
        self.appended.fetch_sub(seen, Ordering::Relaxed);
        let short = self.min_free_bytes.zip(space).is_some_and(|(min, space)| space.free < min);
        self.short_of_space.store(short, Ordering::Relaxed);
    }

    /// How much must go so that a limit is not near.
    pub fn excess(&self, counted: u64, space: Option<Space>) -> Option<Excess> {
        let used = self
            .max_bytes
            .map(|max| Excess { bytes: counted.saturating_sub(max - headroom(max)), key: "klamm.disk.max.bytes" });
        let free = self.min_free_bytes.zip(space).map(|(min, space)| Excess {
            bytes: (min + headroom(min)).saturating_sub(space.free),
            key: "klamm.disk.min.free.bytes",
        });
        used.into_iter().chain(free).max_by_key(|excess| excess.bytes).filter(|excess| excess.bytes > 0)
    }
}

fn headroom(limit: u64) -> u64 {
    (limit / 20).min(1 << 30)
}

/// Up to where each log is to be cut so that `excess` bytes go: the oldest records of all first, whole segments, from the beginning
/// of each log. `logs` are their closed segments in order.
pub fn plan(logs: &[Vec<Closed>], excess: u64) -> Vec<Option<Offset>> {
    let mut order: Vec<(i64, usize, usize)> = Vec::new();
    for (log, closed) in logs.iter().enumerate() {
        // A segment goes after those before it, whatever their times.
        let mut newest = i64::MIN;
        order.extend(closed.iter().enumerate().map(|(at, segment)| {
            newest = newest.max(segment.newest_ms);
            (newest, log, at)
        }));
    }
    order.sort_unstable();
    let mut cuts = vec![None; logs.len()];
    let mut left = excess;
    for (_, log, at) in order {
        if left == 0 {
            break;
        }
        let segment = logs[log][at];
        cuts[log] = Some(segment.end);
        left = left.saturating_sub(segment.bytes);
    }
    cuts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed(end: i64, bytes: u64, newest_ms: i64) -> Closed {
        Closed { end: Offset(end), bytes, newest_ms }
    }

    #[test]
    fn the_oldest_segments_of_all_logs_go_first() {
        let logs = [
            vec![closed(10, 100, 5), closed(20, 100, 9)],
            vec![closed(7, 100, 6), closed(8, 100, 1), closed(9, 100, 7)],
            vec![],
        ];
        assert_eq!(plan(&logs, 0), [None, None, None]);
        assert_eq!(plan(&logs, 1), [Some(Offset(10)), None, None]);
        assert_eq!(plan(&logs, 101), [Some(Offset(10)), Some(Offset(7)), None]);
        // the second of the other log is older, but lies behind its first
        assert_eq!(plan(&logs, 300), [Some(Offset(10)), Some(Offset(8)), None]);
        assert_eq!(plan(&logs, u64::MAX), [Some(Offset(20)), Some(Offset(9)), None]);
    }

    #[test]
    fn appends_are_refused_at_the_limit_and_admitted_below_it() {
        let budget = Budget { max_bytes: Some(1000), ..Budget::default() };
        budget.note(900, 0, None);
        assert!(budget.admit(60) && budget.admit(40) && !budget.admit(1));
        budget.note(500, budget.appended(), None);
        assert!(budget.admit(500) && !budget.admit(1));
        budget.note(900, 450, None);
        assert!(budget.admit(50) && !budget.admit(1), "what came while it was counted is not forgotten");
        assert_eq!(budget.excess(950, None), None);
        assert_eq!(budget.excess(960, None).map(|excess| excess.bytes), Some(10));
        assert!(Budget::default().admit(u64::MAX));
    }

    #[test]
    fn free_space_counts_too() {
        let budget = Budget { min_free_bytes: Some(1000), ..Budget::default() };
        let space = |free| Some(Space { total: 10_000, free });
        budget.note(0, 0, space(1000));
        assert!(budget.admit(1 << 40));
        budget.note(0, 0, space(999));
        assert!(!budget.admit(1));
        assert_eq!(budget.excess(0, space(1050)), None);
        assert_eq!(budget.excess(0, space(1040)), Some(Excess { bytes: 10, key: "klamm.disk.min.free.bytes" }));
    }
}
