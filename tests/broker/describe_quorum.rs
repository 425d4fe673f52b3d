//! DescribeQuorum: the metadata log with its one voter.

use klamm::wire::messages::describe_quorum::{
    DescribeQuorumPartition, DescribeQuorumRequest, DescribeQuorumResponse, DescribeQuorumTopic,
};

use crate::rig::{Client, Rig, client, fresh};

fn ask(client: &mut Client, topic: &str, partition: i32, version: i16) -> DescribeQuorumResponse {
    let partitions = vec![DescribeQuorumPartition { partition_index: partition }];
    let request =
        DescribeQuorumRequest { topics: vec![DescribeQuorumTopic { topic_name: topic.to_owned(), partitions }] };
    client.call(&request, version)
}

#[test]
fn every_version_tells_leader_and_voter() {
    let mut client = client();
    for version in 0..=2 {
        let response = ask(&mut client, "__cluster_metadata", 0, version);
        assert_eq!(response.error_code.0, 0);
        assert_eq!(response.topics[0].topic_name, "__cluster_metadata");
        let row = &response.topics[0].partitions[0];
        assert_eq!((row.partition_index, row.error_code.0), (0, 0), "version {version}");
        assert!(row.leader_epoch > 0 && row.high_watermark > 0);
        assert_eq!(row.current_voters.len(), 1);
        let voter = &row.current_voters[0];
        assert_eq!(voter.replica_id, row.leader_id);
        assert!(voter.log_end_offset >= row.high_watermark);
        if version >= 2 {
            assert!(!voter.replica_directory_id.is_zero());
            assert_eq!(response.nodes.iter().map(|node| node.node_id).collect::<Vec<_>>(), [row.leader_id]);
        }
    }
}

#[test]
fn the_log_grows_with_changes_and_the_epoch_with_starts() {
    let mut rig = Rig::with(&[]);
    let look = |client: &mut Client| {
        let response = ask(client, "__cluster_metadata", 0, 1);
        let row = &response.topics[0].partitions[0];
        (row.leader_epoch, row.high_watermark)
    };
    let mut client = rig.client();
    let before = look(&mut client);
    client.create("t", 1, &[]);
    let after = look(&mut client);
    assert_eq!(before.0, after.0);
    assert!(before.1 < after.1);
    rig.restart();
    let started = look(&mut rig.client());
    assert_eq!(started.0, after.0 + 1);
    assert!(started.1 > after.1);
}

#[test]
fn other_topics_do_not_exist_for_it() {
    let mut client = client();
    let topic = fresh("quorum");
    client.create(&topic, 1, &[]);
    for (name, partition) in [(topic.as_str(), 0), ("__cluster_metadata", 1), ("never", 0)] {
        let response = ask(&mut client, name, partition, 1);
        assert_eq!(response.topics[0].partitions[0].error_code.0, 3, "{name}-{partition}");
    }
}
