//! Periodic work: one table, one supervisor. A job asks its owner; what there is to do is the owner's business.
//!
//! A job that panics ends the daemon: a broker that no longer flushes must not look alive.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::coordinator::Groups;
use crate::settings::Settings;
use crate::topics::{Registry, Retained};

/// How often the checkpoints of all logs are written, if anything was appended.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(10);

/// How often idle producers are looked for (Kafka `producer.id.expiration.check.interval.ms`).
const PRODUCER_CHECK_INTERVAL: Duration = Duration::from_secs(600);

/// Old segments are looked for at least so often, whatever `log.retention.check.interval.ms` says.
const RETENTION_INTERVAL_MAX: Duration = Duration::from_secs(30);

/// How often it is looked whether the logs are near a limit of the whole broker.
const BUDGET_INTERVAL: Duration = Duration::from_millis(500);

/// What jobs work for.
#[derive(Clone)]
pub struct Owners {
    pub registry: Arc<Registry>,
    pub groups: Arc<Groups>,
}

type Start = fn(Owners, &Settings, &mut JoinSet<()>);

/// Every job.
const JOBS: &[(&str, Start)] = &[
    ("flush", flush),
    ("checkpoints", checkpoints),
    ("producers", producers),
    ("retention", retention),
    ("budget", budget),
    ("groups", groups),
];

/// Starts every job. They end when the set is dropped.
pub fn start(owners: &Owners, settings: &Settings) -> JoinSet<()> {
    let mut running = JoinSet::new();
    for (name, start) in JOBS {
        tracing::debug!(job = name, "job started");
        start(owners.clone(), settings, &mut running);
    }
    running
}

/// Syncs what acks 0 and 1 left in the page cache.
fn flush(Owners { registry, .. }: Owners, settings: &Settings, running: &mut JoinSet<()>) {
    let interval = Duration::from_millis(u64::try_from(settings.long("durability.interval.ms")).unwrap_or(50));
    running.spawn(async move { registry.flush_written(interval).await });
}

/// Writes recovery points, high watermarks and log starts, so that the next start after a kill reads little.
fn checkpoints(Owners { registry, .. }: Owners, _settings: &Settings, running: &mut JoinSet<()>) {
    running.spawn(async move {
        loop {
            tokio::time::sleep(CHECKPOINT_INTERVAL).await;
            if !registry.take_touched() {
                continue;
            }
            let registry = Arc::clone(&registry);
            match tokio::task::spawn_blocking(move || registry.write_checkpoints()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "write checkpoints"),
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                // The runtime is being shut down.
                Err(_) => return,
            }
        }
    });
}

/// Forgets idle producers, so that their number follows those that live.
fn producers(Owners { registry, .. }: Owners, _settings: &Settings, running: &mut JoinSet<()>) {
    running.spawn(async move {
        loop {
            tokio::time::sleep(PRODUCER_CHECK_INTERVAL).await;
            let registry = Arc::clone(&registry);
            match tokio::task::spawn_blocking(move || registry.expire_producers()).await {
                Ok(()) => {}
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Err(_) => return,
            }
        }
    });
}

/// Takes away what is not to be kept any longer.
fn retention(Owners { registry, .. }: Owners, settings: &Settings, running: &mut JoinSet<()>) {
    let interval = Duration::from_millis(u64::try_from(settings.long("log.retention.check.interval.ms")).unwrap_or(1));
    running.spawn(async move {
        loop {
            tokio::time::sleep(interval.min(RETENTION_INTERVAL_MAX)).await;
            let Retained { segments, bytes } = registry.retain().await;
            if segments > 0 {
                tracing::info!(segments, bytes, "old segments removed");
            }
        }
    });
}

/// Keeps all logs within the limits of the whole broker, if there are any.
fn budget(Owners { registry, .. }: Owners, _settings: &Settings, running: &mut JoinSet<()>) {
    if !registry.has_budget() {
        return;
    }
    running.spawn(async move {
        loop {
            let Retained { segments, bytes } = registry.keep_within_budget().await;
            if segments > 0 {
                tracing::info!(segments, bytes, "old segments removed to make room");
            }
            tokio::time::sleep(BUDGET_INTERVAL).await;
        }
    });
}

/// Reads what groups have left, then tells their coordinators of topics that change.
fn groups(Owners { registry, groups }: Owners, _settings: &Settings, running: &mut JoinSet<()>) {
    running.spawn(async move {
        groups.load();
        let mut editions = registry.editions();
        while editions.changed().await.is_ok() {
            groups.topics_changed();
        }
    });
}
