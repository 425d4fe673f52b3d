//! The command line, run as a process: what it prints, where, and its exit codes. No broker is started.

use std::path::Path;
use std::process::{Command, Output};

const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/broker/config/server.properties");

fn klamm(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_klamm"));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("KAFKA_") || name == "CLUSTER_ID" || name == "RUST_LOG" {
            command.env_remove(name);
        }
    }
    command.args(arguments).envs(environment.iter().copied());
    command.output().expect("the binary runs")
}

#[track_caller]
fn check(arguments: &[&str], code: i32, out: &[&str], err: &[&str]) {
    let output = klamm(arguments, &[]);
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{stdout}\n{stderr}");
    for part in out {
        assert!(stdout.contains(part), "{part:?} is not in\n{stdout}");
    }
    for part in err {
        assert!(stderr.contains(part), "{part:?} is not in\n{stderr}");
    }
}

fn file(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("the folder can be written");
    path.display().to_string()
}

#[test]
fn the_version_and_the_exit_codes_are_printed() {
    check(&["--version"], 0, &[env!("CARGO_PKG_VERSION")], &[]);
    check(&["--help"], 0, &["check", "config", "--data-dir", "Exit codes:"], &[]);
}

#[test]
fn a_misspelt_sub_command_or_flag_gets_a_suggestion() {
    check(&["chekc"], 2, &[], &["unrecognized subcommand 'chekc'", "'check'"]);
    check(&["--listn", ":1"], 2, &[], &["unexpected argument '--listn'", "'--listen'"]);
    check(&["--log-format", "xml"], 2, &[], &["json"]);
}

#[test]
fn the_server_properties_that_kafka_ships_are_without_faults() {
    check(
        &["check", "--config", SHIPPED],
        0,
        &[
            "server.properties: no faults",
            "controller listeners are not opened, the controller is in this process: CONTROLLER",
            "controller.quorum.bootstrap.servers",
        ],
        &[],
    );
    check(
        &["config", "--config", SHIPPED],
        0,
        &["\"log.dirs\" = \"/tmp/kraft-combined-logs\"", "server.properties:", "\"node.id\" = 1"],
        &[],
    );
}

#[test]
fn check_prints_every_fault_and_ends_with_2() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = file(folder.path(), "k.toml", "num.partitons = 1\n\"log.segment.bytes\" = 1\n");
    let (first, second) =
        (format!("{path}:1:5: num.partitons: unknown key"), format!("{path}:2:1: log.segment.bytes = 1"));
    check(&["check", "--config", &path], 2, &[&first, "num.partitions?", &second, "2 faults"], &[]);
    check(&["--config", &path], 2, &[], &[&first, &second]);
    check(&["config", "--config", &path], 2, &[], &[&first, &second]);
}

#[test]
fn a_file_that_is_not_there_ends_with_2() {
    check(&["check", "--config", "/no/such.toml"], 2, &["/no/such.toml:1: cannot be read"], &[]);
}

#[test]
fn config_shows_where_each_value_comes_from() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = file(folder.path(), "k.toml", "num.partitions = 2\nbroker.rack = \"r\"\n");
    let arguments = ["config", "--config", &path, "--set", "message.max.bytes=5", "--data-dir", "/d"];
    let output = klamm(&arguments, &[("KAFKA_NUM_PARTITIONS", "3"), ("KAFKA_SSL_KEY_PASSWORD", "hunter2")]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0));
    for line in [
        "\"num.partitions\" = 3  # environment KAFKA_NUM_PARTITIONS".to_string(),
        format!("\"broker.rack\" = \"r\"  # {path}:2:8"),
        "\"message.max.bytes\" = 5  # flag --set".into(),
        "\"log.dirs\" = \"/d\"  # flag --data-dir".into(),
        "\"durability.mode\" = \"sync\"  # default".into(),
        "\"ssl.key.password\" = \"(hidden)\"  # environment KAFKA_SSL_KEY_PASSWORD".into(),
    ] {
        assert!(text.contains(&line), "{line:?} is not in\n{text}");
    }
    assert!(!text.contains("hunter2"));
}

#[test]
fn a_listener_that_cannot_be_secured_is_refused() {
    check(&["check", "--set", "listeners=SSL://localhost:0"], 2, &["is not opened in clear instead"], &[]);
}

#[test]
fn a_misspelt_log_level_is_refused_before_anything_starts() {
    check(&["--log-level", "inof"], 2, &[], &["'inof' is no log level"]);
}
