//! The four codecs and their framings as Kafka's clients write them. The only home of compression crates.
//!
//! Decoders are streams: they hold a codec's own window and never allocate by what the bytes claim. Encoders write the framing
//! that Kafka's own clients write.
//!
//! ```text
//! gzip    members of RFC 1952, one after the other
//! snappy  xerial: 82 "SNAPPY" 00, i32 version, i32 compatible, then blocks of i32 length + raw snappy; or one raw block
//! lz4     frames (04 22 4d 18), one after the other; written with independent 64 KiB blocks and no checksums
//! zstd    frames (28 b5 2f fd), one after the other
//! ```
//!
//! References: Kafka `CompressionType.java`, `Lz4BlockOutputStream.java`, KIP-110 (zstd), KIP-390 (levels); RFC 8878.

use std::cell::Cell;
use std::io::{self, Read, Write};

use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use zstd::zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer, ResetDirective, get_error_name};

use crate::base::limits;

/// How a batch's records are compressed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Codec {
    #[default]
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl Codec {
    pub const ALL: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

    /// The number in a batch's attributes.
    pub fn id(self) -> u8 {
        match self {
            Codec::None => 0,
            Codec::Gzip => 1,
            Codec::Snappy => 2,
            Codec::Lz4 => 3,
            Codec::Zstd => 4,
        }
    }

    pub fn from_id(id: u8) -> Option<Codec> {
        Codec::ALL.into_iter().find(|codec| codec.id() == id)
    }

    /// The name that configurations use.
    pub fn name(self) -> &'static str {
        match self {
            Codec::None => "none",
            Codec::Gzip => "gzip",
            Codec::Snappy => "snappy",
            Codec::Lz4 => "lz4",
            Codec::Zstd => "zstd",
        }
    }
}

/// A codec to write with, and how hard it tries.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Compression {
    codec: Codec,
    level: i32,
}

/// Kafka's default lz4 level. It stands for the fast encoder; every other level for the high-compression one.
const LZ4_LEVEL_DEFAULT: i32 = 9;
/// lz4's encoder knows 12 levels; Kafka's setting reaches to 17.
const LZ4_LEVEL_MAX: i32 = 12;
/// `-1`: the library's own choice.
const GZIP_LEVEL_DEFAULT: i32 = -1;

/// From this level on zstd would announce windows of 32 MiB and more, which decoders may refuse; ours does.
const ZSTD_LEVEL_OF_LARGE_WINDOWS: i32 = 20;

impl Compression {
    pub const NONE: Compression = Compression { codec: Codec::None, level: 0 };

    /// The codec at Kafka's default level.
    pub fn of(codec: Codec) -> Compression {
        let level = match codec {
            Codec::None | Codec::Snappy => 0,
            Codec::Gzip => GZIP_LEVEL_DEFAULT,
            Codec::Lz4 => LZ4_LEVEL_DEFAULT,
            Codec::Zstd => zstd::DEFAULT_COMPRESSION_LEVEL,
        };
        Compression { codec, level }
    }

    /// The codec at a level of Kafka's scale; outside it the nearest. None and snappy have no levels.
    pub fn at_level(codec: Codec, level: i32) -> Compression {
        let level = match codec {
            Codec::None | Codec::Snappy => 0,
            Codec::Gzip if level == 0 => GZIP_LEVEL_DEFAULT,
            Codec::Gzip => level.clamp(GZIP_LEVEL_DEFAULT, 9),
            Codec::Lz4 => level.clamp(1, 17),
            Codec::Zstd => {
                let range = zstd::compression_level_range();
                level.clamp(*range.start(), *range.end())
            }
        };
        Compression { codec, level }
    }

    pub fn codec(self) -> Codec {
        self.codec
    }
}

/// Compresses everything written to it into `W`.
pub struct Encoder<W: Write>(Encoding<W>);

enum Encoding<W: Write> {
    None(W),
    Gzip(GzEncoder<W>),
    Snappy(Box<XerialWriter<W>>),
    Lz4(lz4::Encoder<W>),
    Zstd(zstd::stream::write::Encoder<'static, W>),
}

impl<W: Write> Encoder<W> {
    /// # Errors
    /// Those of `sink`, and of a codec that gets no memory.
    pub fn new(compression: Compression, sink: W) -> io::Result<Encoder<W>> {
        let level = compression.level;
        Ok(Encoder(match compression.codec {
            Codec::None => Encoding::None(sink),
            Codec::Gzip => {
                let level =
                    u32::try_from(level).map_or_else(|_| flate2::Compression::default(), flate2::Compression::new);
                Encoding::Gzip(GzEncoder::new(sink, level))
            }
            Codec::Snappy => Encoding::Snappy(Box::new(XerialWriter::new(sink)?)),
            Codec::Lz4 => {
                let level = if level == LZ4_LEVEL_DEFAULT { 0 } else { level.min(LZ4_LEVEL_MAX) };
                let encoder = lz4::EncoderBuilder::new()
                    .level(level.unsigned_abs())
                    .block_mode(lz4::BlockMode::Independent)
                    .block_size(lz4::BlockSize::Max64KB)
                    .block_checksum(lz4::liblz4::BlockChecksum::NoBlockChecksum)
                    .checksum(lz4::ContentChecksum::NoChecksum)
                    .build(sink)?;
                Encoding::Lz4(encoder)
            }
            Codec::Zstd => {
                let mut encoder = zstd::stream::write::Encoder::new(sink, level)?;
                if level >= ZSTD_LEVEL_OF_LARGE_WINDOWS {
                    encoder.window_log(limits::ZSTD_WINDOW_LOG_MAX)?;
                }
                Encoding::Zstd(encoder)
            }
        }))
    }

    /// Writes the end of the stream and hands the sink back.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn finish(self) -> io::Result<W> {
        match self.0 {
            Encoding::None(sink) => Ok(sink),
            Encoding::Gzip(encoder) => encoder.finish(),
            Encoding::Snappy(writer) => writer.finish(),
            Encoding::Lz4(encoder) => {
                let (sink, result) = encoder.finish();
                result.map(|()| sink)
            }
            Encoding::Zstd(encoder) => encoder.finish(),
        }
    }
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, plain: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Encoding::None(sink) => sink.write(plain),
            Encoding::Gzip(encoder) => encoder.write(plain),
            Encoding::Snappy(writer) => writer.write(plain),
            Encoding::Lz4(encoder) => encoder.write(plain),
            Encoding::Zstd(encoder) => encoder.write(plain),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Compresses bytes that are all here.
///
/// # Errors
/// A codec that gets no memory.
pub fn compress(compression: Compression, plain: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = Encoder::new(compression, Vec::with_capacity(plain.len() / 2 + 64))?;
    encoder.write_all(plain)?;
    encoder.finish()
}

/// The plain bytes of a batch's records, as a stream.
pub struct Decoder<'a>(Decoding<'a>);

enum Decoding<'a> {
    None(&'a [u8]),
    Gzip(Box<MultiGzDecoder<&'a [u8]>>),
    Snappy(SnappyReader<'a>),
    Lz4(Lz4Reader<'a>),
    Zstd(ZstdReader<'a>),
}

impl<'a> Decoder<'a> {
    /// # Errors
    /// A codec that gets no memory. What is wrong with the bytes shows while reading.
    pub fn new(codec: Codec, bytes: &'a [u8]) -> io::Result<Decoder<'a>> {
        Ok(Decoder(match codec {
            Codec::None => Decoding::None(bytes),
            Codec::Gzip => Decoding::Gzip(Box::new(MultiGzDecoder::new(bytes))),
            Codec::Snappy => Decoding::Snappy(SnappyReader::new(bytes)),
            Codec::Lz4 => Decoding::Lz4(Lz4Reader::new(bytes)?),
            Codec::Zstd => Decoding::Zstd(ZstdReader::new(bytes)?),
        }))
    }
}

impl Read for Decoder<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Decoding::None(rest) => rest.read(buffer),
            Decoding::Gzip(decoder) => decoder.read(buffer),
            Decoding::Snappy(reader) => reader.read(buffer),
            Decoding::Lz4(reader) => reader.read(buffer),
            Decoding::Zstd(reader) => reader.read(buffer),
        }
    }
}

/// The first bytes of a xerial stream, and version and compatible version behind them.
const XERIAL_HEADER: [u8; 16] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1];
const XERIAL_MAGIC_BYTES: usize = 8;
/// Plain bytes of a xerial block, as Kafka's clients write it.
const XERIAL_BLOCK_BYTES: usize = 32 * 1024;

struct XerialWriter<W: Write> {
    sink: W,
    plain: Vec<u8>,
    block: Vec<u8>,
    encoder: snap::raw::Encoder,
}

impl<W: Write> XerialWriter<W> {
    fn new(mut sink: W) -> io::Result<XerialWriter<W>> {
        sink.write_all(&XERIAL_HEADER)?;
        let block = vec![0; snap::raw::max_compress_len(XERIAL_BLOCK_BYTES)];
        let plain = Vec::with_capacity(XERIAL_BLOCK_BYTES);
        Ok(XerialWriter { sink, plain, block, encoder: snap::raw::Encoder::new() })
    }

    fn write_block(&mut self) -> io::Result<()> {
        let length = self.encoder.compress(&self.plain, &mut self.block)?;
        self.sink.write_all(&u32::try_from(length).map_err(io::Error::other)?.to_be_bytes())?;
        self.sink.write_all(&self.block[..length])?;
        self.plain.clear();
        Ok(())
    }

    fn write(&mut self, plain: &[u8]) -> io::Result<usize> {
        let count = plain.len().min(XERIAL_BLOCK_BYTES - self.plain.len());
        self.plain.extend_from_slice(&plain[..count]);
        if self.plain.len() == XERIAL_BLOCK_BYTES {
            self.write_block()?;
        }
        Ok(count)
    }

    fn finish(mut self) -> io::Result<W> {
        if !self.plain.is_empty() {
            self.write_block()?;
        }
        Ok(self.sink)
    }
}

/// Plain bytes of one snappy block at a time: the format refers back through the whole block.
struct SnappyReader<'a> {
    rest: &'a [u8],
    is_xerial: bool,
    block: Vec<u8>,
    position: usize,
}

impl<'a> SnappyReader<'a> {
    fn new(bytes: &'a [u8]) -> SnappyReader<'a> {
        SnappyReader {
            rest: bytes,
            is_xerial: bytes.starts_with(&XERIAL_HEADER[..XERIAL_MAGIC_BYTES]),
            block: Vec::new(),
            position: 0,
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.position == self.block.len() {
            let Some(block) = self.next_block()? else { return Ok(0) };
            self.decompress(block)?;
        }
        let count = buffer.len().min(self.block.len() - self.position);
        buffer[..count].copy_from_slice(&self.block[self.position..self.position + count]);
        self.position += count;
        Ok(count)
    }

    fn next_block(&mut self) -> io::Result<Option<&'a [u8]>> {
        if !self.is_xerial {
            let block = std::mem::take(&mut self.rest);
            return Ok(if block.is_empty() { None } else { Some(block) });
        }
        // Streams may follow each other. No block length looks like the magic: it would be negative.
        while self.rest.starts_with(&XERIAL_HEADER[..XERIAL_MAGIC_BYTES]) {
            self.rest = self.rest.get(XERIAL_HEADER.len()..).ok_or(io::ErrorKind::UnexpectedEof)?;
        }
        if self.rest.is_empty() {
            return Ok(None);
        }
        let (length, rest) = self.rest.split_first_chunk().ok_or(io::ErrorKind::UnexpectedEof)?;
        let length =
            usize::try_from(i32::from_be_bytes(*length)).map_err(|_| invalid("negative snappy block length"))?;
        let (block, rest) = rest.split_at_checked(length).ok_or(io::ErrorKind::UnexpectedEof)?;
        self.rest = rest;
        Ok(Some(block))
    }

    fn decompress(&mut self, block: &[u8]) -> io::Result<()> {
        let length = snap::raw::decompress_len(block)?;
        if length > block.len().saturating_mul(limits::SNAPPY_RATIO_MAX) {
            return Err(invalid("a snappy block claims more than its bytes can hold"));
        }
        self.position = 0;
        self.block.resize(length, 0);
        let written = snap::raw::Decoder::new().decompress(block, &mut self.block)?;
        self.block.truncate(written);
        Ok(())
    }
}

/// In the descriptor byte of an lz4 frame: no block refers to the one before.
const LZ4_BLOCKS_INDEPENDENT: u8 = 0x20;
/// Where that byte stands, behind the magic.
const LZ4_DESCRIPTOR_AT: usize = 4;

/// lz4 frames, one after the other.
struct Lz4Reader<'a> {
    frame: Option<lz4::Decoder<&'a [u8]>>,
}

impl<'a> Lz4Reader<'a> {
    fn new(bytes: &'a [u8]) -> io::Result<Lz4Reader<'a>> {
        Ok(Lz4Reader { frame: Some(Self::frame(bytes)?) })
    }

    /// A frame that Java's clients can read: they refuse blocks that refer to each other, and so does Kafka's broker.
    fn frame(bytes: &'a [u8]) -> io::Result<lz4::Decoder<&'a [u8]>> {
        if bytes.get(LZ4_DESCRIPTOR_AT).is_some_and(|descriptor| descriptor & LZ4_BLOCKS_INDEPENDENT == 0) {
            return Err(invalid("an lz4 frame of blocks that refer to each other"));
        }
        lz4::Decoder::new(bytes)
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        while let Some(frame) = &mut self.frame {
            let count = frame.read(buffer)?;
            if count > 0 {
                return Ok(count);
            }
            let Some((rest, result)) = self.frame.take().map(lz4::Decoder::finish) else { break };
            result.map_err(|_| io::ErrorKind::UnexpectedEof)?;
            if !rest.is_empty() {
                self.frame = Some(Self::frame(rest)?);
            }
        }
        Ok(0)
    }
}

thread_local! {
    /// The context of the last zstd stream of this thread: making one costs as much as a small batch.
    static ZSTD_CONTEXT: Cell<Option<DCtx<'static>>> = const { Cell::new(None) };
}

/// zstd frames, one after the other.
struct ZstdReader<'a> {
    /// Taken only by the drop.
    context: Option<DCtx<'static>>,
    rest: &'a [u8],
    is_in_frame: bool,
}

impl<'a> ZstdReader<'a> {
    fn new(bytes: &'a [u8]) -> io::Result<ZstdReader<'a>> {
        let context = match ZSTD_CONTEXT.take() {
            Some(mut context) => {
                context.reset(ResetDirective::SessionOnly).map_err(zstd_error)?;
                context
            }
            None => {
                let mut context = DCtx::try_create().ok_or(io::ErrorKind::OutOfMemory)?;
                context.set_parameter(DParameter::WindowLogMax(limits::ZSTD_WINDOW_LOG_MAX)).map_err(zstd_error)?;
                context
            }
        };
        Ok(ZstdReader { context: Some(context), rest: bytes, is_in_frame: false })
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !buffer.is_empty() && (self.is_in_frame || !self.rest.is_empty()) {
            let (mut input, mut output) = (InBuffer::around(self.rest), OutBuffer::around(&mut *buffer));
            let Some(context) = &mut self.context else { break };
            let left = context.decompress_stream(&mut output, &mut input).map_err(zstd_error)?;
            let (taken, written) = (input.pos(), output.pos());
            self.rest = self.rest.get(taken..).unwrap_or_default();
            self.is_in_frame = left != 0;
            if written > 0 {
                return Ok(written);
            }
            if taken == 0 && self.is_in_frame {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(0)
    }
}

impl Drop for ZstdReader<'_> {
    fn drop(&mut self) {
        ZSTD_CONTEXT.set(self.context.take().filter(|context| context.sizeof() <= limits::ZSTD_CONTEXT_KEPT_BYTES));
    }
}

fn zstd_error(code: usize) -> io::Error {
    io::Error::other(get_error_name(code))
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests;
