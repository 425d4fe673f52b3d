//! A file system in memory that knows what a power cut would leave. For tests; nothing of the broker uses it.
//!
//! Every file has the content that reads see, the content that is durable, and in between an ordered list of writes and
//! length changes that no `sync` has covered. Names are apart from files: creating, renaming and removing stay pending
//! until `sync_folder` of the folder they are in, even if the file itself was synced. One counter numbers all operations
//! that change or sync something, so that a test can fail, or die at, each of them.
//!
//! ```text
//! write, write, set_length ──▶ pending of the file ──sync──────────▶ durable content
//! create, rename, remove ───▶ pending of the disk ──sync_folder──▶ durable names
//!                                   │
//!                              crash(cut, seed): any part of what is pending, writes torn at sector bounds,
//!                                   ▼           length apart from data
//!                              a new disk on which everything is durable
//! ```
//!
//! A failed `sync` drops what was pending: reads still see it, a later successful `sync` does not save it (what Linux
//! does, "fsyncgate"). Copies of a disk share the content of files in chunks, so that tens of thousands are cheap.

mod content;
#[cfg(test)]
mod tests;
mod world;

use std::fs::File;
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;

use self::world::{NodeId, Ordered, World};
use super::{Disk, DiskFile, Entry, Open, Space};

/// What a disk without a capacity says it has.
const UNBOUNDED_BYTES: u64 = 1 << 40;

/// A small seeded generator (SplitMix64). The same seed gives the same numbers on every machine.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    /// 64 random bits.
    pub fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; 0 if `bound` is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        match bound {
            0 => 0,
            _ => usize::try_from(self.throw() % bound as u64).unwrap_or(0),
        }
    }

    pub fn coin(&mut self) -> bool {
        self.throw() & 1 == 1
    }
}

/// What goes wrong with one operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// EIO. A write leaves its first half in the file; a sync drops what was pending.
    Io,
    /// ENOSPC. A write leaves its first half in the file.
    NoSpace,
    /// The world ends before this operation: it and all later ones, reads too, fail and change nothing.
    Stop,
}

/// Which of the pending operations survive, counted in the order of `pending_writes` or `pending_names`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kept {
    Nothing,
    Everything,
    Only(usize),
    AllBut(usize),
    /// The first few; the seed says how many.
    Prefix,
    /// Each by a throw of the seed. What the order of a journal forbids is among these.
    Subset,
}

/// A way to lose power.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cut {
    /// Of the writes and length changes of files.
    pub writes: Kept,
    /// Of the names.
    pub names: Kept,
    /// Surviving writes keep each aligned piece of this many bytes by a throw of the seed; `None`: whole writes.
    pub tear_bytes: Option<u64>,
}

impl Cut {
    /// Nothing that was not synced survives.
    pub const HARSH: Cut = Cut { writes: Kept::Nothing, names: Kept::Nothing, tear_bytes: None };
    /// The process died, the machine did not.
    pub const KILL: Cut = Cut { writes: Kept::Everything, names: Kept::Everything, tear_bytes: None };
}

struct Shared {
    world: World,
    /// The world before each operation, if asked for.
    history: Option<Vec<World>>,
}

impl Shared {
    /// Lets an operation in; see `World::begin`.
    fn begin(&mut self) -> io::Result<Ordered> {
        let before = self.history.is_some().then(|| self.world.clone());
        let ordered = self.world.begin()?;
        if let (Some(history), Some(before)) = (&mut self.history, before) {
            history.push(before);
        }
        Ok(ordered)
    }
}

/// A disk in memory. Clones are the same disk; `fork` makes another.
#[derive(Clone)]
pub struct FaultDisk {
    shared: Arc<Mutex<Shared>>,
}

impl Default for FaultDisk {
    fn default() -> FaultDisk {
        FaultDisk::new()
    }
}

impl FaultDisk {
    /// An empty disk: `/` and nothing in it. Relative paths begin at `/`.
    pub fn new() -> FaultDisk {
        FaultDisk::of(World::new())
    }

    fn of(world: World) -> FaultDisk {
        FaultDisk { shared: Arc::new(Mutex::new(Shared { world, history: None })) }
    }

    /// This disk as the code under test wants it.
    pub fn shared(&self) -> Arc<dyn Disk> {
        Arc::new(self.clone())
    }

    /// Makes a folder and all its parents, durable at once and not counted.
    ///
    /// # Panics
    /// If a file is in the way.
    pub fn with_folder(self, folder: &Path) -> FaultDisk {
        self.shared.lock().world.plant_folder(folder).expect("a plain path without files in it");
        self
    }

    /// Operations that changed or synced something so far; the next one has this number.
    pub fn operations(&self) -> u64 {
        self.shared.lock().world.operations
    }

    /// Makes the operation with this number go wrong, once.
    pub fn fail_at(&self, operation: u64, fault: Fault) {
        self.shared.lock().world.faults.insert(operation, fault);
    }

    /// Ends the world now.
    pub fn stop(&self) {
        self.shared.lock().world.stopped = true;
    }

    /// Room for the contents of all files, `None`: no bound. A write beyond it leaves what fits and says `StorageFull`.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.shared.lock().world.capacity = bytes;
    }

    /// Lets one read return this many bytes at most.
    pub fn set_read_max(&self, bytes: Option<usize>) {
        self.shared.lock().world.read_max = bytes;
    }

    /// From now on keeps the world before each operation, for `before`.
    pub fn keep_history(&self) {
        self.shared.lock().history.get_or_insert_with(Vec::new);
    }

    /// Numbers of the operations that `before` knows.
    pub fn history(&self) -> std::ops::Range<u64> {
        let shared = self.shared.lock();
        let kept = shared.history.as_ref().map_or(0, Vec::len) as u64;
        shared.world.operations - kept..shared.world.operations
    }

    /// The disk as it was when the operation with this number had not begun; with the number of the next operation, the
    /// disk of now.
    pub fn before(&self, operation: u64) -> FaultDisk {
        let shared = self.shared.lock();
        let kept = shared.history.as_ref().map_or(0, Vec::len) as u64;
        let first = shared.world.operations - kept;
        let index = operation.checked_sub(first).expect("an operation of the history");
        let index = usize::try_from(index).expect("a history that fits memory");
        let world = shared.history.as_ref().and_then(|history| history.get(index)).unwrap_or(&shared.world);
        let mut world = world.clone();
        world.faults.clear();
        FaultDisk::of(world)
    }

    /// Another disk that is as this one, pending operations included. Open files stay with this one.
    pub fn fork(&self) -> FaultDisk {
        FaultDisk::of(self.shared.lock().world.clone())
    }

    /// Writes and length changes that no sync covered.
    pub fn pending_writes(&self) -> usize {
        self.shared.lock().world.pending_writes()
    }

    /// Changes of names that no folder sync covered.
    pub fn pending_names(&self) -> usize {
        self.shared.lock().world.pending_names()
    }

    /// One of the disks that a power cut now could leave: fresh, all on it durable, counting from 0, without faults.
    /// Equal arguments give equal disks.
    pub fn crash(&self, cut: &Cut, seed: u64) -> FaultDisk {
        FaultDisk::of(self.shared.lock().world.crash(cut, &mut Dice::new(seed)))
    }

    /// Cuts worth trying here: nothing and everything, each pending operation alone, each left out, and `random` subsets,
    /// whole and torn at 512 bytes and 4 KiB.
    pub fn cuts(&self, random: usize) -> Vec<Cut> {
        let (writes, names) = (self.pending_writes(), self.pending_names());
        let mut cuts = vec![Cut::HARSH, Cut::KILL];
        let whole = |writes, names| Cut { writes, names, tear_bytes: None };
        if writes > 0 && names > 0 {
            cuts.push(whole(Kept::Nothing, Kept::Everything));
            cuts.push(whole(Kept::Everything, Kept::Nothing));
        }
        if writes > 1 {
            cuts.extend((0..writes).map(|index| whole(Kept::Only(index), Kept::Everything)));
            cuts.extend((0..writes).map(|index| whole(Kept::AllBut(index), Kept::Everything)));
        }
        if names > 1 {
            cuts.extend((0..names).map(|index| whole(Kept::Everything, Kept::Only(index))));
            cuts.extend((0..names).map(|index| whole(Kept::Everything, Kept::AllBut(index))));
        }
        if writes + names > 0 {
            cuts.extend((0..random).map(|index| Cut {
                writes: if index % 4 == 3 { Kept::Everything } else { Kept::Subset },
                names: if index % 2 == 0 { Kept::Prefix } else { Kept::Subset },
                tear_bytes: [Some(512), Some(4096), None, Some(512)][index % 4],
            }));
        }
        cuts
    }
}

struct FaultFile {
    disk: FaultDisk,
    id: NodeId,
    writable: bool,
}

impl FaultDisk {
    /// Runs one numbered operation.
    fn operate<T>(&self, work: impl FnOnce(&mut World, Ordered) -> io::Result<T>) -> io::Result<T> {
        let mut shared = self.shared.lock();
        let ordered = shared.begin()?;
        work(&mut shared.world, ordered)
    }

    /// Runs something that changes nothing.
    fn look<T>(&self, work: impl FnOnce(&World) -> io::Result<T>) -> io::Result<T> {
        let shared = self.shared.lock();
        shared.world.alive()?;
        work(&shared.world)
    }
}

impl Disk for FaultDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        let existing = self.look(|world| world.existing_file(path))?;
        let id = match (existing, how) {
            (None, Open::Read | Open::Write) => return Err(io::ErrorKind::NotFound.into()),
            (Some(_), Open::CreateNew) => return Err(io::ErrorKind::AlreadyExists.into()),
            (None, _) => self.operate(|world, ordered| world.create_file(path, ordered))?,
            (Some(id), Open::Truncate) => {
                self.operate(|world, ordered| world.set_length(id, 0, ordered))?;
                id
            }
            (Some(id), _) => id,
        };
        Ok(Arc::new(FaultFile { disk: self.clone(), id, writable: how != Open::Read }))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<Entry>> {
        self.look(|world| world.list(folder))
    }

    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        self.operate(|world, ordered| world.create_folder(folder, ordered))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.operate(|world, ordered| world.rename(from, to, ordered))
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.operate(|world, ordered| world.remove_file(path, ordered))
    }

    fn remove_folder(&self, folder: &Path) -> io::Result<()> {
        self.operate(|world, ordered| world.remove_folder(folder, ordered))
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.operate(|world, ordered| world.sync_folder(folder, ordered))
    }

    fn length(&self, path: &Path) -> io::Result<Option<u64>> {
        self.look(|world| match world.existing_file(path) {
            Ok(Some(id)) => world.length(id).map(Some),
            Ok(None) => Ok(None),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::IsADirectory) => Ok(None),
            Err(error) => Err(error),
        })
    }

    fn modified_ms(&self, path: &Path) -> io::Result<i64> {
        self.look(|world| world.modified_ms(path))
    }

    fn set_mode(&self, path: &Path, _mode: u32) -> io::Result<()> {
        self.look(|world| world.modified_ms(path)).map(|_| ())
    }

    fn space(&self, _path: &Path) -> io::Result<Space> {
        self.look(|world| {
            let total = world.capacity.unwrap_or(UNBOUNDED_BYTES);
            Ok(Space { total, free: world.room().unwrap_or(UNBOUNDED_BYTES) })
        })
    }
}

impl FaultFile {
    fn may_write(&self) -> io::Result<()> {
        if self.writable { Ok(()) } else { Err(io::ErrorKind::PermissionDenied.into()) }
    }
}

impl DiskFile for FaultFile {
    fn write_all_at(&self, slices: &[IoSlice<'_>], position: u64) -> io::Result<()> {
        self.may_write()?;
        let bytes = slices.iter().flat_map(|slice| slice.iter().copied()).collect::<Vec<u8>>();
        self.disk.operate(|world, ordered| world.write(self.id, &bytes, position, ordered))
    }

    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.disk.look(|world| world.read(self.id, buffer, position))
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.operate(|world, ordered| world.sync(self.id, ordered))
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.may_write()?;
        self.disk.operate(|world, ordered| world.set_length(self.id, length, ordered))
    }

    fn length(&self) -> io::Result<u64> {
        self.disk.look(|world| world.length(self.id))
    }

    fn reserve(&self, length: u64) -> io::Result<()> {
        self.disk.look(|world| world.reserve(self.id, length))
    }

    fn system(&self) -> Option<&File> {
        None
    }
}
