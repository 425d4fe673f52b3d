//! ListGroups: what groups there are.

use klamm::wire::messages::list_groups::{ListGroupsRequest, ListedGroup};

use crate::groups::{classic, commit, commit_request, consumer, group, join_request};
use crate::rig::{Client, client, fresh};

fn list(client: &mut Client, ids: &[&str], states: &[&str], types: &[&str], version: i16) -> Vec<ListedGroup> {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let request = ListGroupsRequest { states_filter: owned(states), types_filter: owned(types) };
    let response = client.call(&request, version);
    assert_eq!(response.error_code.0, 0);
    let mut listed: Vec<_> =
        response.groups.into_iter().filter(|group| ids.contains(&group.group_id.as_str())).collect();
    listed.sort_by_key(|listed| ids.iter().position(|id| *id == listed.group_id));
    listed
}

#[test]
fn every_kind_of_group_is_listed_in_every_version_and_filtered() {
    let mut client = client();
    let topic = fresh("list-topic");
    client.create(&topic, 1, &[]);
    let names: Vec<String> = ["stable", "simple", "completing", "consumer", "wish"]
        .iter()
        .map(|what| group(&mut client, &format!("list-{what}")))
        .collect();
    let ids: Vec<&str> = names.iter().map(String::as_str).collect();
    classic(&mut client, ids[0], &[&topic]);
    assert_eq!(commit(&mut client, &commit_request(ids[1], &topic, 0, 1), 9), 0);
    assert_eq!(client.call(&join_request(ids[2], ""), 3).error_code.0, 0);
    consumer(&mut client, ids[3], &[&topic]);
    assert_eq!(client.call(&join_request(ids[4], ""), 9).error_code.0, 79);

    for version in 0..=5 {
        let listed = list(&mut client, &ids, &[], &[], version);
        let rows: Vec<_> = listed
            .iter()
            .map(|row| (row.group_id.as_str(), &*row.protocol_type, &*row.group_state, &*row.group_type))
            .collect();
        let state = |state| if version >= 4 { state } else { "" };
        let kind = |kind| if version >= 5 { kind } else { "" };
        let expected = [
            (ids[0], "consumer", state("Stable"), kind("classic")),
            (ids[1], "", state("Empty"), kind("classic")),
            (ids[2], "consumer", state("CompletingRebalance"), kind("classic")),
            (ids[3], "consumer", state("Stable"), kind("consumer")),
            (ids[4], "", state("Empty"), kind("classic")),
        ];
        assert_eq!(rows, expected, "version {version}");
    }
    let mut found = |states: &[&str], types: &[&str]| -> Vec<String> {
        list(&mut client, &ids, states, types, 5).into_iter().map(|row| row.group_id).collect()
    };
    assert_eq!(found(&["Empty"], &[]), [ids[1], ids[4]]);
    assert_eq!(found(&["eMpTy", "completingrebalance"], &[]), [ids[1], ids[2], ids[4]]);
    assert_eq!(found(&["stable"], &["Consumer"]), [ids[3]]);
    assert_eq!(found(&[], &["classic"]), [ids[0], ids[1], ids[2], ids[4]]);
    assert!(found(&["nonsense"], &[]).is_empty());
    assert!(found(&["Dead"], &[]).is_empty());
}
