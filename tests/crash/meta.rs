//! The metadata of a directory after a power cut or an error at any operation: every acknowledged change is there whole, the one
//! in flight whole or not at all, and every start finds its way.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use klamm::base::clock::ManualClock;
use klamm::base::disk::Disk;
use klamm::base::disk::fault::{Cut, Dice, Fault, FaultDisk};
use klamm::base::ids::{TopicName, Uuid};
use klamm::meta::change::{NewTopic, alter_configs, create_partitions, create_topic, delete_topic};
use klamm::meta::image::Resource;
use klamm::meta::record::Record;
use klamm::meta::{BootOptions, Endpoint, Image, MetaError, Store};

use crate::liar::{Liar, Lie};
use crate::sweep::{Counts, Effort, Run, Verdict, asked_seed, long, sweep};

const ROOT: &str = "/data";
const RUNS: u64 = 1;
const STEPS: usize = 24;
const STATES_MIN: u64 = 4_000;

/// What users see.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct State {
    cluster_id: String,
    /// Id, count of partitions, configuration.
    topics: BTreeMap<String, (Uuid, usize, BTreeMap<String, String>)>,
    next_producer_id: i64,
}

impl State {
    fn of(cluster_id: &str, image: &Image) -> State {
        let topics = image.topics().map(|topic| {
            let configs = image.configs(&Resource::topic(topic.name.as_str())).map(|configs| (**configs).clone());
            (topic.name.as_str().to_owned(), (topic.id, topic.partitions.len(), configs.unwrap_or_default()))
        });
        State {
            cluster_id: cluster_id.to_owned(),
            topics: topics.collect(),
            next_producer_id: image.next_producer_id(),
        }
    }
}

/// What users were told.
#[derive(Clone, Default, Debug)]
struct Told {
    /// Since the first start.
    acknowledged: Option<Arc<State>>,
    attempted: Option<Arc<State>>,
    /// Of the last start that was seen to succeed.
    epochs: (i32, i64),
}

fn open(disk: &Arc<dyn Disk>, seed: u64, is_clean: bool) -> Result<Store, MetaError> {
    let mut dice = Dice::new(seed);
    let mut random = || {
        let (left, right) = (dice.throw().to_le_bytes(), dice.throw().to_le_bytes());
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&left);
        bytes[8..].copy_from_slice(&right);
        bytes
    };
    let endpoint =
        |name: &str, port| Endpoint { name: name.to_owned(), host: "localhost".to_owned(), port, security_protocol: 0 };
    let mut options = BootOptions {
        node_id: None,
        cluster_id: None,
        listeners: vec![endpoint("PLAINTEXT", 9092)],
        controller: endpoint("CONTROLLER", 9093),
        rack: None,
        is_clean,
        clock: ManualClock::at(1_800_000_000_000),
        before_change: &mut || Ok(()),
        random: &mut random,
        snapshot_after_bytes: 900,
    };
    Store::open_or_create(disk, Path::new(ROOT), &mut options)
}

/// A store and its only user.
struct User<'a> {
    disk: Arc<dyn Disk>,
    store: Store,
    dice: Dice,
    starts: u64,
    told: Told,
    /// A start failed: there is no broker any more.
    is_down: bool,
    tell: &'a dyn Fn(Told),
}

impl<'a> User<'a> {
    fn start(disk: Arc<dyn Disk>, seed: u64, tell: &'a dyn Fn(Told)) -> Result<User<'a>, MetaError> {
        let store = open(&disk, seed, true)?;
        let mut user =
            User { disk, store, dice: Dice::new(seed), starts: 1, told: Told::default(), is_down: false, tell };
        user.acknowledge();
        Ok(user)
    }

    fn acknowledge(&mut self) {
        self.told = Told {
            acknowledged: Some(Arc::new(State::of(self.store.cluster_id(), &self.store.image()))),
            attempted: None,
            epochs: (self.store.quorum_epoch().0, self.store.broker_epoch()),
        };
        (self.tell)(self.told.clone());
    }

    fn step(&mut self) -> Result<(), MetaError> {
        let image = self.store.image();
        let names: Vec<_> = image.topics_by_name().into_iter().cloned().collect();
        let some = names.get(self.dice.below(names.len()));
        match (self.dice.below(12), some) {
            (0..3, _) => {
                let name = TopicName::parse(&format!("topic-{}", self.dice.throw() % 1000)).expect("legal");
                if image.topic_by_name(name.as_str()).is_some() {
                    return Ok(());
                }
                let id = Uuid::from_random([self.dice.throw().to_le_bytes()[0]; 16]);
                let configs = [("retention.ms".to_owned(), self.dice.below(9).to_string())];
                let partition_count = i32::try_from(1 + self.dice.below(4)).expect("small");
                let topic = NewTopic { name: &name, id, partition_count, configs: &configs };
                if image.topic(id).is_some() {
                    return Ok(());
                }
                self.change(create_topic(&topic, self.store.node()))
            }
            (3, Some(topic)) => self.change(delete_topic(topic.id)),
            (4..6, Some(topic)) => {
                let value = (self.dice.below(3) > 0).then(|| self.dice.below(9).to_string());
                let changes = [("retention.ms".to_owned(), value)];
                self.change(alter_configs(&image, &Resource::topic(topic.name.as_str()), &changes))
            }
            (6, Some(topic)) => {
                let count = i32::try_from(topic.partitions.len() + 1).expect("small");
                self.change(create_partitions(topic, count, self.store.node()))
            }
            (7..9, _) => self.allocate(),
            (9, _) => self.store.snapshot(),
            (10, _) => self.restart(),
            _ => Ok(()),
        }
    }

    fn change(&mut self, records: Vec<Record>) -> Result<(), MetaError> {
        let mut attempted = (*self.store.image()).clone();
        records.iter().try_for_each(|record| attempted.replay(record))?;
        self.attempt(State::of(self.store.cluster_id(), &attempted));
        let result = self.store.append(records).map(|_| ());
        self.hear(result)
    }

    fn allocate(&mut self) -> Result<(), MetaError> {
        let mut attempted = State::of(self.store.cluster_id(), &self.store.image());
        attempted.next_producer_id += 1000;
        let before = self.store.image().next_producer_id();
        self.attempt(attempted);
        let result = self.store.allocate_producer_id_block();
        if let Ok(block) = &result {
            assert_eq!(*block, before..before + 1000, "a block that nobody had");
        }
        self.hear(result.map(|_| ()))
    }

    fn attempt(&mut self, attempted: State) {
        self.told.attempted = Some(Arc::new(attempted));
        (self.tell)(self.told.clone());
    }

    fn hear(&mut self, result: Result<(), MetaError>) -> Result<(), MetaError> {
        match &result {
            // What failed in an unknown way may be there after a restart.
            Err(MetaError::Poisoned { .. }) => {}
            _ => self.acknowledge(),
        }
        result
    }

    fn restart(&mut self) -> Result<(), MetaError> {
        self.starts += 1;
        self.is_down = true;
        self.store = open(&self.disk, self.starts, self.dice.coin())?;
        self.is_down = false;
        self.acknowledge();
        Ok(())
    }
}

fn record(seed: u64, steps: usize, through: impl Fn(FaultDisk) -> Arc<dyn Disk>) -> Run<Told> {
    let disk = FaultDisk::new().with_folder(Path::new(if seed & 1 == 0 { "/" } else { ROOT }));
    disk.keep_history();
    let told = RefCell::new(vec![(0, Told::default())]);
    let tell = |now| told.borrow_mut().push((disk.operations(), now));
    let mut user = User::start(through(disk.clone()), seed, &tell).expect("start");
    for _ in 0..steps {
        user.step().expect("a step on a disk without faults");
    }
    drop(user);
    Run { disk, told: told.into_inner() }
}

fn judge(disk: &FaultDisk, told: &Told) -> Verdict {
    let store = open(&disk.shared(), 77, false).map_err(|error| format!("does not start: {error}"))?;
    let found = State::of(store.cluster_id(), &store.image());
    if let Some(acknowledged) = &told.acknowledged {
        let is_attempted = told.attempted.as_ref().is_some_and(|attempted| **attempted == found);
        if **acknowledged != found && !is_attempted {
            return Err(format!("found {found:?}\nacknowledged {acknowledged:?}\nattempted {:?}", told.attempted));
        }
    }
    let epochs = (store.quorum_epoch().0, store.broker_epoch());
    if epochs.0 <= told.epochs.0 || epochs.1 <= told.epochs.1 {
        return Err(format!("quorum and broker epoch {epochs:?} after {:?}", told.epochs));
    }
    let recovered = disk.operations();

    // What a start shows stays, whatever comes next.
    let again = disk.crash(&Cut::HARSH, 0);
    let store_again = open(&again.shared(), 78, false).map_err(|error| format!("does not start again: {error}"))?;
    let shown = State::of(store_again.cluster_id(), &store_again.image());
    if shown != found || store_again.quorum_epoch().0 <= epochs.0 {
        return Err(format!("showed {found:?} and after the next cut {shown:?}"));
    }
    store.allocate_producer_id_block().map_err(|error| format!("takes no change: {error}"))?;
    Ok(recovered)
}

fn plain(disk: FaultDisk) -> Arc<dyn Disk> {
    disk.shared()
}

#[test]
fn no_acknowledged_change_is_lost_or_torn_by_a_power_cut_at_any_operation() {
    let seeds = asked_seed().map_or(0..RUNS * long(), |seed| seed..seed + 1);
    let effort = Effort { subsets: 4, double_every: 60 };
    let mut counts = Counts::default();
    for seed in seeds {
        match sweep(&record(seed, STEPS, plain), seed, effort, judge) {
            Ok(more) => counts += more,
            Err(why) => panic!("{why}\nKLAMM_SEED={seed} cargo test --test crash no_acknowledged_change"),
        }
    }
    println!("metadata: {counts:?}");
    assert!(counts.states + counts.double >= STATES_MIN || asked_seed().is_some(), "{counts:?}");
}

#[test]
fn the_rig_catches_metadata_that_is_not_synced() {
    let effort = Effort { subsets: 4, double_every: u64::MAX };
    for lie in [Lie::FileSync, Lie::FolderSync] {
        let objects =
            |seed: &u64| sweep(&record(*seed, 12, |disk| Liar::over(disk, lie)), *seed, effort, judge).is_err();
        assert_eq!((0..4).filter(objects).count(), 4, "{lie:?}");
    }
}

/// Runs a script through errors as a daemon would: a poisoned store ends it.
fn run_with(seed: u64, prepare: impl Fn(&FaultDisk)) -> (FaultDisk, Told, bool) {
    let disk = FaultDisk::new().with_folder(Path::new("/"));
    prepare(&disk);
    let told = RefCell::new(Told::default());
    let tell = |now| *told.borrow_mut() = now;
    let mut finished = false;
    if let Ok(mut user) = User::start(disk.shared(), seed, &tell) {
        for step in 0..STEPS {
            let result = user.step();
            if user.is_down {
                break;
            }
            if user.store.is_poisoned() {
                let refused = user.store.allocate_producer_id_block();
                assert!(matches!(refused, Err(MetaError::Poisoned { .. })), "refused until restart: {refused:?}");
                break;
            }
            // No space is tried again; a snapshot that failed too.
            assert!(!matches!(result, Err(MetaError::Poisoned { .. })), "{result:?} and not poisoned");
            finished = step + 1 == STEPS;
        }
    }
    (disk, told.into_inner(), finished)
}

#[test]
fn an_error_at_any_operation_loses_no_acknowledged_change() {
    for (fault, name) in [(Fault::Io, "EIO"), (Fault::NoSpace, "ENOSPC")] {
        let (mut runs, mut finished_runs) = (0, 0);
        for seed in 0..long() {
            for operation in 0..run_with(seed, |_| {}).0.operations() {
                let (disk, told, finished) = run_with(seed, |disk| disk.fail_at(operation, fault));
                for cut in disk.cuts(2) {
                    judge(&disk.crash(&cut, 3), &told).unwrap_or_else(|why| {
                        panic!("seed {seed}, {name} at operation {operation}, then {cut:?}: {why}")
                    });
                }
                runs += 1;
                finished_runs += u64::from(finished);
            }
        }
        println!("metadata, {name}: {runs} runs, {finished_runs} went on to their end");
        assert!(finished_runs > 0, "{name}");
    }
}
