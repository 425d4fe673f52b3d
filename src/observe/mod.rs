//! Logging.

pub mod loggers;
pub mod logging;
