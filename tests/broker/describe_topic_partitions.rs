//! DescribeTopicPartitions: topics by name, page by page.

use klamm::wire::messages::describe_topic_partitions::{
    DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, DescribeTopicPartitionsTopic, TopicPartitionCursor,
};

use crate::rig::{self, Client, Rig, client, fresh};

fn request(names: &[&str], limit: i32, cursor: Option<(&str, i32)>) -> DescribeTopicPartitionsRequest {
    DescribeTopicPartitionsRequest {
        topics: names.iter().map(|name| DescribeTopicPartitionsTopic { name: (*name).to_owned() }).collect(),
        response_partition_limit: limit,
        cursor: cursor
            .map(|(name, partition_index)| TopicPartitionCursor { topic_name: name.to_owned(), partition_index }),
    }
}

/// Topics with the indexes of their partitions, and the cursor.
type Page = (Vec<(String, Vec<i32>)>, Option<(String, i32)>);

fn page(response: DescribeTopicPartitionsResponse) -> Page {
    let topics = response
        .topics
        .into_iter()
        .map(|topic| {
            let mut indexes: Vec<_> = topic.partitions.iter().map(|row| row.partition_index).collect();
            indexes.sort_unstable();
            (topic.name.unwrap_or_default(), indexes)
        })
        .collect();
    (topics, response.next_cursor.map(|cursor| (cursor.topic_name, cursor.partition_index)))
}

fn ask(client: &mut Client, names: &[&str], limit: i32, cursor: Option<(&str, i32)>) -> Page {
    page(client.call(&request(names, limit, cursor), 0))
}

#[test]
fn a_topic_is_described() {
    let mut client = client();
    let name = fresh("described");
    let id = client.create(&name, 2, &[]);
    let response = client.call(&request(&[&name], 2000, None), 0);
    assert_eq!((response.throttle_time_ms, response.next_cursor.as_ref()), (0, None));
    let topic = &response.topics[0];
    assert_eq!((topic.error_code.0, topic.name.as_deref(), topic.topic_id), (0, Some(name.as_str()), id));
    assert!(!topic.is_internal);
    assert_eq!(topic.topic_authorized_operations, 0xdf8, "{:x}", topic.topic_authorized_operations);
    for row in &topic.partitions {
        assert_eq!((row.error_code.0, row.leader_epoch), (0, 0));
        assert_eq!((&row.replica_nodes, &row.isr_nodes), (&vec![row.leader_id], &vec![row.leader_id]));
        assert!(row.offline_replicas.is_empty());
        assert_eq!(
            (row.eligible_leader_replicas.as_deref(), row.last_known_elr.as_deref()),
            (Some(&[][..]), Some(&[][..]))
        );
    }
    assert_eq!(topic.partitions.len(), 2);
}

#[test]
fn what_is_not_there_is_told() {
    let mut client = client();
    for (name, error) in [(fresh("never").as_str(), 3), ("a b", 17)] {
        let response = client.call(&request(&[name], 2000, None), 0);
        assert_eq!((response.topics[0].error_code.0, response.topics[0].name.as_deref()), (error, Some(name)));
        assert!(response.topics[0].partitions.is_empty());
    }
}

#[test]
fn pages_go_on_where_the_cursor_stands() {
    let mut client = client();
    let base = fresh("paged");
    let names: Vec<String> = ["a", "b", "c"].iter().map(|end| format!("{base}-{end}")).collect();
    for name in &names {
        client.create(name, 3, &[]);
    }
    let asked: Vec<&str> = names.iter().rev().map(String::as_str).collect();
    let (topics, cursor) = ask(&mut client, &asked, 4, None);
    assert_eq!(topics, [(names[0].clone(), vec![0, 1, 2]), (names[1].clone(), vec![0])]);
    let cursor = cursor.expect("more to come");
    assert_eq!(cursor, (names[1].clone(), 1));
    let (topics, cursor) = ask(&mut client, &asked, 4, Some((&cursor.0, cursor.1)));
    assert_eq!(topics, [(names[1].clone(), vec![1, 2]), (names[2].clone(), vec![0, 1])]);
    let cursor = cursor.expect("more to come");
    let (topics, cursor) = ask(&mut client, &asked, 4, Some((&cursor.0, cursor.1)));
    assert_eq!((topics, cursor), (vec![(names[2].clone(), vec![2])], None));
}

#[test]
fn no_names_are_all_topics_and_the_broker_bounds_a_page() {
    let rig = Rig::with(&[("max.request.partition.size.limit", "5")]);
    let mut client = rig.client();
    for name in ["a", "b", "c"] {
        client.create(name, 3, &[]);
    }
    let (topics, cursor) = ask(&mut client, &[], 2000, None);
    assert_eq!(topics, [("a".to_owned(), vec![0, 1, 2]), ("b".to_owned(), vec![0, 1])]);
    assert_eq!(cursor, Some(("b".to_owned(), 2)));
    let (topics, cursor) = ask(&mut client, &[], 2000, Some(("b", 2)));
    assert_eq!(topics, [("b".to_owned(), vec![2]), ("c".to_owned(), vec![0, 1, 2])]);
    assert_eq!(cursor, None);
}

#[test]
fn a_cursor_of_a_topic_that_is_gone_goes_on_behind_it() {
    let rig = Rig::with(&[]);
    let mut client = rig.client();
    for name in ["a", "c"] {
        client.create(name, 1, &[]);
    }
    let (topics, _) = ask(&mut client, &[], 2000, Some(("b", 0)));
    assert_eq!(topics, [("c".to_owned(), vec![0])]);
}

#[test]
fn a_limit_or_cursor_that_makes_no_sense_ends_well() {
    let mut client = client();
    let name = fresh("senseless");
    client.create(&name, 2, &[]);
    for limit in [0, -5, i32::MIN, i32::MAX] {
        let response = client.call(&request(&[&name], limit, None), 0);
        assert_eq!(response.topics.first().map(|one| one.error_code.0), Some(0), "limit {limit}");
    }
    if !rig::is_reference() {
        for index in [-1, 2, i32::MAX] {
            client.call(&request(&[&name], 2000, Some((&name, index))), 0);
        }
    }
}
