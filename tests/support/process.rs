//! Child processes with a deadline (clients) and with a guard (brokers).

use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::{tests_folder, wait_for};

/// What a finished client left.
pub struct Finished {
    pub command: String,
    pub status: ExitStatus,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

impl Finished {
    /// Standard output of a client that must have succeeded.
    ///
    /// # Panics
    /// If it failed, with all it said.
    pub fn out(self) -> String {
        assert!(self.status.success(), "{self}");
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    pub fn both(&self) -> String {
        format!("{}{}", String::from_utf8_lossy(&self.stdout), String::from_utf8_lossy(&self.stderr))
    }
}

impl fmt::Display for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tail = |bytes: &[u8]| {
            let from = bytes.len().saturating_sub(6000);
            String::from_utf8_lossy(bytes.get(from..).unwrap_or_default()).into_owned()
        };
        write!(
            f,
            "{} ended with {}\n--- stdout\n{}\n--- stderr\n{}",
            self.command,
            self.status,
            tail(&self.stdout),
            tail(&self.stderr)
        )
    }
}

/// Runs a client to its end; it is killed after `limit`.
///
/// # Panics
/// If it cannot be started or does not end in time.
pub fn run(command: &mut Command, limit: Duration) -> Finished {
    let name = format!("{command:?}");
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("start {name}: {error}"));
    let out = drain(child.stdout.take().expect("stdout is a pipe"));
    let err = drain(child.stderr.take().expect("stderr is a pipe"));
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("wait for a client") {
            break status;
        }
        if begun.elapsed() > limit {
            child.kill().expect("kill a client");
            child.wait().expect("wait for a client");
            let said = |thread: std::thread::JoinHandle<Vec<u8>>| {
                String::from_utf8_lossy(&thread.join().expect("read a client")).into_owned()
            };
            panic!("{name} did not end within {limit:?}\n--- stdout\n{}\n--- stderr\n{}", said(out), said(err));
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let stdout = out.join().expect("read a client");
    let stderr = err.join().expect("read a client");
    Finished { command: name, status, stdout, stderr }
}

fn drain(mut pipe: impl Read + Send + 'static) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut all = Vec::new();
        pipe.read_to_end(&mut all).expect("read a pipe");
        all
    })
}

/// The words that start a command with its own variables, for [`Guarded::start`].
pub fn words(command: &Command) -> Vec<String> {
    let mut words = vec!["env".to_owned()];
    for (name, value) in command.get_envs() {
        let value = value.unwrap_or_default();
        words.push(format!("{}={}", Path::new(name).display(), Path::new(value).display()));
    }
    words.push(command.get_program().to_string_lossy().into_owned());
    words.extend(command.get_args().map(|word| word.to_string_lossy().into_owned()));
    words
}

/// A process that ends with the tests, whatever ends them.
pub struct Guarded {
    guard: Child,
    /// Closing it kills the process.
    pipe: Option<ChildStdin>,
    pid: Pid,
}

impl Guarded {
    /// Starts `command` with its output appended to `log`; `remove` is deleted when the tests end.
    pub fn start(command: &[String], log: &Path, remove: Option<&Path>) -> Guarded {
        File::create(log).and_then(|mut file| file.write_all(b"")).expect("make the log file");
        let mut guard = Command::new("sh")
            .arg(tests_folder().join("support/guard.sh"))
            .arg(log)
            .arg(remove.unwrap_or(Path::new("")))
            .args(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("start sh");
        let mut line = String::new();
        BufReader::new(guard.stdout.take().expect("stdout is a pipe"))
            .read_line(&mut line)
            .expect("read the process id");
        let pid = line.trim().parse::<i32>().ok().and_then(Pid::from_raw).expect("a process id");
        let pipe = guard.stdin.take();
        Guarded { guard, pipe, pid }
    }

    /// The status it ended with, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.guard.try_wait().expect("wait for the guard")
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid, signal).expect("send a signal");
    }

    /// Waits for its end.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        wait_for("a process ends", limit, || self.ended())
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        drop(self.pipe.take());
        let _ = self.guard.wait();
    }
}
