//! As even as can be, moving as little as can be.
//!
//! Members that all want the same topics get a number of partitions that differs by one at most, and keep what they have up to
//! that number. Otherwise each free partition goes to the least loaded of those who want its topic, and partitions move while
//! that makes two members more even.

use std::collections::{BTreeMap, BTreeSet};

use super::{Assignment, Spec};
use crate::base::ids::TopicId;

/// How often the evening out goes over all topics, besides once for each member.
const ROUNDS: usize = 8;

/// Divides all partitions at once.
pub fn assign(spec: &Spec) -> BTreeMap<String, Assignment> {
    if spec.subscribers.is_empty() {
        return BTreeMap::new();
    }
    let mut plan = Plan::keep(spec);
    let first = &spec.subscribers[0].topics;
    if spec.subscribers.iter().all(|subscriber| subscriber.topics == *first) {
        plan.fill_evenly();
    } else {
        let mut wanting: BTreeMap<TopicId, Vec<usize>> = BTreeMap::new();
        for (member, subscriber) in spec.subscribers.iter().enumerate() {
            for topic in &subscriber.topics {
                wanting.entry(*topic).or_default().push(member);
            }
        }
        plan.fill_least_loaded(&wanting);
        plan.even_out(&wanting);
    }
    spec.subscribers.iter().map(|subscriber| subscriber.member.clone()).zip(plan.assigned).collect()
}

struct Plan {
    /// By subscriber.
    assigned: Vec<Assignment>,
    load: Vec<usize>,
    /// Partitions that nobody has.
    free: Vec<(TopicId, i32)>,
}

impl Plan {
    /// What everybody has and still may have, each partition once.
    fn keep(spec: &Spec) -> Plan {
        let mut taken: BTreeSet<(TopicId, i32)> = BTreeSet::new();
        let mut assigned = Vec::with_capacity(spec.subscribers.len());
        for subscriber in &spec.subscribers {
            let mut kept = Assignment::new();
            for (topic, partitions) in &subscriber.current {
                let Some(count) = spec.partitions.get(topic).filter(|_| subscriber.topics.contains(topic)) else {
                    continue;
                };
                let still = partitions.iter().filter(|partition| (0..*count).contains(*partition));
                let still: BTreeSet<i32> =
                    still.copied().filter(|partition| taken.insert((*topic, *partition))).collect();
                if !still.is_empty() {
                    kept.insert(*topic, still);
                }
            }
            assigned.push(kept);
        }
        let all =
            spec.partitions.iter().flat_map(|(topic, count)| (0..*count).map(move |partition| (*topic, partition)));
        let free = all.filter(|partition| !taken.contains(partition)).collect();
        let load = assigned.iter().map(|assigned| assigned.values().map(BTreeSet::len).sum()).collect();
        Plan { assigned, load, free }
    }

    /// Everybody wants the same: down to a quota, then up to it.
    fn fill_evenly(&mut self) {
        let members = self.assigned.len();
        let total = self.free.len() + self.load.iter().sum::<usize>();
        let (least, mut extras) = (total / members, total % members);
        let mut quota = vec![least; members];
        // Who has more than the least keeps one more, as far as that goes round.
        for (member, quota) in quota.iter_mut().enumerate() {
            if extras > 0 && self.load[member] > least {
                *quota += 1;
                extras -= 1;
            }
        }
        for quota in &mut quota {
            if extras > 0 && *quota == least {
                *quota += 1;
                extras -= 1;
            }
        }
        for (member, quota) in quota.iter().enumerate() {
            while self.load[member] > *quota {
                let Some(freed) = self.take_last(member) else { break };
                self.free.push(freed);
            }
        }
        self.free.sort_unstable();
        let mut free = std::mem::take(&mut self.free).into_iter();
        // In turn, so that a topic is spread over the members.
        let mut short: Vec<usize> = (0..members).filter(|member| self.load[*member] < quota[*member]).collect();
        while !short.is_empty() {
            for member in &short {
                let Some((topic, partition)) = free.next() else { return };
                self.give(*member, topic, partition);
            }
            short.retain(|member| self.load[*member] < quota[*member]);
        }
    }

    /// Each free partition goes to the least loaded of those who want its topic.
    fn fill_least_loaded(&mut self, wanting: &BTreeMap<TopicId, Vec<usize>>) {
        let mut free = std::mem::take(&mut self.free);
        // The fewer want a topic, the sooner it is given.
        let wanted_by = |topic: &TopicId| wanting.get(topic).map_or(0, Vec::len);
        free.sort_by_cached_key(|(topic, partition)| (wanted_by(topic), *topic, *partition));
        for (topic, partition) in free {
            let least = wanting.get(&topic).into_iter().flatten().min_by_key(|member| self.load[**member]);
            if let Some(member) = least {
                self.give(*member, topic, partition);
            }
        }
    }

    /// Moves partitions from members with more to members with less, topic by topic, while any two differ by more than one
    /// and one may have what the other has. Every move makes the sum of squares less; the rounds are bounded all the same.
    fn even_out(&mut self, wanting: &BTreeMap<TopicId, Vec<usize>>) {
        for _ in 0..self.load.len() + ROUNDS {
            let mut moved = false;
            for (topic, members) in wanting {
                while let Some((giver, taker, partition)) = self.move_within(*topic, members) {
                    self.take(giver, *topic, partition);
                    self.give(taker, *topic, partition);
                    moved = true;
                }
            }
            if !moved {
                return;
            }
        }
    }

    fn move_within(&self, topic: TopicId, members: &[usize]) -> Option<(usize, usize, i32)> {
        let taker = *members.iter().min_by_key(|member| self.load[**member])?;
        let holders = members.iter().filter(|member| self.assigned[**member].contains_key(&topic));
        let giver = *holders.max_by_key(|member| self.load[**member])?;
        let partition = *self.assigned[giver].get(&topic)?.last()?;
        (self.load[taker] + 1 < self.load[giver]).then_some((giver, taker, partition))
    }

    fn give(&mut self, member: usize, topic: TopicId, partition: i32) {
        self.assigned[member].entry(topic).or_default().insert(partition);
        self.load[member] += 1;
    }

    fn take(&mut self, member: usize, topic: TopicId, partition: i32) {
        if let Some(partitions) = self.assigned[member].get_mut(&topic) {
            if partitions.remove(&partition) {
                self.load[member] -= 1;
            }
            if partitions.is_empty() {
                self.assigned[member].remove(&topic);
            }
        }
    }

    fn take_last(&mut self, member: usize) -> Option<(TopicId, i32)> {
        let (topic, partitions) = self.assigned[member].last_key_value()?;
        let last = (*topic, *partitions.last()?);
        self.take(member, last.0, last.1);
        Some(last)
    }
}
