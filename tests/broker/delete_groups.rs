//! DeleteGroups: groups go with their offsets.

use klamm::wire::messages::delete_groups::DeleteGroupsRequest;

use crate::groups::{
    GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP, beat_request, classic, commit, commit_request, committed, consumer, group,
};
use crate::rig::{Client, Rig, client, fresh};

fn delete(client: &mut Client, groups: &[&str], version: i16) -> Vec<(String, i16, Option<String>)> {
    let groups_names = groups.iter().map(|group| (*group).to_owned()).collect();
    let results = client.call(&DeleteGroupsRequest { groups_names }, version).results;
    let mut told: Vec<_> = results.into_iter().map(|row| (row.group_id, row.error_code.0, row.error_message)).collect();
    told.sort_by_key(|row| groups.iter().position(|id| *id == row.0));
    told
}

#[test]
fn every_version_deletes_what_is_empty() {
    let mut client = client();
    let topic = fresh("delete-topic");
    client.create(&topic, 1, &[]);
    for version in 0..=3 {
        let id = group(&mut client, "delete-versions");
        assert_eq!(commit(&mut client, &commit_request(&id, &topic, 0, 7), 9), 0);
        assert_eq!(delete(&mut client, &[&id], version), [(id.clone(), 0, None)], "version {version}");
        assert_eq!(committed(&mut client, &id, &topic, 0), -1);
        let again = delete(&mut client, &[&id], version);
        assert_eq!(again, [(id.clone(), GROUP_ID_NOT_FOUND, None)], "version {version}");
    }
}

#[test]
fn groups_with_members_stay_and_each_has_its_own_outcome() {
    let mut client = client();
    let topic = fresh("delete-topic");
    client.create(&topic, 1, &[]);
    let ids: Vec<String> = (0..4).map(|_| group(&mut client, "delete-many")).collect();
    classic(&mut client, &ids[0], &["t"]);
    let (member, _) = consumer(&mut client, &ids[1], &[&topic]);
    assert_eq!(commit(&mut client, &commit_request(&ids[2], &topic, 0, 7), 9), 0);
    let asked: Vec<&str> = ids.iter().map(String::as_str).collect();
    let told = delete(&mut client, &asked, 3);
    let codes: Vec<i16> = told.iter().map(|row| row.1).collect();
    assert_eq!(codes, [NON_EMPTY_GROUP, NON_EMPTY_GROUP, 0, GROUP_ID_NOT_FOUND]);
    assert_eq!(told[0].2, None);
    let left = client.call(&beat_request(&ids[1], &member, -1, &[]), 1);
    assert_eq!(left.error_code.0, 0);
    assert_eq!(delete(&mut client, &[&ids[1]], 3), [(ids[1].clone(), 0, None)]);
    assert!(delete(&mut client, &[], 3).is_empty());
}

#[test]
fn what_was_deleted_is_not_there_after_a_restart() {
    let mut rig = Rig::with(&[]);
    let mut client = rig.client();
    client.create("t", 1, &[]);
    let id = group(&mut client, "delete-restart");
    let (member, _) = consumer(&mut client, &id, &["t"]);
    assert_eq!(client.call(&beat_request(&id, &member, -1, &[]), 1).error_code.0, 0);
    assert_eq!(commit(&mut client, &commit_request(&id, "t", 0, 7), 9), 0);
    assert_eq!(delete(&mut client, &[&id], 3)[0].1, 0);
    rig.restart();
    let mut client = rig.client();
    crate::groups::ready(&mut client, &id);
    assert_eq!(committed(&mut client, &id, "t", 0), -1);
    assert_eq!(delete(&mut client, &[&id], 3)[0].1, GROUP_ID_NOT_FOUND);
}
