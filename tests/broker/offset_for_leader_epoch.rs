//! OffsetForLeaderEpoch: where an epoch ended.

use klamm::wire::messages::offset_for_leader_epoch::{
    EpochEndOffset, OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
};

use crate::rig::{Client, batch, client, fresh};

fn ask(client: &mut Client, topic: &str, partition: OffsetForLeaderPartition, version: i16) -> EpochEndOffset {
    let topics = vec![OffsetForLeaderTopic { topic: topic.to_owned(), partitions: vec![partition] }];
    let request = OffsetForLeaderEpochRequest { replica_id: -1, topics };
    let mut response = client.call(&request, version);
    assert_eq!(response.topics[0].topic, topic);
    response.topics.remove(0).partitions.remove(0)
}

fn epoch(leader_epoch: i32) -> OffsetForLeaderPartition {
    OffsetForLeaderPartition { partition: 0, current_leader_epoch: -1, leader_epoch }
}

#[test]
fn every_version_tells_where_an_epoch_ends() {
    let mut client = client();
    let topic = fresh("epoch-versions");
    client.create(&topic, 1, &[]);
    client.append(&topic, 0, batch(&["a", "b"]));
    for version in 2..=4 {
        let row = ask(&mut client, &topic, epoch(0), version);
        assert_eq!(
            (row.error_code.0, row.partition, row.leader_epoch, row.end_offset),
            (0, 0, 0, 2),
            "version {version}"
        );
    }
}

#[test]
fn epochs_that_never_were_have_no_end() {
    let mut client = client();
    let topic = fresh("epoch-never");
    client.create(&topic, 1, &[]);
    client.append(&topic, 0, batch(&["a"]));
    for never in [1, 7, i32::MAX, -1] {
        let row = ask(&mut client, &topic, epoch(never), 4);
        assert_eq!((row.error_code.0, row.leader_epoch, row.end_offset), (0, -1, -1), "epoch {never}");
    }
}

#[test]
fn the_leaders_epoch_ends_at_the_end_even_of_an_empty_log() {
    let mut client = client();
    let topic = fresh("epoch-empty");
    client.create(&topic, 1, &[]);
    let row = ask(&mut client, &topic, epoch(0), 4);
    assert_eq!((row.error_code.0, row.leader_epoch, row.end_offset), (0, 0, 0));
}

#[test]
fn the_epoch_that_the_client_believes_in_is_checked() {
    let mut client = client();
    let topic = fresh("epoch-current");
    client.create(&topic, 1, &[]);
    for (current, error) in [(-1, 0), (0, 0), (1, 75)] {
        let asked = OffsetForLeaderPartition { current_leader_epoch: current, ..epoch(0) };
        let row = ask(&mut client, &topic, asked, 4);
        assert_eq!(row.error_code.0, error);
        if error != 0 {
            assert_eq!((row.leader_epoch, row.end_offset), (-1, -1));
        }
    }
}

#[test]
fn what_is_not_there_is_told() {
    let mut client = client();
    let topic = fresh("epoch-unknown");
    client.create(&topic, 1, &[]);
    let asked = OffsetForLeaderPartition { partition: 4, ..epoch(0) };
    let row = ask(&mut client, &topic, asked, 3);
    assert_eq!((row.error_code.0, row.partition, row.end_offset), (3, 4, -1));
    assert_eq!(ask(&mut client, &fresh("never"), epoch(0), 3).error_code.0, 3);
}
