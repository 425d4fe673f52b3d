//! The store on a real folder: what comes back after a restart, a torn write, a failed one; and what is refused.

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;

use super::change::{NewTopic, alter_configs, create_partitions, create_topic, delete_topic};
use super::image::{Image, Replay, Resource};
use super::options::SNAPSHOT_AFTER_BYTES;
use super::record::*;
use super::*;
use crate::base::clock::ManualClock;
use crate::base::disk::{Disk, DiskFile, Entry, Open, RealDisk, Space};
use crate::base::ids::{LeaderEpoch, PartitionIndex, TopicId, TopicName, Uuid};
use crate::codec::Message;

/// Values of `__cluster_metadata-0` as Apache Kafka 4.4 wrote them, one of each kind and version.
const KAFKAS: &[&str] = &[
    "0104000401146d696e2e696e73796e632e7265706c69636173023100",
    "010c00116d657461646174612e76657273696f6e002100",
    "0100040000000100162da6b909864293ba9081e6819dc91d0000000000000017020a504c41494e544558540a3132372e302e302e315a3c0000\
     00080e6b726166742e76657273696f6e00000001000e67726f75702e76657273696f6e00000001001073747265616d732e76657273696f6e00\
     00000100147472616e73616374696f6e2e76657273696f6e000000020021656c696769626c652e6c65616465722e7265706c696361732e7665\
     7273696f6e0000000100116d657461646174612e76657273696f6e00070021000e73686172652e76657273696f6e0000000200000100010011\
     02609ac85b4d4d4b239c48340ce9f5141e",
    "011100000000010000000000000017010001ff",
    "01110300000001000000000000001701030101",
    "01110100000001000000000000001701010101",
    "0102000e6269726368312d73696e676c6511843041cf504c6d9b0d5a2f59918b5100",
    "0103020000000011843041cf504c6d9b0d5a2f59918b5102000000010200000001010100000001000000000000000002609ac85b4d4d4b239c\
     48340ce9f5141e00",
    "0105020000000011843041cf504c6d9b0d5a2f59918b51040001010104ffffffff0605020000000107050200000001",
    "010f0000000001000000000000001700000000000003e800",
    "010b000661646d696e011b31326d7a65667930326a357a7638333539316d30637032776d332126c0348ce95c7c082ef94f17ad704cc627ec22\
     6250c29eb469958ff8addacd142102b573d3bfe59ac5b9eb9fdc8ccce1fd10c769a87343e5fb2e709b25f90c3b5d0000100000",
    "010e0002057573657206616c696365001370726f64756365725f627974655f72617465412e8a74000000000000",
    "01120073cb0aeb4a4542b38e8b62db0dbb987e020c6269726368312d6b657074030b557365723a616c696365022a030300",
    "01140000",
];

fn unhex(text: &str) -> Bytes {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("hex");
    digits.chunks(2).map(byte).collect()
}

fn endpoint(name: &str, port: u16) -> Endpoint {
    Endpoint { name: name.to_owned(), host: "127.0.0.1".to_owned(), port, security_protocol: 0 }
}

/// A data directory and what it is opened with.
struct House {
    folder: tempfile::TempDir,
    disk: Arc<dyn Disk>,
    opened: u8,
    is_clean: bool,
    snapshot_after_bytes: u64,
}

impl House {
    fn new() -> House {
        House {
            folder: tempfile::tempdir().expect("a temporary folder"),
            disk: RealDisk::shared(),
            opened: 0,
            is_clean: true,
            snapshot_after_bytes: SNAPSHOT_AFTER_BYTES,
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn metadata(&self) -> PathBuf {
        self.data().join("__cluster_metadata-0")
    }

    fn log(&self) -> PathBuf {
        self.metadata().join("00000000000000000000.log")
    }

    fn try_open(&mut self) -> Result<Store, MetaError> {
        self.opened += 1;
        let mut next = [self.opened; 16];
        let mut random = || {
            next[15] = next[15].wrapping_add(1);
            next
        };
        let mut options = BootOptions {
            node_id: None,
            cluster_id: None,
            listeners: vec![endpoint("PLAINTEXT", 9092)],
            controller: endpoint("CONTROLLER", 9093),
            rack: None,
            is_clean: self.is_clean,
            clock: ManualClock::at(1_800_000_000_000),
            before_change: &mut || Ok(()),
            random: &mut random,
            snapshot_after_bytes: self.snapshot_after_bytes,
        };
        Store::open_or_create(&self.disk, &self.data(), &mut options)
    }

    fn open(&mut self) -> Store {
        self.try_open().expect("the directory opens")
    }
}

fn topic_id(n: u8) -> TopicId {
    Uuid::from_random([n; 16])
}

fn make_topic(store: &Store, name: &str, n: u8, partition_count: i32) -> Arc<Image> {
    let name = TopicName::parse(name).expect("a legal name");
    let configs = [("retention.ms".to_owned(), "7".to_owned())];
    let topic = NewTopic { name: &name, id: topic_id(n), partition_count, configs: &configs };
    store.append(create_topic(&topic, store.node())).expect("the topic is made")
}

fn encoded(image: &Image) -> Vec<Bytes> {
    image.records().iter().map(|record| record.encode(image.metadata_version())).collect()
}

/// The image without the registrations, which every start makes anew.
fn lasting(image: &Image) -> Vec<Record> {
    let is_new = |record: &Record| matches!(record, Record::RegisterBroker(_) | Record::RegisterController(_));
    image.records().into_iter().filter(|record| !is_new(record)).collect()
}

#[test]
fn kafkas_records_are_read_and_written_to_the_byte() {
    for text in KAFKAS {
        let value = unhex(text);
        let record = Record::decode(&value).expect("Kafka wrote it");
        assert_eq!(record.encode(level::NEWEST), value, "{record:?}");
        for cut in 0..value.len() {
            Record::decode(&value.slice(..cut)).expect_err("a truncated record is refused");
        }
        for bit in 0..value.len() * 8 {
            let mut garbled = value.to_vec();
            garbled[bit / 8] ^= 1 << (bit % 8);
            // Read or refused, but never a panic; what is read is written again without loss.
            if let Ok(record) = Record::decode(&Bytes::from(garbled)) {
                let again = Record::decode(&record.encode(level::NEWEST)).expect("ours");
                assert_eq!(format!("{again:?}"), format!("{record:?}"));
            }
        }
    }
}

#[test]
fn kafkas_records_add_up() {
    let mut replay = Replay::default();
    for text in KAFKAS {
        replay.record(Record::decode(&unhex(text)).expect("Kafka wrote it")).expect("it fits");
    }
    let image = replay.into_image();
    let broker = image.broker(1).expect("registered");
    assert!(!broker.fenced && broker.in_controlled_shutdown);
    assert_eq!(broker.cordoned_log_dirs, Some(vec![]));
    let partition = &image.topic_by_name("birch1-single").expect("a topic").partitions[&PartitionIndex(0)];
    assert_eq!((partition.leader, partition.leader_epoch, partition.partition_epoch), (-1, LeaderEpoch(1), 1));
    assert_eq!((partition.isr.len(), &partition.eligible_leader_replicas[..]), (0, &[1][..]));
    assert_eq!(image.next_producer_id(), 1000);
    assert_eq!(image.kept().count(), 3);
    assert_eq!(image.metadata_version(), 33);
}

#[test]
fn a_record_of_a_version_not_known_is_refused_and_one_of_a_key_not_known_is_kept() {
    Record::decode(&unhex("010201")).expect_err("TopicRecord has version 0 only");
    Record::decode(&unhex("02140000")).expect_err("there is one frame version");
    Record::decode(&unhex("0114000000")).expect_err("a byte behind the record");
    let unknown = unhex("01e8070301020304");
    let record = Record::decode(&unknown).expect("kept as it is");
    assert_eq!(record, Record::Unknown(UnknownRecord { key: 1000, version: 3, body: unhex("01020304") }));
    assert_eq!(record.encode(7), unknown);
}

#[test]
fn older_metadata_versions_get_older_records() {
    let partition = PartitionRecord { directories: vec![topic_id(1)], ..PartitionRecord::default() };
    let version = |record: Record, level: i16| record.encode(level)[2];
    for (level, wanted) in [(7, 0), (16, 0), (17, 1), (22, 1), (23, 2), (33, 2)] {
        assert_eq!(version(partition.clone().into(), level), wanted, "PartitionRecord at {level}");
    }
    for (level, wanted) in [(7, 1), (8, 2), (17, 3), (29, 3), (30, 4)] {
        assert_eq!(version(RegisterBrokerRecord::default().into(), level), wanted, "RegisterBrokerRecord at {level}");
    }
    let change = PartitionChangeRecord { last_known_elr: Some(vec![]), ..PartitionChangeRecord::default() };
    assert_eq!((version(change.clone().into(), 23), version(change.into(), 22)), (2, 0));
}

#[test]
fn records_of_a_transaction_count_from_its_end_on() {
    let feature = |level| FeatureLevelRecord { name: "group.version".to_owned(), feature_level: level };
    let mut replay = Replay::default();
    let mut next = |record: Record| {
        replay.record(record).expect("in its place");
        replay.image().feature("group.version")
    };
    assert_eq!(next(BeginTransactionRecord::default().into()), 0);
    assert_eq!(next(feature(1).into()), 0);
    assert_eq!(next(AbortTransactionRecord::default().into()), 0);
    assert_eq!(next(BeginTransactionRecord::default().into()), 0);
    assert_eq!(next(feature(2).into()), 0);
    assert_eq!(next(EndTransactionRecord::default().into()), 2);
    replay.record(EndTransactionRecord::default().into()).expect_err("none is open");
}

#[test]
fn everything_comes_back_after_a_restart() {
    let mut house = House::new();
    let store = house.open();
    let (cluster_id, node) = (store.cluster_id().to_owned(), store.node());
    assert_eq!((store.quorum_epoch(), store.broker_epoch()), (LeaderEpoch(1), 13));
    make_topic(&store, "orders", 1, 3);
    make_topic(&store, "gone", 2, 1);
    store.append(create_partitions(store.image().topic_by_name("orders").expect("made"), 5, node)).expect("grown");
    store.append(delete_topic(topic_id(2))).expect("deleted");
    let (end, before) = (store.log_bounds().1, lasting(&store.image()));
    store.close_clean().expect("closed");
    drop(store);

    let store = house.open();
    assert_eq!((store.cluster_id(), store.node()), (cluster_id.as_str(), node));
    assert_eq!(store.quorum_epoch(), LeaderEpoch(2));
    assert_eq!(store.broker_epoch(), end.0 + 2, "behind LeaderChange and RegisterController");
    assert_eq!(store.image().broker(1).map(|broker| (broker.broker_epoch, broker.fenced)), Some((end.0 + 2, false)));
    assert_eq!(lasting(&store.image()), before);
    let image = store.image();
    assert_eq!(image.topic(topic_id(1)).expect("there").partitions.len(), 5);
    assert!(image.topic_by_name("gone").is_none());
    assert!(image.configs(&Resource::topic("gone")).is_none(), "its configuration went with it");
}

#[test]
fn a_stop_that_was_not_clean_raises_every_leader_epoch() {
    let mut house = House::new();
    make_topic(&house.open(), "orders", 1, 3);
    for (is_clean, epoch) in [(true, 0), (false, 1), (false, 2), (true, 2)] {
        house.is_clean = is_clean;
        let image = house.open().image();
        let partitions = &image.topic_by_name("orders").expect("there").partitions;
        assert!(partitions.values().all(|p| p.leader_epoch == LeaderEpoch(epoch) && p.leader == 1), "{partitions:?}");
    }
}

#[test]
fn leadership_is_taken_back_after_kafkas_clean_stop() {
    let mut house = House::new();
    let store = house.open();
    make_topic(&store, "orders", 1, 1);
    let stop = PartitionChangeRecord {
        partition_id: 0,
        topic_id: topic_id(1),
        isr: Some(vec![]),
        leader: -1,
        eligible_leader_replicas: Some(vec![1]),
        last_known_elr: Some(vec![1]),
        leader_recovery_state: 1,
        ..PartitionChangeRecord::default()
    };
    store.append(vec![stop.into()]).expect("written");
    drop(store);
    let image = house.open().image();
    let partition = &image.topic_by_name("orders").expect("there").partitions[&PartitionIndex(0)];
    assert_eq!((partition.leader, partition.leader_epoch, &partition.isr[..]), (1, LeaderEpoch(2), &[1][..]));
    assert!(partition.eligible_leader_replicas.is_empty() && partition.last_known_elr.is_empty());
    assert_eq!(partition.leader_recovery_state, 0);
}

#[test]
fn producer_ids_are_never_given_out_twice() {
    let mut house = House::new();
    let mut next = 0;
    for _ in 0..4 {
        let store = house.open();
        for _ in 0..3 {
            let block = store.allocate_producer_id_block().expect("reserved");
            assert_eq!(block, next..next + 1000);
            next = block.end;
        }
        store.snapshot().expect("written");
    }
}

#[test]
fn a_snapshot_says_what_the_log_said() {
    let mut house = House::new();
    let store = house.open();
    make_topic(&store, "orders", 1, 3);
    for text in KAFKAS.iter().filter(|text| ["010b", "010e", "0112"].contains(&&text[..4])) {
        store.append(vec![Record::decode(&unhex(text)).expect("Kafka wrote it")]).expect("kept");
    }
    let unknown = UnknownRecord { key: 1000, version: 3, body: unhex("01020304") };
    store.append(vec![Record::Unknown(unknown)]).expect("kept");
    let before = encoded(&store.image());
    store.snapshot().expect("written");
    let mut rebuilt = Image::default();
    store.image().records().iter().for_each(|record| rebuilt.replay(record).expect("in order"));
    assert_eq!(encoded(&rebuilt), before);
    let (mut lasts, end) = (lasting(&store.image()), store.log_bounds().1);
    drop(store);

    // The log below the snapshot is not needed, and its directory not changed by it.
    std::fs::remove_file(house.log()).expect("removed");
    let store = house.open();
    assert_eq!(lasting(&store.image()), lasts);
    assert_eq!(store.log_bounds().0, end);
    make_topic(&store, "more", 2, 1);
    lasts = lasting(&store.image());
    store.snapshot().expect("written");
    drop(store);
    let store = house.open();
    assert_eq!(lasting(&store.image()), lasts);
    let is_snapshot = |name: &String| name.ends_with(".checkpoint");
    let names = std::fs::read_dir(house.metadata()).expect("listed");
    let names: Vec<String> =
        names.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
    assert_eq!(names.iter().filter(|name| is_snapshot(name)).count(), 2, "{names:?}");
}

#[test]
fn snapshots_keep_the_log_short() {
    let mut house = House::new();
    house.snapshot_after_bytes = 2000;
    let store = house.open();
    for n in 0..60 {
        make_topic(&store, &format!("topic-{n}"), n, 1);
    }
    let (start, end) = store.log_bounds();
    assert_eq!(store.log_end(), end);
    assert!(end.0 - start.0 < 60, "{start} to {end}");
    let before = lasting(&store.image());
    drop(store);
    assert_eq!(lasting(&house.open().image()), before);
}

#[test]
fn a_torn_tail_is_dropped_wherever_it_was_torn() {
    let mut house = House::new();
    let store = house.open();
    let before = lasting(&make_topic(&store, "orders", 1, 1));
    let whole = std::fs::metadata(house.log()).expect("there").len();
    make_topic(&store, "late", 2, 1);
    drop(store);
    let bytes = std::fs::read(house.log()).expect("read");
    let last = usize::try_from(whole).expect("small");
    for cut in (last..bytes.len()).step_by(7) {
        std::fs::write(house.log(), &bytes[..cut]).expect("written");
        assert_eq!(lasting(&house.open().image()), before, "cut at {cut}");
    }
    let mut garbled = bytes.clone();
    garbled[last + 80] ^= 1;
    garbled.extend_from_slice(&[0; 4096]);
    std::fs::write(house.log(), &garbled).expect("written");
    assert_eq!(lasting(&house.open().image()), before, "a wrong checksum and zeros behind it");
}

#[test]
fn damage_amid_the_log_is_refused_and_nothing_is_cut() {
    let mut house = House::new();
    let store = house.open();
    make_topic(&store, "orders", 1, 1);
    let at = usize::try_from(std::fs::metadata(house.log()).expect("there").len()).expect("small");
    make_topic(&store, "late", 2, 1);
    make_topic(&store, "later", 3, 1);
    drop(store);
    let mut bytes = std::fs::read(house.log()).expect("read");
    for damage in [at + 4, at + 9, at + 11, at + 90] {
        bytes[damage] ^= 0x10;
        std::fs::write(house.log(), &bytes).expect("written");
        let state = std::fs::read(house.metadata().join("quorum-state")).expect("read");
        let error = house.try_open().err().expect("refused");
        assert!(matches!(error, MetaError::Damaged { .. }), "{error}");
        assert_eq!(std::fs::read(house.log()).expect("read"), bytes);
        assert_eq!(std::fs::read(house.metadata().join("quorum-state")).expect("read"), state);
        bytes[damage] ^= 0x10;
    }
}

#[test]
fn a_first_start_that_did_not_finish_begins_again() {
    let mut house = House::new();
    drop(house.open());
    let (named, unnamed) = (house.data().join("meta.properties"), house.data().join("meta.properties.tmp"));
    std::fs::rename(&named, &unnamed).expect("renamed");
    std::fs::write(house.log(), b"torn").expect("written");
    std::fs::remove_file(house.metadata().join("quorum-state")).expect("removed");
    let store = house.open();
    assert_eq!(store.quorum_epoch(), LeaderEpoch(1));
    make_topic(&store, "orders", 1, 1);
    drop(store);
    assert_eq!(house.open().image().topic_count(), 1);
}

#[test]
fn what_belongs_to_a_larger_or_newer_cluster_is_refused() {
    let check = |record: Record, part: &str| {
        let mut house = House::new();
        let store = house.open();
        make_topic(&store, "orders", 1, 1);
        store.append(vec![record]).expect("written");
        drop(store);
        let before = std::fs::read(house.log()).expect("read");
        let error = house.try_open().err().expect("refused").to_string();
        assert!(error.contains(part) && !error.contains('\n'), "{error}");
        assert_eq!(std::fs::read(house.log()).expect("read"), before, "nothing was written");
    };
    let replicas = Some(vec![1, 2]);
    let id = topic_id(1);
    check(PartitionChangeRecord { partition_id: 0, topic_id: id, replicas, ..Default::default() }.into(), "[1, 2]");
    let newer = FeatureLevelRecord { name: "metadata.version".to_owned(), feature_level: 34 };
    check(newer.into(), "metadata.version is 34");
}

#[test]
fn records_that_contradict_the_image_are_not_written() {
    let mut house = House::new();
    let store = house.open();
    let end = store.log_bounds().1;
    let error = store.append(delete_topic(topic_id(9))).err().expect("no such topic");
    assert!(matches!(error, MetaError::Contradiction(_)), "{error}");
    assert_eq!(store.log_bounds().1, end);
    assert!(!store.is_poisoned());
}

#[test]
fn a_configuration_that_is_so_already_makes_no_record() {
    let mut house = House::new();
    let store = house.open();
    make_topic(&store, "orders", 1, 1);
    let resource = Resource::topic("orders");
    let change = |key: &str, value: Option<&str>| vec![(key.to_owned(), value.map(str::to_owned))];
    let image = store.image();
    assert!(alter_configs(&image, &resource, &change("retention.ms", Some("7"))).is_empty());
    assert!(alter_configs(&image, &resource, &change("cleanup.policy", None)).is_empty());
    let records = alter_configs(&image, &resource, &change("retention.ms", None));
    let image = store.append(records).expect("removed");
    assert!(image.configs(&resource).is_none());
    let records = alter_configs(&image, &resource, &change("min.insync.replicas", Some("1")));
    assert!(matches!(&records[..], [Record::Config(_), Record::ClearElr(_)]), "{records:?}");
}

/// A disk whose writes and syncs of segments fail as told: counts down, then fails once.
struct Failing {
    real: Arc<dyn Disk>,
    countdown: Arc<AtomicI64>,
    kind: io::ErrorKind,
    in_sync: bool,
}

struct FailingFile {
    real: Arc<dyn DiskFile>,
    countdown: Arc<AtomicI64>,
    kind: io::ErrorKind,
    in_sync: bool,
}

impl FailingFile {
    fn fails(&self, in_sync: bool) -> io::Result<()> {
        let is_due = self.in_sync == in_sync && self.countdown.fetch_sub(1, Ordering::SeqCst) == 0;
        if is_due { Err(self.kind.into()) } else { Ok(()) }
    }
}

impl DiskFile for FailingFile {
    fn write_all_at(&self, slices: &[IoSlice<'_>], position: u64) -> io::Result<()> {
        if let Err(error) = self.fails(false) {
            self.real.write_all_at(&[IoSlice::new(&slices[0][..20])], position)?;
            return Err(error);
        }
        self.real.write_all_at(slices, position)
    }
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.real.read_at(buffer, position)
    }
    fn sync(&self) -> io::Result<()> {
        self.fails(true)?;
        self.real.sync()
    }
    fn set_length(&self, length: u64) -> io::Result<()> {
        self.real.set_length(length)
    }
    fn length(&self) -> io::Result<u64> {
        self.real.length()
    }
    fn reserve(&self, length: u64) -> io::Result<()> {
        self.real.reserve(length)
    }
    fn system(&self) -> Option<&std::fs::File> {
        None
    }
}

impl Disk for Failing {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        let real = self.real.open(path, how)?;
        if path.extension().is_none_or(|extension| extension != "log") {
            return Ok(real);
        }
        let countdown = self.countdown.clone();
        Ok(Arc::new(FailingFile { real, countdown, kind: self.kind, in_sync: self.in_sync }))
    }
    fn list(&self, folder: &Path) -> io::Result<Vec<Entry>> {
        self.real.list(folder)
    }
    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        self.real.create_folder(folder)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.real.rename(from, to)
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.real.remove_file(path)
    }
    fn remove_folder(&self, folder: &Path) -> io::Result<()> {
        self.real.remove_folder(folder)
    }
    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.real.sync_folder(folder)
    }
    fn length(&self, path: &Path) -> io::Result<Option<u64>> {
        self.real.length(path)
    }
    fn modified_ms(&self, path: &Path) -> io::Result<i64> {
        self.real.modified_ms(path)
    }
    fn set_mode(&self, path: &Path, mode: u32) -> io::Result<()> {
        self.real.set_mode(path, mode)
    }
    fn space(&self, path: &Path) -> io::Result<Space> {
        self.real.space(path)
    }
}

#[test]
fn a_full_disk_refuses_one_change_and_any_other_failure_all() {
    let check = |kind: io::ErrorKind, in_sync: bool, poisons: bool| {
        let mut house = House::new();
        let countdown = Arc::new(AtomicI64::new(i64::MAX));
        house.disk = Arc::new(Failing { real: RealDisk::shared(), countdown: countdown.clone(), kind, in_sync });
        let store = house.open();
        let before = lasting(&make_topic(&store, "orders", 1, 1));
        countdown.store(0, Ordering::SeqCst);
        let error = store.allocate_producer_id_block().expect_err("it fails");
        assert_eq!(matches!(error, MetaError::Poisoned { .. }), poisons, "{error}");
        assert_eq!(store.is_poisoned(), poisons);
        assert_eq!(lasting(&store.image()), before, "what failed is not seen");
        assert_eq!(store.allocate_producer_id_block().is_err(), poisons);
        drop(store);
        let image = house.open().image();
        assert_eq!(image.topic_count(), 1);
        assert!(poisons || image.next_producer_id() == 1000);
    };
    check(io::ErrorKind::StorageFull, false, false);
    check(io::ErrorKind::Other, false, true);
    check(io::ErrorKind::Other, true, true);
    check(io::ErrorKind::StorageFull, true, true);
}

#[test]
fn a_transaction_that_was_left_open_is_aborted() {
    let mut house = House::new();
    let store = house.open();
    let end = store.log_bounds().1;
    drop(store);
    let feature = FeatureLevelRecord { name: "group.version".to_owned(), feature_level: 7 };
    let left: [Record; 2] = [BeginTransactionRecord::default().into(), feature.into()];
    let batch = super::batches::data_batch(&left, level::NEWEST, crate::base::clock::WallMs(1));
    let mut bytes = std::fs::read(house.log()).expect("read");
    bytes.extend_from_slice(&batch.to_bytes(end, LeaderEpoch(1)));
    std::fs::write(house.log(), bytes).expect("written");
    for _ in 0..2 {
        let image = house.open().image();
        assert_eq!(image.feature("group.version"), 1);
        assert!(image.broker(1).is_some());
    }
}

#[test]
fn a_directory_that_was_only_formatted_gets_its_bootstrap_records() {
    let mut house = House::new();
    drop(house.open());
    std::fs::remove_file(house.log()).expect("removed");
    std::fs::remove_file(house.metadata().join("quorum-state")).expect("removed");
    let store = house.open();
    assert_eq!(store.image().metadata_version(), level::NEWEST);
    let values = store.image().configs(&Resource::every_broker()).cloned().expect("set");
    assert_eq!(values.get("min.insync.replicas").map(String::as_str), Some("1"));
    let before = lasting(&store.image());
    drop(store);
    assert_eq!(lasting(&house.open().image()), before);
}

#[test]
fn copies_of_an_image_do_not_see_each_others_changes() {
    let mut house = House::new();
    let store = house.open();
    let first = make_topic(&store, "orders", 1, 1);
    let second = make_topic(&store, "more", 2, 1);
    assert_eq!((first.topic_count(), second.topic_count()), (1, 2));
    assert!(first.topic_by_name("more").is_none());
    assert!(Arc::ptr_eq(first.topic_by_name("orders").expect("there"), second.topic_by_name("orders").expect("there")));
}

#[test]
fn every_record_is_flexible_from_its_first_version() {
    assert_eq!((TopicRecord::FLEXIBLE_FROM, PartitionRecord::FLEXIBLE_FROM), (0, 0));
}

/// An epoch that only the checkpoint or an earlier batch named was overlooked: the first append was refused, at every start again.
#[test]
fn the_epoch_of_a_start_is_above_every_one_seen() {
    let mut house = House::new();
    house.open().close_clean().expect("closed");
    std::fs::write(house.metadata().join("leader-epoch-checkpoint"), "0\n1\n70 0\n").expect("written");
    let store = house.open();
    assert_eq!(store.quorum_epoch(), LeaderEpoch(71));
    make_topic(&store, "orders", 1, 1);
}

#[test]
fn a_directory_without_an_epoch_to_go_on_with_is_refused() {
    let mut house = House::new();
    house.open().close_clean().expect("closed");
    std::fs::write(house.metadata().join("quorum-state"), "{\"leaderEpoch\":2147483647}").expect("written");
    let error = house.try_open().err().expect("refused");
    assert!(matches!(error, MetaError::Damaged { .. }), "{error}");
}
