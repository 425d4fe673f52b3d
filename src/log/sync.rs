//! Making a log durable, apart from its lock: a ticket is taken under the lock, run on a sync thread, handed back.
//!
//! Order: the segments' bytes and the folder's names: with them a record is durable, and the watermark moves. Then, by a ticket of its
//! own that holds up no other sync, what is derived from them: indexes and producer snapshot of rolled segments, aborted
//! transactions, leader epochs. Until that is durable the recovery point stays below the segments it is derived from, and a
//! start derives it again.

use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::names::{self, FileKind};
use super::segment::{Place, Segment};
use super::{checkpoint, open_files};
use crate::base::disk::{Disk, DiskFile, Open, parent, suffixed};
use crate::base::ids::{Offset, TopicId};

/// A rolled segment whose indexes are not on the disk yet.
#[derive(Clone)]
pub(super) struct Seal {
    pub segment: Arc<Segment>,
    /// The producer snapshot for the offset at which the next segment begins.
    pub snapshot: Arc<(Offset, Vec<u8>)>,
    /// Its file, if space behind its end is to be given back.
    pub trim: Option<Arc<dyn DiskFile>>,
}

/// Aborted transactions of the active segment that are not in its file yet.
pub(super) struct TxnBytes {
    pub base: Offset,
    /// How many entries are in the file.
    pub written: usize,
    pub bytes: Vec<u8>,
}

/// Space for the active segment. Asked for by the ticket, because the system may let who asks wait for its journal, and who writes
/// to the file with it.
pub(super) struct Reserve {
    pub base: Offset,
    pub file: Arc<dyn DiskFile>,
    /// Up to this length.
    pub to: u64,
    pub refused: AtomicBool,
}

/// What one sync makes durable: everything that was in the log when the ticket was taken.
pub struct SyncTicket {
    pub(super) place: Arc<Place>,
    pub(super) covers: Offset,
    /// Bytes appended up to there.
    pub(super) covers_bytes: u64,
    pub(super) files: Vec<Arc<dyn DiskFile>>,
    pub(super) identity: Option<TopicId>,
    pub(super) sync_folder: bool,
    pub(super) sync_parent: bool,
    pub(super) reserve: Option<Reserve>,
    /// To be written once this ticket has run.
    pub(super) derived: Option<Box<DerivedTicket>>,
}

/// What is derived from bytes that are durable, to be written and made durable.
pub struct DerivedTicket {
    pub(super) place: Arc<Place>,
    pub(super) seals: Vec<Seal>,
    pub(super) txn: Option<TxnBytes>,
    pub(super) epochs: Option<String>,
}

impl SyncTicket {
    /// The log's end when the ticket was taken.
    pub fn covers(&self) -> Offset {
        self.covers
    }

    /// Syncs. Called without the log's lock; blocks for milliseconds.
    ///
    /// # Errors
    /// Those of the system. The log must be told (`finish_sync`) and then refuses writes until restart.
    pub fn run(&self) -> io::Result<()> {
        for file in &self.files {
            file.sync()?;
        }
        self.sync_identity()?;
        if self.sync_folder {
            self.place.disk.sync_folder(&self.place.folder)?;
        }
        if self.sync_parent {
            self.place.disk.sync_folder(parent(&self.place.folder))?;
        }
        if let Some(reserve) = &self.reserve {
            reserve.refused.store(reserve.file.reserve(reserve.to).is_err(), Ordering::Release);
        }
        Ok(())
    }

    /// Its file is not kept open from its making to the first sync. A failed write is told to who syncs it later, as long as the
    /// system remembers the file; after that, what is on the disk is what a read finds.
    fn sync_identity(&self) -> io::Result<()> {
        let Some(topic_id) = self.identity else { return Ok(()) };
        let path = self.place.folder.join(names::PARTITION_METADATA);
        let file = open_files::patiently(|| self.place.disk.open(&path, Open::Write))?;
        file.sync()?;
        let text = checkpoint::partition_metadata_text(topic_id);
        let mut found = vec![0; text.len()];
        file.read_exact_at(&mut found, 0)?;
        if found == text.as_bytes() {
            Ok(())
        } else {
            Err(io::Error::other("partition.metadata is not what was written"))
        }
    }
}

impl DerivedTicket {
    /// Writes and syncs. Called without the log's lock; blocks for milliseconds.
    ///
    /// # Errors
    /// Those of the system. The log must be told (`finish_derived`): want of space is no more than that, it is tried again with a
    /// later ticket; after anything else the log refuses writes until restart.
    pub fn run(&self) -> io::Result<()> {
        let disk = &*self.place.disk;
        for seal in &self.seals {
            if let Some(file) = &seal.trim {
                file.set_length(seal.segment.length())?;
            }
            seal.segment.write_indexes()?;
            let (offset, bytes) = &*seal.snapshot;
            write_beside(disk, &self.place.path(*offset, FileKind::Snapshot), bytes)?;
        }
        if let Some(txn) = &self.txn {
            let file = disk.open(&self.place.path(txn.base, FileKind::TxnIndex), Open::Create)?;
            let position = (txn.written * super::txn_index::ENTRY_BYTES) as u64;
            file.write_all_at(&[IoSlice::new(&txn.bytes)], position)?;
            file.sync()?;
        }
        if let Some(epochs) = &self.epochs {
            write_beside(disk, &self.place.folder.join(names::LEADER_EPOCHS), epochs.as_bytes())?;
        }
        disk.sync_folder(&self.place.folder)
    }
}

/// Puts a small file in place, durably but for the folder: written beside, synced, renamed.
pub(super) fn write_beside(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = suffixed(path, ".tmp");
    let file = disk.open(&beside, Open::Truncate)?;
    file.write_all_at(&[IoSlice::new(bytes)], 0)?;
    file.sync()?;
    disk.rename(&beside, path)
}

/// The same, but a file that has these bytes already is only synced: for what is checked whenever it is used.
pub(super) fn keep_or_write(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    match disk.read(path) {
        Ok(there) if there == bytes => disk.open(path, Open::Write)?.sync(),
        _ => write_beside(disk, path, bytes),
    }
}
