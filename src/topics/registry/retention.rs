//! What old records come to, for all logs: one pass after the other, each in the order that a crash may cut anywhere.
//!
//! ```text
//! starts move in memory      checkpoint, durable      files renamed      removed after file.delete.delay.ms
//! ```
//! The checkpoint is one file for all logs, so that a pass has two rounds over them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{Registry, aside};
use crate::base::ids::Offset;
use crate::log::LogError;
use crate::topics::budget::{self, Closed, Excess};
use crate::topics::partition::Partition;

/// What a pass did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Retained {
    pub segments: usize,
    pub bytes: u64,
}

/// A log of which something goes, its start as the checkpoint will have it, and `file.delete.delay.ms`.
struct Shortened {
    partition: Arc<Partition>,
    start: Offset,
    delay: Duration,
}

impl Registry {
    /// Takes away what `retention.ms`, `retention.bytes` and DeleteRecords do not keep. Returns when it is renamed; it is removed
    /// later.
    pub async fn retain(self: &Arc<Self>) -> Retained {
        let registry = Arc::clone(self);
        let (retained, files) = aside(move || registry.retain_now()).await;
        for (delay, files) in files {
            self.remove_files_later(files, delay);
        }
        retained
    }

    fn retain_now(&self) -> (Retained, BTreeMap<Duration, Vec<PathBuf>>) {
        let shortened = self.shorten();
        let mut retained = Retained::default();
        let mut files: BTreeMap<Duration, Vec<PathBuf>> = BTreeMap::new();
        if shortened.is_empty() {
            return (retained, files);
        }
        // Names go only once it is durable that nobody reads what they hold.
        if let Err(error) = self.write_checkpoints() {
            tracing::warn!(%error, "write checkpoints: nothing is removed this time");
            return (retained, files);
        }
        for Shortened { partition, start, delay } in shortened {
            for removed in partition.remove_below(start) {
                retained.segments += 1;
                retained.bytes += removed.bytes;
                files.entry(delay).or_default().extend(removed.files);
            }
        }
        (retained, files)
    }

    /// Moves the starts of logs; those that have something to remove.
    fn shorten(&self) -> Vec<Shortened> {
        let now = self.shared.clock.wall();
        let mut shortened = Vec::new();
        for topic in self.topics() {
            let delay = Duration::from_millis(topic.config().load().file_delete_delay_ms);
            for partition in topic.partitions().iter() {
                partition.retain(now);
                if let Some(start) = partition.removable_below() {
                    shortened.push(Shortened { partition: Arc::clone(partition), start, delay });
                }
            }
        }
        shortened
    }

    /// Makes room when a limit of the whole broker is near, and notes how much there is. What goes, goes at once.
    pub async fn keep_within_budget(self: &Arc<Self>) -> Retained {
        let registry = Arc::clone(self);
        aside(move || registry.keep_within_budget_now()).await
    }

    /// True if the broker has limits that `keep_within_budget` keeps.
    pub fn has_budget(&self) -> bool {
        self.shared.budget.is_limited()
    }

    fn keep_within_budget_now(&self) -> Retained {
        let mut retained = Retained::default();
        if let Some(excess) = self.shared.budget.excess(self.size_bytes(), self.space()) {
            for file in self.make_room(&excess, &mut retained) {
                if let Err(error) = self.disk.remove_file(&file) {
                    tracing::warn!(file = %file.display(), %error, "remove segment");
                }
            }
        }
        let seen = self.shared.budget.appended();
        self.shared.budget.note(self.size_bytes(), seen, self.space());
        retained
    }

    fn size_bytes(&self) -> u64 {
        let topics = self.topics();
        let partitions = topics.iter().flat_map(|topic| topic.partitions().iter().cloned().collect::<Vec<_>>());
        partitions.map(|partition| partition.reader().size_bytes()).sum()
    }

    /// Takes out the oldest closed segments of topics that may lose records; their files.
    fn make_room(&self, excess: &Excess, retained: &mut Retained) -> Vec<PathBuf> {
        let topics = self.topics();
        let own = topics.iter().filter(|topic| !topic.is_internal());
        let partitions: Vec<Arc<Partition>> = own.flat_map(|topic| topic.partitions().to_vec()).collect();
        let closed: Vec<Vec<Closed>> = partitions.iter().map(|partition| partition.closed()).collect();
        let cuts: Vec<_> = partitions.iter().zip(budget::plan(&closed, excess.bytes)).collect();
        let cut = |(partition, end): (&Arc<Partition>, Option<Offset>)| {
            end.filter(|end| partition.cut_start(*end)).map(|_| Arc::clone(partition))
        };
        let cut: Vec<_> = cuts.into_iter().filter_map(cut).collect();
        if cut.is_empty() {
            return Vec::new();
        }
        if let Err(error) = self.write_checkpoints() {
            tracing::warn!(%error, "write checkpoints: nothing is removed this time");
            return Vec::new();
        }
        let mut files = Vec::new();
        for partition in cut {
            for removed in partition.remove_below(partition.reader().log_start()) {
                tracing::info!(topic = %partition.topic(), partition = partition.index().0, base = removed.base.0,
                    bytes = removed.bytes, reason = excess.key, "segment removed to make room");
                retained.segments += 1;
                retained.bytes += removed.bytes;
                files.extend(removed.files);
            }
        }
        files
    }

    fn remove_files_later(&self, files: Vec<PathBuf>, delay: Duration) {
        let disk = Arc::clone(&self.disk);
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            let removed = aside(move || {
                for file in files {
                    match disk.remove_file(&file) {
                        Ok(()) => {}
                        // Its topic was deleted in the meantime.
                        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                        Err(error) => tracing::warn!(file = %file.display(), %error, "remove segment"),
                    }
                }
            });
            removed.await;
        });
    }
}

impl Partition {
    fn retain(self: &Arc<Self>, now: crate::base::clock::WallMs) {
        // A log that takes nothing any more keeps what it has, for whoever looks into it.
        let retained = self.with_log_unless_deleted(|log| {
            let segments = log.reader().segment_count();
            let due = log.retain(now);
            (due, log.reader().segment_count() > segments)
        });
        let Some((due, rolled)) = retained else { return };
        if rolled {
            self.request_sync();
        }
        match due {
            Ok(due) => {
                for due in due {
                    tracing::info!(topic = %self.topic(), partition = self.index().0, base = due.base.0, end = due.end.0,
                        bytes = due.bytes, reason = %due.reason, "segment is not kept any longer");
                }
            }
            Err(LogError::Poisoned { .. } | LogError::Corrupt { .. }) => {}
            Err(error) => {
                tracing::warn!(topic = %self.topic(), partition = self.index().0, %error, "look for old segments");
            }
        }
    }

    /// Its closed segments, if it may lose records.
    fn closed(&self) -> Vec<Closed> {
        let closed = self.with_log_unless_deleted(|log| log.closed_segments());
        match closed {
            Some(Ok(closed)) => closed
                .into_iter()
                .map(|(held, newest_ms)| Closed { end: held.end, bytes: held.bytes, newest_ms })
                .collect(),
            Some(Err(error)) => {
                tracing::warn!(topic = %self.topic(), partition = self.index().0, %error, "look for old segments");
                Vec::new()
            }
            None => Vec::new(),
        }
    }

    /// Moves the start; true if it did.
    fn cut_start(&self, to: Offset) -> bool {
        self.with_log_unless_deleted(|log| to > log.log_start() && log.advance_log_start(to).is_ok()).unwrap_or(false)
    }

    fn removable_below(&self) -> Option<Offset> {
        self.with_log_unless_deleted(|log| log.has_removable().then(|| log.log_start())).flatten()
    }

    fn remove_below(self: &Arc<Self>, start: Offset) -> Vec<crate::log::retention::Removed> {
        let removed = self.with_log_unless_deleted(|log| log.remove_below(start));
        self.request_sync();
        match removed {
            Some(Ok(removed)) => removed,
            Some(Err(error)) => {
                tracing::warn!(topic = %self.topic(), partition = self.index().0, %error, "remove old segments");
                Vec::new()
            }
            None => Vec::new(),
        }
    }
}
