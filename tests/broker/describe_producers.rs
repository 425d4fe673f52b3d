//! DescribeProducers: who wrote lately.

use klamm::wire::messages::describe_producers::{
    DescribeProducersPartitionResponse, DescribeProducersRequest, DescribeProducersTopic,
};

use crate::rig::{Client, Rig, batch, client, fresh, now, sequenced};

fn ask(client: &mut Client, topic: &str, partition: i32) -> DescribeProducersPartitionResponse {
    let topics = vec![DescribeProducersTopic { name: topic.to_owned(), partition_indexes: vec![partition] }];
    let mut response = client.call(&DescribeProducersRequest { topics }, 0);
    assert_eq!(response.topics[0].name, topic);
    response.topics.remove(0).partitions.remove(0)
}

#[test]
fn producers_are_told_with_their_last_sequence() {
    let mut client = client();
    let topic = fresh("producers");
    client.create(&topic, 1, &[]);
    client.append(&topic, 0, batch(&["of nobody"]));
    assert!(ask(&mut client, &topic, 0).active_producers.is_empty());
    let began = now();
    client.append(&topic, 0, sequenced(4001, 2, 0, &["a", "b"]));
    client.append(&topic, 0, sequenced(4001, 2, 2, &["c"]));
    client.append(&topic, 0, sequenced(4002, 0, 0, &["d"]));
    let row = ask(&mut client, &topic, 0);
    assert_eq!((row.partition_index, row.error_code.0), (0, 0));
    let mut found: Vec<_> = row
        .active_producers
        .iter()
        .map(|one| (one.producer_id, one.producer_epoch, one.last_sequence, one.current_txn_start_offset))
        .collect();
    found.sort_unstable();
    assert_eq!(found, [(4001, 2, 2, -1), (4002, 0, 0, -1)]);
    for one in &row.active_producers {
        assert!((began - 1000..=now() + 1000).contains(&one.last_timestamp));
        assert_eq!(one.coordinator_epoch, -1);
    }
}

#[test]
fn what_is_not_there_is_told() {
    let mut client = client();
    let topic = fresh("producers-unknown");
    client.create(&topic, 1, &[]);
    for (name, partition) in [(topic.as_str(), 4), (topic.as_str(), -1), ("never-there", 0)] {
        let row = ask(&mut client, name, partition);
        assert_eq!((row.error_code.0, row.partition_index), (3, partition), "{name}");
        assert!(row.active_producers.is_empty());
    }
}

#[test]
fn producers_are_remembered_over_a_restart() {
    let mut rig = Rig::with(&[]);
    let mut client = rig.client();
    client.create("t", 1, &[]);
    client.append("t", 0, sequenced(7, 1, 0, &["a", "b", "c"]));
    let before = ask(&mut client, "t", 0).active_producers;
    rig.restart();
    assert_eq!(ask(&mut rig.client(), "t", 0).active_producers, before);
}
