//! SIGTERM under load, a second one, SIGSTOP, and a second broker that wants what the first one has.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use klamm::base::disk::fault::Dice;
use klamm::wire::messages::fetch::FetchRequest;
use klamm::wire::messages::produce::ProduceRequest;
use klamm::wire::{ErrorCode, frame};
use rustix::process::Signal;

use crate::batches::random_batch;
use crate::process::{
    Launch, PATIENCE, Pipeline, Process, assert_there, create, fetch_request, produce, produce_request, read_all,
    receive, turn, until,
};

const TOPIC: &str = "signalled";
const PRODUCERS: i32 = 3;
/// A partition that stays empty: fetches park there.
const EMPTY: i32 = PRODUCERS;

/// Within it a broker under load has stopped.
const STOP_MAX: Duration = Duration::from_secs(2);

fn started(data: &std::path::Path) -> Process {
    let broker = Launch::on(data).start();
    assert_eq!(create(&mut broker.connect(), TOPIC, PRODUCERS + 1), ErrorCode::NONE);
    broker
}

#[test]
fn a_stop_under_load_is_quick_clean_and_loses_nothing() {
    let _turn = turn();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut broker = started(folder.path());
    let idle: Vec<_> = (0..50).map(|_| broker.connect()).collect();
    let mut parked: Vec<_> = (0..20).map(|_| broker.connect()).collect();
    let waiting = frame::request(&fetch_request(TOPIC, EMPTY, 0, 30_000), 11, 1, Some("parked"));
    parked.iter_mut().for_each(|stream| stream.write_all(&waiting).expect("the broker reads"));
    let told = AtomicUsize::new(0);
    let acknowledged: Vec<_> = std::thread::scope(|scope| {
        let produce = |partition: i32| {
            let (mut stream, told) = (broker.connect(), &told);
            scope.spawn(move || {
                let pipeline = Pipeline { topic: TOPIC, partition, window: 16 };
                let seed = u64::from(partition.unsigned_abs()) + 1;
                pipeline.run(&mut stream, seed, || _ = told.fetch_add(1, Ordering::Relaxed))
            })
        };
        let producers: Vec<_> = (0..PRODUCERS).map(produce).collect();
        until("load", || (told.load(Ordering::Relaxed) > 500).then_some(()));
        let begun = Instant::now();
        broker.signal(Signal::TERM);
        assert_eq!(broker.wait(PATIENCE), Some(0), "the exit code of a clean stop");
        let took = begun.elapsed();
        println!("stopped in {} ms, {} batches acknowledged", took.as_millis(), told.load(Ordering::Relaxed));
        assert!(took < STOP_MAX, "a stop under load took {took:?}");
        producers.into_iter().map(|producer| producer.join().expect("a producer")).collect()
    });
    for stream in &mut parked {
        let answer = receive::<FetchRequest>(stream, 11).expect("a parked fetch is answered");
        assert_eq!(answer.responses[0].partitions[0].error_code, ErrorCode::NONE);
    }
    drop(idle);

    let again = Launch::on(folder.path()).start();
    let opened = again.opened();
    assert!(opened.contains("recovered=0") && opened.contains("clean=true"), "{opened}");
    let mut stream = again.connect();
    for (partition, acknowledged) in (0..).zip(&acknowledged) {
        assert!(acknowledged.len() > 20, "partition {partition} got on: {}", acknowledged.len());
        assert_there(&read_all(&mut stream, TOPIC, partition), acknowledged);
    }
}

#[test]
fn a_second_signal_ends_a_stop_at_once_and_loses_nothing() {
    let _turn = turn();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut broker = started(folder.path());
    let (mut stream, mut dice, mut acknowledged) = (broker.connect(), Dice::new(7), Vec::new());
    for tag in 0..200 {
        let sent = random_batch(&mut dice, None, tag, 50);
        acknowledged.push((produce(&mut stream, TOPIC, &sent, -1).expect("acknowledged"), sent));
    }
    // A peer that asks for more than the sockets hold and reads none of it: the stop gives it a second.
    let mut stalled = broker.connect();
    let request = frame::request(&fetch_request(TOPIC, 0, 0, 0), 11, 1, Some("stalled"));
    stalled.set_write_timeout(Some(Duration::from_millis(300))).expect("an open socket");
    while stalled.write_all(&request).is_ok() {}
    broker.signal(Signal::TERM);
    until("the stop begins", || broker.log().contains("stopping").then_some(()));
    assert!(broker.is_running(), "the stop waits for the peer");
    let begun = Instant::now();
    broker.signal(Signal::TERM);
    assert_eq!(broker.wait(PATIENCE), Some(6), "the exit code of a stop that was cut short");
    println!("the second signal took {} ms", begun.elapsed().as_millis());
    assert!(begun.elapsed() < Duration::from_millis(500), "at once: {:?}", begun.elapsed());

    let again = Launch::on(folder.path()).start();
    assert!(again.opened().contains("clean=false"), "{}", again.opened());
    assert_there(&read_all(&mut again.connect(), TOPIC, 0), &acknowledged);
}

#[test]
fn a_second_broker_on_the_directory_or_the_port_is_refused_in_one_line() {
    let _turn = turn();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let first = started(&data);
    let (mut stream, mut dice) = (first.connect(), Dice::new(8));
    let other = folder.path().join("other");
    let port = Launch { listen: first.address().to_string(), ..Launch::on(&other) };
    for (launch, code, says) in [(Launch::on(&data), 3, "data"), (port, 4, "cannot bind")] {
        let mut second = launch.spawn();
        assert_eq!(second.wait(PATIENCE), Some(code), "{}", second.log());
        let log = second.log();
        assert!(log.lines().count() == 1 && log.contains(" ERROR ") && log.contains(says), "{log}");
        produce(&mut stream, TOPIC, &random_batch(&mut dice, None, 1, 5), -1).expect("the first is unaffected");
    }
    let left: Vec<_> =
        std::fs::read_dir(&other).expect("a folder").map(|entry| entry.expect("a name").file_name()).collect();
    assert!(left.iter().all(|name| name == ".lock"), "nothing is made where nothing was served: {left:?}");
}

#[test]
fn a_broker_that_was_stopped_and_continued_goes_on() {
    let _turn = turn();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let broker = started(folder.path());
    let (mut stream, mut dice) = (broker.connect(), Dice::new(9));
    let mut parked = broker.connect();
    parked.write_all(&frame::request(&fetch_request(TOPIC, 0, 1, 1_000), 11, 1, Some("parked"))).expect("written");
    let first = random_batch(&mut dice, None, 1, 1);
    produce(&mut stream, TOPIC, &first, -1).expect("acknowledged");
    broker.signal(Signal::STOP);
    let second = random_batch(&mut dice, None, 2, 5);
    let request = frame::request(&produce_request(TOPIC, 0, &second, -1), 11, 1, Some("frozen"));
    stream.write_all(&request).expect("the kernel takes it");
    stream.set_read_timeout(Some(Duration::from_secs(3))).expect("an open socket");
    assert!(receive::<ProduceRequest>(&mut stream, 11).is_none(), "a stopped process answers nothing");
    broker.signal(Signal::CONT);
    stream.set_read_timeout(Some(PATIENCE)).expect("an open socket");
    let answer = receive::<ProduceRequest>(&mut stream, 11).expect("an answer");
    let row = &answer.responses[0].partition_responses[0];
    assert_eq!((row.error_code, row.base_offset), (ErrorCode::NONE, first.records.len() as i64));
    assert!(receive::<FetchRequest>(&mut parked, 11).is_some(), "the parked fetch is answered");
    let found = read_all(&mut broker.connect(), TOPIC, 0);
    assert_there(&found, &[(0, first), (row.base_offset, second)]);
    assert!(broker.errors().is_empty(), "{:?}", broker.errors());
}
