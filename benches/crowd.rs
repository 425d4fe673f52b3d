//! What many partitions, connections and waiting consumers cost a broker, set against the same work without them.
//!
//! Both sides of a ratio are taken from one process: few, many, few again. So neither the start nor the hour matters.

use std::time::{Duration, Instant};

use crate::contestant::Broker;
use crate::load::{self, Replayed, Ring, Until};
use crate::measure;
use crate::session::Session;
use crate::stretch::{self, Stretch};
use crate::wire::{self, Connection, TopicId};
use crate::workloads::{GB, LONGEST, Outcome, Setup, create_topic, figure, note, peak, scaled, settle, warm_jvm};
use crate::{Fallible, batch};

/// The longest wait for records that were acknowledged.
const DELIVERY: Duration = Duration::from_secs(30);

/// `produce-default` and one consumer, over one partition and over `count`.
pub fn run_partitions(broker: &Broker, count: usize, setup: &Setup, warm_up: Duration) -> Fallible<Outcome> {
    const VOLUME: u64 = 250_000_000;
    let volume = scaled(VOLUME, setup);
    warm_jvm(broker, warm_up)?;
    let mut few = Flow::start(broker.port, create_topic(broker, 1, &[])?, 1, volume / 4)?;
    let before = few.measure(broker, volume)?;
    let rss = measure::memory_mib(broker.pid, "VmRSS")?;
    let started = Instant::now();
    let topic = create_topic(broker, count, &[])?;
    let creation = started.elapsed();
    let created = measure::memory_mib(broker.pid, "VmRSS")?;
    let mut many = Flow::start(broker.port, topic, count, 0)?;
    settle();
    let written = measure::memory_mib(broker.pid, "VmRSS")?;
    let with = many.measure(broker, volume)?;
    let after = few.measure(broker, volume)?;
    let each = |mib: f64| (mib - rss) * 1024.0 / count as f64;
    let figures = vec![
        figure("times the CPU of 1", with.cost() / f64::midpoint(before.cost(), after.cost())),
        figure("broker CPU s/GB", with.cost() * GB),
        note("MB/s", with.work / 1e6 / with.wall),
        note("generator CPU s/GB", with.client.as_secs_f64() * GB / with.work),
        figure("KiB a partition", each(written)),
        note("KiB when empty", each(created)),
        note("creation ms", creation.as_secs_f64() * 1e3),
        peak(broker)?,
    ];
    Ok(stretch::outcome(figures, &[&before, &with, &after]))
}

/// A producer with client defaults over all partitions of a topic, and a consumer behind it.
struct Flow {
    port: u16,
    ring: Ring,
    batch_bytes: usize,
    records: usize,
    session: Session,
}

impl Flow {
    /// Every partition has been written and read when it returns, and `volume` bytes have flowed.
    fn start(port: u16, topic: TopicId, partitions: usize, volume: u64) -> Fallible<Flow> {
        let (batch, records) = batch::fill(16_384, 1024);
        let ring = Ring::new(&topic, 0..i32::try_from(partitions)?, 1, 16, &batch);
        let session = Session::open(port, &topic, partitions)?;
        let mut flow = Flow { port, ring, batch_bytes: batch.len(), records, session };
        flow.run((partitions as u64).max(volume / batch.len() as u64))?;
        Ok(flow)
    }

    fn measure(&mut self, broker: &Broker, volume: u64) -> Fallible<Stretch> {
        Stretch::measure(broker, || {
            let requests = (volume / self.batch_bytes as u64).max(1);
            let client = self.run(requests)?;
            Ok((requests as f64 * self.batch_bytes as f64, client))
        })
    }

    fn run(&mut self, requests: u64) -> Fallible<Duration> {
        let (port, ring, session) = (self.port, &self.ring, &mut self.session);
        let records = requests * self.records as u64;
        std::thread::scope(|scope| {
            let consumer = scope.spawn(move || session.read(records, DELIVERY));
            let produced = load::replay(port, ring, 5, Until { requests, deadline: None });
            let consumed = consumer.join().map_err(|_| "the consumer panicked")?;
            Ok(produced?.client + consumed?.client)
        })
    }
}

/// `produce-tiny` on one connection, alone and beside `count` idle ones.
pub fn run_connections(broker: &Broker, count: usize, setup: &Setup, warm_up: Duration) -> Fallible<Outcome> {
    const REQUESTS: u64 = 200_000;
    let requests = scaled(REQUESTS, setup).max(1);
    warm_jvm(broker, warm_up)?;
    let topic = create_topic(broker, 1, &[])?;
    let ring = Ring::new(&topic, 0..1, 1, 16, &batch::batch(1, 100));
    let send = |requests| {
        let until = Until { requests, deadline: Some(Instant::now() + LONGEST) };
        let done = load::replay(broker.port, &ring, 16, until)?;
        Ok((done.requests as f64, done.client))
    };
    send(requests / 2)?;
    let before = Stretch::measure(broker, || send(requests))?;
    let rss = measure::memory_mib(broker.pid, "VmRSS")?;
    let mut idle = Vec::with_capacity(count);
    for _ in 0..count {
        let mut connection = Connection::open(broker.port)?;
        // As a client does that has nothing to say: it has asked who is there.
        connection.brokers()?;
        idle.push(connection);
    }
    settle();
    let each = (measure::memory_mib(broker.pid, "VmRSS")? - rss) * 1024.0 / count as f64;
    let with = Stretch::measure(broker, || send(requests))?;
    for connection in &mut idle {
        connection.brokers().map_err(|error| format!("an idle connection was lost: {error}"))?;
    }
    drop(idle);
    std::thread::sleep(Duration::from_secs(1));
    let after = Stretch::measure(broker, || send(requests))?;
    let figures = vec![
        figure("times the CPU of 0", with.cost() / f64::midpoint(before.cost(), after.cost())),
        figure("broker CPU us/request", with.cost() * 1e6),
        note("requests/s", with.work / with.wall),
        figure("KiB a connection", each),
        peak(broker)?,
    ];
    Ok(stretch::outcome(figures, &[&before, &with, &after]))
}

/// `count` long polls on one partition in which nothing happens: waiting once for long, and asking again twice a second.
pub fn run_waiting(broker: &Broker, count: usize, setup: &Setup, warm_up: Duration) -> Fallible<Outcome> {
    let time = Duration::from_secs_f64((8.0 * setup.scale).max(2.0));
    warm_jvm(broker, warm_up)?;
    let topic = create_topic(broker, 1, &[])?;
    let rss = measure::memory_mib(broker.pid, "VmRSS")?;
    let waiting = wait_on(broker.port, &topic, count, 120_000)?;
    std::thread::sleep(Duration::from_secs(1));
    let parked = Stretch::measure(broker, || {
        std::thread::sleep(time);
        Ok((time.as_secs_f64(), Duration::ZERO))
    })?;
    let each = (measure::memory_mib(broker.pid, "VmRSS")? - rss) * 1024.0 / count as f64;
    drop(waiting);
    let mut waiting = wait_on(broker.port, &topic, count, 500)?;
    ask_again(&mut waiting, &topic, Instant::now() + Duration::from_secs(1))?;
    let asking = Stretch::measure(broker, || {
        let started = Instant::now();
        let done = ask_again(&mut waiting, &topic, started + time)?;
        Ok((started.elapsed().as_secs_f64(), done.client))
    })?;
    let figures = vec![
        figure("% of a core, parked", 100.0 * parked.cost()),
        figure("% of a core, polling every 500 ms", 100.0 * asking.cost()),
        figure("KiB a consumer", each),
        note("RSS MiB", measure::memory_mib(broker.pid, "VmRSS")?),
    ];
    Ok(stretch::outcome(figures, &[&parked, &asking]))
}

fn wait_on(port: u16, topic: &TopicId, count: usize, max_wait_ms: i32) -> Fallible<Vec<Connection>> {
    use std::io::Write;
    let mut waiting = Vec::with_capacity(count);
    for _ in 0..count {
        let mut connection = Connection::open(port)?;
        connection.stream.write_all(&at_the_end(topic, max_wait_ms))?;
        waiting.push(connection);
    }
    Ok(waiting)
}

/// Takes every answer as it comes, in turn, and asks again; until `deadline`.
fn ask_again(waiting: &mut [Connection], topic: &TopicId, deadline: Instant) -> Fallible<Replayed> {
    use std::io::Write;
    let cpu = measure::thread_time();
    let request = at_the_end(topic, 500);
    let mut response = Vec::new();
    let mut done = Replayed::default();
    while Instant::now() < deadline {
        for connection in waiting.iter_mut() {
            wire::fetched(connection.receive(&mut response)?)?;
            connection.stream.write_all(&request)?;
            done.requests += 1;
        }
    }
    done.client = measure::thread_time().saturating_sub(cpu);
    Ok(done)
}

fn at_the_end(topic: &TopicId, max_wait_ms: i32) -> Vec<u8> {
    wire::fetch(&wire::Fetch { topic: *topic, partition: 0, offset: 0, max_wait_ms, max_bytes: 1 << 20 })
}
