//! What a start does with a partition's folder: leftovers, a scan where one is due, torn tails, producers, epochs.
//!
//! With the clean-stop mark only the end of the last segment is looked at. Without it every segment at or above the recovery
//! point is read, CRCs are checked above the recovery point, and indexes, producers, epochs and aborted transactions are
//! built again; what was read is synced before anything counts as durable.
//!
//! ```text
//! a bad batch at or above the recovery point: it and all behind it is copied to quarantine files, then cut
//! a bad batch below it: nothing is cut; what lies below is served, appends are refused
//! ```
//! Kafka: `LogLoader`, `LogSegment.recover`. `docs/FORMAT.md` §1, §9.

use std::io::IoSlice;
use std::path::Path;
use std::sync::Arc;

use tracing::{info, warn};

use super::config::LogConfig;
use super::epochs::Epochs;
use super::error::{Doing, LogError};
use super::listing::Listing;
use super::names::{self, FileKind};
use super::producers::Producers;
use super::segment::{Building, Extent, Place, Segment, Unloadable, check_ends};
use super::sync::keep_or_write;
use super::walk::{Found, Walk, WalkError};
use super::{
    Log, Start, checkpoint, contents, new_segment, no_space_apart, offset_index, open_files, time_index, txn_index,
};
use crate::base::clock::WallMs;
use crate::base::disk::{Disk, DiskFile, Open};
use crate::base::ids::{Offset, TopicId};
use crate::base::limits::{BATCH_HEADER_BYTES, QUARANTINE_FILES_MAX, RESERVE_FROM_BYTES};
use crate::record::batch::BatchHeader;

/// A segment up to this size is walked at a clean start rather than its indexes read.
const WALKED_BYTES_MAX: u64 = 8 * 1024;
const COPY_BYTES: usize = 256 * 1024;

/// How a log is to be opened.
pub struct OpenOptions {
    pub config: Arc<LogConfig>,
    /// Whose folder it must be; a missing `partition.metadata` is written again. `None`: not checked.
    pub topic_id: Option<TopicId>,
    /// True if the directory was stopped cleanly.
    pub clean: bool,
    /// From the checkpoint; 0 if there is none.
    pub recovery_point: Offset,
    /// From the checkpoint; 0 if there is none.
    pub log_start: Offset,
    /// Refuse to cut bytes rather than quarantine them.
    pub strict: bool,
    /// The folder's own name is durable: the folder that holds it was synced since the process began.
    pub named: bool,
    pub now: WallMs,
}

/// What opening found and did.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Recovered {
    pub topic_id: Option<TopicId>,
    /// Bytes of the segments that were read through.
    pub scanned_bytes: u64,
    /// Bytes that were cut and are kept in quarantine files.
    pub quarantined_bytes: u64,
    /// Valid batches among them: not merely torn writes, but data that nobody had been promised.
    pub quarantined_batches: u64,
    /// The first offset that was cut.
    pub cut_at: Option<Offset>,
    /// Where durable bytes are not valid any more.
    pub corrupt_at: Option<Offset>,
}

impl Recovered {
    /// What a second look found besides.
    fn and(self, again: Recovered) -> Recovered {
        Recovered {
            topic_id: again.topic_id,
            scanned_bytes: self.scanned_bytes,
            quarantined_bytes: self.quarantined_bytes + again.quarantined_bytes,
            quarantined_batches: self.quarantined_batches + again.quarantined_batches,
            cut_at: again.cut_at.or(self.cut_at),
            corrupt_at: again.corrupt_at,
        }
    }
}

/// Opens the log in `folder`.
///
/// # Errors
/// See `Log::open`.
pub fn open(disk: Arc<dyn Disk>, folder: &Path, options: &OpenOptions) -> Result<(Log, Recovered), LogError> {
    let place = Arc::new(Place::new(disk, folder));
    let topic_id = check_identity(&place, options.topic_id)?;
    let mut listing = Listing::read(&place)?;
    drop_deleted(&place, &mut listing, options.log_start)?;
    let mut recovery = Recovery::new(place, options, listing)?;
    recovery.report.topic_id = topic_id;
    recovery.run()
}

fn check_identity(place: &Place, expected: Option<TopicId>) -> Result<Option<TopicId>, LogError> {
    let found = checkpoint::read_partition_metadata(&*place.disk, &place.folder).doing("read partition.metadata")?;
    match (expected, found) {
        (Some(expected), Some(found)) if expected != found => Err(LogError::OtherTopic { expected, found }),
        (Some(expected), None) => {
            let text = checkpoint::partition_metadata_text(expected);
            let path = place.folder.join(names::PARTITION_METADATA);
            place.disk.replace(&path, text.as_bytes()).doing("write partition.metadata")?;
            Ok(Some(expected))
        }
        (_, found) => Ok(found),
    }
}

/// Removes the segments that lie wholly below the log's start: retention or DeleteRecords had them on their way out.
fn drop_deleted(place: &Place, listing: &mut Listing, log_start: Offset) -> Result<(), LogError> {
    let count = listing.segments.windows(2).take_while(|pair| pair[1].base <= log_start).count();
    let deleted: Vec<Offset> = listing.segments.drain(..count).map(|segment| segment.base).collect();
    for base in &deleted {
        for kind in names::KINDS_REMOVED {
            remove_if_there(place, *base, kind)?;
        }
        info!(folder = %place.folder.display(), base = base.0, "segment below the log's start removed");
    }
    listing.snapshots.retain(|at| !deleted.contains(at));
    Ok(())
}

fn remove_if_there(place: &Place, base: Offset, kind: FileKind) -> Result<(), LogError> {
    match place.disk.remove_file(&place.path(base, kind)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).doing("remove file of segment"),
        _ => Ok(()),
    }
}

/// A segment as it was found, before it is part of a log.
struct Scanned {
    extent: Extent,
    has_aborted: bool,
    /// `None` if it was sealed: it and its indexes are durable.
    building: Option<Building>,
}

impl Scanned {
    fn open(extent: Extent, building: Building) -> Scanned {
        Scanned { extent, has_aborted: !building.aborted.is_empty(), building: Some(building) }
    }
}

/// The indexes of the last segment, and from where on its batches are still to be noted in them.
struct Tail {
    building: Building,
    position: u64,
    /// The offset expected there; the base if that batch is in the index.
    end: Offset,
}

/// Where the bytes stop being batches.
struct Bad {
    /// Index of the segment in the listing.
    index: usize,
    position: u64,
    /// The offset that was expected there.
    offset: Offset,
    reason: String,
}

struct Recovery<'a> {
    place: Arc<Place>,
    options: &'a OpenOptions,
    listing: Listing,
    /// The directory was stopped cleanly and nothing speaks against it.
    trusted: bool,
    producers: Producers,
    /// Batches below it are in `producers` already.
    producers_from: Offset,
    epochs: Epochs,
    epochs_changed: bool,
    /// Some segment was sealed.
    sealed: bool,
    report: Recovered,
}

impl<'a> Recovery<'a> {
    fn new(place: Arc<Place>, options: &'a OpenOptions, listing: Listing) -> Result<Recovery<'a>, LogError> {
        let epochs = checkpoint::read_leader_epochs(&*place.disk, &place.folder).doing("read leader epochs")?;
        Ok(Recovery {
            place,
            options,
            listing,
            trusted: false,
            producers: Producers::default(),
            producers_from: Offset::ZERO,
            epochs: Epochs::of(epochs.unwrap_or_default()),
            epochs_changed: false,
            sealed: false,
            report: Recovered::default(),
        })
    }

    fn run(mut self) -> Result<(Log, Recovered), LogError> {
        if self.listing.segments.is_empty() {
            let at = self.options.log_start;
            return self.start_empty(at);
        }
        let last = self.listing.segments.len() - 1;
        let point = self.options.recovery_point;
        let floor = self.listing.segments.partition_point(|segment| segment.base <= point).saturating_sub(1);
        let bad_txn_index = self.first_bad_txn_index()?;
        self.trusted = self.options.clean && bad_txn_index.is_none();
        let first = bad_txn_index.unwrap_or(last).min(if self.options.clean { last } else { floor });
        let (scanned, bad) = if self.trusted {
            self.read_tail(last)?
        } else {
            self.load_producers(self.listing.segments[first].base)?;
            self.replay(self.listing.segments[first].base, first)?;
            self.scan_from(first)?
        };
        let mut is_shorter = false;
        let corrupt_at = match bad {
            Some(bad) if bad.offset < point => Some(bad.offset),
            Some(bad) => {
                is_shorter = bad.index < last;
                self.cut(&bad)?;
                None
            }
            None => None,
        };
        let (place, options) = (Arc::clone(&self.place), self.options);
        let (log, report) = self.finish(first, scanned, corrupt_at)?;
        if !is_shorter {
            return Ok((log, report));
        }
        // A segment that has become the last one is judged by stricter rules: what the next start would cut goes now.
        drop(log);
        let (log, again) = open(Arc::clone(&place.disk), &place.folder, options)?;
        Ok((log, report.and(again)))
    }

    // ---- reading what is there

    /// The first segment whose transaction index cannot be its own: from there on everything is built again. These files are
    /// few, and a wrong one would show aborted records.
    fn first_bad_txn_index(&self) -> Result<Option<usize>, LogError> {
        for (index, segment) in self.listing.segments.iter().enumerate().filter(|(_, segment)| segment.txn_index) {
            let bytes = self.place.disk.read(&self.place.path(segment.base, FileKind::TxnIndex));
            let next = self.listing.segments.get(index + 1).map_or(Offset(i64::MAX), |next| next.base);
            let within = |entry: &txn_index::AbortedTxn| segment.base <= entry.last_offset && entry.last_offset < next;
            let entries = txn_index::read(&bytes.doing("read transaction index")?);
            if !entries.is_some_and(|entries| entries.iter().all(within)) {
                warn!(folder = %self.place.folder.display(), base = segment.base.0, "transaction index is built again");
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    /// At a clean start: the last segment's indexes, and its batches from the last index entry on.
    fn read_tail(&mut self, index: usize) -> Result<(Vec<Scanned>, Option<Bad>), LogError> {
        let base = self.listing.segments[index].base;
        let (file, length) = self.open_segment(index)?;
        let Tail { mut building, position, mut end } = self.load_tail(&*file, base, length)?;
        let mut walk = Walk::headers(&*file, position, length);
        let (mut good_length, mut bad) = (position, None);
        loop {
            match walk.next_batch() {
                Ok(None) => break,
                Ok(Some(found)) if found.header.base_offset < end => {
                    let reason = "base offset is below the log's end".to_owned();
                    bad = Some(Bad { index, position: found.position, offset: end, reason });
                    break;
                }
                Ok(Some(found)) => {
                    good_length = found.end();
                    building.note(base, found.position, &found.header, self.options.config.index_interval_bytes);
                    end = found.header.next_offset();
                }
                Err(WalkError::Io(source)) => return Err(LogError::Io { doing: "read segment", source }),
                Err(WalkError::Bad { position, reason }) => {
                    bad = Some(Bad { index, position, offset: end, reason });
                    break;
                }
            }
        }
        building.aborted.retain(|aborted| aborted.last_offset < end);
        let extent = Extent { base, end, length: good_length };
        self.load_producers(end)?;
        if self.producers_from < end {
            self.replay(end, index + 1)?;
        }
        Ok((vec![Scanned::open(extent, building)], bad))
    }

    /// The indexes of the last segment as they are in its files, if they can be its own; else built from its headers.
    fn load_tail(&self, file: &dyn DiskFile, base: Offset, length: u64) -> Result<Tail, LogError> {
        let mut building = Building::default();
        let path = self.place.path(base, FileKind::TxnIndex);
        if self.listing.has_txn_index(base) {
            let bytes = self.place.disk.read(&path).doing("read transaction index")?;
            building.aborted = txn_index::read(&bytes).unwrap_or_default();
        }
        if length <= WALKED_BYTES_MAX {
            return Ok(Tail { building, position: 0, end: base });
        }
        let read = |kind| match self.place.disk.read(&self.place.path(base, kind)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).doing("read index"),
            read => Ok(read.ok()),
        };
        let (offsets, times) = (read(FileKind::OffsetIndex)?, read(FileKind::TimeIndex)?);
        // The end is not known yet: the largest an index may speak of.
        let extent = Extent { base, end: base.plus(i64::from(i32::MAX)), length };
        let interval = self.options.config.index_interval_bytes;
        if let (Some(mut offsets), Some(mut times)) = (offsets, times) {
            let shaped = offset_index::check(&offsets, extent).zip(time_index::check(&times, extent));
            if let Some((offsets_length, times_length)) = shaped {
                offsets.truncate(offsets_length);
                times.truncate(times_length);
                match check_ends(file, extent, interval, &offsets, &times) {
                    Ok(()) => {
                        let position = offset_index::last(&offsets).map_or(0, |entry| u64::from(entry.position));
                        building.resume(offsets, times);
                        return Ok(Tail { building, position, end: base });
                    }
                    Err(Unloadable::Io(source)) => return Err(LogError::Io { doing: "check index", source }),
                    Err(Unloadable::Wrong(_)) => {}
                }
            }
        }
        // From its headers, as far as they go; what is behind them is dealt with by the caller.
        let mut walk = Walk::headers(file, 0, length);
        let (mut position, mut end) = (0, base);
        while let Ok(Some(found)) = walk.next_batch() {
            if found.header.base_offset < end {
                break;
            }
            building.note(base, found.position, &found.header, interval);
            (position, end) = (found.end(), found.header.next_offset());
        }
        Ok(Tail { building, position, end })
    }

    /// Without the clean-stop mark: everything from a segment on. Each but the last is sealed once it is read, so that neither
    /// open files nor memory grow with their number.
    fn scan_from(&mut self, first: usize) -> Result<(Vec<Scanned>, Option<Bad>), LogError> {
        let mut result = Vec::new();
        for index in first..self.listing.segments.len() {
            let (file, length) = self.open_segment(index)?;
            let (extent, building, bad) = self.scan_segment(index, &*file, length)?;
            let next = self.listing.segments.get(index + 1).map(|next| next.base);
            match next.filter(|_| bad.is_none()) {
                Some(next) => result.push(self.seal(&*file, extent, building, next)?),
                None => result.push(Scanned::open(extent, building)),
            }
            if bad.is_some() {
                return Ok((result, bad));
            }
        }
        Ok((result, None))
    }

    fn scan_segment(
        &mut self,
        index: usize,
        file: &dyn DiskFile,
        length: u64,
    ) -> Result<(Extent, Building, Option<Bad>), LogError> {
        let base = self.listing.segments[index].base;
        self.report.scanned_bytes += length;
        let mut building = Building::default();
        let mut walk = Walk::whole(file, 0, length);
        let mut extent = Extent { base, end: base, length: 0 };
        let bad = loop {
            let found = match walk.next_batch() {
                Ok(Some(found)) => found,
                Ok(None) => break None,
                Err(WalkError::Io(source)) => return Err(LogError::Io { doing: "read segment", source }),
                Err(WalkError::Bad { position, reason }) => break Some((position, reason)),
            };
            if let Some(reason) = self.fault(index, &extent, &found, &mut walk)? {
                break Some((found.position, reason.to_owned()));
            }
            let aborted = self.take_in(file, &found)?;
            building.note(base, found.position, &found.header, self.options.config.index_interval_bytes);
            building.aborted.extend(aborted);
            extent = Extent { base, end: found.header.next_offset(), length: found.end() };
        };
        let bad = bad.or_else(|| self.gap_behind(index, &extent));
        let bad = bad.map(|(position, reason)| Bad { index, position, offset: extent.end, reason });
        Ok((extent, building, bad))
    }

    /// Makes a whole segment durable, which may be in the page cache only, and then what is derived from it. Its transaction index
    /// is put in place of the old one, never taken away before: a crash in between would show aborted records.
    fn seal(
        &mut self,
        file: &dyn DiskFile,
        extent: Extent,
        building: Building,
        next: Offset,
    ) -> Result<Scanned, LogError> {
        file.sync().doing("sync segment")?;
        let has_aborted = !building.aborted.is_empty();
        if !has_aborted && self.listing.has_txn_index(extent.base) {
            self.remove_if_there(extent.base, FileKind::TxnIndex)?;
        }
        let segment = Segment::building(&self.place, extent, self.options.config.index_interval_bytes, building);
        no_space_apart(segment.write_indexes(), "write indexes")?;
        let path = self.place.path(next, FileKind::Snapshot);
        let written = keep_or_write(&*self.place.disk, &path, &self.producers.snapshot());
        no_space_apart(written, "write producer snapshot")?;
        if let Err(at) = self.listing.snapshots.binary_search(&next) {
            self.listing.snapshots.insert(at, next);
        }
        self.sealed = true;
        Ok(Scanned { extent, has_aborted, building: None })
    }

    /// A segment can lose its end at a batch's bound: no bad batch shows it, but the next segment does.
    fn gap_behind(&self, index: usize, extent: &Extent) -> Option<(u64, String)> {
        let next = self.listing.segments.get(index + 1)?;
        let gap = next.base != extent.end && !self.options.config.compacted;
        gap.then(|| (extent.length, format!("the next segment begins at {}", next.base)))
    }

    /// What is wrong with a batch whose header is one. Header fields outside the CRC must agree with the log (S5).
    fn fault(
        &self,
        index: usize,
        before: &Extent,
        found: &Found,
        walk: &mut Walk<'_>,
    ) -> Result<Option<&'static str>, LogError> {
        let header = &found.header;
        let unflushed = header.last_offset() >= self.options.recovery_point;
        let next_base = self.listing.segments.get(index + 1).map(|segment| segment.base);
        if header.base_offset < before.end {
            return Ok(Some("base offset is below the log's end"));
        }
        if next_base.is_some_and(|next| header.last_offset() >= next) {
            return Ok(Some("offsets reach into the next segment"));
        }
        // Compaction leaves gaps, but never in what was not yet synced.
        if unflushed && next_base.is_none() && !self.options.config.compacted && header.base_offset != before.end {
            return Ok(Some("base offset skips offsets"));
        }
        if unflushed && !walk.crc_matches(found).doing("read segment")? {
            return Ok(Some("CRC does not match"));
        }
        Ok(None)
    }

    /// Takes a batch into producers and epochs.
    fn take_in(&mut self, file: &dyn DiskFile, found: &Found) -> Result<Option<txn_index::AbortedTxn>, LogError> {
        let known = self.epochs.of_offset(found.header.base_offset);
        if known.is_none_or(|known| known < found.header.leader_epoch) {
            self.epochs_changed |= self.epochs.begin(found.header.leader_epoch, found.header.base_offset);
        }
        if found.header.base_offset < self.producers_from || !found.header.has_producer() {
            return Ok(None);
        }
        let marker = read_marker(file, found).doing("read marker")?;
        Ok(self.producers.apply(&found.header, marker))
    }

    fn open_segment(&self, index: usize) -> Result<(Arc<dyn DiskFile>, u64), LogError> {
        let path = self.place.path(self.listing.segments[index].base, FileKind::Log);
        let file = open_files::patiently(|| self.place.disk.open(&path, Open::Write)).doing("open segment")?;
        let length = file.length().doing("look at segment")?;
        Ok((file, length))
    }

    // ---- producers

    /// Loads the newest valid snapshot at or below `limit`; invalid ones are removed.
    fn load_producers(&mut self, limit: Offset) -> Result<(), LogError> {
        let first_base = self.listing.segments.first().map_or(Offset::ZERO, |segment| segment.base);
        self.producers_from = first_base;
        let mut candidates: Vec<Offset> = self.listing.snapshots.iter().copied().filter(|at| *at <= limit).collect();
        while let Some(at) = candidates.pop() {
            let path = self.place.path(at, FileKind::Snapshot);
            let bytes = self.place.disk.read(&path).doing("read producer snapshot")?;
            if let Some(mut producers) = Producers::from_snapshot(&bytes) {
                producers.expire(self.options.now, self.options.config.producer_expiration_ms);
                self.producers = producers;
                self.producers_from = at;
                return Ok(());
            }
            warn!(path = %path.display(), "producer snapshot is not valid and is removed");
            self.place.disk.remove_file(&path).doing("remove producer snapshot")?;
            self.listing.snapshots.retain(|known| *known != at);
        }
        Ok(())
    }

    /// Takes in the batches between the snapshot and `to`, by their headers, of the segments before `end_index`.
    fn replay(&mut self, to: Offset, end_index: usize) -> Result<(), LogError> {
        let from = self.producers_from;
        if from >= to {
            return Ok(());
        }
        let first = self.listing.segments.partition_point(|segment| segment.base <= from).saturating_sub(1);
        for index in first..end_index {
            let (file, length) = self.open_segment(index)?;
            let mut walk = Walk::headers(&*file, 0, length);
            // A bad batch here is below the recovery point: found by its readers.
            while let Ok(Some(found)) = walk.next_batch() {
                if found.header.base_offset >= from && found.header.base_offset < to {
                    self.take_in(&*file, &found)?;
                }
            }
        }
        self.producers_from = to;
        Ok(())
    }

    // ---- cutting

    /// Copies a bad tail to quarantine files and cuts it off, later segments with it. A crash at any point leaves the copy,
    /// the original, or both.
    fn cut(&mut self, bad: &Bad) -> Result<(), LogError> {
        let (file, length) = self.open_segment(bad.index)?;
        let base = self.listing.segments[bad.index].base;
        let later = self.listing.segments.split_off(bad.index + 1);
        let mut bytes = length - bad.position;
        for segment in &later {
            bytes += self
                .place
                .disk
                .length(&self.place.path(segment.base, FileKind::Log))
                .doing("look at segment")?
                .unwrap_or(0);
        }
        if self.options.strict {
            return Err(LogError::Strict { at: bad.offset, bytes });
        }
        let batches = self.batches_behind(&*file, bad, length, &later)?;
        warn!(folder = %self.place.folder.display(), offset = bad.offset.0, bytes, batches, later_segments = later.len(),
            reason = bad.reason, "log is cut; the bytes are kept in quarantine files");
        if length > bad.position {
            self.copy_tail(&*file, base, bad.position, length)?;
        }
        for segment in later.iter().rev() {
            self.set_segment_aside(segment.base)?;
        }
        self.place.disk.sync_folder(&self.place.folder).doing("sync folder of partition")?;
        file.set_length(bad.position).doing("cut segment")?;
        file.sync().doing("sync cut segment")?;
        self.report.quarantined_bytes = bytes;
        self.report.quarantined_batches = batches;
        self.report.cut_at = Some(bad.offset);
        self.epochs_changed |= self.epochs.cut_end(bad.offset);
        Ok(())
    }

    /// Counts valid batches behind a bad one: those that follow it if its length is right, and those of later segments.
    fn batches_behind(
        &self,
        file: &dyn DiskFile,
        bad: &Bad,
        length: u64,
        later: &[super::listing::Listed],
    ) -> Result<u64, LogError> {
        let mut count = 0;
        let mut head = [0; BATCH_HEADER_BYTES];
        if file.read_exact_at(&mut head, bad.position).is_ok() {
            let claimed = u32::from_be_bytes([head[8], head[9], head[10], head[11]]);
            count += count_valid(file, bad.position + 12 + u64::from(claimed), length).doing("read bad tail")?;
        }
        for segment in later {
            let path = self.place.path(segment.base, FileKind::Log);
            let file = self.place.disk.open(&path, Open::Read).doing("open segment")?;
            count += count_valid(&*file, 0, file.length().doing("look at segment")?).doing("read segment")?;
        }
        Ok(count)
    }

    fn copy_tail(&self, file: &dyn DiskFile, base: Offset, from: u64, to: u64) -> Result<(), LogError> {
        let path = self.free_quarantine_path(base)?;
        let copy = self.place.disk.open(&path, Open::CreateNew).doing("create quarantine file")?;
        let mut buffer = vec![0; COPY_BYTES];
        let mut at = from;
        while at < to {
            let wanted = usize::try_from(to - at).unwrap_or(COPY_BYTES).min(COPY_BYTES);
            file.read_exact_at(&mut buffer[..wanted], at).doing("read bad tail")?;
            copy.write_all_at(&[IoSlice::new(&buffer[..wanted])], at - from).doing("write quarantine file")?;
            at += wanted as u64;
        }
        copy.sync().doing("sync quarantine file")
    }

    /// Renames a segment that lies behind a bad batch, and removes what was derived from it.
    fn set_segment_aside(&self, base: Offset) -> Result<(), LogError> {
        let path = self.place.path(base, FileKind::Log);
        if self.place.disk.length(&path).doing("look at segment")? == Some(0) {
            self.place.disk.remove_file(&path).doing("remove empty segment")?;
        } else {
            let aside = self.free_quarantine_path(base)?;
            self.place.disk.rename(&path, &aside).doing("set segment aside")?;
        }
        for kind in [FileKind::OffsetIndex, FileKind::TimeIndex, FileKind::TxnIndex] {
            self.remove_if_there(base, kind)?;
        }
        Ok(())
    }

    fn free_quarantine_path(&self, base: Offset) -> Result<std::path::PathBuf, LogError> {
        for number in 1..QUARANTINE_FILES_MAX {
            let path = self.place.folder.join(names::quarantine_name(base, number));
            if self.place.disk.length(&path).doing("look for quarantine file")?.is_none() {
                return Ok(path);
            }
        }
        let source = std::io::Error::other("too many quarantine files");
        Err(LogError::Io { doing: "find a name for a quarantine file", source })
    }

    fn remove_if_there(&self, base: Offset, kind: FileKind) -> Result<(), LogError> {
        remove_if_there(&self.place, base, kind)
    }

    // ---- putting the log together

    fn start_empty(mut self, at: Offset) -> Result<(Log, Recovered), LogError> {
        let (segment, _closed) = new_segment(&self.place, at, &self.options.config).doing("create segment")?;
        self.epochs_changed |= self.epochs.cut_end(at);
        let epochs = std::mem::take(&mut self.epochs);
        let start = Start { segments: vec![segment], end: at, log_start: at, epochs, ..Start::default() };
        let mut log = Log::assemble(self.place.clone(), self.options.config.clone(), start, self.options.now);
        log.active_unsynced = true;
        log.folder_changed = true;
        log.parent_changed = true;
        log.changed = true;
        log.epochs_unwritten = self.epochs_changed;
        log.sync_now()?;
        Ok((log, self.report))
    }

    fn finish(
        mut self,
        first: usize,
        scanned: Vec<Scanned>,
        corrupt_at: Option<Offset>,
    ) -> Result<(Log, Recovered), LogError> {
        let options = self.options;
        let tail_end = scanned.last().map_or(Offset::ZERO, |last| last.extent.end);
        let last_base = self.listing.segments.last().map_or(Offset::ZERO, |segment| segment.base);
        let end = if corrupt_at.is_some() { tail_end.max(options.recovery_point).max(last_base) } else { tail_end };
        let first_base = self.listing.segments.first().map_or(Offset::ZERO, |segment| segment.base);
        let log_start = first_base.max(options.log_start);
        if log_start > end && corrupt_at.is_none() {
            return self.start_over(log_start);
        }
        let repaired = !self.trusted || self.report.cut_at.is_some();
        let stop_snapshot = if corrupt_at.is_none() { self.remove_stray_snapshots(end)? } else { None };
        let mut segments = self.cold_segments(first)?;
        let interval = options.config.index_interval_bytes;
        segments.extend(scanned.into_iter().map(|found| {
            Arc::new(match found.building {
                Some(building) => Segment::building(&self.place, found.extent, interval, building),
                None => Segment::cold(&self.place, found.extent, interval, found.has_aborted),
            })
        }));
        self.epochs_changed |= self.epochs.cut_end(end);
        let (producers, epochs) = (std::mem::take(&mut self.producers), std::mem::take(&mut self.epochs));
        let start = Start { segments, end, log_start, producers, epochs, corrupt_at };
        let mut log = Log::assemble(self.place.clone(), options.config.clone(), start, options.now);
        log.epochs_unwritten = self.epochs_changed;
        log.stop_snapshot = stop_snapshot;
        self.report.corrupt_at = corrupt_at;
        if let Some(at) = corrupt_at {
            warn!(folder = %self.place.folder.display(), offset = at.0, "durable bytes are not valid; appends are refused");
            return Ok((log, self.report));
        }
        log.aborted_written = log.active.with_building(|building| building.aborted.len()).unwrap_or(0);
        if repaired {
            self.make_durable(&mut log)?;
        }
        Ok((log, self.report))
    }

    /// What was scanned may be in the page cache only; what was built again is written anew.
    fn make_durable(&self, log: &mut Log) -> Result<(), LogError> {
        let point = self.options.recovery_point;
        if self.listing.has_txn_index(log.active.base()) {
            // Found again by a scan, whatever happens: it is of the last segment.
            self.remove_if_there(log.active.base(), FileKind::TxnIndex)?;
        }
        let anew = self.sealed || log.end() > point || log.epochs_unwritten || self.report.cut_at.is_some();
        if log.active.length() >= RESERVE_FROM_BYTES {
            let trimmed = log.active.file().and_then(|file| file.set_length(log.active.length()));
            trimmed.doing("give back reserved space")?;
        }
        log.aborted_written = 0;
        log.changed = true;
        // Up to the recovery point names are durable, too, but for that of a segment with nothing in it: that one with the
        // next sync, as nothing is lost without it now.
        let names_unsure = anew || log.active.length() == 0;
        if point == Offset::ZERO {
            // Perhaps no sync ever ran: what the folder belongs to must not be lost to a power cut.
            log.identity_unsynced = self.report.topic_id;
        }
        log.active_unsynced = names_unsure;
        log.folder_changed = names_unsure;
        log.parent_changed = names_unsure && !self.options.named;
        if anew {
            log.sync_now()?;
            info!(folder = %self.place.folder.display(), scanned_bytes = self.report.scanned_bytes, end = log.end().0, "log recovered");
        }
        Ok(())
    }

    fn cold_segments(&self, first: usize) -> Result<Vec<Arc<Segment>>, LogError> {
        let mut result = Vec::with_capacity(first + 1);
        for (index, segment) in self.listing.segments[..first].iter().enumerate() {
            let path = self.place.path(segment.base, FileKind::Log);
            let length = self.place.disk.length(&path).doing("look at segment")?.unwrap_or(0);
            let extent = Extent { base: segment.base, end: self.listing.segments[index + 1].base, length };
            let interval = self.options.config.index_interval_bytes;
            result.push(Arc::new(Segment::cold(&self.place, extent, interval, segment.txn_index)));
        }
        Ok(result)
    }

    /// The log's start lies above all that is there: everything is deleted data, the log goes on at its start.
    fn start_over(self, log_start: Offset) -> Result<(Log, Recovered), LogError> {
        warn!(folder = %self.place.folder.display(), log_start = log_start.0, "log ends below its start and begins anew");
        for segment in self.listing.segments.iter().rev() {
            self.remove_if_there(segment.base, FileKind::Log)?;
            for kind in [FileKind::OffsetIndex, FileKind::TimeIndex, FileKind::TxnIndex] {
                self.remove_if_there(segment.base, kind)?;
            }
        }
        for at in &self.listing.snapshots {
            self.remove_if_there(*at, FileKind::Snapshot)?;
        }
        self.start_empty(log_start)
    }

    /// Removes snapshots above the log's end, and those of earlier stops but the last one, which is returned: it is removed
    /// when the next stop has written its own (removing a file may cost milliseconds).
    fn remove_stray_snapshots(&self, end: Offset) -> Result<Option<Offset>, LogError> {
        let of_segment = |at: &Offset| self.listing.segments.iter().any(|segment| segment.base == *at);
        let mut of_stops: Vec<Offset> = self.listing.snapshots.iter().copied().filter(|at| !of_segment(at)).collect();
        let last_stop = of_stops.iter().rposition(|at| *at <= end).map(|index| of_stops.remove(index));
        for at in of_stops.iter().chain(self.listing.snapshots.iter().filter(|at| **at > end && of_segment(at))) {
            self.remove_if_there(*at, FileKind::Snapshot)?;
        }
        Ok(last_stop)
    }
}

fn count_valid(file: &dyn DiskFile, from: u64, to: u64) -> std::io::Result<u64> {
    let mut walk = Walk::whole(file, from, to);
    let mut count = 0;
    while let Ok(Some(found)) = walk.next_batch() {
        count += u64::from(walk.crc_matches(&found)?);
    }
    Ok(count)
}

fn read_marker(file: &dyn DiskFile, found: &Found) -> std::io::Result<Option<super::producers::Marker>> {
    let header: &BatchHeader = &found.header;
    // A marker is one small record.
    if !contents::may_be_marker(header) || header.size_bytes > 4096 {
        return Ok(None);
    }
    let mut body = vec![0; header.size_bytes - BATCH_HEADER_BYTES];
    file.read_exact_at(&mut body, found.position + BATCH_HEADER_BYTES as u64)?;
    Ok(contents::marker(header, &body))
}
