//! The real binary as a process: its exit code, its log, its memory, its files. And a client that pipelines.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use klamm::base::disk::fault::Dice;
use klamm::base::ids::{LeaderEpoch, Offset};
use klamm::wire::messages::create_topics::{CreatableTopic, CreateTopicsRequest};
use klamm::wire::messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest};
use klamm::wire::messages::fetch::{FetchPartition, FetchRequest, FetchTopic};
use klamm::wire::messages::produce::{ProducePartition, ProduceRequest, ProduceTopic};
use klamm::wire::{ErrorCode, Message, Reader, Records, Request, ResponseHeader, frame};
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};

use crate::batches::{Remembered, Sent, batches_in, random_batch};

/// For a start, an answer, and whatever else must come.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How a broker is started.
pub struct Launch<'a> {
    pub data: &'a Path,
    pub listen: String,
    pub settings: &'a [&'a str],
    /// `ulimit -n`, if it is not to be the machine's.
    pub open_files: Option<u32>,
    /// `ulimit -Sn`: what it starts with and may raise.
    pub soft_open_files: Option<u32>,
    /// The binary that `KLAMM_BINARY` names, if it names one: for what measures.
    pub release: bool,
}

impl Launch<'_> {
    /// On a free port, with nothing set.
    pub fn on(data: &Path) -> Launch<'_> {
        Launch {
            data,
            listen: "127.0.0.1:0".to_owned(),
            settings: &[],
            open_files: None,
            soft_open_files: None,
            release: false,
        }
    }

    /// Starts it and waits until it serves.
    pub fn start(&self) -> Process {
        let mut process = self.spawn();
        let address = until("the broker is ready", || {
            let log = process.log();
            let ended = process.child.try_wait().expect("look at the broker");
            assert!(ended.is_none(), "the broker ended with {ended:?}\n{log}");
            let address = between(&log, "listeners=\"", "\"").and_then(|address| address.parse().ok());
            address.filter(|_| log.contains("ready in "))
        });
        process.address = Some(address);
        process
    }

    /// Starts it.
    pub fn spawn(&self) -> Process {
        static COUNT: Mutex<u32> = Mutex::new(0);
        let number = {
            let mut count = COUNT.lock().expect("no panic");
            *count += 1;
            *count
        };
        let log = std::env::temp_dir().join(format!("klamm-crash-{}-{number}.log", std::process::id()));
        let out = File::create(&log).expect("a log file");
        let named = std::env::var("KLAMM_BINARY").ok().filter(|_| self.release);
        let program = named.unwrap_or_else(|| env!("CARGO_BIN_EXE_klamm").to_owned());
        let limits = (self.open_files.map(|limit| ("-n", limit))).or(self.soft_open_files.map(|limit| ("-Sn", limit)));
        let mut command = match limits {
            None => Command::new(&program),
            Some((which, limit)) => {
                let mut shell = Command::new("sh");
                let script = format!("ulimit {which} {limit} && exec \"$0\" \"$@\"");
                shell.args(["-c", &script, &program]);
                shell
            }
        };
        command.arg("--data-dir").arg(self.data).args(["--listen", &self.listen, "--log-level", "info"]);
        for setting in self.settings {
            command.args(["--set", setting]);
        }
        command.stdin(Stdio::null()).stdout(out.try_clone().expect("a second handle")).stderr(out);
        Process { child: command.spawn().expect("start the broker"), log, address: None }
    }
}

/// A broker process that does not outlive the test.
pub struct Process {
    child: Child,
    log: PathBuf,
    address: Option<SocketAddr>,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- a broker's log\n{}", self.log());
        }
        let _ = std::fs::remove_file(&self.log);
    }
}

impl Process {
    pub fn address(&self) -> SocketAddr {
        self.address.expect("it was started with `start`")
    }

    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).expect("the log file")).into_owned()
    }

    /// Lines of the log at level ERROR.
    pub fn errors(&self) -> Vec<String> {
        self.log().lines().filter(|line| line.contains(" ERROR ")).map(str::to_owned).collect()
    }

    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(id, signal).expect("send a signal");
    }

    /// Waits for its end; the exit code, `None` after a signal.
    pub fn wait(&mut self, limit: Duration) -> Option<i32> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("look at the broker") {
                return status.code();
            }
            assert!(begun.elapsed() < limit, "the broker does not end\n{}", self.log());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("look at the broker").is_none()
    }

    /// What it said of its logs at the start: `recovered=.. strays=.. clean=..`.
    pub fn opened(&self) -> String {
        let log = self.log();
        log.lines().find(|line| line.contains("logs opened")).unwrap_or_default().to_owned()
    }

    /// `ready in N ms`.
    pub fn ready_ms(&self) -> u64 {
        between(&self.log(), "ready in ", " ms").and_then(|number| number.parse().ok()).expect("it is ready")
    }

    /// Memory in use, in KiB.
    pub fn rss_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("the broker lives");
        between(&status, "VmRSS:", "kB").and_then(|number| number.trim().parse().ok()).expect("a figure")
    }

    /// Files that the system has places for without making its table of them anew.
    pub fn places_for_files(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("the broker lives");
        between(&status, "FDSize:", "\n").and_then(|number| number.trim().parse().ok()).expect("a figure")
    }

    /// Open files.
    pub fn files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).expect("the broker lives").count()
    }

    pub fn connect(&self) -> TcpStream {
        connect(self.address())
    }
}

pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the broker accepts");
    stream.set_read_timeout(Some(PATIENCE)).expect("an open socket");
    stream.set_nodelay(true).expect("an open socket");
    stream
}

fn between(text: &str, before: &str, after: &str) -> Option<String> {
    let (_, rest) = text.split_once(before)?;
    Some(rest.split_once(after)?.0.to_owned())
}

/// Polls until `look` yields something.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Lets this process open as many files as the system allows; how many that is.
pub fn raise_open_files() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).expect("raise a soft limit");
    limit.maximum.unwrap_or(u64::MAX)
}

pub fn create(stream: &mut TcpStream, name: &str, partitions: i32) -> ErrorCode {
    let topic = CreatableTopic {
        name: name.to_owned(),
        num_partitions: partitions,
        replication_factor: 1,
        ..Default::default()
    };
    let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 30_000, ..Default::default() };
    call(stream, &request, 7).expect("an answer").topics[0].error_code
}

pub fn delete(stream: &mut TcpStream, name: &str) -> ErrorCode {
    let topics = vec![DeleteTopicState { name: Some(name.to_owned()), ..Default::default() }];
    let request = DeleteTopicsRequest { topics, timeout_ms: 30_000, ..Default::default() };
    call(stream, &request, 6).expect("an answer").responses[0].error_code
}

pub fn produce_request(topic: &str, partition: i32, sent: &Sent, acks: i16) -> ProduceRequest {
    let records = Some(sent.batch.to_bytes(Offset(0), LeaderEpoch(-1)));
    let partition_data = vec![ProducePartition { index: partition, records }];
    let topic = ProduceTopic { name: topic.to_owned(), partition_data, ..Default::default() };
    ProduceRequest { acks, timeout_ms: 10_000, topic_data: vec![topic], ..Default::default() }
}

/// Produces one batch; `Err` is what the broker said, or that it closed the connection.
pub fn produce(stream: &mut TcpStream, topic: &str, sent: &Sent, acks: i16) -> Result<i64, Option<ErrorCode>> {
    let answer = call(stream, &produce_request(topic, 0, sent, acks), 11).ok_or(None)?;
    let row = &answer.responses[0].partition_responses[0];
    if row.error_code == ErrorCode::NONE { Ok(row.base_offset) } else { Err(Some(row.error_code)) }
}

pub fn fetch_request(topic: &str, partition: i32, from: i64, max_wait_ms: i32) -> FetchRequest {
    let wanted = FetchPartition { partition, fetch_offset: from, partition_max_bytes: 1 << 20, ..Default::default() };
    let topic = FetchTopic { topic: topic.to_owned(), partitions: vec![wanted], ..Default::default() };
    FetchRequest { max_wait_ms, min_bytes: 1, topics: vec![topic], ..Default::default() }
}

/// Every record of a partition, which must lie at dense offsets.
pub fn read_all(stream: &mut TcpStream, topic: &str, partition: i32) -> Vec<Remembered> {
    let mut found: Vec<Remembered> = Vec::new();
    loop {
        let from = found.last().map_or(0, |record| record.offset + 1);
        let answer = call(stream, &fetch_request(topic, partition, from, 0), 11).expect("an answer");
        let row = &answer.responses[0].partitions[0];
        assert_eq!(row.error_code, ErrorCode::NONE, "fetch from {from}");
        let before = found.len();
        if let Records::Bytes(bytes) = &row.records {
            found.extend(batches_in(bytes).expect("valid batches").into_iter().flat_map(|(_, records)| records));
        }
        if found.len() == before {
            assert!((0..).zip(&found).all(|(offset, record)| record.offset == offset), "offsets are dense");
            return found;
        }
    }
}

/// Each acknowledged batch stands at its offset.
pub fn assert_there(found: &[Remembered], acknowledged: &[(i64, Sent)]) {
    for (base, sent) in acknowledged {
        let from = usize::try_from(*base).expect("an offset");
        let there = found.get(from..from + sent.records.len());
        assert!(there == Some(sent.at(*base).as_slice()), "the batch acknowledged at {base}");
    }
}

/// A producer with several requests under way.
pub struct Pipeline<'a> {
    pub topic: &'a str,
    pub partition: i32,
    pub window: usize,
}

impl Pipeline<'_> {
    /// Produces with acks=all until the connection ends; calls `tell` after each acknowledgement. Returns what was acknowledged.
    pub fn run(&self, stream: &mut TcpStream, seed: u64, tell: impl Fn()) -> Vec<(i64, Sent)> {
        let (mut dice, mut tag) = (Dice::new(seed), seed << 20);
        let (mut under_way, mut acknowledged) = (VecDeque::new(), Vec::new());
        let mut open = true;
        while open || !under_way.is_empty() {
            while open && under_way.len() < self.window {
                tag += 1;
                let sent = random_batch(&mut dice, None, tag, 5);
                let request = produce_request(self.topic, self.partition, &sent, -1);
                open = stream.write_all(&frame::request(&request, 11, 1, Some("load"))).is_ok();
                under_way.push_back(sent);
            }
            let Some(answer) = receive::<ProduceRequest>(stream, 11) else { break };
            let sent = under_way.pop_front().expect("it was asked");
            let row = &answer.responses[0].partition_responses[0];
            if row.error_code == ErrorCode::NONE {
                acknowledged.push((row.base_offset, sent));
                tell();
            }
        }
        acknowledged
    }
}

/// Asks on a connection; `None` if it broke.
pub fn call<R: Request>(stream: &mut TcpStream, request: &R, version: i16) -> Option<R::Response> {
    stream.write_all(&frame::request(request, version, 1, Some("kill"))).ok()?;
    receive::<R>(stream, version)
}

/// Reads one answer; `None` if the connection ended.
pub fn receive<R: Request>(stream: &mut TcpStream, version: i16) -> Option<R::Response> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).ok()?;
    let mut body = vec![0; usize::try_from(i32::from_be_bytes(length)).expect("a length")];
    stream.read_exact(&mut body).ok()?;
    let mut reader = Reader::new(body.into());
    let flexible = ResponseHeader::is_flexible(R::KEY, R::Response::version(version));
    ResponseHeader::decode(&mut reader, flexible).expect("a header");
    Some(R::Response::decode(&mut reader, version).expect("a well-formed answer"))
}

/// One test of a real process at a time: they measure, and brokers beside each other disturb the figures.
pub fn turn() -> std::sync::MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
