//! Where each group is coordinated: the partitions of `__consumer_offsets` and the shells of their machines.
//!
//! References: Kafka `GroupCoordinatorService.java` (`partitionFor`, `groupMetadataTopicConfigs`).

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::configured::Configured;
use super::group::event::Event;
use super::group::{GroupMachine, GroupMemory, GroupSettings};
use super::machine::Topics;
use super::shell::{Shell, Surroundings};
use crate::base::clock::Clock;
use crate::base::ids::{TopicId, TopicName};
use crate::base::random;
use crate::settings::Settings;
use crate::topics::{NewTopic, Registry, TopicError};

/// The topic that group coordinators remember in.
pub const TOPIC: &str = "__consumer_offsets";

/// A shell of a group machine.
pub type GroupShell = Shell<GroupMachine>;

/// See the module's comment.
pub struct Groups {
    registry: Arc<Registry>,
    settings: Arc<Settings>,
    surroundings: Arc<Surroundings<GroupMachine>>,
    shells: Mutex<HashMap<i32, Arc<GroupShell>>>,
}

impl Groups {
    pub fn new(registry: Arc<Registry>, settings: Arc<Settings>, clock: Arc<dyn Clock>) -> Groups {
        let consumers = Arc::new(Configured::new(Arc::clone(&registry), Arc::clone(&settings)));
        let of_groups = Arc::new(GroupSettings::of(&settings, consumers));
        let memory = GroupMemory::new(usize::try_from(settings.long("klamm.group.memory.bytes")).unwrap_or(usize::MAX));
        let surroundings = Arc::new(Surroundings {
            clock,
            topics: Arc::new(RegistryTopics(Arc::clone(&registry))),
            random: random::bytes,
            fresh: Box::new(move || GroupMachine::new(Arc::clone(&of_groups), Arc::clone(&memory))),
            command: Box::new(|none| match none {}),
            slow_turn: Mutex::new(()),
        });
        Groups { registry, settings, surroundings, shells: Mutex::default() }
    }

    /// Makes the topic if there is none.
    ///
    /// # Errors
    /// If it cannot be made.
    pub async fn make_topic(&self) -> Result<(), TopicError> {
        if self.registry.topic(TOPIC).is_some() {
            return Ok(());
        }
        let Ok(name) = TopicName::parse(TOPIC) else { return Err(TopicError::Unknown) };
        let configs = vec![
            ("cleanup.policy".to_owned(), "compact".to_owned()),
            ("compression.type".to_owned(), "producer".to_owned()),
            ("segment.bytes".to_owned(), self.settings.int("offsets.topic.segment.bytes").to_string()),
        ];
        let partitions = usize::try_from(self.settings.int("offsets.topic.num.partitions")).ok();
        match self.registry.create_topic(NewTopic { name, partitions, configs }).await {
            Ok(_) | Err(TopicError::Exists { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The shell of a group's coordinator; `None` until the topic is made.
    pub fn shell_of(&self, group: &str) -> Option<Arc<GroupShell>> {
        let topic = self.registry.topic(TOPIC)?;
        let count = i32::try_from(topic.partition_count()).unwrap_or(i32::MAX);
        self.shell(partition_of(group, count))
    }

    fn shell(&self, index: i32) -> Option<Arc<GroupShell>> {
        let mut shells = self.shells.lock();
        if let Some(shell) = shells.get(&index).filter(|shell| !shell.partition().is_deleted()) {
            return Some(Arc::clone(shell));
        }
        let partition = self.registry.topic(TOPIC)?.partition(index)?;
        let shell = Shell::start(partition, Arc::clone(&self.surroundings));
        if let Some(old) = shells.insert(index, Arc::clone(&shell)) {
            old.end();
        }
        Some(shell)
    }

    /// The shells of all partitions that anything was ever written to.
    pub fn shells(&self) -> Vec<Arc<GroupShell>> {
        let Some(topic) = self.registry.topic(TOPIC) else { return Vec::new() };
        let partitions = topic.partitions();
        let written = partitions.iter().filter(|partition| partition.reader().end().0 > 0).map(|p| p.index().0);
        let started = self.shells.lock().keys().copied().collect::<Vec<_>>();
        let mut indexes: Vec<i32> = written.chain(started).collect();
        indexes.sort_unstable();
        indexes.dedup();
        indexes.into_iter().filter_map(|index| self.shell(index)).collect()
    }

    /// Reads what groups have left in the log, several partitions at once.
    pub fn load(&self) {
        for shell in self.shells() {
            shell.load_soon();
        }
    }

    /// Tells the machines that topics changed, and which were deleted.
    pub fn topics_changed(&self) {
        let deleted = self.registry.take_deleted();
        let shells: Vec<_> = self.shells.lock().values().cloned().collect();
        for shell in shells {
            if !deleted.is_empty() {
                // Nobody waits for the answer. A machine that is still loading looks for itself when it has loaded.
                drop(shell.call(Event::TopicsDeleted(deleted.clone())));
            }
            shell.topics_changed();
        }
    }

    /// Answers nothing any more.
    pub fn end(&self) {
        for shell in self.shells.lock().values() {
            shell.end();
        }
    }
}

/// The partition of a key: Java's `String.hashCode` over UTF-16 units, its absolute value modulo the partitions.
pub fn partition_of(key: &str, count: i32) -> i32 {
    let hash = key.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    // Kafka's abs of the least number is 0.
    hash.checked_abs().unwrap_or(0) % count.max(1)
}

/// The topics of the registry, as machines see them.
struct RegistryTopics(Arc<Registry>);

impl Topics for RegistryTopics {
    fn by_name(&self, name: &str) -> Option<(TopicId, usize)> {
        self.0.topic(name).map(|topic| (topic.id(), topic.partition_count()))
    }

    fn by_id(&self, id: TopicId) -> Option<(TopicName, usize)> {
        self.0.topic_by_id(&id).map(|topic| (topic.name().clone(), topic.partition_count()))
    }

    fn names(&self) -> Vec<TopicName> {
        self.0.topics().iter().map(|topic| topic.name().clone()).collect()
    }

    fn edition(&self) -> u64 {
        self.0.edition()
    }
}

#[cfg(test)]
mod tests {
    use super::partition_of;

    #[test]
    fn a_negative_hash_is_made_positive_and_not_masked() {
        assert_eq!(partition_of("birch1-chain", 50), 1);
        assert_eq!(partition_of("", 50), 0);
        // Its hash is -2^31.
        assert_eq!(partition_of("polygenelubricants", 50), 0);
    }
}
