//! AlterReplicaLogDirs (key 34), versions 1-2.
//!
//! Behavior: there is one data directory. A partition is there already; any other directory is unknown.
//!
//! Reference: Kafka `ReplicaManager.alterReplicaLogDirs` (KIP-113).

use std::collections::HashMap;

use super::{Broker, Call, Outcome};
use crate::wire::ErrorCode;
use crate::wire::messages::alter_replica_log_dirs::{
    AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopicResult, AlterReplicaLogDirsRequest,
    AlterReplicaLogDirsResponse,
};

pub fn handle(call: Call<'_>, request: AlterReplicaLogDirsRequest, (): ()) -> Outcome<AlterReplicaLogDirsResponse> {
    let broker: &Broker = call.broker;
    let data_dir = broker.registry.data_dir().to_string_lossy();
    let mut results: Vec<AlterReplicaLogDirTopicResult> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for dir in request.dirs {
        let is_ours = dir.path == data_dir;
        for asked in dir.topics {
            let topic = broker.registry.topic(&asked.name);
            let partition = |partition_index: &i32| {
                let exists = topic.as_ref().is_some_and(|topic| topic.partition(*partition_index).is_some());
                let error_code = match (is_ours, exists) {
                    (false, _) => ErrorCode::LOG_DIR_NOT_FOUND,
                    (true, false) => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                    (true, true) => ErrorCode::NONE,
                };
                AlterReplicaLogDirPartitionResult { partition_index: *partition_index, error_code }
            };
            let partitions = asked.partitions.iter().map(partition);
            let at = *places.entry(asked.name.clone()).or_insert_with(|| {
                results.push(AlterReplicaLogDirTopicResult { topic_name: asked.name.clone(), partitions: Vec::new() });
                results.len() - 1
            });
            results[at].partitions.extend(partitions);
        }
    }
    Outcome::Now(AlterReplicaLogDirsResponse { results, ..Default::default() })
}
