//! Record batches (magic 2) for the load: built once, checksum and all, and sent again and again.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::wire::Encoder;

/// Bytes of a batch before its records.
pub const HEADER_BYTES: usize = 61;

/// How the records of a batch are compressed.
#[derive(Clone, Copy)]
pub enum Codec {
    None,
    Lz4,
    Zstd,
}

impl Codec {
    /// The codec's number in a batch's attributes.
    fn attributes(self) -> i16 {
        match self {
            Codec::None => 0,
            Codec::Lz4 => 3,
            Codec::Zstd => 4,
        }
    }

    fn compress(self, records: Vec<u8>) -> std::io::Result<Vec<u8>> {
        match self {
            Codec::None => Ok(records),
            Codec::Lz4 => {
                let mut to = lz4::EncoderBuilder::new().block_mode(lz4::BlockMode::Independent).build(Vec::new())?;
                std::io::Write::write_all(&mut to, &records)?;
                let (bytes, finished) = to.finish();
                finished.map(|()| bytes)
            }
            Codec::Zstd => zstd::encode_all(records.as_slice(), 3),
        }
    }
}

/// A batch of records without keys, whose values are `value_bytes` long and do not compress.
pub fn batch(records: usize, value_bytes: usize) -> Vec<u8> {
    let value = incompressible(value_bytes);
    let mut to = Encoder::default();
    for index in 0..records {
        push_record(&mut to, index, &value);
    }
    sealed(Codec::None, records, &to.bytes)
}

/// A batch of records without keys, whose values are `value_bytes` of text that compresses as logs and events do.
pub fn compressed(codec: Codec, records: usize, value_bytes: usize) -> std::io::Result<Vec<u8>> {
    let mut numbers = random();
    let mut to = Encoder::default();
    for index in 0..records {
        let mut value = Vec::with_capacity(value_bytes + 80);
        while value.len() < value_bytes {
            let (first, second) = (numbers(), numbers());
            let name =
                ["user", "order", "session", "device", "payment", "address", "country", "status"][first as usize % 8];
            let state = ["accepted", "pending", "rejected", "unknown"][second as usize % 4];
            value.extend(
                format!("{{\"{name}_id\":{first},\"state\":\"{state}\",\"amount\":{}}},", second >> 12).bytes(),
            );
        }
        value.truncate(value_bytes);
        push_record(&mut to, index, &value);
    }
    Ok(sealed(codec, records, &codec.compress(to.bytes)?))
}

/// Whether a whole batch is as it was sealed.
pub fn is_sound(batch: &[u8]) -> bool {
    let sum = batch.get(17..21).and_then(|sum| sum.try_into().ok()).map(u32::from_be_bytes);
    sum.is_some_and(|sum| batch.get(21..).is_some_and(|covered| crc32c::crc32c(covered) == sum))
}

fn sealed(codec: Codec, records: usize, bytes: &[u8]) -> Vec<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
    let mut covered = Encoder::default();
    covered.i16(codec.attributes()).i32(records as i32 - 1).i64(now).i64(now).i64(-1).i16(-1).i32(-1);
    covered.i32(records as i32).raw(bytes);
    let mut to = Encoder::default();
    to.i64(0).i32(covered.bytes.len() as i32 + 9).i32(-1).i8(2);
    to.raw(&crc32c::crc32c(&covered.bytes).to_be_bytes()).raw(&covered.bytes);
    to.bytes
}

/// The largest batch of such records that is not above `batch_bytes`, but of one at least, and how many it holds.
pub fn fill(batch_bytes: usize, value_bytes: usize) -> (Vec<u8>, usize) {
    let mut records = (batch_bytes.saturating_sub(HEADER_BYTES) / (value_bytes + 6)).max(1);
    loop {
        let built = batch(records, value_bytes);
        if built.len() <= batch_bytes || records == 1 {
            return (built, records);
        }
        records -= 1.max((built.len() - batch_bytes) / (value_bytes + 16));
    }
}

/// Base offset and last offset of every whole batch in `records`, and the bytes they take.
pub fn whole_batches(records: &[u8]) -> impl Iterator<Item = (i64, i64, usize)> {
    let mut rest = records;
    std::iter::from_fn(move || {
        let header = rest.get(..HEADER_BYTES)?;
        let base = i64::from_be_bytes(header[..8].try_into().ok()?);
        let size = 12 + u32::from_be_bytes(header[8..12].try_into().ok()?) as usize;
        let delta = i32::from_be_bytes(header[23..27].try_into().ok()?);
        rest = rest.get(size..)?;
        Some((base, base + i64::from(delta), size))
    })
}

fn push_record(to: &mut Encoder, index: usize, value: &[u8]) {
    let mut body = Encoder::default();
    body.i8(0).uvarint(0).uvarint(zigzag(index as i64)).uvarint(zigzag(-1)).uvarint(zigzag(value.len() as i64));
    body.raw(value).uvarint(0);
    to.uvarint(zigzag(body.bytes.len() as i64)).raw(&body.bytes);
}

fn zigzag(value: i64) -> usize {
    ((value << 1) ^ (value >> 63)) as usize
}

/// Bytes that no codec makes smaller.
fn incompressible(length: usize) -> Vec<u8> {
    let mut numbers = random();
    (0..length).map(|_| numbers() as u8).collect()
}

/// Numbers that are the same in every run (xorshift with a fixed seed).
fn random() -> impl FnMut() -> u32 {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u32
    }
}
