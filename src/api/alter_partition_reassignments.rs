//! AlterPartitionReassignments (key 45), versions 0-1.
//!
//! Behavior: a partition may be moved to where it is, this broker, and that is done at once. Everything else is refused as Kafka
//! with one broker refuses it.
//!
//! Version notes: v1: whether the number of replicas may change (KIP-860); here it cannot.
//!
//! Reference: Kafka `ReplicationControlManager.alterPartitionReassignments` (KIP-455).

use super::{Broker, Call, Outcome};
use crate::wire::ErrorCode;
use crate::wire::messages::alter_partition_reassignments::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse, ReassignablePartition,
    ReassignablePartitionResponse, ReassignableTopic, ReassignableTopicResponse,
};

type Refusal = (ErrorCode, Option<String>);

pub fn handle(
    call: Call<'_>,
    request: AlterPartitionReassignmentsRequest,
    (): (),
) -> Outcome<AlterPartitionReassignmentsResponse> {
    let responses = request.topics.into_iter().map(|topic| answer(call.broker, topic)).collect();
    Outcome::Now(AlterPartitionReassignmentsResponse {
        allow_replication_factor_change: request.allow_replication_factor_change,
        error_message: None,
        responses,
        ..Default::default()
    })
}

fn answer(broker: &Broker, asked: ReassignableTopic) -> ReassignableTopicResponse {
    let partition = |one: &ReassignablePartition| {
        let (error_code, error_message) = match judge(broker, &asked.name, one) {
            Ok(()) => (ErrorCode::NONE, None),
            Err(refusal) => refusal,
        };
        ReassignablePartitionResponse { partition_index: one.partition_index, error_code, error_message }
    };
    let partitions = asked.partitions.iter().map(partition).collect();
    ReassignableTopicResponse { name: asked.name, partitions }
}

fn judge(broker: &Broker, topic: &str, asked: &ReassignablePartition) -> Result<(), Refusal> {
    let unknown = |message: String| (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, Some(message));
    let index = asked.partition_index;
    let found = broker.registry.topic(topic).ok_or_else(|| unknown(format!("Unable to find a topic named {topic}.")))?;
    found.partition(index).ok_or_else(|| unknown(format!("Unable to find partition {topic}:{index}.")))?;
    let Some(replicas) = &asked.replicas else {
        return Err((ErrorCode::NO_REASSIGNMENT_IN_PROGRESS, None));
    };
    let refused = |what: String| {
        (ErrorCode::INVALID_REPLICA_ASSIGNMENT, Some(format!("The manual partition assignment includes {what}")))
    };
    let mut sorted = replicas.clone();
    sorted.sort_unstable();
    match sorted.as_slice() {
        [] => Err(refused("an empty replica list.".to_owned())),
        [only] if *only == broker.node_id => Ok(()),
        // Two that are this broker, before or after whom is not there: Kafka looks at them in this order.
        several => {
            let mut before = None;
            for id in several {
                if *id != broker.node_id {
                    return Err(refused(format!("broker {id}, but no such broker is registered.")));
                }
                if before == Some(id) {
                    return Err(refused(format!("the broker {id} more than once.")));
                }
                before = Some(id);
            }
            Ok(())
        }
    }
}
