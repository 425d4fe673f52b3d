//! Produce (key 0), versions 3-13: appends record batches to partitions. Versions 0-2 are listed for librdkafka up to 2.11 and
//! refused on use (KAFKA-18659).
//!
//! Version notes
//! - v3: transactional id; record batches of magic 2 (KIP-98).
//! - v4: KAFKA_STORAGE_ERROR may be answered (KIP-112). v5: log start offset in the answer.
//! - v6: throttling after the answer (KIP-219). v7: zstd may be sent (KIP-110).
//! - v8: which records were at fault, and a message (KIP-467). v9: flexible.
//! - v10: the answer may name the current leader (KIP-951). v11: TRANSACTION_ABORTABLE may be answered (KIP-890).
//! - v12: a transactional produce adds its partitions to the transaction (KIP-890 part 2).
//! - v13: topics by id (KIP-516).
//!
//! Reference: Kafka `ProduceRequest.json`, `ProduceResponse.json`.

use bytes::Bytes;

use crate::base::ids::Uuid;
use crate::wire::error_code::ErrorCode;
use crate::wire::messages::{LeaderIdAndEpoch, NodeEndpoint};
use crate::wire::{ApiKey, Request};

crate::message! {
    /// Batches to append.
    pub struct ProduceRequest, flexible 9+ {
        /// Null unless the producer is transactional.
        [3+] transactional_id: Option<String>,
        /// 0: no answer is wanted, 1: the leader has it, -1: all replicas in sync have it.
        [0+] acks: i16,
        [0+] timeout_ms: i32,
        [0+] topic_data: Vec<ProduceTopic>,
    }
    /// A topic by its name (to v12) or id (from v13).
    pub struct ProduceTopic {
        [0-12] name: String,
        [13+] topic_id: Uuid,
        [0+] partition_data: Vec<ProducePartition>,
    }
    /// A partition and what to append to it.
    pub struct ProducePartition {
        [0+] index: i32,
        /// One record batch; shares the request's buffer.
        [0+] records: Option<Bytes>,
    }
}

crate::message! {
    /// Where the batches went.
    pub struct ProduceResponse, flexible 9+ {
        [0+] responses: Vec<ProduceTopicResponse>,
        [1+] throttle_time_ms: i32,
        /// Addresses of the leaders named in `current_leader`.
        [10+, tag 0] node_endpoints: Vec<NodeEndpoint>,
    }
    /// A topic as the request named it.
    pub struct ProduceTopicResponse {
        [0-12] name: String,
        [13+] topic_id: Uuid,
        [0+] partition_responses: Vec<ProducePartitionResponse>,
    }
    /// What became of one batch.
    pub struct ProducePartitionResponse {
        [0+] index: i32,
        [0+] error_code: ErrorCode,
        /// Offset of the batch's first record, -1 on an error.
        [0+] base_offset: i64,
        /// When it was appended if the topic stamps records itself (LogAppendTime), else -1.
        [2+] log_append_time_ms: i64 = -1,
        [5+] log_start_offset: i64 = -1,
        /// The records for which the batch was refused.
        [8+] record_errors: Vec<ProduceRecordError>,
        [8+] error_message: Option<String>,
        [10+, tag 0] current_leader: LeaderIdAndEpoch,
    }
    /// Why one record was refused.
    pub struct ProduceRecordError {
        /// Index of the record in its batch.
        [8+] batch_index: i32,
        [8+] batch_index_error_message: Option<String>,
    }
}

/// What the version of a Produce request means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProduceFacts {
    /// Topics are given by id, not by name.
    pub topics_by_id: bool,
    /// Batches may be compressed with zstd; before, they are UNSUPPORTED_COMPRESSION_TYPE.
    pub zstd_allowed: bool,
    /// Producing to a partition in a transaction adds the partition to it.
    pub adds_partition_to_txn: bool,
}

impl Request for ProduceRequest {
    const KEY: ApiKey = ApiKey::Produce;
    type Response = ProduceResponse;
    type Facts = ProduceFacts;

    fn facts(version: i16) -> ProduceFacts {
        ProduceFacts { topics_by_id: version >= 13, zstd_allowed: version >= 7, adds_partition_to_txn: version >= 12 }
    }
}
