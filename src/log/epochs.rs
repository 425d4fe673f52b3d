//! Which leader epoch begins at which offset (KIP-101). Pure. Kafka: `LeaderEpochFileCache`.

use crate::base::ids::{LeaderEpoch, Offset};

/// Epochs and the offsets at which they begin; both rise.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Epochs {
    entries: Vec<(LeaderEpoch, Offset)>,
}

impl Epochs {
    pub fn of(entries: Vec<(LeaderEpoch, Offset)>) -> Epochs {
        Epochs { entries }
    }

    pub fn entries(&self) -> &[(LeaderEpoch, Offset)] {
        &self.entries
    }

    pub fn latest(&self) -> Option<LeaderEpoch> {
        self.entries.last().map(|entry| entry.0)
    }

    /// Notes that `epoch` begins at `start`; entries that contradict it go. True if anything changed.
    pub fn begin(&mut self, epoch: LeaderEpoch, start: Offset) -> bool {
        let is_known = self.entries.last().is_some_and(|last| last.0 == epoch && last.1 <= start);
        if epoch < LeaderEpoch(0) || is_known {
            return false;
        }
        self.entries.retain(|entry| entry.0 < epoch && entry.1 < start);
        self.entries.push((epoch, start));
        true
    }

    /// Forgets what begins behind the new end of the log. True if anything changed.
    pub fn cut_end(&mut self, end: Offset) -> bool {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.1 <= end);
        before != self.entries.len()
    }

    /// Forgets epochs that end before the new start of the log. True if anything changed.
    pub fn cut_start(&mut self, start: Offset) -> bool {
        let at_or_below = self.entries.partition_point(|entry| entry.1 <= start);
        let Some(last_below) = at_or_below.checked_sub(1) else { return false };
        let changed = last_below > 0 || self.entries[last_below].1 < start;
        self.entries.drain(..last_below);
        self.entries[0].1 = start;
        changed
    }

    /// The epoch of the record at `offset`.
    pub fn of_offset(&self, offset: Offset) -> Option<LeaderEpoch> {
        let at_or_below = self.entries.partition_point(|entry| entry.1 <= offset);
        at_or_below.checked_sub(1).map(|index| self.entries[index].0)
    }

    /// The largest epoch not above `asked`, and where it ends; `log_end` if it has not ended. `None` if `asked` is above
    /// all known ones. An epoch below all known ones ends where the first of them begins.
    pub fn end_of(&self, asked: LeaderEpoch, log_end: Offset) -> Option<(LeaderEpoch, Offset)> {
        if self.latest()? == asked {
            return Some((asked, log_end));
        }
        let above = self.entries.partition_point(|entry| entry.0 <= asked);
        let next = self.entries.get(above)?;
        let epoch = above.checked_sub(1).map_or(asked, |index| self.entries[index].0);
        Some((epoch, next.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs(entries: &[(i32, i64)]) -> Epochs {
        Epochs::of(entries.iter().map(|(epoch, start)| (LeaderEpoch(*epoch), Offset(*start))).collect())
    }

    #[test]
    fn a_new_epoch_is_noted_once() {
        let mut cache = Epochs::default();
        assert!(cache.begin(LeaderEpoch(0), Offset(0)));
        assert!(!cache.begin(LeaderEpoch(0), Offset(5)));
        assert!(cache.begin(LeaderEpoch(2), Offset(63)));
        assert_eq!(cache, epochs(&[(0, 0), (2, 63)]));
        // Nothing was written in epoch 2: {[0,0][2,63]}, epoch 4 at 63, leaves {[0,0][4,63]}.
        assert!(cache.begin(LeaderEpoch(4), Offset(63)));
        assert_eq!(cache, epochs(&[(0, 0), (4, 63)]));
    }

    /// A file that names a later start than a batch shows was believed, and its only epoch lost when the log was cut below it.
    #[test]
    fn an_epoch_begins_where_its_first_batch_is() {
        let mut cache = epochs(&[(0, 15)]);
        assert!(cache.begin(LeaderEpoch(0), Offset(3)));
        assert_eq!(cache, epochs(&[(0, 3)]));
    }

    #[test]
    fn the_end_of_an_epoch_is_the_start_of_the_next() {
        let cache = epochs(&[(1, 10), (3, 20)]);
        let end = |epoch| cache.end_of(LeaderEpoch(epoch), Offset(30)).map(|(epoch, end)| (epoch.0, end.0));
        assert_eq!(end(0), Some((0, 10)));
        assert_eq!(end(1), Some((1, 20)));
        assert_eq!(end(2), Some((1, 20)));
        assert_eq!(end(3), Some((3, 30)));
        assert_eq!(end(4), None);
        assert_eq!(Epochs::default().end_of(LeaderEpoch(0), Offset(0)), None);
    }

    #[test]
    fn cuts_keep_the_epoch_that_spans_them() {
        let mut cache = epochs(&[(0, 0), (1, 10), (3, 20)]);
        assert!(!cache.cut_end(Offset(20)));
        assert!(cache.cut_end(Offset(19)));
        assert_eq!(cache, epochs(&[(0, 0), (1, 10)]));
        assert!(cache.cut_start(Offset(15)));
        assert_eq!(cache, epochs(&[(1, 15)]));
        assert!(!cache.cut_start(Offset(15)));
        assert_eq!(cache.of_offset(Offset(14)), None);
        assert_eq!(cache.of_offset(Offset(15)), Some(LeaderEpoch(1)));
    }
}
