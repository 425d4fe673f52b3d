//! Logging.

pub mod logging;
