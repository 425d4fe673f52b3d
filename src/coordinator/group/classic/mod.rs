//! A group of the classic protocol: members join, one of them assigns, all sync (KIP-62, KIP-134, KIP-345, KIP-394, KIP-814).
//!
//! ```text
//! Empty --join--> PreparingRebalance --all joined--> CompletingRebalance --leader synced--> Stable
//!                        ^  |nobody left: Empty              |join, leave, expiry              |
//!                        +-------------------------------------------------------------------+
//! ```
//!
//! What a restart must know is one record, written when a generation is assigned, and when the group empties. All else is soft: a
//! rebalance that a restart interrupts begins again, since its members join again.
//!
//! References: Kafka `ClassicGroup.java`, `ClassicGroupMember.java`, `GroupMetadataManager.java` (`classicGroup*`).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;

use super::event::{
    DescribedGroup, DescribedMember, GroupError, GroupId, Heartbeat, JoinGroup, JoinRefused, LeaveGroup, LeavingMember,
    Left, OffsetCommit, Refusal, Reply, SyncGroup, Synced,
};
use super::offsets::ExpiryBase;
use super::record::{GroupMetadataValue, MemberMetadata, Record};
use super::scope::{Scope, Timer};
use super::subscription;
use crate::base::clock::WallMs;
use crate::base::limits::GROUP_RECORDS_BYTES_MAX;
use crate::coordinator::machine::Ticket;

mod join;
mod member;

pub use member::Member;

/// How long a new member may wait in a join that does not end (Kafka: `CLASSIC_GROUP_NEW_MEMBER_JOIN_TIMEOUT_MS`).
const NEW_MEMBER_JOIN_TIMEOUT_MS: i32 = 5 * 60 * 1000;

/// What a group and an id that was given out come to in memory, about, without names.
const GROUP_BYTES: usize = 1000;
const PENDING_BYTES: usize = 450;
/// Besides, of a group that somebody is in: nodes of trees have places for eleven.
const MEMBERS_BYTES: usize = 2500;

/// The protocol type of consumers; others (Connect's workers) bring their own.
pub const CONSUMER: &str = "consumer";

/// Where a classic group stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    Empty,
    PreparingRebalance,
    CompletingRebalance,
    Stable,
}

impl State {
    /// As Kafka's tools print it.
    pub fn name(self) -> &'static str {
        match self {
            State::Empty => "Empty",
            State::PreparingRebalance => "PreparingRebalance",
            State::CompletingRebalance => "CompletingRebalance",
            State::Stable => "Stable",
        }
    }
}

/// See the module's comment.
#[derive(Debug)]
pub struct ClassicGroup {
    id: GroupId,
    state: State,
    /// Since when.
    since: WallMs,
    /// `None` for a group that only ever committed offsets.
    protocol_type: Option<String>,
    protocol: Option<String>,
    generation: i32,
    leader: Option<String>,
    members: BTreeMap<String, Member>,
    /// Instance id to member id.
    instances: HashMap<String, String>,
    /// Ids that were given out and not come back with yet (KIP-394).
    pending_join: BTreeSet<String>,
    /// Members that were told of the generation and have not synced.
    pending_sync: BTreeSet<String>,
    /// Somebody joined since the initial delay was last prolonged.
    newly_joined: bool,
    /// What is left of the time that the initial delay may take.
    initial_left_ms: Option<i32>,
    /// Topics that the members subscribe to; `None` if that cannot be known.
    topics: Option<BTreeSet<String>>,
}

impl ClassicGroup {
    /// A group that nobody is in.
    pub fn new(id: GroupId, now: WallMs) -> ClassicGroup {
        ClassicGroup {
            id,
            state: State::Empty,
            since: now,
            protocol_type: None,
            protocol: None,
            generation: 0,
            leader: None,
            members: BTreeMap::new(),
            instances: HashMap::new(),
            pending_join: BTreeSet::new(),
            pending_sync: BTreeSet::new(),
            newly_joined: false,
            initial_left_ms: None,
            topics: None,
        }
    }

    /// A group as a record of the log says.
    pub fn from_record(id: GroupId, value: &GroupMetadataValue) -> ClassicGroup {
        let mut group = ClassicGroup::new(id, WallMs(value.current_state_timestamp));
        group.protocol_type = (!value.protocol_type.is_empty()).then(|| value.protocol_type.clone());
        group.protocol = value.protocol.clone();
        group.generation = value.generation;
        group.leader = value.leader.clone();
        for member in &value.members {
            let member = Member::from_record(member, value.protocol.as_deref());
            if let Some(instance) = &member.instance_id {
                group.instances.insert(instance.clone(), member.id.clone());
            }
            group.members.insert(member.id.clone(), member);
        }
        group.state = if group.members.is_empty() { State::Empty } else { State::Stable };
        group.topics = group.subscribed_topics();
        group
    }

    /// A stable group of consumers that comes from the other protocol.
    pub fn of_members(id: GroupId, generation: i32, now: WallMs, members: Vec<Member>) -> ClassicGroup {
        let mut group = ClassicGroup::new(id, now);
        group.state = State::Stable;
        group.generation = generation;
        group.protocol_type = Some(CONSUMER.to_owned());
        group.leader = members.first().map(|member| member.id.clone());
        for member in members {
            if let Some(instance) = &member.instance_id {
                group.instances.insert(instance.clone(), member.id.clone());
            }
            group.members.insert(member.id.clone(), member);
        }
        group.protocol = group.choose_protocol();
        group.topics = group.subscribed_topics();
        group
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    /// The members are to join again, whatever the group is at.
    pub fn rebalance_anew(&mut self, scope: &mut Scope<'_, '_>) {
        if self.state != State::PreparingRebalance {
            self.prepare_rebalance(scope);
        }
    }

    /// The group goes on in the other protocol: who waits is told to join again, and no timer is left.
    pub fn end(&mut self, scope: &mut Scope<'_, '_>) {
        for timer in [Timer::Join(self.id.clone()), Timer::Sync(self.id.clone())] {
            scope.timers.cancel(&timer);
        }
        for member in self.members.keys().chain(&self.pending_join) {
            scope.timers.cancel(&Timer::Session(self.id.clone(), member.clone()));
        }
        for member in self.members.values_mut() {
            member.refuse_waiting(scope, Refusal::RebalanceInProgress);
        }
    }

    /// After a start: the sessions of the members begin now.
    pub fn loaded(&mut self, scope: &mut Scope<'_, '_>) {
        let members: Vec<String> = self.members.keys().cloned().collect();
        members.iter().for_each(|member| self.expect_heartbeat(scope, member));
        if self.members.len() > scope.settings.classic_size_max {
            self.prepare_rebalance(scope);
        }
    }

    pub fn state(&self) -> State {
        self.state
    }

    pub fn generation(&self) -> i32 {
        self.generation
    }

    pub fn protocol_type(&self) -> Option<&str> {
        self.protocol_type.as_deref()
    }

    pub fn protocol(&self) -> Option<&str> {
        self.protocol.as_deref()
    }

    pub fn leader(&self) -> Option<&str> {
        self.leader.as_deref()
    }

    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    pub fn is_empty(&self) -> bool {
        self.state == State::Empty && self.pending_join.is_empty()
    }

    /// What it comes to in memory, about, with its timers.
    pub fn weight(&self) -> usize {
        // Twice in a timer.
        let name = 2 * self.id.len();
        let pending: usize = self.pending_join.iter().map(|id| PENDING_BYTES + name + 3 * id.len()).sum();
        let members: usize = self.members.values().map(|member| name + member.weight()).sum();
        let topics: usize = self.topics.iter().flatten().map(|topic| topic.len() + 64).sum();
        let inhabited = if self.members.is_empty() { 0 } else { MEMBERS_BYTES };
        GROUP_BYTES + inhabited + 5 * self.id.len() + pending + members + topics
    }

    /// How much more it would come to with a join; and whether who joins is a member already.
    pub fn join_grows(&self, request: &JoinGroup) -> (usize, bool) {
        let named = self.members.get(&request.member_id);
        let known = named.or_else(|| self.members.get(self.instances.get(request.instance_id.as_ref()?)?));
        match known {
            // What it was assigned it keeps, or gives back.
            Some(member) => {
                let now = Member::new(member.id.clone(), request).weight() + member.assignment.len();
                (now.saturating_sub(member.weight()), true)
            }
            None => {
                // The id that it is given: the client's, and a UUID.
                let id = "-".repeat(request.client.id.len() + 37);
                let first = if self.members.is_empty() { GROUP_BYTES + MEMBERS_BYTES } else { 0 };
                (first + 2 * self.id.len() + Member::new(id, request).weight(), false)
            }
        }
    }

    /// The bytes of all assignments.
    pub fn assignments_bytes(&self) -> usize {
        self.members.values().map(|member| member.assignment.len()).sum()
    }

    /// Nobody is in it, nor about to be, and nothing was ever written of it: it need not be kept.
    pub fn is_nothing(&self) -> bool {
        self.is_empty() && self.generation == 0 && self.protocol_type.is_none()
    }

    /// Heartbeat: a member is alive.
    ///
    /// # Errors
    /// It is not a member of this generation, or a rebalance is under way.
    pub fn heartbeat(&mut self, scope: &mut Scope<'_, '_>, request: &Heartbeat) -> Result<(), GroupError> {
        self.check_member(&request.member_id, request.instance_id.as_deref())?;
        if request.generation != self.generation {
            return Err(Refusal::IllegalGeneration.into());
        }
        match self.state {
            State::Empty => Err(Refusal::UnknownMemberId.into()),
            State::PreparingRebalance => {
                self.expect_heartbeat(scope, &request.member_id);
                Err(Refusal::RebalanceInProgress.into())
            }
            State::CompletingRebalance | State::Stable => {
                self.expect_heartbeat(scope, &request.member_id);
                Ok(())
            }
        }
    }

    /// SyncGroup: a member asks for its assignment; the leader brings all of them.
    pub fn sync(&mut self, scope: &mut Scope<'_, '_>, ticket: Ticket, request: SyncGroup) {
        if let Err(error) = self.check_sync(&request) {
            return scope.reply(ticket, Reply::SyncGroup(Err(error)));
        }
        let member_id = request.member_id;
        match self.state {
            State::Empty => scope.reply(ticket, Reply::SyncGroup(Err(Refusal::UnknownMemberId.into()))),
            State::PreparingRebalance => {
                scope.reply(ticket, Reply::SyncGroup(Err(Refusal::RebalanceInProgress.into())));
            }
            State::CompletingRebalance => {
                self.pending_sync.remove(&member_id);
                if let Some(member) = self.members.get_mut(&member_id) {
                    // An earlier sync of this member was given up by its client.
                    if let Some(earlier) = member.awaiting_sync.replace(ticket) {
                        scope.reply(earlier, Reply::SyncGroup(Err(Refusal::RebalanceInProgress.into())));
                    }
                }
                if self.leader.as_deref() == Some(&*member_id) {
                    self.assign(scope, request.assignments);
                }
            }
            State::Stable => {
                self.pending_sync.remove(&member_id);
                if self.pending_sync.is_empty() {
                    scope.timers.cancel(&Timer::Sync(self.id.clone()));
                }
                self.expect_heartbeat(scope, &member_id);
                let synced = self.synced(&member_id);
                scope.reply(ticket, Reply::SyncGroup(Ok(synced)));
            }
        }
    }

    fn check_sync(&self, request: &SyncGroup) -> Result<(), GroupError> {
        self.check_member(&request.member_id, request.instance_id.as_deref())?;
        if request.generation != self.generation {
            return Err(Refusal::IllegalGeneration.into());
        }
        let differs = |asked: &Option<String>, ours: &Option<String>| asked.is_some() && asked != ours;
        if differs(&request.protocol_type, &self.protocol_type) || differs(&request.protocol, &self.protocol) {
            return Err(Refusal::InconsistentGroupProtocol.into());
        }
        Ok(())
    }

    /// The leader has assigned: the generation is written, and everyone who waits is told.
    fn assign(&mut self, scope: &mut Scope<'_, '_>, assignments: Vec<(String, Bytes)>) {
        let given: usize = assignments.iter().map(|(_, assignment)| assignment.len()).sum();
        if given + self.bytes() > GROUP_RECORDS_BYTES_MAX {
            // As Kafka answers when the record is too big for its log.
            for member in self.members.values_mut() {
                if let Some(ticket) = member.awaiting_sync.take() {
                    scope.reply(ticket, Reply::SyncGroup(Err(Refusal::UnknownServerError.into())));
                }
            }
            return self.prepare_rebalance(scope);
        }
        let mut assignments: HashMap<String, Bytes> = assignments.into_iter().collect();
        for member in self.members.values_mut() {
            member.assignment = assignments.remove(&member.id).unwrap_or_default();
        }
        self.enter(scope, State::Stable);
        scope.record(self.record());
        let waiting: Vec<(String, Ticket)> = self
            .members
            .values_mut()
            .filter_map(|member| Some((member.id.clone(), member.awaiting_sync.take()?)))
            .collect();
        for (member, ticket) in waiting {
            self.expect_heartbeat(scope, &member);
            let synced = self.synced(&member);
            scope.reply(ticket, Reply::SyncGroup(Ok(synced)));
        }
        if self.pending_sync.is_empty() {
            scope.timers.cancel(&Timer::Sync(self.id.clone()));
        }
    }

    fn synced(&self, member: &str) -> Synced {
        Synced {
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            assignment: self.members.get(member).map(|member| member.assignment.clone()).unwrap_or_default(),
        }
    }

    /// LeaveGroup: members go.
    pub fn leave(&mut self, scope: &mut Scope<'_, '_>, request: LeaveGroup) -> Vec<Left> {
        let mut removed = false;
        let mut left = Vec::with_capacity(request.members.len());
        for leaving in request.members {
            let outcome = self.leave_one(scope, &leaving);
            removed |= matches!(outcome, Ok(true));
            left.push((leaving, outcome.map(drop)));
        }
        if removed {
            self.after_removal(scope);
        }
        left
    }

    /// Removes one member; says whether that changes the group.
    fn leave_one(&mut self, scope: &mut Scope<'_, '_>, leaving: &LeavingMember) -> Result<bool, GroupError> {
        let member = if leaving.member_id.is_empty() {
            // An administrator names static members by their instance.
            let instance = leaving.instance_id.as_ref().and_then(|instance| self.instances.get(instance));
            instance.cloned().ok_or(Refusal::UnknownMemberId)?
        } else if self.pending_join.contains(&leaving.member_id) {
            self.pending_join.remove(&leaving.member_id);
            scope.timers.cancel(&Timer::Session(self.id.clone(), leaving.member_id.clone()));
            return Ok(true);
        } else {
            self.check_member(&leaving.member_id, leaving.instance_id.as_deref())?;
            leaving.member_id.clone()
        };
        self.remove(scope, &member, Refusal::UnknownMemberId);
        Ok(true)
    }

    /// A timer of this group is due.
    pub fn timer(&mut self, scope: &mut Scope<'_, '_>, timer: &Timer) {
        match timer {
            Timer::Session(_, member) => self.session_over(scope, member),
            Timer::Join(_) => self.join_timer(scope),
            Timer::Sync(_) => self.sync_timer(scope),
            _ => {}
        }
    }

    fn session_over(&mut self, scope: &mut Scope<'_, '_>, member: &str) {
        if self.pending_join.remove(member) {
            return self.after_removal(scope);
        }
        let Some(found) = self.members.get(member) else { return };
        // Who waits for a rebalance is alive; only a new member's wait has an end.
        if !found.is_new && (found.awaiting_join.is_some() || found.awaiting_sync.is_some()) {
            return;
        }
        tracing::info!(group = %self.id, member, "group member's session is over");
        self.remove(scope, member, Refusal::UnknownMemberId);
        self.after_removal(scope);
    }

    /// Members that were told of the generation and never synced are removed.
    fn sync_timer(&mut self, scope: &mut Scope<'_, '_>) {
        if !matches!(self.state, State::CompletingRebalance | State::Stable) || self.pending_sync.is_empty() {
            return;
        }
        for member in std::mem::take(&mut self.pending_sync) {
            tracing::info!(group = %self.id, member, "group member did not sync in time");
            self.remove(scope, &member, Refusal::UnknownMemberId);
        }
        self.prepare_rebalance(scope);
    }

    fn after_removal(&mut self, scope: &mut Scope<'_, '_>) {
        match self.state {
            State::Empty => {}
            State::Stable | State::CompletingRebalance => self.prepare_rebalance(scope),
            State::PreparingRebalance => self.complete_join_if_all_are_here(scope),
        }
    }

    /// Takes a member out; a request of it that waits is refused.
    fn remove(&mut self, scope: &mut Scope<'_, '_>, member: &str, refusal: Refusal) {
        scope.timers.cancel(&Timer::Session(self.id.clone(), member.to_owned()));
        self.pending_join.remove(member);
        self.pending_sync.remove(member);
        let Some(mut gone) = self.members.remove(member) else { return };
        if let Some(instance) = &gone.instance_id {
            self.instances.remove(instance);
        }
        gone.refuse_waiting(scope, refusal);
        if self.leader.as_deref() == Some(member) {
            self.leader = self.members.keys().next().cloned();
        }
    }

    /// Checks that a member is one, by id and by instance.
    ///
    /// # Errors
    /// `UnknownMemberId`, `FencedInstanceId`.
    fn check_member(&self, member: &str, instance: Option<&str>) -> Result<(), GroupError> {
        match instance {
            None if self.members.contains_key(member) => Ok(()),
            None => Err(Refusal::UnknownMemberId.into()),
            Some(instance) => match self.instances.get(instance) {
                None => Err(Refusal::UnknownMemberId.into()),
                Some(current) if current != member => Err(Refusal::FencedInstanceId.into()),
                Some(_) => Ok(()),
            },
        }
    }

    /// Whether a commit of this member and generation may be written.
    ///
    /// # Errors
    /// As Kafka's `ClassicGroup.validateOffsetCommit`.
    pub fn check_commit(&mut self, scope: &mut Scope<'_, '_>, request: &OffsetCommit) -> Result<(), GroupError> {
        let (member, instance) = (request.member_id.as_str(), request.instance_id.as_deref());
        let (generation, transactional) = (request.generation_or_epoch, request.transaction.is_some());
        if generation < 0 && self.state == State::Empty {
            // From an administrator, or a consumer that uses no group management.
            return Ok(());
        }
        if generation >= 0 || !member.is_empty() || instance.is_some() {
            self.check_member(member, instance)?;
            if generation != self.generation {
                return Err(Refusal::IllegalGeneration.into());
            }
        } else if !transactional {
            return Err(Refusal::UnknownMemberId.into());
        }
        if !transactional && self.state == State::CompletingRebalance {
            // It has heard of the generation and will come to the sync.
            return Err(Refusal::RebalanceInProgress.into());
        }
        if self.members.contains_key(member) {
            self.expect_heartbeat(scope, member);
        }
        Ok(())
    }

    /// Whether offsets may be deleted while the group is as it is.
    ///
    /// # Errors
    /// `NonEmptyGroup` while members of another kind than consumers are in it.
    pub fn check_offset_delete(&self) -> Result<(), GroupError> {
        let of_consumers = self.protocol_type.as_deref() == Some(CONSUMER);
        if self.state == State::Empty || of_consumers { Ok(()) } else { Err(Refusal::NonEmptyGroup.into()) }
    }

    /// Whether the group may be deleted.
    ///
    /// # Errors
    /// `NonEmptyGroup`.
    pub fn check_delete(&self) -> Result<(), GroupError> {
        if self.state == State::Empty { Ok(()) } else { Err(Refusal::NonEmptyGroup.into()) }
    }

    /// True if a member reads this topic, or may: members whose subscription cannot be read may read anything.
    pub fn is_subscribed(&self, topic: &str) -> bool {
        match &self.topics {
            Some(topics) => topics.contains(topic),
            None => !self.members.is_empty(),
        }
    }

    /// From when the offsets' time counts; `None`: they are in use.
    pub fn expiry_base(&self) -> Option<ExpiryBase> {
        match (&self.protocol_type, self.state) {
            (None, _) => Some(ExpiryBase::Commit),
            (Some(_), State::Empty) if self.since.0 < 0 => Some(ExpiryBase::Commit),
            (Some(_), State::Empty) => Some(ExpiryBase::Emptied(self.since)),
            (Some(_), State::Stable) if self.topics.is_some() => Some(ExpiryBase::Commit),
            _ => None,
        }
    }

    /// The group in full.
    pub fn describe(&self) -> DescribedGroup {
        let stable = self.state == State::Stable;
        let members = self.members.values().map(|member| DescribedMember {
            member_id: member.id.clone(),
            instance_id: member.instance_id.clone(),
            client: member.client.clone(),
            metadata: if stable { member.metadata(self.protocol.as_deref()) } else { Bytes::new() },
            assignment: if stable { member.assignment.clone() } else { Bytes::new() },
        });
        DescribedGroup {
            state: self.state.name(),
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            protocol: self.protocol.clone().filter(|_| stable).unwrap_or_default(),
            members: members.collect(),
        }
    }

    /// The group as it is to be remembered.
    pub fn record(&self) -> Record {
        let members = self.members.values().map(|member| MemberMetadata {
            member_id: member.id.clone(),
            group_instance_id: member.instance_id.clone(),
            client_id: member.client.id.clone(),
            client_host: member.client.host.clone(),
            rebalance_timeout: member.rebalance_timeout_ms,
            session_timeout: member.session_timeout_ms,
            subscription: member.metadata(self.protocol.as_deref()),
            assignment: member.assignment.clone(),
        });
        let value = GroupMetadataValue {
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            generation: self.generation,
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            current_state_timestamp: self.since.0,
            members: members.collect(),
        };
        Record::Group { group: self.id.clone(), value: Some(value) }
    }

    fn enter(&mut self, scope: &Scope<'_, '_>, state: State) {
        self.state = state;
        self.since = scope.context.wall;
    }

    /// The member's session begins anew.
    fn expect_heartbeat(&self, scope: &mut Scope<'_, '_>, member: &str) {
        let Some(found) = self.members.get(member) else { return };
        let at = scope.after_ms(found.session_timeout_ms);
        scope.timers.set(Timer::Session(self.id.clone(), member.to_owned()), at);
    }

    /// About what the members take in the log, besides their assignments.
    fn bytes(&self) -> usize {
        self.members.values().map(Member::bytes).sum()
    }

    fn rebalance_timeout_ms(&self) -> i32 {
        self.members.values().map(|member| member.rebalance_timeout_ms).max().unwrap_or(0)
    }

    fn subscribed_topics(&self) -> Option<BTreeSet<String>> {
        if self.protocol_type.as_deref() != Some(CONSUMER) {
            return None;
        }
        if self.members.is_empty() {
            return Some(BTreeSet::new());
        }
        let protocol = self.protocol.as_deref()?;
        let mut topics = BTreeSet::new();
        for member in self.members.values() {
            topics.extend(subscription::read(&member.metadata(Some(protocol)))?.topics);
        }
        Some(topics)
    }
}

fn refuse_join(refusal: Refusal, member_id: String) -> Reply {
    Reply::JoinGroup(Err(JoinRefused { error: refusal.into(), member_id }))
}
