//! Configuration: TOML, `server.properties`, environment variables.
//!
//! ```text
//! input := choice, text       choice % 4: .toml, .properties, no extension, lines NAME=VALUE as environment
//! ```
//! What is wrong is said, all of it: one more wrong line hides nothing of the rest. What is right is printed as a file that is right.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use klamm::config::check::{Sources, load, report};
use klamm::config::print::effective;
use klamm::settings::{Finding, Settings};

use super::bounded;

/// The table of settings, a text for every finding.
const SETTINGS_BYTES: usize = 512 * 1024;
/// The TOML reader's tokens and events, and a finding for each line.
const CONFIG_FACTOR: usize = 12;

pub fn run(bytes: &[u8]) {
    let [choice, content @ ..] = bytes else { return };
    match choice % 4 {
        0 => file(".toml", content),
        1 => file(".properties", content),
        2 => file("", content),
        _ => environment(content),
    }
}

/// A file of this thread's own, in memory where the system has such a place.
struct Scratch(PathBuf);

impl Scratch {
    fn new(extension: &str, content: &[u8]) -> Scratch {
        let shared = PathBuf::from("/dev/shm");
        let folder = if shared.is_dir() { shared } else { std::env::temp_dir() };
        let thread = format!("{:?}", std::thread::current().id());
        let thread: String = thread.chars().filter(char::is_ascii_digit).collect();
        let path = folder.join(format!("klamm-fuzz-{}-{thread}{extension}", std::process::id()));
        fs::write(&path, content).expect("a folder for scratch files");
        Scratch(path)
    }

    fn load(&self) -> Result<Settings, Vec<Finding>> {
        load(&Sources { file: Some(self.0.clone()), ..Sources::default() })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn check(loaded: &Result<Settings, Vec<Finding>>) {
    match loaded {
        Ok(settings) => {
            let text = effective(settings, false);
            let again = Scratch::new(".toml", text.as_bytes());
            if let Err(findings) = again.load() {
                panic!("what is printed is not right: {}\nof\n{text}", report(&findings));
            }
        }
        Err(findings) => {
            assert!(!findings.is_empty(), "refused for no reason");
            let text = report(findings);
            assert!(text.lines().count() >= findings.len(), "{text}");
        }
    }
}

fn file(extension: &str, content: &[u8]) {
    let scratch = Scratch::new(extension, content);
    let heap_bytes = SETTINGS_BYTES + CONFIG_FACTOR * 32 * content.len();
    let loaded = bounded(content.len(), heap_bytes, extension, || scratch.load());
    check(&loaded);
    drop(scratch);
    if extension == ".toml" {
        one_more_fault(content, &loaded);
    }
}

/// Keys at fault, without faults of form: one of those may hide what stands behind it.
fn keys(findings: &[Finding]) -> Option<BTreeSet<String>> {
    let malformed = findings.iter().any(|finding| finding.key.is_empty() || finding.reason.starts_with("not TOML"));
    (!malformed).then(|| findings.iter().map(|finding| finding.key.clone()).collect())
}

fn one_more_fault(content: &[u8], loaded: &Result<Settings, Vec<Finding>>) {
    let none = Vec::new();
    let Some(mut expected) = keys(loaded.as_ref().err().unwrap_or(&none)) else { return };
    let more = [b"no_such_key = 1\n".as_slice(), content].concat();
    let findings = Scratch::new(".toml", &more).load().expect_err("an unknown key is a fault");
    let Some(found) = keys(&findings) else { return };
    expected.insert("no_such_key".to_owned());
    assert!(found.is_superset(&expected), "{:?} are not told", expected.difference(&found));
}

fn environment(content: &[u8]) {
    let text = String::from_utf8_lossy(content);
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    let environment = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let heap_bytes = SETTINGS_BYTES + CONFIG_FACTOR * 32 * content.len();
    let sources = Sources { environment, ..Sources::default() };
    check(&bounded(content.len(), heap_bytes, "environment", || load(&sources)));
}
