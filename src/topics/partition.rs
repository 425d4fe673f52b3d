//! The async shell around one log: appends one at a time, syncs apart, wakes who waits.
//!
//! The order of every move: the high watermark first, then the waiters wake, then answers leave (`log/flush.rs` has the rule).
//! The log's lock is held over one write, never over a sync and never across an await.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use super::budget::Budget;
use super::config::{Durability, TopicConfig};
use super::internal::is_internal;
use super::syncs::{SyncPool, Syncable};
use super::waiters::Waiters;
use crate::base::abort::AbortOnPanic;
use crate::base::clock::{Clock, Monotonic, WallMs};
use crate::base::ids::{LeaderEpoch, Offset, PartitionIndex, TopicName};
use crate::base::limits;
use crate::base::metrics::Metrics;
use crate::log::producers::ProducerView;
use crate::log::{Acknowledge, Append, Appended, Log, LogConfig, LogError, LogReader, Origin};
use crate::record::batch::ValidBatch;
use crate::record::validate::Rules;

/// How much acknowledgement a producer asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Acks {
    /// 0: no answer.
    None,
    /// 1: once visible.
    Leader,
    /// -1: once durable.
    All,
}

impl Acks {
    pub fn parse(acks: i16) -> Option<Acks> {
        match acks {
            0 => Some(Acks::None),
            1 => Some(Acks::Leader),
            -1 => Some(Acks::All),
            _ => None,
        }
    }
}

/// Why a client's leader epoch does not fit (KIP-320).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EpochError {
    /// The client's is older than ours: it must refresh its metadata.
    Fenced,
    /// The client's is newer than ours.
    Unknown,
}

/// Why a batch was not appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The topic was deleted after the partition was looked up.
    #[error("This server does not host this topic-partition.")]
    Deleted,
    #[error(transparent)]
    Log(#[from] LogError),
}

/// What all partitions of a broker share.
pub(super) struct Shared {
    pub pool: Arc<SyncPool>,
    pub dirty: DirtyList,
    /// Something was appended since the last checkpoint.
    pub touched: AtomicBool,
    pub clock: Arc<dyn Clock>,
    pub metrics: Arc<Metrics>,
    pub full_disk: Seldom,
    pub budget: Budget,
}

/// Lets a line be said at most every ten seconds.
#[derive(Default)]
pub(super) struct Seldom(Mutex<Option<Monotonic>>);

impl Seldom {
    fn turn(&self, clock: &dyn Clock) -> bool {
        let now = clock.monotonic();
        let mut last = self.0.lock();
        let due = last.is_none_or(|last| now.0.saturating_sub(last.0) >= Duration::from_secs(10));
        if due {
            *last = Some(now);
        }
        due
    }
}

/// Partitions with bytes of acks 0 and 1 that no sync was asked for yet.
#[derive(Default)]
pub(super) struct DirtyList {
    partitions: Mutex<Vec<Arc<Partition>>>,
    filled: tokio::sync::Notify,
}

impl DirtyList {
    fn add(&self, partition: Arc<Partition>) {
        self.partitions.lock().push(partition);
        self.filled.notify_one();
    }

    /// Returns once the list is not empty.
    pub async fn filled(&self) {
        while self.partitions.lock().is_empty() {
            self.filled.notified().await;
        }
    }

    pub fn take(&self) -> Vec<Arc<Partition>> {
        std::mem::take(&mut self.partitions.lock())
    }
}

/// Whether a sync is queued or running, and whether another must follow it.
const SYNC_IDLE: u8 = 0;
const SYNC_BUSY: u8 = 1;
const SYNC_AGAIN: u8 = 2;

/// One partition that exists.
pub struct Partition {
    topic: TopicName,
    index: PartitionIndex,
    log: Mutex<Log>,
    reader: Arc<LogReader>,
    waiters: Waiters,
    config: Arc<ArcSwap<TopicConfig>>,
    leader_epoch: AtomicI32,
    sync: AtomicU8,
    /// Bytes appended since the last sync began.
    unsynced: AtomicU64,
    /// In the dirty list.
    listed: AtomicBool,
    /// The last write was slow: the next one makes room for other tasks first.
    slow: AtomicBool,
    /// Deleted or poisoned: what is not acknowledged now never will be.
    ended: AtomicBool,
    /// The topic was deleted. Changes under the log's lock: afterwards nothing of this log is written, because its folder's
    /// name may be that of a new topic's.
    deleted: AtomicBool,
    /// Held while a sync runs, and while what is derived is written.
    syncing: Mutex<()>,
    deriving: Mutex<()>,
    shared: Arc<Shared>,
}

impl Partition {
    pub(super) fn new(
        topic: TopicName,
        index: PartitionIndex,
        log: Log,
        leader_epoch: LeaderEpoch,
        config: Arc<ArcSwap<TopicConfig>>,
        shared: Arc<Shared>,
    ) -> Arc<Partition> {
        let reader = Arc::clone(log.reader());
        Arc::new(Partition {
            topic,
            index,
            log: Mutex::new(log),
            reader,
            waiters: Waiters::default(),
            config,
            leader_epoch: AtomicI32::new(leader_epoch.0),
            sync: AtomicU8::new(SYNC_IDLE),
            unsynced: AtomicU64::new(0),
            listed: AtomicBool::new(false),
            slow: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            deleted: AtomicBool::new(false),
            syncing: Mutex::new(()),
            deriving: Mutex::new(()),
            shared,
        })
    }

    pub fn topic(&self) -> &TopicName {
        &self.topic
    }

    pub fn index(&self) -> PartitionIndex {
        self.index
    }

    /// The reading half of the log; never waits for an append.
    pub fn reader(&self) -> &LogReader {
        &self.reader
    }

    pub fn waiters(&self) -> &Waiters {
        &self.waiters
    }

    pub fn leader_epoch(&self) -> LeaderEpoch {
        LeaderEpoch(self.leader_epoch.load(Ordering::Acquire))
    }

    /// Compares the epoch that a client believes in; -1 means it does not say.
    ///
    /// # Errors
    /// If it is not ours.
    pub fn check_leader_epoch(&self, theirs: LeaderEpoch) -> Result<(), EpochError> {
        match theirs.cmp(&self.leader_epoch()) {
            _ if theirs < LeaderEpoch(0) => Ok(()),
            std::cmp::Ordering::Less => Err(EpochError::Fenced),
            std::cmp::Ordering::Equal => Ok(()),
            std::cmp::Ordering::Greater => Err(EpochError::Unknown),
        }
    }

    /// The largest epoch at or below `asked`, and the offset at which it ends; `None` if there is none.
    ///
    /// The leader's own epoch ends at the log's end, also before anything was written in it.
    pub fn end_of_epoch(&self, asked: LeaderEpoch) -> Option<(LeaderEpoch, Offset)> {
        if asked == self.leader_epoch() {
            return Some((asked, self.reader.end()));
        }
        if asked < LeaderEpoch(0) { None } else { self.reader.end_of_epoch(asked) }
    }

    /// What a batch for this partition must fulfil now.
    pub fn rules(&self, now: WallMs, zstd_allowed: bool) -> Rules {
        self.config.load().rules(now, zstd_allowed)
    }

    pub(super) fn set_log_config(&self, config: &Arc<LogConfig>) {
        self.with_log(|log| log.set_config(Arc::clone(config)));
    }

    /// Moves the log's start up to `to`, or to the high watermark, and returns where it is now. Fetches that wait look again: what they
    /// wait for may be gone. Not durable before the checkpoints are.
    ///
    /// # Errors
    /// `OutOfRange` above the high watermark, and a deleted topic.
    pub(super) fn delete_records(&self, to: Option<Offset>) -> Result<Offset, AppendError> {
        let advance = |log: &mut Log| {
            let before = log.log_start();
            log.advance_log_start(to.unwrap_or_else(|| log.high_watermark()))?;
            Ok((before, log.log_start()))
        };
        let moved = self.with_log_unless_deleted(advance).ok_or(AppendError::Deleted)?;
        let (before, start) = moved.map_err(AppendError::Log)?;
        if start > before {
            self.waiters.wake_fetches();
        }
        Ok(start)
    }

    /// Producers that the log remembers.
    pub fn producers(&self) -> Vec<ProducerView> {
        self.log.lock().producers()
    }

    /// Appends a client's batch. On return it is written, and visible unless acks=all waits for a sync, which is then asked for.
    ///
    /// # Errors
    /// `Deleted`, and those of `Log::append`.
    pub fn append(self: &Arc<Self>, batch: &ValidBatch, acks: Acks, now: WallMs) -> Result<Appended, AppendError> {
        self.append_of(Origin::Client, batch, acks, now)
    }

    /// Appends what a client or the broker itself wrote.
    pub(super) fn append_of(
        self: &Arc<Self>,
        origin: Origin,
        batch: &ValidBatch,
        acks: Acks,
        now: WallMs,
    ) -> Result<Appended, AppendError> {
        let config = self.config.load();
        let durable = config.durability == Durability::Sync && (acks == Acks::All || config.sync_every_append);
        let append = Append {
            leader_epoch: self.leader_epoch(),
            acknowledge: if durable { Acknowledge::Durable } else { Acknowledge::Written },
            origin,
            now,
        };
        if origin == Origin::Client && !self.shared.budget.admit(batch.size_bytes() as u64) {
            self.note_failure(&LogError::NoSpace);
            return Err(LogError::NoSpace.into());
        }
        let started = self.shared.clock.monotonic();
        let write =
            || self.with_log_unless_deleted(|log| log.append(batch, &append).map(|done| (done, log.take_in_view())));
        let slow = self.slow.load(Ordering::Relaxed);
        let result = if slow { tokio::task::block_in_place(write) } else { write() };
        let result = result.ok_or(AppendError::Deleted)?;
        let took = self.shared.clock.monotonic().0.saturating_sub(started.0);
        let slow = took > Duration::from_millis(limits::APPEND_SLOW_MS);
        if slow != self.slow.load(Ordering::Relaxed) {
            self.slow.store(slow, Ordering::Relaxed);
        }
        if slow {
            self.shared.metrics.appends_slow.add(1);
        }
        let (appended, in_view) = match result {
            Ok(done) => done,
            Err(error) => {
                self.note_failure(&error);
                return Err(error.into());
            }
        };
        if !self.shared.touched.load(Ordering::Relaxed) {
            self.shared.touched.store(true, Ordering::Relaxed);
        }
        if appended.watermark_moved {
            self.wake(in_view);
        }
        if (durable && !appended.duplicate) || appended.rolled || self.is_overdue(&config, batch.size_bytes()) {
            self.request_sync();
        } else if config.durability != Durability::Os && !self.listed.swap(true, Ordering::AcqRel) {
            self.shared.dirty.add(Arc::clone(self));
        }
        Ok(appended)
    }

    /// True once everything below `end` may be acknowledged.
    pub fn is_acknowledged(&self, end: Offset) -> bool {
        self.reader.high_watermark() >= end
    }

    /// True while `end` is not acknowledged and still may be.
    pub fn is_waiting(&self, end: Offset) -> bool {
        !self.is_acknowledged(end) && !self.ended.load(Ordering::Acquire)
    }

    /// Asks for a sync that begins after this call.
    pub fn request_sync(self: &Arc<Self>) {
        if self.sync.compare_exchange(SYNC_IDLE, SYNC_BUSY, Ordering::AcqRel, Ordering::Acquire).is_ok() {
            self.shared.pool.submit(Arc::clone(self) as Arc<dyn Syncable>);
        } else if self.sync.swap(SYNC_AGAIN, Ordering::AcqRel) == SYNC_IDLE {
            // The sync ended between the two steps.
            self.sync.store(SYNC_BUSY, Ordering::Release);
            self.shared.pool.submit(Arc::clone(self) as Arc<dyn Syncable>);
        }
    }

    /// Asks for a sync of what was written with acks 0 and 1, for the flush job.
    pub(super) fn sync_written(self: &Arc<Self>) {
        self.listed.store(false, Ordering::Release);
        self.request_sync();
    }

    /// The topic was deleted: nobody is acknowledged any more. On return nothing is written to the folder any more; waits for
    /// the syncs that run.
    pub(super) fn delete(&self) {
        {
            let log = self.log.lock();
            self.deleted.store(true, Ordering::Release);
            log.leave_folder();
        }
        self.ended.store(true, Ordering::Release);
        self.waiters.wake_all();
        drop(self.syncing.lock());
        drop(self.deriving.lock());
    }

    /// True once the topic was deleted.
    pub fn is_deleted(&self) -> bool {
        self.deleted.load(Ordering::Acquire)
    }

    /// Runs `work` with the log, on a thread that may block.
    pub(super) fn with_log<T>(&self, work: impl FnOnce(&mut Log) -> T) -> T {
        let _whole = AbortOnPanic;
        work(&mut self.log.lock())
    }

    pub(super) fn with_log_unless_deleted<T>(&self, work: impl FnOnce(&mut Log) -> T) -> Option<T> {
        self.with_log(|log| (!self.is_deleted()).then(|| work(log)))
    }

    /// Counts bytes that no sync was asked for; true once they are too many to wait for the flush job.
    fn is_overdue(&self, config: &TopicConfig, bytes: usize) -> bool {
        if config.durability == Durability::Os {
            return false;
        }
        let unsynced = self.unsynced.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
        unsynced >= config.interval_bytes
    }

    fn sync_once(self: &Arc<Self>) {
        let _whole = AbortOnPanic;
        let _running = self.syncing.lock();
        self.unsynced.store(0, Ordering::Relaxed);
        let (moved, derived, unsealed) = match self.with_log_unless_deleted(Log::begin_sync).flatten() {
            Some(ticket) => {
                let result = ticket.run();
                self.shared.metrics.log_syncs.add(1);
                self.with_log(|log| {
                    let moved = log.finish_sync(ticket, result).then(|| log.take_in_view());
                    (moved, log.has_derived(), log.unsealed())
                })
            }
            None => (None, false, 0),
        };
        if let Some(in_view) = moved {
            self.wake(in_view);
        }
        self.look_for_poison();
        if derived && unsealed > limits::UNSEALED_SEGMENTS_MAX {
            self.derive();
        } else if derived {
            self.shared.pool.submit(Arc::new(Deriving(Arc::clone(self))));
        }
    }

    fn derive(self: &Arc<Self>) {
        let _whole = AbortOnPanic;
        let _running = self.deriving.lock();
        let Some(ticket) = self.with_log_unless_deleted(Log::begin_derived).flatten() else { return };
        let result = ticket.run();
        if self.with_log(|log| log.finish_derived(ticket, result)) {
            self.request_sync();
        }
        self.look_for_poison();
    }

    fn look_for_poison(&self) {
        if let Some(reason) = self.reader.poisoned() {
            self.note_failure(&LogError::Poisoned { reason: reason.to_owned() });
        }
    }

    fn wake(&self, bytes: u64) {
        self.waiters.moved(self.reader.high_watermark(), i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    fn note_failure(&self, error: &LogError) {
        match error {
            LogError::Poisoned { reason } => {
                if !self.ended.swap(true, Ordering::AcqRel) {
                    self.shared.metrics.logs_poisoned.add(1);
                    tracing::error!(topic = %self.topic, partition = self.index.0, reason,
                        "log refuses writes until restart: check the disk, then restart");
                }
                self.waiters.wake_all();
            }
            LogError::NoSpace if self.shared.full_disk.turn(&*self.shared.clock) => {
                tracing::warn!(topic = %self.topic, partition = self.index.0, "no space left for appends");
            }
            _ => {}
        }
    }
}

impl Syncable for Partition {
    fn sync_now(self: Arc<Self>) -> bool {
        self.sync.store(SYNC_BUSY, Ordering::Release);
        self.sync_once();
        self.sync.compare_exchange(SYNC_BUSY, SYNC_IDLE, Ordering::AcqRel, Ordering::Acquire).is_err()
    }

    fn is_internal(&self) -> bool {
        is_internal(self.topic.as_str())
    }
}

/// A partition that has something to derive from what was synced. No answer waits for it: also that of an internal topic takes its
/// turn among all.
struct Deriving(Arc<Partition>);

impl Syncable for Deriving {
    fn sync_now(self: Arc<Self>) -> bool {
        self.0.derive();
        false
    }

    fn is_internal(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::SystemClock;
    use crate::base::disk::{Disk, RealDisk};
    use crate::base::ids::Uuid;
    use crate::record::builder::{BatchBuilder, NewRecord};
    use crate::record::compression::Compression;
    use crate::settings::{Dynamic, Overrides, Settings};

    fn partition(folder: &std::path::Path, id: u8) -> Arc<Partition> {
        let disk: Arc<dyn Disk> = RealDisk::shared();
        let now = SystemClock::shared().wall();
        let mut log =
            Log::create(disk, folder, Uuid([id; 16]), Arc::new(LogConfig::default()), now).expect("a new log");
        log.begin_epoch(LeaderEpoch(i32::from(id))).expect("the first epoch");
        let none = Overrides::new();
        let config = TopicConfig::resolve(&Settings::defaults(), &none, Dynamic { node: &none, all_nodes: &none });
        let shared = Shared {
            pool: SyncPool::new(1),
            dirty: DirtyList::default(),
            touched: AtomicBool::new(false),
            full_disk: Seldom::default(),
            budget: Budget::default(),
            clock: SystemClock::shared(),
            metrics: Arc::new(Metrics::default()),
        };
        let name = TopicName::parse("t").expect("a legal name");
        let config = Arc::new(ArcSwap::from_pointee(config));
        Partition::new(name, PartitionIndex(0), log, LeaderEpoch(i32::from(id)), config, Arc::new(shared))
    }

    fn batch() -> ValidBatch {
        let mut builder = BatchBuilder::new(Compression::NONE);
        builder.append(&NewRecord { timestamp: 1, value: Some(b"v"), ..Default::default() });
        builder.build()
    }

    /// The flush job's sync of a deleted topic used to write its leader epochs and indexes into the folder of the new topic of
    /// that name.
    #[test]
    fn a_deleted_partition_writes_nothing_into_the_folder_of_the_next_topic() {
        let data = tempfile::tempdir().expect("a folder");
        let folder = data.path().join("t-0");
        let old = partition(&folder, 3);
        old.append(&batch(), Acks::Leader, WallMs(1)).expect("appended");
        old.delete();
        std::fs::rename(&folder, data.path().join("t-0.deleted")).expect("renamed");
        let _new = partition(&folder, 5);

        let before: Vec<_> =
            std::fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("a name").path()).collect();
        Arc::clone(&old).sync_now();
        let after: Vec<_> =
            std::fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("a name").path()).collect();
        assert_eq!(before, after);
        let refused = old.append(&batch(), Acks::All, WallMs(2));
        assert!(matches!(refused, Err(AppendError::Deleted)), "{refused:?}");
        assert!(!old.is_waiting(Offset(9)));
    }

    #[test]
    fn a_deletion_wakes_who_waits_for_a_sync() {
        let data = tempfile::tempdir().expect("a folder");
        let partition = partition(&data.path().join("t-0"), 0);
        let waiter = super::super::Waiter::new(1);
        partition.waiters().add_answer(&waiter, Offset(1));
        partition.delete();
        assert!(waiter.is_done());
    }
}
