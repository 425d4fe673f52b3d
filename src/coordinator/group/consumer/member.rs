//! A member of a consumer group, and how it moves from what it owns to what it is to own.
//!
//! ```text
//!            target moved                       all given back
//! Stable ----------------> UnrevokedPartitions ---------------> Stable, or UnreleasedPartitions
//!    ^  \ nothing to give back                                        |
//!    |   +-----------------------------> UnreleasedPartitions --------+
//!    +---------------------------------------- the others have given theirs back
//! ```
//!
//! References: KIP-848; Kafka `ConsumerGroupMember.java`, `CurrentAssignmentBuilder.java`, `MemberState.java`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::super::assignor::Assignment;
use super::super::event::Client;
use super::super::record::{
    ClassicMemberMetadata, ConsumerGroupCurrentMemberAssignmentValue, ConsumerGroupMemberMetadataValue, OwnedPartitions,
};
use crate::base::ids::TopicId;

/// The epoch of a static member that left for a while.
pub const LEFT_FOR_A_WHILE: i32 = -2;

/// Where a member stands between what it owns and what it is to own.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum MemberState {
    /// It owns what it is to own, as of its epoch.
    #[default]
    Stable,
    /// It has to give something back first.
    Unrevoked,
    /// It waits for something that another still owns.
    Unreleased,
    /// Of a later broker.
    Unknown(i8),
}

impl MemberState {
    fn of(number: i8) -> MemberState {
        match number {
            0 => MemberState::Stable,
            1 => MemberState::Unrevoked,
            2 => MemberState::Unreleased,
            other => MemberState::Unknown(other),
        }
    }

    fn number(self) -> i8 {
        match self {
            MemberState::Stable => 0,
            MemberState::Unrevoked => 1,
            MemberState::Unreleased => 2,
            MemberState::Unknown(other) => other,
        }
    }
}

/// What a member and each partition of an assignment come to in memory, about, without names.
const MEMBER_BYTES: usize = 2000;
const PARTITION_BYTES: usize = 60;
const TOPIC_BYTES: usize = 200;

/// What an assignment comes to in memory, about.
pub fn partitions_bytes(assignment: &Assignment) -> usize {
    assignment.values().map(|partitions| TOPIC_BYTES + partitions.len() * PARTITION_BYTES).sum()
}

/// The bytes of what a member of the classic protocol brought.
pub fn protocols_bytes(classic: &ClassicMemberMetadata) -> usize {
    classic.supported_protocols.iter().map(|protocol| protocol.name.len() + protocol.metadata.len()).sum()
}

/// One member.
#[derive(Clone, PartialEq, Debug)]
pub struct ConsumerMember {
    pub id: String,
    pub instance_id: Option<String>,
    pub rack_id: Option<String>,
    pub client: Client,
    pub topics: BTreeSet<String>,
    /// Empty: none.
    pub regex: String,
    pub rebalance_timeout_ms: i32,
    pub assignor: Option<String>,
    /// It speaks the classic protocol.
    pub classic: Option<ClassicMemberMetadata>,
    pub epoch: i32,
    pub previous_epoch: i32,
    pub state: MemberState,
    pub assigned: Assignment,
    pub revoking: Assignment,
    /// Of which epoch each partition was given, of those that it was not given with its present epoch. A commit of an older
    /// epoch is taken for what the member already had then (KIP-1251).
    pub given: HashMap<(TopicId, i32), i32>,
}

impl ConsumerMember {
    pub fn new(id: String) -> ConsumerMember {
        ConsumerMember {
            id,
            instance_id: None,
            rack_id: None,
            client: Client { id: String::new(), host: String::new() },
            topics: BTreeSet::new(),
            regex: String::new(),
            rebalance_timeout_ms: -1,
            assignor: None,
            classic: None,
            epoch: 0,
            previous_epoch: -1,
            state: MemberState::Stable,
            assigned: Assignment::new(),
            revoking: Assignment::new(),
            given: HashMap::new(),
        }
    }

    /// The epoch that a partition was given in; `None` if it is not this member's.
    pub fn given_in(&self, topic: TopicId, partition: i32) -> Option<i32> {
        let has = |assignment: &Assignment| assignment.get(&topic).is_some_and(|of| of.contains(&partition));
        let is_held = has(&self.assigned) || has(&self.revoking);
        is_held.then(|| self.given.get(&(topic, partition)).copied().unwrap_or(self.epoch))
    }

    /// What it comes to in memory, about, with its timers.
    pub fn weight(&self) -> usize {
        let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let texts = 3 * length(&self.instance_id) + length(&self.rack_id) + length(&self.assignor);
        let topics: usize = self.topics.iter().map(|topic| topic.len() + 64).sum();
        let assigned = partitions_bytes(&self.assigned) + partitions_bytes(&self.revoking);
        let names = 8 * self.id.len() + self.client.id.len() + self.client.host.len();
        let classic = self.classic.as_ref().map_or(0, |classic| 2 * protocols_bytes(classic));
        MEMBER_BYTES
            + classic
            + names
            + texts
            + self.regex.len()
            + topics
            + 2 * assigned
            + self.given.len() * PARTITION_BYTES
    }

    /// What it wants, as it is remembered.
    pub fn metadata(&self) -> ConsumerGroupMemberMetadataValue {
        ConsumerGroupMemberMetadataValue {
            instance_id: self.instance_id.clone(),
            rack_id: self.rack_id.clone(),
            client_id: self.client.id.clone(),
            client_host: self.client.host.clone(),
            subscribed_topic_names: self.topics.iter().cloned().collect(),
            subscribed_topic_regex: Some(self.regex.clone()),
            rebalance_timeout_ms: self.rebalance_timeout_ms,
            server_assignor: self.assignor.clone(),
            classic_member_metadata: self.classic.clone(),
        }
    }

    /// Takes over what a record says of its wishes.
    pub fn set_metadata(&mut self, value: ConsumerGroupMemberMetadataValue) {
        self.instance_id = value.instance_id;
        self.rack_id = value.rack_id;
        self.client = Client { id: value.client_id, host: value.client_host };
        self.topics = value.subscribed_topic_names.into_iter().collect();
        self.regex = value.subscribed_topic_regex.unwrap_or_default();
        self.rebalance_timeout_ms = value.rebalance_timeout_ms;
        self.assignor = value.server_assignor;
        self.classic = value.classic_member_metadata;
    }

    /// What it owns, as it is remembered.
    pub fn current(&self) -> ConsumerGroupCurrentMemberAssignmentValue {
        ConsumerGroupCurrentMemberAssignmentValue {
            member_epoch: self.epoch,
            previous_member_epoch: self.previous_epoch,
            state: self.state.number(),
            assigned_partitions: self.owned(&self.assigned),
            partitions_pending_revocation: self.owned(&self.revoking),
        }
    }

    /// Takes over what a record says of its partitions.
    pub fn set_current(&mut self, value: ConsumerGroupCurrentMemberAssignmentValue) {
        self.epoch = value.member_epoch;
        self.previous_epoch = value.previous_member_epoch;
        self.state = MemberState::of(value.state);
        self.given.clear();
        for owned in value.assigned_partitions.iter().chain(&value.partitions_pending_revocation) {
            let epochs = owned.assignment_epochs.iter().flatten();
            self.given.extend(owned.partitions.iter().zip(epochs).map(|(at, epoch)| ((owned.topic_id, *at), *epoch)));
        }
        self.assigned = assignment(value.assigned_partitions);
        self.revoking = assignment(value.partitions_pending_revocation);
    }

    fn owned(&self, assignment: &Assignment) -> Vec<OwnedPartitions> {
        let epoch = |topic, partition| self.given.get(&(topic, partition)).copied().unwrap_or(self.epoch);
        let topic = |(topic_id, partitions): (&TopicId, &BTreeSet<i32>)| OwnedPartitions {
            topic_id: *topic_id,
            partitions: partitions.iter().copied().collect(),
            assignment_epochs: Some(partitions.iter().map(|partition| epoch(*topic_id, *partition)).collect()),
        };
        assignment.iter().map(topic).collect()
    }

    /// A member of the same wishes and partitions under another id.
    #[must_use]
    pub fn renamed(&self, id: String) -> ConsumerMember {
        let state = MemberState::Stable;
        ConsumerMember { id, epoch: 0, previous_epoch: 0, state, revoking: Assignment::new(), ..self.clone() }
    }

    /// True if it has come to the end of its way to the target of that epoch.
    pub fn is_reconciled_to(&self, target_epoch: i32) -> bool {
        self.state == MemberState::Stable && self.epoch == target_epoch
    }

    /// Everything that nobody else may have: owned, and to be given back.
    pub fn held(&self) -> impl Iterator<Item = (TopicId, i32)> + '_ {
        let both = self.assigned.iter().chain(&self.revoking);
        both.flat_map(|(topic, partitions)| partitions.iter().map(|partition| (*topic, *partition)))
    }

    /// One step towards the target. `reported`: what the member says it owns, `None` if it does not say. `is_free`: nobody
    /// holds this partition.
    #[must_use]
    pub fn reconciled(
        &self,
        target: &Assignment,
        target_epoch: i32,
        reported: Option<&Assignment>,
        is_free: impl Fn(TopicId, i32) -> bool,
    ) -> ConsumerMember {
        match self.state {
            MemberState::Stable if self.epoch == target_epoch => self.clone(),
            MemberState::Unrevoked => match reported {
                Some(reported) if !overlap(reported, &self.revoking) => {
                    self.step(self.epoch + 1, target, target_epoch, Some(reported), is_free)
                }
                _ => self.clone(),
            },
            _ => self.step(self.epoch, target, target_epoch, reported, is_free),
        }
    }

    fn step(
        &self,
        epoch: i32,
        target: &Assignment,
        target_epoch: i32,
        reported: Option<&Assignment>,
        is_free: impl Fn(TopicId, i32) -> bool,
    ) -> ConsumerMember {
        let kept = common(&self.assigned, target);
        let revoking = without(&self.assigned, &kept);
        let wanted = without(target, &kept);
        let mut free = Assignment::new();
        let mut unreleased = false;
        for (topic, partitions) in &wanted {
            let (now, later): (BTreeSet<i32>, BTreeSet<i32>) =
                partitions.iter().partition(|partition| is_free(*topic, **partition));
            unreleased |= !later.is_empty();
            if !now.is_empty() {
                free.insert(*topic, now);
            }
        }
        let owns_still = reported.is_none_or(|reported| overlap(reported, &revoking));
        let mut next = self.clone();
        next.previous_epoch = self.epoch;
        if !revoking.is_empty() && owns_still {
            next.epoch = epoch;
            next.state = MemberState::Unrevoked;
            next.assigned = kept;
            next.revoking = revoking;
            next.given = self.epochs_of(&next, epoch);
            return next;
        }
        next.epoch = target_epoch;
        next.state = if unreleased { MemberState::Unreleased } else { MemberState::Stable };
        next.assigned = joined(kept, free);
        next.revoking = Assignment::new();
        next.given = self.epochs_of(&next, target_epoch);
        // A wait for others that changed nothing is no news.
        if next.assigned == self.assigned && next.state == self.state && next.epoch == self.epoch {
            next.previous_epoch = self.previous_epoch;
        }
        next
    }

    /// Of which epoch each partition of the member's next self is: what it has already keeps its own.
    fn epochs_of(&self, next: &ConsumerMember, epoch: i32) -> HashMap<(TopicId, i32), i32> {
        next.held().map(|at| (at, self.given_in(at.0, at.1).unwrap_or(epoch))).collect()
    }
}

fn assignment(owned: Vec<OwnedPartitions>) -> Assignment {
    owned.into_iter().map(|owned| (owned.topic_id, owned.partitions.into_iter().collect())).collect()
}

/// What is in both.
fn common(a: &Assignment, b: &Assignment) -> Assignment {
    pairwise(a, b, |of_a, of_b| of_a.intersection(of_b).copied().collect())
}

/// What is in the first and not in the second.
fn without(a: &Assignment, b: &Assignment) -> Assignment {
    pairwise(a, b, |of_a, of_b| of_a.difference(of_b).copied().collect())
}

fn pairwise(
    a: &Assignment,
    b: &Assignment,
    combine: impl Fn(&BTreeSet<i32>, &BTreeSet<i32>) -> BTreeSet<i32>,
) -> Assignment {
    let none = BTreeSet::new();
    let combined = a.iter().map(|(topic, partitions)| (*topic, combine(partitions, b.get(topic).unwrap_or(&none))));
    combined.filter(|(_, partitions)| !partitions.is_empty()).collect()
}

fn joined(mut a: Assignment, b: Assignment) -> Assignment {
    for (topic, partitions) in b {
        a.entry(topic).or_default().extend(partitions);
    }
    a
}

/// True if the two have a partition in common.
pub fn overlap(a: &Assignment, b: &Assignment) -> bool {
    a.iter().any(|(topic, partitions)| b.get(topic).is_some_and(|of_b| !partitions.is_disjoint(of_b)))
}

/// True if all of the first is in the second.
pub fn is_within(a: &Assignment, b: &Assignment) -> bool {
    a.iter()
        .all(|(topic, partitions)| partitions.is_empty() || b.get(topic).is_some_and(|of_b| partitions.is_subset(of_b)))
}

/// Partitions as a request lists them.
pub fn from_list(listed: &[(TopicId, Vec<i32>)]) -> Assignment {
    let mut assignment: BTreeMap<TopicId, BTreeSet<i32>> = BTreeMap::new();
    for (topic, partitions) in listed {
        assignment.entry(*topic).or_default().extend(partitions);
    }
    assignment
}

/// Partitions as an answer lists them.
pub fn to_list(assignment: &Assignment) -> Vec<(TopicId, Vec<i32>)> {
    assignment.iter().map(|(topic, partitions)| (*topic, partitions.iter().copied().collect())).collect()
}
