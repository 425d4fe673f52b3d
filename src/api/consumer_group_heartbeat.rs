//! ConsumerGroupHeartbeat (key 68), versions 0-1.
//!
//! Behavior: the group decides (`coordinator/group/consumer`). Only what has changed is told. An expression is read beside the
//! runtime: it may take milliseconds.
//!
//! Version notes: v1: the member makes its own id (KIP-1082).
//!
//! Reference: Kafka `GroupMetadataManager.consumerGroupHeartbeat`; KIP-848.

use std::sync::Arc;

use super::coordinated::{ask_of, client, code};
use super::{Broker, Call, Outcome};
use crate::coordinator::group::consumer::regex::Compiled;
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
    let mut event = ConsumerGroupHeartbeat {
        group: request.group_id,
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
        expression: None,
    };
    let Some(expression) = event.subscribed_regex.clone().filter(|expression| !expression.is_empty()) else {
        return heartbeat(call.broker, event, call.is_aside);
    };
    let broker = Arc::clone(call.broker);
    Outcome::Heavy(Box::new(move || {
        event.expression = Some(Compiled::of(&expression));
        heartbeat(&broker, event, true)
    }))
}

fn heartbeat(
    broker: &Arc<Broker>,
    event: ConsumerGroupHeartbeat,
    is_aside: bool,
) -> Outcome<ConsumerGroupHeartbeatResponse> {
    let group = event.group.clone();
    ask_of(broker, is_aside, &group, Event::ConsumerGroupHeartbeat(event), |reply| match reply {
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
