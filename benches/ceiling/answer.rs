//! What the ceiling broker answers: ApiVersions, Metadata, CreateTopics, InitProducerId, ListOffsets, Produce, Fetch.
//!
//! Of every API only the newest versions are understood; an unknown one closes the connection, as Kafka does.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use rustix::io::pread;
use tokio::time::{Duration, Instant};

use super::log::{Found, Partition};
use super::{Broker, Topic};
use crate::Fallible;
use crate::wire::{self, Decoder, Encoder, TopicId};

/// Responses below this are read into the reply, larger ones sent from the file.
const COPY_BYTES_MAX: usize = 32 << 10;
/// What follows the records of the last partition in a fetch response.
pub const FETCH_TAIL: &[u8] = &[0, 0, 0];
const UNKNOWN_TOPIC: i16 = 3;
const UNKNOWN_TOPIC_ID: i16 = 100;
const UNSUPPORTED_VERSION: i16 = 35;

/// (key, lowest and highest version told to clients, lowest and highest version understood)
const SERVED: [(i16, i16, i16, i16, i16); 7] = [
    (wire::PRODUCE, 0, 13, 9, 13),
    (wire::FETCH, 4, 17, 15, 17),
    (wire::LIST_OFFSETS, 1, 9, 6, 9),
    (wire::METADATA, 0, 12, 12, 12),
    (wire::API_VERSIONS, 0, 4, 0, 4),
    (wire::CREATE_TOPICS, 2, 7, 7, 7),
    (wire::INIT_PRODUCER_ID, 0, 4, 3, 4),
];

/// What is left to do when a request has been executed.
pub enum Answer {
    /// The whole response is in the output.
    Complete,
    /// The response up to the records is in the output; the region and `FETCH_TAIL` follow.
    Region(Region),
    /// Nothing to fetch yet.
    Parked(Parked),
}

pub struct Region {
    pub file: Arc<File>,
    pub position: u64,
    pub length: usize,
}

/// A fetch that waits.
pub struct Parked {
    correlation: i32,
    wanted: Vec<Wanted>,
    max_bytes: usize,
    deadline: Instant,
}

struct Wanted {
    topic: TopicId,
    index: i32,
    partition: Option<Arc<Partition>>,
    offset: i64,
    max_bytes: usize,
}

/// Executes one request and appends its response to `output`.
pub fn answer(broker: &Broker, frame: &[u8], output: &mut Vec<u8>) -> Fallible<Answer> {
    let mut from = Decoder::new(frame);
    let (key, version, correlation) = (from.i16()?, from.i16()?, from.i32()?);
    let client = from.i16()?;
    from.take(usize::try_from(client).unwrap_or(0))?;
    let understood = SERVED.iter().any(|row| row.0 == key && (row.3..=row.4).contains(&version));
    if !understood && key != wire::API_VERSIONS {
        return Err(format!("API {key} version {version} is not served").into());
    }
    let mut to = Encoder { bytes: std::mem::take(output) };
    let start = to.bytes.len();
    to.i32(0).i32(correlation);
    if key == wire::API_VERSIONS {
        api_versions(if understood { Ok(version) } else { Err(UNSUPPORTED_VERSION) }, &mut to);
    } else {
        from.tags()?;
        to.tags();
        match key {
            wire::PRODUCE if !produce(broker, version, &mut from, &mut to)? => to.bytes.truncate(start),
            wire::PRODUCE => {}
            wire::METADATA => metadata(broker, &mut from, &mut to)?,
            wire::CREATE_TOPICS => create_topics(broker, &mut from, &mut to)?,
            wire::LIST_OFFSETS => list_offsets(broker, &mut from, &mut to)?,
            wire::INIT_PRODUCER_ID => init_producer_id(&mut to),
            _ => {
                to.bytes.truncate(start);
                *output = to.bytes;
                return fetch(broker, correlation, &mut from, output);
            }
        }
    }
    if to.bytes.len() > start {
        to.close(start, 0);
    }
    *output = to.bytes;
    Ok(Answer::Complete)
}

fn api_versions(version: Result<i16, i16>, to: &mut Encoder) {
    to.i16(version.err().unwrap_or(0));
    let flexible = version.is_ok_and(|version| version >= 3);
    if flexible {
        to.length(SERVED.len());
    } else {
        to.i32(SERVED.len() as i32);
    }
    for (key, lowest, highest, _, _) in SERVED {
        to.i16(key).i16(lowest).i16(highest);
        if flexible {
            to.tags();
        }
    }
    if version.is_ok_and(|version| version >= 1) {
        to.i32(0);
    }
    if flexible {
        to.tags();
    }
}

fn metadata(broker: &Broker, from: &mut Decoder<'_>, to: &mut Encoder) -> Fallible<()> {
    let mut names = Vec::new();
    let count = from.uvarint()?;
    if count == 0 {
        names.extend(broker.by_name.lock().keys().cloned());
    }
    for _ in 1..count {
        from.take(16)?;
        names.push(from.text()?.to_owned());
        from.tags()?;
    }
    let may_create = from.i8()? != 0 && count != 0;
    to.i32(0).length(1).i32(1).text("127.0.0.1").i32(i32::from(broker.port)).null().tags();
    to.text("ceilingceilingceilingg").i32(1).length(names.len());
    for name in names {
        let topic = if may_create { Some(broker.create(&name, 1)?) } else { broker.topic(&name) };
        to.i16(if topic.is_some() { 0 } else { UNKNOWN_TOPIC }).text(&name);
        to.raw(&topic.as_ref().map_or([0; 16], |topic| topic.id)).i8(0);
        let partitions = topic.map_or(0, |topic| topic.partitions.len());
        to.length(partitions);
        for index in 0..partitions {
            to.i16(0).i32(index as i32).i32(1).i32(0).length(1).i32(1).length(1).i32(1).length(0).tags();
        }
        to.i32(i32::MIN).tags();
    }
    to.tags();
    Ok(())
}

fn create_topics(broker: &Broker, from: &mut Decoder<'_>, to: &mut Encoder) -> Fallible<()> {
    let count = from.length()?;
    to.i32(0).length(count);
    for _ in 0..count {
        let name = from.text()?;
        let partitions = from.i32()?.max(1);
        from.i16()?;
        if from.length()? != 0 {
            return Err("a topic with assignments".into());
        }
        // Read and left aside: nothing here is rolled, flushed or deleted.
        for _ in 0..from.length()? {
            from.text()?;
            from.text()?;
            from.tags()?;
        }
        from.tags()?;
        let topic = broker.create(name, partitions as usize)?;
        to.text(name).raw(&topic.id).i16(0).null().i32(partitions).i16(1).length(0).tags();
    }
    to.tags();
    Ok(())
}

fn init_producer_id(to: &mut Encoder) {
    static NEXT: AtomicI64 = AtomicI64::new(1);
    to.i32(0).i16(0).i64(NEXT.fetch_add(1, Ordering::Relaxed)).i16(0).tags();
}

fn list_offsets(broker: &Broker, from: &mut Decoder<'_>, to: &mut Encoder) -> Fallible<()> {
    from.take(5)?;
    let topics = from.length()?;
    to.i32(0).length(topics);
    for _ in 0..topics {
        let name = from.text()?;
        let topic = broker.topic(name);
        let partitions = from.length()?;
        to.text(name).length(partitions);
        for _ in 0..partitions {
            let index = from.i32()?;
            from.i32()?;
            let latest = from.i64()? == -1;
            from.tags()?;
            let partition = topic.as_ref().and_then(|topic| partition(topic, index));
            let offset = partition.map_or(-1, |partition| if latest { partition.end_offset() } else { 0 });
            to.i32(index).i16(if offset < 0 { UNKNOWN_TOPIC } else { 0 }).i64(-1).i64(offset).i32(0).tags();
        }
        from.tags()?;
        to.tags();
    }
    to.tags();
    Ok(())
}

fn partition(topic: &Topic, index: i32) -> Option<Arc<Partition>> {
    topic.partitions.get(usize::try_from(index).ok()?).cloned()
}

/// Returns whether the producer wants an answer.
fn produce(broker: &Broker, version: i16, from: &mut Decoder<'_>, to: &mut Encoder) -> Fallible<bool> {
    let transactional = from.length()?;
    from.take(transactional)?;
    let acks = from.i16()?;
    from.i32()?;
    let topics = from.length()?;
    to.length(topics);
    for _ in 0..topics {
        let topic = if version >= 13 {
            let id = from.array()?;
            to.raw(&id);
            broker.topic_by_id(&id)
        } else {
            let name = from.text()?;
            to.text(name);
            broker.topic(name)
        };
        let partitions = from.length()?;
        to.length(partitions);
        for _ in 0..partitions {
            let index = from.i32()?;
            let length = from.length()?;
            let records = from.take(length)?;
            from.tags()?;
            let partition = topic.as_ref().and_then(|topic| topic.partitions.get(usize::try_from(index).ok()?));
            let appended = partition.map_or(Err(UNKNOWN_TOPIC), |partition| partition.append(records));
            to.i32(index).i16(appended.err().unwrap_or(0)).i64(appended.unwrap_or(-1)).i64(-1).i64(0);
            to.length(0).null().tags();
        }
        from.tags()?;
        to.tags();
    }
    to.i32(0).tags();
    Ok(acks != 0)
}

fn fetch(broker: &Broker, correlation: i32, from: &mut Decoder<'_>, output: &mut Vec<u8>) -> Fallible<Answer> {
    let wait = Duration::from_millis(from.i32()?.max(0) as u64);
    from.i32()?;
    let max_bytes = from.i32()?.max(0) as usize;
    from.take(9)?;
    let mut wanted = Vec::new();
    for _ in 0..from.length()? {
        let id = from.array()?;
        let topic = broker.topic_by_id(&id);
        for _ in 0..from.length()? {
            let index = from.i32()?;
            from.i32()?;
            let offset = from.i64()?;
            from.take(12)?;
            let max_bytes = from.i32()?.max(0) as usize;
            from.tags()?;
            let partition = topic.as_ref().and_then(|topic| partition(topic, index));
            wanted.push(Wanted { topic: id, index, partition, offset, max_bytes });
        }
        from.tags()?;
    }
    let parked = Parked { correlation, wanted, max_bytes, deadline: Instant::now() + wait };
    Ok(fetch_again(broker, &parked, output)?.unwrap_or(Answer::Parked(parked)))
}

/// Answers a fetch if there is something to say or its time is up.
pub fn fetch_again(_: &Broker, parked: &Parked, output: &mut Vec<u8>) -> Fallible<Option<Answer>> {
    let mut left = parked.max_bytes;
    let found: Vec<Result<Found, i16>> = parked
        .wanted
        .iter()
        .map(|wanted| {
            let partition = wanted.partition.as_ref().ok_or(UNKNOWN_TOPIC_ID)?;
            let mut found = partition.find(wanted.offset, wanted.max_bytes.min(left))?;
            if left == 0 {
                found.length = 0;
            }
            left = left.saturating_sub(found.length);
            Ok(found)
        })
        .collect();
    let something = found.iter().any(|found| found.as_ref().map_or(true, |found| found.length > 0));
    if !something && Instant::now() < parked.deadline {
        return Ok(None);
    }
    Ok(Some(encode_fetch(parked, &found, output)?))
}

/// One topic entry a partition. The last partition with many bytes is sent from its file, all others are copied.
fn encode_fetch(parked: &Parked, found: &[Result<Found, i16>], output: &mut Vec<u8>) -> Fallible<Answer> {
    let mut to = Encoder { bytes: std::mem::take(output) };
    let start = to.bytes.len();
    to.i32(0).i32(parked.correlation).tags().i32(0).i16(0).i32(0).length(found.len());
    let mut region = None;
    for (at, (wanted, found)) in parked.wanted.iter().zip(found).enumerate() {
        let end = found.as_ref().map_or(-1, |found| found.end_offset);
        to.raw(&wanted.topic).length(1).i32(wanted.index).i16(found.as_ref().err().copied().unwrap_or(0));
        to.i64(end).i64(end).i64(0).null().i32(-1);
        match (found, &wanted.partition) {
            (Ok(found), Some(partition)) => {
                to.length(found.length);
                if at + 1 == parked.wanted.len() && found.length > COPY_BYTES_MAX {
                    let file = Arc::clone(&partition.file);
                    region = Some(Region { file, position: found.position, length: found.length });
                    break;
                }
                let before = to.bytes.len();
                to.bytes.resize(before + found.length, 0);
                if pread(&partition.file, &mut to.bytes[before..], found.position)? != found.length {
                    return Err("the log file is shorter than its index".into());
                }
            }
            _ => {
                to.length(0);
            }
        }
        to.tags().tags();
    }
    let more = region.as_ref().map_or(0, |region| region.length + FETCH_TAIL.len());
    if region.is_none() {
        to.tags();
    }
    to.close(start, more);
    *output = to.bytes;
    Ok(region.map_or(Answer::Complete, Answer::Region))
}

impl Parked {
    /// Waits until there may be more to fetch. One partition is waited for by its `Notify`; several are looked at again soon.
    pub async fn wait(&mut self) {
        let soon = Instant::now() + Duration::from_millis(5);
        let mut wanted = self.wanted.iter();
        let (Some(Wanted { partition: Some(partition), offset, .. }), None) = (wanted.next(), wanted.next()) else {
            return tokio::time::sleep_until(soon.min(self.deadline)).await;
        };
        let moved = partition.moved.notified();
        tokio::pin!(moved);
        moved.as_mut().enable();
        if partition.end_offset() <= *offset {
            let _ = tokio::time::timeout_at(self.deadline, moved).await;
        }
    }
}
