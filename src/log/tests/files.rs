//! Files of active segments that are closed while nobody uses them.

use super::*;
use crate::base::disk::fault::{Fault, FaultDisk};
use crate::log::open_files::Closed;

fn close(log: &Log) -> [Closed; 2] {
    [log.active.close_if_unused(), log.active.close_if_unused()]
}

#[test]
fn a_file_is_closed_once_it_is_unused_and_synced_and_comes_back_when_needed() {
    let bench = Bench::new(LogConfig::default());
    let mut log = bench.create();
    log.append(&batch(NOW.0, 2, 100), &written()).expect("appended");
    assert_eq!(close(&log), [Closed::InUse, Closed::Unsynced], "bytes are not synced");
    log.sync_now().expect("synced");
    let held = log.active.file().expect("open");
    assert_eq!(close(&log), [Closed::InUse, Closed::InUse], "somebody has it");
    drop(held);
    assert_eq!(close(&log), [Closed::Yes, Closed::WasNot]);
    log.append(&batch(NOW.0 + 5, 3, 100), &written()).expect("appended to the file opened again");
    log.sync_now().expect("synced");
    assert_eq!(close(&log), [Closed::InUse, Closed::Yes]);
    let read: Vec<Offset> = read_all(log.reader(), 1 << 20).iter().map(|header| header.base_offset).collect();
    assert_eq!(read, [Offset(0), Offset(2)]);
}

#[test]
fn a_file_of_mode_os_is_closed_with_bytes_that_no_sync_covered() {
    let bench = Bench::new(LogConfig { synced: false, ..LogConfig::default() });
    let mut log = bench.create();
    log.append(&batch(NOW.0, 2, 100), &written()).expect("appended");
    assert_eq!(close(&log), [Closed::InUse, Closed::Yes]);
    log.close().expect("a stop syncs it");
}

#[test]
fn a_file_whose_sync_before_closing_failed_poisons_its_log() {
    for write_next in [true, false] {
        let disk = FaultDisk::new().with_folder(Path::new("/data"));
        let folder = Path::new("/data/topic-0");
        let config = Arc::new(LogConfig::default());
        let mut log = Log::create(disk.shared(), folder, TopicId::METADATA_TOPIC, config, NOW).expect("created");
        log.sync_now().expect("durable");
        log.append(&batch(NOW.0, 2, 100), &written()).expect("appended");
        disk.fail_at(disk.operations(), Fault::Io);
        assert!(!log.active.sync_and_close());
        let refused = if write_next { log.append(&batch(NOW.0, 1, 100), &written()).map(drop) } else { log.sync_now() };
        assert!(matches!(refused, Err(LogError::Poisoned { .. })), "{refused:?}");
        assert_eq!(log.durable_end(), Offset(0));
        assert_eq!(log.active.close_if_unused(), Closed::InUse, "kept open for good");
    }
}

#[test]
fn a_file_that_is_closed_is_not_opened_again_once_its_folder_is_left() {
    let bench = Bench::new(LogConfig::default());
    let mut log = bench.create();
    log.append(&batch(NOW.0, 2, 100), &written()).expect("appended");
    log.sync_now().expect("synced");
    assert_eq!(close(&log), [Closed::InUse, Closed::Yes]);
    log.leave_folder();
    assert!(matches!(log.reader().read(Offset(0), Upper::End, 1000, true), Err(ReadError::Io(_))));
}

#[test]
fn a_log_that_is_made_when_used_leaves_nothing_until_then() {
    let bench = Bench::new(LogConfig::default());
    let config = Arc::new(bench.config.clone());
    let mut log = Log::create_when_used(RealDisk::shared(), &bench.folder, TopicId::METADATA_TOPIC, config, NOW);
    log.begin_epoch(LeaderEpoch(0)).expect("an epoch");
    let read = log.reader().read(Offset(0), Upper::HighWatermark, 1 << 20, true).expect("empty");
    assert_eq!((read.end, log.needs_sync(), log.is_made()), (Offset(0), false, false));
    log.sync_now().expect("nothing to sync");
    log.close().expect("nothing to close");
    assert!(!bench.folder.exists());

    log.append(&batch(NOW.0, 2, 100), &how(Acknowledge::Durable)).expect("appended");
    assert_eq!((log.high_watermark(), log.is_made()), (Offset(0), true), "not durable yet");
    log.sync_now().expect("synced");
    assert_eq!(log.high_watermark(), Offset(2));
    log.close().expect("closed");
    let (log, recovered) = bench.open(true, Offset(2));
    assert_eq!((log.end(), recovered.scanned_bytes), (Offset(2), 0));
    assert_eq!(read_all(log.reader(), 1 << 20).len(), 1);
}

#[test]
fn a_log_that_could_not_be_made_is_made_by_a_later_append() {
    for step in 0..4 {
        let disk = FaultDisk::new().with_folder(Path::new("/data"));
        let folder = Path::new("/data/topic-0");
        let config = Arc::new(LogConfig::default());
        let mut log = Log::create_when_used(disk.shared(), folder, TopicId::METADATA_TOPIC, config, NOW);
        disk.fail_at(disk.operations() + step, Fault::NoSpace);
        let refused = log.append(&batch(NOW.0, 2, 100), &written());
        assert!(matches!(refused, Err(LogError::NoSpace)), "step {step}: {refused:?}");
        assert!(!log.is_made() && log.end() == Offset(0), "step {step}");
        log.append(&batch(NOW.0, 2, 100), &written()).expect("appended");
        log.sync_now().expect("synced");
        assert_eq!(log.durable_end(), Offset(2), "step {step}");
    }
}
