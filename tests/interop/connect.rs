//! Kafka Connect: lines of a file go to a topic and from there to another file, by a worker alone and by two in a group, of
//! which one is killed and started again, and the broker too. What the REST API answers stands in `connect/answers.session`,
//! which `KLAMM_BLESS=1` writes anew from Apache Kafka.

mod rest;

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::need;
use crate::support::broker::{Broker, Kind, Plan, free_port, kinds, shared};
use crate::support::clients::Java;
use crate::support::process::{Guarded, words};
use crate::support::topic::Topic;
use crate::support::{turn, wait_for};
use rest::{Masks, Step, ask};

const LIMIT: Duration = Duration::from_secs(120);
const STANDALONE: &str = "org.apache.kafka.connect.cli.ConnectStandalone";
const DISTRIBUTED: &str = "org.apache.kafka.connect.cli.ConnectDistributed";
const SETTINGS: &str = "key.converter=org.apache.kafka.connect.storage.StringConverter
value.converter=org.apache.kafka.connect.storage.StringConverter
offset.flush.interval.ms=500
plugin.discovery=service_load
";
const IN_A_GROUP: &str = "group.id=connect-cluster
config.storage.topic=connect-configs
offset.storage.topic=connect-offsets
status.storage.topic=connect-status
config.storage.replication.factor=1
offset.storage.replication.factor=1
status.storage.replication.factor=1
offset.storage.partitions=3
status.storage.partitions=2
scheduled.rebalance.max.delay.ms=0
session.timeout.ms=10000
";

#[test]
fn connect_alone_goes_on_where_it_stopped() {
    let _turn = turn();
    let java = need!(Java::find());
    std::thread::scope(|scope| {
        for kind in kinds() {
            scope.spawn(move || alone(kind, java));
        }
    });
}

#[test]
fn connect_in_a_group_loses_no_line_when_a_worker_and_the_broker_are_killed() {
    let _turn = turn();
    let java = need!(Java::find());
    std::thread::scope(|scope| {
        for kind in kinds() {
            scope.spawn(move || Group::new(kind, java).run());
        }
    });
}

/// A file that grows, and the file that its lines must come to.
struct Files {
    folder: tempfile::TempDir,
    lines: usize,
}

impl Files {
    fn new() -> Files {
        let files = Files { folder: tempfile::tempdir().expect("make a folder"), lines: 0 };
        std::fs::write(files.path("source"), "").expect("make the source");
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.path(name), text).expect("write a file");
        self.path(name).display().to_string()
    }

    fn append(&mut self, count: usize) {
        // the position of a FileStreamSource counts characters, and so goes wrong after any that has two bytes
        let mut text = String::new();
        for _ in 0..count {
            self.lines += 1;
            writeln!(text, "line {} of the source", self.lines).expect("format");
        }
        let mut file = OpenOptions::new().append(true).open(self.path("source")).expect("open the source");
        file.write_all(text.as_bytes()).expect("append to the source");
    }

    /// Waits until every line of the source has come at least once, the first time in its order.
    fn arrive(&self, kind: Kind, when: &str, logs: &[&Path]) {
        let wanted = std::fs::read_to_string(self.path("source")).expect("read the source");
        let begun = Instant::now();
        loop {
            let got = std::fs::read_to_string(self.path("sink")).unwrap_or_default();
            let mut seen = std::collections::BTreeSet::new();
            let first: Vec<&str> = got.lines().filter(|line| seen.insert(*line)).collect();
            let wanted: Vec<&str> = wanted.lines().collect();
            if first == wanted {
                return;
            }
            if begun.elapsed() > LIMIT {
                let at = first.iter().zip(&wanted).take_while(|(got, wanted)| got == wanted).count();
                let logs: Vec<String> =
                    logs.iter().map(|log| std::fs::read_to_string(log).unwrap_or_default()).collect();
                let (got, wanted, count) = (first.get(at), wanted.get(at), wanted.len());
                panic!("{kind:?} {when}: line {at} of {count} is {got:?}, not {wanted:?}\n{}", logs.join("\n---\n"));
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

/// A worker without a group, which keeps the offsets of its source in a file.
fn alone(kind: Kind, java: Java) {
    let (mut files, broker, port) = (Files::new(), shared(kind), free_port());
    Topic { name: "connect-alone", partitions: 1, configs: &[] }.create(&broker.bootstrap);
    let (folder, bootstrap) = (files.folder.path().display().to_string(), broker.bootstrap);
    let worker = format!("{SETTINGS}bootstrap.servers={bootstrap}\nlisteners=HTTP://127.0.0.1:{port}\n");
    let worker = files.write("worker", &format!("{worker}offset.storage.file.filename={folder}/offsets\n"));
    let source = "name=in\nconnector.class=FileStreamSource\ntasks.max=1\ntopic=connect-alone\n";
    let source = files.write("in", &format!("{source}file={folder}/source\n"));
    let sink = "name=out\nconnector.class=FileStreamSink\ntasks.max=1\ntopics=connect-alone\n";
    let sink = files.write("out", &format!("{sink}file={folder}/sink\n"));
    let log = files.path("log");
    for run in ["the first time", "the second time"] {
        files.append(300);
        let mut process = Guarded::start(&words(java.tool(STANDALONE).args([&worker, &source, &sink])), &log, None);
        files.arrive(kind, run, &[&log]);
        files.append(300);
        files.arrive(kind, run, &[&log]);
        wait_for("the connectors are told", LIMIT, || {
            let names = ask(port, "GET /connectors").1;
            (names == serde_json::json!(["in", "out"]) || names == serde_json::json!(["out", "in"])).then_some(())
        });
        process.signal(Signal::TERM);
        process.wait(LIMIT);
    }
}

struct Worker {
    port: u16,
    process: Guarded,
    log: PathBuf,
}

struct Group {
    kind: Kind,
    java: Java,
    files: Files,
    broker: Option<Broker>,
    workers: Vec<Worker>,
    steps: Vec<Step>,
    bless: bool,
}

impl Group {
    fn new(kind: Kind, java: Java) -> Group {
        let files = Files::new();
        let plan = Plan::new(kind, &files.path("broker")).set("offsets.topic.num.partitions=1");
        let broker = Some(plan.set("num.partitions=1").set("group.initial.rebalance.delay.ms=0").start());
        let bless = kind == Kind::Kafka && std::env::var("KLAMM_BLESS").is_ok_and(|value| value == "1");
        Group { kind, java, files, broker, workers: Vec::new(), steps: rest::read(), bless }
    }

    fn run(&mut self) {
        let begun = Instant::now();
        for port in [free_port(), free_port()] {
            let worker = self.start(port);
            self.workers.push(worker);
        }
        self.answer("at first");
        self.files.append(300);
        self.arrive("at first");
        self.answer("with lines");

        let port = self.worker_of_the_source();
        let mut killed = self.workers.extract_if(.., |worker| worker.port == port).next().expect("one of the workers");
        self.files.append(300);
        killed.process.signal(Signal::KILL);
        killed.process.wait(LIMIT);
        self.files.append(300);
        self.arrive("without the killed worker");
        self.answer("without the killed worker");
        let back = self.start(port);
        self.workers.push(back);
        self.files.append(300);
        self.arrive("with the worker back");
        if self.kind == Kind::Klamm {
            self.files.append(300);
            let plan = self.broker.take().expect("it runs").kill();
            self.broker = Some(plan.start());
            self.files.append(300);
            self.arrive("after the broker's death");
        }
        self.answer("at last");
        println!("{:?}: {:?}", self.kind, begun.elapsed());
    }

    /// A worker that answers and is in the group.
    fn start(&self, port: u16) -> Worker {
        let bootstrap = self.broker.as_ref().expect("it runs").bootstrap();
        let own = format!("bootstrap.servers={bootstrap}\nlisteners=HTTP://127.0.0.1:{port}\n");
        let file = self.files.write(&format!("worker-{port}"), &[SETTINGS, IN_A_GROUP, &own].concat());
        let log = self.files.path(&format!("log-{port}"));
        let mut process = Guarded::start(&words(self.java.tool(DISTRIBUTED).arg(file)), &log, None);
        wait_for("a worker answers", LIMIT, || {
            let ended = process.ended().is_some();
            assert!(!ended, "a worker ended:\n{}", std::fs::read_to_string(&log).unwrap_or_default());
            (ask(port, "GET /connectors").0 == 200).then_some(())
        });
        Worker { port, process, log }
    }

    fn answer(&mut self, part: &str) {
        let folder = self.files.folder.path().display().to_string();
        let size = std::fs::metadata(self.files.path("source")).expect("look at the source").len();
        let mut texts = vec![(folder, "{folder}"), (format!("\"position\":{size}"), "\"position\":{size}")];
        texts.extend(self.workers.iter().map(|worker| (format!("127.0.0.1:{}", worker.port), "(worker)")));
        let masks = Masks { texts, lines: self.files.lines };
        let port = self.workers.first().expect("a worker").port;
        rest::play(&mut self.steps, part, port, &masks, self.bless);
        if self.bless {
            rest::write(&self.steps);
        }
    }

    fn arrive(&self, when: &str) {
        let logs: Vec<&Path> = self.workers.iter().map(|worker| worker.log.as_path()).collect();
        self.files.arrive(self.kind, when, &logs);
    }

    /// The port of the worker that reads the file.
    fn worker_of_the_source(&self) -> u16 {
        let asked = self.workers.first().expect("a worker").port;
        wait_for("the source's worker is told", LIMIT, || {
            let status = ask(asked, "GET /connectors/in/status").1;
            let worker = status.pointer("/tasks/0/worker_id")?.as_str()?;
            worker.rsplit(':').next()?.parse().ok()
        })
    }
}
