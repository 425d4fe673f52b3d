//! What fuzzing the folder of a log brought to light.

use super::*;

/// The checkpoint named a later start than the batches show: cut below it, the log lost its only epoch, and the next start found it.
#[test]
fn leader_epochs_that_contradict_the_batches_are_built_again() {
    let bench = Bench::small_segments();
    let mut log = bench.create();
    fill(&mut log, 1, 4);
    log.sync_now().expect("durable");
    let end = log.end();
    drop(log);
    let wrong = checkpoint::leader_epochs_text(&[(LeaderEpoch(0), end.plus(-1))]);
    std::fs::write(bench.folder.join(names::LEADER_EPOCHS), wrong).expect("written");
    let (log, _) = bench.open(false, Offset::ZERO);
    assert_eq!(log.reader().epoch_of(Offset::ZERO), Some(LeaderEpoch(0)));
}

/// A base offset lies outside its batch's checksum. One of a sealed segment, which a start does not read, was wrong: readers were
/// given a batch of offsets behind the log's end.
#[test]
fn a_batch_of_offsets_behind_its_segment_is_corrupt() {
    let bench = Bench::small_segments();
    let mut log = bench.create();
    fill(&mut log, 1, 60);
    log.close().expect("closed");
    let end = log.end();
    drop(log);
    let path = bench.path(0, FileKind::Log);
    let mut bytes = std::fs::read(&path).expect("read");
    bytes[..8].copy_from_slice(&end.plus(7).0.to_be_bytes());
    std::fs::write(&path, bytes).expect("written");
    let (log, recovered) = bench.open(true, end);
    assert_eq!((log.end(), recovered.corrupt_at), (end, None), "only the end of the last segment is read");
    let read = log.reader().read(Offset::ZERO, Upper::End, 1, true);
    assert!(matches!(read, Err(ReadError::Corrupt { .. })), "{read:?}");
    let found = log.reader().offset_for_timestamp(0);
    assert!(!matches!(found, Ok(Some(found)) if found.offset >= end), "{found:?}");
}

/// After a clean stop only the last segment's headers are read: one whose offsets lie below the segment put the log's end there, and
/// the next roll met a segment that exists.
#[test]
fn a_batch_of_offsets_below_the_last_segment_is_corrupt() {
    let bench = Bench::small_segments();
    let mut log = bench.create();
    fill(&mut log, 1, 60);
    log.close().expect("closed");
    let (end, last) = (log.end(), log.active.base());
    assert!(last > Offset::ZERO && log.active.length() > 0, "a last segment with something in it");
    drop(log);
    let path = bench.path(last.0, FileKind::Log);
    let mut bytes = std::fs::read(&path).expect("read");
    bytes[..8].copy_from_slice(&0i64.to_be_bytes());
    std::fs::write(&path, bytes).expect("written");
    let (log, recovered) = bench.open(true, end);
    assert_eq!(recovered.corrupt_at, Some(last));
    assert!(log.end() >= last, "{}", log.end());
}
