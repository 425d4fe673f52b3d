//! The only door to durable files. `RealDisk` is the machine's; `FaultDisk` (tests) remembers what was synced and what was
//! not, fails on demand and hands out the states that a crash could leave.
//!
//! Paths are absolute or relative to the process; callers build them. Nothing here knows what a file means.

pub mod fault;
pub mod unsyncable;

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::limits;

/// How often, and with what pause, what is to be synced is tried to be opened while the process may open no more files.
pub const OPEN_TRIES: u32 = 200;
pub const OPEN_PAUSE: Duration = Duration::from_millis(10);

/// What the system is asked to read at once. It may read less than is asked, but hardly anywhere less than this.
#[cfg(target_os = "linux")]
const WARM_STEP_BYTES: usize = 128 * 1024;

/// How a file is opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Open {
    /// Must exist; no writes.
    Read,
    /// Must exist.
    Write,
    /// Made if absent, kept if present.
    Create,
    /// Must not exist.
    CreateNew,
    /// Made if absent, emptied if present.
    Truncate,
}

/// What a name in a folder is. Symbolic links are `Other`: nothing here follows them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    File,
    Folder,
    Other,
}

/// One name in a folder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    pub name: String,
    pub kind: Kind,
}

/// A file system. All calls block.
pub trait Disk: Send + Sync + 'static {
    /// # Errors
    /// Those of the system; `NotFound` and `AlreadyExists` as `Open` says.
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>>;
    /// Names in a folder, in no order. Names that are not UTF-8 are left out.
    fn list(&self, folder: &Path) -> io::Result<Vec<Entry>>;
    /// Makes one folder; its parent must exist. Durable after `sync_folder` of the parent.
    fn create_folder(&self, folder: &Path) -> io::Result<()>;
    /// Replaces `to` if it exists. Durable after `sync_folder` of the parent of each.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Removes a folder with all that is in it.
    fn remove_folder(&self, folder: &Path) -> io::Result<()>;
    /// Makes the names in a folder durable.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
    /// Length of a file in bytes, `None` if there is no such file.
    fn length(&self, path: &Path) -> io::Result<Option<u64>>;
    /// Last modification in milliseconds since the Unix epoch.
    fn modified_ms(&self, path: &Path) -> io::Result<i64>;
    /// Sets the permission bits of a file.
    fn set_mode(&self, path: &Path, mode: u32) -> io::Result<()>;
    /// Free and total bytes of the file system that holds `path`.
    fn space(&self, path: &Path) -> io::Result<Space>;

    /// Reads a whole file. For small ones.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let file = self.open(path, Open::Read)?;
        let length = usize::try_from(file.length()?).map_err(io::Error::other)?;
        let mut bytes = vec![0; length];
        file.read_exact_at(&mut bytes, 0)?;
        Ok(bytes)
    }

    /// Puts `bytes` in place of the file at `path`, durably: written beside it as `<path>.tmp`, synced, renamed, folder
    /// synced. After a crash the old or the new content is there, never a mixture.
    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let beside = suffixed(path, ".tmp");
        let file = self.open(&beside, Open::Truncate)?;
        file.write_all_at(&[IoSlice::new(bytes)], 0)?;
        file.sync()?;
        self.rename(&beside, path)?;
        self.sync_folder(parent(path))
    }
}

/// Bytes of a file system.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Space {
    pub total: u64,
    pub free: u64,
}

/// Whether bytes of a file are in the page cache.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Residency {
    Cached,
    Cold,
}

/// An open file. Positions are absolute; there is no cursor. All methods may be called from several threads.
pub trait DiskFile: Send + Sync + 'static {
    /// Writes all slices one after the other from `position`, in one call to the system where it takes them.
    ///
    /// # Errors
    /// Those of the system. Some of the bytes may be in the file.
    fn write_all_at(&self, slices: &[IoSlice<'_>], position: u64) -> io::Result<()>;
    /// Reads up to `buffer.len()` bytes; 0 at the end of the file.
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize>;
    /// Makes content and length durable (fdatasync).
    fn sync(&self) -> io::Result<()>;
    fn set_length(&self, length: u64) -> io::Result<()>;
    fn length(&self) -> io::Result<u64>;
    /// Reserves space up to `length` without changing the file's length. A hint: errors mean "not reserved".
    fn reserve(&self, length: u64) -> io::Result<()>;
    /// The system's file, for sendfile and maps; `None` on a simulated disk.
    fn system(&self) -> Option<&File>;

    /// Reads only what is in the page cache; may read less than asked, or fail with `WouldBlock`, where the system must
    /// go to the device. Systems that cannot tell read as `read_at` does.
    fn read_cached(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.read_at(buffer, position)
    }

    /// Whether a range can be read without waiting for the device, by its first and last byte.
    fn residency(&self, position: u64, length: usize) -> Residency {
        let mut byte = [0];
        let last = position + (length as u64).saturating_sub(1);
        for at in [position, last] {
            if self.read_cached(&mut byte, at).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
                return Residency::Cold;
            }
        }
        Residency::Cached
    }

    /// Says that the file is read here and there: the system then reads nothing ahead on its own, neither for who reads nor for who
    /// only asks what is cached. A hint.
    fn expect_scattered_reads(&self) {}

    /// Brings a range into the page cache, and begins to bring the `_ahead` bytes behind it, which are not waited for.
    fn warm(&self, mut position: u64, mut length: usize, _ahead: usize) -> io::Result<()> {
        let mut scratch = vec![0; length.min(256 * 1024)];
        while length > 0 {
            let step = length.min(scratch.len());
            self.read_exact_at(&mut scratch[..step], position)?;
            position += step as u64;
            length -= step;
        }
        Ok(())
    }

    /// Fills the buffer.
    ///
    /// # Errors
    /// `UnexpectedEof` if the file ends first.
    fn read_exact_at(&self, mut buffer: &mut [u8], mut position: u64) -> io::Result<()> {
        while !buffer.is_empty() {
            match self.read_at(buffer, position) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    buffer = &mut buffer[count..];
                    position += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// `path` with `suffix` behind its last character.
pub fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The folder that holds `path`.
pub fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// True if the error says that there is no room, on the disk or for another open file (decision D10): nothing is broken, and
/// it may be tried again later.
pub fn is_no_space(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) || is_no_files(error)
}

/// True if the error says that the process, or the machine, may open no more files.
pub fn is_no_files(error: &io::Error) -> bool {
    use rustix::io::Errno;
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}

/// A file locked against every other process until this is dropped.
#[derive(Debug)]
pub struct Lock {
    file: Option<File>,
    id: (u64, u64),
}

/// Device and inode of the files that this process has locked: the system's locks do not exclude their own process.
static LOCKED: Mutex<BTreeSet<(u64, u64)>> = Mutex::new(BTreeSet::new());

/// Makes the file if it is absent and takes the kind of lock that Java takes (fcntl, over the whole file). `None` if another
/// process has it, or this one.
///
/// No other code of this process may open the file: closing it would give the lock up.
///
/// # Errors
/// Those of the system.
pub fn lock_file(path: &Path) -> io::Result<Option<Lock>> {
    let mut locked = LOCKED.lock();
    if let Ok(metadata) = std::fs::metadata(path)
        && locked.contains(&(metadata.dev(), metadata.ino()))
    {
        return Ok(None);
    }
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    match rustix::fs::fcntl_lock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::ACCESS) => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let metadata = file.metadata()?;
    let id = (metadata.dev(), metadata.ino());
    locked.insert(id);
    Ok(Some(Lock { file: Some(file), id }))
}

impl Drop for Lock {
    fn drop(&mut self) {
        let mut locked = LOCKED.lock();
        self.file = None;
        locked.remove(&self.id);
    }
}

/// Raises the process's limit of open files to what the system allows it, and returns it: segments and connections are files.
pub fn raise_open_files() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::warn!(%error, "raise the limit of open files");
        } else {
            tracing::info!(from = limit.current, to = limit.maximum, "limit of open files raised");
        }
    }
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Has the system make its table of this process's files as large as a flood of connections would make it, step by step: each step
/// stops the thread that opens a file until all processors have passed a quiet point (Linux: an RCU grace period), some ten
/// milliseconds. In a process of one thread, before others are started, it costs nothing.
pub fn make_room_for_files() {
    let last = (limits::FILES_EXPECTED - 1).min(raise_open_files().saturating_sub(1));
    if let Ok(last) = i32::try_from(last) {
        // Opened at that place, and closed.
        drop(rustix::io::fcntl_dupfd_cloexec(std::io::stderr(), last));
    }
}

/// The machine's file system.
pub struct RealDisk;

impl RealDisk {
    pub fn shared() -> Arc<dyn Disk> {
        Arc::new(RealDisk)
    }
}

struct RealFile(File);

impl Disk for RealDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        options.read(true);
        match how {
            Open::Read => {}
            Open::Write => {
                options.write(true);
            }
            Open::Create => {
                options.write(true).create(true);
            }
            Open::CreateNew => {
                options.write(true).create_new(true);
            }
            Open::Truncate => {
                options.write(true).create(true).truncate(true);
            }
        }
        Ok(Arc::new(RealFile(options.open(path)?)))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let file_type = entry.file_type()?;
            let kind = match (file_type.is_file(), file_type.is_dir()) {
                (true, _) => Kind::File,
                (_, true) => Kind::Folder,
                _ => Kind::Other,
            };
            if let Ok(name) = entry.file_name().into_string() {
                entries.push(Entry { name, kind });
            }
        }
        Ok(entries)
    }

    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        std::fs::create_dir(folder)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn remove_folder(&self, folder: &Path) -> io::Result<()> {
        std::fs::remove_dir_all(folder)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        // A sync that could not be tried would count as one that failed, and end the log.
        for _ in 1..OPEN_TRIES {
            match File::open(folder) {
                Err(error) if is_no_files(&error) => std::thread::sleep(OPEN_PAUSE),
                opened => return opened?.sync_all(),
            }
        }
        File::open(folder)?.sync_all()
    }

    fn length(&self, path: &Path) -> io::Result<Option<u64>> {
        match std::fs::symlink_metadata(path) {
            Ok(metadata) if metadata.is_file() => Ok(Some(metadata.len())),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn modified_ms(&self, path: &Path) -> io::Result<i64> {
        let modified = std::fs::metadata(path)?.modified()?;
        let since = modified.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Ok(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn set_mode(&self, path: &Path, mode: u32) -> io::Result<()> {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        let stat = rustix::fs::statvfs(path)?;
        Ok(Space { total: stat.f_blocks * stat.f_frsize, free: stat.f_bavail * stat.f_frsize })
    }
}

fn write_some(file: &File, slices: &[IoSlice<'_>], position: u64) -> io::Result<usize> {
    loop {
        match rustix::io::pwritev(file, slices, position) {
            Err(rustix::io::Errno::INTR) => {}
            result => return Ok(result?),
        }
    }
}

impl DiskFile for RealFile {
    fn write_all_at(&self, slices: &[IoSlice<'_>], position: u64) -> io::Result<()> {
        let total: usize = slices.iter().map(|slice| slice.len()).sum();
        let mut written = write_some(&self.0, slices, position)?;
        if written == total {
            return Ok(());
        }
        let mut rest = slices.to_vec();
        let mut view = rest.as_mut_slice();
        IoSlice::advance_slices(&mut view, written);
        while written < total {
            let count = write_some(&self.0, view, position + written as u64)?;
            if count == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            written += count;
            IoSlice::advance_slices(&mut view, count);
        }
        Ok(())
    }

    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.0.read_at(buffer, position)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    #[cfg(target_os = "linux")]
    fn reserve(&self, length: u64) -> io::Result<()> {
        Ok(rustix::fs::fallocate(&self.0, rustix::fs::FallocateFlags::KEEP_SIZE, 0, length)?)
    }

    #[cfg(not(target_os = "linux"))]
    fn reserve(&self, _length: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn system(&self) -> Option<&File> {
        Some(&self.0)
    }

    #[cfg(target_os = "linux")]
    fn expect_scattered_reads(&self) {
        // Without it everything works, and a reader is at times held up by what the system reads for later.
        let _ = rustix::fs::fadvise(&self.0, 0, None, rustix::fs::Advice::Random);
    }

    #[cfg(target_os = "linux")]
    fn warm(&self, position: u64, length: usize, ahead: usize) -> io::Result<()> {
        let end = position + length as u64;
        let steps = |to: u64| {
            let starts = (position..to).step_by(WARM_STEP_BYTES);
            starts.map(move |at| (at, (to - at).min(WARM_STEP_BYTES as u64)))
        };
        for (at, count) in steps(end + ahead as u64) {
            let count = std::num::NonZeroU64::new(count);
            // A hint: what it does not bring is waited for below.
            let _ = rustix::fs::fadvise(&self.0, at, count, rustix::fs::Advice::WillNeed);
        }
        // The last byte of each step has come when the step has: waiting costs no copying.
        for (at, count) in steps(end) {
            self.read_exact_at(&mut [0], at + count - 1)?;
        }
        Ok(())
    }

    #[cfg(target_os = "linux")]
    fn read_cached(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        use rustix::io::{Errno, ReadWriteFlags};
        let mut slices = [io::IoSliceMut::new(buffer)];
        match rustix::io::preadv2(&self.0, &mut slices, position, ReadWriteFlags::NOWAIT) {
            // A file system without the flag: read as usual.
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => self.0.read_at(buffer, position),
            result => Ok(result?),
        }
    }
}
