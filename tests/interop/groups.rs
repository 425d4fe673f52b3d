//! Groups of every client at once: members join, leave and crash, static ones come back, the broker is killed twice.
//!
//! All groups read one topic that is written to from the first to the last moment. Each member (`groups/`, `clients/go`)
//! prints what befalls it; `groups/judge.rs` reads it. The programs of a family (Java, Python, node, Go) host a member of
//! many groups: a process for each would be too many.
//!
//! Nothing is judged by how long it took. Sessions that must not end are of a minute; one that ends nevertheless excuses
//! what it has to, by the broker's log.

mod judge;
mod plots;

use std::collections::BTreeMap;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::process::Signal;

use crate::need;
use crate::support::broker::{Broker, Kind, Plan, kinds};
use crate::support::clients::{Java, python};
use crate::support::go::exercise;
use crate::support::node::Node;
use crate::support::process::{Guarded, words};
use crate::support::topic::{Topic, committed, end_offsets, group_states};
use crate::support::{tests_folder, turn};
use judge::{Event, Group, Story, What};
use plots::{PLOTS, Plot, Role, long_sessions, short_sessions};

const TOPIC: &str = "shared-by-groups";
const PARTITIONS: i32 = 8;
const RECORDS_PER_SECOND: &str = "150";
const LIMIT: Duration = Duration::from_secs(180);
/// Nothing has moved for so long, in microseconds.
const QUIET: i64 = 1_000_000;
const SETTINGS: [&str; 5] = [
    "offsets.topic.num.partitions=4",
    "group.initial.rebalance.delay.ms=0",
    "group.consumer.min.session.timeout.ms=10000",
    "group.consumer.heartbeat.interval.ms=500",
    "group.consumer.min.heartbeat.interval.ms=500",
];
/// What a broker logs when it removes a member that has not left: Klamm's words, then Apache Kafka's.
const REMOVED: [&str; 5] = ["session is over", "in time", "is removed", "has failed", "fenced from"];

#[test]
fn groups_of_every_client_lose_nothing_and_repeat_nothing_that_was_committed() {
    let _turn = turn();
    let (java, python) = (need!(Java::find()), need!(python()));
    let clients = Clients { java, python, node: need!(Node::find()), go: need!(exercise()) };
    let only = std::env::var("KLAMM_GROUPS").unwrap_or_default();
    // What clients do to themselves when a broker dies is theirs, and often: the promise is ours. On Apache Kafka when asked for.
    let asked = std::env::var("KLAMM_INTEROP_ON").is_ok_and(|on| on == "kafka");
    for kind in kinds().into_iter().filter(|kind| asked || *kind == Kind::Klamm) {
        let plots = PLOTS.iter().filter(|plot| plot.name().contains(&only)).collect();
        let mut play = Play::new(kind, &clients, plots);
        play.run();
    }
}

struct Clients {
    java: Java,
    python: PathBuf,
    node: Node,
    go: PathBuf,
}

impl Clients {
    const FAMILIES: [&'static [&'static str]; 4] =
        [&["java"], &["confluent", "kafka-python", "aiokafka"], &["kafkajs"], &["franz-go", "sarama"]];

    /// A family's program; its arguments are missing.
    fn program(&self, family: &[&str]) -> Command {
        let programs = tests_folder().join("interop/groups");
        match family.first() {
            Some(&"java") => self.java.program(&programs.join("Members.java")),
            Some(&"kafkajs") => self.node.program(&programs.join("members.js")),
            Some(&"franz-go") => {
                let mut command = Command::new(&self.go);
                command.arg("members");
                command
            }
            _ => {
                let mut command = Command::new(&self.python);
                command.arg(programs.join("members.py")).arg("members");
                command
            }
        }
    }
}

/// A program with the members that it hosts.
struct Host {
    role: Role,
    process: Guarded,
    log: PathBuf,
    read: u64,
    /// Group and member.
    members: Vec<(String, String)>,
}

struct Play<'a> {
    clients: &'a Clients,
    plots: Vec<&'a Plot>,
    folder: tempfile::TempDir,
    broker: Option<Broker>,
    hosts: Vec<Host>,
    /// Of each group.
    stories: BTreeMap<String, Story>,
    /// What the brokers that are dead have logged of members removed.
    removed: String,
    logs: usize,
}

impl<'a> Play<'a> {
    fn new(kind: Kind, clients: &'a Clients, plots: Vec<&'a Plot>) -> Play<'a> {
        let folder = tempfile::tempdir().expect("make a folder");
        let plan = Plan::new(kind, &folder.path().join("broker"));
        let plan = SETTINGS.iter().fold(plan, |plan, setting| plan.set(setting));
        let broker = plan.set(&short_sessions()).start();
        Topic { name: TOPIC, partitions: PARTITIONS, configs: &[] }.create(&broker.bootstrap());
        let stories = plots.iter().map(|plot| (plot.name(), Story::default())).collect();
        let (hosts, removed) = (Vec::new(), String::new());
        Play { clients, plots, folder, broker: Some(broker), hosts, stories, removed, logs: 0 }
    }

    fn run(&mut self) {
        let mut producer = self.producer();
        self.start(Role::First);
        self.settled("the first members", &[Role::First]);
        self.wait("members pause, resume and seek", |play, plot| {
            let group = play.group(plot);
            !plot.steps || (group.pauses > 0 && group.seeks > 0)
        });
        self.start(Role::Joining);
        self.settled("more members", &[Role::First, Role::Joining]);
        self.kill(Role::Joining);
        self.settled("the crash", &[Role::First]);
        self.start(Role::Later);
        self.start(Role::Static);
        let all = [Role::First, Role::Later, Role::Static];
        self.settled("static and later members", &all);

        // not while one is joining: a static member of librdkafka whose join is cut off fences itself
        self.undisturbed("the broker's death", &all, |play| play.kill_broker());
        // not a crash: with the consumer protocol a static member has to say that it will be back
        self.undisturbed("static members' return, the broker killed meanwhile", &all, |play| {
            play.stop(Role::Static);
            play.kill_broker();
            play.start(Role::Static);
        });
        self.stop(Role::Later);
        self.settled("members left", &[Role::First, Role::Static]);

        producer.0.signal(Signal::TERM);
        producer.0.wait(LIMIT);
        let produced = std::fs::read_to_string(&producer.1).expect("read the producer's log");
        let ends = end_offsets(&self.bootstrap(), TOPIC, PARTITIONS);
        let wanted = format!("produced {}, 0 refused, 0 left\n", ends.iter().sum::<i64>());
        assert!(produced.ends_with(&wanted), "{:?}: {ends:?} but {produced}", self.kind());
        self.wait("every record is seen", |play, plot| {
            i64::try_from(play.story(plot).seen.len()).expect("a few") == ends.iter().sum::<i64>()
        });
        self.wait("everything is committed", |play, plot| play.committed(plot) == ends);
        self.stop(Role::First);
        self.stop(Role::Static);
        self.judge(&ends);
    }

    fn kind(&self) -> Kind {
        self.broker.as_ref().expect("it runs").kind()
    }

    fn bootstrap(&self) -> String {
        self.broker.as_ref().expect("it runs").bootstrap()
    }

    fn log(&mut self) -> PathBuf {
        self.logs += 1;
        self.folder.path().join(format!("log-{}", self.logs))
    }

    fn producer(&mut self) -> (Guarded, PathBuf) {
        let program = tests_folder().join("interop/groups/members.py");
        let words = [self.clients.python.as_path(), &program].map(|word| word.display().to_string());
        let rest = ["produce", &self.bootstrap(), TOPIC, RECORDS_PER_SECOND].map(str::to_owned);
        let log = self.log();
        (Guarded::start(&[words.as_slice(), rest.as_slice()].concat(), &log, None), log)
    }

    /// A process for each family that has members of that role.
    fn start(&mut self, role: Role) {
        for family in Clients::FAMILIES {
            let (mut members, mut specs) = (Vec::new(), Vec::new());
            for plot in self.plots.iter().filter(|plot| family.contains(&plot.client)) {
                for member in plot.members(role) {
                    specs.push(plot.spec(role, &member));
                    members.push((plot.name(), member));
                }
            }
            if members.is_empty() {
                continue;
            }
            let mut command = self.clients.program(family);
            command.args([&self.bootstrap(), TOPIC]).args(specs);
            let log = self.log();
            let process = Guarded::start(&words(&command), &log, None);
            self.hosts.push(Host { role, process, log, read: 0, members });
        }
    }

    /// `kill -9`.
    fn kill(&mut self, role: Role) {
        for host in self.end(role, Signal::KILL) {
            for (group, member) in host.members {
                let what = What::Ended("killed".to_owned());
                self.tell(Event { at: now(), group, member, what });
            }
        }
    }

    /// They leave.
    fn stop(&mut self, role: Role) {
        self.end(role, Signal::TERM);
    }

    fn end(&mut self, role: Role, signal: Signal) -> Vec<Host> {
        let mut hosts: Vec<Host> = self.hosts.extract_if(.., |host| host.role == role).collect();
        hosts.iter().for_each(|host| host.process.signal(signal));
        for host in &mut hosts {
            host.process.wait(LIMIT);
            host.news().into_iter().for_each(|event| self.tell(event));
        }
        hosts
    }

    /// `kill -9`; it is back when each group reads on.
    fn kill_broker(&mut self) {
        let killed = now();
        self.removed = self.removals();
        let plan = self.broker.take().expect("it runs").kill();
        self.broker = Some(plan.set(&long_sessions()).start());
        self.wait("every group reads on after the broker's death", |play, plot| {
            play.story(plot).seen_at > killed + QUIET
        });
    }

    /// In groups with a static member that one has what it had when it is over, and no partition went from or to another:
    /// no session is over, nobody joins.
    fn undisturbed(&mut self, what: &str, all: &[Role], act: impl FnOnce(&mut Play)) {
        self.refresh();
        let begun = now();
        let held = |play: &Play, plot: &Plot| play.group(plot).held.get("static0").cloned();
        let plots: Vec<&Plot> = self.plots.iter().copied().filter(|plot| plot.instance).collect();
        let before: Vec<_> = plots.iter().map(|plot| held(self, plot)).collect();
        act(self);
        self.settled(what, all);
        for (plot, before) in plots.into_iter().zip(before) {
            let moved = |event: &Event| match &event.what {
                What::Assigned(partitions) | What::Gone(partitions) => {
                    event.at > begun && event.member != "static0" && !partitions.is_empty()
                }
                _ => false,
            };
            let disturbed = self.story(plot).rare.iter().any(moved);
            assert!(!disturbed, "{:?}: {what} was noticed: {}", self.kind(), self.state(plot));
            assert_eq!(held(self, plot), before, "{:?}: {what}: {}", self.kind(), self.state(plot));
        }
    }

    fn story(&self, plot: &Plot) -> &Story {
        self.stories.get(&plot.name()).expect("every group has its story")
    }

    /// Who holds what.
    fn group(&self, plot: &Plot) -> Group {
        self.story(plot).outline()
    }

    fn committed(&self, plot: &Plot) -> Vec<i64> {
        let of = |partition| committed(&self.bootstrap(), &plot.name(), TOPIC, partition);
        (0..PARTITIONS).map(|partition| of(partition).unwrap_or(-1)).collect()
    }

    /// Waits until the partitions of every group are shared among its members, and nothing moves.
    fn settled(&mut self, after: &str, roles: &[Role]) {
        let begun = Instant::now();
        self.wait(&format!("groups settle after {after}"), |play, plot| {
            let members = roles.iter().map(|role| plot.members(*role).len()).sum();
            let group = play.group(plot);
            let shared = group.shares(PARTITIONS, members) && now() - group.moved_at > QUIET;
            // a member that has partitions to give away has perhaps not heard of it yet
            shared && group_states(&play.bootstrap()).get(&plot.name()).is_some_and(|state| state == "Stable")
        });
        println!("{:?}: settled after {after}: {:?}", self.kind(), begun.elapsed());
    }

    /// Polls until it holds of every group.
    fn wait(&mut self, what: &str, holds: impl Fn(&Play, &Plot) -> bool) {
        let begun = Instant::now();
        let mut open = self.plots.clone();
        loop {
            self.refresh();
            open.retain(|plot| !holds(self, plot));
            if open.is_empty() {
                return;
            }
            if begun.elapsed() > LIMIT {
                let states: Vec<String> = open.iter().map(|plot| self.state(plot)).collect();
                panic!("{:?}: {what}: not within {LIMIT:?} for\n{}{}", self.kind(), states.join("\n"), self.tails());
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn state(&self, plot: &Plot) -> String {
        let (name, group, story) = (plot.name(), self.group(plot), self.story(plot));
        let mut last: Vec<&Event> = story.rare.iter().collect();
        last.sort_by_key(|event| event.at);
        let last = last.iter().rev().take(25).rev().map(|e| format!("\n    {} {} {:?}", e.at, e.member, e.what));
        let mut text = format!("{name}: held {:?}, {} seen{}", group.held, story.seen.len(), last.collect::<String>());
        let log = self.broker.as_ref().map(Broker::log).unwrap_or_default();
        log.lines().filter(|line| line.contains(&name)).for_each(|line| text += &format!("\n    {line}"));
        text
    }

    /// What the brokers have logged of members that were removed, to now.
    fn removals(&self) -> String {
        let log = self.broker.as_ref().map(Broker::log).unwrap_or_default();
        let removal = |line: &&str| REMOVED.iter().any(|words| line.contains(words));
        log.lines().filter(removal).fold(self.removed.clone(), |all, line| all + line + "\n")
    }

    /// The ends of what the programs say besides.
    fn tails(&self) -> String {
        let of = |host: &Host| {
            let text = std::fs::read_to_string(&host.log).unwrap_or_default();
            let others: Vec<&str> = text.lines().filter(|line| Event::parse(line).is_none()).collect();
            let from = others.len().saturating_sub(15);
            format!("\n--- {:?}\n{}", host.role, others.get(from..).unwrap_or_default().join("\n"))
        };
        self.hosts.iter().map(of).collect()
    }

    fn refresh(&mut self) {
        let news: Vec<Event> = self.hosts.iter_mut().flat_map(Host::news).collect();
        news.into_iter().for_each(|event| self.tell(event));
    }

    fn tell(&mut self, event: Event) {
        self.stories.entry(event.group.clone()).or_default().add(event);
    }

    fn judge(&self, ends: &[i64]) {
        let (mut faults, removals) = (Vec::new(), self.removals());
        for plot in &self.plots {
            let (name, group) = (plot.name(), self.story(plot).group());
            let mut found = group.faults(ends);
            let removed = removals.lines().filter(|line| line.contains(&name)).count();
            if removed <= plot.members(Role::Joining).len() {
                found.extend(group.overlaps);
            }
            let at_broker = self.committed(plot);
            if at_broker != ends {
                found.push(format!("{at_broker:?} committed, but {ends:?} are the ends"));
            }
            if !found.is_empty() {
                found.truncate(12);
                faults.push(format!("{name}: {} errors\n    {}", group.errors.len(), found.join("\n    ")));
            }
        }
        assert!(faults.is_empty(), "{:?}:\n{}", self.kind(), faults.join("\n"));
    }
}

impl Host {
    /// What its members have said since the last time.
    fn news(&mut self) -> Vec<Event> {
        let mut text = String::new();
        let mut file = std::fs::File::open(&self.log).expect("open a log");
        file.seek(SeekFrom::Start(self.read)).expect("seek in a log");
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).expect("read a log");
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        self.read += whole as u64;
        text.push_str(&String::from_utf8_lossy(bytes.get(..whole).unwrap_or_default()));
        text.lines().filter_map(Event::parse).collect()
    }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_micros()).expect("before 292277")
}
