//! One partition on disk. Synchronous. Knows no topic, network or runtime.
//!
//! `Log` is the writer's half: its owner keeps it in a mutex and calls one method at a time. `LogReader` is the reader's
//! half, used at the same time by anyone. `SyncTicket` makes the log durable without the mutex:
//!
//! ```text
//! append, append, ..      begin_sync -> ticket      ticket.run()       finish_sync(ticket, result)
//! under the mutex         under the mutex           without it         under the mutex
//!                         begin_derived -> ticket   ticket.run()       finish_derived(ticket, result)
//! ```
//! The second row may run at the same time as the next sync.
//!
//! Files and formats: `docs/FORMAT.md`. The visibility rule: `flush.rs`. What a start does: `recovery.rs`.

pub mod append;
pub mod checkpoint;
pub mod config;
mod contents;
pub mod epochs;
pub mod error;
pub mod flush;
mod listing;
mod mapped;
pub mod names;
mod offset_index;
pub mod open_files;
pub mod producers;
pub mod read;
pub mod recovery;
pub mod retention;
mod segment;
mod sync;
mod time_index;
pub mod txn_index;
mod walk;

#[cfg(test)]
mod tests;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arc_swap::ArcSwap;
use parking_lot::RwLock;

pub use append::{Append, Appended, Origin};
pub use config::{LogConfig, Visible};
pub use error::{LogError, ReadError};
pub use flush::Acknowledge;
pub use read::{LogReader, Slice, TimestampOffset, Upper};
pub use recovery::{OpenOptions, Recovered};
pub use retention::Retention;
pub use sync::{DerivedTicket, SyncTicket};

use crate::base::clock::WallMs;
use crate::base::disk::{Disk, DiskFile, Open, is_no_space};
use crate::base::ids::{LeaderEpoch, Offset, TopicId};
use crate::base::poison::Poison;
use epochs::Epochs;
use error::Doing;
use flush::Visibility;
use names::FileKind;
use producers::{ProducerView, Producers};
use segment::{Building, Extent, Place, Segment};
use sync::{Seal, TxnBytes, write_beside};

/// The writer's half of one partition's log. One caller at a time.
pub struct Log {
    place: Arc<Place>,
    config: Arc<LogConfig>,
    reader: Arc<LogReader>,
    active: Arc<Segment>,
    /// When the active segment was made or opened: what rolling by time counts from if its records have no time.
    active_since: WallMs,
    visibility: Visibility,
    view: View,
    producers: Producers,
    jitter_seed: u64,
    /// Up to where the active segment's file has space; `u64::MAX` if none is to be had.
    reserved: u64,
    /// Not yet synced, beside the active segment's.
    rolled_files: Vec<Arc<dyn DiskFile>>,
    active_unsynced: bool,
    /// What is in `partition.metadata` and not yet synced.
    identity_unsynced: Option<TopicId>,
    /// Rolled segments whose indexes are not durable, those of a running ticket first.
    seals: Vec<Seal>,
    /// Aborted transactions of the active segment that are in its file.
    aborted_written: usize,
    epochs_unwritten: bool,
    /// The producer snapshot of the last stop, if it is not also that of a segment.
    stop_snapshot: Option<Offset>,
    folder_changed: bool,
    parent_changed: bool,
    ticket_is_out: bool,
    /// That ticket asks for space for the active segment.
    reserving: bool,
    /// What may be written now that the sync it waited for has run; and whether that is being done.
    derived: Option<Box<DerivedTicket>>,
    derived_is_out: bool,
    /// Since the log was last closed or opened clean.
    changed: bool,
    /// There is no folder yet; it is to be of this topic.
    unmade: Option<TopicId>,
}

impl Log {
    /// Makes the folder of a new partition, its topic id and its first segment. Nothing is durable before a ticket of
    /// `begin_sync` has run.
    ///
    /// # Errors
    /// `Io`, `NoSpace`. What was made stays; `open` copes with it.
    pub fn create(
        disk: Arc<dyn Disk>,
        folder: &Path,
        topic_id: TopicId,
        config: Arc<LogConfig>,
        now: WallMs,
    ) -> Result<Log, LogError> {
        let mut log = Log::create_when_used(disk, folder, topic_id, config, now);
        no_space_apart(log.place.disk.create_folder(folder), "create folder of partition")?;
        log.fill_folder(topic_id)?;
        Ok(log)
    }

    /// A new partition that has no folder until something is appended to it: for topics most of whose partitions never are. A start
    /// that finds no folder takes the partition as new, as Kafka does.
    pub fn create_when_used(
        disk: Arc<dyn Disk>,
        folder: &Path,
        topic_id: TopicId,
        config: Arc<LogConfig>,
        now: WallMs,
    ) -> Log {
        let place = Arc::new(Place::new(disk, folder));
        let active = empty_segment(&place, Offset::ZERO, &config);
        let start = Start { segments: vec![active], end: Offset::ZERO, log_start: Offset::ZERO, ..Start::default() };
        let mut log = Log::assemble(place, config, start, now);
        log.unmade = Some(topic_id);
        log
    }

    /// False while nothing is on the disk: see `create_when_used`.
    pub fn is_made(&self) -> bool {
        self.unmade.is_none()
    }

    /// Makes the folder if there is none yet.
    fn make(&mut self) -> Result<(), LogError> {
        let Some(topic_id) = self.unmade else { return Ok(()) };
        no_space_apart(self.place.disk.create_folder(&self.place.folder), "create folder of partition")?;
        let filled = self.fill_folder(topic_id);
        if filled.is_err() {
            // Half made: nothing was ever in it, and the next append tries again.
            drop(self.place.disk.remove_folder(&self.place.folder));
        }
        filled
    }

    fn fill_folder(&mut self, topic_id: TopicId) -> Result<(), LogError> {
        let disk = &self.place.disk;
        let file = disk.open(&self.place.folder.join(names::PARTITION_METADATA), Open::CreateNew);
        let file = no_space_apart(file, "create partition.metadata")?;
        let text = checkpoint::partition_metadata_text(topic_id);
        no_space_apart(file.write_all_at(&[IoSlice::new(text.as_bytes())], 0), "write partition.metadata")?;
        no_space_apart(disk.open(&self.active.path(FileKind::Log), Open::CreateNew), "create segment")?;
        self.unmade = None;
        self.identity_unsynced = Some(topic_id);
        self.active_unsynced = true;
        self.parent_changed = true;
        self.folder_changed = true;
        self.changed = true;
        Ok(())
    }

    /// Opens the log in a folder. See `recovery`.
    ///
    /// # Errors
    /// `OtherTopic`, `Strict`, `Io`. Durable bytes that are not valid any more are no error: `Recovered` tells of them.
    pub fn open(disk: Arc<dyn Disk>, folder: &Path, options: &OpenOptions) -> Result<(Log, Recovered), LogError> {
        recovery::open(disk, folder, options)
    }

    fn assemble(place: Arc<Place>, config: Arc<LogConfig>, start: Start, now: WallMs) -> Log {
        let active = start.segments.last().expect("a log has a segment").clone();
        let mut producers = start.producers;
        let last_stable = producers.last_stable_offset(start.end).max(start.log_start);
        let reader = LogReader {
            segments: ArcSwap::from_pointee(start.segments),
            epochs: RwLock::new(start.epochs),
            poison: Poison::default(),
            log_start: AtomicI64::new(start.log_start.0),
            end: AtomicI64::new(start.end.0),
            high_watermark: AtomicI64::new(start.end.0),
            last_stable: AtomicI64::new(last_stable.0),
            corrupt_at: AtomicI64::new(start.corrupt_at.map_or(i64::MAX, |at| at.0)),
            poisoned_end: AtomicI64::new(i64::MAX),
        };
        let mut hasher = DefaultHasher::new();
        place.folder.hash(&mut hasher);
        Log {
            visibility: Visibility::opened(config.visible, start.end),
            view: View::default(),
            jitter_seed: hasher.finish(),
            place,
            config,
            reader: Arc::new(reader),
            active,
            active_since: now,
            producers,
            reserved: 0,
            rolled_files: Vec::new(),
            active_unsynced: false,
            identity_unsynced: None,
            seals: Vec::new(),
            aborted_written: 0,
            epochs_unwritten: false,
            stop_snapshot: None,
            folder_changed: false,
            parent_changed: false,
            ticket_is_out: false,
            reserving: false,
            derived: None,
            derived_is_out: false,
            changed: false,
            unmade: None,
        }
    }

    /// The reader's half.
    pub fn reader(&self) -> &Arc<LogReader> {
        &self.reader
    }

    pub fn config(&self) -> &Arc<LogConfig> {
        &self.config
    }

    /// The folder is about to be renamed or removed: files of it that are closed are not opened again, because its name may become
    /// that of another log's.
    pub fn leave_folder(&self) {
        self.place.gone.store(true, Ordering::Release);
    }

    /// Takes new settings; they hold from the next append on.
    pub fn set_config(&mut self, config: Arc<LogConfig>) {
        self.visibility.set_visible(config.visible);
        self.config = config;
    }

    /// Base offset of the first segment. The log start lies above it when records of that segment were deleted.
    pub fn first_base(&self) -> Offset {
        self.reader.segments.load().first().map_or(Offset::ZERO, |segment| segment.base())
    }

    pub fn log_start(&self) -> Offset {
        self.reader.log_start()
    }

    pub fn end(&self) -> Offset {
        self.visibility.end()
    }

    pub fn high_watermark(&self) -> Offset {
        self.visibility.high_watermark()
    }

    pub fn last_stable_offset(&self) -> Offset {
        self.reader.last_stable_offset()
    }

    /// Everything below it survives a power loss.
    pub fn durable_end(&self) -> Offset {
        self.visibility.durable_end()
    }

    /// What belongs into the recovery-point checkpoint: up to here bytes and all that is derived from them are durable.
    pub fn recovery_point(&self) -> Offset {
        let unsealed = self.seals.first().map(|seal| seal.segment.base());
        unsealed.map_or(self.durable_end(), |base| base.min(self.durable_end()))
    }

    /// True if something is not durable: a `begin_sync` would give a ticket.
    pub fn needs_sync(&self) -> bool {
        let something = self.active_unsynced
            || !self.rolled_files.is_empty()
            || self.identity_unsynced.is_some()
            || self.folder_changed
            || self.parent_changed
            || self.is_derived_due();
        something && self.is_made()
    }

    /// True if something is to be derived, and no ticket has it in hand.
    fn is_derived_due(&self) -> bool {
        let in_hand = self.derived.is_some() || self.derived_is_out;
        !in_hand && (!self.seals.is_empty() || self.epochs_unwritten || self.aborted_unwritten() > 0)
    }

    /// True if a reply waits for a sync: some batch must be durable before it may be acknowledged.
    pub fn wants_sync(&self) -> bool {
        self.visibility.must_sync_end() > self.visibility.durable_end()
    }

    /// Each producer known here, in no order.
    pub fn producers(&self) -> Vec<ProducerView> {
        self.producers.views()
    }

    /// What an idempotent or transactional producer has here.
    pub fn producer_state(&self) -> &Producers {
        &self.producers
    }

    /// Notes that a leader epoch begins at the log's end, before anything is appended in it.
    ///
    /// # Errors
    /// `StaleLeaderEpoch` if the log knows a higher one.
    pub fn begin_epoch(&mut self, epoch: LeaderEpoch) -> Result<(), LogError> {
        let mut epochs = self.reader.epochs.write();
        if let Some(current) = epochs.latest().filter(|current| epoch < *current) {
            return Err(LogError::StaleLeaderEpoch { current, found: epoch });
        }
        self.epochs_unwritten |= epochs.begin(epoch, self.visibility.end());
        Ok(())
    }

    /// Forgets producers that have been idle for `producer.id.expiration.ms`.
    pub fn expire_producers(&mut self, now: WallMs) {
        self.producers.expire(now, self.config.producer_expiration_ms);
    }

    /// Moves the log's start forward (DeleteRecords, retention). Records below it are not read any more; their segments
    /// stay. The owner keeps it in the log-start checkpoint.
    ///
    /// # Errors
    /// `OutOfRange` above the high watermark.
    pub fn advance_log_start(&mut self, to: Offset) -> Result<(), LogError> {
        let (log_start, end) = (self.log_start(), self.high_watermark());
        if to > end {
            return Err(LogError::OutOfRange { offset: to, log_start, end });
        }
        if to > log_start {
            self.epochs_unwritten |= self.reader.epochs.write().cut_start(to);
            self.reader.log_start.store(to.0, Ordering::Release);
            self.changed = true;
            self.publish();
        }
        Ok(())
    }

    /// Shows the ends to readers: the log's end first, so that no order between them is ever seen broken.
    fn publish(&mut self) {
        let high_watermark = self.visibility.high_watermark();
        let last_stable = self.producers.last_stable_offset(high_watermark).max(self.log_start());
        assert!(last_stable <= high_watermark.max(self.log_start()), "stable records are visible");
        self.reader.end.store(self.visibility.end().0, Ordering::Release);
        self.reader.high_watermark.store(high_watermark.0, Ordering::Release);
        self.reader.last_stable.store(last_stable.0, Ordering::Release);
    }

    fn refuse_if_broken(&self) -> Result<(), LogError> {
        if let Some(reason) = self.reader.poison.reason() {
            return Err(LogError::Poisoned { reason: reason.to_owned() });
        }
        match self.reader.corrupt_at() {
            Some(at) => Err(LogError::Corrupt { at }),
            None => Ok(()),
        }
    }

    /// Refuses everything but reads of durable data from now on.
    fn poison(&mut self, reason: &str) -> LogError {
        self.active.mark_broken();
        if self.reader.poison.set(reason) {
            tracing::error!(folder = %self.place.folder.display(), reason, "log refuses writes until restart");
        }
        self.reader.poisoned_end.store(self.durable_end().0, Ordering::Release);
        LogError::Poisoned { reason: self.reader.poison.reason().unwrap_or(reason).to_owned() }
    }

    // ---- durability

    fn aborted_unwritten(&self) -> usize {
        self.active.with_building(|building| building.aborted.len()).unwrap_or(0).saturating_sub(self.aborted_written)
    }

    /// Takes a ticket for everything that is not durable yet. `None` if there is nothing, if one is out already (take the
    /// next when it is back), or if the log is poisoned.
    pub fn begin_sync(&mut self) -> Option<SyncTicket> {
        if self.ticket_is_out || !self.needs_sync() || self.refuse_if_broken().is_err() {
            return None;
        }
        let mut files = std::mem::take(&mut self.rolled_files);
        let active_unsynced = std::mem::take(&mut self.active_unsynced);
        if active_unsynced {
            match open_files::patiently(|| self.active.file()) {
                Ok(file) => files.push(file),
                Err(error) => {
                    self.poison(&format!("open segment to sync it: {error}"));
                    return None;
                }
            }
        }
        let reserve = if active_unsynced { files.last().and_then(|file| self.reserve_due(file)) } else { None };
        let derived = self.gather_derived();
        self.reserving = reserve.is_some();
        self.ticket_is_out = true;
        Some(SyncTicket {
            place: self.place.clone(),
            covers: self.visibility.end(),
            covers_bytes: self.view.written,
            files,
            identity: self.identity_unsynced.take(),
            sync_folder: std::mem::take(&mut self.folder_changed),
            sync_parent: std::mem::take(&mut self.parent_changed),
            reserve,
            derived,
        })
    }

    /// What is to be derived from the log as it is now.
    fn gather_derived(&mut self) -> Option<Box<DerivedTicket>> {
        if !self.is_derived_due() {
            return None;
        }
        let written = self.aborted_written;
        let txn = (self.aborted_unwritten() > 0).then(|| {
            let mut bytes = Vec::new();
            let encode = |building: &Building| {
                building.aborted.iter().skip(written).for_each(|entry| txn_index::push(&mut bytes, entry));
            };
            self.active.with_building(encode);
            TxnBytes { base: self.active.base(), written, bytes }
        });
        let epochs = std::mem::take(&mut self.epochs_unwritten)
            .then(|| checkpoint::leader_epochs_text(self.reader.epochs.read().entries()));
        Some(Box::new(DerivedTicket { place: self.place.clone(), seals: self.seals.clone(), txn, epochs }))
    }

    /// Takes the ticket back with what `run` returned. True if the high watermark moved. After a failure the log refuses
    /// writes until restart; the watermark does not move.
    pub fn finish_sync(&mut self, ticket: SyncTicket, result: io::Result<()>) -> bool {
        self.ticket_is_out = false;
        self.reserving = false;
        if let Err(error) = result {
            self.poison(&format!("sync: {error}"));
            return false;
        }
        if let Some(reserve) = ticket.reserve.filter(|reserve| reserve.base == self.active.base()) {
            let refused = reserve.refused.load(Ordering::Acquire);
            self.reserved = if refused { u64::MAX } else { self.reserved.max(reserve.to) };
        }
        if self.reader.poison.is_set() {
            return false;
        }
        if ticket.derived.is_some() {
            self.derived = ticket.derived;
        }
        if !self.active_unsynced {
            self.active.mark_synced();
        }
        let moved = self.visibility.synced(ticket.covers);
        if moved {
            let all = self.visibility.high_watermark() == self.visibility.end();
            self.view.visible = if all { self.view.written } else { ticket.covers_bytes };
        }
        self.publish();
        moved
    }

    /// Segments that were rolled and whose indexes are not durable.
    pub fn unsealed(&self) -> usize {
        self.seals.len()
    }

    /// True if `begin_derived` would give a ticket.
    pub fn has_derived(&self) -> bool {
        self.derived.is_some()
    }

    /// Takes a ticket for what is derived from bytes that a sync has made durable; `None` if there is nothing, or if one is out.
    pub fn begin_derived(&mut self) -> Option<DerivedTicket> {
        self.refuse_if_broken().ok()?;
        let ticket = self.derived.take().map(|ticket| *ticket);
        self.derived_is_out |= ticket.is_some();
        ticket
    }

    /// Takes the ticket back with what `run` returned. True if more was rolled meanwhile: a sync should follow. Without space
    /// for it the recovery point stays where it is; after any other failure the log refuses writes until restart.
    pub fn finish_derived(&mut self, ticket: DerivedTicket, result: io::Result<()>) -> bool {
        self.derived_is_out = false;
        match result {
            Ok(()) => {
                for seal in self.seals.drain(..ticket.seals.len()) {
                    seal.segment.drop_building();
                }
                if let Some(txn) = ticket.txn
                    && txn.base == self.active.base()
                {
                    self.aborted_written = txn.written + txn.bytes.len() / txn_index::ENTRY_BYTES;
                }
                !self.seals.is_empty()
            }
            Err(error) if is_no_space(&error) => {
                self.epochs_unwritten |= ticket.epochs.is_some();
                false
            }
            Err(error) => {
                self.poison(&format!("sync: {error}"));
                false
            }
        }
    }

    /// Bytes of batches that the high watermark has passed since the last call: what waiting fetches count.
    pub fn take_in_view(&mut self) -> u64 {
        let before = std::mem::replace(&mut self.view.told, self.view.visible);
        self.view.visible - before
    }

    /// Makes everything durable here and now. For starts, stops and owners without a sync thread.
    ///
    /// # Errors
    /// `Poisoned`; `NoSpace` if the log itself is durable but not what is derived from it.
    pub fn sync_now(&mut self) -> Result<(), LogError> {
        loop {
            if let Some(ticket) = self.begin_derived() {
                let result = ticket.run();
                let no_space = result.as_ref().is_err_and(is_no_space);
                self.finish_derived(ticket, result);
                if no_space {
                    return Err(LogError::NoSpace);
                }
            } else if let Some(ticket) = self.begin_sync() {
                let result = ticket.run();
                self.finish_sync(ticket, result);
            } else {
                return self.refuse_if_broken();
            }
        }
    }

    /// Makes the log whole for a clean stop: all bytes, exact indexes, transaction index, leader epochs and the producer
    /// snapshot at the end, durable. A log that did not change since it was opened clean costs nothing.
    ///
    /// # Errors
    /// Any: then no clean-stop mark may be written for this directory.
    pub fn close(&mut self) -> Result<(), LogError> {
        self.refuse_if_broken()?;
        if self.ticket_is_out || self.derived_is_out {
            // Nobody knows yet what it made durable, and no second one can be had.
            let source = io::ErrorKind::ResourceBusy.into();
            return Err(LogError::Io { doing: "close a log while it is being synced", source });
        }
        if !self.changed && !self.needs_sync() && self.derived.is_none() {
            return Ok(());
        }
        self.sync_now()?;
        if std::mem::take(&mut self.reserved) > 0 {
            let trimmed = self.active.file().and_then(|file| file.set_length(self.active.length()));
            trimmed.doing("give back reserved space")?;
        }
        no_space_apart(self.active.write_indexes(), "write indexes")?;
        self.write_stop_snapshot()?;
        self.place.disk.sync_folder(&self.place.folder).doing("sync folder of partition")?;
        self.aborted_written = self.active.with_building(|building| building.aborted.len()).unwrap_or(0);
        self.changed = false;
        Ok(())
    }

    fn write_stop_snapshot(&mut self) -> Result<(), LogError> {
        // A log that never had a batch has no producers to lose.
        if self.reader.size_bytes() == 0 && self.active.base() == Offset::ZERO {
            return Ok(());
        }
        let end = self.end();
        let path = self.place.path(end, FileKind::Snapshot);
        no_space_apart(write_beside(&*self.place.disk, &path, &self.producers.snapshot()), "write producer snapshot")?;
        let segments = self.reader.segments.load();
        let of_segment = |at: Offset| segments.iter().any(|segment| segment.base() == at);
        let before = std::mem::replace(&mut self.stop_snapshot, (!of_segment(end)).then_some(end));
        if let Some(before) = before.filter(|before| *before != end && !of_segment(*before)) {
            let path = self.place.path(before, FileKind::Snapshot);
            self.place.disk.remove_file(&path).doing("remove producer snapshot of the last stop")?;
        }
        Ok(())
    }
}

/// Bytes of batches appended since the log was opened.
#[derive(Default)]
struct View {
    written: u64,
    /// Below the high watermark.
    visible: u64,
    /// Of those, what the owner was told of.
    told: u64,
}

/// What a log starts with.
#[derive(Default)]
struct Start {
    segments: Vec<Arc<Segment>>,
    end: Offset,
    log_start: Offset,
    producers: Producers,
    epochs: Epochs,
    corrupt_at: Option<Offset>,
}

fn new_segment(place: &Arc<Place>, base: Offset, config: &LogConfig) -> io::Result<(Arc<Segment>, Arc<dyn DiskFile>)> {
    let file = place.disk.open(&place.path(base, FileKind::Log), Open::CreateNew)?;
    Ok((empty_segment(place, base, config), file))
}

fn empty_segment(place: &Arc<Place>, base: Offset, config: &LogConfig) -> Arc<Segment> {
    let extent = Extent { base, end: base, length: 0 };
    Arc::new(Segment::building(place, extent, config.index_interval_bytes, Building::default()))
}

fn no_space_apart<T>(result: io::Result<T>, doing: &'static str) -> Result<T, LogError> {
    match result {
        Err(error) if is_no_space(&error) => Err(LogError::NoSpace),
        other => other.doing(doing),
    }
}
