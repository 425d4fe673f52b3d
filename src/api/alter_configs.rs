//! AlterConfigs (key 33), versions 0-2.
//!
//! Behavior: a resource gets the keys that are named and loses every other one. Otherwise as IncrementalAlterConfigs, without
//! loggers. Kept for older clients: who reads, changes and writes undoes what others change meanwhile.
//!
//! Reference: Kafka `ConfigAdminManager.preprocess`, `ConfigurationControlManager.legacyAlterConfigs`.

use std::sync::Arc;

use super::altering::{self, Asked, BadChange};
use super::{Call, Outcome};
use crate::settings::Change;
use crate::wire::ErrorCode;
use crate::wire::messages::alter_configs::{
    AlterConfigsRequest, AlterConfigsResource, AlterConfigsResourceResponse, AlterConfigsResponse,
};

pub fn handle(call: Call<'_>, request: AlterConfigsRequest, (): ()) -> Outcome<AlterConfigsResponse> {
    let broker = Arc::clone(call.broker);
    Outcome::InOrder(Box::pin(async move {
        let resources: Vec<_> =
            request.resources.iter().map(|one| (one.resource_type, one.resource_name.clone())).collect();
        let asked = request.resources.into_iter().map(asked).collect();
        let outcomes = altering::alter(&broker, asked, request.validate_only).await;
        let row = |((resource_type, resource_name), outcome): ((i8, String), Result<(), altering::Refusal>)| {
            let (error_code, error_message) = match outcome {
                Ok(()) => (ErrorCode::NONE, None),
                Err((code, message)) => (code, Some(message)),
            };
            AlterConfigsResourceResponse { error_code, error_message, resource_type, resource_name }
        };
        let responses = resources.into_iter().zip(outcomes).map(row).collect();
        AlterConfigsResponse { responses, ..Default::default() }
    }))
}

fn asked(resource: AlterConfigsResource) -> Asked {
    let change = |value: Option<String>| value.map(Change::Set).ok_or(BadChange::Null);
    Asked {
        resource_type: resource.resource_type,
        name: resource.resource_name,
        changes: resource.configs.into_iter().map(|config| (config.name, change(config.value))).collect(),
        replaces: true,
    }
}
