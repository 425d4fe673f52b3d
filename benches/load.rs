//! The replaying generator: requests encoded once, sent again and again, a few in flight on each connection.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::ops::Range;
use std::time::{Duration, Instant};

use crate::wire::{self, Connection, Fetch, TopicId};
use crate::{Fallible, batch};

/// Requests of one length with the same batch. They are kept once each and addressed as they are sent, so that ten thousand
/// partitions cost the generator no more memory than one.
#[derive(Clone)]
pub struct Ring {
    bytes: Vec<u8>,
    request_bytes: usize,
    count: usize,
    partitions: Range<i32>,
}

/// When to stop sending.
#[derive(Clone, Copy)]
pub struct Until {
    pub requests: u64,
    pub deadline: Option<Instant>,
}

/// What one connection did.
#[derive(Default, Clone, Copy)]
pub struct Replayed {
    pub requests: u64,
    pub bytes: u64,
    /// Processor time of the generator.
    pub client: Duration,
}

impl Ring {
    /// `count` Produce requests with the same batch, which go to `partitions` in turn.
    pub fn new(topic: &TopicId, partitions: Range<i32>, acks: i16, count: usize, batch: &[u8]) -> Ring {
        let request = wire::produce(topic, partitions.start, acks, 0, batch);
        Ring { request_bytes: request.len(), bytes: request.repeat(count), count, partitions }
    }

    /// The next requests, `count` of them or fewer, if `sent` have left already; and how many they are.
    pub fn next(&mut self, sent: u64, count: u64) -> (&[u8], u64) {
        let at = (sent % self.count as u64) as usize;
        let count = self.count.min(at + count as usize) - at;
        let bytes = &mut self.bytes[at * self.request_bytes..(at + count) * self.request_bytes];
        for (number, request) in (sent..).zip(bytes.chunks_exact_mut(self.request_bytes)) {
            let partition = self.partitions.start + (number % self.partitions.len() as u64) as i32;
            wire::address(request, number as i32, partition);
        }
        (bytes, count as u64)
    }
}

/// Sends the ring's requests with at most `depth` unanswered and checks every answer.
pub fn replay(port: u16, ring: &Ring, depth: usize, until: Until) -> Fallible<Replayed> {
    let cpu = crate::measure::thread_time();
    let mut ring = ring.clone();
    let mut connection = Connection::open(port)?;
    let mut replies = Replies::default();
    let (mut sent, mut answered) = (0_u64, 0_u64);
    let mut target = until.requests;
    while answered < target {
        if until.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            target = sent;
        }
        while sent < target && sent - answered < depth as u64 {
            let (bytes, count) = ring.next(sent, (depth as u64 - (sent - answered)).min(target - sent));
            connection.stream.write_all(bytes)?;
            sent += count;
        }
        if sent == answered {
            break;
        }
        replies.fill(&mut connection.stream)?;
        while let Some(reply) = replies.take() {
            check(reply, answered)?;
            answered += 1;
        }
    }
    let client = crate::measure::thread_time().saturating_sub(cpu);
    Ok(Replayed { requests: answered, bytes: answered * ring.request_bytes as u64, client })
}

/// Whether this is the good answer to the request of that number.
pub fn check(reply: &[u8], number: u64) -> Fallible<()> {
    if reply.first_chunk::<4>().copied().map(i32::from_be_bytes) != Some(number as i32) {
        return Err("a reply is out of order".into());
    }
    wire::produced(reply)?;
    Ok(())
}

/// Small replies, as they arrive.
pub struct Replies {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Default for Replies {
    fn default() -> Replies {
        Replies { buffer: vec![0; 64 << 10], start: 0, end: 0 }
    }
}

impl Replies {
    /// Reads once.
    pub fn fill(&mut self, stream: &mut TcpStream) -> std::io::Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        match stream.read(&mut self.buffer[self.end..])? {
            0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
            count => {
                self.end += count;
                Ok(())
            }
        }
    }

    /// The next whole reply without its size.
    pub fn take(&mut self) -> Option<&[u8]> {
        let waiting = &self.buffer[self.start..self.end];
        let size = u32::from_be_bytes(*waiting.first_chunk()?) as usize;
        let reply = waiting.get(4..4 + size)?;
        self.start += 4 + size;
        Some(reply)
    }
}

/// Reads a partition from offset 0 up to `end`, one fetch at a time, without sleeping; `bytes` counts whole batches.
pub fn read_all(port: u16, topic: &TopicId, end: i64, max_bytes: i32) -> Fallible<Replayed> {
    read_by(Connection::call_awake, port, topic, end, max_bytes)
}

/// The same by a reader that sleeps until its answer comes, as consumers do: beside something else that is measured it takes no
/// more of the processors than it must.
pub fn read_all_sleeping(port: u16, topic: &TopicId, end: i64, max_bytes: i32) -> Fallible<Replayed> {
    read_by(Connection::call, port, topic, end, max_bytes)
}

type Call = for<'a> fn(&mut Connection, &[u8], &'a mut Vec<u8>) -> Fallible<&'a [u8]>;

fn read_by(call: Call, port: u16, topic: &TopicId, end: i64, max_bytes: i32) -> Fallible<Replayed> {
    let cpu = crate::measure::thread_time();
    let mut connection = Connection::open(port)?;
    let mut response = Vec::new();
    let mut done = Replayed::default();
    let mut offset = 0;
    while offset < end {
        let request = wire::fetch(&Fetch { topic: *topic, partition: 0, offset, max_wait_ms: 500, max_bytes });
        let records = wire::fetched(call(&mut connection, &request, &mut response)?)?;
        let before = offset;
        for (_, last, size) in batch::whole_batches(records) {
            offset = last + 1;
            done.bytes += size as u64;
        }
        if offset == before {
            return Err(format!("nothing to read at offset {offset} of {end}").into());
        }
        done.requests += 1;
    }
    done.client = crate::measure::thread_time().saturating_sub(cpu);
    Ok(done)
}
