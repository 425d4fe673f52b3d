//! What is fuzzed, and what must hold: one function a target, from bytes to nothing, that panics where a promise is broken.
//!
//! The same functions run in the fuzzer (`fuzz/run`) and in `cargo test`, which replays `fuzz/corpus/`. Beyond "no panic": decoding
//! holds no more heap than the bytes are worth; what was decoded comes back the same; a refused batch leaves the log as it was.
//!
//! An input's first bytes choose what is done with the rest. Their meaning must not change without need: the corpus is made of it.

use bytes::Bytes;

use crate::allocator::peak_bytes;

mod batch;
mod checkpoints;
mod codecs;
mod config;
mod disk;
mod frame;
mod handlers;
mod indexes;
mod logs;
mod messages;
mod metadata;

/// From bytes to nothing; panics where a promise is broken.
pub type Target = fn(&[u8]);

/// Every target.
pub const ALL: &[(&str, Target)] = &[
    ("batch", batch::run),
    ("checkpoints", checkpoints::run),
    ("codecs", codecs::run),
    ("config", config::run),
    ("frame", frame::run),
    ("handlers", handlers::run),
    ("indexes", indexes::run),
    ("logs", logs::run),
    ("messages", messages::run),
    ("metadata", metadata::run),
];

/// Heap that may be held for each byte received.
const HEAP_FACTOR: usize = 32;
/// Heap that may be held for any input.
const HEAP_FREE_BYTES: usize = 64 * 1024;

/// Runs `work`, which was given `input_bytes`, and demands that it holds no more heap than those are worth, and `extra_bytes`: buffers
/// of a fixed size, which a name at the call explains.
fn bounded<T>(input_bytes: usize, extra_bytes: usize, what: &str, work: impl FnOnce() -> T) -> T {
    let (result, peak) = peak_bytes(work);
    let bound = HEAP_FACTOR * input_bytes + HEAP_FREE_BYTES + extra_bytes;
    assert!(peak <= bound, "{what}: {peak} bytes of heap for {input_bytes} received, {bound} allowed");
    result
}

/// Takes choices and pieces off the front of an input. At its end everything is zero and empty.
#[derive(Default)]
struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    fn new(bytes: &'a [u8]) -> Input<'a> {
        Input { rest: bytes }
    }

    fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        *first
    }

    /// Bytes behind a length of two bytes; what is there if it is less.
    fn piece(&mut self) -> &'a [u8] {
        let length = usize::from(u16::from_be_bytes([self.byte(), self.byte()]));
        let (piece, rest) = self.rest.split_at(length.min(self.rest.len()));
        self.rest = rest;
        piece
    }

    fn rest(self) -> &'a [u8] {
        self.rest
    }
}

/// A copy that is not counted against the decoder.
fn shared(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "bytes of heap for 10 received")]
    fn too_much_heap_is_seen() {
        bounded(10, 0, "a vector", || std::hint::black_box(vec![0u8; HEAP_FREE_BYTES + 10 * HEAP_FACTOR + 1]));
    }

    #[test]
    fn an_input_ends_in_zeros() {
        let mut input = Input::new(&[7, 0, 2, 1, 2, 0, 9, 3]);
        assert_eq!((input.byte(), input.piece(), input.piece()), (7, [1, 2].as_slice(), [3].as_slice()));
        assert_eq!((input.is_empty(), input.byte(), input.piece()), (true, 0, [0; 0].as_slice()));
    }
}
