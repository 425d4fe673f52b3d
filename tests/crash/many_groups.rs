//! A client that names a million groups, of each kind: what the broker takes for them is bounded, and a group that is there goes on.
//! Shorter unless `KLAMM_LONG`.

use std::io::Write;
use std::net::TcpStream;

use klamm::wire::ErrorCode;
use klamm::wire::messages::consumer_group_heartbeat::ConsumerGroupHeartbeatRequest;
use klamm::wire::messages::find_coordinator::FindCoordinatorRequest;
use klamm::wire::messages::join_group::JoinGroupRequest;
use klamm::wire::messages::offset_commit::OffsetCommitRequest;
use klamm::wire::{Request, frame};

use crate::attackers::TARGET_TOPIC;
use crate::attackers::groups::{commit, join, joining, modern};
use crate::process::{Launch, call, create, receive, turn, until};

const AT_ONCE: usize = 200;

/// Asks for each of so many groups that nobody named before; how many requests were taken.
fn name_groups<R: Request>(
    stream: &mut TcpStream,
    count: usize,
    version: i16,
    request: impl Fn(&str) -> Vec<u8>,
    code: impl Fn(&R::Response) -> ErrorCode,
) -> usize {
    let numbers: Vec<usize> = (0..count).collect();
    let mut taken = 0;
    for some in numbers.chunks(AT_ONCE) {
        let bytes: Vec<u8> = some.iter().flat_map(|number| request(&format!("named-{number}"))).collect();
        stream.write_all(&bytes).expect("the broker reads");
        for _ in some {
            let answer = receive::<R>(stream, version).expect("an answer");
            match code(&answer) {
                ErrorCode::NONE | ErrorCode::MEMBER_ID_REQUIRED => taken += 1,
                ErrorCode::COORDINATOR_NOT_AVAILABLE => {}
                other => panic!("{other:?}"),
            }
        }
    }
    taken
}

/// Makes the topic of offsets, and waits until every coordinator answers.
fn find_coordinators(stream: &mut TcpStream) {
    let names: Vec<String> = (0..2000).map(|number| format!("find-{number}")).collect();
    let request = FindCoordinatorRequest { coordinator_keys: names.clone(), ..Default::default() };
    until("the topic of offsets", || {
        let answer = call(stream, &request, 4).expect("an answer");
        answer.coordinators.iter().all(|found| found.error_code == ErrorCode::NONE).then_some(())
    });
    for name in names {
        until("a coordinator", || {
            let request = ConsumerGroupHeartbeatRequest { member_epoch: 1, ..joining(&name, "m") };
            let code = call(stream, &request, 1).expect("an answer").error_code;
            (code == ErrorCode::GROUP_ID_NOT_FOUND).then_some(())
        });
    }
}

fn stay(stream: &mut TcpStream, epoch: i32) {
    let request = ConsumerGroupHeartbeatRequest {
        member_epoch: epoch,
        rebalance_timeout_ms: -1,
        subscribed_topic_names: None,
        topic_partitions: None,
        ..joining("honest", "m")
    };
    let answer = call(stream, &request, 1).expect("an answer");
    assert_eq!((answer.error_code, answer.member_epoch), (ErrorCode::NONE, epoch));
}

/// Starts a broker in which one group is, lets `name` name groups there, a number of them; and checks what it takes for them.
fn name_in_a_broker(what: &str, name: impl FnOnce(&mut TcpStream, usize) -> usize, all_are_taken: bool) {
    let long = std::env::var_os("KLAMM_LONG").is_some();
    let (count, bound_kib) = if long { (1_000_000, 256 * 1024) } else { (10_000, 4 * 1024) };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let memory = format!("klamm.group.memory.bytes={}", bound_kib * 1024);
    let settings = ["durability.mode=os", &memory];
    let mut broker = Launch { settings: &settings, release: true, ..Launch::on(folder.path()) }.start();
    let mut stream = broker.connect();
    assert_eq!(create(&mut stream, TARGET_TOPIC, 1), ErrorCode::NONE);
    find_coordinators(&mut stream);
    let epoch = call(&mut stream, &joining("honest", "m"), 1).expect("an answer").member_epoch;
    let before = broker.rss_kib();
    let taken = name(&mut stream, count);
    let grown = broker.rss_kib().saturating_sub(before);
    println!("{what}: {taken} of {count} taken, {grown} KiB more, {bound_kib} KiB are for groups");
    // The allocator, and what is under way.
    assert!(grown < bound_kib + bound_kib / 4 + 32 * 1024, "{what}: the broker grew by {grown} KiB");
    stay(&mut stream, epoch);
    assert!(broker.is_running());
    assert!(broker.errors().is_empty(), "{:?}", broker.errors());
    if all_are_taken {
        assert_eq!(taken, count, "{what}: nothing is kept of them");
    } else {
        assert!((100..count).contains(&taken), "{what}: {taken} of {count}");
        assert!(broker.log().contains("groups take all the memory they may"), "{}", broker.log());
    }
}

#[test]
fn a_million_group_ids_take_no_more_memory_than_groups_may() {
    let _turn = turn();
    let find = |name: &str| {
        let request = FindCoordinatorRequest { coordinator_keys: vec![name.to_owned()], ..Default::default() };
        frame::request(&request, 4, 1, Some("many"))
    };
    let flood = |stream: &mut TcpStream, count: usize| {
        name_groups::<FindCoordinatorRequest>(stream, count, 4, find, |answer| answer.coordinators[0].error_code)
    };
    name_in_a_broker("FindCoordinator", flood, true);
    let flood = |stream: &mut TcpStream, count: usize| {
        name_groups::<JoinGroupRequest>(stream, count, 9, join, |answer| answer.error_code)
    };
    name_in_a_broker("JoinGroup", flood, false);
    let flood = |stream: &mut TcpStream, count: usize| {
        let beat = |name: &str| modern(&joining(name, "m"));
        name_groups::<ConsumerGroupHeartbeatRequest>(stream, count, 1, beat, |answer| answer.error_code)
    };
    name_in_a_broker("ConsumerGroupHeartbeat", flood, false);
    let flood = |stream: &mut TcpStream, count: usize| {
        let code = |answer: &<OffsetCommitRequest as Request>::Response| answer.topics[0].partitions[0].error_code;
        name_groups::<OffsetCommitRequest>(stream, count, 9, commit, code)
    };
    name_in_a_broker("OffsetCommit", flood, false);
}
