//! The `.txnindex` file: the aborted transactions whose marker lies in the segment. Pure; bytes in, entries out.
//!
//! ```text
//! entry, 34 bytes, big-endian:
//! | int16 version 0 | int64 producer id | int64 first offset | int64 offset of the marker | int64 last stable offset |
//! ```
//! The file is there only if there are any. Kafka: `TransactionIndex.java`, `AbortedTxn.java`.

use crate::base::ids::{Offset, ProducerId};

pub const ENTRY_BYTES: usize = 34;

/// One aborted transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AbortedTxn {
    pub producer_id: ProducerId,
    pub first_offset: Offset,
    /// The marker's.
    pub last_offset: Offset,
    /// The last stable offset once this transaction was over.
    pub last_stable_offset: Offset,
}

/// Adds an entry behind the others.
pub fn push(bytes: &mut Vec<u8>, entry: &AbortedTxn) {
    bytes.extend_from_slice(&0i16.to_be_bytes());
    for value in [entry.producer_id.0, entry.first_offset.0, entry.last_offset.0, entry.last_stable_offset.0] {
        bytes.extend_from_slice(&value.to_be_bytes());
    }
}

/// Reads a file. `None` if it is not one: a version but 0, a part of an entry, offsets that make no sense.
pub fn read(bytes: &[u8]) -> Option<Vec<AbortedTxn>> {
    if !bytes.len().is_multiple_of(ENTRY_BYTES) {
        return None;
    }
    bytes.chunks_exact(ENTRY_BYTES).map(read_entry).collect()
}

fn read_entry(bytes: &[u8]) -> Option<AbortedTxn> {
    let long = |at: usize| bytes.get(at..at + 8)?.try_into().ok().map(i64::from_be_bytes);
    let entry = AbortedTxn {
        producer_id: ProducerId(long(2)?),
        first_offset: Offset(long(10)?),
        last_offset: Offset(long(18)?),
        last_stable_offset: Offset(long(26)?),
    };
    let sensible = bytes.first_chunk() == Some(&[0, 0]) && entry.first_offset <= entry.last_offset;
    sensible.then_some(entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_kafkas() {
        let entry = AbortedTxn {
            producer_id: ProducerId(2),
            first_offset: Offset(11),
            last_offset: Offset(17),
            last_stable_offset: Offset(18),
        };
        let mut bytes = Vec::new();
        push(&mut bytes, &entry);
        let mut expected = vec![0; ENTRY_BYTES];
        (expected[9], expected[17], expected[25], expected[33]) = (2, 0x0b, 0x11, 0x12);
        assert_eq!(bytes, expected);
        assert_eq!(read(&bytes), Some(vec![entry]));
    }

    #[test]
    fn foreign_bytes_are_refused() {
        assert_eq!(read(&[]), Some(vec![]));
        assert_eq!(read(&[0; 33]), None);
        assert_eq!(read(&[1; 34]), None);
    }
}
