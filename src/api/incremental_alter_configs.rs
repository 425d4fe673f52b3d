//! IncrementalAlterConfigs (key 44), versions 0-1.
//!
//! Behavior: keys of topics, of this broker, of all brokers, of groups and of client metrics are set, removed, or as lists added to
//! and taken from; a change is durable and in force when the answer leaves. Levels of this broker's loggers are set too. Client metrics are kept and not yet collected.
//! Listeners cannot be changed at run time.
//!
//! Reference: Kafka `ConfigAdminManager.preprocess`, `ConfigurationControlManager.incrementalAlterConfigs` (KIP-339, KIP-412).

use std::sync::Arc;

use super::altering::{self, Asked, BadChange};
use super::{Call, Outcome};
use crate::settings::Change;
use crate::wire::ErrorCode;
use crate::wire::messages::incremental_alter_configs::{
    AlterConfigsResource, AlterConfigsResourceResponse, AlterableConfig, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
};

pub fn handle(
    call: Call<'_>,
    request: IncrementalAlterConfigsRequest,
    (): (),
) -> Outcome<IncrementalAlterConfigsResponse> {
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
        IncrementalAlterConfigsResponse { responses, ..Default::default() }
    }))
}

fn asked(resource: AlterConfigsResource) -> Asked {
    Asked {
        resource_type: resource.resource_type,
        name: resource.resource_name,
        changes: resource.configs.into_iter().map(change).collect(),
        replaces: false,
    }
}

fn change(config: AlterableConfig) -> (String, Result<Change, BadChange>) {
    let change = match (config.config_operation, config.value) {
        (1, _) => Ok(Change::Delete),
        (_, None) => Err(BadChange::Null),
        (0, Some(value)) => Ok(Change::Set(value)),
        (2, Some(value)) => Ok(Change::Append(value)),
        (3, Some(value)) => Ok(Change::Subtract(value)),
        (operation, Some(_)) => Err(BadChange::Operation(operation)),
    };
    (config.name, change)
}
