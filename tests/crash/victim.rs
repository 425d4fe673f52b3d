//! One client that behaves, a record a millisecond from a producer to a consumer, beside each attacker: it must hardly notice.
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
use klamm::wire::messages::produce::{ProducePartition, ProduceRequest, ProduceTopic};
use klamm::wire::{ErrorCode, Records, frame};

use crate::attackers::{ALL, Attack, Attacker, TARGET_TOPIC};
use crate::batches::batches_in;
use crate::process::{Launch, Process, call, connect, create, fetch_request, receive, turn, until};

const TOPIC: &str = "victim";
const INTERVAL: Duration = Duration::from_millis(1);

/// A quiet p99 below it counts as this.
const FLOOR: Duration = Duration::from_millis(2);
/// How much slower the victim may be during an attack, and soon after it.
const DURING_MAX: f64 = 3.0;
const AFTER_MAX: f64 = 1.1;
const RECOVERY: Duration = Duration::from_secs(2);
const TRIES: usize = 3;

/// How much the broker may grow under peers that ask for 55 GB and read none of it.
const DEAF_KIB_MAX: u64 = 64 * 1024;

/// The client, and what it has measured: latency by record, in order.
struct Victim {
    start: Instant,
    latencies: Mutex<Vec<Duration>>,
    over: AtomicBool,
}

impl Victim {
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

    /// Lets it live for so long and says how it fared: of what was due meanwhile, when all of it has arrived.
    fn fare(&self, long: Duration) -> Fare {
        let index = |at: Instant| (at - self.start).as_millis() as usize;
        let from = Instant::now();
        let range = index(from)..index(from + long);
        let mut sorted = until("the victim's records arrive", || {
            self.latencies.lock().expect("no panic").get(range.clone()).map(<[Duration]>::to_vec)
        });
        sorted.sort_unstable();
        let at = |share: usize| sorted[(sorted.len() * share / 1000).min(sorted.len() - 1)];
        Fare { p50: at(500), p99: at(990), p999: at(999) }
    }
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
}

impl Fare {
    /// How many times the quiet p99 it is.
    fn over(&self, quiet: &Fare) -> f64 {
        self.p99.as_secs_f64() / quiet.p99.max(FLOOR).as_secs_f64()
    }
}

impl std::fmt::Display for Fare {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [p50, p99, p999] = [self.p50, self.p99, self.p999].map(|time| time.as_secs_f64() * 1000.0);
        write!(f, "{p50:.2}/{p99:.2}/{p999:.2}")
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
    let mut attacker = Attacker::start(attack, broker.address());
    let during = victim.fare(stretch.attack);
    let grown = broker.rss_kib().saturating_sub(memory);
    let files = broker.files();
    assert!(attacker.is_running(), "{attack:?} gave up");
    drop(attacker);
    std::thread::sleep(RECOVERY);
    let after = victim.fare(stretch.after);
    println!(
        "{:14} p50/p99/p99.9 in ms: {quiet} quiet, {during} during ({:.1} x), {after} after ({:.1} x); {grown} KiB more, {files} files",
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
    if attack == Attack::Deaf && grown > DEAF_KIB_MAX {
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
    let victim = Victim {
        start: Instant::now() + Duration::from_millis(200),
        latencies: Mutex::new(Vec::new()),
        over: AtomicBool::new(false),
    };
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
