//! The brokers that are compared, and how each is started on a fresh directory and ended.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use crate::Fallible;
use crate::wire::Connection;

/// One of the brokers in the comparison.
#[derive(Clone)]
pub struct Contestant {
    pub name: String,
    pub kind: Kind,
}

#[derive(Clone)]
pub enum Kind {
    /// The binary and its extra arguments.
    Klamm(PathBuf, Vec<String>),
    Ceiling,
    /// A shell command that starts Apache Kafka with its data in `$DIR` on port `$PORT` and prints its process id.
    Kafka(String),
    /// A broker somebody else started: the same process and directory in every round.
    Running(u32, u16),
}

/// A broker that answers; ended when dropped.
pub struct Broker {
    pub pid: u32,
    pub port: u16,
    pub folder: PathBuf,
    /// From the start of the process to the first answer that names a broker.
    pub ready: Duration,
    child: Option<Child>,
    ours: bool,
    pub is_jvm: bool,
}

impl Contestant {
    /// Whether it needs a long warm-up until its code is compiled.
    pub fn is_jvm(&self) -> bool {
        matches!(self.kind, Kind::Kafka(_) | Kind::Running(..))
    }

    /// Starts the broker on `folder`, with what an earlier life left in it, and waits for it.
    pub fn start(&self, folder: &Path, port: u16) -> Fallible<Broker> {
        fs::create_dir_all(folder)?;
        let log = fs::File::options().create(true).append(true).open(folder.join("output"))?;
        let mut command = match &self.kind {
            Kind::Running(pid, port) => {
                Connection::open(*port)?.brokers()?;
                let (pid, port, folder) = (*pid, *port, folder.to_owned());
                return Ok(Broker { pid, port, folder, ready: Duration::ZERO, child: None, ours: false, is_jvm: true });
            }
            Kind::Klamm(binary, extra) => {
                let mut command = Command::new(binary);
                command.arg("--data-dir").arg(folder.join("data")).args(["--listen", &format!("127.0.0.1:{port}")]);
                command.args(extra);
                command
            }
            Kind::Ceiling => {
                let mut command = Command::new(std::env::current_exe()?);
                command.arg("--serve-ceiling").arg(folder.join("data")).args(["--port", &port.to_string()]);
                command
            }
            Kind::Kafka(script) => {
                let mut command = Command::new("sh");
                command.args(["-c", script]).env("DIR", folder).env("PORT", port.to_string());
                command
            }
        };
        let scripted = matches!(self.kind, Kind::Kafka(_));
        command.stdin(Stdio::null()).stderr(log.try_clone()?);
        command.stdout(if scripted { Stdio::piped() } else { log.into() });
        let started = Instant::now();
        let mut child = command.spawn().map_err(|error| format!("{}: {error}", self.name))?;
        let ready = wait_until_ready(&mut child, port, started, scripted);
        let mut broker = Broker {
            pid: child.id(),
            port,
            folder: folder.to_owned(),
            ready: Duration::ZERO,
            child: Some(child),
            ours: true,
            is_jvm: self.is_jvm(),
        };
        if scripted {
            broker.pid = pid_printed(broker.child.take())?;
        }
        broker.ready = ready.map_err(|error| format!("{}: {error}, see {}/output", self.name, folder.display()))?;
        Ok(broker)
    }
}

fn wait_until_ready(child: &mut Child, port: u16, started: Instant, scripted: bool) -> Fallible<Duration> {
    while started.elapsed() < Duration::from_secs(120) {
        if Connection::open(port).and_then(|mut connection| connection.brokers()).is_ok_and(|brokers| brokers > 0) {
            return Ok(started.elapsed());
        }
        if let Some(status) = child.try_wait()?
            && !(scripted && status.success())
        {
            return Err(format!("it ended before it answered ({status})").into());
        }
        std::thread::sleep(Duration::from_micros(500));
    }
    Err("no answer in 120 s".into())
}

/// The first number a start script prints.
fn pid_printed(child: Option<Child>) -> Fallible<u32> {
    let mut child = child.ok_or("no start script")?;
    let mut printed = String::new();
    if let Some(stdout) = &mut child.stdout {
        stdout.read_to_string(&mut printed)?;
    }
    child.wait()?;
    let pid = printed.split_whitespace().find_map(|word| word.parse().ok());
    Ok(pid.ok_or("the start command printed no process id")?)
}

impl Broker {
    /// Ends it by SIGKILL, as a crash does.
    pub fn kill(&mut self) -> Fallible<()> {
        if !self.ours {
            return Err("a broker that was not started here is not killed".into());
        }
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw).ok_or("no process id")?;
        rustix::process::kill_process(pid, Signal::KILL)?;
        while self.runs() {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.ours = false;
        Ok(())
    }

    /// Ends it by SIGTERM, after ten seconds by SIGKILL.
    fn end(&mut self) {
        let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) else { return };
        let _ = rustix::process::kill_process(pid, Signal::TERM);
        let started = Instant::now();
        while self.runs() {
            if started.elapsed() > Duration::from_secs(10) {
                let _ = rustix::process::kill_process(pid, Signal::KILL);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn runs(&mut self) -> bool {
        match &mut self.child {
            Some(child) => matches!(child.try_wait(), Ok(None)),
            None => fs::read_to_string(format!("/proc/{}/stat", self.pid))
                .is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))),
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if self.ours {
            self.end();
        }
    }
}
