//! The real binary, killed again and again under load. Every producer is idempotent and sends what was not answered again, so at
//! the end each acknowledged batch is at its offset, each value is there at most once, and offsets are dense.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use klamm::base::disk::fault::Dice;
use klamm::base::ids::{LeaderEpoch, Offset};
use klamm::wire::messages::create_topics::{CreatableTopic, CreateTopicsRequest};
use klamm::wire::messages::fetch::{FetchPartition, FetchRequest, FetchTopic};
use klamm::wire::messages::init_producer_id::InitProducerIdRequest;
use klamm::wire::messages::produce::{ProducePartition, ProduceRequest, ProduceTopic};
use klamm::wire::{ErrorCode, Records};

use crate::batches::{Sent, batches_in, random_batch};
use crate::process::call;
use crate::sweep::long;

const TOPIC: &str = "killed";
const PARTITIONS: i32 = 3;
const KILLS: u64 = 40;
/// For a start, and for a client to get through.
const PATIENCE: Duration = Duration::from_secs(30);

/// A broker process that does not outlive the test.
struct Broker(Child);

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Broker {
    /// Starts a broker on a free port and waits until it takes connections.
    fn start(data: &Path) -> (Broker, SocketAddr) {
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("its address");
        let mut command = Command::new(env!("CARGO_BIN_EXE_klamm"));
        command.arg("--data-dir").arg(data).arg("--listen").arg(free.to_string());
        // The smallest segments there are, so that rolls are killed too.
        command
            .args(["--set", "log.segment.bytes=1048576"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut broker = Broker(command.spawn().expect("start the broker"));
        let begun = Instant::now();
        while TcpStream::connect(free).is_err() {
            let ended = broker.0.try_wait().expect("look at the broker");
            assert!(ended.is_none() && begun.elapsed() < PATIENCE, "the broker does not start: {ended:?}");
            std::thread::sleep(Duration::from_millis(2));
        }
        (broker, free)
    }
}

/// Connects to whichever broker is up.
fn connect(address: &RwLock<SocketAddr>) -> TcpStream {
    let begun = Instant::now();
    loop {
        let now = *address.read().expect("no panic");
        if let Ok(stream) = TcpStream::connect(now) {
            stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
            return stream;
        }
        assert!(begun.elapsed() < PATIENCE, "no broker");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Runs `ask` on one connection after the other until it has an answer.
fn persist<T>(
    address: &RwLock<SocketAddr>,
    stream: &mut Option<TcpStream>,
    mut ask: impl FnMut(&mut TcpStream) -> Option<T>,
) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask(stream.get_or_insert_with(|| connect(address))) {
            return answer;
        }
        *stream = None;
        assert!(begun.elapsed() < PATIENCE, "no answer");
    }
}

fn produce_request(partition: i32, sent: &Sent) -> ProduceRequest {
    let records = Some(sent.batch.to_bytes(Offset(0), LeaderEpoch(-1)));
    ProduceRequest {
        acks: -1,
        timeout_ms: 10_000,
        topic_data: vec![ProduceTopic {
            name: TOPIC.to_owned(),
            partition_data: vec![ProducePartition { index: partition, records }],
            ..Default::default()
        }],
        ..Default::default()
    }
}

/// Sends until told to stop; returns each batch with the offset it was acknowledged at.
fn produce(partition: i32, seed: u64, address: &RwLock<SocketAddr>, stop: &AtomicBool) -> Vec<(i64, Sent)> {
    let mut stream = None;
    let (mut dice, mut acknowledged, mut sequence) = (Dice::new(seed), Vec::new(), 0);
    let given = persist(address, &mut stream, |stream| {
        let answer = call(stream, &InitProducerIdRequest { transaction_timeout_ms: 1000, ..Default::default() }, 4)?;
        (answer.error_code == ErrorCode::NONE).then_some(answer)
    });
    for tag in 1.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let sent = random_batch(&mut dice, Some((given.producer_id, given.producer_epoch, sequence)), tag, 40);
        let request = produce_request(partition, &sent);
        let answer = persist(address, &mut stream, |stream| call(stream, &request, 11));
        let answer = &answer.responses[0].partition_responses[0];
        assert!(answer.error_code == ErrorCode::NONE, "partition {partition}, sequence {sequence}: {answer:?}");
        sequence += sent.count();
        acknowledged.push((answer.base_offset, sent));
    }
    acknowledged
}

/// Reads a partition whole and compares.
fn check(stream: &mut TcpStream, partition: i32, acknowledged: &[(i64, Sent)]) {
    let (mut at, mut found) = (0, Vec::new());
    loop {
        let wanted = FetchPartition { partition, fetch_offset: at, partition_max_bytes: 1 << 20, ..Default::default() };
        let topic = FetchTopic { topic: TOPIC.to_owned(), partitions: vec![wanted], ..Default::default() };
        let request = FetchRequest { topics: vec![topic], ..Default::default() };
        let answer = call(stream, &request, 11).expect("an answer");
        let answer = &answer.responses[0].partitions[0];
        assert!(answer.error_code == ErrorCode::NONE, "fetch from {at}: {answer:?}");
        let Records::Bytes(bytes) = &answer.records else { break };
        let before = found.len();
        for (_, records) in batches_in(bytes).expect("valid batches") {
            found.extend(records);
        }
        if found.len() == before {
            break;
        }
        at = found.last().map_or(0, |record| record.offset + 1);
    }
    assert!((0..).zip(&found).all(|(offset, record)| record.offset == offset), "offsets are dense");
    let values: BTreeSet<&[u8]> = found.iter().map(|record| record.value.as_slice()).collect();
    assert_eq!(values.len(), found.len(), "each value once");
    for (base, sent) in acknowledged {
        let place = usize::try_from(*base).expect("an offset");
        let there = found.get(place..place + sent.records.len());
        assert!(there == Some(sent.at(*base).as_slice()), "partition {partition}: the batch acknowledged at {base}");
    }
}

#[test]
fn a_broker_killed_under_load_keeps_what_it_acknowledged_and_takes_nothing_twice() {
    let data = tempfile::tempdir().expect("a temporary folder");
    let (mut broker, first) = Broker::start(data.path());
    let address = Arc::new(RwLock::new(first));
    let topic = CreatableTopic {
        name: TOPIC.to_owned(),
        num_partitions: PARTITIONS,
        replication_factor: 1,
        ..Default::default()
    };
    let request = CreateTopicsRequest { topics: vec![topic], ..Default::default() };
    let created = call(&mut connect(&address), &request, 5).expect("an answer");
    assert!(created.topics[0].error_code == ErrorCode::NONE, "{created:?}");

    let stop = Arc::new(AtomicBool::new(false));
    let start = |partition: i32| -> JoinHandle<Vec<(i64, Sent)>> {
        let (address, stop) = (address.clone(), stop.clone());
        std::thread::spawn(move || produce(partition, u64::from(partition.unsigned_abs()) + 1, &address, &stop))
    };
    let producers: Vec<_> = (0..PARTITIONS).map(start).collect();
    let mut dice = Dice::new(40);
    for _ in 0..KILLS * long() {
        // Not to wait for anything: where in its work the kill finds the broker is what varies.
        std::thread::sleep(Duration::from_millis(10 + dice.throw() % 120));
        drop(broker);
        let (next, at) = Broker::start(data.path());
        *address.write().expect("no panic") = at;
        broker = next;
    }
    stop.store(true, Ordering::Relaxed);
    let acknowledged: Vec<_> = producers.into_iter().map(|producer| producer.join().expect("a producer")).collect();
    for (partition, acknowledged) in (0..).zip(&acknowledged) {
        assert!(acknowledged.len() > 20, "partition {partition} got on: {}", acknowledged.len());
        check(&mut connect(&address), partition, acknowledged);
    }
    println!("{} kills, {} batches acknowledged", KILLS * long(), acknowledged.iter().map(Vec::len).sum::<usize>());
}
