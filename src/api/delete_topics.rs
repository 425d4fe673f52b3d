//! DeleteTopics (key 20), versions 1-6.
//!
//! Behavior: a topic is gone when the answer leaves: the metadata record is durable, its folders are renamed and removed later
//! (`file.delete.delay.ms`). A topic named twice, be it by name and by id, is INVALID_REQUEST and stays.
//!
//! Version notes: v3: TOPIC_DELETION_DISABLED. v5: error messages. v6: by id (KIP-516).
//!
//! Reference: Kafka `ControllerApis.deleteTopics`.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Broker, Call, Outcome, errors};
use crate::base::ids::Uuid;
use crate::wire::ErrorCode;
use crate::wire::messages::delete_topics::{
    DeletableTopicResult, DeleteTopicState, DeleteTopicsFacts, DeleteTopicsRequest, DeleteTopicsResponse,
};

pub fn handle(call: Call<'_>, request: DeleteTopicsRequest, facts: DeleteTopicsFacts) -> Outcome<DeleteTopicsResponse> {
    let broker = Arc::clone(call.broker);
    let topics = request.into_topics();
    if !broker.settings.boolean("delete.topic.enable") {
        let error_code = if facts.knows_deletion_disabled {
            ErrorCode::TOPIC_DELETION_DISABLED
        } else {
            ErrorCode::INVALID_REQUEST
        };
        let responses = topics.into_iter().map(|topic| failed(topic, error_code, None)).collect();
        return Outcome::Now(DeleteTopicsResponse { responses, ..DeleteTopicsResponse::default() });
    }
    Outcome::InOrder(Box::pin(async move {
        let ids: Vec<Option<Uuid>> = topics.iter().map(|topic| id_of(&broker, topic)).collect();
        let mut times: HashMap<Uuid, usize> = HashMap::new();
        for id in ids.iter().flatten() {
            *times.entry(*id).or_default() += 1;
        }
        let mut responses = Vec::with_capacity(topics.len());
        for (topic, id) in topics.into_iter().zip(ids) {
            let repeated = id.and_then(|id| times.get(&id)).is_some_and(|times| *times > 1);
            responses.push(delete(&broker, topic, repeated).await);
        }
        DeleteTopicsResponse { responses, ..DeleteTopicsResponse::default() }
    }))
}

/// The id of the topic that is meant, if it exists.
fn id_of(broker: &Broker, topic: &DeleteTopicState) -> Option<Uuid> {
    match &topic.name {
        Some(name) if topic.topic_id.is_zero() => broker.registry.topic(name).map(|topic| topic.id()),
        Some(_) => None,
        None => Some(topic.topic_id).filter(|id| !id.is_zero()),
    }
}

fn failed(topic: DeleteTopicState, error_code: ErrorCode, message: Option<&str>) -> DeletableTopicResult {
    DeletableTopicResult {
        name: topic.name,
        topic_id: topic.topic_id,
        error_code,
        error_message: message.map(str::to_owned),
    }
}

async fn delete(broker: &Arc<Broker>, topic: DeleteTopicState, repeated: bool) -> DeletableTopicResult {
    let by_id = topic.topic_id != Uuid::ZERO;
    if by_id && topic.name.is_some() {
        return failed(topic, ErrorCode::INVALID_REQUEST, Some("You may not specify both topic name and topic id."));
    }
    if !by_id && topic.name.is_none() {
        return failed(topic, ErrorCode::INVALID_REQUEST, Some("Neither topic name nor id were specified."));
    }
    if repeated {
        let message = if by_id { "Duplicate topic id." } else { "Duplicate topic name." };
        return failed(topic, ErrorCode::INVALID_REQUEST, Some(message));
    }
    let found = match (&topic.name, by_id) {
        (_, true) => broker.registry.topic_by_id(&topic.topic_id).ok_or(ErrorCode::UNKNOWN_TOPIC_ID),
        (Some(name), _) => broker.registry.topic(name).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        (None, _) => Err(ErrorCode::UNKNOWN_TOPIC_ID),
    };
    let found = match found {
        Ok(found) => found,
        Err(error) => return failed(topic, error, Some("This server does not host this topic-partition.")),
    };
    match broker.registry.delete_topic(&found).await {
        Ok(()) => DeletableTopicResult {
            name: Some(found.name().to_string()),
            topic_id: found.id(),
            error_code: ErrorCode::NONE,
            error_message: None,
        },
        Err(error) => {
            let (code, message) = errors::of_topic(&error);
            failed(topic, code, Some(&message))
        }
    }
}
