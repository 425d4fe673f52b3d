//! Which partitions exist, and the async shell around each log: who appends, who waits, who syncs.

mod budget;
mod config;
mod internal;
mod partition;
mod registry;
mod syncs;
mod topic;
mod waiters;

pub use config::{Durability, TopicConfig};
pub use internal::{VisitError, is_internal};
pub use partition::{Acks, AppendError, EpochError, Partition};
pub use registry::{NewTopic, Opened, Registry, RegistryOptions, Retained, TopicError};
pub use syncs::{SyncPool, Syncable};
pub use topic::Topic;
pub use waiters::{Seat, Waiter, Waiters};
