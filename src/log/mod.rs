//! One partition on disk. Synchronous. Knows no topic, network or runtime.
