//! A map that is cheap to copy: its entries lie in shards, a copy shares them all, and a change copies one shard.
//!
//! An image is published with every change. With one map a change of one topic would copy all topics.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// Shards of a map: 10,000 topics make 160 entries a shard, a copy of which costs some microseconds.
const SHARDS: usize = 64;

/// See the module's comment.
#[derive(Clone)]
pub(super) struct Spread<K, V> {
    shards: Vec<Arc<BTreeMap<K, V>>>,
    length: usize,
}

impl<K, V> Default for Spread<K, V> {
    fn default() -> Self {
        let empty = Arc::new(BTreeMap::new());
        Spread { shards: vec![empty; SHARDS], length: 0 }
    }
}

fn shard_of<Q: Hash + ?Sized>(key: &Q) -> usize {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    usize::try_from(hasher.finish() % SHARDS as u64).unwrap_or(0)
}

impl<K: Ord + Hash + Clone, V: Clone> Spread<K, V> {
    pub(super) fn len(&self) -> usize {
        self.length
    }

    pub(super) fn get<Q: Ord + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.shards[shard_of(key)].get(key)
    }

    pub(super) fn get_mut<Q: Ord + Hash + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let shard = &mut self.shards[shard_of(key)];
        if !shard.contains_key(key) {
            return None;
        }
        Arc::make_mut(shard).get_mut(key)
    }

    pub(super) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let old = Arc::make_mut(&mut self.shards[shard_of(&key)]).insert(key, value);
        self.length += usize::from(old.is_none());
        old
    }

    pub(super) fn remove<Q: Ord + Hash + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let shard = &mut self.shards[shard_of(key)];
        if !shard.contains_key(key) {
            return None;
        }
        self.length -= 1;
        Arc::make_mut(shard).remove(key)
    }

    /// All entries, in no useful order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.shards.iter().flat_map(|shard| shard.iter())
    }

    /// All entries in the order of their keys.
    pub(super) fn sorted(&self) -> Vec<(&K, &V)> {
        let mut entries: Vec<_> = self.iter().collect();
        entries.sort_unstable_by(|a, b| a.0.cmp(b.0));
        entries
    }
}
