//! DescribeTopicPartitions (key 75), version 0.
//!
//! Behavior: topics sorted by name, in pages of at most `max.request.partition.size.limit` partitions; a cursor says where the next page
//! begins (KIP-966). No topics asked means all.
//!
//! Reference: Kafka `DescribeTopicPartitionsRequestHandler`.

use std::collections::BTreeSet;

use super::metadata::TOPIC_OPERATIONS;
use super::{Broker, Call, Outcome};
use crate::base::ids::TopicName;
use crate::topics::Topic;
use crate::wire::ErrorCode;
use crate::wire::messages::describe_topic_partitions::{
    DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, DescribedPartition, DescribedTopic,
    TopicPartitionCursor,
};

pub fn handle(
    call: Call<'_>,
    request: DescribeTopicPartitionsRequest,
    (): (),
) -> Outcome<DescribeTopicPartitionsResponse> {
    let broker: &Broker = call.broker;
    let all = request.topics.is_empty();
    let mut names: BTreeSet<String> = if all {
        broker.registry.topics().iter().map(|topic| topic.name().to_string()).collect()
    } else {
        request.topics.into_iter().map(|topic| topic.name).collect()
    };
    let (start, mut from) = match request.cursor {
        Some(cursor) => (cursor.topic_name, usize::try_from(cursor.partition_index).unwrap_or(0)),
        None => (String::new(), 0),
    };
    names.retain(|name| *name >= start);
    let asked = usize::try_from(request.response_partition_limit).unwrap_or(0).max(1);
    let mut left = asked.min(broker.limits.partitions_per_page_max);
    let mut response = DescribeTopicPartitionsResponse::default();
    for name in names {
        if left == 0 {
            response.next_cursor = Some(TopicPartitionCursor { topic_name: name, partition_index: 0 });
            break;
        }
        let first = if name == start { std::mem::take(&mut from) } else { 0 };
        let (row, next) = describe(broker, name.clone(), first, left);
        left -= row.partitions.len();
        response.topics.push(row);
        if let Some(next) = next {
            let partition_index = i32::try_from(next).unwrap_or(i32::MAX);
            response.next_cursor = Some(TopicPartitionCursor { topic_name: name, partition_index });
            break;
        }
    }
    Outcome::Now(response)
}

/// The topic with at most `left` partitions from `first` on, and where the next page goes on with it.
fn describe(broker: &Broker, name: String, first: usize, left: usize) -> (DescribedTopic, Option<usize>) {
    let Some(topic) = broker.registry.topic(&name) else {
        let legal = TopicName::parse(&name).is_ok();
        let error_code =
            if legal { ErrorCode::UNKNOWN_TOPIC_OR_PARTITION } else { ErrorCode::INVALID_TOPIC_EXCEPTION };
        return (DescribedTopic { error_code, name: Some(name), ..Default::default() }, None);
    };
    let count = topic.partition_count();
    let end = count.min(first.saturating_add(left));
    let row = DescribedTopic {
        error_code: ErrorCode::NONE,
        topic_id: topic.id(),
        is_internal: topic.is_internal(),
        partitions: partitions(broker, &topic, first, end),
        topic_authorized_operations: TOPIC_OPERATIONS,
        name: Some(name),
    };
    (row, (end < count).then_some(end))
}

fn partitions(broker: &Broker, topic: &Topic, first: usize, end: usize) -> Vec<DescribedPartition> {
    topic
        .partitions()
        .iter()
        .take(end)
        .skip(first)
        .map(|partition| DescribedPartition {
            error_code: ErrorCode::NONE,
            partition_index: partition.index().0,
            leader_id: broker.node_id,
            leader_epoch: partition.leader_epoch().0,
            replica_nodes: vec![broker.node_id],
            isr_nodes: vec![broker.node_id],
            eligible_leader_replicas: Some(Vec::new()),
            last_known_elr: Some(Vec::new()),
            offline_replicas: Vec::new(),
        })
        .collect()
}
