//! Consumer groups: the classic protocol, the consumer protocol (KIP-848), and committed offsets.
//!
//! One `GroupMachine` for each partition of `__consumer_offsets`. `event.rs` is what it is asked and answers, `record.rs` what it
//! remembers, in Kafka's own records.

pub mod assignor;
pub mod classic;
pub mod consumer;
pub mod event;
pub mod machine;
pub mod memory;
pub mod offsets;
pub mod record;
pub mod scope;
pub mod subscription;
pub mod timers;

pub use machine::GroupMachine;
pub use memory::GroupMemory;
pub use scope::GroupSettings;

#[cfg(test)]
mod tests;
