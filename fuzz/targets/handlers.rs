//! Requests to a running broker, without a socket: what `server` hands to `api::dispatch`, and the answers.
//!
//! ```text
//! input := (row of the table, version, body)..      pieces; the header is written, but for its tagged fields, which are the body's
//! ```
//! Every answer is one of its API in its version, to the request that asked. The broker, with one topic of two partitions, outlives the
//! input; the topics do not. What would make very many folders is left out: it is slow, not wrong.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use klamm::api::outcome::Work;
use klamm::api::{Dispatched, Reply, Session, TABLE, dispatch};
use klamm::base::ids::TopicName;
use klamm::codec::{Chunk, Message, Reader, Writer};
use klamm::daemon::Daemon;
use klamm::meta::Image;
use klamm::meta::change::{self, MIN_INSYNC_REPLICAS};
use klamm::meta::record::Record;
use klamm::observe::loggers;
use klamm::settings::Settings;
use klamm::topics::NewTopic;
use klamm::wire::messages::create_partitions::CreatePartitionsRequest;
use klamm::wire::messages::create_topics::CreateTopicsRequest;
use klamm::wire::messages::metadata::MetadataRequest;
use klamm::wire::{ApiKey, RequestHeader};
use tokio::runtime::Runtime;

use super::Input;
use crate::bridge::{Row, rows};

const REQUESTS_MAX: usize = 8;
/// Topics and partitions that one request may make.
const MADE_MAX: i32 = 6;
/// How long an answer that waits for something is waited for: a fetch may wait as long as it says.
const WAIT: Duration = Duration::from_millis(3);
/// How long the next request would wait.
const IN_ORDER_WAIT: Duration = Duration::from_secs(10);
/// As the seeds name it.
const TOPIC: &str = "a";
/// Stands for the topic's id, which is another each time.
const TOPIC_ID: [u8; 16] = [7; 16];

pub fn run(bytes: &[u8]) {
    thread_local!(static HOUSE: House = House::new());
    HOUSE.with(|house| house.check(bytes));
}

struct House {
    runtime: Option<Runtime>,
    daemon: Option<Daemon>,
    folder: PathBuf,
    rows: Vec<Row>,
}

impl House {
    fn new() -> House {
        let folder = place().join(format!("klamm-fuzz-{}-{:?}", std::process::id(), std::thread::current().id()));
        let _ = fs::remove_dir_all(&folder);
        let data = folder.display().to_string();
        let settings = Settings::from_pairs(&[
            ("log.dirs", &data),
            ("listeners", "PLAINTEXT://127.0.0.1:0"),
            ("log.segment.delete.delay.ms", "0"),
            ("durability.mode", "os"),
        ]);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let daemon = runtime.block_on(Daemon::start(settings.expect("good settings"))).expect("a broker");
        let house = House { runtime: Some(runtime), daemon: Some(daemon), folder, rows: rows() };
        house.tidy();
        house
    }

    fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("it lives as long as the house")
    }

    fn daemon(&self) -> &Daemon {
        self.daemon.as_ref().expect("it lives as long as the house")
    }

    /// One topic, empty, and nothing else; no configuration but what a new cluster has, and no level of a logger's own.
    fn tidy(&self) {
        let registry = self.daemon().broker().registry.clone();
        let levels: Vec<_> = loggers::all().into_iter().filter(|(name, _)| name != loggers::ROOT).collect();
        loggers::set(&levels.into_iter().map(|(name, _)| (name, None)).collect::<Vec<_>>());
        self.runtime().block_on(async {
            registry.alter_configs(|image| (without_configs(image), ())).await.expect("configurations are removed");
            registry.delete_topics(registry.topics()).await.expect("topics are deleted");
            let name = TopicName::parse(TOPIC).expect("a legal name");
            let topic = NewTopic { partitions: Some(2), ..NewTopic::with_defaults(name) };
            registry.create_topic(topic).await.expect("a topic is made");
        });
    }

    fn check(&self, bytes: &[u8]) {
        let peer = "127.0.0.1:1".parse().expect("an address");
        let mut session = Session::new("PLAINTEXT".into(), Some(peer), peer);
        let mut input = Input::new(bytes);
        let mut changes = false;
        for number in 0..REQUESTS_MAX {
            if input.is_empty() {
                break;
            }
            let row = &TABLE[usize::from(input.byte()) % TABLE.len()];
            let (first, last) = row.served;
            let version = first + i16::from(input.byte()) % (last - first + 1);
            let body = input.piece();
            let correlation_id = i32::try_from(number).expect("few");
            if makes_many(row.key, version, body) {
                continue;
            }
            changes |= matches!(row.key, ApiKey::CreateTopics | ApiKey::DeleteTopics | ApiKey::CreatePartitions)
                || matches!(row.key, ApiKey::Produce | ApiKey::Metadata | ApiKey::DeleteRecords)
                || matches!(row.key, ApiKey::AlterConfigs | ApiKey::IncrementalAlterConfigs);
            if !self.request(&mut session, row.key, version, correlation_id, self.with_topic_id(body)) {
                break;
            }
        }
        if changes {
            self.tidy();
        }
    }

    fn with_topic_id(&self, body: &[u8]) -> Vec<u8> {
        let mut body = body.to_vec();
        if let Some(topic) = self.daemon().broker().registry.topic(TOPIC) {
            while let Some(at) = body.windows(TOPIC_ID.len()).position(|bytes| bytes == TOPIC_ID) {
                body[at..at + TOPIC_ID.len()].copy_from_slice(&topic.id().0);
            }
        }
        body
    }

    /// False if the connection closes.
    fn request(&self, session: &mut Session, key: ApiKey, version: i16, correlation_id: i32, body: Vec<u8>) -> bool {
        let index = self.rows.iter().position(|row| row.key == Some(key.as_i16())).expect("a row for every API");
        let mut w = Writer::new();
        let client_id = Some("fuzz".to_owned());
        RequestHeader { api_key: key.as_i16(), api_version: version, correlation_id, client_id }.encode(&mut w, false);
        let frame = Bytes::from([w.into_bytes().to_vec(), body].concat());
        let dispatched = self.runtime().block_on(async {
            let mut dispatched = dispatch(self.daemon().broker(), session, frame);
            loop {
                dispatched = match dispatched {
                    Dispatched::Heavy(work) | Dispatched::Then(work) => work(),
                    Dispatched::InOrder(work) => break settle(in_order(work).await).await,
                    Dispatched::Reply(reply) => break settle(reply).await,
                    Dispatched::Silent => break Some(None),
                    Dispatched::Close => break None,
                }
            }
        });
        let Some(answer) = dispatched else { return false };
        if let Some(chunks) = answer {
            self.check_answer(index, version, correlation_id, &chunks);
        }
        true
    }

    /// Length, header and body are what a client of that version reads.
    fn check_answer(&self, index: usize, version: i16, correlation_id: i32, chunks: &[Chunk]) {
        let mut frame = Vec::new();
        for chunk in chunks {
            match chunk {
                Chunk::Bytes(bytes) => frame.extend_from_slice(bytes),
                Chunk::Region(region) => frame.extend(region.read().expect("a disk that works")),
            }
        }
        let (request, answer) = (&self.rows[index], &self.rows[index + 1]);
        let (length, rest) = frame.split_first_chunk::<4>().expect("a length");
        assert_eq!(usize::try_from(i32::from_be_bytes(*length)), Ok(rest.len()), "{}", answer.name);
        let (id, body) = rest.split_first_chunk::<4>().expect("a correlation id");
        assert_eq!(i32::from_be_bytes(*id), correlation_id, "{}", answer.name);
        let tagged = version >= answer.flexible_from && request.key != Some(ApiKey::ApiVersions.as_i16());
        let body = if tagged { &body[1..] } else { body };
        let decoded = (answer.decode)(Bytes::copy_from_slice(body), version);
        decoded.unwrap_or_else(|error| panic!("{} v{version}: {error} in {body:?}", answer.name));
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if let (Some(runtime), Some(daemon)) = (self.runtime.take(), self.daemon.take()) {
            runtime.block_on(daemon.stop());
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// What takes every configuration away but the one that no cluster is without.
fn without_configs(image: &Image) -> Vec<Record> {
    let mut records = Vec::new();
    for (resource, values) in image.configured() {
        let names = values.keys().filter(|name| *name != MIN_INSYNC_REPLICAS);
        let changes: Vec<_> = names.map(|name| (name.clone(), None)).collect();
        records.extend(change::alter_configs(image, resource, &changes));
    }
    records
}

/// Memory where the system has such a place.
fn place() -> PathBuf {
    let shared = PathBuf::from("/dev/shm");
    if shared.is_dir() { shared } else { std::env::temp_dir() }
}

/// What the next request waits for. Twice, as the process itself may have been stopped meanwhile.
async fn in_order(mut work: Work<Reply>) -> Reply {
    for _ in 0..2 {
        if let Ok(reply) = tokio::time::timeout(IN_ORDER_WAIT, &mut work).await {
            return reply;
        }
    }
    panic!("a request holds up its connection");
}

/// Nothing if the connection closes; no answer if it waits for something.
async fn settle(mut reply: Reply) -> Option<Option<Vec<Chunk>>> {
    loop {
        reply = match reply {
            Reply::Ready(chunks) => return Some(Some(chunks)),
            Reply::Unsendable => return None,
            Reply::Waiting(work) => match tokio::time::timeout(WAIT, work).await {
                Ok(reply) => reply,
                Err(_) => return Some(None),
            },
        };
    }
}

fn decoded<M: Message>(body: &[u8], version: i16) -> Option<M> {
    // The header's tagged fields are part of the body here.
    let mut reader = Reader::new(Bytes::copy_from_slice(body));
    if version >= M::FLEXIBLE_FROM && RequestHeader::skip_tagged_fields(&mut reader).is_err() {
        return None;
    }
    M::decode(&mut reader, version).ok()
}

fn makes_many(key: ApiKey, version: i16, body: &[u8]) -> bool {
    let many = |count: usize| count > usize::try_from(MADE_MAX).unwrap_or(0);
    match key {
        ApiKey::CreateTopics => decoded::<CreateTopicsRequest>(body, version).is_some_and(|request| {
            let large =
                request.topics.iter().any(|topic| topic.num_partitions > MADE_MAX || many(topic.assignments.len()));
            large || many(request.topics.len())
        }),
        ApiKey::CreatePartitions => decoded::<CreatePartitionsRequest>(body, version)
            .is_some_and(|request| request.topics.iter().any(|topic| topic.count > MADE_MAX)),
        ApiKey::Metadata => {
            let topics = decoded::<MetadataRequest>(body, version).and_then(|request| request.topics);
            topics.is_some_and(|topics| many(topics.len()))
        }
        _ => false,
    }
}
