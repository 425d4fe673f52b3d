//! Klamm: a Kafka-compatible broker that fits on one machine.
//!
//! Modules in reading order; each uses only those above it (`tests/tidy.rs` holds the table).

pub mod base;
pub mod codec;
pub mod wire;
pub mod record;
pub mod log;
pub mod settings;
pub mod meta;
pub mod topics;
pub mod coordinator;
pub mod observe;
pub mod api;
pub mod server;
pub mod jobs;
pub mod config;
pub mod daemon;
