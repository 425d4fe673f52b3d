//! ElectLeaders: nobody else could lead.

use klamm::wire::messages::elect_leaders::{ElectLeadersRequest, TopicPartitions};

use crate::rig::{Client, client, fresh};

type Row = (String, i32, i16, Option<String>);

fn elect(client: &mut Client, kind: i8, topics: Option<&[(&str, &[i32])]>, version: i16) -> (i16, Vec<Row>) {
    let topic = |(topic, partitions): &(&str, &[i32])| TopicPartitions {
        topic: (*topic).to_owned(),
        partitions: partitions.to_vec(),
    };
    let topic_partitions = topics.map(|topics| topics.iter().map(topic).collect());
    let answer =
        client.call(&ElectLeadersRequest { election_type: kind, topic_partitions, timeout_ms: 10_000 }, version);
    let rows = answer.replica_election_results.into_iter().flat_map(|one| {
        let topic = one.topic;
        one.partition_result
            .into_iter()
            .map(move |row| (topic.clone(), row.partition_id, row.error_code.0, row.error_message))
    });
    (answer.error_code.0, rows.collect())
}

#[test]
fn every_version_needs_no_election() {
    let mut client = client();
    let topic = fresh("elect");
    client.create(&topic, 2, &[]);
    for version in 0..=2 {
        for kind in 0..=i8::from(version > 0) {
            let never = fresh("never");
            let (code, rows) = elect(&mut client, kind, Some(&[(&topic, &[1, 7]), (&never, &[0])]), version);
            let row = |topic: &str, index: i32, code: i16, words: String| (topic.to_owned(), index, code, Some(words));
            let expected = [
                row(&topic, 1, 84, "Leader election not needed for topic partition.".to_owned()),
                row(&topic, 7, 3, format!("No such partition as {topic}-7")),
                row(&never, 0, 3, format!("No such topic as {never}")),
            ];
            assert_eq!((code, rows.as_slice()), (0, expected.as_slice()));
            assert_eq!(elect(&mut client, kind, None, version), (0, vec![]));
        }
    }
}

#[test]
fn an_election_of_an_unknown_kind_is_refused() {
    let mut client = client();
    assert_eq!(elect(&mut client, 9, None, 2).0, 42);
}
