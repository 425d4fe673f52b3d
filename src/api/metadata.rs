//! Metadata (key 3), versions 0-13.
//!
//! Behavior: one broker, which is the controller and leads every partition. A topic asked by name that does not exist is made if the
//! client allows it and `auto.create.topics.enable` is set; the answer already shows it. One request makes a hundred topics at most: the
//! others are unknown as yet, which clients ask again for. Names are answered once however often they are asked.
//!
//! Version notes: v0: an empty list means all topics, later null does. v4: the client says whether topics may be made. v8: permitted
//! operations. v10: topic ids, v12: asked by id (KIP-516). v13: top-level error, always 0 here (KIP-1102).
//!
//! Reference: Kafka `KafkaApis.handleTopicMetadataRequest`, `AutoTopicCreationManager`.

use std::collections::HashSet;
use std::sync::Arc;

use super::{Broker, Call, Outcome, errors};
use crate::base::ids::TopicName;
use crate::base::limits;
use crate::topics::{NewTopic, Topic};
use crate::wire::ErrorCode;
use crate::wire::messages::OPERATIONS_NOT_ASKED;
use crate::wire::messages::metadata::{
    MetadataBroker, MetadataFacts, MetadataPartition, MetadataRequest, MetadataRequestTopic, MetadataResponse,
    MetadataTopic,
};

/// Bits of the operations that a topic knows: Read, Write, Create, Delete, Alter, Describe, DescribeConfigs, AlterConfigs.
pub const TOPIC_OPERATIONS: i32 = 0b1101_1111_1000;

/// Bits of the operations that the cluster knows: Create, Alter, Describe, ClusterAction, DescribeConfigs, AlterConfigs,
/// IdempotentWrite.
pub const CLUSTER_OPERATIONS: i32 = 0b1_1111_1010_0000;

pub fn handle(call: Call<'_>, request: MetadataRequest, facts: MetadataFacts) -> Outcome<MetadataResponse> {
    if !facts.topics_by_id && request.topics.iter().flatten().any(|topic| topic.name.is_none() || !topic.topic_id.is_zero()) {
        return Outcome::Now(refused(request));
    }
    let broker = Arc::clone(call.broker);
    let mut response = head(&call);
    if request.include_cluster_authorized_operations {
        response.cluster_authorized_operations = CLUSTER_OPERATIONS;
    }
    let operations =
        if request.include_topic_authorized_operations { TOPIC_OPERATIONS } else { OPERATIONS_NOT_ASKED };
    let asked = match request.topics {
        Some(topics) if !(topics.is_empty() && facts.empty_means_all) => topics,
        _ => {
            let all = broker.registry.topics();
            response.topics = all.iter().map(|topic| row(&broker, topic, operations)).collect();
            return Outcome::Now(response);
        }
    };
    let asked = unique(asked);
    let may_create = request.allow_auto_topic_creation && broker.settings.boolean("auto.create.topics.enable");
    if may_create && asked.iter().any(|topic| is_missing(&broker, topic)) {
        return Outcome::InOrder(Box::pin(async move {
            let mut missing = 0;
            for topic in &asked {
                missing += usize::from(is_missing(&broker, topic));
                let row = if missing <= limits::TOPICS_MADE_BY_METADATA_MAX {
                    find_or_create(&broker, topic, operations).await
                } else {
                    found_or_not(&broker, topic, operations)
                };
                response.topics.push(row);
            }
            response
        }));
    }
    response.topics = asked.iter().map(|topic| found_or_not(&broker, topic, operations)).collect();
    Outcome::Now(response)
}

fn found_or_not(broker: &Broker, asked: &MetadataRequestTopic, operations: i32) -> MetadataTopic {
    find(broker, asked).map_or_else(|missing| missing, |topic| row(broker, &topic, operations))
}

/// The answer to a request that names topics by id before that was possible.
fn refused(request: MetadataRequest) -> MetadataResponse {
    let row = |topic: MetadataRequestTopic| MetadataTopic {
        error_code: ErrorCode::INVALID_REQUEST,
        name: Some(topic.name.unwrap_or_default()),
        topic_id: topic.topic_id,
        ..MetadataTopic::default()
    };
    let topics = request.topics.unwrap_or_default().into_iter().map(row).collect();
    MetadataResponse { topics, ..MetadataResponse::default() }
}

fn head(call: &Call<'_>) -> MetadataResponse {
    let broker = call.broker;
    let (host, port) = broker.advertised_to(call.session);
    let rack = broker.settings.optional_string("broker.rack").map(str::to_owned);
    MetadataResponse {
        brokers: vec![MetadataBroker { node_id: broker.node_id, host, port, rack }],
        cluster_id: Some(broker.cluster_id.clone()),
        controller_id: broker.node_id,
        ..MetadataResponse::default()
    }
}

fn unique(topics: Vec<MetadataRequestTopic>) -> Vec<MetadataRequestTopic> {
    let mut seen = HashSet::with_capacity(topics.len());
    topics.into_iter().filter(|topic| seen.insert((topic.name.clone(), topic.topic_id))).collect()
}

fn is_missing(broker: &Broker, topic: &MetadataRequestTopic) -> bool {
    topic.topic_id.is_zero() && topic.name.as_deref().is_some_and(|name| broker.registry.topic(name).is_none())
}

/// The topic, or the row that says why not.
fn find(broker: &Broker, asked: &MetadataRequestTopic) -> Result<Arc<Topic>, MetadataTopic> {
    let by_id = !asked.topic_id.is_zero();
    let (found, missing) = match asked.name.as_deref() {
        _ if by_id => (broker.registry.topic_by_id(&asked.topic_id), ErrorCode::UNKNOWN_TOPIC_ID),
        Some(name) => (broker.registry.topic(name), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        None => (None, ErrorCode::UNKNOWN_TOPIC_ID),
    };
    found.ok_or_else(|| {
        let name = if by_id { None } else { asked.name.clone() };
        let legal = name.as_deref().is_none_or(|name| TopicName::parse(name).is_ok());
        let error_code = if legal { missing } else { ErrorCode::INVALID_TOPIC_EXCEPTION };
        MetadataTopic { error_code, name, topic_id: asked.topic_id, ..MetadataTopic::default() }
    })
}

async fn find_or_create(broker: &Arc<Broker>, asked: &MetadataRequestTopic, operations: i32) -> MetadataTopic {
    let missing = match find(broker, asked) {
        Ok(topic) => return row(broker, &topic, operations),
        Err(row) => row,
    };
    let Some(name) = missing.name.as_deref().and_then(|name| TopicName::parse(name).ok()) else { return missing };
    match broker.registry.create_topic(NewTopic::with_defaults(name.clone())).await {
        Ok(topic) => {
            tracing::info!(topic = %name, partitions = topic.partition_count(), "topic created for a client");
            row(broker, &topic, operations)
        }
        // Another connection was quicker.
        Err(_) if broker.registry.topic(name.as_str()).is_some() => {
            found_or_not(broker, asked, operations)
        }
        Err(error) => MetadataTopic { error_code: errors::of_topic(&error).0, ..missing },
    }
}

fn row(broker: &Broker, topic: &Topic, operations: i32) -> MetadataTopic {
    let partitions = topic.partitions();
    MetadataTopic {
        error_code: ErrorCode::NONE,
        name: Some(topic.name().to_string()),
        topic_id: topic.id(),
        is_internal: topic.is_internal(),
        partitions: partitions
            .iter()
            .map(|partition| MetadataPartition {
                error_code: ErrorCode::NONE,
                partition_index: partition.index().0,
                leader_id: broker.node_id,
                leader_epoch: partition.leader_epoch().0,
                replica_nodes: vec![broker.node_id],
                isr_nodes: vec![broker.node_id],
                offline_replicas: Vec::new(),
            })
            .collect(),
        topic_authorized_operations: operations,
    }
}
