//! File, environment and flags into settings; all faults at once.
//!
//! Only `main` and `daemon` use this.

pub mod check;
pub mod command;
mod env;
pub mod exit;
mod file;
pub mod flags;
mod names;
pub mod print;
mod properties;
#[cfg(test)]
mod tests;
