//! Machines driven by lists of events and a clock that is moved by hand: no sockets, no sleeping.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;

use super::event::{
    Client, CommitPartition, ConsumerGroupHeartbeat, Event, Heartbeat, JoinGroup, LeaveGroup, LeavingMember,
    OffsetCommit, OffsetFetch, Reply, SyncGroup, TopicRef,
};
use super::record::Record;
use super::scope::{ConsumerConfig, ConsumerConfigs, GroupEffects};
use super::{GroupMachine, GroupMemory, GroupSettings};
use crate::base::clock::{Monotonic, WallMs};
use crate::base::ids::{LeaderEpoch, Offset, TopicId, TopicName, Uuid};
use crate::coordinator::machine::{At, Context, Input, Machine, Ticket, Topics};
use crate::settings::Settings;

mod classic;
mod consumer;
mod migration;
mod offsets;
mod schedule;

/// Topics that a test makes up.
#[derive(Default)]
pub struct FakeTopics {
    topics: BTreeMap<String, (TopicId, usize)>,
    edition: u64,
}

impl Topics for FakeTopics {
    fn by_name(&self, name: &str) -> Option<(TopicId, usize)> {
        self.topics.get(name).copied()
    }

    fn by_id(&self, id: TopicId) -> Option<(TopicName, usize)> {
        let (name, (_, count)) = self.topics.iter().find(|(_, (of, _))| *of == id)?;
        Some((TopicName::parse(name).ok()?, *count))
    }

    fn names(&self) -> Vec<TopicName> {
        self.topics.keys().filter_map(|name| TopicName::parse(name).ok()).collect()
    }

    fn edition(&self) -> u64 {
        self.edition
    }
}

/// Configurations of groups that a test makes up: those of all, and those of some.
pub struct FakeConfigs {
    of_all: Mutex<ConsumerConfig>,
    of: Mutex<BTreeMap<String, ConsumerConfig>>,
}

impl FakeConfigs {
    pub fn set_all(&self, change: impl FnOnce(&mut ConsumerConfig)) {
        change(&mut self.of_all.lock());
    }

    pub fn set(&self, group: &str, config: ConsumerConfig) {
        self.of.lock().insert(group.to_owned(), config);
    }
}

impl ConsumerConfigs for FakeConfigs {
    fn of(&self, group: &str) -> ConsumerConfig {
        self.of.lock().get(group).copied().unwrap_or(*self.of_all.lock())
    }
}

/// A machine, its log and its clock.
pub struct Rig {
    pub machine: GroupMachine,
    pub settings: Arc<GroupSettings>,
    pub memory: Arc<GroupMemory>,
    pub configs: Arc<FakeConfigs>,
    pub topics: FakeTopics,
    /// What a restart reads.
    pub log: Vec<Record>,
    replies: HashMap<Ticket, Reply>,
    now_ms: u64,
    tickets: u64,
    /// Requests without an answer.
    asked: usize,
    randomness: u64,
}

impl Rig {
    pub fn new() -> Rig {
        Rig::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut GroupSettings)) -> Rig {
        Rig::with_memory(usize::MAX, change)
    }

    pub fn with_memory(bytes_max: usize, change: impl FnOnce(&mut GroupSettings)) -> Rig {
        let memory = GroupMemory::new(bytes_max);
        let config =
            ConsumerConfig { session_timeout_ms: 45_000, heartbeat_interval_ms: 5_000, assignment_interval_ms: 0 };
        let configs = Arc::new(FakeConfigs { of_all: Mutex::new(config), of: Mutex::default() });
        let mut settings = GroupSettings::of(&Settings::defaults(), Arc::clone(&configs) as Arc<dyn ConsumerConfigs>);
        settings.initial_rebalance_delay_ms = 0;
        change(&mut settings);
        let settings = Arc::new(settings);
        let mut rig = Rig {
            machine: GroupMachine::new(Arc::clone(&settings), Arc::clone(&memory)),
            settings,
            memory,
            configs,
            topics: FakeTopics::default(),
            log: Vec::new(),
            replies: HashMap::new(),
            now_ms: 0,
            tickets: 0,
            asked: 0,
            randomness: 0,
        };
        rig.run(|machine, context| machine.loaded(context));
        rig
    }

    pub fn topic(&mut self, name: &str, partitions: usize) -> TopicId {
        let number = u8::try_from(self.topics.topics.len() + 1).expect("few topics");
        let id = self.topics.topics.get(name).map_or(Uuid([number; 16]), |(id, _)| *id);
        self.topics.topics.insert(name.to_owned(), (id, partitions));
        self.topics.edition += 1;
        self.run(|machine, context| machine.handle(Input::TopicsChanged, context));
        id
    }

    fn run(&mut self, decide: impl FnOnce(&mut GroupMachine, &mut Context<'_>) -> GroupEffects) {
        let mut random = || {
            self.randomness += 1;
            u128::from(self.randomness).to_be_bytes()
        };
        let mut context = Context {
            wall: WallMs(1_000_000 + i64::try_from(self.now_ms).expect("a short test")),
            monotonic: Monotonic(Duration::from_millis(self.now_ms)),
            random: &mut random,
            topics: &self.topics,
        };
        let wall = context.wall;
        let effects = decide(&mut self.machine, &mut context);
        for record in effects.records {
            // What is replayed is what a restart would read.
            let (key, value) = GroupMachine::encode(&record);
            let read = GroupMachine::decode(&key, value.as_deref()).expect("our own record").expect("a known kind");
            assert_eq!(read, record);
            let offset = Offset(i64::try_from(self.log.len()).expect("a short log"));
            self.log.push(record.clone());
            self.machine.replay(record, At { offset, wall, transaction: effects.transaction });
        }
        for (ticket, reply) in effects.replies {
            self.asked -= 1;
            assert!(self.replies.insert(ticket, reply).is_none(), "answered twice");
        }
    }

    /// Asks; the answer may come later.
    pub fn ask(&mut self, event: Event) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.asked += 1;
        self.run(|machine, context| machine.handle(Input::Request { ticket, event }, context));
        ticket
    }

    /// Takes an answer that has come.
    pub fn answer(&mut self, ticket: Ticket) -> Option<Reply> {
        self.replies.remove(&ticket)
    }

    /// Asks for what is answered at once.
    pub fn call(&mut self, event: Event) -> Reply {
        let ticket = self.ask(event);
        self.answer(ticket).expect("an answer at once")
    }

    /// Lets time pass, deadline by deadline.
    pub fn pass(&mut self, ms: u64) {
        let end = self.now_ms + ms;
        loop {
            let next = self.machine.next_deadline().map(|at| u64::try_from(at.0.as_millis()).expect("a short test"));
            match next {
                Some(next) if next <= end => {
                    self.now_ms = self.now_ms.max(next);
                    self.run(|machine, context| machine.handle(Input::Deadline, context));
                }
                _ => break,
            }
        }
        self.now_ms = end;
    }

    /// A broker that starts on the log as it is now.
    pub fn restart(&mut self) {
        self.machine = self.replayed_into(GroupMachine::new(Arc::clone(&self.settings), Arc::clone(&self.memory)));
        self.replies.clear();
        self.asked = 0;
        self.run(|machine, context| machine.loaded(context));
    }

    /// A machine that has read the log as it is now.
    pub fn replayed(&self) -> GroupMachine {
        self.replayed_into(GroupMachine::new(Arc::clone(&self.settings), GroupMemory::new(usize::MAX)))
    }

    fn replayed_into(&self, mut machine: GroupMachine) -> GroupMachine {
        for (record, offset) in self.log.clone().into_iter().zip(0..) {
            machine.replay(record, At { offset: Offset(offset), wall: WallMs(1_000_000), transaction: None });
        }
        machine
    }

    /// An event whose records cannot be written: the machine is dropped and loaded again, and nobody is answered.
    pub fn lose(&mut self, event: Event) {
        let mut random = || [77; 16];
        let mut context = Context {
            wall: WallMs(1_000_000 + i64::try_from(self.now_ms).expect("a short test")),
            monotonic: Monotonic(Duration::from_millis(self.now_ms)),
            random: &mut random,
            topics: &self.topics,
        };
        drop(self.machine.handle(Input::Request { ticket: Ticket(u64::MAX), event }, &mut context));
        self.restart();
    }

    /// How many requests wait for their answer.
    pub fn unanswered(&self) -> usize {
        self.asked
    }
}

pub fn client() -> Client {
    Client { id: "client".to_owned(), host: "/127.0.0.1".to_owned() }
}

/// A consumer's metadata: version 0, these topics.
pub fn subscription(topics: &[&str]) -> Bytes {
    let mut bytes = vec![0, 0];
    bytes.extend(u32::try_from(topics.len()).expect("few").to_be_bytes());
    for topic in topics {
        bytes.extend(u16::try_from(topic.len()).expect("short").to_be_bytes());
        bytes.extend(topic.as_bytes());
    }
    bytes.extend((-1_i32).to_be_bytes());
    Bytes::from(bytes)
}

pub fn join(group: &str, member: &str) -> JoinGroup {
    JoinGroup {
        group: group.to_owned(),
        client: client(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 30_000,
        member_id: member.to_owned(),
        instance_id: None,
        protocol_type: "consumer".to_owned(),
        protocols: vec![("range".to_owned(), subscription(&["t"]))],
        reason: None,
        member_id_required: false,
        may_skip_assignment: true,
    }
}

pub fn sync(group: &str, member: &str, generation: i32, assignments: &[(&str, &[u8])]) -> SyncGroup {
    SyncGroup {
        group: group.to_owned(),
        generation,
        member_id: member.to_owned(),
        instance_id: None,
        protocol_type: None,
        protocol: None,
        assignments: assignments
            .iter()
            .map(|(member, bytes)| ((*member).to_owned(), Bytes::copy_from_slice(bytes)))
            .collect(),
    }
}

pub fn heartbeat(group: &str, member: &str, generation: i32) -> Heartbeat {
    Heartbeat { group: group.to_owned(), generation, member_id: member.to_owned(), instance_id: None }
}

pub fn leave(group: &str, member: &str) -> LeaveGroup {
    let member = LeavingMember { member_id: member.to_owned(), instance_id: None, reason: None };
    LeaveGroup { group: group.to_owned(), members: vec![member] }
}

pub fn commit(group: &str, member: &str, generation: i32, topic: &str, partition: i32, offset: i64) -> OffsetCommit {
    let partition = CommitPartition {
        partition,
        offset: Offset(offset),
        leader_epoch: LeaderEpoch(-1),
        metadata: Some("note".to_owned()),
        refused: None,
    };
    OffsetCommit {
        group: group.to_owned(),
        generation_or_epoch: generation,
        member_id: member.to_owned(),
        instance_id: None,
        retention_ms: -1,
        transaction: None,
        topics: vec![(named(topic), vec![partition])],
        knows_member_epochs: true,
    }
}

pub fn named(topic: &str) -> TopicRef {
    TopicRef { name: Some(TopicName::parse(topic).expect("a legal name")), id: Uuid::ZERO }
}

pub fn fetch(group: &str) -> OffsetFetch {
    OffsetFetch { group: group.to_owned(), member: None, topics: None, require_stable: false }
}

pub fn beat(group: &str, member: &str, epoch: i32) -> ConsumerGroupHeartbeat {
    let joins = epoch == 0;
    ConsumerGroupHeartbeat {
        group: group.to_owned(),
        client: client(),
        member_id: member.to_owned(),
        member_epoch: epoch,
        instance_id: None,
        rack_id: None,
        rebalance_timeout_ms: if joins { 20_000 } else { -1 },
        subscribed_topics: joins.then(|| vec!["t".to_owned()]),
        subscribed_regex: None,
        server_assignor: None,
        owned: joins.then(Vec::new),
        makes_own_id: true,
        expression: None,
    }
}
