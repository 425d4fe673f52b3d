//! DescribeGroups: classic groups in full.

use klamm::wire::messages::describe_groups::{DescribeGroupsRequest, DescribedGroup};
use klamm::wire::messages::join_group::JoinGroupRequest;

use crate::groups::{
    GROUP_ID_NOT_FOUND, classic, commit, commit_request, consumer, group, join, join_request, ready, subscription,
    sync_request,
};
use crate::rig::{Client, client, fresh};

const NOT_ASKED: i32 = i32::MIN;

fn describe(client: &mut Client, groups: &[&str], version: i16) -> Vec<DescribedGroup> {
    let groups = groups.iter().map(|group| (*group).to_owned()).collect();
    client.call(&DescribeGroupsRequest { groups, include_authorized_operations: false }, version).groups
}

#[test]
fn every_version_describes_a_stable_group() {
    let mut client = client();
    let id = group(&mut client, "describe");
    let request = JoinGroupRequest { group_instance_id: Some("instance".to_owned()), ..join_request(&id, "") };
    let member = join(&mut client, request, 9).member_id;
    let mut sync = sync_request(&id, &member, 1, &[(&member, b"assigned")]);
    sync.group_instance_id = Some("instance".to_owned());
    assert_eq!(client.call(&sync, 5).error_code.0, 0);
    for version in 0..=6 {
        let told = describe(&mut client, &[&id], version).remove(0);
        assert_eq!((told.error_code.0, told.error_message.as_deref()), (0, None), "version {version}");
        assert_eq!((told.group_id.as_str(), told.group_state.as_str()), (id.as_str(), "Stable"));
        assert_eq!((told.protocol_type.as_str(), told.protocol_data.as_str()), ("consumer", "range"));
        assert_eq!((told.members.len(), told.authorized_operations), (1, NOT_ASKED));
        let one = &told.members[0];
        assert_eq!((one.member_id.as_str(), one.client_id.as_str()), (member.as_str(), "klamm-tests"));
        assert_eq!(one.client_host, "/127.0.0.1");
        assert_eq!(one.group_instance_id.as_deref(), (version >= 4).then_some("instance"));
        assert_eq!((&one.member_metadata, &one.member_assignment[..]), (&subscription(&["t"]), b"assigned".as_slice()));
    }
}

#[test]
fn authorized_operations_are_told_where_asked() {
    let mut client = client();
    let id = group(&mut client, "describe-operations");
    classic(&mut client, &id, &["t"]);
    let request = DescribeGroupsRequest { groups: vec![id], include_authorized_operations: true };
    let operations = client.call(&request, 3).groups[0].authorized_operations;
    assert_eq!(operations, 1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11);
}

#[test]
fn a_group_that_does_not_rest_shows_members_without_metadata() {
    let mut client = client();
    let id = group(&mut client, "describe-completing");
    let member = join(&mut client, join_request(&id, ""), 9).member_id;
    let told = describe(&mut client, &[&id], 5).remove(0);
    assert_eq!((told.group_state.as_str(), told.protocol_data.as_str()), ("CompletingRebalance", ""));
    assert_eq!((told.members[0].member_id.as_str(), told.members[0].member_metadata.len()), (member.as_str(), 0));
}

#[test]
fn groups_that_are_not_there_or_of_another_kind_are_dead() {
    let mut client = client();
    let topic = fresh("describe-topic");
    client.create(&topic, 1, &[]);
    let missing = group(&mut client, "describe-missing");
    let modern = group(&mut client, "describe-consumer");
    consumer(&mut client, &modern, &[&topic]);
    for version in [0, 3, 5, 6] {
        for (id, why) in [
            (&missing, format!("Group {missing} not found.")),
            (&modern, format!("Group {modern} is not a classic group.")),
        ] {
            let told = describe(&mut client, &[id], version).remove(0);
            let (code, message) = if version >= 6 { (GROUP_ID_NOT_FOUND, Some(why.as_str())) } else { (0, None) };
            assert_eq!((told.error_code.0, told.error_message.as_deref()), (code, message), "{id} version {version}");
            assert_eq!((told.group_state.as_str(), told.members.len()), ("Dead", 0));
            assert_eq!((told.protocol_type.as_str(), told.authorized_operations), ("", NOT_ASKED));
        }
    }
}

#[test]
fn many_are_described_at_once_and_simple_groups_are_empty() {
    let mut client = client();
    let topic = fresh("describe-topic");
    client.create(&topic, 1, &[]);
    let (one, two) = (group(&mut client, "describe-one"), group(&mut client, "describe-two"));
    classic(&mut client, &one, &["t"]);
    assert_eq!(commit(&mut client, &commit_request(&two, &topic, 0, 1), 9), 0);
    ready(&mut client, "");
    let mut told = describe(&mut client, &[&two, "", &one], 6);
    told.sort_by_key(|group| [two.as_str(), "", &one].iter().position(|id| *id == group.group_id));
    let states: Vec<_> = told.iter().map(|group| (group.error_code.0, group.group_state.as_str())).collect();
    assert_eq!((states[0], states[2]), ((0, "Empty"), (0, "Stable")));
    assert!(describe(&mut client, &[], 6).is_empty());
}
