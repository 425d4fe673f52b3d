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
use crate::topics::Topic;
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
        let judged: Vec<_> = topics
            .into_iter()
            .zip(ids)
            .map(|(topic, id)| {
                let repeated = id.and_then(|id| times.get(&id)).is_some_and(|times| *times > 1);
                judge(&broker, topic, repeated)
            })
            .collect();
        let found = judged.iter().filter_map(|judged| judged.as_ref().ok()).map(|(_, topic)| Arc::clone(topic)).collect();
        let deleted = broker.registry.delete_topics(found).await.map_err(|error| errors::of_topic(&error));
        let mut existed = deleted.as_ref().map(|existed| existed.iter()).unwrap_or_default();
        let row = |judged: Result<(DeleteTopicState, Arc<Topic>), DeletableTopicResult>| match (judged, &deleted) {
            (Err(refused), _) => refused,
            (Ok((asked, _)), Err((code, message))) => failed(asked, *code, Some(message)),
            (Ok((_, topic)), Ok(_)) if existed.next() == Some(&true) => DeletableTopicResult {
                name: Some(topic.name().to_string()),
                topic_id: topic.id(),
                error_code: ErrorCode::NONE,
                error_message: None,
            },
            // Another client was quicker.
            (Ok((asked, _)), Ok(_)) => unknown(asked),
        };
        DeleteTopicsResponse {
            responses: judged.into_iter().map(row).collect(),
            ..DeleteTopicsResponse::default()
        }
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

fn unknown(topic: DeleteTopicState) -> DeletableTopicResult {
    let by_id = topic.topic_id != Uuid::ZERO;
    let error = if by_id { ErrorCode::UNKNOWN_TOPIC_ID } else { ErrorCode::UNKNOWN_TOPIC_OR_PARTITION };
    failed(topic, error, Some("This server does not host this topic-partition."))
}

/// The topic to delete, or the row that says why not.
fn judge(
    broker: &Broker,
    asked: DeleteTopicState,
    repeated: bool,
) -> Result<(DeleteTopicState, Arc<Topic>), DeletableTopicResult> {
    let by_id = asked.topic_id != Uuid::ZERO;
    let refused = match &asked.name {
        Some(_) if by_id => Some("You may not specify both topic name and topic id."),
        None if !by_id => Some("Neither topic name nor id were specified."),
        _ if repeated && by_id => Some("Duplicate topic id."),
        _ if repeated => Some("Duplicate topic name."),
        _ => None,
    };
    if let Some(message) = refused {
        return Err(failed(asked, ErrorCode::INVALID_REQUEST, Some(message)));
    }
    let found = match &asked.name {
        Some(name) => broker.registry.topic(name),
        None => broker.registry.topic_by_id(&asked.topic_id),
    };
    match found {
        Some(topic) => Ok((asked, topic)),
        None => Err(unknown(asked)),
    }
}
