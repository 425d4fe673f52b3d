//! The `.index` file: offset -> position in the `.log`. Pure; bytes in, entries out.
//!
//! ```text
//! entry, 8 bytes, big-endian: | int32 last offset of a batch - base offset | int32 position of that batch |
//! ```
//! Offsets and positions rise. While Kafka's segment is active the file is padded with zeros. The bytes in memory are the
//! bytes of the file. Kafka: `OffsetIndex.java`.

use super::segment::Extent;

pub const ENTRY_BYTES: usize = 8;

/// One entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OffsetEntry {
    /// Last offset of the batch, relative to the segment's base.
    pub relative: u32,
    pub position: u32,
}

/// Adds an entry behind the others.
pub fn push(bytes: &mut Vec<u8>, entry: OffsetEntry) {
    bytes.extend_from_slice(&entry.relative.to_be_bytes());
    bytes.extend_from_slice(&entry.position.to_be_bytes());
}

/// Number of entries.
pub fn count(bytes: &[u8]) -> usize {
    bytes.len() / ENTRY_BYTES
}

/// The entry at `index`.
pub fn entry(bytes: &[u8], index: usize) -> Option<OffsetEntry> {
    let at = index.checked_mul(ENTRY_BYTES)?;
    let (relative, position) = bytes.get(at..at + ENTRY_BYTES)?.split_at(4);
    Some(OffsetEntry {
        relative: u32::from_be_bytes(relative.try_into().ok()?),
        position: u32::from_be_bytes(position.try_into().ok()?),
    })
}

/// The last entry.
pub fn last(bytes: &[u8]) -> Option<OffsetEntry> {
    entry(bytes, count(bytes).checked_sub(1)?)
}

fn last_where(bytes: &[u8], holds: impl Fn(OffsetEntry) -> bool) -> Option<usize> {
    let (mut low, mut high) = (0, count(bytes));
    while low < high {
        let middle = low + (high - low) / 2;
        if entry(bytes, middle).is_some_and(&holds) { low = middle + 1 } else { high = middle }
    }
    low.checked_sub(1)
}

/// Index of the last entry whose offset is not above `relative`.
pub fn floor(bytes: &[u8], relative: u32) -> Option<usize> {
    last_where(bytes, |entry| entry.relative <= relative)
}

/// Index of the last entry whose position is not above `position`.
pub fn floor_position(bytes: &[u8], position: u64) -> Option<usize> {
    last_where(bytes, |entry| u64::from(entry.position) <= position)
}

/// Checks a file against the segment that it is for, and returns the length in bytes of its entries (without padding).
/// `None` if it cannot be the index of that segment.
pub fn check(bytes: &[u8], extent: Extent) -> Option<usize> {
    let mut previous: Option<OffsetEntry> = None;
    for index in 0..count(bytes) {
        let now = entry(bytes, index)?;
        // No entry points at the start of a segment: it is padding.
        if now.position == 0 {
            return bytes[index * ENTRY_BYTES..].iter().all(|byte| *byte == 0).then_some(index * ENTRY_BYTES);
        }
        let rises = previous.is_none_or(|before| before.relative < now.relative && before.position < now.position);
        if !rises || !extent.holds(now.relative) || u64::from(now.position) >= extent.length {
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

    fn index(entries: &[(u32, u32)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (relative, position) in entries {
            push(&mut bytes, OffsetEntry { relative: *relative, position: *position });
        }
        bytes
    }

    fn extent() -> Extent {
        Extent { base: Offset(100), end: Offset(200), length: 10_000 }
    }

    #[test]
    fn bytes_are_kafkas() {
        assert_eq!(index(&[(82, 4149)]), [0, 0, 0, 0x52, 0, 0, 0x10, 0x35]);
    }

    #[test]
    fn floor_finds_the_entry_at_or_below() {
        let bytes = index(&[(10, 4200), (20, 8400)]);
        assert_eq!(floor(&bytes, 9), None);
        assert_eq!(floor(&bytes, 10), Some(0));
        assert_eq!(floor(&bytes, 19), Some(0));
        assert_eq!(floor(&bytes, u32::MAX), Some(1));
        assert_eq!(floor_position(&bytes, 4199), None);
        assert_eq!(floor_position(&bytes, 8400), Some(1));
        assert_eq!(floor(&[], 5), None);
    }

    #[test]
    fn padding_is_not_entries() {
        let mut bytes = index(&[(10, 4200)]);
        bytes.resize(4096, 0);
        assert_eq!(check(&bytes, extent()), Some(8));
        assert_eq!(check(&[0; 64], extent()), Some(0));
        assert_eq!(check(&index(&[(10, 4200)])[..7], extent()), Some(0));
    }

    #[test]
    fn foreign_entries_are_refused() {
        for wrong in [
            vec![(10, 4200), (10, 8400)],
            vec![(10, 4200), (11, 4200)],
            vec![(20, 8400), (10, 4200)],
            vec![(100, 4200)],
            vec![(10, 10_000)],
            vec![(10, 4200), (0, 0), (20, 8400)],
        ] {
            assert_eq!(check(&index(&wrong), extent()), None, "{wrong:?}");
        }
    }
}
