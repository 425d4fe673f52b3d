//! The connection loop: order, pipelining, peers that stop reading or close early, and a stop in the middle of all that.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use klamm::wire::frame;
use klamm::wire::messages::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use klamm::wire::messages::fetch::FetchRequest;
use klamm::wire::messages::produce::ProduceRequest;

use crate::rig::{BY_NAME, Client, Rig, batch, decode, fetch_request, produce_request, until};

/// A stop under load must end within two seconds; the machine may be busy with other tests.
const STOP_MAX: Duration = Duration::from_secs(5);

fn parked_fetch(topic: &str, max_wait_ms: i32) -> FetchRequest {
    FetchRequest { max_wait_ms, min_bytes: 1 << 20, ..fetch_request(topic, &[(0, 0)]) }
}

fn open_connections(rig: &Rig) -> u64 {
    rig.broker().metrics.connections_open.value()
}

/// More requests than the queue of replies holds, in one segment: the last ones used to wait for more bytes to come.
#[test]
fn a_thousand_requests_sent_at_once_are_answered_in_order() {
    let rig = Rig::with(&[]);
    let mut client = rig.client();
    let request = ApiVersionsRequest::default();
    let all: Vec<u8> = (0..1000).flat_map(|n| frame::request(&request, 0, n, None).to_vec()).collect();
    client.raw(&all);
    for n in 0..1000 {
        let frame = client.frame().expect("an answer");
        let _: ApiVersionsResponse = decode::<ApiVersionsRequest>(frame, n, 0);
    }
}

/// What was asked before a request that closes the connection is answered first.
#[test]
fn garbage_behind_a_waiting_request_does_not_take_its_answer() {
    let rig = Rig::with(&[("durability.mode", "sync")]);
    let mut client = rig.client();
    client.create("t", 1, &[]);
    let mut bytes = frame::request(&produce_request("t", 0, -1, batch(&["v"])), BY_NAME, 7, None).to_vec();
    bytes.extend((-1_i32).to_be_bytes());
    client.raw(&bytes);
    let answer = decode::<ProduceRequest>(client.frame().expect("the answer"), 7, BY_NAME);
    assert_eq!(answer.responses[0].partition_responses[0].base_offset, 0);
    client.expect_closed();
}

/// The fetch of a consumer that was closed used to stay, with its connection, for as long as it was to wait.
#[test]
fn a_parked_fetch_ends_soon_after_its_peer() {
    let rig = Rig::with(&[]);
    let mut client = rig.client();
    client.create("t", 1, &[]);
    let before = open_connections(&rig);
    let mut consumer = rig.client();
    consumer.send(&parked_fetch("t", i32::MAX), BY_NAME);
    until("the consumer is connected", || (open_connections(&rig) > before).then_some(()));
    drop(consumer);
    until("its connection ends", || (open_connections(&rig) == before).then_some(()));
}

#[test]
fn a_stop_waits_neither_for_parked_fetches_nor_for_idle_or_deaf_peers() {
    let mut rig = Rig::with(&[("durability.mode", "sync")]);
    let mut client = rig.client();
    client.create("t", 1, &[("max.message.bytes", "900000")]);
    client.create("empty", 1, &[]);
    let big = "x".repeat(200_000);
    for _ in 0..5 {
        client.append("t", 0, batch(&[&big]));
    }
    let _idle: Vec<Client> = (0..50).map(|_| rig.client()).collect();
    let mut parked: Vec<Client> = (0..50).map(|_| rig.client()).collect();
    for consumer in &mut parked {
        consumer.send(&parked_fetch("empty", 30_000), BY_NAME);
    }
    let mut deaf: Vec<Client> = (0..4).map(|_| rig.client()).collect();
    let fetch = frame::request(&fetch_request("t", &[(0, 0)]), BY_NAME, 1, None);
    for peer in &mut deaf {
        for _ in 0..100 {
            peer.raw(&fetch);
        }
    }
    let producers: Vec<_> = (0..2)
        .map(|_| {
            let mut stream = TcpStream::connect(client.address()).expect("the broker accepts");
            std::thread::spawn(move || {
                let request = frame::request(&produce_request("t", 0, -1, batch(&["v"])), BY_NAME, 1, None);
                let mut answer = [0; 4096];
                // Until the broker closes the connection.
                while stream.write_all(&request).is_ok() && stream.read(&mut answer).is_ok_and(|count| count > 0) {}
            })
        })
        .collect();
    until("the producers produce", || (client.fetch("t", 0, 20).high_watermark > 20).then_some(()));
    let started = Instant::now();
    rig.stop();
    let took = started.elapsed();
    assert!(took < STOP_MAX, "the stop took {took:?}");
    println!("the stop took {took:?}");
    for producer in producers {
        producer.join().expect("a producer");
    }
}
