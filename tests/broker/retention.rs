//! Records that are not kept: what clients see of it, and what lies on the disk.

use klamm::base::ids::{LeaderEpoch, Offset};
use klamm::record::builder::{BatchBuilder, NewRecord};
use klamm::record::compression::Compression;
use klamm::wire::messages::list_offsets::{EARLIEST_TIMESTAMP, LATEST_TIMESTAMP};

use crate::rig::{Client, Rig, batch, files, list_offsets_request, now, timed, until, values};

const DAY: i64 = 24 * 3_600_000;
/// Looked for all the time, and gone at once.
const PROMPT: [(&str, &str); 2] = [("log.retention.check.interval.ms", "20"), ("log.segment.delete.delay.ms", "0")];

fn offset(client: &mut Client, topic: &str, timestamp: i64) -> i64 {
    client.call(&list_offsets_request(topic, &[(0, timestamp)]), 7).topics[0].partitions[0].offset
}

fn keyed(value: &str) -> bytes::Bytes {
    let mut builder = BatchBuilder::new(Compression::NONE);
    let record = NewRecord { timestamp: now(), key: Some(b"k"), value: Some(value.as_bytes()), headers: &[] };
    builder.append(&record);
    builder.build().to_bytes(Offset(0), LeaderEpoch(-1))
}

#[test]
fn records_older_than_the_retention_time_go_with_their_files() {
    let mut rig = Rig::with(&PROMPT);
    let mut client = rig.client();
    client.create("old", 1, &[("retention.ms", &DAY.to_string())]);
    client.create("kept", 1, &[("retention.ms", "-1")]);
    for topic in ["old", "kept"] {
        client.append(topic, 0, timed(&[now() - 2 * DAY, now() - 3 * DAY]));
    }
    until("the old records are gone", || (offset(&mut client, "old", EARLIEST_TIMESTAMP) == 2).then_some(()));
    let folder = rig.data().join("old-0");
    until("their files are gone", || {
        let logs = [files(&folder, ".log"), files(&folder, ".deleted")].concat();
        (logs == ["00000000000000000002.log"]).then_some(())
    });
    assert_eq!(client.fetch("old", 0, 1).error_code.0, 1, "OFFSET_OUT_OF_RANGE");
    assert_eq!(client.append("old", 0, batch(&["new"])), 2);
    assert_eq!(offset(&mut client, "kept", EARLIEST_TIMESTAMP), 0);
    drop(client);

    rig.restart();
    let mut client = rig.client();
    assert_eq!((offset(&mut client, "old", EARLIEST_TIMESTAMP), offset(&mut client, "old", LATEST_TIMESTAMP)), (2, 3));
    assert_eq!(values(&client.fetch("old", 0, 2).records), ["new"]);
    assert_eq!(offset(&mut client, "kept", EARLIEST_TIMESTAMP), 0);
}

#[test]
fn a_partition_is_kept_at_its_size() {
    let rig = Rig::with(&PROMPT);
    let mut client = rig.client();
    client.create("sized", 1, &[("retention.bytes", "2500000"), ("segment.bytes", "1048576")]);
    let value = "v".repeat(100_000);
    let sent = (0..60).map(|_| client.append("sized", 0, batch(&[&value]))).max();
    assert_eq!(sent, Some(59));
    // ten records a segment; what is left is no less than asked for, and less than a segment more
    let first = until("the oldest segments are gone", || {
        let first = offset(&mut client, "sized", EARLIEST_TIMESTAMP);
        (first >= 30).then_some(first)
    });
    assert_eq!(first, 30);
    assert_eq!(values(&client.fetch("sized", 0, 59).records), [value]);
}

/// A client that reads along loses nothing that is kept, and learns of what is not.
#[test]
fn a_consumer_reads_while_segments_go() {
    let rig = Rig::with(&PROMPT);
    let mut client = rig.client();
    client.create("passing", 1, &[("retention.bytes", "1000000"), ("segment.bytes", "1048576")]);
    let mut reader = rig.client();
    let value = "v".repeat(100_000);
    let (mut at, mut seen, mut jumps) = (0, 0, 0);
    for sent in 0..150 {
        client.append("passing", 0, batch(&[&value]));
        if sent % 3 != 2 {
            continue;
        }
        let row = reader.fetch("passing", 0, at);
        match row.error_code.0 {
            0 => {
                let found = crate::rig::records_of(&row.records);
                at = found.last().map_or(at, |record| record.offset + 1);
                seen += found.len();
            }
            1 => {
                at = offset(&mut reader, "passing", EARLIEST_TIMESTAMP);
                jumps += 1;
            }
            other => panic!("error {other} at {at}"),
        }
    }
    assert!(seen > 0, "after {jumps} jumps");
}

#[test]
fn the_oldest_segments_of_all_topics_make_room_for_new_records() {
    let mut rig = Rig::with(&[("klamm.disk.max.bytes", "8000000"), ("log.segment.bytes", "1048576")]);
    let mut client = rig.client();
    client.create("first", 1, &[]);
    client.create("kept", 1, &[("cleanup.policy", "compact")]);
    client.create("second", 1, &[]);
    let value = "v".repeat(100_000);
    (0..20).for_each(|_| {
        client.append("kept", 0, keyed(&value));
    });
    // 2 MB are kept, so that 6 MB are left for both; each is written to as room is made
    let mut send = |topic: &str, times: usize| {
        for _ in 0..times {
            until("there is room", || (client.produce(topic, 0, batch(&[&value])).error_code.0 == 0).then_some(()));
        }
    };
    send("first", 30);
    send("second", 60);
    let start = |client: &mut Client, topic: &str| offset(client, topic, EARLIEST_TIMESTAMP);
    assert_eq!(start(&mut client, "kept"), 0);
    assert!(start(&mut client, "first") >= 20, "older than all of the other");
    assert!(start(&mut client, "second") >= 10);
    let bytes = |topic: &str| -> u64 {
        let folder = rig.data().join(format!("{topic}-0"));
        files(&folder, "").iter().map(|file| std::fs::metadata(folder.join(file)).map_or(0, |file| file.len())).sum()
    };
    assert!(bytes("first") + bytes("second") + bytes("kept") < 8_100_000);
    drop(client);
    rig.restart();
    let mut client = rig.client();
    assert!(start(&mut client, "first") >= 20);
    assert_eq!(values(&client.fetch("second", 0, 59).records), [value]);
}

#[test]
fn produce_requests_are_refused_at_the_limit_and_taken_again_below_it() {
    let rig = Rig::with(&[("klamm.disk.max.bytes", "1000000")]);
    let mut client = rig.client();
    client.create("full", 1, &[]);
    let value = "v".repeat(100_000);
    (0..9).for_each(|_| {
        client.append("full", 0, batch(&[&value]));
    });
    assert_eq!(client.produce("full", 0, batch(&[&value])).error_code.0, 56, "KAFKA_STORAGE_ERROR");
    assert_eq!(values(&client.fetch("full", 0, 8).records), std::slice::from_ref(&value), "it is still read");
    client.delete("full");
    client.create("next", 1, &[]);
    until("there is room again", || (client.produce("next", 0, batch(&[&value])).error_code.0 == 0).then_some(()));
}
