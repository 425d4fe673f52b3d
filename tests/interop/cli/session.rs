//! A session: command lines with what they print, as text.
//!
//!     # a remark
//!     $ TOOL ARGUMENT...     a command line; `--bootstrap-server` is added unless it names the {broker} itself
//!     < LINE                 a line of its standard input
//!     | LINE                 a line that it prints
//!     ! LINE                 a line of its standard error
//!     = CODE                 its exit code
//!
//! `$ [numbers] TOOL ..`: every number that it prints is `N`. `$ [only TEXT] TOOL ..`: only lines with the text are looked
//! at. `$ [ids] TOOL ..`: ids of members are `(id)`. `$ [sorted] TOOL ..`: the order of its lines says nothing.
//! `$ [beside] TOOL ..`: a consumer that runs on, beside the commands after it, until `$ stop`; it has been assigned partitions.
//! `{id of TOPIC}` is the id that the topic was last shown with, `{input}` a file with the standard input.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use super::masked::Masks;
use super::tools::Tools;
use crate::support::broker::Broker;
use crate::support::clients::Java;
use crate::support::process::Guarded;
use crate::support::{tests_folder, wait_for};

/// The classes behind Kafka's scripts, whose names go without `kafka-` and `.sh`.
const TOOLS: [(&str, &str); 22] = [
    ("acls", "org.apache.kafka.tools.AclCommand"),
    ("broker-api-versions", "org.apache.kafka.tools.BrokerApiVersionsCommand"),
    ("client-compatibility-test", "org.apache.kafka.tools.ClientCompatibilityTest"),
    ("cluster", "org.apache.kafka.tools.ClusterTool"),
    ("configs", "kafka.admin.ConfigCommand"),
    ("console-consumer", "org.apache.kafka.tools.consumer.ConsoleConsumer"),
    ("console-producer", "org.apache.kafka.tools.ConsoleProducer"),
    ("consumer-groups", "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"),
    ("consumer-perf-test", "org.apache.kafka.tools.ConsumerPerformance"),
    ("delete-records", "org.apache.kafka.tools.DeleteRecordsCommand"),
    ("features", "org.apache.kafka.tools.FeatureCommand"),
    ("get-offsets", "org.apache.kafka.tools.GetOffsetShell"),
    ("groups", "org.apache.kafka.tools.GroupsCommand"),
    ("leader-election", "org.apache.kafka.tools.LeaderElectionCommand"),
    ("log-dirs", "org.apache.kafka.tools.LogDirsCommand"),
    ("metadata-quorum", "org.apache.kafka.tools.MetadataQuorumCommand"),
    ("producer-perf-test", "org.apache.kafka.tools.ProducerPerformance"),
    ("reassign-partitions", "org.apache.kafka.tools.reassign.ReassignPartitionsCommand"),
    ("streams-application-reset", "org.apache.kafka.tools.StreamsResetter"),
    ("topics", "org.apache.kafka.tools.TopicCommand"),
    ("verifiable-consumer", "org.apache.kafka.tools.VerifiableConsumer"),
    ("verifiable-producer", "org.apache.kafka.tools.VerifiableProducer"),
];

#[derive(Default)]
pub struct Session {
    pub steps: Vec<Step>,
}

#[derive(Clone, Default)]
pub struct Step {
    /// Remarks before the command.
    remarks: Vec<String>,
    pub command: String,
    input: Vec<String>,
    /// Lines with their mark: `| `, `! ` or `= `.
    pub said: Vec<String>,
}

impl Session {
    pub fn read(name: &str) -> Session {
        let text = std::fs::read_to_string(path(name)).expect("read a session");
        let (mut session, mut remarks) = (Session::default(), Vec::new());
        for line in text.lines() {
            let step = session.steps.last_mut();
            match (line.split_once(' ').unwrap_or((line, "")), step) {
                (("#", remark), _) => remarks.push(remark.to_owned()),
                (("$", command), _) => {
                    let remarks = std::mem::take(&mut remarks);
                    session.steps.push(Step { remarks, command: command.to_owned(), ..Step::default() });
                }
                (("<", input), Some(step)) => step.input.push(input.to_owned()),
                (("|" | "!" | "=", _), Some(step)) => step.said.push(line.to_owned()),
                _ => panic!("{name}.session has a line that is none: {line}"),
            }
        }
        session
    }

    pub fn write(&self, name: &str) {
        let mut text = String::new();
        for step in &self.steps {
            step.remarks.iter().for_each(|remark| writeln!(text, "# {remark}").expect("format"));
            writeln!(text, "$ {}", step.command).expect("format");
            step.input.iter().for_each(|line| writeln!(text, "< {line}").expect("format"));
            step.said.iter().for_each(|line| writeln!(text, "{line}").expect("format"));
        }
        std::fs::write(path(name), text).expect("write a session");
    }
}

fn path(name: &str) -> PathBuf {
    tests_folder().join("interop/cli").join(format!("{name}.session"))
}

/// Plays sessions on one broker.
pub struct Player {
    tools: Tools,
    bootstrap: String,
    masks: Masks,
    beside: Vec<Beside>,
    folder: TempDir,
}

impl Player {
    pub fn new(java: Java, broker: &Broker) -> Player {
        let folder = tempfile::tempdir().expect("make a folder");
        let (tools, masks) = (Tools::start(java), Masks::of(broker));
        Player { tools, bootstrap: broker.bootstrap(), masks, beside: Vec::new(), folder }
    }

    /// The same commands, with what they say here.
    pub fn play(&mut self, session: &Session) -> Session {
        let steps = session.steps.iter().map(|step| Step { said: self.said(step), ..step.clone() });
        Session { steps: steps.collect() }
    }

    fn said(&mut self, step: &Step) -> Vec<String> {
        if step.command == "stop" {
            self.beside.drain(..).for_each(Beside::stop);
            return Vec::new();
        }
        let flagged = step.command.strip_prefix('[').and_then(|rest| rest.split_once("] "));
        let (flag, command) = flagged.unwrap_or(("", &step.command));
        let input: String = step.input.iter().map(|line| line.replace("\\t", "\t") + "\n").collect();
        let call = self.call(command, &input);
        if flag == "beside" {
            let log = self.folder.path().join(format!("beside-{}", self.beside.len()));
            self.beside.push(Beside::start(&self.tools, &call, &log));
            return Vec::new();
        }
        let only = flag.strip_prefix("only ").unwrap_or_default();
        let printed = self.tools.call(&call, &input);
        let mut said = Vec::new();
        for (mark, text) in [('|', &printed.out), ('!', &printed.err)] {
            let lines = self.masks.masked(text, flag);
            let kept = lines.into_iter().filter(|line| line.contains(only));
            said.extend(kept.map(|line| format!("{mark} {line}").trim_end().to_owned()));
        }
        if flag == "sorted" {
            said.sort();
        }
        said.push(format!("= {}", printed.code));
        said
    }

    /// The class behind a command line, and its arguments.
    fn call(&self, command: &str, input: &str) -> Vec<String> {
        let bootstrap = ["--bootstrap-server".to_owned(), self.bootstrap.clone()];
        let mut words = words(command).into_iter();
        let tool = words.next().expect("a command has a tool");
        let (_, class) = TOOLS.iter().find(|(name, _)| *name == tool).expect("one of the tools");
        let mut call = vec![(*class).to_owned()];
        for word in words {
            match word.as_str() {
                "{broker}" => call.extend(bootstrap.clone()),
                "{input}" => {
                    let file = self.folder.path().join("input");
                    std::fs::write(&file, input).expect("write a tool's input");
                    call.push(file.display().to_string());
                }
                _ => call.push(self.masks.unmasked(&word)),
            }
        }
        if !command.contains("{broker}") {
            call.extend(bootstrap);
        }
        call
    }
}

/// A consumer in a Java of its own.
struct Beside(Guarded);

impl Beside {
    fn start(tools: &Tools, call: &[String], log: &Path) -> Beside {
        let beside = Guarded::start(&tools.alone(call), log, None);
        wait_for("a consumer is assigned partitions", Duration::from_secs(60), || {
            std::fs::read_to_string(log).is_ok_and(|said| said.contains("\"offsets_committed\"")).then_some(())
        });
        Beside(beside)
    }

    /// As by ^C: it leaves its group.
    fn stop(mut self) {
        self.0.signal(Signal::TERM);
        self.0.wait(Duration::from_secs(60));
    }
}

/// The words of a command line; `'` quotes.
fn words(command: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted, mut braced) = (Vec::new(), String::new(), false, false);
    for c in command.chars() {
        match c {
            '\'' => quoted = !quoted,
            ' ' if !quoted && !braced => words.push(std::mem::take(&mut word)),
            _ => {
                braced = (braced || c == '{') && c != '}';
                word.push(c);
            }
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}
