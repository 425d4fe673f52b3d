//! Produce requests as fast as the broker takes them.

use std::time::{Duration, Instant};

use crate::batch::Codec;
use crate::contestant::Broker;
use crate::load::{self, Replayed, Ring, Until};
use crate::measure::{self, Mark};
use crate::workloads::{
    Figure, GB, LONGEST, Outcome, Setup, Work, Workload, create_topic, figure, note, peak, scaled, settle, warm_jvm,
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
    codec: Codec,
    /// Klamm's topic has `compressed.validation=header`.
    unread: bool,
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
        codec: Codec::None,
        unread: false,
        volume: 1_000_000_000,
    };
    let default = Produce { batch_bytes: 16_384, partitions: 16, unit: Unit::Request, volume: 500_000_000, ..bulk };
    let small = Produce { value_bytes: 100, unit: Unit::Record, ..default };
    let tiny = Produce { value_bytes: 100, batch_bytes: 0, partitions: 1, volume: 100_000_000, ..default };
    let lz4 = Produce { codec: Codec::Lz4, volume: 500_000_000, ..bulk };
    let produce = |name, what, produce| Workload::new(name, what, Work::Produce(produce));
    [
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
        produce(
            "produce-compressed-lz4",
            "1 KiB records of text, 1 MB of them an lz4 batch, 1 partition, 5 in flight",
            lz4,
        ),
        produce(
            "produce-compressed-zstd",
            "1 KiB records of text, 1 MB of them a zstd batch, 1 partition, 5 in flight",
            Produce { codec: Codec::Zstd, volume: 300_000_000, ..lz4 },
        ),
        produce(
            "produce-passed-lz4",
            "`produce-compressed-lz4`, for Klamm with `compressed.validation=header`",
            Produce { unread: true, ..lz4 },
        ),
        produce(
            "produce-passed-zstd",
            "`produce-compressed-zstd`, for Klamm with `compressed.validation=header`",
            Produce { codec: Codec::Zstd, unread: true, volume: 300_000_000, ..lz4 },
        ),
    ]
    .into_iter()
    .chain(durable_workloads(Produce { depth: 64, acks: -1, partitions: 1, ..default }))
    .collect()
}

/// With an fsync before each answer. The ceiling promises none.
fn durable_workloads(durable: Produce) -> [Workload; 3] {
    let produce = |name, what, produce| Workload::new(name, what, Work::Produce(produce));
    [
        produce("produce-durable", "1 KiB records, 16 KiB batches, 1 partition, 64 requests in flight", durable)
            .without(&["ceiling"])
            .beside(&["klamm-os", "kafka"]),
        produce(
            "produce-durable-bulk",
            "1 KiB records, 1 MB batches, 1 partition, 64 requests in flight",
            Produce { batch_bytes: 1_000_000, unit: Unit::Gigabyte, volume: 1_000_000_000, ..durable },
        )
        .without(&["ceiling"])
        .beside(&["klamm-os", "kafka"]),
        Workload::new(
            "produce-durable-16",
            "`produce-durable` over 16 partitions in turn and over 1",
            Work::ProduceSpread(durable, 16),
        )
        .without(&["ceiling"])
        .beside(&["klamm-os", "kafka"]),
    ]
}

impl Produce {
    /// The batch that is sent again and again, and how many records it holds.
    fn batch(&self) -> Fallible<(Vec<u8>, usize)> {
        match self.codec {
            Codec::None => Ok(batch::fill(self.batch_bytes, self.value_bytes)),
            codec => {
                let records = self.batch_bytes / self.value_bytes;
                Ok((batch::compressed(codec, records, self.value_bytes)?, records))
            }
        }
    }

    /// Creates the topic: what one connection sends, for each.
    fn rings(&self, broker: &Broker, batch: &[u8]) -> Fallible<Vec<Ring>> {
        // What Klamm does by its durability.mode, Kafka does if the topic is told to.
        let configs: &[(&str, &str)] = match broker.is_jvm {
            true if self.acks == -1 => &[("flush.messages", "1")],
            false if self.unread => &[("compressed.validation", "header")],
            _ => &[],
        };
        let topic = create_topic(broker, self.partitions * self.connections, configs)?;
        let ring = |at: usize| {
            let first = (at * self.partitions) as i32;
            Ring::new(&topic, first..first + self.partitions as i32, self.acks, self.depth.min(16), batch)
        };
        Ok((0..self.connections).map(ring).collect())
    }
}

pub fn run(broker: &Broker, work: Produce, setup: &Setup, warm_up: Duration) -> Fallible<Outcome> {
    warm_jvm(broker, warm_up)?;
    let (batch, records) = work.batch()?;
    let rings = work.rings(broker, &batch)?;
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
    let mut figures = vec![figure(name, spent.broker.as_secs_f64() * per_unit)];
    if work.acks == -1 {
        figures.extend(durable_figures(broker, batch.len(), batches / 1e6 / wall, setup)?);
    } else {
        figures.push(note(rate_name, rate / wall));
    }
    if !matches!(work.unit, Unit::Gigabyte) && work.batch_bytes > 0 {
        figures.push(note("broker CPU s/GB", spent.broker.as_secs_f64() * GB / batches));
        if work.acks != -1 {
            figures.push(note("MB/s", batches / 1e6 / wall));
        }
    }
    figures.push(if work.batch_bytes > 0 {
        note("generator CPU s/GB", done.client.as_secs_f64() * GB / batches)
    } else {
        note("generator CPU us/request", done.client.as_secs_f64() * 1e6 / done.requests as f64)
    });
    figures.push(peak(broker)?);
    Ok(Outcome { figures, foreign, steal })
}

/// Throughput, set against an fsync after every append on the same disk.
fn durable_figures(broker: &Broker, batch_bytes: usize, rate: f64, setup: &Setup) -> Fallible<[Figure; 3]> {
    let time = Duration::from_secs_f64((2.0 * setup.scale).clamp(0.5, 2.0));
    let each = measure::sync_each(&broker.folder, batch_bytes, time)?;
    Ok([figure("MB/s", rate), note("times an fsync per append", rate / each), note("fsync per append MB/s", each)])
}

/// The same work over `partitions` in turn and over one: one, many, one again.
pub fn run_spread(
    broker: &Broker,
    work: Produce,
    partitions: usize,
    setup: &Setup,
    warm_up: Duration,
) -> Fallible<Outcome> {
    warm_jvm(broker, warm_up)?;
    let (batch, _) = work.batch()?;
    let one = work.rings(broker, &batch)?;
    let many = Produce { partitions, ..work }.rings(broker, &batch)?;
    let requests = (scaled(work.volume, setup) / 2 / batch.len() as u64).max(1);
    let rate = |rings: &[Ring]| -> Fallible<(f64, Duration)> {
        let started = Instant::now();
        let done = send_all(broker, rings, work.depth, requests, LONGEST)?;
        Ok((done.requests as f64 * batch.len() as f64 / 1e6 / started.elapsed().as_secs_f64(), done.client))
    };
    for rings in [&one, &many] {
        send_all(broker, rings, work.depth, requests / 4, Duration::from_secs(2))?;
    }
    let mark = Mark::now(broker.pid)?;
    let (before, with, after) = (rate(&one)?, rate(&many)?, rate(&one)?);
    let spent = mark.spent()?;
    let (foreign, steal) = spent.foreign_cores(before.1 + with.1 + after.1);
    let alone = f64::midpoint(before.0, after.0);
    let figures = vec![
        figure("times the MB/s of 1", with.0 / alone),
        figure("MB/s", with.0),
        note("MB/s of 1", alone),
        peak(broker)?,
    ];
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
