//! Where the stock clients are. A client that is not installed skips its tests, unless `KLAMM_REQUIRE_CLIENTS=1`.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::tests_folder;

/// Leaves the test when a client is not there.
#[macro_export]
macro_rules! need {
    ($found:expr) => {
        match $found {
            Some(found) => found,
            None => return,
        }
    };
}

/// Says that something is missing; `None` lets [`need!`] leave the test.
///
/// # Panics
/// If clients are required.
pub fn missing<T>(what: &str) -> Option<T> {
    let required = std::env::var("KLAMM_REQUIRE_CLIENTS").is_ok_and(|value| value == "1");
    assert!(!required, "{what} is not here, and KLAMM_REQUIRE_CLIENTS=1");
    println!("skipped: {what} is not here");
    None
}

/// The cache that `.ci/run` fills: jars under `broker`, `tools` and `clients-*`, a Python environment
/// under `python`, Go modules under `go`.
pub fn cache() -> PathBuf {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    variable("KLAMM_KAFKA_HOME").unwrap_or_else(|| {
        let home = || variable("HOME").unwrap_or_default().join(".cache");
        variable("XDG_CACHE_HOME").unwrap_or_else(home).join("klamm-kafka")
    })
}

/// kcat, in any of its names.
pub fn kcat() -> Option<&'static str> {
    ["kcat", "kafkacat"].into_iter().find(|name| runs(Path::new(name), "-V")).or_else(|| missing("kcat"))
}

/// A Python that has the packages of `tests/interop/requirements.txt`.
pub fn python() -> Option<PathBuf> {
    let chosen = std::env::var_os("KLAMM_PYTHON").map(PathBuf::from);
    let python = chosen.unwrap_or_else(|| cache().join("python/bin/python"));
    let both = Command::new(&python).args(["-c", "import kafka, confluent_kafka, aiokafka"]).output();
    if both.is_ok_and(|output| output.status.success()) {
        Some(python)
    } else {
        missing("Python with kafka-python, confluent-kafka and aiokafka")
    }
}

/// Apache Kafka's jars and a Java to run them, behind `tests/interop/kafka/kafka`.
#[derive(Clone, Copy)]
pub struct Java;

impl Java {
    pub fn find() -> Option<Java> {
        let jar = |path: &str| cache().join(path).exists();
        let jars = jar("broker/kafka-clients-4.4.0.jar") && jar("tools/kafka-tools-4.3.1.jar");
        if jars && runs(Path::new("java"), "-version") { Some(Java) } else { missing("Java with Apache Kafka's jars") }
    }

    /// With an older client beside them.
    pub fn with_client(version: &str) -> Option<Java> {
        let jar = cache().join(format!("clients-{version}/kafka-clients-{version}.jar"));
        if jar.exists() { Java::find() } else { missing(&format!("the Java client {version}")) }
    }

    /// The start script.
    pub fn script(self) -> PathBuf {
        tests_folder().join("interop/kafka/kafka")
    }

    /// A one-file program against the Java client.
    pub fn program(self, file: &Path) -> Command {
        let mut command = Command::new(self.script());
        command.arg("run").arg(file);
        command
    }

    /// A one-file program with the tools, Streams and Connect on its class path.
    pub fn program_with_tools(self, file: &Path) -> Command {
        let mut command = Command::new(self.script());
        command.arg("run-tools").arg(file);
        command
    }

    /// A one-file program against an older Java client.
    pub fn program_on(self, version: &str, file: &Path) -> Command {
        let mut command = Command::new(self.script());
        command.args(["run-on", version]).arg(file);
        command
    }

    /// One of Kafka's command line tools, by its class.
    pub fn tool(self, class: &str) -> Command {
        let mut command = Command::new(self.script());
        command.args(["class", "tools", class]);
        command
    }
}

fn runs(program: &Path, argument: &str) -> bool {
    Command::new(program).arg(argument).output().is_ok_and(|output| output.status.success())
}
