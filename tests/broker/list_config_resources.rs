//! ListConfigResources: what can be configured.

use klamm::wire::messages::list_config_resources::ListConfigResourcesRequest;

use crate::rig::{Client, client, fresh};

fn ask(client: &mut Client, types: &[i8], version: i16) -> (i16, Vec<(i8, String)>) {
    let response = client.call(&ListConfigResourcesRequest { resource_types: types.to_vec() }, version);
    let rows = response.config_resources.into_iter().map(|one| (one.resource_type, one.resource_name)).collect();
    (response.error_code.0, rows)
}

#[test]
fn version_0_lists_client_metrics_only() {
    let mut client = client();
    client.create(&fresh("resources"), 1, &[]);
    assert_eq!(ask(&mut client, &[], 0), (0, vec![]));
}

#[test]
fn version_1_lists_all_types_or_those_asked_for() {
    let mut client = client();
    let topic = fresh("resources");
    client.create(&topic, 1, &[]);
    let (error, all) = ask(&mut client, &[], 1);
    assert_eq!(error, 0);
    assert!(all.contains(&(2, topic.clone())));
    assert!(all.iter().any(|row| row.0 == 4) && all.iter().any(|row| row.0 == 8));
    let (_, topics) = ask(&mut client, &[2], 1);
    assert!(topics.contains(&(2, topic)) && topics.iter().all(|row| row.0 == 2));
    let (_, both) = ask(&mut client, &[4, 16], 1);
    assert!(both.iter().all(|row| row.0 == 4) && both.len() == 1);
    let (_, groups) = ask(&mut client, &[32], 1);
    assert!(groups.iter().all(|row| row.0 == 32));
}

#[test]
fn types_that_do_not_exist_are_refused() {
    let mut client = client();
    for types in [&[3i8][..], &[0], &[-1], &[2, 77]] {
        assert_eq!(ask(&mut client, types, 1), (35, vec![]), "{types:?}");
    }
}
