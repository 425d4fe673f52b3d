//! Records that are not kept: what clients see of it, and what lies on the disk.

use klamm::wire::messages::list_offsets::{EARLIEST_TIMESTAMP, LATEST_TIMESTAMP};

use crate::rig::{Client, Rig, batch, files, list_offsets_request, now, timed, until, values};

const DAY: i64 = 24 * 3_600_000;
/// Looked for all the time, and gone at once.
const PROMPT: [(&str, &str); 2] = [("log.retention.check.interval.ms", "20"), ("log.segment.delete.delay.ms", "0")];

fn offset(client: &mut Client, topic: &str, timestamp: i64) -> i64 {
    client.call(&list_offsets_request(topic, &[(0, timestamp)]), 7).topics[0].partitions[0].offset
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
