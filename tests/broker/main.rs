//! Does each API answer right on a socket? A broker in this process, raw requests, one file for each row of the table in
//! `src/api/mod.rs`; and the command line.

mod api_versions;
mod command;
mod create_partitions;
mod create_topics;
mod delete_topics;
mod describe_cluster;
mod describe_configs;
mod describe_log_dirs;
mod describe_producers;
mod describe_quorum;
mod describe_topic_partitions;
mod fetch;
mod hostile;
mod init_producer_id;
mod list_config_resources;
mod list_offsets;
mod metadata;
mod offset_for_leader_epoch;
mod produce;
mod review_amplify;
mod review_batches;
mod review_connection;
mod review_fetch;
mod rig;
