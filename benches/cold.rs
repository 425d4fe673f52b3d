//! Reading what is not in memory: how fast, and what it does to a reader at the end of another partition.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::fs::Advice;

use crate::contestant::Broker;
use crate::latency::{self, Pace, percentile_us};
use crate::load::{self, Replayed, Ring, Until};
use crate::measure::Mark;
use crate::wire::TopicId;
use crate::workloads::{GB, Outcome, Setup, create_topic, figure, note, peak, scaled, settle, warm_jvm};
use crate::{Fallible, batch};

/// What is read.
pub const VOLUME: u64 = 2_000_000_000;
const FETCH_BYTES: i32 = 1 << 20;
const PER_SECOND: u32 = 1_000;

/// Records on disk and not in memory.
struct Cold {
    topic: TopicId,
    end: i64,
}

impl Cold {
    fn write(broker: &Broker, setup: &Setup) -> Fallible<Cold> {
        let topic = create_topic(broker, 1, &[])?;
        let (batch, records) = batch::fill(65_536, 1024);
        let ring = Ring::new(&topic, 0..1, 1, 16, &batch);
        let requests = (scaled(VOLUME, setup) / batch.len() as u64).max(1);
        load::replay(broker.port, &ring, 5, Until { requests, deadline: None })?;
        Ok(Cold { topic, end: (requests * records as u64) as i64 })
    }

    fn read(&self, broker: &Broker) -> Fallible<Replayed> {
        load::read_all(broker.port, &self.topic, self.end, FETCH_BYTES)
    }

    fn read_sleeping(&self, broker: &Broker) -> Fallible<Replayed> {
        load::read_all_sleeping(broker.port, &self.topic, self.end, FETCH_BYTES)
    }
}

/// Reads it once, and the same files without a broker.
pub fn run_alone(broker: &Broker, setup: &Setup, warm_up: Duration) -> Fallible<Outcome> {
    warm_jvm(broker, warm_up)?;
    let cold = Cold::write(broker, setup)?;
    forget(&broker.folder)?;
    let raw = raw_read(&broker.folder)?;
    forget(&broker.folder)?;
    settle();
    let mark = Mark::now(broker.pid)?;
    let started = Instant::now();
    let done = cold.read(broker)?;
    let wall = started.elapsed().as_secs_f64();
    settle();
    let spent = mark.spent()?;
    let (foreign, steal) = spent.foreign_cores(done.client);
    let rate = done.bytes as f64 / 1e6 / wall;
    let figures = vec![
        figure("MB/s", rate),
        note("share of a plain read", rate / raw),
        note("plain read MB/s", raw),
        figure("broker CPU s/GB", spent.broker.as_secs_f64() * GB / done.bytes as f64),
        peak(broker)?,
    ];
    Ok(Outcome { figures, foreign, steal })
}

/// `e2e-1k` alone and while cold data is read from start to end again and again.
pub fn run_beside(broker: &Broker, setup: &Setup, warm_up: Duration) -> Fallible<Outcome> {
    warm_jvm(broker, warm_up)?;
    let cold = Cold::write(broker, setup)?;
    forget(&broker.folder)?;
    let topic = create_topic(broker, 1, &[])?;
    let pace = |seconds: f64| Pace {
        per_second: PER_SECOND,
        messages: (f64::from(PER_SECOND) * seconds.max(1.0)) as usize,
        acks: 1,
    };
    let (warm, measured) = (pace(2.0), pace(7.0 * setup.scale));
    let mut offset = 0;
    let mut deliver = |pace: Pace| -> Fallible<_> {
        let delivered = latency::deliver(broker.port, &topic, offset, pace)?;
        offset += pace.messages as i64;
        let mut latencies = delivered.latencies;
        latencies.sort();
        Ok((latencies, delivered.client))
    };
    deliver(warm)?;
    let mark = Mark::now(broker.pid)?;
    let (alone, first_client) = deliver(measured)?;
    let stop = AtomicBool::new(false);
    let (beside, read, client) = std::thread::scope(|scope| -> Fallible<_> {
        let reader = scope.spawn(|| read_on(broker, &cold, &stop));
        let beside = deliver(measured);
        stop.store(true, Ordering::Relaxed);
        let (read, cpu) = reader.join().map_err(|_| "the cold reader panicked")??;
        let (beside, client) = beside?;
        Ok((beside, read, client + cpu))
    })?;
    let spent = mark.spent()?;
    let (foreign, steal) = spent.foreign_cores(first_client + client);
    let figures = vec![
        figure("p99 with / without", percentile_us(&beside, 0.99) / percentile_us(&alone, 0.99)),
        figure("p99 us with", percentile_us(&beside, 0.99)),
        note("p99 us without", percentile_us(&alone, 0.99)),
        note("p50 us with", percentile_us(&beside, 0.5)),
        note("p50 us without", percentile_us(&alone, 0.5)),
        note("GB read", read as f64 / GB),
        peak(broker)?,
    ];
    Ok(Outcome { figures, foreign, steal })
}

/// Bytes read until `stop`, in whole passes, and this thread's processor time.
fn read_on(broker: &Broker, cold: &Cold, stop: &AtomicBool) -> Fallible<(u64, Duration)> {
    let cpu = crate::measure::thread_time();
    let mut bytes = 0;
    while !stop.load(Ordering::Relaxed) {
        bytes += cold.read_sleeping(broker)?.bytes;
        forget(&broker.folder)?;
    }
    Ok((bytes, crate::measure::thread_time().saturating_sub(cpu)))
}

/// Writes every file below `folder` to disk and drops it from memory.
fn forget(folder: &Path) -> Fallible<()> {
    for_each_file(folder, &mut |file| {
        file.sync_data()?;
        Ok(rustix::fs::fadvise(file, 0, None, Advice::DontNeed)?)
    })
}

/// MB/s of reading every file below `folder`.
fn raw_read(folder: &Path) -> Fallible<f64> {
    let mut block = vec![0; FETCH_BYTES as usize];
    let started = Instant::now();
    let mut bytes = 0;
    for_each_file(folder, &mut |mut file| {
        loop {
            match file.read(&mut block)? {
                0 => return Ok(()),
                count => bytes += count,
            }
        }
    })?;
    Ok(bytes as f64 / 1e6 / started.elapsed().as_secs_f64())
}

fn for_each_file(folder: &Path, visit: &mut impl FnMut(&File) -> Fallible<()>) -> Fallible<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            for_each_file(&entry.path(), visit)?;
        } else if entry.file_type()?.is_file() && entry.path().extension().is_some_and(|extension| extension == "log") {
            visit(&File::open(entry.path())?)?;
        }
    }
    Ok(())
}
