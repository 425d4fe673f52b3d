//! What a controller decides, as pure functions: which records make a change. Whether the change is allowed is the caller's.
//!
//! The records of one change go into one batch, so that a crash leaves all of it or none.
//!
//! References: Kafka `ReplicationControlManager.java`, `ConfigurationControlManager.java`, `ClusterControlManager.java`.

use std::ops::Range;

use super::image::{Image, METADATA_VERSION, NO_LEADER, Partition, Resource, ResourceKind, Topic};
use super::options::Endpoint;
use super::record::{
    BrokerRegistrationChangeRecord, ClearElrRecord, ConfigRecord, FeatureLevelRecord, NodeEndpoint, NodeFeature,
    PartitionChangeRecord, PartitionRecord, ProducerIdsRecord, Record, RegisterBrokerRecord, RegisterControllerRecord,
    RemoveTopicRecord, TopicRecord, level,
};
use crate::base::ids::{PartitionIndex, TopicId, TopicName, Uuid};

/// The producer ids of one block (Kafka `ProducerIdsBlock.PRODUCER_ID_BLOCK_SIZE`).
pub const PRODUCER_ID_BLOCK: i64 = 1000;

/// The feature whose level 1 turns on eligible leader replicas (KIP-966).
const ELR_VERSION: &str = "eligible.leader.replicas.version";

/// The key that `refuse_min_insync_replicas` is about.
pub const MIN_INSYNC_REPLICAS: &str = "min.insync.replicas";

/// Features that a node of Kafka 4.4 can work with: name, lowest and highest level.
pub const SUPPORTED_FEATURES: [(&str, i16, i16); 7] = [
    (ELR_VERSION, 0, 1),
    ("group.version", 0, 1),
    ("kraft.version", 0, 1),
    (METADATA_VERSION, level::OLDEST, level::NEWEST),
    ("share.version", 0, 2),
    ("streams.version", 0, 1),
    ("transaction.version", 0, 2),
];

/// What Kafka 4.4's format step finalizes in a new cluster, in its order.
const INITIAL_FEATURES: [(&str, i16); 6] = [
    (METADATA_VERSION, level::NEWEST),
    (ELR_VERSION, 1),
    ("group.version", 1),
    ("share.version", 2),
    ("streams.version", 1),
    ("transaction.version", 2),
];

/// The node that everything is placed on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Node {
    pub id: i32,
    pub directory_id: Uuid,
}

/// A topic to be made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewTopic<'a> {
    pub name: &'a TopicName,
    pub id: TopicId,
    pub partition_count: i32,
    pub configs: &'a [(String, String)],
}

/// Makes a topic with all its partitions on this node.
pub fn create_topic(topic: &NewTopic<'_>, node: Node) -> Vec<Record> {
    let name = topic.name.as_str();
    let mut records: Vec<Record> = vec![TopicRecord { name: name.to_owned(), topic_id: topic.id }.into()];
    records.extend(
        topic.configs.iter().map(|(key, value)| config(&Resource::topic(name), key, Some(value.clone())).into()),
    );
    if topic.configs.iter().any(|(key, _)| key == MIN_INSYNC_REPLICAS) {
        records.push(ClearElrRecord { topic_name: name.to_owned() }.into());
    }
    records.extend(new_partitions(topic.id, 0..topic.partition_count, node));
    records
}

/// Adds partitions up to a new count.
pub fn create_partitions(topic: &Topic, partition_count: i32, node: Node) -> Vec<Record> {
    let first = topic.partitions.last_key_value().map_or(0, |(index, _)| index.0.saturating_add(1));
    new_partitions(topic.id, first..partition_count, node).collect()
}

/// Removes a topic, its partitions and its configuration.
pub fn delete_topic(id: TopicId) -> Vec<Record> {
    vec![RemoveTopicRecord { topic_id: id }.into()]
}

/// Sets the configurations that have a value and removes those that have none. What is so already makes no record, but for
/// brokers: they read again what such a record names (KAFKA-14136).
pub fn alter_configs(image: &Image, resource: &Resource, changes: &[(String, Option<String>)]) -> Vec<Record> {
    let current = image.configs(resource);
    let mut records = Vec::new();
    for (key, value) in changes {
        let is_so = current.and_then(|values| values.get(key)) == value.as_ref();
        if is_so && resource.kind != ResourceKind::BROKER {
            continue;
        }
        records.push(config(resource, key, value.clone()).into());
        if key == MIN_INSYNC_REPLICAS && image.feature(ELR_VERSION) > 0 {
            let is_topic = resource.kind == ResourceKind::TOPIC;
            let topic_name = if is_topic { resource.name.clone() } else { String::new() };
            records.push(ClearElrRecord { topic_name }.into());
        }
    }
    records
}

/// Says why a broker's `min.insync.replicas` may not become `value`, if so: eligible leader replicas are measured by one for all.
pub fn refuse_min_insync_replicas(image: &Image, resource: &Resource, value: Option<&str>) -> Option<&'static str> {
    if resource.kind != ResourceKind::BROKER || image.feature(ELR_VERSION) == 0 {
        return None;
    }
    match value {
        _ if !resource.name.is_empty() => {
            Some("Broker-level min.insync.replicas cannot be altered while ELR is enabled.")
        }
        None => Some("Cluster-level min.insync.replicas cannot be removed while ELR is enabled."),
        Some(_) => None,
    }
}

/// Reserves the next block of producer ids.
pub fn reserve_producer_ids(image: &Image, node_id: i32, broker_epoch: i64) -> (Range<i64>, Vec<Record>) {
    let start = image.next_producer_id();
    let end = start + PRODUCER_ID_BLOCK;
    let record = ProducerIdsRecord { broker_id: node_id, broker_epoch, next_producer_id: end };
    (start..end, vec![record.into()])
}

/// The features that a new cluster begins with.
pub(super) fn initial_features() -> Vec<Record> {
    let feature = |(name, level): (&str, i16)| FeatureLevelRecord { name: name.to_owned(), feature_level: level };
    INITIAL_FEATURES.into_iter().map(|initial| feature(initial).into()).collect()
}

/// What the controller adds at the first start when eligible leader replicas are on: the cluster-wide minimum they are measured by.
pub(super) fn cluster_min_insync_replicas(image: &Image) -> Option<Record> {
    let resource = Resource::every_broker();
    let is_set = image.configs(&resource).is_some_and(|values| values.contains_key(MIN_INSYNC_REPLICAS));
    let is_needed = image.feature(ELR_VERSION) > 0 && !is_set;
    is_needed.then(|| config(&resource, MIN_INSYNC_REPLICAS, Some("1".to_owned())).into())
}

/// What a node says of itself when it starts.
#[derive(Clone, Debug)]
pub(super) struct Registration<'a> {
    pub(super) node: Node,
    pub(super) listeners: &'a [Endpoint],
    pub(super) controller: &'a Endpoint,
    pub(super) rack: Option<&'a str>,
    pub(super) controller_incarnation: Uuid,
    pub(super) broker_incarnation: Uuid,
}

/// Registers the node as controller and broker. `first_offset` is that of the first record returned: the broker epoch is the
/// offset of the broker's record.
pub(super) fn register(registration: &Registration<'_>, metadata_version: i16, first_offset: i64) -> Vec<Record> {
    let features: Vec<NodeFeature> = SUPPORTED_FEATURES
        .into_iter()
        .map(|(name, min_supported_version, max_supported_version)| NodeFeature {
            name: name.to_owned(),
            min_supported_version,
            max_supported_version,
        })
        .collect();
    let mut records: Vec<Record> = Vec::new();
    if metadata_version >= level::CONTROLLER_REGISTRATION {
        let record = RegisterControllerRecord {
            controller_id: registration.node.id,
            incarnation_id: registration.controller_incarnation,
            zk_migration_ready: false,
            end_points: vec![registration.controller.record()],
            features: features.clone(),
        };
        records.push(record.into());
    }
    let broker_epoch = first_offset + i64::from(!records.is_empty());
    let end_points: Vec<NodeEndpoint> = registration.listeners.iter().map(Endpoint::record).collect();
    let record = RegisterBrokerRecord {
        broker_id: registration.node.id,
        incarnation_id: registration.broker_incarnation,
        broker_epoch,
        end_points,
        features,
        rack: registration.rack.map(str::to_owned),
        fenced: true,
        log_dirs: vec![registration.node.directory_id],
        ..RegisterBrokerRecord::default()
    };
    records.push(record.into());
    let broker_id = registration.node.id;
    if metadata_version >= level::CORDONED {
        let cordoned_log_dirs = Some(Vec::new());
        records.push(
            BrokerRegistrationChangeRecord { broker_id, broker_epoch, cordoned_log_dirs, ..Default::default() }.into(),
        );
    }
    records.push(BrokerRegistrationChangeRecord { broker_id, broker_epoch, fenced: -1, ..Default::default() }.into());
    records
}

/// Makes this node the leader of every partition that it does not lead, and, after a stop that was not clean, anew of those that it leads.
pub(super) fn take_leadership(image: &Image, node: Node, is_clean: bool) -> Vec<Record> {
    let knows_directories = image.metadata_version() >= level::DIRECTORIES;
    let mut records = Vec::new();
    for topic in image.topics_by_name() {
        for (index, partition) in &topic.partitions {
            let is_placed = !knows_directories || partition.directories == [node.directory_id];
            if !is_clean || partition.leader != node.id || partition.isr != [node.id] || !is_placed {
                records.push(lead(topic.id, *index, partition, node, is_placed).into());
            }
        }
    }
    records
}

fn lead(
    topic_id: TopicId,
    index: PartitionIndex,
    partition: &Partition,
    node: Node,
    is_placed: bool,
) -> PartitionChangeRecord {
    let clear = |ids: &Vec<i32>| (!ids.is_empty()).then(Vec::new);
    assert!(node.id != NO_LEADER, "a node id is not negative");
    PartitionChangeRecord {
        partition_id: index.0,
        topic_id,
        isr: (partition.isr != [node.id]).then(|| vec![node.id]),
        leader: node.id,
        leader_recovery_state: if partition.leader_recovery_state == 0 { -1 } else { 0 },
        directories: (!is_placed).then(|| vec![node.directory_id]),
        eligible_leader_replicas: clear(&partition.eligible_leader_replicas),
        last_known_elr: clear(&partition.last_known_elr),
        ..PartitionChangeRecord::default()
    }
}

fn config(resource: &Resource, name: &str, value: Option<String>) -> ConfigRecord {
    ConfigRecord { resource_type: resource.kind.0, resource_name: resource.name.clone(), name: name.to_owned(), value }
}

fn new_partitions(topic_id: TopicId, indexes: Range<i32>, node: Node) -> impl Iterator<Item = Record> {
    indexes.map(move |partition_id| {
        PartitionRecord {
            partition_id,
            topic_id,
            replicas: vec![node.id],
            isr: vec![node.id],
            leader: node.id,
            leader_epoch: 0,
            partition_epoch: 0,
            directories: vec![node.directory_id],
            ..PartitionRecord::default()
        }
        .into()
    })
}
