//! What holds for every coordinator: its folders come when they are used, a panic inside it ends the process.

use std::convert::Infallible;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::sync::Arc;

use klamm::base::clock::{Monotonic, SystemClock};
use klamm::base::ids::{TopicId, TopicName};
use klamm::coordinator::machine::{EffectsOf, Machine};
use klamm::coordinator::shell::{Shell, Surroundings};
use klamm::coordinator::{At, Context, Effects, Input, Marker, Topics};

use crate::groups::{commit, commit_request, committed, group, ready};
use crate::rig::{Rig, fresh};

fn folders(rig: &Rig) -> usize {
    let entries = std::fs::read_dir(rig.data()).expect("the data directory");
    let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with("__consumer_offsets-")).count()
}

#[test]
fn the_folders_of_coordinators_come_when_they_are_used() {
    let mut rig = Rig::with(&[]);
    let mut client = rig.client();
    client.create("t", 1, &[]);
    let id = group(&mut client, "first");
    assert_eq!(folders(&rig), 0, "nothing is committed yet");
    assert_eq!(commit(&mut client, &commit_request(&id, "t", 0, 7), 9), 0);
    assert_eq!(folders(&rig), 1);

    rig.restart();
    assert_eq!(folders(&rig), 1);
    let mut client = rig.client();
    ready(&mut client, &id);
    assert_eq!(committed(&mut client, &id, "t", 0), 7);
    // Of a hundred groups some are elsewhere.
    for _ in 0..100 {
        let other = fresh("other");
        ready(&mut client, &other);
        assert_eq!(commit(&mut client, &commit_request(&other, "t", 0, 8), 9), 0);
    }
    assert!((2..=50).contains(&folders(&rig)));
    rig.restart();
    let mut client = rig.client();
    ready(&mut client, &id);
    assert_eq!(committed(&mut client, &id, "t", 0), 7);
}

struct Panics;

impl Machine for Panics {
    type Event = ();
    type Record = ();
    type Reply = ();
    type Command = Infallible;

    fn handle(&mut self, _: Input<()>, _: &mut Context<'_>) -> EffectsOf<Self> {
        panic!("half of a change is made");
    }

    fn replay(&mut self, (): (), _: At) {}

    fn replay_marker(&mut self, _: Marker, _: At) {}

    fn loaded(&mut self, _: &mut Context<'_>) -> EffectsOf<Self> {
        Effects::default()
    }

    fn next_deadline(&self) -> Option<Monotonic> {
        None
    }

    fn encode((): &()) -> (Vec<u8>, Option<Vec<u8>>) {
        (Vec::new(), None)
    }

    fn decode(_: &[u8], _: Option<&[u8]>) -> Result<Option<()>, String> {
        Ok(None)
    }
}

struct NoTopics;

impl Topics for NoTopics {
    fn by_name(&self, _: &str) -> Option<(TopicId, usize)> {
        None
    }

    fn by_id(&self, _: TopicId) -> Option<(TopicName, usize)> {
        None
    }

    fn names(&self) -> Vec<TopicName> {
        Vec::new()
    }

    fn edition(&self) -> u64 {
        0
    }
}

/// A machine that a panic has left half changed used to be served on.
#[test]
fn a_panic_of_a_machine_ends_the_process() {
    const CHILD: &str = "KLAMM_TEST_MACHINE_PANICS";
    if std::env::var_os(CHILD).is_some() {
        return ask_one_that_panics();
    }
    let name = "coordinator::a_panic_of_a_machine_ends_the_process";
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    let output = command.args([name, "--exact", "--nocapture"]).env(CHILD, "1").output().expect("it runs");
    const SIGABRT: i32 = 6;
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.signal(), Some(SIGABRT), "{said}");
    assert!(said.contains("half of a change is made"), "{said}");
}

fn ask_one_that_panics() {
    let rig = Rig::with(&[]);
    rig.client().create("t", 1, &[]);
    let partition = rig.broker().registry.topic("t").and_then(|topic| topic.partition(0)).expect("a partition");
    let surroundings = Surroundings {
        clock: SystemClock::shared(),
        topics: Arc::new(NoTopics),
        random: || [0; 16],
        fresh: Box::new(|| Panics),
        command: Box::new(|none: Infallible| match none {}),
        slow_turn: parking_lot::Mutex::new(()),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    // A task's panic is caught by the runtime.
    let asked = runtime.block_on(async {
        let shell = Shell::start(partition, Arc::new(surroundings));
        tokio::spawn(async move { drop(shell.call(())) }).await
    });
    assert!(asked.is_err());
}
