//! A broker in this process on a free port and a temporary folder, and a small blocking client that says exactly what it is told.
//!
//! With `KLAMM_TEST_REFERENCE=HOST:PORT` the tests that need no settings of their own talk to that broker instead: run them
//! against Apache Kafka to see whether they expect what Kafka does. Topics get names of their own, so a broker can be shared.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::path::Path;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use klamm::base::ids::{ProducerEpoch, ProducerId, Sequence, Uuid};
use klamm::codec::primitives::Records;
use klamm::codec::{Message, Reader};
use klamm::daemon::Daemon;
use klamm::record::batch::{BatchHeader, crc_matches};
use klamm::record::builder::{BatchBuilder, NewRecord};
use klamm::record::compression::{Codec, Compression};
use klamm::record::records;
use klamm::settings::{Given, Settings, Source};
use klamm::wire::messages::create_topics::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest, CreateTopicsResponse,
};
use klamm::wire::messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest};
use klamm::wire::messages::fetch::{FetchPartition, FetchPartitionResponse, FetchRequest, FetchTopic};
use klamm::wire::messages::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use klamm::wire::messages::produce::{ProducePartition, ProducePartitionResponse, ProduceRequest, ProduceTopic};
use klamm::wire::{Request, ResponseHeader, frame};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// How long a test waits for what must come.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A name for everything a test asks a broker of; 12 is the last version of Produce and Fetch that names topics.
pub const BY_NAME: i16 = 12;

const BROKER_THREAD: &str = "broker-thread";

static PANICS: AtomicU32 = AtomicU32::new(0);

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    // A panic of a connection's task looks like a closed connection from outside: it is counted here.
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().name() == Some(BROKER_THREAD) {
            PANICS.fetch_add(1, Ordering::Relaxed);
        }
        before(panic);
    }));
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).max_blocking_threads(32).thread_name(BROKER_THREAD).enable_all();
    builder.build().expect("a runtime")
});

/// How often a thread of any broker in this process panicked.
pub fn panics() -> u32 {
    PANICS.load(Ordering::Relaxed)
}

static SHARED: LazyLock<Rig> = LazyLock::new(|| Rig::with(&[]));

/// A running broker that ends with its owner.
pub struct Rig {
    daemon: Option<Daemon>,
    folder: TempDir,
    settings: Vec<(String, String)>,
    address: SocketAddr,
}

impl Rig {
    /// A broker of the test's own, with these settings over quick ones.
    pub fn with(settings: &[(&str, &str)]) -> Rig {
        Rig::begin(tempfile::tempdir().expect("a temporary folder"), settings)
    }

    /// A broker on a folder that another one left, which has `data` in it.
    pub fn on(folder: TempDir) -> Rig {
        Rig::begin(folder, &[])
    }

    fn begin(folder: TempDir, settings: &[(&str, &str)]) -> Rig {
        let path = folder.path().join("data").display().to_string();
        let quick = [("log.dirs", path.as_str()), ("listeners", "PLAINTEXT://127.0.0.1:0"), ("durability.mode", "os")];
        let settings: Vec<_> = quick.iter().chain(settings).map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let mut rig = Rig { daemon: None, folder, settings, address: ([127, 0, 0, 1], 0).into() };
        rig.start();
        rig
    }

    fn start(&mut self) {
        // As from the environment: on a command line there may be no secrets.
        let given = self.settings.iter().map(|(name, value)| Given {
            name: name.clone(),
            value: value.clone(),
            source: Source::Environment { variable: name.clone() },
        });
        let settings = Settings::build(given.collect(), Vec::new()).expect("legal settings");
        let daemon = RUNTIME.block_on(Daemon::start(settings)).expect("the broker starts");
        self.address = daemon.addresses()[0];
        self.daemon = Some(daemon);
    }

    /// Stops cleanly and starts again on the same folder.
    pub fn restart(&mut self) {
        self.stop();
        self.start();
    }

    pub fn stop(&mut self) {
        let daemon = self.daemon.take().expect("a running broker");
        assert!(RUNTIME.block_on(daemon.stop()), "the stop is clean");
    }

    pub fn broker(&self) -> &klamm::api::Broker {
        self.daemon.as_ref().expect("a running broker").broker()
    }

    pub fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    pub fn client(&self) -> Client {
        Client::connect(self.address)
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if let Some(daemon) = self.daemon.take()
            && !std::thread::panicking()
        {
            RUNTIME.block_on(daemon.stop());
        }
    }
}

/// The address of the broker that tests without settings of their own share.
pub fn shared_address() -> SocketAddr {
    match std::env::var("KLAMM_TEST_REFERENCE") {
        Ok(reference) => reference.to_socket_addrs().expect("HOST:PORT").next().expect("an address"),
        Err(_) => SHARED.address,
    }
}

/// True if the shared broker is another one than ours: what only we do is not to be tested then.
pub fn is_reference() -> bool {
    std::env::var_os("KLAMM_TEST_REFERENCE").is_some()
}

/// A client of the shared broker.
pub fn client() -> Client {
    Client::connect(shared_address())
}

/// A topic name that nobody else uses.
pub fn fresh(what: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    format!("{what}-{}-{}", since.as_micros(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Polls until `probe` yields something.
pub fn until<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} did not happen within {PATIENCE:?}");
        std::thread::yield_now();
    }
}

/// A connection.
pub struct Client {
    stream: TcpStream,
    correlation: i32,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).expect("the broker accepts");
        stream.set_nodelay(true).expect("an open socket");
        stream.set_read_timeout(Some(PATIENCE)).expect("an open socket");
        stream.set_write_timeout(Some(PATIENCE)).expect("an open socket");
        Client { stream, correlation: 0 }
    }

    /// Where the broker listens.
    pub fn address(&self) -> SocketAddr {
        self.stream.peer_addr().expect("an open socket")
    }

    /// Asks and waits for the answer.
    pub fn call<R: Request>(&mut self, request: &R, version: i16) -> R::Response {
        let correlation = self.send(request, version);
        self.receive::<R>(correlation, version)
    }

    /// Asks; returns the correlation id.
    pub fn send<R: Request>(&mut self, request: &R, version: i16) -> i32 {
        self.correlation += 1;
        let frame = frame::request(request, version, self.correlation, Some("klamm-tests"));
        self.raw(&frame);
        self.correlation
    }

    /// Reads the next answer, which must be that of `correlation`, and nothing but it in its frame.
    pub fn receive<R: Request>(&mut self, correlation: i32, version: i16) -> R::Response {
        let bytes = self.frame().expect("an answer, not the end of the connection");
        decode::<R>(bytes, correlation, version)
    }

    pub fn raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the broker reads");
    }

    /// The next frame without its length; `None` if the broker closed the connection.
    pub fn frame(&mut self) -> Option<Bytes> {
        let mut length = [0; 4];
        if !self.fill(&mut length) {
            return None;
        }
        let length = usize::try_from(i32::from_be_bytes(length)).expect("a length");
        let mut body = vec![0; length];
        assert!(self.fill(&mut body) || length == 0, "a whole frame");
        Some(body.into())
    }

    fn fill(&mut self, buffer: &mut [u8]) -> bool {
        match self.stream.read_exact(buffer) {
            Ok(()) => true,
            Err(error) if matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) => false,
            Err(error) => panic!("read from the broker: {error}"),
        }
    }

    /// The broker closed the connection without another answer.
    #[track_caller]
    pub fn expect_closed(&mut self) {
        assert_eq!(self.frame(), None, "the connection is to be closed");
    }

    /// Creates a topic that must come into being; returns its id.
    #[track_caller]
    pub fn create(&mut self, name: &str, partitions: i32, configs: &[(&str, &str)]) -> Uuid {
        let response = self.try_create(name, partitions, configs);
        let topic = &response.topics[0];
        assert_eq!(topic.error_code.0, 0, "{name}: {:?}", topic.error_message);
        let id = topic.topic_id;
        if is_reference() {
            // Kafka answers before the partitions are led.
            let mut is_led = |index| {
                let response = self.call(&list_offsets_request(name, &[(index, -1)]), 7);
                response.topics[0].partitions[0].error_code.0 == 0
            };
            until("the leader of each partition", || (0..partitions).all(&mut is_led).then_some(()));
        }
        id
    }

    /// Deletes a topic that must be there.
    #[track_caller]
    pub fn delete(&mut self, name: &str) {
        let topics = vec![DeleteTopicState { name: Some(name.to_owned()), ..Default::default() }];
        let response = self.call(&DeleteTopicsRequest { topics, timeout_ms: 15_000, ..Default::default() }, 6);
        assert_eq!(response.responses[0].error_code.0, 0);
    }

    pub fn try_create(&mut self, name: &str, partitions: i32, configs: &[(&str, &str)]) -> CreateTopicsResponse {
        let config = |(name, value): &(&str, &str)| CreatableTopicConfig {
            name: (*name).to_owned(),
            value: Some((*value).to_owned()),
        };
        let topic = CreatableTopic {
            name: name.to_owned(),
            num_partitions: partitions,
            replication_factor: -1,
            configs: configs.iter().map(config).collect(),
            ..Default::default()
        };
        self.call(&CreateTopicsRequest { topics: vec![topic], ..Default::default() }, 7)
    }

    /// Produces to one partition with acks=all.
    pub fn produce(&mut self, topic: &str, partition: i32, records: impl Into<Bytes>) -> ProducePartitionResponse {
        let response = self.call(&produce_request(topic, partition, -1, records.into()), BY_NAME);
        response.responses.into_iter().next().expect("a topic").partition_responses.remove(0)
    }

    /// Produces what must be accepted; returns its base offset.
    #[track_caller]
    pub fn append(&mut self, topic: &str, partition: i32, records: impl Into<Bytes>) -> i64 {
        let row = self.produce(topic, partition, records);
        assert_eq!(row.error_code.0, 0, "{:?}", row.error_message);
        row.base_offset
    }

    /// Fetches from one partition without waiting.
    pub fn fetch(&mut self, topic: &str, partition: i32, offset: i64) -> FetchPartitionResponse {
        let response = self.call(&fetch_request(topic, &[(partition, offset)]), BY_NAME);
        assert_eq!(response.error_code.0, 0);
        response.responses.into_iter().next().expect("a topic").partitions.remove(0)
    }
}

/// Decodes an answer with nothing behind it.
#[track_caller]
pub fn decode<R: Request>(bytes: Bytes, correlation: i32, version: i16) -> R::Response {
    let mut reader = Reader::new(bytes);
    let flexible = ResponseHeader::is_flexible(R::KEY, R::Response::version(version));
    let header = ResponseHeader::decode(&mut reader, flexible).expect("a header");
    assert_eq!(header.correlation_id, correlation, "answers come in the order of requests");
    let response = R::Response::decode(&mut reader, version).expect("a well-formed answer");
    reader.finish().expect("nothing behind the answer");
    response
}

/// A batch for one partition, by name.
pub fn produce_request(topic: &str, partition: i32, acks: i16, records: Bytes) -> ProduceRequest {
    ProduceRequest {
        transactional_id: None,
        acks,
        timeout_ms: 10_000,
        topic_data: vec![ProduceTopic {
            name: topic.to_owned(),
            partition_data: vec![ProducePartition { index: partition, records: Some(records) }],
            ..Default::default()
        }],
    }
}

/// A fetch outside of sessions that does not wait, by name.
pub fn fetch_request(topic: &str, partitions: &[(i32, i64)]) -> FetchRequest {
    let partition = |(partition, offset): &(i32, i64)| FetchPartition {
        partition: *partition,
        fetch_offset: *offset,
        partition_max_bytes: 1 << 20,
        ..Default::default()
    };
    FetchRequest {
        max_wait_ms: 0,
        min_bytes: 0,
        topics: vec![FetchTopic {
            topic: topic.to_owned(),
            partitions: partitions.iter().map(partition).collect(),
            ..Default::default()
        }],
        ..Default::default()
    }
}

/// A question to each partition: index and timestamp.
pub fn list_offsets_request(topic: &str, partitions: &[(i32, i64)]) -> ListOffsetsRequest {
    let partition = |(partition_index, timestamp): &(i32, i64)| ListOffsetsPartition {
        partition_index: *partition_index,
        timestamp: *timestamp,
        ..Default::default()
    };
    let partitions = partitions.iter().map(partition).collect();
    let topics = vec![ListOffsetsTopic { name: topic.to_owned(), partitions }];
    ListOffsetsRequest { replica_id: -1, topics, ..Default::default() }
}

/// A plain batch of keyless records.
pub fn batch(values: &[&str]) -> Bytes {
    coded(Codec::None, values)
}

/// A batch in a codec; timestamps are now.
pub fn coded(codec: Codec, values: &[&str]) -> Bytes {
    let mut builder = BatchBuilder::new(Compression::of(codec));
    for value in values {
        builder.append(&NewRecord { timestamp: now(), value: Some(value.as_bytes()), ..Default::default() });
    }
    builder.build().to_bytes(klamm::base::ids::Offset(0), klamm::base::ids::LeaderEpoch(-1))
}

/// A batch of records with these timestamps.
pub fn timed(timestamps: &[i64]) -> Bytes {
    let mut builder = BatchBuilder::new(Compression::NONE);
    for timestamp in timestamps {
        builder.append(&NewRecord { timestamp: *timestamp, value: Some(b"v"), ..Default::default() });
    }
    builder.build().to_bytes(klamm::base::ids::Offset(0), klamm::base::ids::LeaderEpoch(-1))
}

/// A batch of an idempotent producer.
pub fn sequenced(producer: i64, epoch: i16, sequence: i32, values: &[&str]) -> Bytes {
    let mut builder =
        BatchBuilder::new(Compression::NONE).producer(ProducerId(producer), ProducerEpoch(epoch), Sequence(sequence));
    for value in values {
        builder.append(&NewRecord { timestamp: now(), value: Some(value.as_bytes()), ..Default::default() });
    }
    builder.build().to_bytes(klamm::base::ids::Offset(0), klamm::base::ids::LeaderEpoch(-1))
}

/// Wall time in milliseconds.
pub fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_millis()).expect("before the year 292 million")
}

/// A record that was fetched.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fetched {
    pub offset: i64,
    pub timestamp: i64,
    pub value: String,
}

/// The bytes of an answer's records, which are never null.
#[track_caller]
pub fn bytes_of(records: &Records) -> Bytes {
    match records {
        Records::Bytes(bytes) => bytes.clone(),
        other => panic!("records are bytes, not {other:?}"),
    }
}

/// The batch headers in an answer, each CRC checked.
#[track_caller]
pub fn headers(records: &Records) -> Vec<BatchHeader> {
    let mut rest = bytes_of(records);
    let mut found = Vec::new();
    while !rest.is_empty() {
        let header = BatchHeader::parse(&rest).expect("a batch header");
        assert!(rest.len() >= header.size_bytes, "whole batches only");
        let one = rest.split_to(header.size_bytes);
        assert!(crc_matches(&one), "the CRC of the batch at {:?}", header.base_offset);
        found.push(header);
    }
    found
}

/// Every record of an answer.
#[track_caller]
pub fn records_of(records: &Records) -> Vec<Fetched> {
    let mut rest = bytes_of(records);
    let mut found = Vec::new();
    for header in headers(records) {
        let one = rest.split_to(header.size_bytes);
        let plain = records::decode(&header, &one.slice(61..), 1 << 26).expect("a codec's stream");
        for record in records::iterate(&header, &plain) {
            let record = record.expect("a record");
            let value = String::from_utf8_lossy(record.value.unwrap_or_default()).into_owned();
            found.push(Fetched { offset: record.offset.0, timestamp: record.timestamp, value });
        }
    }
    found
}

/// The values of every record of an answer.
#[track_caller]
pub fn values(records: &Records) -> Vec<String> {
    records_of(records).into_iter().map(|record| record.value).collect()
}

/// Names of the files of a folder that end with `suffix`.
pub fn files(folder: &Path, suffix: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("the folder");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| name.ends_with(suffix));
    names.sort_unstable();
    names
}
