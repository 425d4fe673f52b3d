//! kcat's listing and Kafka's command line tools, whose output is compared where it names no broker.

use std::process::Command;
use std::time::Duration;

use crate::clients::expected;
use crate::need;
use crate::support::broker::{Shared, kinds, shared};
use crate::support::clients::{Java, kcat};
use crate::support::process::{Finished, run};
use crate::support::topic::Topic;
use crate::support::turn;

const TOPICS: &str = "org.apache.kafka.tools.TopicCommand";
const OFFSETS: &str = "org.apache.kafka.tools.GetOffsetShell";
const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn kcat_lists_brokers_topics_and_partitions() {
    let _turn = turn();
    let kcat = need!(kcat());
    for kind in kinds() {
        let broker = shared(kind);
        Topic { name: "listed", partitions: 3, configs: &[] }.create(&broker.bootstrap);
        let listed = run(Command::new(kcat).args(["-L", "-b", &broker.bootstrap, "-t", "listed"]), LIMIT).out();
        assert!(listed.contains("1 brokers:"), "{kind:?}:\n{listed}");
        assert!(listed.contains(&format!("at {} (controller)", broker.bootstrap)), "{kind:?}:\n{listed}");
        assert!(listed.contains("topic \"listed\" with 3 partitions:"), "{kind:?}:\n{listed}");
        assert_eq!(listed.matches(", isrs: ").count(), 3, "{kind:?}:\n{listed}");
        let query = run(Command::new(kcat).args(["-Q", "-b", &broker.bootstrap, "-t", "listed:1:-1"]), LIMIT).out();
        assert_eq!(query.trim(), "listed [1] offset 0", "{kind:?}");
    }
}

#[test]
fn kafka_topics_and_kafka_get_offsets_work() {
    let _turn = turn();
    let java = need!(Java::find());
    for kind in kinds() {
        expected("cli.txt", kind, &session(java, &shared(kind)));
    }
}

/// The tools' output, call by call, with what differs between brokers made equal.
fn session(java: Java, broker: &Shared) -> String {
    let topics = |arguments: &[&str]| tool(java, TOPICS, broker, arguments);
    let offsets = |arguments: &[&str]| tool(java, OFFSETS, broker, arguments);
    let said = [
        topics(&["--create", "--topic", "tools", "--partitions", "2", "--config", "retention.ms=1234567"]),
        topics(&["--create", "--topic", "tools", "--if-not-exists"]),
        topics(&["--create", "--topic", "tools"]),
        topics(&["--list"]).lines().filter(|name| *name == "tools").collect(),
        topics(&["--alter", "--topic", "tools", "--partitions", "3"]),
        topics(&["--describe", "--topic", "tools"]),
        topics(&["--describe", "--topic", "no-such-topic"]),
        offsets(&["--topic", "tools"]),
        offsets(&["--topic", "tools", "--time", "-2"]),
        topics(&["--delete", "--topic", "tools"]),
        topics(&["--delete", "--topic", "tools"]),
    ];
    said.join("\n---\n") + "\n"
}

fn tool(java: Java, class: &str, broker: &Shared, arguments: &[&str]) -> String {
    let done = run(java.tool(class).args(["--bootstrap-server", &broker.bootstrap]).args(arguments), LIMIT);
    let code = done.status.code().unwrap_or(-1);
    let lines = said(&done);
    format!("{}(code {code})", lines.iter().map(|line| format!("{line}\n")).collect::<String>())
}

/// Without stack traces, times, topic ids and what only this broker's settings bring.
fn said(done: &Finished) -> Vec<String> {
    let text = done.both();
    let kept = text.lines().filter(|line| !line.starts_with(['\t', '[']) || line.starts_with("\tTopic:"));
    kept.filter(|line| !line.trim().is_empty()).map(masked).collect()
}

fn masked(line: &str) -> String {
    let words = line.split_inclusive(['\t', ' ']);
    let mut after_id = false;
    words
        .map(|word| if std::mem::replace(&mut after_id, word.trim() == "TopicId:") { "(id)\t" } else { word })
        .collect()
}
