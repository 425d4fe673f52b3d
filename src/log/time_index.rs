//! The `.timeindex` file: timestamp -> offset. Pure; bytes in, entries out.
//!
//! ```text
//! entry, 12 bytes, big-endian: | int64 largest timestamp so far | int32 offset of the batch that has it - base offset |
//! ```
//! Timestamps and offsets rise. The last entry of a closed segment holds its largest timestamp. Kafka: `TimeIndex.java`.

use super::segment::Extent;

pub const ENTRY_BYTES: usize = 12;

/// One entry: no record up to the batch that holds the offset has a larger timestamp.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimeEntry {
    pub timestamp: i64,
    pub relative: u32,
}

/// Adds an entry if its timestamp is above the last one's.
pub fn push_if_later(bytes: &mut Vec<u8>, entry: TimeEntry) {
    if entry.timestamp > last(bytes).map_or(-1, |last| last.timestamp) {
        bytes.extend_from_slice(&entry.timestamp.to_be_bytes());
        bytes.extend_from_slice(&entry.relative.to_be_bytes());
    }
}

/// Number of entries.
pub fn count(bytes: &[u8]) -> usize {
    bytes.len() / ENTRY_BYTES
}

/// The entry at `index`.
pub fn entry(bytes: &[u8], index: usize) -> Option<TimeEntry> {
    let at = index.checked_mul(ENTRY_BYTES)?;
    let (timestamp, relative) = bytes.get(at..at + ENTRY_BYTES)?.split_at(8);
    Some(TimeEntry {
        timestamp: i64::from_be_bytes(timestamp.try_into().ok()?),
        relative: u32::from_be_bytes(relative.try_into().ok()?),
    })
}

/// The last entry.
pub fn last(bytes: &[u8]) -> Option<TimeEntry> {
    entry(bytes, count(bytes).checked_sub(1)?)
}

/// The last entry whose timestamp is not above `timestamp`.
pub fn floor(bytes: &[u8], timestamp: i64) -> Option<TimeEntry> {
    let (mut low, mut high) = (0, count(bytes));
    while low < high {
        let middle = low + (high - low) / 2;
        if entry(bytes, middle).is_some_and(|entry| entry.timestamp <= timestamp) {
            low = middle + 1
        } else {
            high = middle
        }
    }
    entry(bytes, low.checked_sub(1)?)
}

/// Checks a file against the segment that it is for, and returns the length in bytes of its entries (without padding).
/// `None` if it cannot be the time index of that segment.
pub fn check(bytes: &[u8], extent: Extent) -> Option<usize> {
    let mut previous: Option<TimeEntry> = None;
    for index in 0..count(bytes) {
        let now = entry(bytes, index)?;
        let rises = previous.is_none_or(|before| before.timestamp < now.timestamp && before.relative < now.relative);
        let padding = now.timestamp == 0 && now.relative == 0 && bytes.len() > ENTRY_BYTES;
        // A zero entry is real only as the first one, with a later one behind it.
        let real_zero =
            padding && index == 0 && entry(bytes, 1).is_some_and(|next| next.relative > 0 && next.timestamp > 0);
        if padding && !real_zero {
            return bytes[index * ENTRY_BYTES..].iter().all(|byte| *byte == 0).then_some(index * ENTRY_BYTES);
        }
        if !rises || now.timestamp < 0 || !extent.holds(now.relative) {
            return None;
        }
        previous = Some(now);
    }
    Some(count(bytes) * ENTRY_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::Offset;

    fn index(entries: &[(i64, u32)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (timestamp, relative) in entries {
            bytes.extend_from_slice(&timestamp.to_be_bytes());
            bytes.extend_from_slice(&relative.to_be_bytes());
        }
        bytes
    }

    fn extent() -> Extent {
        Extent { base: Offset(100), end: Offset(200), length: 10_000 }
    }

    #[test]
    fn bytes_are_kafkas() {
        let mut bytes = Vec::new();
        push_if_later(&mut bytes, TimeEntry { timestamp: 4_102_444_800_004, relative: 6 });
        assert_eq!(bytes, [0, 0, 3, 0xbb, 0x2c, 0xc3, 0xd8, 4, 0, 0, 0, 6]);
    }

    #[test]
    fn entries_that_are_not_later_are_dropped() {
        let mut bytes = Vec::new();
        for (timestamp, relative) in [(-1, 0), (5, 1), (5, 2), (4, 3), (6, 4)] {
            push_if_later(&mut bytes, TimeEntry { timestamp, relative });
        }
        assert_eq!(bytes, index(&[(5, 1), (6, 4)]));
    }

    #[test]
    fn floor_finds_the_entry_at_or_below() {
        let bytes = index(&[(5, 1), (9, 4)]);
        assert_eq!(floor(&bytes, 4), None);
        assert_eq!(floor(&bytes, 8), Some(TimeEntry { timestamp: 5, relative: 1 }));
        assert_eq!(floor(&bytes, i64::MAX), Some(TimeEntry { timestamp: 9, relative: 4 }));
    }

    #[test]
    fn padding_is_not_entries() {
        let mut bytes = index(&[(5, 1)]);
        bytes.resize(1200, 0);
        assert_eq!(check(&bytes, extent()), Some(12));
        assert_eq!(check(&[0; 1200], extent()), Some(0));
        assert_eq!(check(&index(&[(0, 0)]), extent()), Some(12));
        assert_eq!(check(&index(&[(0, 0), (7, 3)]), extent()), Some(24));
    }

    #[test]
    fn foreign_entries_are_refused() {
        for wrong in
            [vec![(5, 1), (5, 2)], vec![(5, 1), (6, 1)], vec![(-7, 1)], vec![(5, 100)], vec![(5, 1), (0, 0), (9, 9)]]
        {
            assert_eq!(check(&index(&wrong), extent()), None, "{wrong:?}");
        }
    }
}
