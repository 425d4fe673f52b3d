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
