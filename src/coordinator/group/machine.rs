//! The groups of one partition of `__consumer_offsets`: finds the group an event is about and lets it decide.
//!
//! A group that never was more than a wish (somebody asked for a member id and did not come back) is not remembered and goes
//! when its last timer does. A group that only ever had offsets committed is its offsets: no state is kept for it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::classic::{ClassicGroup, State};
use super::consumer::{CommitOf, ConsumerGroup, heartbeat};
use super::event::{
    CommitPartition, ConsumerGroupHeartbeat, ConsumerHeartbeatAnswer, DescribedConsumerGroup, DescribedGroup, Event,
    FetchedTopic, GroupError, GroupId, Heartbeat, JoinGroup, JoinRefused, LeaveGroup, ListGroups, ListedGroup,
    OffsetCommit, OffsetDelete, OffsetFetch, Refusal, Reply, SyncGroup, TopicRef,
};
use super::memory::{Account, Asker, GroupMemory};
use super::offsets::Offsets;
use super::record::Record;
use super::scope::{Command, GroupEffects, GroupSettings, Scope, Timer};
use super::timers::Timers;
use crate::base::clock::{Monotonic, WallMs};
use crate::base::ids::{TopicId, TopicName};
use crate::base::limits::GROUP_RECORDS_BYTES_MAX;
use crate::coordinator::machine::{At, Context, Input, Machine, Marker, Ticket};

mod cleaning;

/// Records of timers written at a time, so that much of it makes no giant batch and delays nobody.
const RECORDS_MAX: usize = 5_000;

/// What a committed offset takes in the log besides names and metadata.
const COMMIT_BYTES: usize = 80;

/// One group.
#[derive(Debug)]
enum Group {
    Classic(ClassicGroup),
    Consumer(ConsumerGroup),
}

impl Group {
    fn is_subscribed(&self, topic: &str) -> bool {
        match self {
            Group::Classic(group) => group.state() != State::Empty && group.is_subscribed(topic),
            Group::Consumer(group) => group.is_subscribed(topic),
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Group::Classic(group) => group.is_empty(),
            Group::Consumer(group) => group.is_empty(),
        }
    }

    /// What it comes to in memory, about.
    fn weight(&self) -> usize {
        match self {
            Group::Classic(group) => group.weight(),
            Group::Consumer(group) => group.weight(),
        }
    }

    fn listed(&self, id: &str) -> ListedGroup {
        let (protocol_type, state, kind) = match self {
            Group::Classic(group) => (group.protocol_type().unwrap_or_default(), group.state().name(), "classic"),
            Group::Consumer(group) => ("consumer", group.state_name(), "consumer"),
        };
        ListedGroup { group: id.to_owned(), protocol_type: protocol_type.to_owned(), state, kind }
    }
}

/// See the module's comment.
pub struct GroupMachine {
    settings: Arc<GroupSettings>,
    groups: HashMap<GroupId, Group>,
    offsets: Offsets,
    account: Account,
    timers: Timers<Timer>,
    /// The log is being read: records make groups. Later groups make records.
    loading: bool,
    /// Topics whose offsets are still to be deleted.
    gone: Vec<(TopicId, TopicName)>,
    /// So are those of all topics that are not there: some may have been deleted while the log was not read.
    gone_unseen: bool,
    /// Groups that are being deleted part by part, and who asked for it.
    deleting: HashMap<GroupId, Vec<Ticket>>,
    /// Classic groups that consumer groups became: kept as soon as their record is replayed.
    converted: HashMap<GroupId, ClassicGroup>,
}

impl GroupMachine {
    /// A machine that remembers nothing. `memory` is what all machines may take together.
    pub fn new(settings: Arc<GroupSettings>, memory: Arc<GroupMemory>) -> GroupMachine {
        GroupMachine {
            settings,
            groups: HashMap::new(),
            offsets: Offsets::default(),
            account: Account::new(memory),
            timers: Timers::default(),
            loading: true,
            gone: Vec::new(),
            gone_unseen: false,
            deleting: HashMap::new(),
            converted: HashMap::new(),
        }
    }

    /// The committed offsets.
    pub fn offsets(&self) -> &Offsets {
        &self.offsets
    }

    /// A consumer group.
    pub fn consumer_group(&self, id: &str) -> Option<&ConsumerGroup> {
        match self.groups.get(id)? {
            Group::Consumer(group) => Some(group),
            Group::Classic(_) => None,
        }
    }

    /// Groups that are kept in memory.
    pub fn group_count(&self) -> usize {
        self.groups.len()
    }

    /// True if a group is kept or one more may be: a client that invents group ids cannot take all memory.
    fn has_room_for(&self, id: &str) -> bool {
        let most = self.settings.groups_max;
        let is_known = self.groups.contains_key(id) || self.offsets.has(id);
        is_known || self.groups.len() < most && self.offsets.group_count() < most
    }

    /// Reckons anew what has changed.
    fn settle(&mut self) {
        let (groups, offsets) = (&self.groups, self.offsets.bytes());
        self.account.settle(|id| groups.get(id).map_or(0, Group::weight), offsets);
    }

    /// Whether a join may take what it takes.
    fn has_memory_to_join(&self, request: &JoinGroup, now: Monotonic) -> bool {
        let (more, known) = match self.groups.get(&request.group) {
            Some(Group::Classic(group)) => group.join_grows(request),
            Some(Group::Consumer(group)) => group.join_grows(request),
            None => ClassicGroup::new(request.group.clone(), WallMs(0)).join_grows(request),
        };
        self.account.has_room(more, if known { Asker::Known } else { Asker::New }, now)
    }

    /// Whether a member of a consumer group may take what it says.
    fn has_memory_to_stay(&self, request: &ConsumerGroupHeartbeat, now: Monotonic) -> bool {
        let (more, known) = match self.groups.get(&request.group) {
            Some(Group::Consumer(group)) => group.heartbeat_grows(request),
            Some(Group::Classic(_)) | None => ConsumerGroup::new(request.group.clone()).heartbeat_grows(request),
        };
        self.account.has_room(more, if known { Asker::Known } else { Asker::New }, now)
    }

    fn has_memory_to_commit(&self, request: &OffsetCommit, now: Monotonic) -> bool {
        let known = self.groups.contains_key(&request.group) || self.offsets.has(&request.group);
        let more = self.offsets.commit_grows(request);
        self.account.has_room(more, if known { Asker::Known } else { Asker::New }, now)
    }

    fn request(&mut self, ticket: Ticket, event: Event, context: &mut Context<'_>) -> GroupEffects {
        match event {
            Event::JoinGroup(request) => self.join(ticket, request, context),
            Event::SyncGroup(request) => self.sync(ticket, request, context),
            Event::Heartbeat(request) => self.heartbeat(ticket, &request, context),
            Event::LeaveGroup(request) => self.leave(ticket, request, context),
            Event::OffsetCommit(request) => self.commit(ticket, &request, context),
            Event::OffsetFetch(request) => GroupEffects::reply(ticket, Reply::OffsetFetch(self.fetch(&request))),
            Event::OffsetDelete(request) => self.delete_offsets(ticket, &request),
            Event::ListGroups(filter) => GroupEffects::reply(ticket, Reply::ListGroups(self.list(&filter))),
            Event::DescribeGroup(group) => GroupEffects::reply(ticket, Reply::DescribeGroup(self.describe(&group))),
            Event::DeleteGroup(group) => self.delete(ticket, &group, context),
            Event::TopicsDeleted(topics) => {
                self.gone.extend(topics);
                self.timers.set(Timer::Gone, context.monotonic);
                GroupEffects::reply(ticket, Reply::TopicsDeleted)
            }
            Event::ConsumerGroupHeartbeat(request) => self.consumer_heartbeat(ticket, &request, context),
            Event::DescribeConsumerGroup(group) => {
                GroupEffects::reply(ticket, Reply::DescribeConsumerGroup(self.describe_consumer(&group, context)))
            }
        }
    }

    /// Lets a group decide. `None`: there is no such group.
    fn with_classic<T>(
        &mut self,
        id: &str,
        context: &mut Context<'_>,
        decide: impl FnOnce(&mut ClassicGroup, &mut Scope<'_, '_>) -> T,
    ) -> Option<(T, GroupEffects)> {
        let Group::Classic(group) = self.groups.get_mut(id)? else { return None };
        let mut effects = GroupEffects::default();
        let mut scope = Scope::new(context, &self.settings, &mut self.timers, &mut effects);
        let decided = decide(group, &mut scope);
        if group.is_nothing() {
            self.groups.remove(id);
        }
        self.account.changed(id);
        Some((decided, effects))
    }

    fn join(&mut self, ticket: Ticket, request: JoinGroup, context: &mut Context<'_>) -> GroupEffects {
        let limits = self.settings.session_timeout_min_ms..=self.settings.session_timeout_max_ms;
        let known = self.groups.contains_key(&request.group);
        let refusal = if request.group.is_empty() {
            Some(Refusal::InvalidGroupId)
        } else if !limits.contains(&request.session_timeout_ms) {
            Some(Refusal::InvalidSessionTimeout)
        } else if !known && !request.member_id.is_empty() {
            Some(Refusal::UnknownMemberId)
        } else if !self.has_room_for(&request.group) || !self.has_memory_to_join(&request, context.monotonic) {
            Some(Refusal::CoordinatorNotAvailable)
        } else {
            None
        };
        if let Some(refusal) = refusal {
            let refused = JoinRefused { error: refusal.into(), member_id: request.member_id };
            return GroupEffects::reply(ticket, Reply::JoinGroup(Err(refused)));
        }
        let id = request.group.clone();
        let now = context.wall;
        let mut effects = GroupEffects::default();
        if let Some(Group::Consumer(group)) = self.groups.get(&id) {
            if !group.is_empty() {
                return self.join_consumer(ticket, &request, context);
            }
            // Nobody is in it: it begins anew in the other protocol.
            effects.records = group.tombstones();
            self.groups.remove(&id);
        }
        self.groups.entry(id.clone()).or_insert_with(|| Group::Classic(ClassicGroup::new(id.clone(), now)));
        let decided = self.with_classic(&id, context, |group, scope| group.join(scope, ticket, request));
        if let Some(((), joined)) = decided {
            effects.extend(joined);
        }
        effects
    }

    /// A member of the classic protocol comes to a group of the other.
    fn join_consumer(&mut self, ticket: Ticket, request: &JoinGroup, context: &mut Context<'_>) -> GroupEffects {
        let joined = self.with_consumer(&request.group, context, |group, scope| group.classic_join(scope, request));
        let Some((joined, mut effects)) = joined else { return GroupEffects::default() };
        if joined.is_err() {
            effects.records.clear();
        }
        effects.replies.push((ticket, Reply::JoinGroup(joined)));
        effects
    }

    fn consumer_heartbeat(
        &mut self,
        ticket: Ticket,
        request: &ConsumerGroupHeartbeat,
        context: &mut Context<'_>,
    ) -> GroupEffects {
        let mut effects = GroupEffects::default();
        let answer = self.consumer_answer(request, context, &mut effects);
        if answer.is_err() {
            effects.records.clear();
        }
        effects.replies.push((ticket, Reply::ConsumerGroupHeartbeat(answer)));
        effects
    }

    fn consumer_answer(
        &mut self,
        request: &ConsumerGroupHeartbeat,
        context: &mut Context<'_>,
        effects: &mut GroupEffects,
    ) -> Result<ConsumerHeartbeatAnswer, GroupError> {
        heartbeat::check(request, &self.settings.consumer_assignors)?;
        if request.member_epoch >= 0 && !self.has_memory_to_stay(request, context.monotonic) {
            return Err(Refusal::CoordinatorNotAvailable.into());
        }
        let id = &request.group;
        let joins = request.member_epoch == 0;
        let fresh;
        let group = match self.groups.get(id) {
            Some(Group::Consumer(group)) => group,
            Some(Group::Classic(group)) if joins && group.state() == State::Empty => {
                effects.records.push(Record::Group { group: id.clone(), value: None });
                fresh = ConsumerGroup::new(id.clone());
                &fresh
            }
            Some(Group::Classic(group)) if joins => {
                let (upgraded, records) = ConsumerGroup::upgraded(group, &self.settings, context.topics)?;
                effects.records.extend(records);
                fresh = upgraded;
                &fresh
            }
            Some(Group::Classic(_)) => {
                return Err(GroupError {
                    refusal: Refusal::GroupIdNotFound,
                    message: Some(format!("Group {id} is not a consumer group.")),
                });
            }
            None if joins && self.has_room_for(id) => {
                fresh = ConsumerGroup::new(id.clone());
                &fresh
            }
            None if joins => return Err(Refusal::CoordinatorNotAvailable.into()),
            None if request.member_epoch < 0 => return Err(not_found(id)),
            None => {
                return Err(GroupError {
                    refusal: Refusal::GroupIdNotFound,
                    message: Some(format!("Consumer group {id} not found.")),
                });
            }
        };
        let mut scope = Scope::new(context, &self.settings, &mut self.timers, effects);
        let answer = group.heartbeat(&mut scope, request)?;
        let expects = matches!(self.groups.get(id), Some(Group::Classic(_)));
        if expects {
            group.expect_heartbeats(&mut scope);
        }
        let converted = scope.converted.take();
        if let Some(Group::Classic(before)) = self.groups.get_mut(id) {
            before.end(&mut scope);
        }
        if let Some(classic) = converted {
            self.converted.insert(id.clone(), *classic);
        }
        Ok(answer)
    }

    fn describe_consumer(&self, id: &str, context: &Context<'_>) -> Result<DescribedConsumerGroup, GroupError> {
        match self.groups.get(id) {
            Some(Group::Consumer(group)) => Ok(group.describe(context.topics, &self.settings.consumer_assignors)),
            Some(Group::Classic(_)) => Err(GroupError {
                refusal: Refusal::GroupIdNotFound,
                message: Some(format!("Group {id} is not a consumer group.")),
            }),
            None => Err(not_found(id)),
        }
    }

    /// Lets a consumer group decide. `None`: there is no such group.
    fn with_consumer<T>(
        &mut self,
        id: &str,
        context: &mut Context<'_>,
        decide: impl FnOnce(&ConsumerGroup, &mut Scope<'_, '_>) -> T,
    ) -> Option<(T, GroupEffects)> {
        let Group::Consumer(group) = self.groups.get(id)? else { return None };
        let mut effects = GroupEffects::default();
        let mut scope = Scope::new(context, &self.settings, &mut self.timers, &mut effects);
        let decided = decide(group, &mut scope);
        if let Some(classic) = scope.converted.take() {
            self.converted.insert(id.to_owned(), *classic);
        }
        Some((decided, effects))
    }

    fn topics_changed(&mut self, context: &mut Context<'_>) -> GroupEffects {
        let mut effects = GroupEffects::default();
        for group in self.groups.values() {
            if let Group::Consumer(group) = group {
                let mut scope = Scope::new(context, &self.settings, &mut self.timers, &mut effects);
                group.topics_changed(&mut scope);
            }
        }
        effects
    }

    fn sync(&mut self, ticket: Ticket, request: SyncGroup, context: &mut Context<'_>) -> GroupEffects {
        let id = request.group.clone();
        if let Some(Group::Classic(group)) = self.groups.get(&id) {
            let given: usize = request.assignments.iter().map(|(_, assignment)| assignment.len()).sum();
            let more = given.saturating_sub(group.assignments_bytes());
            if !self.account.has_room(more, Asker::Known, context.monotonic) {
                return GroupEffects::reply(ticket, Reply::SyncGroup(Err(Refusal::CoordinatorNotAvailable.into())));
            }
        }
        if let Some((synced, mut effects)) =
            self.with_consumer(&id, context, |group, scope| group.classic_sync(scope, &request))
        {
            effects.replies.push((ticket, Reply::SyncGroup(synced)));
            return effects;
        }
        match self.with_classic(&id, context, |group, scope| group.sync(scope, ticket, request)) {
            Some(((), effects)) => effects,
            None => {
                let refusal = if id.is_empty() { Refusal::InvalidGroupId } else { Refusal::UnknownMemberId };
                GroupEffects::reply(ticket, Reply::SyncGroup(Err(refusal.into())))
            }
        }
    }

    fn heartbeat(&mut self, ticket: Ticket, request: &Heartbeat, context: &mut Context<'_>) -> GroupEffects {
        let decided = match self.groups.get_mut(&request.group) {
            Some(Group::Consumer(_)) => {
                self.with_consumer(&request.group, context, |group, scope| group.classic_heartbeat(scope, request))
            }
            Some(Group::Classic(group)) => {
                let mut effects = GroupEffects::default();
                let mut scope = Scope::new(context, &self.settings, &mut self.timers, &mut effects);
                Some((group.heartbeat(&mut scope, request), effects))
            }
            None => None,
        };
        let unknown = if request.group.is_empty() { Refusal::InvalidGroupId } else { Refusal::UnknownMemberId };
        let (outcome, mut effects) = decided.unwrap_or_else(|| (Err(unknown.into()), GroupEffects::default()));
        effects.replies.push((ticket, Reply::Heartbeat(outcome)));
        effects
    }

    fn leave(&mut self, ticket: Ticket, request: LeaveGroup, context: &mut Context<'_>) -> GroupEffects {
        let id = request.group.clone();
        if id.is_empty() {
            return GroupEffects::reply(ticket, Reply::LeaveGroup(Err(Refusal::InvalidGroupId.into())));
        }
        let decided = match self.groups.get(&id) {
            Some(Group::Consumer(_)) => {
                self.with_consumer(&id, context, |group, scope| group.classic_leave(scope, request))
            }
            Some(Group::Classic(_)) => self.with_classic(&id, context, |group, scope| group.leave(scope, request)),
            None => {
                let unknown = |member| (member, Err(Refusal::UnknownMemberId.into()));
                Some((request.members.into_iter().map(unknown).collect(), GroupEffects::default()))
            }
        };
        let (left, mut effects) = decided.unwrap_or_default();
        effects.replies.push((ticket, Reply::LeaveGroup(Ok(left))));
        effects
    }

    fn commit(&mut self, ticket: Ticket, request: &OffsetCommit, context: &mut Context<'_>) -> GroupEffects {
        let (generation, now) = (request.generation_or_epoch, context.wall);
        let bytes_max = self.settings.offset_metadata_bytes_max;
        let has_room = self.has_room_for(&request.group) && self.has_memory_to_commit(request, context.monotonic);
        let mut effects = GroupEffects::default();
        let allowed = match self.groups.get_mut(&request.group) {
            _ if commit_bytes(request) > GROUP_RECORDS_BYTES_MAX => Err(Refusal::InvalidCommitOffsetSize.into()),
            _ if !has_room => Err(Refusal::CoordinatorNotAvailable.into()),
            Some(Group::Consumer(group)) => group.check_commit(request),
            Some(Group::Classic(group)) => {
                let mut scope = Scope::new(context, &self.settings, &mut self.timers, &mut effects);
                group.check_commit(&mut scope, request).map(|()| CommitOf::Anything)
            }
            // Nobody manages this group: anyone may commit who does not claim to be a member.
            None if generation < 0 => Ok(CommitOf::Anything),
            None if request.knows_member_epochs => Err(Refusal::GroupIdNotFound.into()),
            None => Err(Refusal::IllegalGeneration.into()),
        };
        let outcomes = match allowed {
            Ok(of) => {
                let (records, outcomes) = Offsets::commit(request, now, bytes_max, |topic, at| of.allows(topic, at));
                effects.records.extend(records);
                effects.transaction = request.transaction;
                outcomes
            }
            Err(error) => {
                let refused = |partitions: &Vec<_>| partitions.iter().map(|_| Err(error.clone())).collect();
                request.topics.iter().map(|(_, partitions)| refused(partitions)).collect()
            }
        };
        effects.replies.push((ticket, Reply::OffsetCommit(outcomes)));
        effects
    }

    fn fetch(&self, request: &OffsetFetch) -> Result<Vec<FetchedTopic>, GroupError> {
        let group = self.groups.get(&request.group);
        if let (Some(Group::Consumer(group)), Some((member, epoch))) = (group, &request.member) {
            group.check_fetch(member, *epoch)?;
        }
        Ok(self.offsets.fetch(&request.group, request.topics.as_deref(), request.require_stable))
    }

    fn delete_offsets(&self, ticket: Ticket, request: &OffsetDelete) -> GroupEffects {
        let group = self.groups.get(&request.group);
        let allowed = match group {
            _ if request.group.is_empty() => Err(Refusal::InvalidGroupId.into()),
            Some(Group::Classic(group)) => group.check_offset_delete(),
            Some(Group::Consumer(_)) => Ok(()),
            None if self.offsets.has(&request.group) => Ok(()),
            None => Err(not_found(&request.group)),
        };
        if let Err(error) = allowed {
            return GroupEffects::reply(ticket, Reply::OffsetDelete(Err(error)));
        }
        let is_subscribed = |topic: &str| group.is_some_and(|group| group.is_subscribed(topic));
        let (records, outcomes) = self.offsets.delete(&request.group, &request.topics, is_subscribed);
        GroupEffects { records, ..GroupEffects::reply(ticket, Reply::OffsetDelete(Ok(outcomes))) }
    }

    fn list(&self, filter: &ListGroups) -> Vec<ListedGroup> {
        let simple = self.offsets.groups().filter(|group| !self.groups.contains_key(*group)).map(|group| ListedGroup {
            group: group.to_owned(),
            protocol_type: String::new(),
            state: State::Empty.name(),
            kind: "classic",
        });
        let managed = self.groups.iter().map(|(id, group)| group.listed(id));
        let wanted = |wanted: &[String], is: &str| wanted.is_empty() || wanted.contains(&is.to_lowercase());
        let listed = managed.chain(simple);
        listed.filter(|group| wanted(&filter.states, group.state) && wanted(&filter.types, group.kind)).collect()
    }

    fn describe(&self, id: &str) -> Result<DescribedGroup, GroupError> {
        match self.groups.get(id) {
            Some(Group::Classic(group)) => Ok(group.describe()),
            Some(Group::Consumer(_)) => Err(GroupError {
                refusal: Refusal::GroupIdNotFound,
                message: Some(format!("Group {id} is not a classic group.")),
            }),
            None if self.offsets.has(id) => Ok(DescribedGroup {
                state: State::Empty.name(),
                protocol_type: String::new(),
                protocol: String::new(),
                members: Vec::new(),
            }),
            None => Err(not_found(id)),
        }
    }

    fn deadline(&mut self, context: &mut Context<'_>) -> GroupEffects {
        let mut effects = GroupEffects::default();
        let mut changed: HashSet<GroupId> = HashSet::new();
        while let Some(timer) = self.timers.take_due(context.monotonic) {
            // A group that is to change changes when its records are replayed: its next timer comes then.
            if timer.group().is_some_and(|group| changed.contains(group)) {
                self.timers.set(timer, context.monotonic);
                break;
            }
            let more = self.timer(&timer, context);
            if let Some(group) = timer.group().filter(|_| !more.records.is_empty()) {
                changed.insert(group.to_owned());
            }
            effects.extend(more);
            if effects.records.len() >= RECORDS_MAX {
                break;
            }
        }
        effects
    }

    fn timer(&mut self, timer: &Timer, context: &mut Context<'_>) -> GroupEffects {
        match timer {
            Timer::Expiry => self.expire(context),
            Timer::Gone => self.forget_topics(context),
            Timer::Deletion(group) => self.go_on_deleting(group, context),
            Timer::Session(group, _) | Timer::Join(group) | Timer::Sync(group) => {
                let decided = self.with_classic(group, context, |group, scope| group.timer(scope, timer));
                decided.map(|((), effects)| effects).unwrap_or_default()
            }
            Timer::ConsumerSession(group, _)
            | Timer::ConsumerRebalance(group, _)
            | Timer::ConsumerJoin(group, _)
            | Timer::ConsumerSync(group, _)
            | Timer::Assignment(group) => {
                let decided = self.with_consumer(group, context, |group, scope| group.timer(scope, timer));
                decided.map(|((), effects)| effects).unwrap_or_default()
            }
        }
    }

    /// A record of a consumer group. One that has nothing of its own left is none.
    fn replay_consumer(&mut self, record: Record) {
        let id = record.group().to_owned();
        let makes = matches!(&record, Record::ConsumerGroup { .. } | Record::Member { value: Some(_), .. });
        if makes && !matches!(self.groups.get(&id), Some(Group::Consumer(_))) {
            self.groups.insert(id.clone(), Group::Consumer(ConsumerGroup::new(id.clone())));
        }
        if let Some(Group::Consumer(group)) = self.groups.get_mut(&id) {
            group.replay(record);
        }
    }
}

impl Machine for GroupMachine {
    type Event = Event;
    type Record = Record;
    type Reply = Reply;
    type Command = Command;

    fn handle(&mut self, input: Input<Event>, context: &mut Context<'_>) -> GroupEffects {
        self.settle();
        match input {
            Input::Request { ticket, event } => self.request(ticket, event, context),
            Input::Deadline => self.deadline(context),
            Input::TopicsChanged => self.topics_changed(context),
        }
    }

    fn replay(&mut self, record: Record, at: At) {
        if !matches!(record, Record::Offset { .. }) {
            self.account.changed(record.group());
        }
        match record {
            Record::Offset { group, topic, partition, value } => {
                self.offsets.replay(&group, &topic, partition, value, at);
            }
            Record::Group { group, value: Some(value) } if self.loading => {
                let read = ClassicGroup::from_record(group.clone(), &value);
                self.groups.insert(group, Group::Classic(read));
            }
            Record::Group { group, value: Some(_) } => {
                if let Some(converted) = self.converted.remove(&group) {
                    self.groups.insert(group, Group::Classic(converted));
                }
            }
            Record::Group { group, value: None } => {
                if matches!(self.groups.get(&group), Some(Group::Classic(_))) {
                    self.groups.remove(&group);
                }
            }
            Record::ConsumerGroup { group, value: None } => {
                if matches!(self.groups.get(&group), Some(Group::Consumer(_))) {
                    self.groups.remove(&group);
                }
            }
            record => self.replay_consumer(record),
        }
    }

    fn replay_marker(&mut self, marker: Marker, _at: At) {
        self.offsets.replay_marker(marker);
    }

    fn loaded(&mut self, context: &mut Context<'_>) -> GroupEffects {
        self.loading = false;
        self.settle();
        let mut effects = GroupEffects::default();
        let mut scope = Scope::new(context, &self.settings, &mut self.timers, &mut effects);
        for group in self.groups.values_mut() {
            match group {
                Group::Classic(group) => group.loaded(&mut scope),
                Group::Consumer(group) => group.loaded(&mut scope),
            }
        }
        let interval = Duration::from_millis(u64::try_from(self.settings.offsets_check_interval_ms).unwrap_or(1));
        self.timers.set(Timer::Expiry, Monotonic(context.monotonic.0.saturating_add(interval)));
        if self.offsets.group_count() > 0 {
            self.gone_unseen = true;
            self.timers.set(Timer::Gone, context.monotonic);
        }
        effects
    }

    fn next_deadline(&self) -> Option<Monotonic> {
        self.timers.next()
    }

    fn encode(record: &Record) -> (Vec<u8>, Option<Vec<u8>>) {
        record.encode()
    }

    fn decode(key: &[u8], value: Option<&[u8]>) -> Result<Option<Record>, String> {
        Record::decode(key, value).map_err(|error| error.to_string())
    }
}

/// About what the records of a commit take.
fn commit_bytes(request: &OffsetCommit) -> usize {
    let of_partition = |at: &CommitPartition| at.metadata.as_ref().map_or(0, String::len) + COMMIT_BYTES;
    let of_topic = |(topic, partitions): &(TopicRef, Vec<CommitPartition>)| {
        let name = topic.name.as_ref().map_or(0, |name| name.as_str().len());
        partitions.iter().map(of_partition).sum::<usize>() + partitions.len() * (name + request.group.len())
    };
    request.topics.iter().map(of_topic).sum()
}

fn not_found(id: &str) -> GroupError {
    GroupError { refusal: Refusal::GroupIdNotFound, message: Some(format!("Group {id} not found.")) }
}
