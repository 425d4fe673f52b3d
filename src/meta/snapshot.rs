//! Snapshots of the metadata image: `OFFSET20-EPOCH10.checkpoint`, all records below OFFSET added up.
//!
//! ```text
//! control   SnapshotHeader, KRaftVersion, Voters
//! data ..   the image's records, offsets counted from 0 in the file, batches of about 1 MiB
//! control   SnapshotFooter
//! ```
//!
//! Written as `.checkpoint.part`, synced, made read-only, renamed, folder synced. One named `0-0` holds what a new cluster begins with and
//! counts only while the log is empty.
//!
//! References: Kafka `RecordsSnapshotWriter.java`, `Snapshots.java`, KIP-630.

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::batches::{Contents, Step, Walk, contents, data_batch};
use super::error::{Doing, MetaError};
use super::image::Image;
use super::quorum::Quorum;
use super::record::Record;
use crate::base::clock::WallMs;
use crate::base::disk::{Disk, Kind, Open, suffixed};
use crate::base::ids::{LeaderEpoch, Offset};
use crate::record::batch::ValidBatch;
use crate::record::control::{ControlRecord, SnapshotFooterRecord, SnapshotHeaderRecord, control_batch};

const SUFFIX: &str = ".checkpoint";

/// Records of one batch in a snapshot.
const BATCH_RECORDS: usize = 8192;

/// What a snapshot's name says: the offset behind its records and the epoch of the last of them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct SnapshotId {
    pub(super) end: Offset,
    pub(super) epoch: LeaderEpoch,
}

impl SnapshotId {
    /// The one that the format step writes.
    pub(super) const BOOTSTRAP: SnapshotId = SnapshotId { end: Offset(0), epoch: LeaderEpoch(0) };

    pub(super) fn file_name(self) -> String {
        format!("{:020}-{:010}{SUFFIX}", self.end.0, self.epoch.0)
    }

    fn parse(name: &str) -> Option<SnapshotId> {
        let (end, epoch) = name.strip_suffix(SUFFIX)?.split_once('-')?;
        let is_number = |text: &str, length| text.len() == length && text.bytes().all(|c| c.is_ascii_digit());
        if !is_number(end, 20) || !is_number(epoch, 10) {
            return None;
        }
        Some(SnapshotId { end: Offset(end.parse().ok()?), epoch: LeaderEpoch(epoch.parse().ok()?) })
    }
}

/// A snapshot, read.
#[derive(Default)]
pub(super) struct Snapshot {
    pub(super) quorum: Quorum,
    pub(super) records: Vec<Record>,
}

/// The snapshots in a folder, oldest first.
pub(super) fn list(disk: &dyn Disk, folder: &Path) -> Result<Vec<SnapshotId>, MetaError> {
    let entries = disk.list(folder).doing("list", folder)?;
    let files = entries.into_iter().filter(|entry| entry.kind == Kind::File);
    let mut ids: Vec<SnapshotId> = files.filter_map(|entry| SnapshotId::parse(&entry.name)).collect();
    ids.sort_unstable();
    Ok(ids)
}

/// Removes what was being written or was on its way out when the last process ended.
pub(super) fn remove_leftovers(disk: &dyn Disk, folder: &Path) -> Result<(), MetaError> {
    for entry in disk.list(folder).doing("list", folder)? {
        let is_leftover = [".checkpoint.part", ".checkpoint.deleted"].iter().any(|end| entry.name.ends_with(end));
        if entry.kind == Kind::File && is_leftover {
            remove(disk, &folder.join(entry.name))?;
        }
    }
    Ok(())
}

/// Removes a snapshot that a newer one makes needless.
pub(super) fn remove(disk: &dyn Disk, path: &Path) -> Result<(), MetaError> {
    match disk.remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).doing("remove", path),
        _ => Ok(()),
    }
}

/// Reads a snapshot; `None` if there is no such file.
///
/// # Errors
/// `Damaged` if any of it is not a valid batch, or its footer is missing.
pub(super) fn read(disk: &dyn Disk, path: &Path) -> Result<Option<Snapshot>, MetaError> {
    let file = match disk.open(path, Open::Read) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).doing("open", path),
    };
    let damaged = |why: String| MetaError::Damaged { file: path.to_owned(), why };
    let mut walk = Walk::new(file, Offset::ZERO).doing("read", path)?;
    let mut snapshot = Snapshot::default();
    let mut is_whole = false;
    loop {
        match walk.step().doing("read", path)? {
            Step::Batch(header, batch) => match contents(&header, &batch).map_err(|why| damaged(why.to_string()))? {
                Contents::Data(records) => snapshot.records.extend(records),
                Contents::Control(records) => {
                    is_whole |= records.iter().any(|record| matches!(record, ControlRecord::SnapshotFooter(_)));
                    records.iter().for_each(|record| snapshot.quorum.observe(record));
                }
            },
            Step::End if is_whole => return Ok(Some(snapshot)),
            Step::End => return Err(damaged("it has no footer".to_owned())),
            Step::Bad => return Err(damaged(format!("no valid batch at position {}", walk.position()))),
        }
    }
}

/// The batches of a snapshot of `image`.
pub(super) fn image_batches(image: &Image, quorum: &Quorum, last_timestamp: i64, now: WallMs) -> Vec<ValidBatch> {
    batches(&image.records(), image.metadata_version(), quorum, last_timestamp, now)
}

/// The batches of a snapshot that holds these records.
pub(super) fn batches(
    records: &[Record],
    metadata_version: i16,
    quorum: &Quorum,
    last_timestamp: i64,
    now: WallMs,
) -> Vec<ValidBatch> {
    let header = SnapshotHeaderRecord { version: 0, last_contained_log_timestamp: last_timestamp };
    let mut head = vec![ControlRecord::SnapshotHeader(header)];
    head.extend(quorum.records());
    let mut batches = vec![control_batch(&head, now)];
    batches.extend(records.chunks(BATCH_RECORDS).map(|records| data_batch(records, metadata_version, now)));
    let footer = ControlRecord::SnapshotFooter(SnapshotFooterRecord { version: 0 });
    batches.push(control_batch(&[footer], now));
    batches
}

/// Writes batches with offsets from 0, and returns the bytes of the file.
pub(super) fn to_bytes(batches: &[ValidBatch], epoch: LeaderEpoch) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut at = Offset::ZERO;
    for batch in batches {
        bytes.extend_from_slice(&batch.patched_header(at, epoch));
        bytes.extend_from_slice(batch.body());
        at = at.plus(i64::from(batch.header().last_offset_delta) + 1);
    }
    bytes
}

/// Writes a snapshot, durably. A failure leaves at most a `.part` file.
pub(super) fn write(
    disk: &Arc<dyn Disk>,
    folder: &Path,
    id: SnapshotId,
    batches: &[ValidBatch],
) -> Result<PathBuf, MetaError> {
    let path = folder.join(id.file_name());
    let part = suffixed(&path, ".part");
    remove(disk.as_ref(), &part)?;
    let bytes = to_bytes(batches, id.epoch);
    let file = disk.open(&part, Open::Truncate).doing("create", &part)?;
    file.write_all_at(&[IoSlice::new(&bytes)], 0).doing("write", &part)?;
    file.sync().doing("sync", &part)?;
    disk.set_mode(&part, 0o400).doing("protect", &part)?;
    disk.rename(&part, &path).doing("rename", &part)?;
    disk.sync_folder(folder).doing("sync", folder)?;
    Ok(path)
}
