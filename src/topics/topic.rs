//! One topic: its name, id, configuration and partitions.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::config::{Durability, TopicConfig};
use super::internal::is_internal;
use super::partition::Partition;
use crate::base::ids::{TopicId, TopicName};

/// A topic as clients see it. Partitions are only ever added.
pub struct Topic {
    name: TopicName,
    id: TopicId,
    config: Arc<ArcSwap<TopicConfig>>,
    partitions: ArcSwap<Vec<Arc<Partition>>>,
}

impl Topic {
    pub(super) fn new(name: TopicName, id: TopicId, config: Arc<ArcSwap<TopicConfig>>) -> Topic {
        Topic { name, id, config, partitions: ArcSwap::default() }
    }

    pub fn name(&self) -> &TopicName {
        &self.name
    }

    pub fn id(&self) -> TopicId {
        self.id
    }

    pub fn is_internal(&self) -> bool {
        is_internal(self.name.as_str())
    }

    /// The partition of this index, if the topic has it.
    pub fn partition(&self, index: i32) -> Option<Arc<Partition>> {
        self.partitions.load().get(usize::try_from(index).ok()?).cloned()
    }

    /// All partitions, by index.
    pub fn partitions(&self) -> Arc<Vec<Arc<Partition>>> {
        self.partitions.load_full()
    }

    pub fn partition_count(&self) -> usize {
        self.partitions.load().len()
    }

    /// True if compressed batches are appended without a look at their records.
    pub fn passes_compressed(&self) -> bool {
        self.config.load().passes_compressed()
    }

    pub(super) fn config(&self) -> &Arc<ArcSwap<TopicConfig>> {
        &self.config
    }

    /// Takes new settings; every append and batch from now on follows them.
    pub(super) fn set_config(&self, config: TopicConfig) {
        let config = Arc::new(config);
        let before = self.config.swap(Arc::clone(&config));
        let is_promised_again = before.durability == Durability::Os && config.durability != Durability::Os;
        for partition in self.partitions().iter() {
            if before.log != config.log {
                partition.set_log_config(&config.log);
            }
            if is_promised_again {
                // What the system was left to write back is not on any list of those that sync.
                partition.request_sync();
            }
        }
    }

    /// What the topic's batches and logs follow now.
    pub fn config_now(&self) -> Arc<TopicConfig> {
        self.config.load_full()
    }

    pub(super) fn set_partitions(&self, partitions: Vec<Arc<Partition>>) {
        self.partitions.store(Arc::new(partitions));
    }
}
