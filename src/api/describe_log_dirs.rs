//! DescribeLogDirs (key 35), versions 1-5.
//!
//! Behavior: the one data directory with the size of every partition asked for (null: all), and the bytes of its file system.
//!
//! Version notes: v3: top-level error. v4: total and usable bytes (KIP-827). v5: cordoned, never so here (KIP-1066).

use std::collections::HashSet;
use std::sync::Arc;

use super::{Broker, Call, Outcome, aside};
use crate::topics::Topic;
use crate::wire::ErrorCode;
use crate::wire::messages::describe_log_dirs::{
    DescribeLogDirsPartition, DescribeLogDirsRequest, DescribeLogDirsResponse, DescribeLogDirsResult,
    DescribeLogDirsTopic,
};

pub fn handle(call: Call<'_>, request: DescribeLogDirsRequest, (): ()) -> Outcome<DescribeLogDirsResponse> {
    let broker = Arc::clone(call.broker);
    // The file system is asked, which may be far away.
    Outcome::Later(Box::pin(aside(move || answer(&broker, &request))))
}

fn answer(broker: &Broker, request: &DescribeLogDirsRequest) -> DescribeLogDirsResponse {
    let topics = match &request.topics {
        None => broker.registry.topics().iter().filter_map(|topic| row(topic, None)).collect(),
        Some(asked) => asked
            .iter()
            .filter_map(|asked| row(&broker.registry.topic(&asked.topic)?, Some(&asked.partitions)))
            .collect(),
    };
    let space = broker.registry.space();
    let bytes = |count: Option<u64>| count.and_then(|count| i64::try_from(count).ok()).unwrap_or(-1);
    let result = DescribeLogDirsResult {
        error_code: ErrorCode::NONE,
        log_dir: broker.registry.data_dir().to_string_lossy().into_owned(),
        topics,
        total_bytes: bytes(space.map(|space| space.total)),
        usable_bytes: bytes(space.map(|space| space.free)),
        is_cordoned: false,
    };
    DescribeLogDirsResponse { results: vec![result], ..Default::default() }
}

/// The topic's partitions, or those of them that are asked for; nothing if none of them exists.
fn row(topic: &Arc<Topic>, asked: Option<&[i32]>) -> Option<DescribeLogDirsTopic> {
    let asked: Option<HashSet<i32>> = asked.map(|asked| asked.iter().copied().collect());
    let wanted = |index: i32| asked.as_ref().is_none_or(|asked| asked.contains(&index));
    let partitions: Vec<_> = topic
        .partitions()
        .iter()
        .filter(|partition| wanted(partition.index().0))
        .map(|partition| DescribeLogDirsPartition {
            partition_index: partition.index().0,
            partition_size: i64::try_from(partition.reader().size_bytes()).unwrap_or(i64::MAX),
            offset_lag: 0,
            is_future_key: false,
        })
        .collect();
    (!partitions.is_empty()).then(|| DescribeLogDirsTopic { name: topic.name().to_string(), partitions })
}
