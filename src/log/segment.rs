//! One segment: a `.log` file, its indexes, and the way from an offset to a position.
//!
//! The active segment's indexes are in memory and reach the disk when it is sealed or the log is closed; a sealed segment
//! loads its own when first asked. An index is never trusted: its shape is checked when loaded, each entry against the
//! batch it points at when used, and a wrong or missing one is built again from the log.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::{Mutex, RwLock};
use tracing::warn;

use super::mapped::IndexBytes;
use super::names::{self, FileKind};
use super::offset_index::{self, OffsetEntry};
use super::open_files::{self, Closed};
use super::sync::{keep_or_write, write_beside};
use super::time_index::{self, TimeEntry};
use super::txn_index::{self, AbortedTxn};
use super::walk::{Found, Walk, WalkError};
use crate::base::disk::unsyncable::Unsyncable;
use crate::base::disk::{Disk, DiskFile, Open, Residency, is_no_files};
use crate::base::ids::Offset;
use crate::base::limits::{BATCH_HEADER_BYTES, BATCHES_REMEMBERED_PER_SEGMENT, FILES_GIVEN_BACK};
use crate::record::batch::BatchHeader;

/// What a segment covers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Extent {
    pub base: Offset,
    /// The offset behind the last batch.
    pub end: Offset,
    /// Bytes of valid batches.
    pub length: u64,
}

impl Extent {
    /// True if an offset, relative to the base, is within.
    pub fn holds(&self, relative: u32) -> bool {
        i64::from(relative) < self.end.0 - self.base.0
    }
}

/// Where a log lives.
pub struct Place {
    pub disk: Arc<dyn Disk>,
    pub folder: PathBuf,
    /// The folder's name is not this log's any more.
    pub gone: AtomicBool,
}

impl Place {
    pub fn new(disk: Arc<dyn Disk>, folder: &Path) -> Place {
        Place { disk, folder: folder.to_owned(), gone: AtomicBool::new(false) }
    }

    pub fn path(&self, base: Offset, kind: FileKind) -> PathBuf {
        self.folder.join(names::file_name(base, kind))
    }
}

/// Indexes that are being built: those of the active segment, or of one being scanned.
#[derive(Default)]
pub struct Building {
    pub offsets: Vec<u8>,
    pub times: Vec<u8>,
    pub aborted: Vec<AbortedTxn>,
    /// The first batch with the largest timestamp so far: that timestamp, and the batch's last offset.
    pub largest: Option<TimeEntry>,
    /// The largest timestamp of the first batch; what rolling by time counts from.
    pub first_timestamp: Option<i64>,
    bytes_since_entry: u64,
    /// Where the newest batches begin, one behind the other: (relative base offset, position).
    recent: VecDeque<(u32, u32)>,
}

impl Building {
    /// Notes a batch that lies at `position`, as Kafka's `LogSegment.append` does.
    pub fn note(&mut self, base: Offset, position: u64, header: &BatchHeader, interval: u32) {
        let Some((first, last)) = relative(base, header.base_offset).zip(relative(base, header.last_offset())) else {
            return;
        };
        let Ok(position) = u32::try_from(position) else { return };
        if position == 0 {
            self.first_timestamp = Some(header.max_timestamp);
        }
        if header.max_timestamp > self.largest.map_or(-1, |largest| largest.timestamp) {
            self.largest = Some(TimeEntry { timestamp: header.max_timestamp, relative: last });
        }
        if self.bytes_since_entry > u64::from(interval) {
            offset_index::push(&mut self.offsets, OffsetEntry { relative: last, position });
            self.push_largest();
            self.bytes_since_entry = 0;
        }
        self.bytes_since_entry += header.size_bytes as u64;
        if self.recent.len() == BATCHES_REMEMBERED_PER_SEGMENT {
            self.recent.pop_front();
        }
        self.recent.push_back((first, position));
    }

    /// Goes on with indexes that were on the disk. The batch of the last offset entry is to be noted next.
    pub fn resume(&mut self, offsets: Vec<u8>, times: Vec<u8>) {
        self.largest = time_index::last(&times);
        self.offsets = offsets;
        self.times = times;
    }

    fn push_largest(&mut self) {
        if let Some(largest) = self.largest {
            time_index::push_if_later(&mut self.times, largest);
        }
    }

    /// The time index with the entry that a sealed or closed segment ends with.
    pub fn final_times(&self) -> Vec<u8> {
        let mut times = self.times.clone();
        if let Some(largest) = self.largest {
            time_index::push_if_later(&mut times, largest);
        }
        times
    }

    /// True if an index of at most this many bytes has no room for another entry; the time index keeps one for the end.
    pub fn is_full(&self, index_bytes_max: u32) -> bool {
        let room = |entry_bytes: usize| index_bytes_max as usize / entry_bytes;
        let (offsets, times) = (offset_index::count(&self.offsets), time_index::count(&self.times));
        offsets >= room(offset_index::ENTRY_BYTES) || times + 1 >= room(time_index::ENTRY_BYTES)
    }

    /// Builds the indexes of a segment from its headers.
    ///
    /// # Errors
    /// As the walk's.
    pub fn scan(file: &dyn DiskFile, base: Offset, length: u64, interval: u32) -> Result<Building, WalkError> {
        let mut building = Building::default();
        let mut walk = Walk::headers(file, 0, length);
        while let Some(found) = walk.next_batch()? {
            building.note(base, found.position, &found.header, interval);
        }
        Ok(building)
    }
}

struct Loaded {
    offsets: IndexBytes,
    times: IndexBytes,
}

enum Indexes {
    Building(Box<Building>),
    Cold,
    Loaded(Arc<Loaded>),
}

/// Whether a segment's file may be closed: everything in it synced, something not, or the log is poisoned.
const SYNCED: u8 = 0;
const UNSYNCED: u8 = 1;
const BROKEN: u8 = 2;

/// A batch whose offsets reach behind its segment's end is not valid: they lie outside its checksum.
fn within(found: Option<Found>, extent: Extent) -> Result<Option<Found>, WalkError> {
    match found {
        Some(found) if found.header.last_offset() >= extent.end => {
            let reason = "offsets reach behind the segment's end".to_owned();
            Err(WalkError::Bad { position: found.position, reason })
        }
        found => Ok(found),
    }
}

/// One segment.
pub struct Segment {
    place: Arc<Place>,
    base: Offset,
    interval: u32,
    end: AtomicI64,
    length: AtomicU64,
    sealed: AtomicBool,
    has_aborted: AtomicBool,
    warm: AtomicBool,
    /// The file was asked for since the hand of `open_files` came by.
    used: AtomicBool,
    /// `SYNCED`, `UNSYNCED` or `BROKEN`.
    unsynced: AtomicU8,
    file: Mutex<Option<Arc<dyn DiskFile>>>,
    indexes: RwLock<Indexes>,
    /// What the time index of a sealed segment ends with, once it was looked at.
    largest: OnceLock<Option<TimeEntry>>,
}

/// Sealed segments with an open file or loaded indexes, longest first. Past the limit they are cooled.
static WARM: Mutex<VecDeque<Weak<Segment>>> = Mutex::new(VecDeque::new());

impl Segment {
    /// A segment that is appended to, or that recovery has just read.
    pub fn building(place: &Arc<Place>, extent: Extent, interval: u32, building: Building) -> Segment {
        let has_aborted = !building.aborted.is_empty();
        Segment::with(place, extent, interval, Indexes::Building(Box::new(building)), has_aborted)
    }

    /// A sealed segment whose indexes are on the disk.
    pub fn cold(place: &Arc<Place>, extent: Extent, interval: u32, has_aborted: bool) -> Segment {
        let segment = Segment::with(place, extent, interval, Indexes::Cold, has_aborted);
        segment.sealed.store(true, Ordering::Release);
        segment
    }

    fn with(place: &Arc<Place>, extent: Extent, interval: u32, indexes: Indexes, has_aborted: bool) -> Segment {
        Segment {
            place: place.clone(),
            base: extent.base,
            interval,
            end: AtomicI64::new(extent.end.0),
            length: AtomicU64::new(extent.length),
            sealed: AtomicBool::new(false),
            has_aborted: AtomicBool::new(has_aborted),
            warm: AtomicBool::new(false),
            used: AtomicBool::new(false),
            unsynced: AtomicU8::new(SYNCED),
            file: Mutex::new(None),
            indexes: RwLock::new(indexes),
            largest: OnceLock::new(),
        }
    }

    pub fn base(&self) -> Offset {
        self.base
    }

    /// The offset behind the last batch.
    pub fn end(&self) -> Offset {
        Offset(self.end.load(Ordering::Acquire))
    }

    /// Bytes of valid batches.
    pub fn length(&self) -> u64 {
        self.length.load(Ordering::Acquire)
    }

    /// End and length as one append left them.
    pub fn extent(&self) -> Extent {
        let _published = self.indexes.read();
        Extent { base: self.base, end: self.end(), length: self.length() }
    }

    /// The path of one of its files.
    pub fn path(&self, kind: FileKind) -> PathBuf {
        self.place.path(self.base, kind)
    }

    /// The open `.log`, opened if need be.
    ///
    /// # Errors
    /// Those of the system.
    pub fn file(self: &Arc<Self>) -> io::Result<Arc<dyn DiskFile>> {
        let mut slot = self.file.lock();
        if let Some(file) = &*slot {
            if !self.used.load(Ordering::Relaxed) {
                self.used.store(true, Ordering::Relaxed);
            }
            return Ok(file.clone());
        }
        if self.place.gone.load(Ordering::Acquire) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let sealed = self.sealed.load(Ordering::Acquire);
        let how = if sealed { Open::Read } else { Open::Write };
        let opened = self.place.disk.open(&self.path(FileKind::Log), how);
        let file = match opened {
            Err(error) if is_no_files(&error) && open_files::give_back(FILES_GIVEN_BACK) > 0 => {
                self.place.disk.open(&self.path(FileKind::Log), how)?
            }
            opened => opened?,
        };
        file.expect_scattered_reads();
        *slot = Some(file.clone());
        drop(slot);
        if sealed {
            self.keep_warm();
        } else {
            open_files::opened(self);
        }
        Ok(file)
    }

    /// Takes over the file of a new segment.
    pub fn set_file(self: &Arc<Self>, file: Arc<dyn DiskFile>) {
        file.expect_scattered_reads();
        *self.file.lock() = Some(file);
        open_files::opened(self);
    }

    /// Notes that bytes were written which a sync must cover before the file may be closed.
    pub fn mark_unsynced(&self) {
        self.unsynced.fetch_max(UNSYNCED, Ordering::AcqRel);
    }

    /// Notes that a sync covered all that was written. Called by the log's writer, who knows of no write since.
    pub fn mark_synced(&self) {
        let _ = self.unsynced.compare_exchange(UNSYNCED, SYNCED, Ordering::AcqRel, Ordering::Acquire);
    }

    /// Keeps the file open for good: the log is poisoned.
    pub fn mark_broken(&self) {
        self.unsynced.store(BROKEN, Ordering::Release);
    }

    /// Closes the file of an active segment if nobody has it in hand, it was not used since the last call, and nothing in it
    /// waits for a sync.
    pub fn close_if_unused(&self) -> Closed {
        let Some(mut slot) = self.file.try_lock() else { return Closed::InUse };
        let Some(file) = &*slot else { return Closed::WasNot };
        if self.sealed.load(Ordering::Acquire) {
            return Closed::WasNot;
        }
        if self.used.swap(false, Ordering::Relaxed) || Arc::strong_count(file) > 1 {
            return Closed::InUse;
        }
        match self.unsynced.load(Ordering::Acquire) {
            SYNCED => {
                *slot = None;
                Closed::Yes
            }
            UNSYNCED => Closed::Unsynced,
            _ => Closed::InUse,
        }
    }

    /// Syncs the file and closes it, if nobody has it in hand. If the sync fails the file stays, and every further write and sync
    /// of it fails too, so that the log learns of it.
    pub fn sync_and_close(&self) -> bool {
        let Some(mut slot) = self.file.try_lock() else { return false };
        let Some(file) = slot.take() else { return true };
        let is_free = Arc::strong_count(&file) == 1 && self.unsynced.load(Ordering::Acquire) != BROKEN;
        if !is_free {
            *slot = Some(file);
            return false;
        }
        let synced = file.sync();
        if let Err(error) = &synced {
            *slot = Some(Arc::new(Unsyncable { file, reason: error.to_string() }));
        }
        synced.is_ok()
    }

    fn keep_warm(self: &Arc<Self>) {
        if self.warm.swap(true, Ordering::AcqRel) {
            return;
        }
        let mut warm = WARM.lock();
        warm.push_back(Arc::downgrade(self));
        let coolest = if warm.len() > open_files::warm_max() { warm.pop_front() } else { None };
        drop(warm);
        if let Some(segment) = coolest.and_then(|weak| weak.upgrade()) {
            segment.cool();
        }
    }

    /// Closes the file and drops loaded indexes; both come back when needed.
    fn cool(&self) {
        self.warm.store(false, Ordering::Release);
        *self.file.lock() = None;
        let mut indexes = self.indexes.write();
        if matches!(*indexes, Indexes::Loaded(_)) {
            *indexes = Indexes::Cold;
        }
    }

    // ---- the writer's half

    /// Publishes an appended batch to readers. Only the log's writer calls this.
    pub fn publish(&self, position: u64, header: &BatchHeader, aborted: Option<AbortedTxn>) {
        let mut indexes = self.indexes.write();
        if let Indexes::Building(building) = &mut *indexes {
            building.note(self.base, position, header, self.interval);
            building.aborted.extend(aborted);
        }
        self.has_aborted.fetch_or(aborted.is_some(), Ordering::AcqRel);
        self.length.store(position + header.size_bytes as u64, Ordering::Release);
        self.end.store(header.next_offset().0, Ordering::Release);
    }

    /// Looks at the indexes under construction; `None` once they are on the disk.
    pub fn with_building<T>(&self, look: impl FnOnce(&Building) -> T) -> Option<T> {
        match &*self.indexes.read() {
            Indexes::Building(building) => Some(look(building)),
            _ => None,
        }
    }

    /// The largest timestamp of the first batch; `None` if there is no batch.
    ///
    /// # Errors
    /// Those of the system.
    pub fn first_timestamp(self: &Arc<Self>) -> io::Result<Option<i64>> {
        let known = self.with_building(|building| building.first_timestamp).flatten();
        if known.is_some() || self.length() == 0 {
            return Ok(known);
        }
        let file = self.file()?;
        let mut head = [0; BATCH_HEADER_BYTES];
        file.read_exact_at(&mut head, 0)?;
        let first = BatchHeader::parse(&head).map_err(io::Error::other)?.max_timestamp;
        if let Indexes::Building(building) = &mut *self.indexes.write() {
            building.first_timestamp = Some(first);
        }
        Ok(Some(first))
    }

    /// No batch will be appended any more.
    pub fn seal(&self) {
        self.sealed.store(true, Ordering::Release);
    }

    /// Writes `.index`, `.timeindex` and, if there are aborted transactions, `.txnindex`, whole and durable. The folder is
    /// not synced.
    ///
    /// # Errors
    /// Those of the system.
    pub fn write_indexes(&self) -> io::Result<()> {
        let files = self.with_building(|building| {
            let mut aborted = Vec::new();
            building.aborted.iter().for_each(|entry| txn_index::push(&mut aborted, entry));
            (building.offsets.clone(), building.final_times(), aborted)
        });
        let Some((offsets, times, aborted)) = files else { return Ok(()) };
        self.replace(FileKind::OffsetIndex, &offsets)?;
        self.replace(FileKind::TimeIndex, &times)?;
        if !aborted.is_empty() {
            self.replace(FileKind::TxnIndex, &aborted)?;
        }
        Ok(())
    }

    /// Forgets the indexes in memory once they are on the disk.
    pub fn drop_building(self: &Arc<Self>) {
        *self.indexes.write() = Indexes::Cold;
        self.keep_warm();
    }

    fn replace(&self, kind: FileKind, bytes: &[u8]) -> io::Result<()> {
        // Those that are checked when they are used need not be written twice.
        let write = if kind == FileKind::TxnIndex { write_beside } else { keep_or_write };
        write(&*self.place.disk, &self.path(kind), bytes)
    }

    // ---- from an offset to a position

    /// The first batch that ends at or after `offset`; `None` if the segment ends before.
    ///
    /// # Errors
    /// `Bad` if the log itself is not valid there.
    pub fn find(self: &Arc<Self>, offset: Offset) -> Result<Option<Found>, WalkError> {
        let extent = self.extent();
        if offset >= extent.end || extent.length == 0 {
            return Ok(None);
        }
        let file = self.file()?;
        let wanted = relative(self.base, offset).unwrap_or(0);
        if let Some(position) = self.recent_batch(wanted) {
            return within(self.find_from(&*file, position, None, offset, extent)?, extent);
        }
        let entry = self.floor(wanted, extent)?;
        let (position, check) = entry.map_or((0, None), |entry| (u64::from(entry.position), Some(entry.relative)));
        let found = match self.find_from(&*file, position, check, offset, extent) {
            Err(WalkError::Bad { position: bad, reason }) if check.is_some() && bad == position => {
                self.rebuild(&*file, &reason)?;
                self.find_from(&*file, 0, None, offset, extent)?
            }
            result => result?,
        };
        within(found, extent)
    }

    fn find_from(
        &self,
        file: &dyn DiskFile,
        position: u64,
        last_relative: Option<u32>,
        offset: Offset,
        extent: Extent,
    ) -> Result<Option<Found>, WalkError> {
        let mut walk = Walk::headers(file, position, extent.length);
        let mut expected = last_relative;
        while let Some(found) = walk.next_batch()? {
            if let Some(last) = expected.take() {
                let points_here = relative(self.base, found.header.last_offset()) == Some(last);
                // Kafka's older indexes hold the last offset of several batches that were appended at once.
                let within = relative(self.base, found.header.base_offset).is_some_and(|first| first <= last);
                if !points_here && !within {
                    let reason = "index entry does not match the batch it points at".to_owned();
                    return Err(WalkError::Bad { position, reason });
                }
            }
            if found.header.last_offset() >= offset {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Where the batch that holds `wanted` begins, if it is one of the newest.
    fn recent_batch(&self, wanted: u32) -> Option<u64> {
        self.with_building(|building| {
            let above = building.recent.partition_point(|(first, _)| *first <= wanted);
            above.checked_sub(1).map(|index| u64::from(building.recent[index].1))
        })?
    }

    /// A run of whole batches from the one that holds `from` to `bound` or the segment's end, where both are among the
    /// newest and it is no longer than `max_bytes`: its positions and the offset behind it. Reads nothing from the disk.
    pub fn recent_run(&self, from: Offset, bound: Offset, max_bytes: usize) -> Option<(u64, u64, Offset)> {
        let wanted = relative(self.base, from)?;
        let indexes = self.indexes.read();
        let Indexes::Building(building) = &*indexes else { return None };
        let (length, end) = (self.length(), self.end());
        if from >= end {
            return None;
        }
        let above = building.recent.partition_point(|(first, _)| *first <= wanted);
        let start = u64::from(building.recent.get(above.checked_sub(1)?)?.1);
        let (stop, stop_offset) = if end <= bound {
            (length, end)
        } else {
            let bound_at = relative(self.base, bound)?;
            let at = building.recent.binary_search_by_key(&bound_at, |(first, _)| *first).ok()?;
            (u64::from(building.recent.get(at)?.1), bound)
        };
        (start < stop && stop - start <= max_bytes as u64).then_some((start, stop, stop_offset))
    }

    /// Where the batch begins whose base offset is exactly `offset`, if it is one of the newest.
    pub fn recent_start(&self, offset: Offset) -> Option<u64> {
        let wanted = relative(self.base, offset)?;
        self.with_building(|building| {
            let at = building.recent.binary_search_by_key(&wanted, |(first, _)| *first).ok()?;
            Some(u64::from(building.recent[at].1))
        })?
    }

    /// True if file and indexes are open and the pages from the batch that holds `offset` to `max_bytes` behind it are cached,
    /// as far as the first and the last of them tell.
    pub fn is_cached(&self, offset: Offset, max_bytes: usize) -> bool {
        let Some(wanted) = relative(self.base, offset) else { return false };
        let Some(file) = self.file.lock().clone() else { return false };
        let floor = |bytes: &[u8]| {
            let entry = offset_index::floor(bytes, wanted).and_then(|at| offset_index::entry(bytes, at));
            entry.map_or(0, |entry| u64::from(entry.position))
        };
        let position = match &*self.indexes.read() {
            Indexes::Building(building) => floor(&building.offsets),
            Indexes::Loaded(loaded) => floor(&loaded.offsets),
            Indexes::Cold => return false,
        };
        let here = usize::try_from(self.length().saturating_sub(position)).unwrap_or(usize::MAX);
        file.residency(position, here.min(max_bytes)) == Residency::Cached
    }

    fn floor(self: &Arc<Self>, wanted: u32, extent: Extent) -> Result<Option<OffsetEntry>, WalkError> {
        let pick = |bytes: &[u8]| offset_index::floor(bytes, wanted).and_then(|at| offset_index::entry(bytes, at));
        self.with_offsets(extent, pick)
    }

    /// The last index entry whose batch begins at or before `position` and ends below `bound`. Not checked against the log.
    ///
    /// # Errors
    /// As `find`.
    pub fn floor_position(self: &Arc<Self>, position: u64, bound: Offset) -> Result<Option<OffsetEntry>, WalkError> {
        let below = bound.0.saturating_sub(self.base.0).saturating_sub(1);
        let Ok(below) = u32::try_from(below.min(i64::from(u32::MAX))) else { return Ok(None) };
        let pick = |bytes: &[u8]| {
            let by_position = offset_index::floor_position(bytes, position)?;
            let by_offset = offset_index::floor(bytes, below)?;
            offset_index::entry(bytes, by_position.min(by_offset))
        };
        self.with_offsets(self.extent(), pick)
    }

    /// The index entries, last first, for a bounded look backwards.
    pub fn entry_positions_backwards(self: &Arc<Self>, count_max: usize) -> Result<Vec<u64>, WalkError> {
        self.with_offsets(self.extent(), |bytes| {
            let count = offset_index::count(bytes);
            let from_last = (0..count).rev().take(count_max);
            from_last.filter_map(|at| offset_index::entry(bytes, at)).map(|entry| u64::from(entry.position)).collect()
        })
    }

    fn with_offsets<T>(self: &Arc<Self>, extent: Extent, look: impl FnOnce(&[u8]) -> T) -> Result<T, WalkError> {
        if let Indexes::Building(building) = &*self.indexes.read() {
            return Ok(look(&building.offsets));
        }
        Ok(look(&self.loaded(extent)?.offsets))
    }

    /// The largest timestamp and the last offset of the first batch that has it; `None` if no batch has a timestamp.
    ///
    /// # Errors
    /// `Bad` if the log itself is not valid.
    pub fn largest_timestamp(self: &Arc<Self>) -> Result<Option<(i64, Offset)>, WalkError> {
        let largest = match (self.with_building(|building| building.largest), self.largest.get()) {
            (Some(largest), _) | (None, Some(&largest)) => largest,
            (None, None) => {
                // Retention asks every half minute: the index of a segment that nobody reads is not opened each time.
                let largest = time_index::last(&self.loaded(self.extent())?.times);
                *self.largest.get_or_init(|| largest)
            }
        };
        Ok(largest.map(|entry| (entry.timestamp, self.base.plus(i64::from(entry.relative)))))
    }

    /// The first batch whose largest timestamp is at or after `timestamp` and which ends at or after `from`.
    ///
    /// # Errors
    /// `Bad` if the log itself is not valid.
    pub fn find_timestamp(self: &Arc<Self>, timestamp: i64, from: Offset) -> Result<Option<Found>, WalkError> {
        let floor = match self.with_building(|building| time_index::floor(&building.times, timestamp)) {
            Some(floor) => floor,
            None => time_index::floor(&self.loaded(self.extent())?.times, timestamp),
        };
        let file = self.file()?;
        let mut start = from;
        if let Some(entry) = floor {
            let at = self.base.plus(i64::from(entry.relative));
            let proven = self.find(at)?.is_some_and(|found| found.header.max_timestamp == entry.timestamp);
            if proven {
                start = start.max(at);
            } else {
                self.rebuild(&*file, "time index entry does not match the batch it points at")?;
                start = start.max(self.base);
            }
        }
        let Some(first) = self.find(start)? else { return Ok(None) };
        let extent = self.extent();
        let mut walk = Walk::headers(&*file, first.position, extent.length);
        while let Some(found) = walk.next_batch()? {
            if found.header.max_timestamp >= timestamp && found.header.last_offset() >= from {
                return within(Some(found), extent);
            }
        }
        Ok(None)
    }

    // ---- indexes of sealed segments

    fn loaded(self: &Arc<Self>, extent: Extent) -> Result<Arc<Loaded>, WalkError> {
        if let Indexes::Loaded(loaded) = &*self.indexes.read() {
            return Ok(loaded.clone());
        }
        let file = self.file()?;
        let loaded = match self.load_checked(&*file, extent) {
            Ok(loaded) => Arc::new(loaded),
            Err(Unloadable::Wrong(reason)) => return self.rebuild(&*file, &reason),
            Err(Unloadable::Io(error)) => return Err(error.into()),
        };
        *self.indexes.write() = Indexes::Loaded(loaded.clone());
        self.keep_warm();
        Ok(loaded)
    }

    fn load_checked(&self, file: &dyn DiskFile, extent: Extent) -> Result<Loaded, Unloadable> {
        let load = |kind| IndexBytes::load(&*self.place.disk.open(&self.path(kind), Open::Read)?);
        let offsets = load(FileKind::OffsetIndex)?;
        let times = load(FileKind::TimeIndex)?;
        let wrong = |reason: &str| Unloadable::Wrong(reason.to_owned());
        let offsets_length =
            offset_index::check(&offsets, extent).ok_or_else(|| wrong("offset index is not of this segment"))?;
        let times_length =
            time_index::check(&times, extent).ok_or_else(|| wrong("time index is not of this segment"))?;
        check_ends(file, extent, self.interval, &offsets[..offsets_length], &times[..times_length])?;
        // Padding is rare and only in Kafka's files: those are copied without it.
        let cut = |bytes: IndexBytes, length| {
            if bytes.len() == length { bytes } else { IndexBytes::Read(bytes[..length].to_vec()) }
        };
        Ok(Loaded { offsets: cut(offsets, offsets_length), times: cut(times, times_length) })
    }

    /// Builds the indexes again from the log, uses them, and puts them in place of the wrong ones.
    fn rebuild(self: &Arc<Self>, file: &dyn DiskFile, reason: &str) -> Result<Arc<Loaded>, WalkError> {
        warn!(folder = %self.place.folder.display(), base = self.base.0, reason, "index is built again");
        let mut indexes = self.indexes.write();
        let mut building = Building::scan(file, self.base, self.length(), self.interval)?;
        let loaded = Arc::new(Loaded {
            offsets: IndexBytes::Read(building.offsets.clone()),
            times: IndexBytes::Read(building.final_times()),
        });
        if let Indexes::Building(old) = &mut *indexes {
            building.aborted = std::mem::take(&mut old.aborted);
            **old = building;
            return Ok(loaded);
        }
        *indexes = Indexes::Loaded(loaded.clone());
        // Still under the lock: two that write at once could map a file that the other one is filling.
        let written = self
            .replace(FileKind::OffsetIndex, &loaded.offsets)
            .and_then(|()| self.replace(FileKind::TimeIndex, &loaded.times));
        if let Err(error) = written {
            // It is in memory; the next load builds it again.
            warn!(%error, base = self.base.0, "index is not written");
        }
        drop(indexes);
        self.keep_warm();
        Ok(loaded)
    }

    /// The aborted transactions whose marker lies here.
    ///
    /// # Errors
    /// `InvalidData` if the file is not a transaction index.
    pub fn aborted(&self) -> io::Result<Vec<AbortedTxn>> {
        if !self.has_aborted.load(Ordering::Acquire) {
            return Ok(Vec::new());
        }
        if let Some(aborted) = self.with_building(|building| building.aborted.clone()) {
            return Ok(aborted);
        }
        let bytes = self.place.disk.read(&self.path(FileKind::TxnIndex))?;
        txn_index::read(&bytes).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not a transaction index"))
    }
}

/// Why indexes cannot be used.
#[derive(Debug)]
pub enum Unloadable {
    /// They are missing, or not those of the segment: to be built again.
    Wrong(String),
    /// Nothing is known of them. The process may open no more files, or the disk fails.
    Io(io::Error),
}

impl From<io::Error> for Unloadable {
    fn from(error: io::Error) -> Unloadable {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof => Unloadable::Wrong(error.to_string()),
            _ => Unloadable::Io(error),
        }
    }
}

impl From<WalkError> for Unloadable {
    fn from(error: WalkError) -> Unloadable {
        match error {
            WalkError::Io(error) => error.into(),
            bad @ WalkError::Bad { .. } => Unloadable::Wrong(bad.to_string()),
        }
    }
}

/// Checks that an index misses nothing at its end: no entry due behind its last, no timestamp above its largest.
pub fn check_ends(
    file: &dyn DiskFile,
    extent: Extent,
    interval: u32,
    offsets: &[u8],
    times: &[u8],
) -> Result<(), Unloadable> {
    let wrong = |reason: &str| Err(Unloadable::Wrong(reason.to_owned()));
    let last_position = offset_index::last(offsets).map_or(0, |entry| u64::from(entry.position));
    let largest = time_index::last(times);
    let largest_end = largest.map_or(extent.base, |entry| extent.base.plus(i64::from(entry.relative)));
    let from_time = offset_index::floor(offsets, largest.map_or(0, |entry| entry.relative));
    let time_position =
        from_time.and_then(|at| offset_index::entry(offsets, at)).map_or(0, |entry| u64::from(entry.position));
    let mut walk = Walk::headers(file, time_position.min(last_position), extent.length);
    let (mut largest_seen, mut last_seen) = (false, offset_index::last(offsets).is_none());
    while let Some(found) = walk.next_batch()? {
        let behind = found.position.saturating_sub(last_position);
        if found.position > last_position && behind > u64::from(interval) {
            return wrong("offset index ends early");
        }
        last_seen |= found.position == last_position;
        let timestamp = found.header.max_timestamp;
        let is_largest = found.header.last_offset() >= largest_end && found.header.base_offset <= largest_end;
        largest_seen |= is_largest && largest.is_some_and(|entry| entry.timestamp == timestamp);
        if timestamp > largest.map_or(-1, |entry| entry.timestamp) {
            return wrong("time index ends early");
        }
    }
    if !last_seen {
        return wrong("offset index's last entry points at no batch");
    }
    if largest.is_some() && !largest_seen {
        return wrong("time index's last entry is not of this segment");
    }
    Ok(())
}

/// An offset as indexes hold it; `None` if it does not fit 31 bits.
pub fn relative(base: Offset, offset: Offset) -> Option<u32> {
    let difference = offset.0.checked_sub(base.0)?;
    u32::try_from(difference).ok().filter(|value| *value <= i32::MAX as u32)
}
