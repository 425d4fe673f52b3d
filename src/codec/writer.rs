//! Where messages are encoded to: bytes, cut by regions of files where a fetch answers with records (decision D3).

use bytes::{BufMut, Bytes, BytesMut};

use crate::base::region::FileRegion;

/// A piece of an answer.
#[derive(Clone, Debug)]
pub enum Chunk {
    Bytes(Bytes),
    Region(FileRegion),
}

impl Chunk {
    pub fn len(&self) -> usize {
        match self {
            Chunk::Bytes(bytes) => bytes.len(),
            Chunk::Region(region) => region.length,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Shared bytes of at least this length become a chunk of their own; shorter ones are copied.
const SHARE_FROM_BYTES: usize = 8 * 1024;

/// Collects an encoded message.
#[derive(Default)]
pub struct Writer {
    open: BytesMut,
    chunks: Vec<Chunk>,
    closed_bytes: usize,
    framed: bool,
    /// The first piece of a frame, whose length is not known yet.
    head: Option<BytesMut>,
}

/// First buffer of an answer; most fit.
const FRAME_BYTES: usize = 256;

/// Bytes of the length in front of a frame.
const PREFIX_BYTES: usize = 4;

impl Writer {
    pub fn new() -> Writer {
        Writer::default()
    }

    pub fn with_capacity(bytes: usize) -> Writer {
        Writer { open: BytesMut::with_capacity(bytes), ..Writer::default() }
    }

    /// A writer of a frame: four bytes are left for the length, which `into_frame` fills in.
    pub fn framed() -> Writer {
        let mut writer = Writer { framed: true, ..Writer::with_capacity(FRAME_BYTES) };
        writer.i32(0);
        writer
    }

    /// Bytes written so far, regions counted with their length.
    pub fn len(&self) -> usize {
        self.closed_bytes + self.open.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn u8(&mut self, value: u8) {
        self.open.put_u8(value);
    }

    pub fn i16(&mut self, value: i16) {
        self.open.put_i16(value);
    }

    pub fn i32(&mut self, value: i32) {
        self.open.put_i32(value);
    }

    pub fn i64(&mut self, value: i64) {
        self.open.put_i64(value);
    }

    pub fn slice(&mut self, bytes: &[u8]) {
        self.open.put_slice(bytes);
    }

    pub fn uvarint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.open.put_u8((value as u8) | 0x80);
            value >>= 7;
        }
        self.open.put_u8(value as u8);
    }

    /// Length of a nullable string, bytes or array; `None` for null. `Reader::length` reads it.
    ///
    /// # Panics
    /// If the length does not fit its field: what we encode is bounded far below.
    pub fn length(&mut self, length: Option<usize>, flexible: bool, wide: bool) {
        let fits = "an encoded length fits its field";
        if flexible {
            self.uvarint(length.map_or(0, |length| u32::try_from(length + 1).expect(fits)));
        } else if wide {
            self.i32(length.map_or(-1, |length| i32::try_from(length).expect(fits)));
        } else {
            self.i16(length.map_or(-1, |length| i16::try_from(length).expect(fits)));
        }
    }

    /// Appends shared bytes, without a copy when they are long.
    pub fn bytes(&mut self, bytes: &Bytes) {
        if bytes.len() < SHARE_FROM_BYTES {
            self.slice(bytes);
        } else {
            self.chunk(Chunk::Bytes(bytes.clone()));
        }
    }

    /// Appends a piece as it is.
    pub fn chunk(&mut self, chunk: Chunk) {
        self.close();
        self.closed_bytes += chunk.len();
        self.chunks.push(chunk);
    }

    /// The pieces in order.
    pub fn into_chunks(mut self) -> Vec<Chunk> {
        self.close();
        self.chunks
    }

    /// The pieces of a frame in order, the length filled in. `None` if it does not fit an i32.
    ///
    /// # Panics
    /// If the writer is not from `framed`.
    pub fn into_frame(mut self) -> Option<Vec<Chunk>> {
        assert!(self.framed, "only a framed writer has room for a length");
        let length = i32::try_from(self.len() - PREFIX_BYTES).ok()?;
        self.close();
        let mut head = self.head?;
        head.get_mut(..PREFIX_BYTES)?.copy_from_slice(&length.to_be_bytes());
        if self.chunks.is_empty() {
            return Some(vec![Chunk::Bytes(head.freeze())]);
        }
        self.chunks.insert(0, Chunk::Bytes(head.freeze()));
        Some(self.chunks)
    }

    /// Everything in one buffer.
    ///
    /// # Panics
    /// If a region was written: those are for sockets only.
    pub fn into_bytes(mut self) -> Bytes {
        if self.chunks.is_empty() {
            return self.open.freeze();
        }
        self.close();
        let mut all = BytesMut::with_capacity(self.closed_bytes);
        for chunk in &self.chunks {
            match chunk {
                Chunk::Bytes(bytes) => all.put_slice(bytes),
                Chunk::Region(_) => panic!("a message with a file region has no single buffer"),
            }
        }
        all.freeze()
    }

    fn close(&mut self) {
        if !self.open.is_empty() {
            self.closed_bytes += self.open.len();
            let open = self.open.split();
            if self.framed && self.head.is_none() {
                self.head = Some(open);
            } else {
                self.chunks.push(Chunk::Bytes(open.freeze()));
            }
        }
    }
}
