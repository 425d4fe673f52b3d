//! Every operation of recorded scripts fails once. Nothing is acknowledged after a failed sync, a full disk is survived, and
//! what was acknowledged before is there after a restart.

use std::cell::Cell;
use std::path::Path;

use klamm::base::disk::fault::{Cut, Fault, FaultDisk};
use klamm::log::LogError;

use crate::log::judge_on;
use crate::script::{Broker, Placed, ROOT, Slip, Told};
use crate::sweep::long;

const SEEDS: u64 = 3;
const STEPS: usize = 60;

/// What one run with a fault came to.
struct Outcome {
    disk: FaultDisk,
    placed: Vec<Placed>,
    told: Told,
    poisoned: bool,
    /// Batches appended after the first refusal.
    appended_later: usize,
    finished: bool,
}

/// Runs a script and goes on after errors, as a broker does. Stops where a broker would not start or stop cleanly.
fn run(seed: u64, prepare: impl Fn(&FaultDisk), every_step: impl Fn(usize, &FaultDisk)) -> Outcome {
    let disk = FaultDisk::new().with_folder(Path::new(ROOT));
    prepare(&disk);
    let told = Cell::new(Told::default());
    let mut tell = |now| told.set(now);
    let mut outcome = Outcome {
        disk: disk.clone(),
        placed: vec![],
        told: Told::default(),
        poisoned: false,
        appended_later: 0,
        finished: false,
    };
    let Ok(mut broker) = Broker::start(disk.shared(), seed, Slip::None, &mut tell) else { return outcome };
    let mut refused = false;
    let mut stopped = false;
    for step in 0..STEPS {
        every_step(step, &disk);
        let (count, watermark) = (broker.placed.len(), broker.log.reader().high_watermark());
        let poisoned = broker.log.reader().poisoned().is_some();
        let result = broker.step();
        if poisoned {
            assert_eq!(broker.placed.len(), count, "a poisoned log takes nothing");
            assert_eq!(broker.log.reader().high_watermark(), watermark, "a poisoned log acknowledges nothing");
        }
        outcome.appended_later += if refused { broker.placed.len() - count } else { 0 };
        match result {
            Ok(()) => {}
            Err(LogError::NoSpace | LogError::Poisoned { .. }) => refused = true,
            Err(_) => {
                stopped = true;
                break;
            }
        }
    }
    outcome.poisoned = broker.log.reader().poisoned().is_some();
    outcome.finished = !stopped && !outcome.poisoned && broker.sync().is_ok();
    outcome.placed = std::mem::take(&mut broker.placed);
    drop(broker);
    outcome.told = told.get();
    outcome
}

fn check(outcome: &Outcome, what: &str) {
    for cut in outcome.disk.cuts(4) {
        let left = outcome.disk.crash(&cut, 3);
        judge_on(|disk| disk.shared(), &left, &outcome.told, &outcome.placed)
            .unwrap_or_else(|why| panic!("{what}, then {cut:?}: {why}"));
    }
}

fn operations(seed: u64) -> u64 {
    run(seed, |_| {}, |_, _| {}).disk.operations()
}

#[test]
fn an_io_error_at_any_operation_loses_nothing_acknowledged() {
    let (mut runs, mut poisoned) = (0, 0);
    for seed in 0..SEEDS * long() {
        for operation in 0..operations(seed) {
            let outcome = run(seed, |disk| disk.fail_at(operation, Fault::Io), |_, _| {});
            check(&outcome, &format!("seed {seed}, EIO at operation {operation}"));
            runs += 1;
            poisoned += u64::from(outcome.poisoned);
        }
    }
    println!("EIO: {runs} runs, {poisoned} poisoned");
    assert!(poisoned * 3 > runs, "most operations are writes and syncs of the log");
}

#[test]
fn no_space_at_any_operation_refuses_and_goes_on() {
    let (mut runs, mut finished) = (0, 0);
    for seed in 0..SEEDS * long() {
        for operation in 0..operations(seed) {
            let outcome = run(seed, |disk| disk.fail_at(operation, Fault::NoSpace), |_, _| {});
            check(&outcome, &format!("seed {seed}, ENOSPC at operation {operation}"));
            runs += 1;
            finished += u64::from(outcome.finished);
        }
    }
    println!("ENOSPC: {runs} runs, {finished} went on to their end");
    assert!(finished * 3 > runs, "{finished} of {runs} went on");
}

#[test]
fn a_disk_that_was_full_takes_batches_again() {
    for seed in 0..20 * long() {
        let outcome = run(
            seed,
            |_| {},
            |step, disk| match step {
                15 => disk.set_capacity(Some(1)),
                30 => disk.set_capacity(None),
                _ => {}
            },
        );
        assert!(!outcome.poisoned, "seed {seed}: no space is no poison");
        assert!(outcome.appended_later > 0 || !outcome.finished, "seed {seed}: taken again");
        check(&outcome, &format!("seed {seed}, full for a while"));
    }
}

#[test]
fn a_kill_loses_nothing_that_was_appended() {
    for seed in 0..20 * long() {
        let outcome = run(seed, |_| {}, |_, _| {});
        let end = outcome.placed.last().map_or(0, Placed::end);
        let left = outcome.disk.crash(&Cut::KILL, 0);
        judge_on(|disk| disk.shared(), &left, &Told { durable_end: end }, &outcome.placed).expect("all is there");
    }
}
