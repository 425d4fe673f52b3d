//! The settings in force: what was given, checked and laid over the defaults.
//!
//! Nothing here reads a file or the environment; `config` does and hands over what it found, weakest first.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::settings::consistency;
use crate::settings::listeners::{self, Listener};
use crate::settings::row::{Preset, Row, Scope, State};
use crate::settings::table;
use crate::settings::value::{Fault, Value, expectation, parse};

/// Where a value comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Source {
    Default,
    /// Line and column count from 1; a properties file has no columns (0).
    File {
        path: Arc<Path>,
        line: usize,
        column: usize,
    },
    Environment {
        variable: String,
    },
    Flag {
        flag: String,
    },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Default => f.write_str("default"),
            Source::File { path, line, column: 0 } => write!(f, "{}:{line}", path.display()),
            Source::File { path, line, column } => write!(f, "{}:{line}:{column}", path.display()),
            Source::Environment { variable } => write!(f, "environment {variable}"),
            Source::Flag { flag } => write!(f, "flag {flag}"),
        }
    }
}

/// A broker key as somebody set it.
#[derive(Clone, PartialEq)]
pub struct Given {
    pub name: String,
    pub value: String,
    pub source: Source,
}

impl fmt::Debug for Given {
    /// Without the value of a sensitive or unknown key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = table::row(Scope::Broker, &self.name).is_some_and(|row| !row.sensitive);
        let value = if open { &self.value } else { "(hidden)" };
        write!(f, "{} = {value} ({})", self.name, self.source)
    }
}

/// One thing wrong with what was given.
#[derive(Clone, PartialEq, Debug)]
pub struct Finding {
    pub key: String,
    /// Never the value of a sensitive or unknown key.
    pub value: Option<String>,
    pub source: Source,
    pub reason: String,
    pub remedy: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.source)?;
        match &self.value {
            _ if self.key.is_empty() => {}
            Some(value) => write!(f, "{} = {value}: ", self.key)?,
            None => write!(f, "{}: ", self.key)?,
        }
        write!(f, "{}. {}", self.reason, self.remedy)
    }
}

#[derive(Clone)]
struct Entry {
    value: Value,
    source: Source,
}

/// Effective values of every broker key, and the listeners they describe.
#[derive(Clone)]
pub struct Settings {
    entries: BTreeMap<&'static str, Entry>,
    listeners: Vec<Listener>,
    unopened: Vec<String>,
    notes: Vec<String>,
}

impl fmt::Debug for Settings {
    /// What was set, without the values of sensitive keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set = self.entries.iter().filter(|(_, entry)| entry.source != Source::Default);
        let given = set.map(|(name, entry)| Given {
            name: (*name).into(),
            value: entry.value.to_string(),
            source: entry.source.clone(),
        });
        f.debug_set().entries(given).finish()
    }
}

/// Keys that stand in for one that is not set, with the factor between their units (KafkaConfig.scala).
const STAND_INS: &[(&str, &[(&str, i64)])] = &[
    ("log.retention.ms", &[("log.retention.minutes", 60_000), ("log.retention.hours", 3_600_000)]),
    ("log.roll.ms", &[("log.roll.hours", 3_600_000)]),
    ("log.roll.jitter.ms", &[("log.roll.jitter.hours", 3_600_000)]),
    ("log.flush.interval.ms", &[("log.flush.scheduler.interval.ms", 1)]),
    ("log.dirs", &[("log.dir", 1)]),
];

impl Settings {
    /// What is in force when nobody sets anything.
    pub fn defaults() -> Settings {
        match Settings::build(Vec::new(), Vec::new()) {
            Ok(settings) => settings,
            Err(findings) => panic!("the defaults are consistent: {findings:?}"),
        }
    }

    /// Lays what was given over the defaults; the last of a name wins. `notes` are kept, and those of the values added.
    ///
    /// # Errors
    /// Everything wrong, at once: unknown names, values, what does not go together.
    pub fn build(given: Vec<Given>, notes: Vec<String>) -> Result<Settings, Vec<Finding>> {
        let mut findings = Vec::new();
        let mut last: BTreeMap<&'static str, (&'static Row, Given)> = BTreeMap::new();
        for given in given {
            match table::row(Scope::Broker, &given.name) {
                Some(row) => drop(last.insert(row.name, (row, given))),
                None => findings.push(Finding {
                    reason: "unknown key".into(),
                    remedy: "Remove it".into(),
                    key: given.name,
                    value: None,
                    source: given.source,
                }),
            }
        }
        let mut settings = Settings { entries: default_entries(), listeners: Vec::new(), unopened: Vec::new(), notes };
        for (name, (row, given)) in last {
            match parse(row, &given.value) {
                Ok(value) => drop(settings.entries.insert(name, Entry { value, source: given.source })),
                Err(fault) => findings.push(misfit(row, given, &fault)),
            }
        }
        settings.take_older_node_id();
        findings.extend(consistency::check(&settings));
        match listeners::resolve(&settings) {
            Ok(resolved) => (settings.listeners, settings.unopened) = resolved,
            Err(more) => findings.extend(more),
        }
        if !findings.is_empty() {
            return Err(findings);
        }
        settings.notes.extend(settings.idle_keys());
        settings.notes.extend(listeners::notes(&settings));
        Ok(settings)
    }

    /// Settings from names and values alone.
    ///
    /// # Errors
    /// As `build`.
    pub fn from_pairs(pairs: &[(&str, &str)]) -> Result<Settings, Vec<Finding>> {
        let given = pairs.iter().map(|(name, value)| Given {
            name: (*name).into(),
            value: (*value).into(),
            source: Source::Flag { flag: "--set".into() },
        });
        Settings::build(given.collect(), Vec::new())
    }

    /// The value of a key alone, without the keys that stand in for it.
    ///
    /// # Panics
    /// If there is no such broker key.
    pub fn value(&self, name: &str) -> &Value {
        &self.entry(name).value
    }

    /// Where the value of a key comes from.
    ///
    /// # Panics
    /// If there is no such broker key.
    pub fn source(&self, name: &str) -> &Source {
        &self.entry(name).source
    }

    /// The value in force: the key's own, or that of the key standing in for it, in the units of the first
    /// (`log.retention.ms` from `log.retention.minutes`, from `log.retention.hours`). A negative time is -1: without end.
    ///
    /// # Panics
    /// If there is no such broker key.
    pub fn effective(&self, name: &str) -> Value {
        let own = self.value(name);
        if *own != Value::Null {
            return unend(name, own.clone());
        }
        let others = STAND_INS.iter().find(|(key, _)| *key == name).map_or(&[][..], |(_, others)| others);
        others
            .iter()
            .map(|(other, factor)| scaled(self.value(other), *factor))
            .find(|value| *value != Value::Null)
            .map_or(Value::Null, |value| unend(name, value))
    }

    /// # Panics
    /// If there is no such broker key, it is no number, or it has no value.
    pub fn long(&self, name: &str) -> i64 {
        self.effective(name).long()
    }

    /// # Panics
    /// If there is no such broker key, it is no short or int, or it has no value.
    pub fn int(&self, name: &str) -> i32 {
        self.effective(name).int()
    }

    /// # Panics
    /// If there is no such broker key or it is no boolean.
    pub fn boolean(&self, name: &str) -> bool {
        self.value(name).boolean()
    }

    /// # Panics
    /// If there is no such broker key or it is no double.
    pub fn double(&self, name: &str) -> f64 {
        self.value(name).double()
    }

    /// # Panics
    /// If there is no such broker key, it is no string, or it has no value.
    pub fn string(&self, name: &str) -> &str {
        self.value(name).string()
    }

    /// A string that may be without a value.
    ///
    /// # Panics
    /// If there is no such broker key or it is no string.
    pub fn optional_string(&self, name: &str) -> Option<&str> {
        match self.value(name) {
            Value::Null => None,
            value => Some(value.string()),
        }
    }

    /// Empty if the list is, or has no value.
    ///
    /// # Panics
    /// If there is no such broker key or it is no list.
    pub fn list(&self, name: &str) -> Vec<String> {
        self.effective(name).list().to_vec()
    }

    /// The data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.list("log.dirs").into_iter().next().map_or_else(PathBuf::new, PathBuf::from)
    }

    /// The listeners to open, in the order given.
    pub fn listeners(&self) -> &[Listener] {
        &self.listeners
    }

    /// Names of the listeners that are accepted and not opened.
    pub fn unopened_listeners(&self) -> &[String] {
        &self.unopened
    }

    /// What to say once at start-up, a line each.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// True if somebody set the key.
    pub fn is_set(&self, name: &str) -> bool {
        *self.source(name) != Source::Default
    }

    fn entry(&self, name: &str) -> &Entry {
        self.entries.get(name).unwrap_or_else(|| panic!("{name} is a broker key"))
    }

    /// `broker.id` is what `node.id` was called; whichever is set is both.
    fn take_older_node_id(&mut self) {
        let (newer, older) = (self.entry("node.id").clone(), self.entry("broker.id").clone());
        if newer.source == Source::Default && older.value.long() >= 0 {
            self.entries.insert("node.id", older);
        } else if older.source == Source::Default && newer.source != Source::Default {
            self.entries.insert("broker.id", newer);
        }
    }

    /// One line for the set keys that have no effect yet, one for those that never have.
    fn idle_keys(&self) -> Vec<String> {
        let mut later: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let mut never: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for row in table::rows(Scope::Broker).iter().filter(|row| self.is_set(row.name)) {
            match row.state {
                State::Honoured => {}
                State::Later(feature) => later.entry(feature).or_default().push(row.name),
                State::Meaningless(reason) => never.entry(reason).or_default().push(row.name),
            }
        }
        let line = |start: &str, groups: BTreeMap<&str, Vec<&str>>| {
            let parts: Vec<String> =
                groups.iter().map(|(why, names)| format!("{} ({why})", names.join(", "))).collect();
            (!parts.is_empty()).then(|| format!("{start}: {}", parts.join("; ")))
        };
        let lines = [line("set, but without effect yet", later), line("accepted without effect", never)];
        lines.into_iter().flatten().collect()
    }
}

fn default_entries() -> BTreeMap<&'static str, Entry> {
    let entry = |row: &&'static Row| {
        let value = match row.preset() {
            Preset::Is(text) => parse(row, text).unwrap_or_else(|fault| panic!("default of {}: {fault}", row.name)),
            Preset::Null | Preset::Required => Value::Null,
        };
        (row.name, Entry { value, source: Source::Default })
    };
    table::rows(Scope::Broker).iter().map(entry).collect()
}

fn scaled(value: &Value, factor: i64) -> Value {
    match value {
        Value::Number(number) => Value::Number(number.saturating_mul(factor)),
        other => other.clone(),
    }
}

fn unend(name: &str, value: Value) -> Value {
    match value {
        Value::Number(number) if name == "log.retention.ms" && number < 0 => Value::Number(-1),
        value => value,
    }
}

fn misfit(row: &Row, given: Given, fault: &Fault) -> Finding {
    let reason = match fault {
        Fault::Invalid { why, .. } => sentence_case(why),
        Fault::EmptyList { .. } => "the list is empty".into(),
        Fault::EmptyElement { .. } => "an element of the list is empty".into(),
        other => other.to_string(),
    };
    Finding {
        key: row.name.into(),
        value: (!row.sensitive).then_some(given.value),
        source: given.source,
        reason,
        remedy: format!("Give {}", expectation(row)),
    }
}

fn sentence_case(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}
