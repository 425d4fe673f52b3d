//! All sources into settings, or all that is wrong with them at once.
//!
//! Order: default, file, environment, flag; the later wins. An unknown name is refused in TOML and flags, where it can only be
//! a slip, and remarked on in properties and environment, which are written for more than one reader.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::limits::CONFIG_FILE_BYTES_MAX;
use crate::config::flags::Flags;
use crate::config::names::{self, Name};
use crate::config::{env, file, properties};
use crate::settings::{Finding, Given, Scope, Settings, Source, row};

/// Where settings come from.
#[derive(Clone, Default, Debug)]
pub struct Sources {
    pub file: Option<PathBuf>,
    pub environment: Vec<(String, String)>,
    pub flags: Flags,
}

/// What was read of one source, before names are looked at.
#[derive(Default)]
struct Layer {
    given: Vec<Given>,
    notes: Vec<String>,
    findings: Vec<Finding>,
    /// An unknown name is a fault.
    strict: bool,
}

/// Reads every source.
///
/// # Errors
/// All findings, those of a file in the order of its lines.
pub fn load(sources: &Sources) -> Result<Settings, Vec<Finding>> {
    let mut layers = vec![
        sources.file.as_deref().map_or_else(Layer::default, read_file),
        Layer { given: env::read(sources.environment.iter().cloned()), ..Layer::default() },
    ];
    let map = protocol_map(&layers);
    let (given, findings) = sources.flags.read(&map);
    layers.push(Layer { given, findings, strict: true, ..Layer::default() });

    let mut all = Vec::new();
    let mut notes = Vec::new();
    let mut findings = Vec::new();
    for layer in layers {
        notes.extend(layer.notes);
        findings.extend(layer.findings);
        for given in layer.given {
            match names::classify(&given.name) {
                Name::Key => all.push(given),
                Name::Odd(remark) => notes.push(remark),
                Name::Unknown { nearest } if layer.strict => findings.push(unknown(given, nearest)),
                Name::Unknown { nearest } => {
                    notes.push(format!("{}: {} is no key. {}", given.source, given.name, names::advice(nearest)));
                }
            }
        }
    }
    match Settings::build(all, notes) {
        Ok(settings) if findings.is_empty() => Ok(settings),
        Ok(_) => Err(sorted(findings)),
        Err(more) => Err(sorted(findings.into_iter().chain(more).collect())),
    }
}

/// The findings as the command prints them, a line each.
pub fn report(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        text.push_str(&format!("{finding}\n"));
    }
    text
}

fn sorted(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort_by_key(|finding| match &finding.source {
        Source::Default => (3, 0, 0),
        Source::File { line, column, .. } => (0, *line, *column),
        Source::Environment { .. } => (1, 0, 0),
        Source::Flag { .. } => (2, 0, 0),
    });
    let mut seen = BTreeSet::new();
    findings.retain(|finding| seen.insert(finding.to_string()));
    findings
}

fn unknown(given: Given, nearest: Option<&'static str>) -> Finding {
    Finding {
        key: given.name,
        value: None,
        source: given.source,
        reason: "unknown key".into(),
        remedy: names::advice(nearest),
    }
}

/// The value of listener.security.protocol.map so far.
fn protocol_map(layers: &[Layer]) -> String {
    let key = "listener.security.protocol.map";
    let given = layers.iter().rev().find_map(|layer| layer.given.iter().find(|given| given.name == key));
    let preset = || row(Scope::Broker, key).and_then(|row| row.preset().text()).unwrap_or_default().to_string();
    given.map_or_else(preset, |given| given.value.clone())
}

fn read_file(path: &Path) -> Layer {
    let source: Arc<Path> = path.into();
    let refuse = |reason: String, remedy: &str| Layer {
        findings: vec![Finding {
            key: String::new(),
            value: None,
            source: Source::File { path: path.into(), line: 1, column: 0 },
            reason,
            remedy: remedy.into(),
        }],
        ..Layer::default()
    };
    match std::fs::metadata(path) {
        Ok(about) if about.len() > CONFIG_FILE_BYTES_MAX => {
            return refuse(format!("{} bytes are no configuration", about.len()), "Name the right file");
        }
        _ => {}
    }
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => return refuse(format!("cannot be read: {error}"), "Name a file that exists and may be read"),
    };
    let text = properties::decode(&bytes);
    let mut layer = if is_properties(path, &text) {
        let (given, notes, findings) = properties::read(&text, &source);
        Layer { given, notes, findings, strict: false }
    } else if std::str::from_utf8(&bytes).is_err() {
        return refuse("the file is not UTF-8".into(), "Save it as UTF-8");
    } else {
        let (given, findings) = file::read(&text, &source);
        Layer { given, notes: Vec::new(), findings, strict: true }
    };
    layer.notes.extend(readable_secret(path, &layer.given));
    layer
}

/// By the file's name, else by whether it is good TOML.
fn is_properties(path: &Path, text: &str) -> bool {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("properties") => true,
        Some("toml") => false,
        _ => !file::is_toml(text),
    }
}

#[cfg(unix)]
fn readable_secret(path: &Path, given: &[Given]) -> Option<String> {
    use std::os::unix::fs::PermissionsExt;
    let secret = given.iter().find(|given| row(Scope::Broker, &given.name).is_some_and(|row| row.sensitive))?;
    let mode = std::fs::metadata(path).ok()?.permissions().mode();
    (mode & 0o077 != 0)
        .then(|| format!("{} holds {} and can be read by other users; chmod 600 it", path.display(), secret.name))
}

#[cfg(not(unix))]
fn readable_secret(_: &Path, _: &[Given]) -> Option<String> {
    None
}
