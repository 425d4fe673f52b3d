//! A broker as a process of its own, on a folder of its own: Klamm's binary or Apache Kafka.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::process::Signal;

use super::clients::Java;
use super::process::{Guarded, run};
use super::{scratch, wait_for};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Klamm,
    Kafka,
}

/// How a broker is started, and started again.
#[derive(Clone, Debug)]
pub struct Plan {
    kind: Kind,
    /// Holds `data/`, the log and, of Kafka, its `server.properties`.
    folder: PathBuf,
    /// Loopback client port; `None` is what the program does by itself (9092).
    port: Option<u16>,
    settings: Vec<String>,
    remove: bool,
}

impl Plan {
    /// Klamm or Kafka on `folder/data`, which may be new, on a free port.
    pub fn new(kind: Kind, folder: &Path) -> Plan {
        Plan { kind, folder: folder.to_path_buf(), port: Some(free_port()), settings: Vec::new(), remove: false }
    }

    /// On the port that clients try when nobody tells them.
    #[must_use]
    pub fn on_default_port(mut self) -> Plan {
        self.port = if self.kind == Kind::Klamm { None } else { Some(9092) };
        self
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// With one more setting, `key=value` in Kafka's names; it replaces an earlier value.
    #[must_use]
    pub fn set(mut self, setting: &str) -> Plan {
        let key = |setting: &str| setting.split('=').next().map(str::to_owned);
        self.settings.retain(|earlier| key(earlier) != key(setting));
        self.settings.push(setting.to_owned());
        self
    }

    /// The folder goes when the tests end.
    #[must_use]
    pub fn remove_at_end(mut self) -> Plan {
        self.remove = true;
        self
    }

    /// Starts it and waits until it answers.
    ///
    /// # Panics
    /// If it ends or does not answer in time, with the end of its log.
    pub fn start(self) -> Broker {
        std::fs::create_dir_all(&self.folder).expect("make the broker's folder");
        let log = self.folder.join("broker.log");
        let remove = self.remove.then_some(self.folder.as_path());
        let process = Guarded::start(&self.command(), &log, remove);
        let mut broker = Broker { plan: self, process: Some(process) };
        broker.wait_ready();
        broker
    }

    fn command(&self) -> Vec<String> {
        let data = self.folder.join("data").display().to_string();
        match self.kind {
            Kind::Klamm => {
                let mut command = vec![klamm(), "--data-dir".into(), data];
                if let Some(port) = self.port {
                    command.extend(["--listen".into(), format!("127.0.0.1:{port}")]);
                }
                for setting in &self.settings {
                    command.extend(["--set".into(), setting.clone()]);
                }
                command
            }
            Kind::Kafka => {
                let folder = self.folder.display().to_string();
                let controller = format!("CONTROLLER_PORT={}", free_port());
                let script = Java.script().display().to_string();
                let port = self.port.unwrap_or(9092).to_string();
                let mut command = vec!["env".into(), controller, script, "serve".into(), folder, port];
                command.extend(self.settings.iter().cloned());
                command
            }
        }
    }
}

/// The binary under test: another build of it with `KLAMM_BINARY`.
pub fn klamm() -> String {
    std::env::var("KLAMM_BINARY").unwrap_or_else(|_| env!("CARGO_BIN_EXE_klamm").to_owned())
}

/// A running broker; it is killed when dropped.
pub struct Broker {
    plan: Plan,
    process: Option<Guarded>,
}

impl Broker {
    pub fn kind(&self) -> Kind {
        self.plan.kind
    }

    pub fn port(&self) -> u16 {
        self.plan.port.unwrap_or(9092)
    }

    /// Host and port for clients.
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port())
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.plan.data()
    }

    /// All that it has logged since it was started.
    pub fn log(&self) -> String {
        let bytes = std::fs::read(self.plan.folder.join("broker.log")).expect("read the broker's log");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Stops it cleanly.
    ///
    /// # Panics
    /// If it takes more than a minute, or Klamm's exit code is not 0.
    pub fn stop(mut self) -> Plan {
        let mut process = self.process.take().expect("it runs");
        process.signal(Signal::TERM);
        let status = process.wait(Duration::from_secs(60));
        if self.plan.kind == Kind::Klamm {
            assert!(status.success(), "Klamm ended with {status} after SIGTERM\n{}", tail(&self.log()));
        }
        self.plan.clone()
    }

    /// Kills it as `kill -9` does.
    pub fn kill(mut self) -> Plan {
        let mut process = self.process.take().expect("it runs");
        process.signal(Signal::KILL);
        process.wait(Duration::from_secs(30));
        self.plan.clone()
    }

    fn wait_ready(&mut self) {
        let limit = Duration::from_secs(120);
        wait_for("a broker answers on its port", limit, || {
            let ended = self.process.as_mut().and_then(Guarded::ended);
            if let Some(status) = ended {
                panic!("{:?} ended with {status} at its start\n{}", self.plan.kind, tail(&self.log()));
            }
            let said = self.plan.kind == Kind::Kafka || self.log().contains("ready in");
            (said && TcpStream::connect(self.bootstrap()).is_ok()).then_some(())
        });
    }
}

fn tail(log: &str) -> &str {
    let mut from = log.len().saturating_sub(4000);
    while !log.is_char_boundary(from) {
        from += 1;
    }
    log.get(from..).unwrap_or_default()
}

/// A port that nothing listened on a moment ago.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind a free port");
    listener.local_addr().expect("its address").port()
}

/// The brokers that a comparison runs on: both, or the one that `KLAMM_INTEROP_ON` names (`kafka` tries the tests
/// themselves). Apache Kafka is left out where it is not installed and clients are not required.
pub fn kinds() -> Vec<Kind> {
    let only = std::env::var("KLAMM_INTEROP_ON").unwrap_or_default();
    let mut kinds = Vec::new();
    if only != "klamm" && Java::find().is_some() {
        kinds.push(Kind::Kafka);
    }
    if only != "kafka" {
        kinds.push(Kind::Klamm);
    }
    kinds
}

/// Whether `KLAMM_INTEROP_ON` leaves a kind in.
pub fn tried(kind: Kind) -> bool {
    let only = std::env::var("KLAMM_INTEROP_ON").unwrap_or_default();
    only.is_empty() || only == format!("{kind:?}").to_lowercase()
}

/// The address of a broker that all tests of this process share; each takes topic names of its own.
pub fn shared(kind: Kind) -> Shared {
    static BROKERS: Mutex<Vec<Broker>> = Mutex::new(Vec::new());
    let mut brokers = BROKERS.lock().unwrap_or_else(PoisonError::into_inner);
    if !brokers.iter().any(|broker| broker.kind() == kind) {
        let folder = scratch().join(format!("shared-{kind:?}-{}", std::process::id()));
        // the programs write old timestamps
        let plan = Plan::new(kind, &folder).remove_at_end().set("log.retention.ms=-1");
        brokers.push(plan.start());
    }
    let broker = brokers.iter().find(|broker| broker.kind() == kind).expect("it was just started");
    Shared { bootstrap: broker.bootstrap(), data: broker.data() }
}

/// What a test needs to know of a broker that it shares.
#[derive(Clone, Debug)]
pub struct Shared {
    pub bootstrap: String,
    pub data: PathBuf,
}

/// Runs a shell command line tool that must succeed, for what std lacks (`tar`).
pub fn shell(script: &str, arguments: &[&str]) {
    let mut command = std::process::Command::new("sh");
    command.args(["-ec", script, "sh"]).args(arguments);
    run(&mut command, Duration::from_secs(60)).out();
}
