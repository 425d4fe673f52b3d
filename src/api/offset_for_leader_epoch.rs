//! OffsetForLeaderEpoch (key 23), versions 2-4.
//!
//! Behavior: the end offset of the largest epoch at or below the one asked, by which a consumer finds out where the log was cut
//! (KIP-320).
//!
//! Reference: Kafka `ReplicaManager.lastOffsetForLeaderEpoch`.

use super::{Broker, Call, Outcome, errors};
use crate::base::ids::LeaderEpoch;
use crate::topics::Topic;
use crate::wire::ErrorCode;
use crate::wire::messages::offset_for_leader_epoch::{
    EpochEndOffset, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, OffsetForLeaderPartition,
    OffsetForLeaderTopicResult,
};

pub fn handle(call: Call<'_>, request: OffsetForLeaderEpochRequest, (): ()) -> Outcome<OffsetForLeaderEpochResponse> {
    let broker: &Broker = call.broker;
    let topics = request
        .topics
        .into_iter()
        .map(|topic| {
            let found = broker.registry.topic(&topic.topic);
            let partitions = topic.partitions.iter().map(|asked| row(found.as_deref(), asked)).collect();
            OffsetForLeaderTopicResult { topic: topic.topic, partitions }
        })
        .collect();
    Outcome::Now(OffsetForLeaderEpochResponse { topics, ..Default::default() })
}

fn row(topic: Option<&Topic>, asked: &OffsetForLeaderPartition) -> EpochEndOffset {
    let unanswered = EpochEndOffset { partition: asked.partition, ..EpochEndOffset::default() };
    let Some(partition) = topic.and_then(|topic| topic.partition(asked.partition)) else {
        return EpochEndOffset { error_code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, ..unanswered };
    };
    if let Err(error) = partition.check_leader_epoch(LeaderEpoch(asked.current_leader_epoch)) {
        return EpochEndOffset { error_code: errors::of_epoch(error), ..unanswered };
    }
    match partition.end_of_epoch(LeaderEpoch(asked.leader_epoch)) {
        Some((epoch, end)) => EpochEndOffset { leader_epoch: epoch.0, end_offset: end.0, ..unanswered },
        None => unanswered,
    }
}
