//! The files of active segments that are open: the longest unused is closed when there are too many, and opened again when
//! it is needed. One table for the process, because the limit is the process's.
//!
//! ```text
//! unused, everything in it synced                     closed
//! unused, bytes that no sync has covered              kept; synced and closed if nothing else is left to close
//! in somebody's hands (a ticket, an answer), broken   kept
//! ```
//! A file that is closed with unsynced bytes in it would lose the error of their writing; hence the middle row. "Unused" is
//! told by a mark that every use sets and the hand of the clock takes away.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::segment::Segment;
use crate::base::disk::{OPEN_PAUSE, OPEN_TRIES, is_no_files};
use crate::base::limits::{
    ACTIVE_FILES_DEFAULT, ACTIVE_FILES_OF_LIMIT, FILES_GIVEN_BACK, WARM_FILES_OF_LIMIT, WARM_SEGMENTS_MAX,
};

/// Segments looked at for one that can be closed; all of them if one must be.
const LOOKS: usize = 64;

/// Segments whose file was opened, in the order of the clock's hand. Those closed otherwise leave when the hand comes by.
static OPEN: Mutex<VecDeque<Weak<Segment>>> = Mutex::new(VecDeque::new());

/// How many may be open.
static CAPACITY: AtomicUsize = AtomicUsize::new(ACTIVE_FILES_DEFAULT);

/// How many sealed segments may have theirs open.
static WARM_MAX: AtomicUsize = AtomicUsize::new(WARM_SEGMENTS_MAX);

/// Says how many files the process may open; segments get their part of it.
pub fn set_limit(open_files_max: u64) {
    let part = |of: u64| usize::try_from(open_files_max / of).unwrap_or(usize::MAX).max(1);
    CAPACITY.store(part(ACTIVE_FILES_OF_LIMIT), Ordering::Relaxed);
    WARM_MAX.store(part(WARM_FILES_OF_LIMIT).min(WARM_SEGMENTS_MAX), Ordering::Relaxed);
}

pub(super) fn warm_max() -> usize {
    WARM_MAX.load(Ordering::Relaxed)
}

/// What came of closing a segment's file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Closed {
    Yes,
    /// It was not open, or is sealed: those are kept apart.
    WasNot,
    /// It was used since it was last asked, or somebody has it in hand.
    InUse,
    /// Not before a sync.
    Unsynced,
}

/// Closes up to `count` files that can be closed at once, because somebody else needs them.
pub fn give_back(count: usize) -> usize {
    (0..count).take_while(|_| close_one(false)).count()
}

/// Opens a file without which a sync cannot be tried: one that was not tried would count as one that failed, and end the log.
/// While the process may open no more, files of segments are closed for it, and it is waited for others to close theirs.
pub(super) fn patiently<T>(mut open: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    for _ in 1..OPEN_TRIES {
        match open() {
            Err(error) if is_no_files(&error) => {
                if give_back(FILES_GIVEN_BACK) == 0 {
                    std::thread::sleep(OPEN_PAUSE);
                }
            }
            opened => return opened,
        }
    }
    open()
}

/// Notes a segment whose file was just opened, and closes another one if that is one too many.
///
/// Called without any segment's lock.
pub(super) fn opened(segment: &Arc<Segment>) {
    let capacity = CAPACITY.load(Ordering::Relaxed);
    let count = {
        let mut open = OPEN.lock();
        open.push_back(Arc::downgrade(segment));
        open.len()
    };
    // Two at a time, so that what was too much while all were in use is made up for. Past an eighth more a file is also closed
    // if it must be synced for it.
    for _ in 0..2.min(count.saturating_sub(capacity)) {
        close_one(count > capacity + capacity / 8);
    }
}

/// Turns the clock's hand until a file is closed or a segment has left. `sync`: also if it must be synced first.
fn close_one(sync: bool) -> bool {
    let mut unsynced = None;
    let closed = turn_the_hand(sync, &mut unsynced);
    let Some(segment) = unsynced else { return closed };
    if !closed && sync && segment.sync_and_close() {
        return true;
    }
    OPEN.lock().push_back(Arc::downgrade(&segment));
    closed
}

/// The first segment that cannot be closed before a sync is taken out of the table and handed to the caller.
fn turn_the_hand(sync: bool, unsynced: &mut Option<Arc<Segment>>) -> bool {
    let looks = if sync { OPEN.lock().len() } else { LOOKS };
    for look in 0..looks {
        if look >= LOOKS && unsynced.is_some() {
            break;
        }
        let Some(weak) = OPEN.lock().pop_front() else { break };
        let Some(segment) = weak.upgrade() else { return true };
        match segment.close_if_unused() {
            Closed::Yes | Closed::WasNot => return true,
            Closed::Unsynced if unsynced.is_none() => *unsynced = Some(segment),
            Closed::Unsynced | Closed::InUse => OPEN.lock().push_back(weak),
        }
    }
    false
}
