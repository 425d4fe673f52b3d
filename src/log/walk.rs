//! Walks over the batches of a segment's file by their headers. Never reads past the end it is given, never trusts a length.

use std::io;

use crate::base::disk::DiskFile;
use crate::base::ids::Offset;
use crate::base::limits::BATCH_HEADER_BYTES;
use crate::record::batch::BatchHeader;

/// Bytes read at once when only headers are wanted: small batches come many at a time, large ones cost one small read each.
pub const HEADER_WINDOW_BYTES: usize = 4 * 1024;
/// Bytes read at once when everything is read.
pub const SCAN_WINDOW_BYTES: usize = 256 * 1024;

/// A batch found in a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Found {
    pub position: u64,
    pub header: BatchHeader,
}

impl Found {
    /// The position behind the batch.
    pub fn end(&self) -> u64 {
        self.position + self.header.size_bytes as u64
    }
}

/// Why a walk stopped.
#[derive(Debug, thiserror::Error)]
pub enum WalkError {
    /// No valid batch starts at this position.
    #[error("no valid batch at position {position}: {reason}")]
    Bad { position: u64, reason: String },
    #[error("read segment: {0}")]
    Io(#[from] io::Error),
}

/// A cursor over `[position, end)` of a file. Every batch must lie in it whole.
pub struct Walk<'a> {
    file: &'a dyn DiskFile,
    position: u64,
    end: u64,
    last_offset: Option<Offset>,
    window: Vec<u8>,
    window_at: u64,
    filled: usize,
}

impl<'a> Walk<'a> {
    /// `position` must be where a batch begins.
    pub fn headers(file: &'a dyn DiskFile, position: u64, end: u64) -> Walk<'a> {
        Walk::with_window(file, position, end, HEADER_WINDOW_BYTES)
    }

    /// For walks that also check CRCs.
    pub fn whole(file: &'a dyn DiskFile, position: u64, end: u64) -> Walk<'a> {
        Walk::with_window(file, position, end, SCAN_WINDOW_BYTES)
    }

    fn with_window(file: &'a dyn DiskFile, position: u64, end: u64, window_bytes: usize) -> Walk<'a> {
        let wanted = usize::try_from(end.saturating_sub(position)).unwrap_or(window_bytes).min(window_bytes);
        let window = vec![0; wanted.max(BATCH_HEADER_BYTES)];
        Walk { file, position, end, last_offset: None, window, window_at: 0, filled: 0 }
    }

    /// Where the next batch begins.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The next batch; `None` at the end. Offsets must rise from one to the next.
    ///
    /// # Errors
    /// `Bad` if the bytes there are no batch that ends within the range; the walk stays where it is.
    pub fn next_batch(&mut self) -> Result<Option<Found>, WalkError> {
        if self.position >= self.end {
            return Ok(None);
        }
        let position = self.position;
        let left = self.end - position;
        let bytes = self.bytes_at(position, BATCH_HEADER_BYTES)?;
        let header = BatchHeader::parse(bytes).map_err(|fault| bad(position, &fault))?;
        if header.size_bytes as u64 > left {
            return Err(bad(position, &format!("{} bytes claimed, {left} left", header.size_bytes)));
        }
        if self.last_offset.is_some_and(|last| header.base_offset <= last) {
            return Err(bad(position, &format!("base offset {} does not rise", header.base_offset)));
        }
        self.last_offset = Some(header.last_offset());
        self.position = position + header.size_bytes as u64;
        Ok(Some(Found { position, header }))
    }

    /// True if the CRC of a batch just found is right. Reads the batch piece by piece.
    ///
    /// # Errors
    /// Those of the system.
    pub fn crc_matches(&mut self, found: &Found) -> io::Result<bool> {
        let mut at = found.position + 21;
        let mut crc = 0;
        while at < found.end() {
            let left = usize::try_from(found.end() - at).unwrap_or(usize::MAX);
            let wanted = left.min(self.window.len());
            let piece = self.bytes_at(at, wanted.min(1024))?;
            let piece = &piece[..piece.len().min(left)];
            crc = crc32c::crc32c_append(crc, piece);
            at += piece.len() as u64;
        }
        Ok(crc == found.header.crc)
    }

    /// At least `wanted` bytes from `position` on if the range has them, more if they are here.
    fn bytes_at(&mut self, position: u64, wanted: usize) -> io::Result<&[u8]> {
        let wanted = wanted.min(usize::try_from(self.end.saturating_sub(position)).unwrap_or(wanted));
        let inside = position >= self.window_at && position + wanted as u64 <= self.window_at + self.filled as u64;
        if !inside {
            let room = usize::try_from(self.end.saturating_sub(position)).unwrap_or(usize::MAX).min(self.window.len());
            self.window_at = position;
            self.filled = 0;
            while self.filled < wanted {
                match self.file.read_at(&mut self.window[self.filled..room], position + self.filled as u64) {
                    Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                    Ok(count) => self.filled += count,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
        }
        let from = usize::try_from(position - self.window_at).unwrap_or(self.filled);
        Ok(&self.window[from..self.filled])
    }
}

fn bad(position: u64, reason: &dyn std::fmt::Display) -> WalkError {
    WalkError::Bad { position, reason: reason.to_string() }
}
