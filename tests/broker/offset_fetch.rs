//! OffsetFetch: what was committed.

use klamm::base::ids::Uuid;
use klamm::wire::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
    OffsetFetchResponseGroup,
};

use crate::groups::{
    GROUP_ID_NOT_FOUND, ILLEGAL_GENERATION, STALE_MEMBER_EPOCH, UNKNOWN_MEMBER_ID, UNKNOWN_TOPIC_ID, classic, commit,
    commit_request, consumer, group,
};
use crate::rig::{Client, client, fresh};

fn old_request(group: &str, topics: Option<&[(&str, &[i32])]>) -> OffsetFetchRequest {
    let topic = |(name, partitions): &(&str, &[i32])| OffsetFetchRequestTopic {
        name: (*name).to_owned(),
        partition_indexes: partitions.to_vec(),
    };
    OffsetFetchRequest {
        group_id: group.to_owned(),
        topics: topics.map(|topics| topics.iter().map(topic).collect()),
        ..Default::default()
    }
}

fn asked(group: &str, topics: Option<&[(&str, Uuid, &[i32])]>) -> OffsetFetchRequestGroup {
    let topic = |(name, id, partitions): &(&str, Uuid, &[i32])| OffsetFetchRequestTopics {
        name: (*name).to_owned(),
        topic_id: *id,
        partition_indexes: partitions.to_vec(),
    };
    OffsetFetchRequestGroup {
        group_id: group.to_owned(),
        topics: topics.map(|topics| topics.iter().map(topic).collect()),
        ..Default::default()
    }
}

fn fetch(client: &mut Client, group: OffsetFetchRequestGroup, version: i16) -> OffsetFetchResponseGroup {
    let request = OffsetFetchRequest { groups: vec![group], ..Default::default() };
    client.call(&request, version).groups.remove(0)
}

#[test]
fn every_version_fetches_partitions_and_all() {
    let mut client = client();
    let topic = fresh("fetch-topic");
    let topic_id = client.create(&topic, 3, &[]);
    let id = group(&mut client, "fetch-versions");
    let mut request = commit_request(&id, &topic, 1, 7);
    request.topics[0].partitions[0].committed_leader_epoch = 5;
    assert_eq!(commit(&mut client, &request, 9), 0);
    for version in 1..=7 {
        let some: &[(&str, &[i32])] = &[(&topic, &[1, 2]), ("never-there", &[0])];
        let response = client.call(&old_request(&id, Some(some)), version);
        assert_eq!(response.error_code.0, 0);
        let told: Vec<_> = response
            .topics
            .iter()
            .flat_map(|one| {
                let row = |at: &klamm::wire::messages::offset_fetch::OffsetFetchResponsePartition| {
                    let metadata = at.metadata.clone().unwrap_or_else(|| "null".to_owned());
                    (at.partition_index, at.committed_offset, at.committed_leader_epoch, metadata, at.error_code.0)
                };
                one.partitions.iter().map(row).collect::<Vec<_>>()
            })
            .collect();
        let epoch = if version >= 5 { 5 } else { -1 };
        let expected =
            [(1, 7, epoch, "note".to_owned(), 0), (2, -1, -1, String::new(), 0), (0, -1, -1, String::new(), 0)];
        assert_eq!(told, expected, "version {version}");
        let none = client.call(&old_request(&id, Some(&[])), version);
        assert!(none.topics.is_empty());
        if version >= 2 {
            let all = client.call(&old_request(&id, None), version);
            assert_eq!((all.topics.len(), all.topics[0].name.as_str()), (1, topic.as_str()));
            assert_eq!((all.topics[0].partitions.len(), all.topics[0].partitions[0].committed_offset), (1, 7));
        }
    }
    for version in 8..=10 {
        let answer = fetch(&mut client, asked(&id, Some(&[(&topic, topic_id, &[1, 2])])), version);
        assert_eq!((answer.error_code.0, answer.group_id.as_str()), (0, id.as_str()));
        let rows: Vec<_> = answer.topics[0]
            .partitions
            .iter()
            .map(|at| (at.partition_index, at.committed_offset, at.committed_leader_epoch, at.error_code.0))
            .collect();
        assert_eq!(rows, [(1, 7, 5, 0), (2, -1, -1, 0)], "version {version}");
        let named = if version >= 10 { (String::new(), topic_id) } else { (topic.clone(), Uuid::ZERO) };
        assert_eq!((answer.topics[0].name.clone(), answer.topics[0].topic_id), named);
        let all = fetch(&mut client, asked(&id, None), version);
        assert_eq!((all.topics[0].name.clone(), all.topics[0].topic_id), named);
        assert_eq!((all.topics.len(), all.topics[0].partitions.len()), (1, 1));
    }
}

#[test]
fn many_groups_are_fetched_at_once() {
    let mut client = client();
    let topic = fresh("fetch-topic");
    client.create(&topic, 1, &[]);
    let (one, two) = (group(&mut client, "fetch-one"), group(&mut client, "fetch-two"));
    assert_eq!(commit(&mut client, &commit_request(&one, &topic, 0, 1), 9), 0);
    assert_eq!(commit(&mut client, &commit_request(&two, &topic, 0, 2), 9), 0);
    let groups = vec![asked(&two, None), asked(&one, Some(&[(&topic, Uuid::ZERO, &[0])])), asked("never-there", None)];
    let response = client.call(&OffsetFetchRequest { groups, ..Default::default() }, 9);
    let offsets: Vec<_> = response
        .groups
        .iter()
        .map(|group| (group.group_id.as_str(), group.topics.first().map(|topic| topic.partitions[0].committed_offset)))
        .collect();
    assert_eq!(offsets.len(), 3);
    assert!(offsets.contains(&(one.as_str(), Some(1))) && offsets.contains(&(two.as_str(), Some(2))));
    let strangers: Vec<_> = response.groups.iter().filter(|group| group.group_id == "never-there").collect();
    assert_eq!((strangers[0].error_code.0, strangers[0].topics.len()), (0, 0));
}

#[test]
fn an_id_that_is_no_topics_is_told() {
    let mut client = client();
    let topic = fresh("fetch-topic");
    let topic_id = client.create(&topic, 1, &[]);
    let id = group(&mut client, "fetch-ids");
    assert_eq!(commit(&mut client, &commit_request(&id, &topic, 0, 7), 9), 0);
    let unknown = Uuid([9; 16]);
    let answer = fetch(&mut client, asked(&id, Some(&[("", unknown, &[0]), ("", topic_id, &[0])])), 10);
    assert_eq!(answer.error_code.0, 0);
    let mut rows: Vec<_> = answer
        .topics
        .iter()
        .map(|one| (one.topic_id, one.partitions[0].committed_offset, one.partitions[0].error_code.0))
        .collect();
    rows.sort_by_key(|row| row.2);
    assert_eq!(rows, [(topic_id, 7, 0), (unknown, -1, UNKNOWN_TOPIC_ID)]);
}

#[test]
fn members_are_checked_where_they_are_named() {
    let mut client = client();
    let topic = fresh("fetch-topic");
    client.create(&topic, 1, &[]);
    let id = group(&mut client, "fetch-members");
    let of = |id: &str, member: Option<&str>, epoch: i32| OffsetFetchRequestGroup {
        member_id: member.map(str::to_owned),
        member_epoch: epoch,
        ..asked(id, Some(&[(&topic, Uuid::ZERO, &[0])]))
    };
    let (member, epoch) = consumer(&mut client, &id, &[&topic]);
    let expected = [
        (Some(member.as_str()), epoch, 0),
        (None, -1, 0),
        (Some(member.as_str()), epoch + 1, STALE_MEMBER_EPOCH),
        (Some(member.as_str()), -1, STALE_MEMBER_EPOCH),
        (Some("stranger"), epoch, UNKNOWN_MEMBER_ID),
        (Some(""), -1, UNKNOWN_MEMBER_ID),
    ];
    for (member, epoch, code) in expected {
        let answer = fetch(&mut client, of(&id, member, epoch), 9);
        assert_eq!(answer.error_code.0, code, "{member:?} {epoch}");
        assert_eq!(answer.topics.len(), usize::from(code == 0), "{member:?} {epoch}");
    }
    let id = group(&mut client, "fetch-classic");
    let (member, generation) = classic(&mut client, &id, &["t"]);
    assert_eq!(
        fetch(&mut client, of(&id, Some(&member), generation + 3), 9).error_code.0,
        0,
        "not asked of classic groups"
    );
    let id = group(&mut client, "fetch-nobody");
    let answer = fetch(&mut client, of(&id, Some("m"), 3), 9);
    assert!([0, GROUP_ID_NOT_FOUND, ILLEGAL_GENERATION].contains(&answer.error_code.0));
    assert_eq!(answer.error_code.0, 0, "a group that is not there");
}
