//! JoinGroup: how members come together for a generation.

use bytes::Bytes;

use super::super::event::{JoinGroup, JoinRefused, Joined, Refusal, Reply};
use super::super::scope::{Scope, Timer};
use super::{ClassicGroup, Member, NEW_MEMBER_JOIN_TIMEOUT_MS, State, refuse_join};
use crate::base::ids::Uuid;
use crate::base::limits::GROUP_RECORDS_BYTES_MAX;
use crate::coordinator::machine::Ticket;

impl ClassicGroup {
    /// A member joins, for the first time or again.
    pub fn join(&mut self, scope: &mut Scope<'_, '_>, ticket: Ticket, request: JoinGroup) {
        if !self.has_room_for(&request.member_id, scope.settings.classic_size_max) {
            self.remove(scope, &request.member_id, Refusal::GroupMaxSizeReached);
            return scope.reply(ticket, refuse_join(Refusal::GroupMaxSizeReached, String::new()));
        }
        let asked: usize = request.protocols.iter().map(|(name, metadata)| name.len() + metadata.len()).sum();
        if asked + self.bytes() > GROUP_RECORDS_BYTES_MAX {
            return scope.reply(ticket, refuse_join(Refusal::UnknownServerError, request.member_id));
        }
        if !self.supports_protocols(&request) {
            return scope.reply(ticket, refuse_join(Refusal::InconsistentGroupProtocol, request.member_id));
        }
        if request.member_id.is_empty() {
            self.join_new(scope, ticket, request)
        } else {
            self.join_again(scope, ticket, request)
        }
    }

    /// While members gather, those who wait count; later, all.
    fn has_room_for(&self, member: &str, size_max: usize) -> bool {
        let known = self.members.get(member);
        match self.state {
            State::Empty => true,
            State::PreparingRebalance => {
                let waiting = self.members.values().filter(|member| member.awaiting_join.is_some()).count();
                known.is_some_and(|member| member.awaiting_join.is_some()) || waiting < size_max
            }
            State::CompletingRebalance | State::Stable => known.is_some() || self.members.len() < size_max,
        }
    }

    fn supports_protocols(&self, request: &JoinGroup) -> bool {
        if request.protocol_type.is_empty() || request.protocols.is_empty() {
            return false;
        }
        if self.state == State::Empty {
            return true;
        }
        let common = |name: &str| self.members.values().all(|member| member.supports(name));
        self.protocol_type.as_ref() == Some(&request.protocol_type)
            && request.protocols.iter().any(|(name, _)| common(name))
    }

    fn join_new(&mut self, scope: &mut Scope<'_, '_>, ticket: Ticket, request: JoinGroup) {
        let prefix = request.instance_id.as_ref().unwrap_or(&request.client.id);
        let id = format!("{prefix}-{}", hyphened(Uuid::from_random((scope.context.random)())));
        if let Some(instance) = &request.instance_id {
            if let Some(old) = self.instances.get(instance).cloned() {
                return self.join_static_again(scope, ticket, &old, id, &request);
            }
        } else if request.member_id_required {
            self.pending_join.insert(id.clone());
            let at = scope.after_ms(request.session_timeout_ms);
            scope.timers.set(Timer::Session(self.id.clone(), id.clone()), at);
            return scope.reply(ticket, refuse_join(Refusal::MemberIdRequired, id));
        }
        self.add(scope, ticket, id, &request);
    }

    fn join_again(&mut self, scope: &mut Scope<'_, '_>, ticket: Ticket, request: JoinGroup) {
        let id = request.member_id.clone();
        if request.instance_id.is_none() && self.pending_join.contains(&id) {
            return self.add(scope, ticket, id, &request);
        }
        if let Err(error) = self.check_member(&id, request.instance_id.as_deref()) {
            return scope.reply(ticket, Reply::JoinGroup(Err(JoinRefused { error, member_id: id })));
        }
        let unchanged = self.members.get(&id).is_some_and(|member| member.protocols == request.protocols);
        let leads = self.leader.as_deref() == Some(&*id);
        match self.state {
            State::PreparingRebalance => self.update(scope, ticket, &id, &request),
            // It did not get the answer to its join.
            State::CompletingRebalance if unchanged => {
                let joined = self.joined(&id, leads);
                scope.reply(ticket, Reply::JoinGroup(Ok(joined)));
            }
            // The leader asks for a rebalance, say because topics changed.
            State::Stable if !leads && unchanged => {
                let joined = self.joined(&id, false);
                scope.reply(ticket, Reply::JoinGroup(Ok(joined)));
            }
            State::CompletingRebalance | State::Stable => self.update(scope, ticket, &id, &request),
            State::Empty => scope.reply(ticket, refuse_join(Refusal::UnknownMemberId, id)),
        }
    }

    /// A static member came back without its id: it takes the place of its former self, without a rebalance if it can.
    fn join_static_again(
        &mut self,
        scope: &mut Scope<'_, '_>,
        ticket: Ticket,
        old: &str,
        id: String,
        request: &JoinGroup,
    ) {
        let leader = self.leader.clone();
        let led = leader.as_deref() == Some(old);
        let Some(mut member) = self.members.remove(old) else {
            return scope.reply(ticket, refuse_join(Refusal::UnknownMemberId, id));
        };
        member.refuse_waiting(scope, Refusal::FencedInstanceId);
        scope.timers.cancel(&Timer::Session(self.id.clone(), old.to_owned()));
        self.pending_sync.remove(old);
        member.id.clone_from(&id);
        member.update(request);
        if let Some(instance) = &member.instance_id {
            self.instances.insert(instance.clone(), id.clone());
        }
        self.members.insert(id.clone(), member);
        if led {
            self.leader = Some(id.clone());
        }
        self.expect_heartbeat(scope, &id);
        match self.state {
            State::Stable if self.protocol == self.choose_protocol() => {
                scope.record(self.record());
                let mut joined = self.joined(&id, false);
                if request.may_skip_assignment {
                    // A leader that knows what to skip must still watch its subscription (KIP-814).
                    joined = self.joined(&id, led);
                    joined.skip_assignment = led;
                } else if let Some(leader) = leader {
                    // Told that its former self leads, it does not assign.
                    joined.leader = leader;
                }
                scope.reply(ticket, Reply::JoinGroup(Ok(joined)));
            }
            State::Empty => scope.reply(ticket, refuse_join(Refusal::UnknownMemberId, id)),
            _ => {
                self.wait_for_join(scope, ticket, &id);
                self.rebalance(scope);
            }
        }
    }

    fn add(&mut self, scope: &mut Scope<'_, '_>, ticket: Ticket, id: String, request: &JoinGroup) {
        self.pending_join.remove(&id);
        if self.members.is_empty() {
            self.protocol_type = Some(request.protocol_type.clone());
        }
        if let Some(instance) = &request.instance_id {
            self.instances.insert(instance.clone(), id.clone());
        }
        if self.leader.is_none() {
            self.leader = Some(id.clone());
        }
        if self.state == State::PreparingRebalance && self.initial_left_ms.is_some() {
            self.newly_joined = true;
        }
        self.members.insert(id.clone(), Member::new(id.clone(), request));
        // A join that waits sends no heartbeats; the wait must end all the same.
        let at = scope.after_ms(NEW_MEMBER_JOIN_TIMEOUT_MS);
        scope.timers.set(Timer::Session(self.id.clone(), id.clone()), at);
        self.wait_for_join(scope, ticket, &id);
        self.rebalance(scope);
    }

    fn update(&mut self, scope: &mut Scope<'_, '_>, ticket: Ticket, id: &str, request: &JoinGroup) {
        if let Some(member) = self.members.get_mut(id) {
            member.update(request);
        }
        self.wait_for_join(scope, ticket, id);
        self.rebalance(scope);
    }

    fn wait_for_join(&mut self, scope: &mut Scope<'_, '_>, ticket: Ticket, id: &str) {
        let Some(member) = self.members.get_mut(id) else { return };
        // The client gave up an earlier join and asks again.
        if let Some(earlier) = member.awaiting_join.replace(ticket) {
            scope.reply(earlier, refuse_join(Refusal::UnknownMemberId, id.to_owned()));
        }
    }

    /// Begins a rebalance, or goes on with the one that gathers.
    fn rebalance(&mut self, scope: &mut Scope<'_, '_>) {
        if self.state == State::PreparingRebalance {
            self.complete_join_if_all_are_here(scope);
        } else {
            self.prepare_rebalance(scope);
        }
    }

    /// Begins to gather the members.
    pub(super) fn prepare_rebalance(&mut self, scope: &mut Scope<'_, '_>) {
        scope.timers.cancel(&Timer::Sync(self.id.clone()));
        self.pending_sync.clear();
        for member in self.members.values_mut() {
            if let Some(ticket) = member.awaiting_sync.take() {
                scope.reply(ticket, Reply::SyncGroup(Err(Refusal::RebalanceInProgress.into())));
            }
        }
        // Who waited for the leader is to send heartbeats again.
        let silent: Vec<String> = self.members.values().filter(|member| !member.is_new).map(|m| m.id.clone()).collect();
        silent.iter().for_each(|member| self.expect_heartbeat_unless_set(scope, member));
        let was_empty = self.state == State::Empty;
        self.enter(scope, State::PreparingRebalance);
        let delay = scope.settings.initial_rebalance_delay_ms;
        if was_empty && delay > 0 {
            self.initial_left_ms = Some((self.rebalance_timeout_ms() - delay).max(0));
            self.newly_joined = false;
            let at = scope.after_ms(delay);
            return scope.timers.set(Timer::Join(self.id.clone()), at);
        }
        self.complete_join_if_all_are_here(scope);
    }

    fn expect_heartbeat_unless_set(&self, scope: &mut Scope<'_, '_>, member: &str) {
        if scope.timers.of(&Timer::Session(self.id.clone(), member.to_owned())).is_none() {
            self.expect_heartbeat(scope, member);
        }
    }

    /// Completes the gathering if nobody is missing; else it has the members' rebalance timeout.
    pub(super) fn complete_join_if_all_are_here(&mut self, scope: &mut Scope<'_, '_>) {
        if self.initial_left_ms.is_some() {
            return;
        }
        let all = self.members.values().all(|member| member.awaiting_join.is_some()) && self.pending_join.is_empty();
        if all {
            return self.complete_join(scope);
        }
        // Who comes or goes meanwhile does not prolong it.
        let timer = Timer::Join(self.id.clone());
        if scope.timers.of(&timer).is_none() {
            let at = scope.after_ms(self.rebalance_timeout_ms());
            scope.timers.set(timer, at);
        }
    }

    pub(super) fn join_timer(&mut self, scope: &mut Scope<'_, '_>) {
        if self.state != State::PreparingRebalance {
            return;
        }
        if let Some(left) = self.initial_left_ms
            && std::mem::take(&mut self.newly_joined)
            && left > 0
        {
            let delay = scope.settings.initial_rebalance_delay_ms.min(left);
            self.initial_left_ms = Some((left - delay).max(0));
            let at = scope.after_ms(delay);
            return scope.timers.set(Timer::Join(self.id.clone()), at);
        }
        self.complete_join(scope);
    }

    /// The gathering is over: a new generation of those who are here, and of the static members.
    fn complete_join(&mut self, scope: &mut Scope<'_, '_>) {
        self.initial_left_ms = None;
        scope.timers.cancel(&Timer::Join(self.id.clone()));
        let missing = |member: &&Member| member.awaiting_join.is_none() && member.instance_id.is_none();
        let missing: Vec<String> = self.members.values().filter(missing).map(|member| member.id.clone()).collect();
        for member in missing {
            tracing::info!(group = %self.id, member, "group member did not join in time");
            self.remove(scope, &member, Refusal::UnknownMemberId);
        }
        if !self.members.is_empty() && !self.elect_leader() {
            // Only static members are left and none of them came: their sessions decide.
            let at = scope.after_ms(self.rebalance_timeout_ms());
            return scope.timers.set(Timer::Join(self.id.clone()), at);
        }
        self.generation = self.generation.checked_add(1).unwrap_or(1);
        self.pending_sync.clear();
        if self.members.is_empty() {
            self.protocol = None;
            self.leader = None;
            self.topics = self.subscribed_topics();
            self.enter(scope, State::Empty);
            return scope.record(self.record());
        }
        self.protocol = self.choose_protocol();
        self.topics = self.subscribed_topics();
        self.enter(scope, State::CompletingRebalance);
        tracing::info!(group = %self.id, generation = self.generation, members = self.members.len(), "group rebalances");
        self.announce(scope);
    }

    /// Tells everyone of the new generation.
    fn announce(&mut self, scope: &mut Scope<'_, '_>) {
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for id in ids {
            let joined = self.joined(&id, self.leader.as_deref() == Some(&*id));
            if let Some(member) = self.members.get_mut(&id) {
                member.is_new = false;
                if let Some(ticket) = member.awaiting_join.take() {
                    scope.reply(ticket, Reply::JoinGroup(Ok(joined)));
                }
            }
            self.expect_heartbeat(scope, &id);
            self.pending_sync.insert(id);
        }
        let at = scope.after_ms(self.rebalance_timeout_ms());
        scope.timers.set(Timer::Sync(self.id.clone()), at);
    }

    /// Sees to it that the leader is one who has joined; false if nobody has.
    fn elect_leader(&mut self) -> bool {
        let joined = |member: &Member| member.awaiting_join.is_some();
        let leads = self.leader.as_ref().and_then(|leader| self.members.get(leader)).is_some_and(joined);
        if !leads {
            match self.members.values().find(|member| joined(member)) {
                Some(member) => self.leader = Some(member.id.clone()),
                None => return false,
            }
        }
        true
    }

    /// The protocol that most members want the most, of those that all support.
    pub(super) fn choose_protocol(&self) -> Option<String> {
        let common = |name: &str| self.members.values().all(|member| member.supports(name));
        let mut votes: Vec<(&str, usize)> = Vec::new();
        for member in self.members.values() {
            let Some((wanted, _)) = member.protocols.iter().find(|(name, _)| common(name)) else { continue };
            match votes.iter_mut().find(|(name, _)| name == wanted) {
                Some((_, count)) => *count += 1,
                None => votes.push((wanted, 1)),
            }
        }
        let most = votes.iter().map(|(_, count)| *count).max()?;
        votes.iter().find(|(_, count)| *count == most).map(|(name, _)| (*name).to_owned())
    }

    /// What a member is told of the generation.
    fn joined(&self, member: &str, with_members: bool) -> Joined {
        let listed = |member: &Member| {
            (member.id.clone(), member.instance_id.clone(), member.metadata(self.protocol.as_deref()))
        };
        let members: Vec<(String, Option<String>, Bytes)> =
            if with_members { self.members.values().map(listed).collect() } else { Vec::new() };
        Joined {
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader: self.leader.clone().unwrap_or_default(),
            skip_assignment: false,
            member_id: member.to_owned(),
            members,
        }
    }
}

/// A UUID in the form of Java's `UUID.toString`, as Kafka ends member ids.
pub fn hyphened(id: Uuid) -> String {
    let hex = id.0.map(|byte| format!("{byte:02x}")).concat();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
