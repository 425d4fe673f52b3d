//! What a log does when the disk refuses.

use super::*;

/// A disk whose writes and syncs fail when told to.
#[derive(Default)]
struct Failing {
    /// What the next write does: bytes that still reach the file, and the error.
    write: parking_lot::Mutex<Option<(usize, io::ErrorKind)>>,
    /// True: no file can be cut back.
    cut: AtomicBool,
}

struct FailingFile(Arc<dyn DiskFile>, Arc<Failing>);

struct FailingDisk(Arc<Failing>);

impl Disk for FailingDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(FailingFile(RealDisk.open(path, how)?, self.0.clone())))
    }
    fn list(&self, folder: &Path) -> io::Result<Vec<crate::base::disk::Entry>> {
        RealDisk.list(folder)
    }
    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        RealDisk.create_folder(folder)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(from, to)
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove_file(path)
    }
    fn remove_folder(&self, folder: &Path) -> io::Result<()> {
        RealDisk.remove_folder(folder)
    }
    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        RealDisk.sync_folder(folder)
    }
    fn length(&self, path: &Path) -> io::Result<Option<u64>> {
        RealDisk.length(path)
    }
    fn modified_ms(&self, path: &Path) -> io::Result<i64> {
        RealDisk.modified_ms(path)
    }
    fn set_mode(&self, path: &Path, mode: u32) -> io::Result<()> {
        RealDisk.set_mode(path, mode)
    }
    fn space(&self, path: &Path) -> io::Result<crate::base::disk::Space> {
        RealDisk.space(path)
    }
}

impl DiskFile for FailingFile {
    fn write_all_at(&self, slices: &[IoSlice<'_>], position: u64) -> io::Result<()> {
        let Some((reached, error)) = self.1.write.lock().take() else { return self.0.write_all_at(slices, position) };
        let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        self.0.write_all_at(&[IoSlice::new(&bytes[..reached.min(bytes.len())])], position)?;
        Err(error.into())
    }
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.0.read_at(buffer, position)
    }
    fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }
    fn set_length(&self, length: u64) -> io::Result<()> {
        if self.1.cut.load(Ordering::Acquire) { Err(io::Error::other("no")) } else { self.0.set_length(length) }
    }
    fn length(&self) -> io::Result<u64> {
        self.0.length()
    }
    fn reserve(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
    fn system(&self) -> Option<&std::fs::File> {
        None
    }
}

/// A log with one durable batch whose next write fails as told after 30 bytes.
fn failing(bench: &Bench, error: io::ErrorKind, cut_fails: bool) -> (Log, Result<Appended, LogError>) {
    let faults = Arc::new(Failing::default());
    let disk: Arc<dyn Disk> = Arc::new(FailingDisk(faults.clone()));
    let config = Arc::new(bench.config.clone());
    let mut log = Log::create(disk, &bench.folder, TopicId::METADATA_TOPIC, config, NOW).expect("created");
    log.append(&batch(NOW.0, 2, 10), &written()).expect("appended");
    log.sync_now().expect("durable");
    *faults.write.lock() = Some((30, error));
    faults.cut.store(cut_fails, Ordering::Release);
    let result = log.append(&produced(1, 0, 0, 2, false), &written());
    (log, result)
}

#[test]
fn a_full_disk_refuses_one_append_and_leaves_nothing_behind() {
    for error in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded] {
        let bench = Bench::small_segments();
        let (mut log, result) = failing(&bench, error, false);
        assert!(matches!(result, Err(LogError::NoSpace)));
        assert_eq!(std::fs::metadata(bench.path(0, FileKind::Log)).expect("a file").len(), log.reader().size_bytes());
        assert_eq!(log.producers(), vec![]);
        let appended = log.append(&produced(1, 0, 0, 2, false), &written()).expect("there is room again");
        assert_eq!((appended.base_offset, appended.duplicate), (Offset(2), false));
        log.close().expect("closed");
    }
}

#[test]
fn any_other_failed_write_and_a_failed_cut_poison() {
    for (error, cut_fails) in [(io::ErrorKind::Other, false), (io::ErrorKind::StorageFull, true)] {
        let bench = Bench::small_segments();
        let (mut log, result) = failing(&bench, error, cut_fails);
        assert!(matches!(result, Err(LogError::Poisoned { .. })), "{error:?}");
        assert!(matches!(log.append(&batch(NOW.0, 1, 5), &written()), Err(LogError::Poisoned { .. })));
        assert!(log.reader().poisoned().is_some() && log.close().is_err());
        assert_eq!(read_all(log.reader(), 1000).len(), 1, "what is durable is read");
        let end = log.recovery_point();
        drop(log);
        let (log, report) = bench.open(false, end);
        assert_eq!((log.end(), report.corrupt_at), (Offset(2), None));
    }
}

#[test]
fn a_full_disk_during_a_sync_keeps_the_recovery_point_and_is_tried_again() {
    let bench = Bench::small_segments();
    let faults = Arc::new(Failing::default());
    let disk: Arc<dyn Disk> = Arc::new(FailingDisk(faults.clone()));
    let config = Arc::new(bench.config.clone());
    let mut log = Log::create(disk, &bench.folder, TopicId::METADATA_TOPIC, config, NOW).expect("created");
    fill(&mut log, 16, 60);
    let ticket = log.begin_sync().expect("a ticket");
    let result = ticket.run();
    log.finish_sync(ticket, result);
    let ticket = log.begin_derived().expect("segments were rolled");
    *faults.write.lock() = Some((3, io::ErrorKind::StorageFull));
    let result = ticket.run();
    log.finish_derived(ticket, result);
    assert_eq!((log.durable_end(), log.recovery_point()), (log.end(), Offset(0)));
    log.sync_now().expect("there is room again");
    assert_eq!(log.recovery_point(), log.end());
    assert_eq!(std::fs::read_to_string(bench.folder.join(names::LEADER_EPOCHS)).expect("a file"), "0\n1\n0 0\n");
}
