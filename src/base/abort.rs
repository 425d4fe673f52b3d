//! Ends the process where a panic has cut a change short: half of it must never be served.

/// Ends the process if a panic unwinds past it: the lock over what was being changed would be free again, and who waits for the
/// rest would wait for ever.
pub struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!("a panic in what must be changed as a whole: the broker ends, the next start recovers");
            std::process::abort();
        }
    }
}
