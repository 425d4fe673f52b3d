//! What consumer groups cost: heartbeats, commits, a hundred members that join, thousands that do nothing, a start on a
//! million committed offsets, and the assignors by themselves.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::Fallible;
use crate::contestant::{Broker, Contestant};
use crate::group_wire::{self as wire, Classic, Consumer, NONE, REBALANCE_IN_PROGRESS};
use crate::load::{Replayed, Replies};
use crate::measure::{self, Mark};
use crate::stretch::{self, Stretch};
use crate::wire::Connection;
use crate::workloads::{LONGEST, Outcome, Setup, figure, note, peak, scaled, settle, warm_jvm};

/// What is done.
#[derive(Clone, Copy)]
pub enum Groups {
    HeartbeatClassic,
    HeartbeatConsumer,
    /// How many groups commit at once.
    Commit(usize),
    /// How many members join, and by which protocol.
    Join(usize, Protocol),
    /// How many groups of four members there are.
    Idle(usize),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Classic,
    Consumer,
}

const TOPIC: &str = "of-groups";
const TOPIC_PARTITIONS: i32 = 100;
/// Members of a group where many groups are made.
const MEMBERS: usize = 4;
/// Pause between two heartbeats of a member that joins.
const HEARTBEAT: Duration = Duration::from_millis(100);
/// One after another in so much time.
const ARRIVAL: Duration = Duration::from_millis(10);

pub fn run(broker: &Broker, work: Groups, setup: &Setup, warm_up: Duration) -> Fallible<Outcome> {
    warm_jvm(broker, warm_up)?;
    Connection::open(broker.port)?.create_topic(TOPIC, TOPIC_PARTITIONS, &[])?;
    match work {
        Groups::HeartbeatClassic => {
            let members = form(broker.port, &names("heartbeat", 16))?;
            let requests = members.iter().map(Classic::heartbeat_request).collect::<Vec<_>>();
            let connections = members.into_iter().map(|member| member.connection).collect();
            run_heartbeats(broker, connections, &requests, setup, warm_up)
        }
        Groups::HeartbeatConsumer => {
            let mut members = form_consumers(broker.port, &names("heartbeat", 16))?;
            let requests = members.iter_mut().map(Consumer::heartbeat_request).collect::<Vec<_>>();
            let connections = members.into_iter().map(|member| member.connection).collect();
            run_heartbeats(broker, connections, &requests, setup, warm_up)
        }
        Groups::Commit(count) => run_commits(broker, count, setup, warm_up),
        Groups::Join(count, protocol) => run_join(broker, count, protocol, warm_up),
        Groups::Idle(count) => run_idle(broker, count, setup, warm_up),
    }
}

fn names(what: &str, count: usize) -> Vec<String> {
    (0..count).map(|at| format!("group-{what}-{at}")).collect()
}

/// Groups of four members of the classic protocol, each with a connection of its own; stable when it returns.
fn form(port: u16, groups: &[String]) -> Fallible<Vec<Classic>> {
    wire::find_coordinators(port, groups)?;
    let names = groups.iter().flat_map(|group| std::iter::repeat_n(group, MEMBERS));
    let mut members = names.map(|group| Classic::open(port, group, TOPIC)).collect::<Fallible<Vec<_>>>()?;
    members.iter_mut().try_for_each(Classic::take_id)?;
    // A generation waits for all that have asked for an id: so all are in the first.
    members.iter_mut().try_for_each(Classic::send_join)?;
    for member in &mut members {
        good("JoinGroup", member.receive_join()?)?;
    }
    members.iter_mut().try_for_each(Classic::send_sync)?;
    for member in &mut members {
        good("SyncGroup", member.receive_error()?)?;
    }
    Ok(members)
}

/// The same of the consumer protocol; every partition is owned when it returns.
fn form_consumers(port: u16, groups: &[String]) -> Fallible<Vec<Consumer>> {
    wire::find_coordinators(port, groups)?;
    let names = groups.iter().flat_map(|group| std::iter::repeat_n(group, MEMBERS)).enumerate();
    let open = |(at, group): (usize, &String)| Consumer::open(port, group, TOPIC, format!("member-{at}"));
    let mut members = names.map(open).collect::<Fallible<Vec<_>>>()?;
    members.iter_mut().try_for_each(Consumer::join)?;
    let deadline = Instant::now() + Duration::from_secs(60);
    let each = TOPIC_PARTITIONS as usize / MEMBERS;
    while members.iter().any(|member| member.partitions_owned() != each || member.is_to_report) {
        if Instant::now() > deadline {
            return Err("the groups do not come to rest in a minute".into());
        }
        members.iter_mut().try_for_each(Consumer::send_heartbeat)?;
        for member in &mut members {
            good("ConsumerGroupHeartbeat", member.receive_heartbeat()?)?;
        }
    }
    Ok(members)
}

fn good(what: &str, error: i16) -> Fallible<()> {
    if error == NONE { Ok(()) } else { Err(format!("{what} answered error {error}").into()) }
}

/// Every member has a heartbeat under way, on its own connection.
fn run_heartbeats(
    broker: &Broker,
    mut connections: Vec<Connection>,
    requests: &[Vec<u8>],
    setup: &Setup,
    warm_up: Duration,
) -> Fallible<Outcome> {
    const REQUESTS: u64 = 300_000;
    let count = scaled(REQUESTS, setup).max(1_000);
    beat(&mut connections, requests, u64::MAX, Duration::from_secs(1).max(warm_up))?;
    let done = Stretch::measure(broker, || {
        let done = beat(&mut connections, requests, count, LONGEST)?;
        Ok((done.requests as f64, done.client))
    })?;
    let figures = vec![
        figure("broker CPU us/heartbeat", done.cost() * 1e6),
        note("heartbeats/s", done.work / done.wall),
        note("generator CPU us/heartbeat", done.client.as_secs_f64() * 1e6 / done.work),
        peak(broker)?,
    ];
    Ok(stretch::outcome(figures, &[&done]))
}

/// Sends each member's heartbeat, then takes each member's answer, again and again.
fn beat(connections: &mut [Connection], requests: &[Vec<u8>], most: u64, longest: Duration) -> Fallible<Replayed> {
    use std::io::Write;
    let (cpu, started) = (measure::thread_time(), Instant::now());
    let (mut done, mut response) = (Replayed::default(), Vec::new());
    while done.requests < most && started.elapsed() < longest {
        for (connection, request) in connections.iter_mut().zip(requests) {
            connection.stream.write_all(request)?;
        }
        for connection in connections.iter_mut() {
            good("a heartbeat", wire::error_behind_throttle(connection.receive(&mut response)?)?)?;
            done.requests += 1;
        }
    }
    done.client = measure::thread_time().saturating_sub(cpu);
    Ok(done)
}

/// Each group's one member commits one offset again and again. Eight connections with eight groups each, all of them under way
/// at any time.
fn run_commits(broker: &Broker, count: usize, setup: &Setup, warm_up: Duration) -> Fallible<Outcome> {
    const REQUESTS: u64 = 200_000;
    const CONNECTIONS: usize = 8;
    let requests = scaled(REQUESTS, setup).max(1_000);
    let mut members = form(broker.port, &names("commit", count))?;
    let commits: Vec<Vec<u8>> = members.iter_mut().step_by(MEMBERS).map(|member| member.commit_request()).collect();
    let rings: Vec<&[Vec<u8>]> = commits.chunks(count.div_ceil(CONNECTIONS)).collect();
    commit_all(broker.port, &rings, u64::MAX, Duration::from_secs(2).max(warm_up))?;
    let done = Stretch::measure(broker, || {
        let done = commit_all(broker.port, &rings, requests, LONGEST)?;
        Ok((done.requests as f64, done.client))
    })?;
    let figures = vec![
        figure("broker CPU us/commit", done.cost() * 1e6),
        figure("commits/s", done.work / done.wall),
        note("one fdatasync us", measure::sync_us(&broker.folder)?),
        note("generator CPU us/commit", done.client.as_secs_f64() * 1e6 / done.work),
        peak(broker)?,
    ];
    Ok(stretch::outcome(figures, &[&done]))
}

fn commit_all(port: u16, rings: &[&[Vec<u8>]], most: u64, longest: Duration) -> Fallible<Replayed> {
    let each = (most / rings.len() as u64).max(1);
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            rings.iter().map(|ring| scope.spawn(move || commit_in_turn(port, ring, each, longest))).collect();
        let mut sum = Replayed::default();
        for thread in threads {
            let done = thread.join().map_err(|_| "a connection panicked")??;
            sum.requests += done.requests;
            sum.client += done.client;
        }
        Ok(sum)
    })
}

/// One connection: a commit of each group under way, and the next as soon as it is answered.
fn commit_in_turn(port: u16, ring: &[Vec<u8>], most: u64, longest: Duration) -> Fallible<Replayed> {
    use std::io::Write;
    let (cpu, started) = (measure::thread_time(), Instant::now());
    let mut connection = Connection::open(port)?;
    let (mut replies, mut together) = (Replies::default(), Vec::new());
    let depth = ring.len() as u64;
    let (mut sent, mut answered) = (0_u64, 0_u64);
    loop {
        let over = started.elapsed() > longest;
        together.clear();
        while !over && sent < most && sent - answered < depth {
            together.extend_from_slice(&ring[(sent % depth) as usize]);
            sent += 1;
        }
        if sent == answered {
            break;
        }
        connection.stream.write_all(&together)?;
        replies.fill(&mut connection.stream)?;
        while let Some(reply) = replies.take() {
            good("OffsetCommit", wire::committed(reply)?)?;
            answered += 1;
        }
    }
    Ok(Replayed { requests: answered, bytes: 0, client: measure::thread_time().saturating_sub(cpu) })
}

/// Where each member of a group that is joined stands.
struct Gathering {
    /// By member: its generation or epoch, the partitions it owns, and since when.
    stand: Mutex<Vec<Option<(i32, usize, Instant)>>>,
    /// When the last member has asked to join.
    last: Mutex<Option<Instant>>,
    over: AtomicBool,
}

impl Gathering {
    fn says(&self, member: usize, stand: Option<(i32, usize)>) {
        let mut all = self.stand.lock().unwrap_or_else(|error| error.into_inner());
        let before = all[member];
        if before.map(|(at, owned, _)| (at, owned)) != stand {
            all[member] = stand.map(|(at, owned)| (at, owned, Instant::now()));
        }
    }

    fn comes(&self) {
        *self.last.lock().unwrap_or_else(|error| error.into_inner()) = Some(Instant::now());
    }

    /// Since when all stand at the same and own everything; nobody owns anything in the classic protocol.
    fn settled(&self, owned: usize) -> Option<Instant> {
        let all = self.stand.lock().unwrap_or_else(|error| error.into_inner());
        let all: Option<Vec<_>> = all.iter().copied().collect();
        let all = all?;
        let same = all.windows(2).all(|pair| pair[0].0 == pair[1].0);
        let sum: usize = all.iter().map(|(_, owned, _)| owned).sum();
        if same && sum == owned { all.iter().map(|(.., since)| *since).max() } else { None }
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }
}

/// Members come one after another, each a thread that does what a client does.
fn run_join(broker: &Broker, count: usize, protocol: Protocol, warm_up: Duration) -> Fallible<Outcome> {
    wire::find_coordinators(broker.port, &["joined".to_owned()])?;
    if warm_up > Duration::ZERO {
        let deadline = Instant::now() + warm_up;
        let mut round = 0;
        while Instant::now() < deadline {
            gather(broker, &format!("warm-{round}"), count / 4, protocol)?;
            round += 1;
        }
    }
    settle();
    let mark = Mark::now(broker.pid)?;
    let (settled, client) = gather(broker, "joined", count, protocol)?;
    let spent = mark.spent()?;
    let (foreign, steal) = spent.foreign_cores(client);
    let figures = vec![
        figure("broker CPU ms", spent.broker.as_secs_f64() * 1e3),
        figure("ms from the last join to rest", settled.as_secs_f64() * 1e3),
        note("generator CPU ms", client.as_secs_f64() * 1e3),
        peak(broker)?,
    ];
    Ok(Outcome { figures, foreign, steal })
}

/// How long after the last member's coming the group was at rest, and what the members have cost.
fn gather(broker: &Broker, group: &str, count: usize, protocol: Protocol) -> Fallible<(Duration, Duration)> {
    let gathering =
        Gathering { stand: Mutex::new(vec![None; count]), last: Mutex::new(None), over: AtomicBool::new(false) };
    let owned = if protocol == Protocol::Classic { 0 } else { TOPIC_PARTITIONS as usize };
    let (gathering, port) = (&gathering, broker.port);
    std::thread::scope(|scope| {
        let mut threads = Vec::with_capacity(count);
        let started = Instant::now();
        for member in 0..count {
            std::thread::sleep((started + ARRIVAL * member as u32).saturating_duration_since(Instant::now()));
            threads.push(scope.spawn(move || {
                let cpu = measure::thread_time();
                match protocol {
                    Protocol::Classic => live_classic(port, group, member, gathering)?,
                    Protocol::Consumer => live_consumer(port, group, member, gathering)?,
                }
                Fallible::Ok(measure::thread_time().saturating_sub(cpu))
            }));
        }
        let settled = rest(gathering, owned);
        gathering.over.store(true, Ordering::Relaxed);
        let mut client = Duration::ZERO;
        for thread in threads {
            client += thread.join().map_err(|_| "a member panicked")??;
        }
        Ok((settled?, client))
    })
}

/// Waits until the group has been at rest for some heartbeats.
fn rest(gathering: &Gathering, owned: usize) -> Fallible<Duration> {
    let deadline = Instant::now() + Duration::from_secs(60);
    while Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
        if let Some(since) = gathering.settled(owned)
            && since.elapsed() > HEARTBEAT * 3
        {
            let last = gathering.last.lock().unwrap_or_else(|error| error.into_inner());
            return Ok(since.saturating_duration_since(last.unwrap_or(since)));
        }
    }
    Err("the group does not come to rest in a minute".into())
}

fn live_classic(port: u16, group: &str, at: usize, gathering: &Gathering) -> Fallible<()> {
    let mut member = Classic::open(port, group, TOPIC)?;
    gathering.comes();
    while !gathering.is_over() {
        if member.member.is_empty() {
            member.take_id()?;
        }
        member.send_join()?;
        if member.receive_join()? != NONE {
            member.member.clear();
            continue;
        }
        member.send_sync()?;
        let mut error = member.receive_error()?;
        while error == NONE && !gathering.is_over() {
            gathering.says(at, Some((member.generation, 0)));
            std::thread::sleep(HEARTBEAT);
            let request = member.heartbeat_request();
            member.send(&request)?;
            error = member.receive_error()?;
        }
        gathering.says(at, None);
        match error {
            NONE | REBALANCE_IN_PROGRESS | wire::ILLEGAL_GENERATION => {}
            wire::UNKNOWN_MEMBER_ID => member.member.clear(),
            error => return Err(format!("a member was answered error {error}").into()),
        }
    }
    Ok(())
}

fn live_consumer(port: u16, group: &str, at: usize, gathering: &Gathering) -> Fallible<()> {
    let mut member = Consumer::open(port, group, TOPIC, format!("member-{at}"))?;
    gathering.comes();
    member.join()?;
    while !gathering.is_over() {
        gathering.says(at, Some((member.epoch, member.partitions_owned())));
        // What changed is reported at once, as clients do.
        if !member.is_to_report {
            std::thread::sleep(HEARTBEAT);
        }
        member.send_heartbeat()?;
        match member.receive_heartbeat()? {
            NONE => {}
            wire::UNKNOWN_MEMBER_ID | wire::FENCED_MEMBER_EPOCH => member.epoch = 0,
            error => return Err(format!("a member was answered error {error}").into()),
        }
    }
    Ok(())
}

/// `count` groups of each protocol: what they take, what they cost in silence and with a heartbeat each every three seconds.
fn run_idle(broker: &Broker, count: usize, setup: &Setup, warm_up: Duration) -> Fallible<Outcome> {
    let time = Duration::from_secs_f64((8.0 * setup.scale).max(2.0)).max(warm_up / 2);
    // The coordinators are there before memory is counted.
    drop(form(broker.port, &names("first", 64))?);
    settle();
    let rss = || measure::memory_mib(broker.pid, "VmRSS");
    let each = |mib: f64| mib * 1024.0 / (count * MEMBERS) as f64;
    let empty = rss()?;
    let mut classic = form(broker.port, &names("classic", count))?;
    settle();
    let with_classic = rss()?;
    let mut consumers = form_consumers(broker.port, &names("consumer", count))?;
    settle();
    let with_both = rss()?;
    let silent = Stretch::measure(broker, || {
        std::thread::sleep(time);
        Ok((time.as_secs_f64(), Duration::ZERO))
    })?;
    let requests: Vec<Vec<u8>> = classic.iter().map(Classic::heartbeat_request).collect();
    let requests: Vec<Vec<u8>> =
        requests.into_iter().chain(consumers.iter_mut().map(Consumer::heartbeat_request)).collect();
    let connections = classic.drain(..).map(|member| member.connection);
    let mut connections: Vec<_> = connections.chain(consumers.drain(..).map(|member| member.connection)).collect();
    let beating = Stretch::measure(broker, || beat_slowly(&mut connections, &requests, time))?;
    let figures = vec![
        figure("KiB a member, classic", each(with_classic - empty)),
        figure("KiB a member, consumer", each(with_both - with_classic)),
        figure("% of a core, silent", 100.0 * silent.cost()),
        note("% of a core, a heartbeat every 3 s", 100.0 * beating.broker / beating.wall),
        note("CPU us of such a heartbeat", beating.cost() * 1e6),
        note("RSS MiB", rss()?),
    ];
    Ok(stretch::outcome(figures, &[&silent, &beating]))
}

/// Each member's heartbeat every three seconds, evenly.
fn beat_slowly(connections: &mut [Connection], requests: &[Vec<u8>], time: Duration) -> Fallible<(f64, Duration)> {
    const INTERVAL: Duration = Duration::from_secs(3);
    const TICK: Duration = Duration::from_millis(10);
    let (cpu, started) = (measure::thread_time(), Instant::now());
    let mut done = 0_u64;
    let share = connections.len() as f64 * TICK.as_secs_f64() / INTERVAL.as_secs_f64();
    for tick in 1.. {
        std::thread::sleep((started + TICK * tick).saturating_duration_since(Instant::now()));
        if started.elapsed() > time {
            break;
        }
        let until = (share * f64::from(tick)) as u64;
        let turn = |at: u64| (at % requests.len() as u64) as usize;
        let first = turn(done);
        let last = (first + (until - done) as usize).min(requests.len());
        beat(&mut connections[first..last], &requests[first..last], 1, TICK)?;
        done += (last - first) as u64;
    }
    Ok((done as f64, measure::thread_time().saturating_sub(cpu)))
}

/// A clean stop and start with so many committed offsets in the log, of groups that nobody manages.
pub fn run_restart(
    contestant: &Contestant,
    count: usize,
    setup: &Setup,
    folder: &Path,
    ports: [u16; 2],
) -> Fallible<Outcome> {
    let groups = names("offsets", (scaled(count as u64, setup) as usize / TOPIC_PARTITIONS as usize).max(1));
    let broker = contestant.start(folder, ports[0])?;
    let mut connection = Connection::open(broker.port)?;
    connection.create_topic(TOPIC, TOPIC_PARTITIONS, &[])?;
    wire::find_coordinators(broker.port, &groups)?;
    let commits: Vec<Vec<u8>> =
        groups.iter().map(|group| wire::commit(group, -1, "", TOPIC, 0..TOPIC_PARTITIONS, 7)).collect();
    for commit in commits.iter().take(200) {
        wire::commit_once(&mut connection, commit)?;
    }
    let rings: Vec<&[Vec<u8>]> = commits.chunks(64).collect();
    for ring in rings {
        commit_in_turn(broker.port, ring, ring.len() as u64, Duration::from_secs(60))?;
    }
    let filled = measure::memory_mib(broker.pid, "VmRSS")?;
    drop((connection, broker));
    // Of every partition of the log there is one among these.
    let asked = &groups[..groups.len().min(500)];
    let request = wire::fetch_offsets(asked);
    let started = Instant::now();
    let broker = contestant.start(folder, ports[1])?;
    let (mut connection, mut response) = (Connection::open(broker.port)?, Vec::new());
    let all = asked.len() * TOPIC_PARTITIONS as usize;
    while wire::fetched_offsets(connection.call(&request, &mut response)?, 7)? != (NONE, all) {
        if started.elapsed() > Duration::from_secs(120) {
            return Err("the offsets are not there after two minutes".into());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let ready = started.elapsed();
    let figures = vec![
        figure("ms to OffsetFetch", ready.as_secs_f64() * 1e3),
        note("ms to Metadata", broker.ready.as_secs_f64() * 1e3),
        note("RSS MiB before", filled),
        note("RSS MiB after", measure::memory_mib(broker.pid, "VmRSS")?),
        peak(&broker)?,
    ];
    Ok(Outcome { figures, foreign: 0.0, steal: 0.0 })
}
