//! JoinGroup: members of a classic group come together.

use klamm::wire::messages::join_group::JoinGroupRequest;

use crate::groups::{
    FENCED_INSTANCE_ID, INCONSISTENT_GROUP_PROTOCOL, INVALID_GROUP_ID, INVALID_SESSION_TIMEOUT, MEMBER_ID_REQUIRED,
    UNKNOWN_MEMBER_ID, classic, group, join, join_request, protocol, subscription, sync_request,
};
use crate::rig::{Client, Rig, client};

#[test]
fn every_version_joins_and_leads() {
    let mut client = client();
    for version in 0..=9 {
        let id = group(&mut client, "join-versions");
        let first = client.call(&join_request(&id, ""), version);
        let expected = if version >= 4 { MEMBER_ID_REQUIRED } else { 0 };
        assert_eq!(first.error_code.0, expected, "version {version}");
        if version >= 4 {
            assert_eq!((first.generation_id, first.leader.as_str(), first.members.len()), (-1, "", 0));
            let nothing = if version >= 7 { None } else { Some("") };
            assert_eq!(
                (first.protocol_name.as_deref(), first.protocol_type.as_deref()),
                (nothing, None),
                "version {version}"
            );
        }
        // The client's id and a UUID.
        assert!(first.member_id.starts_with("klamm-tests-"), "{}", first.member_id);
        assert_eq!(first.member_id.len(), "klamm-tests-".len() + 36);
        let joined =
            if version >= 4 { client.call(&join_request(&id, &first.member_id), version) } else { first.clone() };
        assert_eq!((joined.error_code.0, joined.generation_id), (0, 1));
        assert_eq!((&joined.member_id, &joined.leader), (&first.member_id, &first.member_id));
        assert_eq!(joined.protocol_name.as_deref(), Some("range"));
        assert_eq!(joined.protocol_type.as_deref(), (version >= 7).then_some("consumer"));
        assert!(!joined.skip_assignment);
        assert_eq!(joined.members.len(), 1);
        assert_eq!(
            (&joined.members[0].member_id, &joined.members[0].metadata),
            (&joined.member_id, &subscription(&["t"]))
        );
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let mut client = client();
    let id = group(&mut client, "join-refused");
    let good = || join_request(&id, "");
    let bad = [
        (JoinGroupRequest { group_id: String::new(), ..good() }, INVALID_GROUP_ID),
        (JoinGroupRequest { session_timeout_ms: 5_999, ..good() }, INVALID_SESSION_TIMEOUT),
        (JoinGroupRequest { session_timeout_ms: 1_800_001, ..good() }, INVALID_SESSION_TIMEOUT),
        (JoinGroupRequest { session_timeout_ms: -1, ..good() }, INVALID_SESSION_TIMEOUT),
        (JoinGroupRequest { member_id: "stranger".to_owned(), ..good() }, UNKNOWN_MEMBER_ID),
        (JoinGroupRequest { protocols: Vec::new(), ..good() }, INCONSISTENT_GROUP_PROTOCOL),
        (JoinGroupRequest { protocol_type: String::new(), ..good() }, INCONSISTENT_GROUP_PROTOCOL),
    ];
    for (request, code) in bad {
        let response = client.call(&request, 9);
        assert_eq!(response.error_code.0, code, "{request:?}");
        assert_eq!(response.generation_id, -1);
        assert_eq!((response.leader.as_str(), response.members.len()), ("", 0));
        assert_eq!((response.protocol_name, response.protocol_type), (None, None));
        assert_eq!(response.member_id, request.member_id, "{request:?}");
    }
}

#[test]
fn a_group_that_is_there_refuses_other_kinds_and_strangers() {
    let mut client = client();
    let id = group(&mut client, "join-there");
    let (member, _) = classic(&mut client, &id, &["t"]);
    let good = || join_request(&id, "");
    let bad = [
        (JoinGroupRequest { protocol_type: "connect".to_owned(), ..good() }, INCONSISTENT_GROUP_PROTOCOL),
        (JoinGroupRequest { protocols: vec![protocol("sticky", &["t"])], ..good() }, INCONSISTENT_GROUP_PROTOCOL),
        (JoinGroupRequest { member_id: "stranger".to_owned(), ..good() }, UNKNOWN_MEMBER_ID),
        (
            JoinGroupRequest { member_id: member.clone(), group_instance_id: Some("i".to_owned()), ..good() },
            UNKNOWN_MEMBER_ID,
        ),
    ];
    for (request, code) in bad {
        let response = client.call(&request, 9);
        assert_eq!((response.error_code.0, response.generation_id), (code, -1), "{request:?}");
    }
}

#[test]
fn two_members_share_a_generation_and_one_leads() {
    let mut first = client();
    let mut second = Client::connect(first.address());
    let id = group(&mut first, "join-two");
    let (leader, _) = classic(&mut first, &id, &["t"]);
    let required = second.call(&join_request(&id, ""), 9);
    assert_eq!(required.error_code.0, MEMBER_ID_REQUIRED);
    let waits = second.send(&join_request(&id, &required.member_id), 9);
    let led = first.call(&join_request(&id, &leader), 9);
    let followed = second.receive::<JoinGroupRequest>(waits, 9);
    assert_eq!((led.error_code.0, followed.error_code.0), (0, 0));
    assert_eq!((led.generation_id, followed.generation_id), (2, 2));
    assert_eq!((led.leader.as_str(), followed.leader.as_str()), (leader.as_str(), leader.as_str()));
    assert_eq!((led.members.len(), followed.members.len()), (2, 0));
    // Neither synced: the same answers again.
    assert_eq!(second.call(&join_request(&id, &required.member_id), 9).generation_id, 2);
    assert_eq!(first.call(&join_request(&id, &leader), 9).members.len(), 2);
}

#[test]
fn a_static_member_takes_its_own_place() {
    let mut client = client();
    for version in [5, 8, 9] {
        let id = group(&mut client, "join-static");
        let request = |member: &str| JoinGroupRequest {
            group_instance_id: Some("instance".to_owned()),
            ..join_request(&id, member)
        };
        let first = client.call(&request(""), version);
        assert_eq!((first.error_code.0, first.generation_id), (0, 1), "static members need no second step");
        assert!(first.member_id.starts_with("instance-"), "{}", first.member_id);
        assert_eq!(first.members[0].group_instance_id.as_deref(), Some("instance"));
        let mut sync = sync_request(&id, &first.member_id, 1, &[(&first.member_id, b"mine")]);
        sync.group_instance_id = Some("instance".to_owned());
        assert_eq!(client.call(&sync, 5).error_code.0, 0);

        let again = client.call(&request(""), version);
        assert_eq!((again.error_code.0, again.generation_id), (0, 1), "no rebalance");
        assert_ne!(again.member_id, first.member_id);
        if version == 9 {
            assert_eq!((again.skip_assignment, again.members.len()), (true, 1));
            assert_eq!(again.leader, again.member_id);
        } else {
            assert_eq!((again.skip_assignment, again.members.len()), (false, 0));
            assert_eq!(again.leader, first.member_id, "it is not to assign");
        }
        assert_eq!(client.call(&request(&first.member_id), version).error_code.0, FENCED_INSTANCE_ID);
        assert_eq!(client.call(&request("stranger"), version).error_code.0, FENCED_INSTANCE_ID);
    }
}

#[test]
fn a_full_group_refuses() {
    let rig = Rig::with(&[("group.max.size", "1")]);
    let mut client = rig.client();
    let id = group(&mut client, "join-full");
    let (member, _) = classic(&mut client, &id, &["t"]);
    let response = client.call(&join_request(&id, ""), 9);
    assert_eq!((response.error_code.0, response.member_id.as_str()), (81, ""));
    assert_eq!(client.call(&join_request(&id, &member), 9).error_code.0, 0);
}

#[test]
fn a_group_survives_a_restart() {
    let mut rig = Rig::with(&[]);
    let mut client = rig.client();
    let id = group(&mut client, "join-restart");
    let (member, generation) = classic(&mut client, &id, &["t"]);
    rig.restart();
    let mut client = rig.client();
    crate::groups::ready(&mut client, &id);
    assert_eq!(client.call(&sync_request(&id, &member, generation, &[]), 5).error_code.0, 0);
    assert_eq!(join(&mut client, join_request(&id, &member), 9).generation_id, generation + 1);
}
