//! A stretch of a run by itself: so that both sides of a ratio can be taken from one process.

use std::time::{Duration, Instant};

use crate::Fallible;
use crate::contestant::Broker;
use crate::measure::Mark;
use crate::workloads::{Figure, Outcome, settle};

/// One stretch of a run.
pub struct Stretch {
    /// Broker CPU in seconds, and the amount of work it is to be divided by.
    pub broker: f64,
    pub work: f64,
    pub wall: f64,
    pub client: Duration,
    foreign: f64,
    steal: f64,
}

impl Stretch {
    /// Runs it and lets the broker come to rest. `run` says how much work it was, and the generator's own processor time.
    pub fn measure(broker: &Broker, run: impl FnOnce() -> Fallible<(f64, Duration)>) -> Fallible<Stretch> {
        settle();
        let mark = Mark::now(broker.pid)?;
        let started = Instant::now();
        let (work, client) = run()?;
        let wall = started.elapsed().as_secs_f64();
        settle();
        let spent = mark.spent()?;
        let (foreign, steal) = spent.foreign_cores(client);
        Ok(Stretch { broker: spent.broker.as_secs_f64(), work, wall, client, foreign, steal })
    }

    /// Broker CPU in seconds for one unit of the work.
    pub fn cost(&self) -> f64 {
        self.broker / self.work
    }
}

/// The outcome of a run of several stretches: the worst of what others did counts.
pub fn outcome(figures: Vec<Figure>, stretches: &[&Stretch]) -> Outcome {
    let worst = |of: fn(&Stretch) -> f64| stretches.iter().map(|stretch| of(stretch)).fold(0.0, f64::max);
    Outcome { figures, foreign: worst(|stretch| stretch.foreign), steal: worst(|stretch| stretch.steal) }
}
