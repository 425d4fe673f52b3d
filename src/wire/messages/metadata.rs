//! Metadata (key 3), versions 0-13: the brokers, the topics and who leads their partitions.
//!
//! Version notes
//! - v0: an empty list of topics means all of them. From v1 on null means all and an empty list none.
//! - v1: racks, the controller and whether a topic is internal. v2: cluster id. v3: throttle time.
//! - v4: the client may forbid that asking creates a topic; before, it always may.
//! - v5: offline replicas (KIP-112). v6: throttling after the answer (KIP-219). v7: leader epochs (KIP-320).
//! - v8: authorized operations, of topics and of the cluster (KIP-430). v9: flexible.
//! - v10: topic ids (KIP-516), answered but not yet to be asked by: in v10 and v11 a topic has a name.
//! - v11: the cluster's authorized operations moved to DescribeCluster (KIP-700).
//! - v12: a topic may be asked for by its id. v13: an error for the whole answer (KIP-1102).
//!
//! Reference: Kafka `MetadataRequest.json`, `MetadataResponse.json`.

use crate::base::ids::Uuid;
use crate::wire::error_code::ErrorCode;
use crate::wire::messages::OPERATIONS_NOT_ASKED;
use crate::wire::{ApiKey, Request};

crate::message! {
    /// Asks for some topics, or all.
    pub struct MetadataRequest, flexible 9+ {
        /// Null: all topics. In v0 an empty list says so; see `MetadataFacts`.
        [0+, null 1+] topics: Option<Vec<MetadataRequestTopic>> = Some(Vec::new()),
        /// A topic that is not there may be created if the broker is set to.
        [4+] allow_auto_topic_creation: bool = true,
        [8-10] include_cluster_authorized_operations: bool,
        [8+] include_topic_authorized_operations: bool,
    }
    /// A topic by its name, or by its id with a null name.
    pub struct MetadataRequestTopic {
        [10+] topic_id: Uuid,
        [0+, null 10+] name: Option<String> = Some(String::new()),
    }
}

crate::message! {
    /// What the client needs to know to reach its partitions.
    pub struct MetadataResponse, flexible 9+ {
        [3+] throttle_time_ms: i32,
        [0+] brokers: Vec<MetadataBroker>,
        [2+] cluster_id: Option<String>,
        [1+] controller_id: i32 = -1,
        [0+] topics: Vec<MetadataTopic>,
        [8-10] cluster_authorized_operations: i32 = OPERATIONS_NOT_ASKED,
        [13+] error_code: ErrorCode,
    }
    /// A broker and the address at which the asking client reaches it.
    pub struct MetadataBroker {
        [0+] node_id: i32,
        [0+] host: String,
        [0+] port: i32,
        [1+] rack: Option<String>,
    }
    /// A topic, or why there is none.
    pub struct MetadataTopic {
        [0+] error_code: ErrorCode,
        /// Null if it was asked for by an id that is not known.
        [0+, null 12+] name: Option<String> = Some(String::new()),
        /// Zero if it was asked for by a name that is not known.
        [10+] topic_id: Uuid,
        [1+] is_internal: bool,
        [0+] partitions: Vec<MetadataPartition>,
        [8+] topic_authorized_operations: i32 = OPERATIONS_NOT_ASKED,
    }
    /// A partition and its replicas.
    pub struct MetadataPartition {
        [0+] error_code: ErrorCode,
        [0+] partition_index: i32,
        [0+] leader_id: i32,
        [7+] leader_epoch: i32 = -1,
        [0+] replica_nodes: Vec<i32>,
        [0+] isr_nodes: Vec<i32>,
        [5+] offline_replicas: Vec<i32>,
    }
}

/// What the version of a Metadata request means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MetadataFacts {
    /// An empty list of topics asks for all of them (v0).
    pub empty_means_all: bool,
    /// Topics may be asked for by id; before, a null name or an id makes every topic of the request INVALID_REQUEST (and a null name
    /// is answered as an empty one).
    pub topics_by_id: bool,
}

impl Request for MetadataRequest {
    const KEY: ApiKey = ApiKey::Metadata;
    type Response = MetadataResponse;
    type Facts = MetadataFacts;

    fn facts(version: i16) -> MetadataFacts {
        MetadataFacts { empty_means_all: version == 0, topics_by_id: version >= 12 }
    }
}
