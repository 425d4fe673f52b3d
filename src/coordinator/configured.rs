//! What is configured for groups, as their machines see it: a change at run time holds for the next decision.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::group::scope::{ConsumerConfig, ConsumerConfigs};
use crate::meta::image::{Resource, ResourceKind};
use crate::settings::{Dynamic, Overrides, Settings};
use crate::topics::Registry;

/// Reads the configurations again when one of them has changed, and not before.
pub struct Configured {
    registry: Arc<Registry>,
    settings: Arc<Settings>,
    read: ArcSwap<Read>,
}

struct Read {
    /// Of the registry, before the configurations were read: those of it are here at least.
    edition: u64,
    of_all: ConsumerConfig,
    /// Groups with values of their own.
    of: HashMap<String, ConsumerConfig>,
}

impl Configured {
    pub fn new(registry: Arc<Registry>, settings: Arc<Settings>) -> Configured {
        let read = ArcSwap::from_pointee(read(&registry, &settings));
        Configured { registry, settings, read }
    }
}

impl ConsumerConfigs for Configured {
    fn of(&self, group: &str) -> ConsumerConfig {
        if self.read.load().edition != self.registry.config_edition() {
            self.read.store(Arc::new(read(&self.registry, &self.settings)));
        }
        let read = self.read.load();
        read.of.get(group).copied().unwrap_or(read.of_all)
    }
}

fn read(registry: &Registry, settings: &Settings) -> Read {
    let edition = registry.config_edition();
    let image = registry.image();
    let configs = |resource: &Resource| image.configs(resource).cloned().unwrap_or_default();
    let (node, all_nodes) =
        (configs(&Resource::broker(registry.store().node().id)), configs(&Resource::every_broker()));
    let dynamic = Dynamic { node: &node, all_nodes: &all_nodes };
    let config = |own: &Overrides| {
        let number = |name| i32::try_from(settings.group_number(name, own, dynamic)).unwrap_or(i32::MAX);
        ConsumerConfig {
            session_timeout_ms: number("consumer.session.timeout.ms"),
            heartbeat_interval_ms: number("consumer.heartbeat.interval.ms"),
            assignment_interval_ms: number("consumer.assignment.interval.ms"),
        }
    };
    let configured = image.configured();
    let groups = configured.iter().filter(|(resource, _)| resource.kind == ResourceKind::GROUP);
    let of = groups.map(|(resource, own)| (resource.name.clone(), config(own))).collect();
    Read { edition, of_all: config(&Overrides::new()), of }
}
