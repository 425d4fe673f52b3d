//! A consumer of many partitions: one connection with an incremental fetch session (KIP-227), as the Java client has it.
//!
//! The first fetch names every partition, each later one only those whose position has moved; the broker answers with
//! those that have something new.

use std::time::{Duration, Instant};

use crate::load::Replayed;
use crate::wire::{self, Connection, Decoder, Encoder, TopicId};
use crate::{Fallible, batch};

/// The Java client's defaults.
const MAX_WAIT_MS: i32 = 500;
const FETCH_BYTES_MAX: i32 = 52_428_800;
const PARTITION_BYTES_MAX: i32 = 1_048_576;

/// A consumer and its connection.
pub struct Session {
    connection: Connection,
    position: Position,
    response: Vec<u8>,
}

/// Where it stands.
struct Position {
    topic: TopicId,
    offsets: Vec<i64>,
    /// Partitions whose offset the broker does not know yet.
    moved: Vec<usize>,
    id: i32,
    epoch: i32,
}

impl Session {
    /// Is to read all partitions from the start.
    pub fn open(port: u16, topic: &TopicId, partitions: usize) -> Fallible<Session> {
        let (offsets, moved) = (vec![0; partitions], (0..partitions).collect());
        let position = Position { topic: *topic, offsets, moved, id: 0, epoch: 0 };
        Ok(Session { connection: Connection::open(port)?, position, response: Vec::new() })
    }

    /// Reads until `records` more have arrived.
    pub fn read(&mut self, records: u64, longest: Duration) -> Fallible<Replayed> {
        let cpu = crate::measure::thread_time();
        let deadline = Instant::now() + longest;
        let mut done = Replayed::default();
        let mut left = records;
        while left > 0 {
            if Instant::now() > deadline {
                return Err(format!("{left} of {records} records have not arrived").into());
            }
            let request = self.position.request();
            let response = self.connection.call(&request, &mut self.response)?;
            let (arrived, bytes) = self.position.advance(response)?;
            left = left.saturating_sub(arrived);
            done.bytes += bytes;
            done.requests += 1;
        }
        done.client = crate::measure::thread_time().saturating_sub(cpu);
        Ok(done)
    }
}

impl Position {
    fn request(&mut self) -> Vec<u8> {
        let mut to = Encoder::request(wire::FETCH, 17, 0);
        to.i32(MAX_WAIT_MS).i32(1).i32(FETCH_BYTES_MAX).i8(0).i32(self.id).i32(self.epoch);
        if self.moved.is_empty() {
            to.length(0);
        } else {
            to.length(1).raw(&self.topic).length(self.moved.len());
            for index in self.moved.drain(..) {
                to.i32(index as i32).i32(-1).i64(self.offsets[index]).i32(-1).i64(-1).i32(PARTITION_BYTES_MAX).tags();
            }
            to.tags();
        }
        to.length(0).text("").tags();
        to.finish()
    }

    /// Takes an answer: how many records and bytes it brought.
    fn advance(&mut self, response: &[u8]) -> Fallible<(u64, u64)> {
        let mut from = Decoder::new(response);
        from.i32()?;
        from.tags()?;
        from.i32()?;
        let error = from.i16()?;
        if error != 0 {
            return Err(format!("fetch answered error {error}").into());
        }
        self.id = from.i32()?;
        self.epoch = if self.id == 0 { 0 } else { self.epoch + 1 };
        let (mut records, mut bytes) = (0, 0);
        for _ in 0..from.length()? {
            from.take(16)?;
            for _ in 0..from.length()? {
                let (index, batches) = wire::fetched_partition(&mut from)?;
                let offset = self.offsets.get_mut(index).ok_or("an answer for a partition that was not asked for")?;
                let before = *offset;
                for (_, last, size) in batch::whole_batches(batches) {
                    *offset = last + 1;
                    bytes += size as u64;
                }
                if *offset > before {
                    records += (*offset - before) as u64;
                    self.moved.push(index);
                }
            }
            from.tags()?;
        }
        if self.id == 0 {
            self.moved = (0..self.offsets.len()).collect();
        }
        Ok((records, bytes))
    }
}
