//! Files on the simulated disk, and batches in them made right again.

use std::collections::BTreeMap;
use std::io::IoSlice;
use std::path::Path;

use klamm::base::disk::fault::FaultDisk;
use klamm::base::disk::{Disk, Kind, Open};
use klamm::record::batch::BatchHeader;

/// Writes a file, which must not be there.
pub fn plant(disk: &FaultDisk, path: &Path, bytes: &[u8]) {
    let file = disk.open(path, Open::CreateNew).expect("a name that is free");
    file.write_all_at(&[IoSlice::new(bytes)], 0).expect("a disk without bound");
}

/// Every file of a folder with its content.
pub fn files(disk: &FaultDisk, folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = disk.list(folder).expect("the folder is there");
    let files = entries.into_iter().filter(|entry| entry.kind == Kind::File);
    files
        .map(|entry| (entry.name.clone(), disk.read(&folder.join(&entry.name)).expect("a file that is there")))
        .collect()
}

/// Gives the bytes of one batch the right length and checksum: what a fuzzer cannot guess.
pub fn seal(batch: &mut [u8]) {
    let length = u32::try_from(batch.len()).unwrap_or(u32::MAX).wrapping_sub(12);
    if let Some(field) = batch.get_mut(8..12) {
        field.copy_from_slice(&length.to_be_bytes());
    }
    seal_checksum(batch);
}

fn seal_checksum(batch: &mut [u8]) {
    let Some(crc) = batch.get(21..).map(checksum) else { return };
    if let Some(field) = batch.get_mut(17..21) {
        field.copy_from_slice(&crc.to_be_bytes());
    }
}

/// Gives every batch of a file the right checksum, as far as their lengths lead.
pub fn seal_all(mut file: &mut [u8]) {
    while let Ok(header) = BatchHeader::parse(file) {
        let Some((batch, rest)) = file.split_at_mut_checked(header.size_bytes) else { return };
        seal_checksum(batch);
        file = rest;
    }
}

/// CRC-32C of bytes.
pub fn checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
}
