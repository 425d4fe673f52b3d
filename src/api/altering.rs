//! What IncrementalAlterConfigs and AlterConfigs share: judging the changes of each resource, and making all that are allowed in one
//! change of the metadata.
//!
//! A resource is changed as a whole or not at all; the others of the request do not mind. Levels of loggers are changed at once and
//! forgotten by a stop, as in Kafka.
//!
//! Reference: Kafka `ConfigAdminManager.scala`, `ConfigurationControlManager.java`, `ControllerConfigurationValidator.java`.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{Broker, create_topics, errors};
use crate::meta::Image;
use crate::meta::change::{self, MIN_INSYNC_REPLICAS};
use crate::meta::image::{Resource, ResourceKind};
use crate::meta::record::Record;
use crate::observe::loggers::{self, Level};
use crate::settings::{
    self, Change, Dynamic, Layer, Overrides, Refused, Scope, changed, check_client_metrics, validate_topic_configs_here,
};
use crate::wire::ErrorCode;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const BROKER_LOGGER: i8 = 8;
const CLIENT_METRICS: i8 = 16;
const GROUP: i8 = 32;

/// Records that one request may make (Kafka `QuorumController.MAX_RECORDS_PER_USER_OP`).
const RECORDS_PER_REQUEST_MAX: usize = 10_000;

/// Bytes of names and values that one request may make last: they are one batch, and Kafka reads none above 8 MiB.
const BYTES_PER_REQUEST_MAX: usize = 4 * 1024 * 1024;

/// Why a resource is not changed.
pub(super) type Refusal = (ErrorCode, String);

/// One resource and what is to become of its keys.
pub(super) struct Asked {
    pub resource_type: i8,
    pub name: String,
    /// Without a change: the operation, a number that Kafka does not know; or a null value.
    pub changes: Vec<(String, Result<Change, BadChange>)>,
    /// Keys that are not named lose their value (AlterConfigs).
    pub replaces: bool,
}

/// A change that cannot be meant.
#[derive(Clone, Copy)]
pub(super) enum BadChange {
    Null,
    Operation(i8),
}

/// Changes what may be changed, or only says what might be; an outcome for each resource, in their order.
pub(super) async fn alter(broker: &Arc<Broker>, asked: Vec<Asked>, validate_only: bool) -> Vec<Result<(), Refusal>> {
    let mut times: HashMap<(i8, &str), usize> = HashMap::new();
    for one in &asked {
        *times.entry((one.resource_type, one.name.as_str())).or_default() += 1;
    }
    let mut outcomes: Vec<Option<Result<(), Refusal>>> = Vec::with_capacity(asked.len());
    for one in &asked {
        let repeated = times.get(&(one.resource_type, one.name.as_str())).is_some_and(|times| *times > 1);
        outcomes.push(if repeated {
            Some(Err(invalid("Each resource must appear at most once.")))
        } else {
            before_the_metadata(broker, one, validate_only).transpose()
        });
    }
    let left = outcomes.iter().zip(asked).filter(|(outcome, _)| outcome.is_none()).map(|(_, one)| one).collect();
    let judged = judge_and_append(broker, left, validate_only).await;
    let mut judged = judged.into_iter();
    let unjudged = || Err((ErrorCode::UNKNOWN_SERVER_ERROR, String::new()));
    outcomes.into_iter().map(|outcome| outcome.or_else(|| judged.next()).unwrap_or_else(unjudged)).collect()
}

/// What can be said of a resource without the metadata; `None` if more is to be done.
fn before_the_metadata(broker: &Broker, asked: &Asked, validate_only: bool) -> Result<Option<()>, Refusal> {
    let mut seen = HashSet::new();
    if !asked.changes.iter().all(|(name, _)| seen.insert(name)) {
        return Err(invalid("Error due to duplicate config keys"));
    }
    let is_null = |change: &Result<Change, BadChange>| matches!(change, Err(BadChange::Null));
    let nulls: Vec<&str> = asked.changes.iter().filter(|(_, c)| is_null(c)).map(|(name, _)| name.as_str()).collect();
    if !nulls.is_empty() {
        return Err(invalid(format!("Null value not supported for : {}", nulls.join(", "))));
    }
    match asked.resource_type {
        BROKER_LOGGER if !asked.replaces => {
            check_node(broker, &asked.name, "Unexpected node id. Expected")?;
            let levels = levels(&asked.changes)?;
            if !validate_only {
                loggers::set(&levels);
                for (logger, level) in &levels {
                    let level = level.map_or_else(|| "none of its own".to_owned(), |level| level.to_string());
                    tracing::info!(logger, level, "log level set");
                }
            }
            Ok(Some(()))
        }
        BROKER if !asked.name.is_empty() => {
            check_node(broker, &asked.name, "Unexpected broker id, expected").map(|()| None)
        }
        TOPIC | BROKER | CLIENT_METRICS | GROUP => Ok(None),
        other => Err(invalid(format!("Unknown resource type {other}"))),
    }
}

fn check_node(broker: &Broker, name: &str, unexpected: &str) -> Result<(), Refusal> {
    let id: i32 = name.parse().map_err(|_| invalid(format!("Node id must be an integer, but it is: {name}")))?;
    if id == broker.node_id {
        return Ok(());
    }
    Err(invalid(format!("{unexpected} {}, but received {name}", broker.node_id)))
}

fn levels(changes: &[(String, Result<Change, BadChange>)]) -> Result<Vec<(String, Option<Level>)>, Refusal> {
    let not_allowed =
        |operation: &str| invalid(format!("{operation} operation is not allowed for the BROKER_LOGGER resource"));
    let level = |(logger, change): &(String, Result<Change, BadChange>)| {
        let exists = || {
            let message = format!("Logger {logger} does not exist!");
            if loggers::exists(logger) { Ok(()) } else { Err((ErrorCode::INVALID_CONFIG, message)) }
        };
        let level = match change {
            Ok(Change::Set(text)) => {
                exists()?;
                let message = || {
                    format!(
                        "Cannot set the log level of {logger} to {text} as it is not a supported log level. \
                         Valid log levels are {}",
                        Level::NAMES
                    )
                };
                Some(Level::parse(text).ok_or_else(|| (ErrorCode::INVALID_CONFIG, message()))?)
            }
            Ok(Change::Delete) => {
                exists()?;
                if logger == loggers::ROOT {
                    return Err(invalid("Removing the log level of the root logger is not allowed"));
                }
                None
            }
            Ok(Change::Append(_)) => return Err(not_allowed("APPEND")),
            Ok(Change::Subtract(_)) => return Err(not_allowed("SUBTRACT")),
            Err(BadChange::Operation(operation)) => {
                return Err(invalid(format!(
                    "Unknown operation type {operation} is not allowed for the BROKER_LOGGER resource"
                )));
            }
            Err(BadChange::Null) => return Err(invalid(format!("Null value not supported for : {logger}"))),
        };
        Ok((logger.clone(), level))
    };
    changes.iter().map(level).collect()
}

async fn judge_and_append(broker: &Arc<Broker>, left: Vec<Asked>, validate_only: bool) -> Vec<Result<(), Refusal>> {
    if left.is_empty() {
        return Vec::new();
    }
    let (count, owner) = (left.len(), Arc::clone(broker));
    let decision = move |image: &Image| {
        let mut records = Vec::new();
        let outcomes: Vec<_> =
            left.iter().map(|one| judge(&owner, image, one).map(|made| records.extend(made))).collect();
        if let Err(refusal) = check_size(&records) {
            return (Vec::new(), vec![Err(refusal); left.len()]);
        }
        (if validate_only { Vec::new() } else { records }, outcomes)
    };
    match broker.registry.alter_configs(decision).await {
        Ok(outcomes) => outcomes,
        Err(error) => vec![Err(errors::of_topic(&error)); count],
    }
}

fn check_size(records: &[Record]) -> Result<(), Refusal> {
    let bytes = |record: &Record| match record {
        Record::Config(config) => {
            config.resource_name.len() + config.name.len() + config.value.as_ref().map_or(0, String::len)
        }
        _ => 0,
    };
    if records.len() <= RECORDS_PER_REQUEST_MAX && records.iter().map(bytes).sum::<usize>() <= BYTES_PER_REQUEST_MAX {
        return Ok(());
    }
    Err((ErrorCode::POLICY_VIOLATION, "Unable to perform excessively large batch operation.".to_owned()))
}

/// The records that change one resource.
fn judge(broker: &Broker, image: &Image, asked: &Asked) -> Result<Vec<Record>, Refusal> {
    let resource = Resource { kind: ResourceKind(asked.resource_type), name: asked.name.clone() };
    let current = image.configs(&resource).cloned().unwrap_or_default();
    let wanted = wanted(asked, &current)?;
    let mut after = (*current).clone();
    for (name, value) in &wanted {
        match value {
            Some(value) => drop(after.insert(name.clone(), value.clone())),
            None => drop(after.remove(name)),
        }
    }
    if resource.kind == ResourceKind::BROKER {
        check_broker(broker, image, &resource, &after)?;
    }
    for (_, value) in wanted.iter().filter(|(name, _)| name == MIN_INSYNC_REPLICAS) {
        if let Some(why) = change::refuse_min_insync_replicas(image, &resource, value.as_deref()) {
            return Err((ErrorCode::INVALID_CONFIG, why.to_owned()));
        }
    }
    check_resource(broker, image, &resource, &after)?;
    Ok(change::alter_configs(image, &resource, &wanted))
}

/// Each key that is to change, with the value it is to have.
fn wanted(asked: &Asked, current: &Overrides) -> Result<Vec<(String, Option<String>)>, Refusal> {
    let scope = match asked.resource_type {
        TOPIC => Some(Scope::Topic),
        BROKER => Some(Scope::Broker),
        GROUP => Some(Scope::Group),
        _ => None,
    };
    let mut wanted = Vec::with_capacity(asked.changes.len());
    for (name, change) in &asked.changes {
        let change = change.as_ref().map_err(|bad| match bad {
            BadChange::Operation(operation) => invalid(format!("Unknown operations type {operation}")),
            BadChange::Null => invalid(format!("Null value not supported for : {name}")),
        })?;
        let value = changed(scope, name, current.get(name), change).map_err(bad_config)?;
        wanted.push((name.clone(), value));
    }
    if asked.replaces {
        let named: HashSet<&str> = asked.changes.iter().map(|(name, _)| name.as_str()).collect();
        wanted.extend(current.keys().filter(|name| !named.contains(name.as_str())).map(|name| (name.clone(), None)));
    }
    Ok(wanted)
}

fn check_broker(broker: &Broker, image: &Image, resource: &Resource, after: &Overrides) -> Result<(), Refusal> {
    let configs = |resource: &Resource| image.configs(resource).cloned().unwrap_or_default();
    let judged = if resource.name.is_empty() {
        let node = configs(&Resource::broker(broker.node_id));
        broker.settings.check_dynamic(Dynamic { node: &node, all_nodes: after }, Layer::AllNodes)
    } else {
        let all_nodes = configs(&Resource::every_broker());
        broker.settings.check_dynamic(Dynamic { node: after, all_nodes: &all_nodes }, Layer::Node)
    };
    judged.map_err(|refused| invalid(refused.to_string()))
}

/// What Kafka's controller asks of a resource and of all that would be set for it.
fn check_resource(broker: &Broker, image: &Image, resource: &Resource, after: &Overrides) -> Result<(), Refusal> {
    let name = resource.name.as_str();
    match resource.kind {
        ResourceKind::TOPIC => {
            if name.is_empty() {
                return Err(invalid("Default topic resources are not allowed."));
            }
            create_topics::check_name(name)?;
            validate_topic_configs_here(&broker.settings, after)
                .map_err(|fault| (ErrorCode::INVALID_CONFIG, fault.to_string()))?;
            match image.topic_by_name(name) {
                Some(_) => Ok(()),
                None => {
                    let message = format!("The topic '{name}' does not exist.");
                    Err((ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, message))
                }
            }
        }
        ResourceKind::GROUP if name.is_empty() => Err(invalid("Default group resources are not allowed.")),
        ResourceKind::GROUP => {
            let configs = |resource: &Resource| image.configs(resource).cloned().unwrap_or_default();
            let (node, all_nodes) = (configs(&Resource::broker(broker.node_id)), configs(&Resource::every_broker()));
            let dynamic = Dynamic { node: &node, all_nodes: &all_nodes };
            broker.settings.check_group(after, dynamic).map_err(bad_config)
        }
        ResourceKind::CLIENT_METRICS if name.is_empty() => Err(invalid("Subscription name can't be empty")),
        ResourceKind::CLIENT_METRICS => check_client_metrics(after).map_err(bad_config),
        _ => Ok(()),
    }
}

fn bad_config(refused: Refused) -> Refusal {
    let code = match &refused {
        settings::Refused::UnknownClientMetrics { .. } | settings::Refused::MetricsInterval { .. } => {
            ErrorCode::INVALID_REQUEST
        }
        _ => ErrorCode::INVALID_CONFIG,
    };
    (code, refused.to_string())
}

fn invalid(message: impl Into<String>) -> Refusal {
    (ErrorCode::INVALID_REQUEST, message.into())
}
