//! Data directories as a broker leaves them, made once for all the tests that look at them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use crate::support::broker::{Broker, Kind, Plan, tried};
use crate::support::clients::Java;
use crate::support::process::run;
use crate::support::topic::Topic;
use crate::support::{scratch, tests_folder, wait_for};
use crate::text_file::Text;

/// The topic that has several segments of small batches.
pub const ROLLED: &str = "rolled";
/// The topic that was written to when the broker was killed.
pub const LOADED: &str = "loaded";

/// Whose directories are looked at: Klamm's, or Apache Kafka's where the tests themselves are tried.
pub fn origin() -> Kind {
    if tried(Kind::Klamm) { Kind::Klamm } else { Kind::Kafka }
}

/// A broker's plan on a folder, with what the content needs in order to stay as it is.
pub fn plan(kind: Kind, folder: &Path) -> Plan {
    // old timestamps must not expire, nor the producers that wrote them
    let plan = Plan::new(kind, folder).set("log.retention.ms=-1").set("producer.id.expiration.ms=2147483647");
    // a static member that left must be a member still when it comes back
    plan.set("group.consumer.max.session.timeout.ms=600000").set("group.consumer.session.timeout.ms=600000")
}

/// The folder (of `data/`) that a clean stop left: all that the Java client's steps make, and [`ROLLED`].
pub fn clean(java: Java, kcat: &str) -> &'static Path {
    static LEFT: OnceLock<PathBuf> = OnceLock::new();
    LEFT.get_or_init(|| {
        let folder = fresh("left-clean");
        filled(java, kcat, &folder).stop();
        folder
    })
}

/// The folder that `kill -9` left amid producing to [`LOADED`].
pub fn killed(java: Java, kcat: &str) -> &'static Path {
    static LEFT: OnceLock<PathBuf> = OnceLock::new();
    LEFT.get_or_init(|| {
        let folder = fresh("left-killed");
        let broker = filled(java, kcat, &folder);
        kill_under_load(kcat, broker);
        folder
    })
}

fn fresh(name: &str) -> PathBuf {
    let folder = scratch().join(name);
    let _ = std::fs::remove_dir_all(&folder);
    folder
}

fn filled(java: Java, kcat: &str, folder: &Path) -> Broker {
    let broker = plan(origin(), folder).start();
    let mut steps = java.program(&tests_folder().join("interop/clients/Exercise.java"));
    run(steps.args([&broker.bootstrap(), "left"]), Duration::from_secs(120)).out();
    Topic { name: ROLLED, partitions: 2, configs: &[("segment.bytes", "1048576")] }.create(&broker.bootstrap());
    let limit = Duration::from_secs(120);
    groups(java, &broker.bootstrap(), &["make"]);
    run(send(kcat, &broker, ROLLED).args(["-X", "batch.num.messages=20", "-X", "enable.idempotence=true"]), limit)
        .out();
    broker
}

/// Makes groups, or lets them go on (`moving/Groups.java`).
///
/// # Panics
/// If anything is not as the groups left it.
pub fn groups(java: Java, bootstrap: &str, what: &[&str]) {
    let mut program = java.program(&tests_folder().join("interop/moving/Groups.java"));
    let done = run(program.arg(bootstrap).args(what), Duration::from_secs(300));
    assert!(done.status.success(), "Groups.java {what:?}: {done}");
    assert_eq!(done.out(), "", "Groups.java {what:?}");
}

fn send(kcat: &str, broker: &Broker, topic: &str) -> Command {
    let mut command = Command::new(kcat);
    command.args(["-P", "-b", &broker.bootstrap(), "-t", topic, "-K", "\t", "-X", "acks=all"]);
    command.arg("-l").arg(Text::of(3_000_000).keyed);
    command
}

fn kill_under_load(kcat: &str, broker: Broker) {
    Topic { name: LOADED, partitions: 4, configs: &[] }.create(&broker.bootstrap());
    let mut command = send(kcat, &broker, LOADED);
    command.args(["-X", "batch.num.messages=10", "-X", "enable.idempotence=true"]);
    let mut load = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().expect("start kcat");
    let segments: Vec<PathBuf> =
        (0..4).map(|p| broker.data().join(format!("{LOADED}-{p}/00000000000000000000.log"))).collect();
    wait_for("the load is on disk", Duration::from_secs(60), || {
        let sizes = segments.iter().filter_map(|segment| Some(segment.metadata().ok()?.len()));
        (sizes.sum::<u64>() > 500_000).then_some(())
    });
    assert!(load.try_wait().expect("look at kcat").is_none(), "the broker dies under load");
    broker.kill();
    load.kill().expect("kill kcat");
    load.wait().expect("wait for kcat");
}
