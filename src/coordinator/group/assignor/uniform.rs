//! As even as can be, moving as little as can be.
//!
//! Members that all want the same topics get a number of partitions that differs by one at most, and keep what they have up to
//! that number. Otherwise each free partition goes to the least loaded of those who want its topic, and partitions move while
//! that makes two members more even.

use std::collections::{BTreeMap, BTreeSet};

use super::{Assignment, Spec};
use crate::base::ids::TopicId;

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
        plan.fill_least_loaded();
        plan.even_out();
    }
    spec.subscribers.iter().map(|subscriber| subscriber.member.clone()).zip(plan.assigned).collect()
}

struct Plan<'a> {
    spec: &'a Spec,
    /// By subscriber.
    assigned: Vec<Assignment>,
    load: Vec<usize>,
    /// Partitions that nobody has.
    free: Vec<(TopicId, i32)>,
}

impl<'a> Plan<'a> {
    /// What everybody has and still may have, each partition once.
    fn keep(spec: &'a Spec) -> Plan<'a> {
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
        Plan { spec, assigned, load, free }
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

    fn fill_least_loaded(&mut self) {
        let mut free = std::mem::take(&mut self.free);
        // The fewer want a topic, the sooner it is given.
        free.sort_by_cached_key(|(topic, partition)| (self.wanting(*topic).count(), *topic, *partition));
        for (topic, partition) in free {
            let least = self.wanting(topic).min_by_key(|member| self.load[*member]);
            if let Some(member) = least {
                self.give(member, topic, partition);
            }
        }
    }

    /// Moves partitions from members with more to members with less, while the two differ by more than one.
    fn even_out(&mut self) {
        let most_moves = self.spec.partitions.values().map(|count| usize::try_from(*count).unwrap_or(0)).sum::<usize>();
        for _ in 0..most_moves.saturating_mul(2) {
            let mut givers: Vec<usize> = (0..self.load.len()).collect();
            givers.sort_by_key(|member| std::cmp::Reverse(self.load[*member]));
            let found = givers.into_iter().find_map(|giver| self.best_move(giver).map(|moved| (giver, moved)));
            let Some((giver, (taker, topic, partition))) = found else { return };
            self.take(giver, topic, partition);
            self.give(taker, topic, partition);
        }
    }

    fn best_move(&self, giver: usize) -> Option<(usize, TopicId, i32)> {
        let topics = self.assigned[giver].iter();
        let moves = topics.filter_map(|(topic, partitions)| {
            let taker = self.wanting(*topic).min_by_key(|member| self.load[*member])?;
            let worth = self.load[taker] + 1 < self.load[giver];
            worth.then_some((taker, *topic, *partitions.last()?))
        });
        moves.min_by_key(|(taker, ..)| self.load[*taker])
    }

    fn wanting(&self, topic: TopicId) -> impl Iterator<Item = usize> + '_ {
        let subscribers = self.spec.subscribers.iter().enumerate();
        subscribers.filter(move |(_, subscriber)| subscriber.topics.contains(&topic)).map(|(member, _)| member)
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
