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

/// A partition and what it is answered with; `None`: what the group says.
type Row = (i32, Option<ErrorCode>);

pub fn handle(call: Call<'_>, request: OffsetDeleteRequest, (): ()) -> Outcome<OffsetDeleteResponse> {
    let mut known = Vec::new();
    let mut rows: Vec<(String, Vec<Row>)> = Vec::new();
    for topic in request.topics {
        let found = call.broker.registry.topic(&topic.name).zip(TopicName::parse(&topic.name).ok());
        let is_there = |index: i32| found.as_ref().is_some_and(|(topic, _)| topic.partition(index).is_some());
        let unknown = |index: i32| (!is_there(index)).then_some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
        let asked = topic.partitions.into_iter().map(|asked| asked.partition_index);
        let asked: Vec<Row> = asked.map(|index| (index, unknown(index))).collect();
        if let Some((_, name)) = &found {
            let there = asked.iter().filter(|(_, error)| error.is_none()).map(|(index, _)| *index);
            known.push((name.clone(), there.collect::<Vec<i32>>()));
        }
        rows.push((topic.name, asked));
    }
    let event = Event::OffsetDelete(OffsetDelete { group: request.group_id.clone(), topics: known });
    ask(&call, &request.group_id, event, move |reply| {
        let outcomes = match reply {
            Ok(Reply::OffsetDelete(Ok(outcomes))) => outcomes,
            Ok(Reply::OffsetDelete(Err(error))) => return failed(code(&error)),
            Ok(_) => return failed(ErrorCode::UNKNOWN_SERVER_ERROR),
            Err(error) => return failed(error),
        };
        let mut codes = outcomes.into_iter().flatten().map(|outcome| code_of(&outcome));
        let topics = rows.into_iter().map(|(name, partitions)| {
            let row = |(partition_index, error): Row| OffsetDeleteResponsePartition {
                partition_index,
                error_code: error.or_else(|| codes.next()).unwrap_or(ErrorCode::UNKNOWN_SERVER_ERROR),
            };
            OffsetDeleteResponseTopic { name, partitions: partitions.into_iter().map(row).collect() }
        });
        OffsetDeleteResponse { topics: topics.collect(), ..OffsetDeleteResponse::default() }
    })
}

fn failed(error_code: ErrorCode) -> OffsetDeleteResponse {
    OffsetDeleteResponse { error_code, ..OffsetDeleteResponse::default() }
}
