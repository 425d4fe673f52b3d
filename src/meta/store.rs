//! The metadata of a data directory: the image, and the log that makes it last.
//!
//! A change is one batch: written, synced, replayed into a new image, published, in this order. Nobody sees what is not durable.
//! Changes are made one after the other; readers take the current image and never wait.
//!
//! References: Kafka `QuorumController.java`, `KafkaRaftClient.java`, `KafkaMetadataLog.java`; KIP-630, KIP-631.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use super::batches::data_batch;
use super::change::{self, Node};
use super::error::{Doing, MetaError};
use super::fresh;
use super::identity::{self, Expected, Identity, Inspected, METADATA_FOLDER};
use super::image::{Image, Replay};
use super::journal::{Appended, Journal};
use super::load::{self, Loaded};
use super::options::BootOptions;
use super::quorum::Quorum;
use super::record::Record;
use super::snapshot::{self, SnapshotId};
use crate::base::clock::Clock;
use crate::base::disk::Disk;
use crate::base::ids::{LeaderEpoch, Offset};
use crate::base::poison::Poison;
use crate::record::batch::ValidBatch;

/// Snapshots kept: the newest, and the one before it in case that a reader still has it open.
const SNAPSHOTS_KEPT: usize = 2;

/// See the module's comment. Shared by reference; all methods may run at once.
pub struct Store {
    node: Node,
    cluster_id: String,
    epoch: LeaderEpoch,
    broker_epoch: i64,
    clock: Arc<dyn Clock>,
    image: ArcSwap<Image>,
    writer: Mutex<Writer>,
    /// The journal's end, for who may not wait for a write.
    end: AtomicI64,
    poison: Poison,
}

struct Writer {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    journal: Journal,
    quorum: Quorum,
    bytes_since_snapshot: u64,
    snapshot_after_bytes: u64,
}

impl Store {
    /// Opens the metadata of a data directory, or makes it in an empty one; registers the broker anew and takes the leadership
    /// of its partitions. Durable on return. The caller holds the directory's lock.
    ///
    /// # Errors
    /// `Identity` or `Damaged` if the directory is not ours or not whole, and nothing was written to it; `NoSpace`, `Io`, `Poisoned`.
    pub fn open_or_create(
        disk: &Arc<dyn Disk>,
        directory: &Path,
        options: &mut BootOptions<'_>,
    ) -> Result<Store, MetaError> {
        let expected = Expected { cluster_id: options.cluster_id.clone(), node_id: options.node_id };
        match identity::inspect(disk.as_ref(), directory, &expected)? {
            Inspected::Existing(identity) => Store::open(disk, directory, identity, options),
            Inspected::Fresh => {
                let identity = fresh::create(disk, directory, options)?;
                let loaded = load::load(disk, directory, &identity, options)?;
                let broker_epoch = loaded.replay.image().broker(identity.node_id).map_or(-1, |b| b.broker_epoch);
                let epoch = loaded.epoch;
                Store::assemble(disk, directory, &identity, loaded, options, epoch)
                    .map(|store| store.since(broker_epoch))
            }
        }
    }

    fn open(
        disk: &Arc<dyn Disk>,
        directory: &Path,
        identity: Identity,
        options: &mut BootOptions<'_>,
    ) -> Result<Store, MetaError> {
        let loaded = load::load(disk, directory, &identity, options)?;
        let start = load::prepare_start(disk, directory, &identity, &loaded, options)?;
        let identity = Identity { directory_id: Some(loaded.directory_id), ..identity };
        (options.before_change)().doing("take the clean-stop mark from", directory)?;
        let store = Store::assemble(disk, directory, &identity, loaded, options, start.epoch)?;
        store.begin(&start)?;
        Ok(store.since(start.broker_epoch))
    }

    fn assemble(
        disk: &Arc<dyn Disk>,
        directory: &Path,
        identity: &Identity,
        loaded: Loaded,
        options: &BootOptions<'_>,
        epoch: LeaderEpoch,
    ) -> Result<Store, MetaError> {
        let writer = Writer {
            disk: disk.clone(),
            folder: directory.join(METADATA_FOLDER),
            bytes_since_snapshot: loaded.scanned.bytes(),
            journal: loaded.scanned.into_journal(options.clock.wall())?,
            quorum: loaded.quorum,
            snapshot_after_bytes: options.snapshot_after_bytes,
        };
        snapshot::remove_leftovers(disk.as_ref(), &writer.folder)?;
        Ok(Store {
            node: Node { id: identity.node_id, directory_id: loaded.directory_id },
            cluster_id: identity.cluster_id.clone(),
            epoch,
            broker_epoch: -1,
            clock: options.clock.clone(),
            image: ArcSwap::from_pointee(loaded.replay.into_image()),
            end: AtomicI64::new(writer.journal.end().0),
            writer: Mutex::new(writer),
            poison: Poison::default(),
        })
    }

    fn since(self, broker_epoch: i64) -> Store {
        Store { broker_epoch, ..self }
    }

    /// Writes what a start adds.
    fn begin(&self, start: &load::Start) -> Result<(), MetaError> {
        let mut writer = self.writer.lock();
        let mut replay = Replay::of((*self.image()).clone());
        start.records.iter().try_for_each(|records| {
            // An abort closes what the log left open; the image never saw it.
            let counted = records.iter().filter(|record| !matches!(record, Record::AbortTransaction(_)));
            counted.cloned().try_for_each(|record| replay.record(record))
        })?;
        self.write(&mut writer, &start.batches)?;
        self.image.store(Arc::new(replay.into_image()));
        Ok(())
    }

    /// The current state. Everything in it is durable.
    pub fn image(&self) -> Arc<Image> {
        self.image.load_full()
    }

    /// This node, as partitions name it.
    pub fn node(&self) -> Node {
        self.node
    }

    pub fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// Offset of this start's registration (Kafka's broker epoch); the clean-stop mark carries it.
    pub fn broker_epoch(&self) -> i64 {
        self.broker_epoch
    }

    /// How often the quorum of this directory started.
    pub fn quorum_epoch(&self) -> LeaderEpoch {
        self.epoch
    }

    /// First and next offset of the metadata log. Waits for a write that runs.
    pub fn log_bounds(&self) -> (Offset, Offset) {
        let writer = self.writer.lock();
        (writer.journal.start(), writer.journal.end())
    }

    /// Next offset of the metadata log. Never waits for a write.
    pub fn log_end(&self) -> Offset {
        Offset(self.end.load(Ordering::Acquire))
    }

    /// Set once a write failed in a way that leaves the log unknown: the daemon must stop.
    pub fn is_poisoned(&self) -> bool {
        self.poison.is_set()
    }

    /// Why, if it is.
    pub fn poison_reason(&self) -> Option<&str> {
        self.poison.reason()
    }

    /// Makes these records durable, all or none, and returns the image with them. None is no change.
    ///
    /// # Errors
    /// `NoSpace`, `Contradiction`: nothing was written. `Poisoned`: after a failed write, for ever.
    pub fn append(&self, records: Vec<Record>) -> Result<Arc<Image>, MetaError> {
        self.decide(|_| Ok(records))
    }

    /// Asks for records with the image that they will be applied to: no other change comes between. Otherwise as `append`.
    ///
    /// # Errors
    /// Those of `decision`, and those of `append`.
    pub fn decide<E: From<MetaError>>(
        &self,
        decision: impl FnOnce(&Image) -> Result<Vec<Record>, E>,
    ) -> Result<Arc<Image>, E> {
        let mut writer = self.writer.lock();
        let before = self.image();
        let records = decision(&before)?;
        if records.is_empty() {
            return Ok(before);
        }
        let mut image = (*before).clone();
        records.iter().try_for_each(|record| image.replay(record)).map_err(MetaError::from)?;
        let batch = data_batch(&records, before.metadata_version(), self.clock.wall());
        self.write(&mut writer, &[batch])?;
        let image = Arc::new(image);
        self.image.store(image.clone());
        if writer.bytes_since_snapshot >= writer.snapshot_after_bytes {
            self.snapshot_or_warn(&mut writer);
        }
        Ok(image)
    }

    /// Reserves producer ids that no other block holds, before or after. Durable on return.
    ///
    /// # Errors
    /// Those of `append`.
    pub fn allocate_producer_id_block(&self) -> Result<Range<i64>, MetaError> {
        let mut block = 0..0;
        self.decide(|image| {
            let (reserved, records) = change::reserve_producer_ids(image, self.node.id, self.broker_epoch);
            block = reserved;
            Ok::<_, MetaError>(records)
        })?;
        Ok(block)
    }

    /// Writes a snapshot of the current image, and removes what it makes needless.
    ///
    /// # Errors
    /// `Io`; the log goes on without it.
    pub fn snapshot(&self) -> Result<(), MetaError> {
        let mut writer = self.writer.lock();
        self.write_snapshot(&mut writer)
    }

    /// Ends the use of the directory. All records are durable already, and Kafka starts from what is there: none is written,
    /// only the log's indexes.
    ///
    /// # Errors
    /// Any: then no clean-stop mark may be written.
    pub fn close_clean(&self) -> Result<(), MetaError> {
        let mut writer = self.writer.lock();
        if let Some(reason) = self.poison.reason() {
            return Err(MetaError::Poisoned { reason: reason.to_owned() });
        }
        writer.journal.close()
    }

    fn write(&self, writer: &mut Writer, batches: &[ValidBatch]) -> Result<(), MetaError> {
        if let Some(reason) = self.poison.reason() {
            return Err(MetaError::Poisoned { reason: reason.to_owned() });
        }
        match writer.journal.append(batches, self.epoch, self.clock.wall()) {
            Appended::Durable => {
                self.end.store(writer.journal.end().0, Ordering::Release);
                writer.bytes_since_snapshot += batches.iter().map(|batch| batch.size_bytes() as u64).sum::<u64>();
                Ok(())
            }
            Appended::NoSpace => Err(MetaError::NoSpace),
            Appended::Failed(error) => {
                let reason = format!("write metadata: {error}");
                if self.poison.set(&reason) {
                    tracing::error!(%error, "metadata log failed");
                }
                Err(MetaError::Poisoned { reason })
            }
        }
    }

    fn snapshot_or_warn(&self, writer: &mut Writer) {
        if let Err(error) = self.write_snapshot(writer) {
            tracing::warn!(%error, "no snapshot of the metadata written");
            // Tried again after as many records.
            writer.bytes_since_snapshot = 0;
        }
    }

    fn write_snapshot(&self, writer: &mut Writer) -> Result<(), MetaError> {
        let id = SnapshotId { end: writer.journal.end(), epoch: writer.journal.epoch() };
        let (now, image) = (self.clock.wall(), self.image());
        let batches = snapshot::image_batches(&image, &writer.quorum, writer.journal.last_timestamp(), now);
        snapshot::write(&writer.disk, &writer.folder, id, &batches)?;
        writer.bytes_since_snapshot = 0;
        let mut ids = snapshot::list(writer.disk.as_ref(), &writer.folder)?;
        ids.retain(|id| *id != SnapshotId::BOOTSTRAP);
        let kept_from = ids.len().checked_sub(SNAPSHOTS_KEPT).map(|at| ids[at]);
        writer.journal.roll_and_remove_below(kept_from.map_or(Offset::ZERO, |id| id.end), now)?;
        let Some(kept_from) = kept_from else { return Ok(()) };
        for id in ids.iter().filter(|id| **id < kept_from).chain([&SnapshotId::BOOTSTRAP]) {
            snapshot::remove(writer.disk.as_ref(), &writer.folder.join(id.file_name()))?;
        }
        writer.disk.sync_folder(&writer.folder).doing("sync", &writer.folder)
    }
}
