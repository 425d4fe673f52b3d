//! DeleteTopics (key 20), versions 1-6.
//!
//! Version notes
//! - v1: throttle time. v2: throttling after the answer (KIP-219).
//! - v3: TOPIC_DELETION_DISABLED may be answered; before, INVALID_REQUEST stands for it (KIP-322).
//! - v4: flexible. v5: error messages; THROTTLING_QUOTA_EXCEEDED may be answered (KIP-599).
//! - v6: topics by name or id, in a list of another shape (KIP-516).
//!
//! Reference: Kafka `DeleteTopicsRequest.json`, `DeleteTopicsResponse.json`.

use crate::base::ids::Uuid;
use crate::wire::error_code::ErrorCode;
use crate::wire::{ApiKey, Request};

crate::message! {
    /// Topics to delete: `topic_names` to v5, `topics` from v6 on. `into_topics` joins them.
    pub struct DeleteTopicsRequest, flexible 4+ {
        [6+] topics: Vec<DeleteTopicState>,
        [0-5] topic_names: Vec<String>,
        [0+] timeout_ms: i32,
    }
    /// A topic by its name, or by its id with a null name.
    pub struct DeleteTopicState {
        [6+] name: Option<String>,
        [6+] topic_id: Uuid,
    }
}

crate::message! {
    /// What became of each topic.
    pub struct DeleteTopicsResponse, flexible 4+ {
        [1+] throttle_time_ms: i32,
        [0+] responses: Vec<DeletableTopicResult>,
    }
    /// A topic deleted, or why not.
    pub struct DeletableTopicResult {
        /// Null if the client named an id and may not learn the name, or there is none.
        [0+, null 6+] name: Option<String> = Some(String::new()),
        [6+] topic_id: Uuid,
        [0+] error_code: ErrorCode,
        [5+] error_message: Option<String>,
    }
}

impl DeleteTopicsRequest {
    /// The topics in one shape, whichever the version has.
    pub fn into_topics(self) -> Vec<DeleteTopicState> {
        let named =
            self.topic_names.into_iter().map(|name| DeleteTopicState { name: Some(name), topic_id: Uuid::ZERO });
        self.topics.into_iter().chain(named).collect()
    }
}

/// What the version of a DeleteTopics request means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeleteTopicsFacts {
    /// TOPIC_DELETION_DISABLED is known to the client; before, INVALID_REQUEST stands for it.
    pub knows_deletion_disabled: bool,
}

impl Request for DeleteTopicsRequest {
    const KEY: ApiKey = ApiKey::DeleteTopics;
    type Response = DeleteTopicsResponse;
    type Facts = DeleteTopicsFacts;

    fn facts(version: i16) -> DeleteTopicsFacts {
        DeleteTopicsFacts { knows_deletion_disabled: version >= 3 }
    }
}
