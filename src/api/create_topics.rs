//! CreateTopics (key 19), versions 2-7.
//!
//! Behavior: a topic is durable and takes records when the answer leaves. There is one broker, so a replication factor above 1 is
//! created as 1 and the answer and the log say so (`klamm.replication.clamp`, the default), or refused as Kafka refuses it.
//! Configurations are validated by name and value.
//!
//! Version notes: v4: -1 for the defaults of partitions and replication factor (KIP-464). v5: the answer tells count, factor and
//! configurations (KIP-525). v7: topic id (KIP-516).
//!
//! Reference: Kafka `ControllerApis.createTopics`, `ReplicationControlManager.createTopics`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::create_partitions::PARTITIONS_PER_REQUEST_MAX;
use super::{Broker, Call, Outcome, describe_configs, errors};
use crate::base::ids::{BadTopicName, TopicName, Uuid};
use crate::topics::NewTopic;
use crate::wire::ErrorCode;
use crate::wire::messages::create_topics::{
    CreatableTopic, CreatableTopicConfigResult, CreatableTopicResult, CreateTopicsRequest, CreateTopicsResponse,
};

const METADATA_TOPIC: &str = "__cluster_metadata";

type Refusal = (ErrorCode, String);

pub fn handle(call: Call<'_>, request: CreateTopicsRequest, (): ()) -> Outcome<CreateTopicsResponse> {
    let broker = Arc::clone(call.broker);
    let client = call.session.to_string();
    Outcome::InOrder(Box::pin(async move {
        let mut times: HashMap<String, usize> = HashMap::new();
        for topic in &request.topics {
            *times.entry(topic.name.clone()).or_default() += 1;
        }
        let mut left = PARTITIONS_PER_REQUEST_MAX;
        let mut plans = Vec::with_capacity(times.len());
        for topic in request.topics {
            let repeated = times.get(&topic.name).is_some_and(|times| *times > 1);
            let plan = if repeated {
                // One answer for all of them.
                if times.insert(topic.name.clone(), usize::MAX) == Some(usize::MAX) {
                    continue;
                }
                Err((ErrorCode::INVALID_REQUEST, "Duplicate topic name.".to_owned()))
            } else {
                plan(&broker, &topic, &mut left, &client)
            };
            plans.push((topic.name, plan));
        }
        let ids = if request.validate_only {
            plans.iter().filter(|(_, plan)| plan.is_ok()).map(|_| Ok(Uuid::ZERO)).collect()
        } else {
            make(&broker, plans.iter().filter_map(|(_, plan)| plan.as_ref().ok()).cloned().collect()).await
        };
        let mut ids = ids.into_iter();
        let topics = plans.into_iter().map(|(name, plan)| {
            let made = plan.and_then(|plan| {
                let id = ids.next().unwrap_or(Err((ErrorCode::UNKNOWN_SERVER_ERROR, String::new())))?;
                Ok(row(&broker, plan, id))
            });
            made.unwrap_or_else(|(error_code, message)| CreatableTopicResult {
                name,
                error_code,
                error_message: Some(message),
                ..CreatableTopicResult::default()
            })
        });
        CreateTopicsResponse { topics: topics.collect(), ..CreateTopicsResponse::default() }
    }))
}

/// Judges what is asked. Nothing is made yet.
fn plan(broker: &Broker, asked: &CreatableTopic, left: &mut usize, client: &str) -> Result<NewTopic, Refusal> {
    let name = parse_name(&asked.name)?;
    broker.registry.check_new(&name).map_err(|error| errors::of_topic(&error))?;
    let partitions = partition_count(broker, asked)?;
    check_replication(broker, asked, client)?;
    let configs = configs(broker, asked)?;
    *left = left.checked_sub(partitions).ok_or_else(|| {
        (ErrorCode::POLICY_VIOLATION, "Excessively large number of partitions per request.".to_owned())
    })?;
    Ok(NewTopic { name, partitions: Some(partitions), configs })
}

/// Makes the topics, all in one change of the metadata; the id of each, or why it was not made.
async fn make(broker: &Arc<Broker>, plans: Vec<NewTopic>) -> Vec<Result<Uuid, Refusal>> {
    let count = plans.len();
    match broker.registry.create_topics(plans).await {
        Ok(made) => {
            made.into_iter().map(|made| made.map(|topic| topic.id()).map_err(|error| errors::of_topic(&error))).collect()
        }
        Err(error) => vec![Err(errors::of_topic(&error)); count],
    }
}

fn row(broker: &Broker, made: NewTopic, topic_id: Uuid) -> CreatableTopicResult {
    let overrides: BTreeMap<String, String> = made.configs.into_iter().collect();
    let described = describe_configs::topic_rows(broker, &overrides);
    let config = |row: describe_configs::TopicRow| CreatableTopicConfigResult {
        name: row.name.to_owned(),
        value: row.value,
        read_only: false,
        config_source: row.source,
        is_sensitive: false,
    };
    CreatableTopicResult {
        name: made.name.to_string(),
        topic_id,
        num_partitions: made.partitions.and_then(|count| i32::try_from(count).ok()).unwrap_or(-1),
        replication_factor: 1,
        configs: Some(described.into_iter().map(config).collect()),
        ..CreatableTopicResult::default()
    }
}

fn parse_name(name: &str) -> Result<TopicName, Refusal> {
    if name == METADATA_TOPIC {
        let message = format!("Creation of internal topic {METADATA_TOPIC} is prohibited.");
        return Err((ErrorCode::INVALID_REQUEST, message));
    }
    check_name(name)
}

/// The name of a topic that may be, in Kafka's words if it is none.
pub(super) fn check_name(name: &str) -> Result<TopicName, Refusal> {
    TopicName::parse(name).map_err(|bad| {
        let message = match bad {
            BadTopicName::Empty => "Topic name is invalid: the empty string is not allowed".to_owned(),
            BadTopicName::Dots => format!("Topic name is invalid: '{name}' is not allowed"),
            BadTopicName::TooLong => format!(
                "Topic name is invalid: the length of '{name}' is longer than the max allowed length {}",
                TopicName::LENGTH_MAX
            ),
            BadTopicName::IllegalCharacter => format!(
                "Topic name is invalid: '{name}' contains one or more characters other than ASCII alphanumerics, \
                 '.', '_' and '-'"
            ),
        };
        (ErrorCode::INVALID_TOPIC_EXCEPTION, message)
    })
}

fn partition_count(broker: &Broker, asked: &CreatableTopic) -> Result<usize, Refusal> {
    if !asked.assignments.is_empty() {
        return assigned_count(broker, asked);
    }
    match asked.num_partitions {
        -1 => Ok(usize::try_from(broker.settings.long("num.partitions")).unwrap_or(1)),
        count => usize::try_from(count).ok().filter(|count| *count > 0).ok_or_else(|| {
            let message = "Number of partitions was set to an invalid non-positive value.";
            (ErrorCode::INVALID_PARTITIONS, message.to_owned())
        }),
    }
}

/// The partitions of a manual assignment: indexes from 0 without a gap, each on this broker.
fn assigned_count(broker: &Broker, asked: &CreatableTopic) -> Result<usize, Refusal> {
    for (value, what) in [(i32::from(asked.replication_factor), "replication factor"), (asked.num_partitions, "numPartitions")] {
        if value != -1 {
            let message = format!("A manual partition assignment was specified, but {what} was not set to -1.");
            return Err((ErrorCode::INVALID_REQUEST, message));
        }
    }
    let by_index: BTreeMap<i32, &[i32]> =
        asked.assignments.iter().map(|one| (one.partition_index, one.broker_ids.as_slice())).collect();
    if by_index.len() != asked.assignments.len() {
        return Err((ErrorCode::INVALID_REPLICA_ASSIGNMENT, "Found multiple manual partition assignments for one partition".to_owned()));
    }
    if by_index.keys().zip(0..).any(|(index, expected)| *index != expected) {
        let message = "partitions should be a consecutive 0-based integer sequence".to_owned();
        return Err((ErrorCode::INVALID_REPLICA_ASSIGNMENT, message));
    }
    super::create_partitions::check_assignments(broker, by_index.values().copied(), by_index.len())?;
    Ok(by_index.len())
}

fn check_replication(broker: &Broker, asked: &CreatableTopic, client: &str) -> Result<(), Refusal> {
    match asked.replication_factor {
        -1 | 1 => Ok(()),
        ..=0 => {
            let message = "Replication factor must be larger than 0, or -1 to use the default value.";
            Err((ErrorCode::INVALID_REPLICATION_FACTOR, message.to_owned()))
        }
        factor if broker.settings.boolean("klamm.replication.clamp") => {
            tracing::info!(topic = asked.name, asked = factor, client, "replication factor clamped to 1: there is one broker");
            Ok(())
        }
        factor => {
            let message = format!(
                "Unable to replicate the partition {factor} time(s): The target replication factor of {factor} cannot be \
                 reached because only 1 broker(s) are registered or some brokers have all their log directories cordoned."
            );
            Err((ErrorCode::INVALID_REPLICATION_FACTOR, message))
        }
    }
}

fn configs(broker: &Broker, asked: &CreatableTopic) -> Result<Vec<(String, String)>, Refusal> {
    let mut configs = BTreeMap::new();
    for config in &asked.configs {
        let Some(value) = &config.value else {
            let message = format!("Null value not supported for topic configs: {}", config.name);
            return Err((ErrorCode::INVALID_CONFIG, message));
        };
        configs.insert(config.name.clone(), value.clone());
    }
    crate::settings::validate_topic_configs_here(&broker.settings, &configs)
        .map_err(|fault| (ErrorCode::INVALID_CONFIG, fault.to_string()))?;
    Ok(configs.into_iter().collect())
}
