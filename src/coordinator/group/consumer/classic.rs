//! Members of the classic protocol inside a consumer group: their JoinGroup, SyncGroup, Heartbeat and LeaveGroup (KIP-848).
//!
//! The coordinator assigns to them as to all others. A join is a step towards the target, the generation is the member's epoch, a
//! sync fetches what the step led to, and REBALANCE_IN_PROGRESS asks for the next step.
//!
//! References: Kafka `GroupMetadataManager.java` (`classicGroup*ToConsumerGroup`).

use bytes::Bytes;

use super::super::assignor::Assignment;
use super::super::classic::CONSUMER;
use super::super::event::{
    GroupError, Heartbeat, JoinGroup, JoinRefused, Joined, LeaveGroup, LeavingMember, Left, Refusal, SyncGroup, Synced,
};
use super::super::record::{ClassicMemberMetadata, ClassicProtocol, Record};
use super::super::scope::{Scope, Timer};
use super::super::subscription::{self, AssignedTopic, ConsumerProtocolAssignment, ConsumerProtocolSubscription};
use super::heartbeat::{fenced, refuse};
use super::member::{MemberState, protocols_bytes};
use super::{ConsumerGroup, ConsumerMember};
use crate::base::ids::Uuid;
use crate::base::limits::GROUP_RECORDS_BYTES_MAX;
use crate::coordinator::machine::Topics;

impl ConsumerGroup {
    /// How much more the group would come to in memory with a join, and whether who joins is a member already.
    pub fn join_grows(&self, request: &JoinGroup) -> (usize, bool) {
        let named = self.members.get(&request.member_id);
        let known = named.or_else(|| self.members.get(self.instances.get(request.instance_id.as_ref()?)?));
        let asked: usize = request.protocols.iter().map(|(name, metadata)| name.len() + metadata.len()).sum();
        match known {
            Some(member) => {
                let before = member.classic.as_ref().map_or(0, protocols_bytes);
                (2 * asked.saturating_sub(before), true)
            }
            None => (2 * asked + ConsumerMember::new(request.member_id.clone()).weight(), false),
        }
    }

    /// JoinGroup.
    ///
    /// # Errors
    /// As Kafka's `classicGroupJoinToConsumerGroup`.
    pub fn classic_join(&self, scope: &mut Scope<'_, '_>, request: &JoinGroup) -> Result<Joined, JoinRefused> {
        let is_new = request.member_id.is_empty();
        let id =
            if is_new { Uuid::from_random((scope.context.random)()).to_string() } else { request.member_id.clone() };
        let refused = |error: GroupError| JoinRefused { error, member_id: request.member_id.clone() };
        if self.members.len() >= scope.settings.consumer_size_max && !self.members.contains_key(&id) {
            return Err(refused(self.is_full(scope)));
        }
        let first = request.protocols.first().filter(|_| self.supports_classic(request));
        let Some((protocol, metadata)) = first else {
            return Err(refused(Refusal::InconsistentGroupProtocol.into()));
        };
        let Some(wishes) = subscription::read(metadata) else {
            return Err(refused(Refusal::InconsistentGroupProtocol.into()));
        };
        if is_new && request.instance_id.is_none() && request.member_id_required {
            return Err(JoinRefused { error: Refusal::MemberIdRequired.into(), member_id: id });
        }
        // All of them are to fit into one record if the group becomes a classic one.
        let asked: usize = request.protocols.iter().map(|(name, metadata)| name.len() + metadata.len()).sum();
        if asked + self.classic_bytes() > GROUP_RECORDS_BYTES_MAX {
            return Err(refused(Refusal::UnknownServerError.into()));
        }
        let mut draft = self.clone();
        let before = draft.find_classic(scope, request, id, is_new).map_err(refused)?;
        let updated = of_request(&before, request, &wishes);
        let id = updated.id.clone();
        let known = draft.members.contains_key(&id);
        if !known || updated != before {
            let value = Some(updated.metadata());
            draft.write(scope, Record::Member { group: draft.id.clone(), member: id.clone(), value });
        }
        let changed = !known || updated.topics != before.topics || updated.regex != before.regex;
        let owned = owned_of(&wishes, scope.context.topics);
        draft.settle(scope, changed);
        let now = draft.reconcile(scope, &id, Some(&owned)).unwrap_or(updated);
        scope.timers.cancel(&Timer::ConsumerJoin(self.id.clone(), id.clone()));
        if self.has_consumers() && draft.may_downgrade(scope.settings) {
            let value = Some(now.current());
            draft.replay(Record::Current { group: self.id.clone(), member: id.clone(), value });
            let settled = !changed && draft.members.values().all(|one| one.is_reconciled_to(draft.assignment_epoch));
            draft.downgrade(scope, !settled);
        } else {
            draft.expect_heartbeat(scope, &now);
            let at = scope.after_ms(request.rebalance_timeout_ms);
            scope.timers.set(Timer::ConsumerSync(self.id.clone(), id.clone()), at);
        }
        Ok(Joined {
            generation: now.epoch,
            protocol_type: Some(CONSUMER.to_owned()),
            protocol: Some(protocol.clone()),
            // Nobody leads: nobody is to assign.
            leader: String::new(),
            skip_assignment: false,
            member_id: id,
            members: Vec::new(),
        })
    }

    /// About what the members of the classic protocol take in the log.
    fn classic_bytes(&self) -> usize {
        self.members.values().filter_map(|member| member.classic.as_ref()).map(protocols_bytes).sum()
    }

    /// True if there is a protocol that the request and all members of the classic protocol know.
    fn supports_classic(&self, request: &JoinGroup) -> bool {
        let mut classic = self.members.values().filter_map(|member| member.classic.as_ref());
        let known = |name: &str| classic.all(|member| member.supported_protocols.iter().any(|one| one.name == name));
        let mut known = known;
        request.protocol_type == CONSUMER && request.protocols.iter().any(|(name, _)| known(name))
    }

    /// The member that joins, as it was; a new one; or one that takes the place of a static member.
    fn find_classic(
        &mut self,
        scope: &mut Scope<'_, '_>,
        request: &JoinGroup,
        id: String,
        is_new: bool,
    ) -> Result<ConsumerMember, GroupError> {
        let Some(instance) = &request.instance_id else {
            return Ok(self.members.get(&id).cloned().unwrap_or_else(|| ConsumerMember::new(id)));
        };
        let current = self.instances.get(instance).and_then(|member| self.members.get(member)).cloned();
        match current {
            None if is_new => Ok(ConsumerMember::new(id)),
            None => Err(refuse(Refusal::UnknownMemberId, format!("Instance id {instance} is unknown."))),
            Some(current) if is_new => Ok(self.replace(scope, &current, id)),
            Some(current) if current.id == id => Ok(current),
            Some(current) => Err(fenced(&id, instance, &current.id)),
        }
    }

    /// SyncGroup: what the last join led to.
    ///
    /// # Errors
    /// As Kafka's `classicGroupSyncToConsumerGroup`.
    pub fn classic_sync(&self, scope: &mut Scope<'_, '_>, request: &SyncGroup) -> Result<Synced, GroupError> {
        let member = self.classic_member(&request.member_id, request.instance_id.as_deref())?;
        let Some(classic) = &member.classic else { return Err(Refusal::UnknownMemberId.into()) };
        generation_is(member, request.generation)?;
        let first = classic.supported_protocols.first();
        let differs = |asked: &Option<String>, is: Option<&str>| asked.is_some() && asked.as_deref() != is;
        if differs(&request.protocol_type, Some(CONSUMER))
            || differs(&request.protocol, first.map(|protocol| protocol.name.as_str()))
        {
            return Err(Refusal::InconsistentGroupProtocol.into());
        }
        if self.epoch > member.epoch && member.state != MemberState::Unrevoked {
            self.expect_join(scope, member);
            return Err(Refusal::RebalanceInProgress.into());
        }
        scope.timers.cancel(&Timer::ConsumerSync(self.id.clone(), member.id.clone()));
        self.expect_heartbeat(scope, member);
        let assignment = assignment_for(member, &member.assigned, scope.context.topics);
        let (protocol_type, protocol) = (request.protocol_type.clone(), request.protocol.clone());
        Ok(Synced { protocol_type, protocol, assignment })
    }

    /// Heartbeat: asks a member to join again if a step is to be made.
    ///
    /// # Errors
    /// As Kafka's `classicGroupHeartbeatToConsumerGroup`.
    pub fn classic_heartbeat(&self, scope: &mut Scope<'_, '_>, request: &Heartbeat) -> Result<(), GroupError> {
        let member = self.classic_member(&request.member_id, request.instance_id.as_deref())?;
        generation_is(member, request.generation)?;
        self.expect_heartbeat(scope, member);
        let may_go_on = match member.state {
            MemberState::Unrevoked => true,
            MemberState::Unreleased => !self.waits_for_others(member),
            _ => false,
        };
        if member.epoch < self.epoch || may_go_on {
            self.expect_join(scope, member);
            return Err(Refusal::RebalanceInProgress.into());
        }
        Ok(())
    }

    /// LeaveGroup: members go, of either protocol.
    pub fn classic_leave(&self, scope: &mut Scope<'_, '_>, request: LeaveGroup) -> Vec<Left> {
        let mut gone: Vec<String> = Vec::new();
        let mut left = Vec::with_capacity(request.members.len());
        for leaving in request.members {
            let found = self.leaving(&leaving);
            let outcome = found.map(|id| {
                if !gone.contains(&id) {
                    gone.push(id);
                }
            });
            left.push((leaving, outcome));
        }
        self.fence(scope, &gone);
        left
    }

    fn leaving(&self, leaving: &LeavingMember) -> Result<String, GroupError> {
        let unknown = || GroupError::from(Refusal::UnknownMemberId);
        let Some(instance) = &leaving.instance_id else {
            return self.members.get(&leaving.member_id).map(|member| member.id.clone()).ok_or_else(unknown);
        };
        let current = self.instances.get(instance).ok_or_else(unknown)?;
        // An administrator names static members by their instance.
        if !leaving.member_id.is_empty() && leaving.member_id != *current {
            return Err(fenced(&leaving.member_id, instance, current));
        }
        Ok(current.clone())
    }

    /// A member of the classic protocol, by id and by instance.
    fn classic_member(&self, id: &str, instance: Option<&str>) -> Result<&ConsumerMember, GroupError> {
        if let Some(instance) = instance {
            let current = self.instances.get(instance).ok_or(Refusal::UnknownMemberId)?;
            if current != id {
                return Err(fenced(id, instance, current));
            }
        }
        let member = self.members.get(id).ok_or(Refusal::UnknownMemberId)?;
        if member.classic.is_none() {
            return Err(refuse(Refusal::UnknownMemberId, format!("Member {id} does not use the classic protocol.")));
        }
        Ok(member)
    }

    /// True if others still hold something of the member's target.
    fn waits_for_others(&self, member: &ConsumerMember) -> bool {
        let target = self.targets.get(&member.id).into_iter().flatten();
        target.into_iter().any(|(topic, partitions)| {
            let has = member.assigned.get(topic);
            let missing = partitions.iter().filter(|partition| !has.is_some_and(|has| has.contains(partition)));
            missing.into_iter().any(|partition| self.held.contains_key(&(*topic, *partition)))
        })
    }

    /// The member was asked to join again; the time for it runs from the first asking.
    fn expect_join(&self, scope: &mut Scope<'_, '_>, member: &ConsumerMember) {
        let timer = Timer::ConsumerJoin(self.id.clone(), member.id.clone());
        if scope.timers.of(&timer).is_none() {
            let at = scope.after_ms(member.rebalance_timeout_ms);
            scope.timers.set(timer, at);
        }
    }
}

fn generation_is(member: &ConsumerMember, generation: i32) -> Result<(), GroupError> {
    if member.epoch == generation { Ok(()) } else { Err(Refusal::IllegalGeneration.into()) }
}

fn of_request(before: &ConsumerMember, request: &JoinGroup, wishes: &ConsumerProtocolSubscription) -> ConsumerMember {
    let mut member = before.clone();
    member.client.clone_from(&request.client);
    if request.instance_id.is_some() {
        member.instance_id.clone_from(&request.instance_id);
    }
    if wishes.rack_id.is_some() {
        member.rack_id.clone_from(&wishes.rack_id);
    }
    if request.rebalance_timeout_ms != -1 {
        member.rebalance_timeout_ms = request.rebalance_timeout_ms;
    }
    member.topics = wishes.topics.iter().cloned().collect();
    member.regex = String::new();
    let protocol =
        |(name, metadata): &(String, Bytes)| ClassicProtocol { name: name.clone(), metadata: metadata.clone() };
    member.classic = Some(ClassicMemberMetadata {
        session_timeout_ms: request.session_timeout_ms,
        supported_protocols: request.protocols.iter().map(protocol).collect(),
    });
    member
}

/// What the member says it owns, of the topics that exist.
fn owned_of(wishes: &ConsumerProtocolSubscription, topics: &dyn Topics) -> Assignment {
    let mut owned = Assignment::new();
    for topic in &wishes.owned_partitions {
        if let Some((id, _)) = topics.by_name(&topic.topic) {
            owned.entry(id).or_default().extend(&topic.partitions);
        }
    }
    owned
}

/// An assignment in the words of the classic protocol, in the version that the member speaks.
pub(super) fn assignment_for(member: &ConsumerMember, assigned: &Assignment, topics: &dyn Topics) -> Bytes {
    let named = |(id, partitions): (&Uuid, &std::collections::BTreeSet<i32>)| {
        let (name, _) = topics.by_id(*id)?;
        Some(AssignedTopic { topic: name.to_string(), partitions: partitions.iter().copied().collect() })
    };
    let assigned_partitions = assigned.iter().filter_map(named).collect();
    let first = member.classic.as_ref().and_then(|classic| classic.supported_protocols.first());
    let version = first.and_then(|protocol| subscription::read_with_version(&protocol.metadata));
    let assignment = ConsumerProtocolAssignment { assigned_partitions, user_data: None };
    subscription::write_assignment(&assignment, version.map_or(0, |(version, _)| version))
}
