//! Produce requests as fast as the broker takes them.

use std::time::{Duration, Instant};

use crate::contestant::Broker;
use crate::load::{self, Replayed, Ring, Until};
use crate::measure::Mark;
use crate::workloads::{
    GB, LONGEST, Outcome, Setup, Work, Workload, create_topic, figure, note, peak, scaled, settle, warm_jvm,
};
use crate::{Fallible, batch};

/// Batches as fast as the broker takes them.
#[derive(Clone, Copy)]
pub struct Produce {
    value_bytes: usize,
    /// Not more bytes a batch than this; 0 is one record.
    batch_bytes: usize,
    /// Partitions each connection writes to in turn; no two connections share one.
    partitions: usize,
    connections: usize,
    depth: usize,
    pub acks: i16,
    unit: Unit,
    /// Bytes of requests in all, before scaling.
    pub volume: u64,
}

impl Produce {
    /// The same with other acks.
    pub fn answered(self, acks: i16) -> Produce {
        Produce { acks, ..self }
    }
}

/// What the broker's processor time is divided by.
#[derive(Clone, Copy)]
enum Unit {
    Gigabyte,
    Request,
    Record,
}

/// The workloads that do nothing else.
pub fn workloads() -> Vec<Workload> {
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
    let produce = |name, what, produce| Workload::new(name, what, Work::Produce(produce));
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

pub fn run(broker: &Broker, work: Produce, setup: &Setup, warm_up: Duration) -> Fallible<Outcome> {
    warm_jvm(broker, warm_up)?;
    let topic = create_topic(broker, work.partitions * work.connections, &[])?;
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
