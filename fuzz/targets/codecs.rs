//! gzip, snappy (raw and xerial), lz4 and zstd: arbitrary bytes as a stream of a codec, and arbitrary bytes through encoder and
//! decoder.
//!
//! ```text
//! input := choice, size, bytes       choice: 2 bits codec, high bit: encode first; size: of one read, or the level
//! ```

use std::io::{self, Read, Write};

use klamm::record::compression::{Codec, Compression, Decoder, Encoder};

use super::{Input, bounded};

/// A stream is read up to here: bombs end somewhere.
const PLAIN_BYTES_MAX: usize = 4 << 20;
/// From -3: higher ones take seconds and hundreds of MiB to set up, which only an operator can ask for.
const LEVELS: u8 = 13;
/// The state of the gzip decoder with its window; the others keep theirs in C's heap, which is not counted.
const DECODER_BYTES: usize = 96 * 1024;

pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (choice, size) = (input.byte(), input.byte());
    let codec = [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd][usize::from(choice & 3)];
    if choice & 0x80 == 0 {
        decode(codec, size, input.rest());
    } else {
        round_trip(codec, i32::from(size % LEVELS) - 3, input.rest());
    }
}

/// What came out, and whether the stream ended well.
struct Plain {
    length: usize,
    sum: u32,
    ended_well: bool,
}

/// Reads a stream in steps and keeps nothing: what is counted is the decoder's.
fn read(codec: Codec, bytes: &[u8], buffer: &mut [u8]) -> Plain {
    let mut plain = Plain { length: 0, sum: 0, ended_well: false };
    let Ok(mut decoder) = Decoder::new(codec, bytes) else { return plain };
    while plain.length < PLAIN_BYTES_MAX {
        let wanted = buffer.len().min(PLAIN_BYTES_MAX - plain.length);
        match decoder.read(&mut buffer[..wanted]) {
            Ok(0) => {
                plain.ended_well = true;
                break;
            }
            Ok(count) => {
                assert!(count <= wanted, "{codec:?} gave {count} bytes of {wanted}");
                plain.length += count;
                plain.sum = mixed(plain.sum, &buffer[..count]);
            }
            Err(error) => {
                assert!(error.kind() != io::ErrorKind::Interrupted && !error.to_string().is_empty(), "{error:?}");
                break;
            }
        }
    }
    plain
}

/// A sum that tells which bytes came, however they were cut.
fn mixed(before: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(before, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(*byte)))
}

/// In large steps and in small ones the same comes out, and little is held.
fn decode(codec: Codec, size: u8, bytes: &[u8]) {
    let mut large = vec![0; 64 * 1024];
    let mut small = vec![0; usize::from(size) + 1];
    let name = codec.name();
    let whole = bounded(bytes.len(), DECODER_BYTES, name, || read(codec, bytes, &mut large));
    if whole.length > 256 * 1024 {
        return;
    }
    let steps = bounded(bytes.len(), DECODER_BYTES, name, || read(codec, bytes, &mut small));
    // zstd looks at the length that a frame announces only if the whole frame fits the reader's buffer.
    let may_differ = codec == Codec::Zstd;
    assert!(
        whole.ended_well == steps.ended_well || may_differ,
        "{name}: the end of the stream depends on the size of reads"
    );
    if whole.ended_well {
        assert_eq!(
            (whole.length, whole.sum),
            (steps.length, steps.sum),
            "{name}: content depends on the size of reads"
        );
    }
}

fn round_trip(codec: Codec, level: i32, plain: &[u8]) {
    let compression = Compression::at_level(codec, level);
    let mut encoder = Encoder::new(compression, Vec::new()).expect("memory for an encoder");
    // In two pieces: a stream has no seams.
    let (first, second) = plain.split_at(plain.len() / 2);
    encoder.write_all(first).and_then(|()| encoder.write_all(second)).expect("a Vec takes it");
    let compressed = encoder.finish().expect("a Vec takes it");
    let mut decoded = Vec::new();
    Decoder::new(codec, &compressed)
        .and_then(|mut decoder| decoder.read_to_end(&mut decoded))
        .unwrap_or_else(|error| panic!("{codec:?} at {level}: {error}"));
    assert!(decoded == plain, "{codec:?} at {level}: {} bytes became {}", plain.len(), decoded.len());
}
