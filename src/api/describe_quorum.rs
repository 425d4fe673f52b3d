//! DescribeQuorum (key 55), versions 0-2.
//!
//! Behavior: the metadata log with this node as its only voter (KIP-836). Other topics do not exist for this API. The
//! controller's listener is not opened, so the node names none.
//!
//! Version notes: v1: times of the voters' fetches. v2: directory ids, listeners of the nodes (KIP-853).

use super::{Call, Outcome};
use crate::wire::ErrorCode;
use crate::wire::messages::describe_quorum::{
    DescribeQuorumPartitionResponse, DescribeQuorumRequest, DescribeQuorumResponse, DescribeQuorumTopicResponse,
    QuorumNode, QuorumReplica,
};

const METADATA_TOPIC: &str = "__cluster_metadata";

pub fn handle(call: Call<'_>, request: DescribeQuorumRequest, (): ()) -> Outcome<DescribeQuorumResponse> {
    let broker = call.broker;
    let asked: Vec<_> = request
        .topics
        .iter()
        .flat_map(|topic| topic.partitions.iter().map(|partition| (topic.topic_name.as_str(), partition.partition_index)))
        .collect();
    if asked != [(METADATA_TOPIC, 0)] {
        let topics = request.topics.into_iter().map(|topic| unknown(topic.topic_name, &topic.partitions)).collect();
        return Outcome::Now(DescribeQuorumResponse { topics, ..Default::default() });
    }
    let store = broker.registry.store();
    let end = store.log_end();
    let now = broker.clock.wall().0;
    let voter = QuorumReplica {
        replica_id: broker.node_id,
        replica_directory_id: store.node().directory_id,
        log_end_offset: end.0,
        last_fetch_timestamp: now,
        last_caught_up_timestamp: now,
    };
    let partition = DescribeQuorumPartitionResponse {
        partition_index: 0,
        leader_id: broker.node_id,
        leader_epoch: store.quorum_epoch().0,
        high_watermark: end.0,
        current_voters: vec![voter],
        ..Default::default()
    };
    Outcome::Now(DescribeQuorumResponse {
        topics: vec![DescribeQuorumTopicResponse { topic_name: METADATA_TOPIC.to_owned(), partitions: vec![partition] }],
        nodes: vec![QuorumNode { node_id: broker.node_id, listeners: Vec::new() }],
        ..Default::default()
    })
}

fn unknown(
    topic_name: String,
    partitions: &[crate::wire::messages::describe_quorum::DescribeQuorumPartition],
) -> DescribeQuorumTopicResponse {
    let partitions = partitions
        .iter()
        .map(|partition| DescribeQuorumPartitionResponse {
            partition_index: partition.partition_index,
            error_code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            ..Default::default()
        })
        .collect();
    DescribeQuorumTopicResponse { topic_name, partitions }
}
