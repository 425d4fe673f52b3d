//! Random schedules: members of both protocols join, step, leave, fall silent and lose answers, topics grow, time passes, the
//! broker restarts, appends fail. `KLAMM_SEED=N` runs one schedule again; the seed of one that fails is printed.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::coordinator::group::event::{ConsumerHeartbeatAnswer, GroupError};
use crate::coordinator::group::subscription::{self, AssignedTopic, ConsumerProtocolAssignment};

const GROUP: &str = "g";
const SCHEDULES: u64 = 60;
const STEPS: usize = 120;

/// xorshift64*.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(high).expect("31 bits") % sides
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.roll(100) < percent
    }
}

type Owned = Vec<(TopicId, Vec<i32>)>;

/// A client of the consumer protocol that does what clients do.
struct Modern {
    id: String,
    epoch: i32,
    owned: Owned,
    /// It got no answer: it says everything again, so that it is told everything again.
    missed: bool,
}

/// A client of the classic protocol.
struct Classic {
    id: String,
    generation: i32,
    joining: Option<Ticket>,
    syncing: Option<Ticket>,
    stable: bool,
}

struct World {
    rig: Rig,
    dice: Dice,
    modern: Vec<Modern>,
    classic: Vec<Classic>,
    /// What was committed last, by partition of `t`.
    committed: BTreeMap<i32, i64>,
    partitions: usize,
    names: usize,
    with_classic: bool,
}

impl World {
    fn new(seed: u64) -> World {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let with_classic = dice.chance(60);
        let interval = if dice.chance(20) { 3_000 } else { 0 };
        let delay = if dice.chance(20) { 2_000 } else { 0 };
        let mut rig = Rig::with(|settings| {
            settings.initial_rebalance_delay_ms = delay;
        });
        rig.configs.set_all(|config| config.assignment_interval_ms = interval);
        let partitions = 1 + dice.roll(8);
        rig.topic("t", partitions);
        let (modern, classic, committed) = (Vec::new(), Vec::new(), BTreeMap::new());
        World { rig, dice, modern, classic, committed, partitions, names: 0, with_classic }
    }

    fn step(&mut self) {
        match self.dice.roll(100) {
            0..=9 if self.modern.len() < 5 => {
                self.names += 1;
                self.modern.push(Modern { id: format!("m{}", self.names), epoch: 0, owned: Vec::new(), missed: false });
            }
            0..=44 => self.beat(),
            45..=49 if !self.modern.is_empty() => self.leave(),
            50..=52 if !self.modern.is_empty() => {
                // It is never heard of again.
                let gone = self.dice.roll(self.modern.len());
                self.modern.remove(gone);
            }
            53..=57 => {
                let ms = self.dice.roll(12_000);
                self.rig.pass(u64::try_from(ms).expect("small"));
            }
            58 => self.rig.pass(60_000),
            59..=60 => {
                self.partitions += 1;
                self.rig.topic("t", self.partitions);
            }
            61..=63 => self.restart(),
            64..=66 => self.lose_an_append(),
            67..=76 => self.commit(),
            77.. if self.with_classic => self.classic_step(),
            _ => self.beat(),
        }
    }

    fn request(&self, nth: usize) -> ConsumerGroupHeartbeat {
        let member = &self.modern[nth];
        let mut request = beat(GROUP, &member.id, member.epoch);
        request.owned = Some(member.owned.clone());
        if member.missed {
            request.rebalance_timeout_ms = 20_000;
            request.subscribed_topics = Some(vec!["t".to_owned()]);
        }
        request
    }

    fn beat(&mut self) {
        if self.modern.is_empty() {
            return;
        }
        let nth = self.dice.roll(self.modern.len());
        let request = self.request(nth);
        let Reply::ConsumerGroupHeartbeat(answer) = self.rig.call(Event::ConsumerGroupHeartbeat(request)) else {
            panic!("another answer")
        };
        if self.dice.chance(10) {
            // The answer was lost on its way.
            self.modern[nth].missed = true;
            return;
        }
        self.modern[nth].take(answer);
    }

    fn leave(&mut self) {
        let nth = self.dice.roll(self.modern.len());
        let gone = self.modern.remove(nth);
        self.rig.call(Event::ConsumerGroupHeartbeat(beat(GROUP, &gone.id, -1)));
    }

    fn restart(&mut self) {
        self.rig.restart();
        self.forget_tickets();
    }

    /// Who waited is told that the coordinator is gone, and begins again.
    fn forget_tickets(&mut self) {
        for member in &mut self.classic {
            (member.joining, member.syncing, member.stable) = (None, None, false);
        }
    }

    /// A decision whose records do not reach the log: the machine is dropped and loaded again.
    fn lose_an_append(&mut self) {
        let event = match self.dice.roll(3) {
            0 if !self.modern.is_empty() => {
                let nth = self.dice.roll(self.modern.len());
                Event::ConsumerGroupHeartbeat(self.request(nth))
            }
            1 if !self.modern.is_empty() => {
                let nth = self.dice.roll(self.modern.len());
                Event::ConsumerGroupHeartbeat(beat(GROUP, &self.modern[nth].id, -1))
            }
            _ if self.with_classic => Event::JoinGroup(join(GROUP, "")),
            _ => Event::OffsetCommit(commit(GROUP, "", -1, "t", 0, 1_000_000)),
        };
        self.rig.lose(event);
        self.modern.iter_mut().for_each(|member| member.missed = true);
        self.forget_tickets();
    }

    fn commit(&mut self) {
        if self.modern.is_empty() {
            return;
        }
        let nth = self.dice.roll(self.modern.len());
        let member = &self.modern[nth];
        let Some(partition) = member.partitions().into_iter().next() else { return };
        let offset = self.committed.get(&partition).copied().unwrap_or(0) + 1;
        let id = self.rig.topics.topics["t"].0;
        let mut request = commit(GROUP, &member.id, member.epoch, "t", partition, offset);
        request.topics[0].0.id = id;
        let Reply::OffsetCommit(outcomes) = self.rig.call(Event::OffsetCommit(request)) else { panic!("no outcome") };
        if outcomes[0][0].is_ok() {
            self.committed.insert(partition, offset);
        }
    }

    fn classic_step(&mut self) {
        if self.classic.len() < 3 && self.dice.chance(15) {
            let (joining, syncing) = (None, None);
            self.classic.push(Classic { id: String::new(), generation: -1, joining, syncing, stable: false });
        }
        if self.classic.is_empty() {
            return;
        }
        let nth = self.dice.roll(self.classic.len());
        if self.dice.chance(5) {
            let gone = self.classic.remove(nth);
            if self.dice.chance(50) {
                self.rig.call(Event::LeaveGroup(leave(GROUP, &gone.id)));
            }
            return;
        }
        let mut member = self.classic.remove(nth);
        member.step(&mut self.rig);
        self.classic.push(member);
    }

    /// What must hold after every step.
    fn check(&mut self) {
        let mut owners: BTreeMap<i32, &str> = BTreeMap::new();
        let group = self.rig.machine.consumer_group(GROUP);
        for member in self.modern.iter().filter(|member| member.epoch > 0) {
            if !group.is_some_and(|group| group.members().any(|one| one.id == member.id)) {
                // It was removed and does not know yet.
                continue;
            }
            for partition in member.partitions() {
                if let Some(other) = owners.insert(partition, &member.id) {
                    panic!("partition {partition} is {other}'s and {}'s", member.id);
                }
            }
        }
        let mut held: BTreeSet<(TopicId, i32)> = BTreeSet::new();
        for member in group.into_iter().flat_map(|group| group.members()) {
            for partition in member.held() {
                assert!(held.insert(partition), "{partition:?} was given to two");
            }
        }
        if self.dice.chance(75) {
            return;
        }
        let copy = self.rig.replayed();
        assert_eq!(copy.consumer_group(GROUP), group, "the log says something else");
        let fetched = |machine: &GroupMachine| machine.offsets().fetch(GROUP, None, false);
        assert_eq!(fetched(&copy), fetched(&self.rig.machine));
        let known: BTreeMap<i32, i64> = fetched(&copy)
            .into_iter()
            .flat_map(|topic| topic.partitions)
            .map(|partition| (partition.partition, partition.offset.0))
            .collect();
        assert_eq!(known, self.committed);
    }

    /// In the end everybody is answered, and those who stay come to rest with every partition once.
    fn end(&mut self) {
        self.classic.clear();
        for _ in 0..30 {
            self.rig.pass(4_000);
            for nth in 0..self.modern.len() {
                let request = self.request(nth);
                let Reply::ConsumerGroupHeartbeat(answer) = self.rig.call(Event::ConsumerGroupHeartbeat(request))
                else {
                    panic!("another answer")
                };
                self.modern[nth].take(answer);
                self.check();
            }
        }
        if !self.modern.is_empty() {
            let counts: Vec<usize> = self.modern.iter().map(|member| member.partitions().len()).collect();
            assert_eq!(counts.iter().sum::<usize>(), self.partitions, "{counts:?}");
            let (least, most) = (counts.iter().min(), counts.iter().max());
            assert!(most.zip(least).is_some_and(|(most, least)| most - least <= 1), "{counts:?}");
        }
        self.rig.pass(400_000);
        assert_eq!(self.rig.unanswered(), 0, "somebody waits for ever");
    }
}

impl Modern {
    fn take(&mut self, answer: Result<ConsumerHeartbeatAnswer, GroupError>) {
        self.missed = false;
        match answer {
            Ok(answer) => {
                self.epoch = answer.member_epoch;
                if let Some(assignment) = answer.assignment {
                    self.owned = assignment;
                }
            }
            // It abandons everything and joins again.
            Err(_) => (self.epoch, self.owned) = (0, Vec::new()),
        }
    }

    fn partitions(&self) -> BTreeSet<i32> {
        self.owned.iter().flat_map(|(_, partitions)| partitions.iter().copied()).collect()
    }
}

impl Classic {
    fn step(&mut self, rig: &mut Rig) {
        if let Some(ticket) = self.joining {
            match rig.answer(ticket) {
                None => {}
                Some(Reply::JoinGroup(Ok(joined))) => {
                    (self.id, self.generation, self.joining) = (joined.member_id.clone(), joined.generation, None);
                    let ids: Vec<&str> = joined.members.iter().map(|(id, ..)| id.as_str()).collect();
                    let count = i32::try_from(rig.topics.topics["t"].1).expect("few");
                    let shares: Vec<Vec<u8>> = (0..ids.len()).map(|nth| share(nth, ids.len(), count)).collect();
                    let given: Vec<(&str, &[u8])> =
                        ids.iter().zip(&shares).map(|(id, bytes)| (*id, bytes.as_slice())).collect();
                    let request = sync(GROUP, &self.id, self.generation, &given);
                    self.syncing = Some(rig.ask(Event::SyncGroup(request)));
                }
                Some(_) => (self.id, self.joining) = (String::new(), None),
            }
        } else if let Some(ticket) = self.syncing {
            match rig.answer(ticket) {
                None => {}
                Some(Reply::SyncGroup(Ok(_))) => (self.syncing, self.stable) = (None, true),
                Some(_) => self.syncing = None,
            }
        } else if self.stable {
            match rig.call(Event::Heartbeat(heartbeat(GROUP, &self.id, self.generation))) {
                Reply::Heartbeat(Ok(())) => {}
                _ => self.stable = false,
            }
        } else {
            self.joining = Some(rig.ask(Event::JoinGroup(join(GROUP, &self.id))));
        }
    }
}

/// What the leader gives to one of many.
fn share(nth: usize, of: usize, partitions: i32) -> Vec<u8> {
    let mine = |partition: &i32| usize::try_from(*partition).expect("a partition") % of == nth;
    let topic = AssignedTopic { topic: "t".to_owned(), partitions: (0..partitions).filter(mine).collect() };
    let assignment = ConsumerProtocolAssignment { assigned_partitions: vec![topic], user_data: None };
    subscription::write_assignment(&assignment, 0).to_vec()
}

#[test]
fn any_schedule_keeps_owners_offsets_and_the_log_in_order() {
    let one = std::env::var("KLAMM_SEED").ok().and_then(|seed| seed.parse::<u64>().ok());
    for seed in one.map_or(1..=SCHEDULES, |seed| seed..=seed) {
        println!("KLAMM_SEED={seed}");
        let mut world = World::new(seed);
        for _ in 0..STEPS {
            world.step();
            world.check();
        }
        world.end();
    }
}
