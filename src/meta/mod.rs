//! What the broker must remember: topics, configs, ACLs, credentials, quotas, features, as KRaft records in
//! `__cluster_metadata-0`, in Kafka's own files (decision D1).
//!
//! ```text
//! store ── load, fresh ── identity   meta.properties, lock
//!   │         │             journal ── batches    the log
//!   │         │             snapshot ─ batches    its snapshots
//!   │         └─ quorum                           epoch, voters
//!   └─ change ── image ── record
//! ```

mod batches;
pub mod change;
pub mod error;
mod fresh;
pub mod identity;
pub mod image;
mod journal;
mod load;
pub mod options;
mod quorum;
pub mod record;
mod snapshot;
mod spread;
pub mod store;

#[cfg(test)]
mod tests;

pub use change::Node;
pub use error::MetaError;
pub use image::Image;
pub use options::{BootOptions, Endpoint};
pub use store::Store;
