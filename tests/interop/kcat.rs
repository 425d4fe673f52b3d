//! kcat on the oldest librdkafka that Debian ships (2.0): the programme of `clients`, as far as its command line goes.
//!
//! It takes no timestamps and tells no offsets of what it sends, and it cannot administer: topics are made, grown and
//! deleted by hand here. What it must see is in `clients/expected/kcat.json`, as for the others.

mod group;
mod living;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use crate::clients::{check_codecs, compare_document, prefix};
use crate::need;
use crate::support::broker::{Shared, kinds, shared};
use crate::support::clients::kcat;
use crate::support::process::{Finished, run};
use crate::support::topic::{Topic, delete_topic, end_offsets, grow_topic};
use crate::support::{turn, wait_for};
use living::Living;

const LIMIT: Duration = Duration::from_secs(120);

#[test]
fn kcat_sees_what_it_sees_of_apache_kafka() {
    let _turn = turn();
    let program = need!(kcat());
    for kind in kinds() {
        let begun = Instant::now();
        let (broker, prefix) = (shared(kind), prefix("kcat"));
        let folder = tempfile::tempdir().expect("make a folder");
        let mut kcat = Kcat { program, broker: &broker, prefix: &prefix, folder: folder.path(), saw: Map::new() };
        kcat.producing();
        kcat.sizes();
        kcat.codecs();
        kcat.seeking();
        kcat.refusals();
        kcat.living();
        println!("kcat on {kind:?}: {:?}", begun.elapsed());
        compare_document("kcat", kind, kcat.saw);
        check_codecs("kcat", kind, &broker, &prefix);
    }
}

struct Kcat<'a> {
    program: &'static str,
    broker: &'a Shared,
    prefix: &'a str,
    /// For what it sends.
    folder: &'a Path,
    /// Each step and what it saw.
    saw: Map<String, Value>,
}

impl Kcat<'_> {
    fn producing(&mut self) {
        for acks in ["0", "1", "all"] {
            let topic = self.topic(&format!("acks-{acks}"), 1, &[]);
            let sent = self.send(&topic, &["-X", &format!("acks={acks}")], &numbered(0..50));
            self.wait_for_end(&topic, 50);
            self.saw(&format!("acks {acks}"), json!([sent, self.all_numbered(&topic, 50)]));
        }

        let shapes = "key\tvalue\n\tonly a value\nonly a key\t\n\t\nno delimiter\n";
        for (name, nulls) in [("empty is empty", &[][..]), ("empty is null", &["-Z"])] {
            let topic = self.topic(&name.replace(' ', "-"), 1, &[]);
            let mut arguments = vec!["-H", "a=1", "-H", "a=2", "-H", "empty=", "-H", "none"];
            arguments.extend(nulls);
            let sent = self.send(&topic, &arguments, shapes.as_bytes());
            let read = self.read(&topic, &["-o", "beginning"], "%p %o %K %k %S %s %h\\n");
            self.saw(name, json!([sent, lines(&read)]));
        }

        let bytes: Vec<u8> = (0..=255).collect();
        let topic = self.topic("bytes", 1, &[]);
        let sent = self.send_files(&topic, &["-k", "all"], &[&self.file("bytes", &bytes)]);
        let same = self.run(&topic, &["-C", "-o", "beginning", "-e", "-q", "-f", "%s"]).stdout == bytes;
        self.saw("every byte", json!([sent, same]));

        let topic = self.topic("spread", 6, &[]);
        let keyed: String = (0..48).map(|number| format!("key-{number}\tkey-{number}\n")).collect();
        let sent = said(&self.run_file(&topic, &["-P", "-K", "\t", "-l"], keyed.as_bytes()), self.prefix);
        let read = self.read(&topic, &["-o", "beginning"], "%p %k %s\\n");
        let mut placed = lines(&read);
        placed.sort_unstable();
        self.saw("keys spread over partitions", json!([sent, placed]));

        let topic = self.topic("idempotent", 1, &[]);
        let idempotent = ["-X", "enable.idempotence=true"];
        let sent = [0..1000, 1000..2000].map(|some| self.send(&topic, &idempotent, &numbered(some)));
        self.saw("idempotent", json!([sent, self.all_numbered(&topic, 2000)]));

        let topic = self.topic("append-time", 1, &[("message.timestamp.type", "LogAppendTime")]);
        let sent = self.send(&topic, &[], &numbered(0..3));
        let read = self.run(&topic, &["-C", "-o", "beginning", "-e", "-q", "-J"]).out();
        let types: Vec<Value> = read.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).collect();
        self.saw("log append time", json!([sent, types.iter().map(|one| &one["tstype"]).collect::<Vec<_>>()]));

        let topic = format!("{}-made-by-itself", self.prefix);
        let sent = self.send(&topic, &[], &numbered(0..3));
        self.saw("topic made by producing", json!([sent, self.all_numbered(&topic, 3)]));
    }

    fn sizes(&mut self) {
        let byte = |i: u32| u8::try_from((i * 31 + (i >> 8)) & 255).expect("a byte");
        let megabyte: Vec<u8> = (0..999_000).map(byte).collect();
        let file = self.file("megabyte", &megabyte);
        let topic = self.topic("megabyte", 1, &[]);
        let sent = self.send_files(&topic, &["-k", "big"], &[&file, &file, &file]);
        let sizes = self.read(&topic, &["-o", "beginning"], "%o %k %S\\n");
        let third = self.run(&topic, &["-C", "-o", "2", "-c", "1", "-q", "-f", "%s"]).stdout;
        self.saw("records of a megabyte", json!([sent, lines(&sizes), third == megabyte]));

        let double = self.file("double", &[megabyte.as_slice(), &megabyte].concat());
        let sent = self.send_files(&topic, &["-X", "message.max.bytes=5000000"], &[&double]);
        self.saw("too large", json!([sent, self.ends(&topic, 1)]));
        let topic = self.topic("small-limit", 1, &[("max.message.bytes", "1000")]);
        let large = self.file("large", megabyte.get(..1200).unwrap_or_default());
        let sent = self.send_files(&topic, &[], &[&large]);
        let small = self.send(&topic, &[], b"k\tv\n");
        self.saw("too large for the topic", json!([sent, small, self.ends(&topic, 1)]));

        let topic = self.topic("limits", 1, &[]);
        let some = self.file("some", megabyte.get(..5000).unwrap_or_default());
        let sent: Vec<_> = (0..10).map(|_| self.send_files(&topic, &[], &[&some])).collect();
        let tight = ["-o", "beginning", "-X", "fetch.message.max.bytes=100", "-X", "fetch.max.bytes=1000"];
        let tight = [tight.as_slice(), &["-X", "message.max.bytes=1000"]].concat();
        let read = self.read(&topic, &tight, "%o %S\\n");
        self.saw("batches above every fetch limit", json!([sent, lines(&read)]));
    }

    fn codecs(&mut self) {
        for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
            let topic = self.topic(&format!("codec-{codec}"), 1, &[]);
            let sent = self.send(&topic, &["-z", codec], &numbered(0..300));
            self.saw(&format!("codec {codec}"), json!([sent, self.all_numbered(&topic, 300)]));
        }
        let topic = self.topic("recompressed", 1, &[("compression.type", "zstd")]);
        let sent = self.send(&topic, &["-z", "gzip"], &numbered(0..300));
        self.saw("recompressed by the broker", json!([sent, self.all_numbered(&topic, 300)]));
    }

    fn seeking(&mut self) {
        let topic = self.topic("seek", 1, &[]);
        let mut stamps = Vec::new();
        for some in [0..30, 30..31, 31..70, 70..100] {
            let last = stamps.last().copied().unwrap_or(0);
            wait_for("a later millisecond", LIMIT, || (now_ms() > last).then_some(()));
            let from = some.start.to_string();
            self.send(&topic, &[], &numbered(some));
            let read = self.read(&topic, &["-o", &from], "%T\\n");
            stamps.extend(read.lines().map(|stamp| stamp.parse::<i64>().expect("a timestamp")));
        }
        let at = |offset: usize| stamps.get(offset).copied().expect("a record");
        let (before, after) = (at(0) - 1, at(99) + 1);
        let mut found = Vec::new();
        for time in [-2, -1, before, at(31), at(70), after] {
            let query = self.run("", &["-Q", "-t", &format!("{topic}:0:{time}")]).out();
            found.push(query.replace(self.prefix, "PREFIX").trim().to_owned());
        }
        self.saw("offsets", json!(found));
        let span = |from: i64, to: i64| vec!["-o".to_owned(), format!("s@{from}"), "-o".to_owned(), format!("e@{to}")];
        let starts: [(&str, Vec<String>); 9] = [
            ("beginning", vec!["-o".into(), "beginning".into()]),
            ("end", vec!["-o".into(), "end".into()]),
            ("into a batch", vec!["-o".into(), "37".into()]),
            ("the last five", vec!["-o".into(), "-5".into()]),
            ("a timestamp", vec!["-o".into(), format!("s@{}", at(31))]),
            ("a timestamp before all", vec!["-o".into(), format!("s@{before}")]),
            ("a timestamp after all", vec!["-o".into(), format!("s@{after}")]),
            ("between two timestamps", span(at(31), at(70))),
            (
                "read committed",
                vec!["-o".into(), "beginning".into(), "-X".into(), "isolation.level=read_committed".into()],
            ),
        ];
        for (name, arguments) in starts {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let read = self.read(&topic, &arguments, "%o %k %s\\n");
            let read = lines(&read);
            self.saw(&format!("from {name}"), json!([read.len(), read.first(), read.last()]));
        }
        for reset in ["earliest", "latest", "error"] {
            let reset_to = format!("auto.offset.reset={reset}");
            let arguments = ["-C", "-p", "0", "-o", "100000", "-e", "-q", "-X", &reset_to, "-f", "%o\\n"];
            let read = self.run(&topic, &arguments);
            let count = read.stdout.iter().filter(|byte| **byte == b'\n').count();
            self.saw(&format!("out of range, reset to {reset}"), json!([said(&read, self.prefix), count]));
        }
    }

    fn refusals(&mut self) {
        let unknown = format!("{}-unknown", self.prefix);
        let read = self.run(&unknown, &["-C", "-o", "beginning", "-e", "-q"]);
        self.saw("unknown topic", said(&read, self.prefix));
        let read = self.run(&unknown, &["-C", "-p", "0", "-o", "beginning", "-e", "-q"]);
        self.saw("unknown partition", said(&read, self.prefix));
    }

    /// Those that stay while topics change.
    fn living(&mut self) {
        let topic = self.topic("long-poll", 1, &[]);
        let waiting =
            ["-C", "-p", "0", "-o", "end", "-c", "1", "-u", "-X", "fetch.wait.max.ms=6000", "-f", "%o %k %s\\n"];
        let reader = self.start(&topic, &waiting);
        reader.wait_for("nothing is to be read", LIMIT, |said| said.contains("Reached end").then_some(()));
        let sent = self.send(&topic, &[], &numbered(0..1));
        let woken = reader.finish(LIMIT).both();
        let records: Vec<&str> = woken.lines().filter(|line| !line.starts_with('%')).collect();
        self.saw("a waiting consumer is woken", json!([sent, records]));

        // keys go everywhere as soon as it has heard of more partitions
        let topic = self.topic("grown", 1, &[]);
        let mut writer = self.start(&topic, &["-P", "-K", "\t", "-X", "topic.metadata.refresh.interval.ms=300"]);
        writer.write(&bulky());
        wait_for("records arrive", LIMIT, || (self.ends(&topic, 1) > vec![0]).then_some(()));
        grow_topic(&self.broker.bootstrap, &topic, 3);
        wait_for("records come into new partitions", LIMIT, || {
            writer.write(&bulky());
            let ends = self.ends(&topic, 3);
            ends.iter().all(|end| *end > 0).then_some(())
        });
        self.saw("partitions made while a producer lives", said(&writer.finish(LIMIT), self.prefix));

        self.deleted();
    }

    fn deleted(&mut self) {
        let topic = self.topic("deleted-under-consumer", 1, &[]);
        self.send(&topic, &[], &numbered(0..10));
        let reader = self.start(&topic, &["-C", "-p", "0", "-o", "beginning", "-u", "-f", "%o %k\n"]);
        reader.wait_for("all is read", LIMIT, |said| said.contains("9 k9").then_some(()));
        delete_topic(&self.broker.bootstrap, &topic);
        let (code, mut said_of) = own(&reader.finish(LIMIT), self.prefix);
        said_of.retain(|line| !line.contains("Reached end"));
        self.saw("deleted under a consumer", json!([code, said_of]));

        let topic = self.topic("deleted-under-producer", 1, &[]);
        let mut writer = self.start(&topic, &["-P", "-p", "0", "-K", "\t"]);
        writer.write(&bulky());
        wait_for("records arrive", LIMIT, || (self.ends(&topic, 1) > vec![0]).then_some(()));
        delete_topic(&self.broker.bootstrap, &topic);
        writer.write(&bulky());
        // asking for it makes it again; Apache Kafka answers before it has, and this client gives up the records that wait
        let (_, mut said_of) = own(&writer.finish(LIMIT), self.prefix);
        said_of.retain(|line| !line.ends_with("failed for message: Local: Unknown partition"));
        self.saw("deleted under a producer", json!(said_of));
    }

    fn saw(&mut self, step: &str, what: Value) {
        self.saw.insert(step.to_owned(), what);
    }

    fn topic(&self, name: &str, partitions: i32, configs: &[(&str, &str)]) -> String {
        let name = format!("{}-{name}", self.prefix);
        Topic { name: &name, partitions, configs }.create(&self.broker.bootstrap);
        name
    }

    fn ends(&self, topic: &str, partitions: i32) -> Vec<i64> {
        end_offsets(&self.broker.bootstrap, topic, partitions)
    }

    fn wait_for_end(&self, topic: &str, end: i64) {
        wait_for("records arrive", LIMIT, || (self.ends(topic, 1) == [end]).then_some(()));
    }

    fn command(&self, topic: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.program);
        command.args(["-b", &self.broker.bootstrap, "-m", "60"]);
        if !topic.is_empty() {
            command.args(["-t", topic]);
        }
        if arguments.contains(&"-C") {
            // or it takes half a second to find an end
            command.args(["-X", "fetch.wait.max.ms=20"]);
        }
        command.args(arguments);
        command
    }

    fn run(&self, topic: &str, arguments: &[&str]) -> Finished {
        run(&mut self.command(topic, arguments), LIMIT)
    }

    fn start(&self, topic: &str, arguments: &[&str]) -> Living {
        Living::start(self.command(topic, arguments), &self.folder.join(topic))
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.join(name);
        std::fs::write(&path, bytes).expect("write what is sent");
        path
    }

    fn run_file(&self, topic: &str, arguments: &[&str], input: &[u8]) -> Finished {
        let file = self.file("lines", input);
        run(self.command(topic, arguments).arg(file), LIMIT)
    }

    /// Lines of key, tab and value, to partition 0; what was said of them.
    fn send(&self, topic: &str, arguments: &[&str], input: &[u8]) -> Value {
        let arguments = [&["-P", "-p", "0", "-K", "\t"], arguments, &["-l"]].concat();
        said(&self.run_file(topic, &arguments, input), self.prefix)
    }

    /// Each file as one value.
    fn send_files(&self, topic: &str, arguments: &[&str], files: &[&PathBuf]) -> Value {
        let mut command = self.command(topic, &[&["-P", "-p", "0"], arguments].concat());
        said(&run(command.args(files), LIMIT), self.prefix)
    }

    /// All records from there, a line each.
    fn read(&self, topic: &str, arguments: &[&str], format: &str) -> String {
        let arguments = [&["-C", "-e", "-q", "-f", format], arguments].concat();
        self.run(topic, &arguments).out()
    }

    /// How many are there, and whether they are the first numbers in their order.
    fn all_numbered(&self, topic: &str, count: u32) -> Value {
        let read = self.read(topic, &["-o", "beginning"], "%k\\t%s\\n");
        json!([read.lines().count(), read.as_bytes() == numbered(0..count)])
    }
}

fn numbered(numbers: std::ops::Range<u32>) -> Vec<u8> {
    numbers.flat_map(|number| format!("k{number}\tvalue {number}\n").into_bytes()).collect()
}

fn lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}

/// Lines of more than a megabyte: kcat sends none before it has read so much, or all.
fn bulky() -> Vec<u8> {
    let value = "x".repeat(9_000);
    (0..150).flat_map(|number| format!("k{number}\t{value}\n").into_bytes()).collect()
}

fn said(done: &Finished, prefix: &str) -> Value {
    let (code, lines) = own(done, prefix);
    if lines.is_empty() { json!(code) } else { json!([code, lines]) }
}

/// How it ended, and what kcat itself said: not the lines of librdkafka's log, which have times in them.
fn own(done: &Finished, prefix: &str) -> (Option<i32>, Vec<String>) {
    let text = String::from_utf8_lossy(&done.stderr).replace(prefix, "PREFIX");
    (done.status.code(), text.lines().filter(|line| line.starts_with("% ")).map(str::to_owned).collect())
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_millis()).expect("before 292277")
}
