//! One request's changes of the metadata are one batch: one sync, and all of it or nothing after a crash.

use klamm::record::batch::BatchHeader;
use klamm::wire::messages::create_topics::{CreatableTopic, CreateTopicsRequest};
use klamm::wire::messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest};

use crate::rig::{Rig, batch};

fn metadata_batches(rig: &Rig) -> usize {
    let path = rig.data().join("__cluster_metadata-0").join("00000000000000000000.log");
    let bytes = std::fs::read(path).expect("the metadata log");
    let (mut at, mut count) = (0, 0);
    while let Some(Ok(header)) = bytes.get(at..).filter(|rest| !rest.is_empty()).map(BatchHeader::parse) {
        at += header.size_bytes;
        count += 1;
    }
    count
}

fn new(name: &str, partitions: i32) -> CreatableTopic {
    CreatableTopic {
        name: name.to_owned(),
        num_partitions: partitions,
        replication_factor: 1,
        ..CreatableTopic::default()
    }
}

#[test]
fn a_request_for_many_topics_is_one_batch() {
    let rig = Rig::with(&[]);
    let mut client = rig.client();
    let before = metadata_batches(&rig);
    // `b_c` collides with one that the same request makes.
    let topics = vec![new("a", 3), new("b.c", 1), new("b_c", 1), new("no/name", 1), new("d", 2)];
    let request = CreateTopicsRequest { topics, timeout_ms: 1000, ..Default::default() };
    let answer = client.call(&request, 7);
    let codes: Vec<_> = answer.topics.iter().map(|topic| (topic.name.as_str(), topic.error_code.0)).collect();
    assert_eq!(codes, [("a", 0), ("b.c", 0), ("b_c", 17), ("no/name", 17), ("d", 0)]);
    assert_eq!(metadata_batches(&rig), before + 1);
    client.append("a", 2, batch(&["v"]));
    client.append("d", 1, batch(&["v"]));

    let topics = ["a", "x", "d"].map(|name| DeleteTopicState { name: Some(name.to_owned()), ..Default::default() });
    let request = DeleteTopicsRequest { topics: topics.to_vec(), timeout_ms: 1000, ..Default::default() };
    let answer = client.call(&request, 6);
    let codes: Vec<_> = answer.responses.iter().map(|topic| (topic.name.clone(), topic.error_code.0)).collect();
    let named = |name: &str, code| (Some(name.to_owned()), code);
    assert_eq!(codes, [named("a", 0), named("x", 3), named("d", 0)]);
    assert_eq!(metadata_batches(&rig), before + 2);
    assert!(rig.broker().registry.topic("a").is_none() && rig.broker().registry.topic("b.c").is_some());
}
