//! One partition of the ceiling broker: a file, a lock, one vectored write a batch, a sparse index in memory.
//!
//! It checks what cannot be left out (size, magic, CRC, count) and nothing else: no records are walked, no producers
//! remembered, nothing rolled, flushed or recovered.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use rustix::fs::FallocateFlags;
use rustix::io::{pread, pwritev};
use tokio::sync::Notify;

use crate::batch::HEADER_BYTES;

const INDEX_INTERVAL_BYTES: u64 = 4096;
const PREALLOCATE_BYTES: u64 = 64 << 20;

/// Kafka's error codes in use.
pub const OFFSET_OUT_OF_RANGE: i16 = 1;
pub const CORRUPT_MESSAGE: i16 = 2;
pub const STORAGE_ERROR: i16 = 56;

/// One log file and who waits for it to grow.
pub struct Partition {
    pub file: Arc<File>,
    writer: Mutex<Allocated>,
    published: RwLock<Published>,
    pub moved: Notify,
}

/// Bytes reserved in the file system.
struct Allocated(u64);

/// What readers see.
#[derive(Default)]
struct Published {
    end_offset: i64,
    end_position: u64,
    index: Vec<(i64, u64)>,
}

/// Bytes of the file from the batch that holds the offset asked for.
pub struct Found {
    pub position: u64,
    pub length: usize,
    pub end_offset: i64,
}

impl Partition {
    pub fn create(path: &Path) -> io::Result<Partition> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        Ok(Partition {
            file: Arc::new(file),
            writer: Mutex::new(Allocated(0)),
            published: RwLock::default(),
            moved: Notify::new(),
        })
    }

    pub fn end_offset(&self) -> i64 {
        self.published.read().end_offset
    }

    /// Appends one batch and returns its base offset, or Kafka's error code.
    pub fn append(&self, batch: &[u8]) -> Result<i64, i16> {
        let count = check(batch).ok_or(CORRUPT_MESSAGE)?;
        let mut allocated = self.writer.lock();
        let (base, position, index_position) = {
            let published = self.published.read();
            (published.end_offset, published.end_position, published.index.last().map(|entry| entry.1))
        };
        let end = position + batch.len() as u64;
        if end > allocated.0 {
            let more = PREALLOCATE_BYTES.max(batch.len() as u64);
            if rustix::fs::fallocate(&self.file, FallocateFlags::KEEP_SIZE, allocated.0, more).is_ok() {
                allocated.0 += more;
            }
        }
        let mut head = [0; 16];
        head[..8].copy_from_slice(&base.to_be_bytes());
        head[8..12].copy_from_slice(&batch[8..12]);
        write_all(&self.file, &head, &batch[16..], position).map_err(|_| STORAGE_ERROR)?;
        {
            let mut published = self.published.write();
            published.end_offset = base + i64::from(count);
            published.end_position = end;
            if index_position.is_none_or(|last| position - last >= INDEX_INTERVAL_BYTES) {
                published.index.push((base, position));
            }
        }
        drop(allocated);
        self.moved.notify_waiters();
        Ok(base)
    }

    /// Where the batch that holds `offset` starts, and how much may be read; nothing at the end of the log.
    pub fn find(&self, offset: i64, max_bytes: usize) -> Result<Found, i16> {
        let (entry, end_offset, end_position) = {
            let published = self.published.read();
            let after = published.index.partition_point(|entry| entry.0 <= offset);
            let entry = published.index.get(after.wrapping_sub(1)).copied().unwrap_or((0, 0));
            (entry, published.end_offset, published.end_position)
        };
        if offset < 0 || offset > end_offset {
            return Err(OFFSET_OUT_OF_RANGE);
        }
        if offset == end_offset {
            return Ok(Found { position: end_position, length: 0, end_offset });
        }
        let (position, size) = self.walk(entry, offset).map_err(|_| STORAGE_ERROR)?;
        let length = ((end_position - position) as usize).min(max_bytes.max(size));
        Ok(Found { position, length, end_offset })
    }

    /// From an index entry along the batch headers to the batch that holds `offset`: its position and size.
    fn walk(&self, entry: (i64, u64), offset: i64) -> io::Result<(u64, usize)> {
        let mut position = entry.1;
        let mut window = [0; 4096 + HEADER_BYTES];
        let (mut start, mut filled) = (position, pread(&self.file, &mut window, position)?);
        loop {
            let at = (position - start) as usize;
            let Some(header) = window[..filled].get(at..at + 27) else {
                if at == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                start = position;
                filled = pread(&self.file, &mut window, position)?;
                continue;
            };
            let base = i64::from_be_bytes(header[..8].try_into().map_err(io::Error::other)?);
            let size = 12 + u32::from_be_bytes(header[8..12].try_into().map_err(io::Error::other)?);
            let delta = i32::from_be_bytes(header[23..27].try_into().map_err(io::Error::other)?);
            if base + i64::from(delta) >= offset {
                return Ok((position, size as usize));
            }
            position += u64::from(size);
        }
    }
}

/// How many records a sound batch holds.
fn check(batch: &[u8]) -> Option<i32> {
    let header = batch.get(..HEADER_BYTES)?;
    let number = |at: usize| header.get(at..at + 4)?.try_into().ok().map(i32::from_be_bytes);
    let count = number(57)?;
    let sound = number(8)? as usize == batch.len() - 12
        && header[16] == 2
        && count > 0
        && number(23)? == count - 1
        && number(17)? as u32 == crc32c::crc32c(&batch[21..]);
    sound.then_some(count)
}

fn write_all(file: &File, head: &[u8], body: &[u8], position: u64) -> io::Result<()> {
    let mut written = 0;
    while written < head.len() + body.len() {
        let head = head.get(written..).unwrap_or_default();
        let body = &body[written.saturating_sub(16)..];
        written += pwritev(file, &[IoSlice::new(head), IoSlice::new(body)], position + written as u64)?;
    }
    Ok(())
}
