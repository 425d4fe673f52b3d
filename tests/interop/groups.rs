//! Groups of every client at once: members join, leave and crash, one that is static comes back, the broker is killed.
//!
//! All groups read one topic that is written to from the first to the last moment. Each member (`groups/`) prints what
//! befalls it; `groups/judge.rs` reads it. The programs of a family (Java, Python, node) host a member of many groups: a
//! process for each would be too many.

mod judge;

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::process::Signal;

use crate::need;
use crate::support::broker::{Broker, Kind, Plan, kinds};
use crate::support::clients::{Java, python};
use crate::support::node::Node;
use crate::support::process::Guarded;
use crate::support::topic::{Topic, committed, end_offsets};
use crate::support::{tests_folder, turn};
use judge::{Event, Group, What};

const TOPIC: &str = "shared-by-groups";
const PARTITIONS: i32 = 8;
const RECORDS_PER_SECOND: &str = "150";
const LIMIT: Duration = Duration::from_secs(90);
/// Nothing has moved for so long, in microseconds.
const QUIET: i64 = 1_000_000;
/// Sessions are short enough to wait for their end and long enough for a Java to start.
const SETTINGS: [&str; 6] = [
    "offsets.topic.num.partitions=4",
    "group.initial.rebalance.delay.ms=0",
    "group.consumer.session.timeout.ms=10000",
    "group.consumer.min.session.timeout.ms=10000",
    "group.consumer.heartbeat.interval.ms=500",
    "group.consumer.min.heartbeat.interval.ms=500",
];
const SESSION_MS: &str = "10000";

/// A group: its client's part of the programs' words, members from the beginning and others that join, and what more.
struct Plot {
    client: &'static str,
    protocol: &'static str,
    assignor: &'static str,
    commit: &'static str,
    first: usize,
    joining: usize,
    /// One more member has an instance id.
    instance: bool,
    /// The first member pauses, resumes and seeks.
    steps: bool,
}

const fn plot(
    client: &'static str,
    [protocol, assignor, commit]: [&'static str; 3],
    (first, joining): (usize, usize),
    (instance, steps): (bool, bool),
) -> Plot {
    Plot { client, protocol, assignor, commit, first, joining, instance, steps }
}

const PLOTS: [Plot; 17] = [
    plot("java", ["classic", "range", "sync"], (4, 4), (false, false)),
    plot("java", ["classic", "roundrobin", "async"], (1, 1), (false, true)),
    plot("java", ["classic", "sticky", "auto"], (2, 1), (false, false)),
    plot("java", ["classic", "cooperative-sticky", "sync"], (2, 1), (true, true)),
    plot("java", ["consumer", "uniform", "async"], (2, 2), (false, true)),
    plot("java", ["consumer", "range", "auto"], (2, 1), (true, false)),
    plot("confluent", ["classic", "range", "sync"], (1, 1), (false, true)),
    plot("confluent", ["classic", "roundrobin", "auto"], (2, 1), (true, false)),
    plot("confluent", ["classic", "cooperative-sticky", "async"], (2, 2), (false, false)),
    plot("confluent", ["consumer", "uniform", "sync"], (2, 1), (true, true)),
    plot("kafka-python", ["classic", "range", "sync"], (1, 1), (false, true)),
    plot("kafka-python", ["classic", "roundrobin", "async"], (1, 1), (false, false)),
    plot("kafka-python", ["classic", "cooperative-sticky", "auto"], (2, 1), (false, false)),
    plot("aiokafka", ["classic", "roundrobin", "sync"], (2, 1), (false, true)),
    plot("aiokafka", ["classic", "sticky", "auto"], (1, 1), (false, false)),
    plot("kafkajs", ["classic", "roundrobin", "sync"], (2, 1), (false, true)),
    plot("kafkajs", ["classic", "roundrobin", "auto"], (1, 1), (false, false)),
];

/// Which members a process hosts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Role {
    First,
    Static,
    Joining,
    /// In place of those that crashed.
    Later,
}

impl Plot {
    fn name(&self) -> String {
        format!("{}-{}-{}-{}", self.client, self.protocol, self.assignor, self.commit)
    }

    fn members(&self, role: Role) -> Vec<String> {
        let (letter, count) = match role {
            Role::First => ("first", self.first),
            Role::Static => ("static", usize::from(self.instance)),
            Role::Joining => ("joining", self.joining),
            Role::Later => ("later", self.joining),
        };
        (0..count).map(|number| format!("{letter}{number}")).collect()
    }

    fn spec(&self, role: Role, member: &str) -> String {
        let Plot { client, protocol, assignor, commit, .. } = self;
        let mut spec = format!("client={client},group={},member={member},protocol={protocol}", self.name());
        spec += &format!(",assignor={assignor},commit={commit},session={SESSION_MS}");
        if role == Role::Static {
            spec += &format!(",instance={member}");
        }
        if self.steps && member == "first0" {
            spec += ",steps=1";
        }
        spec
    }
}

#[test]
fn groups_of_every_client_lose_nothing_and_repeat_nothing_that_was_committed() {
    let _turn = turn();
    let clients = Clients { java: need!(Java::find()), python: need!(python()), node: need!(Node::find()) };
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
}

impl Clients {
    const FAMILIES: [&'static [&'static str]; 3] =
        [&["java"], &["confluent", "kafka-python", "aiokafka"], &["kafkajs"]];

    /// A family's program; its arguments are missing.
    fn program(&self, family: &[&str]) -> Command {
        let programs = tests_folder().join("interop/groups");
        match family.first() {
            Some(&"java") => self.java.program(&programs.join("Members.java")),
            Some(&"kafkajs") => self.node.program(&programs.join("members.js")),
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
    events: Vec<Event>,
    logs: usize,
}

impl<'a> Play<'a> {
    fn new(kind: Kind, clients: &'a Clients, plots: Vec<&'a Plot>) -> Play<'a> {
        let folder = tempfile::tempdir().expect("make a folder");
        let plan = Plan::new(kind, &folder.path().join("broker"));
        let broker = SETTINGS.iter().fold(plan, |plan, setting| plan.set(setting)).start();
        Topic { name: TOPIC, partitions: PARTITIONS, configs: &[] }.create(&broker.bootstrap());
        let (hosts, events) = (Vec::new(), Vec::new());
        Play { clients, plots, folder, broker: Some(broker), hosts, events, logs: 0 }
    }

    fn run(&mut self) {
        let mut producer = self.producer();
        self.start(Role::First);
        self.settled("the first members", &[Role::First]);
        self.start(Role::Joining);
        self.settled("more members", &[Role::First, Role::Joining]);

        let killed = now();
        let plan = self.broker.take().expect("it runs").kill();
        self.broker = Some(plan.start());
        self.wait("every group reads on after the broker's death", |events, _| {
            events.iter().any(|event| event.at > killed + QUIET && matches!(event.what, What::Saw(..)))
        });
        self.settled("the broker's death", &[Role::First, Role::Joining]);

        // not before: one whose join is cut off makes librdkafka fence itself
        self.start(Role::Static);
        let all = [Role::First, Role::Joining, Role::Static];
        self.settled("static members", &all);
        self.restart_static_members(&all);
        self.kill(Role::Joining);
        self.settled("the crash", &[Role::First, Role::Static]);
        self.start(Role::Later);
        self.settled("the last members", &[Role::First, Role::Static, Role::Later]);

        producer.0.signal(Signal::TERM);
        producer.0.wait(LIMIT);
        let produced = std::fs::read_to_string(&producer.1).expect("read the producer's log");
        let ends = end_offsets(&self.bootstrap(), TOPIC, PARTITIONS);
        let wanted = format!("produced {}, 0 refused, 0 left\n", ends.iter().sum::<i64>());
        assert!(produced.ends_with(&wanted), "{:?}: {ends:?} but {produced}", self.kind());
        self.wait("every record is seen", |events, _| {
            let group = Group::told(events.iter().copied());
            i64::try_from(group.seen.len()).expect("a few") == ends.iter().sum::<i64>()
        });
        self.close();
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
        self.refresh();
        for mut host in self.hosts.extract_if(.., |host| host.role == role).collect::<Vec<_>>() {
            host.process.signal(Signal::KILL);
            host.process.wait(LIMIT);
            self.events.extend(host.news());
            for (group, member) in host.members {
                let what = What::Ended("killed".to_owned());
                self.events.push(Event { at: now(), group, member, what });
            }
        }
    }

    /// Each static member stops and starts again within its session: it gets what it had, and no other member notices.
    fn restart_static_members(&mut self, all: &[Role]) {
        self.refresh();
        let begun = now();
        let before: Vec<_> = self.plots.iter().map(|plot| self.group(plot).held.get("static0").cloned()).collect();
        for mut host in self.hosts.extract_if(.., |host| host.role == Role::Static).collect::<Vec<_>>() {
            host.process.signal(Signal::TERM);
            host.process.wait(LIMIT);
            self.events.extend(host.news());
        }
        self.start(Role::Static);
        self.settled("the static members' return", all);
        let plots = self.plots.clone();
        for (plot, before) in plots.iter().zip(before).filter(|(plot, _)| plot.instance) {
            let disturbed: Vec<&Event> = self
                .events
                .iter()
                .filter(|event| event.at > begun && event.group == plot.name() && event.member != "static0")
                .filter(|event| match &event.what {
                    What::Assigned(partitions) | What::Gone(partitions) => !partitions.is_empty(),
                    _ => false,
                })
                .collect();
            assert!(
                disturbed.is_empty(),
                "{:?}: a static member's return was noticed: {}",
                self.kind(),
                self.state(plot)
            );
            assert_eq!(self.group(plot).held.get("static0"), before.as_ref(), "{:?} {}", self.kind(), plot.name());
        }
    }

    fn group(&self, plot: &Plot) -> Group {
        let name = plot.name();
        Group::told(self.events.iter().filter(|event| event.group == name))
    }

    /// Waits until every partition of every group is held, every member has some, and nothing moves.
    fn settled(&mut self, after: &str, roles: &[Role]) {
        self.wait(&format!("groups settle after {after}"), |events, plot| {
            let members = roles.iter().map(|role| plot.members(*role).len()).sum();
            let group = Group::told(events.iter().copied());
            group.covers(PARTITIONS, members) && now() - group.moved_at > QUIET
        });
        println!("{:?}: settled after {after}", self.kind());
    }

    /// Polls until it holds of the events of every group.
    fn wait(&mut self, what: &str, holds: impl Fn(&[&Event], &Plot) -> bool) {
        let begun = std::time::Instant::now();
        let mut open = self.plots.clone();
        loop {
            self.refresh();
            open.retain(|plot| {
                let name = plot.name();
                let events: Vec<&Event> = self.events.iter().filter(|event| event.group == name).collect();
                !holds(&events, plot)
            });
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
        let (name, group) = (plot.name(), self.group(plot));
        let rare = |event: &&Event| {
            event.group == name && !matches!(event.what, What::Saw(..) | What::Committed(..) | What::Error(..))
        };
        let mut last: Vec<&Event> = self.events.iter().filter(rare).collect();
        last.sort_by_key(|event| event.at);
        let last = last.iter().rev().take(25).rev().map(|e| format!("\n    {} {} {:?}", e.at, e.member, e.what));
        let mut text = format!("{name}: held {:?}, {} seen{}", group.held, group.seen.len(), last.collect::<String>());
        let log = self.broker.as_ref().map(Broker::log).unwrap_or_default();
        log.lines().filter(|line| line.contains(&name)).for_each(|line| text += &format!("\n    {line}"));
        text
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
        self.events.extend(self.hosts.iter_mut().flat_map(Host::news));
    }

    /// All members leave, one program after the other.
    fn close(&mut self) {
        for mut host in std::mem::take(&mut self.hosts) {
            host.process.signal(Signal::TERM);
            host.process.wait(LIMIT);
            self.events.extend(host.news());
        }
    }

    fn judge(&self, ends: &[i64]) {
        let mut faults = Vec::new();
        for plot in &self.plots {
            let group = self.group(plot);
            let mut found = group.faults(ends);
            if plot.steps && (group.seeks == 0 || group.pauses == 0) {
                found.push("no seek and pause".to_owned());
            }
            for (partition, end) in (0..).zip(ends) {
                let at_broker = committed(&self.bootstrap(), &plot.name(), TOPIC, partition);
                if at_broker != Some(*end) {
                    found.push(format!("{at_broker:?} committed for partition {partition}, whose end is {end}"));
                }
            }
            if !found.is_empty() {
                found.truncate(12);
                faults.push(format!("{}: {} errors\n    {}", plot.name(), group.errors.len(), found.join("\n    ")));
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

fn words(command: &Command) -> Vec<String> {
    let mut words = vec!["env".to_owned()];
    for (name, value) in command.get_envs() {
        let value = value.unwrap_or_default();
        words.push(format!("{}={}", Path::new(name).display(), Path::new(value).display()));
    }
    words.push(command.get_program().to_string_lossy().into_owned());
    words.extend(command.get_args().map(|word| word.to_string_lossy().into_owned()));
    words
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_micros()).expect("before 292277")
}
