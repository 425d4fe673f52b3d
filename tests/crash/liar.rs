//! A disk that says it synced. What a log would be that forgot to.

use std::fs::File;
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;

use klamm::base::disk::fault::FaultDisk;
use klamm::base::disk::{Disk, DiskFile, Entry, Open, Space};

/// Which sync is left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lie {
    FileSync,
    FolderSync,
}

pub struct Liar {
    disk: FaultDisk,
    lie: Lie,
}

impl Liar {
    pub fn over(disk: FaultDisk, lie: Lie) -> Arc<dyn Disk> {
        Arc::new(Liar { disk, lie })
    }
}

struct LyingFile {
    file: Arc<dyn DiskFile>,
    lie: Lie,
}

impl Disk for Liar {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(LyingFile { file: self.disk.open(path, how)?, lie: self.lie }))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<Entry>> {
        self.disk.list(folder)
    }

    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        self.disk.create_folder(folder)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.disk.remove_file(path)
    }

    fn remove_folder(&self, folder: &Path) -> io::Result<()> {
        self.disk.remove_folder(folder)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        if self.lie == Lie::FolderSync { Ok(()) } else { self.disk.sync_folder(folder) }
    }

    fn length(&self, path: &Path) -> io::Result<Option<u64>> {
        self.disk.length(path)
    }

    fn modified_ms(&self, path: &Path) -> io::Result<i64> {
        self.disk.modified_ms(path)
    }

    fn set_mode(&self, path: &Path, mode: u32) -> io::Result<()> {
        self.disk.set_mode(path, mode)
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        self.disk.space(path)
    }
}

impl DiskFile for LyingFile {
    fn write_all_at(&self, slices: &[IoSlice<'_>], position: u64) -> io::Result<()> {
        self.file.write_all_at(slices, position)
    }

    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.file.read_at(buffer, position)
    }

    fn sync(&self) -> io::Result<()> {
        if self.lie == Lie::FileSync { Ok(()) } else { self.file.sync() }
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.file.set_length(length)
    }

    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }

    fn reserve(&self, length: u64) -> io::Result<()> {
        self.file.reserve(length)
    }

    fn system(&self) -> Option<&File> {
        None
    }
}
