//! A kcat that stays: what it says is in a file, lines go to it one by one.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::process::Finished;
use crate::support::wait_for;

/// It is killed when dropped.
pub struct Living {
    name: String,
    child: Child,
    input: Option<ChildStdin>,
    log: PathBuf,
}

impl Living {
    /// What it prints and what it says besides come into `log` in their order, if it buffers neither.
    pub fn start(mut command: Command, log: &Path) -> Living {
        let name = format!("{command:?}");
        File::create(log).expect("make a log");
        let append = || OpenOptions::new().append(true).open(log).expect("open a log");
        command.stdin(Stdio::piped()).stdout(append()).stderr(append());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("start {name}: {error}"));
        Living { name, input: child.stdin.take(), child, log: log.to_owned() }
    }

    pub fn said(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).expect("read a log")).into_owned()
    }

    pub fn wait_for<T>(&self, what: &str, limit: Duration, look: impl Fn(&str) -> Option<T>) -> T {
        wait_for(&format!("{what}: {}", self.name), limit, || look(&self.said()))
    }

    /// Lines for it; it may have ended.
    pub fn write(&mut self, lines: &[u8]) {
        let input = self.input.as_mut().expect("its input is open");
        let _ = input.write_all(lines).and_then(|()| input.flush());
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("send a signal");
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("wait for kcat").is_some()
    }

    /// Its end, with no more input.
    ///
    /// # Panics
    /// If it does not end in time.
    pub fn finish(mut self, limit: Duration) -> Finished {
        drop(self.input.take());
        let status = wait_for(&format!("{} ends", self.name), limit, || self.child.try_wait().expect("wait for kcat"));
        let stderr = self.said().into_bytes();
        Finished { command: self.name.clone(), status, stdout: Vec::new(), stderr }
    }
}

impl Drop for Living {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
