//! OffsetCommit (key 8), versions 2-10.
//!
//! Behavior: offsets of topics that do not exist are refused one by one; the group decides about the rest. The answer leaves when
//! the records are durable.
//!
//! Version notes: v9: member epochs (KIP-848). v10: topic ids.
//!
//! Reference: Kafka `KafkaApis.handleOffsetCommitRequest`, `OffsetMetadataManager.commitOffset`.

use super::coordinated::{ask, code_of};
use super::{Broker, Call, Outcome};
use crate::base::ids::{LeaderEpoch, Offset, TopicName};
use crate::coordinator::group::event::{CommitPartition, Event, OffsetCommit, Refusal, Reply, TopicRef};
use crate::wire::ErrorCode;
use crate::wire::messages::offset_commit::{
    OffsetCommitFacts, OffsetCommitRequest, OffsetCommitRequestTopic, OffsetCommitResponse,
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};

pub fn handle(
    call: Call<'_>,
    request: OffsetCommitRequest,
    facts: OffsetCommitFacts,
) -> Outcome<OffsetCommitResponse> {
    let named: Vec<_> = request.topics.iter().map(shape).collect();
    let topics = request.topics.into_iter().map(|topic| lookup(call.broker, topic, facts)).collect();
    let event = Event::OffsetCommit(OffsetCommit {
        group: request.group_id.clone(),
        generation_or_epoch: request.generation_id_or_member_epoch,
        member_id: request.member_id,
        instance_id: request.group_instance_id,
        retention_ms: request.retention_time_ms,
        transaction: None,
        topics,
        knows_member_epochs: facts.knows_member_epochs,
    });
    ask(&call, &request.group_id, event, move |reply| {
        let outcomes = match reply {
            Ok(Reply::OffsetCommit(outcomes)) => outcomes,
            Ok(_) => return failed(named, ErrorCode::UNKNOWN_SERVER_ERROR),
            Err(error) => return failed(named, error),
        };
        let topics = named.into_iter().zip(outcomes).map(|(mut topic, outcomes)| {
            for (partition, outcome) in topic.partitions.iter_mut().zip(outcomes) {
                partition.error_code = code_of(&outcome);
            }
            topic
        });
        OffsetCommitResponse { topics: topics.collect(), ..OffsetCommitResponse::default() }
    })
}

/// The answer without its outcomes.
fn shape(topic: &OffsetCommitRequestTopic) -> OffsetCommitResponseTopic {
    let partition = |index| OffsetCommitResponsePartition { partition_index: index, error_code: ErrorCode::NONE };
    OffsetCommitResponseTopic {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        partitions: topic.partitions.iter().map(|asked| partition(asked.partition_index)).collect(),
    }
}

fn failed(mut topics: Vec<OffsetCommitResponseTopic>, error: ErrorCode) -> OffsetCommitResponse {
    topics.iter_mut().flat_map(|topic| &mut topic.partitions).for_each(|partition| partition.error_code = error);
    OffsetCommitResponse { topics, ..OffsetCommitResponse::default() }
}

fn lookup(
    broker: &Broker,
    topic: OffsetCommitRequestTopic,
    facts: OffsetCommitFacts,
) -> (TopicRef, Vec<CommitPartition>) {
    let (found, missing) = if facts.topics_by_id {
        (broker.registry.topic_by_id(&topic.topic_id), Refusal::UnknownTopicId)
    } else {
        (broker.registry.topic(&topic.name), Refusal::UnknownTopicOrPartition)
    };
    let meant = match &found {
        Some(found) => TopicRef { name: Some(found.name().clone()), id: found.id() },
        None => TopicRef { name: TopicName::parse(&topic.name).ok(), id: topic.topic_id },
    };
    let refusal = |index: i32| match &found {
        None => Some(missing),
        Some(found) if found.partition(index).is_none() => Some(Refusal::UnknownTopicOrPartition),
        Some(_) => None,
    };
    let partitions = topic.partitions.into_iter().map(|asked| CommitPartition {
        partition: asked.partition_index,
        offset: Offset(asked.committed_offset),
        leader_epoch: LeaderEpoch(asked.committed_leader_epoch),
        metadata: asked.committed_metadata,
        refused: refusal(asked.partition_index),
    });
    let partitions = partitions.collect();
    (meant, partitions)
}
