//! The work the brokers are given, and one run of it.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::contestant::{Broker, Contestant};
use crate::groups::{self, Groups, Protocol};
use crate::latency::{self, Pace};
use crate::load::{self, Ring, Until};
use crate::measure::{self, Mark};
use crate::produce::{self, Produce};
use crate::wire::{Connection, TopicId};
use crate::{Fallible, assignment, batch, cold, crowd, restart, sustain};

/// A named piece of work.
pub struct Workload {
    pub name: &'static str,
    pub what: &'static str,
    work: Work,
    /// Contestants that have no say in it.
    without: &'static [&'static str],
    rounds_max: usize,
    /// Whom the others are divided by.
    pub bases: &'static [&'static str],
}

/// What is done.
pub enum Work {
    Produce(Produce),
    /// The same over so many partitions, and over one.
    ProduceSpread(Produce, usize),
    /// Bytes a fetch may return.
    Fetch(i32),
    /// The acks a message end to end is produced with.
    EndToEnd(i16),
    /// How many partitions are set against one.
    Partitions(usize),
    /// How many idle connections are set against none.
    Connections(usize),
    /// How many long polls.
    Waiting(usize),
    Sustain,
    /// Cold data is read, alone or beside a reader at the end.
    Cold,
    ColdBeside,
    Recovery,
    Startup,
    /// How many partitions there are already.
    StartupWith(usize),
    Idle,
    Groups(Groups),
    /// How many offsets were committed before.
    OffsetsRestart(usize),
    /// How many partitions the assignors divide.
    Assignment(i32),
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
    pub name: String,
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

pub const GB: f64 = 1e9;
/// No measured part of a throughput run takes longer.
pub const LONGEST: Duration = Duration::from_secs(10);
const PER_SECOND: u32 = 1_000;

/// All workloads, in the order they run.
pub fn all() -> Vec<Workload> {
    let new = Workload::new;
    let mut all = produce::workloads();
    all.extend([
        new(
            "fetch-hot-1m",
            "1 KiB records in 16 KiB batches from the page cache, fetches of 1 MiB",
            Work::Fetch(1 << 20),
        ),
        new("fetch-hot-10m", "the same, fetches of 10 MiB", Work::Fetch(10 << 20)),
        new("fetch-cold", "2 GB of 1 KiB records in 64 KiB batches that are not in memory", Work::Cold)
            .without(&["ceiling"])
            .at_most(3),
        new(
            "cold-hurts-tail",
            "`e2e-1k` alone and while 2 GB that are not in memory are read again and again",
            Work::ColdBeside,
        )
        .without(&["ceiling"])
        .at_most(3),
        new("e2e-1k", "one 100-byte message every millisecond to a long-polling consumer", Work::EndToEnd(1)),
        new("e2e-1k-all", "the same", Work::EndToEnd(-1)),
        new(
            "sustain",
            "1 KiB records in 64 KiB batches, 100 MB/s for a minute, segments of 256 MiB, open loop: time to the acknowledgement",
            Work::Sustain,
        )
        .at_most(2),
        new(
            "partitions-1000",
            "`produce-default` and a consumer with a fetch session, over 1,000 partitions and over 1",
            Work::Partitions(1_000),
        )
        .without(&["ceiling"])
        .at_most(3),
        new(
            "partitions-10000",
            "the same, over 10,000",
            Work::Partitions(10_000),
        )
        .without(&["ceiling"])
        .at_most(2),
        new(
            "conns-10000",
            "`produce-tiny-1x16` beside 10,000 idle connections and beside none",
            Work::Connections(10_000),
        )
        .at_most(3),
        new("consumers-idle-1000", "1,000 long polls, nothing produced", Work::Waiting(1_000)).at_most(3),
        new("startup", "start of the process on an empty folder to the first answer that names a broker", Work::Startup),
        new("startup-1000", "the same, with 1,000 partitions from an earlier life", Work::StartupWith(1_000))
            .without(&["ceiling"])
            .at_most(3),
        new(
            "recovery-1g",
            "kill -9 during `produce-bulk` when 1 GB is stored, and start again",
            Work::Recovery,
        )
        .without(&["ceiling"])
        .at_most(3),
        new("idle", "nobody connected, nothing stored", Work::Idle).at_most(3),
    ]);
    all.extend(of_groups());
    all
}

/// What consumer groups are measured by.
fn of_groups() -> Vec<Workload> {
    let new = |name, what, work| Workload::new(name, what, work).without(&["ceiling"]).beside(&["kafka"]);
    vec![
        new(
            "group-heartbeat-classic",
            "heartbeats of 64 members of 16 groups, one under way on each member's connection",
            Work::Groups(Groups::HeartbeatClassic),
        ),
        new("group-heartbeat-consumer", "the same, consumer protocol", Work::Groups(Groups::HeartbeatConsumer)),
        new(
            "group-commit-64",
            "64 groups commit one offset at a time, all at once, over 8 connections",
            Work::Groups(Groups::Commit(64)),
        ),
        new(
            "group-join-100",
            "100 members join one group in a second, heartbeats every 100 ms",
            Work::Groups(Groups::Join(100, Protocol::Classic)),
        ),
        new(
            "group-join-100-consumer",
            "the same, consumer protocol",
            Work::Groups(Groups::Join(100, Protocol::Consumer)),
        ),
        new("groups-idle-1000", "1,000 groups of 4 members of each protocol", Work::Groups(Groups::Idle(1_000)))
            .at_most(3),
        new(
            "offsets-restart-1m",
            "a clean stop and start with 1,000,000 committed offsets of 10,000 groups",
            Work::OffsetsRestart(1_000_000),
        )
        .at_most(3),
        new(
            "assignment-10000",
            "the assignors alone: 10,000 partitions of 10 topics, 100 members",
            Work::Assignment(10_000),
        )
        .without(&["ceiling", "klamm-os", "kafka"]),
    ]
}

impl Workload {
    pub fn new(name: &'static str, what: &'static str, work: Work) -> Workload {
        Workload { name, what, work, without: &[], rounds_max: usize::MAX, bases: &["ceiling", "kafka"] }
    }

    /// Leaves contestants out.
    pub fn without(self, without: &'static [&'static str]) -> Workload {
        Workload { without, ..self }
    }

    /// Sets the others against these.
    pub fn beside(self, bases: &'static [&'static str]) -> Workload {
        Workload { bases, ..self }
    }

    /// Makes no more rounds than this: each takes long, or says what the one before said.
    pub fn at_most(self, rounds_max: usize) -> Workload {
        Workload { rounds_max, ..self }
    }

    pub fn rounds(&self, asked: usize) -> usize {
        self.rounds_max.min(asked)
    }

    pub fn concerns(&self, contestant: &Contestant) -> bool {
        !self.without.contains(&contestant.name.as_str())
    }

    /// What is done, with the acks in force.
    pub fn description(&self, setup: &Setup) -> String {
        match self.acks(setup) {
            Some(-1) => format!("{}, acks=all", self.what),
            Some(acks) => format!("{}, acks={acks}", self.what),
            None => self.what.to_owned(),
        }
    }

    /// What is to be written, or enough of it to touch the memory it takes.
    fn volume(&self) -> u64 {
        match self.work {
            Work::Produce(produce) | Work::ProduceSpread(produce, _) => produce.volume,
            Work::Fetch(_) => FETCH_VOLUME,
            Work::Cold | Work::ColdBeside => cold::VOLUME,
            Work::Recovery => restart::VOLUME,
            Work::Sustain | Work::Partitions(_) => 1_000_000_000,
            _ => 0,
        }
    }

    fn acks(&self, setup: &Setup) -> Option<i16> {
        match self.work {
            Work::Produce(produce) | Work::ProduceSpread(produce, _) => Some(setup.acks.unwrap_or(produce.acks)),
            Work::EndToEnd(acks) => Some(setup.acks.unwrap_or(acks)),
            Work::Sustain => Some(setup.acks.unwrap_or(1)),
            _ => None,
        }
    }

    /// Runs it once against a fresh broker in `folder`.
    pub fn run(&self, contestant: &Contestant, setup: &Setup, folder: &Path, ports: [u16; 2]) -> Fallible<Outcome> {
        std::fs::create_dir_all(folder)?;
        measure::prime(folder, scaled(self.volume(), setup))?;
        match self.work {
            Work::Recovery => return restart::run_recovery(contestant, setup, &folder.join("broker"), ports),
            Work::StartupWith(count) => {
                return restart::run_startup(contestant, count, &folder.join("broker"), ports);
            }
            Work::OffsetsRestart(count) => {
                return groups::run_restart(contestant, count, setup, &folder.join("broker"), ports);
            }
            Work::Assignment(partitions) => return assignment::run(partitions),
            _ => {}
        }
        let broker = contestant.start(&folder.join("broker"), ports[0])?;
        let warm_up = if contestant.is_jvm() { setup.jvm_warm_up } else { Duration::ZERO };
        let acks = self.acks(setup).unwrap_or(1);
        match self.work {
            Work::Produce(produce) => produce::run(&broker, produce.answered(acks), setup, warm_up),
            Work::ProduceSpread(produce, count) => {
                produce::run_spread(&broker, produce.answered(acks), count, setup, warm_up)
            }
            Work::Fetch(max_bytes) => run_fetch(&broker, max_bytes, setup, warm_up),
            Work::EndToEnd(_) => run_end_to_end(&broker, acks, setup, warm_up),
            Work::Sustain => sustain::run(&broker, acks, setup, warm_up),
            Work::Partitions(count) => crowd::run_partitions(&broker, count, setup, warm_up),
            Work::Connections(count) => crowd::run_connections(&broker, count, setup, warm_up),
            Work::Waiting(count) => crowd::run_waiting(&broker, count, setup, warm_up),
            Work::Cold => cold::run_alone(&broker, setup, warm_up),
            Work::ColdBeside => cold::run_beside(&broker, setup, warm_up),
            Work::Startup => {
                let ready = figure("ready ms", broker.ready.as_secs_f64() * 1e3);
                Ok(Outcome { figures: vec![ready, peak(&broker)?], foreign: 0.0, steal: 0.0 })
            }
            Work::Idle => run_idle(&broker, setup, warm_up),
            Work::Groups(work) => groups::run(&broker, work, setup, warm_up),
            Work::Recovery | Work::StartupWith(_) | Work::OffsetsRestart(_) | Work::Assignment(_) => {
                Err("runs without a broker of its own".into())
            }
        }
    }
}

const FETCH_VOLUME: u64 = 1_000_000_000;

pub fn scaled(volume: u64, setup: &Setup) -> u64 {
    (volume as f64 * setup.scale) as u64
}

pub fn figure(name: &str, value: f64) -> Figure {
    Figure { name: name.to_owned(), value, compared: true }
}

pub fn note(name: &str, value: f64) -> Figure {
    Figure { name: name.to_owned(), value, compared: false }
}

pub fn peak(broker: &Broker) -> Fallible<Figure> {
    Ok(note("peak RSS MiB", measure::memory_mib(broker.pid, "VmHWM")?))
}

/// A topic with a name of its own.
pub fn create_topic(broker: &Broker, partitions: usize, configs: &[(&str, &str)]) -> Fallible<TopicId> {
    let nanos = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_nanos();
    Connection::open(broker.port)?.create_topic(&format!("bench-{nanos}"), i32::try_from(partitions)?, configs)
}

/// Lets the broker's threads come to rest, so that their time is counted.
pub fn settle() {
    std::thread::sleep(Duration::from_millis(100));
}

/// A compiler-driven broker gets many small requests first: it is calls that make its code hot, not bytes.
pub fn warm_jvm(broker: &Broker, time: Duration) -> Fallible<()> {
    if time > Duration::ZERO {
        let topic = create_topic(broker, 1, &[])?;
        let ring = Ring::new(&topic, 0..1, 1, 16, &batch::batch(1, 100));
        let until = Until { requests: u64::MAX, deadline: Some(Instant::now() + time) };
        let written = load::replay(broker.port, &ring, 16, until)?.requests;
        load::read_all(broker.port, &topic, written.min(1_000) as i64, 4096)?;
    }
    Ok(())
}

fn run_fetch(broker: &Broker, max_bytes: i32, setup: &Setup, warm_up: Duration) -> Fallible<Outcome> {
    warm_jvm(broker, warm_up)?;
    let topic = create_topic(broker, 1, &[])?;
    let (batch, records) = batch::fill(16_384, 1024);
    let ring = Ring::new(&topic, 0..1, 1, 16, &batch);
    let requests = (scaled(FETCH_VOLUME, setup) / batch.len() as u64).max(1);
    load::replay(broker.port, &ring, 5, Until { requests, deadline: None })?;
    let end = (requests * records as u64) as i64;
    load::read_all(broker.port, &topic, end, max_bytes)?;
    // What was written is on the disk by then: reading is measured, not the kernel's writing beside it.
    rustix::fs::syncfs(std::fs::File::open(&broker.folder)?)?;
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
    let topic = create_topic(broker, 1, &[])?;
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
