//! The goals of the project, and how far the figures of a run are from them.

use std::fmt::Write;

use crate::results::Finished;
use crate::table::number;

/// One figure of one workload, and what it may be. Where there are two bounds the looser binds.
struct Goal {
    workload: &'static str,
    figure: &'static str,
    /// The contestant that is held to it.
    who: &'static str,
    bounds: &'static [Bound],
}

enum Bound {
    /// Times the figure of the ceiling, of Kafka, of Klamm in `durability.mode=os`, in the same rounds.
    Times(&'static str, f64),
    AtLeastTimes(&'static str, f64),
    AtMost(f64),
    AtLeast(f64),
    /// Above another figure of the same run.
    Above(&'static str, f64),
}

use Bound::{Above, AtLeast, AtLeastTimes, AtMost, Times};

const OS: &str = "klamm-os";
const DEFAULT: &str = "klamm";
const CEILING: &str = "ceiling";
const KAFKA: &str = "kafka";

const fn goal(workload: &'static str, figure: &'static str, who: &'static str, bounds: &'static [Bound]) -> Goal {
    Goal { workload, figure, who, bounds }
}

const GOALS: &[Goal] = &[
    goal("produce-bulk", "broker CPU s/GB", CEILING, &[AtMost(0.375)]),
    goal("produce-default", "broker CPU us/request", CEILING, &[AtMost(22.5)]),
    goal("produce-bulk", "broker CPU s/GB", OS, &[Times(CEILING, 1.25), Times(KAFKA, 0.25)]),
    goal("produce-default", "broker CPU us/request", OS, &[Times(CEILING, 1.4), Times(KAFKA, 0.333)]),
    goal("produce-100b", "broker CPU ns/record", OS, &[Times(CEILING, 1.5), Times(KAFKA, 0.333)]),
    goal("produce-100b-bulk", "broker CPU ns/record", OS, &[Times(CEILING, 1.5), Times(KAFKA, 0.333)]),
    goal("produce-tiny-1x16", "broker CPU us/request", OS, &[Times(CEILING, 2.0), Times(KAFKA, 0.2)]),
    goal("produce-tiny-8x16", "broker CPU us/request", OS, &[Times(CEILING, 2.0), Times(KAFKA, 0.2)]),
    goal("produce-compressed-lz4", "broker CPU s/GB", OS, &[Times(KAFKA, 0.333)]),
    goal("produce-compressed-zstd", "broker CPU s/GB", OS, &[Times(KAFKA, 0.333)]),
    goal("produce-passed-lz4", "broker CPU s/GB", OS, &[Times(KAFKA, 0.333)]),
    goal("produce-passed-zstd", "broker CPU s/GB", OS, &[Times(KAFKA, 0.333)]),
    goal("fetch-hot-1m", "broker CPU s/GB", OS, &[Times(CEILING, 1.4), Times(KAFKA, 0.333)]),
    goal("fetch-hot-10m", "broker CPU s/GB", OS, &[Times(CEILING, 1.4), Times(KAFKA, 0.333)]),
    goal("produce-durable", "MB/s", DEFAULT, &[AtLeastTimes(OS, 0.85)]),
    goal("produce-durable-bulk", "MB/s", DEFAULT, &[AtLeastTimes(OS, 0.6)]),
    goal("produce-durable", "times an fsync per append", DEFAULT, &[AtLeast(20.0)]),
    goal("produce-durable-16", "times the MB/s of 1", DEFAULT, &[AtLeast(0.8)]),
    goal("e2e-1k", "p50 us", DEFAULT, &[AtMost(150.0)]),
    goal("e2e-1k", "p99 us", DEFAULT, &[AtMost(2_000.0)]),
    goal("e2e-1k-all", "p50 us", DEFAULT, &[Above("one fdatasync us", 300.0)]),
    goal("sustain", "p99.9 us", DEFAULT, &[AtMost(5_000.0)]),
    goal("sustain", "worst ms", DEFAULT, &[AtMost(50.0)]),
    goal("cold-hurts-tail", "p99 with / without", DEFAULT, &[AtMost(2.0)]),
    goal("startup", "ready ms", DEFAULT, &[AtMost(30.0)]),
    goal("startup-1000", "ms to all partitions", DEFAULT, &[AtMost(150.0)]),
    goal("recovery-1g", "ms to the first fetch", DEFAULT, &[AtMost(200.0), Times(KAFKA, 0.1)]),
    goal("idle", "RSS MiB", DEFAULT, &[AtMost(15.0)]),
    goal("idle", "% of a core", DEFAULT, &[AtMost(0.1)]),
    goal("conns-10000", "KiB a connection", DEFAULT, &[AtMost(4.0)]),
    goal("partitions-10000", "KiB a partition", DEFAULT, &[AtMost(2.0)]),
    goal("consumers-idle-1000", "% of a core, parked", DEFAULT, &[AtMost(1.0)]),
    goal("partitions-10000", "times the CPU of 1", DEFAULT, &[AtMost(1.5)]),
    goal("conns-10000", "times the CPU of 0", DEFAULT, &[AtMost(1.1)]),
    goal("group-heartbeat-classic", "broker CPU us/heartbeat", DEFAULT, &[AtMost(10.0)]),
    goal("group-heartbeat-consumer", "broker CPU us/heartbeat", DEFAULT, &[AtMost(10.0)]),
    goal("group-commit-64", "broker CPU us/commit", DEFAULT, &[AtMost(60.0)]),
    goal("group-commit-64", "broker CPU us/commit", OS, &[AtMost(15.0)]),
    goal("group-commit-64", "commits/s", DEFAULT, &[AtLeast(10_000.0)]),
    goal("group-join-100", "ms from the last join to rest", DEFAULT, &[AtMost(1_000.0)]),
    goal("group-join-100", "broker CPU ms", DEFAULT, &[Times(KAFKA, 0.2)]),
    goal("group-join-100-consumer", "ms from the last join to rest", DEFAULT, &[AtMost(1_000.0)]),
    goal("group-join-100-consumer", "broker CPU ms", DEFAULT, &[Times(KAFKA, 0.2)]),
    goal("groups-idle-1000", "% of a core, silent", DEFAULT, &[AtMost(1.0)]),
    goal("groups-idle-1000", "KiB a member, classic", DEFAULT, &[AtMost(16.0)]),
    goal("groups-idle-1000", "KiB a member, consumer", DEFAULT, &[AtMost(16.0)]),
    goal("offsets-restart-1m", "ms to OffsetFetch", DEFAULT, &[AtMost(1_000.0)]),
    goal("assignment-10000", "ms, the slowest", DEFAULT, &[AtMost(20.0)]),
];

/// The table of all goals whose workload has run.
pub fn summary(finished: &[Finished]) -> String {
    let mut out = String::from(
        "### Goals\n\n| workload | figure | of | is | at most or at least | |\n|---|---|---|---|---|---|\n",
    );
    for goal in GOALS {
        let Some(run) = finished.iter().find(|run| run.workload == goal.workload) else { continue };
        let value = run.median(goal.who, goal.figure);
        let known: Vec<(String, f64)> = goal.bounds.iter().filter_map(|bound| bound.set_against(run, goal)).collect();
        let bounds: Vec<&str> = known.iter().map(|(text, _)| text.as_str()).collect();
        let excess = known.iter().map(|(_, excess)| *excess).min_by(f64::total_cmp);
        let verdict = match (value, excess) {
            (None, _) => "failed".to_owned(),
            (_, None) => "nothing to set it against".to_owned(),
            (_, Some(excess)) if excess <= 1.0 => "reached".to_owned(),
            (_, Some(excess)) => format!("**missed by {}x**", number(excess)),
        };
        let value = value.map_or_else(|| "-".to_owned(), number);
        let (workload, figure, who) = (goal.workload, goal.figure, goal.who);
        let _ = writeln!(out, "| `{workload}` | {figure} | {who} | {value} | {} | {verdict} |", bounds.join(" or "));
    }
    out
}

impl Bound {
    /// The bound as text, and the figure divided by it the way that above 1 is a miss.
    fn set_against(&self, run: &Finished, goal: &Goal) -> Option<(String, f64)> {
        let value = || run.median(goal.who, goal.figure);
        let ratio = |base| run.median_ratio(goal.who, base, goal.figure);
        Some(match self {
            Times(base, times) => {
                let ratio = ratio(base)?;
                (format!("{times} x {base} (is {})", number(ratio)), ratio / times)
            }
            AtLeastTimes(base, times) => {
                let ratio = ratio(base)?;
                (format!("{times} x {base} (is {})", number(ratio)), times / ratio)
            }
            AtMost(bound) => (bound.to_string(), value()? / bound),
            AtLeast(bound) => (bound.to_string(), bound / value()?),
            Above(other, more) => {
                let bound = run.median(goal.who, other)? + more;
                (format!("{other} + {more} = {}", number(bound)), value()? / bound)
            }
        })
    }
}
