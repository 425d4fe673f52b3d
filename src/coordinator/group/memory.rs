//! What the groups of all partitions may take of memory together: `klamm.group.memory.bytes`.
//!
//! A client may name as many groups as it likes, and members, offsets and subscriptions within them. Each machine reckons what its
//! groups come to, roughly and rather too much, and books it here. What makes that more is refused once nothing is left: of those
//! who are not known yet (groups, members, offsets of new groups) when three quarters are taken, so that the groups that are there
//! can still grow a little. What takes no more than before always goes on: heartbeats, rebalances, commits of the same partitions.
//!
//! Kafka has no such bound.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::event::GroupId;
use crate::base::clock::Monotonic;

/// How often it is said that nothing is left.
const SAID_EVERY: Duration = Duration::from_secs(60);

/// What all machines share.
pub struct GroupMemory {
    bytes_max: usize,
    taken: AtomicUsize,
    said: Mutex<Option<Monotonic>>,
}

/// Who asks for more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asker {
    /// A group, or a member of one, that is there already.
    Known,
    New,
}

impl GroupMemory {
    pub fn new(bytes_max: usize) -> Arc<GroupMemory> {
        Arc::new(GroupMemory { bytes_max, taken: AtomicUsize::new(0), said: Mutex::new(None) })
    }

    /// What the groups have come to.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    fn has_room(&self, more: usize, asker: Asker) -> bool {
        let bytes_max = match asker {
            Asker::Known => self.bytes_max,
            Asker::New => self.bytes_max / 4 * 3,
        };
        more == 0 || self.taken().saturating_add(more) <= bytes_max
    }

    fn complain(&self, now: Monotonic) {
        let mut said = self.said.lock();
        if said.is_none_or(|said| now.0.saturating_sub(said.0) >= SAID_EVERY) {
            *said = Some(now);
            let (taken, max) = (self.taken(), self.bytes_max);
            tracing::warn!(
                taken,
                max,
                "groups take all the memory they may (klamm.group.memory.bytes): new ones are refused"
            );
        }
    }
}

/// What one machine has booked; given back when it is dropped.
pub struct Account {
    memory: Arc<GroupMemory>,
    booked: usize,
    /// What each group was reckoned at.
    groups: HashMap<GroupId, usize>,
    groups_bytes: usize,
    /// Groups that have changed since.
    changed: HashSet<GroupId>,
}

impl Account {
    pub fn new(memory: Arc<GroupMemory>) -> Account {
        Account { memory, booked: 0, groups: HashMap::new(), groups_bytes: 0, changed: HashSet::new() }
    }

    /// A group is to be reckoned anew.
    pub fn changed(&mut self, group: &str) {
        if !self.changed.contains(group) {
            self.changed.insert(group.to_owned());
        }
    }

    /// Reckons the groups that changed, `weigh` says what one comes to, 0 if it is gone; and books that and what offsets take.
    pub fn settle(&mut self, weigh: impl Fn(&str) -> usize, offsets: usize) {
        for group in std::mem::take(&mut self.changed) {
            let now = weigh(&group);
            let before = if now == 0 { self.groups.remove(&group) } else { self.groups.insert(group, now) };
            self.groups_bytes = self.groups_bytes + now - before.unwrap_or(0);
        }
        let now = self.groups_bytes + offsets;
        if now > self.booked {
            self.memory.taken.fetch_add(now - self.booked, Ordering::Relaxed);
        } else if now < self.booked {
            self.memory.taken.fetch_sub(self.booked - now, Ordering::Relaxed);
        }
        self.booked = now;
    }

    /// Whether so many bytes more may be taken. A no is said in the log now and then.
    pub fn has_room(&self, more: usize, asker: Asker, now: Monotonic) -> bool {
        let has_room = self.memory.has_room(more, asker);
        if !has_room {
            self.memory.complain(now);
        }
        has_room
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.memory.taken.fetch_sub(self.booked, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Monotonic = Monotonic(Duration::ZERO);

    #[test]
    fn what_is_booked_comes_back_when_groups_go_and_when_the_machine_does() {
        let memory = GroupMemory::new(1000);
        let (mut one, mut two) = (Account::new(Arc::clone(&memory)), Account::new(Arc::clone(&memory)));
        one.changed("a");
        one.changed("b");
        one.settle(|_| 100, 50);
        two.settle(|_| 0, 300);
        assert_eq!(memory.taken(), 550);
        one.changed("a");
        one.settle(|_| 0, 0);
        assert_eq!(memory.taken(), 400);
        drop(two);
        assert_eq!(memory.taken(), 100);
        drop(one);
        assert_eq!(memory.taken(), 0);
    }

    #[test]
    fn a_quarter_is_for_those_who_are_there() {
        let memory = GroupMemory::new(1000);
        let mut account = Account::new(Arc::clone(&memory));
        assert!(account.has_room(750, Asker::New, NOW) && !account.has_room(751, Asker::New, NOW));
        account.settle(|_| 0, 750);
        assert!(!account.has_room(1, Asker::New, NOW) && account.has_room(250, Asker::Known, NOW));
        account.settle(|_| 0, 2000);
        assert!(!account.has_room(1, Asker::Known, NOW) && account.has_room(0, Asker::Known, NOW));
    }
}
