//! Log starts that clients move (DeleteRecords), and the checkpoint that makes them last.

use std::io;
use std::sync::Arc;

use super::opening::LOG_STARTS;
use super::{Registry, aside};
use crate::base::disk::is_no_space;
use crate::base::ids::Offset;
use crate::log::LogError;
use crate::log::checkpoint::{self, OffsetEntry};
use crate::topics::partition::{AppendError, Partition};

impl Registry {
    /// Moves the starts of logs up to an offset, or to the high watermark, and says where each is now. Durable on return.
    ///
    /// # Errors
    /// Of each: `OutOfRange`, `Deleted`; `Io` if it may be forgotten by a crash.
    pub async fn delete_records(
        self: &Arc<Self>,
        wanted: Vec<(Arc<Partition>, Option<Offset>)>,
    ) -> Vec<Result<Offset, AppendError>> {
        let registry = Arc::clone(self);
        aside(move || registry.delete_records_now(&wanted)).await
    }

    fn delete_records_now(&self, wanted: &[(Arc<Partition>, Option<Offset>)]) -> Vec<Result<Offset, AppendError>> {
        let moved: Vec<_> = wanted.iter().map(|(partition, to)| partition.delete_records(*to)).collect();
        if moved.iter().all(Result::is_err) {
            return moved;
        }
        match self.write_log_starts() {
            Ok(()) => moved,
            Err(error) => {
                tracing::error!(%error, "write log starts");
                let failed = || LogError::Io { doing: "write log starts", source: error.kind().into() };
                moved.into_iter().map(|start| start.and(Err(failed().into()))).collect()
            }
        }
    }

    fn write_log_starts(&self) -> io::Result<()> {
        let _alone = self.checkpoints.lock();
        let path = self.data_dir.join(LOG_STARTS);
        let write = || checkpoint::write_offsets(self.disk.as_ref(), &path, &self.log_starts());
        match write() {
            // Who makes room must not be refused for want of it.
            Err(error) if is_no_space(&error) && self.reserve.give_up_a_part() => write(),
            done => done,
        }
    }

    /// The log starts that the files do not tell by themselves.
    pub(super) fn log_starts(&self) -> Vec<OffsetEntry> {
        let mut starts = Vec::new();
        for topic in self.topics() {
            for partition in topic.partitions().iter() {
                let (start, first) = partition.with_log(|log| (log.log_start(), log.first_base()));
                if start > first {
                    let topic = topic.name().clone();
                    starts.push(OffsetEntry { topic, partition: partition.index(), offset: start });
                }
            }
        }
        starts
    }
}
