//! The small files of a data directory: offset checkpoints, leader epochs, `partition.metadata`, the clean-stop mark, producer
//! snapshots.
//!
//! ```text
//! input := choice, bytes of the file      choice % 5: which; high bit: a snapshot's count and checksum are made right
//! ```

use std::path::Path;

use klamm::base::clock::WallMs;
use klamm::base::disk::Disk;
use klamm::base::disk::fault::FaultDisk;
use klamm::base::ids::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence};
use klamm::log::producers::{Marker, Producers};
use klamm::log::{checkpoint, names};
use klamm::record::batch::BatchHeader;
use klamm::record::builder::{BatchBuilder, NewRecord};
use klamm::record::compression::Compression;

use super::bounded;
use super::disk::{checksum, plant};

const FOLDER: &str = "/data";
/// The simulated disk's own copies.
const DISK_BYTES: usize = 64 * 1024;

pub fn run(bytes: &[u8]) {
    let [choice, content @ ..] = bytes else { return };
    match (choice & 0x7f) % 5 {
        0 => offsets(content),
        1 => leader_epochs(content),
        2 => partition_metadata(content),
        3 => clean_stop_mark(content),
        _ => producer_snapshot(content, choice & 0x80 != 0),
    }
}

/// Reads a file within the bound.
fn read<T>(name: &str, content: &[u8], read: impl FnOnce(&dyn Disk) -> std::io::Result<T>) -> Option<T> {
    let disk = FaultDisk::new().with_folder(Path::new(FOLDER));
    plant(&disk, &Path::new(FOLDER).join(name), content);
    match bounded(content.len(), DISK_BYTES, name, || read(&disk)) {
        Ok(value) => Some(value),
        Err(error) => {
            assert!(!error.to_string().is_empty());
            None
        }
    }
}

fn offsets(content: &[u8]) {
    let path = Path::new(FOLDER).join(names::RECOVERY_POINTS);
    let Some(entries) = read(names::RECOVERY_POINTS, content, |disk| checkpoint::read_offsets(disk, &path)) else {
        return;
    };
    let disk = FaultDisk::new().with_folder(Path::new(FOLDER));
    checkpoint::write_offsets(&disk, &path, &entries).expect("a disk that works");
    assert_eq!(checkpoint::read_offsets(&disk, &path).expect("our own file"), entries);
}

fn leader_epochs(content: &[u8]) {
    let folder = Path::new(FOLDER);
    let found = read(names::LEADER_EPOCHS, content, |disk| checkpoint::read_leader_epochs(disk, folder)).flatten();
    let Some(entries) = found else { return };
    assert!(entries.is_sorted_by(|one, next| one.0 < next.0 && one.1 <= next.1), "epochs rise: {entries:?}");
    let text = checkpoint::leader_epochs_text(&entries);
    let again =
        read(names::LEADER_EPOCHS, text.as_bytes(), |disk| checkpoint::read_leader_epochs(disk, folder)).flatten();
    assert_eq!(again, Some(entries));
}

fn partition_metadata(content: &[u8]) {
    let folder = Path::new(FOLDER);
    let found = |content: &[u8]| {
        read(names::PARTITION_METADATA, content, |disk| checkpoint::read_partition_metadata(disk, folder)).flatten()
    };
    if let Some(id) = found(content) {
        assert_eq!(found(checkpoint::partition_metadata_text(id).as_bytes()), Some(id));
    }
}

fn clean_stop_mark(content: &[u8]) {
    let folder = Path::new(FOLDER);
    let taken = read(names::CLEAN_SHUTDOWN, content, |disk| checkpoint::take_clean_shutdown(disk, folder)).flatten();
    let epoch = taken.expect("a mark that is there is taken");
    let disk = FaultDisk::new().with_folder(folder);
    checkpoint::write_clean_shutdown(&disk, folder, epoch).expect("a disk that works");
    assert_eq!(checkpoint::take_clean_shutdown(&disk, folder).expect("our own file"), Some(epoch));
    assert!(!checkpoint::has_clean_shutdown(&disk, folder).expect("a disk that works"));
}

fn producer_snapshot(content: &[u8], right: bool) {
    let mut bytes = content.to_vec();
    if right && bytes.len() >= 10 {
        let count = u32::try_from((bytes.len() - 10) / 46).unwrap_or(0);
        bytes.truncate(10 + 46 * (bytes.len() - 10).div_euclid(46));
        bytes[..2].copy_from_slice(&1i16.to_be_bytes());
        bytes[6..10].copy_from_slice(&count.to_be_bytes());
        let crc = checksum(&bytes[6..]);
        bytes[2..6].copy_from_slice(&crc.to_be_bytes());
    }
    let read = bounded(bytes.len(), 0, "producer snapshot", || Producers::from_snapshot(&bytes));
    let Some(mut producers) = read else { return };
    assert_eq!(Producers::from_snapshot(&producers.snapshot()).as_ref(), Some(&producers), "what is written is read");
    for view in producers.views() {
        go_on(&mut producers, view.id, view.epoch, view.last_sequence);
    }
    producers.expire(WallMs(i64::MAX), 1);
    let _ = producers.last_stable_offset(Offset(1 << 40));
}

/// A producer that a snapshot knows sends on, sends again, and ends its transaction.
fn go_on(producers: &mut Producers, id: ProducerId, epoch: ProducerEpoch, last: Sequence) {
    let sequence = if last < Sequence(0) { Sequence(0) } else { last.plus(1) };
    for (epoch, sequence) in [(epoch, sequence), (epoch, last), (ProducerEpoch(0), Sequence(0))] {
        let header = batch(id, epoch, sequence);
        let _ = producers.check(&header);
        let _ = producers.check_coordinator(&header, None);
    }
    producers.apply(&batch(id, epoch, sequence), None);
    let mut end = batch(id, epoch, Sequence(-1));
    end.attributes = end.attributes.with_transactional(true).with_control(true);
    let _ = producers.apply(&end, Some(Marker { commit: false, coordinator_epoch: 1 }));
}

fn batch(id: ProducerId, epoch: ProducerEpoch, sequence: Sequence) -> BatchHeader {
    let mut builder = BatchBuilder::new(Compression::NONE);
    builder.append(&NewRecord { value: Some(b"v"), ..NewRecord::default() });
    let built = *builder.build().header();
    let (base_offset, leader_epoch) = (Offset(1 << 40), LeaderEpoch(0));
    BatchHeader { base_offset, leader_epoch, producer_id: id, producer_epoch: epoch, base_sequence: sequence, ..built }
}
