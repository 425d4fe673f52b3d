//! Heartbeat: a classic member is alive.

use klamm::wire::messages::heartbeat::HeartbeatRequest;

use crate::groups::{
    ILLEGAL_GENERATION, INVALID_GROUP_ID, REBALANCE_IN_PROGRESS, UNKNOWN_MEMBER_ID, classic, consumer, group,
    heartbeat_request, join_request,
};
use crate::rig::{Client, client, fresh, until};

#[test]
fn every_version_is_answered() {
    let mut client = client();
    let id = group(&mut client, "heartbeat");
    let (member, generation) = classic(&mut client, &id, &["t"]);
    for version in 0..=4 {
        let request = heartbeat_request(&id, &member, generation);
        assert_eq!(client.call(&request, version).error_code.0, 0, "version {version}");
    }
}

#[test]
fn who_is_no_member_of_the_generation_is_refused() {
    let mut client = client();
    let id = group(&mut client, "heartbeat-refused");
    assert_eq!(client.call(&heartbeat_request(&id, "m", 1), 4).error_code.0, UNKNOWN_MEMBER_ID, "no group");
    let (member, generation) = classic(&mut client, &id, &["t"]);
    let good = || heartbeat_request(&id, &member, generation);
    let bad = [
        (HeartbeatRequest { group_id: String::new(), ..good() }, INVALID_GROUP_ID),
        (HeartbeatRequest { member_id: "stranger".to_owned(), ..good() }, UNKNOWN_MEMBER_ID),
        (HeartbeatRequest { member_id: String::new(), ..good() }, UNKNOWN_MEMBER_ID),
        (HeartbeatRequest { group_instance_id: Some("i".to_owned()), ..good() }, UNKNOWN_MEMBER_ID),
        (HeartbeatRequest { generation_id: generation + 1, ..good() }, ILLEGAL_GENERATION),
        (HeartbeatRequest { generation_id: -1, ..good() }, ILLEGAL_GENERATION),
    ];
    for (request, code) in bad {
        assert_eq!(client.call(&request, 4).error_code.0, code, "{request:?}");
    }
}

#[test]
fn a_rebalance_is_told() {
    let mut client = client();
    let mut other = Client::connect(client.address());
    let id = group(&mut client, "heartbeat-rebalance");
    let (member, generation) = classic(&mut client, &id, &["t"]);
    let new = other.call(&join_request(&id, ""), 9).member_id;
    other.send(&join_request(&id, &new), 9);
    until("the rebalance", || {
        let code = client.call(&heartbeat_request(&id, &member, generation), 4).error_code.0;
        (code == REBALANCE_IN_PROGRESS).then_some(())
    });
}

#[test]
fn a_member_of_the_consumer_protocol_has_another_heartbeat() {
    let mut client = client();
    let topic = fresh("heartbeat-topic");
    client.create(&topic, 1, &[]);
    let id = group(&mut client, "heartbeat-consumer");
    let (member, epoch) = consumer(&mut client, &id, &[&topic]);
    assert_eq!(client.call(&heartbeat_request(&id, &member, epoch), 4).error_code.0, UNKNOWN_MEMBER_ID);
}
