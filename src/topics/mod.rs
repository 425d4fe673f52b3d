//! Which partitions exist, and the async shell around each log.
