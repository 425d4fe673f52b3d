//! Start and stop of all logs: which folders belong to which partition, checkpoints, recovery in parallel.
//!
//! Folders are matched by topic id, never by name alone: a folder without the id, or with that of another topic, is set
//! aside as `-stray` and kept, as Kafka does. Nothing here removes data but folders that a deletion had renamed already.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use super::{Random, Registry, RegistryOptions, Topic, TopicError};
use crate::base::disk::Kind;
use crate::base::ids::{LeaderEpoch, Offset, PartitionIndex, TopicName};
use crate::log::checkpoint::{self, OffsetEntry};
use crate::log::{Log, LogError, OpenOptions, Recovered, names};
use crate::meta::identity::METADATA_FOLDER;
use crate::meta::image::Resource;
use crate::topics::partition::Partition;

const RECOVERY_POINTS: &str = "recovery-point-offset-checkpoint";
const HIGH_WATERMARKS: &str = "replication-offset-checkpoint";
pub(super) const LOG_STARTS: &str = "log-start-offset-checkpoint";

/// Delay before folders that an earlier run had renamed are removed.
const REMOVE_LEFTOVERS_AFTER: Duration = Duration::from_secs(60);

/// What the start found.
#[derive(Default, Debug)]
pub struct Opened {
    pub partitions: usize,
    /// Partitions of which bytes had to be read again.
    pub recovered: usize,
    /// Folders set aside because no topic owns them.
    pub strays: usize,
}

type Key = (TopicName, PartitionIndex);
type Offsets = HashMap<Key, Offset>;

/// The checkpoints of the last run.
struct Checkpoints {
    recovery_points: Offsets,
    log_starts: Offsets,
}

#[derive(Default)]
struct Folders {
    partitions: HashMap<Key, PathBuf>,
    deleted: Vec<PathBuf>,
}

/// One partition to be opened.
struct Job {
    topic: Arc<Topic>,
    index: PartitionIndex,
    leader_epoch: LeaderEpoch,
    folder_exists: bool,
}

impl Registry {
    /// Opens the logs of all topics of the metadata, `threads` at a time. `is_clean`: the last stop left its mark.
    ///
    /// # Errors
    /// Of the data directory as a whole. A partition that cannot be opened is an error too: the broker would lie about it.
    pub fn open(
        options: RegistryOptions,
        is_clean: bool,
        threads: usize,
    ) -> Result<(Arc<Registry>, Opened), TopicError> {
        let registry = Registry::new(options);
        let mut folders = registry.scan_folders().map_err(doing("list data directory"))?;
        let jobs = registry.jobs(&mut folders, threads);
        let mut opened = Opened { partitions: jobs.len(), strays: folders.partitions.len(), ..Opened::default() };
        for folder in folders.partitions.values() {
            registry.set_aside(folder, &mut registry.changes.lock());
        }
        let checkpoints = registry.read_checkpoints().map_err(doing("read checkpoints"))?;
        if !is_clean {
            // Once, and not by each of the logs that are recovered.
            registry.disk.sync_folder(&registry.data_dir).map_err(doing("sync data directory"))?;
        }
        let results = in_parallel(&jobs, threads, |job| registry.open_one(job, &checkpoints, is_clean));
        let mut by_topic: HashMap<_, Vec<Arc<Partition>>> = HashMap::new();
        for (job, result) in jobs.iter().zip(results) {
            let (mut log, recovered) = result.map_err(|source| {
                let folder = registry.data_dir.join(names::partition_folder(job.topic.name(), job.index));
                TopicError::Open { folder, source }
            })?;
            if let Err(error) = log.begin_epoch(job.leader_epoch) {
                tracing::error!(topic = %job.topic.name(), partition = job.index.0, %error, "appends will be refused");
            }
            opened.recovered += usize::from(recovered.is_some_and(|recovered| recovered.scanned_bytes > 0));
            let (config, shared) = (Arc::clone(job.topic.config()), Arc::clone(&registry.shared));
            let name = job.topic.name().clone();
            let partition = Partition::new(name, job.index, log, job.leader_epoch, config, shared);
            by_topic.entry(job.topic.id()).or_default().push(partition);
        }
        for job in jobs.iter().filter(|job| job.index == PartitionIndex(0)) {
            job.topic.set_partitions(by_topic.remove(&job.topic.id()).unwrap_or_default());
            registry.index.write().insert(&job.topic);
        }
        let registry = Arc::new(registry);
        if !folders.deleted.is_empty() {
            registry.remove_later(folders.deleted, REMOVE_LEFTOVERS_AFTER);
        }
        Ok((registry, opened))
    }

    /// The partitions of the metadata, by topic and index; takes their folders out of `folders`.
    fn jobs(&self, folders: &mut Folders, threads: usize) -> Vec<Job> {
        let image = self.store.image();
        let mut jobs = Vec::new();
        for described in image.topics_by_name() {
            let overrides = image.configs(&Resource::topic(described.name.as_str())).cloned().unwrap_or_default();
            let config = Arc::new(ArcSwap::from_pointee(self.resolve_config(&overrides)));
            let topic = Arc::new(Topic::new(described.name.clone(), described.id, config));
            jobs.extend(described.partitions.iter().map(|(index, partition)| Job {
                topic: Arc::clone(&topic),
                index: *index,
                leader_epoch: partition.leader_epoch,
                folder_exists: false,
            }));
        }
        let key = |job: &Job| (job.topic.name().clone(), job.index);
        let owned = in_parallel(&jobs, threads, |job| {
            let folder = folders.partitions.get(&key(job))?;
            let owner = checkpoint::read_partition_metadata(self.disk.as_ref(), folder).ok().flatten();
            Some(owner == Some(job.topic.id()))
        });
        for (job, owned) in jobs.iter_mut().zip(owned) {
            job.folder_exists = owned == Some(true) && folders.partitions.remove(&key(job)).is_some();
        }
        jobs
    }

    fn scan_folders(&self) -> io::Result<Folders> {
        let mut folders = Folders::default();
        let entries = self.disk.list(&self.data_dir)?;
        for entry in entries.into_iter().filter(|entry| entry.kind == Kind::Folder) {
            let path = self.data_dir.join(&entry.name);
            match names::parse_folder(&entry.name) {
                _ if entry.name == METADATA_FOLDER => {}
                names::Folder::Partition { topic, index } => {
                    folders.partitions.insert((topic, index), path);
                }
                names::Folder::Deleted => folders.deleted.push(path),
                names::Folder::Future | names::Folder::Stray => {}
                names::Folder::Other => {
                    let folder = path.display();
                    tracing::warn!(%folder, "not a partition's folder: left alone; Apache Kafka would not start beside it");
                }
            }
        }
        Ok(folders)
    }

    /// Renames a folder that no topic owns to a name that is kept and never served.
    pub(super) fn set_aside(&self, folder: &Path, random: &mut Random) {
        let Some(name) = folder.file_name().and_then(|name| name.to_str()) else { return };
        let names::Folder::Partition { topic, index } = names::parse_folder(name) else { return };
        let unique = u128::from_be_bytes(random());
        let target = self.data_dir.join(names::stray_folder(&topic, index, unique));
        match self.disk.rename(folder, &target).and_then(|()| self.disk.sync_folder(&self.data_dir)) {
            Ok(()) => tracing::warn!(folder = %target.display(), "no topic owns this folder: set aside, not served"),
            Err(error) => tracing::error!(folder = %folder.display(), %error, "set folder aside"),
        }
    }

    fn read_checkpoints(&self) -> io::Result<Checkpoints> {
        let read = |name: &str| -> io::Result<Offsets> {
            let entries = checkpoint::read_offsets(self.disk.as_ref(), &self.data_dir.join(name))?;
            Ok(entries.into_iter().map(|entry| ((entry.topic, entry.partition), entry.offset)).collect())
        };
        Ok(Checkpoints { recovery_points: read(RECOVERY_POINTS)?, log_starts: read(LOG_STARTS)? })
    }

    fn open_one(
        &self,
        job: &Job,
        checkpoints: &Checkpoints,
        is_clean: bool,
    ) -> Result<(Log, Option<Recovered>), LogError> {
        let folder = self.data_dir.join(names::partition_folder(job.topic.name(), job.index));
        let key = (job.topic.name().clone(), job.index);
        if !job.folder_exists {
            if let Some(end) = checkpoints.recovery_points.get(&key).filter(|end| **end > Offset::ZERO) {
                tracing::warn!(folder = %folder.display(), end = end.0, "the folder is gone: the partition begins empty");
            }
            return Ok((self.new_log(&job.topic, &folder)?, None));
        }
        let config = Arc::clone(&job.topic.config().load().log);
        let now = self.shared.clock.wall();
        let options = OpenOptions {
            config,
            topic_id: Some(job.topic.id()),
            clean: is_clean,
            recovery_point: checkpoints.recovery_points.get(&key).copied().unwrap_or_default(),
            log_start: checkpoints.log_starts.get(&key).copied().unwrap_or_default(),
            strict: self.settings.string("recovery.mode") == "strict",
            named: !is_clean,
            now,
        };
        let (log, recovered) = Log::open(Arc::clone(&self.disk), &folder, &options)?;
        Ok((log, Some(recovered)))
    }

    /// Writes the checkpoints of all logs. What they say was durable before.
    ///
    /// # Errors
    /// Those of the disk; the old checkpoints are then still there.
    pub fn write_checkpoints(&self) -> io::Result<()> {
        let _alone = self.checkpoints.lock();
        let (mut recovery, mut watermarks) = (Vec::new(), Vec::new());
        for topic in self.topics() {
            for partition in topic.partitions().iter() {
                let entry = |offset| OffsetEntry { topic: topic.name().clone(), partition: partition.index(), offset };
                recovery.push(entry(partition.with_log(|log| log.recovery_point())));
                watermarks.push(entry(partition.reader().high_watermark()));
            }
        }
        for (name, entries) in
            [(LOG_STARTS, self.log_starts()), (RECOVERY_POINTS, recovery), (HIGH_WATERMARKS, watermarks)]
        {
            checkpoint::write_offsets(self.disk.as_ref(), &self.data_dir.join(name), &entries)?;
        }
        Ok(())
    }

    /// Makes everything durable and closes every log, `threads` at a time. False if anything failed: the clean-stop mark must
    /// not be written then.
    pub fn close(&self, threads: usize) -> bool {
        self.shared.pool.stop();
        let topics = self.topics();
        let partitions: Vec<_> = topics.iter().flat_map(|topic| topic.partitions().to_vec()).collect();
        let closed = in_parallel(&partitions, threads, |partition| match partition.with_log(Log::close) {
            Ok(()) => true,
            Err(error) => {
                tracing::error!(topic = %partition.topic(), partition = partition.index().0, %error, "close log");
                false
            }
        });
        if let Err(error) = self.write_checkpoints() {
            tracing::error!(%error, "write checkpoints");
            return false;
        }
        closed.into_iter().all(|closed| closed)
    }
}

fn doing(doing: &'static str) -> impl Fn(io::Error) -> TopicError {
    move |source| TopicError::Log(LogError::Io { doing, source })
}

/// Applies `work` to every item on up to `threads` threads; results in the order of the items.
fn in_parallel<T: Sync, R: Send>(items: &[T], threads: usize, work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(items.len()));
    let run = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else { return };
            let result = work(item);
            done.lock().push((index, result));
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.min(items.len()) {
            scope.spawn(run);
        }
        run();
    });
    let mut done = done.into_inner();
    done.sort_unstable_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::in_parallel;

    #[test]
    fn parallel_results_keep_the_order_of_their_items() {
        let items: Vec<usize> = (0..100).collect();
        for threads in [1, 4, 200] {
            assert_eq!(in_parallel(&items, threads, |item| item * 2), (0..200).step_by(2).collect::<Vec<_>>());
        }
    }
}
