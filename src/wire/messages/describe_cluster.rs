//! DescribeCluster (key 60), versions 0-2: cluster id, controller and brokers (KIP-700).
//!
//! Version notes
//! - v1: asks for brokers or for controllers (KIP-919). v2: fenced brokers may be listed (KIP-1073).
//!
//! Reference: Kafka `DescribeClusterRequest.json`, `DescribeClusterResponse.json`.

use crate::wire::error_code::ErrorCode;
use crate::wire::messages::OPERATIONS_NOT_ASKED;
use crate::wire::{ApiKey, Request};

/// `endpoint_type` of brokers.
pub const ENDPOINT_BROKERS: i8 = 1;
/// `endpoint_type` of controllers.
pub const ENDPOINT_CONTROLLERS: i8 = 2;

crate::message! {
    /// Asks for the nodes of one kind.
    pub struct DescribeClusterRequest, flexible 0+ {
        [0+] include_cluster_authorized_operations: bool,
        [1+] endpoint_type: i8 = ENDPOINT_BROKERS,
        [2+] include_fenced_brokers: bool,
    }
}

crate::message! {
    /// The cluster.
    pub struct DescribeClusterResponse, flexible 0+ {
        [0+] throttle_time_ms: i32,
        [0+] error_code: ErrorCode,
        [0+] error_message: Option<String>,
        [1+] endpoint_type: i8 = ENDPOINT_BROKERS,
        [0+] cluster_id: String,
        /// A broker that takes administrative requests; it must be one of `brokers`.
        [0+] controller_id: i32 = -1,
        [0+] brokers: Vec<DescribeClusterBroker>,
        [0+] cluster_authorized_operations: i32 = OPERATIONS_NOT_ASKED,
    }
    /// A node and the address at which the asking client reaches it.
    pub struct DescribeClusterBroker {
        [0+] broker_id: i32,
        [0+] host: String,
        [0+] port: i32,
        [0+] rack: Option<String>,
        [2+] is_fenced: bool,
    }
}

impl Request for DescribeClusterRequest {
    const KEY: ApiKey = ApiKey::DescribeCluster;
    type Response = DescribeClusterResponse;
    type Facts = ();

    fn facts(_: i16) {}
}
