//! The records in a batch: what one looks like, an iterator over decoded ones, and a scan that decodes as a stream and keeps
//! nothing.
//!
//! ```text
//! varint length of the rest | i8 attributes (0) | varlong timestamp delta | varint offset delta
//! varint key length (-1 null) | key | varint value length (-1 null) | value
//! varint header count | per header: varint key length | key | varint value length (-1 null) | value
//! ```
//!
//! References: Kafka `DefaultRecord.java`, `ByteUtils.java`.

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::ops::ControlFlow;

use bytes::Bytes;

use super::batch::BatchHeader;
use super::builder::Header;
use super::compression::{Codec, Decoder};
use super::varint;
use crate::base::ids::Offset;
use crate::base::limits::DECOMPRESSION_WINDOW_BYTES;

/// Why bytes are not the records of their batch.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RecordsFault {
    #[error("the records end inside a record")]
    Truncated,
    #[error("a record or one of its fields has an impossible length")]
    Length,
    #[error("a record is longer or shorter than it says")]
    RecordSize,
    #[error("a record has an impossible number of headers")]
    HeaderCount,
    #[error("there are bytes behind the last record")]
    TrailingBytes,
    #[error("a record of {size_bytes} bytes exceeds the {max_bytes} that may be decompressed")]
    TooLarge { size_bytes: usize, max_bytes: usize },
    #[error("the batch's records are more than {max_bytes} bytes when decompressed")]
    BatchTooLarge { max_bytes: usize },
    #[error("codec {0} is unknown")]
    UnknownCodec(u8),
    /// The codec's own words.
    #[error("the records cannot be decompressed: {0}")]
    Undecodable(String),
}

/// One record of a decoded batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record<'a> {
    pub offset: Offset,
    /// Milliseconds; the batch's append time if it has one.
    pub timestamp: i64,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: Headers<'a>,
}

/// The headers of a record, read as they are asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Headers<'a> {
    count: i32,
    rest: &'a [u8],
}

impl<'a> Iterator for Headers<'a> {
    type Item = Header<'a>;

    fn next(&mut self) -> Option<Header<'a>> {
        if self.count <= 0 {
            return None;
        }
        self.count -= 1;
        let key = take_sized(&mut self.rest).ok()?.unwrap_or_default();
        let value = take_sized(&mut self.rest).ok()?;
        Some(Header { key, value })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let count = usize::try_from(self.count).unwrap_or(0);
        (0, Some(count))
    }
}

/// The records of a batch in plain bytes, in order. Ends after the first fault.
pub struct Records<'a> {
    header: &'a BatchHeader,
    rest: &'a [u8],
    left: i32,
}

/// Reads the records of a batch from its decoded body (`decode`).
pub fn iterate<'a>(header: &'a BatchHeader, plain: &'a [u8]) -> Records<'a> {
    Records { header, rest: plain, left: header.record_count }
}

impl<'a> Records<'a> {
    fn read(&mut self) -> Result<Record<'a>, RecordsFault> {
        let mut body = take_record(&mut self.rest)?;
        let (timestamp_delta, offset_delta) = take_deltas(&mut body)?;
        let key = take_sized(&mut body)?;
        let value = take_sized(&mut body)?;
        let count = take_header_count(&mut body)?;
        let headers = Headers { count, rest: body };
        skip_headers(&mut body, count)?;
        if !body.is_empty() {
            return Err(RecordsFault::RecordSize);
        }
        let seen = Seen { timestamp_delta, offset_delta, has_key: key.is_some() };
        Ok(Record { offset: seen.offset(self.header), timestamp: seen.timestamp(self.header), key, value, headers })
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, RecordsFault>;

    fn next(&mut self) -> Option<Result<Record<'a>, RecordsFault>> {
        if self.left <= 0 {
            let trailing = !std::mem::take(&mut self.rest).is_empty();
            return trailing.then_some(Err(RecordsFault::TrailingBytes));
        }
        self.left -= 1;
        let record = self.read();
        if record.is_err() {
            self.left = 0;
            self.rest = &[];
        }
        Some(record)
    }
}

/// The plain record bytes of a batch: shared if they are not compressed, decoded otherwise.
///
/// # Errors
/// `TooLarge` if they come to more than `max_bytes`; `UnknownCodec`, `Undecodable`.
pub fn decode(header: &BatchHeader, body: &Bytes, max_bytes: usize) -> Result<Bytes, RecordsFault> {
    let codec = codec_of(header)?;
    if codec == Codec::None || body.is_empty() {
        return Ok(body.clone());
    }
    let limit = u64::try_from(max_bytes).unwrap_or(u64::MAX).saturating_add(1);
    let mut plain = Vec::with_capacity(body.len().min(DECOMPRESSION_WINDOW_BYTES));
    Decoder::new(codec, body).and_then(|decoder| decoder.take(limit).read_to_end(&mut plain)).map_err(undecodable)?;
    if plain.len() > max_bytes {
        return Err(RecordsFault::TooLarge { size_bytes: plain.len(), max_bytes });
    }
    Ok(Bytes::from(plain))
}

/// What a scan tells of a record without holding it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seen {
    pub timestamp_delta: i64,
    pub offset_delta: i32,
    pub has_key: bool,
}

impl Seen {
    pub fn offset(&self, header: &BatchHeader) -> Offset {
        Offset(header.base_offset.0.saturating_add(i64::from(self.offset_delta)))
    }

    pub fn timestamp(&self, header: &BatchHeader) -> i64 {
        if header.attributes.is_log_append_time() {
            header.max_timestamp
        } else {
            header.base_timestamp.wrapping_add(self.timestamp_delta)
        }
    }
}

/// Shows every record of a batch to `visit`, decoding a compressed body as a stream through a bounded window.
///
/// A scan that `visit` does not break also checks that the body holds the records and nothing else. `record_bytes_max` bounds
/// one record of a compressed batch (`max.decompressed.message.bytes`).
///
/// # Errors
/// The first fault of the bytes; records before it were shown.
pub fn scan(
    header: &BatchHeader,
    body: &[u8],
    record_bytes_max: usize,
    visit: impl FnMut(Seen) -> ControlFlow<()>,
) -> Result<(), RecordsFault> {
    match codec_of(header)? {
        Codec::None => scan_plain(header.record_count, body, visit),
        _ if body.is_empty() && header.record_count == 0 => Ok(()),
        codec => {
            let compressed = Compressed { codec, body, record_bytes_max, bytes_max: usize::MAX, copy: None };
            scan_compressed(header.record_count, compressed, visit)
        }
    }
}

/// A compressed body as it is scanned, and who gets a copy of its plain bytes.
pub(super) struct Compressed<'a> {
    pub codec: Codec,
    pub body: &'a [u8],
    pub record_bytes_max: usize,
    /// Of all records together.
    pub bytes_max: usize,
    pub copy: Option<&'a mut dyn Write>,
}

/// `scan` of an uncompressed body. The hot loop of every produce.
#[inline]
pub(super) fn scan_plain(
    count: i32,
    body: &[u8],
    mut visit: impl FnMut(Seen) -> ControlFlow<()>,
) -> Result<(), RecordsFault> {
    let mut rest = body;
    for _ in 0..count {
        let seen = see(take_record(&mut rest)?)?;
        if visit(seen).is_break() {
            return Ok(());
        }
    }
    if rest.is_empty() { Ok(()) } else { Err(RecordsFault::TrailingBytes) }
}

/// `scan` of a compressed body.
pub(super) fn scan_compressed(
    count: i32,
    compressed: Compressed<'_>,
    mut visit: impl FnMut(Seen) -> ControlFlow<()>,
) -> Result<(), RecordsFault> {
    let Compressed { codec, body, record_bytes_max, bytes_max, copy } = compressed;
    let decoder = Decoder::new(codec, body).map_err(undecodable)?;
    let mut buffer = WINDOW.take();
    buffer.resize(DECOMPRESSION_WINDOW_BYTES, 0);
    let mut window = Window { decoder, buffer, start: 0, end: 0, bytes_max, left: bytes_max, copy };
    for _ in 0..count {
        let seen = window.see_record(record_bytes_max)?;
        if visit(seen).is_break() {
            return Ok(());
        }
    }
    if window.start < window.end || window.fill(1)? { Err(RecordsFault::TrailingBytes) } else { Ok(()) }
}

fn codec_of(header: &BatchHeader) -> Result<Codec, RecordsFault> {
    header.attributes.codec().ok_or(RecordsFault::UnknownCodec(header.attributes.codec_id()))
}

fn undecodable(error: io::Error) -> RecordsFault {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => RecordsFault::Undecodable("the compressed stream is cut off".into()),
        _ => RecordsFault::Undecodable(error.to_string()),
    }
}

/// The faults of a record's structure: small, so that the hot loop returns them in a register.
#[derive(Clone, Copy)]
enum Broken {
    Truncated,
    Length,
    RecordSize,
    HeaderCount,
}

impl From<Broken> for RecordsFault {
    fn from(broken: Broken) -> RecordsFault {
        match broken {
            Broken::Truncated => RecordsFault::Truncated,
            Broken::Length => RecordsFault::Length,
            Broken::RecordSize => RecordsFault::RecordSize,
            Broken::HeaderCount => RecordsFault::HeaderCount,
        }
    }
}

/// Takes the bytes of one record, its length left off.
#[inline(always)]
fn take_record<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Broken> {
    let length = varint::take_i32(rest).ok_or(Broken::Truncated)?;
    let length = usize::try_from(length).map_err(|_| Broken::Length)?;
    let (record, behind) = rest.split_at_checked(length).ok_or(Broken::Truncated)?;
    *rest = behind;
    Ok(record)
}

/// Looks at one whole record.
#[inline(always)]
fn see(mut body: &[u8]) -> Result<Seen, Broken> {
    let (timestamp_delta, offset_delta) = take_deltas(&mut body)?;
    let has_key = take_sized(&mut body)?.is_some();
    take_sized(&mut body)?;
    let headers = take_header_count(&mut body)?;
    if headers > 0 {
        skip_headers(&mut body, headers)?;
    }
    if body.is_empty() { Ok(Seen { timestamp_delta, offset_delta, has_key }) } else { Err(Broken::RecordSize) }
}

#[inline(always)]
fn take_deltas(body: &mut &[u8]) -> Result<(i64, i32), Broken> {
    let (_attributes, rest) = body.split_first().ok_or(Broken::RecordSize)?;
    *body = rest;
    let timestamp_delta = varint::take_i64(body).ok_or(Broken::RecordSize)?;
    let offset_delta = varint::take_i32(body).ok_or(Broken::RecordSize)?;
    Ok((timestamp_delta, offset_delta))
}

/// Takes bytes behind their length; `None` for null, which is any negative length, as in Kafka.
#[inline(always)]
fn take_sized<'a>(body: &mut &'a [u8]) -> Result<Option<&'a [u8]>, Broken> {
    let length = varint::take_i32(body).ok_or(Broken::RecordSize)?;
    let Ok(length) = usize::try_from(length) else { return Ok(None) };
    let (bytes, rest) = body.split_at_checked(length).ok_or(Broken::Length)?;
    *body = rest;
    Ok(Some(bytes))
}

#[inline(always)]
fn take_header_count(body: &mut &[u8]) -> Result<i32, Broken> {
    let count = varint::take_i32(body).ok_or(Broken::RecordSize)?;
    if usize::try_from(count).is_ok_and(|count| count <= body.len()) { Ok(count) } else { Err(Broken::HeaderCount) }
}

fn skip_headers(body: &mut &[u8], count: i32) -> Result<(), Broken> {
    for _ in 0..count {
        // A header's key is never null.
        take_sized(body)?.ok_or(Broken::Length)?;
        take_sized(body)?;
    }
    Ok(())
}

thread_local! {
    /// The buffer of this thread's last window: filling a new one with zeros costs as much as a small batch.
    static WINDOW: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

impl Drop for Window<'_> {
    fn drop(&mut self) {
        WINDOW.set(std::mem::take(&mut self.buffer));
    }
}

/// Plain bytes of a compressed body, a window of them at a time.
struct Window<'a> {
    decoder: Decoder<'a>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    bytes_max: usize,
    /// What may still come out of the decoder.
    left: usize,
    copy: Option<&'a mut dyn Write>,
}

impl Window<'_> {
    fn available(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Decodes until `wanted` bytes are here, at most a window; false if the stream ends before.
    fn fill(&mut self, wanted: usize) -> Result<bool, RecordsFault> {
        if self.end - self.start >= wanted {
            return Ok(true);
        }
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        while self.end < wanted {
            let count = match self.decoder.read(&mut self.buffer[self.end..]) {
                Ok(0) => return Ok(false),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(undecodable(error)),
            };
            self.left =
                self.left.checked_sub(count).ok_or(RecordsFault::BatchTooLarge { max_bytes: self.bytes_max })?;
            if let Some(copy) = &mut self.copy {
                copy.write_all(&self.buffer[self.end..self.end + count]).map_err(undecodable)?;
            }
            self.end += count;
        }
        Ok(true)
    }

    /// Takes an integer with `take`, decoding more bytes if it is cut off; returns its length too.
    fn varint<T>(&mut self, take: fn(&mut &[u8]) -> Option<T>) -> Result<(T, usize), RecordsFault> {
        const VARINT_BYTES_MAX: usize = 10;
        let mut bytes = self.available();
        let mut value = take(&mut bytes);
        if value.is_none() && bytes.len() < VARINT_BYTES_MAX {
            self.fill(VARINT_BYTES_MAX)?;
            bytes = self.available();
            value = take(&mut bytes);
        }
        let taken = self.end - self.start - bytes.len();
        let fault = if bytes.len() < VARINT_BYTES_MAX { RecordsFault::Truncated } else { RecordsFault::Length };
        self.start += taken;
        value.map(|value| (value, taken)).ok_or(fault)
    }

    fn see_record(&mut self, record_bytes_max: usize) -> Result<Seen, RecordsFault> {
        let (length, _) = self.varint(varint::take_i32)?;
        let length = usize::try_from(length).map_err(|_| RecordsFault::Length)?;
        if length > record_bytes_max {
            return Err(RecordsFault::TooLarge { size_bytes: length, max_bytes: record_bytes_max });
        }
        if length > self.buffer.len() {
            return LongRecord { window: self, left: length }.see();
        }
        if !self.fill(length)? {
            return Err(RecordsFault::Truncated);
        }
        let seen = see(&self.available()[..length])?;
        self.start += length;
        Ok(seen)
    }
}

/// A record that does not fit the window: `see`, piece by piece.
struct LongRecord<'w, 'a> {
    window: &'w mut Window<'a>,
    /// Bytes of the record not seen yet.
    left: usize,
}

impl LongRecord<'_, '_> {
    fn see(mut self) -> Result<Seen, RecordsFault> {
        self.skip(1)?;
        let timestamp_delta = self.varint(varint::take_i64)?;
        let offset_delta = self.varint(varint::take_i32)?;
        let has_key = self.skip_sized()?;
        self.skip_sized()?;
        let headers = self.varint(varint::take_i32)?;
        if usize::try_from(headers).map_or(true, |count| count > self.left) {
            return Err(RecordsFault::HeaderCount);
        }
        for _ in 0..headers {
            if !self.skip_sized()? {
                return Err(RecordsFault::Length);
            }
            self.skip_sized()?;
        }
        if self.left > 0 { Err(RecordsFault::RecordSize) } else { Ok(Seen { timestamp_delta, offset_delta, has_key }) }
    }

    /// Passes bytes behind their length; false for null.
    fn skip_sized(&mut self) -> Result<bool, RecordsFault> {
        match usize::try_from(self.varint(varint::take_i32)?) {
            Err(_) => Ok(false),
            Ok(length) if length > self.left => Err(RecordsFault::Length),
            Ok(length) => self.skip(length).map(|()| true),
        }
    }

    fn skip(&mut self, count: usize) -> Result<(), RecordsFault> {
        self.left -= count;
        let mut count = count;
        loop {
            let step = count.min(self.window.available().len());
            self.window.start += step;
            count -= step;
            if count == 0 {
                return Ok(());
            }
            if !self.window.fill(1)? {
                return Err(RecordsFault::Truncated);
            }
        }
    }

    fn varint<T>(&mut self, take: fn(&mut &[u8]) -> Option<T>) -> Result<T, RecordsFault> {
        let (value, taken) = self.window.varint(take)?;
        self.left = self.left.checked_sub(taken).ok_or(RecordsFault::RecordSize)?;
        Ok(value)
    }
}
