//! InitProducerId (key 22), versions 0-5: an id for an idempotent or transactional producer (KIP-98). Version 6 (two-phase commit,
//! KIP-939) is not yet stable in Kafka 4.4 and not served.
//!
//! Version notes
//! - v1: throttling after the answer (KIP-219). v2: flexible. v3: a producer may ask to go on with the id it has (KIP-360).
//! - v4: PRODUCER_FENCED may be answered; before, INVALID_PRODUCER_EPOCH stands for it (KIP-588).
//! - v5: TRANSACTION_ABORTABLE may be answered (KIP-890).
//!
//! Reference: Kafka `InitProducerIdRequest.json`, `InitProducerIdResponse.json`.

use crate::wire::error_code::ErrorCode;
use crate::wire::{ApiKey, Request};

crate::message! {
    /// Asks for an id.
    pub struct InitProducerIdRequest, flexible 2+ {
        /// Null: the producer is idempotent only.
        [0+] transactional_id: Option<String>,
        [0+] transaction_timeout_ms: i32,
        /// The id that the producer has, -1: none.
        [3+] producer_id: i64 = -1,
        [3+] producer_epoch: i16 = -1,
    }
}

crate::message! {
    /// The id.
    pub struct InitProducerIdResponse, flexible 2+ {
        [0+] throttle_time_ms: i32,
        [0+] error_code: ErrorCode,
        /// -1 on an error.
        [0+] producer_id: i64 = -1,
        [0+] producer_epoch: i16,
    }
}

/// What the version of an InitProducerId request means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InitProducerIdFacts {
    /// PRODUCER_FENCED is known to the client; before, INVALID_PRODUCER_EPOCH stands for it.
    pub knows_producer_fenced: bool,
}

impl Request for InitProducerIdRequest {
    const KEY: ApiKey = ApiKey::InitProducerId;
    type Response = InitProducerIdResponse;
    type Facts = InitProducerIdFacts;

    fn facts(version: i16) -> InitProducerIdFacts {
        InitProducerIdFacts { knows_producer_fenced: version >= 4 }
    }
}
