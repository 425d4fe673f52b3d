//! More connections than anybody works with: what an idle one costs, what the limits do, and a process short of file descriptors.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use klamm::base::disk::fault::Dice;
use klamm::log::names;
use klamm::wire::messages::metadata::MetadataRequest;
use klamm::wire::{ErrorCode, frame};

use crate::batches::{Sent, random_batch};
use crate::process::{
    Launch, Process, assert_there, call, create, produce, produce_request, raise_open_files, read_all, receive, turn,
    until,
};

const TOPIC: &str = "crowded";

/// Memory of the broker that an idle connection may take.
const IDLE_BYTES_MAX: u64 = 4 * 1024;
/// What the broker may take besides, however many they are: tables that double, the allocator's pages.
const SLACK_BYTES: u64 = 1024 * 1024;

/// A client that produces and reads back what it was acknowledged.
struct Worker {
    stream: TcpStream,
    dice: Dice,
    acknowledged: Vec<(i64, Sent)>,
}

impl Worker {
    fn of(broker: &Process) -> Worker {
        let mut stream = broker.connect();
        assert_eq!(create(&mut stream, TOPIC, 1), ErrorCode::NONE);
        Worker { stream, dice: Dice::new(1), acknowledged: Vec::new() }
    }

    fn produce(&mut self, records_max: usize) {
        let tag = self.acknowledged.len() as u64;
        let sent = random_batch(&mut self.dice, None, tag, records_max);
        let base = produce(&mut self.stream, TOPIC, &sent, -1).expect("a client among many works");
        self.acknowledged.push((base, sent));
    }

    fn work(&mut self) {
        self.produce(5);
        assert_there(&read_all(&mut self.stream, TOPIC, 0), &self.acknowledged);
    }
}

/// Asks for metadata; false if the connection is closed instead.
fn is_served(stream: &mut TcpStream) -> bool {
    call(stream, &MetadataRequest::default(), 9).is_some()
}

/// Connects and asks; the answers are read by [`settle`], so that as many as possible are under way at once.
fn crowd(broker: &Process, count: usize) -> Vec<TcpStream> {
    let ask = frame::request(&MetadataRequest { topics: Some(Vec::new()), ..Default::default() }, 9, 1, Some("idle"));
    let connect = |_| {
        let mut stream = broker.connect();
        stream.write_all(&ask).expect("the kernel takes it");
        stream
    };
    (0..count).map(connect).collect()
}

fn settle(crowd: &mut [TcpStream]) {
    for stream in crowd {
        assert!(receive::<MetadataRequest>(stream, 9).is_some(), "each is answered");
    }
}

#[test]
fn an_idle_connection_costs_little_and_leaves_nothing() {
    let _turn = turn();
    let long = std::env::var_os("KLAMM_LONG").is_some();
    let wanted = if long { 10_000 } else { 2_000 };
    let count = wanted.min(usize::try_from(raise_open_files()).unwrap_or(wanted).saturating_sub(200));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let broker = Launch::on(folder.path()).start();
    let mut worker = Worker::of(&broker);
    (0..20).for_each(|_| worker.work());
    let (memory, files) = (broker.rss_kib(), broker.files());
    let mut peaks = Vec::new();
    for _ in 0..4 {
        let mut idle = crowd(&broker, count);
        settle(&mut idle);
        worker.work();
        peaks.push(broker.rss_kib());
        assert!(broker.files() >= files + count, "they are all open");
        drop(idle);
        until("all files are closed", || (broker.files() <= files).then_some(()));
        worker.work();
    }
    let grown = peaks[0].saturating_sub(memory) * 1024;
    println!(
        "{count} idle connections: {} bytes each; {memory} KiB before, {peaks:?} KiB with them, {} KiB after",
        grown / count as u64,
        broker.rss_kib()
    );
    assert!(grown < count as u64 * IDLE_BYTES_MAX + SLACK_BYTES, "{grown} bytes for {count} connections");
    // The allocator keeps pages, and not always the same ones; what leaks grows by as much with each crowd.
    assert!(
        peaks[3] - memory < 2 * (peaks[0] - memory) + SLACK_BYTES / 1024,
        "the crowds share their memory: {peaks:?}"
    );
    assert!(broker.errors().is_empty(), "{:?}", broker.errors());
}

#[test]
fn a_connection_over_the_limit_of_its_address_is_closed_and_one_over_all_waits() {
    let _turn = turn();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let over = |setting: &str, check: fn(&Process, &mut Vec<TcpStream>)| {
        let name = setting.replace('=', "-");
        let settings = [setting];
        let data = folder.path().join(name);
        let broker = Launch { settings: &settings, ..Launch::on(&data) }.start();
        let mut served: Vec<_> = (0..5).map(|_| broker.connect()).collect();
        assert!(served.iter_mut().all(is_served));
        check(&broker, &mut served);
        assert!(served.iter_mut().all(is_served), "those before are undisturbed");
        assert!(broker.errors().is_empty(), "{:?}", broker.errors());
    };
    over("max.connections.per.ip=5", |broker, served| {
        for _ in 0..20 {
            let mut refused = broker.connect();
            assert!(matches!(refused.read(&mut [0]), Ok(0)), "closed, not reset and not served");
        }
        served.pop();
        served.push(until("a place is free", || {
            let mut next = broker.connect();
            is_served(&mut next).then_some(next)
        }));
    });
    over("max.connections=5", |broker, served| {
        let mut waiting = broker.connect();
        let ask = frame::request(&MetadataRequest::default(), 9, 1, Some("waits"));
        waiting.write_all(&ask).expect("the kernel takes it");
        waiting.set_read_timeout(Some(Duration::from_millis(200))).expect("an open socket");
        let error = waiting.read(&mut [0]).expect_err("not served, not closed");
        assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
        served.pop();
        waiting.set_read_timeout(Some(crate::process::PATIENCE)).expect("an open socket");
        assert!(receive::<MetadataRequest>(&mut waiting, 9).is_some(), "served once there is a place");
        served.push(waiting);
    });
}

/// A broker that may open few files, with a worker whose log rolls often.
fn short_of_files(data: &Path, limit: u32) -> Process {
    let settings = ["log.segment.bytes=1048576"];
    Launch { settings: &settings, open_files: Some(limit), ..Launch::on(data) }.start()
}

#[test]
fn a_flood_of_connections_leaves_the_data_path_its_files() {
    let _turn = turn();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut broker = short_of_files(folder.path(), 96);
    let mut worker = Worker::of(&broker);
    let files = broker.files();
    for round in 0..3 {
        let flood: Vec<_> = (0..200).map(|_| broker.connect()).collect();
        // Rolls, topics, indexes: everything that opens files.
        until("a segment is rolled", || {
            worker.produce(4000);
            (broker.log().matches("segment rolled").count() > round).then_some(())
        });
        assert_eq!(create(&mut worker.stream, &format!("amid-{round}"), 2), ErrorCode::NONE, "a topic amid a flood");
        assert_there(&read_all(&mut worker.stream, TOPIC, 0), &worker.acknowledged);
        drop(flood);
        until("new clients are served", || is_served(&mut broker.connect()).then_some(()));
    }
    // More logs than there are files: those that nobody uses just now are closed, with a sync before it where one is due.
    let mut dice = Dice::new(2);
    for round in 0..2_i64 {
        for number in 0..200_u64 {
            let topic = format!("more-{number}");
            if round == 0 {
                assert_eq!(create(&mut worker.stream, &topic, 1), ErrorCode::NONE);
            }
            let sent = random_batch(&mut dice, None, number, 1);
            let acks = if number % 3 == 0 { -1 } else { 1 };
            assert_eq!(produce(&mut worker.stream, &topic, &sent, acks), Ok(round), "{topic}");
        }
    }
    worker.work();
    assert!(broker.errors().is_empty(), "{:?}", broker.errors());
    println!("{files} files at rest, {} after three floods and two hundred logs", broker.files());
    assert!(broker.files() < 80, "{} files", broker.files());
    broker.signal(rustix::process::Signal::TERM);
    assert_eq!(broker.wait(crate::process::PATIENCE), Some(0));
    let again = short_of_files(folder.path(), 96);
    assert!(again.opened().contains("clean=true"), "{}", again.opened());
    assert_there(&read_all(&mut again.connect(), TOPIC, 0), &worker.acknowledged);
}

/// Segments that keep their files for readers used to be a thousand, however few files there may be.
#[test]
fn a_thousand_segments_are_read_with_256_files_amid_a_flood_and_after_a_kill() {
    let _turn = turn();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let settings = ["log.roll.ms=1"];
    let launch = || Launch { settings: &settings, open_files: Some(256), ..Launch::on(folder.path()) };
    let mut broker = launch().start();
    let mut worker = Worker::of(&broker);
    while broker.log().matches("segment rolled").count() < 1000 {
        (0..100).for_each(|_| worker.produce(5));
    }
    assert_there(&read_all(&mut worker.stream, TOPIC, 0), &worker.acknowledged);
    let most = broker.files();
    let flood: Vec<_> = (0..1000).map(|_| broker.connect()).collect();
    until("no more are accepted", || broker.log().contains("accept failed").then_some(()));
    let begun = Instant::now();
    for _ in 0..3 {
        (0..50).for_each(|_| worker.produce(5));
        assert_there(&read_all(&mut worker.stream, TOPIC, 0), &worker.acknowledged);
    }
    println!(
        "{most} files after the first reading, {} amid the flood; three rounds in {:?}",
        broker.files(),
        begun.elapsed()
    );
    until("a reserve is left", || (broker.files() < 256 - 32).then_some(()));
    drop(flood);
    until("new clients are served", || is_served(&mut broker.connect()).then_some(()));
    assert!(broker.errors().is_empty(), "{:?}", broker.errors());
    broker.signal(rustix::process::Signal::TERM);
    assert_eq!(broker.wait(crate::process::PATIENCE), Some(0));
    let mut again = launch().start();
    worker.stream = again.connect();
    assert_there(&read_all(&mut worker.stream, TOPIC, 0), &worker.acknowledged);
    start_after_a_kill(&mut again, &mut worker, folder.path(), &launch);
}

/// Where nothing is known to be durable a start reads every segment, and used to keep the file of each.
fn start_after_a_kill<'a>(broker: &mut Process, worker: &mut Worker, data: &Path, launch: &impl Fn() -> Launch<'a>) {
    const PARTITIONS: i32 = 300;
    assert_eq!(create(&mut worker.stream, "many", PARTITIONS), ErrorCode::NONE);
    for partition in 0..PARTITIONS {
        let sent = random_batch(&mut worker.dice, None, 0, 5);
        let answer = call(&mut worker.stream, &produce_request("many", partition, &sent, 1), 11).expect("an answer");
        assert_eq!(answer.responses[0].partition_responses[0].error_code, ErrorCode::NONE);
    }
    (0..50).for_each(|_| worker.produce(5));
    broker.signal(rustix::process::Signal::KILL);
    broker.wait(crate::process::PATIENCE);
    std::fs::remove_file(data.join(names::RECOVERY_POINTS)).expect("a checkpoint of the stop before");
    let again = launch().start();
    println!("{} files after the start, ready in {} ms", again.files(), again.ready_ms());
    let expected = format!("recovered={} strays=0 clean=false", PARTITIONS + 1);
    assert!(again.opened().contains(&expected), "{}", again.opened());
    assert!(again.files() < 256 - 32, "a reserve is left: {}", again.files());
    let mut stream = again.connect();
    assert_there(&read_all(&mut stream, TOPIC, 0), &worker.acknowledged);
    for partition in 0..PARTITIONS {
        assert!(!read_all(&mut stream, "many", partition).is_empty(), "partition {partition}");
    }
    assert!(again.errors().is_empty(), "{:?}", again.errors());
}

#[test]
fn the_soft_limit_of_open_files_is_raised_and_said() {
    let _turn = turn();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let broker = Launch { soft_open_files: Some(64), ..Launch::on(folder.path()) }.start();
    assert!(broker.log().contains("limit of open files raised from=64"), "{}", broker.log());
    let mut crowd: Vec<_> = (0..100).map(|_| broker.connect()).collect();
    assert!(crowd.iter_mut().all(is_served));
    // Not made larger step by step under a flood of connections: each step stops a thread.
    let places = broker.places_for_files();
    assert!(places >= raise_open_files().min(32 * 1024) / 2, "{places}");
}
