//! A thousand topics: made, left, opened again. The figures are printed; only gross slowness fails.

use std::time::{Duration, Instant};

use klamm::wire::ErrorCode;
use klamm::wire::messages::create_topics::{CreatableTopic, CreateTopicsRequest};
use klamm::wire::messages::metadata::MetadataRequest;
use rustix::process::Signal;

use crate::process::{Launch, PATIENCE, call, turn};

const TOPICS: usize = 1000;
const A_REQUEST: usize = 100;

/// A debug build on a busy machine opens them within it.
const START_MAX: Duration = Duration::from_secs(5);

#[test]
fn a_thousand_topics_are_made_and_opened_again() {
    let _turn = turn();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut broker = Launch::on(folder.path()).start();
    let empty = broker.rss_kib();
    let mut stream = broker.connect();
    let begun = Instant::now();
    for first in (0..TOPICS).step_by(A_REQUEST) {
        let topic = |number: usize| CreatableTopic {
            name: format!("topic-{number}"),
            num_partitions: 1,
            replication_factor: 1,
            ..Default::default()
        };
        let topics = (first..first + A_REQUEST).map(topic).collect();
        let request = CreateTopicsRequest { topics, timeout_ms: 30_000, ..Default::default() };
        let answer = call(&mut stream, &request, 7).expect("an answer");
        assert!(answer.topics.iter().all(|topic| topic.error_code == ErrorCode::NONE), "{answer:?}");
    }
    let (made, full) = (begun.elapsed(), broker.rss_kib());
    let begun = Instant::now();
    broker.signal(Signal::TERM);
    assert_eq!(broker.wait(PATIENCE), Some(0));
    let stopped = begun.elapsed();

    let begun = Instant::now();
    let again = Launch::on(folder.path()).start();
    let (started, opened) = (begun.elapsed(), again.opened());
    assert!(opened.contains("partitions=1000 recovered=0 strays=0 clean=true"), "{opened}");
    let described = call(&mut again.connect(), &MetadataRequest { topics: None, ..Default::default() }, 9);
    assert_eq!(described.expect("an answer").topics.len(), TOPICS);
    println!(
        "{TOPICS} topics: made in {} ms, {empty} KiB without, {full} KiB with them, stopped in {} ms, ready in {} ms with {} KiB",
        made.as_millis(),
        stopped.as_millis(),
        again.ready_ms(),
        again.rss_kib()
    );
    assert!(started < START_MAX, "a start with {TOPICS} topics took {started:?}");
}
