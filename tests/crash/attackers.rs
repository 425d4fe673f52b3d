//! Peers that mean harm, each in a process of its own, so that what suffers is the broker and not the test beside it. The process is
//! this test program again, told by the environment whom to attack and how; it goes on until it is killed.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use klamm::base::ids::{LeaderEpoch, Offset};
use klamm::record::builder::{BatchBuilder, NewRecord};
use klamm::record::compression::{Codec, Compression};
use klamm::wire::frame;
use klamm::wire::messages::describe_configs::{DescribeConfigsRequest, DescribeConfigsResource};
use klamm::wire::messages::fetch::FetchRequest;
use klamm::wire::messages::metadata::{MetadataRequest, MetadataRequestTopic};
use klamm::wire::messages::produce::{ProducePartition, ProduceRequest, ProduceTopic};

use crate::process::{fetch_request, raise_open_files};

pub mod groups;

const NAME: &str = "KLAMM_ATTACK";
/// What an attacker says when it has its weapons and begins.
const READY: &str = "attacking";
const TARGET: &str = "KLAMM_ATTACK_ADDRESS";
/// Of how many parts of itself an attacker uses one.
const PART: &str = "KLAMM_ATTACK_PART";

/// Where attackers write, and what they read: it holds 60 MiB.
pub const TARGET_TOPIC: &str = "target";

/// What an attacker does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Attack {
    /// 10,000 connections, opened as fast as they can be, then idle.
    Connections,
    /// 5,000 connections that send a byte a second: half of them inside a header, half inside a body.
    Slow,
    /// 1,000 connections that ask for 55 MiB each and read nothing.
    Deaf,
    /// Connections that send 10,000 requests each and read nothing.
    Pipelines,
    /// Lengths and counts of things that never come, as fast as they can be sent.
    Counts,
    /// Batches of few bytes that decompress to very many, in each codec.
    Decompression,
    /// Metadata of a million topics that do not exist, which may be made or not.
    Names,
    /// The configuration of ten thousand groups.
    Descriptions,
    /// Large requests that are begun at full speed and never end.
    Hoards,
    /// Heartbeats of members, strangers and members of other generations, as fast as they are answered.
    Beats,
    /// Subscriptions to expressions that are large, or take others for hours.
    Expressions,
    /// Member after member in one group.
    Crowd,
    /// A new group with each request: a member's, a consumer's, an offset's.
    Groups,
}

pub const ALL: [Attack; 13] = [
    Attack::Connections,
    Attack::Slow,
    Attack::Deaf,
    Attack::Pipelines,
    Attack::Counts,
    Attack::Decompression,
    Attack::Names,
    Attack::Descriptions,
    Attack::Hoards,
    Attack::Beats,
    Attack::Expressions,
    Attack::Crowd,
    Attack::Groups,
];

/// An attacker at work; it ends when dropped.
pub struct Attacker(Child);

impl Attacker {
    /// At the lowest priority: what its own work costs is not the broker's fault. One of so many parts of it.
    pub fn start(attack: Attack, target: SocketAddr, part: u32) -> Attacker {
        let program = std::env::current_exe().expect("this program");
        let mut command = Command::new("nice");
        command.args(["-n", "19"]).arg(program).args(["--exact", "attackers::attack", "--ignored", "--nocapture"]);
        command.env(NAME, format!("{attack:?}")).env(TARGET, target.to_string()).env(PART, part.to_string());
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("start an attacker");
        let said = BufReader::new(child.stdout.take().expect("a pipe"));
        assert!(said.lines().map_while(Result::ok).any(|line| line == READY), "{attack:?} does not begin");
        Attacker(child)
    }

    /// Whether it still attacks.
    pub fn is_running(&mut self) -> bool {
        self.0.try_wait().expect("look at the attacker").is_none()
    }
}

impl Drop for Attacker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Not a test of its own: what an attacker's process runs.
#[test]
#[ignore = "runs in the process of an attacker"]
fn attack() {
    let (Ok(name), Ok(target)) = (std::env::var(NAME), std::env::var(TARGET)) else { return };
    let target: SocketAddr = target.parse().expect("an address");
    raise_open_files();
    match ALL.into_iter().find(|attack| format!("{attack:?}") == name).expect("a known attack") {
        Attack::Connections => connections(target),
        Attack::Slow => slow(target),
        Attack::Deaf => deaf(target),
        Attack::Pipelines => pipelines(target),
        Attack::Counts => counts(target),
        Attack::Decompression => decompression(target),
        Attack::Names => names(target),
        Attack::Descriptions => descriptions(target),
        Attack::Hoards => hoards(target),
        Attack::Beats => groups::beats(target),
        Attack::Expressions => groups::expressions(target),
        Attack::Crowd => groups::crowd(target),
        Attack::Groups => groups::groups(target),
    }
}

/// The part of such a number that this attacker uses.
fn part_of(count: usize) -> usize {
    let parts = std::env::var(PART).ok().and_then(|part| part.parse().ok()).unwrap_or(1);
    (count / parts).max(1)
}

fn begin() {
    println!("\n{READY}");
}

fn connect(target: SocketAddr) -> Option<TcpStream> {
    let stream = TcpStream::connect(target).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
    Some(stream)
}

fn forever() -> ! {
    loop {
        std::thread::park();
    }
}

/// Runs the same in several threads, again and again.
fn in_threads(count: usize, work: impl Fn() + Send + Sync + 'static) -> ! {
    let work = Arc::new(work);
    begin();
    for _ in 0..part_of(count) {
        let work = Arc::clone(&work);
        std::thread::spawn(move || {
            loop {
                work();
            }
        });
    }
    forever()
}

fn connections(target: SocketAddr) {
    begin();
    let _all: Vec<_> = (0..part_of(10_000)).filter_map(|_| connect(target)).collect();
    forever()
}

/// Each peer in its own part of the second: they have nothing to do with each other.
fn slow(target: SocketAddr) {
    let ticks = 100;
    let header = [0, 1, 0, 0, 0, 3, 0, 9, 0, 0, 0, 1];
    let body = produce(vec![0; 1_000_000]);
    let mut all: Vec<_> = (0..part_of(5000)).map(|_| None::<(TcpStream, usize)>).collect();
    begin();
    let start = Instant::now();
    for tick in 0.. {
        std::thread::sleep((start + Duration::from_secs(1) / ticks * tick).saturating_duration_since(Instant::now()));
        for (index, place) in all.iter_mut().enumerate().skip((tick % ticks) as usize).step_by(ticks as usize) {
            let Some((stream, sent)) = place else {
                *place = connect(target).map(|mut stream| {
                    let sent = if index % 2 == 0 { 0 } else { 100 };
                    let _ = stream.write_all(&body[..sent]);
                    (stream, sent)
                });
                continue;
            };
            let next = if index % 2 == 0 { header.get(*sent) } else { body.get(*sent) };
            let went = next.is_some_and(|byte| stream.write_all(&[*byte]).is_ok());
            *sent += 1;
            if !went {
                *place = None;
            }
        }
    }
}

fn deaf(target: SocketAddr) {
    let mut fetch = fetch_request(TARGET_TOPIC, 0, 0, 0);
    fetch.max_bytes = 55 << 20;
    fetch.topics[0].partitions[0].partition_max_bytes = 55 << 20;
    send_and_never_read(target, part_of(1000), &frame::request::<FetchRequest>(&fetch, 11, 1, Some("deaf")), 4)
}

fn pipelines(target: SocketAddr) {
    let all_topics = MetadataRequest { topics: None, ..Default::default() };
    send_and_never_read(target, 50, &frame::request(&all_topics, 9, 1, Some("pipeline")), part_of(10_000))
}

/// Sends the request so often on each connection, as far as the broker reads.
fn send_and_never_read(target: SocketAddr, connections: usize, request: &[u8], times: usize) {
    let mut all: Vec<_> = (0..connections).filter_map(|_| connect(target)).map(|stream| (stream, 0)).collect();
    all.iter().for_each(|(stream, _)| stream.set_nonblocking(true).expect("an open socket"));
    let all_of_it = request.repeat(times);
    begin();
    loop {
        for (stream, sent) in all.iter_mut().filter(|(_, sent)| *sent < all_of_it.len()) {
            if let Ok(count) = stream.write(&all_of_it[*sent..]) {
                *sent += count;
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn framed(body: &[u8]) -> Vec<u8> {
    let mut bytes = i32::try_from(body.len()).expect("small").to_be_bytes().to_vec();
    bytes.extend(body);
    bytes
}

fn counts(target: SocketAddr) {
    let mut bombs = vec![i32::MAX.to_be_bytes().to_vec(), (-1i32).to_be_bytes().to_vec()];
    // A hundred megabytes that never come.
    bombs.push([&104_857_600i32.to_be_bytes()[..], &[0; 4000]].concat());
    for (key, version) in [(0, 3), (1, 4), (2, 1), (3, 1), (3, 9), (19, 2), (20, 1), (32, 1), (35, 1), (37, 0)] {
        for count in [0x000f_4240, 0x7fff_ffff, -2i32] {
            let mut body: Vec<u8> = [i16::to_be_bytes(key), i16::to_be_bytes(version)].concat();
            body.extend([0, 0, 0, 7, 0xff, 0xff]);
            body.extend(std::iter::repeat_n(count.to_be_bytes(), 2000).flatten());
            bombs.push(framed(&body));
        }
    }
    in_threads(4, move || {
        for bomb in &bombs {
            let Some(mut stream) = connect(target) else { continue };
            let _ = stream.set_read_timeout(Some(Duration::from_millis(20)));
            let _ = stream.write_all(bomb);
            let _ = stream.read(&mut [0; 512]);
        }
    })
}

fn produce(records: Vec<u8>) -> Vec<u8> {
    let partition_data = vec![ProducePartition { index: 0, records: Some(records.into()) }];
    let topic = ProduceTopic { name: TARGET_TOPIC.to_owned(), partition_data, ..Default::default() };
    let request = ProduceRequest { acks: 1, timeout_ms: 10_000, topic_data: vec![topic], ..Default::default() };
    frame::request(&request, 9, 1, Some("attack"))
}

/// A batch of one record of zeros.
fn zeros(codec: Codec, plain_bytes: usize) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Compression::of(codec));
    builder.append(&NewRecord { timestamp: now(), value: Some(&vec![0; plain_bytes]), ..Default::default() });
    builder.build().to_bytes(Offset(0), LeaderEpoch(-1)).to_vec()
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_millis()).expect("a time")
}

fn decompression(target: SocketAddr) {
    let mut bombs = Vec::new();
    for (codec, mebibytes) in [(Codec::Gzip, 100), (Codec::Snappy, 15), (Codec::Lz4, 200), (Codec::Zstd, 250)] {
        bombs.push(produce(zeros(codec, part_of(mebibytes << 20))));
        // Small enough to be judged at once.
        bombs.push(produce(zeros(codec, 4 << 20)));
    }
    in_threads(8, move || {
        let Some(mut stream) = connect(target) else { return };
        for bomb in &bombs {
            let _ = stream.write_all(bomb);
        }
        let _ = stream.read_exact(&mut vec![0; 60 * bombs.len()]);
    })
}

fn names(target: SocketAddr) {
    let ask = |made: bool| {
        let name = |number: u32| MetadataRequestTopic { name: Some(format!("n{number}")), ..Default::default() };
        let topics = Some((0..part_of(1_000_000) as u32).map(name).collect());
        let request = MetadataRequest { topics, allow_auto_topic_creation: made, ..Default::default() };
        frame::request(&request, 9, 1, Some("names"))
    };
    let both = [ask(false), ask(true)];
    in_threads(4, move || {
        let Some(mut stream) = connect(target) else { return };
        for request in &both {
            if stream.write_all(request).is_err() || skip_answer(&mut stream).is_none() {
                return;
            }
        }
    })
}

fn descriptions(target: SocketAddr) {
    let resource = |number: u32| DescribeConfigsResource {
        resource_type: 32,
        resource_name: format!("g{number}"),
        configuration_keys: None,
    };
    let resources = (0..part_of(10_000) as u32).map(resource).collect();
    let request = DescribeConfigsRequest { resources, include_documentation: true, include_synonyms: true };
    let request = frame::request(&request, 4, 1, Some("describe"));
    in_threads(4, move || {
        let Some(mut stream) = connect(target) else { return };
        while stream.write_all(&request).is_ok() && skip_answer(&mut stream).is_some() {}
    })
}

fn skip_answer(stream: &mut TcpStream) -> Option<()> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).ok()?;
    let length = u64::try_from(i32::from_be_bytes(length)).ok()?;
    let count = std::io::copy(&mut stream.take(length), &mut std::io::sink()).ok()?;
    (count == length).then_some(())
}

fn hoards(target: SocketAddr) {
    let whole = 100_000_000i32.to_be_bytes();
    let begun = [&whole[..], &[0, 0, 0, 9, 0, 0, 0, 1, 0xff, 0xff], &vec![0; 3_000_000]].concat();
    in_threads(200, move || {
        let Some(mut stream) = connect(target) else { return };
        let _ = stream.set_write_timeout(Some(Duration::from_secs(5)));
        if let Err(error) = stream.write_all(&begun)
            && !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
        {
            return;
        }
        // A thousand bytes a second, until the broker has enough.
        while stream.write_all(&[0; 1000]).is_ok() {
            std::thread::sleep(Duration::from_secs(1));
        }
    })
}
