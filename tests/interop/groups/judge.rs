//! What members of groups say of themselves, and whether it is as a group has to be.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// A line of a member's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// In microseconds; all programs run on one machine.
    pub at: i64,
    pub group: String,
    pub member: String,
    pub what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    Assigned(Vec<i32>),
    /// Revoked or lost.
    Gone(Vec<i32>),
    Saw(i32, i64, u64),
    /// The broker has acknowledged a commit.
    Committed(i32, i64),
    Paused(i32),
    Resumed(i32),
    Sought(i32, i64),
    Error(String),
    /// It left, was killed or died.
    Ended(String),
}

impl Event {
    /// `None` is a line of something else, such as a client's warning.
    pub fn parse(line: &str) -> Option<Event> {
        let mut words = line.split(' ');
        let at = words.next()?.parse().ok().filter(|at| *at > 1_000_000_000_000_000)?;
        let (group, member) = (words.next()?.to_owned(), words.next()?.to_owned());
        let (event, rest) = (words.next()?, words.collect::<Vec<_>>());
        let numbers = || rest.iter().map(|word| word.parse::<i64>().ok()).collect::<Option<Vec<_>>>();
        let partitions = || rest.iter().map(|word| word.parse::<i32>().ok()).collect::<Option<Vec<_>>>();
        let first = || rest.first()?.parse::<i32>().ok();
        let what = match event {
            "assigned" => What::Assigned(partitions()?),
            "revoked" | "lost" => What::Gone(partitions()?),
            "saw" => What::Saw(first()?, *numbers()?.get(1)?, u64::try_from(*numbers()?.get(2)?).ok()?),
            "committed" => What::Committed(first()?, *numbers()?.get(1)?),
            "paused" => What::Paused(first()?),
            "resumed" => What::Resumed(first()?),
            "seek" => What::Sought(first()?, *numbers()?.get(1)?),
            "error" => What::Error(rest.join(" ")),
            "closed" | "died" => What::Ended(line.to_owned()),
            _ => return None,
        };
        Some(Event { at, group, member, what })
    }
}

/// All that the members of a group have said.
#[derive(Default)]
pub struct Story {
    events: Vec<Event>,
    /// Those that are neither records nor commits.
    pub rare: Vec<Event>,
    /// Partition and offset of every record that was seen.
    pub seen: BTreeSet<(i32, i64)>,
    /// When the last one was.
    pub seen_at: i64,
}

impl Story {
    pub fn add(&mut self, event: Event) {
        match &event.what {
            What::Saw(partition, offset, _) => {
                self.seen.insert((*partition, *offset));
                self.seen_at = self.seen_at.max(event.at);
            }
            What::Committed(..) | What::Error(..) => {}
            _ => self.rare.push(event.clone()),
        }
        self.events.push(event);
    }

    /// The group, but for records and commits.
    pub fn outline(&self) -> Group {
        Group::told(&self.rare)
    }

    pub fn group(&self) -> Group {
        Group::told(&self.events)
    }
}

/// A group as it is told by its members, in the order of their clocks.
#[derive(Default)]
pub struct Group {
    /// What each member that has not ended holds.
    pub held: BTreeMap<String, BTreeSet<i32>>,
    /// When a partition last came or went.
    pub moved_at: i64,
    pub errors: Vec<String>,
    /// What the group has committed, as acknowledged.
    pub committed: BTreeMap<i32, i64>,
    /// What was seen at each offset.
    pub seen: BTreeMap<(i32, i64), u64>,
    pub seeks: usize,
    pub pauses: usize,
    /// Where each member is in a partition that it holds, if it has begun.
    next: BTreeMap<(String, i32), i64>,
    /// What was committed when it got it.
    floors: BTreeMap<(String, i32), i64>,
    paused: BTreeSet<(String, i32)>,
    /// A partition was given to one while another held it.
    pub overlaps: Vec<String>,
    faults: Vec<String>,
}

impl Group {
    /// Of the events of one group.
    fn told(events: &[Event]) -> Group {
        let mut events: Vec<&Event> = events.iter().collect();
        events.sort_by_key(|event| event.at);
        let mut group = Group::default();
        events.into_iter().for_each(|event| group.tell(event));
        group
    }

    /// Every partition is held, once, by members that have as many as every other, or one more.
    pub fn shares(&self, partitions: i32, members: usize) -> bool {
        let partitions = usize::try_from(partitions).unwrap_or(0);
        let all: BTreeSet<i32> = self.held.values().flatten().copied().collect();
        let fair = partitions / members.max(1)..=partitions.div_ceil(members.max(1));
        all.len() == partitions
            && self.held.values().map(BTreeSet::len).sum::<usize>() == partitions
            && self.held.len() == members
            && self.held.values().all(|held| fair.contains(&held.len()))
    }

    /// What is not as it has to be, whatever the machine does: a record lost, seen again below a committed offset or while
    /// paused, out of order, or by a member that does not hold its partition. That a partition has two holders
    /// (`overlaps`) may be, for a while, if one's session is over and it has not heard of it.
    pub fn faults(&self, ends: &[i64]) -> Vec<String> {
        let mut faults = self.faults.clone();
        for (partition, end) in (0..).zip(ends) {
            let lost: Vec<i64> = (0..*end).filter(|offset| !self.seen.contains_key(&(partition, *offset))).collect();
            if let (Some(first), Some(last)) = (lost.first(), lost.last()) {
                faults.push(format!("{} records of partition {partition} lost, {first} to {last}", lost.len()));
            }
        }
        let values: BTreeSet<u64> = self.seen.values().copied().collect();
        if values.len() != self.seen.len() {
            faults.push(format!("{} records, {} values", self.seen.len(), values.len()));
        }
        faults
    }

    fn tell(&mut self, event: &Event) {
        let member = &event.member;
        match &event.what {
            What::Assigned(partitions) => {
                self.held.entry(member.clone()).or_default();
                partitions.iter().for_each(|partition| self.take(event, *partition));
            }
            What::Gone(partitions) => partitions.iter().for_each(|partition| self.drop(event, *partition)),
            What::Saw(partition, offset, value) => self.see(event, *partition, *offset, *value),
            What::Committed(partition, offset) => {
                self.committed.insert(*partition, *offset);
            }
            What::Paused(partition) => {
                self.pauses += 1;
                self.paused.insert((member.clone(), *partition));
            }
            What::Resumed(partition) => {
                self.paused.remove(&(member.clone(), *partition));
            }
            What::Sought(partition, offset) => {
                self.seeks += 1;
                // what it commits from here on may reach the broker, and the acknowledgement never it
                self.committed.entry(*partition).and_modify(|committed| *committed = (*committed).min(*offset));
                self.next.insert((member.clone(), *partition), *offset);
            }
            What::Error(text) => self.errors.push(text.clone()),
            What::Ended(how) => {
                if how.contains(" died ") {
                    self.faults.push(how.clone());
                }
                for partition in self.held.remove(member).unwrap_or_default() {
                    self.forget(member, partition);
                }
            }
        }
    }

    fn take(&mut self, event: &Event, partition: i32) {
        self.moved_at = event.at;
        let others = self.held.iter().filter(|(other, held)| **other != event.member && held.contains(&partition));
        let holders: Vec<String> = others.map(|(other, _)| other.clone()).collect();
        for holder in holders {
            self.overlaps.push(format!("{} {} partition {partition} is still {holder}'s", event.at, event.member));
        }
        self.held.entry(event.member.clone()).or_default().insert(partition);
        let floor = self.committed.get(&partition).copied().unwrap_or(0);
        self.forget(&event.member, partition);
        self.floors.insert((event.member.clone(), partition), floor);
    }

    fn drop(&mut self, event: &Event, partition: i32) {
        self.moved_at = event.at;
        self.held.entry(event.member.clone()).or_default().remove(&partition);
        self.forget(&event.member, partition);
    }

    fn forget(&mut self, member: &str, partition: i32) {
        let key = (member.to_owned(), partition);
        self.next.remove(&key);
        self.floors.remove(&key);
        self.paused.remove(&key);
    }

    fn see(&mut self, event: &Event, partition: i32, offset: i64, value: u64) {
        let key = (event.member.clone(), partition);
        if self.held.get(&event.member).is_none_or(|held| !held.contains(&partition)) {
            self.fault(event, "not its partition");
        }
        if self.paused.contains(&key) {
            self.fault(event, "paused");
        }
        match (self.next.get(&key), self.floors.get(&key)) {
            (Some(next), _) if *next != offset => self.fault(event, &format!("expected {next}")),
            (None, Some(floor)) if offset < *floor => self.fault(event, &format!("{floor} was committed")),
            _ => {}
        }
        self.next.insert(key, offset + 1);
        if self.seen.insert((partition, offset), value).is_some_and(|before| before != value) {
            self.fault(event, "another value before");
        }
    }

    fn fault(&mut self, event: &Event, why: &str) {
        let mut text = String::new();
        let _ = write!(text, "{} {} {:?}: {why}", event.at, event.member, event.what);
        self.faults.push(text);
    }
}

#[test]
fn what_a_group_must_not_do_is_noticed() {
    let told = |lines: &[&str]| {
        let lines = lines.iter().enumerate().map(|(at, line)| format!("{} g {line}", 1_700_000_000_000_000 + at));
        let events: Vec<Event> = lines.map(|line| Event::parse(&line).expect("a line")).collect();
        let group = Group::told(&events);
        [group.faults(&[2]), group.overlaps].concat()
    };
    let good = ["a assigned 0", "a saw 0 0 7", "a committed 0 1", "a revoked 0", "b assigned 0", "b saw 0 1 8"];
    assert_eq!(told(&good), Vec::<String>::new());
    let with =
        |at: usize, line| good.iter().enumerate().map(|(i, one)| if i == at { line } else { *one }).collect::<Vec<_>>();
    for (at, line, why) in [
        (5, "b saw 0 0 7", "1 was committed"),
        (1, "a saw 0 1 8", "lost, 0 to 0"),
        (3, "a paused 0", "still a's"),
        (5, "a saw 0 1 8", "not its partition"),
        (5, "b saw 0 1 7", "2 records, 1 values"),
    ] {
        let faults = told(&with(at, line)).join("\n");
        assert!(faults.contains(why), "{line}: {faults}");
    }
    let paused = told(&["a assigned 0", "a paused 0", "a saw 0 0 7", "a saw 0 1 8"]).join("\n");
    assert!(paused.contains("paused"), "{paused}");
    let jumped = told(&["a assigned 0", "a saw 0 0 7", "a saw 0 1 8", "a saw 0 0 7"]).join("\n");
    assert!(jumped.contains("expected 2"), "{jumped}");
}
