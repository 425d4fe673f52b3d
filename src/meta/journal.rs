//! The segments of `__cluster_metadata-0`: read whole before anything is written, then a log like any other.
//!
//! ```text
//! scan -> every batch shown, nothing changed -> into_journal: torn tail cut, log open -> append and sync, batch by batch
//! ```
//!
//! Every batch is synced before the next is written, so only the last one can be torn by a crash: a bad batch with a good one
//! behind it is damage and refused, where `log` would set it aside and go on.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::batches::{Step, Walk};
use super::error::{Doing, MetaError};
use crate::base::clock::WallMs;
use crate::base::disk::{Disk, DiskFile, Kind, Open};
use crate::base::ids::{LeaderEpoch, Offset, Uuid};
use crate::log::names::{FileKind, FileName, State, file_name, parse_file};
use crate::log::{Acknowledge, Append, Log, LogConfig, LogError, OpenOptions, Origin};
use crate::record::batch::{BatchHeader, ValidBatch};

/// The metadata log, open for appending.
pub(super) struct Journal {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    log: Log,
    /// Of the last batch.
    epoch: LeaderEpoch,
    last_timestamp: i64,
}

/// What an append did.
pub(super) enum Appended {
    Durable,
    /// No room. Nothing was appended; it may be tried again.
    NoSpace,
    /// Nothing is known of what is on disk: no further append may be tried.
    Failed(LogError),
}

/// Where the batches of a scan go.
pub(super) type Visit<'a> = &'a mut dyn FnMut(&BatchHeader, &Bytes) -> Result<(), MetaError>;

/// A log that was read and not touched yet.
pub(super) struct Scanned {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    from: Offset,
    segments: Vec<Offset>,
    /// The last segment, if the log goes on in it: its file, and the position and offset behind its last good batch.
    tail: Option<(Arc<dyn DiskFile>, u64, Offset)>,
    epoch: LeaderEpoch,
    last_timestamp: i64,
    bytes: u64,
}

impl Scanned {
    /// Reads the log and shows every batch that reaches beyond `from`, a snapshot's end. Writes nothing.
    ///
    /// # Errors
    /// Those of the system and of `visit`; `Damaged` for records that are missing, or unreadable amid others.
    pub(super) fn scan(
        disk: &Arc<dyn Disk>,
        folder: &Path,
        from: Offset,
        visit: Visit<'_>,
    ) -> Result<Scanned, MetaError> {
        let segments = list_segments(disk.as_ref(), folder)?;
        if let Some(first) = segments.first().filter(|first| **first > from) {
            return Err(damaged(folder, format!("records {from} to {} are missing", first.0 - 1)));
        }
        let mut scanned = Scanned {
            disk: disk.clone(),
            folder: folder.to_owned(),
            from,
            segments,
            tail: None,
            epoch: LeaderEpoch::UNKNOWN,
            last_timestamp: -1,
            bytes: 0,
        };
        let mut next = scanned.segments.first().copied().unwrap_or(from);
        for at in 0..scanned.segments.len() {
            let base = scanned.segments[at];
            let following = scanned.segments.get(at + 1).copied();
            if following.is_some_and(|following| following <= from) {
                next = base;
                continue;
            }
            if next > base || (next < base && base > from) {
                return Err(damaged(
                    &folder.join(file_name(base, FileKind::Log)),
                    format!("it does not follow offset {next}"),
                ));
            }
            next = scanned.segment(base, following.is_none(), visit)?;
        }
        scanned.tail = scanned.tail.filter(|(_, _, end)| *end >= from);
        Ok(scanned)
    }

    /// Reads one segment and returns the offset behind it.
    fn segment(&mut self, base: Offset, is_last: bool, visit: Visit<'_>) -> Result<Offset, MetaError> {
        let path = self.folder.join(file_name(base, FileKind::Log));
        let file = self.disk.open(&path, if is_last { Open::Write } else { Open::Read }).doing("open", &path)?;
        let mut walk = Walk::new(file.clone(), base).doing("read", &path)?;
        loop {
            match walk.step().doing("read", &path)? {
                Step::Batch(header, batch) => {
                    // The field lies outside the checksum: no append may come below any of them.
                    self.epoch = self.epoch.max(header.leader_epoch);
                    self.last_timestamp = header.max_timestamp;
                    if header.next_offset() > self.from {
                        self.bytes += batch.len() as u64;
                        visit(&header, &batch)?;
                    }
                }
                Step::End => break,
                Step::Bad if is_last && !walk.finds_batch_behind().doing("read", &path)? => break,
                Step::Bad => {
                    let why = format!("no valid batch at position {} but others behind it", walk.position());
                    return Err(damaged(&path, why));
                }
            }
        }
        self.tail = Some((file, walk.position(), walk.next_offset()));
        Ok(walk.next_offset())
    }

    /// The highest epoch of a batch, `UNKNOWN` if there is none.
    pub(super) fn epoch(&self) -> LeaderEpoch {
        self.epoch
    }

    /// The offset of the next record.
    pub(super) fn end(&self) -> Offset {
        self.tail.as_ref().map_or(self.from, |(_, _, end)| *end)
    }

    /// Bytes of the batches that were shown.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Makes the log ready for appends: cuts a torn tail off. A log that ends before the snapshot is replaced by an empty one
    /// that begins there, as Kafka does.
    pub(super) fn into_journal(self, now: WallMs) -> Result<Journal, MetaError> {
        let Scanned { disk, folder, from, segments, tail, epoch, last_timestamp, .. } = self;
        let (end, start, is_torn) = match &tail {
            Some((file, position, end)) => {
                let length = file.length().doing("read", &folder)?;
                (*end, *segments.first().unwrap_or(&from), length > *position)
            }
            None => {
                segments.iter().try_for_each(|base| remove_segment(disk.as_ref(), &folder, *base))?;
                (from, from, false)
            }
        };
        let log = open_log(&disk, &folder, start, end, is_torn, now)?;
        if log.end() != end {
            return Err(damaged(&folder, format!("it ends at offset {} and was read up to {end}", log.end())));
        }
        Ok(Journal { disk, folder, log, epoch, last_timestamp })
    }
}

fn open_log(
    disk: &Arc<dyn Disk>,
    folder: &Path,
    start: Offset,
    end: Offset,
    is_torn: bool,
    now: WallMs,
) -> Result<Log, MetaError> {
    let options = OpenOptions {
        config: Arc::new(LogConfig::default()),
        topic_id: Some(Uuid::METADATA_TOPIC),
        // All batches up to `end` were read and found good.
        clean: !is_torn,
        recovery_point: end,
        log_start: start,
        strict: false,
        named: false,
        now,
    };
    let (log, _) = Log::open(disk.clone(), folder, &options)?;
    Ok(log)
}

fn damaged(file: &Path, why: String) -> MetaError {
    MetaError::Damaged { file: file.to_owned(), why }
}

fn list_segments(disk: &dyn Disk, folder: &Path) -> Result<Vec<Offset>, MetaError> {
    let entries = disk.list(folder).doing("list", folder)?;
    let files = entries.into_iter().filter(|entry| entry.kind == Kind::File);
    let is_segment = |file: &FileName| file.kind == FileKind::Log && file.state == State::Live;
    let mut segments: Vec<Offset> =
        files.filter_map(|entry| parse_file(&entry.name)).filter(is_segment).map(|file| file.base).collect();
    segments.sort_unstable();
    Ok(segments)
}

impl Journal {
    /// The offset of the next record.
    pub(super) fn end(&self) -> Offset {
        self.log.end()
    }

    /// The epoch of the last batch, `UNKNOWN` if there is none.
    pub(super) fn epoch(&self) -> LeaderEpoch {
        self.epoch
    }

    /// The time of the last batch.
    pub(super) fn last_timestamp(&self) -> i64 {
        self.last_timestamp
    }

    /// The first offset that is still there.
    pub(super) fn start(&self) -> Offset {
        self.log.log_start()
    }

    /// Writes batches one behind the other, each synced before the next is written: a start that is cut off must not leave a
    /// good batch behind a bad one. Nothing may be appended after `Failed`. If there is no room for one of several, those before
    /// it stay: only a start writes several, and it ends then.
    pub(super) fn append(&mut self, batches: &[ValidBatch], epoch: LeaderEpoch, now: WallMs) -> Appended {
        let how = Append { leader_epoch: epoch, acknowledge: Acknowledge::Durable, origin: Origin::Coordinator, now };
        for batch in batches {
            match self.log.append(batch, &how) {
                Ok(_) => self.last_timestamp = batch.header().max_timestamp,
                Err(LogError::NoSpace) => return Appended::NoSpace,
                Err(error) => return Appended::Failed(error),
            }
            match self.log.sync_now() {
                // No space here: the batch is durable, only what is derived from it is not.
                Ok(()) | Err(LogError::NoSpace) => self.epoch = epoch,
                Err(error) => return Appended::Failed(error),
            }
        }
        Appended::Durable
    }

    /// Begins a new segment at the end of the log, if the last one holds anything, and removes the segments that lie wholly
    /// below `offset`.
    pub(super) fn roll_and_remove_below(&mut self, offset: Offset, now: WallMs) -> Result<(), MetaError> {
        self.log.roll(now)?;
        self.log.sync_now()?;
        let segments = list_segments(self.disk.as_ref(), &self.folder)?;
        let needless = segments.partition_point(|base| *base <= offset).saturating_sub(1);
        if needless == 0 {
            return Ok(());
        }
        let (needless, kept) = segments.split_at(needless);
        needless.iter().try_for_each(|base| remove_segment(self.disk.as_ref(), &self.folder, *base))?;
        let start = kept.first().copied().unwrap_or(self.end());
        self.log = open_log(&self.disk, &self.folder, start, self.end(), false, now)?;
        Ok(())
    }

    /// Writes what a clean stop leaves: exact indexes and epochs.
    pub(super) fn close(&mut self) -> Result<(), MetaError> {
        Ok(self.log.close()?)
    }
}

/// Removes a segment with what Kafka keeps beside it.
fn remove_segment(disk: &dyn Disk, folder: &Path, base: Offset) -> Result<(), MetaError> {
    let beside = [FileKind::OffsetIndex, FileKind::TimeIndex, FileKind::TxnIndex, FileKind::Snapshot];
    for kind in beside.into_iter().chain([FileKind::Log]) {
        let path = folder.join(file_name(base, kind));
        match disk.remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error).doing("remove", &path),
            _ => {}
        }
    }
    Ok(())
}
