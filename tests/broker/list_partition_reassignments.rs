//! ListPartitionReassignments: nothing moves.

use klamm::wire::messages::list_partition_reassignments::{
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsTopics,
};

use crate::rig::{client, fresh};

#[test]
fn nothing_is_under_way() {
    let mut client = client();
    let topic = fresh("moves");
    client.create(&topic, 1, &[]);
    let asked = |name: &str| ListPartitionReassignmentsTopics { name: name.to_owned(), partition_indexes: vec![0, 7] };
    for topics in [None, Some(vec![]), Some(vec![asked(&topic), asked("never")])] {
        let answer = client.call(&ListPartitionReassignmentsRequest { timeout_ms: 10_000, topics }, 0);
        assert_eq!((answer.error_code.0, answer.error_message, answer.topics.len()), (0, None, 0));
    }
}
