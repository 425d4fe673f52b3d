//! DeleteTopics: by name, by id, and what is left of them.

use klamm::base::ids::Uuid;
use klamm::wire::messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse};

use crate::rig::{self, Client, Rig, batch, client, fresh, until};

fn by_name(client: &mut Client, names: &[&str], version: i16) -> DeleteTopicsResponse {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let topics = names.iter().map(|name| DeleteTopicState { name: Some(name.clone()), ..Default::default() }).collect();
    client.call(&DeleteTopicsRequest { topics, topic_names: names, timeout_ms: 15_000 }, version)
}

fn by_id(client: &mut Client, name: Option<&str>, topic_id: Uuid) -> (i16, Option<String>, Uuid) {
    let topics = vec![DeleteTopicState { name: name.map(str::to_owned), topic_id }];
    let row =
        client.call(&DeleteTopicsRequest { topics, timeout_ms: 15_000, ..Default::default() }, 6).responses.remove(0);
    (row.error_code.0, row.name, row.topic_id)
}

#[test]
fn every_version_deletes_by_name() {
    let mut client = client();
    for version in 1..=6 {
        let name = fresh("delete-versions");
        let id = client.create(&name, 2, &[]);
        let response = by_name(&mut client, &[&name], version);
        let row = &response.responses[0];
        assert_eq!((row.error_code.0, row.name.as_deref()), (0, Some(name.as_str())), "version {version}");
        assert_eq!(row.topic_id, if version < 6 { Uuid::ZERO } else { id });
        assert_eq!(row.error_message, None);
        until("the topic is gone", || (client.produce(&name, 0, batch(&["a"])).error_code.0 == 3).then_some(()));
    }
}

#[test]
fn a_topic_is_deleted_by_its_id() {
    let mut client = client();
    let name = fresh("delete-id");
    let id = client.create(&name, 1, &[]);
    assert_eq!(by_id(&mut client, Some(&name), id).0, 42, "either or");
    assert_eq!(by_id(&mut client, None, id), (0, Some(name), id));
    assert_eq!(by_id(&mut client, None, id), (100, None, id));
    assert_eq!(by_id(&mut client, None, Uuid::ZERO).0, 42);
}

#[test]
fn what_is_not_there_is_told() {
    let mut client = client();
    for version in [1, 4, 5, 6] {
        let name = fresh("delete-unknown");
        let response = by_name(&mut client, &[&name], version);
        let row = &response.responses[0];
        assert_eq!((row.error_code.0, row.name.as_deref()), (3, Some(name.as_str())), "version {version}");
        assert_eq!(row.error_message.is_some(), version >= 5);
    }
}

#[test]
fn a_topic_named_twice_is_refused_and_stays() {
    let mut client = client();
    let (twice, other) = (fresh("delete-twice"), fresh("delete-once"));
    let id = client.create(&twice, 1, &[]);
    client.create(&other, 1, &[]);
    let mut codes: Vec<_> = by_name(&mut client, &[&twice, &other, &twice], 6)
        .responses
        .iter()
        .map(|row| (row.name.clone(), row.error_code.0))
        .collect();
    codes.sort();
    codes.dedup();
    let mut expected = vec![(Some(twice.clone()), 42), (Some(other), 0)];
    expected.sort();
    assert_eq!(codes, expected);
    assert_eq!(client.append(&twice, 0, batch(&["a"])), 0, "it is still there");
    let topics = vec![
        DeleteTopicState { name: Some(twice.clone()), topic_id: Uuid::ZERO },
        DeleteTopicState { name: None, topic_id: id },
    ];
    let response = client.call(&DeleteTopicsRequest { topics, timeout_ms: 15_000, ..Default::default() }, 6);
    let codes: Vec<_> = response.responses.iter().map(|row| row.error_code.0).collect();
    assert!(codes.iter().all(|code| *code == 42), "by name and by id is twice too: {codes:?}");
    assert_eq!(client.append(&twice, 0, batch(&["a"])), 1);
}

#[test]
fn where_deletion_is_disabled_nothing_is_deleted() {
    let rig = Rig::with(&[("delete.topic.enable", "false")]);
    let mut client = rig.client();
    client.create("t", 1, &[]);
    for (version, error) in [(1, 42), (2, 42), (3, 73), (6, 73)] {
        let response = by_name(&mut client, &["t"], version);
        assert_eq!(response.responses[0].error_code.0, error, "version {version}");
    }
    assert_eq!(client.append("t", 0, batch(&["a"])), 0);
}

#[test]
fn the_folders_of_a_deleted_topic_go_away_and_stay_away() {
    let mut rig = Rig::with(&[("log.segment.delete.delay.ms", "0")]);
    let mut client = rig.client();
    client.create("t", 2, &[]);
    client.append("t", 0, batch(&["a"]));
    assert!(rig.data().join("t-0").is_dir());
    client.delete("t");
    assert!(!rig.data().join("t-0").exists());
    until("the renamed folders to go", || rig::files(&rig.data(), "-delete").is_empty().then_some(()));
    let new = client.create("t", 1, &[]);
    assert_eq!(client.fetch("t", 0, 0).high_watermark, 0, "a new topic begins empty");
    client.append("t", 0, batch(&["b"]));
    rig.restart();
    let mut client = rig.client();
    assert_eq!(rig::values(&client.fetch("t", 0, 0).records), ["b"]);
    assert_eq!(by_id(&mut client, None, new).0, 0);
}
