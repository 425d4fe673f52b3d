//! What holds for every coordinator: its folders come when they are used.

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
