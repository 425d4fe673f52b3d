//! Bytes that lie: false counts in every array of every message and version, and mutated messages. Decoding never panics and never
//! holds more heap than the bytes received are worth.

use bytes::Bytes;
use klamm::codec::reader::Result;

use crate::allocator::peak_bytes;
use crate::bridge::Row;
use crate::facts::Schema;
use crate::generate::{Random, random, small};
use crate::round_trip::{for_each_version, new_seed};
use crate::value::{Claim, encode, encode_claiming};

/// Heap that may be held for each byte received.
const HEAP_FACTOR: usize = 32;
/// Heap that may be held for any message.
const HEAP_FREE_BYTES: usize = 64 * 1024;
/// Large enough that `HEAP_FREE_BYTES` does not hide a bad factor.
const FILLER_BYTES: usize = 96 * 1024;
/// Mutations for each message and version.
const MUTATIONS: usize = 150;

/// Decodes within the bound.
fn decode(row: &Row, version: i16, bytes: Vec<u8>, case: &str) -> Result<()> {
    let bytes = Bytes::from(bytes);
    let length = bytes.len();
    let (result, peak) = peak_bytes(|| (row.decode)(bytes, version));
    let bound = HEAP_FACTOR * length + HEAP_FREE_BYTES;
    assert!(peak <= bound, "{} v{version} {case}: {peak} bytes of heap for {length} received", row.name);
    result
}

/// A small message with false counts.
fn claiming(schema: &Schema, version: i16, claim: Claim) -> Vec<u8> {
    encode_claiming(schema, &small(schema, version), version, Some(claim)).expect("a legal value").0
}

fn array_count(schema: &Schema, version: i16) -> (usize, usize) {
    let (bytes, arrays) =
        encode_claiming(schema, &small(schema, version), version, None).expect("a small value is legal");
    (bytes.len(), arrays)
}

#[test]
fn counts_beyond_the_message_are_refused() {
    for_each_version(|row, schema, version| {
        let (length, arrays) = array_count(schema, version);
        for array in 0..arrays {
            for count in [length as i64 + 1, 1 << 16, i64::from(i32::MAX), -2] {
                let bytes = claiming(schema, version, Claim::One { array, count });
                let case = format!("array {array} of {count}");
                let result = decode(row, version, bytes, &case);
                assert!(result.is_err(), "{} v{version} {case}", row.name);
            }
        }
    });
}

#[test]
fn counts_that_the_message_could_hold_take_bounded_heap() {
    for_each_version(|row, schema, version| {
        let (_, arrays) = array_count(schema, version);
        for array in 0..arrays {
            for filler in [0, 1] {
                let claim = Claim::Filled { array, filler_bytes: FILLER_BYTES, filler };
                let _ = decode(row, version, claiming(schema, version, claim), &format!("array {array} of {filler}"));
            }
        }
    });
}

#[test]
fn nested_counts_take_bounded_heap() {
    for_each_version(|row, schema, version| {
        for share in [1, 2, 3, 5] {
            let mut bytes = claiming(schema, version, Claim::Every { bytes: FILLER_BYTES / share });
            bytes.resize(bytes.len() + FILLER_BYTES, 1);
            let _ = decode(row, version, bytes, &format!("every array, share {share}"));
        }
    });
}

fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    const TELLING: [u8; 8] = [0, 1, 2, 0x7f, 0x80, 0xfe, 0xff, 0x10];
    for _ in 0..=random.below(4) {
        let position = random.below(bytes.len() + 1);
        let byte = if random.one_in(2) { TELLING[random.below(TELLING.len())] } else { random.next() as u8 };
        match random.below(4) {
            0 => bytes.insert(position, byte),
            1 if position < bytes.len() => drop(bytes.remove(position)),
            2 => bytes.truncate(position),
            _ => {
                if let Some(at) = bytes.get_mut(position) {
                    *at = byte;
                }
            }
        }
    }
}

fn check_mutations(row: &Row, schema: &Schema, version: i16, seed: u64) {
    let mut source = Random(seed);
    for round in 0..MUTATIONS {
        let value = random(schema, version, &mut source);
        let mut bytes = encode(schema, &value, version).expect("a legal value");
        mutate(&mut bytes, &mut source);
        let _ = decode(row, version, bytes, &format!("seed {seed} round {round}"));
    }
}

#[test]
fn mutated_messages_are_refused_or_read() {
    let seed = new_seed();
    for_each_version(|row, schema, version| check_mutations(row, schema, version, seed));
}

/// To look at a failure again: the seed that it printed.
#[test]
fn replay_one_seed() {
    const SEED: u64 = 1;
    for_each_version(|row, schema, version| {
        if row.name == "FetchRequest" && version == 12 {
            check_mutations(row, schema, version, SEED);
        }
    });
}
