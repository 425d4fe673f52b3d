//! DescribeCluster (key 60), versions 0-2.
//!
//! Behavior: this broker alone, which is its own controller. The controller's listener is not opened, so endpoint type 2 is refused as
//! by a broker of Kafka.
//!
//! Version notes: v1: endpoint type (KIP-919). v2: fenced brokers (KIP-1073).

use super::metadata::CLUSTER_OPERATIONS;
use super::{Call, Outcome};
use crate::wire::ErrorCode;
use crate::wire::messages::describe_cluster::{
    DescribeClusterBroker, DescribeClusterRequest, DescribeClusterResponse, ENDPOINT_BROKERS, ENDPOINT_CONTROLLERS,
};

pub fn handle(call: Call<'_>, request: DescribeClusterRequest, (): ()) -> Outcome<DescribeClusterResponse> {
    let broker = call.broker;
    let refused = match request.endpoint_type {
        ENDPOINT_BROKERS => None,
        ENDPOINT_CONTROLLERS => Some((
            ErrorCode::MISMATCHED_ENDPOINT_TYPE,
            "The request was sent to an endpoint of the wrong type.".to_owned(),
        )),
        other => Some((ErrorCode::UNSUPPORTED_ENDPOINT_TYPE, format!("Unsupported endpoint type {other}"))),
    };
    if let Some((error_code, message)) = refused {
        let error_message = Some(message);
        return Outcome::Now(DescribeClusterResponse { error_code, error_message, ..Default::default() });
    }
    let (host, port) = broker.advertised_to(call.session);
    let rack = broker.settings.optional_string("broker.rack").map(str::to_owned);
    let mut response = DescribeClusterResponse {
        endpoint_type: request.endpoint_type,
        cluster_id: broker.cluster_id.clone(),
        controller_id: broker.node_id,
        brokers: vec![DescribeClusterBroker { broker_id: broker.node_id, host, port, rack, is_fenced: false }],
        ..Default::default()
    };
    if request.include_cluster_authorized_operations {
        response.cluster_authorized_operations = CLUSTER_OPERATIONS;
    }
    Outcome::Now(response)
}
