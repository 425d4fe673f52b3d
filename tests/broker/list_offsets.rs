//! ListOffsets: the special timestamps, and those of records.

use klamm::base::ids::{LeaderEpoch, Offset};
use klamm::record::builder::{BatchBuilder, NewRecord};
use klamm::record::compression::{Codec, Compression};
use klamm::wire::messages::list_offsets::{
    EARLIEST_LOCAL_TIMESTAMP, EARLIEST_PENDING_UPLOAD_TIMESTAMP, EARLIEST_TIMESTAMP, LATEST_TIERED_TIMESTAMP,
    LATEST_TIMESTAMP, ListOffsetsPartition, ListOffsetsRequest, MAX_TIMESTAMP,
};

use crate::rig::{Client, batch, client, fresh, list_offsets_request, now, timed};

/// Error, timestamp, offset, leader epoch.
type Answer = (i16, i64, i64, i32);

fn ask(client: &mut Client, topic: &str, timestamp: i64, version: i16) -> Answer {
    let response = client.call(&list_offsets_request(topic, &[(0, timestamp)]), version);
    let row = &response.topics[0].partitions[0];
    (row.error_code.0, row.timestamp, row.offset, row.leader_epoch)
}

#[test]
fn every_version_tells_the_ends_of_the_log() {
    let mut client = client();
    let topic = fresh("offsets-ends");
    client.create(&topic, 1, &[]);
    client.append(&topic, 0, batch(&["a", "b", "c"]));
    for version in 1..=11 {
        let epoch = if version < 4 { -1 } else { 0 };
        assert_eq!(ask(&mut client, &topic, LATEST_TIMESTAMP, version), (0, -1, 3, epoch), "version {version}");
        assert_eq!(ask(&mut client, &topic, EARLIEST_TIMESTAMP, version), (0, -1, 0, epoch), "version {version}");
        let committed =
            ListOffsetsRequest { isolation_level: 1, ..list_offsets_request(&topic, &[(0, LATEST_TIMESTAMP)]) };
        assert_eq!(client.call(&committed, version).topics[0].partitions[0].offset, 3);
    }
}

#[test]
fn an_empty_log_has_ends_too() {
    let mut client = client();
    let topic = fresh("offsets-empty");
    client.create(&topic, 1, &[]);
    for (timestamp, offset) in [(LATEST_TIMESTAMP, 0), (EARLIEST_TIMESTAMP, 0), (MAX_TIMESTAMP, -1), (0, -1)] {
        let (error, time, found, _) = ask(&mut client, &topic, timestamp, 9);
        assert_eq!((error, time, found), (0, -1, offset), "timestamp {timestamp}");
    }
}

#[test]
fn a_timestamp_finds_the_first_record_at_or_after_it() {
    let mut client = client();
    let topic = fresh("offsets-times");
    client.create(&topic, 1, &[]);
    let base = now() - 10_000;
    client.append(&topic, 0, timed(&[base, base + 10, base + 10]));
    client.append(&topic, 0, timed(&[base + 5, base + 20]));
    client.append(&topic, 0, timed(&[base + 30, base + 20]));
    let cases = [
        (0, base, 0),
        (base, base, 0),
        (base + 1, base + 10, 1),
        (base + 10, base + 10, 1),
        (base + 11, base + 20, 4),
        (base + 21, base + 30, 5),
        (base + 31, -1, -1),
        (i64::MAX, -1, -1),
    ];
    for version in [1, 5, 11] {
        for (asked, timestamp, offset) in cases {
            let epoch = if offset >= 0 && version >= 4 { 0 } else { -1 };
            assert_eq!(ask(&mut client, &topic, asked, version), (0, timestamp, offset, epoch), "{}", asked - base);
        }
    }
}

#[test]
fn compressed_batches_are_searched_record_by_record() {
    let mut client = client();
    let base = now() - 10_000;
    for codec in Codec::ALL {
        let topic = fresh("offsets-compressed");
        client.create(&topic, 1, &[]);
        let mut builder = BatchBuilder::new(Compression::of(codec));
        for index in 0..100 {
            builder.append(&NewRecord { timestamp: base + index * 10, value: Some(b"v"), ..Default::default() });
        }
        client.append(&topic, 0, builder.build().to_bytes(Offset(0), LeaderEpoch(-1)));
        assert_eq!(ask(&mut client, &topic, base + 555, 7), (0, base + 560, 56, 0), "{codec:?}");
    }
}

#[test]
fn many_batches_are_found_through_the_index() {
    let mut client = client();
    let topic = fresh("offsets-index");
    client.create(&topic, 1, &[("index.interval.bytes", "200"), ("segment.bytes", "1048576")]);
    let base = now() - 1_000_000;
    for index in 0..300 {
        client.append(&topic, 0, timed(&[base + index * 100, base + index * 100 + 50]));
    }
    for index in [0, 1, 77, 150, 299] {
        let time = base + index * 100;
        assert_eq!(ask(&mut client, &topic, time - 10, 7), (0, time, index * 2, 0));
        assert_eq!(ask(&mut client, &topic, time + 1, 7), (0, time + 50, index * 2 + 1, 0));
    }
}

#[test]
fn the_largest_timestamp_is_found_and_ties_go_to_the_earliest() {
    let mut client = client();
    let topic = fresh("offsets-max");
    client.create(&topic, 1, &[]);
    let base = now() - 10_000;
    client.append(&topic, 0, timed(&[base, base + 9]));
    client.append(&topic, 0, timed(&[base + 5, base + 9, base + 9]));
    client.append(&topic, 0, timed(&[base + 1]));
    for version in [7, 11] {
        assert_eq!(ask(&mut client, &topic, MAX_TIMESTAMP, version), (0, base + 9, 1, 0), "version {version}");
    }
}

#[test]
fn timestamps_that_came_later_are_refused_in_older_versions() {
    let mut client = client();
    let topic = fresh("offsets-special");
    client.create(&topic, 1, &[]);
    client.append(&topic, 0, batch(&["a", "b"]));
    let cases = [
        (EARLIEST_LOCAL_TIMESTAMP, 7, (35, -1, -1, -1)),
        (EARLIEST_LOCAL_TIMESTAMP, 8, (0, -1, 0, 0)),
        (LATEST_TIERED_TIMESTAMP, 8, (35, -1, -1, -1)),
        (LATEST_TIERED_TIMESTAMP, 9, (0, -1, -1, -1)),
        (EARLIEST_PENDING_UPLOAD_TIMESTAMP, 10, (35, -1, -1, -1)),
        (EARLIEST_PENDING_UPLOAD_TIMESTAMP, 11, (0, -1, -1, -1)),
        (-7, 11, (35, -1, -1, -1)),
        (i64::MIN, 11, (35, -1, -1, -1)),
    ];
    for (timestamp, version, expected) in cases {
        assert_eq!(ask(&mut client, &topic, timestamp, version), expected, "{timestamp} in version {version}");
    }
}

#[test]
fn what_is_not_there_is_told_per_partition() {
    let mut client = client();
    let topic = fresh("offsets-unknown");
    client.create(&topic, 1, &[]);
    for version in [1, 6, 11] {
        let response = client.call(&list_offsets_request(&topic, &[(0, -1), (3, -1), (-1, -1)]), version);
        let mut codes: Vec<_> = response.topics[0]
            .partitions
            .iter()
            .map(|row| (row.partition_index, row.error_code.0, row.offset))
            .collect();
        codes.sort_unstable();
        assert_eq!(codes, [(-1, 3, -1), (0, 0, 0), (3, 3, -1)]);
        assert_eq!(ask(&mut client, &fresh("never"), -1, version).0, 3);
    }
}

#[test]
fn a_partition_asked_twice_is_refused() {
    let mut client = client();
    let topic = fresh("offsets-twice");
    client.create(&topic, 2, &[]);
    let response = client.call(&list_offsets_request(&topic, &[(0, -1), (1, -1), (0, -2)]), 9);
    let codes: Vec<_> = response
        .topics
        .iter()
        .flat_map(|topic| &topic.partitions)
        .map(|row| (row.partition_index, row.error_code.0))
        .collect();
    assert!(codes.contains(&(0, 42)), "{codes:?}");
    assert!(codes.contains(&(1, 0)), "{codes:?}");
}

#[test]
fn leader_epochs_are_checked() {
    let mut client = client();
    let topic = fresh("offsets-epochs");
    client.create(&topic, 1, &[]);
    for (epoch, error) in [(-1, 0), (0, 0), (1, 75)] {
        let mut request = list_offsets_request(&topic, &[]);
        request.topics[0].partitions =
            vec![ListOffsetsPartition { partition_index: 0, current_leader_epoch: epoch, timestamp: -1 }];
        assert_eq!(client.call(&request, 9).topics[0].partitions[0].error_code.0, error, "epoch {epoch}");
    }
}
