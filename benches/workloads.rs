//! The work the brokers are given, and one run of it.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::contestant::{Broker, Contestant};
use crate::latency::{self, Pace};
use crate::load::{self, Replayed, Ring, Until};
use crate::measure::{self, Mark};
use crate::wire::{Connection, TopicId};
use crate::{Fallible, batch};

/// A named piece of work.
pub struct Workload {
    pub name: &'static str,
    pub what: &'static str,
    work: Work,
}

enum Work {
    Produce(Produce),
    /// Bytes a fetch may return.
    Fetch(i32),
    /// The acks a message end to end is produced with.
    EndToEnd(i16),
    Startup,
    Idle,
}

/// Batches as fast as the broker takes them.
#[derive(Clone, Copy)]
struct Produce {
    value_bytes: usize,
    /// Not more bytes a batch than this; 0 is one record.
    batch_bytes: usize,
    /// Partitions each connection writes to in turn; no two connections share one.
    partitions: usize,
    connections: usize,
    depth: usize,
    acks: i16,
    unit: Unit,
    /// Bytes of requests in all, before scaling.
    volume: u64,
}

/// What the broker's processor time is divided by.
#[derive(Clone, Copy)]
enum Unit {
    Gigabyte,
    Request,
    Record,
}

/// How runs are made.
pub struct Setup {
    /// Share of the full volume and duration.
    pub scale: f64,
    /// Acks in place of each workload's own.
    pub acks: Option<i16>,
    pub jvm_warm_up: Duration,
}

/// One number of a run; `compared` ones are set against the other contestants.
pub struct Figure {
    pub name: &'static str,
    pub value: f64,
    pub compared: bool,
}

/// All numbers of one run.
pub struct Outcome {
    pub figures: Vec<Figure>,
    /// Cores used by other processes, and by other guests.
    pub foreign: f64,
    pub steal: f64,
}

const GB: f64 = 1e9;
/// No measured part of a throughput run takes longer.
const LONGEST: Duration = Duration::from_secs(10);
const PER_SECOND: u32 = 1_000;

/// All workloads, in the order they run.
pub fn all() -> Vec<Workload> {
    let mut all = produce_workloads();
    let more = [
        ("fetch-hot-1m", "1 KiB records in 16 KiB batches from the page cache, fetches of 1 MiB", Work::Fetch(1 << 20)),
        ("fetch-hot-10m", "the same, fetches of 10 MiB", Work::Fetch(10 << 20)),
        ("e2e-1k", "one 100-byte message every millisecond to a long-polling consumer", Work::EndToEnd(1)),
        ("e2e-1k-all", "the same", Work::EndToEnd(-1)),
        ("startup", "start of the process on an empty folder to the first answer that names a broker", Work::Startup),
        ("idle", "nobody connected, nothing stored", Work::Idle),
    ];
    all.extend(more.map(|(name, what, work)| Workload { name, what, work }));
    all
}

fn produce_workloads() -> Vec<Workload> {
    let bulk = Produce {
        value_bytes: 1024,
        batch_bytes: 1_000_000,
        partitions: 1,
        connections: 1,
        depth: 5,
        acks: 1,
        unit: Unit::Gigabyte,
        volume: 1_000_000_000,
    };
    let default = Produce { batch_bytes: 16_384, partitions: 16, unit: Unit::Request, volume: 500_000_000, ..bulk };
    let small = Produce { value_bytes: 100, unit: Unit::Record, ..default };
    let tiny = Produce { value_bytes: 100, batch_bytes: 0, partitions: 1, volume: 100_000_000, ..default };
    let durable = Produce { depth: 64, acks: -1, partitions: 1, ..default };
    let produce = |name, what, produce| Workload { name, what, work: Work::Produce(produce) };
    vec![
        produce("produce-bulk", "1 KiB records, 1 MB batches, 1 partition, 5 requests in flight", bulk),
        produce("produce-default", "1 KiB records, 16 KiB batches, 16 partitions, 5 requests in flight", default),
        produce("produce-100b", "100-byte records, 16 KiB batches, 16 partitions, 5 requests in flight", small),
        produce(
            "produce-100b-bulk",
            "100-byte records, 1 MB batches, 1 partition, 5 requests in flight",
            Produce { unit: Unit::Record, volume: 500_000_000, value_bytes: 100, ..bulk },
        ),
        produce(
            "produce-tiny-1x1",
            "one 100-byte record a request, 1 connection, 1 in flight",
            Produce { depth: 1, volume: 20_000_000, ..tiny },
        ),
        produce("produce-tiny-1x16", "the same, 16 in flight", Produce { depth: 16, ..tiny }),
        produce(
            "produce-tiny-8x1",
            "the same, 8 connections, 1 in flight on each",
            Produce { depth: 1, connections: 8, volume: 40_000_000, ..tiny },
        ),
        produce(
            "produce-tiny-8x16",
            "the same, 8 connections, 16 in flight on each",
            Produce { depth: 16, connections: 8, volume: 200_000_000, ..tiny },
        ),
        produce("produce-durable", "1 KiB records, 16 KiB batches, 1 partition, 64 requests in flight", durable),
        produce(
            "produce-durable-bulk",
            "1 KiB records, 1 MB batches, 1 partition, 64 requests in flight",
            Produce { batch_bytes: 1_000_000, unit: Unit::Gigabyte, volume: 1_000_000_000, ..durable },
        ),
    ]
}

impl Workload {
    /// What is done, with the acks in force.
    pub fn description(&self, setup: &Setup) -> String {
        match self.acks(setup) {
            Some(-1) => format!("{}, acks=all", self.what),
            Some(acks) => format!("{}, acks={acks}", self.what),
            None => self.what.to_owned(),
        }
    }

    fn acks(&self, setup: &Setup) -> Option<i16> {
        match self.work {
            Work::Produce(produce) => Some(setup.acks.unwrap_or(produce.acks)),
            Work::EndToEnd(acks) => Some(setup.acks.unwrap_or(acks)),
            _ => None,
        }
    }

    /// Runs it once against a fresh broker in `folder`.
    pub fn run(&self, contestant: &Contestant, setup: &Setup, folder: &Path, port: u16) -> Fallible<Outcome> {
        std::fs::create_dir_all(folder)?;
        if let Work::Produce(Produce { volume, .. }) = self.work {
            measure::prime(folder, scaled(volume, setup))?;
        } else if let Work::Fetch(_) = self.work {
            measure::prime(folder, scaled(FETCH_VOLUME, setup))?;
        }
        let broker = contestant.start(&folder.join("broker"), port)?;
        let warm_up = if contestant.is_jvm() { setup.jvm_warm_up } else { Duration::ZERO };
        let acks = self.acks(setup).unwrap_or(1);
        match self.work {
            Work::Produce(produce) => run_produce(&broker, Produce { acks, ..produce }, setup, warm_up),
            Work::Fetch(max_bytes) => run_fetch(&broker, max_bytes, setup, warm_up),
            Work::EndToEnd(_) => run_end_to_end(&broker, acks, setup, warm_up),
            Work::Startup => {
                let ready = figure("ready ms", broker.ready.as_secs_f64() * 1e3);
                Ok(Outcome { figures: vec![ready, peak(&broker)?], foreign: 0.0, steal: 0.0 })
            }
            Work::Idle => run_idle(&broker, setup, warm_up),
        }
    }
}

const FETCH_VOLUME: u64 = 1_000_000_000;

fn scaled(volume: u64, setup: &Setup) -> u64 {
    (volume as f64 * setup.scale) as u64
}

fn figure(name: &'static str, value: f64) -> Figure {
    Figure { name, value, compared: true }
}

fn note(name: &'static str, value: f64) -> Figure {
    Figure { name, value, compared: false }
}

fn peak(broker: &Broker) -> Fallible<Figure> {
    Ok(note("peak RSS MiB", measure::memory_mib(broker.pid, "VmHWM")?))
}

fn create_topic(broker: &Broker, partitions: usize) -> Fallible<TopicId> {
    let nanos = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_nanos();
    Connection::open(broker.port)?.create_topic(&format!("bench-{nanos}"), i32::try_from(partitions)?)
}

/// Lets the broker's threads come to rest, so that their time is counted.
fn settle() {
    std::thread::sleep(Duration::from_millis(100));
}

/// A compiler-driven broker gets many small requests first: it is calls that make its code hot, not bytes.
fn warm_jvm(broker: &Broker, time: Duration) -> Fallible<()> {
    if time > Duration::ZERO {
        let topic = create_topic(broker, 1)?;
        let ring = Ring::new(&topic, 0..1, 1, 16, &batch::batch(1, 100));
        load::replay(broker.port, &ring, 16, Until { requests: u64::MAX, deadline: Some(Instant::now() + time) })?;
        load::read_all(broker.port, &topic, 1_000, 4096)?;
    }
    Ok(())
}

fn run_produce(broker: &Broker, work: Produce, setup: &Setup, warm_up: Duration) -> Fallible<Outcome> {
    warm_jvm(broker, warm_up)?;
    let topic = create_topic(broker, work.partitions * work.connections)?;
    let (batch, records) = batch::fill(work.batch_bytes, work.value_bytes);
    let rings: Vec<Ring> = (0..work.connections)
        .map(|at| {
            let first = (at * work.partitions) as i32;
            Ring::new(&topic, first..first + work.partitions as i32, work.acks, work.depth.min(16), &batch)
        })
        .collect();
    let volume = scaled(work.volume, setup);
    let requests = (volume / (batch.len() as u64 + 100)).max(1);
    send_all(broker, &rings, work.depth, requests / 4, Duration::from_secs(3).max(warm_up))?;
    settle();
    let mark = Mark::now(broker.pid)?;
    let started = Instant::now();
    let done = send_all(broker, &rings, work.depth, requests, LONGEST)?;
    let wall = started.elapsed().as_secs_f64();
    settle();
    let spent = mark.spent()?;
    let (foreign, steal) = spent.foreign_cores(done.client);
    let batches = done.requests as f64 * batch.len() as f64;
    let (name, per_unit, rate_name, rate) = match work.unit {
        Unit::Gigabyte => ("broker CPU s/GB", GB / batches, "MB/s", batches / 1e6),
        Unit::Request => ("broker CPU us/request", 1e6 / done.requests as f64, "requests/s", done.requests as f64),
        Unit::Record => {
            let count = done.requests as f64 * records as f64;
            ("broker CPU ns/record", 1e9 / count, "records/s", count)
        }
    };
    let mut figures = vec![figure(name, spent.broker.as_secs_f64() * per_unit), note(rate_name, rate / wall)];
    if !matches!(work.unit, Unit::Gigabyte) && work.batch_bytes > 0 {
        figures.push(note("broker CPU s/GB", spent.broker.as_secs_f64() * GB / batches));
        figures.push(note("MB/s", batches / 1e6 / wall));
    }
    figures.push(if work.batch_bytes > 0 {
        note("generator CPU s/GB", done.client.as_secs_f64() * GB / batches)
    } else {
        note("generator CPU us/request", done.client.as_secs_f64() * 1e6 / done.requests as f64)
    });
    figures.push(peak(broker)?);
    Ok(Outcome { figures, foreign, steal })
}

/// Sends `requests` in all, over one connection for each ring.
fn send_all(broker: &Broker, rings: &[Ring], depth: usize, requests: u64, longest: Duration) -> Fallible<Replayed> {
    let until = Until { requests: requests / rings.len() as u64, deadline: Some(Instant::now() + longest) };
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            rings.iter().map(|ring| scope.spawn(move || load::replay(broker.port, ring, depth, until))).collect();
        let mut sum = Replayed::default();
        for thread in threads {
            let done = thread.join().map_err(|_| "a connection panicked")??;
            sum.requests += done.requests;
            sum.client += done.client;
        }
        Ok(sum)
    })
}

fn run_fetch(broker: &Broker, max_bytes: i32, setup: &Setup, warm_up: Duration) -> Fallible<Outcome> {
    warm_jvm(broker, warm_up)?;
    let topic = create_topic(broker, 1)?;
    let (batch, records) = batch::fill(16_384, 1024);
    let ring = Ring::new(&topic, 0..1, 1, 16, &batch);
    let requests = (scaled(FETCH_VOLUME, setup) / batch.len() as u64).max(1);
    load::replay(broker.port, &ring, 5, Until { requests, deadline: None })?;
    let end = (requests * records as u64) as i64;
    load::read_all(broker.port, &topic, end, max_bytes)?;
    settle();
    let mark = Mark::now(broker.pid)?;
    let started = Instant::now();
    let first = load::read_all(broker.port, &topic, end, max_bytes)?;
    let second = load::read_all(broker.port, &topic, end, max_bytes)?;
    let wall = started.elapsed().as_secs_f64();
    settle();
    let spent = mark.spent()?;
    let client = first.client + second.client;
    let bytes = (first.bytes + second.bytes) as f64;
    let (foreign, steal) = spent.foreign_cores(client);
    let figures = vec![
        figure("broker CPU s/GB", spent.broker.as_secs_f64() * GB / bytes),
        note("MB/s", bytes / 1e6 / wall),
        note("fetches", (first.requests + second.requests) as f64),
        note("generator CPU s/GB", client.as_secs_f64() * GB / bytes),
        peak(broker)?,
    ];
    Ok(Outcome { figures, foreign, steal })
}

fn run_end_to_end(broker: &Broker, acks: i16, setup: &Setup, warm_up: Duration) -> Fallible<Outcome> {
    warm_jvm(broker, warm_up)?;
    let topic = create_topic(broker, 1)?;
    let pace =
        |seconds: f64| Pace { per_second: PER_SECOND, messages: (f64::from(PER_SECOND) * seconds) as usize, acks };
    let before = pace(3.0_f64.max(warm_up.as_secs_f64() / 2.0));
    latency::deliver(broker.port, &topic, 0, before)?;
    settle();
    let measured = pace((10.0 * setup.scale).max(1.0));
    let mark = Mark::now(broker.pid)?;
    let delivered = latency::deliver(broker.port, &topic, before.messages as i64, measured)?;
    let spent = mark.spent()?;
    let (foreign, steal) = spent.foreign_cores(delivered.client);
    let mut sorted = delivered.latencies;
    sorted.sort();
    let mut figures = vec![
        figure("p50 us", latency::percentile_us(&sorted, 0.5)),
        figure("p99 us", latency::percentile_us(&sorted, 0.99)),
        note("p99.9 us", latency::percentile_us(&sorted, 0.999)),
        note("worst us", latency::percentile_us(&sorted, 1.0)),
        note("broker CPU us/message", spent.broker.as_secs_f64() * 1e6 / measured.messages as f64),
    ];
    if acks == -1 {
        figures.push(note("one fdatasync us", measure::sync_us(&broker.folder)?));
    }
    figures.push(peak(broker)?);
    Ok(Outcome { figures, foreign, steal })
}

fn run_idle(broker: &Broker, setup: &Setup, warm_up: Duration) -> Fallible<Outcome> {
    std::thread::sleep(Duration::from_secs(2).max(warm_up));
    let mark = Mark::now(broker.pid)?;
    std::thread::sleep(Duration::from_secs_f64((10.0 * setup.scale).max(2.0)));
    let spent = mark.spent()?;
    let (foreign, steal) = spent.foreign_cores(Duration::ZERO);
    let figures = vec![
        figure("RSS MiB", measure::memory_mib(broker.pid, "VmRSS")?),
        note("of it anonymous", measure::memory_mib(broker.pid, "RssAnon")?),
        note("% of a core", 100.0 * spent.broker.as_secs_f64() / spent.wall.as_secs_f64()),
    ];
    Ok(Outcome { figures, foreign, steal })
}
