//! Cuts the power at every operation of a recorded run, in every way, and lets a judge look at what is left.

use std::ops::AddAssign;

use klamm::base::disk::fault::{Cut, Dice, FaultDisk};

/// A run that is over: its disk with the history, and what its users had been told by which operation.
pub struct Run<T> {
    pub disk: FaultDisk,
    /// Number of the next operation when it was told, and all that had been told by then.
    pub told: Vec<(u64, T)>,
}

/// How much was tried.
#[derive(Clone, Copy, Default, Debug)]
pub struct Counts {
    pub operations: u64,
    pub states: u64,
    /// States after a second cut, during the recovery from the first.
    pub double: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.operations += other.operations;
        self.states += other.states;
        self.double += other.double;
    }
}

/// How much to try.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Random subsets at each operation.
    pub subsets: usize,
    /// One of so many states has its recovery cut at every operation.
    pub double_every: u64,
}

/// What a judge found: the number of the first operation after recovery, or what is wrong.
pub type Verdict = Result<u64, String>;

/// Runs the judge on every state.
///
/// # Errors
/// The first violation, with all that is needed to see it again.
pub fn sweep<T>(
    run: &Run<T>,
    seed: u64,
    effort: Effort,
    judge: impl Fn(&FaultDisk, &T) -> Verdict,
) -> Result<Counts, String> {
    let history = run.disk.history();
    let mut counts = Counts::default();
    for operation in history.start..=history.end {
        let Some((_, told)) = run.told.iter().rev().find(|(at, _)| *at <= operation) else { continue };
        counts.operations += 1;
        let then = run.disk.before(operation);
        // First the process alone dies: what was pending stays so, and a start must not build on it unsynced.
        for cut in std::iter::once(None).chain(then.cuts(effort.subsets).into_iter().map(Some)) {
            let state_seed = Dice::new(seed ^ (counts.states << 20)).throw();
            let what = || format!("seed {seed}, operation {operation}, {cut:?}, state seed {state_seed}");
            let disk = cut.map_or_else(|| then.fork(), |cut| then.crash(&cut, state_seed));
            disk.keep_history();
            let recovered = judge(&disk, told).map_err(|why| format!("{}: {why}", what()))?;
            counts.states += 1;
            if counts.states.is_multiple_of(effort.double_every) {
                counts.double += cut_recovery(&disk, recovered, state_seed, told, &judge)
                    .map_err(|why| format!("{}, then during recovery {why}", what()))?;
            }
        }
    }
    Ok(counts)
}

/// Cuts the power at every operation of a recovery.
fn cut_recovery<T>(
    disk: &FaultDisk,
    recovered: u64,
    seed: u64,
    told: &T,
    judge: impl Fn(&FaultDisk, &T) -> Verdict,
) -> Result<u64, String> {
    let mut states = 0;
    for operation in disk.history().start..=recovered {
        let then = disk.before(operation);
        let mut cuts = vec![Cut::HARSH, Cut::KILL];
        cuts.extend(then.cuts(2).into_iter().rev().take(2));
        for cut in cuts {
            judge(&then.crash(&cut, seed), told).map_err(|why| format!("operation {operation}, {cut:?}: {why}"))?;
            states += 1;
        }
    }
    Ok(states)
}

/// `KLAMM_LONG`, 1 if not set: how many times the usual number of runs.
pub fn long() -> u64 {
    std::env::var("KLAMM_LONG").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// `KLAMM_SEED` if set.
pub fn asked_seed() -> Option<u64> {
    std::env::var("KLAMM_SEED").ok().and_then(|text| text.parse().ok())
}
