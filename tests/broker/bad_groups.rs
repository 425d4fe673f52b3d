//! Bad input of groups: what lies, what is out of bounds, what is far too much. Each answer is Kafka's; nobody else is disturbed.

use std::time::{Duration, Instant};

use bytes::Bytes;
use klamm::wire::messages::consumer_group_heartbeat::ConsumerGroupHeartbeatRequest;
use klamm::wire::messages::delete_groups::DeleteGroupsRequest;
use klamm::wire::messages::describe_groups::DescribeGroupsRequest;
use klamm::wire::messages::find_coordinator::FindCoordinatorRequest;
use klamm::wire::messages::heartbeat::HeartbeatRequest;
use klamm::wire::messages::join_group::{JoinGroupRequest, JoinGroupRequestProtocol};
use klamm::wire::messages::leave_group::{LeaveGroupRequest, MemberIdentity};
use klamm::wire::messages::list_groups::ListGroupsRequest;
use klamm::wire::messages::offset_commit::OffsetCommitRequest;
use klamm::wire::{Request, frame};

use crate::groups::{
    FENCED_MEMBER_EPOCH, GROUP_ID_NOT_FOUND, ILLEGAL_GENERATION, INVALID_REGULAR_EXPRESSION, INVALID_REQUEST,
    INVALID_SESSION_TIMEOUT, MEMBER_ID_REQUIRED, STALE_MEMBER_EPOCH, UNKNOWN_MEMBER_ID, beat_request, classic, commit,
    commit_request, committed, consumer, group, heartbeat_request, join, join_request, ready, sync_request,
};
use crate::rig::{self, Client, Rig, client, fresh, is_reference};

const COORDINATOR_NOT_AVAILABLE: i16 = 15;

/// Subscriptions that are none: what they say of their sizes is not so.
fn lies() -> Vec<(&'static str, Bytes)> {
    let bytes = |parts: &[&[u8]]| Bytes::from(parts.concat());
    let count = |count: i32| count.to_be_bytes();
    vec![
        ("nothing", bytes(&[])),
        ("one byte", bytes(&[&[0]])),
        ("no count", bytes(&[&[0, 0]])),
        ("two thousand million topics", bytes(&[&[0, 0], &count(i32::MAX)])),
        ("a million topics", bytes(&[&[0, 0], &count(1_000_000), &[0, 1, b't']])),
        ("minus two topics", bytes(&[&[0, 0], &count(-2)])),
        ("a name of 32,767 bytes", bytes(&[&[0, 0], &count(1), &[0x7f, 0xff, b't']])),
        ("a name of minus one", bytes(&[&[0, 0], &count(1), &[0xff, 0xff]])),
        ("a name that is no text", bytes(&[&[0, 0], &count(1), &[0, 2, 0xff, 0xfe], &count(-1)])),
        ("user data of two gigabytes", bytes(&[&[0, 0], &count(1), &[0, 1, b't'], &count(i32::MAX)])),
        ("a version below all", bytes(&[&[0xff, 0xff], &count(1), &[0, 1, b't'], &count(-1)])),
        ("a version to come", bytes(&[&[0x7f, 0xff], &count(1), &[0, 1, b't'], &count(-1), &count(i32::MAX)])),
        (
            "partitions that are not there",
            bytes(&[&[0, 1], &count(0), &count(-1), &count(1), &[0, 1, b't'], &count(9)]),
        ),
        ("a megabyte of nothing", Bytes::from(vec![0xff; 500_000])),
    ]
}

#[test]
fn member_metadata_that_lies_about_its_sizes_is_kept_as_it_is() {
    let mut client = client();
    for (what, lie) in lies() {
        let id = group(&mut client, "bad-metadata");
        let request = JoinGroupRequest {
            protocols: vec![JoinGroupRequestProtocol { name: "range".to_owned(), metadata: lie.clone() }],
            ..join_request(&id, "")
        };
        let joined = join(&mut client, request.clone(), 9);
        assert_eq!((joined.error_code.0, joined.members.len()), (0, 1), "{what}");
        assert_eq!(joined.members[0].metadata, lie, "{what}");
        let member = joined.member_id;
        let given = lie.clone();
        let sync = sync_request(&id, &member, joined.generation_id, &[(&member, &given)]);
        let synced = client.call(&sync, 5);
        assert_eq!((synced.error_code.0, synced.assignment), (0, lie.clone()), "{what}");
        assert_eq!(client.call(&heartbeat_request(&id, &member, 1), 4).error_code.0, 0, "{what}");
        let described = client.call(&DescribeGroupsRequest { groups: vec![id.clone()], ..Default::default() }, 6);
        let told = &described.groups[0];
        assert_eq!((told.group_state.as_str(), &told.members[0].member_metadata), ("Stable", &lie), "{what}");
        // A group that cannot be read is not converted, and goes on as it is.
        let other = client.call(&beat_request(&id, "new", 0, &["t"]), 1);
        assert_ne!(other.error_code.0, 0, "{what}: {:?}", other.error_message);
        assert_eq!(client.call(&heartbeat_request(&id, &member, 1), 4).error_code.0, 0, "{what}");
    }
}

#[test]
fn a_group_of_members_that_lie_is_loaded_again_after_a_restart() {
    let mut rig = Rig::with(&[]);
    let mut client = rig.client();
    let mut kept = Vec::new();
    for (what, lie) in lies() {
        let id = group(&mut client, "bad-restart");
        let protocols = vec![JoinGroupRequestProtocol { name: "range".to_owned(), metadata: lie.clone() }];
        let joined = join(&mut client, JoinGroupRequest { protocols, ..join_request(&id, "") }, 9);
        let member = joined.member_id;
        client.call(&sync_request(&id, &member, 1, &[(&member, &lie)]), 5);
        kept.push((what, id, member));
    }
    rig.restart();
    let mut client = rig.client();
    for (what, id, member) in kept {
        ready(&mut client, &id);
        assert_eq!(client.call(&heartbeat_request(&id, &member, 1), 4).error_code.0, 0, "{what}");
    }
    assert_eq!(rig::panics(), 0);
}

/// A member of the classic protocol whose metadata is none cannot be led by the coordinator.
#[test]
fn a_lying_member_does_not_come_into_a_consumer_group() {
    let mut client = client();
    let topic = fresh("bad-topic");
    client.create(&topic, 2, &[]);
    let id = group(&mut client, "bad-classic");
    let (member, epoch) = consumer(&mut client, &id, &[&topic]);
    for (what, lie) in lies().into_iter().take(5) {
        let request = JoinGroupRequest {
            protocols: vec![JoinGroupRequestProtocol { name: "range".to_owned(), metadata: lie }],
            ..join_request(&id, "")
        };
        let response = join(&mut client, request, 9);
        assert_eq!(response.error_code.0, 23, "{what}");
    }
    assert_eq!(client.call(&beat_request(&id, &member, epoch, &[]), 1).error_code.0, 0, "nothing has happened");
}

/// The first request of all used to be executed where no task can be started: the coordinator of its partition was loading ever after.
#[test]
fn a_large_request_that_comes_first_is_answered() {
    let mut rig = Rig::with(&[]);
    let large = |id: &str| JoinGroupRequest {
        protocols: vec![JoinGroupRequestProtocol { name: "range".to_owned(), metadata: Bytes::from(vec![7; 200_000]) }],
        ..join_request(id, "")
    };
    for round in 0..2 {
        let mut client = rig.client();
        rig::until("a coordinator", || {
            let request = FindCoordinatorRequest { coordinator_keys: vec!["any".to_owned()], ..Default::default() };
            (client.call(&request, 4).coordinators[0].error_code.0 == 0).then_some(())
        });
        let id = format!("bad-large-{round}");
        let joined = rig::until("the group", || {
            let answer = client.call(&large(&id), 3);
            (answer.error_code.0 != 14).then_some(answer)
        });
        assert_eq!(joined.error_code.0, 0);
        let member = joined.member_id;
        let assignment = vec![8; 300_000];
        let synced = client.call(&sync_request(&id, &member, 1, &[(&member, &assignment)]), 3);
        assert_eq!((synced.error_code.0, synced.assignment.len()), (0, 300_000));
        rig.restart();
        let mut client = rig.client();
        rig::until("the group is loaded", || {
            let code = client.call(&large(&id), 9).error_code.0;
            assert!([MEMBER_ID_REQUIRED, 14].contains(&code), "{code}");
            (code == MEMBER_ID_REQUIRED).then_some(())
        });
    }
    assert_eq!(rig::panics(), 0);
}

#[test]
fn a_group_id_of_32767_bytes_is_one_like_any_other() {
    let mut client = client();
    let topic = fresh("bad-topic");
    client.create(&topic, 1, &[]);
    let mut id = fresh("bad-long");
    id.push_str(&"g".repeat(32_767 - id.len()));
    ready(&mut client, &id);
    let (member, generation) = classic(&mut client, &id, &[&topic]);
    assert_eq!(client.call(&heartbeat_request(&id, &member, generation), 4).error_code.0, 0);
    let request = OffsetCommitRequest {
        member_id: member.clone(),
        generation_id_or_member_epoch: generation,
        ..commit_request(&id, &topic, 0, 7)
    };
    assert_eq!(commit(&mut client, &request, 9), 0);
    assert_eq!(committed(&mut client, &id, &topic, 0), 7);
    let listed = client.call(&ListGroupsRequest::default(), 5);
    assert!(listed.groups.iter().any(|listed| listed.group_id == id));
    let delete = DeleteGroupsRequest { groups_names: vec![id.clone()] };
    assert_eq!(client.call(&delete, 2).results[0].error_code.0, 68);
    let members = vec![MemberIdentity { member_id: member, ..Default::default() }];
    let left = client.call(&LeaveGroupRequest { group_id: id.clone(), members, ..Default::default() }, 5);
    assert_eq!((left.error_code.0, left.members[0].error_code.0), (0, 0));
    assert_eq!(client.call(&delete, 2).results[0].error_code.0, 0);
    let (member, epoch) = consumer(&mut client, &id, &[&topic]);
    assert_eq!(client.call(&beat_request(&id, &member, epoch, &[]), 1).error_code.0, 0);
    assert_eq!(client.call(&beat_request(&id, &member, -1, &[]), 1).error_code.0, 0);
}

/// Member ids, instances, client reasons and protocol names as long as the protocol lets them be.
#[test]
fn names_of_32767_bytes_make_a_member_like_any_other() {
    let mut client = client();
    let long = "n".repeat(32_767);
    let id = group(&mut client, "bad-names");
    let request = JoinGroupRequest {
        group_instance_id: Some("i".repeat(249)),
        protocol_type: long.clone(),
        protocols: vec![JoinGroupRequestProtocol { name: long.clone(), metadata: Bytes::from_static(b"x") }],
        reason: Some(long.clone()),
        ..join_request(&id, "")
    };
    let joined = client.call(&request, 9);
    assert_eq!((joined.error_code.0, joined.protocol_name), (0, Some(long.clone())));
    let stranger = client.call(&heartbeat_request(&id, &long, 1), 4);
    assert_eq!(stranger.error_code.0, UNKNOWN_MEMBER_ID);
    let id = group(&mut client, "bad-names");
    let mut request = beat_request(&id, &long, 0, &["t"]);
    request.rack_id = Some(long.clone());
    let response = client.call(&request, 1);
    assert_eq!((response.error_code.0, response.member_id), (0, Some(long)));
}

#[test]
fn generations_and_epochs_from_the_past_and_the_future_are_refused() {
    let mut client = client();
    let topic = fresh("bad-topic");
    client.create(&topic, 1, &[]);
    let id = group(&mut client, "bad-generation");
    let (member, generation) = classic(&mut client, &id, &[&topic]);
    for wrong in [i32::MIN, -2, -1, 0, generation + 1, i32::MAX] {
        assert_eq!(client.call(&heartbeat_request(&id, &member, wrong), 4).error_code.0, ILLEGAL_GENERATION, "{wrong}");
        let synced = client.call(&sync_request(&id, &member, wrong, &[(&member, b"x")]), 5);
        assert_eq!(synced.error_code.0, ILLEGAL_GENERATION, "{wrong}");
        let request = OffsetCommitRequest {
            member_id: member.clone(),
            generation_id_or_member_epoch: wrong,
            ..commit_request(&id, &topic, 0, 7)
        };
        assert_eq!(commit(&mut client, &request, 9), ILLEGAL_GENERATION, "{wrong}");
        let beat = client.call(&beat_request(&id, &member, wrong.max(1), &[]), 1);
        assert_eq!(beat.error_code.0, GROUP_ID_NOT_FOUND, "{wrong}: not of this protocol");
    }
    assert_eq!(client.call(&heartbeat_request(&id, &member, generation), 4).error_code.0, 0);
    assert_eq!(committed(&mut client, &id, &topic, 0), -1);

    let id = group(&mut client, "bad-epoch");
    let (member, epoch) = consumer(&mut client, &id, &[&topic]);
    for (wrong, code) in [
        (i32::MIN, INVALID_REQUEST),
        (-3, INVALID_REQUEST),
        (-2, INVALID_REQUEST),
        (1, FENCED_MEMBER_EPOCH),
        (epoch + 1, FENCED_MEMBER_EPOCH),
        (i32::MAX, FENCED_MEMBER_EPOCH),
    ] {
        assert_eq!(client.call(&beat_request(&id, &member, wrong, &[]), 1).error_code.0, code, "{wrong}");
        let request = OffsetCommitRequest {
            member_id: member.clone(),
            generation_id_or_member_epoch: wrong,
            ..commit_request(&id, &topic, 0, 7)
        };
        assert_eq!(commit(&mut client, &request, 9), STALE_MEMBER_EPOCH, "{wrong}");
        assert_eq!(client.call(&heartbeat_request(&id, &member, wrong), 4).error_code.0, UNKNOWN_MEMBER_ID, "{wrong}");
    }
    assert_eq!(client.call(&beat_request(&id, &member, epoch, &[]), 1).error_code.0, 0);
    assert_eq!(committed(&mut client, &id, &topic, 0), -1);
}

#[test]
fn sessions_and_rebalances_out_of_bounds_are_refused_or_taken_as_by_kafka() {
    let mut client = client();
    let id = group(&mut client, "bad-session");
    for session in [i32::MIN, -1, 0, 5_999, 1_800_001, i32::MAX] {
        let request = JoinGroupRequest { session_timeout_ms: session, ..join_request(&id, "") };
        assert_eq!(client.call(&request, 9).error_code.0, INVALID_SESSION_TIMEOUT, "{session}");
    }
    for (session, rebalance) in [(6_000, i32::MIN), (6_000, -1), (6_000, 0), (1_800_000, i32::MAX)] {
        let id = group(&mut client, "bad-session");
        let request =
            JoinGroupRequest { session_timeout_ms: session, rebalance_timeout_ms: rebalance, ..join_request(&id, "") };
        let joined = join(&mut client, request, 9);
        assert_eq!((joined.error_code.0, joined.generation_id), (0, 1), "{session} {rebalance}");
    }
    for rebalance in [i32::MIN, -2, 0, i32::MAX] {
        let id = group(&mut client, "bad-rebalance");
        let request =
            ConsumerGroupHeartbeatRequest { rebalance_timeout_ms: rebalance, ..beat_request(&id, "m", 0, &["t"]) };
        let response = client.call(&request, 1);
        assert_eq!(response.error_code.0, 0, "{rebalance}: {:?}", response.error_message);
    }
}

/// Expressions that take others for hours, and some that are too large to be read at all.
#[test]
fn expressions_that_are_bombs_are_refused_or_quick() {
    let mut client = client();
    let topic = format!("{}{}", fresh("bad-regex"), "a".repeat(150));
    client.create(&topic, 1, &[]);
    let mut beat = |regex: String| {
        let id = group(&mut client, "bad-regex");
        let mut request = beat_request(&id, "m", 0, &[]);
        request.subscribed_topic_names = None;
        request.subscribed_topic_regex = Some(regex);
        let begun = Instant::now();
        let code = client.call(&request, 1).error_code.0;
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
        code
    };
    for quick in ["(a*)*b", "(a+)+$", "(a|aa)+c", "(.*)(.*)(.*)(.*)(.*)(.*)(.*)x", "(a|a?)+b"] {
        assert_eq!(beat(quick.to_owned()), 0, "{quick}");
    }
    for bad in ["(?=a)", r"(a)\1", "[z-a]", "(", "a)(b", r"\8"] {
        assert_eq!(beat(bad.to_owned()), INVALID_REGULAR_EXPRESSION, "{bad}");
    }
    if is_reference() {
        return;
    }
    let nested = (0..20).fold("a".to_owned(), |inner, _| format!("({inner}){{10}}"));
    let deep = format!("{}a{}", "(".repeat(3000), ")".repeat(3000));
    for bomb in [nested, deep, "((a{100}){100}){100}".to_owned(), r"\pL{900}".to_owned(), "x".repeat(30_000)] {
        assert_eq!(beat(bomb.clone()), INVALID_REGULAR_EXPRESSION, "{}", &bomb[..20]);
    }
}

/// Sends requests for all the names, many at a time, and counts the answers by what `code` sees in them.
fn flood<R: Request>(
    client: &mut Client,
    names: std::ops::Range<u32>,
    version: i16,
    request: impl Fn(String) -> R,
    code: impl Fn(R::Response) -> i16,
) -> std::collections::BTreeMap<i16, u32> {
    let mut codes = std::collections::BTreeMap::new();
    let names: Vec<u32> = names.collect();
    for some in names.chunks(100) {
        let sent: Vec<i32> = some.iter().map(|name| client.send(&request(format!("many-{name}")), version)).collect();
        for correlation in sent {
            *codes.entry(code(client.receive::<R>(correlation, version))).or_default() += 1;
        }
    }
    codes
}

#[test]
fn groups_without_end_are_refused_when_their_memory_is_taken_and_others_go_on() {
    const MANY: u32 = 3000;
    let memory = ("klamm.group.memory.bytes", "1000000");
    let rig = Rig::with(&[memory, ("offsets.topic.num.partitions", "5")]);
    let (mut client, mut other) = (rig.client(), rig.client());
    other.create("t", 3, &[]);
    let id = group(&mut other, "honest");
    for partition in 0..5 {
        // Loaded, all of them.
        rig::until("a coordinator", || (partition_answers(&mut other, partition)).then_some(()));
    }
    let (member, generation) = classic(&mut other, &id, &["t"]);
    let second = group(&mut other, "honest");
    let (consumer_member, epoch) = consumer(&mut other, &second, &["t"]);
    let lives = |other: &mut Client| {
        assert_eq!(other.call(&heartbeat_request(&id, &member, generation), 4).error_code.0, 0);
        let request = OffsetCommitRequest {
            member_id: member.clone(),
            generation_id_or_member_epoch: generation,
            ..commit_request(&id, "t", 0, 7)
        };
        assert_eq!(commit(other, &request, 9), 0);
        assert_eq!(other.call(&beat_request(&second, &consumer_member, epoch, &[]), 1).error_code.0, 0);
    };
    lives(&mut other);
    // Nothing is kept of who only asks.
    let find = |name: String| FindCoordinatorRequest { coordinator_keys: vec![name], ..Default::default() };
    let codes = flood(&mut client, 0..MANY, 4, find, |answer| answer.coordinators[0].error_code.0);
    assert_eq!(codes, [(0, MANY)].into());
    let beat = |name: String| heartbeat_request(&name, "m", 1);
    let codes = flood(&mut client, 0..MANY, 4, beat, |answer| answer.error_code.0);
    assert_eq!(codes, [(UNKNOWN_MEMBER_ID, MANY)].into());
    let join = |name: String| join_request(&name, "");
    let codes = flood(&mut client, 0..MANY, 9, join, |answer| answer.error_code.0);
    assert_eq!(codes.values().sum::<u32>(), MANY);
    assert!(codes[&MEMBER_ID_REQUIRED] > 100 && codes[&COORDINATOR_NOT_AVAILABLE] > 1000, "{codes:?}");
    lives(&mut other);
    let beat = |name: String| beat_request(&name, "m", 0, &["t"]);
    let codes = flood(&mut client, MANY..2 * MANY, 1, beat, |answer| answer.error_code.0);
    assert!(codes.get(&0).is_none_or(|taken| *taken < 20) && codes[&COORDINATOR_NOT_AVAILABLE] > 2900, "{codes:?}");
    let commits = |name: String| commit_request(&name, "t", 0, 1);
    let code = |answer: <OffsetCommitRequest as Request>::Response| answer.topics[0].partitions[0].error_code.0;
    let codes = flood(&mut client, 2 * MANY..3 * MANY, 9, commits, code);
    assert!(codes.get(&0).is_none_or(|taken| *taken < 20) && codes[&COORDINATOR_NOT_AVAILABLE] > 2900, "{codes:?}");
    lives(&mut other);
    // Its members may still rebalance.
    assert_eq!(other.call(&join_request(&id, &member), 9).error_code.0, 0);
    assert_eq!(rig::panics(), 0);
}

/// Whether the coordinator of this partition, one of five, answers.
fn partition_answers(client: &mut Client, partition: i32) -> bool {
    let name = (0..).map(|number| format!("p{number}"));
    let mut of_it = name.filter(|name| klamm::coordinator::groups::partition_of(name, 5) == partition);
    let groups = vec![of_it.next().expect("without end")];
    let code = client.call(&DescribeGroupsRequest { groups, ..Default::default() }, 5).groups[0].error_code.0;
    !(14..=16).contains(&code)
}

#[test]
fn a_storm_of_heartbeats_disturbs_no_other_group() {
    let rig = Rig::with(&[("offsets.topic.num.partitions", "1")]);
    let mut other = rig.client();
    other.create("t", 1, &[]);
    let (honest, stormy, modern) = (group(&mut other, "honest"), group(&mut other, "stormy"), group(&mut other, "new"));
    let (member, generation) = classic(&mut other, &honest, &["t"]);
    let (loud, its_generation) = classic(&mut other, &stormy, &["t"]);
    let (new, epoch) = consumer(&mut other, &modern, &["t"]);
    let mut storm = Vec::new();
    let beats = [
        heartbeat_request(&stormy, &loud, its_generation),
        heartbeat_request(&stormy, &loud, its_generation + 1),
        heartbeat_request(&stormy, "stranger", 1),
        heartbeat_request("nobody", "stranger", 1),
    ];
    let expected = [0, ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, UNKNOWN_MEMBER_ID];
    for beat in &beats {
        storm.extend(frame::request(beat, 4, 1, Some("storm")));
    }
    storm.extend(frame::request(&beat_request(&modern, &new, epoch, &[]), 1, 1, Some("klamm-tests")));
    let storm = storm.repeat(50);
    let mut clients: Vec<Client> = (0..8).map(|_| rig.client()).collect();
    for _ in 0..20 {
        clients.iter_mut().for_each(|client| client.raw(&storm));
        let begun = Instant::now();
        assert_eq!(other.call(&heartbeat_request(&honest, &member, generation), 4).error_code.0, 0);
        let request = OffsetCommitRequest {
            member_id: member.clone(),
            generation_id_or_member_epoch: generation,
            ..commit_request(&honest, "t", 0, 7)
        };
        assert_eq!(commit(&mut other, &request, 9), 0);
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        for client in &mut clients {
            for _ in 0..50 {
                for code in expected {
                    let answer = rig::decode::<HeartbeatRequest>(client.frame().expect("an answer"), 1, 4);
                    assert_eq!(answer.error_code.0, code);
                }
                let frame = client.frame().expect("an answer");
                let answer = rig::decode::<ConsumerGroupHeartbeatRequest>(frame, 1, 1);
                assert_eq!((answer.error_code.0, answer.member_epoch), (0, epoch));
            }
        }
    }
    assert_eq!(rig::panics(), 0);
}
