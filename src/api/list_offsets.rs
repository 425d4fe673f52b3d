//! ListOffsets (key 2), versions 1-11.
//!
//! Behavior: a timestamp answers the first record at or after it, within what the isolation level shows; the special timestamps answer
//! the log start (-2, -4), the end (-1) and the record with the largest timestamp (-3). There is no tiered storage, so -5 and -6
//! answer "none". Lookups by time read the log and run beside the runtime's own threads.
//!
//! Version notes: v2: isolation level. v4: leader epoch (KIP-320). v7: -3 (KIP-734). v8: -4 (KIP-405). v9: -5 (KIP-1005).
//! v11: -6 (KIP-1023).
//!
//! Reference: Kafka `ReplicaManager.fetchOffset`, `UnifiedLog.fetchOffsetByTimestamp`.

use std::collections::HashSet;
use std::sync::Arc;

use super::{Broker, Call, Outcome, aside, errors};
use crate::base::ids::LeaderEpoch;
use crate::topics::Partition;
use crate::wire::ErrorCode;
use crate::wire::messages::list_offsets::{
    EARLIEST_LOCAL_TIMESTAMP, EARLIEST_PENDING_UPLOAD_TIMESTAMP, EARLIEST_TIMESTAMP, LATEST_TIERED_TIMESTAMP,
    LATEST_TIMESTAMP, ListOffsetsFacts, ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest,
    ListOffsetsResponse, ListOffsetsTopicResponse, MAX_TIMESTAMP,
};

const READ_COMMITTED: i8 = 1;

pub fn handle(call: Call<'_>, request: ListOffsetsRequest, facts: ListOffsetsFacts) -> Outcome<ListOffsetsResponse> {
    let broker = Arc::clone(call.broker);
    let reads_log = |partition: &ListOffsetsPartition| partition.timestamp >= 0 || partition.timestamp == MAX_TIMESTAMP;
    if request.topics.iter().flat_map(|topic| &topic.partitions).any(reads_log) {
        return Outcome::Later(Box::pin(aside(move || answer(&broker, request, facts))));
    }
    Outcome::Now(answer(&broker, request, facts))
}

fn answer(broker: &Broker, request: ListOffsetsRequest, facts: ListOffsetsFacts) -> ListOffsetsResponse {
    let mut seen = HashSet::new();
    let mut response = ListOffsetsResponse::default();
    let read_committed = request.isolation_level == READ_COMMITTED;
    for topic in request.topics {
        let found = broker.registry.topic(&topic.name);
        let mut rows = Vec::with_capacity(topic.partitions.len());
        for asked in topic.partitions {
            let result = if !seen.insert((topic.name.clone(), asked.partition_index)) {
                Err(ErrorCode::INVALID_REQUEST)
            } else if asked.timestamp < facts.timestamp_min {
                Err(ErrorCode::UNSUPPORTED_VERSION)
            } else {
                let partition = found.as_ref().and_then(|topic| topic.partition(asked.partition_index));
                partition
                    .ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
                    .and_then(|partition| look_up(&partition, &asked, read_committed))
            };
            let mut row = result.unwrap_or_else(|error_code| ListOffsetsPartitionResponse {
                error_code,
                ..ListOffsetsPartitionResponse::default()
            });
            row.partition_index = asked.partition_index;
            rows.push(row);
        }
        response.topics.push(ListOffsetsTopicResponse { name: topic.name, partitions: rows });
    }
    response
}

fn look_up(
    partition: &Partition,
    asked: &ListOffsetsPartition,
    read_committed: bool,
) -> Result<ListOffsetsPartitionResponse, ErrorCode> {
    partition.check_leader_epoch(LeaderEpoch(asked.current_leader_epoch)).map_err(errors::of_epoch)?;
    let reader = partition.reader();
    let bound = if read_committed { reader.last_stable_offset() } else { reader.high_watermark() };
    let mut row = ListOffsetsPartitionResponse::default();
    match asked.timestamp {
        LATEST_TIMESTAMP => {
            row.offset = bound.0;
            row.leader_epoch = partition.leader_epoch().0;
        }
        EARLIEST_TIMESTAMP | EARLIEST_LOCAL_TIMESTAMP => {
            row.offset = reader.log_start().0;
            row.leader_epoch = reader.epoch_of(reader.log_start()).map_or(-1, |epoch| epoch.0);
        }
        LATEST_TIERED_TIMESTAMP | EARLIEST_PENDING_UPLOAD_TIMESTAMP => {}
        timestamp => {
            let found = if timestamp == MAX_TIMESTAMP {
                reader.offset_of_max_timestamp()
            } else {
                reader.offset_for_timestamp(timestamp)
            };
            let found = found.map_err(|error| errors::of_read(&error))?;
            if let Some(found) = found.filter(|found| found.offset < bound) {
                row.offset = found.offset.0;
                row.timestamp = found.timestamp;
                row.leader_epoch = found.leader_epoch.0;
            }
        }
    }
    Ok(row)
}
