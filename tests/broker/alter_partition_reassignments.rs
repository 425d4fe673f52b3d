//! AlterPartitionReassignments: a partition may go where it is.

use klamm::wire::messages::alter_partition_reassignments::{
    AlterPartitionReassignmentsRequest, ReassignablePartition, ReassignableTopic,
};

use crate::incremental_alter_configs::node;
use crate::rig::{Client, client, fresh};

fn ask(
    client: &mut Client,
    topic: &str,
    index: i32,
    replicas: Option<Vec<i32>>,
    version: i16,
) -> (i16, Option<String>) {
    let partitions = vec![ReassignablePartition { partition_index: index, replicas }];
    let topics = vec![ReassignableTopic { name: topic.to_owned(), partitions }];
    let request =
        AlterPartitionReassignmentsRequest { timeout_ms: 10_000, allow_replication_factor_change: true, topics };
    let mut answer = client.call(&request, version);
    assert_eq!((answer.error_code.0, answer.error_message), (0, None));
    assert_eq!((answer.responses.len(), answer.responses[0].name.as_str()), (1, topic));
    let row = answer.responses[0].partitions.remove(0);
    assert_eq!(row.partition_index, index);
    (row.error_code.0, row.error_message)
}

#[test]
fn every_version_moves_a_partition_to_where_it_is_and_nowhere_else() {
    let mut client = client();
    let node: i32 = node(&mut client).parse().expect("a number");
    let topic = fresh("move");
    client.create(&topic, 1, &[]);
    let never = fresh("never");
    let said = |code: i16, words: &str| (code, Some(words.to_owned()));
    let not_there = |id: i32| {
        said(39, &format!("The manual partition assignment includes broker {id}, but no such broker is registered."))
    };
    for version in 0..=1 {
        let mut ask =
            |topic: &str, index: i32, replicas: Option<Vec<i32>>| ask(&mut client, topic, index, replicas, version);
        assert_eq!(ask(&topic, 0, Some(vec![node])), (0, None));
        assert_eq!(ask(&topic, 0, Some(vec![node + 1])), not_there(node + 1));
        assert_eq!(ask(&topic, 0, Some(vec![node + 1, node])), not_there(node + 1));
        let twice = format!("The manual partition assignment includes the broker {node} more than once.");
        assert_eq!(ask(&topic, 0, Some(vec![node, node])), said(39, &twice));
        assert_eq!(
            ask(&topic, 0, Some(vec![])),
            said(39, "The manual partition assignment includes an empty replica list.")
        );
        assert_eq!(ask(&topic, 0, None), (85, None));
        assert_eq!(ask(&topic, 7, Some(vec![node])), said(3, &format!("Unable to find partition {topic}:7.")));
        assert_eq!(ask(&never, 0, Some(vec![node])), said(3, &format!("Unable to find a topic named {never}.")));
    }
}
