//! What may be set at run time: one key's change applied to what is set, and the judgement of all that would then be set.
//!
//! Kafka: `ConfigAdminManager.scala`, `DynamicBrokerConfig`, `ConfigurationControlManager.java`, `GroupConfigManager`.

use crate::settings::consistency;
use crate::settings::describe::{ConfigSource, Dynamic, Overrides};
use crate::settings::effective::Settings;
use crate::settings::row::{Kind, Row, Scope};
use crate::settings::table;
use crate::settings::value::{Fault, Value, parse};

/// What becomes of a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    Set(String),
    Delete,
    /// Elements of a list to add where they are not in it.
    Append(String),
    Subtract(String),
}

/// Why a change at run time is refused. The texts are Kafka's, but for what only Klamm cannot do.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum Refused {
    #[error("Can't {operation} to key {name} because its type is not LIST.")]
    NoList { operation: &'static str, name: String },
    #[error("Config value {operation} is not allowed for config key: {name}")]
    NoBrokerList { operation: &'static str, name: String },
    #[error("Cannot update these configs dynamically: [{}]", .0.join(", "))]
    Static(Vec<String>),
    #[error(
        "These security configs can be dynamically updated only per-listener using the listener prefix: [{}]",
        .0.join(", ")
    )]
    PerListener(Vec<String>),
    #[error("Cannot update these configs at default cluster level, broker id must be specified: [{}]", .0.join(", "))]
    PerBroker(Vec<String>),
    #[error(transparent)]
    Value(#[from] Fault),
    #[error("requirement failed: {0}")]
    Together(String),
    #[error("{name} must be less than or equal to {bound}")]
    Above { name: String, bound: String },
    #[error("{name} must be greater than or equal to {bound}")]
    Below { name: String, bound: String },
    #[error("{name} must be in the range {min} to {max} inclusive.")]
    Range { name: &'static str, min: i64, max: i64 },
    #[error("{name} must be greater than {other}")]
    NotAbove { name: String, other: String },
    #[error("Klamm opens its listeners when it starts: change {name} in the configuration and restart")]
    Listeners { name: String },
    #[error("Unknown client metrics configuration: {name}")]
    UnknownClientMetrics { name: String },
    #[error("Invalid value {value} for interval.ms, interval must be between 100 and 3600000 (1 hour)")]
    MetricsInterval { value: String },
    #[error("Illegal client matching pattern: {pattern}")]
    MetricsMatch { pattern: String },
}

/// The value that a key has after a change; none if it is not set any more. `scope`: none for resources without a table.
///
/// # Errors
/// `NoList`, `NoBrokerList` for the elements of what is no list.
pub fn changed(
    scope: Option<Scope>,
    name: &str,
    current: Option<&String>,
    change: &Change,
) -> Result<Option<String>, Refused> {
    let row = scope.and_then(|scope| table::row(scope, name));
    let list = |operation: &'static str, lower: &'static str| match row {
        Some(row) if row.kind == Kind::List => {
            let text = current.map(String::as_str).or(row.kafka.text()).unwrap_or_default();
            Ok(text.split(',').filter(|part| !part.is_empty()).map(str::to_owned).collect::<Vec<_>>())
        }
        _ if scope == Some(Scope::Broker) => Err(Refused::NoBrokerList { operation: lower, name: name.to_owned() }),
        _ => Err(Refused::NoList { operation, name: name.to_owned() }),
    };
    match change {
        Change::Set(value) => Ok(Some(value.clone())),
        Change::Delete => Ok(None),
        Change::Append(added) => {
            let mut parts = list("APPEND", "append")?;
            for part in added.split(',') {
                if !parts.iter().any(|one| one == part) {
                    parts.push(part.to_owned());
                }
            }
            Ok(Some(parts.join(",")))
        }
        Change::Subtract(taken) => {
            let mut parts = list("SUBTRACT", "subtract")?;
            for part in taken.split(',') {
                if let Some(at) = parts.iter().position(|one| one == part) {
                    parts.remove(at);
                }
            }
            Ok(Some(parts.join(",")))
        }
    }
}

/// Broker keys that Kafka knows at run time only: rates of moving replicas. They mean nothing here, and tools set them.
pub const THROTTLES: [&str; 3] = [
    "follower.replication.throttled.rate",
    "leader.replication.throttled.rate",
    "replica.alter.log.dirs.io.max.bytes.per.second",
];

/// Keys that belong to one node.
const OF_ONE_NODE: &[&str] =
    &["cordoned.log.dirs", "listener.security.protocol.map", "listeners", "principal.builder.class"];

/// Intervals that groups fall back to, and the bounds that they share with those of groups.
const INTERVALS: &[(&str, &str, &str)] = &[
    (
        "group.consumer.assignment.interval.ms",
        "group.consumer.min.assignment.interval.ms",
        "group.consumer.max.assignment.interval.ms",
    ),
    (
        "group.share.assignment.interval.ms",
        "group.share.min.assignment.interval.ms",
        "group.share.max.assignment.interval.ms",
    ),
    (
        "group.streams.assignment.interval.ms",
        "group.streams.min.assignment.interval.ms",
        "group.streams.max.assignment.interval.ms",
    ),
];

impl Settings {
    /// Judges all that would be set at run time for one node, or for all of them, as `layer` says. What Kafka does not know is kept
    /// and means nothing.
    ///
    /// # Errors
    /// As Kafka refuses it.
    pub fn check_dynamic(&self, dynamic: Dynamic<'_>, layer: Layer) -> Result<(), Refused> {
        let set = match layer {
            Layer::Node => dynamic.node,
            Layer::AllNodes => dynamic.all_nodes,
        };
        let named =
            |is: &dyn Fn(&str) -> bool| -> Vec<String> { set.keys().filter(|name| is(name)).cloned().collect() };
        let refuse = |names: Vec<String>, why: fn(Vec<String>) -> Refused| {
            if names.is_empty() { Ok(()) } else { Err(why(names)) }
        };
        refuse(named(&|name| table::row(Scope::Broker, name).is_some_and(|row| !row.dynamic)), Refused::Static)?;
        refuse(named(&is_of_listener), Refused::PerListener)?;
        for (name, text) in set {
            check_value(name, text)?;
        }
        if layer == Layer::AllNodes {
            refuse(named(&|name| OF_ONE_NODE.contains(&name) || of_listener(name).is_some()), Refused::PerBroker)?;
        }
        for name in ["listeners", "listener.security.protocol.map"] {
            let row = table::row(Scope::Broker, name).filter(|_| set.contains_key(name));
            let asked = row.and_then(|row| parse(row, &set[name]).ok());
            if asked.is_some_and(|asked| asked != *self.value(name)) {
                return Err(Refused::Listeners { name: name.to_owned() });
            }
        }
        self.check_together(dynamic, set)
    }

    fn check_together(&self, dynamic: Dynamic<'_>, set: &Overrides) -> Result<(), Refused> {
        let now = |name: &str| self.broker_value_with(name, dynamic).0;
        if set.contains_key("log.retention.ms") && now("log.retention.ms") == Value::Number(0) {
            let why = "log.retention.ms must be unlimited (-1) or, greater than or equal to 1";
            return Err(Refused::Together(why.to_owned()));
        }
        if now("max.connections.per.ip") == Value::Number(0)
            && now("max.connections.per.ip.overrides").string().is_empty()
        {
            let why =
                "max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides property is set.";
            return Err(Refused::Together(why.to_owned()));
        }
        // Nobody could undo these: a restart reads them again.
        for name in ["max.connections", "max.connections.per.ip"] {
            if set.contains_key(name) && now(name) == Value::Number(0) {
                return Err(Refused::Together(format!("{name} must be at least 1, or nobody can connect any more")));
            }
        }
        let overrides = now("max.connections.per.ip.overrides");
        if let Some(bad) = consistency::misfit_override(overrides.string()) {
            let why = format!("max.connections.per.ip.overrides: '{bad}' is not HOST:COUNT");
            return Err(Refused::Together(why));
        }
        for (name, min, max) in INTERVALS.iter().filter(|(name, ..)| set.contains_key(*name)) {
            let value = now(name).long();
            if value < self.long(min) {
                return Err(Refused::Below { name: (*name).to_owned(), bound: (*min).to_owned() });
            }
            if value > self.long(max) {
                return Err(Refused::Above { name: (*name).to_owned(), bound: (*max).to_owned() });
            }
        }
        // A topic cannot fall back to a value that it could not be given itself.
        for row in table::rows(Scope::Topic) {
            let text = row.synonym.filter(|key| set.contains_key(*key)).and_then(|key| now(key).text());
            if let Some(text) = text.filter(|_| row.name != "retention.ms") {
                parse(row, &text)?;
            }
        }
        Ok(())
    }

    /// Judges all keys of one group.
    ///
    /// # Errors
    /// As Kafka refuses it.
    pub fn check_group(&self, set: &Overrides, dynamic: Dynamic<'_>) -> Result<(), Refused> {
        if let Some(name) = set.keys().find(|name| table::row(Scope::Group, name).is_none()) {
            return Err(Fault::UnknownGroupConfig { name: name.clone() }.into());
        }
        for (name, text) in set {
            if let Some(row) = table::row(Scope::Group, name) {
                parse(row, text)?;
            }
        }
        let value = |name: &'static str| {
            table::row(Scope::Group, name).map_or(0, |row| self.fallen_back(row, set, dynamic).0.long())
        };
        for name in BOUNDED.iter().filter(|name| set.contains_key(**name)) {
            if let Some((min, max)) = self.bounds_of(name).filter(|(min, max)| !(*min..=*max).contains(&value(name))) {
                return Err(Refused::Range { name, min, max });
            }
        }
        let standbys = "streams.num.standby.replicas";
        if set.contains_key(standbys) && value(standbys) > self.long("group.streams.max.standby.replicas") {
            return Err(Refused::Above {
                name: standbys.into(),
                bound: self.long("group.streams.max.standby.replicas").to_string(),
            });
        }
        for (session, heartbeat) in BEATS {
            let is_set = set.contains_key(*session) || set.contains_key(*heartbeat);
            if is_set && value(session) <= value(heartbeat) {
                return Err(Refused::NotAbove { name: (*session).to_owned(), other: (*heartbeat).to_owned() });
            }
        }
        Ok(())
    }

    /// The number of a group key in force. A group's own stays within the broker's bounds of today, wherever it lay when it was set.
    ///
    /// # Panics
    /// If there is no such group key, or it is no number.
    pub fn group_number(&self, name: &str, own: &Overrides, dynamic: Dynamic<'_>) -> i64 {
        let row = table::row(Scope::Group, name).unwrap_or_else(|| panic!("{name} is a group key"));
        let (value, source) = self.fallen_back(row, own, dynamic);
        let value = value.long();
        match self.bounds_of(name).filter(|_| source == ConfigSource::DynamicGroup) {
            Some((min, _)) if value < min => min,
            Some((_, max)) if value > max => max,
            _ => value,
        }
    }

    /// What the broker allows of a group key.
    fn bounds_of(&self, name: &str) -> Option<(i64, i64)> {
        let (kind, rest) = BOUNDED.contains(&name).then(|| name.split_once('.'))??;
        let bound = |which: &str| self.long(&format!("group.{kind}.{which}.{rest}"));
        Some((bound("min"), bound("max")))
    }
}

/// Whose keys are judged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Layer {
    Node,
    AllNodes,
}

/// Group keys `KIND.REST` that the broker bounds by `group.KIND.min.REST` and `group.KIND.max.REST`.
const BOUNDED: &[&str] = &[
    "consumer.session.timeout.ms",
    "consumer.heartbeat.interval.ms",
    "consumer.assignment.interval.ms",
    "share.session.timeout.ms",
    "share.heartbeat.interval.ms",
    "share.record.lock.duration.ms",
    "share.delivery.count.limit",
    "share.partition.max.record.locks",
    "share.assignment.interval.ms",
    "streams.session.timeout.ms",
    "streams.heartbeat.interval.ms",
    "streams.assignment.interval.ms",
];

const BEATS: &[(&str, &str)] = &[
    ("consumer.session.timeout.ms", "consumer.heartbeat.interval.ms"),
    ("share.session.timeout.ms", "share.heartbeat.interval.ms"),
    ("streams.session.timeout.ms", "streams.heartbeat.interval.ms"),
];

/// A security key without the prefix of a listener.
fn is_of_listener(name: &str) -> bool {
    let is_security = name.starts_with("ssl.") || name.starts_with("sasl.");
    is_security && table::row(Scope::Broker, name).is_some_and(|row| row.dynamic)
}

/// The key behind `listener.name.NAME.`.
fn of_listener(name: &str) -> Option<&str> {
    name.strip_prefix("listener.name.")?.split_once('.').map(|(_, key)| key)
}

fn check_value(name: &str, text: &str) -> Result<(), Refused> {
    let row: Option<&Row> = table::row(Scope::Broker, of_listener(name).unwrap_or(name));
    if let Some(row) = row {
        parse(row, text)?;
    } else if THROTTLES.contains(&name) && text.trim().parse::<i64>().is_err() {
        let why = "Not a number of type LONG".to_owned();
        return Err(Fault::Invalid { name: name.to_owned(), value: text.to_owned(), why }.into());
    }
    Ok(())
}

/// The parts of a client that a metrics subscription may match (KIP-714).
const MATCHED: [&str; 6] = [
    "client_instance_id",
    "client_id",
    "client_software_name",
    "client_software_version",
    "client_source_address",
    "client_source_port",
];

/// Judges all keys of one subscription to clients' metrics. Regular expressions in it are not tried.
///
/// # Errors
/// As Kafka refuses it.
pub fn check_client_metrics(set: &Overrides) -> Result<(), Refused> {
    for (name, text) in set {
        match name.as_str() {
            "metrics" => {}
            "interval.ms" => {
                let text = text.trim();
                let why = "Not a number of type INT".to_owned();
                let fault = Fault::Invalid { name: name.clone(), value: text.to_owned(), why };
                let interval: i32 = text.parse().map_err(|_| fault)?;
                if !(100..=3_600_000).contains(&interval) {
                    return Err(Refused::MetricsInterval { value: text.to_owned() });
                }
            }
            "match" => {
                let is_pattern = |one: &str| match one.trim().split_once('=') {
                    Some((part, pattern)) => MATCHED.contains(&part.trim()) && !pattern.contains('='),
                    None => false,
                };
                let patterns = text.split(',').filter(|one| !one.trim().is_empty());
                if let Some(pattern) = patterns.map(str::trim).find(|one| !is_pattern(one)) {
                    return Err(Refused::MetricsMatch { pattern: pattern.to_owned() });
                }
            }
            _ => return Err(Refused::UnknownClientMetrics { name: name.clone() }),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(current: Option<&str>, change: &Change) -> Option<String> {
        let current = current.map(str::to_owned);
        changed(Some(Scope::Topic), "cleanup.policy", current.as_ref(), change).expect("a list")
    }

    #[test]
    fn a_list_that_is_not_set_is_its_default() {
        let append = Change::Append("compact".to_owned());
        assert_eq!(after(None, &append).as_deref(), Some("delete,compact"));
        assert_eq!(after(Some(""), &append).as_deref(), Some("compact"));
        assert_eq!(after(Some("compact"), &append).as_deref(), Some("compact"));
        let subtract = Change::Subtract("delete,compact".to_owned());
        assert_eq!(after(None, &subtract).as_deref(), Some(""));
        assert_eq!(after(Some("a,compact,delete"), &subtract).as_deref(), Some("a"));
        assert_eq!(after(Some("a"), &Change::Delete), None);
    }

    fn judged(name: &str, value: &str, layer: Layer) -> Result<(), Refused> {
        let (set, none) = (Overrides::from([(name.to_owned(), value.to_owned())]), Overrides::new());
        let dynamic = match layer {
            Layer::Node => Dynamic { node: &set, all_nodes: &none },
            Layer::AllNodes => Dynamic { node: &none, all_nodes: &set },
        };
        Settings::defaults().check_dynamic(dynamic, layer)
    }

    #[test]
    fn every_default_of_a_dynamic_key_may_be_set() {
        for row in table::rows(Scope::Broker).iter().filter(|row| row.dynamic && !is_of_listener(row.name)) {
            if let Some(value) = row.preset().text() {
                assert_eq!(judged(row.name, value, Layer::Node), Ok(()), "{}", row.name);
            }
        }
    }

    #[test]
    fn a_listeners_key_is_one_nodes_and_checked_as_the_key_behind_its_prefix() {
        let name = "listener.name.plaintext.sasl.login.refresh.buffer.seconds";
        assert_eq!(judged(name, "5", Layer::Node), Ok(()));
        assert!(matches!(judged(name, "x", Layer::Node), Err(Refused::Value(_))));
        assert!(matches!(judged(name, "5", Layer::AllNodes), Err(Refused::PerBroker(_))));
        assert!(matches!(judged("listeners", "PLAINTEXT://localhost:1", Layer::Node), Err(Refused::Listeners { .. })));
    }

    #[test]
    fn every_bound_of_a_groups_key_is_there() {
        let settings = Settings::defaults();
        for name in BOUNDED.iter().chain([&"streams.num.standby.replicas"]) {
            let set = Overrides::from([((*name).to_owned(), "2147483647".to_owned())]);
            assert!(settings.check_group(&set, Dynamic::NONE).is_err(), "{name}");
        }
    }

    /// They may have been set under other bounds, or by Apache Kafka.
    #[test]
    fn a_groups_own_value_stays_within_todays_bounds() {
        let settings = Settings::defaults();
        let number = |value: &str| {
            let own = Overrides::from([("consumer.session.timeout.ms".to_owned(), value.to_owned())]);
            settings.group_number("consumer.session.timeout.ms", &own, Dynamic::NONE)
        };
        assert_eq!([number("1000"), number("50000"), number("70000"), number("x")], [45_000, 50_000, 60_000, 45_000]);
        let set = Overrides::from([("group.consumer.assignment.interval.ms".to_owned(), "9".to_owned())]);
        let dynamic = Dynamic { all_nodes: &set, ..Dynamic::NONE };
        assert_eq!(settings.group_number("consumer.assignment.interval.ms", &Overrides::new(), dynamic), 9);
    }

    #[test]
    fn nobody_locks_everybody_out() {
        for name in ["max.connections", "max.connections.per.ip"] {
            assert!(judged(name, "0", Layer::AllNodes).is_err() && judged(name, "1", Layer::AllNodes).is_ok());
        }
    }

    #[test]
    fn a_topics_default_is_one_that_topics_take() {
        assert!(judged("log.segment.bytes", "2000000", Layer::AllNodes).is_ok());
        assert!(judged("max.connections.per.ip.overrides", "a:1,b", Layer::AllNodes).is_err());
        assert!(judged("log.roll.ms", "0", Layer::AllNodes).is_err());
    }
}
