//! What DescribeConfigs says of a key, and the value of a topic or group key in force.
//!
//! Order of a broker key: set at run time for the node, set at run time for all nodes, given at the start, default. A topic or
//! group key comes before the broker key it falls back to. Kafka: `ConfigHelper.scala`, `DynamicBrokerConfig.scala`.

use std::collections::BTreeMap;

use crate::settings::effective::{Settings, Source};
use crate::settings::row::{Row, Scope};
use crate::settings::table;
use crate::settings::value::{Fault, Value, parse};

/// Broker keys that say the same in different units.
const UNITS: [&[&str]; 3] = [
    &["log.roll.ms", "log.roll.hours"],
    &["log.roll.jitter.ms", "log.roll.jitter.hours"],
    &["log.retention.ms", "log.retention.minutes", "log.retention.hours"],
];

/// Keys set at run time, as they lie in the metadata.
pub type Overrides = BTreeMap<String, String>;

/// Where a described value comes from (KIP-226).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConfigSource {
    DynamicTopic,
    DynamicBroker,
    DynamicDefaultBroker,
    StaticBroker,
    Default,
    DynamicGroup,
}

impl ConfigSource {
    /// Number of the source in DescribeConfigs.
    pub const fn code(self) -> i8 {
        match self {
            ConfigSource::DynamicTopic => 1,
            ConfigSource::DynamicBroker => 2,
            ConfigSource::DynamicDefaultBroker => 3,
            ConfigSource::StaticBroker => 4,
            ConfigSource::Default => 5,
            ConfigSource::DynamicGroup => 8,
        }
    }
}

/// Broker keys set at run time.
#[derive(Clone, Copy, Debug)]
pub struct Dynamic<'a> {
    pub node: &'a Overrides,
    pub all_nodes: &'a Overrides,
}

impl Dynamic<'static> {
    /// Nothing was set at run time.
    pub const NONE: Dynamic<'static> = Dynamic { node: &BTreeMap::new(), all_nodes: &BTreeMap::new() };
}

/// One of the values that a key's value was chosen from, first the one in force.
#[derive(Clone, PartialEq, Debug)]
pub struct Synonym {
    pub name: &'static str,
    /// None if there is no value or it is sensitive.
    pub value: Option<String>,
    pub source: ConfigSource,
}

/// A key as DescribeConfigs shows it.
#[derive(Clone, PartialEq, Debug)]
pub struct Described {
    pub name: &'static str,
    /// None if there is no value or it is sensitive.
    pub value: Option<String>,
    pub source: ConfigSource,
    pub read_only: bool,
    pub sensitive: bool,
    /// `Kind::code`.
    pub type_code: i8,
    pub doc: &'static str,
    pub synonyms: Vec<Synonym>,
}

impl Settings {
    /// The value of a topic key in force and where it comes from. An override that does not parse is as if not set.
    ///
    /// # Panics
    /// If there is no such topic key.
    pub fn topic_value(&self, name: &str, overrides: &Overrides) -> (Value, ConfigSource) {
        self.topic_value_with(name, overrides, Dynamic::NONE)
    }

    /// The same, with broker keys that were set at run time.
    ///
    /// # Panics
    /// If there is no such topic key.
    pub fn topic_value_with(&self, name: &str, overrides: &Overrides, dynamic: Dynamic<'_>) -> (Value, ConfigSource) {
        let row = table::row(Scope::Topic, name).unwrap_or_else(|| panic!("{name} is a topic key"));
        self.fallen_back(row, overrides, dynamic)
    }

    /// The value of a broker key in force, with keys that were set at run time.
    ///
    /// # Panics
    /// If there is no such broker key.
    pub fn broker_value_with(&self, name: &str, dynamic: Dynamic<'_>) -> (Value, ConfigSource) {
        let row = table::row(Scope::Broker, name).unwrap_or_else(|| panic!("{name} is a broker key"));
        let layers =
            [(dynamic.node, ConfigSource::DynamicBroker), (dynamic.all_nodes, ConfigSource::DynamicDefaultBroker)];
        for (overrides, source) in layers {
            if let Some(value) = overridden(row, overrides) {
                return (value, source);
            }
        }
        (self.effective(name), self.static_source(name))
    }

    /// Every broker key, by name.
    pub fn describe_broker(&self, dynamic: Dynamic<'_>) -> Vec<Described> {
        let one = |row: &&'static Row| {
            let synonyms = self.broker_synonyms(row, dynamic);
            let value = match synonyms.first() {
                Some(first) => first.value.clone(),
                None => shown(row, self.value(row.name).text()),
            };
            described(row, value, synonyms, ConfigSource::Default)
        };
        table::rows(Scope::Broker).iter().map(one).collect()
    }

    /// Every topic key, by name, for a topic with these overrides.
    pub fn describe_topic(&self, overrides: &Overrides, dynamic: Dynamic<'_>) -> Vec<Described> {
        self.describe_falling_back(Scope::Topic, overrides, dynamic)
    }

    /// Every group key, by name, for a group with these overrides.
    pub fn describe_group(&self, overrides: &Overrides, dynamic: Dynamic<'_>) -> Vec<Described> {
        self.describe_falling_back(Scope::Group, overrides, dynamic)
    }

    fn describe_falling_back(&self, scope: Scope, overrides: &Overrides, dynamic: Dynamic<'_>) -> Vec<Described> {
        let one = |row: &&'static Row| {
            let (value, source) = self.fallen_back(row, overrides, dynamic);
            let own = overridden(row, overrides).map(|value| Synonym {
                name: row.name,
                value: shown(row, value.text()),
                source: override_source(scope),
            });
            let broker = row.synonym.and_then(|name| table::row(Scope::Broker, name));
            let others = match broker {
                Some(broker) => self.broker_synonyms(broker, dynamic),
                None if scope == Scope::Group => preset_synonym(row).into_iter().collect(),
                None => Vec::new(),
            };
            let synonyms: Vec<Synonym> = own.into_iter().chain(others).collect();
            described(row, shown(row, value.text()), synonyms, source)
        };
        table::rows(scope).iter().map(one).collect()
    }

    pub(super) fn fallen_back(
        &self,
        row: &'static Row,
        overrides: &Overrides,
        dynamic: Dynamic<'_>,
    ) -> (Value, ConfigSource) {
        if let Some(value) = overridden(row, overrides) {
            return (value, override_source(row.scope));
        }
        if let Some(broker) = row.synonym {
            let (value, source) = self.broker_value_with(broker, dynamic);
            if value != Value::Null {
                return (value, source);
            }
        }
        let preset = row.preset().text().and_then(|text| parse(row, text).ok());
        (preset.unwrap_or(Value::Null), ConfigSource::Default)
    }

    /// Values of the key and of those that say the same in another unit, by layer, from the key's own strongest on.
    fn broker_synonyms(&self, row: &'static Row, dynamic: Dynamic<'_>) -> Vec<Synonym> {
        let names = UNITS.into_iter().find(|names| names.contains(&row.name));
        let Some(names) = names else { return self.layers(row, dynamic) };
        let rows = names.iter().filter_map(|name| table::row(Scope::Broker, name));
        let mut synonyms: Vec<Synonym> = rows.flat_map(|row| self.layers(row, dynamic)).collect();
        synonyms.sort_by_key(|synonym| synonym.source.code());
        synonyms.into_iter().skip_while(|synonym| synonym.name != row.name).collect()
    }

    /// The key's values of every layer that has one, strongest first.
    fn layers(&self, row: &'static Row, dynamic: Dynamic<'_>) -> Vec<Synonym> {
        let given = self.is_set(row.name).then(|| self.value(row.name).clone());
        let layers = [
            (overridden(row, dynamic.node), ConfigSource::DynamicBroker),
            (overridden(row, dynamic.all_nodes), ConfigSource::DynamicDefaultBroker),
            (given, ConfigSource::StaticBroker),
        ];
        let synonym = |(value, source): (Option<Value>, ConfigSource)| {
            value.map(|value| Synonym { name: row.name, value: shown(row, value.text()), source })
        };
        layers.into_iter().filter_map(synonym).chain(preset_synonym(row)).collect()
    }

    fn static_source(&self, name: &str) -> ConfigSource {
        match self.source(name) {
            Source::Default => ConfigSource::Default,
            Source::File { .. } | Source::Environment { .. } | Source::Flag { .. } => ConfigSource::StaticBroker,
        }
    }
}

fn preset_synonym(row: &'static Row) -> Option<Synonym> {
    let preset = row.preset().text().and_then(|text| parse(row, text).ok())?;
    Some(Synonym { name: row.name, value: shown(row, preset.text()), source: ConfigSource::Default })
}

fn described(row: &'static Row, value: Option<String>, synonyms: Vec<Synonym>, otherwise: ConfigSource) -> Described {
    Described {
        name: row.name,
        value,
        source: synonyms.first().map_or(otherwise, |first| first.source),
        read_only: !row.dynamic,
        sensitive: row.sensitive,
        type_code: row.kind.code(),
        doc: row.doc,
        synonyms,
    }
}

fn overridden(row: &Row, overrides: &Overrides) -> Option<Value> {
    overrides.get(row.name).and_then(|text| parse(row, text).ok())
}

fn shown(row: &Row, value: Option<String>) -> Option<String> {
    value.filter(|_| !row.sensitive)
}

const fn override_source(scope: Scope) -> ConfigSource {
    match scope {
        Scope::Broker => ConfigSource::DynamicBroker,
        Scope::Topic => ConfigSource::DynamicTopic,
        Scope::Group => ConfigSource::DynamicGroup,
    }
}

/// Checks one topic key as CreateTopics gives it.
///
/// # Errors
/// As Kafka refuses it; the text is the answer's error message.
pub fn validate_topic_config(name: &str, value: &str) -> Result<(), Fault> {
    match table::row(Scope::Topic, name) {
        Some(row) => parse(row, value).map(drop),
        None => Err(Fault::UnknownTopicConfig { name: name.into() }),
    }
}

/// Checks all topic keys of one topic: every name, then every value, then what does not go together.
///
/// # Errors
/// The first fault, as Kafka words it.
pub fn validate_topic_configs(configs: &Overrides) -> Result<(), Fault> {
    if let Some(name) = configs.keys().find(|name| table::row(Scope::Topic, name).is_none()) {
        return Err(Fault::UnknownTopicConfig { name: name.clone() });
    }
    let mut values = BTreeMap::new();
    for (name, text) in configs {
        if let Some(row) = table::row(Scope::Topic, name) {
            values.insert(name.as_str(), parse(row, text)?);
        }
    }
    let lag = |name: &str, otherwise: i64| values.get(name).map_or(otherwise, Value::long);
    let (min, max) = (lag("min.compaction.lag.ms", 0), lag("max.compaction.lag.ms", i64::MAX));
    if min > max {
        return Err(Fault::CompactionLags { min, max });
    }
    if values.get("remote.storage.enable").is_some_and(Value::boolean) {
        return Err(Fault::TieredStorage);
    }
    Ok(())
}

/// Checks one group key.
///
/// # Errors
/// As Kafka refuses it.
pub fn validate_group_config(name: &str, value: &str) -> Result<(), Fault> {
    match table::row(Scope::Group, name) {
        Some(row) => parse(row, value).map(drop),
        None => Err(Fault::UnknownGroupConfig { name: name.into() }),
    }
}
