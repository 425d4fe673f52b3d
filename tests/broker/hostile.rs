//! Peers that send garbage, lie about lengths, dawdle or never read, beside a client that must not notice (RELIABILITY W1-W11 in
//! `docs/TESTING.md`'s terms: hostile bytes on a live broker). Seeds are printed; `replay_one_seed` runs one again.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use klamm::api::TABLE;
use klamm::wire::frame;
use klamm::wire::messages::api_versions::ApiVersionsRequest;
use klamm::wire::messages::create_topics::{CreatableTopic, CreateTopicsRequest};
use klamm::wire::messages::metadata::MetadataRequest;

use crate::rig::{BY_NAME, Client, PATIENCE, Rig, batch, fetch_request, list_offsets_request, produce_request, values};

/// A small generator of random numbers (xorshift64*), the same for the same seed.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

fn new_seed() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock");
    let seed = since.as_nanos() as u64 | 1;
    println!("seed {seed}");
    seed
}

fn rig() -> Rig {
    Rig::with(&[("socket.request.max.bytes", "1048576")])
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the broker accepts");
    stream.set_read_timeout(Some(PATIENCE)).expect("an open socket");
    stream.set_write_timeout(Some(PATIENCE)).expect("an open socket");
    stream
}

/// Sends bytes and the end of them, then reads whatever comes until the broker closes.
fn attack(address: SocketAddr, bytes: &[u8]) {
    let mut stream = connect(address);
    // The broker may have closed already: then the rest is refused, which is fine.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut sink = [0; 4096];
    loop {
        match stream.read(&mut sink) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return,
            Err(error) => panic!("the broker neither answers nor closes: {error}"),
        }
    }
}

/// The broker still works for somebody who behaves.
fn check_serves(rig: &Rig, topic: &str) {
    let mut client = rig.client();
    let offset = client.append(topic, 0, batch(&["well"]));
    let fetched = client.fetch(topic, 0, offset);
    assert_eq!(values(&fetched.records), ["well"]);
}

fn header(key: i16, version: i16) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(key.to_be_bytes());
    bytes.extend(version.to_be_bytes());
    bytes.extend(7i32.to_be_bytes());
    bytes.extend((-1i16).to_be_bytes());
    bytes
}

fn framed(body: &[u8]) -> Vec<u8> {
    let mut bytes = i32::try_from(body.len()).expect("small").to_be_bytes().to_vec();
    bytes.extend(body);
    bytes
}

fn valid_frames(topic: &str) -> Vec<Vec<u8>> {
    let records = batch(&["a", "b", "c"]);
    let create = CreateTopicsRequest {
        topics: vec![CreatableTopic {
            name: "made".into(),
            num_partitions: 1,
            replication_factor: 1,
            ..Default::default()
        }],
        ..Default::default()
    };
    let mut frames = vec![frame::request(&ApiVersionsRequest::default(), 0, 1, Some("x"))];
    for version in [3, 9, BY_NAME] {
        frames.push(frame::request(&produce_request(topic, 0, 1, records.clone()), version, 2, Some("x")));
    }
    for version in [4, 7, 11, BY_NAME] {
        let mut request = fetch_request(topic, &[(0, 0)]);
        request.max_wait_ms = 0;
        frames.push(frame::request(&request, version, 3, None));
    }
    for version in [1, 6, 11] {
        frames.push(frame::request(&list_offsets_request(topic, &[(0, -1), (0, 5)]), version, 4, None));
    }
    for version in [0, 9, 13] {
        frames.push(frame::request(&MetadataRequest::default(), version, 5, None));
    }
    for version in [2, 7] {
        frames.push(frame::request(&create, version, 6, None));
    }
    frames
}

fn random_bodies(rig: &Rig, seed: u64) {
    let mut dice = Dice(seed);
    for row in TABLE {
        for version in row.served.0..=row.served.1 {
            let mut body = header(row.key.as_i16(), version);
            let length = dice.below(200);
            body.extend((0..length).map(|_| if dice.below(3) == 0 { 0xff } else { dice.next() as u8 }));
            attack(rig.client().address(), &framed(&body));
        }
    }
}

fn mutated_frames(rig: &Rig, seed: u64, rounds: usize) {
    let mut dice = Dice(seed);
    let frames = valid_frames("good");
    for _ in 0..rounds {
        let mut bytes = frames[dice.below(frames.len())].clone();
        for _ in 0..=dice.below(4) {
            let at = 4 + dice.below(bytes.len() - 4);
            bytes[at] = if dice.below(2) == 0 { [0, 1, 0x7f, 0x80, 0xff][dice.below(5)] } else { dice.next() as u8 };
        }
        attack(rig.client().address(), &bytes);
    }
}

#[test]
fn random_bodies_of_every_key_and_version_leave_the_broker_serving() {
    let rig = rig();
    rig.client().create("good", 1, &[]);
    random_bodies(&rig, new_seed());
    check_serves(&rig, "good");
}

#[test]
fn mutated_frames_leave_the_broker_serving() {
    let rig = rig();
    rig.client().create("good", 1, &[]);
    mutated_frames(&rig, new_seed(), 600);
    check_serves(&rig, "good");
}

/// To look at a failure again: the seed that it printed.
#[test]
fn replay_one_seed() {
    let rig = rig();
    rig.client().create("good", 1, &[]);
    random_bodies(&rig, 1);
    mutated_frames(&rig, 1, 50);
    check_serves(&rig, "good");
}

#[test]
fn impossible_lengths_and_other_protocols_are_closed_at_once() {
    let rig = rig();
    rig.client().create("good", 1, &[]);
    let lengths = [-1, i32::MIN, 0, 7, 9, 1_048_577, i32::MAX];
    for length in lengths {
        let mut client = rig.client();
        client.raw(&length.to_be_bytes());
        client.expect_closed();
    }
    for bytes in [&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc], b"SSH-2.0-x\r\n"] {
        let mut client = rig.client();
        client.raw(bytes);
        client.expect_closed();
    }
    check_serves(&rig, "good");
}

#[test]
fn claimed_counts_are_refused() {
    let rig = rig();
    rig.client().create("good", 1, &[]);
    for row in TABLE {
        let version = row.served.0;
        for count in [1i32 << 16, i32::MAX, -2] {
            let mut body = header(row.key.as_i16(), version);
            // Whatever stands before the first array is zero or absent; the count is claimed at every position.
            body.extend(std::iter::repeat_n(count.to_be_bytes(), 8).flatten());
            attack(rig.client().address(), &framed(&body));
        }
    }
    check_serves(&rig, "good");
}

#[test]
fn a_request_sent_byte_by_byte_is_answered() {
    let rig = rig();
    let mut client = rig.client();
    client.create("good", 1, &[]);
    let request = produce_request("good", 0, -1, batch(&["slow"]));
    for byte in frame::request(&request, BY_NAME, 1, Some("slow")) {
        client.raw(&[byte]);
    }
    assert!(client.frame().is_some());
    assert_eq!(values(&client.fetch("good", 0, 0).records), ["slow"]);
}

#[test]
fn a_peer_that_never_reads_disturbs_nobody() {
    let rig = rig();
    let mut client = rig.client();
    client.create("good", 1, &[("max.message.bytes", "900000")]);
    let big = "x".repeat(200_000);
    for _ in 0..5 {
        client.append("good", 0, batch(&[&big]));
    }
    let mut deaf: Vec<Client> = (0..4).map(|_| rig.client()).collect();
    let fetch = frame::request(&fetch_request("good", &[(0, 0)]), BY_NAME, 1, None);
    for peer in &mut deaf {
        // Some 200 MB of answers that nobody takes.
        for _ in 0..200 {
            peer.raw(&fetch);
        }
    }
    let started = Instant::now();
    for _ in 0..20 {
        check_serves(&rig, "good");
    }
    assert!(started.elapsed() < Duration::from_secs(10), "others wait for a peer that does not read");
    drop(deaf);
    check_serves(&rig, "good");
}
