//! A log after a power cut at any operation: nothing acknowledged is lost, everything starts, and starts again.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

use klamm::base::disk::Disk;
use klamm::base::disk::fault::{Cut, Dice, FaultDisk};
use klamm::base::ids::Offset;
use klamm::log::{Acknowledge, Log, Upper};

use crate::batches::{batches_in, random_batch};
use crate::script::{Broker, Placed, ROOT, Slip, Told, append, start, start_or_create};
use crate::sweep::{Counts, Effort, Run, Verdict, asked_seed, long, sweep};

const RUNS: u64 = 4;
const STEPS: usize = 60;
/// What CI must at least have tried.
const STATES_MIN: u64 = 10_000;

/// Runs a script on a disk that keeps its history. `through` is what the broker sees of the disk.
pub fn record(
    seed: u64,
    steps: usize,
    slip: Slip,
    through: impl Fn(FaultDisk) -> Arc<dyn Disk>,
) -> (Run<Told>, Vec<Placed>) {
    let disk = FaultDisk::new().with_folder(Path::new(ROOT));
    disk.keep_history();
    let told = RefCell::new(vec![(0, Told::default())]);
    let mut tell = |now| told.borrow_mut().push((disk.operations(), now));
    let mut broker = Broker::start(through(disk.clone()), seed, slip, &mut tell).expect("start");
    for _ in 0..steps {
        broker.step().expect("a step on a disk without faults");
    }
    let placed = std::mem::take(&mut broker.placed);
    drop(broker);
    (Run { disk, told: told.into_inner() }, placed)
}

/// All batches in a log, at dense offsets.
///
/// # Errors
/// What is wrong with them.
fn content(log: &Log, placed: &[Placed], told: &Told) -> Result<(), String> {
    let reader = log.reader();
    let start = reader.log_start();
    // Before anything was synced the first segment's name may be lost and a later one's not: nobody was told of either.
    if start.0 > 0 && told.durable_end > 0 {
        return Err(format!("begins at {start}"));
    }
    if let Some(at) = reader.corrupt_at() {
        return Err(format!("corrupt at {at}"));
    }
    let (mut at, mut known) = (start, placed.iter().filter(|known| known.base >= start.0));
    while at < reader.end() {
        let slice =
            reader.read(at, Upper::HighWatermark, 1 << 20, true).map_err(|error| format!("read {at}: {error}"))?;
        let bytes = slice.region.read().map_err(|error| format!("read {at}: {error}"))?;
        for (header, records) in batches_in(&bytes)? {
            let known = known.next().ok_or_else(|| format!("a batch at {} that nobody sent", header.base_offset))?;
            if header.base_offset.0 != known.base || records != known.sent.at(known.base) {
                return Err(format!("other content at {} than was sent to {}", header.base_offset, known.base));
            }
        }
        if slice.end <= at {
            return Err(format!("no batch at {at}, the log ends at {}", reader.end()));
        }
        at = slice.end;
    }
    Ok(())
}

/// Every producer's newest acknowledged batch must be recognised.
fn resend(log: &mut Log, placed: &[Placed], told: &Told) -> Result<(), String> {
    let mut newest: std::collections::BTreeMap<i64, &Placed> = std::collections::BTreeMap::new();
    for known in placed.iter().filter(|known| known.end() <= told.durable_end) {
        if let Some((id, _, _)) = known.sent.sender {
            newest.insert(id, known);
        }
    }
    for (id, known) in newest {
        let appended =
            append(log, &known.sent, Acknowledge::Durable).map_err(|error| format!("resend of {id}: {error}"))?;
        if !appended.duplicate || appended.base_offset.0 != known.base {
            return Err(format!(
                "resend of {id}, acknowledged at {}, was appended at {}",
                known.base, appended.base_offset
            ));
        }
    }
    Ok(())
}

/// Starts on what a cut left and compares it with what was told.
pub fn judge_on(
    through: impl Fn(FaultDisk) -> Arc<dyn Disk>,
    disk: &FaultDisk,
    told: &Told,
    placed: &[Placed],
) -> Verdict {
    let log = start(&through(disk.clone())).map_err(|error| format!("does not start: {error}"))?;
    let Some(mut log) = log else {
        return if told.durable_end == 0 { Ok(disk.operations()) } else { Err("the log's folder is gone".to_owned()) };
    };
    let end = log.reader().end();
    if end.0 < told.durable_end {
        return Err(format!("ends at {end}, acknowledged up to {}", told.durable_end));
    }
    content(&log, placed, told)?;
    resend(&mut log, placed, told)?;
    let recovered = disk.operations();

    // What a start shows stays, whatever comes next.
    let again = disk.crash(&Cut::HARSH, 0);
    let shown = start(&again.shared()).map_err(|error| format!("does not start again: {error}"))?;
    if shown.map_or(Offset(0), |log| log.reader().end()) < end {
        return Err(format!("showed records up to {end} and lost them with the next cut"));
    }

    let sent = random_batch(&mut Dice::new(1), None, 1, 3);
    let appended =
        append(&mut log, &sent, Acknowledge::Durable).map_err(|error| format!("takes no append: {error}"))?;
    if appended.base_offset != end {
        return Err(format!("appends at {} behind {end}", appended.base_offset));
    }
    Ok(recovered)
}

fn judge(disk: &FaultDisk, told: &Told, placed: &[Placed]) -> Verdict {
    judge_on(|disk| disk.shared(), disk, told, placed)
}

fn plain(disk: FaultDisk) -> Arc<dyn Disk> {
    disk.shared()
}

#[test]
fn nothing_acknowledged_is_lost_by_a_power_cut_at_any_operation() {
    let seeds = asked_seed().map_or(0..RUNS * long(), |seed| seed..seed + 1);
    let effort = Effort { subsets: 12, double_every: 40 };
    let mut counts = Counts::default();
    for seed in seeds {
        let (run, placed) = record(seed, STEPS, Slip::None, plain);
        match sweep(&run, seed, effort, |disk, told| judge(disk, told, &placed)) {
            Ok(more) => counts += more,
            Err(why) => panic!("{why}\nKLAMM_SEED={seed} cargo test --test crash nothing_acknowledged"),
        }
    }
    println!("log: {counts:?}");
    assert!(counts.states + counts.double >= STATES_MIN || asked_seed().is_some(), "{counts:?}");
}

/// The number of seeds of ten in which a rig with a planted bug objects.
fn caught(
    record: impl Fn(u64) -> (Run<Told>, Vec<Placed>),
    judge: impl Fn(&FaultDisk, &Told, &[Placed]) -> Verdict,
) -> usize {
    let effort = Effort { subsets: 4, double_every: u64::MAX };
    let objects = |seed: &u64| {
        let (run, placed) = record(*seed);
        sweep(&run, *seed, effort, |disk, told| judge(disk, told, &placed)).is_err()
    };
    (0..10).filter(objects).count()
}

#[test]
fn the_rig_catches_an_acknowledgement_before_the_sync() {
    assert_eq!(caught(|seed| record(seed, 30, Slip::AcknowledgesBeforeSync, plain), judge), 10);
}

#[test]
fn the_rig_catches_an_acknowledgement_of_more_than_the_sync_covered() {
    let caught = caught(|seed| record(seed, 60, Slip::AcknowledgesPastSync, plain), judge);
    assert!(caught >= 5, "{caught} of 10");
}

#[test]
fn the_rig_catches_syncs_that_are_left_out() {
    use crate::liar::{Liar, Lie};
    for lie in [Lie::FileSync, Lie::FolderSync] {
        let caught = caught(|seed| record(seed, 60, Slip::None, |disk| Liar::over(disk, lie)), judge);
        assert!(caught >= 9, "{lie:?}: {caught} of 10");
    }
    let unsynced_recovery = |disk: &FaultDisk, told: &Told, placed: &[Placed]| {
        judge_on(|disk| Liar::over(disk, Lie::FileSync), disk, told, placed)
    };
    let caught = caught(|seed| record(seed, 40, Slip::None, plain), unsynced_recovery);
    assert!(caught >= 9, "recovery without a sync: {caught} of 10");
}

#[test]
fn a_log_that_was_never_synced_may_be_gone_and_is_made_anew() {
    let disk = FaultDisk::new().with_folder(Path::new(ROOT));
    let mut log = start_or_create(&disk.shared()).expect("create");
    let sent = random_batch(&mut Dice::new(1), None, 1, 3);
    append(&mut log, &sent, Acknowledge::Written).expect("append");
    for cut in disk.cuts(8) {
        let left = disk.crash(&cut, 5);
        let mut log = start_or_create(&left.shared()).unwrap_or_else(|error| panic!("{cut:?}: {error}"));
        append(&mut log, &sent, Acknowledge::Durable).unwrap_or_else(|error| panic!("{cut:?}: {error}"));
    }
}

/// A close used to find no ticket to be had, and to say that all is durable.
#[test]
fn a_log_that_is_being_synced_does_not_close() {
    let disk = FaultDisk::new().with_folder(Path::new(ROOT));
    let mut log = start_or_create(&disk.shared()).expect("create");
    let sent = random_batch(&mut Dice::new(1), None, 1, 3);
    append(&mut log, &sent, Acknowledge::Durable).expect("append");
    let ticket = log.begin_sync().expect("a ticket");
    log.close().expect_err("a ticket is out");
    let result = ticket.run();
    assert!(log.finish_sync(ticket, result));
    log.close().expect("close");
    assert_eq!(disk.pending_writes() + disk.pending_names(), 0, "all is durable");
}
