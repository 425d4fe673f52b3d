//! ConsumerGroupDescribe: groups of the consumer protocol in full.

use klamm::wire::messages::consumer_group_describe::{ConsumerGroupDescribeRequest, DescribedGroup};

use crate::groups::{
    GROUP_ID_NOT_FOUND, INVALID_GROUP_ID, beat_request, classic, consumer, group, join, join_request, protocol,
};
use crate::rig::{Client, client, fresh};

fn describe(client: &mut Client, groups: &[&str], version: i16) -> Vec<DescribedGroup> {
    let group_ids = groups.iter().map(|group| (*group).to_owned()).collect();
    let request = ConsumerGroupDescribeRequest { group_ids, include_authorized_operations: false };
    let mut told = client.call(&request, version).groups;
    told.sort_by_key(|told| groups.iter().position(|id| *id == told.group_id));
    told
}

#[test]
fn both_versions_describe_members_and_what_they_own() {
    let mut client = client();
    let topic = fresh("describe-topic");
    let topic_id = client.create(&topic, 2, &[]);
    let id = group(&mut client, "describe-consumer");
    let mut request = beat_request(&id, "m", 0, &[&topic]);
    request.instance_id = Some("instance".to_owned());
    request.rack_id = Some("rack".to_owned());
    request.server_assignor = Some("range".to_owned());
    assert_eq!(client.call(&request, 1).error_code.0, 0);
    for version in [0, 1] {
        let told = describe(&mut client, &[&id], version).remove(0);
        assert_eq!((told.error_code.0, told.error_message.as_deref()), (0, None));
        assert_eq!((told.group_state.as_str(), told.group_epoch, told.assignment_epoch), ("Stable", 2, 2));
        assert_eq!((told.assignor_name.as_str(), told.authorized_operations), ("range", i32::MIN));
        assert_eq!(told.members.len(), 1);
        let one = &told.members[0];
        assert_eq!((one.member_id.as_str(), one.member_epoch), ("m", 2));
        assert_eq!((one.instance_id.as_deref(), one.rack_id.as_deref()), (Some("instance"), Some("rack")));
        assert_eq!((one.client_id.as_str(), one.client_host.as_str()), ("klamm-tests", "/127.0.0.1"));
        assert_eq!(one.subscribed_topic_names, std::slice::from_ref(&topic));
        assert_eq!(one.subscribed_topic_regex.as_deref(), Some(""));
        for assignment in [&one.assignment, &one.target_assignment] {
            assert_eq!(assignment.topic_partitions.len(), 1);
            let of = &assignment.topic_partitions[0];
            let mut partitions = of.partitions.clone();
            partitions.sort_unstable();
            assert_eq!((of.topic_id, of.topic_name.as_str(), partitions), (topic_id, topic.as_str(), vec![0, 1]));
        }
        assert_eq!(one.member_type, if version >= 1 { 1 } else { -1 });
    }
    let request = ConsumerGroupDescribeRequest { group_ids: vec![id], include_authorized_operations: true };
    let operations = client.call(&request, 1).groups[0].authorized_operations;
    assert_eq!(operations, 1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11);
}

#[test]
fn a_classic_member_is_told_as_one() {
    let mut client = client();
    let topic = fresh("describe-topic");
    client.create(&topic, 2, &[]);
    let id = group(&mut client, "describe-mixed");
    consumer(&mut client, &id, &[&topic]);
    let request = klamm::wire::messages::join_group::JoinGroupRequest {
        protocols: vec![protocol("range", &[&topic])],
        ..join_request(&id, "")
    };
    let joined = join(&mut client, request, 9);
    assert_eq!(joined.error_code.0, 0);
    let told = describe(&mut client, &[&id], 1).remove(0);
    let mut kinds: Vec<_> =
        told.members.iter().map(|one| (one.member_type, one.member_id == joined.member_id)).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, [(0, true), (1, false)]);
    assert_eq!(told.group_state, "Reconciling");
}

#[test]
fn groups_that_are_not_there_or_of_another_kind_are_told() {
    let mut client = client();
    let missing = group(&mut client, "describe-missing");
    let other = group(&mut client, "describe-classic");
    classic(&mut client, &other, &["t"]);
    let told = describe(&mut client, &[&missing, &other, ""], 1);
    let rows: Vec<_> = told.iter().map(|one| (one.error_code.0, one.error_message.clone())).collect();
    let expected = [
        (GROUP_ID_NOT_FOUND, Some(format!("Group {missing} not found."))),
        (GROUP_ID_NOT_FOUND, Some(format!("Group {other} is not a consumer group."))),
        (INVALID_GROUP_ID, None),
    ];
    assert_eq!(rows, expected);
    assert!(told.iter().all(|one| one.members.is_empty() && one.group_state.is_empty()));
    assert!(describe(&mut client, &[], 1).is_empty());
}

#[test]
fn an_empty_group_is_empty() {
    let mut client = client();
    let topic = fresh("describe-topic");
    client.create(&topic, 1, &[]);
    let id = group(&mut client, "describe-empty");
    let (member, epoch) = consumer(&mut client, &id, &[&topic]);
    assert_eq!(client.call(&beat_request(&id, &member, -1, &[]), 1).error_code.0, 0);
    let told = describe(&mut client, &[&id], 1).remove(0);
    assert_eq!((told.group_state.as_str(), told.group_epoch, told.members.len()), ("Empty", epoch + 1, 0));
    assert_eq!(told.assignor_name, "uniform");
}
