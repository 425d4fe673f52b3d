//! Files, environment and flags into settings; all faults at once.
