//! DescribeLogDirs (key 35), versions 1-5: how much each partition takes on disk (KIP-113).
//!
//! Version notes
//! - v1: throttling after the answer (KIP-219). v2: flexible. v3: an error for the whole answer.
//! - v4: size and free space of the volume (KIP-827). v5: whether the directory is cordoned (KIP-1066).
//!
//! Reference: Kafka `DescribeLogDirsRequest.json`, `DescribeLogDirsResponse.json`.

use crate::wire::error_code::ErrorCode;
use crate::wire::{ApiKey, Request};

crate::message! {
    /// Partitions to measure.
    pub struct DescribeLogDirsRequest, flexible 2+ {
        /// Null: all topics.
        [0+] topics: Option<Vec<DescribableLogDirTopic>>,
    }
    /// A topic and some of its partitions.
    pub struct DescribableLogDirTopic {
        [0+] topic: String,
        [0+] partitions: Vec<i32>,
    }
}

crate::message! {
    /// The directories.
    pub struct DescribeLogDirsResponse, flexible 2+ {
        [0+] throttle_time_ms: i32,
        [3+] error_code: ErrorCode,
        [0+] results: Vec<DescribeLogDirsResult>,
    }
    /// One directory.
    pub struct DescribeLogDirsResult {
        [0+] error_code: ErrorCode,
        /// Its absolute path.
        [0+] log_dir: String,
        [0+] topics: Vec<DescribeLogDirsTopic>,
        /// Size of the volume in bytes, -1: unknown.
        [4+] total_bytes: i64 = -1,
        /// Bytes of the volume that can still be written, -1: unknown.
        [4+] usable_bytes: i64 = -1,
        [5+] is_cordoned: bool,
    }
    /// A topic that has partitions in the directory.
    pub struct DescribeLogDirsTopic {
        [0+] name: String,
        [0+] partitions: Vec<DescribeLogDirsPartition>,
    }
    /// A partition in the directory.
    pub struct DescribeLogDirsPartition {
        [0+] partition_index: i32,
        /// Bytes of its segments.
        [0+] partition_size: i64,
        /// Records between its end and its high watermark.
        [0+] offset_lag: i64,
        /// True if it is being moved here from another directory.
        [0+] is_future_key: bool,
    }
}

impl Request for DescribeLogDirsRequest {
    const KEY: ApiKey = ApiKey::DescribeLogDirs;
    type Response = DescribeLogDirsResponse;
    type Facts = ();

    fn facts(_: i16) {}
}
