//! Kafka Streams: an application that counts and joins (`streams/Shop.java`), in two instances of which one is killed, the
//! broker too; `kafka-streams-application-reset` on it; and that it does everything once when nothing is killed. What is said
//! on the way stands in `streams/said/`, which `KLAMM_BLESS=1` writes anew from Apache Kafka.

mod oracle;

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::need;
use crate::support::broker::{Broker, Kind, Plan, kinds};
use crate::support::clients::{Java, kcat};
use crate::support::process::{Guarded, run, words};
use crate::support::topic::{Topic, end_offsets};
use crate::support::{tests_folder, turn, wait_for};
use oracle::{Fed, Records, Times};

const LIMIT: Duration = Duration::from_secs(120);
const INPUTS: [&str; 4] = ["lines", "orders", "payments", "customers"];
const OUTPUTS: [&str; 4] = ["counted", "enriched", "joined", "paid"];
/// Two partitions of each of its four parts.
const TASKS: [&str; 8] = ["0_0", "0_1", "1_0", "1_1", "2_0", "2_1", "3_0", "3_1"];
/// Of the instance that is killed.
const SHORT_SESSION_MS: &str = "10000";
const LONG_SESSION_MS: &str = "45000";

/// Most of the time the broker waits for Java: the two play side by side.
#[test]
fn streams_lose_nothing_when_an_instance_and_the_broker_are_killed() {
    let _turn = turn();
    let (java, kcat) = (need!(Java::find()), need!(kcat()));
    std::thread::scope(|scope| {
        for kind in kinds() {
            scope.spawn(move || Play::new(kind, java, kcat).run());
        }
    });
}

/// A running instance.
struct Instance {
    process: Guarded,
    log: PathBuf,
}

impl Instance {
    fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// What stands behind a word at the beginning of a line.
    fn said(&self, word: &str) -> Vec<String> {
        let of = |line: &str| Some(line.strip_prefix(word)?.strip_prefix(' ')?.to_owned());
        self.log().lines().filter_map(of).collect()
    }

    fn tasks(&self) -> Vec<String> {
        let last = self.said("tasks").pop().unwrap_or_default();
        last.split(' ').filter(|task| !task.is_empty()).map(str::to_owned).collect()
    }

    /// How many records of changelogs it has read to have its stores.
    fn restored(&self) -> u64 {
        let count = |line: String| line.split(' ').next().and_then(|count| count.parse::<u64>().ok());
        self.said("restored").into_iter().filter_map(count).sum()
    }

    /// It leaves its group.
    fn stop(mut self) {
        self.process.signal(Signal::TERM);
        self.process.wait(LIMIT);
        assert_eq!(self.said("closed"), ["true"], "{}", self.log());
    }
}

struct Play {
    kind: Kind,
    java: Java,
    kcat: &'static str,
    folder: tempfile::TempDir,
    broker: Option<Broker>,
    fed: Fed,
    instances: u32,
}

impl Play {
    fn new(kind: Kind, java: Java, kcat: &'static str) -> Play {
        let folder = tempfile::tempdir().expect("make a folder");
        let plan = Plan::new(kind, &folder.path().join("broker"));
        let broker = plan.set("offsets.topic.num.partitions=1").set("group.initial.rebalance.delay.ms=0").start();
        for name in INPUTS {
            Topic { name, partitions: 2, configs: &[] }.create(&broker.bootstrap());
        }
        for name in OUTPUTS {
            Topic { name, partitions: 1, configs: &[] }.create(&broker.bootstrap());
        }
        Play { kind, java, kcat, folder, broker: Some(broker), fed: Fed::default(), instances: 0 }
    }

    fn run(&mut self) {
        let begun = Instant::now();
        self.no_streams_groups();
        self.send("customers", &Fed::customers());
        self.feed(1000);
        let mut first = self.start(SHORT_SESSION_MS);
        self.told("the first instance has all tasks", &[&first], |[first]| first.tasks() == TASKS);
        self.told("the internal topics are told", &[&first], |[first]| !first.said("told").is_empty());
        self.check("internal-topics", &first.said("internal"));
        self.results(&[0; 4], Times::AtLeastOnce, &[&first]);

        let second = self.start(LONG_SESSION_MS);
        self.told("two instances share the tasks", &[&first, &second], |[first, second]| {
            let (mut all, more) = (first.tasks(), second.tasks());
            let both = !all.is_empty() && !more.is_empty();
            all.extend(more);
            all.sort();
            both && all == TASKS
        });
        if self.kind == Kind::Klamm {
            self.feed_until_counted(3000);
            let plan = self.broker.take().expect("it runs").kill();
            self.broker = Some(plan.start());
        }
        self.feed_until_counted(3000);
        first.process.signal(Signal::KILL);
        first.process.wait(LIMIT);
        self.feed(1000);
        self.told("the second instance has all tasks", &[&second], |[second]| second.tasks() == TASKS);
        self.results(&[0; 4], Times::AtLeastOnce, &[&first, &second]);
        assert!(second.restored() > 0, "{:?}: nothing was restored\n{}", self.kind, second.log());
        self.repartition_topics_are_purged();

        self.check_reset(&[], "reset-in-use");
        second.stop();
        self.check_reset(&["--dry-run"], "reset-dry-run");
        self.check_reset(&[], "reset");
        self.check_internal_topics_are_gone();

        let ends = OUTPUTS.map(|name| end_offsets(&self.bootstrap(), name, 1)[0]);
        let third = self.start(LONG_SESSION_MS);
        self.results(&ends, Times::Once, &[&third]);
        third.stop();
        println!("{:?}: {:?}", self.kind, begun.elapsed());
    }

    fn bootstrap(&self) -> String {
        self.broker.as_ref().expect("it runs").bootstrap()
    }

    fn program(&mut self, last: &str) -> (Command, PathBuf) {
        self.instances += 1;
        let folder = self.folder.path().join(format!("instance-{}", self.instances));
        let mut command = self.java.program_with_tools(&tests_folder().join("interop/streams/Shop.java"));
        command.args([&self.bootstrap(), &folder.display().to_string(), last]);
        (command, folder.with_extension("log"))
    }

    /// An instance on a state folder of its own.
    fn start(&mut self, session_ms: &str) -> Instance {
        let (command, log) = self.program(session_ms);
        Instance { process: Guarded::start(&words(&command), &log, None), log }
    }

    /// KIP-1071 where there is none.
    fn no_streams_groups(&mut self) {
        let (mut command, _) = self.program("streams");
        let said = run(&mut command, LIMIT).out();
        let thrown = said.lines().filter(|line| line.starts_with("thrown "));
        self.check("no-streams-groups", &thrown.map(str::to_owned).collect::<Vec<_>>());
    }

    fn send(&self, topic: &str, text: &str) {
        let file = self.folder.path().join(topic);
        std::fs::write(&file, text).expect("write what is fed");
        let mut command = Command::new(self.kcat);
        command.args(["-P", "-b", &self.bootstrap(), "-t", topic, "-K", "\t", "-X", "enable.idempotence=true"]);
        // as Streams spreads keys
        command.args(["-X", "topic.partitioner=murmur2_random", "-l"]).arg(file);
        run(&mut command, LIMIT).out();
    }

    fn feed(&mut self, lines: u64) {
        let text = self.fed.lines(lines);
        let (orders, payments) = self.fed.orders_and_payments(lines / 2);
        for (topic, text) in [("lines", text), ("orders", orders), ("payments", payments)] {
            self.send(topic, &text);
        }
    }

    /// Some of it is worked on when this returns.
    fn feed_until_counted(&mut self, lines: u64) {
        let counted = |play: &Play| end_offsets(&play.bootstrap(), "counted", 1);
        let before = counted(self);
        self.feed(lines);
        wait_for("a word is counted", LIMIT, || (counted(self) != before).then_some(()));
    }

    /// Waits until what instances said is as it should be.
    fn told<const N: usize>(&self, what: &str, instances: &[&Instance; N], holds: impl Fn(&[&Instance; N]) -> bool) {
        let begun = Instant::now();
        while !holds(instances) {
            let logs: Vec<String> = instances.iter().map(|instance| instance.log()).collect();
            assert!(
                begun.elapsed() < LIMIT,
                "{:?}: {what}: not within {LIMIT:?}:\n{}",
                self.kind,
                logs.join("\n---\n")
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Waits until the outputs, from some offsets, are those of all that was fed.
    fn results(&self, from: &[i64; 4], times: Times, instances: &[&Instance]) {
        let begun = Instant::now();
        loop {
            let of = |(topic, from): (&&str, &i64)| self.fed.faults(topic, &self.records(topic, *from), times);
            let faults: Vec<String> = OUTPUTS.iter().zip(from).flat_map(of).collect();
            if faults.is_empty() {
                return;
            }
            if begun.elapsed() > LIMIT {
                let logs: Vec<String> = instances.iter().map(|instance| instance.log()).collect();
                let some = faults.iter().take(20).map(String::as_str).collect::<Vec<_>>();
                panic!("{:?}: {} faults:\n{}\n{}", self.kind, faults.len(), some.join("\n"), logs.join("\n---\n"));
            }
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    fn records(&self, topic: &str, from: i64) -> Records {
        let mut command = Command::new(self.kcat);
        command.args(["-C", "-b", &self.bootstrap(), "-t", topic, "-p", "0", "-o", &from.to_string()]);
        let said = run(command.args(["-e", "-q", "-f", "%k\t%s\n"]), LIMIT).out();
        let record = |line: &str| line.split_once('\t').map(|(key, value)| (key.to_owned(), value.to_owned()));
        said.lines().filter_map(record).collect()
    }

    /// Streams deletes what it has read of its repartition topics.
    fn repartition_topics_are_purged(&self) {
        for topic in ["words", "by-customer"].map(|name| format!("shop-{name}-repartition")) {
            for partition in 0..2 {
                let first = format!("{topic}:{partition}:-2");
                wait_for(&format!("{:?}: {topic} is purged", self.kind), LIMIT, || {
                    let said =
                        run(Command::new(self.kcat).args(["-Q", "-b", &self.bootstrap(), "-t", &first]), LIMIT).out();
                    let offset = said.trim().rsplit(' ').next()?.parse::<i64>().ok()?;
                    (offset > 0).then_some(())
                });
            }
        }
    }

    /// Holds lines to those of a file of `streams/said/`, as Apache Kafka said them.
    fn check(&self, name: &str, said: &[String]) {
        let file = tests_folder().join("interop/streams/said").join(name).with_extension("txt");
        if self.kind == Kind::Kafka && std::env::var("KLAMM_BLESS").is_ok_and(|value| value == "1") {
            std::fs::write(&file, said.join("\n") + "\n").expect("write what was said");
        }
        let wanted = std::fs::read_to_string(&file).expect("read what is said");
        assert_eq!(said, wanted.lines().collect::<Vec<_>>(), "{:?}: {name}", self.kind);
    }

    fn check_reset(&self, more: &[&str], name: &str) {
        let mut command = self.java.tool("org.apache.kafka.tools.StreamsResetter");
        command.args(["--application-id", "shop", "--bootstrap-server", &self.bootstrap()]);
        let done = run(command.args(["--input-topics", &INPUTS.join(",")]).args(more), LIMIT);
        let mut said: Vec<String> = done.both().lines().filter(|line| !is_frame(line)).map(masked).collect();
        said.push(format!("= {}", done.status.code().unwrap_or(-1)));
        // in the order of a map
        said.sort();
        self.check(name, &said);
    }

    fn check_internal_topics_are_gone(&self) {
        wait_for("the internal topics are gone", LIMIT, || {
            let said = run(Command::new(self.kcat).args(["-L", "-b", &self.bootstrap()]), LIMIT).out();
            (!said.contains("\"shop-")).then_some(())
        });
    }
}

fn is_frame(line: &str) -> bool {
    line.starts_with("\tat ") || line.starts_with("\t... ")
}

/// Without what is of one run: a time, the member that is there, the order of a set.
fn masked(line: &str) -> String {
    let line = match line.split_once("] ") {
        Some((time, rest)) if time.starts_with("[20") => format!("[(time)] {rest}"),
        _ => line.to_owned(),
    };
    if let (Some((before, _)), Some((_, after))) = (line.split_once("members: ["), line.rsplit_once("]. ")) {
        return format!("{before}members: [(member)]. {after}");
    }
    let Some((before, topics)) = line.strip_suffix(']').and_then(|line| line.split_once("internal topics [")) else {
        return line;
    };
    let mut topics: Vec<&str> = topics.split(", ").collect();
    topics.sort_unstable();
    format!("{before}internal topics [{}]", topics.join(", "))
}
