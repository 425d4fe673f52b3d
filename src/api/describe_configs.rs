//! DescribeConfigs (key 32), versions 1-4.
//!
//! Behavior: every key of a topic, of this broker or of a group with its value, where it comes from, its type, synonyms and
//! documentation, as asked. The broker resource with an empty name has the values set for all brokers at run time. Values of
//! sensitive keys are never shown. A resource that is named twice is answered once.
//!
//! Version notes: v3: documentation and types (KIP-569).
//!
//! Reference: Kafka `ConfigHelper`.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::{Broker, Call, Outcome};
use crate::base::ids::TopicName;
use crate::base::limits;
use crate::meta::Image;
use crate::meta::image::{Resource, ResourceKind};
use crate::observe::loggers;
use crate::settings::{ConfigSource, Described, Dynamic, Kind, Overrides, Scope, THROTTLES, row as row_of};
use crate::wire::ErrorCode;
use crate::wire::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResponse, DescribeConfigsResult, DescribedConfig,
    DescribedConfigSynonym,
};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const BROKER_LOGGER: i8 = 8;
const CLIENT_METRICS: i8 = 16;
const GROUP: i8 = 32;

/// Values of a client-metrics subscription: none is set by default.
const SOURCE_CLIENT_METRICS: i8 = 7;
const SOURCE_DYNAMIC_BROKER_LOGGER: i8 = 6;
const TYPE_STRING: i8 = 2;

/// More resources are described by the threads for heavy work: each is a few hundred rows.
const DESCRIBED_IN_PLACE_MAX: usize = 8;

type Refusal = (ErrorCode, String);

/// One key of a topic, as CreateTopics tells it.
pub struct TopicRow {
    pub name: &'static str,
    pub value: Option<String>,
    pub source: i8,
}

/// Every key of a topic that has these values of its own.
pub fn topic_rows(broker: &Broker, overrides: &Overrides) -> Vec<TopicRow> {
    let image = broker.registry.image();
    let layers = Layers::of(&image, broker.node_id);
    let described = broker.settings.describe_topic(overrides, layers.dynamic());
    described.into_iter().map(|row| TopicRow { name: row.name, value: row.value, source: row.source.code() }).collect()
}

/// Values of brokers that were set at run time.
struct Layers {
    node: Arc<Overrides>,
    all_nodes: Arc<Overrides>,
}

impl Layers {
    fn of(image: &Image, node_id: i32) -> Layers {
        let node = Resource { kind: ResourceKind::BROKER, name: node_id.to_string() };
        let configs = |resource: &Resource| image.configs(resource).cloned().unwrap_or_default();
        Layers { node: configs(&node), all_nodes: configs(&Resource::every_broker()) }
    }

    fn dynamic(&self) -> Dynamic<'_> {
        Dynamic { node: &self.node, all_nodes: &self.all_nodes }
    }
}

pub fn handle(call: Call<'_>, request: DescribeConfigsRequest, (): ()) -> Outcome<DescribeConfigsResponse> {
    if request.resources.len() > DESCRIBED_IN_PLACE_MAX {
        let broker = Arc::clone(call.broker);
        return Outcome::Heavy(Box::new(move || Outcome::Now(answer(&broker, request))));
    }
    Outcome::Now(answer(call.broker, request))
}

fn answer(broker: &Broker, request: DescribeConfigsRequest) -> DescribeConfigsResponse {
    let (synonyms, documentation) = (request.include_synonyms, request.include_documentation);
    // A few bytes of request are kilobytes of answer: each resource is answered once, and not without end.
    let mut seen = HashSet::new();
    let results = request
        .resources
        .into_iter()
        .filter(|resource| seen.insert((resource.resource_type, resource.resource_name.clone())))
        .enumerate()
        .map(|(at, resource)| match described_if_within(broker, &resource, at) {
            Ok(rows) => {
                let keys = resource.configuration_keys.filter(|keys| !keys.is_empty());
                let keys: Option<HashSet<String>> = keys.map(|keys| keys.into_iter().collect());
                let wanted = |name: &str| keys.as_ref().is_none_or(|keys| keys.contains(name));
                let configs = rows
                    .into_iter()
                    .filter(|row| wanted(&row.name))
                    .map(|row| trimmed(row, synonyms, documentation))
                    .collect();
                DescribeConfigsResult {
                    resource_type: resource.resource_type,
                    resource_name: resource.resource_name,
                    configs,
                    ..Default::default()
                }
            }
            Err((error_code, message)) => DescribeConfigsResult {
                error_code,
                error_message: Some(message),
                resource_type: resource.resource_type,
                resource_name: resource.resource_name,
                configs: Vec::new(),
            },
        })
        .collect();
    DescribeConfigsResponse { results, ..Default::default() }
}

fn described_if_within(
    broker: &Broker,
    resource: &DescribeConfigsResource,
    at: usize,
) -> Result<Vec<DescribedConfig>, Refusal> {
    if at < limits::DESCRIBED_RESOURCES_MAX {
        return describe(broker, resource);
    }
    let message = format!("At most {} resources are described at once.", limits::DESCRIBED_RESOURCES_MAX);
    Err((ErrorCode::INVALID_REQUEST, message))
}

fn trimmed(mut row: DescribedConfig, synonyms: bool, documentation: bool) -> DescribedConfig {
    if !synonyms {
        row.synonyms.clear();
    }
    if !documentation {
        row.documentation = None;
    }
    row
}

fn describe(broker: &Broker, resource: &DescribeConfigsResource) -> Result<Vec<DescribedConfig>, Refusal> {
    let image = broker.registry.image();
    let layers = Layers::of(&image, broker.node_id);
    let name = resource.resource_name.as_str();
    let own = |kind: ResourceKind| -> Arc<Overrides> {
        image.configs(&Resource { kind, name: name.to_owned() }).cloned().unwrap_or_default()
    };
    let described = match resource.resource_type {
        TOPIC => {
            if TopicName::parse(name).is_err() {
                return Err((ErrorCode::INVALID_TOPIC_EXCEPTION, format!("Topic name '{name}' is illegal")));
            }
            if broker.registry.topic(name).is_none() {
                return Err((ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, "This server does not host this topic-partition.".to_owned()));
            }
            broker.settings.describe_topic(&own(ResourceKind::TOPIC), layers.dynamic())
        }
        BROKER if name.is_empty() => {
            let mut rows = broker.settings.describe_broker(Dynamic { node: &BTreeMap::new(), ..layers.dynamic() });
            rows.retain(|row| layers.all_nodes.contains_key(row.name));
            for row in &mut rows {
                row.synonyms.retain(|synonym| synonym.source == ConfigSource::DynamicDefaultBroker);
            }
            let unknown = layers.all_nodes.iter().filter(|(name, _)| row_of(Scope::Broker, name).is_none());
            let unknown = unknown.map(|(name, value)| run_time_only(name, value));
            return Ok(rows.into_iter().map(row).chain(unknown).collect());
        }
        BROKER => {
            check_broker(broker, name)?;
            let rows = broker.settings.describe_broker(layers.dynamic());
            let throttle = |name: &&'static str| {
                let value = layers.node.get(*name).or(layers.all_nodes.get(*name))?;
                Some(run_time_only(name, value))
            };
            let throttles = THROTTLES.iter().filter_map(throttle);
            return Ok(rows.into_iter().map(row).chain(throttles).collect());
        }
        BROKER_LOGGER => {
            check_broker(broker, name)?;
            let row = |(name, level): (String, loggers::Level)| plain(&name, &level.to_string(), SOURCE_DYNAMIC_BROKER_LOGGER);
            return Ok(loggers::all().into_iter().map(row).collect());
        }
        CLIENT_METRICS | GROUP if name.is_empty() => {
            return Err((ErrorCode::INVALID_REQUEST, "The name of the resource is empty.".to_owned()));
        }
        CLIENT_METRICS => {
            let own = own(ResourceKind::CLIENT_METRICS);
            let row = |(name, value): (&String, &String)| {
                let synonym = DescribedConfigSynonym {
                    name: name.clone(),
                    value: Some(value.clone()),
                    source: SOURCE_CLIENT_METRICS,
                };
                DescribedConfig { synonyms: vec![synonym], ..plain(name, value, SOURCE_CLIENT_METRICS) }
            };
            return Ok(own.iter().map(row).collect());
        }
        GROUP => broker.settings.describe_group(&own(ResourceKind::GROUP), layers.dynamic()),
        other => return Err((ErrorCode::INVALID_REQUEST, format!("Unsupported resource type: {other}"))),
    };
    Ok(described.into_iter().map(row).collect())
}

fn check_broker(broker: &Broker, name: &str) -> Result<(), Refusal> {
    if name == broker.node_id.to_string() {
        return Ok(());
    }
    let message =
        format!("Unexpected broker id, expected {} or empty string, but received {name}", broker.node_id);
    Err((ErrorCode::INVALID_REQUEST, message))
}

/// A key that only a broker at run time has. What nobody knows might be a secret.
fn run_time_only(name: &str, value: &str) -> DescribedConfig {
    let is_known = THROTTLES.contains(&name);
    let source = ConfigSource::DynamicDefaultBroker.code();
    let value = is_known.then(|| value.to_owned());
    DescribedConfig {
        is_sensitive: !is_known,
        config_type: if is_known { Kind::Long.code() } else { 0 },
        synonyms: vec![DescribedConfigSynonym { name: name.to_owned(), value: value.clone(), source }],
        value,
        ..plain(name, "", source)
    }
}

fn plain(name: &str, value: &str, config_source: i8) -> DescribedConfig {
    DescribedConfig {
        name: name.to_owned(),
        value: Some(value.to_owned()),
        config_source,
        config_type: TYPE_STRING,
        ..DescribedConfig::default()
    }
}

fn row(described: Described) -> DescribedConfig {
    let synonym = |synonym: crate::settings::Synonym| DescribedConfigSynonym {
        name: synonym.name.to_owned(),
        value: synonym.value,
        source: synonym.source.code(),
    };
    DescribedConfig {
        name: described.name.to_owned(),
        value: described.value,
        read_only: described.read_only,
        config_source: described.source.code(),
        is_sensitive: described.sensitive,
        synonyms: described.synonyms.into_iter().map(synonym).collect(),
        config_type: described.type_code,
        documentation: Some(described.doc.to_owned()),
    }
}
