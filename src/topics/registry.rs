//! Which topics and partitions exist: the metadata image made real as logs in the data directory.
//!
//! A new topic is folders first and a durable metadata record second, a deletion the other way round: what the metadata says
//! exists has a place, and what a crash leaves beside it is set aside at the next start. Only the broker's own topics get theirs
//! when they are written to: what has no folder begins empty. Changes are serialised; look-ups are not disturbed by them.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::{Mutex, RwLock};
use tokio::sync::{Notify, watch};

use super::budget::Budget;
use super::partition::{DirtyList, Partition, Seldom, Shared};
use super::syncs::SyncPool;
use super::topic::Topic;
use crate::base::abort::AbortOnPanic;
use crate::base::clock::Clock;
use crate::base::disk::{Disk, Space};
use crate::base::ids::{LeaderEpoch, PartitionIndex, ProducerId, TopicId, TopicName, Uuid};
use crate::base::limits::FILES_GIVEN_BACK;
use crate::base::metrics::Metrics;
use crate::base::reserve::Reserve;
use crate::log::{Log, LogError, names, open_files};
use crate::meta::record::Record;
use crate::meta::{Image, MetaError, Store, change};
use crate::settings::Settings;

mod configs;
mod opening;
mod retention;
mod starts;

pub use opening::Opened;
pub use retention::Retained;

/// Leader epoch of a new partition.
const FIRST_LEADER_EPOCH: LeaderEpoch = LeaderEpoch(0);

/// Why a topic was not changed.
#[derive(Debug, thiserror::Error)]
pub enum TopicError {
    #[error("Topic '{name}' already exists.")]
    Exists { name: TopicName },
    #[error("Topic '{name}' collides with existing topic: {other}")]
    Collides { name: TopicName, other: TopicName },
    #[error("This server does not host this topic-partition.")]
    Unknown,
    #[error("The topic has {now} partition(s); {asked} would not be an increase.")]
    PartitionCount { now: usize, asked: usize },
    #[error(transparent)]
    Meta(#[from] MetaError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("open {}: {source}", .folder.display())]
    Open { folder: PathBuf, source: LogError },
    #[error("the broker is stopping")]
    Stopping,
}

/// A topic to be made.
#[derive(Clone, Debug)]
pub struct NewTopic {
    pub name: TopicName,
    /// `None`: `num.partitions`.
    pub partitions: Option<usize>,
    /// Validated names and values.
    pub configs: Vec<(String, String)>,
}

impl NewTopic {
    pub fn with_defaults(name: TopicName) -> NewTopic {
        NewTopic { name, partitions: None, configs: Vec::new() }
    }
}

/// A topic whose folders are there and whose metadata is not.
struct Draft {
    topic: Arc<Topic>,
    made: Vec<Made>,
}

/// Folders of a deleted topic, and when they are to go.
type Leftovers = (Duration, Vec<PathBuf>);

/// A partition that nobody sees yet.
struct Made {
    index: PartitionIndex,
    folder: PathBuf,
    log: Log,
}

/// Yields 16 random bytes a call.
pub type Random = Box<dyn FnMut() -> [u8; 16] + Send>;

/// What a registry works with.
pub struct RegistryOptions {
    pub disk: Arc<dyn Disk>,
    pub data_dir: PathBuf,
    pub store: Arc<Store>,
    pub settings: Arc<Settings>,
    pub clock: Arc<dyn Clock>,
    pub metrics: Arc<Metrics>,
    pub random: Random,
    pub reserve: Arc<Reserve>,
    /// `durability.sync.threads`.
    pub sync_threads: usize,
}

/// See the module's comment.
pub struct Registry {
    disk: Arc<dyn Disk>,
    data_dir: PathBuf,
    store: Arc<Store>,
    settings: Arc<Settings>,
    shared: Arc<Shared>,
    index: RwLock<Index>,
    reserve: Arc<Reserve>,
    /// Held over a change of topics.
    changes: Mutex<Random>,
    /// Held while the checkpoints are collected and written: a deletion, the job and the stop write the same files.
    checkpoints: Mutex<()>,
    /// Ids that are ours to give out.
    producer_ids: Mutex<Range<i64>>,
    metadata_poisoned: Notify,
    /// Counts changes of topics and partition counts.
    edition: watch::Sender<u64>,
    /// Counts changes of configurations.
    configs: watch::Sender<u64>,
    /// Topics that were deleted and that coordinators have not been told of.
    deleted: Mutex<Vec<(TopicId, TopicName)>>,
}

#[derive(Default)]
struct Index {
    by_name: HashMap<TopicName, Arc<Topic>>,
    by_id: HashMap<TopicId, Arc<Topic>>,
    /// The name of each collision key: `a.b` and `a_b` cannot both exist.
    by_collision: HashMap<String, TopicName>,
}

impl Index {
    fn insert(&mut self, topic: &Arc<Topic>) {
        self.by_name.insert(topic.name().clone(), Arc::clone(topic));
        self.by_id.insert(topic.id(), Arc::clone(topic));
        self.by_collision.insert(topic.name().collision_key(), topic.name().clone());
    }

    fn remove(&mut self, topic: &Topic) {
        self.by_name.remove(topic.name().as_str());
        self.by_id.remove(&topic.id());
        self.by_collision.remove(&topic.name().collision_key());
    }
}

impl Registry {
    fn new(options: RegistryOptions) -> Registry {
        let shared = Shared {
            pool: SyncPool::new(options.sync_threads),
            dirty: DirtyList::default(),
            touched: AtomicBool::new(false),
            full_disk: Seldom::default(),
            budget: Budget::of(&options.settings),
            clock: options.clock,
            metrics: options.metrics,
        };
        Registry {
            disk: options.disk,
            data_dir: options.data_dir,
            store: options.store,
            settings: options.settings,
            shared: Arc::new(shared),
            index: RwLock::default(),
            changes: Mutex::new(options.random),
            reserve: options.reserve,
            checkpoints: Mutex::new(()),
            producer_ids: Mutex::new(0..0),
            metadata_poisoned: Notify::new(),
            edition: watch::Sender::new(0),
            configs: watch::Sender::new(0),
            deleted: Mutex::default(),
        }
    }

    pub fn topic(&self, name: &str) -> Option<Arc<Topic>> {
        self.index.read().by_name.get(name).cloned()
    }

    pub fn topic_by_id(&self, id: &TopicId) -> Option<Arc<Topic>> {
        self.index.read().by_id.get(id).cloned()
    }

    /// All topics, by name.
    pub fn topics(&self) -> Vec<Arc<Topic>> {
        let mut topics: Vec<_> = self.index.read().by_name.values().cloned().collect();
        topics.sort_unstable_by(|a, b| a.name().cmp(b.name()));
        topics
    }

    /// The metadata as of now.
    pub fn image(&self) -> Arc<Image> {
        self.store.image()
    }

    /// Rises with every change of topics or partition counts.
    pub fn edition(&self) -> u64 {
        *self.edition.borrow()
    }

    /// Follows the changes of topics and partition counts.
    pub fn editions(&self) -> watch::Receiver<u64> {
        self.edition.subscribe()
    }

    /// The topics that were deleted since the last call.
    pub fn take_deleted(&self) -> Vec<(TopicId, TopicName)> {
        std::mem::take(&mut self.deleted.lock())
    }

    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Room for what must be written on a full disk.
    pub fn reserve(&self) -> &Reserve {
        &self.reserve
    }

    /// Bytes of the data directory's file system, if it tells.
    pub fn space(&self) -> Option<Space> {
        self.disk.space(&self.data_dir).ok()
    }

    /// Says why a topic of this name may not be made, if so.
    ///
    /// # Errors
    /// `Exists`, `Collides`.
    pub fn check_new(&self, name: &TopicName) -> Result<(), TopicError> {
        let index = self.index.read();
        if index.by_name.contains_key(name) {
            return Err(TopicError::Exists { name: name.clone() });
        }
        match index.by_collision.get(&name.collision_key()) {
            Some(other) => Err(TopicError::Collides { name: name.clone(), other: other.clone() }),
            None => Ok(()),
        }
    }

    /// Makes a topic. On return its metadata is durable and its partitions take appends.
    ///
    /// # Errors
    /// As `TopicError` says; the topic does not exist then.
    pub async fn create_topic(self: &Arc<Self>, new: NewTopic) -> Result<Arc<Topic>, TopicError> {
        self.create_topics(vec![new]).await?.pop().unwrap_or(Err(TopicError::Unknown))
    }

    /// Makes topics, in one batch of metadata; a result for each. On return they are durable and take appends.
    ///
    /// # Errors
    /// As `TopicError` says; none of them exists then.
    pub async fn create_topics(
        self: &Arc<Self>,
        new: Vec<NewTopic>,
    ) -> Result<Vec<Result<Arc<Topic>, TopicError>>, TopicError> {
        let registry = Arc::clone(self);
        aside(move || registry.create_topics_now(&new)).await
    }

    fn create_topics_now(&self, new: &[NewTopic]) -> Result<Vec<Result<Arc<Topic>, TopicError>>, TopicError> {
        let _whole = AbortOnPanic;
        let mut random = self.changes.lock();
        let (mut drafts, mut records) = (Vec::with_capacity(new.len()), Vec::new());
        for new in new {
            let draft = self.draft(new, &drafts, &mut records, &mut random);
            drafts.push(draft);
        }
        let appended = if records.is_empty() { Ok(()) } else { self.append(records) };
        if let Err(error) = appended {
            drafts.into_iter().flatten().for_each(|draft| self.undo(draft.made));
            return Err(error);
        }
        let show = |draft: Draft| {
            self.show(&draft.topic, draft.made);
            self.index.write().insert(&draft.topic);
            self.edition.send_modify(|edition| *edition += 1);
            tracing::info!(topic = %draft.topic.name(), partitions = draft.topic.partition_count(), "topic created");
            draft.topic
        };
        Ok(drafts.into_iter().map(|draft| draft.map(show)).collect())
    }

    /// Makes folders and logs of a topic, and adds the records that will make it exist.
    fn draft(
        &self,
        new: &NewTopic,
        others: &[Result<Draft, TopicError>],
        records: &mut Vec<Record>,
        random: &mut Random,
    ) -> Result<Draft, TopicError> {
        self.check_new(&new.name)?;
        let key = new.name.collision_key();
        if let Some(other) = others.iter().flatten().find(|other| other.topic.name().collision_key() == key) {
            let (name, other) = (new.name.clone(), other.topic.name().clone());
            return Err(if name == other { TopicError::Exists { name } } else { TopicError::Collides { name, other } });
        }
        let count = new.partitions.unwrap_or_else(|| self.default_partitions());
        let id = self.fresh_topic_id(random);
        let described = change::NewTopic {
            name: &new.name,
            id,
            partition_count: i32::try_from(count).map_err(|_| TopicError::PartitionCount { now: 0, asked: count })?,
            configs: &new.configs,
        };
        let config = self.resolve_config(&new.configs.iter().cloned().collect());
        let topic = Arc::new(Topic::new(new.name.clone(), id, Arc::new(ArcSwap::from_pointee(config))));
        let made = self.make_logs(&topic, 0..count, random)?;
        records.extend(change::create_topic(&described, self.store.node()));
        Ok(Draft { topic, made })
    }

    /// Adds partitions up to `count`. On return they take appends.
    ///
    /// # Errors
    /// As `TopicError` says.
    pub async fn add_partitions(self: &Arc<Self>, topic: &Arc<Topic>, count: usize) -> Result<(), TopicError> {
        let (registry, topic) = (Arc::clone(self), Arc::clone(topic));
        aside(move || registry.add_partitions_now(&topic, count)).await
    }

    fn add_partitions_now(&self, topic: &Arc<Topic>, count: usize) -> Result<(), TopicError> {
        let _whole = AbortOnPanic;
        let mut random = self.changes.lock();
        if self.topic_by_id(&topic.id()).is_none() {
            return Err(TopicError::Unknown);
        }
        let now = topic.partition_count();
        if count <= now {
            return Err(TopicError::PartitionCount { now, asked: count });
        }
        let wanted = i32::try_from(count).map_err(|_| TopicError::PartitionCount { now, asked: count })?;
        let image = self.store.image();
        let described = image.topic(topic.id()).ok_or(TopicError::Unknown)?;
        let records = change::create_partitions(described, wanted, self.store.node());
        let made = self.make_logs(topic, now..count, &mut random)?;
        if let Err(error) = self.append(records) {
            self.undo(made);
            return Err(error);
        }
        self.show(topic, made);
        self.edition.send_modify(|edition| *edition += 1);
        tracing::info!(topic = %topic.name(), partitions = count, "partitions added");
        Ok(())
    }

    /// Makes folders and logs of new partitions. If one fails, none of them stays.
    fn make_logs(&self, topic: &Topic, indexes: Range<usize>, random: &mut Random) -> Result<Vec<Made>, TopicError> {
        let mut made = Vec::with_capacity(indexes.len());
        for index in indexes {
            let index = PartitionIndex(i32::try_from(index).unwrap_or(i32::MAX));
            let folder = self.data_dir.join(names::partition_folder(topic.name(), index));
            match self.make_log(topic, &folder, random) {
                Ok(log) => made.push(Made { index, folder, log }),
                Err(error) => {
                    self.undo(made);
                    return Err(error);
                }
            }
        }
        Ok(made)
    }

    fn undo(&self, made: Vec<Made>) {
        for Made { folder, log, .. } in made.into_iter().filter(|made| made.log.is_made()) {
            drop(log);
            if let Err(error) = self.disk.remove_folder(&folder) {
                tracing::warn!(folder = %folder.display(), %error, "remove folder of a topic that was not made");
            }
        }
    }

    /// Lets clients see partitions whose metadata is durable.
    fn show(&self, topic: &Topic, made: Vec<Made>) {
        let mut partitions = topic.partitions().to_vec();
        partitions.extend(made.into_iter().map(|made| {
            let (config, shared) = (Arc::clone(topic.config()), Arc::clone(&self.shared));
            Partition::new(topic.name().clone(), made.index, made.log, FIRST_LEADER_EPOCH, config, shared)
        }));
        topic.set_partitions(partitions);
    }

    fn make_log(&self, topic: &Topic, folder: &Path, random: &mut Random) -> Result<Log, TopicError> {
        // What an earlier topic of the name left here because its rename failed.
        if self.disk.list(folder).is_ok() {
            self.set_aside(folder, random);
        }
        let made = self.new_log(topic, folder);
        let begun = made.and_then(|mut log| log.begin_epoch(FIRST_LEADER_EPOCH).map(|()| log));
        if begun.is_err() && self.disk.list(folder).is_ok() {
            // Half made: nothing was ever in it.
            drop(self.disk.remove_folder(folder));
        }
        Ok(begun?)
    }

    /// The log of a new partition. Those of the broker's own topics have no folder until they are used.
    fn new_log(&self, topic: &Topic, folder: &Path) -> Result<Log, LogError> {
        let (disk, config) = (Arc::clone(&self.disk), Arc::clone(&topic.config().load().log));
        let (id, now) = (topic.id(), self.shared.clock.wall());
        if topic.is_internal() {
            Ok(Log::create_when_used(disk, folder, id, config, now))
        } else {
            Log::create(disk, folder, id, config, now)
        }
    }

    /// Deletes topics, in one batch of metadata. On return they are gone from it, durably; their folders are renamed and removed
    /// after `file.delete.delay.ms`. Says of each whether it was there.
    ///
    /// # Errors
    /// As `TopicError` says: nothing was deleted.
    pub async fn delete_topics(self: &Arc<Self>, topics: Vec<Arc<Topic>>) -> Result<Vec<bool>, TopicError> {
        let registry = Arc::clone(self);
        let (existed, folders) = aside(move || registry.delete_topics_now(&topics)).await?;
        for (delay, folders) in folders {
            self.remove_later(folders, delay);
        }
        Ok(existed)
    }

    fn delete_topics_now(&self, topics: &[Arc<Topic>]) -> Result<(Vec<bool>, Vec<Leftovers>), TopicError> {
        let _whole = AbortOnPanic;
        let mut random = self.changes.lock();
        let existed: Vec<bool> = topics.iter().map(|topic| self.topic_by_id(&topic.id()).is_some()).collect();
        let deleted = || topics.iter().zip(&existed).filter_map(|(topic, existed)| existed.then_some(topic));
        let records: Vec<Record> = deleted().flat_map(|topic| change::delete_topic(topic.id())).collect();
        if records.is_empty() {
            return Ok((existed, Vec::new()));
        }
        match self.append(records.clone()) {
            // Who makes room must not be refused for want of it.
            Err(TopicError::Meta(MetaError::NoSpace)) if self.reserve.give_up_a_part() => self.append(records)?,
            done => done?,
        }
        let mut leftovers = Vec::new();
        for topic in deleted() {
            self.index.write().remove(topic);
            self.deleted.lock().push((topic.id(), topic.name().clone()));
            let delay = Duration::from_millis(topic.config().load().file_delete_delay_ms);
            leftovers.push((delay, self.rename_deleted(topic, &mut random)));
            tracing::info!(topic = %topic.name(), "topic deleted");
        }
        self.edition.send_modify(|edition| *edition += 1);
        if let Err(error) = self.disk.sync_folder(&self.data_dir) {
            tracing::warn!(%error, "sync data directory after deletion");
        }
        // A recovery point that outlives its topic would make a torn tail of the next one of that name look like damage.
        if let Err(error) = self.write_checkpoints() {
            tracing::warn!(%error, "write checkpoints after deletion");
        }
        Ok((existed, leftovers))
    }

    fn rename_deleted(&self, topic: &Topic, random: &mut Random) -> Vec<PathBuf> {
        let mut renamed = Vec::new();
        for partition in topic.partitions().iter() {
            partition.delete();
            if !partition.with_log(|log| log.is_made()) {
                continue;
            }
            let folder = self.data_dir.join(names::partition_folder(topic.name(), partition.index()));
            let unique = u128::from_be_bytes(random());
            let target = self.data_dir.join(names::deleted_folder(topic.name(), partition.index(), unique));
            match self.disk.rename(&folder, &target) {
                Ok(()) => renamed.push(target),
                // The next start finds a folder that no topic owns and sets it aside.
                Err(error) => tracing::warn!(folder = %folder.display(), %error, "rename deleted partition"),
            }
        }
        renamed
    }

    /// Removes folders of deleted partitions after a delay. What a stop leaves is scheduled again at the next start.
    pub fn remove_later(&self, folders: Vec<PathBuf>, delay: Duration) {
        let disk = Arc::clone(&self.disk);
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            for folder in folders {
                let disk = Arc::clone(&disk);
                let removed = aside(move || disk.remove_folder(&folder)).await;
                if let Err(error) = removed {
                    tracing::warn!(%error, "remove deleted partition");
                }
            }
        });
    }

    /// A producer id that was never given out, if the current block has one left.
    ///
    /// Never waits: while somebody makes a block durable, `next_producer_id` is the one to ask.
    pub fn reserved_producer_id(&self) -> Option<ProducerId> {
        self.producer_ids.try_lock()?.next().map(ProducerId)
    }

    /// A producer id that was never given out; makes a new block durable if it must.
    ///
    /// # Errors
    /// If the block could not be made durable.
    pub async fn next_producer_id(self: &Arc<Self>) -> Result<ProducerId, MetaError> {
        let registry = Arc::clone(self);
        aside(move || {
            let mut ids = registry.producer_ids.lock();
            if ids.is_empty() {
                let block = registry.store.allocate_producer_id_block();
                registry.note_poison();
                *ids = block?;
            }
            ids.next().map(ProducerId).ok_or(MetaError::Poisoned { reason: "producer ids are exhausted".to_owned() })
        })
        .await
    }

    /// Syncs what was written with acks 0 and 1, every `interval`, for as long as it is polled. Sleeps while nothing is written.
    pub async fn flush_written(&self, interval: Duration) {
        loop {
            self.shared.dirty.filled().await;
            tokio::time::sleep(interval).await;
            for partition in self.shared.dirty.take() {
                partition.sync_written();
            }
        }
    }

    /// Forgets producers that were idle for `producer.id.expiration.ms`.
    pub fn expire_producers(&self) {
        let now = self.shared.clock.wall();
        for topic in self.topics() {
            topic.partitions().iter().for_each(|partition| partition.with_log(|log| log.expire_producers(now)));
        }
    }

    /// Closes some files of logs that nobody uses just now, because the process may open no more and a client waits.
    pub fn give_files_back(&self) {
        let closed = open_files::give_back(FILES_GIVEN_BACK);
        tracing::debug!(closed, "files of idle logs closed for clients");
    }

    /// True if anything was appended since the last call.
    pub fn take_touched(&self) -> bool {
        self.shared.touched.swap(false, Ordering::Relaxed)
    }

    /// Returns once the metadata log takes nothing any more: the daemon must end (decision D10).
    pub async fn metadata_failed(&self) {
        while !self.store.is_poisoned() {
            self.metadata_poisoned.notified().await;
        }
    }

    /// Wakes every request that waits, so that a stop need not wait for it.
    pub fn wake_all(&self) {
        for topic in self.topics() {
            topic.partitions().iter().for_each(|partition| partition.waiters().wake_all());
        }
    }

    fn append(&self, records: Vec<Record>) -> Result<(), TopicError> {
        let result = self.store.append(records);
        self.note_poison();
        Ok(result.map(drop)?)
    }

    fn note_poison(&self) {
        if self.store.is_poisoned() {
            self.metadata_poisoned.notify_one();
        }
    }

    fn default_partitions(&self) -> usize {
        usize::try_from(self.settings.long("num.partitions")).unwrap_or(1).max(1)
    }

    fn fresh_topic_id(&self, random: &mut Random) -> TopicId {
        loop {
            let id = Uuid::from_random(random());
            if self.topic_by_id(&id).is_none() {
                return id;
            }
        }
    }
}

/// Runs what blocks beside the runtime's own threads.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // The runtime is being shut down: nobody waits for the result.
        Err(_) => std::future::pending().await,
    }
}
