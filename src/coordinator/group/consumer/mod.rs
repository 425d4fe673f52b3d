//! A group of the consumer protocol: the coordinator assigns, members are led to their targets one by one (KIP-848).
//!
//! ```text
//! group epoch       rises when members, subscriptions or the topics they subscribe to change
//! assignment epoch  of which group epoch the target assignment is
//! member epoch      of which assignment epoch the member has come to the end
//! ```
//!
//! Everything but sessions is durable: it changes in `replay` only. `heartbeat.rs` decides.
//!
//! References: Kafka `ConsumerGroup.java`, `GroupMetadataManager.java` (`consumerGroup*`), `TargetAssignmentBuilder.java`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::assignor::{Assignment, Assignor, Spec, Subscriber};
use super::event::{
    ConsumerGroupHeartbeat, DescribedConsumerGroup, DescribedConsumerMember, GroupError, GroupId, OffsetCommit, Refusal,
};
use super::record::{
    ConsumerGroupCurrentMemberAssignmentValue, ConsumerGroupMetadataValue, ConsumerGroupTargetAssignmentMemberValue,
    ConsumerGroupTargetAssignmentMetadataValue, Record, TargetPartitions,
};
use super::scope::{Scope, Timer};
use crate::base::clock::WallMs;
use crate::base::ids::{TopicId, TopicName};
use crate::coordinator::machine::Topics;

mod classic;
pub mod heartbeat;
pub mod member;
mod migration;
pub mod regex;

use self::regex as expressions;
pub use member::{ConsumerMember, LEFT_FOR_A_WHILE};

/// What a group and an expression with what it matches come to in memory and in work, about, without names.
const GROUP_BYTES: usize = 1200;
/// Besides, of a group that somebody is in: nodes of trees have places for eleven.
const MEMBERS_BYTES: usize = 3500;
const REGEX_BYTES: usize = 8 << 10;

/// See the module's comment.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ConsumerGroup {
    id: GroupId,
    epoch: i32,
    metadata_hash: i64,
    assignment_epoch: i32,
    /// When the target was made; 0: not known.
    assigned_at: WallMs,
    members: BTreeMap<String, ConsumerMember>,
    /// Instance id to member id.
    instances: HashMap<String, String>,
    targets: HashMap<String, Assignment>,
    /// Expressions that members subscribe to, and what they match.
    regexes: BTreeMap<String, BTreeSet<String>>,
    /// How many hold a partition: one, or none.
    held: HashMap<(TopicId, i32), u32>,
}

impl ConsumerGroup {
    pub fn new(id: GroupId) -> ConsumerGroup {
        ConsumerGroup { id, ..ConsumerGroup::default() }
    }

    pub fn epoch(&self) -> i32 {
        self.epoch
    }

    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub fn members(&self) -> impl Iterator<Item = &ConsumerMember> {
        self.members.values()
    }

    /// What it comes to in memory, about, with its timers.
    pub fn weight(&self) -> usize {
        let listed = |names: &BTreeSet<String>| names.iter().map(|name| name.len() + 64).sum::<usize>();
        let members: usize = self.members.values().map(|member| 4 * self.id.len() + member.weight()).sum();
        let targets: usize = self.targets.values().map(member::partitions_bytes).sum();
        let regexes: usize = self.regexes.iter().map(|(regex, names)| REGEX_BYTES + regex.len() + listed(names)).sum();
        let inhabited = if self.members.is_empty() { 0 } else { MEMBERS_BYTES };
        GROUP_BYTES + inhabited + 3 * self.id.len() + members + targets + regexes
    }

    /// How much more it would come to with a member as this request says, and whether it is one already.
    pub fn heartbeat_grows(&self, request: &ConsumerGroupHeartbeat) -> (usize, bool) {
        let named = self.members.get(&request.member_id);
        let known = named.or_else(|| self.members.get(self.instances.get(request.instance_id.as_ref()?)?));
        let fresh;
        let (before, mut more) = match known {
            Some(member) => (member, 0),
            None => {
                fresh = ConsumerMember::new(request.member_id.clone());
                let first = if self.members.is_empty() { GROUP_BYTES + MEMBERS_BYTES } else { 0 };
                (&fresh, fresh.weight() + 4 * self.id.len() + first)
            }
        };
        let mut says = |said: &Option<String>, known: &Option<String>| {
            let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
            more += length(said).saturating_sub(length(known));
        };
        says(&request.instance_id, &before.instance_id);
        says(&request.rack_id, &before.rack_id);
        says(&request.server_assignor, &before.assignor);
        more += request.client.id.len().saturating_sub(before.client.id.len());
        if let Some(topics) = &request.subscribed_topics {
            let now: usize = topics.iter().map(|topic| topic.len() + 64).sum();
            more += now.saturating_sub(before.topics.iter().map(|topic| topic.len() + 64).sum());
        }
        if let Some(regex) = request.subscribed_regex.as_ref().filter(|regex| !self.regexes.contains_key(*regex)) {
            more += REGEX_BYTES + regex.len();
        }
        (more, known.is_some())
    }

    /// As Kafka's tools print it.
    pub fn state_name(&self) -> &'static str {
        if self.members.is_empty() {
            "Empty"
        } else if self.epoch > self.assignment_epoch {
            "Assigning"
        } else if self.members.values().all(|member| member.is_reconciled_to(self.assignment_epoch)) {
            "Stable"
        } else {
            "Reconciling"
        }
    }

    /// A record of this group. The machine drops the group itself when its key 3 record goes.
    pub fn replay(&mut self, record: Record) {
        match record {
            Record::ConsumerGroup { value: Some(value), .. } => {
                self.epoch = value.epoch;
                self.metadata_hash = value.metadata_hash;
            }
            Record::Member { member, value: Some(value), .. } => {
                let held = self.members.entry(member.clone()).or_insert_with(|| ConsumerMember::new(member.clone()));
                held.set_metadata(value);
                if let Some(instance) = &held.instance_id {
                    self.instances.insert(instance.clone(), member);
                }
            }
            Record::Member { member, value: None, .. } => self.replay_leave(&member),
            Record::TargetEpoch { value, .. } => {
                self.assigned_at = WallMs(value.as_ref().map_or(0, |value| value.assignment_timestamp));
                self.assignment_epoch = value.map_or(-1, |value| value.assignment_epoch);
            }
            Record::Target { member, value: Some(value), .. } => {
                let target =
                    value.topic_partitions.into_iter().map(|of| (of.topic_id, of.partitions.into_iter().collect()));
                self.targets.insert(member, target.collect());
            }
            Record::Target { member, value: None, .. } => {
                self.targets.remove(&member);
            }
            Record::Current { member, value, .. } => {
                let Some(mut held) = self.members.remove(&member) else { return };
                self.release(&held);
                match value {
                    Some(value) => held.set_current(value),
                    None => held.set_current(ConsumerGroupCurrentMemberAssignmentValue::default()),
                }
                self.hold(&held);
                self.members.insert(member, held);
            }
            Record::Regex { regex, value: Some(value), .. } => {
                self.regexes.insert(regex, value.topics.into_iter().collect());
            }
            Record::Regex { regex, value: None, .. } => {
                self.regexes.remove(&regex);
            }
            _ => {}
        }
    }

    fn replay_leave(&mut self, member: &str) {
        let Some(gone) = self.members.remove(member) else { return };
        self.release(&gone);
        if let Some(instance) = &gone.instance_id
            && self.instances.get(instance).is_some_and(|now| now == member)
        {
            self.instances.remove(instance);
        }
    }

    fn hold(&mut self, member: &ConsumerMember) {
        for partition in member.held() {
            *self.held.entry(partition).or_default() += 1;
        }
    }

    fn release(&mut self, member: &ConsumerMember) {
        for partition in member.held() {
            if let Some(count) = self.held.get_mut(&partition) {
                *count -= 1;
                if *count == 0 {
                    self.held.remove(&partition);
                }
            }
        }
    }

    /// After a start: the sessions of the members begin now, and the topics may have changed meanwhile.
    pub fn loaded(&self, scope: &mut Scope<'_, '_>) {
        for member in self.members.values() {
            self.expect_heartbeat(scope, member);
            let gives_back = member.state == member::MemberState::Unrevoked && member.epoch != LEFT_FOR_A_WHILE;
            if gives_back && member.classic.is_none() {
                self.expect_revocation(scope, member);
            }
        }
        self.topics_changed(scope);
    }

    /// Topics were made, deleted or have grown: a new epoch if that concerns the group.
    pub fn topics_changed(&self, scope: &mut Scope<'_, '_>) {
        let topics = scope.context.topics;
        let matches_else = |(regex, known): (&String, &BTreeSet<String>)| {
            expressions::matching(regex, &topics.names()).is_ok_and(|now| now != *known)
        };
        let unchanged = || self.hash(topics) == self.metadata_hash && !self.regexes.iter().any(matches_else);
        if self.members.is_empty() || self.epoch == self.assignment_epoch && unchanged() {
            return;
        }
        let mut draft = self.clone();
        draft.resolve(scope, true);
        if draft.hash(scope.context.topics) != self.metadata_hash {
            draft.bump(scope);
        }
        draft.assign(scope);
    }

    /// Writes what the expressions of the members match now. `all`: also those that were resolved before.
    fn resolve(&mut self, scope: &mut Scope<'_, '_>, all: bool) {
        let wanted: BTreeSet<String> =
            self.members.values().map(|member| member.regex.clone()).filter(|regex| !regex.is_empty()).collect();
        let dropped: Vec<String> = self.regexes.keys().filter(|regex| !wanted.contains(*regex)).cloned().collect();
        for regex in dropped {
            self.write(scope, Record::Regex { group: self.id.clone(), regex, value: None });
        }
        let unresolved: Vec<String> =
            wanted.into_iter().filter(|regex| all || !self.regexes.contains_key(regex)).collect();
        if unresolved.is_empty() {
            return;
        }
        let names = scope.context.topics.names();
        for regex in unresolved {
            // It was read when the member brought it.
            let topics = match &scope.expression {
                Some((read, compiled)) if *read == regex => compiled.matching(&names),
                _ => expressions::matching(&regex, &names).unwrap_or_default(),
            };
            if self.regexes.get(&regex) == Some(&topics) {
                continue;
            }
            let value = super::record::ConsumerGroupRegularExpressionValue {
                topics: topics.into_iter().collect(),
                version: i64::try_from(scope.context.topics.edition()).unwrap_or(0),
                timestamp: scope.context.wall.0,
            };
            self.write(scope, Record::Regex { group: self.id.clone(), regex, value: Some(value) });
        }
    }

    /// Remembers something, and lets this draft of the group see it.
    fn write(&mut self, scope: &mut Scope<'_, '_>, record: Record) {
        self.replay(record.clone());
        scope.record(record);
    }

    /// The names that a member reads.
    fn topics_of<'a>(&'a self, member: &'a ConsumerMember) -> impl Iterator<Item = &'a String> {
        member.topics.iter().chain(self.regexes.get(&member.regex).into_iter().flatten())
    }

    fn subscribed(&self) -> BTreeSet<&String> {
        self.members.values().flat_map(|member| self.topics_of(member)).collect()
    }

    /// True if a member reads this topic.
    pub fn is_subscribed(&self, topic: &str) -> bool {
        self.members.values().any(|member| self.topics_of(member).any(|name| name == topic))
    }

    /// A number that changes when a subscribed topic comes, goes or grows.
    fn hash(&self, topics: &dyn Topics) -> i64 {
        // FNV-1a; Kafka's differs, and takes another's as a change of topics.
        let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
        let mut add = |bytes: &[u8]| {
            for byte in bytes {
                hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            }
        };
        for name in self.subscribed() {
            if let Some((id, partitions)) = topics.by_name(name) {
                add(name.as_bytes());
                add(&id.0);
                add(&partitions.to_be_bytes());
            }
        }
        i64::from_be_bytes(hash.to_be_bytes())
    }

    /// A new group epoch. The first is 2, as Kafka's: 1 is of a member that waits for the first target.
    fn bump(&mut self, scope: &mut Scope<'_, '_>) {
        let value = ConsumerGroupMetadataValue {
            epoch: if self.epoch == 0 { 2 } else { self.epoch.saturating_add(1) },
            metadata_hash: self.hash(scope.context.topics),
        };
        self.write(scope, Record::ConsumerGroup { group: self.id.clone(), value: Some(value) });
    }

    /// A target for the group epoch, if there is none yet.
    fn assign(&mut self, scope: &mut Scope<'_, '_>) {
        if self.epoch <= self.assignment_epoch || self.is_put_off(scope) {
            return;
        }
        let spec = self.spec(scope.context.topics);
        let assigned = self.assignor(&scope.settings.consumer_assignors).assign(&spec);
        for (member, target) in assigned {
            if self.targets.get(&member) == Some(&target) {
                continue;
            }
            let value = Some(target_value(target));
            self.write(scope, Record::Target { group: self.id.clone(), member, value });
        }
        let value = ConsumerGroupTargetAssignmentMetadataValue {
            assignment_epoch: self.epoch,
            assignment_timestamp: scope.context.wall.0,
        };
        self.write(scope, Record::TargetEpoch { group: self.id.clone(), value: Some(value) });
    }

    /// True if the last target is too young for another one, which then comes by itself.
    fn is_put_off(&self, scope: &mut Scope<'_, '_>) -> bool {
        let interval = scope.settings.consumers.of(&self.id).assignment_interval_ms;
        let age = scope.context.wall.0.saturating_sub(self.assigned_at.0);
        let left = i64::from(interval).saturating_sub(age);
        if left <= 0 || self.members.is_empty() {
            return false;
        }
        // A wall clock that was set back must not hold the group up.
        let at = scope.after_ms(i32::try_from(left).unwrap_or(interval).min(interval));
        scope.timers.set(Timer::Assignment(self.id.clone()), at);
        true
    }

    /// The time of a target that was put off has come.
    pub(super) fn assign_now(&self, scope: &mut Scope<'_, '_>) {
        if self.epoch > self.assignment_epoch && !self.members.is_empty() {
            let mut draft = self.clone();
            draft.assign(scope);
        }
    }

    /// The assignor that most members want; the broker's first if nobody says.
    pub fn assignor(&self, defaults: &[String]) -> Assignor {
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for wanted in self.members.values().filter_map(|member| member.assignor.as_deref()) {
            *votes.entry(wanted).or_default() += 1;
        }
        let most = votes.into_iter().max_by_key(|(_, count)| *count).and_then(|(name, _)| Assignor::parse(name));
        let default = defaults.iter().find_map(|name| Assignor::parse(name));
        most.or(default).unwrap_or(Assignor::Uniform)
    }

    fn spec(&self, topics: &dyn Topics) -> Spec {
        let mut known: BTreeMap<&String, (TopicId, i32)> = BTreeMap::new();
        for name in self.subscribed() {
            if let Some((id, count)) = topics.by_name(name) {
                known.insert(name, (id, i32::try_from(count).unwrap_or(i32::MAX)));
            }
        }
        let subscriber = |member: &ConsumerMember| Subscriber {
            member: member.id.clone(),
            instance: member.instance_id.clone(),
            topics: self.topics_of(member).filter_map(|name| known.get(name)).map(|(id, _)| *id).collect(),
            current: self.targets.get(&member.id).cloned().unwrap_or_default(),
        };
        Spec {
            subscribers: self.members.values().map(subscriber).collect(),
            partitions: known.values().copied().collect(),
        }
    }

    fn expect_heartbeat(&self, scope: &mut Scope<'_, '_>, member: &ConsumerMember) {
        let session = match &member.classic {
            Some(classic) => classic.session_timeout_ms,
            None => scope.settings.consumers.of(&self.id).session_timeout_ms,
        };
        let at = scope.after_ms(session);
        scope.timers.set(Timer::ConsumerSession(self.id.clone(), member.id.clone()), at);
    }

    fn expect_revocation(&self, scope: &mut Scope<'_, '_>, member: &ConsumerMember) {
        let at = scope.after_ms(member.rebalance_timeout_ms);
        scope.timers.set(Timer::ConsumerRebalance(self.id.clone(), member.id.clone()), at);
    }

    /// Whether a commit may be written; a commit of an older epoch only for what the member had then.
    ///
    /// # Errors
    /// As Kafka's `ConsumerGroup.validateOffsetCommit`.
    pub fn check_commit(&self, request: &OffsetCommit) -> Result<CommitOf<'_>, GroupError> {
        let (epoch, transactional) = (request.generation_or_epoch, request.transaction.is_some());
        let nobody = request.member_id.is_empty() && request.instance_id.is_none();
        if epoch < 0 && (self.members.is_empty() || transactional && nobody) {
            return Ok(CommitOf::Anything);
        }
        let member = self.members.get(&request.member_id).ok_or(Refusal::UnknownMemberId)?;
        if !transactional && member.classic.is_none() && !request.knows_member_epochs {
            return Err(Refusal::UnsupportedVersion.into());
        }
        if member.classic.is_none() && (0..member.epoch).contains(&epoch) {
            return Ok(CommitOf::Given { member, epoch });
        }
        member_epoch_is(member, epoch).map(|()| CommitOf::Anything)
    }

    /// Whether a member may fetch offsets.
    ///
    /// # Errors
    /// `UnknownMemberId`, `StaleMemberEpoch`.
    pub fn check_fetch(&self, member: &str, epoch: i32) -> Result<(), GroupError> {
        let member = self.members.get(member).ok_or(Refusal::UnknownMemberId)?;
        member_epoch_is(member, epoch)
    }

    /// Tombstones of everything that is remembered of the group.
    pub fn tombstones(&self) -> Vec<Record> {
        let group = || self.id.clone();
        let mut records = Vec::new();
        for member in self.members.keys() {
            records.extend(self.member_tombstones(member));
        }
        for member in self.targets.keys().filter(|member| !self.members.contains_key(*member)) {
            records.push(Record::Target { group: group(), member: member.clone(), value: None });
        }
        records.push(Record::TargetEpoch { group: group(), value: None });
        records.extend(self.regexes.keys().map(|regex| Record::Regex {
            group: group(),
            regex: regex.clone(),
            value: None,
        }));
        records.push(Record::ConsumerGroup { group: group(), value: None });
        records
    }

    fn member_tombstones(&self, member: &str) -> [Record; 3] {
        let (group, member) = (|| self.id.clone(), || member.to_owned());
        [
            Record::Current { group: group(), member: member(), value: None },
            Record::Target { group: group(), member: member(), value: None },
            Record::Member { group: group(), member: member(), value: None },
        ]
    }

    /// The group in full.
    pub fn describe(&self, topics: &dyn Topics, assignors: &[String]) -> DescribedConsumerGroup {
        let named = |assignment: &Assignment| -> Vec<(TopicId, TopicName, Vec<i32>)> {
            let known = assignment
                .iter()
                .filter_map(|(id, partitions)| Some((*id, topics.by_id(*id)?.0, partitions.iter().copied().collect())));
            known.collect()
        };
        let member = |member: &ConsumerMember| DescribedConsumerMember {
            member_id: member.id.clone(),
            instance_id: member.instance_id.clone(),
            rack_id: member.rack_id.clone(),
            member_epoch: member.epoch,
            client: member.client.clone(),
            subscribed_topics: member.topics.iter().cloned().collect(),
            subscribed_regex: Some(member.regex.clone()),
            assignment: named(&member.assigned),
            target: self.targets.get(&member.id).map(named).unwrap_or_default(),
            is_classic: member.classic.is_some(),
        };
        DescribedConsumerGroup {
            state: self.state_name(),
            group_epoch: self.epoch,
            assignment_epoch: self.assignment_epoch,
            assignor: self.assignor(assignors).name().to_owned(),
            members: self.members.values().map(member).collect(),
        }
    }
}

/// What a commit may be of.
pub enum CommitOf<'a> {
    Anything,
    /// What the member was given in this epoch or before.
    Given {
        member: &'a ConsumerMember,
        epoch: i32,
    },
}

impl CommitOf<'_> {
    /// Whether a partition's offset may be written.
    pub fn allows(&self, topic: TopicId, partition: i32) -> bool {
        match self {
            CommitOf::Anything => true,
            CommitOf::Given { member, epoch } => member.given_in(topic, partition).is_some_and(|given| given <= *epoch),
        }
    }
}

fn target_value(target: Assignment) -> ConsumerGroupTargetAssignmentMemberValue {
    let partitions = |(topic_id, partitions): (TopicId, BTreeSet<i32>)| TargetPartitions {
        topic_id,
        partitions: partitions.into_iter().collect(),
    };
    ConsumerGroupTargetAssignmentMemberValue { topic_partitions: target.into_iter().map(partitions).collect() }
}

fn member_epoch_is(member: &ConsumerMember, epoch: i32) -> Result<(), GroupError> {
    if member.epoch == epoch {
        return Ok(());
    }
    Err(if member.classic.is_some() { Refusal::IllegalGeneration } else { Refusal::StaleMemberEpoch }.into())
}
