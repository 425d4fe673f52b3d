//! Fetch (key 1), versions 4-18.
//!
//! Behavior: records are sent as they lie in the log, up to the high watermark, or the last stable offset for read_committed. A fetch
//! that finds less than `min_bytes` waits until enough has come or `max_wait_ms` is over. `max_bytes` bounds the whole answer and
//! `partition_max_bytes` each partition, but the first batch is always sent whole (KIP-74). Followers do not exist here: replica
//! ids are ignored.
//!
//! Version notes: v7: incremental sessions (KIP-227). v9: leader epoch checked (KIP-320). v12: diverging epoch told instead of an
//! offset out of range (KIP-595). v13: topics by id (KIP-516).
//!
//! Reference: Kafka `KafkaApis.handleFetchRequest`, `ReplicaManager.readFromLog`, `DelayedFetch`.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::block_in_place;

use super::{Broker, Call, Outcome, errors};
use crate::base::ids::{LeaderEpoch, Offset, Uuid};
use crate::log::Upper;
use crate::log::txn_index::AbortedTxn;
use crate::topics::{Partition, Seat, Waiter};
use crate::wire::{ErrorCode, Records};
use crate::wire::messages::fetch::{
    AbortedTransaction, FetchEpochEnd, FetchFacts, FetchPartitionResponse, FetchRequest, FetchResponse, FetchTopic,
    FetchTopicResponse,
};

pub mod sessions;

use sessions::Membership;

/// How a request names a topic.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum TopicRef {
    Name(Arc<str>),
    Id(Uuid),
}

impl TopicRef {
    fn new(name: &str, id: Uuid, by_id: bool) -> TopicRef {
        if by_id { TopicRef::Id(id) } else { TopicRef::Name(name.into()) }
    }
}

/// One partition of a fetch.
#[derive(Clone, Debug)]
pub struct Want {
    pub topic: TopicRef,
    pub partition: i32,
    offset: Offset,
    max_bytes: usize,
    leader_epoch: LeaderEpoch,
    last_fetched_epoch: LeaderEpoch,
}

/// What one partition is answered.
pub struct Row {
    pub want: Want,
    pub error: ErrorCode,
    pub high_watermark: i64,
    pub log_start: i64,
    pub records: Records,
    pub diverging: Option<(LeaderEpoch, Offset)>,
    last_stable: i64,
    aborted: Option<Vec<AbortedTransaction>>,
}

/// The terms of a fetch, whatever it waits for.
struct Terms {
    min_bytes: usize,
    max_bytes: usize,
    read_committed: bool,
    by_id: bool,
}

/// One look at all partitions of a fetch.
struct Look {
    rows: Vec<Row>,
    bytes: usize,
    /// Partitions that do not exist. Like Kafka, a fetch that has others too waits for those: a consumer of a deleted topic
    /// would otherwise ask again and again without a pause.
    missing: usize,
    /// Any other error and a diverging epoch are told at once, and so is everything when the broker stops.
    urgent: bool,
}

pub fn handle(call: Call<'_>, request: FetchRequest, facts: FetchFacts) -> Outcome<FetchResponse> {
    let broker = call.broker;
    let max_bytes = usize::try_from(request.max_bytes).unwrap_or(0).min(broker.limits.fetch_bytes_max);
    let terms = Terms {
        // More than it takes is not waited for.
        min_bytes: usize::try_from(request.min_bytes).unwrap_or(0).min(max_bytes),
        max_bytes,
        read_committed: request.isolation_level == 1,
        by_id: facts.topics_by_id,
    };
    let max_wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
    let (wants, membership) = match broker.fetch_sessions.enter(request, facts.topics_by_id) {
        Ok(entered) => entered,
        Err(error) => return Outcome::Now(FetchResponse { error_code: error, ..FetchResponse::default() }),
    };
    let look = look(broker, &wants, &terms);
    if look.urgent || look.bytes >= terms.min_bytes || max_wait.is_zero() || look.missing == wants.len() {
        return Outcome::Now(answer(broker, look, membership, &terms));
    }
    let missing_partitions = look.missing;
    let unknown = look.unknown();
    let seen = look.bytes;
    let missing = terms.min_bytes - seen;
    drop(look);
    let broker = Arc::clone(broker);
    // From now on, and not from when the answers before this one have left.
    let deadline = tokio::time::Instant::now() + max_wait;
    Outcome::Later(Box::pin(async move {
        let parked = Parked::new(&broker, &wants, missing);
        // What came between the first look and the registration is found by a second look.
        let mut look = self::look(&broker, &wants, &terms);
        // Counted twice what came just after the registration, the loop looks again.
        parked.waiter.subtract(i64::try_from(look.bytes.saturating_sub(seen)).unwrap_or(i64::MAX));
        let mut parked = Some(parked);
        while !look.urgent && look.bytes < terms.min_bytes && look.missing <= missing_partitions {
            let Some(waiting) = &parked else { break };
            if tokio::time::timeout_at(deadline, waiting.waiter.wait()).await.is_err() {
                parked = None;
            } else {
                parked = Some(Parked::new(&broker, &wants, terms.min_bytes.saturating_sub(look.bytes).max(1)));
            }
            look = self::look(&broker, &wants, &terms);
        }
        drop(parked);
        look.tell_deleted(&unknown);
        answer(&broker, look, membership, &terms)
    }))
}

/// A fetch's place among the waiters of its partitions; gives it up when dropped.
struct Parked {
    waiter: Arc<Waiter>,
    partitions: Vec<(Arc<Partition>, Seat)>,
}

impl Parked {
    fn new(broker: &Broker, wants: &[Want], missing: usize) -> Parked {
        let waiter = Waiter::new(i64::try_from(missing).unwrap_or(i64::MAX));
        let found = wants.iter().filter_map(|want| find(broker, want).ok());
        let partitions = found.map(|partition| (partition.waiters().add_fetch(&waiter), partition));
        let partitions = partitions.map(|(seat, partition)| (partition, seat)).collect();
        Parked { waiter, partitions }
    }
}

impl Drop for Parked {
    fn drop(&mut self) {
        for (partition, seat) in &self.partitions {
            partition.waiters().remove(*seat, &self.waiter);
        }
    }
}

fn wants(topics: Vec<FetchTopic>, by_id: bool) -> Vec<Want> {
    let mut wants = Vec::with_capacity(topics.iter().map(|topic| topic.partitions.len()).sum());
    for topic in topics {
        let reference = TopicRef::new(&topic.topic, topic.topic_id, by_id);
        wants.extend(topic.partitions.into_iter().map(|partition| Want {
            topic: reference.clone(),
            partition: partition.partition,
            offset: Offset(partition.fetch_offset),
            max_bytes: usize::try_from(partition.partition_max_bytes).unwrap_or(0),
            leader_epoch: LeaderEpoch(partition.current_leader_epoch),
            last_fetched_epoch: LeaderEpoch(partition.last_fetched_epoch),
        }));
    }
    wants
}

fn find(broker: &Broker, want: &Want) -> Result<Arc<Partition>, ErrorCode> {
    let topic = match &want.topic {
        TopicRef::Name(name) => broker.registry.topic(name).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?,
        TopicRef::Id(id) => broker.registry.topic_by_id(id).ok_or(ErrorCode::UNKNOWN_TOPIC_ID)?,
    };
    topic.partition(want.partition).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
}

fn look(broker: &Broker, wants: &[Want], terms: &Terms) -> Look {
    let urgent = broker.stopping.load(Ordering::Relaxed);
    let mut look = Look { rows: Vec::with_capacity(wants.len()), bytes: 0, missing: 0, urgent };
    for (at, want) in wants.iter().enumerate() {
        let found = find(broker, want);
        let limit = want.max_bytes.min(terms.max_bytes.saturating_sub(look.bytes));
        if found.as_ref().is_ok_and(|partition| !partition.reader().is_at_hand(want.offset, limit)) {
            // Finding old batches reads the disk: the worker's other tasks move elsewhere meanwhile.
            block_in_place(|| wants.iter().skip(at).for_each(|want| look.add(want, find(broker, want), terms)));
            break;
        }
        look.add(want, found, terms);
    }
    look
}

impl Look {
    /// The places of those whose topic has an id that nobody knows.
    fn unknown(&self) -> Vec<usize> {
        let rows = self.rows.iter().enumerate();
        rows.filter(|(_, row)| row.error == ErrorCode::UNKNOWN_TOPIC_ID).map(|(at, _)| at).collect()
    }

    /// A topic that is deleted while its fetch waits was known by its id: as from Kafka, it is the partition that is gone.
    fn tell_deleted(&mut self, unknown: &[usize]) {
        for at in self.unknown() {
            if let (Some(row), Err(_)) = (self.rows.get_mut(at), unknown.binary_search(&at)) {
                row.error = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
            }
        }
    }

    fn add(&mut self, want: &Want, found: Result<Arc<Partition>, ErrorCode>, terms: &Terms) {
        let row = match found {
            Ok(partition) => {
                let left = terms.max_bytes.saturating_sub(self.bytes);
                let row = read(&partition, want, left, self.bytes == 0, terms.read_committed);
                let row = row.unwrap_or_else(|error| failed(want, error));
                self.urgent |= row.error != ErrorCode::NONE || row.diverging.is_some();
                row
            }
            Err(error) => {
                self.missing += 1;
                // Kafka's rows differ so.
                Row { aborted: Some(Vec::new()), ..failed(want, error) }
            }
        };
        self.bytes += row.records.len();
        self.rows.push(row);
    }
}

fn failed(want: &Want, error: ErrorCode) -> Row {
    Row {
        want: want.clone(),
        error,
        high_watermark: -1,
        log_start: -1,
        records: Records::EMPTY,
        diverging: None,
        last_stable: -1,
        aborted: None,
    }
}

fn read(
    partition: &Partition,
    want: &Want,
    bytes_left: usize,
    whole_batch: bool,
    read_committed: bool,
) -> Result<Row, ErrorCode> {
    partition.check_leader_epoch(want.leader_epoch).map_err(errors::of_epoch)?;
    let reader = partition.reader();
    let (log_start, high_watermark, last_stable) =
        (reader.log_start(), reader.high_watermark(), reader.last_stable_offset());
    let mut row = Row {
        want: want.clone(),
        error: ErrorCode::NONE,
        high_watermark: high_watermark.0,
        log_start: log_start.0,
        records: Records::EMPTY,
        diverging: None,
        last_stable: last_stable.0,
        aborted: read_committed.then(Vec::new),
    };
    if want.last_fetched_epoch >= LeaderEpoch(0) {
        let known = partition.end_of_epoch(want.last_fetched_epoch);
        let (epoch, end) = known.ok_or(ErrorCode::OFFSET_OUT_OF_RANGE)?;
        if epoch < want.last_fetched_epoch || end < want.offset {
            row.diverging = Some((epoch, end));
            return Ok(row);
        }
    }
    let upper = if read_committed { Upper::LastStable } else { Upper::HighWatermark };
    let limit = want.max_bytes.min(bytes_left);
    let slice = reader.read(want.offset, upper, limit, whole_batch).map_err(|error| errors::of_read(&error))?;
    if slice.region.length > 0 {
        if read_committed {
            let aborted = reader.aborted(want.offset, slice.end).map_err(|error| errors::of_read(&error))?;
            row.aborted = Some(aborted.into_iter().map(aborted_row).collect());
        }
        row.records = Records::Region(slice.region);
    }
    Ok(row)
}

fn aborted_row(aborted: AbortedTxn) -> AbortedTransaction {
    AbortedTransaction { producer_id: aborted.producer_id.0, first_offset: aborted.first_offset.0 }
}

fn answer(broker: &Broker, look: Look, membership: Membership, terms: &Terms) -> FetchResponse {
    let (session_id, rows) = match broker.fetch_sessions.leave(membership, look.rows, terms.by_id) {
        Ok(left) => left,
        Err((error_code, session_id)) => return FetchResponse { error_code, session_id, ..FetchResponse::default() },
    };
    broker.metrics.fetch_bytes.add(look.bytes as u64);
    let mut response = FetchResponse { session_id, ..FetchResponse::default() };
    let mut last: Option<TopicRef> = None;
    for row in rows {
        if last.as_ref() != Some(&row.want.topic) {
            let mut topic = FetchTopicResponse::default();
            match &row.want.topic {
                TopicRef::Name(name) => topic.topic = name.to_string(),
                TopicRef::Id(id) => topic.topic_id = *id,
            }
            response.responses.push(topic);
            last = Some(row.want.topic.clone());
        }
        if let Some(topic) = response.responses.last_mut() {
            topic.partitions.push(partition_row(row));
        }
    }
    response
}

fn partition_row(row: Row) -> FetchPartitionResponse {
    let mut response = FetchPartitionResponse {
        partition_index: row.want.partition,
        error_code: row.error,
        high_watermark: row.high_watermark,
        last_stable_offset: row.last_stable,
        log_start_offset: row.log_start,
        aborted_transactions: row.aborted,
        records: row.records,
        ..FetchPartitionResponse::default()
    };
    if let Some((epoch, end)) = row.diverging {
        response.diverging_epoch = FetchEpochEnd { epoch: epoch.0, end_offset: end.0 };
    }
    response
}
