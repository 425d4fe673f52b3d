//! From the time a message should have been sent to the time a consumer on another connection holds it.
//!
//! Open loop: the producer sends at fixed times whatever the broker does, and a message that leaves late counts from when
//! it should have left, so a stalled broker cannot hide behind a stalled client ("coordinated omission").

use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use crate::load::Replies;
use crate::wire::{self, Connection, Fetch, TopicId};
use crate::{Fallible, batch};

/// One run at a fixed rate.
#[derive(Clone, Copy)]
pub struct Pace {
    pub per_second: u32,
    pub messages: usize,
    pub acks: i16,
}

/// Latencies of all messages in order of sending, and the generator's processor time.
pub struct Delivered {
    pub latencies: Vec<Duration>,
    pub client: Duration,
}

/// Sends `pace.messages` to partition 0 and receives them. The partition must hold `offset` records before.
pub fn deliver(port: u16, topic: &TopicId, offset: i64, pace: Pace) -> Fallible<Delivered> {
    let start = Instant::now() + Duration::from_millis(100);
    let interval = Duration::from_secs(1) / pace.per_second;
    let intended = |index: usize| start + interval * index as u32;
    std::thread::scope(|scope| {
        let consumer = scope.spawn(|| consume(port, topic, offset, intended(pace.messages), pace.messages));
        let producer = scope.spawn(|| send(port, topic, pace, intended));
        let sending = producer.join().map_err(|_| "the producer panicked")??;
        let (arrivals, receiving) = consumer.join().map_err(|_| "the consumer panicked")??;
        let latencies =
            arrivals.iter().enumerate().map(|(at, arrived)| arrived.saturating_duration_since(intended(at))).collect();
        Ok(Delivered { latencies, client: sending + receiving })
    })
}

fn send(port: u16, topic: &TopicId, pace: Pace, intended: impl Fn(usize) -> Instant) -> Fallible<Duration> {
    let cpu = crate::measure::thread_time();
    rustix::thread::set_current_timer_slack(NonZeroU64::new(1))?;
    let request = wire::produce(topic, 0, pace.acks, 0, &batch::batch(1, 100));
    let mut connection = Connection::open(port)?;
    connection.stream.set_nonblocking(true)?;
    let mut replies = Replies::default();
    let mut answered = 0;
    for index in 0..pace.messages {
        wait_until(intended(index));
        write_all(&mut connection, &request)?;
        answered += drain(&mut connection, &mut replies)?;
    }
    let deadline = intended(pace.messages) + Duration::from_secs(10);
    while pace.acks != 0 && answered < pace.messages {
        if Instant::now() > deadline {
            return Err(format!("{answered} of {} messages acknowledged", pace.messages).into());
        }
        std::thread::sleep(Duration::from_millis(1));
        answered += drain(&mut connection, &mut replies)?;
    }
    Ok(crate::measure::thread_time().saturating_sub(cpu))
}

/// Sleeps, then spins the last stretch that a timer is late by.
pub fn wait_until(time: Instant) {
    const SPIN: Duration = Duration::from_micros(30);
    let left = time.saturating_duration_since(Instant::now());
    if left > SPIN {
        std::thread::sleep(left - SPIN);
    }
    while Instant::now() < time {
        std::hint::spin_loop();
    }
}

fn write_all(connection: &mut Connection, mut bytes: &[u8]) -> Fallible<()> {
    use std::io::Write;
    while !bytes.is_empty() {
        match connection.stream.write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => std::thread::yield_now(),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Takes the replies that are there.
fn drain(connection: &mut Connection, replies: &mut Replies) -> Fallible<usize> {
    match replies.fill(&mut connection.stream) {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Ok(0),
        filled => filled?,
    }
    let mut count = 0;
    while let Some(reply) = replies.take() {
        wire::produced(reply)?;
        count += 1;
    }
    Ok(count)
}

fn consume(
    port: u16,
    topic: &TopicId,
    first: i64,
    end: Instant,
    messages: usize,
) -> Fallible<(Vec<Instant>, Duration)> {
    let cpu = crate::measure::thread_time();
    let mut connection = Connection::open(port)?;
    let mut response = Vec::new();
    let mut arrivals = Vec::with_capacity(messages);
    while arrivals.len() < messages {
        if Instant::now() > end + Duration::from_secs(10) {
            return Err(format!("{} of {messages} messages arrived", arrivals.len()).into());
        }
        let offset = first + arrivals.len() as i64;
        let request = Fetch { topic: *topic, partition: 0, offset, max_wait_ms: 500, max_bytes: 1 << 20 };
        let records = wire::fetched(connection.call(&wire::fetch(&request), &mut response)?)?;
        let now = Instant::now();
        for (_, last, _) in batch::whole_batches(records) {
            while first + (arrivals.len() as i64) <= last {
                arrivals.push(now);
            }
        }
    }
    Ok((arrivals, crate::measure::thread_time().saturating_sub(cpu)))
}

/// The latency that `share` of all messages did not exceed, in microseconds.
pub fn percentile_us(sorted: &[Duration], share: f64) -> f64 {
    let at = ((sorted.len() as f64 * share).ceil() as usize).clamp(1, sorted.len().max(1)) - 1;
    sorted.get(at).map_or(0.0, |latency| latency.as_secs_f64() * 1e6)
}
