//! One client that behaves, a record a millisecond from a producer to a consumer, beside each attacker: it must hardly notice. A
//! member of a group beside it sends a heartbeat or commits an offset every five milliseconds.
//!
//! Open loop: a record counts from when it should have been sent, whatever held it up. The broker is the real binary, the release
//! build if `KLAMM_BINARY` names it. A quiet stretch is measured right before each attack; its p99 counts as 2 ms at least, less is
//! noise on a machine that does other things. The attacker runs at the lowest priority: on two cores it would otherwise take
//! what the victim itself needs. Since the machine may do other things, each attack has three tries.

use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroU64;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use klamm::base::ids::{LeaderEpoch, Offset};
use klamm::record::builder::{BatchBuilder, NewRecord};
use klamm::record::compression::Compression;
use klamm::wire::messages::fetch::FetchRequest;
use klamm::wire::messages::find_coordinator::FindCoordinatorRequest;
use klamm::wire::messages::heartbeat::HeartbeatRequest;
use klamm::wire::messages::join_group::{JoinGroupRequest, JoinGroupRequestProtocol};
use klamm::wire::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use klamm::wire::messages::produce::{ProducePartition, ProduceRequest, ProduceTopic};
use klamm::wire::messages::sync_group::SyncGroupRequest;
use klamm::wire::{ErrorCode, Records, frame};

use crate::attackers::{ALL, Attack, Attacker, TARGET_TOPIC};
use crate::batches::batches_in;
use crate::process::{Launch, Process, call, connect, create, fetch_request, receive, turn, until};

const TOPIC: &str = "victim";
const INTERVAL: Duration = Duration::from_millis(1);
/// The group that a member of it lives in, and how often it says so.
const GROUP: &str = "victims";
const CALL_INTERVAL: Duration = Duration::from_millis(5);

/// A quiet p99 below it counts as this.
const FLOOR: Duration = Duration::from_millis(2);
/// How much slower the victim may be during an attack, and soon after it.
const DURING_MAX: f64 = 3.0;
const AFTER_MAX: f64 = 1.1;
const RECOVERY: Duration = Duration::from_secs(2);
const TRIES: usize = 3;

/// How much the broker may grow under peers that ask for 55 GB and read none of it.
const DEAF_KIB_MAX: u64 = 64 * 1024;

/// How much under one that invents groups: `klamm.group.memory.bytes`, and what the kernel and the allocator take besides.
const GROUPS_KIB_MAX: u64 = 320 * 1024;

/// The client, and what it has measured: latency by record, and by call of the member, in order.
struct Victim {
    start: Instant,
    latencies: Mutex<Vec<Duration>>,
    calls: Mutex<Vec<Duration>>,
    over: AtomicBool,
}

impl Victim {
    fn new() -> Victim {
        Victim {
            start: Instant::now() + Duration::from_millis(200),
            latencies: Mutex::new(Vec::new()),
            calls: Mutex::new(Vec::new()),
            over: AtomicBool::new(false),
        }
    }

    fn due(&self, record: usize) -> Instant {
        self.start + INTERVAL * u32::try_from(record).expect("few records")
    }

    /// Runs until it is over.
    fn live(&self, broker: SocketAddr) {
        std::thread::scope(|scope| {
            let stream = connect(broker);
            let answers = stream.try_clone().expect("a second handle");
            scope.spawn(move || self.send(stream));
            scope.spawn(move || self.check_answers(answers));
            scope.spawn(move || self.belong(connect(broker)));
            self.consume(connect(broker));
        });
    }

    fn send(&self, mut stream: TcpStream) {
        use std::io::Write;
        rustix::thread::set_current_timer_slack(Some(NonZeroU64::MIN)).expect("a thread's own");
        let request = small_request();
        for record in 0.. {
            if self.over.load(Ordering::Relaxed) {
                return stream.shutdown(std::net::Shutdown::Write).expect("an open socket");
            }
            std::thread::sleep(self.due(record).saturating_duration_since(Instant::now()));
            stream.write_all(&request).expect("the broker reads");
        }
    }

    fn check_answers(&self, mut stream: TcpStream) {
        while let Some(answer) = receive::<ProduceRequest>(&mut stream, 11) {
            assert_eq!(answer.responses[0].partition_responses[0].error_code, ErrorCode::NONE);
        }
        assert!(self.over.load(Ordering::Relaxed), "the victim's connection is closed");
    }

    fn consume(&self, mut stream: TcpStream) {
        let mut next = 0;
        while !self.over.load(Ordering::Relaxed) {
            let from = i64::try_from(next).expect("few records");
            let answer = call(&mut stream, &fetch_request(TOPIC, 0, from, 500), 11).expect("the victim is served");
            let arrived = Instant::now();
            let row = &answer.responses[0].partitions[0];
            assert_eq!(row.error_code, ErrorCode::NONE);
            let Records::Bytes(bytes) = &row.records else { continue };
            let batches = batches_in(bytes).expect("valid batches");
            let mut latencies = self.latencies.lock().expect("no panic");
            for record in batches.iter().flat_map(|(_, records)| records) {
                assert_eq!(record.offset, i64::try_from(next).expect("few records"), "nothing lost, nothing twice");
                latencies.push(arrived.saturating_duration_since(self.due(next)));
                next += 1;
            }
        }
    }

    /// Lives in a group: the partition of it is its alone.
    fn belong(&self, mut stream: TcpStream) {
        let (member, generation) = join_alone(&mut stream);
        let beat = HeartbeatRequest {
            group_id: GROUP.to_owned(),
            generation_id: generation,
            member_id: member.clone(),
            ..Default::default()
        };
        for number in 0..u32::MAX {
            if self.over.load(Ordering::Relaxed) {
                return;
            }
            let due = self.start + CALL_INTERVAL * number;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if number % 2 == 0 {
                let answer = call(&mut stream, &beat, 4).expect("the member is served");
                assert_eq!(answer.error_code, ErrorCode::NONE);
            } else {
                let partitions =
                    vec![OffsetCommitRequestPartition { committed_offset: i64::from(number), ..Default::default() }];
                let topics =
                    vec![OffsetCommitRequestTopic { name: TOPIC.to_owned(), partitions, ..Default::default() }];
                let commit = OffsetCommitRequest {
                    group_id: GROUP.to_owned(),
                    generation_id_or_member_epoch: generation,
                    member_id: member.clone(),
                    topics,
                    ..Default::default()
                };
                let answer = call(&mut stream, &commit, 9).expect("the member is served");
                assert_eq!(answer.topics[0].partitions[0].error_code, ErrorCode::NONE);
            }
            self.calls.lock().expect("no panic").push(due.elapsed());
        }
    }

    /// Lets it live for so long and says how it fared: of what was due meanwhile, when all of it has arrived.
    fn fare(&self, long: Duration) -> Fare {
        let from = Instant::now() - self.start;
        let fare = |of: &Mutex<Vec<Duration>>, interval: Duration| {
            let index = |at: Duration| usize::try_from(at.as_micros() / interval.as_micros()).expect("a short test");
            let range = index(from)..index(from + long);
            let arrived = || of.lock().expect("no panic").get(range.clone()).map(<[Duration]>::to_vec);
            let mut sorted = until("the victim's records and answers arrive", arrived);
            sorted.sort_unstable();
            sorted
        };
        let (records, calls) = (fare(&self.latencies, INTERVAL), fare(&self.calls, CALL_INTERVAL));
        let at = |sorted: &[Duration], share: usize| sorted[(sorted.len() * share / 1000).min(sorted.len() - 1)];
        Fare {
            p50: at(&records, 500),
            p99: at(&records, 990),
            p999: at(&records, 999),
            calls_p50: at(&calls, 500),
            calls_p99: at(&calls, 990),
        }
    }
}

/// Joins the victim's group, in which nobody else is: its member id and generation.
fn join_alone(stream: &mut TcpStream) -> (String, i32) {
    until("a coordinator", || {
        let request = FindCoordinatorRequest { coordinator_keys: vec![GROUP.to_owned()], ..Default::default() };
        let answer = call(stream, &request, 4).expect("an answer");
        (answer.coordinators[0].error_code == ErrorCode::NONE).then_some(())
    });
    let request = JoinGroupRequest {
        group_id: GROUP.to_owned(),
        session_timeout_ms: 60_000,
        rebalance_timeout_ms: 60_000,
        protocol_type: "consumer".to_owned(),
        protocols: vec![JoinGroupRequestProtocol { name: "range".to_owned(), ..Default::default() }],
        ..Default::default()
    };
    let joined = until("a coordinator that answers", || {
        let answer = call(stream, &request, 3).expect("an answer");
        (answer.error_code == ErrorCode::NONE).then_some(answer)
    });
    let sync = SyncGroupRequest {
        group_id: GROUP.to_owned(),
        generation_id: joined.generation_id,
        member_id: joined.member_id.clone(),
        ..Default::default()
    };
    assert_eq!(call(stream, &sync, 3).expect("an answer").error_code, ErrorCode::NONE);
    (joined.member_id, joined.generation_id)
}

/// Ends the victim's life when dropped, also if the test fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Fare {
    p50: Duration,
    p99: Duration,
    p999: Duration,
    calls_p50: Duration,
    calls_p99: Duration,
}

impl Fare {
    /// How many times the quiet p99 it is, of records or of calls.
    fn over(&self, quiet: &Fare) -> f64 {
        let times = |now: Duration, quiet: Duration| now.as_secs_f64() / quiet.max(FLOOR).as_secs_f64();
        times(self.p99, quiet.p99).max(times(self.calls_p99, quiet.calls_p99))
    }
}

impl std::fmt::Display for Fare {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ms = |time: Duration| time.as_secs_f64() * 1000.0;
        let [p50, p99, p999] = [self.p50, self.p99, self.p999].map(ms);
        write!(f, "{p50:.2}/{p99:.2}/{p999:.2} ({:.2}/{:.2})", ms(self.calls_p50), ms(self.calls_p99))
    }
}

/// One record of a hundred bytes.
fn small_request() -> Vec<u8> {
    produce_frame(TOPIC, &[b'v'; 100])
}

fn produce_frame(topic: &str, value: &[u8]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Compression::NONE);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let timestamp = i64::try_from(now.as_millis()).expect("a time");
    builder.append(&NewRecord { timestamp, value: Some(value), ..Default::default() });
    let records = Some(builder.build().to_bytes(Offset(0), LeaderEpoch(-1)));
    let partition_data = vec![ProducePartition { index: 0, records }];
    let topic = ProduceTopic { name: topic.to_owned(), partition_data, ..Default::default() };
    let request = ProduceRequest { acks: 1, timeout_ms: 10_000, topic_data: vec![topic], ..Default::default() };
    frame::request(&request, 11, 1, Some("victim"))
}

/// What 1,000 deaf peers fetch from.
fn fill(broker: &Process) {
    use std::io::Write;
    let mut stream = broker.connect();
    assert_eq!(create(&mut stream, TARGET_TOPIC, 1), ErrorCode::NONE);
    let request = produce_frame(TARGET_TOPIC, &vec![b'x'; 1_000_000]);
    for _ in 0..60 {
        stream.write_all(&request).expect("the broker reads");
        let answer = receive::<ProduceRequest>(&mut stream, 11).expect("an answer");
        assert_eq!(answer.responses[0].partition_responses[0].error_code, ErrorCode::NONE);
    }
    let answer = call::<FetchRequest>(&mut stream, &fetch_request(TARGET_TOPIC, 0, 59, 0), 11).expect("an answer");
    assert_eq!(answer.responses[0].partitions[0].high_watermark, 60);
}

struct Stretch {
    quiet: Duration,
    attack: Duration,
    after: Duration,
}

impl Stretch {
    fn of_this_run() -> Stretch {
        let seconds = Duration::from_secs;
        if std::env::var_os("KLAMM_LONG").is_some() {
            Stretch { quiet: seconds(5), attack: seconds(30), after: seconds(5) }
        } else {
            Stretch { quiet: seconds(2), attack: seconds(4), after: Duration::from_millis(1500) }
        }
    }
}

/// One try; what went wrong.
fn suffer(attack: Attack, victim: &Victim, broker: &mut Process, stretch: &Stretch) -> Result<(), String> {
    let memory = broker.rss_kib();
    let quiet = victim.fare(stretch.quiet);
    let mut attacker = Attacker::start(attack, broker.address(), 1);
    let during = victim.fare(stretch.attack);
    let grown = broker.rss_kib().saturating_sub(memory);
    let files = broker.files();
    assert!(attacker.is_running(), "{attack:?} gave up");
    drop(attacker);
    std::thread::sleep(RECOVERY);
    let after = victim.fare(stretch.after);
    println!(
        "{:14} p50/p99/p99.9 (member's p50/p99) in ms: {quiet} quiet, {during} during ({:.1} x), {after} after ({:.1} x); {grown} KiB more, {files} files",
        format!("{attack:?}"),
        during.over(&quiet),
        after.over(&quiet)
    );
    assert!(broker.is_running(), "the broker ended");
    assert!(broker.errors().is_empty(), "{:?}", broker.errors());
    if during.over(&quiet) > DURING_MAX {
        return Err(format!("{attack:?}: the victim is {:.1} x slower", during.over(&quiet)));
    }
    if after.over(&quiet) > AFTER_MAX {
        return Err(format!("{attack:?}: still {:.1} x slower {RECOVERY:?} after it", after.over(&quiet)));
    }
    let grown_max = match attack {
        Attack::Deaf => DEAF_KIB_MAX,
        Attack::Groups | Attack::Crowd | Attack::Expressions => GROUPS_KIB_MAX,
        _ => u64::MAX,
    };
    if grown > grown_max {
        return Err(format!("{attack:?}: the broker grew by {grown} KiB"));
    }
    Ok(())
}

/// The attacks of `KLAMM_ATTACKS`, comma separated, or all.
fn chosen() -> Vec<Attack> {
    let names = std::env::var("KLAMM_ATTACKS").unwrap_or_default();
    ALL.into_iter()
        .filter(|attack| names.is_empty() || names.split(',').any(|name| name == format!("{attack:?}")))
        .collect()
}

#[test]
#[ignore = "judges times: for a machine that does nothing else"]
fn a_client_hardly_notices_attackers_beside_it() {
    let _turn = turn();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let settings = ["durability.mode=os"];
    let mut broker = Launch { settings: &settings, release: true, ..Launch::on(folder.path()) }.start();
    fill(&broker);
    assert_eq!(create(&mut broker.connect(), TOPIC, 1), ErrorCode::NONE);
    let stretch = Stretch::of_this_run();
    let victim = Victim::new();
    let address = broker.address();
    let faults: Vec<String> = std::thread::scope(|scope| {
        let life = scope.spawn(|| victim.live(address));
        let over = Over(&victim.over);
        std::thread::sleep(Duration::from_millis(500));
        let mut faults = Vec::new();
        for attack in chosen() {
            let mut tries = (0..TRIES).map(|_| suffer(attack, &victim, &mut broker, &stretch));
            let mut last = tries.next().expect("a try");
            while let Err(fault) = &last {
                println!("{fault}");
                match tries.next() {
                    Some(next) => last = next,
                    None => break,
                }
            }
            faults.extend(last.err());
        }
        drop(over);
        life.join().expect("the victim notices no fault");
        faults
    });
    assert!(faults.is_empty(), "{faults:?}");
}

/// How long each attacker of the short version attacks, at which part of its strength.
const SHORT: Duration = Duration::from_secs(2);
const SHORT_PART: u32 = 10;
/// What the victim's p99 stays below even on a machine that stalls, and by how much the broker may grow.
const SHORT_P99_MAX: Duration = Duration::from_secs(15);
const SHORT_KIB_MAX: u64 = 400 * 1024;

/// The same at a tenth of the strength, judged by what holds on any machine: nobody is lost, nothing is forgotten, nothing swells.
#[test]
fn a_client_outlives_attackers_of_a_tenth_of_the_strength() {
    let _turn = turn();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let settings = ["durability.mode=os", "klamm.group.memory.bytes=16777216"];
    let mut broker = Launch { settings: &settings, release: true, ..Launch::on(folder.path()) }.start();
    fill(&broker);
    assert_eq!(create(&mut broker.connect(), TOPIC, 1), ErrorCode::NONE);
    let victim = Victim::new();
    let address = broker.address();
    std::thread::scope(|scope| {
        let life = scope.spawn(|| victim.live(address));
        let over = Over(&victim.over);
        victim.fare(Duration::from_millis(500));
        let memory = broker.rss_kib();
        for attack in chosen() {
            let mut attacker = Attacker::start(attack, address, SHORT_PART);
            let during = victim.fare(SHORT);
            assert!(attacker.is_running(), "{attack:?} gave up");
            drop(attacker);
            let grown = broker.rss_kib().saturating_sub(memory);
            println!("{:14} {during}; {grown} KiB more", format!("{attack:?}"));
            assert!(broker.is_running(), "{attack:?}: the broker ended");
            assert!(broker.errors().is_empty(), "{attack:?}: {:?}", broker.errors());
            assert!(grown < SHORT_KIB_MAX, "{attack:?}: the broker grew by {grown} KiB");
            assert!(during.p99.max(during.calls_p99) < SHORT_P99_MAX, "{attack:?}: {during}");
        }
        drop(over);
        life.join().expect("the victim notices no fault");
    });
}
