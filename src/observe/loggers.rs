//! The loggers and their levels, which may be changed while the broker runs (KIP-412).
//!
//! A logger is `root` or a module, its parts parted by dots (Kafka's tools refuse colons); a module without a level of its own has
//! that of the longest name it begins with, or the root's.

use std::collections::BTreeMap;
use std::fmt;

use parking_lot::Mutex;

/// The logger that every other one falls back to.
pub const ROOT: &str = "root";

/// The modules whose level may be set. Longer names that the filter of the start has are loggers too.
const MODULES: &[&str] = &[
    "klamm",
    "klamm.api",
    "klamm.base",
    "klamm.config",
    "klamm.coordinator",
    "klamm.daemon",
    "klamm.jobs",
    "klamm.log",
    "klamm.meta",
    "klamm.observe",
    "klamm.record",
    "klamm.server",
    "klamm.settings",
    "klamm.topics",
    "klamm.wire",
];

/// How much a logger says. Nothing here is fatal without ending the broker, so `Fatal` and `Off` are silent alike.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level {
    Off,
    Fatal,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl Level {
    /// The levels that may be set, in Kafka's words and order.
    pub const NAMES: &'static str = "DEBUG, ERROR, FATAL, INFO, TRACE, WARN";

    /// The level of a name that may be set; upper case only, as in Kafka.
    pub fn parse(name: &str) -> Option<Level> {
        let level = match name {
            "FATAL" => Level::Fatal,
            "ERROR" => Level::Error,
            "WARN" => Level::Warn,
            "INFO" => Level::Info,
            "DEBUG" => Level::Debug,
            "TRACE" => Level::Trace,
            _ => return None,
        };
        Some(level)
    }

    fn of_filter(word: &str) -> Option<Level> {
        let upper = word.to_ascii_uppercase();
        if upper == "OFF" { Some(Level::Off) } else { Level::parse(&upper).filter(|level| *level != Level::Fatal) }
    }

    const fn in_filter(self) -> &'static str {
        match self {
            Level::Off | Level::Fatal => "off",
            Level::Error => "error",
            Level::Warn => "warn",
            Level::Info => "info",
            Level::Debug => "debug",
            Level::Trace => "trace",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Level::Off => "OFF",
            Level::Fatal => "FATAL",
            Level::Error => "ERROR",
            Level::Warn => "WARN",
            Level::Info => "INFO",
            Level::Debug => "DEBUG",
            Level::Trace => "TRACE",
        })
    }
}

/// What every logger says.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Levels {
    root: Level,
    own: BTreeMap<String, Level>,
    /// Directives about spans and fields, which stay as they are.
    others: Vec<String>,
}

impl Levels {
    /// The levels of a filter as `klamm::log=debug,info`.
    fn of(filter: &str) -> Levels {
        let mut levels = Levels { root: Level::Off, own: BTreeMap::new(), others: Vec::new() };
        for directive in filter.split(',').map(str::trim).filter(|directive| !directive.is_empty()) {
            if let Some(level) = Level::of_filter(directive) {
                levels.root = level;
                continue;
            }
            let target = directive.split_once('=').filter(|(target, _)| !target.contains(['[', '{']));
            match target.and_then(|(target, word)| Some((target, Level::of_filter(word)?))) {
                Some((target, level)) => drop(levels.own.insert(target.replace("::", "."), level)),
                None => levels.others.push(directive.to_owned()),
            }
        }
        levels
    }

    fn filter(&self) -> String {
        let own = self.own.iter().map(|(name, level)| format!("{}={}", name.replace('.', "::"), level.in_filter()));
        let root = std::iter::once(self.root.in_filter().to_owned());
        root.chain(own).chain(self.others.iter().cloned()).collect::<Vec<_>>().join(",")
    }

    fn exists(&self, name: &str) -> bool {
        name == ROOT || MODULES.contains(&name) || self.own.contains_key(name)
    }

    fn set(&mut self, name: &str, level: Option<Level>) {
        match level {
            Some(level) if name == ROOT => self.root = level,
            Some(level) => drop(self.own.insert(name.to_owned(), level)),
            None => drop(self.own.remove(name)),
        }
    }

    fn effective(&self, name: &str) -> Level {
        let covering = self.own.iter().filter(|(own, _)| name.starts_with(own.as_str()));
        covering.max_by_key(|(own, _)| own.len()).map_or(self.root, |(_, level)| *level)
    }

    fn all(&self) -> Vec<(String, Level)> {
        let mut all: BTreeMap<String, Level> =
            MODULES.iter().map(|name| ((*name).to_owned(), self.effective(name))).collect();
        all.extend(self.own.clone());
        std::iter::once((ROOT.to_owned(), self.root)).chain(all).collect()
    }
}

/// Puts a filter into force.
type Apply = Box<dyn Fn(&str) + Send>;

struct Loggers {
    levels: Levels,
    apply: Option<Apply>,
}

/// Those of this process, as its log is.
static LOGGERS: Mutex<Option<Loggers>> = Mutex::new(None);

/// Notes the filter in force, and how another one comes into force.
pub(super) fn begin(filter: &str, apply: Apply) {
    *LOGGERS.lock() = Some(Loggers { levels: Levels::of(filter), apply: Some(apply) });
}

fn with<T>(work: impl FnOnce(&mut Loggers) -> T) -> T {
    let mut loggers = LOGGERS.lock();
    // Somebody else set up the log of this process: its level is told, and cannot be changed from here.
    let unowned =
        || Loggers { levels: Levels::of(&tracing::level_filters::LevelFilter::current().to_string()), apply: None };
    work(loggers.get_or_insert_with(unowned))
}

/// Every logger with the level it has.
pub fn all() -> Vec<(String, Level)> {
    with(|loggers| loggers.levels.all())
}

/// True if there is a logger of this name.
pub fn exists(name: &str) -> bool {
    with(|loggers| loggers.levels.exists(name))
}

/// Gives loggers a level, or takes it from them, all at once. They hold from the next line on.
pub fn set(changes: &[(String, Option<Level>)]) {
    with(|loggers| {
        changes.iter().for_each(|(name, level)| loggers.levels.set(name, *level));
        if let Some(apply) = &loggers.apply {
            apply(&loggers.levels.filter());
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_levels_and_back() {
        let levels = Levels::of("klamm::log=debug,info,klamm[span]=trace");
        assert_eq!(levels.root, Level::Info);
        assert_eq!(levels.effective("klamm.log"), Level::Debug);
        assert_eq!(levels.effective("klamm.api"), Level::Info);
        assert_eq!(levels.filter(), "info,klamm::log=debug,klamm[span]=trace");
        assert_eq!(Levels::of(&levels.filter()), levels);
    }

    #[test]
    fn a_logger_without_a_level_has_that_of_the_longest_name_it_begins_with() {
        let mut levels = Levels::of("warn");
        levels.set("klamm", Some(Level::Debug));
        levels.set("klamm.log", Some(Level::Fatal));
        let found: BTreeMap<String, Level> = levels.all().into_iter().collect();
        assert_eq!((found["klamm.api"], found["klamm.log"], found[ROOT]), (Level::Debug, Level::Fatal, Level::Warn));
        levels.set("klamm.log", None);
        assert_eq!(levels.effective("klamm.log"), Level::Debug);
        assert!(levels.exists("klamm.topics") && levels.exists(ROOT) && !levels.exists("klamm.nothing"));
    }

    #[test]
    fn only_kafkas_names_may_be_set() {
        assert_eq!(Level::parse("FATAL"), Some(Level::Fatal));
        for bad in ["debug", "OFF", "", "ALL"] {
            assert_eq!(Level::parse(bad), None, "{bad}");
        }
    }
}
