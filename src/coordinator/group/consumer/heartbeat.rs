//! ConsumerGroupHeartbeat: a member joins, stays, reports, leaves; and what happens when it is not heard of.

use super::super::assignor::{Assignment, Assignor};
use super::super::event::{ConsumerGroupHeartbeat, ConsumerHeartbeatAnswer, GroupError, Refusal};
use super::super::record::Record;
use super::super::scope::{Scope, Timer};
use super::member::{LEFT_FOR_A_WHILE, MemberState, from_list, is_within, to_list};
use super::{ConsumerGroup, ConsumerMember, regex};
use crate::base::ids::Uuid;

type Answer = Result<ConsumerHeartbeatAnswer, GroupError>;

/// Refuses what cannot be meant, whatever the group is.
///
/// # Errors
/// As Kafka's `throwIfConsumerGroupHeartbeatRequestIsInvalid`.
pub fn check(request: &ConsumerGroupHeartbeat, assignors: &[String]) -> Result<(), GroupError> {
    let is_empty = |text: &Option<String>| text.as_ref().is_some_and(String::is_empty);
    let joins = request.member_epoch == 0;
    let id_missing = request.member_id.is_empty() && (request.makes_own_id || !joins);
    let topics_given = request.subscribed_topics.as_ref().is_some_and(|topics| !topics.is_empty());
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
        && let Err(why) = regex::compile(expression)
    {
        let message = format!("SubscribedTopicRegex `{expression}` is not a valid regular expression: {why}.");
        return Err(GroupError { refusal: Refusal::InvalidRegularExpression, message: Some(message) });
    }
    Ok(())
}

impl ConsumerGroup {
    /// A request that `check` let through.
    ///
    /// # Errors
    /// As Kafka's `consumerGroupHeartbeat` and `consumerGroupLeave`.
    pub fn heartbeat(&self, scope: &mut Scope<'_, '_>, request: &ConsumerGroupHeartbeat) -> Answer {
        if request.member_epoch < 0 { self.leave(scope, request) } else { self.stay(scope, request) }
    }

    fn stay(&self, scope: &mut Scope<'_, '_>, request: &ConsumerGroupHeartbeat) -> Answer {
        let full = self.members.len() >= scope.settings.consumer_size_max;
        if full && !self.members.contains_key(&request.member_id) {
            let message =
                format!("The consumer group has reached its maximum capacity of {} members.", self.members.len());
            return Err(GroupError { refusal: Refusal::GroupMaxSizeReached, message: Some(message) });
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
        if changed {
            draft.resolve(scope, false);
        }
        if changed || draft.hash(scope.context.topics) != draft.metadata_hash {
            draft.bump(scope);
        }
        draft.assign(scope, request.server_assignor.as_deref());
        let now = draft.reconcile(scope, &id, owned.as_ref());
        draft.expect_heartbeat(scope, &id);
        Ok(answer(scope, request, &before, &now))
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
        self.expect_heartbeat(scope, &member.id);
        Some(Ok(answer(scope, request, member, &now)))
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
                Some(current) if current.id == id => {
                    if !(joins && current.epoch == LEFT_FOR_A_WHILE) {
                        check_epoch(&current, request.member_epoch, owned)?;
                    }
                    Ok(current)
                }
                Some(current) if joins => self.replace(scope, current, id, instance),
                Some(_) => {
                    let message =
                        format!("Static member {id} with instance id {instance} was fenced by another member.");
                    Err(refuse(Refusal::FencedInstanceId, message))
                }
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

    /// A static member came back under another id: it takes over the target of its former self.
    fn replace(
        &mut self,
        scope: &mut Scope<'_, '_>,
        old: ConsumerMember,
        id: String,
        instance: &str,
    ) -> Result<ConsumerMember, GroupError> {
        if old.epoch != LEFT_FOR_A_WHILE {
            let message =
                format!("Static member {id} with instance id {instance} cannot join: another member owns it.");
            return Err(refuse(Refusal::UnreleasedInstanceId, message));
        }
        let target = self.targets.get(&old.id).cloned();
        self.cancel_timers(scope, &old.id);
        for record in self.member_tombstones(&old.id) {
            self.write(scope, record);
        }
        let (group, member) = (self.id.clone(), id.clone());
        let new = ConsumerMember {
            id,
            epoch: 0,
            previous_epoch: 0,
            state: MemberState::Stable,
            revoking: Assignment::new(),
            ..old
        };
        self.write(scope, Record::Member { group: group.clone(), member: member.clone(), value: Some(new.metadata()) });
        if let Some(target) = target {
            let partitions = |(topic_id, partitions): (_, std::collections::BTreeSet<i32>)| super::TargetPartitions {
                topic_id,
                partitions: partitions.into_iter().collect(),
            };
            let value = super::ConsumerGroupTargetAssignmentMemberValue {
                topic_partitions: target.into_iter().map(partitions).collect(),
            };
            self.write(scope, Record::Target { group: group.clone(), member: member.clone(), value: Some(value) });
        }
        self.write(scope, Record::Current { group, member, value: Some(new.current()) });
        Ok(new)
    }

    /// Leads a member one step towards its target.
    fn reconcile(&self, scope: &mut Scope<'_, '_>, id: &str, owned: Option<&Assignment>) -> ConsumerMember {
        let Some(member) = self.members.get(id).cloned() else { return ConsumerMember::new(id.to_owned()) };
        if member.is_reconciled_to(self.assignment_epoch) {
            return member;
        }
        let none = Assignment::new();
        let target = self.targets.get(id).unwrap_or(&none);
        let is_free = |topic, partition| !self.held.contains_key(&(topic, partition));
        let next = member.reconciled(target, self.assignment_epoch, owned, is_free);
        if next != member {
            let value = Some(next.current());
            scope.record(Record::Current { group: self.id.clone(), member: id.to_owned(), value });
            if next.state == MemberState::Unrevoked {
                self.expect_revocation(scope, &next);
            } else {
                scope.timers.cancel(&Timer::ConsumerRebalance(self.id.clone(), id.to_owned()));
            }
        }
        next
    }

    fn leave(&self, scope: &mut Scope<'_, '_>, request: &ConsumerGroupHeartbeat) -> Answer {
        let id = match &request.instance_id {
            None => &request.member_id,
            Some(instance) => {
                let current = self.instances.get(instance);
                let current = current
                    .ok_or_else(|| refuse(Refusal::UnknownMemberId, format!("Instance id {instance} is unknown.")))?;
                if *current != request.member_id {
                    let message = format!("Static member {} was fenced by another member.", request.member_id);
                    return Err(refuse(Refusal::FencedInstanceId, message));
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
        } else {
            self.fence(scope, id);
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
        match timer {
            Timer::ConsumerSession(_, member) if self.members.contains_key(member) => {
                tracing::info!(group = %self.id, member, "group member's session is over");
                self.fence(scope, member);
            }
            Timer::ConsumerRebalance(_, member) => {
                let revoking = self.members.get(member).is_some_and(|member| member.state == MemberState::Unrevoked);
                if revoking {
                    tracing::info!(group = %self.id, member, "group member did not give back its partitions in time");
                    self.fence(scope, member);
                }
            }
            _ => {}
        }
    }

    /// Removes a member: what it had is free for a new target.
    pub(super) fn fence(&self, scope: &mut Scope<'_, '_>, id: &str) {
        let mut draft = self.clone();
        draft.cancel_timers(scope, id);
        for record in draft.member_tombstones(id) {
            draft.write(scope, record);
        }
        draft.resolve(scope, false);
        draft.bump(scope);
        draft.assign(scope, None);
    }

    fn cancel_timers(&self, scope: &mut Scope<'_, '_>, member: &str) {
        scope.timers.cancel(&Timer::ConsumerSession(self.id.clone(), member.to_owned()));
        scope.timers.cancel(&Timer::ConsumerRebalance(self.id.clone(), member.to_owned()));
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
        heartbeat_interval_ms: scope.settings.consumer_heartbeat_interval_ms,
        assignment: told.then(|| to_list(&now.assigned)),
    }
}

/// True if the request says anything of the member that is not known.
fn changes(member: &ConsumerMember, request: &ConsumerGroupHeartbeat) -> bool {
    let mut updated = member.clone();
    update(&mut updated, request);
    updated != *member
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

/// A member that did not get its last answer may come with the epoch before, if it owns nothing more than it was given.
fn check_epoch(member: &ConsumerMember, epoch: i32, owned: Option<&Assignment>) -> Result<(), GroupError> {
    let (known, id) = (member.epoch, &member.id);
    let retries = epoch == member.previous_epoch && owned.is_some_and(|owned| is_within(owned, &member.assigned));
    if epoch == known || epoch < known && retries {
        return Ok(());
    }
    let than = if epoch > known { "greater" } else { "smaller" };
    let message = format!(
        "The consumer group member {id} has a {than} member epoch ({epoch}) than the one known by the group coordinator \
         ({known}). The member must abandon all its partitions and rejoin."
    );
    Err(refuse(Refusal::FencedMemberEpoch, message))
}

fn refuse(refusal: Refusal, message: String) -> GroupError {
    GroupError { refusal, message: Some(message) }
}
