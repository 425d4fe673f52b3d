//! DescribeClientQuotas (key 48), versions 0-1: quotas (KIP-546).
//!
//! Version notes
//! - v1: flexible.
//!
//! Reference: Kafka `DescribeClientQuotasRequest.json`, `DescribeClientQuotasResponse.json`.

use crate::wire::error_code::ErrorCode;
use crate::wire::{ApiKey, Request};

crate::message! {
    /// A filter.
    pub struct DescribeClientQuotasRequest, flexible 1+ {
        [0+] components: Vec<ComponentData>,
        [0+] strict: bool,
    }
    /// What of an entity is to match.
    pub struct ComponentData {
        [0+] entity_type: String,
        [0+] match_type: i8,
        [0+] r#match: Option<String> = Some(String::new()),
    }
}

crate::message! {
    /// The quotas.
    pub struct DescribeClientQuotasResponse, flexible 1+ {
        [0+] throttle_time_ms: i32,
        [0+] error_code: ErrorCode,
        [0+] error_message: Option<String> = Some(String::new()),
        [0+] entries: Option<Vec<EntryData>> = Some(Vec::new()),
    }
    /// An entity's quotas.
    pub struct EntryData {
        [0+] entity: Vec<EntityData>,
        [0+] values: Vec<ValueData>,
    }
    /// A part of an entity.
    pub struct EntityData {
        [0+] entity_type: String,
        [0+] entity_name: Option<String> = Some(String::new()),
    }
    /// A quota.
    pub struct ValueData {
        [0+] key: String,
        [0+] value: f64,
    }
}

impl Request for DescribeClientQuotasRequest {
    const KEY: ApiKey = ApiKey::DescribeClientQuotas;
    type Response = DescribeClientQuotasResponse;
    type Facts = ();

    fn facts(_: i16) {}
}
