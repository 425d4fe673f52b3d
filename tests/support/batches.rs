//! Batches with random records, and back from bytes to records. For tests that judge what a log holds.

use klamm::base::disk::fault::Dice;
use klamm::base::ids::{ProducerEpoch, ProducerId, Sequence};
use klamm::record::batch::{BatchHeader, ValidBatch, crc_matches};
use klamm::record::builder::{BatchBuilder, NewRecord};
use klamm::record::compression::{Codec, Compression};
use klamm::record::records;

/// A record as a test remembers it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Remembered {
    pub offset: i64,
    pub timestamp: i64,
    pub value: Vec<u8>,
}

/// Who sends a batch: id, epoch, sequence of its first record.
pub type Sender = (i64, i16, i32);

/// A batch that a test sends.
#[derive(Clone)]
pub struct Sent {
    pub batch: ValidBatch,
    pub sender: Option<Sender>,
    /// Timestamp and value of each record.
    pub records: Vec<(i64, Vec<u8>)>,
}

impl Sent {
    /// The records as they stand in a log behind `base`.
    pub fn at(&self, base: i64) -> Vec<Remembered> {
        let place = |(offset, (timestamp, value)): (i64, &(i64, Vec<u8>))| Remembered {
            offset,
            timestamp: *timestamp,
            value: value.clone(),
        };
        (base..).zip(&self.records).map(place).collect()
    }

    pub fn count(&self) -> i32 {
        self.batch.header().record_count
    }

    pub fn max_timestamp(&self) -> i64 {
        self.batch.header().max_timestamp
    }
}

/// One to `records_max` records around a time, each value unique by `tag`, in a random codec.
pub fn random_batch(dice: &mut Dice, sender: Option<Sender>, tag: u64, records_max: usize) -> Sent {
    let codec = Codec::ALL[if dice.below(3) == 0 { dice.below(Codec::ALL.len()) } else { 0 }];
    let time = 1_700_000_000_000 + i64::try_from(tag).expect("a small tag") * 10;
    let records: Vec<(i64, Vec<u8>)> = (0..=dice.below(records_max))
        .map(|index| {
            let early = i64::try_from(dice.below(50)).expect("a small number");
            let mut value = format!("{tag}/{index}:").into_bytes();
            let random = dice.below(60);
            value.extend((0..random).map(|_| dice.throw().to_le_bytes()[0]));
            (time - early, value)
        })
        .collect();
    sealed(codec, sender, records)
}

fn sealed(codec: Codec, sender: Option<Sender>, records: Vec<(i64, Vec<u8>)>) -> Sent {
    let mut builder = BatchBuilder::new(Compression::of(codec));
    if let Some((id, epoch, sequence)) = sender {
        builder = builder.producer(ProducerId(id), ProducerEpoch(epoch), Sequence(sequence));
    }
    for (timestamp, value) in &records {
        builder.append(&NewRecord { timestamp: *timestamp, value: Some(value), ..NewRecord::default() });
    }
    Sent { batch: builder.build(), sender, records }
}

/// The batches in bytes that begin with one; a cut one at the end is left out.
///
/// # Errors
/// What is wrong with them.
pub fn batches_in(mut bytes: &[u8]) -> Result<Vec<(BatchHeader, Vec<Remembered>)>, String> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let header = BatchHeader::parse(bytes).map_err(|fault| format!("no batch header: {fault}"))?;
        let batch = bytes.get(..header.size_bytes).ok_or("a batch is cut off")?;
        if !crc_matches(batch) {
            return Err(format!("the CRC of the batch at {} does not match", header.base_offset));
        }
        found.push((header, records_of(&header, batch)?));
        bytes = &bytes[header.size_bytes..];
    }
    Ok(found)
}

fn records_of(header: &BatchHeader, batch: &[u8]) -> Result<Vec<Remembered>, String> {
    let body = bytes::Bytes::copy_from_slice(&batch[klamm::base::limits::BATCH_HEADER_BYTES..]);
    let plain = records::decode(header, &body, 1 << 20).map_err(|fault| fault.to_string())?;
    records::iterate(header, &plain)
        .map(|record| {
            let record = record.map_err(|fault| fault.to_string())?;
            let value = record.value.unwrap_or_default().to_vec();
            Ok(Remembered { offset: record.offset.0, timestamp: record.timestamp, value })
        })
        .collect()
}
