//! A file whose sync failed while nobody waited for it. It can be read; every write and sync of it fails, so that its log learns
//! of it from whatever it does next (decision 0010).

use std::fs::File;
use std::io::{self, IoSlice};
use std::sync::Arc;

use super::{DiskFile, Residency};

/// See the module's comment.
pub struct Unsyncable {
    pub file: Arc<dyn DiskFile>,
    pub reason: String,
}

impl Unsyncable {
    fn refuse(&self) -> io::Result<()> {
        Err(io::Error::other(format!("an earlier sync failed: {}", self.reason)))
    }
}

impl DiskFile for Unsyncable {
    fn write_all_at(&self, _: &[IoSlice<'_>], _: u64) -> io::Result<()> {
        self.refuse()
    }

    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.file.read_at(buffer, position)
    }

    fn sync(&self) -> io::Result<()> {
        self.refuse()
    }

    fn set_length(&self, _: u64) -> io::Result<()> {
        self.refuse()
    }

    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }

    fn reserve(&self, _: u64) -> io::Result<()> {
        self.refuse()
    }

    fn system(&self) -> Option<&File> {
        self.file.system()
    }

    fn read_cached(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.file.read_cached(buffer, position)
    }

    fn warm(&self, position: u64, length: usize, ahead: usize) -> io::Result<()> {
        self.file.warm(position, length, ahead)
    }

    fn residency(&self, position: u64, length: usize) -> Residency {
        self.file.residency(position, length)
    }
}
