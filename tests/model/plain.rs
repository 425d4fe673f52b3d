//! What a log is, said with a vector: batches in order, ends, producers. Slow and obvious.

use std::collections::BTreeMap;

use klamm::log::Acknowledge;

use crate::batches::{Remembered, Sent};

/// A batch that is in the log.
#[derive(Clone)]
pub struct Placed {
    pub base: i64,
    pub leader_epoch: i32,
    pub sent: Sent,
}

impl Placed {
    pub fn last(&self) -> i64 {
        self.base + i64::from(self.sent.count()) - 1
    }
}

/// What an idempotent producer has sent, oldest first.
#[derive(Default, Clone)]
pub struct Producer {
    pub epoch: i16,
    pub next_sequence: i32,
    /// Batches of the present epoch.
    pub placed: Vec<Placed>,
}

#[derive(Default)]
pub struct Model {
    pub placed: Vec<Placed>,
    pub end: i64,
    pub durable_end: i64,
    pub must_sync_end: i64,
    pub high_watermark: i64,
    pub leader_epoch: i32,
    pub producers: BTreeMap<i64, Producer>,
}

impl Model {
    /// Puts a batch at the end and returns its base offset.
    pub fn append(&mut self, sent: &Sent, acknowledge: Acknowledge) -> i64 {
        let base = self.end;
        let placed = Placed { base, leader_epoch: self.leader_epoch, sent: sent.clone() };
        self.end += i64::from(sent.count());
        if let Some((id, epoch, sequence)) = sent.sender {
            let producer = self.producers.entry(id).or_default();
            if epoch != producer.epoch {
                producer.placed.clear();
            }
            producer.epoch = epoch;
            producer.next_sequence = sequence + sent.count();
            producer.placed.push(placed.clone());
        }
        self.placed.push(placed);
        match acknowledge {
            Acknowledge::Durable => self.must_sync_end = self.end,
            Acknowledge::Written if self.durable_end >= self.must_sync_end => self.high_watermark = self.end,
            Acknowledge::Written => {}
        }
        base
    }

    pub fn synced(&mut self, covered: i64) {
        self.durable_end = self.durable_end.max(covered);
        let to = if self.durable_end >= self.must_sync_end { self.end } else { self.durable_end };
        self.high_watermark = self.high_watermark.max(to);
    }

    /// A start: what is there is synced, and all of it shows.
    pub fn reopened(&mut self) {
        (self.durable_end, self.must_sync_end, self.high_watermark) = (self.end, self.end, self.end);
    }

    pub fn records(&self) -> impl Iterator<Item = Remembered> {
        self.placed.iter().flat_map(|placed| placed.sent.at(placed.base))
    }

    /// The batches that a read may give at most.
    pub fn readable(&self, from: i64, bound: i64, max_bytes: usize, at_least_one: bool) -> Vec<&Placed> {
        let mut given = Vec::new();
        let mut size = 0;
        for placed in self.placed.iter().filter(|placed| placed.last() >= from) {
            size += placed.sent.batch.size_bytes();
            let fits = size <= max_bytes || (given.is_empty() && at_least_one);
            if from >= bound || placed.last() >= bound || !fits {
                break;
            }
            given.push(placed);
        }
        given
    }

    pub fn first_at(&self, timestamp: i64) -> Option<Remembered> {
        self.records().find(|record| record.timestamp >= timestamp)
    }

    pub fn first_latest(&self) -> Option<Remembered> {
        let latest = self.records().map(|record| record.timestamp).max()?;
        self.first_at(latest)
    }

    /// The largest leader epoch not above `asked`, and where it ends; `None` if `asked` is above all.
    pub fn end_of_epoch(&self, asked: i32) -> Option<(i32, i64)> {
        let latest = self.placed.last()?.leader_epoch;
        if asked > latest {
            return None;
        }
        let known = self.placed.iter().rev().find(|placed| placed.leader_epoch <= asked);
        let Some(epoch) = known.map(|placed| placed.leader_epoch) else { return Some((asked, self.placed[0].base)) };
        let next = self.placed.iter().find(|placed| placed.leader_epoch > epoch);
        Some((epoch, next.map_or(self.end, |placed| placed.base)))
    }
}
