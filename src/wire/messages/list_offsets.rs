//! ListOffsets (key 2), versions 1-11: the offset of a timestamp, or one end of a partition.
//!
//! Version notes
//! - v1: one offset for each partition, with its timestamp (KIP-79). v2: isolation level, throttle time (KIP-98).
//! - v3: throttling after the answer (KIP-219). v4: leader epochs (KIP-320). v5: OFFSET_NOT_AVAILABLE may be answered (KIP-207).
//! - v6: flexible. v7: -3, the record with the largest timestamp (KIP-734).
//! - v8: -4, the first offset on local disk (KIP-405). v9: -5, the last one in tiered storage (KIP-1005).
//! - v10: a time limit for tiered storage (KIP-1075). v11: -6, the first one waiting for its upload (KIP-1023).
//!
//! Reference: Kafka `ListOffsetsRequest.json`, `ListOffsetsResponse.json`.

use crate::wire::error_code::ErrorCode;
use crate::wire::{ApiKey, Request};

/// The end of the partition, as far as the isolation level lets see.
pub const LATEST_TIMESTAMP: i64 = -1;
/// The first offset of the partition.
pub const EARLIEST_TIMESTAMP: i64 = -2;
/// The record with the largest timestamp.
pub const MAX_TIMESTAMP: i64 = -3;
/// The first offset that is on local disk.
pub const EARLIEST_LOCAL_TIMESTAMP: i64 = -4;
/// The last offset that is in tiered storage.
pub const LATEST_TIERED_TIMESTAMP: i64 = -5;
/// The first offset that waits for its upload to tiered storage.
pub const EARLIEST_PENDING_UPLOAD_TIMESTAMP: i64 = -6;

crate::message! {
    /// A question for each partition.
    pub struct ListOffsetsRequest, flexible 6+ {
        /// -1 for a consumer.
        [0+] replica_id: i32,
        /// 0: `LATEST_TIMESTAMP` is the high watermark; 1: the last stable offset.
        [2+] isolation_level: i8,
        [0+] topics: Vec<ListOffsetsTopic>,
        /// How long to wait for tiered storage.
        [10+] timeout_ms: i32,
    }
    /// A topic by its name.
    pub struct ListOffsetsTopic {
        [0+] name: String,
        [0+] partitions: Vec<ListOffsetsPartition>,
    }
    /// What is asked of one partition.
    pub struct ListOffsetsPartition {
        [0+] partition_index: i32,
        [4+] current_leader_epoch: i32 = -1,
        /// Milliseconds, or one of the negative constants of this file.
        [0+] timestamp: i64,
    }
}

crate::message! {
    /// The answers.
    pub struct ListOffsetsResponse, flexible 6+ {
        [2+] throttle_time_ms: i32,
        [0+] topics: Vec<ListOffsetsTopicResponse>,
    }
    /// A topic as the request named it.
    pub struct ListOffsetsTopicResponse {
        [0+] name: String,
        [0+] partitions: Vec<ListOffsetsPartitionResponse>,
    }
    /// The record found; all -1 if there is none.
    pub struct ListOffsetsPartitionResponse {
        [0+] partition_index: i32,
        [0+] error_code: ErrorCode,
        [1+] timestamp: i64 = -1,
        [1+] offset: i64 = -1,
        [4+] leader_epoch: i32 = -1,
    }
}

/// What the version of a ListOffsets request means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ListOffsetsFacts {
    /// The lowest of the negative timestamps that the version knows; one below is UNSUPPORTED_VERSION.
    pub timestamp_min: i64,
}

impl Request for ListOffsetsRequest {
    const KEY: ApiKey = ApiKey::ListOffsets;
    type Response = ListOffsetsResponse;
    type Facts = ListOffsetsFacts;

    fn facts(version: i16) -> ListOffsetsFacts {
        let timestamp_min = match version {
            ..7 => EARLIEST_TIMESTAMP,
            7 => MAX_TIMESTAMP,
            8 => EARLIEST_LOCAL_TIMESTAMP,
            9..11 => LATEST_TIERED_TIMESTAMP,
            11.. => EARLIEST_PENDING_UPLOAD_TIMESTAMP,
        };
        ListOffsetsFacts { timestamp_min }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_knows_kafkas_timestamps() {
        for (version, timestamp_min) in [(1, -2), (6, -2), (7, -3), (8, -4), (9, -5), (10, -5), (11, -6)] {
            assert_eq!(ListOffsetsRequest::facts(version), ListOffsetsFacts { timestamp_min }, "version {version}");
        }
    }
}
