//! The bytes of a sealed index file: mapped read-only, or read into memory where that is cheaper or the disk is simulated.
//! The only file of the house with `unsafe`.

use std::io;
use std::ops::Deref;

use memmap2::Mmap;

use crate::base::disk::DiskFile;

/// Files below this are read: a map costs pages and a map area.
const MAP_BYTES_MIN: u64 = 16 * 1024;

/// The content of an index file.
pub enum IndexBytes {
    Mapped(Mmap),
    Read(Vec<u8>),
}

impl IndexBytes {
    /// Loads a file that nobody will change in place again.
    ///
    /// # Errors
    /// Those of the system.
    pub fn load(file: &dyn DiskFile) -> io::Result<IndexBytes> {
        let length = file.length()?;
        if let (Some(system), true) = (file.system(), length >= MAP_BYTES_MIN) {
            // SAFETY: the file is an index of a sealed segment. This program writes such a file once, before it maps it,
            // and replaces it by renaming another over it, never by changing or shortening it. The lock on the data
            // directory keeps other brokers away. Entries are checked after reading; no reference of a type with invalid
            // values is made from the bytes.
            let map = unsafe { Mmap::map(system)? };
            return Ok(IndexBytes::Mapped(map));
        }
        let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        file.read_exact_at(&mut bytes, 0)?;
        Ok(IndexBytes::Read(bytes))
    }
}

impl Deref for IndexBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            IndexBytes::Mapped(map) => map,
            IndexBytes::Read(bytes) => bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::disk::{Disk, Open, RealDisk};
    use std::io::IoSlice;

    #[test]
    fn small_and_large_files_read_the_same() {
        let folder = tempfile::tempdir().expect("a folder");
        for length in [0, 5, 16 * 1024, 100_000] {
            let expected: Vec<u8> = (0..length).map(|n: usize| (n % 251) as u8).collect();
            let file = RealDisk.open(&folder.path().join("f"), Open::Truncate).expect("a file");
            file.write_all_at(&[IoSlice::new(&expected)], 0).expect("written");
            assert_eq!(&*IndexBytes::load(&*file).expect("loaded"), expected);
        }
    }
}
