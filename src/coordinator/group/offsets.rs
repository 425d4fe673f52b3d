//! Committed offsets of one partition's groups, and those that open transactions hold back.
//!
//! Changes in `replay` and `replay_marker` only; everything else looks, and says which records would make a change. Whether a
//! group lets a member commit is the group's own affair.
//!
//! References: Kafka `OffsetMetadataManager.java`, `OffsetAndMetadata.java`; KIP-211 (expiry), KIP-447 (stable offsets).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::event::{CommitPartition, FetchedPartition, FetchedTopic, GroupError, OffsetCommit, Refusal, TopicRef};
use super::record::{OffsetCommitValue, Record};
use crate::base::clock::WallMs;
use crate::base::ids::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, TopicId, TopicName};
use crate::coordinator::machine::{At, Marker};

/// Tombstones of one batch: some milliseconds of work.
const CLEANED_RECORDS_MAX: usize = 5_000;

/// Their bytes, or hardly more; they are names, which clients choose.
const CLEANED_BYTES_MAX: usize = 1024 * 1024;

/// What a tombstone takes in the log besides names.
const TOMBSTONE_BYTES: usize = 20;

/// One committed offset.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Committed {
    pub offset: Offset,
    /// -1: not said.
    pub leader_epoch: LeaderEpoch,
    /// Most commits bring none.
    pub metadata: Option<Box<str>>,
    pub committed_at: WallMs,
    /// An end of its own, of a commit that brought a retention time.
    pub expires_at: Option<WallMs>,
    /// Zero: not known.
    pub topic_id: TopicId,
    /// Where its record stands, to order a transaction's offset against others.
    recorded_at: Offset,
}

/// What a group, a topic in it and an offset come to in memory, about, without names and texts.
const GROUP_BYTES: usize = 700;
const TOPIC_BYTES: usize = 1100;
const OFFSET_BYTES: usize = 160;

type Partitions = BTreeMap<i32, Committed>;
type Topics = BTreeMap<Arc<str>, Partitions>;

impl Committed {
    /// What it comes to in memory.
    fn bytes(&self) -> usize {
        OFFSET_BYTES + self.metadata.as_ref().map_or(0, |text| text.len())
    }
}

/// What a producer's open transaction holds of a group: topic and partition, to what it will be.
type Pending = HashMap<Arc<str>, Topics>;

/// See the module's comment.
#[derive(Default)]
pub struct Offsets {
    groups: HashMap<Arc<str>, Topics>,
    pending: HashMap<ProducerId, (ProducerEpoch, Pending)>,
    /// One copy of each topic's name.
    names: BTreeSet<Arc<str>>,
    /// What `groups` comes to in memory.
    bytes: usize,
}

/// When offsets are too old.
#[derive(Clone, Copy)]
pub struct Expiry {
    pub now: WallMs,
    /// `offsets.retention.minutes`, in milliseconds.
    pub retention_ms: i64,
    pub base: ExpiryBase,
}

/// What expires when.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExpiryBase {
    /// Since it was committed.
    Commit,
    /// Since the group emptied.
    Emptied(WallMs),
}

/// How many tombstones one batch still takes.
pub struct Room {
    records: usize,
    bytes: usize,
    is_used_up: bool,
}

impl Room {
    pub fn of_a_batch() -> Room {
        Room { records: CLEANED_RECORDS_MAX, bytes: CLEANED_BYTES_MAX, is_used_up: false }
    }

    /// True if something did not find room.
    pub fn is_used_up(&self) -> bool {
        self.is_used_up
    }

    /// Takes the room of an offset's tombstone, if there is any left.
    fn take(&mut self, group: &str, topic: &str) -> bool {
        self.is_used_up = self.records == 0 || self.bytes == 0;
        if !self.is_used_up {
            self.records -= 1;
            self.bytes = self.bytes.saturating_sub(group.len() + topic.len() + TOMBSTONE_BYTES);
        }
        !self.is_used_up
    }
}

impl Offsets {
    /// A record of the log.
    pub fn replay(&mut self, group: &str, topic: &str, partition: i32, value: Option<OffsetCommitValue>, at: At) {
        let topic = self.name(topic);
        match (value, at.transaction) {
            (Some(value), Some((producer, epoch))) => {
                let pending = self.pending.entry(producer).or_default();
                pending.0 = epoch;
                let group = Arc::from(group);
                pending.1.entry(group).or_default().entry(topic).or_default().insert(partition, committed(value, at));
            }
            (Some(value), None) => self.insert(group, topic, partition, committed(value, at)),
            (None, _) => {
                self.bytes -= remove_from(&mut self.groups, group, &topic, partition);
                for (_, pending) in self.pending.values_mut() {
                    remove_from(pending, group, &topic, partition);
                }
                self.forget_name(&topic);
            }
        }
    }

    /// Drops a name that nothing is committed for any more.
    fn forget_name(&mut self, topic: &Arc<str>) {
        // The set's own, and the one that is handed in.
        if Arc::strong_count(topic) <= 2 {
            self.names.remove(topic);
        }
    }

    /// The end of a transaction.
    pub fn replay_marker(&mut self, marker: Marker) {
        let Some((_, pending)) = self.pending.remove(&marker.producer_id) else { return };
        if !marker.committed {
            return;
        }
        for (group, topics) in pending {
            for (topic, partitions) in topics {
                for (partition, committed) in partitions {
                    // A plain commit that came later than the transaction's stays.
                    let later =
                        self.get(&group, &topic, partition).is_some_and(|now| now.recorded_at > committed.recorded_at);
                    if !later {
                        self.insert(&group, Arc::clone(&topic), partition, committed);
                    }
                }
            }
        }
    }

    /// A committed offset.
    pub fn get(&self, group: &str, topic: &str, partition: i32) -> Option<&Committed> {
        self.groups.get(group)?.get(topic)?.get(&partition)
    }

    /// True if anything is committed for the group, or held back for it by an open transaction.
    pub fn has(&self, group: &str) -> bool {
        self.groups.contains_key(group) || self.pending.values().any(|(_, pending)| pending.contains_key(group))
    }

    /// What the offsets come to in memory, about; without those of open transactions.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How much more they would come to after a commit.
    pub fn commit_grows(&self, request: &OffsetCommit) -> usize {
        let known = self.groups.get(&*request.group);
        let mut more = if known.is_some() { 0 } else { GROUP_BYTES + request.group.len() };
        for (topic, asked) in &request.topics {
            let Some(name) = &topic.name else { continue };
            let of_topic = known.and_then(|topics| topics.get(name.as_str()));
            more += if of_topic.is_some() { 0 } else { TOPIC_BYTES };
            for partition in asked.iter().filter(|partition| partition.refused.is_none()) {
                let before = of_topic.and_then(|offsets| offsets.get(&partition.partition)).map_or(0, Committed::bytes);
                let now = OFFSET_BYTES + partition.metadata.as_ref().map_or(0, String::len);
                more += now.saturating_sub(before);
            }
        }
        more
    }

    /// How many groups have a committed offset.
    pub fn group_count(&self) -> usize {
        self.groups.len()
    }

    /// Every group with a committed offset.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        self.groups.keys().map(AsRef::as_ref)
    }

    /// The producers whose open transactions hold offsets of the group.
    pub fn open_transactions(&self, group: &str) -> Vec<(ProducerId, ProducerEpoch)> {
        let holds = |(_, (_, pending)): &(&ProducerId, &(ProducerEpoch, Pending))| pending.contains_key(group);
        self.pending.iter().filter(holds).map(|(id, (epoch, _))| (*id, *epoch)).collect()
    }

    /// The records of a commit and what becomes of each of its partitions. `metadata_bytes_max`: `offset.metadata.max.bytes`.
    /// `allows`: whether the member's epoch is not too old for a partition.
    pub fn commit(
        request: &OffsetCommit,
        now: WallMs,
        metadata_bytes_max: usize,
        allows: impl Fn(TopicId, i32) -> bool,
    ) -> (Vec<Record>, Vec<Vec<Result<(), GroupError>>>) {
        let mut records = Vec::new();
        let mut one = |topic: &TopicRef, asked: &CommitPartition| {
            if let Some(refused) = asked.refused {
                return Err(refused.into());
            }
            let Some(name) = &topic.name else { return Err(Refusal::UnknownTopicId.into()) };
            if !allows(topic.id, asked.partition) {
                return Err(Refusal::StaleMemberEpoch.into());
            }
            let metadata = asked.metadata.clone().unwrap_or_default();
            if metadata.len() > metadata_bytes_max {
                return Err(Refusal::OffsetMetadataTooLarge.into());
            }
            let ends = request.retention_ms >= 0;
            let value = OffsetCommitValue {
                offset: asked.offset.0,
                leader_epoch: asked.leader_epoch.0,
                metadata,
                commit_timestamp: now.0,
                expire_timestamp: if ends { now.0.saturating_add(request.retention_ms) } else { -1 },
                topic_id: topic.id,
            };
            let (group, topic) = (request.group.clone(), name.as_str().to_owned());
            records.push(Record::Offset { group, topic, partition: asked.partition, value: Some(value) });
            Ok(())
        };
        let topics = request.topics.iter();
        let outcomes =
            topics.map(|(topic, asked)| asked.iter().map(|partition| one(topic, partition)).collect()).collect();
        (records, outcomes)
    }

    /// What is committed for some topics of a group, or for all of them.
    pub fn fetch(
        &self,
        group: &str,
        topics: Option<&[(TopicRef, Vec<i32>)]>,
        require_stable: bool,
    ) -> Vec<FetchedTopic> {
        match topics {
            Some(topics) => topics
                .iter()
                .map(|(topic, partitions)| FetchedTopic {
                    topic: topic.clone(),
                    partitions: partitions.iter().map(|p| self.fetch_one(group, topic, *p, require_stable)).collect(),
                })
                .collect(),
            None => self.fetch_all(group, require_stable),
        }
    }

    fn fetch_all(&self, group: &str, require_stable: bool) -> Vec<FetchedTopic> {
        let Some(topics) = self.groups.get(group) else { return Vec::new() };
        let fetched = topics.iter().filter_map(|(name, partitions)| {
            let id = partitions.values().map(|committed| committed.topic_id).find(|id| !id.is_zero());
            let topic = TopicRef { name: TopicName::parse(name).ok(), id: id.unwrap_or_default() };
            topic.name.as_ref()?;
            let partitions =
                partitions.keys().map(|partition| self.fetch_one(group, &topic, *partition, require_stable)).collect();
            Some(FetchedTopic { topic, partitions })
        });
        fetched.collect()
    }

    fn fetch_one(&self, group: &str, topic: &TopicRef, partition: i32, require_stable: bool) -> FetchedPartition {
        let none = |error| FetchedPartition {
            partition,
            offset: Offset(-1),
            leader_epoch: LeaderEpoch(-1),
            metadata: String::new(),
            error,
        };
        let Some(name) = &topic.name else { return none(Some(Refusal::UnknownTopicId)) };
        let name = name.as_str();
        if require_stable && self.is_pending(group, name, partition) {
            return none(Some(Refusal::UnstableOffsetCommit));
        }
        // An offset of an earlier topic of this name is not one of this topic.
        let is_of = |now: &&Committed| now.topic_id.is_zero() || topic.id.is_zero() || now.topic_id == topic.id;
        match self.get(group, name, partition).filter(is_of) {
            Some(committed) => FetchedPartition {
                partition,
                offset: committed.offset,
                leader_epoch: committed.leader_epoch,
                metadata: committed.metadata.as_deref().unwrap_or_default().to_owned(),
                error: None,
            },
            None => none(None),
        }
    }

    /// True if an open transaction will set this offset.
    pub fn is_pending(&self, group: &str, topic: &str, partition: i32) -> bool {
        self.pending.values().any(|(_, pending)| {
            pending.get(group).and_then(|topics| topics.get(topic)).is_some_and(|at| at.contains_key(&partition))
        })
    }

    /// Tombstones for some partitions, and what becomes of each; those without an offset are none the worse.
    pub fn delete(
        &self,
        group: &str,
        topics: &[(TopicName, Vec<i32>)],
        is_subscribed: impl Fn(&str) -> bool,
    ) -> (Vec<Record>, Vec<Vec<Result<(), GroupError>>>) {
        let mut records = Vec::new();
        let outcomes = topics.iter().map(|(topic, partitions)| {
            if is_subscribed(topic.as_str()) {
                return partitions.iter().map(|_| Err(Refusal::GroupSubscribedToTopic.into())).collect();
            }
            let there = partitions.iter().filter(|partition| self.get(group, topic.as_str(), **partition).is_some());
            records.extend(there.map(|partition| tombstone(group, topic.as_str(), *partition)));
            partitions.iter().map(|_| Ok(())).collect()
        });
        let outcomes = outcomes.collect();
        (records, outcomes)
    }

    /// Tombstones for all that a group has committed or has pending, as far as there is room.
    pub fn delete_all(&self, group: &str, room: &mut Room) -> Vec<Record> {
        let mut records = Vec::new();
        let pending = self.pending.values().filter_map(|(_, pending)| pending.get(group));
        for topics in self.groups.get(group).into_iter().chain(pending) {
            for (topic, partitions) in topics {
                for partition in partitions.keys() {
                    // What is committed and pending too goes twice: the second time it is not there any more.
                    if !room.take(group, topic) {
                        return records;
                    }
                    records.push(tombstone(group, topic, *partition));
                }
            }
        }
        records
    }

    /// Tombstones for everything that was committed for topics that are gone, as far as there is room. `is_gone` is given the name
    /// of a topic, and what it returns the ids that commits were for, which may be zero.
    pub fn delete_topics<F: Fn(TopicId) -> bool>(&self, is_gone: impl Fn(&str) -> F, room: &mut Room) -> Vec<Record> {
        let mut records = Vec::new();
        for (group, topics) in &self.groups {
            for (topic, partitions) in topics {
                let is_gone = is_gone(topic);
                for (partition, _) in partitions.iter().filter(|(_, committed)| is_gone(committed.topic_id)) {
                    if !room.take(group, topic) {
                        return records;
                    }
                    records.push(tombstone(group, topic, *partition));
                }
            }
        }
        records
    }

    /// Tombstones for a group's offsets whose time is over, as far as there is room, and whether nothing would be left.
    pub fn expired(
        &self,
        group: &str,
        Expiry { now, retention_ms, base }: Expiry,
        is_subscribed: impl Fn(&str) -> bool,
        room: &mut Room,
    ) -> (Vec<Record>, bool) {
        let (mut records, mut left) = (Vec::new(), false);
        for (topic, partitions) in self.groups.get(group).into_iter().flatten() {
            let subscribed = is_subscribed(topic);
            for (partition, committed) in partitions {
                let since = match base {
                    ExpiryBase::Commit => committed.committed_at,
                    ExpiryBase::Emptied(at) => at,
                };
                let over = match committed.expires_at {
                    Some(end) => now >= end,
                    None => now.0.saturating_sub(since.0) >= retention_ms,
                };
                if !over || subscribed || self.is_pending(group, topic, *partition) {
                    left = true;
                } else if room.take(group, topic) {
                    records.push(tombstone(group, topic, *partition));
                } else {
                    return (records, false);
                }
            }
        }
        let pending = self.pending.values().any(|(_, pending)| pending.contains_key(group));
        (records, !left && !pending)
    }

    fn name(&mut self, topic: &str) -> Arc<str> {
        if let Some(known) = self.names.get(topic) {
            return Arc::clone(known);
        }
        let name: Arc<str> = Arc::from(topic);
        self.names.insert(Arc::clone(&name));
        name
    }

    fn insert(&mut self, group: &str, topic: Arc<str>, partition: i32, committed: Committed) {
        self.bytes += committed.bytes();
        if let Some(topics) = self.groups.get_mut(group) {
            let count = topics.len();
            let before = topics.entry(topic).or_default().insert(partition, committed);
            self.bytes += (topics.len() - count) * TOPIC_BYTES;
            self.bytes -= before.map_or(0, |before| before.bytes());
        } else {
            self.bytes += GROUP_BYTES + group.len() + TOPIC_BYTES;
            let topics = BTreeMap::from([(topic, BTreeMap::from([(partition, committed)]))]);
            self.groups.insert(Arc::from(group), topics);
        }
    }
}

/// Removes an offset, and says how much memory it took.
fn remove_from(groups: &mut HashMap<Arc<str>, Topics>, group: &str, topic: &str, partition: i32) -> usize {
    let Some(topics) = groups.get_mut(group) else { return 0 };
    let mut bytes = 0;
    if let Some(partitions) = topics.get_mut(topic) {
        bytes += partitions.remove(&partition).map_or(0, |gone| gone.bytes());
        if partitions.is_empty() {
            topics.remove(topic);
            bytes += TOPIC_BYTES;
        }
    }
    if topics.is_empty() {
        groups.remove(group);
        bytes += GROUP_BYTES + group.len();
    }
    bytes
}

fn committed(value: OffsetCommitValue, at: At) -> Committed {
    Committed {
        offset: Offset(value.offset),
        leader_epoch: LeaderEpoch(value.leader_epoch),
        metadata: (!value.metadata.is_empty()).then(|| value.metadata.into_boxed_str()),
        committed_at: WallMs(value.commit_timestamp),
        expires_at: (value.expire_timestamp != -1).then_some(WallMs(value.expire_timestamp)),
        topic_id: value.topic_id,
        recorded_at: at.offset,
    }
}

fn tombstone(group: &str, topic: &str, partition: i32) -> Record {
    Record::Offset { group: group.to_owned(), topic: topic.to_owned(), partition, value: None }
}
