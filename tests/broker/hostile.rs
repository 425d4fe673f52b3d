//! Peers that send garbage, lie about lengths, dawdle or never read, beside a client that must not notice (RELIABILITY W1-W11 in
//! `docs/TESTING.md`'s terms: hostile bytes on a live broker). Seeds are printed; `replay_one_seed` runs one again.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use klamm::api::TABLE;
use klamm::base::ids::Uuid;
use klamm::record::compression::Codec;
use klamm::wire::messages::api_versions::ApiVersionsRequest;
use klamm::wire::messages::consumer_group_describe::ConsumerGroupDescribeRequest;
use klamm::wire::messages::create_partitions::{CreatePartitionsRequest, CreatePartitionsTopic};
use klamm::wire::messages::create_topics::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest};
use klamm::wire::messages::delete_groups::DeleteGroupsRequest;
use klamm::wire::messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest};
use klamm::wire::messages::describe_cluster::DescribeClusterRequest;
use klamm::wire::messages::describe_configs::{DescribeConfigsRequest, DescribeConfigsResource};
use klamm::wire::messages::describe_groups::DescribeGroupsRequest;
use klamm::wire::messages::describe_log_dirs::{DescribableLogDirTopic, DescribeLogDirsRequest};
use klamm::wire::messages::describe_producers::{DescribeProducersRequest, DescribeProducersTopic};
use klamm::wire::messages::describe_quorum::{DescribeQuorumPartition, DescribeQuorumRequest, DescribeQuorumTopic};
use klamm::wire::messages::describe_topic_partitions::{
    DescribeTopicPartitionsRequest, DescribeTopicPartitionsTopic, TopicPartitionCursor,
};
use klamm::wire::messages::fetch::{FetchRequest, ForgottenTopic};
use klamm::wire::messages::find_coordinator::FindCoordinatorRequest;
use klamm::wire::messages::init_producer_id::InitProducerIdRequest;
use klamm::wire::messages::leave_group::{LeaveGroupRequest, MemberIdentity};
use klamm::wire::messages::list_config_resources::ListConfigResourcesRequest;
use klamm::wire::messages::list_groups::ListGroupsRequest;
use klamm::wire::messages::metadata::{MetadataRequest, MetadataRequestTopic};
use klamm::wire::messages::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use klamm::wire::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use klamm::wire::messages::offset_for_leader_epoch::{
    OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use klamm::wire::{Request, frame};

use crate::groups;
use crate::rig::{
    self, BY_NAME, Client, PATIENCE, Rig, batch, coded, fetch_request, list_offsets_request, produce_request,
    records_of, until, values,
};

/// A small generator of random numbers (xorshift64*), the same for the same seed.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
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

/// Sends bytes and the end of them, then reads whatever comes until the broker closes. False if it does not close soon, which
/// only a fetch that waits may cause.
fn attack(address: SocketAddr, bytes: &[u8]) -> bool {
    let mut stream = connect(address);
    stream.set_read_timeout(Some(Duration::from_secs(2))).expect("an open socket");
    // The broker may have closed already: then the rest is refused, which is fine.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let mut sink = [0; 4096];
    loop {
        match stream.read(&mut sink) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return true,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return false,
            Err(error) => panic!("read from the broker: {error}"),
        }
    }
}

/// Runs an attack on topic `good`, whose id it gets, beside a client that produces and fetches and must notice nothing of it.
fn beside_a_client(attack: impl FnOnce(&Rig, Uuid)) {
    let rig = rig();
    let good = rig.client().create("good", 1, &[]);
    rig.client().create("bystander", 1, &[]);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let bystander = scope.spawn(|| {
            let mut client = rig.client();
            let mut rounds = 0i64;
            while !over.load(Ordering::Relaxed) || rounds == 0 {
                let began = Instant::now();
                assert_eq!(client.append("bystander", 0, batch(&["well"])), rounds);
                assert_eq!(values(&client.fetch("bystander", 0, rounds).records), ["well"]);
                assert!(began.elapsed() < Duration::from_secs(5), "others wait for a hostile peer");
                rounds += 1;
            }
        });
        let done = std::panic::catch_unwind(AssertUnwindSafe(|| attack(&rig, good)));
        over.store(true, Ordering::Relaxed);
        bystander.join().expect("the bystander notices nothing");
        if let Err(panic) = done {
            std::panic::resume_unwind(panic);
        }
    });
    check_serves(&rig, "good");
    assert_eq!(rig::panics(), 0, "the broker panicked");
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

/// A request as it is framed in each version that is served.
fn in_every_version<R: Request>(frames: &mut Vec<Vec<u8>>, request: &R) {
    let row = TABLE.iter().find(|row| row.key == R::KEY).expect("a served key");
    frames.extend((row.served.0..=row.served.1).map(|version| frame::request(request, version, 1, Some("x"))));
}

/// Requests of every key in every version, none of which changes much if it is executed.
fn valid_frames(good: Uuid) -> Vec<Vec<u8>> {
    let text = |text: &str| text.to_owned();
    let mut frames = Vec::new();
    let all = &mut frames;
    let mut produce = produce_request("good", 0, 1, batch(&["a", "b", "c"]));
    produce.topic_data[0].topic_id = good;
    in_every_version(all, &produce);
    let mut fetch = fetch_request("good", &[(0, 0)]);
    fetch.topics[0].topic_id = good;
    fetch.forgotten_topics_data = vec![ForgottenTopic { topic: text("good"), topic_id: good, partitions: vec![0] }];
    in_every_version(all, &fetch);
    in_every_version(all, &FetchRequest { session_epoch: 0, forgotten_topics_data: vec![], ..fetch });
    in_every_version(all, &list_offsets_request("good", &[(0, -1), (0, 5)]));
    let topics = Some(vec![MetadataRequestTopic { name: Some(text("good")), topic_id: Uuid::ZERO }]);
    in_every_version(all, &MetadataRequest { topics, allow_auto_topic_creation: false, ..Default::default() });
    let (client_software_name, client_software_version) = (text("x"), text("1"));
    in_every_version(all, &ApiVersionsRequest { client_software_name, client_software_version, ..Default::default() });
    let topic = CreatableTopic {
        name: text("made"),
        num_partitions: 1,
        replication_factor: 1,
        assignments: vec![],
        configs: vec![CreatableTopicConfig { name: text("retention.ms"), value: Some(text("1")) }],
    };
    in_every_version(all, &CreateTopicsRequest { topics: vec![topic], timeout_ms: 1, validate_only: true });
    let topics = vec![DeleteTopicState { name: Some(text("never")), topic_id: Uuid::ZERO }];
    in_every_version(all, &DeleteTopicsRequest { topics, topic_names: vec![text("never")], timeout_ms: 1 });
    in_every_version(all, &InitProducerIdRequest::default());
    let partitions = vec![OffsetForLeaderPartition::default()];
    let topics = vec![OffsetForLeaderTopic { topic: text("good"), partitions }];
    in_every_version(all, &OffsetForLeaderEpochRequest { replica_id: -1, topics });
    let configuration_keys = Some(vec![text("retention.ms")]);
    let resources = vec![DescribeConfigsResource { resource_type: 2, resource_name: text("good"), configuration_keys }];
    in_every_version(all, &DescribeConfigsRequest { resources, ..Default::default() });
    let topics = Some(vec![DescribableLogDirTopic { topic: text("good"), partitions: vec![0] }]);
    in_every_version(all, &DescribeLogDirsRequest { topics });
    let topics = vec![CreatePartitionsTopic { name: text("good"), count: 2, assignments: None }];
    in_every_version(all, &CreatePartitionsRequest { topics, timeout_ms: 1, validate_only: true });
    let partitions = vec![DescribeQuorumPartition { partition_index: 0 }];
    let topics = vec![DescribeQuorumTopic { topic_name: text("__cluster_metadata"), partitions }];
    in_every_version(all, &DescribeQuorumRequest { topics });
    in_every_version(all, &DescribeClusterRequest::default());
    let topics = vec![DescribeProducersTopic { name: text("good"), partition_indexes: vec![0] }];
    in_every_version(all, &DescribeProducersRequest { topics });
    in_every_version(all, &ListConfigResourcesRequest { resource_types: vec![2] });
    let topics = vec![DescribeTopicPartitionsTopic { name: text("good") }];
    let cursor = Some(TopicPartitionCursor { topic_name: text("good"), partition_index: 0 });
    in_every_version(all, &DescribeTopicPartitionsRequest { topics, cursor, ..Default::default() });
    group_frames(all, good);
    frames
}

/// Requests of a group that nobody is in, each refused but for those of offsets.
fn group_frames(all: &mut Vec<Vec<u8>>, good: Uuid) {
    let text = |text: &str| text.to_owned();
    let find = FindCoordinatorRequest { key: text("g"), coordinator_keys: vec![text("g")], ..Default::default() };
    in_every_version(all, &find);
    in_every_version(all, &groups::join_request("g", "stranger"));
    in_every_version(all, &groups::sync_request("g", "stranger", 1, &[("stranger", b"x")]));
    in_every_version(all, &groups::heartbeat_request("g", "stranger", 1));
    let members = vec![MemberIdentity { member_id: text("stranger"), ..Default::default() }];
    in_every_version(all, &LeaveGroupRequest { group_id: text("g"), member_id: text("stranger"), members });
    in_every_version(all, &groups::beat_request("g", "stranger", 5, &[]));
    in_every_version(all, &groups::beat_request("", "stranger", 0, &["good"]));
    let mut commit = groups::commit_request("g", "good", 0, 1);
    commit.topics[0].topic_id = good;
    in_every_version(all, &commit);
    let of_old = OffsetFetchRequestTopic { name: text("good"), partition_indexes: vec![0] };
    let of_new = OffsetFetchRequestTopics { name: text("good"), topic_id: good, partition_indexes: vec![0] };
    let asked = OffsetFetchRequestGroup { group_id: text("g"), topics: Some(vec![of_new]), ..Default::default() };
    let (group_id, groups) = (text("g"), vec![asked]);
    in_every_version(all, &OffsetFetchRequest { group_id, topics: Some(vec![of_old]), groups, require_stable: true });
    let partitions = vec![OffsetDeleteRequestPartition { partition_index: 0 }];
    let topics = vec![OffsetDeleteRequestTopic { name: text("good"), partitions }];
    in_every_version(all, &OffsetDeleteRequest { group_id: text("g"), topics });
    in_every_version(all, &DescribeGroupsRequest { groups: vec![text("g")], ..Default::default() });
    in_every_version(all, &ConsumerGroupDescribeRequest { group_ids: vec![text("g")], ..Default::default() });
    in_every_version(all, &ListGroupsRequest { states_filter: vec![text("Stable")], ..Default::default() });
    in_every_version(all, &DeleteGroupsRequest { groups_names: vec![text("h")] });
}

/// Fetches that were made to wait are few; a broker that hangs is not.
fn check_waits(waits: usize, attacks: usize) {
    assert!(waits <= 2 + attacks / 200, "{waits} of {attacks} connections were neither answered nor closed");
}

fn random_bodies(rig: &Rig, seed: u64) {
    let mut dice = Dice(seed);
    let (mut waits, mut attacks) = (0, 0);
    for row in TABLE {
        for version in row.served.0..=row.served.1 {
            for _ in 0..4 {
                let mut body = header(row.key.as_i16(), version);
                let length = dice.below(200);
                body.extend((0..length).map(|_| if dice.below(3) == 0 { 0xff } else { dice.byte() }));
                waits += usize::from(!attack(rig.client().address(), &framed(&body)));
                attacks += 1;
            }
        }
    }
    check_waits(waits, attacks);
}

/// Changes a body behind its key and version: bytes, counts, or its end.
fn mutate(dice: &mut Dice, body: &mut Vec<u8>) {
    for _ in 0..=dice.below(3) {
        let at = 4 + dice.below(body.len() - 4);
        match dice.below(6) {
            0 => body.truncate(at.max(10)),
            1 => {
                let more = dice.below(30);
                body.extend((0..more).map(|_| dice.byte()));
            }
            2 => {
                let count = [i32::MAX, i32::MIN, -2, 1 << 16, 1_000_001][dice.below(5)].to_be_bytes();
                for (old, new) in body[at..].iter_mut().zip(count) {
                    *old = new;
                }
            }
            3 => {
                // A compact count of four thousand million, or a varint without an end.
                for (old, new) in body[at..].iter_mut().zip([0xff, 0xff, 0xff, 0xff, [0x0f, 0xff][dice.below(2)]]) {
                    *old = new;
                }
            }
            _ => body[at] = [0, 1, 0x7f, 0x80, 0xff, dice.byte()][dice.below(6)],
        }
    }
}

fn mutated_frames(rig: &Rig, good: Uuid, seed: u64, of_each: usize) {
    let mut dice = Dice(seed);
    let (mut waits, mut attacks) = (0, 0);
    for frame in valid_frames(good) {
        assert!(attack(rig.client().address(), &frame), "a valid frame is answered: {frame:?}");
        for _ in 0..of_each {
            let mut body = frame[4..].to_vec();
            mutate(&mut dice, &mut body);
            waits += usize::from(!attack(rig.client().address(), &framed(&body)));
            attacks += 1;
        }
    }
    check_waits(waits, attacks);
}

/// Sends batches with wrong bytes, half of them under a CRC that fits. What is accepted must be readable as it was counted.
fn mutated_batches(rig: &Rig, seed: u64, of_each: usize) {
    let mut dice = Dice(seed);
    let mut client = rig.client();
    let mut end = client.fetch("good", 0, 0).high_watermark;
    for codec in Codec::ALL {
        for round in 0..of_each {
            let mut bytes = coded(codec, &["one", "two and more of it", ""]).to_vec();
            for _ in 0..=dice.below(3) {
                // Not the length: that is of the frame.
                let at = 12 + dice.below(bytes.len() - 12);
                bytes[at] = [0, 1, 0x7f, 0x80, 0xff, dice.byte()][dice.below(6)];
            }
            if round % 2 == 0 {
                let crc = crc32c::crc32c(&bytes[21..]);
                bytes[17..21].copy_from_slice(&crc.to_be_bytes());
            }
            let row = client.produce("good", 0, bytes.clone());
            if row.error_code.0 != 0 {
                assert_eq!(row.base_offset, -1);
                assert_eq!(client.fetch("good", 0, end).high_watermark, end, "refused and yet written: {bytes:?}");
                continue;
            }
            assert_eq!(row.base_offset, end);
            let fetched = client.fetch("good", 0, end);
            let offsets: Vec<i64> = records_of(&fetched.records).iter().map(|record| record.offset).collect();
            assert_eq!(offsets, (end..fetched.high_watermark).collect::<Vec<_>>(), "{codec:?}: {bytes:?}");
            end = fetched.high_watermark;
        }
    }
}

#[test]
fn mutated_batches_are_refused_or_readable() {
    beside_a_client(|rig, _| mutated_batches(rig, new_seed(), 300));
}

#[test]
fn random_bodies_of_every_key_and_version_leave_the_broker_serving() {
    beside_a_client(|rig, _| random_bodies(rig, new_seed()));
}

#[test]
fn mutated_frames_of_every_key_and_version_leave_the_broker_serving() {
    beside_a_client(|rig, good| mutated_frames(rig, good, new_seed(), 20));
}

#[test]
fn every_beginning_of_a_frame_is_refused_or_answered() {
    beside_a_client(|rig, good| {
        let mut frames = valid_frames(good);
        frames.truncate(30);
        for frame in &frames {
            for end in 10..frame.len() - 4 {
                assert!(attack(rig.client().address(), &framed(&frame[4..4 + end])), "{end} of {frame:?}");
            }
            // The whole length is announced, and the end never comes.
            assert!(attack(rig.client().address(), &frame[..frame.len() - 1]));
        }
    });
}

/// To look at a failure again: the seed that it printed.
#[test]
fn replay_one_seed() {
    beside_a_client(|rig, good| {
        random_bodies(rig, 1);
        mutated_frames(rig, good, 1, 2);
        mutated_batches(rig, 1, 20);
    });
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

/// Bytes of a produce request of about `size` bytes.
fn large_frame(size: usize) -> Vec<u8> {
    let value = "x".repeat(size);
    frame::request(&produce_request("good", 0, 1, batch(&[&value])), BY_NAME, 1, Some("large")).to_vec()
}

#[test]
fn a_request_that_is_begun_and_does_not_come_closes_its_connection_and_a_slow_one_is_answered() {
    let rig = Rig::with(&[("klamm.request.progress.ms", "1000")]);
    rig.client().create("good", 1, &[]);
    let frame = large_frame(100_000);
    for begun in [1, 3, 9, 300, 70_000] {
        let mut client = rig.client();
        client.raw(&frame[..begun]);
        client.expect_closed();
    }
    assert_eq!(rig.broker().metrics.requests_dawdled.value(), 5);
    let mut idle = rig.client();
    let mut slow = rig.client();
    let begun = Instant::now();
    for part in frame.chunks(5000) {
        slow.raw(part);
        // Not to wait for something: this is how slow the peer is.
        std::thread::sleep(Duration::from_millis(150));
    }
    assert!(begun.elapsed() > Duration::from_secs(2));
    assert!(slow.frame().is_some(), "five thousand bytes at a time are progress");
    idle.raw(&frame);
    assert!(idle.frame().is_some(), "between requests there is no hurry");
}

#[test]
fn a_peer_that_takes_nothing_of_its_answers_is_closed() {
    let rig = Rig::with(&[("klamm.send.stall.ms", "1000")]);
    let mut client = rig.client();
    client.create("good", 1, &[]);
    let big = "x".repeat(500_000);
    (0..10).for_each(|_| _ = client.append("good", 0, batch(&[&big])));
    let open = || rig.broker().metrics.connections_open.value();
    let before = open();
    let mut deaf = rig.client();
    let fetch = frame::request(&fetch_request("good", &[(0, 0)]), BY_NAME, 1, None);
    deaf.raw(&fetch.repeat(200));
    until("it is there", || (open() > before).then_some(()));
    until("it is closed", || (open() == before).then_some(()));
}

#[test]
fn peers_that_hold_the_memory_of_requests_are_closed_and_large_requests_go_on() {
    let bounds = [("socket.request.max.bytes", "1048576"), ("queued.max.request.bytes", "4194304")];
    let rig = Rig::with(&[bounds[0], bounds[1], ("klamm.request.progress.ms", "2000")]);
    rig.client().create("good", 1, &[]);
    let frame = large_frame(900_000);
    let mut hoards: Vec<Client> = (0..16).map(|_| rig.client()).collect();
    for hoard in &mut hoards {
        hoard.raw(&frame[..300_000]);
    }
    let mut client = rig.client();
    let begun = Instant::now();
    for _ in 0..3 {
        client.raw(&frame);
        assert!(client.frame().is_some(), "a large request among hoards");
        check_serves(&rig, "good");
    }
    println!("three large requests among hoards took {:?}", begun.elapsed());
    // Who brings the rest at once is served all the same, one after the other.
    drop(hoards);
    let mut clients: Vec<Client> = (0..8).map(|_| rig.client()).collect();
    for client in &mut clients {
        client.raw(&frame[..500_000]);
    }
    for client in &mut clients {
        client.raw(&frame[500_000..]);
    }
    for client in &mut clients {
        assert!(client.frame().is_some(), "everybody gets a turn");
    }
}

/// The second one used to begin to wait when the first one had been answered.
#[test]
fn fetches_behind_each_other_wait_at_the_same_time() {
    let rig = rig();
    let mut client = rig.client();
    client.create("good", 1, &[]);
    let wait = FetchRequest { max_wait_ms: 1500, min_bytes: 1, ..fetch_request("good", &[(0, 0)]) };
    let begun = Instant::now();
    let asked: Vec<i32> = (0..4).map(|_| client.send(&wait, BY_NAME)).collect();
    for correlation in asked {
        client.receive::<FetchRequest>(correlation, BY_NAME);
    }
    let took = begun.elapsed();
    assert!(took > Duration::from_millis(1400) && took < Duration::from_secs(4), "{took:?}");
}

#[test]
fn one_metadata_request_makes_a_hundred_topics_at_most_and_answers_all() {
    let rig = rig();
    let name = |number: i32| MetadataRequestTopic { name: Some(format!("t{number}")), topic_id: Uuid::ZERO };
    let request = MetadataRequest { topics: Some((0..20_000).map(name).collect()), ..Default::default() };
    let answer = rig.client().call(&request, 9);
    assert_eq!(answer.topics.len(), 20_000);
    let made = answer.topics.iter().filter(|topic| topic.error_code.0 == 0).count();
    assert_eq!(made, 100);
    assert!(answer.topics[100..].iter().all(|topic| topic.error_code.0 == 3), "unknown: the client asks again");
    let request = MetadataRequest { topics: Some((90..150).map(name).collect()), ..Default::default() };
    let answer = rig.client().call(&request, 9);
    assert!(answer.topics.iter().all(|topic| topic.error_code.0 == 0), "and gets the next ones");
}

#[test]
fn batches_that_expand_much_are_judged_elsewhere_and_keep_their_order() {
    let rig = rig();
    let mut client = rig.client();
    client.create("good", 1, &[]);
    let zeros = "0".repeat(3_000_000);
    let mut asked = Vec::new();
    for number in 0..20 {
        let records = match number % 2 {
            0 => coded(Codec::Zstd, &[&zeros]),
            _ => coded(Codec::None, &["small"]),
        };
        asked.push(client.send(&produce_request("good", 0, -1, records), BY_NAME));
    }
    for (number, correlation) in (0..).zip(asked) {
        let answer = client.receive::<klamm::wire::messages::produce::ProduceRequest>(correlation, BY_NAME);
        let row = &answer.responses[0].partition_responses[0];
        assert_eq!((row.error_code.0, row.base_offset), (0, number));
    }
}
