//! What a group machine waits for, ordered by time. A timer has a name: set again it moves, so there is one of each.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

use crate::base::clock::Monotonic;

/// Named timers.
#[derive(Debug)]
pub struct Timers<K> {
    at: HashMap<K, Monotonic>,
    order: BTreeSet<(Monotonic, K)>,
}

impl<K: Clone + Eq + Hash + Ord> Default for Timers<K> {
    fn default() -> Self {
        Timers { at: HashMap::new(), order: BTreeSet::new() }
    }
}

impl<K: Clone + Eq + Hash + Ord> Timers<K> {
    /// Sets or moves a timer.
    pub fn set(&mut self, key: K, at: Monotonic) {
        if let Some(before) = self.at.insert(key.clone(), at) {
            if before == at {
                return;
            }
            self.order.remove(&(before, key.clone()));
        }
        self.order.insert((at, key));
    }

    /// Forgets a timer; says whether it was set.
    pub fn cancel(&mut self, key: &K) -> bool {
        match self.at.remove_entry(key) {
            Some((key, at)) => self.order.remove(&(at, key)),
            None => false,
        }
    }

    /// When a timer is due, if it is set.
    pub fn of(&self, key: &K) -> Option<Monotonic> {
        self.at.get(key).copied()
    }

    /// When the first is due.
    pub fn next(&self) -> Option<Monotonic> {
        self.order.first().map(|(at, _)| *at)
    }

    /// Takes the first timer that is due at `now`.
    pub fn take_due(&mut self, now: Monotonic) -> Option<K> {
        if self.next().is_none_or(|at| at > now) {
            return None;
        }
        let (_, key) = self.order.pop_first()?;
        self.at.remove(&key);
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(seconds: u64) -> Monotonic {
        Monotonic(Duration::from_secs(seconds))
    }

    #[test]
    fn timers_come_in_order_and_one_that_moved_comes_once() {
        let mut timers = Timers::default();
        timers.set("a", at(3));
        timers.set("b", at(2));
        timers.set("a", at(1));
        assert_eq!(timers.next(), Some(at(1)));
        assert_eq!(timers.take_due(at(0)), None);
        assert_eq!(timers.take_due(at(5)), Some("a"));
        assert_eq!(timers.take_due(at(5)), Some("b"));
        assert_eq!(timers.take_due(at(5)), None);
    }

    #[test]
    fn a_cancelled_timer_never_comes() {
        let mut timers = Timers::default();
        timers.set(7, at(1));
        assert!(timers.cancel(&7));
        assert!(!timers.cancel(&7));
        assert_eq!(timers.next(), None);
    }
}
