//! SyncGroup: the leader assigns, all are told.

use klamm::wire::messages::sync_group::SyncGroupRequest;

use crate::groups::{
    ILLEGAL_GENERATION, INCONSISTENT_GROUP_PROTOCOL, INVALID_GROUP_ID, REBALANCE_IN_PROGRESS, UNKNOWN_MEMBER_ID,
    classic, group, join, join_request, sync_request,
};
use crate::rig::{Client, client};

#[test]
fn every_version_hands_the_assignment_out() {
    let mut client = client();
    for version in 0..=5 {
        let id = group(&mut client, "sync-versions");
        let joined = join(&mut client, join_request(&id, ""), 9);
        let member = joined.member_id;
        let request = sync_request(&id, &member, 1, &[(&member, b"yours"), ("stranger", b"nobody's")]);
        for request in [request, sync_request(&id, &member, 1, &[])] {
            let response = client.call(&request, version);
            assert_eq!(
                (response.error_code.0, &response.assignment[..]),
                (0, b"yours".as_slice()),
                "version {version}"
            );
            let expected = (version >= 5).then_some("consumer");
            assert_eq!(response.protocol_type.as_deref(), expected);
            assert_eq!(response.protocol_name.as_deref(), (version >= 5).then_some("range"));
        }
    }
}

#[test]
fn who_is_no_member_of_the_generation_is_refused() {
    let mut client = client();
    let id = group(&mut client, "sync-refused");
    assert_eq!(client.call(&sync_request(&id, "m", 1, &[]), 5).error_code.0, UNKNOWN_MEMBER_ID, "no group");
    let (member, generation) = classic(&mut client, &id, &["t"]);
    let good = || sync_request(&id, &member, generation, &[]);
    let bad = [
        (SyncGroupRequest { group_id: String::new(), ..good() }, INVALID_GROUP_ID),
        (SyncGroupRequest { member_id: "stranger".to_owned(), ..good() }, UNKNOWN_MEMBER_ID),
        (SyncGroupRequest { group_instance_id: Some("i".to_owned()), ..good() }, UNKNOWN_MEMBER_ID),
        (SyncGroupRequest { generation_id: generation + 1, ..good() }, ILLEGAL_GENERATION),
        (SyncGroupRequest { generation_id: -1, ..good() }, ILLEGAL_GENERATION),
        (SyncGroupRequest { protocol_type: Some("connect".to_owned()), ..good() }, INCONSISTENT_GROUP_PROTOCOL),
        (SyncGroupRequest { protocol_name: Some("sticky".to_owned()), ..good() }, INCONSISTENT_GROUP_PROTOCOL),
    ];
    for (request, code) in bad {
        let response = client.call(&request, 5);
        assert_eq!((response.error_code.0, response.assignment.len()), (code, 0), "{request:?}");
        assert_eq!((response.protocol_type, response.protocol_name), (None, None));
    }
    assert_eq!(client.call(&good(), 5).error_code.0, 0);
    for silent in [
        SyncGroupRequest { protocol_type: None, ..good() },
        SyncGroupRequest { protocol_name: None, ..good() },
        SyncGroupRequest { protocol_type: None, protocol_name: None, group_id: String::new(), ..good() },
    ] {
        let expected = if silent.group_id.is_empty() { [INVALID_GROUP_ID, 23] } else { [23, 23] };
        assert!(expected.contains(&client.call(&silent, 5).error_code.0));
        assert_eq!(client.call(&silent, 4).error_code.0, if silent.group_id.is_empty() { INVALID_GROUP_ID } else { 0 });
    }
}

#[test]
fn a_follower_waits_for_the_leader_and_a_rebalance_sends_all_back() {
    let mut first = client();
    let mut second = Client::connect(first.address());
    let id = group(&mut first, "sync-two");
    let (leader, _) = classic(&mut first, &id, &["t"]);
    let follower = second.call(&join_request(&id, ""), 9).member_id;
    let waits = second.send(&join_request(&id, &follower), 9);
    first.call(&join_request(&id, &leader), 9);
    second.receive::<klamm::wire::messages::join_group::JoinGroupRequest>(waits, 9);
    let waits = second.send(&sync_request(&id, &follower, 2, &[]), 5);
    let response = first.call(&sync_request(&id, &leader, 2, &[(&follower, b"f"), (&leader, b"l")]), 5);
    assert_eq!(&response.assignment[..], b"l");
    assert_eq!(&second.receive::<SyncGroupRequest>(waits, 5).assignment[..], b"f");
    let waits = second.send(&join_request(&id, &leader), 9);
    crate::rig::until("the rebalance", || {
        let code = first.call(&sync_request(&id, &follower, 2, &[]), 5).error_code.0;
        (code == REBALANCE_IN_PROGRESS).then_some(())
    });
    first.call(&join_request(&id, &follower), 9);
    second.receive::<klamm::wire::messages::join_group::JoinGroupRequest>(waits, 9);
}
