//! FindCoordinator (key 10), versions 0-6.
//!
//! Behavior: there is one broker, so it is always this one. The first question for a group makes `__consumer_offsets`.
//! Transactional ids are refused until there are transactions, share groups are not served.
//!
//! Version notes: v4: many keys at once (KIP-699).
//!
//! Reference: Kafka `KafkaApis.handleFindCoordinatorRequest`.

use std::sync::Arc;

use super::{Broker, Call, Outcome, errors};
use crate::coordinator::groups;
use crate::wire::ErrorCode;
use crate::wire::messages::find_coordinator::{
    Coordinator, FindCoordinatorFacts, FindCoordinatorRequest, FindCoordinatorResponse,
};

const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;

pub fn handle(
    call: Call<'_>,
    request: FindCoordinatorRequest,
    facts: FindCoordinatorFacts,
) -> Outcome<FindCoordinatorResponse> {
    let (host, port) = call.broker.advertised_to(call.session);
    let keys = if facts.batched { request.coordinator_keys } else { vec![request.key] };
    let kind = request.key_type;
    let answer = Answer { node_id: call.broker.node_id, host, port, kind, batched: facts.batched };
    if kind != GROUP || call.broker.registry.topic(groups::TOPIC).is_some() {
        return Outcome::Now(answer.to(keys, ErrorCode::NONE));
    }
    let broker = Arc::clone(call.broker);
    Outcome::InOrder(Box::pin(async move {
        let error = make_topic(&broker).await;
        answer.to(keys, error)
    }))
}

async fn make_topic(broker: &Broker) -> ErrorCode {
    match broker.groups.make_topic().await {
        Ok(()) => ErrorCode::NONE,
        Err(error) => {
            let (code, message) = errors::of_topic(&error);
            tracing::error!(?code, message, "make the topic of committed offsets");
            ErrorCode::COORDINATOR_NOT_AVAILABLE
        }
    }
}

/// What all keys of a request are answered with.
struct Answer {
    node_id: i32,
    host: String,
    port: i32,
    kind: i8,
    batched: bool,
}

impl Answer {
    fn to(&self, keys: Vec<String>, error: ErrorCode) -> FindCoordinatorResponse {
        let mut coordinators: Vec<Coordinator> = keys.into_iter().map(|key| self.of(key, error)).collect();
        if self.batched {
            return FindCoordinatorResponse { coordinators, ..FindCoordinatorResponse::default() };
        }
        let one = coordinators.pop().unwrap_or_default();
        FindCoordinatorResponse {
            error_code: one.error_code,
            // Kafka has the name of the code stand for a text where there is none.
            error_message: one.error_message.filter(|text| !text.is_empty()).or(Some("NONE".to_owned())),
            node_id: one.node_id,
            host: one.host,
            port: one.port,
            ..FindCoordinatorResponse::default()
        }
    }

    fn of(&self, key: String, error: ErrorCode) -> Coordinator {
        let (error, message) = match self.kind {
            _ if error != ErrorCode::NONE => (error, "The coordinator is not available."),
            // Kafka takes an empty group id here.
            GROUP => (ErrorCode::NONE, ""),
            TRANSACTION if key.is_empty() => (ErrorCode::INVALID_REQUEST, "The transactional id is empty."),
            TRANSACTION => {
                (ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED, "This version of the broker has no transactions.")
            }
            _ => (ErrorCode::INVALID_REQUEST, "Only groups and transactions have coordinators here."),
        };
        if error != ErrorCode::NONE {
            let message = Some(message.to_owned());
            return Coordinator {
                key,
                error_code: error,
                error_message: message,
                node_id: -1,
                host: String::new(),
                port: -1,
            };
        }
        let (node_id, host, port) = (self.node_id, self.host.clone(), self.port);
        Coordinator { key, node_id, host, port, error_code: error, error_message: Some(message.to_owned()) }
    }
}
