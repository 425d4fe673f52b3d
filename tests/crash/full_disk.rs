//! The real binary on a disk that fills up: writes are refused with KAFKA_STORAGE_ERROR, reads go on, and when there is room again
//! writes are taken again without a restart. On the full disk the broker stops cleanly, starts, even after SIGKILL, and deletes topics.
//! Nothing acknowledged is lost.
//!
//! Needs a small file system of its own: a tmpfs, mounted by root. Elsewhere the test skips itself, or fails where
//! `KLAMM_REQUIRE_CLIENTS` says that everything must run.

use std::fs::File;
use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use klamm::base::disk::fault::Dice;
use klamm::base::ids::{LeaderEpoch, Offset};
use klamm::wire::messages::fetch::{FetchPartition, FetchRequest, FetchTopic};
use klamm::wire::messages::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use klamm::wire::messages::metadata::MetadataRequest;
use klamm::wire::messages::produce::{ProducePartition, ProduceRequest, ProduceTopic};
use klamm::wire::{ErrorCode, Records};
use rustix::process::Signal;

use crate::batches::{Sent, batches_in, random_batch};
use crate::process::{self, Launch, Process, call, create, turn};

const TOPIC: &str = "filled";
const PATIENCE: Duration = Duration::from_secs(30);

/// A file system of 48 MiB that goes with the test.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount() -> Option<(SmallDisk, tempfile::TempDir)> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=48m", "tmpfs"])
            .arg(folder.path())
            .stderr(std::process::Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        if mounted {
            return Some((SmallDisk(folder.path().to_owned()), folder));
        }
        let required = std::env::var("KLAMM_REQUIRE_CLIENTS").is_ok_and(|value| value == "1");
        assert!(!required, "a tmpfs cannot be mounted, and KLAMM_REQUIRE_CLIENTS=1");
        println!("skipped: a tmpfs cannot be mounted");
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Takes all the room there is.
fn fill(disk: &Path) {
    let mut file = File::create(disk.join("filler")).expect("a file on the small disk");
    for size in [1 << 20, 1 << 12, 1] {
        let block = vec![1; size];
        while file.write_all(&block).is_ok() {}
    }
}

/// Takes what room there is besides.
fn refill(disk: &Path) {
    let mut file = File::options().append(true).open(disk.join("filler")).expect("the filler is there");
    for size in [1 << 12, 1] {
        let block = vec![1; size];
        while file.write_all(&block).is_ok() {}
    }
}

fn free(disk: &Path) {
    std::fs::remove_file(disk.join("filler")).expect("the filler is there");
}

/// A client and all that was acknowledged to it.
struct Client {
    stream: TcpStream,
    dice: Dice,
    acknowledged: Vec<(i64, Sent)>,
    tag: u64,
}

impl Client {
    /// Produces one batch and says what the broker said.
    fn produce(&mut self, acks: i16) -> ErrorCode {
        self.tag += 1;
        let sent = random_batch(&mut self.dice, None, self.tag, 200);
        let records = Some(sent.batch.to_bytes(Offset(0), LeaderEpoch(-1)));
        let partition = ProducePartition { index: 0, records };
        let topic = ProduceTopic { name: TOPIC.to_owned(), partition_data: vec![partition], ..Default::default() };
        let request = ProduceRequest { acks, timeout_ms: 10_000, topic_data: vec![topic], ..Default::default() };
        let answer = call(&mut self.stream, &request, 11).expect("the connection lives");
        let row = &answer.responses[0].partition_responses[0];
        if row.error_code == ErrorCode::NONE {
            self.acknowledged.push((row.base_offset, sent));
        }
        row.error_code
    }

    /// Produces until the disk is full.
    fn produce_until_refused(&mut self) {
        let begun = Instant::now();
        loop {
            let acks = if self.tag.is_multiple_of(2) { 1 } else { -1 };
            match self.produce(acks) {
                ErrorCode::NONE => assert!(begun.elapsed() < PATIENCE, "the disk does not fill"),
                error => return assert_eq!(error, ErrorCode::KAFKA_STORAGE_ERROR),
            }
        }
    }

    /// Produces until it is taken: the disk has room.
    fn produce_until_taken(&mut self) {
        let begun = Instant::now();
        while self.produce(-1) != ErrorCode::NONE {
            assert!(begun.elapsed() < PATIENCE, "writes are not taken again");
        }
    }

    /// Reads the topic from its start and compares it with what was acknowledged.
    fn check(&mut self) {
        assert!(!call(&mut self.stream, &MetadataRequest::default(), 9).expect("metadata").brokers.is_empty());
        let asked = ListOffsetsTopic {
            name: TOPIC.to_owned(),
            partitions: vec![ListOffsetsPartition { timestamp: -1, ..Default::default() }],
        };
        let request = ListOffsetsRequest { replica_id: -1, topics: vec![asked], ..Default::default() };
        let end = call(&mut self.stream, &request, 6).expect("offsets").topics[0].partitions[0].offset;
        let mut bytes = Vec::new();
        let mut next = 0;
        while next < end {
            let partition = FetchPartition { fetch_offset: next, partition_max_bytes: 1 << 20, ..Default::default() };
            let topic = FetchTopic { topic: TOPIC.to_owned(), partitions: vec![partition], ..Default::default() };
            let request = FetchRequest { max_wait_ms: 100, topics: vec![topic], ..Default::default() };
            let answer = call(&mut self.stream, &request, 11).expect("a fetch");
            let row = &answer.responses[0].partitions[0];
            assert_eq!(row.error_code, ErrorCode::NONE);
            let Records::Bytes(records) = &row.records else { panic!("records are bytes") };
            let batches = batches_in(records).expect("whole batches");
            next = batches.last().expect("records below the end").0.next_offset().0;
            bytes.extend(batches);
        }
        for (base, sent) in &self.acknowledged {
            let found = bytes.iter().find(|(header, _)| header.base_offset.0 == *base);
            let (_, records) = found.unwrap_or_else(|| panic!("the batch acknowledged at {base} is lost"));
            assert_eq!(*records, sent.at(*base), "the batch at {base}");
        }
    }
}

fn start(data: &Path) -> Process {
    Launch { settings: &["log.segment.bytes=1048576"], ..Launch::on(data) }.start()
}

/// Names of the partitions' folders.
fn partitions(data: &Path) -> Vec<String> {
    let names = std::fs::read_dir(data).expect("a folder").map(|entry| entry.expect("a name").file_name());
    let mut names: Vec<_> =
        names.filter_map(|name| name.into_string().ok()).filter(|name| name.ends_with("-0")).collect();
    names.sort();
    names
}

#[test]
fn a_full_disk_refuses_writes_serves_reads_and_recovers() {
    let _turn = turn();
    let Some((disk, _folder)) = SmallDisk::mount() else { return };
    let data = disk.0.join("data");
    let broker = start(&data);
    let mut client = Client { stream: broker.connect(), dice: Dice::new(1), acknowledged: Vec::new(), tag: 0 };
    assert_eq!(create(&mut client.stream, TOPIC, 1), ErrorCode::NONE);
    for _ in 0..20 {
        assert_eq!(client.produce(-1), ErrorCode::NONE);
    }
    for round in 0..5 {
        fill(&disk.0);
        client.produce_until_refused();
        let (late, before) = (format!("late-{round}"), partitions(&data));
        assert_eq!(create(&mut client.stream, &late, 3), ErrorCode::KAFKA_STORAGE_ERROR, "a topic on a full disk");
        assert_eq!(partitions(&data), before, "nothing is half made");
        client.check();
        free(&disk.0);
        client.produce_until_taken();
        assert_eq!(create(&mut client.stream, &late, 3), ErrorCode::NONE, "there is room again");
        client.check();
    }
    assert!(broker.errors().is_empty(), "{:?}", broker.errors());
}

#[test]
fn a_broker_stops_and_starts_and_deletes_on_a_full_disk() {
    let _turn = turn();
    let Some((disk, _folder)) = SmallDisk::mount() else { return };
    let data = disk.0.join("data");
    let mut broker = start(&data);
    let mut client = Client { stream: broker.connect(), dice: Dice::new(2), acknowledged: Vec::new(), tag: 0 };
    assert_eq!(create(&mut client.stream, TOPIC, 1), ErrorCode::NONE);
    assert_eq!(create(&mut client.stream, "needless", 1), ErrorCode::NONE);
    fill(&disk.0);
    client.produce_until_refused();
    for (signal, code) in [(Signal::TERM, Some(0)), (Signal::KILL, None)] {
        broker.signal(signal);
        assert_eq!(broker.wait(PATIENCE), code, "{}", broker.log());
        // What the stop gave up and did not need: taken, so that the start finds a full disk.
        refill(&disk.0);
        broker = start(&data);
        assert_eq!(broker.opened().contains("clean=true"), code == Some(0), "{}", broker.opened());
        client.stream = broker.connect();
        client.check();
        refill(&disk.0);
        client.produce_until_refused();
        client.check();
    }
    assert_eq!(process::delete(&mut client.stream, "needless"), ErrorCode::NONE, "a deletion makes room");
    broker.signal(Signal::TERM);
    assert_eq!(broker.wait(PATIENCE), Some(0), "{}", broker.log());

    // Without a reserve a start is refused in one line, and changes nothing.
    let _ = std::fs::remove_file(data.join("klamm.reserve"));
    refill(&disk.0);
    let mut refused = Launch::on(&data).spawn();
    assert_eq!(refused.wait(PATIENCE), Some(5), "{}", refused.log());
    let log = refused.log();
    assert!(log.lines().count() == 1 && log.contains(" ERROR ") && log.contains("No space left"), "{log}");
    free(&disk.0);
    let broker = start(&data);
    assert!(broker.opened().contains("clean=true"), "the refused start left the mark: {}", broker.opened());
    client.stream = broker.connect();
    client.check();
    client.produce_until_taken();
}
