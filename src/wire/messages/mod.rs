//! The messages, one file per API: the union of the fields of the served versions, and what a version means for its handling.
//!
//! A declaration follows Kafka's schema field by field; `tests/golden` holds them equal.

pub mod alter_configs;
pub mod alter_partition_reassignments;
pub mod alter_replica_log_dirs;
pub mod api_versions;
pub mod consumer_group_describe;
pub mod consumer_group_heartbeat;
pub mod create_partitions;
pub mod create_topics;
pub mod delete_groups;
pub mod delete_records;
pub mod delete_topics;
pub mod describe_acls;
pub mod describe_client_quotas;
pub mod describe_cluster;
pub mod describe_configs;
pub mod describe_groups;
pub mod describe_log_dirs;
pub mod describe_producers;
pub mod describe_quorum;
pub mod describe_topic_partitions;
pub mod describe_user_scram_credentials;
pub mod elect_leaders;
pub mod fetch;
pub mod find_coordinator;
pub mod heartbeat;
pub mod incremental_alter_configs;
pub mod init_producer_id;
pub mod join_group;
pub mod leave_group;
pub mod list_config_resources;
pub mod list_groups;
pub mod list_offsets;
pub mod list_partition_reassignments;
pub mod metadata;
pub mod offset_commit;
pub mod offset_delete;
pub mod offset_fetch;
pub mod offset_for_leader_epoch;
pub mod produce;
pub mod sync_group;
pub mod update_features;

/// A field of authorized operations that the client did not ask for.
pub const OPERATIONS_NOT_ASKED: i32 = i32::MIN;

crate::structures! {
    /// Who leads a partition now. A tagged field of Produce and Fetch (KIP-951).
    pub struct LeaderIdAndEpoch {
        [0+] leader_id: i32 = -1,
        [0+] leader_epoch: i32 = -1,
    }
    /// Address of a leader. A tagged field of Produce and Fetch (KIP-951).
    pub struct NodeEndpoint {
        [0+] node_id: i32,
        [0+] host: String,
        [0+] port: i32,
        [0+] rack: Option<String>,
    }
}
