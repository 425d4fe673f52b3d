//! DeleteRecords: where logs begin afterwards, what is refused, and that it lasts.

use std::path::Path;

use klamm::wire::messages::delete_records::{DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic};

use crate::rig::{Client, Rig, batch, client, fetch_request, fresh, list_offsets_request, values};

const EARLIEST: i64 = -2;

fn delete(client: &mut Client, topic: &str, partitions: &[(i32, i64)], version: i16) -> Vec<(i32, i64, i16)> {
    let partition = |(partition_index, offset): &(i32, i64)| DeleteRecordsPartition {
        partition_index: *partition_index,
        offset: *offset,
    };
    let partitions = partitions.iter().map(partition).collect();
    let topics = vec![DeleteRecordsTopic { name: topic.to_owned(), partitions }];
    let mut answer = client.call(&DeleteRecordsRequest { topics, timeout_ms: 10_000 }, version).topics;
    assert_eq!((answer.len(), answer[0].name.as_str()), (1, topic));
    let mut rows: Vec<_> = answer
        .remove(0)
        .partitions
        .into_iter()
        .map(|row| (row.partition_index, row.low_watermark, row.error_code.0))
        .collect();
    rows.sort_unstable();
    rows
}

fn earliest(client: &mut Client, topic: &str, partition: i32) -> i64 {
    client.call(&list_offsets_request(topic, &[(partition, EARLIEST)]), 7).topics[0].partitions[0].offset
}

fn filled(client: &mut Client, topic: &str) {
    for value in ["a", "b", "c", "d", "e"] {
        client.append(topic, 0, batch(&[value]));
    }
}

#[test]
fn every_version_moves_the_start_of_a_log() {
    let mut client = client();
    for version in 0..=2 {
        let topic = fresh("delete-versions");
        client.create(&topic, 1, &[]);
        filled(&mut client, &topic);
        assert_eq!(delete(&mut client, &topic, &[(0, 2)], version), [(0, 2, 0)]);
        assert_eq!(earliest(&mut client, &topic, 0), 2);
        assert_eq!(client.fetch(&topic, 0, 1).error_code.0, 1, "below the start");
        let found = client.fetch(&topic, 0, 2);
        assert_eq!((values(&found.records), found.log_start_offset), (vec!["c".into(), "d".into(), "e".into()], 2));
        assert_eq!(delete(&mut client, &topic, &[(0, 1)], version), [(0, 2, 0)], "never backwards");
        assert_eq!(delete(&mut client, &topic, &[(0, -1)], version), [(0, 5, 0)], "-1 is the high watermark");
        assert_eq!(client.append(&topic, 0, batch(&["f"])), 5);
        assert_eq!(values(&client.fetch(&topic, 0, 5).records), ["f"]);
    }
}

#[test]
fn an_offset_inside_a_batch_is_a_start_too() {
    let mut client = client();
    let topic = fresh("delete-inside");
    client.create(&topic, 1, &[]);
    client.append(&topic, 0, batch(&["a", "b", "c"]));
    assert_eq!(delete(&mut client, &topic, &[(0, 1)], 2), [(0, 1, 0)]);
    assert_eq!(earliest(&mut client, &topic, 0), 1);
    assert_eq!(client.fetch(&topic, 0, 0).error_code.0, 1);
    // Batches go whole; the client leaves out what it did not ask for.
    assert_eq!(values(&client.fetch(&topic, 0, 1).records), ["a", "b", "c"]);
}

#[test]
fn what_cannot_be_deleted_is_refused() {
    let mut client = client();
    let (topic, compacted, both) = (fresh("delete-refused"), fresh("delete-compacted"), fresh("delete-both"));
    client.create(&topic, 1, &[]);
    client.create(&compacted, 1, &[("cleanup.policy", "compact")]);
    client.create(&both, 1, &[("cleanup.policy", "compact,delete")]);
    filled(&mut client, &topic);
    for (offset, code) in [(6, 1), (i64::MAX, 1), (-2, 1), (i64::MIN, 1)] {
        assert_eq!(delete(&mut client, &topic, &[(0, offset)], 2), [(0, -1, code)], "{offset}");
    }
    assert_eq!(delete(&mut client, &topic, &[(7, 0), (-1, 0)], 2), [(-1, -1, 3), (7, -1, 3)]);
    assert_eq!(delete(&mut client, &fresh("never"), &[(0, 0)], 2), [(0, -1, 3)]);
    assert_eq!(delete(&mut client, &compacted, &[(0, 0)], 2), [(0, -1, 44)]);
    assert_eq!(delete(&mut client, &both, &[(0, 0)], 2), [(0, 0, 0)]);
    assert_eq!(earliest(&mut client, &topic, 0), 0, "nothing was deleted");
}

#[test]
fn a_fetch_that_waits_below_the_new_start_is_answered() {
    let mut client = client();
    let topic = fresh("delete-waiting");
    client.create(&topic, 1, &[]);
    filled(&mut client, &topic);
    let mut waiting = Client::connect(client.address());
    let mut request = fetch_request(&topic, &[(0, 1)]);
    request.max_wait_ms = 15_000;
    request.min_bytes = 1 << 20;
    let correlation = waiting.send(&request, 12);
    // Whether it waits already or comes too late, the answer is the same, and long before its time.
    let started = std::time::Instant::now();
    assert_eq!(delete(&mut client, &topic, &[(0, 3)], 2), [(0, 3, 0)]);
    let answer = waiting.receive::<klamm::wire::messages::fetch::FetchRequest>(correlation, 12);
    assert_eq!(answer.responses[0].partitions[0].error_code.0, 1);
    assert!(started.elapsed().as_secs() < 10, "woken");
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
}

#[test]
fn a_start_in_the_middle_of_a_segment_is_there_after_a_stop_and_after_a_kill() {
    let mut rig = Rig::with(&[]);
    let mut client = rig.client();
    client.create("t", 2, &[]);
    filled(&mut client, "t");
    assert_eq!(delete(&mut client, "t", &[(0, 3)], 2), [(0, 3, 0)]);
    // What a kill would leave: the answer is here, no checkpoint job has run.
    let image = tempfile::tempdir().expect("a folder");
    copy(&rig.data(), &image.path().join("data"));
    rig.restart();
    assert_eq!(earliest(&mut rig.client(), "t", 0), 3);
    let killed = Rig::on(image);
    let mut client = killed.client();
    assert_eq!(earliest(&mut client, "t", 0), 3);
    assert_eq!(earliest(&mut client, "t", 1), 0);
    assert_eq!(client.fetch("t", 0, 2).error_code.0, 1);
    assert_eq!(values(&client.fetch("t", 0, 3).records), ["d", "e"]);
    assert_eq!(client.append("t", 0, batch(&["f"])), 5);
}
