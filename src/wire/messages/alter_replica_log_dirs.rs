//! AlterReplicaLogDirs (key 34), versions 1-2: moves partitions between log directories (KIP-113).
//!
//! Version notes
//! - v1: throttling after the answer (KIP-219). v2: flexible.
//!
//! Reference: Kafka `AlterReplicaLogDirsRequest.json`, `AlterReplicaLogDirsResponse.json`.

use crate::wire::error_code::ErrorCode;
use crate::wire::{ApiKey, Request};

crate::message! {
    /// Directories and what is to be in them.
    pub struct AlterReplicaLogDirsRequest, flexible 2+ {
        [0+] dirs: Vec<AlterReplicaLogDir>,
    }
    /// A directory.
    pub struct AlterReplicaLogDir {
        [0+] path: String,
        [0+] topics: Vec<AlterReplicaLogDirTopic>,
    }
    /// Partitions of a topic.
    pub struct AlterReplicaLogDirTopic {
        [0+] name: String,
        [0+] partitions: Vec<i32>,
    }
}

crate::message! {
    /// What became of each.
    pub struct AlterReplicaLogDirsResponse, flexible 2+ {
        [0+] throttle_time_ms: i32,
        [0+] results: Vec<AlterReplicaLogDirTopicResult>,
    }
    /// A topic's outcomes.
    pub struct AlterReplicaLogDirTopicResult {
        [0+] topic_name: String,
        [0+] partitions: Vec<AlterReplicaLogDirPartitionResult>,
    }
    /// A partition's outcome.
    pub struct AlterReplicaLogDirPartitionResult {
        [0+] partition_index: i32,
        [0+] error_code: ErrorCode,
    }
}

impl Request for AlterReplicaLogDirsRequest {
    const KEY: ApiKey = ApiKey::AlterReplicaLogDirs;
    type Response = AlterReplicaLogDirsResponse;
    type Facts = ();

    fn facts(_: i16) {}
}
