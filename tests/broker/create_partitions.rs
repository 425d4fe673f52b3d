//! CreatePartitions: topics grow and never shrink.

use klamm::wire::messages::create_partitions::{
    CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsTopic,
};
use klamm::wire::messages::metadata::{MetadataRequest, MetadataRequestTopic};

use crate::rig::{Client, Rig, batch, client, fresh, until, values};

fn topic(name: &str, count: i32) -> CreatePartitionsTopic {
    CreatePartitionsTopic { name: name.to_owned(), count, assignments: None }
}

fn grow(client: &mut Client, topics: Vec<CreatePartitionsTopic>, version: i16) -> Vec<(String, i16)> {
    let request = CreatePartitionsRequest { topics, timeout_ms: 15_000, validate_only: false };
    let response = client.call(&request, version);
    response.results.into_iter().map(|row| (row.name, row.error_code.0)).collect()
}

fn count(client: &mut Client, name: &str) -> usize {
    let topics = Some(vec![MetadataRequestTopic { name: Some(name.to_owned()), ..Default::default() }]);
    let request = MetadataRequest { topics, allow_auto_topic_creation: false, ..Default::default() };
    client.call(&request, 9).topics[0].partitions.len()
}

#[test]
fn every_version_adds_partitions_that_take_records() {
    let mut client = client();
    for version in 0..=3 {
        let name = fresh("partitions-versions");
        client.create(&name, 1, &[]);
        client.append(&name, 0, batch(&["old"]));
        assert_eq!(grow(&mut client, vec![topic(&name, 3)], version), [(name.clone(), 0)]);
        until("three partitions", || (count(&mut client, &name) == 3).then_some(()));
        until("the last takes records", || (client.produce(&name, 2, batch(&["new"])).error_code.0 == 0).then_some(()));
        assert_eq!(values(&client.fetch(&name, 0, 0).records), ["old"]);
    }
}

#[test]
fn a_topic_neither_shrinks_nor_stays() {
    let mut client = client();
    let name = fresh("partitions-shrink");
    client.create(&name, 3, &[]);
    for wanted in [3, 2, 0, -1, i32::MIN] {
        assert_eq!(grow(&mut client, vec![topic(&name, wanted)], 3)[0].1, 37, "{wanted}");
    }
    assert_eq!(count(&mut client, &name), 3);
}

#[test]
fn what_is_not_there_or_named_twice_is_refused() {
    let mut client = client();
    let name = fresh("partitions-unknown");
    assert_eq!(grow(&mut client, vec![topic(&name, 3)], 3), [(name.clone(), 3)]);
    client.create(&name, 1, &[]);
    let rows = grow(&mut client, vec![topic(&name, 2), topic(&name, 3)], 3);
    assert!(rows.iter().all(|row| row.1 == 42), "{rows:?}");
    assert_eq!(count(&mut client, &name), 1);
}

#[test]
fn validate_only_adds_nothing() {
    let mut client = client();
    let name = fresh("partitions-validate");
    client.create(&name, 1, &[]);
    for (wanted, error) in [(4, 0), (1, 37)] {
        let request =
            CreatePartitionsRequest { topics: vec![topic(&name, wanted)], timeout_ms: 15_000, validate_only: true };
        assert_eq!(client.call(&request, 3).results[0].error_code.0, error);
    }
    assert_eq!(count(&mut client, &name), 1);
}

#[test]
fn assignments_by_hand_are_as_many_as_partitions_and_name_this_broker() {
    let mut client = client();
    let node = client.call(&MetadataRequest { topics: Some(vec![]), ..Default::default() }, 9).controller_id;
    let name = fresh("partitions-assigned");
    client.create(&name, 1, &[]);
    let mut ask = |brokers: &[&[i32]]| {
        let assignments = brokers.iter().map(|one| CreatePartitionsAssignment { broker_ids: one.to_vec() }).collect();
        let asked = CreatePartitionsTopic { assignments: Some(assignments), ..topic(&name, 3) };
        grow(&mut client, vec![asked], 3)[0].1
    };
    assert_eq!(ask(&[&[node]]), 39, "one for two");
    assert_eq!(ask(&[&[node], &[node], &[node]]), 39, "three for two");
    assert_eq!(ask(&[&[node + 5], &[node]]), 39, "a broker that is not there");
    assert_eq!(ask(&[&[], &[node]]), 39, "nobody");
    assert_eq!(ask(&[&[node], &[node]]), 0);
}

#[test]
fn a_count_that_is_a_bomb_is_refused() {
    // Once allocated by this number before anything else, which ended the process.
    let mut client = client();
    let name = fresh("partitions-bomb");
    client.create(&name, 1, &[]);
    for wanted in [10_002, i32::MAX] {
        assert_eq!(grow(&mut client, vec![topic(&name, wanted)], 3)[0].1, 44);
    }
    assert_eq!(count(&mut client, &name), 1);
}

#[test]
fn added_partitions_are_there_after_a_restart() {
    let mut rig = Rig::with(&[]);
    let mut client = rig.client();
    client.create("t", 1, &[]);
    assert_eq!(grow(&mut client, vec![topic("t", 4)], 3)[0].1, 0);
    client.append("t", 3, batch(&["a"]));
    rig.restart();
    let mut client = rig.client();
    assert_eq!(count(&mut client, "t"), 4);
    assert_eq!(values(&client.fetch("t", 3, 0).records), ["a"]);
}
