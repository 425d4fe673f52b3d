//! CreatePartitions (key 37), versions 0-3.
//!
//! Behavior: a topic grows to the count asked; it never shrinks. Replica assignments must name this broker only.
//!
//! Reference: Kafka `ReplicationControlManager.createPartitions`.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Broker, Call, Outcome, errors};
use crate::wire::ErrorCode;
use crate::wire::messages::create_partitions::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreatePartitionsResult, CreatePartitionsTopic,
};

/// Partitions that one request may make (Kafka `ReplicationControlManager.MAX_PARTITIONS_PER_BATCH`).
pub(super) const PARTITIONS_PER_REQUEST_MAX: usize = 10_000;

pub fn handle(call: Call<'_>, request: CreatePartitionsRequest, (): ()) -> Outcome<CreatePartitionsResponse> {
    let broker = Arc::clone(call.broker);
    Outcome::InOrder(Box::pin(async move {
        let mut times: HashMap<String, usize> = HashMap::new();
        for topic in &request.topics {
            *times.entry(topic.name.clone()).or_default() += 1;
        }
        let mut left = PARTITIONS_PER_REQUEST_MAX;
        let mut results = Vec::with_capacity(request.topics.len());
        for topic in request.topics {
            let outcome = if times.get(&topic.name).is_some_and(|times| *times > 1) {
                Err((ErrorCode::INVALID_REQUEST, "Duplicate topic name.".to_owned()))
            } else {
                grow(&broker, &topic, request.validate_only, &mut left).await
            };
            let (error_code, error_message) = match outcome {
                Ok(()) => (ErrorCode::NONE, None),
                Err((code, message)) => (code, Some(message)),
            };
            results.push(CreatePartitionsResult { name: topic.name, error_code, error_message });
        }
        CreatePartitionsResponse { results, ..CreatePartitionsResponse::default() }
    }))
}

async fn grow(
    broker: &Arc<Broker>,
    asked: &CreatePartitionsTopic,
    validate_only: bool,
    left: &mut usize,
) -> Result<(), (ErrorCode, String)> {
    let Some(topic) = broker.registry.topic(&asked.name) else {
        let message = "This server does not host this topic-partition.";
        return Err((ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, message.to_owned()));
    };
    let now = topic.partition_count();
    let count = usize::try_from(asked.count).unwrap_or(0);
    if count == now {
        let message = format!("Topic already has {now} partition(s).");
        return Err((ErrorCode::INVALID_PARTITIONS, message));
    }
    if count < now {
        let message = format!(
            "The topic {} currently has {now} partition(s); {} would not be an increase.",
            asked.name, asked.count
        );
        return Err((ErrorCode::INVALID_PARTITIONS, message));
    }
    *left = left.checked_sub(count - now).ok_or_else(|| {
        let message = "Excessively large number of additional partitions per request.";
        (ErrorCode::POLICY_VIOLATION, message.to_owned())
    })?;
    if let Some(assignments) = &asked.assignments {
        check_assignments(broker, assignments.iter().map(|one| one.broker_ids.as_slice()), count - now)?;
    }
    if validate_only {
        return Ok(());
    }
    broker.registry.add_partitions(&topic, count).await.map_err(|error| errors::of_topic(&error))
}

/// Checks assignments given by hand: as many as partitions are added, each naming this broker only.
pub(super) fn check_assignments<'a>(
    broker: &Broker,
    assignments: impl ExactSizeIterator<Item = &'a [i32]>,
    expected: usize,
) -> Result<(), (ErrorCode, String)> {
    if assignments.len() != expected {
        let message = format!(
            "Attempted to add {expected} additional partition(s), but only {} assignment(s) were specified.",
            assignments.len()
        );
        return Err((ErrorCode::INVALID_REPLICA_ASSIGNMENT, message));
    }
    for brokers in assignments {
        if let Some(fault) = assignment_fault(broker.node_id, brokers) {
            let message = format!("The manual partition assignment includes {fault}.");
            return Err((ErrorCode::INVALID_REPLICA_ASSIGNMENT, message));
        }
    }
    Ok(())
}

/// What is wrong with one partition's brokers, the lowest id first, as Kafka looks at them.
fn assignment_fault(node_id: i32, brokers: &[i32]) -> Option<String> {
    let mut sorted = brokers.to_vec();
    sorted.sort_unstable();
    match *sorted.as_slice() {
        [] => Some("an empty replica list".to_owned()),
        [first, ..] if first != node_id => Some(format!("broker {first}, but no such broker is registered")),
        [_] => None,
        [_, second, ..] if second == node_id => Some(format!("the broker {node_id} more than once")),
        [_, second, ..] => Some(format!("broker {second}, but no such broker is registered")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_an_assignment_is_told_as_kafka_tells_it() {
        let absent = |id: i32| Some(format!("broker {id}, but no such broker is registered"));
        for (brokers, fault) in [
            (&[1][..], None),
            (&[], Some("an empty replica list".to_owned())),
            (&[7], absent(7)),
            (&[1, 7], absent(7)),
            (&[7, -1, 1], absent(-1)),
            (&[1, 1], Some("the broker 1 more than once".to_owned())),
        ] {
            assert_eq!(assignment_fault(1, brokers), fault, "{brokers:?}");
        }
    }
}
