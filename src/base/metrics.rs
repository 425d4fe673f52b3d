//! Every metric of the broker, in one table. No exporter here: `observe` reads it.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows, or (gauges) goes up and down.
#[derive(Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub fn subtract(&self, count: u64) {
        self.0.fetch_sub(count, Ordering::Relaxed);
    }

    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

macro_rules! metrics {
    ($($(#[doc = $help:literal])+ $name:ident,)*) => {
        /// One value per metric. Shared by the whole process.
        #[derive(Default)]
        pub struct Metrics {
            $($(#[doc = $help])+ pub $name: Counter,)*
        }

        impl Metrics {
            /// Name, help text and value of each.
            pub fn rows(&self) -> Vec<(&'static str, &'static str, u64)> {
                vec![$((stringify!($name), concat!($($help),+), self.$name.value()),)*]
            }
        }
    };
}

metrics! {
    /// Connections open now.
    connections_open,
    /// Connections accepted since start.
    connections_accepted,
    /// Requests answered since start.
    requests,
    /// Connections closed because of bytes that are not a valid request.
    requests_malformed,
    /// Connections closed because of an API key or version that is not served.
    requests_unsupported,
    /// Connections closed because a request was begun and came too slowly.
    requests_dawdled,
    /// Record bytes appended by clients.
    produce_bytes,
    /// Record bytes sent to clients.
    fetch_bytes,
    /// Calls of fdatasync on partition logs.
    log_syncs,
    /// Appends whose write took longer than 5 ms.
    appends_slow,
    /// Logs that refuse writes until restart because a write or sync failed.
    logs_poisoned,
}
