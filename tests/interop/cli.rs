//! kcat's listing, and Kafka's command line: what every tool says of Klamm is what it says of Apache Kafka.
//!
//! The sessions (`cli/*.session`) are command lines with what Apache Kafka answers, which `KLAMM_BLESS=1` writes anew.
//! Apache Kafka is held to them word for word; Klamm too, but for the table of `differences`.

mod differences;
mod masked;
mod session;
mod tools;

use std::process::Command;
use std::time::Duration;

use crate::need;
use crate::support::broker::{Kind, Plan, kinds, shared};
use crate::support::clients::{Java, kcat};
use crate::support::process::run;
use crate::support::topic::Topic;
use crate::support::turn;
use session::{Player, Session};

const LIMIT: Duration = Duration::from_secs(60);
/// In the order in which one broker sees them.
const SESSIONS: [&str; 7] = ["topics", "cluster", "configs", "records", "load", "groups", "consumers"];
/// What the other broker is started with (`kafka/server.properties`), and no fewer copies than asked for.
const LIKE_KAFKA: &[&str] = &[
    "klamm.replication.clamp=false",
    "num.partitions=1",
    "offsets.topic.replication.factor=1",
    "offsets.topic.num.partitions=1",
    "transaction.state.log.replication.factor=1",
    "transaction.state.log.min.isr=1",
    "transaction.state.log.num.partitions=1",
    "share.coordinator.state.topic.replication.factor=1",
    "share.coordinator.state.topic.min.isr=1",
    "share.coordinator.state.topic.num.partitions=1",
    "group.initial.rebalance.delay.ms=0",
];

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

/// Most of the time is the start of Java: the two brokers are asked side by side.
#[test]
fn kafkas_command_line_says_of_klamm_what_it_says_of_apache_kafka() {
    let _turn = turn();
    let java = need!(Java::find());
    let faults: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = kinds().into_iter().map(|kind| scope.spawn(move || played(java, kind))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a broker is asked")).collect()
    });
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn every_listed_difference_is_of_a_command() {
    let commands = SESSIONS.iter().flat_map(|name| {
        Session::read(name).steps.into_iter().map(move |step| (*name, step.command)).collect::<Vec<_>>()
    });
    assert_eq!(differences::orphans(&commands.collect::<Vec<_>>()), Vec::<String>::new());
}

/// Plays every session on a broker of its own; what was not as it should be.
fn played(java: Java, kind: Kind) -> Vec<String> {
    let folder = tempfile::tempdir().expect("make a folder");
    let settings = if kind == Kind::Klamm { LIKE_KAFKA } else { &[] };
    let broker = settings.iter().fold(Plan::new(kind, folder.path()), |plan, setting| plan.set(setting)).start();
    let mut player = Player::new(java, &broker);
    let mut faults = Vec::new();
    for name in SESSIONS {
        let wanted = Session::read(name);
        let got = player.play(&wanted);
        if kind == Kind::Kafka && std::env::var("KLAMM_BLESS").is_ok_and(|value| value == "1") {
            got.write(name);
            continue;
        }
        for (wanted, got) in wanted.steps.iter().zip(&got.steps) {
            let fault = match kind {
                Kind::Kafka => (wanted.said != got.said).then(|| differences::shown(&wanted.said, &got.said)),
                Kind::Klamm => differences::judge(name, &wanted.command, &wanted.said, &got.said).err(),
            };
            faults.extend(fault.map(|fault| format!("{kind:?}, {name}.session: $ {}\n{fault}", wanted.command)));
        }
    }
    faults
}
