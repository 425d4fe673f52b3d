//! DescribeProducers (key 61), version 0.
//!
//! Behavior: the producers that the log of each partition remembers (KIP-664). A partition that is named twice is answered once.

use std::collections::HashSet;

use super::{Broker, Call, Outcome};
use crate::topics::Topic;
use crate::wire::ErrorCode;
use crate::wire::messages::describe_producers::{
    DescribeProducersPartitionResponse, DescribeProducersRequest, DescribeProducersResponse,
    DescribeProducersTopicResponse, DescribedProducer,
};

pub fn handle(call: Call<'_>, request: DescribeProducersRequest, (): ()) -> Outcome<DescribeProducersResponse> {
    let broker: &Broker = call.broker;
    // A partition may have thousands of producers: each is answered once.
    let mut seen = HashSet::new();
    let topics = request
        .topics
        .into_iter()
        .map(|topic| {
            let found = broker.registry.topic(&topic.name);
            let indexes = topic.partition_indexes.into_iter();
            let indexes = indexes.filter(|index| seen.insert((topic.name.clone(), *index)));
            let partitions = indexes.map(|index| row(found.as_deref(), index)).collect();
            DescribeProducersTopicResponse { name: topic.name, partitions }
        })
        .collect();
    Outcome::Now(DescribeProducersResponse { topics, ..Default::default() })
}

fn row(topic: Option<&Topic>, index: i32) -> DescribeProducersPartitionResponse {
    let mut row = DescribeProducersPartitionResponse { partition_index: index, ..Default::default() };
    let Some(partition) = topic.and_then(|topic| topic.partition(index)) else {
        row.error_code = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
        return row;
    };
    row.active_producers = partition
        .producers()
        .into_iter()
        .map(|producer| DescribedProducer {
            producer_id: producer.id.0,
            producer_epoch: i32::from(producer.epoch.0),
            last_sequence: producer.last_sequence.0,
            last_timestamp: producer.last_timestamp,
            coordinator_epoch: producer.coordinator_epoch,
            current_txn_start_offset: producer.transaction_start.0,
        })
        .collect();
    row
}
