//! InitProducerId (key 22), versions 0-5.
//!
//! Behavior: gives an idempotent producer an id that was never given before; ids come in blocks whose record is durable before one of
//! them is used. A producer that names its id and epoch gets a new id with epoch 0, as Kafka gives without a transactional id.
//! Transactional ids are refused until there are transactions.
//!
//! Version notes: v3: the producer names its id and epoch (KIP-360).
//!
//! Reference: Kafka `TransactionCoordinator.handleInitProducerId`, `RPCProducerIdManager`.

use std::sync::Arc;

use super::{Call, Outcome};
use crate::wire::ErrorCode;
use crate::wire::messages::init_producer_id::{InitProducerIdFacts, InitProducerIdRequest, InitProducerIdResponse};

pub fn handle(
    call: Call<'_>,
    request: InitProducerIdRequest,
    _facts: InitProducerIdFacts,
) -> Outcome<InitProducerIdResponse> {
    if let Some(transactional_id) = request.transactional_id {
        let error_code = if transactional_id.is_empty() {
            ErrorCode::INVALID_REQUEST
        } else {
            let message = format!("transactional id {transactional_id} refused: this version has no transactions");
            call.broker.complaints.note(call.session, &message);
            ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED
        };
        return Outcome::Now(InitProducerIdResponse { error_code, ..failed() });
    }
    let registry = Arc::clone(&call.broker.registry);
    if let Some(id) = registry.reserved_producer_id() {
        return Outcome::Now(InitProducerIdResponse { producer_id: id.0, ..InitProducerIdResponse::default() });
    }
    Outcome::InOrder(Box::pin(async move {
        match registry.next_producer_id().await {
            Ok(id) => InitProducerIdResponse { producer_id: id.0, ..InitProducerIdResponse::default() },
            Err(error) => {
                tracing::error!(%error, "no producer id");
                InitProducerIdResponse { error_code: ErrorCode::KAFKA_STORAGE_ERROR, ..failed() }
            }
        }
    }))
}

fn failed() -> InitProducerIdResponse {
    InitProducerIdResponse { producer_id: -1, producer_epoch: -1, ..InitProducerIdResponse::default() }
}
