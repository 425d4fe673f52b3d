//! A group of kcats: two share a topic, one leaves, one dies, the topic grows.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::living::Living;
use crate::clients::prefix;
use crate::need;
use crate::support::broker::{Kind, Shared, kinds, shared};
use crate::support::clients::kcat;
use crate::support::process::run;
use crate::support::topic::{Topic, committed, end_offsets, grow_topic};
use crate::support::{turn, wait_for};

const LIMIT: Duration = Duration::from_secs(180);
/// One that ends while the test runs, and one that does not.
const SHORT_MS: u32 = 6_000;
const LONG_MS: u32 = 60_000;

#[test]
fn a_group_of_kcats_loses_nothing_and_repeats_nothing_that_was_committed() {
    let _turn = turn();
    let program = need!(kcat());
    // side by side: most of the time a session has to end
    std::thread::scope(|scope| {
        let threads: Vec<_> = kinds().into_iter().map(|kind| scope.spawn(move || played(program, kind))).collect();
        threads.into_iter().for_each(|thread| thread.join().expect("a broker has its group"));
    });
}

fn played(program: &'static str, kind: Kind) {
    let begun = Instant::now();
    let folder = tempfile::tempdir().expect("make a folder");
    let (broker, topic) = (shared(kind), prefix("kcats"));
    Topic { name: &topic, partitions: 4, configs: &[] }.create(&broker.bootstrap);
    let mut group = Group { program, broker, topic, folder: folder.path(), sent: 0, partitions: 4 };

    let first = group.member("first", LONG_MS);
    group.send();
    group.seen(&[&first]);
    let second = group.member("second", LONG_MS);
    group.shared(&[&first, &second]);
    group.send();
    group.seen(&[&first, &second]);
    second.leave();
    group.shared(&[&first]);
    group.send();
    let both = group.seen(&[&first, &second]);
    // one that leaves has committed what it saw, and nobody was away for a minute
    assert!(both.values().all(|times| *times == 1), "{kind:?}: seen more than once: {both:?}");

    let third = group.member("third", SHORT_MS);
    group.shared(&[&first, &third]);
    group.send();
    group.seen(&[&first, &second, &third]);
    third.die();
    let held = first.held();
    let floors: Vec<_> = (0..4).map(|partition| (partition, group.committed(partition))).collect();
    let before = first.records().len();
    // unless the third was thought dead before it was
    let known = first.held() == held && held.len() == 2;
    group.send();
    group.seen(&[&first, &second, &third]);
    let after = first.records().split_off(before);
    for (partition, floor) in floors.into_iter().filter(|(partition, _)| known && !held.contains(partition)) {
        let begin = after.iter().find(|(of, _)| *of == partition).map(|(_, offset)| *offset);
        assert!(begin >= floor, "{kind:?}: {floor:?} was committed for {partition}, read again from {begin:?}");
    }

    group.grow(6);
    group.shared(&[&first]);
    group.send();
    group.seen(&[&first, &second, &third]);
    first.leave();
    let ends = end_offsets(&group.broker.bootstrap, &group.topic, group.partitions);
    let committed: Vec<i64> = (0..group.partitions).filter_map(|partition| group.committed(partition)).collect();
    assert_eq!(committed, ends, "{kind:?}");
    println!("{kind:?}: {:?}", begun.elapsed());
}

struct Group<'a> {
    program: &'static str,
    broker: Shared,
    /// Its name is also the group's.
    topic: String,
    folder: &'a Path,
    sent: i64,
    partitions: i32,
}

impl Group<'_> {
    fn member(&self, name: &str, session_ms: u32) -> Member {
        let mut command = Command::new(self.program);
        command.args(["-b", &self.broker.bootstrap, "-G", &self.topic, "-u", "-f", "record %p %o\\n"]);
        for setting in ["auto.offset.reset=earliest", "auto.commit.interval.ms=200", "heartbeat.interval.ms=500"] {
            command.args(["-X", setting]);
        }
        command.args(["-X", &format!("session.timeout.ms={session_ms}")]);
        command.args(["-X", "topic.metadata.refresh.interval.ms=500"]).arg(&self.topic);
        Member { living: Living::start(command, &self.folder.join(name)).into() }
    }

    /// A hundred records, by their keys into every partition.
    fn send(&mut self) {
        let lines: String = (0..100).map(|number| format!("{number}\t{number}\n")).collect();
        let file = self.folder.join("lines");
        std::fs::write(&file, lines).expect("write what is sent");
        let mut command = Command::new(self.program);
        command.args(["-P", "-b", &self.broker.bootstrap, "-t", &self.topic, "-K", "\t", "-X", "acks=all", "-l"]);
        run(command.arg(&file), LIMIT).out();
        self.sent += 100;
    }

    /// Waits until the members share all partitions, each as many.
    fn shared(&self, members: &[&Member]) {
        let all: Vec<i32> = (0..self.partitions).collect();
        wait_for("every partition has its reader", LIMIT, || {
            let held: Vec<Vec<i32>> = members.iter().map(|member| member.held()).collect();
            let mut union = held.concat();
            union.sort_unstable();
            let fair = held.iter().all(|held| held.len() * members.len() == all.len());
            (fair && union == all).then_some(())
        });
    }

    /// Waits until all that was sent is seen; how often each.
    fn seen(&self, members: &[&Member]) -> BTreeMap<(i32, i64), usize> {
        wait_for("every record is seen", LIMIT, || {
            let mut seen = BTreeMap::new();
            for record in members.iter().flat_map(|member| member.records()) {
                *seen.entry(record).or_default() += 1;
            }
            let ends = end_offsets(&self.broker.bootstrap, &self.topic, self.partitions);
            assert_eq!(ends.iter().sum::<i64>(), self.sent, "{ends:?}");
            let whole = (0..).zip(&ends).all(|(partition, end)| {
                seen.range((partition, 0)..(partition + 1, 0)).count() == usize::try_from(*end).expect("a few")
            });
            whole.then_some(seen)
        })
    }

    fn committed(&self, partition: i32) -> Option<i64> {
        committed(&self.broker.bootstrap, &self.topic, &self.topic, partition)
    }

    fn grow(&mut self, partitions: i32) {
        grow_topic(&self.broker.bootstrap, &self.topic, partitions);
        self.partitions = partitions;
    }
}

struct Member {
    living: std::cell::RefCell<Living>,
}

impl Member {
    fn said(&self) -> String {
        self.living.borrow().said()
    }

    /// Partition and offset of each record that it printed, in its order.
    fn records(&self) -> Vec<(i32, i64)> {
        let said = self.said();
        let whole = said.rfind('\n').map_or("", |end| said.get(..=end).unwrap_or_default());
        let record = |line: &str| {
            let (partition, offset) = line.strip_prefix("record ")?.split_once(' ')?;
            Some((partition.parse().ok()?, offset.parse().ok()?))
        };
        whole.lines().filter_map(record).collect()
    }

    /// What it said last of its partitions.
    fn held(&self) -> Vec<i32> {
        let said = self.said();
        let last = said.lines().rfind(|line| line.contains(" rebalanced (memberid ") && line.contains("): "));
        let Some((_, assigned)) = last.and_then(|line| line.split_once("): assigned: ")) else { return Vec::new() };
        let number = |part: &str| part.split_once(']').and_then(|(number, _)| number.parse().ok());
        let mut held: Vec<i32> = assigned.split('[').skip(1).filter_map(number).collect();
        held.sort_unstable();
        held
    }

    fn leave(&self) {
        self.end(Signal::TERM);
    }

    fn die(&self) {
        self.end(Signal::KILL);
    }

    fn end(&self, signal: Signal) {
        self.living.borrow().signal(signal);
        wait_for("a kcat ends", LIMIT, || self.living.borrow_mut().has_ended().then_some(()));
    }
}
