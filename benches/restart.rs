//! Starting on what an earlier life left: after a kill in the middle of a load, and with many partitions.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::Fallible;
use crate::batch;
use crate::contestant::{Broker, Contestant};
use crate::load::{self, Ring, Until};
use crate::wire::{self, Connection, Fetch, TopicId};
use crate::workloads::{GB, Outcome, Setup, figure, note, peak, scaled};

/// What has been written when the broker is killed.
pub const VOLUME: u64 = 1_000_000_000;
const NAME: &str = "restart";
const PATIENCE: Duration = Duration::from_secs(120);

/// Kills the broker while it takes `produce-bulk`: how long until everything that was acknowledged can be read again.
pub fn run_recovery(contestant: &Contestant, setup: &Setup, folder: &Path, ports: [u16; 2]) -> Fallible<Outcome> {
    let mut broker = contestant.start(folder, ports[0])?;
    let topic = Connection::open(broker.port)?.create_topic(NAME, 1, &[])?;
    let (batch, records) = batch::fill(1_000_000, 1024);
    let ring = Ring::new(&topic, 0..1, 1, 5, &batch);
    let requests = (scaled(VOLUME, setup) / batch.len() as u64).max(1);
    let acknowledged = load::replay(broker.port, &ring, 5, Until { requests, deadline: None })?.requests;
    // More is on its way when it dies.
    let port = broker.port;
    let more = std::thread::spawn(move || load::replay(port, &ring, 5, Until { requests, deadline: None }).is_err());
    std::thread::sleep(Duration::from_millis(20));
    broker.kill()?;
    more.join().map_err(|_| "the producer panicked")?;
    let started = Instant::now();
    let broker = contestant.start(folder, ports[1])?;
    let led = wait_until_led(&broker, 1, started)?;
    let first = read_first(&broker, &topic, 0, started)?;
    let last = acknowledged as i64 * records as i64 - 1;
    let end = read_first(&broker, &topic, last, started)?;
    let stored = acknowledged as f64 * batch.len() as f64;
    let figures = vec![
        figure("ms to the first fetch", first.as_secs_f64() * 1e3),
        note("ms to Metadata", broker.ready.as_secs_f64() * 1e3),
        note("ms to the leader", led.as_secs_f64() * 1e3),
        note("ms to the last acknowledged record", end.as_secs_f64() * 1e3),
        note("GB stored", stored / GB),
        peak(&broker)?,
    ];
    Ok(Outcome { figures, foreign: 0.0, steal: 0.0 })
}

/// Stops a broker with `count` partitions, each with a record in it, and starts it again.
pub fn run_startup(contestant: &Contestant, count: usize, folder: &Path, ports: [u16; 2]) -> Fallible<Outcome> {
    let broker = contestant.start(folder, ports[0])?;
    let partitions = i32::try_from(count)?;
    let topic = Connection::open(broker.port)?.create_topic(NAME, partitions, &[])?;
    let ring = Ring::new(&topic, 0..partitions, 1, 16, &batch::batch(1, 100));
    load::replay(broker.port, &ring, 16, Until { requests: count as u64, deadline: None })?;
    drop(broker);
    let started = Instant::now();
    let broker = contestant.start(folder, ports[1])?;
    let led = wait_until_led(&broker, partitions, started)?;
    let fetched = read_first(&broker, &topic, 0, started)?;
    let figures = vec![
        figure("ms to Metadata", broker.ready.as_secs_f64() * 1e3),
        figure("ms to all partitions", led.as_secs_f64() * 1e3),
        note("ms to the first fetch", fetched.as_secs_f64() * 1e3),
        peak(&broker)?,
    ];
    Ok(Outcome { figures, foreign: 0.0, steal: 0.0 })
}

/// Until ListOffsets is answered for every partition.
fn wait_until_led(broker: &Broker, partitions: i32, started: Instant) -> Fallible<Duration> {
    let mut connection = Connection::open(broker.port)?;
    poll(started, || Ok(connection.partitions_led(NAME, partitions)? == partitions))
}

/// Until a fetch from `offset` brings a whole batch that holds it and whose checksum is right.
fn read_first(broker: &Broker, topic: &TopicId, offset: i64, started: Instant) -> Fallible<Duration> {
    let mut connection = Connection::open(broker.port)?;
    let request = wire::fetch(&Fetch { topic: *topic, partition: 0, offset, max_wait_ms: 0, max_bytes: 1 << 20 });
    let mut response = Vec::new();
    poll(started, || {
        let Ok(records) = wire::fetched(connection.call(&request, &mut response)?) else { return Ok(false) };
        let Some((base, last, size)) = batch::whole_batches(records).next() else { return Ok(false) };
        if !(base..=last).contains(&offset) || !batch::is_sound(&records[..size]) {
            return Err(format!("offset {offset} is answered with a wrong batch, {base} to {last}").into());
        }
        Ok(true)
    })
}

fn poll(started: Instant, mut done: impl FnMut() -> Fallible<bool>) -> Fallible<Duration> {
    while !done()? {
        if started.elapsed() > PATIENCE {
            return Err("not ready in two minutes".into());
        }
        std::thread::sleep(Duration::from_micros(500));
    }
    Ok(started.elapsed())
}
