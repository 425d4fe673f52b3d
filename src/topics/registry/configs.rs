//! Configurations that change while the broker runs: made durable, then given to every topic and log they mean.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::watch;

use super::{Registry, TopicError, aside};
use crate::base::abort::AbortOnPanic;
use crate::meta::Image;
use crate::meta::image::{Resource, ResourceKind};
use crate::meta::record::Record;
use crate::settings::{Dynamic, Overrides};
use crate::topics::config::TopicConfig;

impl Registry {
    /// Asks for records with the image that they will be applied to, and makes them durable. On return every topic and log works by
    /// what the records say.
    ///
    /// # Errors
    /// As `TopicError` says; nothing was changed.
    pub async fn alter_configs<T: Send + 'static>(
        self: &Arc<Self>,
        decision: impl FnOnce(&Image) -> (Vec<Record>, T) + Send + 'static,
    ) -> Result<T, TopicError> {
        let registry = Arc::clone(self);
        aside(move || registry.alter_configs_now(decision)).await
    }

    fn alter_configs_now<T>(&self, decision: impl FnOnce(&Image) -> (Vec<Record>, T)) -> Result<T, TopicError> {
        let _alone = self.changes.lock();
        let (records, decided) = decision(&self.store.image());
        if records.is_empty() {
            return Ok(decided);
        }
        let _whole = AbortOnPanic;
        let altered: BTreeSet<Resource> = records.iter().filter_map(resource).collect();
        self.append(records)?;
        let everywhere = altered.iter().any(|resource| resource.kind == ResourceKind::BROKER);
        let topics = if everywhere {
            self.topics()
        } else {
            altered
                .iter()
                .filter(|one| one.kind == ResourceKind::TOPIC)
                .filter_map(|one| self.topic(&one.name))
                .collect()
        };
        let image = self.store.image();
        for topic in topics {
            let overrides = image.configs(&Resource::topic(topic.name().as_str())).cloned().unwrap_or_default();
            topic.set_config(self.resolve_config(&overrides));
        }
        self.configs.send_modify(|changes| *changes += 1);
        Ok(decided)
    }

    /// Follows the changes of configurations, of any resource.
    pub fn config_changes(&self) -> watch::Receiver<u64> {
        self.configs.subscribe()
    }

    /// Rises with every change of configurations, once the change is in the image.
    pub fn config_edition(&self) -> u64 {
        *self.configs.borrow()
    }

    /// A broker's number in force now, over what the configuration says.
    ///
    /// # Panics
    /// If there is no such broker key, or it is no number.
    pub fn broker_number(&self, name: &str) -> i64 {
        self.with_dynamic(|dynamic| self.settings.broker_value_with(name, dynamic).0.long())
    }

    /// A topic's own values over those of the brokers and the configuration.
    pub(super) fn resolve_config(&self, overrides: &Overrides) -> TopicConfig {
        self.with_dynamic(|dynamic| TopicConfig::resolve(&self.settings, overrides, dynamic))
    }

    fn with_dynamic<T>(&self, work: impl FnOnce(Dynamic<'_>) -> T) -> T {
        let image = self.store.image();
        let configs = |resource: &Resource| image.configs(resource).cloned().unwrap_or_default();
        let (node, all_nodes) = (configs(&Resource::broker(self.store.node().id)), configs(&Resource::every_broker()));
        work(Dynamic { node: &node, all_nodes: &all_nodes })
    }
}

fn resource(record: &Record) -> Option<Resource> {
    match record {
        Record::Config(config) => {
            Some(Resource { kind: ResourceKind(config.resource_type), name: config.resource_name.clone() })
        }
        _ => None,
    }
}
