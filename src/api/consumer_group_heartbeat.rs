//! ConsumerGroupHeartbeat (key 68), versions 0-1.
//!
//! Behavior: the group decides (`coordinator/group/consumer`). Only what has changed is told.
//!
//! Version notes: v1: the member makes its own id (KIP-1082).
//!
//! Reference: Kafka `GroupMetadataManager.consumerGroupHeartbeat`; KIP-848.

use super::coordinated::{ask, client, code};
use super::{Call, Outcome};
use crate::coordinator::group::event::{ConsumerGroupHeartbeat, ConsumerHeartbeatAnswer, Event, Reply};
use crate::wire::ErrorCode;
use crate::wire::messages::consumer_group_heartbeat::{
    Assignment, ConsumerGroupHeartbeatFacts, ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse,
    TopicPartitions,
};

pub fn handle(
    call: Call<'_>,
    request: ConsumerGroupHeartbeatRequest,
    facts: ConsumerGroupHeartbeatFacts,
) -> Outcome<ConsumerGroupHeartbeatResponse> {
    let listed = |topics: Vec<TopicPartitions>| topics.into_iter().map(|topic| (topic.topic_id, topic.partitions));
    let event = Event::ConsumerGroupHeartbeat(ConsumerGroupHeartbeat {
        group: request.group_id.clone(),
        client: client(&call),
        member_id: request.member_id,
        member_epoch: request.member_epoch,
        instance_id: request.instance_id,
        rack_id: request.rack_id,
        rebalance_timeout_ms: request.rebalance_timeout_ms,
        subscribed_topics: request.subscribed_topic_names,
        subscribed_regex: request.subscribed_topic_regex,
        server_assignor: request.server_assignor,
        owned: request.topic_partitions.map(|topics| listed(topics).collect()),
        makes_own_id: facts.makes_own_id,
    });
    ask(&call, &request.group_id, event, |reply| match reply {
        Ok(Reply::ConsumerGroupHeartbeat(Ok(answer))) => accepted(answer),
        Ok(Reply::ConsumerGroupHeartbeat(Err(error))) => {
            ConsumerGroupHeartbeatResponse { error_message: error.message.clone(), ..failed(code(&error)) }
        }
        Ok(_) => failed(ErrorCode::UNKNOWN_SERVER_ERROR),
        Err(error) => failed(error),
    })
}

fn accepted(answer: ConsumerHeartbeatAnswer) -> ConsumerGroupHeartbeatResponse {
    let topic = |(topic_id, partitions)| TopicPartitions { topic_id, partitions };
    let whole = |assigned: Vec<_>| Assignment { topic_partitions: assigned.into_iter().map(topic).collect() };
    ConsumerGroupHeartbeatResponse {
        member_id: Some(answer.member_id),
        member_epoch: answer.member_epoch,
        heartbeat_interval_ms: answer.heartbeat_interval_ms,
        assignment: answer.assignment.map(whole),
        ..ConsumerGroupHeartbeatResponse::default()
    }
}

fn failed(error_code: ErrorCode) -> ConsumerGroupHeartbeatResponse {
    ConsumerGroupHeartbeatResponse { error_code, ..ConsumerGroupHeartbeatResponse::default() }
}
