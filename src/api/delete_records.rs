//! DeleteRecords (key 21), versions 0-2.
//!
//! Behavior: the log of a partition begins at the offset asked, or at the high watermark (-1). That is durable when the answer leaves;
//! what lies below is not read any more. Of a partition that is named twice the last offset counts.
//!
//! Reference: Kafka `ReplicaManager.deleteRecordsOnLocalLog`, `Partition.deleteRecordsOnLeader` (KIP-107).

use std::collections::HashMap;
use std::sync::Arc;

use super::{Broker, Call, Outcome, errors};
use crate::base::ids::Offset;
use crate::topics::{AppendError, Partition};
use crate::wire::ErrorCode;
use crate::wire::messages::delete_records::{
    DeleteRecordsPartitionResult, DeleteRecordsRequest, DeleteRecordsResponse, DeleteRecordsTopicResult,
};

const HIGH_WATERMARK: i64 = -1;
const NO_OFFSET: i64 = -1;

/// A partition and where it is to begin; `None`: at its high watermark.
type Wanted = (Arc<Partition>, Option<Offset>);

pub fn handle(call: Call<'_>, request: DeleteRecordsRequest, (): ()) -> Outcome<DeleteRecordsResponse> {
    let broker = Arc::clone(call.broker);
    Outcome::InOrder(Box::pin(async move {
        // Of each partition its row in the answer; where it is named again, the last offset.
        let mut topics: Vec<DeleteRecordsTopicResult> = Vec::new();
        let mut rows: HashMap<(String, i32), (usize, usize)> = HashMap::new();
        let mut asked: HashMap<(usize, usize), i64> = HashMap::new();
        let mut names: HashMap<String, usize> = HashMap::new();
        for topic in request.topics {
            let at = *names.entry(topic.name.clone()).or_insert_with(|| {
                topics.push(DeleteRecordsTopicResult { name: topic.name.clone(), partitions: Vec::new() });
                topics.len() - 1
            });
            for one in topic.partitions {
                let partitions = &mut topics[at].partitions;
                let row = *rows.entry((topic.name.clone(), one.partition_index)).or_insert_with(|| {
                    partitions.push(result(one.partition_index, NO_OFFSET, ErrorCode::NONE));
                    (at, partitions.len() - 1)
                });
                asked.insert(row, one.offset);
            }
        }
        let (mut wanted, mut places) = (Vec::new(), Vec::new());
        for ((topic, row), offset) in asked {
            let index = topics[topic].partitions[row].partition_index;
            match judge(&broker, &topics[topic].name, index, offset) {
                Ok(one) => {
                    wanted.push(one);
                    places.push((topic, row));
                }
                Err(code) => topics[topic].partitions[row].error_code = code,
            }
        }
        let starts = if wanted.is_empty() { Vec::new() } else { broker.registry.delete_records(wanted).await };
        for ((topic, row), start) in places.into_iter().zip(starts) {
            let place = &mut topics[topic].partitions[row];
            *place = match start {
                Ok(start) => result(place.partition_index, start.0, ErrorCode::NONE),
                Err(error) => result(place.partition_index, NO_OFFSET, code(&error)),
            };
        }
        DeleteRecordsResponse { topics, ..Default::default() }
    }))
}

fn result(partition_index: i32, low_watermark: i64, error_code: ErrorCode) -> DeleteRecordsPartitionResult {
    DeleteRecordsPartitionResult { partition_index, low_watermark, error_code }
}

fn code(error: &AppendError) -> ErrorCode {
    errors::of_append(error).0
}

fn judge(broker: &Broker, topic: &str, index: i32, offset: i64) -> Result<Wanted, ErrorCode> {
    let topic = broker.registry.topic(topic).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    if topic.is_internal() {
        return Err(ErrorCode::INVALID_TOPIC_EXCEPTION);
    }
    let partition = topic.partition(index).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    if !topic.config_now().deletable {
        return Err(ErrorCode::POLICY_VIOLATION);
    }
    match offset {
        HIGH_WATERMARK => Ok((partition, None)),
        0.. => Ok((partition, Some(Offset(offset)))),
        _ => Err(ErrorCode::OFFSET_OUT_OF_RANGE),
    }
}
