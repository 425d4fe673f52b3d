//! LeaveGroup: members go.

use klamm::wire::messages::describe_groups::DescribeGroupsRequest;
use klamm::wire::messages::join_group::JoinGroupRequest;
use klamm::wire::messages::leave_group::{LeaveGroupRequest, MemberIdentity};

use crate::groups::{
    FENCED_INSTANCE_ID, INVALID_GROUP_ID, UNKNOWN_MEMBER_ID, classic, consumer, group, join_request, sync_request,
};
use crate::rig::{Client, client, fresh};

fn member(id: &str, instance: Option<&str>) -> MemberIdentity {
    MemberIdentity { member_id: id.to_owned(), group_instance_id: instance.map(str::to_owned), reason: None }
}

fn request(group: &str, members: Vec<MemberIdentity>) -> LeaveGroupRequest {
    LeaveGroupRequest { group_id: group.to_owned(), members, ..Default::default() }
}

fn state(client: &mut Client, group: &str) -> String {
    let request = DescribeGroupsRequest { groups: vec![group.to_owned()], ..Default::default() };
    client.call(&request, 5).groups.remove(0).group_state
}

#[test]
fn every_version_leaves_an_empty_group() {
    let mut client = client();
    for version in 0..=5 {
        let id = group(&mut client, "leave-versions");
        let (left, _) = classic(&mut client, &id, &["t"]);
        let request = if version >= 3 {
            request(&id, vec![member(&left, None)])
        } else {
            LeaveGroupRequest { member_id: left.clone(), ..request(&id, Vec::new()) }
        };
        for expected in [0, UNKNOWN_MEMBER_ID] {
            let response = client.call(&request, version);
            if version >= 3 {
                assert_eq!((response.error_code.0, response.members.len()), (0, 1), "version {version}");
                assert_eq!((&response.members[0].member_id, response.members[0].error_code.0), (&left, expected));
            } else {
                assert_eq!((response.error_code.0, response.members.len()), (expected, 0), "version {version}");
            }
        }
        assert_eq!(state(&mut client, &id), "Empty");
    }
}

#[test]
fn a_group_that_is_not_there_knows_nobody() {
    let mut client = client();
    let id = group(&mut client, "leave-unknown");
    let response = client.call(&request(&id, vec![member("a", None), member("", Some("i"))]), 5);
    assert_eq!(response.error_code.0, 0);
    let told: Vec<_> = response.members.iter().map(|one| (one.member_id.as_str(), one.error_code.0)).collect();
    assert_eq!(told, [("a", UNKNOWN_MEMBER_ID), ("", UNKNOWN_MEMBER_ID)]);
    assert_eq!(response.members[1].group_instance_id.as_deref(), Some("i"));
    let old = LeaveGroupRequest { member_id: "a".to_owned(), ..request(&id, Vec::new()) };
    assert_eq!(client.call(&old, 2).error_code.0, UNKNOWN_MEMBER_ID);
    assert_eq!(client.call(&request("", vec![member("a", None)]), 5).error_code.0, INVALID_GROUP_ID);
}

#[test]
fn each_of_many_has_its_own_outcome() {
    let mut client = client();
    let id = group(&mut client, "leave-many");
    let join = JoinGroupRequest { group_instance_id: Some("instance".to_owned()), ..join_request(&id, "") };
    let joined = client.call(&join, 9);
    let mut sync = sync_request(&id, &joined.member_id, 1, &[]);
    sync.group_instance_id = Some("instance".to_owned());
    client.call(&sync, 5);
    let asked = vec![
        member("stranger", None),
        member("stranger", Some("instance")),
        member("", Some("nobody")),
        member("", None),
        member("", Some("instance")),
        member("", Some("instance")),
    ];
    let response = client.call(&request(&id, asked), 5);
    let codes: Vec<i16> = response.members.iter().map(|one| one.error_code.0).collect();
    let gone = UNKNOWN_MEMBER_ID;
    assert_eq!(codes, [UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, gone, gone, 0, gone]);
    assert_eq!((response.members[4].member_id.as_str(), response.error_code.0), ("", 0));
    assert_eq!(state(&mut client, &id), "Empty");
}

#[test]
fn one_that_never_came_back_with_its_id_may_leave() {
    let mut client = client();
    let id = group(&mut client, "leave-pending");
    let pending = client.call(&join_request(&id, ""), 9).member_id;
    for expected in [0, UNKNOWN_MEMBER_ID] {
        let response = client.call(&request(&id, vec![member(&pending, None)]), 5);
        assert_eq!((response.error_code.0, response.members[0].error_code.0), (0, expected));
    }
    assert_eq!(client.call(&join_request(&id, &pending), 9).error_code.0, UNKNOWN_MEMBER_ID);
}

#[test]
fn members_of_the_consumer_protocol_can_be_removed() {
    let mut client = client();
    let topic = fresh("leave-topic");
    client.create(&topic, 1, &[]);
    let id = group(&mut client, "leave-consumer");
    let (joined, _) = consumer(&mut client, &id, &[&topic]);
    for expected in [0, UNKNOWN_MEMBER_ID] {
        let response = client.call(&request(&id, vec![member(&joined, None)]), 5);
        assert_eq!(response.members[0].error_code.0, expected);
    }
}
