//! What lies in a partition's folder, and what is done about leftovers of a stop in the middle of something.
//!
//! ```text
//! .deleted   was on its way out                        removed
//! .cleaned   compaction was writing it                 removed
//! .swap      compaction had finished it                takes the place of the segments in its range, unless a .cleaned of
//!                                                      a lower offset shows that not all of them were finished
//! .index, .timeindex, .txnindex without their .log     removed
//! ```
//! Everything else is left alone. Kafka: `LogLoader.removeTempFilesAndCollectSwapFiles`.

use super::error::{Doing, LogError};
use super::names::{self, FileKind, FileName, State};
use super::segment::Place;
use super::walk::Walk;
use crate::base::disk::{Kind, Open};
use crate::base::ids::Offset;

/// One segment of a folder.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Listed {
    pub base: Offset,
    /// True if there is a `.txnindex`.
    pub txn_index: bool,
}

/// The segments and producer snapshots of a folder, both rising.
#[derive(Default, Debug)]
pub struct Listing {
    pub segments: Vec<Listed>,
    pub snapshots: Vec<Offset>,
}

impl Listing {
    /// Reads a folder and tidies leftovers.
    ///
    /// # Errors
    /// `Io`.
    pub fn read(place: &Place) -> Result<Listing, LogError> {
        let files = read_names(place)?;
        let leftover = files.iter().any(|(_, name)| name.state != State::Live);
        let files = if leftover {
            tidy(place, &files)?;
            read_names(place)?
        } else {
            files
        };
        let of_kind = |kind: FileKind| {
            let live = files.iter().filter(move |(_, name)| name.kind == kind && name.state == State::Live);
            let mut bases: Vec<Offset> = live.map(|(_, name)| name.base).collect();
            bases.sort_unstable();
            bases
        };
        let (logs, txn_indexes) = (of_kind(FileKind::Log), of_kind(FileKind::TxnIndex));
        for (file, name) in &files {
            let derived = matches!(name.kind, FileKind::OffsetIndex | FileKind::TimeIndex | FileKind::TxnIndex);
            if derived && logs.binary_search(&name.base).is_err() {
                place.disk.remove_file(&place.folder.join(file)).doing("remove index without a segment")?;
            }
        }
        let listed = |base: &Offset| Listed { base: *base, txn_index: txn_indexes.binary_search(base).is_ok() };
        Ok(Listing { segments: logs.iter().map(listed).collect(), snapshots: of_kind(FileKind::Snapshot) })
    }

    /// True if the segment that begins at `base` has a `.txnindex`.
    pub fn has_txn_index(&self, base: Offset) -> bool {
        self.segments.iter().any(|segment| segment.base == base && segment.txn_index)
    }
}

fn read_names(place: &Place) -> Result<Vec<(String, FileName)>, LogError> {
    let entries = place.disk.list(&place.folder).doing("list folder of partition")?;
    let files = entries.into_iter().filter(|entry| entry.kind == Kind::File);
    Ok(files.filter_map(|entry| names::parse_file(&entry.name).map(|name| (entry.name, name))).collect())
}

fn tidy(place: &Place, files: &[(String, FileName)]) -> Result<(), LogError> {
    let remove = |file: &str| place.disk.remove_file(&place.folder.join(file)).doing("remove leftover");
    let of_state = |state: State| files.iter().filter(move |(_, name)| name.state == state);
    let lowest_cleaned = of_state(State::Cleaned).map(|(_, name)| name.base).min();
    let is_finished = |base: Offset| lowest_cleaned.is_none_or(|cleaned| base < cleaned);
    let finished = || of_state(State::Swap).filter(|(_, name)| is_finished(name.base));
    let logs: Vec<_> = finished().filter(|(_, name)| name.kind == FileKind::Log).collect();
    let mut replaced: Option<(Offset, Offset)> = None;
    for (file, name) in &logs {
        let end = end_of(place, file, name.base)?;
        let (low, high) = replaced.unwrap_or((name.base, end));
        replaced = Some((low.min(name.base), high.max(end)));
    }
    for (file, _) in of_state(State::Deleted).chain(of_state(State::Cleaned)) {
        remove(file)?;
    }
    for (file, name) in of_state(State::Swap).filter(|(_, name)| !is_finished(name.base)) {
        tracing::warn!(file, base = name.base.0, "unfinished compaction is removed");
        remove(file)?;
    }
    let swapped_kinds = |name: &FileName| name.kind != FileKind::Snapshot;
    for (file, name) in of_state(State::Live).filter(|(_, name)| swapped_kinds(name)) {
        let is_replaced = replaced.is_some_and(|(low, high)| low <= name.base && name.base < high);
        // A segment of the same base is renamed over.
        if is_replaced && !logs.iter().any(|(_, swap)| swap.base == name.base) {
            remove(file)?;
        }
    }
    for (file, name) in finished() {
        let to = place.path(name.base, name.kind);
        place.disk.rename(&place.folder.join(file), &to).doing("finish compaction")?;
    }
    place.disk.sync_folder(&place.folder).doing("sync folder of partition")
}

/// The offset behind the last batch of a file.
fn end_of(place: &Place, file: &str, base: Offset) -> Result<Offset, LogError> {
    let file = place.disk.open(&place.folder.join(file), Open::Read).doing("open compacted segment")?;
    let mut walk = Walk::headers(&*file, 0, file.length().doing("look at compacted segment")?);
    let mut end = base;
    while let Ok(Some(found)) = walk.next_batch() {
        end = found.header.next_offset();
    }
    Ok(end)
}
