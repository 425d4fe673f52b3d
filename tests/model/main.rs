//! The log under random operations, against a model that is a plain vector.
//!
//! A seed is the whole input. `KLAMM_SEED=<seed> cargo test --test model replay_one_seed -- --ignored --nocapture` runs one
//! again and prints its steps; `KLAMM_LONG=<n>` runs n times as many.

#[path = "../support/batches.rs"]
mod batches;
mod log;
mod plain;
