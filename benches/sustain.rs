//! A fixed rate of megabytes for a minute, open loop: how long an acknowledgement takes while segments roll and the disk writes.

use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use crate::contestant::Broker;
use crate::latency::{percentile_us, wait_until};
use crate::load::{self, Replies, Ring};
use crate::measure::{self, Mark};
use crate::wire::Connection;
use crate::workloads::{GB, Outcome, Setup, create_topic, figure, note, peak, settle, warm_jvm};
use crate::{Fallible, batch};

const BYTES_PER_SECOND: f64 = 100e6;
const BATCH_BYTES: usize = 65_536;
/// So that a minute holds more than twenty rolls.
const SEGMENT_BYTES: &str = "268435456";
/// A broker that falls this far behind does not sustain the rate.
const LAG_MAX: Duration = Duration::from_secs(10);

pub fn run(broker: &Broker, acks: i16, setup: &Setup, warm_up: Duration) -> Fallible<Outcome> {
    warm_jvm(broker, warm_up)?;
    let topic = create_topic(broker, 1, &[("segment.bytes", SEGMENT_BYTES)])?;
    let (batch, _) = batch::fill(BATCH_BYTES, 1024);
    let ring = Ring::new(&topic, 0..1, acks, 1, &batch);
    let interval = Duration::from_secs_f64(batch.len() as f64 / BYTES_PER_SECOND);
    let count = |seconds: f64| (seconds / interval.as_secs_f64()) as usize;
    acknowledge(broker.port, &ring, interval, count(3.0_f64.max(warm_up.as_secs_f64() / 2.0)))?;
    settle();
    let mark = Mark::now(broker.pid)?;
    let started = Instant::now();
    let requests = count((60.0 * setup.scale).max(1.0));
    let (mut latencies, client) = acknowledge(broker.port, &ring, interval, requests)?;
    let wall = started.elapsed().as_secs_f64();
    settle();
    let spent = mark.spent()?;
    let (foreign, steal) = spent.foreign_cores(client);
    latencies.sort();
    let bytes = requests as f64 * batch.len() as f64;
    let figures = vec![
        note("p50 us", percentile_us(&latencies, 0.5)),
        figure("p99 us", percentile_us(&latencies, 0.99)),
        figure("p99.9 us", percentile_us(&latencies, 0.999)),
        figure("worst ms", percentile_us(&latencies, 1.0) / 1e3),
        note("MB/s", bytes / 1e6 / wall),
        note("broker CPU s/GB", spent.broker.as_secs_f64() * GB / bytes),
        peak(broker)?,
    ];
    Ok(Outcome { figures, foreign, steal })
}

/// Sends one request every `interval` whatever comes back: latencies from the times they should have left at.
fn acknowledge(port: u16, ring: &Ring, interval: Duration, requests: usize) -> Fallible<(Vec<Duration>, Duration)> {
    use std::io::Write;
    let mut sender = Connection::open(port)?;
    let mut receiver = sender.stream.try_clone()?;
    receiver.set_read_timeout(Some(LAG_MAX))?;
    let start = Instant::now() + Duration::from_millis(100);
    let intended = |index: usize| start + interval * index as u32;
    std::thread::scope(|scope| {
        let receiving = scope.spawn(move || -> Fallible<_> {
            let cpu = measure::thread_time();
            let mut replies = Replies::default();
            let mut latencies = Vec::with_capacity(requests);
            while latencies.len() < requests {
                replies.fill(&mut receiver)?;
                let now = Instant::now();
                while let Some(reply) = replies.take() {
                    load::check(reply, latencies.len() as u64)?;
                    latencies.push(now.saturating_duration_since(intended(latencies.len())));
                }
            }
            Ok((latencies, measure::thread_time().saturating_sub(cpu)))
        });
        let sending = scope.spawn(move || -> Fallible<_> {
            let cpu = measure::thread_time();
            rustix::thread::set_current_timer_slack(NonZeroU64::new(1))?;
            let mut ring = ring.clone();
            for index in 0..requests {
                wait_until(intended(index));
                if intended(index).elapsed() > LAG_MAX {
                    return Err("the broker does not sustain the rate".into());
                }
                sender.stream.write_all(ring.next(index as u64, 1).0)?;
            }
            Ok(measure::thread_time().saturating_sub(cpu))
        });
        let sending = sending.join().map_err(|_| "the sender panicked")?;
        let (latencies, receiving) = receiving.join().map_err(|_| "the receiver panicked")??;
        Ok((latencies, sending? + receiving))
    })
}
