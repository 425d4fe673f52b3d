//! The content of a simulated file: chunks that copies share.

use std::sync::Arc;

/// Bytes of a shared piece of a file.
const CHUNK_BYTES: usize = 4096;

/// Content in shared chunks. A missing chunk is zeros.
#[derive(Clone, Default)]
pub(super) struct Content {
    chunks: Vec<Option<Arc<[u8; CHUNK_BYTES]>>>,
    length: u64,
}

/// Splits `[position, position + length)` at chunk bounds: (chunk, offset in it, offset in the range, bytes).
fn pieces(position: u64, length: usize) -> impl Iterator<Item = (usize, usize, usize, usize)> {
    let start = usize::try_from(position).expect("simulated files fit memory");
    let mut done = 0;
    std::iter::from_fn(move || {
        (done < length).then(|| {
            let at = start + done;
            let count = (CHUNK_BYTES - at % CHUNK_BYTES).min(length - done);
            let piece = (at / CHUNK_BYTES, at % CHUNK_BYTES, done, count);
            done += count;
            piece
        })
    })
}

impl Content {
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Puts bytes in place without moving the end of the file.
    fn put(&mut self, position: u64, bytes: &[u8]) {
        for (chunk, offset, from, count) in pieces(position, bytes.len()) {
            if self.chunks.len() <= chunk {
                self.chunks.resize(chunk + 1, None);
            }
            let shared = self.chunks[chunk].get_or_insert_with(|| Arc::new([0; CHUNK_BYTES]));
            Arc::make_mut(shared)[offset..offset + count].copy_from_slice(&bytes[from..from + count]);
        }
    }

    /// Writes, and moves the end if the bytes reach beyond it.
    pub(super) fn write(&mut self, position: u64, bytes: &[u8]) {
        self.put(position, bytes);
        self.length = self.length.max(position + bytes.len() as u64);
    }

    /// Moves the end; what lies behind a new, earlier end is gone for good.
    pub(super) fn set_length(&mut self, length: u64) {
        let end = usize::try_from(length).expect("simulated files fit memory");
        self.chunks.truncate(end.div_ceil(CHUNK_BYTES));
        if end % CHUNK_BYTES != 0
            && self.chunks.len() == end.div_ceil(CHUNK_BYTES)
            && let Some(Some(last)) = self.chunks.last_mut()
            && last[end % CHUNK_BYTES..].iter().any(|byte| *byte != 0)
        {
            Arc::make_mut(last)[end % CHUNK_BYTES..].fill(0);
        }
        self.length = length;
    }

    pub(super) fn read(&self, buffer: &mut [u8], position: u64) -> usize {
        let rest = usize::try_from(self.length.saturating_sub(position)).unwrap_or(usize::MAX);
        let count = buffer.len().min(rest);
        for (chunk, offset, from, bytes) in pieces(position, count) {
            let target = &mut buffer[from..from + bytes];
            match self.chunks.get(chunk) {
                Some(Some(shared)) => target.copy_from_slice(&shared[offset..offset + bytes]),
                _ => target.fill(0),
            }
        }
        count
    }
}
