//! librdkafka's own test suite on Klamm, always in full: each line of `librdkafka/passing.txt` is a process of its own.
//!
//! The list only grows. `librdkafka/left_out.txt` names every other test of the suite with the reason why it does not run.
//! Together they have to cover the suite, so that a new version of it cannot bring tests that nobody looked at.
//! `KLAMM_INTEROP_ON=kafka` runs the list on Apache Kafka, `KLAMM_LIBRDKAFKA=0012` the lines that begin so.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

use crate::need;
use crate::support::broker::{Broker, Kind, Plan, tried};
use crate::support::clients::missing;
use crate::support::process::run;
use crate::support::{tests_folder, turn};

/// Tests at once: they wait for timers most of the time, but some give up when the machine is too slow.
const AT_ONCE: usize = 3;
/// A test ends itself long before, by timeouts of its own.
const LIMIT: Duration = Duration::from_secs(240);
/// Of what a failed test said.
const TAIL_LINES: usize = 40;

#[test]
fn librdkafkas_own_tests_pass() {
    let _turn = turn();
    need!(suite());
    let kind = if tried(Kind::Klamm) { Kind::Klamm } else { Kind::Kafka };
    let only = std::env::var("KLAMM_LIBRDKAFKA").unwrap_or_default();
    let chosen: Vec<Line> = passing().into_iter().filter(|line| line.name.starts_with(&only)).collect();
    let mut failures = Vec::new();
    for scenario in ["default", "noautocreate", "delayed"] {
        let mut lines: Vec<Line> = chosen.iter().filter(|line| line.scenario == scenario).cloned().collect();
        // the suite knows tests by their numbers, which some share: those run together, and for all of them
        lines.dedup_by(|next, line| next.subtest.is_none() && line.subtest.is_none() && next.number() == line.number());
        if !lines.is_empty() {
            failures.extend(run_all(kind, scenario, lines));
        }
    }
    assert!(failures.is_empty(), "{} of librdkafka's tests failed:\n{}", failures.len(), failures.join("\n\n"));
}

#[test]
fn every_test_of_librdkafkas_suite_runs_or_is_left_out_with_a_reason() {
    let _turn = turn();
    need!(suite());
    let folder = tempfile::tempdir().expect("make a folder");
    // a number that no test has
    run(script().args(["run", "none", "127.0.0.1:1"]).current_dir(folder.path()), LIMIT).out();
    let suite: BTreeSet<String> = report(folder.path()).into_keys().filter(|name| name != "<MAIN>").collect();
    let (whole, in_part): (Vec<Line>, Vec<Line>) = passing().into_iter().partition(|line| line.subtest.is_none());
    let whole: BTreeSet<String> = whole.into_iter().map(|line| line.name).collect();
    let left_out: BTreeSet<String> = left_out().into_keys().collect();
    let listed: BTreeSet<String> = whole.union(&left_out).cloned().collect();
    let difference = |a: &BTreeSet<String>, b: &BTreeSet<String>| a.difference(b).cloned().collect::<Vec<_>>();
    assert_eq!(difference(&suite, &listed), Vec::<String>::new(), "tests of the suite that no list names");
    assert_eq!(difference(&listed, &suite), Vec::<String>::new(), "listed tests that the suite does not have");
    assert_eq!(whole.intersection(&left_out).collect::<Vec<_>>(), Vec::<&String>::new(), "tests on both lists");
    for line in in_part {
        assert!(left_out.contains(&line.name), "{line:?} runs in part: what is left out needs a reason");
    }
}

#[test]
fn the_lists_of_librdkafkas_tests_can_be_read() {
    let line = |text: &str| Line::parse(text).expect("a line");
    assert_eq!(line("0001_multiobj").number(), "0001");
    assert_eq!(line("0111_delay @noautocreate").scenario, "noautocreate");
    assert_eq!(line("0081_admin linger.ms < 1000").subtest.as_deref(), Some("linger.ms < 1000"));
    assert!(!passing().is_empty(), "the list is there");
    for (name, reason) in left_out() {
        assert!(!reason.is_empty(), "{name} is left out without a reason");
    }
}

/// A line of `passing.txt`: `NAME [SUBTEST] [@noautocreate | @delayed]`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    name: String,
    /// Only the subtests whose name contains it.
    subtest: Option<String>,
    /// `noautocreate`: on a broker that makes no topics by itself. `delayed`: on one that waits for more members of a new group.
    scenario: &'static str,
}

impl Line {
    fn parse(text: &str) -> Option<Line> {
        let (mut words, mut scenario) = (Vec::new(), "default");
        for word in text.split_whitespace() {
            match word {
                "@noautocreate" => scenario = "noautocreate",
                "@delayed" => scenario = "delayed",
                _ => words.push(word),
            }
        }
        let (name, subtest) = words.split_first()?;
        let subtest = (!subtest.is_empty()).then(|| subtest.join(" "));
        Some(Line { name: (*name).to_owned(), subtest, scenario })
    }

    /// By which the suite chooses tests.
    fn number(&self) -> &str {
        self.name.split('_').next().unwrap_or_default()
    }
}

fn passing() -> Vec<Line> {
    lines("passing.txt").iter().filter_map(|line| Line::parse(line)).collect()
}

/// Names and reasons.
fn left_out() -> BTreeMap<String, String> {
    let halves = |line: &String| {
        let (name, reason) = line.split_once(' ').unwrap_or((line, ""));
        (name.to_owned(), reason.trim().to_owned())
    };
    lines("left_out.txt").iter().map(halves).collect()
}

fn lines(file: &str) -> Vec<String> {
    let text = std::fs::read_to_string(folder().join(file)).expect("read a list of tests");
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim().to_owned());
    lines.filter(|line| !line.is_empty()).collect()
}

fn folder() -> PathBuf {
    tests_folder().join("interop/librdkafka")
}

fn script() -> Command {
    Command::new(folder().join("suite"))
}

/// Whether the suite is built.
fn suite() -> Option<()> {
    let built = script().arg("version").output().is_ok_and(|output| output.status.success());
    if built { Some(()) } else { missing("librdkafka's test suite (tests/interop/librdkafka/suite install)") }
}

/// Runs the lines on a broker of their own; what went wrong, a text for each failed line.
fn run_all(kind: Kind, scenario: &str, lines: Vec<Line>) -> Vec<String> {
    let folder = tempfile::tempdir().expect("make a folder");
    // as the suite's authors set up theirs
    let plan = Plan::new(kind, &folder.path().join("broker")).set("num.partitions=4");
    let creates = if scenario == "noautocreate" { "false" } else { "true" };
    let delay = if scenario == "delayed" { "3000" } else { "0" };
    let plan = plan.set(&format!("auto.create.topics.enable={creates}"));
    let broker = plan.set(&format!("group.initial.rebalance.delay.ms={delay}")).start();
    let (queue, failures) = (Mutex::new(lines.into_iter().enumerate()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some((index, line)) = next else { break };
                    let own = folder.path().join(index.to_string());
                    if let Err(text) = run_one(&broker, &own, &line) {
                        failures.lock().unwrap_or_else(PoisonError::into_inner).push(text);
                    }
                }
            });
        }
    });
    failures.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn run_one(broker: &Broker, folder: &Path, line: &Line) -> Result<(), String> {
    std::fs::create_dir(folder).expect("make a folder");
    let mut command = Command::new("timeout");
    command.args(["-k", "5", &LIMIT.as_secs().to_string()]).arg(script().get_program());
    let scenario = if line.scenario == "delayed" { "default" } else { line.scenario };
    command.args(["run", line.number(), &broker.bootstrap(), scenario]).args(&line.subtest);
    let finished = run(command.current_dir(folder), LIMIT + Duration::from_secs(30));
    let state = report(folder).remove(&line.name);
    let said = finished.both();
    // a test none of whose subtests was chosen passes as well
    let ran = line
        .subtest
        .as_ref()
        .is_none_or(|subtest| said.lines().any(|line| line.contains(subtest.as_str()) && line.contains(": PASS (")));
    if state.as_deref() == Some("PASSED") && finished.status.success() && ran {
        return Ok(());
    }
    let kept: Vec<&str> = said.lines().filter(|line| !line.contains("test(s) running")).collect();
    let mut text = format!("{line:?} is {state:?} on {:?}, {}:", broker.kind(), finished.status);
    for line in kept.iter().skip(kept.len().saturating_sub(TAIL_LINES)) {
        let _ = write!(text, "\n    {line}");
    }
    Err(text)
}

/// What the suite wrote of each of its tests: PASSED, FAILED, SKIPPED or DNS (did not start). Empty when it was killed.
fn report(folder: &Path) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(folder.join("report.json")).unwrap_or_default();
    let report: Value = serde_json::from_str(&text).unwrap_or_default();
    let tests = report.get("tests").and_then(Value::as_object).cloned().unwrap_or_default();
    let state = |test: &Value| test.get("state").and_then(Value::as_str).unwrap_or_default().to_owned();
    tests.iter().map(|(name, test)| (name.clone(), state(test))).collect()
}
