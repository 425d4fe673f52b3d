//! A one-way latch: once set it stays set until the process ends (decision D10, after PostgreSQL's fsyncgate).

use std::sync::OnceLock;

/// Set by the first failed write or sync of what it guards; everything after it is refused.
#[derive(Default, Debug)]
pub struct Poison {
    reason: OnceLock<String>,
}

impl Poison {
    /// Sets the latch. The first reason stays. Returns true if this call set it.
    pub fn set(&self, reason: &str) -> bool {
        self.reason.set(reason.to_owned()).is_ok()
    }

    /// The reason, if set.
    pub fn reason(&self) -> Option<&str> {
        self.reason.get().map(String::as_str)
    }

    pub fn is_set(&self) -> bool {
        self.reason.get().is_some()
    }
}
