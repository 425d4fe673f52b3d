//! Apache Kafka starts on what Klamm left, Klamm on what Apache Kafka left, and both serve the same.
//!
//! What is compared is all that a client can learn (`kafka/Dump.java`): every record at its offset with its timestamp,
//! topics with ids and configs, producers, answers by timestamp, groups with their offsets. Areas whose requests one of the
//! two does not serve are passed over. Groups also go on, on each broker where they stood on the other (`moving/Groups.java`).

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::left::{clean, groups, killed, origin, plan};
use crate::need;
use crate::support::broker::{Kind, Plan, shell};
use crate::support::clients::{Java, kcat};
use crate::support::process::run;
use crate::support::{copy_folder, tests_folder, turn};

/// Features that Klamm keeps in the metadata log but does not tell clients of: it has no request that needs them.
const UNSERVED: [&str; 5] = ["eligible.leader.replicas", "kraft", "share", "streams", "transaction"];

#[test]
fn apache_kafka_serves_what_a_clean_stop_left() {
    let _turn = turn();
    let (java, kcat) = (need!(Java::find()), need!(kcat()));
    moves(java, clean(java, kcat), &[]);
}

#[test]
fn apache_kafka_serves_what_kill_9_left() {
    let _turn = turn();
    let (java, kcat) = (need!(Java::find()), need!(kcat()));
    // A log that is read again tells of producers whose records are dated long ago. Kafka forgets them at once, by those dates;
    // we keep them, because a resend that is not recognised would be a second append.
    // Those of kcat's topics are of today and compared.
    moves(java, killed(java, kcat), &["topics/left-*/partitions/*/producers"]);
}

#[test]
fn klamm_serves_what_apache_kafka_left() {
    let _turn = turn();
    let java = need!(Java::find());
    let folder = tempfile::tempdir().expect("make a folder");
    let pack = tests_folder().join("fixtures/kafka-4.4-basic.tar.zst");
    unpack(&pack, folder.path());
    let options = std::fs::read_to_string(folder.path().join("options")).expect("read the pack's options");
    let settings = options.split_whitespace().filter(|word| *word != "--set");
    // what is in the pack is old by now
    let plan = settings.fold(Plan::new(origin(), folder.path()), Plan::set).set("log.retention.ms=-1");
    let served = dump(java, plan, &folder.path().join("served.json"), |_| ());
    // Share groups are not served.
    let ignored = ["groups/birch1-share", "topics/*/configs/retention.ms"];
    same(java, &pack.with_file_name("kafka-4.4-basic.json"), &served, &ignored);
}

/// The broker that left a folder, Apache Kafka on a copy of it, and the first again on Kafka's copy serve the same.
fn moves(java: Java, left: &Path, ignored: &[&str]) {
    let folder = tempfile::tempdir().expect("make a folder");
    let (own, moved) = (folder.path().join("own"), folder.path().join("moved"));
    copy_folder(&left.join("data"), &own.join("data"));
    copy_folder(&left.join("data"), &moved.join("data"));
    let at_home = dump(java, plan(origin(), &own), &folder.path().join("home.json"), |_| ());
    let go_on = |calls: &'static str| move |bootstrap: &str| groups(java, bootstrap, &["continue", calls]);
    let away = dump(java, plan(Kind::Kafka, &moved), &folder.path().join("away.json"), go_on("0"));
    same(java, &at_home, &away, ignored);
    let back = dump(java, plan(origin(), &moved), &folder.path().join("back.json"), go_on("1"));
    same(java, &at_home, &back, &[ignored, &["groups/moved-*/offsets"]].concat());
}

/// Starts the broker, writes down what it serves, does what is asked for then, and stops it.
fn dump(java: Java, plan: Plan, file: &Path, then: impl FnOnce(&str)) -> PathBuf {
    let broker = plan.start();
    let mut program = java.program(&tests_folder().join("interop/kafka/Dump.java"));
    let printed = run(program.args(["--bootstrap", &broker.bootstrap()]), Duration::from_secs(180)).out();
    std::fs::write(file, printed).expect("write a dump");
    then(&broker.bootstrap());
    broker.stop();
    file.to_path_buf()
}

fn same(java: Java, one: &Path, other: &Path, ignored: &[&str]) {
    let mut program = java.program(&tests_folder().join("interop/kafka/Dump.java"));
    program.arg("--diff").args([one, other]);
    for feature in UNSERVED {
        program.args(["--ignore", &format!("features/{feature}.version")]);
    }
    for path in ignored {
        program.args(["--ignore", path]);
    }
    let diff = run(&mut program, Duration::from_secs(120));
    assert!(diff.status.success(), "{} and {} differ: {diff}", one.display(), other.display());
}

/// Unfolds a pack of the fixtures.
fn unpack(pack: &Path, folder: &Path) {
    let packed = std::fs::File::open(pack).unwrap_or_else(|error| panic!("open {}: {error}", pack.display()));
    let tar = folder.join("pack.tar");
    std::fs::write(&tar, zstd::decode_all(packed).expect("decompress a pack")).expect("write a pack");
    shell("tar -x -C \"$1\" -f \"$2\"", &[&folder.display().to_string(), &tar.display().to_string()]);
}
