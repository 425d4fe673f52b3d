//! ListConfigResources (key 74), versions 0-1.
//!
//! Behavior: names of everything that has or can have a configuration: topics, this broker and its loggers, and the groups and
//! client-metrics subscriptions that the metadata holds.
//!
//! Version notes: v0: client metrics only (KIP-714). v1: the types asked for; none means all (KIP-1142).

use super::{Broker, Call, Outcome};
use crate::meta::image::ResourceKind;
use crate::wire::ErrorCode;
use crate::wire::messages::list_config_resources::{
    ConfigResource, ListConfigResourcesFacts, ListConfigResourcesRequest, ListConfigResourcesResponse,
    RESOURCE_CLIENT_METRICS,
};

const RESOURCE_TOPIC: i8 = 2;
const RESOURCE_BROKER: i8 = 4;
const RESOURCE_BROKER_LOGGER: i8 = 8;
const RESOURCE_GROUP: i8 = 32;

pub fn handle(
    call: Call<'_>,
    request: ListConfigResourcesRequest,
    facts: ListConfigResourcesFacts,
) -> Outcome<ListConfigResourcesResponse> {
    let every = [RESOURCE_TOPIC, RESOURCE_BROKER, RESOURCE_BROKER_LOGGER, RESOURCE_CLIENT_METRICS, RESOURCE_GROUP];
    let types = match request.resource_types {
        _ if facts.client_metrics_only => vec![RESOURCE_CLIENT_METRICS],
        types if types.is_empty() => every.to_vec(),
        types => types,
    };
    if types.iter().any(|one| !every.contains(one)) {
        let error_code = ErrorCode::UNSUPPORTED_VERSION;
        return Outcome::Now(ListConfigResourcesResponse { error_code, ..Default::default() });
    }
    let mut config_resources = Vec::new();
    for resource_type in every.into_iter().filter(|one| types.contains(one)) {
        let names = names(call.broker, resource_type);
        config_resources
            .extend(names.into_iter().map(|resource_name| ConfigResource { resource_name, resource_type }));
    }
    Outcome::Now(ListConfigResourcesResponse { config_resources, ..Default::default() })
}

fn names(broker: &Broker, resource_type: i8) -> Vec<String> {
    match resource_type {
        RESOURCE_TOPIC => broker.registry.topics().iter().map(|topic| topic.name().to_string()).collect(),
        RESOURCE_BROKER | RESOURCE_BROKER_LOGGER => vec![broker.node_id.to_string()],
        other => {
            let image = broker.registry.image();
            let of_kind = |kind: ResourceKind| kind == ResourceKind(other);
            let configured = image.configured();
            configured.iter().filter(|(key, _)| of_kind(key.kind)).map(|(key, _)| key.name.clone()).collect()
        }
    }
}
