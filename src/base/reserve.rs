//! Room kept back on the disk, for what must be written when it is full: a start, a stop, the deletion of a topic.
//!
//! A file of nothing beside the logs (`klamm.reserve`), given up a quarter at a time and filled again by a start that finds room.
//! Whoever finds it in the way may remove it. Never synced: it promises nothing after a power cut.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::disk::{Disk, Open, parent};
use super::limits::{RESERVE_BYTES_MAX, RESERVE_OF_DISK};

/// Its name in the data directory. Apache Kafka passes over files there.
pub const RESERVE_FILE: &str = "klamm.reserve";

/// How often it can be drawn on.
const PARTS: u64 = 4;

/// See the module's comment.
pub struct Reserve {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    /// Bytes of the whole; 0 where the disk does not tell its size.
    whole: u64,
    /// Held over a change of the file.
    changes: Mutex<()>,
}

impl Reserve {
    /// The reserve of a data directory, as an earlier run left it. Touches nothing.
    pub fn of(disk: Arc<dyn Disk>, directory: &Path) -> Reserve {
        let total = disk.space(directory).map_or(0, |space| space.total);
        let whole = (total / RESERVE_OF_DISK).min(RESERVE_BYTES_MAX);
        Reserve { disk, path: directory.join(RESERVE_FILE), whole, changes: Mutex::new(()) }
    }

    /// Fills it, if that leaves as much room as it takes four times over. Without success nothing changes: it is a precaution.
    pub fn fill(&self) {
        let _change = self.changes.lock();
        let free = self.free().unwrap_or(0);
        if self.whole == 0 || self.held().is_ok_and(|held| held >= self.whole) || free < PARTS * self.whole {
            return;
        }
        let filled = self.disk.open(&self.path, Open::Create).and_then(|file| {
            file.reserve(self.whole)?;
            file.set_length(self.whole)
        });
        if let Err(error) = filled {
            tracing::debug!(%error, "no reserve on the disk");
            drop(self.disk.remove_file(&self.path));
        }
    }

    /// Gives up a part of it if the disk is all but full.
    pub fn make_room(&self) {
        if self.free().is_ok_and(|free| free < self.whole / PARTS) {
            self.give_up_a_part();
        }
    }

    /// Gives up a part of it. False if there is nothing left.
    pub fn give_up_a_part(&self) -> bool {
        let _change = self.changes.lock();
        let Ok(held @ 1..) = self.held() else { return false };
        let left = held.saturating_sub((self.whole / PARTS).max(1));
        let given = if left == 0 {
            self.disk.remove_file(&self.path)
        } else {
            self.disk.open(&self.path, Open::Write).and_then(|file| file.set_length(left))
        };
        match given {
            Ok(()) => {
                tracing::warn!(left_bytes = left, "the disk is full: a part of the reserve is given up");
                true
            }
            Err(error) => {
                tracing::warn!(%error, "give up a part of the reserve");
                false
            }
        }
    }

    fn free(&self) -> io::Result<u64> {
        Ok(self.disk.space(parent(&self.path))?.free)
    }

    fn held(&self) -> io::Result<u64> {
        Ok(self.disk.length(&self.path)?.unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::disk::RealDisk;

    #[test]
    fn it_is_given_up_in_four_parts_and_filled_again() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let reserve = Reserve::of(RealDisk::shared(), folder.path());
        assert!(!reserve.give_up_a_part(), "none yet");
        for _ in 0..2 {
            reserve.fill();
            if reserve.held().expect("a length") == 0 {
                // A file system that cannot reserve, or has no room.
                return;
            }
            let parts = std::iter::repeat_with(|| reserve.give_up_a_part()).take_while(|given| *given).count();
            assert!((4..=5).contains(&parts), "{parts} parts");
            assert!(!folder.path().join(RESERVE_FILE).exists());
        }
    }

    #[test]
    fn it_is_kept_while_there_is_room() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let reserve = Reserve::of(RealDisk::shared(), folder.path());
        reserve.fill();
        let held = reserve.held().expect("a length");
        reserve.make_room();
        assert_eq!(reserve.held().expect("a length"), held);
    }
}
