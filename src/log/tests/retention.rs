//! Segments that are not kept: what readers see, what lies on the disk, what a crash leaves.

use super::*;
use crate::base::disk::fault::FaultDisk;
use crate::log::retention::Reason;

const HOUR: i64 = 3_600_000;

fn kept(ms: Option<i64>, bytes: Option<u64>) -> LogConfig {
    LogConfig { segment_bytes: 4000, retention: Some(Retention { ms, bytes }), ..LogConfig::default() }
}

/// A log of several segments, ten batches each hour.
fn hours(log: &mut Log, count: i64) {
    for hour in 0..count {
        for _ in 0..10 {
            log.append(&batch(NOW.0 + hour * HOUR, 1, 300), &written()).expect("appended");
        }
        log.roll(NOW).expect("rolled");
    }
    log.sync_now().expect("durable");
}

fn names_of(bench: &Bench, suffix: &str) -> Vec<String> {
    bench.files().into_iter().map(|(name, _)| name).filter(|name| name.ends_with(suffix)).collect()
}

fn later(hours: i64) -> WallMs {
    WallMs(NOW.0 + hours * HOUR)
}

#[test]
fn segments_that_are_too_old_go_in_two_steps() {
    let bench = Bench::new(kept(Some(HOUR), None));
    let mut log = bench.create();
    hours(&mut log, 4);
    let due = log.retain(WallMs(later(2).0 + 1)).expect("looked");
    assert_eq!(due.iter().map(|due| due.base.0).collect::<Vec<_>>(), [0, 10]);
    assert_eq!(due[1].reason, Reason::Age { newest_ms: later(1).0 });
    assert_eq!((log.log_start(), log.first_base()), (Offset(20), Offset(0)), "not read, still there");
    assert!(matches!(
        log.reader().read(Offset(19), Upper::HighWatermark, 1000, true),
        Err(ReadError::OutOfRange { .. })
    ));

    // a start that is not durable yet removes nothing
    assert_eq!(log.remove_below(Offset(9)).expect("nothing"), []);
    let removed = log.remove_below(Offset(20)).expect("renamed");
    assert_eq!(removed.iter().map(|removed| removed.base.0).collect::<Vec<_>>(), [0, 10]);
    assert_eq!(log.first_base(), Offset(20));
    assert_eq!(names_of(&bench, ".log.deleted").len(), 2);
    assert_eq!(names_of(&bench, ".log").first().expect("a segment"), "00000000000000000020.log");
    assert!(
        removed.iter().flat_map(|removed| &removed.files).all(|file| file.exists()),
        "all that was renamed is told of"
    );
    assert_eq!(read_all(log.reader(), 100_000).len(), 20);
    assert!(!log.has_removable());
}

#[test]
fn the_active_segment_is_closed_when_it_is_too_old() {
    let bench = Bench::new(kept(Some(HOUR), None));
    let mut log = bench.create();
    log.append(&batch(NOW.0, 3, 10), &written()).expect("appended");
    assert_eq!(log.retain(WallMs(later(1).0 + 3)).expect("looked").len(), 1);
    assert_eq!((log.log_start(), log.end()), (Offset(3), Offset(3)));
    assert!(!log.has_removable(), "its indexes are still to be written");
    log.sync_now().expect("durable");
    assert_eq!(log.remove_below(Offset(3)).expect("renamed").len(), 1);
    assert_eq!(log.reader().segment_count(), 1);
    log.append(&batch(NOW.0, 1, 10), &written()).expect("appended");
    assert_eq!(read_all(log.reader(), 1000)[0].base_offset, Offset(3));
    // an empty log has nothing to give
    let bench = Bench::new(kept(Some(0), Some(0)));
    assert_eq!(bench.create().retain(later(1000)).expect("looked"), []);
}

#[test]
fn a_log_that_is_too_large_loses_its_oldest_segments() {
    let bench = Bench::new(kept(None, Some(7000)));
    let mut log = bench.create();
    hours(&mut log, 3);
    let before = log.reader().size_bytes();
    let due = log.retain(NOW).expect("looked");
    assert_eq!(due.iter().map(|due| due.reason).collect::<Vec<_>>(), [Reason::Size { log_bytes: before }]);
    log.remove_below(log.log_start()).expect("renamed");
    assert!(log.reader().size_bytes() >= 7000);
    assert_eq!(log.retain(NOW).expect("looked"), []);
}

#[test]
fn records_without_a_time_are_as_old_as_their_file() {
    let bench = Bench::new(kept(Some(HOUR), None));
    let mut log = bench.create();
    log.append(&batch(-1, 1, 10), &written()).expect("appended");
    let modified = RealDisk.modified_ms(&bench.path(0, FileKind::Log)).expect("a time");
    assert_eq!(log.retain(WallMs(modified + HOUR)).expect("looked"), []);
    let due = log.retain(WallMs(modified + HOUR + 1)).expect("looked");
    assert_eq!(due[0].reason, Reason::Age { newest_ms: modified });
}

#[test]
fn a_compacted_log_keeps_all_and_gives_what_was_deleted() {
    let bench = Bench::new(LogConfig { retention: None, compacted: true, ..kept(None, None) });
    let mut log = bench.create();
    hours(&mut log, 3);
    assert_eq!(log.retain(later(100_000)).expect("looked"), []);
    log.advance_log_start(Offset(15)).expect("DeleteRecords");
    assert_eq!(log.remove_below(Offset(15)).expect("renamed").len(), 1);
    assert_eq!((log.log_start(), log.first_base()), (Offset(15), Offset(10)));
}

#[test]
fn a_segment_that_nobody_writes_to_is_closed_when_it_is_old_enough() {
    let config = LogConfig { segment_ms: HOUR, ..kept(None, None) };
    let bench = Bench::new(config);
    let mut log = bench.create();
    log.append(&batch(NOW.0, 1, 10), &written()).expect("appended");
    let modified = RealDisk.modified_ms(&bench.path(0, FileKind::Log)).expect("a time");
    log.retain(WallMs(modified + HOUR)).expect("looked");
    assert_eq!(log.reader().segment_count(), 1);
    log.retain(WallMs(modified + HOUR + 1)).expect("looked");
    assert_eq!(log.reader().segment_count(), 2);
    log.retain(WallMs(modified + 9 * HOUR)).expect("looked");
    assert_eq!(log.reader().segment_count(), 2, "an empty one is not closed");
}

#[test]
fn a_reader_that_has_a_removed_segment_open_goes_on() {
    let bench = Bench::new(kept(Some(HOUR), None));
    let mut log = bench.create();
    hours(&mut log, 2);
    let slice = log.reader().read(Offset(0), Upper::HighWatermark, 100_000, true).expect("read");
    let before = slice.region.read().expect("bytes");
    log.retain(later(100)).expect("looked");
    log.sync_now().expect("durable");
    for removed in log.remove_below(log.log_start()).expect("renamed") {
        removed.files.iter().for_each(|file| std::fs::remove_file(file).expect("removed"));
    }
    assert_eq!(slice.region.read().expect("bytes"), before);
}

/// Whatever of the names a power cut leaves, nothing below the start comes back and nothing above it is lost.
#[test]
fn any_part_of_the_renames_may_be_lost() {
    let folder = Path::new("/data/t-0");
    let config = Arc::new(kept(Some(HOUR), None));
    let disk = FaultDisk::new().with_folder(Path::new("/data"));
    let mut log =
        Log::create(disk.shared(), folder, TopicId::METADATA_TOPIC, Arc::clone(&config), NOW).expect("created");
    hours(&mut log, 4);
    log.retain(WallMs(later(3).0 + 1)).expect("looked");
    log.sync_now().expect("durable");
    let (start, end) = (log.log_start(), log.end());
    assert_eq!((start, end), (Offset(30), Offset(40)));
    log.remove_below(start).expect("renamed");
    for recovery_point in [Offset::ZERO, Offset(5), start, end] {
        for (number, cut) in disk.cuts(30).iter().enumerate() {
            let after = disk.crash(cut, number as u64);
            let options = OpenOptions {
                config: Arc::clone(&config),
                topic_id: Some(TopicId::METADATA_TOPIC),
                clean: false,
                recovery_point,
                log_start: start,
                strict: false,
                named: false,
                now: NOW,
            };
            let (log, recovered) = Log::open(after.shared(), folder, &options).expect("opened");
            assert_eq!((log.log_start(), log.end(), log.first_base()), (start, end, start), "{cut:?}");
            assert_eq!((recovered.corrupt_at, recovered.cut_at), (None, None), "{cut:?}");
            assert_eq!(read_all(log.reader(), 100_000).len(), 10, "{cut:?}");
        }
    }
}
