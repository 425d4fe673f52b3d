//! The state that the metadata records add up to. Changes in `replay` only; does no I/O and decides nothing.
//!
//! A copy shares almost everything with its original, so that each change may publish a new image while readers keep theirs.
//!
//! References: Kafka `metadata/src/main/java/org/apache/kafka/image/`, `PartitionRegistration.merge`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::record::{
    BrokerRegistrationChangeRecord, ConfigRecord, FeatureLevelRecord, PartitionChangeRecord, PartitionRecord,
    ProducerIdsRecord, Record, RegisterBrokerRecord, RegisterControllerRecord, TopicRecord, UnknownRecord, level,
};
use super::spread::Spread;
use crate::base::ids::{LeaderEpoch, PartitionIndex, TopicId, TopicName, Uuid};

/// The feature that says which record versions may be written.
pub const METADATA_VERSION: &str = "metadata.version";

/// No leader, in a partition.
pub const NO_LEADER: i32 = -1;

/// A leader field of a change that leaves the leader as it is.
const LEADER_UNCHANGED: i32 = -2;

/// What a configuration belongs to, in Kafka's numbers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ResourceKind(pub i8);

impl ResourceKind {
    pub const TOPIC: ResourceKind = ResourceKind(2);
    /// A name of "" is the default of all brokers.
    pub const BROKER: ResourceKind = ResourceKind(4);
    pub const CLIENT_METRICS: ResourceKind = ResourceKind(16);
    pub const GROUP: ResourceKind = ResourceKind(32);
}

/// The owner of a set of configurations.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Resource {
    pub kind: ResourceKind,
    pub name: String,
}

impl Resource {
    pub fn topic(name: &str) -> Resource {
        Resource { kind: ResourceKind::TOPIC, name: name.to_owned() }
    }

    /// One node.
    pub fn broker(node_id: i32) -> Resource {
        Resource { kind: ResourceKind::BROKER, name: node_id.to_string() }
    }

    /// The default of all brokers.
    pub fn every_broker() -> Resource {
        Resource { kind: ResourceKind::BROKER, name: String::new() }
    }
}

/// A topic and its partitions.
#[derive(Clone, PartialEq, Debug)]
pub struct Topic {
    pub id: TopicId,
    pub name: TopicName,
    pub partitions: BTreeMap<PartitionIndex, Partition>,
}

/// What the metadata says of a partition.
#[derive(Clone, PartialEq, Debug)]
pub struct Partition {
    pub replicas: Vec<i32>,
    pub isr: Vec<i32>,
    pub removing_replicas: Vec<i32>,
    pub adding_replicas: Vec<i32>,
    /// The leading node, or `NO_LEADER`.
    pub leader: i32,
    pub leader_recovery_state: i8,
    /// Rises with every election, also of the same node.
    pub leader_epoch: LeaderEpoch,
    /// Rises with every change.
    pub partition_epoch: i32,
    /// One for each replica; empty before metadata.version 3.7-IV2.
    pub directories: Vec<Uuid>,
    pub eligible_leader_replicas: Vec<i32>,
    pub last_known_elr: Vec<i32>,
}

/// Names a record that is remembered as it is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
enum KeptKey {
    ZkMigration,
    Quota { entity: Vec<(String, Option<String>)>, key: String },
    AccessControlEntry(Uuid),
    UserScramCredential { user: String, mechanism: i8 },
    DelegationToken(String),
}

/// A record that contradicts those before it: the log is damaged, or we read it wrongly.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{record} record does not fit those before it: {why}")]
pub struct ReplayError {
    pub record: &'static str,
    pub why: String,
}

/// See the module's comment.
#[derive(Clone, Default)]
pub struct Image {
    topics: Spread<TopicId, Arc<Topic>>,
    topic_ids: Spread<TopicName, TopicId>,
    configs: Spread<Resource, Arc<BTreeMap<String, String>>>,
    features: Arc<BTreeMap<String, i16>>,
    brokers: BTreeMap<i32, Arc<RegisterBrokerRecord>>,
    controllers: BTreeMap<i32, Arc<RegisterControllerRecord>>,
    next_producer_id: i64,
    kept: Spread<KeptKey, Record>,
    unknown: Arc<Vec<UnknownRecord>>,
}

impl Image {
    pub fn topic(&self, id: TopicId) -> Option<&Arc<Topic>> {
        self.topics.get(&id)
    }

    pub fn topic_by_name(&self, name: &str) -> Option<&Arc<Topic>> {
        self.topic(*self.topic_ids.get(name)?)
    }

    pub fn topic_count(&self) -> usize {
        self.topics.len()
    }

    /// All topics, in no useful order.
    pub fn topics(&self) -> impl Iterator<Item = &Arc<Topic>> {
        self.topics.iter().map(|(_, topic)| topic)
    }

    /// All topics in the order of their names.
    pub fn topics_by_name(&self) -> Vec<&Arc<Topic>> {
        let mut topics: Vec<_> = self.topics().collect();
        topics.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        topics
    }

    /// What is set for a resource; `None` if nothing is.
    pub fn configs(&self, resource: &Resource) -> Option<&Arc<BTreeMap<String, String>>> {
        self.configs.get(resource)
    }

    /// Every resource for which something is set, in order.
    pub fn configured(&self) -> Vec<(&Resource, &Arc<BTreeMap<String, String>>)> {
        self.configs.sorted()
    }

    /// The finalized level of a feature; 0 if there is none.
    pub fn feature(&self, name: &str) -> i16 {
        self.features.get(name).copied().unwrap_or(0)
    }

    /// The finalized features.
    pub fn features(&self) -> &BTreeMap<String, i16> {
        &self.features
    }

    /// The level that limits the versions of records written.
    pub fn metadata_version(&self) -> i16 {
        self.features.get(METADATA_VERSION).copied().unwrap_or(level::OLDEST)
    }

    /// A broker's registration, with the changes since.
    pub fn broker(&self, id: i32) -> Option<&Arc<RegisterBrokerRecord>> {
        self.brokers.get(&id)
    }

    pub fn brokers(&self) -> impl Iterator<Item = &Arc<RegisterBrokerRecord>> {
        self.brokers.values()
    }

    pub fn controller(&self, id: i32) -> Option<&Arc<RegisterControllerRecord>> {
        self.controllers.get(&id)
    }

    /// The first producer id that was not reserved yet.
    pub fn next_producer_id(&self) -> i64 {
        self.next_producer_id
    }

    /// ACLs, quotas, credentials and tokens, as the records that set them.
    pub fn kept(&self) -> impl Iterator<Item = &Record> {
        self.kept.iter().map(|(_, record)| record)
    }

    /// Applies one record. The brackets of a transaction are `Replay`'s.
    ///
    /// # Errors
    /// If the record contradicts the image, which is then to be thrown away.
    pub fn replay(&mut self, record: &Record) -> Result<(), ReplayError> {
        let result = match record {
            Record::Topic(topic) => self.add_topic(topic),
            Record::Partition(partition) => self.add_partition(partition),
            Record::PartitionChange(change) => self.change_partition(change),
            Record::RemoveTopic(removed) => self.remove_topic(removed.topic_id),
            Record::ClearElr(clear) => self.clear_eligible_leaders(&clear.topic_name),
            Record::Config(config) => {
                self.set_config(config);
                Ok(())
            }
            Record::RegisterBroker(broker) => {
                self.brokers.insert(broker.broker_id, Arc::new(broker.clone()));
                Ok(())
            }
            Record::UnregisterBroker(gone) => {
                self.brokers.remove(&gone.broker_id);
                Ok(())
            }
            Record::BrokerRegistrationChange(change) => self.change_broker(change),
            Record::FenceBroker(fence) => self.change_broker(&fenced(fence.id, fence.epoch, 1)),
            Record::UnfenceBroker(unfence) => self.change_broker(&fenced(unfence.id, unfence.epoch, -1)),
            Record::RegisterController(controller) => {
                self.controllers.insert(controller.controller_id, Arc::new(controller.clone()));
                Ok(())
            }
            Record::UnregisterController(gone) => {
                self.controllers.remove(&gone.controller_id);
                Ok(())
            }
            Record::FeatureLevel(feature) => {
                self.set_feature(feature);
                Ok(())
            }
            Record::ProducerIds(ids) => {
                self.next_producer_id = self.next_producer_id.max(ids.next_producer_id);
                Ok(())
            }
            Record::NoOp(_) => Ok(()),
            Record::Unknown(unknown) => {
                Arc::make_mut(&mut self.unknown).push(unknown.clone());
                Ok(())
            }
            Record::BeginTransaction(_) | Record::EndTransaction(_) | Record::AbortTransaction(_) => {
                Err("a bracket of a transaction out of place".to_owned())
            }
            other => {
                self.keep(other);
                Ok(())
            }
        };
        result.map_err(|why| ReplayError { record: record.name(), why })
    }

    fn add_topic(&mut self, record: &TopicRecord) -> Result<(), String> {
        let name = TopicName::parse(&record.name).map_err(|_| format!("{:?} is no topic name", record.name))?;
        if self.topics.get(&record.topic_id).is_some() || self.topic_ids.get(&name).is_some() {
            return Err(format!("topic {name} with id {} exists", record.topic_id));
        }
        let topic = Topic { id: record.topic_id, name: name.clone(), partitions: BTreeMap::new() };
        self.topics.insert(record.topic_id, Arc::new(topic));
        self.topic_ids.insert(name, record.topic_id);
        Ok(())
    }

    fn topic_mut(&mut self, id: TopicId) -> Result<&mut Topic, String> {
        self.topics.get_mut(&id).map(Arc::make_mut).ok_or_else(|| format!("no topic has id {id}"))
    }

    fn add_partition(&mut self, record: &PartitionRecord) -> Result<(), String> {
        let topic = self.topic_mut(record.topic_id)?;
        if record.partition_id < 0 {
            return Err(format!("partition {} of {}", record.partition_id, topic.name));
        }
        topic.partitions.insert(PartitionIndex(record.partition_id), Partition::of(record));
        Ok(())
    }

    fn change_partition(&mut self, change: &PartitionChangeRecord) -> Result<(), String> {
        let topic = self.topic_mut(change.topic_id)?;
        let index = PartitionIndex(change.partition_id);
        match topic.partitions.get_mut(&index) {
            Some(partition) => {
                partition.merge(change);
                Ok(())
            }
            None => Err(format!("{} has no partition {index}", topic.name)),
        }
    }

    fn remove_topic(&mut self, id: TopicId) -> Result<(), String> {
        let topic = self.topics.remove(&id).ok_or_else(|| format!("no topic has id {id}"))?;
        self.topic_ids.remove(&topic.name);
        self.configs.remove(&Resource::topic(topic.name.as_str()));
        Ok(())
    }

    fn clear_eligible_leaders(&mut self, topic_name: &str) -> Result<(), String> {
        let ids = match topic_name {
            "" => self.topics.iter().map(|(id, _)| *id).collect(),
            name => vec![*self.topic_ids.get(name).ok_or_else(|| format!("no topic is called {name:?}"))?],
        };
        for id in ids {
            for partition in self.topic_mut(id)?.partitions.values_mut() {
                if !partition.eligible_leader_replicas.is_empty() || !partition.last_known_elr.is_empty() {
                    partition.eligible_leader_replicas.clear();
                    partition.last_known_elr.clear();
                    partition.partition_epoch += 1;
                }
            }
        }
        Ok(())
    }

    fn set_config(&mut self, config: &ConfigRecord) {
        let resource = Resource { kind: ResourceKind(config.resource_type), name: config.resource_name.clone() };
        let mut values = self.configs.remove(&resource).unwrap_or_default();
        match &config.value {
            Some(value) => Arc::make_mut(&mut values).insert(config.name.clone(), value.clone()),
            None => Arc::make_mut(&mut values).remove(&config.name),
        };
        if !values.is_empty() {
            self.configs.insert(resource, values);
        }
    }

    fn set_feature(&mut self, feature: &FeatureLevelRecord) {
        let features = Arc::make_mut(&mut self.features);
        if feature.feature_level == 0 {
            features.remove(&feature.name);
        } else {
            features.insert(feature.name.clone(), feature.feature_level);
        }
    }

    fn change_broker(&mut self, change: &BrokerRegistrationChangeRecord) -> Result<(), String> {
        let id = change.broker_id;
        let broker = self.brokers.get_mut(&id).ok_or_else(|| format!("broker {id} is not registered"))?;
        if broker.broker_epoch != change.broker_epoch {
            return Err(format!("broker {id} has epoch {}, not {}", broker.broker_epoch, change.broker_epoch));
        }
        let broker = Arc::make_mut(broker);
        if change.fenced != 0 {
            broker.fenced = change.fenced > 0;
        }
        if change.in_controlled_shutdown != 0 {
            broker.in_controlled_shutdown = change.in_controlled_shutdown > 0;
        }
        if !change.log_dirs.is_empty() {
            broker.log_dirs = change.log_dirs.clone();
        }
        if change.cordoned_log_dirs.is_some() {
            broker.cordoned_log_dirs = change.cordoned_log_dirs.clone();
        }
        Ok(())
    }

    /// Remembers, replaces or forgets a record that nothing here serves.
    fn keep(&mut self, record: &Record) {
        match record {
            Record::RemoveAccessControlEntry(gone) => {
                self.kept.remove(&KeptKey::AccessControlEntry(gone.id));
            }
            Record::RemoveUserScramCredential(gone) => {
                let key = KeptKey::UserScramCredential { user: gone.name.clone(), mechanism: gone.mechanism };
                self.kept.remove(&key);
            }
            Record::RemoveDelegationToken(gone) => {
                self.kept.remove(&KeptKey::DelegationToken(gone.token_id.clone()));
            }
            record => {
                let Some(key) = KeptKey::of(record) else { return };
                match record {
                    Record::ClientQuota(quota) if quota.remove => {
                        self.kept.remove(&key);
                    }
                    _ => {
                        self.kept.insert(key, record.clone());
                    }
                }
            }
        }
    }

    /// The records that build this image from nothing, in the order of Kafka's snapshots.
    pub fn records(&self) -> Vec<Record> {
        let mut records = Vec::new();
        let feature = |(name, level): (&String, &i16)| {
            Record::from(FeatureLevelRecord { name: name.clone(), feature_level: *level })
        };
        let is_first = |name: &String| name == METADATA_VERSION;
        records.extend(self.features.iter().filter(|(name, _)| is_first(name)).map(feature));
        records.extend(self.features.iter().filter(|(name, _)| !is_first(name)).map(feature));
        records.extend(self.brokers.values().map(|broker| Record::from((**broker).clone())));
        records.extend(self.controllers.values().map(|controller| Record::from((**controller).clone())));
        for topic in self.topics_by_name() {
            records.push(TopicRecord { name: topic.name.to_string(), topic_id: topic.id }.into());
            records.extend(topic.partitions.iter().map(|(index, p)| p.record(topic.id, *index).into()));
        }
        for (resource, values) in self.configs.sorted() {
            records.extend(values.iter().map(|(name, value)| {
                Record::from(ConfigRecord {
                    resource_type: resource.kind.0,
                    resource_name: resource.name.clone(),
                    name: name.clone(),
                    value: Some(value.clone()),
                })
            }));
        }
        if self.next_producer_id > 0 {
            let next_producer_id = self.next_producer_id;
            records.push(ProducerIdsRecord { broker_id: -1, broker_epoch: -1, next_producer_id }.into());
        }
        records.extend(self.kept.sorted().into_iter().map(|(_, record)| record.clone()));
        records.extend(self.unknown.iter().cloned().map(Record::Unknown));
        records
    }
}

fn fenced(broker_id: i32, broker_epoch: i64, fenced: i8) -> BrokerRegistrationChangeRecord {
    BrokerRegistrationChangeRecord { broker_id, broker_epoch, fenced, ..Default::default() }
}

impl KeptKey {
    fn of(record: &Record) -> Option<KeptKey> {
        match record {
            Record::ZkMigrationState(_) => Some(KeptKey::ZkMigration),
            Record::AccessControlEntry(entry) => Some(KeptKey::AccessControlEntry(entry.id)),
            Record::UserScramCredential(credential) => {
                Some(KeptKey::UserScramCredential { user: credential.name.clone(), mechanism: credential.mechanism })
            }
            Record::DelegationToken(token) => Some(KeptKey::DelegationToken(token.token_id.clone())),
            Record::ClientQuota(quota) => {
                let mut entity: Vec<_> =
                    quota.entity.iter().map(|part| (part.entity_type.clone(), part.entity_name.clone())).collect();
                entity.sort_unstable();
                Some(KeptKey::Quota { entity, key: quota.key.clone() })
            }
            _ => None,
        }
    }
}

impl Partition {
    fn of(record: &PartitionRecord) -> Partition {
        Partition {
            replicas: record.replicas.clone(),
            isr: record.isr.clone(),
            removing_replicas: record.removing_replicas.clone(),
            adding_replicas: record.adding_replicas.clone(),
            leader: record.leader,
            leader_recovery_state: record.leader_recovery_state,
            leader_epoch: LeaderEpoch(record.leader_epoch),
            partition_epoch: record.partition_epoch,
            directories: record.directories.clone(),
            eligible_leader_replicas: record.eligible_leader_replicas.clone().unwrap_or_default(),
            last_known_elr: record.last_known_elr.clone().unwrap_or_default(),
        }
    }

    /// Applies a change; a leader that is named raises the leader epoch, be it the same.
    fn merge(&mut self, change: &PartitionChangeRecord) {
        let set = |field: &mut Vec<i32>, to: &Option<Vec<i32>>| {
            if let Some(to) = to {
                field.clone_from(to);
            }
        };
        set(&mut self.isr, &change.isr);
        set(&mut self.replicas, &change.replicas);
        set(&mut self.removing_replicas, &change.removing_replicas);
        set(&mut self.adding_replicas, &change.adding_replicas);
        set(&mut self.eligible_leader_replicas, &change.eligible_leader_replicas);
        set(&mut self.last_known_elr, &change.last_known_elr);
        if let Some(directories) = &change.directories {
            self.directories.clone_from(directories);
        }
        if change.leader_recovery_state != -1 {
            self.leader_recovery_state = change.leader_recovery_state;
        }
        if change.leader != LEADER_UNCHANGED {
            self.leader = change.leader;
            self.leader_epoch = LeaderEpoch(self.leader_epoch.0.saturating_add(1));
        }
        self.partition_epoch = self.partition_epoch.saturating_add(1);
    }

    fn record(&self, topic_id: TopicId, index: PartitionIndex) -> PartitionRecord {
        let if_any = |ids: &Vec<i32>| (!ids.is_empty()).then(|| ids.clone());
        PartitionRecord {
            partition_id: index.0,
            topic_id,
            replicas: self.replicas.clone(),
            isr: self.isr.clone(),
            removing_replicas: self.removing_replicas.clone(),
            adding_replicas: self.adding_replicas.clone(),
            leader: self.leader,
            leader_recovery_state: self.leader_recovery_state,
            leader_epoch: self.leader_epoch.0,
            partition_epoch: self.partition_epoch,
            directories: self.directories.clone(),
            eligible_leader_replicas: if_any(&self.eligible_leader_replicas),
            last_known_elr: if_any(&self.last_known_elr),
        }
    }
}

/// Applies a stream of records, holding back those of a transaction until it ends (KIP-868).
#[derive(Default)]
pub struct Replay {
    image: Image,
    held: Option<Vec<Record>>,
}

impl Replay {
    pub fn of(image: Image) -> Replay {
        Replay { image, held: None }
    }

    /// What has been applied so far.
    pub fn image(&self) -> &Image {
        &self.image
    }

    pub fn into_image(self) -> Image {
        self.image
    }

    /// True between the begin and the end of a transaction.
    pub fn is_in_transaction(&self) -> bool {
        self.held.is_some()
    }

    /// Takes the next record.
    ///
    /// # Errors
    /// Those of `Image::replay`, and a bracket without its partner.
    pub fn record(&mut self, record: Record) -> Result<(), ReplayError> {
        let misplaced = |why: &str| Err(ReplayError { record: record.name(), why: why.to_owned() });
        match (&record, &mut self.held) {
            (Record::BeginTransaction(_), None) => self.held = Some(Vec::new()),
            (Record::BeginTransaction(_), Some(_)) => return misplaced("a transaction is open"),
            (Record::EndTransaction(_) | Record::AbortTransaction(_), None) => {
                return misplaced("no transaction is open");
            }
            (Record::AbortTransaction(_), Some(_)) => self.held = None,
            (Record::EndTransaction(_), Some(_)) => {
                for held in self.held.take().unwrap_or_default() {
                    self.image.replay(&held)?;
                }
            }
            (_, Some(held)) => held.push(record),
            (_, None) => self.image.replay(&record)?,
        }
        Ok(())
    }
}
