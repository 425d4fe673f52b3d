//! Which names are keys, which are remembered from elsewhere, and what an unknown one may have meant.

use crate::settings::{Scope, row, rows};

/// What a name in a configuration is.
#[derive(Clone, Debug)]
pub enum Name {
    /// A key of the broker.
    Key,
    /// No key, but people's files hold it; accepted, with this remark.
    Odd(String),
    /// Nobody's.
    Unknown {
        /// What it may have meant.
        nearest: Option<&'static str>,
    },
}

/// Keys of Kafka before 4.0.
const REMOVED: &[&str] = &[
    "advertised.host.name",
    "advertised.port",
    "broker.id.generation.enable",
    "control.plane.listener.name",
    "controlled.shutdown.max.retries",
    "controlled.shutdown.retry.backoff.ms",
    "delegation.token.master.key",
    "host.name",
    "inter.broker.protocol.version",
    "log.message.downconversion.enable",
    "log.message.format.version",
    "log.message.timestamp.difference.max.ms",
    "message.downconversion.enable",
    "offsets.commit.required.acks",
    "port",
    "quota.consumer.default",
    "quota.producer.default",
    "reserved.broker.max.id",
];

/// Keys that Kafka knows and does not show.
const INTERNAL: &[&str] = &[
    "controller.performance.always.log.threshold.ms",
    "controller.performance.sample.period.ms",
    "group.consumer.assignor.offload.enable",
    "group.consumer.regex.refresh.interval.ms",
    "group.share.assignor.offload.enable",
    "group.share.dlq.manager.class.name",
    "group.share.initialize.retry.interval.ms",
    "group.share.persister.class.name",
    "group.streams.acceptable.recovery.lag",
    "group.streams.assignor.offload.enable",
    "group.streams.max.warmup.replicas",
    "group.streams.min.task.offset.interval.ms",
    "group.streams.num.warmup.replicas",
    "group.streams.task.offset.interval.ms",
    "internal.metadata.delete.delay.millis",
    "internal.metadata.log.segment.bytes",
    "internal.metadata.max.batch.size.in.bytes",
    "log.initial.task.delay.ms",
    "producer.id.expiration.check.interval.ms",
    "remote.log.index.file.cache.ttl.ms",
    "remote.log.manager.task.retry.backoff.max.ms",
    "remote.log.manager.task.retry.backoff.ms",
    "remote.log.manager.task.retry.jitter",
    "server.max.startup.time.ms",
    "share.coordinator.cold.partition.snapshot.interval.ms",
    "share.coordinator.state.topic.prune.interval.ms",
    "unclean.leader.election.interval.ms",
    "unstable.api.versions.enable",
    "unstable.feature.versions.enable",
];

/// Beginnings of names that belong to a plug-in or a listener.
const FAMILIES: &[(&str, &str)] = &[
    ("zookeeper.", "ZooKeeper is gone since Kafka 4.0"),
    ("password.encoder.", "ZooKeeper is gone since Kafka 4.0"),
    ("listener.name.", "settings of a single listener have no effect yet"),
    ("config.providers.", "classes of a JVM cannot be loaded here"),
    ("rsm.config.", "there is no tiered storage"),
    ("rlmm.config.", "there is no tiered storage"),
];

/// Keys of Kafka's authorizer, which reads them itself.
const AUTHORIZER: &[&str] = &["super.users", "allow.everyone.if.no.acl.found"];

/// What `name` is.
pub fn classify(name: &str) -> Name {
    if row(Scope::Broker, name).is_some() {
        return Name::Key;
    }
    if let Some((_, why)) = FAMILIES.iter().find(|(start, _)| name.starts_with(start)) {
        return Name::Odd(format!("{name} is accepted without effect: {why}"));
    }
    if REMOVED.contains(&name) {
        return Name::Odd(format!("{name} is accepted without effect: removed in Kafka 4.0"));
    }
    if INTERNAL.contains(&name) {
        return Name::Odd(format!("{name} is accepted without effect: internal to Kafka"));
    }
    if AUTHORIZER.contains(&name) {
        return Name::Odd(format!("{name} is set, but without effect yet: TLS, SASL and ACLs"));
    }
    Name::Unknown { nearest: nearest(name) }
}

/// The key that `name` was probably meant to be.
fn nearest(name: &str) -> Option<&'static str> {
    let name = name.to_lowercase().replace(['_', '-'], ".");
    if let Some(key) = row(Scope::Broker, &name) {
        return Some(key.name);
    }
    if let Some(key) = row(Scope::Topic, &name) {
        return key.synonym;
    }
    let limit = (name.len() / 5).clamp(1, 4);
    rows(Scope::Broker)
        .iter()
        .map(|row| (distance(&name, row.name, limit), row.name))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, name)| name)
}

/// Letters to add, drop or change between two names (Levenshtein); anything over `limit` may come out as `limit + 1`.
fn distance(one: &str, other: &str, limit: usize) -> usize {
    if one.len().abs_diff(other.len()) > limit {
        return limit + 1;
    }
    let mut above: Vec<usize> = (0..=other.len()).collect();
    for (row, a) in one.bytes().enumerate() {
        let mut diagonal = row;
        let mut left = row + 1;
        let mut current = vec![left];
        for (b, up) in other.bytes().zip(above.iter().skip(1)) {
            let cost = (diagonal + usize::from(a != b)).min(left + 1).min(up + 1);
            diagonal = *up;
            left = cost;
            current.push(cost);
        }
        above = current;
    }
    above.last().copied().unwrap_or(limit + 1)
}

/// The beginning of a sentence that tells what to do about an unknown name.
pub fn advice(nearest: Option<&str>) -> String {
    nearest.map_or_else(
        || "Remove it; `klamm config --all` lists every key".into(),
        |name| format!("Did you mean {name}?"),
    )
}

/// True if other keys begin with this one and a dot, so that TOML wants it quoted.
pub fn is_prefix_of_others(name: &str) -> bool {
    rows(Scope::Broker).iter().any(|row| row.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')))
}
