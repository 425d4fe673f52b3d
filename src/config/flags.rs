//! Command line flags into keys.

use clap::Args;

use std::path::PathBuf;

use crate::settings::{Finding, Given, Source, host_and_port};

/// Flags that set keys. They override file and environment.
#[derive(Args, Clone, Default, Debug)]
pub struct Flags {
    /// Where all data lives: short for log.dirs [default: ./klamm-data]
    #[arg(long, value_name = "DIR", global = true)]
    pub data_dir: Option<PathBuf>,
    /// Listen here instead of what listeners says; HOST:PORT or NAME://HOST:PORT, may be repeated
    #[arg(long, value_name = "HOST:PORT", global = true)]
    pub listen: Vec<String>,
    /// Set any key; may be repeated
    #[arg(long, value_name = "KEY=VALUE", global = true)]
    pub set: Vec<String>,
}

impl Flags {
    /// The keys that the flags set. `map` is the listener.security.protocol.map so far; names that --listen makes up join it.
    pub fn read(&self, map: &str) -> (Vec<Given>, Vec<Finding>) {
        let mut given: Vec<Given> = Vec::new();
        let mut findings = Vec::new();
        if let Some(dir) = &self.data_dir {
            given.push(flag("log.dirs", &dir.to_string_lossy(), "--data-dir"));
        }
        if !self.listen.is_empty() {
            self.listeners(map, &mut given, &mut findings);
        }
        for text in &self.set {
            let Some((name, value)) = text.split_once('=') else {
                findings.push(refused("--set", text, "there is no = in it", "Write --set KEY=VALUE"));
                continue;
            };
            let name = name.trim();
            if given.iter().any(|other| other.name == name) {
                findings.push(refused(name, "", "the flags set it twice", "Set it once"));
                continue;
            }
            given.push(flag(name, value, "--set"));
        }
        (given, findings)
    }

    fn listeners(&self, map: &str, given: &mut Vec<Given>, findings: &mut Vec<Finding>) {
        let mut listeners = Vec::new();
        let mut added = Vec::new();
        for text in &self.listen {
            if text.contains("://") {
                listeners.push(text.clone());
            } else if host_and_port(text).is_none() {
                let remedy = "Write HOST:PORT, as localhost:9092, 0.0.0.0:9092 or [::1]:9092";
                findings.push(refused("--listen", text, "it is no address", remedy));
            } else if added.is_empty() {
                added.push("PLAINTEXT".to_string());
                listeners.push(format!("PLAINTEXT://{text}"));
            } else {
                let name = format!("PLAINTEXT_{}", added.len() + 1);
                listeners.push(format!("{name}://{text}"));
                added.push(name);
            }
        }
        if !listeners.is_empty() {
            given.push(flag("listeners", &listeners.join(","), "--listen"));
        }
        if added.len() > 1 {
            let more: Vec<String> = added.iter().skip(1).map(|name| format!("{name}:PLAINTEXT")).collect();
            given.push(flag("listener.security.protocol.map", &format!("{map},{}", more.join(",")), "--listen"));
        }
    }
}

fn flag(name: &str, value: &str, flag: &str) -> Given {
    Given { name: name.into(), value: value.into(), source: Source::Flag { flag: flag.into() } }
}

fn refused(key: &str, value: &str, reason: &str, remedy: &str) -> Finding {
    Finding {
        key: key.into(),
        value: (!value.is_empty()).then(|| value.into()),
        source: Source::Flag { flag: if key.starts_with("--") { key.into() } else { "--set".into() } },
        reason: reason.into(),
        remedy: remedy.into(),
    }
}
