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
