//! What producers have written to one partition: epochs, sequences, open transactions (KIP-98, KIP-890). Pure.
//!
//! State changes by `apply` only, at run time and at start, so that both are one code. Its file:
//!
//! ```text
//! OFFSET.snapshot: | int16 version 1 | uint32 CRC-32C of all behind it | int32 count | entries of 46 bytes |
//! entry: int64 producer id, int16 epoch, int32 last sequence, int64 last offset, int32 offset delta, int64 timestamp,
//!        int32 coordinator epoch, int64 first offset of the open transaction
//! ```
//! -1 stands for none. Only the last batch of a producer is in the file. Kafka: `ProducerStateManager`, `ProducerAppendInfo`.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::error::LogError;
use super::txn_index::AbortedTxn;
use crate::base::clock::WallMs;
use crate::base::ids::{Offset, ProducerEpoch, ProducerId, Sequence};
use crate::base::limits::PRODUCER_BATCHES_REMEMBERED;
use crate::record::batch::BatchHeader;

const SNAPSHOT_VERSION: i16 = 1;
const SNAPSHOT_HEAD_BYTES: usize = 10;
const SNAPSHOT_ENTRY_BYTES: usize = 46;

/// A batch that is remembered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Remembered {
    last_sequence: Sequence,
    last_offset: Offset,
    offset_delta: i32,
    timestamp: i64,
}

impl Remembered {
    fn first_sequence(&self) -> Sequence {
        // The sequence `delta` before, wrapping as it does forward.
        self.last_sequence.plus(-self.offset_delta)
    }

    fn first_offset(&self) -> Offset {
        self.last_offset.plus(-i64::from(self.offset_delta))
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Producer {
    epoch: ProducerEpoch,
    /// Oldest first.
    batches: VecDeque<Remembered>,
    timestamp: i64,
    coordinator_epoch: i32,
    transaction_start: Option<Offset>,
}

/// What one producer has here, for DescribeProducers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProducerView {
    pub id: ProducerId,
    pub epoch: ProducerEpoch,
    pub last_sequence: Sequence,
    pub last_timestamp: i64,
    pub coordinator_epoch: i32,
    /// -1 if none is open.
    pub transaction_start: Offset,
}

/// The end of a transaction, as its marker says it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Marker {
    pub commit: bool,
    pub coordinator_epoch: i32,
}

/// What is to be done with a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Check {
    Append,
    /// It is here already.
    Duplicate {
        first: Offset,
        last: Offset,
        timestamp: i64,
    },
    /// Its sequence is out of order, but may be that of a batch older than the remembered ones.
    MaybeOlder {
        expected_after: Sequence,
    },
}

/// All producers of one partition.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Producers {
    producers: HashMap<ProducerId, Producer>,
    /// Open transactions by first offset.
    open: BTreeMap<Offset, ProducerId>,
    /// Transactions that are over while their marker is not yet below the high watermark: first offset -> marker.
    unsettled: BTreeMap<Offset, Offset>,
}

impl Producers {
    /// Decides about a batch of a client: its base offset means nothing yet.
    ///
    /// # Errors
    /// `InvalidProducerEpoch`, `OutOfOrderSequence`, `InvalidTransactionState`.
    pub fn check(&self, batch: &BatchHeader) -> Result<Check, LogError> {
        let Some(producer) = self.producers.get(&batch.producer_id).filter(|_| batch.has_producer()) else {
            return Ok(Check::Append);
        };
        if let Some(duplicate) = producer.find(batch) {
            let (first, last) = (duplicate.first_offset(), duplicate.last_offset);
            return Ok(Check::Duplicate { first, last, timestamp: duplicate.timestamp });
        }
        self.check_epoch(producer, batch)?;
        if let Some(expected_after) = producer.out_of_order(batch) {
            if batch.producer_epoch == producer.epoch {
                return Ok(Check::MaybeOlder { expected_after });
            }
            return Err(out_of_order(batch, expected_after));
        }
        if producer.transaction_start.is_some() && !batch.attributes.is_transactional() {
            return Err(LogError::InvalidTransactionState { producer_id: batch.producer_id.0 });
        }
        Ok(Check::Append)
    }

    /// Decides about a batch of a coordinator: markers and records written for a producer carry no sequence.
    ///
    /// # Errors
    /// `InvalidProducerEpoch`, `CoordinatorFenced`.
    pub fn check_coordinator(&self, batch: &BatchHeader, marker: Option<Marker>) -> Result<(), LogError> {
        let Some(producer) = self.producers.get(&batch.producer_id).filter(|_| batch.has_producer()) else {
            return Ok(());
        };
        self.check_epoch(producer, batch)?;
        match marker {
            Some(marker) if marker.coordinator_epoch < producer.coordinator_epoch => Err(LogError::CoordinatorFenced {
                current: producer.coordinator_epoch,
                found: marker.coordinator_epoch,
            }),
            _ => Ok(()),
        }
    }

    fn check_epoch(&self, producer: &Producer, batch: &BatchHeader) -> Result<(), LogError> {
        if batch.producer_epoch < producer.epoch {
            return Err(LogError::InvalidProducerEpoch {
                producer_id: batch.producer_id.0,
                current: producer.epoch.0,
                found: batch.producer_epoch.0,
            });
        }
        Ok(())
    }

    /// Takes in a batch that is in the log, `marker` if it is one. Returns the transaction if this aborts one.
    pub fn apply(&mut self, batch: &BatchHeader, marker: Option<Marker>) -> Option<AbortedTxn> {
        if !batch.has_producer() {
            return None;
        }
        match marker {
            Some(marker) => self.apply_marker(batch, marker),
            None if batch.attributes.is_control() => None,
            None => {
                self.apply_data(batch);
                None
            }
        }
    }

    fn entry(&mut self, batch: &BatchHeader) -> &mut Producer {
        let epoch = batch.producer_epoch;
        let producer = self.producers.entry(batch.producer_id).or_insert_with(|| Producer::new(epoch));
        if producer.epoch != epoch {
            producer.epoch = epoch;
            producer.batches = VecDeque::new();
        }
        producer.timestamp = batch.max_timestamp;
        producer
    }

    fn apply_data(&mut self, batch: &BatchHeader) {
        let producer = self.entry(batch);
        if batch.base_sequence >= Sequence(0) {
            if producer.batches.len() == PRODUCER_BATCHES_REMEMBERED {
                producer.batches.pop_front();
            }
            producer.batches.push_back(Remembered {
                last_sequence: batch.last_sequence(),
                last_offset: batch.last_offset(),
                offset_delta: batch.last_offset_delta,
                timestamp: batch.max_timestamp,
            });
        }
        if batch.attributes.is_transactional() && producer.transaction_start.is_none() {
            producer.transaction_start = Some(batch.base_offset);
            self.open.insert(batch.base_offset, batch.producer_id);
        }
    }

    fn apply_marker(&mut self, batch: &BatchHeader, marker: Marker) -> Option<AbortedTxn> {
        let producer = self.entry(batch);
        producer.coordinator_epoch = marker.coordinator_epoch;
        let first = producer.transaction_start.take()?;
        let last = batch.last_offset();
        self.open.remove(&first);
        self.unsettled.insert(first, last);
        let last_stable_offset = self.open.first_key_value().map_or(last.plus(1), |(first, _)| *first);
        let producer_id = batch.producer_id;
        (!marker.commit).then_some(AbortedTxn {
            producer_id,
            first_offset: first,
            last_offset: last,
            last_stable_offset,
        })
    }

    /// The last stable offset under a high watermark: transactions whose marker is below it are over.
    pub fn last_stable_offset(&mut self, high_watermark: Offset) -> Offset {
        self.unsettled.retain(|_, marker| *marker >= high_watermark);
        let first = |map: Option<&Offset>| map.copied().unwrap_or(high_watermark);
        first(self.open.keys().next()).min(first(self.unsettled.keys().next())).min(high_watermark)
    }

    /// First offset of the oldest open transaction.
    pub fn first_open(&self) -> Option<Offset> {
        self.open.keys().next().copied()
    }

    /// Forgets producers that wrote nothing for `expiration_ms`, unless they have a transaction open.
    pub fn expire(&mut self, now: WallMs, expiration_ms: i64) {
        self.producers.retain(|_, producer| {
            producer.transaction_start.is_some() || now.0.saturating_sub(producer.timestamp) < expiration_ms
        });
    }

    /// Each producer, in no order.
    pub fn views(&self) -> Vec<ProducerView> {
        let view = |(id, producer): (&ProducerId, &Producer)| ProducerView {
            id: *id,
            epoch: producer.epoch,
            last_sequence: producer.last_sequence(),
            last_timestamp: producer.timestamp,
            coordinator_epoch: producer.coordinator_epoch,
            transaction_start: producer.transaction_start.unwrap_or(Offset(-1)),
        };
        self.producers.iter().map(view).collect()
    }

    /// The bytes of a snapshot file.
    pub fn snapshot(&self) -> Vec<u8> {
        let mut ids: Vec<&ProducerId> = self.producers.keys().collect();
        ids.sort_unstable();
        let mut rest = i32::try_from(ids.len()).unwrap_or(i32::MAX).to_be_bytes().to_vec();
        for id in ids {
            let producer = &self.producers[id];
            let last = producer.batches.back();
            rest.extend(id.0.to_be_bytes());
            rest.extend(producer.epoch.0.to_be_bytes());
            rest.extend(producer.last_sequence().0.to_be_bytes());
            rest.extend(last.map_or(-1, |batch| batch.last_offset.0).to_be_bytes());
            rest.extend(last.map_or(-1, |batch| batch.offset_delta).to_be_bytes());
            rest.extend(producer.timestamp.to_be_bytes());
            rest.extend(producer.coordinator_epoch.to_be_bytes());
            rest.extend(producer.transaction_start.map_or(-1, |start| start.0).to_be_bytes());
        }
        let mut bytes = SNAPSHOT_VERSION.to_be_bytes().to_vec();
        bytes.extend(crc32c::crc32c(&rest).to_be_bytes());
        bytes.extend(rest);
        bytes
    }

    /// Reads a snapshot file; `None` if it is not a valid one.
    pub fn from_snapshot(bytes: &[u8]) -> Option<Producers> {
        let (head, entries) = bytes.split_at_checked(SNAPSHOT_HEAD_BYTES)?;
        let version = i16::from_be_bytes(*head.first_chunk()?);
        let crc = u32::from_be_bytes(head.get(2..6)?.try_into().ok()?);
        let count = i32::from_be_bytes(head.get(6..10)?.try_into().ok()?);
        let count_matches = usize::try_from(count).ok()?.checked_mul(SNAPSHOT_ENTRY_BYTES) == Some(entries.len());
        if version != SNAPSHOT_VERSION || crc != crc32c::crc32c(&bytes[6..]) || !count_matches {
            return None;
        }
        let mut producers = Producers::default();
        for entry in entries.chunks_exact(SNAPSHOT_ENTRY_BYTES) {
            let (id, producer) = read_producer(entry)?;
            // A batch begins one transaction.
            let start = producer.transaction_start;
            if start.is_some_and(|start| producers.open.insert(start, id).is_some()) {
                return None;
            }
            if producers.producers.insert(id, producer).is_some() {
                return None;
            }
        }
        Some(producers)
    }
}

fn read_producer(bytes: &[u8]) -> Option<(ProducerId, Producer)> {
    let long = |at: usize| bytes.get(at..at + 8)?.try_into().ok().map(i64::from_be_bytes);
    let int = |at: usize| bytes.get(at..at + 4)?.try_into().ok().map(i32::from_be_bytes);
    let epoch = ProducerEpoch(i16::from_be_bytes(bytes.get(8..10)?.try_into().ok()?));
    let mut producer = Producer::new(epoch);
    producer.timestamp = long(26)?;
    producer.coordinator_epoch = int(34)?;
    producer.transaction_start = Some(Offset(long(38)?)).filter(|start| *start >= Offset(0));
    let (last_sequence, last_offset, offset_delta) = (Sequence(int(10)?), Offset(long(14)?), int(22)?);
    if last_sequence >= Sequence(0) && offset_delta >= 0 {
        if last_offset < Offset(i64::from(offset_delta)) {
            return None;
        }
        let timestamp = producer.timestamp;
        producer.batches.push_back(Remembered { last_sequence, last_offset, offset_delta, timestamp });
    }
    Some((ProducerId(long(0)?), producer))
}

/// The refusal of a batch whose sequence is not the next one.
pub fn out_of_order(batch: &BatchHeader, expected_after: Sequence) -> LogError {
    LogError::OutOfOrderSequence {
        producer_id: batch.producer_id.0,
        expected_after: expected_after.0,
        found: batch.base_sequence.0,
    }
}

impl Producer {
    fn new(epoch: ProducerEpoch) -> Producer {
        Producer { epoch, batches: VecDeque::new(), timestamp: -1, coordinator_epoch: -1, transaction_start: None }
    }

    fn last_sequence(&self) -> Sequence {
        self.batches.back().map_or(Sequence::NONE, |batch| batch.last_sequence)
    }

    fn find(&self, batch: &BatchHeader) -> Option<&Remembered> {
        let same = |known: &&Remembered| {
            known.first_sequence() == batch.base_sequence && known.last_sequence == batch.last_sequence()
        };
        (self.epoch == batch.producer_epoch).then(|| self.batches.iter().find(same)).flatten()
    }

    /// The sequence after which the next batch must come, if this batch does not.
    fn out_of_order(&self, batch: &BatchHeader) -> Option<Sequence> {
        let last = if batch.producer_epoch == self.epoch { self.last_sequence() } else { Sequence::NONE };
        // Sequence 0 follows both the largest one and none.
        let next = if last == Sequence::NONE { Sequence(0) } else { last.plus(1) };
        (batch.base_sequence != next).then_some(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::LeaderEpoch;
    use crate::record::batch::Attributes;

    fn batch(id: i64, epoch: i16, sequence: i32, base: i64, count: i32) -> BatchHeader {
        BatchHeader {
            base_offset: Offset(base),
            size_bytes: 61,
            leader_epoch: LeaderEpoch(0),
            magic: 2,
            crc: 0,
            attributes: Attributes::default(),
            last_offset_delta: count - 1,
            base_timestamp: 0,
            max_timestamp: 1000,
            producer_id: ProducerId(id),
            producer_epoch: ProducerEpoch(epoch),
            base_sequence: Sequence(sequence),
            record_count: count,
        }
    }

    fn transactional(mut header: BatchHeader) -> BatchHeader {
        header.attributes = header.attributes.with_transactional(true);
        header
    }

    fn marker(id: i64, epoch: i16, base: i64) -> BatchHeader {
        let mut header = transactional(batch(id, epoch, -1, base, 1));
        header.attributes = header.attributes.with_control(true);
        header
    }

    const ABORT: Option<Marker> = Some(Marker { commit: false, coordinator_epoch: 0 });
    const COMMIT: Option<Marker> = Some(Marker { commit: true, coordinator_epoch: 0 });

    #[test]
    fn an_unknown_producer_may_start_anywhere() {
        let producers = Producers::default();
        assert_eq!(producers.check(&batch(1, 0, 77, 0, 3)).expect("accepted"), Check::Append);
        assert_eq!(producers.check(&batch(-1, -1, -1, 0, 3)).expect("accepted"), Check::Append);
    }

    #[test]
    fn five_batches_are_recognised_again() {
        let mut producers = Producers::default();
        for n in 0..6 {
            producers.apply(&batch(1, 0, n * 2, i64::from(n) * 10, 2), None);
        }
        for n in 1..6 {
            let found = producers.check(&batch(1, 0, n * 2, 999, 2)).expect("a duplicate");
            let first = Offset(i64::from(n) * 10);
            assert_eq!(found, Check::Duplicate { first, last: first.plus(1), timestamp: 1000 });
        }
        assert_eq!(
            producers.check(&batch(1, 0, 0, 999, 2)).expect("perhaps"),
            Check::MaybeOlder { expected_after: Sequence(11) }
        );
        assert_eq!(producers.check(&batch(1, 0, 12, 999, 2)).expect("next"), Check::Append);
        assert!(matches!(producers.check(&batch(1, 0, 14, 999, 2)), Ok(Check::MaybeOlder { .. })));
    }

    #[test]
    fn a_new_epoch_starts_at_sequence_zero_and_fences_the_old() {
        let mut producers = Producers::default();
        producers.apply(&batch(1, 3, 0, 0, 5), None);
        assert!(matches!(producers.check(&batch(1, 4, 5, 0, 1)), Err(LogError::OutOfOrderSequence { .. })));
        assert_eq!(producers.check(&batch(1, 4, 0, 0, 1)).expect("accepted"), Check::Append);
        assert!(matches!(producers.check(&batch(1, 2, 5, 0, 1)), Err(LogError::InvalidProducerEpoch { .. })));
        producers.apply(&batch(1, 4, 0, 5, 1), None);
        assert!(matches!(producers.check(&batch(1, 3, 5, 0, 1)), Err(LogError::InvalidProducerEpoch { .. })));
    }

    #[test]
    fn sequences_wrap() {
        let mut producers = Producers::default();
        producers.apply(&batch(1, 0, i32::MAX - 1, 0, 4), None);
        assert_eq!(producers.check(&batch(1, 0, 2, 4, 1)).expect("next"), Check::Append);
        let again = producers.check(&batch(1, 0, i32::MAX - 1, 0, 4)).expect("a duplicate");
        assert_eq!(again, Check::Duplicate { first: Offset(0), last: Offset(3), timestamp: 1000 });
    }

    #[test]
    fn an_open_transaction_holds_the_last_stable_offset_until_its_marker_is_visible() {
        let mut producers = Producers::default();
        producers.apply(&transactional(batch(1, 0, 0, 10, 5)), None);
        producers.apply(&transactional(batch(2, 0, 0, 15, 5)), None);
        assert_eq!(producers.last_stable_offset(Offset(20)), Offset(10));
        assert_eq!(producers.last_stable_offset(Offset(8)), Offset(8));
        let aborted = producers.apply(&marker(1, 1, 20), ABORT).expect("an aborted transaction");
        let expected = AbortedTxn {
            producer_id: ProducerId(1),
            first_offset: Offset(10),
            last_offset: Offset(20),
            last_stable_offset: Offset(15),
        };
        assert_eq!(aborted, expected);
        assert_eq!(producers.last_stable_offset(Offset(20)), Offset(10));
        assert_eq!(producers.last_stable_offset(Offset(21)), Offset(15));
        assert_eq!(producers.apply(&marker(2, 0, 21), COMMIT), None);
        assert_eq!(producers.last_stable_offset(Offset(22)), Offset(22));
        assert_eq!(producers.apply(&marker(2, 0, 22), ABORT), None);
    }

    #[test]
    fn a_producer_with_an_open_transaction_may_not_write_outside_it() {
        let mut producers = Producers::default();
        producers.apply(&transactional(batch(1, 0, 0, 0, 1)), None);
        assert!(matches!(producers.check(&batch(1, 0, 1, 1, 1)), Err(LogError::InvalidTransactionState { .. })));
    }

    #[test]
    fn an_older_coordinator_is_fenced() {
        let mut producers = Producers::default();
        producers.apply(&marker(1, 0, 0), Some(Marker { commit: true, coordinator_epoch: 5 }));
        assert!(matches!(
            producers.check_coordinator(&marker(1, 0, 1), ABORT),
            Err(LogError::CoordinatorFenced { .. })
        ));
    }

    #[test]
    fn snapshot_bytes_are_kafkas() {
        let mut producers = Producers::default();
        let mut header = batch(0, 0, 0, 0, 50);
        header.max_timestamp = 4_102_444_800_049;
        producers.apply(&header, None);
        let bytes = producers.snapshot();
        let mut expected = vec![0, 1, 0x06, 0xe4, 0x4d, 0x22, 0, 0, 0, 1];
        expected.extend([0; 10]);
        expected.extend([0, 0, 0, 0x31, 0, 0, 0, 0, 0, 0, 0, 0x31, 0, 0, 0, 0x31]);
        expected.extend([0, 0, 3, 0xbb, 0x2c, 0xc3, 0xd8, 0x31]);
        expected.extend([0xff; 12]);
        assert_eq!(bytes, expected);
    }

    #[test]
    fn snapshots_survive_a_round_trip_and_refuse_damage() {
        let mut producers = Producers::default();
        producers.apply(&batch(7, 2, 5, 100, 3), None);
        producers.apply(&transactional(batch(9, 0, 0, 103, 1)), None);
        let bytes = producers.snapshot();
        let read = Producers::from_snapshot(&bytes).expect("valid");
        assert_eq!(read, producers);
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert_eq!(Producers::from_snapshot(&damaged), None, "byte {at}");
            assert_eq!(Producers::from_snapshot(&bytes[..at]), None, "cut at {at}");
        }
    }

    /// Such a snapshot with a right checksum was taken; then one of two open transactions no longer held the last stable offset, and
    /// a resend's offset could overflow.
    #[test]
    fn impossible_snapshots_with_a_right_checksum_are_refused() {
        let mut producers = Producers::default();
        producers.apply(&transactional(batch(7, 2, 5, 100, 3)), None);
        producers.apply(&transactional(batch(9, 0, 0, 103, 1)), None);
        let bytes = producers.snapshot();
        let (first, second) = (SNAPSHOT_HEAD_BYTES, SNAPSHOT_HEAD_BYTES + SNAPSHOT_ENTRY_BYTES);
        let check = |change: &dyn Fn(&mut [u8])| {
            let mut changed = bytes.clone();
            change(&mut changed);
            let crc = crc32c::crc32c(&changed[6..]);
            changed[2..6].copy_from_slice(&crc.to_be_bytes());
            assert_eq!(Producers::from_snapshot(&changed), None);
        };
        check(&|bytes| bytes.copy_within(first + 38..first + 46, second + 38));
        check(&|bytes| bytes.copy_within(first..first + 8, second));
        check(&|bytes| bytes[first + 14..first + 22].copy_from_slice(&i64::MIN.to_be_bytes()));
    }

    #[test]
    fn idle_producers_expire_unless_a_transaction_is_open() {
        let mut producers = Producers::default();
        producers.apply(&batch(1, 0, 0, 0, 1), None);
        producers.apply(&transactional(batch(2, 0, 0, 1, 1)), None);
        producers.expire(WallMs(1999), 1000);
        assert_eq!(producers.views().len(), 2);
        producers.expire(WallMs(2000), 1000);
        assert_eq!(producers.views().iter().map(|view| view.id).collect::<Vec<_>>(), [ProducerId(2)]);
    }
}
