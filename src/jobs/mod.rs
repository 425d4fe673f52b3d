//! Periodic work: one table, one supervisor.
