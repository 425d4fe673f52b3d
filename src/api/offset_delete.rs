//! OffsetDelete (key 47), version 0.
//!
//! Behavior: committed offsets of topics that no member reads are forgotten.
//!
//! Reference: Kafka `KafkaApis.handleOffsetDeleteRequest`, `OffsetMetadataManager.deleteOffsets`.

use super::coordinated::{ask, code, code_of};
use super::{Call, Outcome};
use crate::base::ids::TopicName;
use crate::coordinator::group::event::{Event, OffsetDelete, Reply};
use crate::wire::ErrorCode;
use crate::wire::messages::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteResponse, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};

pub fn handle(call: Call<'_>, request: OffsetDeleteRequest, (): ()) -> Outcome<OffsetDeleteResponse> {
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for topic in request.topics {
        let partitions: Vec<i32> = topic.partitions.into_iter().map(|partition| partition.partition_index).collect();
        match (call.broker.registry.topic(&topic.name), TopicName::parse(&topic.name)) {
            (Some(_), Ok(name)) => known.push((name, partitions)),
            _ => unknown.push((topic.name, partitions)),
        }
    }
    let event = Event::OffsetDelete(OffsetDelete { group: request.group_id.clone(), topics: known.clone() });
    ask(&call, &request.group_id, event, move |reply| {
        let outcomes = match reply {
            Ok(Reply::OffsetDelete(Ok(outcomes))) => outcomes,
            Ok(Reply::OffsetDelete(Err(error))) => return failed(code(&error)),
            Ok(_) => return failed(ErrorCode::UNKNOWN_SERVER_ERROR),
            Err(error) => return failed(error),
        };
        let codes = |outcomes: Vec<_>| outcomes.iter().map(code_of).collect::<Vec<_>>();
        let deleted = known
            .into_iter()
            .zip(outcomes)
            .map(|((name, partitions), outcomes)| topic(name.to_string(), partitions, codes(outcomes)));
        let missing = unknown.into_iter().map(|(name, partitions)| {
            let codes = vec![ErrorCode::UNKNOWN_TOPIC_OR_PARTITION; partitions.len()];
            topic(name, partitions, codes)
        });
        OffsetDeleteResponse { topics: deleted.chain(missing).collect(), ..OffsetDeleteResponse::default() }
    })
}

fn topic(name: String, partitions: Vec<i32>, codes: Vec<ErrorCode>) -> OffsetDeleteResponseTopic {
    let partitions = partitions.into_iter().zip(codes);
    let partitions = partitions.map(|(partition_index, error_code)| OffsetDeleteResponsePartition {
        partition_index,
        error_code,
    });
    OffsetDeleteResponseTopic { name, partitions: partitions.collect() }
}

fn failed(error_code: ErrorCode) -> OffsetDeleteResponse {
    OffsetDeleteResponse { error_code, ..OffsetDeleteResponse::default() }
}
