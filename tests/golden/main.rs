//! Do these bytes mean this, in every version: our messages against Kafka's own schemas, and against hostile bytes.
//!
//! `derive.py` writes the schemas' facts down; `value.rs` is a second codec that knows nothing but them; `bridge.rs` lists our messages.

mod allocator;
mod bridge;
mod facts;
mod generate;
mod hostile;
mod round_trip;
mod value;
