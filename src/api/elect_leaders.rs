//! ElectLeaders (key 43), versions 0-2.
//!
//! Behavior: this broker leads every partition, so no election is ever needed. Asked for all partitions the answer is empty, as
//! Kafka's where every leader is the preferred one.
//!
//! Reference: Kafka `ReplicationControlManager.electLeaders` (KIP-183, KIP-460).

use super::{Broker, Call, Outcome};
use crate::wire::ErrorCode;
use crate::wire::messages::elect_leaders::{
    ElectLeadersRequest, ElectLeadersResponse, PartitionResult, ReplicaElectionResult, TopicPartitions,
};

/// Preferred and unclean.
const ELECTION_TYPES: std::ops::RangeInclusive<i8> = 0..=1;

pub fn handle(call: Call<'_>, request: ElectLeadersRequest, (): ()) -> Outcome<ElectLeadersResponse> {
    if !ELECTION_TYPES.contains(&request.election_type) {
        return Outcome::Now(ElectLeadersResponse { error_code: ErrorCode::INVALID_REQUEST, ..Default::default() });
    }
    let topics = request.topic_partitions.unwrap_or_default();
    let replica_election_results = topics.into_iter().map(|topic| elect(call.broker, topic)).collect();
    Outcome::Now(ElectLeadersResponse { replica_election_results, ..Default::default() })
}

fn elect(broker: &Broker, asked: TopicPartitions) -> ReplicaElectionResult {
    let topic = broker.registry.topic(&asked.topic);
    let result = |partition_id: i32| {
        let (error_code, message) = match &topic {
            None => (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, format!("No such topic as {}", asked.topic)),
            Some(topic) if topic.partition(partition_id).is_none() => {
                let message = format!("No such partition as {}-{partition_id}", asked.topic);
                (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, message)
            }
            Some(_) => {
                (ErrorCode::ELECTION_NOT_NEEDED, "Leader election not needed for topic partition.".to_owned())
            }
        };
        PartitionResult { partition_id, error_code, error_message: Some(message) }
    };
    let partition_result = asked.partitions.iter().map(|index| result(*index)).collect();
    ReplicaElectionResult { topic: asked.topic.clone(), partition_result }
}
