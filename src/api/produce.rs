//! Produce (key 0), versions 3-13; 0-2 are advertised and refused, as by Kafka 4.
//!
//! Behavior: each partition's records are one batch, validated and appended at once, in request order. With acks=1 and acks=all the
//! answer leaves when the high watermark has passed all batches (decision D4); the next request of the connection starts meanwhile.
//! With acks=0 there is no answer; an error then closes the connection, which is the only way to tell the client. Transactional
//! batches are refused until there are transactions.
//!
//! Version notes: v7: zstd allowed (KIP-110). v8: errors of single records told (KIP-467). v10: current leader told (KIP-951).
//! v12: adds its partitions to the transaction (KIP-890). v13: topics by id (KIP-516).
//!
//! Reference: Kafka `KafkaApis.handleProduceRequest`, `ReplicaManager.appendRecords`.

use std::sync::Arc;
use std::time::Duration;

use super::{Broker, Call, Outcome, errors};
use crate::base::ids::Offset;
use crate::base::limits;
use crate::record::batch::ValidBatch;
use crate::record::validate::{BatchFault, Refusal, validate};
use crate::topics::{Acks, Partition, Seat, Waiter};
use crate::wire::ErrorCode;
use crate::wire::messages::produce::{
    ProduceFacts, ProducePartition, ProducePartitionResponse, ProduceRecordError, ProduceRequest, ProduceResponse,
    ProduceTopic, ProduceTopicResponse,
};

/// What the request says of every batch.
#[derive(Clone, Copy)]
struct Terms {
    acks: Acks,
    zstd_allowed: bool,
}

/// A batch whose answer may have to wait.
struct Appended {
    partition: Arc<Partition>,
    /// The answer leaves when the high watermark is here.
    end: Offset,
    /// Where the batch's row stands in the answer.
    topic: usize,
    row: usize,
}

pub fn handle(call: Call<'_>, request: ProduceRequest, facts: ProduceFacts) -> Outcome<ProduceResponse> {
    let broker = call.broker;
    match Weight::of(broker, &request, facts) {
        Weight::Light => execute(broker, request, facts, Vec::new()),
        Weight::Compressed(bound) => match judge(broker, &request, facts, Some(bound)) {
            Some(verdicts) => execute(broker, request, facts, verdicts),
            None => judged_elsewhere(broker, request, facts),
        },
        Weight::Heavy => judged_elsewhere(broker, request, facts),
    }
}

/// What it may take to judge a request's batches.
enum Weight {
    /// Nothing is compressed, and all of it is not much.
    Light,
    /// Some of it is, and may come to this many bytes a batch in place, or to four times its own size.
    Compressed(usize),
    Heavy,
}

impl Weight {
    fn of(broker: &Broker, request: &ProduceRequest, facts: ProduceFacts) -> Weight {
        let (mut all, mut compressed, mut batches) = (0usize, 0usize, 0usize);
        for topic in &request.topic_data {
            let mut is_read = None;
            for records in topic.partition_data.iter().filter_map(|data| data.records.as_ref()) {
                all += records.len();
                let reads = || find(broker, topic, facts).is_ok_and(|topic| !topic.passes_compressed());
                if is_compressed(records) && *is_read.get_or_insert_with(reads) {
                    compressed += records.len();
                    batches += 1;
                }
            }
        }
        if all > limits::PRODUCE_IN_PLACE_BYTES_MAX || compressed > limits::COMPRESSED_IN_PLACE_BYTES_MAX {
            return Weight::Heavy;
        }
        match limits::DECOMPRESSED_IN_PLACE_BYTES_MAX.checked_div(batches) {
            None => Weight::Light,
            Some(bound) => Weight::Compressed(bound),
        }
    }
}

/// A batch as it was judged before the request is executed, or nothing where there was no partition.
type Verdict = Option<Result<ValidBatch, Refusal>>;

/// Judges the batches of a request, one after the other, before any of them is appended. `None` if one of them comes to more than
/// `bound` bytes.
fn judge(broker: &Broker, request: &ProduceRequest, facts: ProduceFacts, bound: Option<usize>) -> Option<Vec<Verdict>> {
    let now = broker.clock.wall();
    let mut verdicts = Vec::new();
    for topic in &request.topic_data {
        let found = find(broker, topic, facts).ok();
        for data in &topic.partition_data {
            let partition = found.as_ref().and_then(|topic| topic.partition(data.index));
            let verdict = partition.map(|partition| {
                let mut rules = partition.rules(now, facts.zstd_allowed);
                let bytes = data.records.clone().unwrap_or_default();
                let in_place = bound.map_or(usize::MAX, |bound| bound.max(4 * bytes.len()));
                rules.batch_decompressed_max_bytes = rules.batch_decompressed_max_bytes.min(in_place);
                validate(bytes, &rules)
            });
            if bound.is_some() && matches!(verdict, Some(Err(Refusal::Expands { .. }))) {
                return None;
            }
            verdicts.push(verdict);
        }
    }
    Some(verdicts)
}

/// Judges on a thread for heavy work and goes on in place: a thread of low priority must not hold a log's lock.
fn judged_elsewhere(broker: &Arc<Broker>, request: ProduceRequest, facts: ProduceFacts) -> Outcome<ProduceResponse> {
    let broker = Arc::clone(broker);
    Outcome::Heavy(Box::new(move || {
        let verdicts = judge(&broker, &request, facts, None).unwrap_or_default();
        Outcome::Then(Box::new(move || execute(&broker, request, facts, verdicts)))
    }))
}

/// Appends what is valid. `verdicts` are those of the partitions in the order of the request, or none.
fn execute(
    broker: &Broker,
    request: ProduceRequest,
    facts: ProduceFacts,
    verdicts: Vec<Verdict>,
) -> Outcome<ProduceResponse> {
    let mut verdicts = verdicts.into_iter();
    let acks = Acks::parse(request.acks);
    let mut response = ProduceResponse::default();
    let mut appended = Vec::new();
    for topic in request.topic_data {
        let found = acks.ok_or(ErrorCode::INVALID_REQUIRED_ACKS).and_then(|acks| {
            if request.transactional_id.is_some() {
                return Err(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
            }
            let terms = Terms { acks, zstd_allowed: facts.zstd_allowed };
            find(broker, &topic, facts).map(|found| (found, terms))
        });
        let mut answer =
            ProduceTopicResponse { name: topic.name, topic_id: topic.topic_id, ..Default::default() };
        for data in topic.partition_data {
            let verdict = verdicts.next().flatten();
            let row = match &found {
                Ok((topic, terms)) => match topic.partition(data.index) {
                    Some(partition) => {
                        let place = (response.responses.len(), answer.partition_responses.len());
                        append(broker, partition, (data, verdict), *terms, place, &mut appended)
                    }
                    None => refused(data.index, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
                },
                Err(error) => refused(data.index, *error),
            };
            answer.partition_responses.push(row);
        }
        response.responses.push(answer);
    }
    if acks == Some(Acks::None) {
        let rows = response.responses.iter().flat_map(|topic| &topic.partition_responses);
        return if rows.into_iter().any(|row| row.error_code != ErrorCode::NONE) { Outcome::Close } else { Outcome::Silent };
    }
    let timeout = Duration::from_millis(u64::try_from(request.timeout_ms).unwrap_or(0));
    acknowledge(response, appended, timeout)
}

fn find(broker: &Broker, topic: &ProduceTopic, facts: ProduceFacts) -> Result<Arc<crate::topics::Topic>, ErrorCode> {
    let found = if facts.topics_by_id {
        broker.registry.topic_by_id(&topic.topic_id).ok_or(ErrorCode::UNKNOWN_TOPIC_ID)?
    } else {
        broker.registry.topic(&topic.name).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?
    };
    if found.is_internal() { Err(ErrorCode::INVALID_TOPIC_EXCEPTION) } else { Ok(found) }
}

fn append(
    broker: &Broker,
    partition: Arc<Partition>,
    (data, verdict): (ProducePartition, Verdict),
    terms: Terms,
    place: (usize, usize),
    appended: &mut Vec<Appended>,
) -> ProducePartitionResponse {
    let index = data.index;
    let now = broker.clock.wall();
    let bytes = data.records.unwrap_or_default();
    let size = bytes.len();
    let validated = verdict.unwrap_or_else(|| validate(bytes, &partition.rules(now, terms.zstd_allowed)));
    let batch = match validated {
        Ok(batch) => batch,
        Err(refusal) => return refused_records(index, &partition, &refusal),
    };
    if batch.header().attributes.is_transactional() {
        // No coordinator would ever end the transaction, and the last stable offset would stand still.
        return refused(index, ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    }
    match partition.append(&batch, terms.acks, now) {
        Ok(done) => {
            broker.metrics.produce_bytes.add(size as u64);
            appended.push(Appended { partition, end: done.last_offset.plus(1), topic: place.0, row: place.1 });
            ProducePartitionResponse {
                index,
                base_offset: done.base_offset.0,
                log_append_time_ms: done.append_time,
                log_start_offset: done.log_start.0,
                ..Default::default()
            }
        }
        Err(error) => {
            let (code, message) = errors::of_append(&error);
            ProducePartitionResponse { error_message: message, ..refused(index, code) }
        }
    }
}

fn refused(index: i32, error_code: ErrorCode) -> ProducePartitionResponse {
    ProducePartitionResponse { index, error_code, base_offset: -1, ..Default::default() }
}

fn refused_records(index: i32, partition: &Partition, refusal: &Refusal) -> ProducePartitionResponse {
    let (code, message, records) = errors::of_refusal(refusal, partition);
    let record_errors = records
        .into_iter()
        .map(|(batch_index, message)| ProduceRecordError { batch_index, batch_index_error_message: Some(message) })
        .collect();
    // As Kafka: told by what its log refuses record by record, not by what fails before.
    let log_start_offset = match refusal {
        Refusal::InvalidBatch(BatchFault::NoBatch | BatchFault::SeveralBatches) => -1,
        Refusal::InvalidBatch(_) | Refusal::InvalidRecords(_) | Refusal::InvalidTimestamps(_) => {
            partition.reader().log_start().0
        }
        _ => -1,
    };
    ProducePartitionResponse { error_message: message, record_errors, log_start_offset, ..refused(index, code) }
}

/// Answers once every batch is behind its high watermark, or the time is over.
fn acknowledge(mut response: ProduceResponse, appended: Vec<Appended>, timeout: Duration) -> Outcome<ProduceResponse> {
    if appended.iter().all(|batch| batch.partition.is_acknowledged(batch.end)) {
        return Outcome::Now(response);
    }
    // From now on, and not from when the answers before this one have left.
    let deadline = tokio::time::Instant::now() + timeout;
    Outcome::Later(Box::pin(async move {
        let in_time = tokio::time::timeout_at(deadline, all_settled(&appended)).await.is_ok();
        for batch in appended.iter().filter(|batch| !batch.partition.is_acknowledged(batch.end)) {
            let error = match in_time {
                _ if batch.partition.is_deleted() => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                true => ErrorCode::KAFKA_STORAGE_ERROR,
                false => ErrorCode::REQUEST_TIMED_OUT,
            };
            let topic = response.responses.get_mut(batch.topic);
            if let Some(row) = topic.and_then(|topic| topic.partition_responses.get_mut(batch.row)) {
                *row = refused(row.index, error);
            }
        }
        response
    }))
}

/// Returns when no batch waits any more: each is acknowledged, or never will be.
async fn all_settled(batches: &[Appended]) {
    loop {
        let waiting: Vec<_> = batches.iter().filter(|batch| batch.partition.is_waiting(batch.end)).collect();
        if waiting.is_empty() {
            return;
        }
        let mut seated = Seated::new(waiting.len());
        for batch in &waiting {
            let seat = batch.partition.waiters().add_answer(&seated.waiter, batch.end);
            seated.seats.push((&batch.partition, seat));
            // Moved before it was registered: nobody else counts it. Counted twice, the loop looks again.
            if !batch.partition.is_waiting(batch.end) {
                seated.waiter.subtract(1);
            }
        }
        seated.waiter.wait().await;
    }
}

/// An answer's place among the waiters of its partitions; gives it up when dropped.
struct Seated<'a> {
    waiter: Arc<Waiter>,
    seats: Vec<(&'a Arc<Partition>, Seat)>,
}

impl Seated<'_> {
    fn new(count: usize) -> Self {
        Seated { waiter: Waiter::new(i64::try_from(count).unwrap_or(i64::MAX)), seats: Vec::with_capacity(count) }
    }
}

impl Drop for Seated<'_> {
    fn drop(&mut self) {
        for (partition, seat) in &self.seats {
            partition.waiters().remove(*seat, &self.waiter);
        }
    }
}

/// Whether a batch's attributes name a codec; nothing else of it is judged here.
fn is_compressed(bytes: &[u8]) -> bool {
    const ATTRIBUTES_LOW_BYTE: usize = 22;
    const CODEC_BITS: u8 = 7;
    bytes.get(ATTRIBUTES_LOW_BYTE).is_some_and(|attributes| attributes & CODEC_BITS != 0)
}
