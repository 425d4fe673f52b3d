//! OffsetDelete: committed offsets are forgotten.

use klamm::wire::messages::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic, OffsetDeleteResponse,
};

use crate::groups::{
    GROUP_ID_NOT_FOUND, GROUP_SUBSCRIBED_TO_TOPIC, INVALID_GROUP_ID, NON_EMPTY_GROUP, UNKNOWN_TOPIC_OR_PARTITION,
    classic, commit, commit_request, committed, consumer, group, join, join_request,
};
use crate::rig::{Client, client, fresh};

fn delete(client: &mut Client, group: &str, topics: &[(&str, &[i32])]) -> OffsetDeleteResponse {
    let partition = |partition_index: &i32| OffsetDeleteRequestPartition { partition_index: *partition_index };
    let topic = |(name, partitions): &(&str, &[i32])| OffsetDeleteRequestTopic {
        name: (*name).to_owned(),
        partitions: partitions.iter().map(partition).collect(),
    };
    let request = OffsetDeleteRequest { group_id: group.to_owned(), topics: topics.iter().map(topic).collect() };
    client.call(&request, 0)
}

fn rows(response: &OffsetDeleteResponse) -> Vec<(String, i32, i16)> {
    let of = |topic: &klamm::wire::messages::offset_delete::OffsetDeleteResponseTopic| {
        let name = topic.name.clone();
        let row = move |at: &klamm::wire::messages::offset_delete::OffsetDeleteResponsePartition| {
            (name.clone(), at.partition_index, at.error_code.0)
        };
        topic.partitions.iter().map(row).collect::<Vec<_>>()
    };
    let mut rows: Vec<_> = response.topics.iter().flat_map(of).collect();
    rows.sort();
    rows
}

#[test]
fn offsets_of_an_empty_group_go() {
    let mut client = client();
    let topic = fresh("delete-topic");
    client.create(&topic, 2, &[]);
    let id = group(&mut client, "delete-offsets");
    for partition in [0, 1] {
        assert_eq!(commit(&mut client, &commit_request(&id, &topic, partition, 7), 9), 0);
    }
    let unknown = fresh("never-there");
    let response = delete(&mut client, &id, &[(&topic, &[0, 5]), (&unknown, &[0])]);
    assert_eq!(response.error_code.0, 0);
    let mut expected = vec![
        (topic.clone(), 0, 0),
        (topic.clone(), 5, UNKNOWN_TOPIC_OR_PARTITION),
        (unknown, 0, UNKNOWN_TOPIC_OR_PARTITION),
    ];
    expected.sort();
    assert_eq!(rows(&response), expected);
    assert_eq!(committed(&mut client, &id, &topic, 0), -1);
    assert_eq!(committed(&mut client, &id, &topic, 1), 7);
    assert_eq!(rows(&delete(&mut client, &id, &[(&topic, &[0])])), [(topic.clone(), 0, 0)], "gone already");
}

#[test]
fn groups_that_are_not_there_are_told() {
    let mut client = client();
    let topic = fresh("delete-topic");
    client.create(&topic, 1, &[]);
    let id = group(&mut client, "delete-unknown");
    for (id, code) in [(id.as_str(), GROUP_ID_NOT_FOUND), ("", INVALID_GROUP_ID)] {
        let response = delete(&mut client, id, &[(&topic, &[0])]);
        assert_eq!((response.error_code.0, response.topics.len()), (code, 0), "{id}");
    }
}

#[test]
fn what_members_read_stays() {
    let mut client = client();
    let (read, other) = (fresh("delete-read"), fresh("delete-other"));
    client.create(&read, 1, &[]);
    client.create(&other, 1, &[]);
    for classic_protocol in [true, false] {
        let id = group(&mut client, "delete-subscribed");
        assert_eq!(commit(&mut client, &commit_request(&id, &read, 0, 7), 9), 0);
        assert_eq!(commit(&mut client, &commit_request(&id, &other, 0, 7), 9), 0);
        if classic_protocol {
            classic(&mut client, &id, &[&read]);
        } else {
            consumer(&mut client, &id, &[&read]);
        }
        let response = delete(&mut client, &id, &[(&read, &[0]), (&other, &[0])]);
        assert_eq!(response.error_code.0, 0);
        let mut expected = vec![(read.clone(), 0, GROUP_SUBSCRIBED_TO_TOPIC), (other.clone(), 0, 0)];
        expected.sort();
        assert_eq!(rows(&response), expected);
        assert_eq!((committed(&mut client, &id, &read, 0), committed(&mut client, &id, &other, 0)), (7, -1));
    }
}

#[test]
fn a_group_of_another_kind_must_be_empty() {
    let mut client = client();
    let topic = fresh("delete-topic");
    client.create(&topic, 1, &[]);
    let id = group(&mut client, "delete-connect");
    let request = klamm::wire::messages::join_group::JoinGroupRequest {
        protocol_type: "connect".to_owned(),
        ..join_request(&id, "")
    };
    assert_eq!(join(&mut client, request, 9).error_code.0, 0);
    let response = delete(&mut client, &id, &[(&topic, &[0])]);
    assert_eq!((response.error_code.0, response.topics.len()), (NON_EMPTY_GROUP, 0));
}
