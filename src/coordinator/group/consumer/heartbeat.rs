//! ConsumerGroupHeartbeat: a member joins, stays, reports, leaves; and what happens when it is not heard of.

use std::collections::BTreeSet;

use super::super::assignor::{Assignment, Assignor};
use super::super::event::{ConsumerGroupHeartbeat, ConsumerHeartbeatAnswer, GroupError, Refusal};
use super::super::record::Record;
use super::super::scope::{Scope, Timer};
use super::member::{LEFT_FOR_A_WHILE, MemberState, from_list, is_within, to_list};
use super::regex::Compiled;
use super::{ConsumerGroup, ConsumerMember};
use crate::base::ids::Uuid;
use crate::base::limits::GROUP_RECORDS_BYTES_MAX;

type Answer = Result<ConsumerHeartbeatAnswer, GroupError>;

/// Refuses what cannot be meant, whatever the group is.
///
/// # Errors
/// As Kafka's `throwIfConsumerGroupHeartbeatRequestIsInvalid`.
pub fn check(request: &ConsumerGroupHeartbeat, assignors: &[String]) -> Result<(), GroupError> {
    let is_empty = |text: &Option<String>| text.as_ref().is_some_and(String::is_empty);
    let joins = request.member_epoch == 0;
    let id_missing = request.member_id.is_empty() && (request.makes_own_id || !joins);
    let topics_given = request.subscribed_topics.is_some();
    let names_bytes = request.subscribed_topics.iter().flatten().map(String::len).sum::<usize>();
    let regex_given = request.subscribed_regex.is_some();
    let owns = request.owned.as_ref().is_none_or(|owned| !owned.is_empty());
    let faults = [
        (request.group.trim().is_empty(), "GroupId can't be empty."),
        (id_missing, "MemberId can't be empty."),
        (is_empty(&request.instance_id), "InstanceId can't be empty."),
        (is_empty(&request.rack_id), "RackId can't be empty."),
        (request.member_epoch < LEFT_FOR_A_WHILE, "MemberEpoch is invalid."),
        (request.member_epoch == LEFT_FOR_A_WHILE && request.instance_id.is_none(), "InstanceId can't be null."),
        (joins && request.rebalance_timeout_ms == -1, "RebalanceTimeoutMs must be provided in first request."),
        (joins && owns, "TopicPartitions must be empty when (re-)joining."),
        (names_bytes > GROUP_RECORDS_BYTES_MAX, "SubscribedTopicNames are too long."),
        (
            joins && !topics_given && !regex_given,
            "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.",
        ),
    ];
    if let Some((_, fault)) = faults.iter().find(|(is, _)| *is) {
        return Err(GroupError { refusal: Refusal::InvalidRequest, message: Some((*fault).to_owned()) });
    }
    let known = |name: &String| assignors.contains(name) && Assignor::parse(name).is_some();
    if let Some(unknown) = request.server_assignor.as_ref().filter(|name| !known(name)) {
        let message =
            format!("ServerAssignor {unknown} is not supported. Supported assignors: {}.", assignors.join(", "));
        return Err(GroupError { refusal: Refusal::UnsupportedAssignor, message: Some(message) });
    }
    if let Some(expression) = request.subscribed_regex.as_ref().filter(|expression| !expression.is_empty())
        && let Some(why) = compiled(request, expression).fault()
    {
        let message = format!("SubscribedTopicRegex `{expression}` is not a valid regular expression: {why}.");
        return Err(GroupError { refusal: Refusal::InvalidRegularExpression, message: Some(message) });
    }
    Ok(())
}

/// The request's expression, read now if it was not before.
fn compiled(request: &ConsumerGroupHeartbeat, expression: &str) -> Compiled {
    request.expression.clone().unwrap_or_else(|| Compiled::of(expression))
}

impl ConsumerGroup {
    /// A request that `check` let through.
    ///
    /// # Errors
    /// As Kafka's `consumerGroupHeartbeat` and `consumerGroupLeave`.
    pub fn heartbeat(&self, scope: &mut Scope<'_, '_>, request: &ConsumerGroupHeartbeat) -> Answer {
        scope.expression = request.subscribed_regex.clone().zip(request.expression.clone());
        if request.member_epoch < 0 { self.leave(scope, request) } else { self.stay(scope, request) }
    }

    fn stay(&self, scope: &mut Scope<'_, '_>, request: &ConsumerGroupHeartbeat) -> Answer {
        let full = self.members.len() >= scope.settings.consumer_size_max;
        if full && !self.members.contains_key(&request.member_id) {
            return Err(self.is_full(scope));
        }
        let owned = request.owned.as_deref().map(from_list);
        if let Some(answer) = self.stay_unchanged(scope, request, owned.as_ref()) {
            return answer;
        }
        let mut draft = self.clone();
        let before = draft.find(scope, request, owned.as_ref())?;
        let id = before.id.clone();
        let is_new = !draft.members.contains_key(&id);

        let mut updated = before.clone();
        update(&mut updated, request);
        let mut changed = is_new;
        if is_new || updated != before {
            changed |= updated.topics != before.topics || updated.regex != before.regex;
            let value = Some(updated.metadata());
            draft.write(scope, Record::Member { group: draft.id.clone(), member: id.clone(), value });
        }
        draft.settle(scope, changed);
        let now = draft.reconcile(scope, &id, owned.as_ref());
        let now = now.as_ref().or(draft.members.get(&id)).unwrap_or(&updated);
        draft.expect_heartbeat(scope, now);
        Ok(answer(scope, request, &before, now))
    }

    pub(super) fn is_full(&self, scope: &Scope<'_, '_>) -> GroupError {
        let most = scope.settings.consumer_size_max;
        refuse(
            Refusal::GroupMaxSizeReached,
            format!("The consumer group has reached its maximum capacity of {most} members."),
        )
    }

    /// After members or subscriptions changed, or may have: what expressions match, a new epoch, a target for it.
    pub(super) fn settle(&mut self, scope: &mut Scope<'_, '_>, changed: bool) {
        if changed {
            self.resolve(scope, false);
        }
        if changed || self.hash(scope.context.topics) != self.metadata_hash {
            self.bump(scope);
        }
        self.assign(scope);
    }

    /// The heartbeat that most are: nothing is new, but for what the member may have given back or be waiting for.
    fn stay_unchanged(
        &self,
        scope: &mut Scope<'_, '_>,
        request: &ConsumerGroupHeartbeat,
        owned: Option<&Assignment>,
    ) -> Option<Answer> {
        let member = self.members.get(&request.member_id)?;
        let same_instance = request.instance_id.is_none() || request.instance_id == member.instance_id;
        if member.epoch != request.member_epoch || !same_instance || self.epoch > self.assignment_epoch {
            return None;
        }
        if changes(member, request) {
            return None;
        }
        let now = self.reconcile(scope, &member.id, owned);
        self.expect_heartbeat(scope, member);
        Some(Ok(answer(scope, request, member, now.as_ref().unwrap_or(member))))
    }

    /// The member that asks, as it was; a new one if it joins.
    fn find(
        &mut self,
        scope: &mut Scope<'_, '_>,
        request: &ConsumerGroupHeartbeat,
        owned: Option<&Assignment>,
    ) -> Result<ConsumerMember, GroupError> {
        let joins = request.member_epoch == 0;
        let id = if request.member_id.is_empty() {
            Uuid::from_random((scope.context.random)()).to_string()
        } else {
            request.member_id.clone()
        };
        if let Some(instance) = &request.instance_id {
            let current = self.instances.get(instance).and_then(|member| self.members.get(member)).cloned();
            return match current {
                None if joins => Ok(ConsumerMember::new(id)),
                None => Err(refuse(Refusal::UnknownMemberId, format!("Instance id {instance} is unknown."))),
                // One of the classic protocol cannot say that it leaves for a while.
                Some(current) if joins && current.epoch != LEFT_FOR_A_WHILE && current.classic.is_none() => {
                    let message = format!(
                        "Static member {id} with instance id {instance} cannot join the group because the instance id is \
                         owned by {} member.",
                        current.id
                    );
                    Err(refuse(Refusal::UnreleasedInstanceId, message))
                }
                Some(current) if joins => Ok(self.replace(scope, &current, id)),
                Some(current) if current.id == id => {
                    check_epoch(&current, request.member_epoch, owned)?;
                    Ok(current)
                }
                Some(current) => Err(fenced(&id, instance, &current.id)),
            };
        }
        match self.members.get(&id) {
            None if joins => Ok(ConsumerMember::new(id)),
            None => Err(refuse(Refusal::UnknownMemberId, format!("Member {id} is not a member of group {}.", self.id))),
            Some(member) => {
                check_epoch(member, request.member_epoch, owned)?;
                Ok(member.clone())
            }
        }
    }

    /// A static member came back, mostly under another id: it takes over the target of its former self.
    pub(super) fn replace(&mut self, scope: &mut Scope<'_, '_>, old: &ConsumerMember, id: String) -> ConsumerMember {
        let target = self.targets.get(&old.id).cloned().unwrap_or_default();
        self.cancel_timers(scope, &old.id);
        for record in self.member_tombstones(&old.id) {
            self.write(scope, record);
        }
        let (group, member) = (self.id.clone(), id.clone());
        let new = old.renamed(id);
        self.write(scope, Record::Member { group: group.clone(), member: member.clone(), value: Some(new.metadata()) });
        let value = Some(super::target_value(target));
        self.write(scope, Record::Target { group: group.clone(), member: member.clone(), value });
        self.write(scope, Record::Current { group, member, value: Some(new.current()) });
        new
    }

    /// Leads a member one step towards its target. `None`: it stays as it is.
    pub(super) fn reconcile(
        &self,
        scope: &mut Scope<'_, '_>,
        id: &str,
        owned: Option<&Assignment>,
    ) -> Option<ConsumerMember> {
        let member = self.members.get(id)?;
        if member.is_reconciled_to(self.assignment_epoch) {
            return None;
        }
        let none = Assignment::new();
        let target = self.targets.get(id).unwrap_or(&none);
        let is_free = |topic, partition| !self.held.contains_key(&(topic, partition));
        let next = member.reconciled(target, self.assignment_epoch, owned, is_free);
        if next == *member {
            return None;
        }
        let value = Some(next.current());
        scope.record(Record::Current { group: self.id.clone(), member: id.to_owned(), value });
        // One of the classic protocol has its join and its sync to be in time for.
        if next.state == MemberState::Unrevoked && next.classic.is_none() {
            self.expect_revocation(scope, &next);
        } else {
            scope.timers.cancel(&Timer::ConsumerRebalance(self.id.clone(), id.to_owned()));
        }
        Some(next)
    }

    fn leave(&self, scope: &mut Scope<'_, '_>, request: &ConsumerGroupHeartbeat) -> Answer {
        let id = match &request.instance_id {
            None => &request.member_id,
            Some(instance) => {
                let current = self.instances.get(instance);
                let current = current
                    .ok_or_else(|| refuse(Refusal::UnknownMemberId, format!("Instance id {instance} is unknown.")))?;
                if *current != request.member_id {
                    return Err(fenced(&request.member_id, instance, current));
                }
                current
            }
        };
        let Some(member) = self.members.get(id) else {
            return Err(refuse(Refusal::UnknownMemberId, format!("Member {id} is not a member of group {}.", self.id)));
        };
        if request.member_epoch == LEFT_FOR_A_WHILE {
            let mut away = member.clone();
            away.epoch = LEFT_FOR_A_WHILE;
            away.revoking = Assignment::new();
            let value = Some(away.current());
            scope.record(Record::Current { group: self.id.clone(), member: id.clone(), value });
            scope.timers.cancel(&Timer::ConsumerRebalance(self.id.clone(), id.clone()));
        } else {
            self.fence(scope, std::slice::from_ref(id));
        }
        Ok(ConsumerHeartbeatAnswer {
            member_id: id.clone(),
            member_epoch: request.member_epoch,
            heartbeat_interval_ms: 0,
            assignment: None,
        })
    }

    /// A timer of this group is due.
    pub fn timer(&self, scope: &mut Scope<'_, '_>, timer: &Timer) {
        let (member, why) = match timer {
            Timer::ConsumerSession(_, member) => (member, "its session is over"),
            Timer::ConsumerRebalance(_, member) => {
                let revoking = |member: &ConsumerMember| {
                    member.state == MemberState::Unrevoked && member.epoch != LEFT_FOR_A_WHILE
                };
                if !self.members.get(member).is_some_and(revoking) {
                    return;
                }
                (member, "it did not give back its partitions in time")
            }
            Timer::ConsumerJoin(_, member) => (member, "it did not join again in time"),
            Timer::ConsumerSync(_, member) => (member, "it did not sync in time"),
            Timer::Assignment(_) => return self.assign_now(scope),
            _ => return,
        };
        if self.members.contains_key(member) {
            tracing::info!(group = %self.id, member, why, "group member is removed");
            self.fence(scope, std::slice::from_ref(member));
        }
    }

    /// Removes members: what they had is free for a new target. If only members of the classic protocol are left, the group
    /// becomes one of theirs.
    pub(super) fn fence(&self, scope: &mut Scope<'_, '_>, ids: &[String]) {
        if ids.is_empty() {
            return;
        }
        let mut draft = self.clone();
        for id in ids {
            draft.cancel_timers(scope, id);
            for record in draft.member_tombstones(id) {
                draft.write(scope, record);
            }
        }
        if self.has_consumers() && draft.may_downgrade(scope.settings) {
            return draft.downgrade(scope, true);
        }
        draft.settle(scope, true);
    }

    pub(super) fn cancel_timers(&self, scope: &mut Scope<'_, '_>, member: &str) {
        let names = || (self.id.clone(), member.to_owned());
        for timer in [Timer::ConsumerSession, Timer::ConsumerRebalance, Timer::ConsumerJoin, Timer::ConsumerSync] {
            let (group, member) = names();
            scope.timers.cancel(&timer(group, member));
        }
    }
}

fn answer(
    scope: &Scope<'_, '_>,
    request: &ConsumerGroupHeartbeat,
    before: &ConsumerMember,
    now: &ConsumerMember,
) -> ConsumerHeartbeatAnswer {
    let whole = request.rebalance_timeout_ms != -1
        && (request.subscribed_topics.is_some() || request.subscribed_regex.is_some())
        && request.owned.is_some();
    let told = request.member_epoch == 0 || whole || now.assigned != before.assigned;
    ConsumerHeartbeatAnswer {
        member_id: now.id.clone(),
        member_epoch: now.epoch,
        heartbeat_interval_ms: scope.settings.consumers.of(&request.group).heartbeat_interval_ms,
        assignment: told.then(|| to_list(&now.assigned)),
    }
}

/// True if the request says anything of the member that is not known.
fn changes(member: &ConsumerMember, request: &ConsumerGroupHeartbeat) -> bool {
    let differs = |said: &Option<String>, known: &Option<String>| said.is_some() && said != known;
    let topics_differ = |topics: &Vec<String>| {
        topics.iter().any(|topic| !member.topics.contains(topic))
            || topics.iter().collect::<BTreeSet<_>>().len() != member.topics.len()
    };
    member.client != request.client
        || member.classic.is_some()
        || differs(&request.instance_id, &member.instance_id)
        || differs(&request.rack_id, &member.rack_id)
        || differs(&request.server_assignor, &member.assignor)
        || request.rebalance_timeout_ms != -1 && request.rebalance_timeout_ms != member.rebalance_timeout_ms
        || request.subscribed_topics.as_ref().is_some_and(topics_differ)
        || request.subscribed_regex.as_ref().is_some_and(|regex| *regex != member.regex)
}

fn update(member: &mut ConsumerMember, request: &ConsumerGroupHeartbeat) {
    member.client.clone_from(&request.client);
    member.classic = None;
    if request.instance_id.is_some() {
        member.instance_id.clone_from(&request.instance_id);
    }
    if request.rack_id.is_some() {
        member.rack_id.clone_from(&request.rack_id);
    }
    if request.rebalance_timeout_ms != -1 {
        member.rebalance_timeout_ms = request.rebalance_timeout_ms;
    }
    if request.server_assignor.is_some() {
        member.assignor.clone_from(&request.server_assignor);
    }
    if let Some(topics) = &request.subscribed_topics {
        member.topics = topics.iter().cloned().collect();
    }
    if let Some(regex) = &request.subscribed_regex {
        member.regex.clone_from(regex);
    }
}

/// A member that did not get its last answer may come with the epoch before, if it owns nothing more than it was given. Epoch
/// 0 comes from one that begins again.
fn check_epoch(member: &ConsumerMember, epoch: i32, owned: Option<&Assignment>) -> Result<(), GroupError> {
    let known = member.epoch;
    let retries = epoch == member.previous_epoch && owned.is_some_and(|owned| is_within(owned, &member.assigned));
    if epoch == 0 || epoch == known || epoch < known && retries {
        return Ok(());
    }
    let than = if epoch > known { "greater" } else { "smaller" };
    let message = format!(
        "The consumer group member has a {than} member epoch ({epoch}) than the one known by the group coordinator \
         ({known}). The member must abandon all its partitions and rejoin."
    );
    Err(refuse(Refusal::FencedMemberEpoch, message))
}

pub(super) fn refuse(refusal: Refusal, message: String) -> GroupError {
    GroupError { refusal, message: Some(message) }
}

pub(super) fn fenced(member: &str, instance: &str, by: &str) -> GroupError {
    let message = format!("Static member {member} with instance id {instance} was fenced by member {by}.");
    refuse(Refusal::FencedInstanceId, message)
}
