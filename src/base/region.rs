//! A byte range of an open file: what `log` hands out, `wire` counts and `server/respond.rs` sends. Nobody else reads it.

use std::fmt;
use std::io;
use std::sync::Arc;

use super::disk::DiskFile;

/// `length` bytes of `file` from `position` on. Keeps the file open, so that it may be unlinked while being sent.
#[derive(Clone)]
pub struct FileRegion {
    pub file: Arc<dyn DiskFile>,
    pub position: u64,
    pub length: usize,
}

impl FileRegion {
    /// Reads the whole region. For small regions and tests; large ones are streamed by `server/respond.rs`.
    ///
    /// # Errors
    /// `UnexpectedEof` if the file is shorter than the region.
    pub fn read(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; self.length];
        self.file.read_exact_at(&mut bytes, self.position)?;
        Ok(bytes)
    }
}

impl fmt::Debug for FileRegion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileRegion[{}..+{}]", self.position, self.length)
    }
}
