//! Produce: acks, refusals, idempotence, codecs, and answers in order.

use bytes::Bytes;
use klamm::base::ids::{LeaderEpoch, Offset, Uuid};
use klamm::codec::{Message, Reader};
use klamm::record::builder::{BatchBuilder, NewRecord};
use klamm::record::compression::{Codec, Compression};
use klamm::wire::messages::init_producer_id::InitProducerIdRequest;
use klamm::wire::messages::produce::{ProducePartition, ProduceRequest, ProduceTopic};
use klamm::wire::{RequestHeader, frame};

use crate::rig::{
    self, BY_NAME, Client, batch, bytes_of, client, coded, fresh, headers, now, produce_request, records_of, sequenced,
    timed, until, values,
};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

fn producer(client: &mut Client) -> i64 {
    until("a producer id", || {
        let response = client.call(&InitProducerIdRequest::default(), 5);
        (response.error_code.0 == 0).then_some(response.producer_id)
    })
}

#[test]
fn every_version_appends_and_tells_the_offset() {
    let mut client = client();
    let topic = fresh("produce-versions");
    let id = client.create(&topic, 1, &[]);
    for (expected, version) in (0..).zip(3..=13) {
        let mut request = produce_request(&topic, 0, -1, batch(&["a"]));
        request.topic_data[0].topic_id = id;
        let response = client.call(&request, version);
        let topic_row = &response.responses[0];
        assert_eq!(topic_row.name, if version < 13 { topic.as_str() } else { "" });
        assert_eq!(topic_row.topic_id, if version < 13 { Uuid::ZERO } else { id });
        let row = &topic_row.partition_responses[0];
        assert_eq!((row.index, row.error_code.0, row.base_offset), (0, 0, expected), "version {version}");
        assert_eq!(row.log_append_time_ms, -1);
        assert_eq!(row.log_start_offset, if version < 5 { -1 } else { 0 });
        assert!(row.record_errors.is_empty() && row.error_message.is_none());
        assert_eq!(row.current_leader.leader_id, -1);
    }
}

#[test]
fn what_was_produced_is_fetched() {
    let mut client = client();
    let topic = fresh("produce-fetch");
    client.create(&topic, 2, &[]);
    assert_eq!(client.append(&topic, 1, batch(&["a", "b", "c"])), 0);
    assert_eq!(client.append(&topic, 1, batch(&["d"])), 3);
    let row = client.fetch(&topic, 1, 0);
    assert_eq!(values(&row.records), ["a", "b", "c", "d"]);
    assert_eq!((row.high_watermark, row.last_stable_offset, row.log_start_offset), (4, 4, 0));
    let found = headers(&row.records);
    assert_eq!(found.iter().map(|one| one.base_offset.0).collect::<Vec<_>>(), [0, 3]);
    assert!(found.iter().all(|one| one.leader_epoch.0 >= 0), "the broker writes its leader epoch");
    assert_eq!(client.fetch(&topic, 0, 0).high_watermark, 0);
}

#[test]
fn a_topic_or_partition_that_is_not_there_is_told_per_partition() {
    let mut client = client();
    let topic = fresh("produce-unknown");
    let id = client.create(&topic, 1, &[]);
    let missing = client.produce(&topic, 7, batch(&["a"]));
    assert_eq!((missing.error_code.0, missing.base_offset, missing.log_start_offset), (3, -1, -1));
    assert_eq!(client.produce(&topic, -1, batch(&["a"])).error_code.0, 3);
    assert_eq!(client.produce(&fresh("never"), 0, batch(&["a"])).error_code.0, 3);
    let by_id = |id| {
        let mut request = produce_request("", 0, -1, batch(&["a"]));
        request.topic_data[0].topic_id = id;
        request
    };
    let row = client.call(&by_id(Uuid([7; 16])), 13).responses[0].partition_responses[0].clone();
    assert_eq!((row.error_code.0, row.base_offset), (100, -1));
    let mut both = by_id(id);
    both.topic_data[0].partition_data.push(ProducePartition { index: 5, records: Some(batch(&["b"])) });
    let rows = client.call(&both, 13).responses.remove(0).partition_responses;
    assert_eq!(rows.iter().map(|row| row.error_code.0).collect::<Vec<_>>(), [0, 3], "the good one is appended");
}

#[test]
fn a_recreated_topic_is_not_found_under_its_old_id() {
    let mut client = client();
    let topic = fresh("produce-recreated");
    let old = client.create(&topic, 1, &[]);
    client.delete(&topic);
    let new = client.create(&topic, 1, &[]);
    assert_ne!(old, new);
    for (id, error) in [(old, 100), (new, 0)] {
        let mut request = produce_request("", 0, -1, batch(&["a"]));
        request.topic_data[0].topic_id = id;
        assert_eq!(client.call(&request, 13).responses[0].partition_responses[0].error_code.0, error);
    }
}

#[test]
fn acks_outside_of_their_range_are_refused() {
    let mut client = client();
    let topic = fresh("produce-acks");
    client.create(&topic, 1, &[]);
    for acks in [2, -2, i16::MAX, i16::MIN] {
        let response = client.call(&produce_request(&topic, 0, acks, batch(&["a"])), BY_NAME);
        let row = &response.responses[0].partition_responses[0];
        assert_eq!((row.error_code.0, row.base_offset), (21, -1), "acks {acks}");
    }
    assert_eq!(client.fetch(&topic, 0, 0).high_watermark, 0);
}

#[test]
fn acks_1_is_answered_and_acks_0_is_not() {
    let mut client = client();
    let topic = fresh("produce-silent");
    client.create(&topic, 1, &[]);
    let row =
        client.call(&produce_request(&topic, 0, 1, batch(&["a"])), BY_NAME).responses[0].partition_responses[0].clone();
    assert_eq!((row.error_code.0, row.base_offset), (0, 0));
    for value in ["b", "c"] {
        client.send(&produce_request(&topic, 0, 0, batch(&[value])), BY_NAME);
    }
    // The next answer is that of the next request that has one.
    assert_eq!(client.append(&topic, 0, batch(&["d"])), 3);
    assert_eq!(values(&client.fetch(&topic, 0, 0).records), ["a", "b", "c", "d"]);
}

#[test]
fn an_error_with_acks_0_closes_the_connection() {
    let mut other = client();
    let topic = fresh("produce-silent-error");
    other.create(&topic, 1, &[]);
    let mut broken = batch(&["a"]).to_vec();
    let last = broken.len() - 1;
    broken[last] ^= 1;
    let requests = [
        produce_request(&fresh("never"), 0, 0, batch(&["a"])),
        produce_request(&topic, 3, 0, batch(&["a"])),
        produce_request(&topic, 0, 0, broken.into()),
    ];
    for request in requests {
        let mut client = client();
        client.send(&request, BY_NAME);
        client.expect_closed();
    }
    assert_eq!(other.append(&topic, 0, batch(&["a"])), 0, "nothing of it was appended");
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let mut client = client();
    let topic = fresh("produce-pipelined");
    client.create(&topic, 2, &[]);
    let mut sent = Vec::new();
    for index in 0..600 {
        sent.push(client.send(&produce_request(&topic, index % 2, -1, batch(&["v"])), BY_NAME));
    }
    for (index, correlation) in (0i64..).zip(sent) {
        let response = client.receive::<ProduceRequest>(correlation, BY_NAME);
        let row = &response.responses[0].partition_responses[0];
        assert_eq!((row.error_code.0, row.base_offset), (0, index / 2), "request {index}");
    }
}

#[test]
fn acks_all_in_mode_sync_is_answered_when_it_is_visible() {
    let rig = rig::Rig::with(&[("durability.mode", "sync")]);
    let mut client = rig.client();
    client.create("t", 1, &[]);
    let sent: Vec<_> = (0..50)
        .map(|index| client.send(&produce_request("t", 0, [-1, 1][index % 2], batch(&["v"])), BY_NAME))
        .collect();
    let mut other = rig.client();
    for (offset, correlation) in (0..).zip(sent) {
        let row = client.receive::<ProduceRequest>(correlation, BY_NAME).responses[0].partition_responses[0].clone();
        assert_eq!((row.error_code.0, row.base_offset), (0, offset));
        assert!(other.fetch("t", 0, offset).high_watermark > offset, "acknowledged is visible");
    }
}

#[test]
fn a_request_without_topics_is_answered_empty() {
    let mut client = client();
    for version in [3, 8, 13] {
        let request = ProduceRequest { acks: 1, timeout_ms: 1, ..Default::default() };
        assert!(client.call(&request, version).responses.is_empty());
    }
}

#[test]
fn several_topics_and_partitions_in_one_request_each_have_their_row() {
    let mut client = client();
    let topics: Vec<_> = (0..3).map(|_| fresh("produce-many")).collect();
    for topic in &topics {
        client.create(topic, 2, &[]);
    }
    let partition = |index| ProducePartition { index, records: Some(batch(&["v"])) };
    let data = |name: &String| ProduceTopic {
        name: name.clone(),
        partition_data: vec![partition(1), partition(0), partition(2)],
        ..Default::default()
    };
    let request = ProduceRequest {
        acks: -1,
        timeout_ms: 9000,
        topic_data: topics.iter().map(data).collect(),
        ..Default::default()
    };
    let response = client.call(&request, 9);
    let mut named: Vec<_> = response.responses.iter().map(|one| one.name.clone()).collect();
    named.sort_unstable();
    let mut expected = topics.clone();
    expected.sort_unstable();
    assert_eq!(named, expected);
    for topic in &response.responses {
        let mut rows: Vec<_> = topic.partition_responses.iter().map(|row| (row.index, row.error_code.0)).collect();
        rows.sort_unstable();
        assert_eq!(rows, [(0, 0), (1, 0), (2, 3)]);
    }
}

/// Patches bytes of a batch and, if asked, makes its CRC fit again.
fn patched(mut bytes: Vec<u8>, at: usize, with: &[u8], reseal: bool) -> Bytes {
    bytes[at..at + with.len()].copy_from_slice(with);
    if reseal {
        let crc = crc32c::crc32c(&bytes[21..]);
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    }
    bytes.into()
}

#[test]
fn bad_batches_are_refused_with_kafkas_codes_and_leave_the_log_alone() {
    let mut client = client();
    let topic = fresh("produce-bad");
    client.create(&topic, 1, &[]);
    let good = || batch(&["hello", "world"]).to_vec();
    let mut trailing = good();
    trailing.extend(good());
    let last = good().len() - 1;
    let cases: Vec<(&str, Bytes, i16, i64)> = vec![
        ("a flipped bit", patched(good(), last, b"x", false), 2, -1),
        ("magic 0", patched(good(), 16, &[0], false), 87, -1),
        ("magic 1", patched(good(), 16, &[1], false), 87, -1),
        ("a count above the offsets", patched(good(), 57, &5i32.to_be_bytes(), true), 87, 0),
        ("a count below the offsets", patched(good(), 57, &1i32.to_be_bytes(), true), 87, 0),
        ("a negative count", patched(good(), 57, &(-1i32).to_be_bytes(), true), 87, 0),
        ("a last offset delta above the count", patched(good(), 23, &9i32.to_be_bytes(), true), 87, 0),
        ("the control bit", patched(good(), 21, &0x20i16.to_be_bytes(), true), 87, 0),
        ("two batches", trailing.into(), 87, -1),
        ("a sequence below 0 with a producer id", sequenced(5, 0, -2, &["a"]), 87, 0),
    ];
    for (what, records, code, start) in cases {
        let row = client.produce(&topic, 0, records);
        assert_eq!(row.error_code.0, code, "{what}: {:?}", row.error_message);
        // Kafka tells the log's start wherever it came as far as the log's validation.
        assert_eq!((row.base_offset, row.log_start_offset), (-1, start), "{what}");
    }
    assert_eq!(client.append(&topic, 0, batch(&["a"])), 0, "nothing of it was appended");
}

#[test]
fn codecs_that_do_not_exist_are_refused() {
    let mut client = client();
    let topic = fresh("produce-codecs");
    client.create(&topic, 1, &[]);
    for codec in 5i16..=7 {
        let row = client.produce(&topic, 0, patched(batch(&["a"]).to_vec(), 21, &codec.to_be_bytes(), true));
        assert!(row.error_code.0 != 0, "codec {codec}");
        assert_eq!(row.base_offset, -1);
        if !rig::is_reference() {
            assert_eq!(row.error_code.0, 76, "Kafka answers an unknown error: codec {codec}");
        }
    }
}

#[test]
fn empty_and_null_records_are_refused() {
    let mut client = client();
    let topic = fresh("produce-empty");
    client.create(&topic, 1, &[]);
    for version in [3, 8, 12] {
        let row = client.call(&produce_request(&topic, 0, -1, Bytes::new()), version).responses[0].partition_responses
            [0]
        .clone();
        assert_eq!((row.error_code.0, row.base_offset), (87, -1), "version {version}");
    }
    if !rig::is_reference() {
        // Kafka dies of a null on the way and closes the connection.
        let mut request = produce_request(&topic, 0, -1, Bytes::new());
        request.topic_data[0].partition_data[0].records = None;
        assert_eq!(client.call(&request, BY_NAME).responses[0].partition_responses[0].error_code.0, 87);
    }
}

#[test]
fn the_largest_message_is_that_of_the_topic() {
    let mut client = client();
    let topic = fresh("produce-large");
    client.create(&topic, 1, &[("max.message.bytes", "1000")]);
    let text = "x".repeat(800);
    let fits = batch(&[&text]);
    assert!(fits.len() < 1000);
    assert_eq!(client.append(&topic, 0, fits), 0);
    let text = "x".repeat(1000);
    let row = client.produce(&topic, 0, batch(&[&text]));
    assert_eq!((row.error_code.0, row.error_message), (10, None), "as Kafka: clients have a text of their own");
    // What counts is the batch as it comes.
    assert_eq!(client.append(&topic, 0, coded(Codec::Gzip, &[&text])), 1);
    let topic = fresh("produce-large-default");
    client.create(&topic, 1, &[]);
    let text = "x".repeat(1_048_588 - 61 - 11);
    assert_eq!(client.append(&topic, 0, batch(&[&text])), 0);
    let text = "x".repeat(1_048_588 - 61 - 10);
    assert_eq!(client.produce(&topic, 0, batch(&[&text])).error_code.0, 10);
}

#[test]
fn the_largest_message_counts_again_after_recompression() {
    let mut client = client();
    let topic = fresh("produce-recompressed-large");
    client.create(&topic, 1, &[("max.message.bytes", "1000"), ("compression.type", "uncompressed")]);
    let text = "x".repeat(5000);
    let small = coded(Codec::Gzip, &[&text]);
    assert!(small.len() < 1000);
    assert_eq!(client.produce(&topic, 0, small).error_code.0, 10);
}

#[test]
fn zstd_is_refused_before_version_7() {
    let mut client = client();
    let topic = fresh("produce-zstd");
    client.create(&topic, 1, &[]);
    let request = produce_request(&topic, 0, -1, coded(Codec::Zstd, &["a"]));
    for (version, code) in [(3, 76), (6, 76), (7, 0)] {
        let row = client.call(&request, version).responses[0].partition_responses[0].clone();
        assert_eq!(row.error_code.0, code, "version {version}");
    }
}

#[test]
fn every_codec_is_kept_or_changed_as_the_topic_says() {
    let mut client = client();
    let text = "the same text again and again ".repeat(40);
    let sent = ["a", text.as_str(), "", "c"];
    let targets = [
        ("producer", None),
        ("uncompressed", Some(Codec::None)),
        ("gzip", Some(Codec::Gzip)),
        ("snappy", Some(Codec::Snappy)),
        ("lz4", Some(Codec::Lz4)),
        ("zstd", Some(Codec::Zstd)),
    ];
    for (target, codec) in targets {
        let topic = fresh("produce-recompressed");
        client.create(&topic, 1, &[("compression.type", target)]);
        for (index, from) in (0i64..).zip(Codec::ALL) {
            let batch = coded(from, &sent);
            assert_eq!(client.append(&topic, 0, batch.clone()), index * 4, "{from:?} to {target}");
            let row = client.fetch(&topic, 0, index * 4);
            let header = headers(&row.records)[0];
            assert_eq!(header.attributes.codec(), Some(codec.unwrap_or(from)), "{from:?} to {target}");
            assert_eq!(values(&row.records), sent, "{from:?} to {target}");
            if codec.is_none_or(|codec| codec == from) {
                assert_eq!(bytes_of(&row.records)[17..], batch[17..], "kept as it came: {from:?} to {target}");
            }
        }
    }
}

#[test]
fn a_compressed_stream_that_is_not_one_is_refused() {
    let mut client = client();
    let topic = fresh("produce-garbage");
    client.create(&topic, 1, &[]);
    for codec in 1i16..=4 {
        let row = client.produce(
            &topic,
            0,
            patched(batch(&["plain bytes, not a stream"]).to_vec(), 21, &codec.to_be_bytes(), true),
        );
        assert_ne!(row.error_code.0, 0, "codec {codec}");
        if !rig::is_reference() {
            assert_eq!(row.error_code.0, 87, "codec {codec}: {:?}", row.error_message);
        }
    }
    assert_eq!(client.append(&topic, 0, batch(&["a"])), 0);
}

#[test]
fn times_are_the_records_or_those_of_the_append() {
    let mut client = client();
    let topic = fresh("produce-create-time");
    client.create(&topic, 1, &[("message.timestamp.type", "CreateTime")]);
    let then = now() - 1000;
    let row = client.produce(&topic, 0, timed(&[then, then + 5, then + 1]));
    assert_eq!((row.error_code.0, row.log_append_time_ms), (0, -1));
    let fetched = records_of(&client.fetch(&topic, 0, 0).records);
    assert_eq!(fetched.iter().map(|one| one.timestamp).collect::<Vec<_>>(), [then, then + 5, then + 1]);

    let topic = fresh("produce-append-time");
    client.create(&topic, 1, &[("message.timestamp.type", "LogAppendTime")]);
    for codec in [Codec::None, Codec::Lz4] {
        let before = now();
        let mut builder = BatchBuilder::new(Compression::of(codec));
        for timestamp in [1, 2] {
            builder.append(&NewRecord { timestamp, value: Some(b"v"), ..Default::default() });
        }
        let row = client.produce(&topic, 0, builder.build().to_bytes(Offset(0), LeaderEpoch(-1)));
        assert_eq!(row.error_code.0, 0);
        assert!((before..=now()).contains(&row.log_append_time_ms));
        let records = client.fetch(&topic, 0, row.base_offset).records;
        assert!(headers(&records)[0].attributes.is_log_append_time());
        assert!(records_of(&records).iter().all(|one| one.timestamp == row.log_append_time_ms));
    }
}

#[test]
fn times_out_of_the_topics_range_are_refused_record_by_record() {
    let mut client = client();
    let topic = fresh("produce-times");
    client.create(
        &topic,
        1,
        &[("message.timestamp.before.max.ms", "3600000"), ("message.timestamp.after.max.ms", "3600000")],
    );
    let now = now();
    for (timestamps, at_fault) in
        [(vec![now, now - DAY_MS, now], vec![1]), (vec![now + DAY_MS, now, now + DAY_MS], vec![0, 2])]
    {
        let row = client.produce(&topic, 0, timed(&timestamps));
        assert_eq!((row.error_code.0, row.base_offset), (32, -1));
        assert!(row.error_message.is_some());
        let found: Vec<_> = row.record_errors.iter().map(|one| one.batch_index).collect();
        assert_eq!(found, at_fault);
        assert!(row.record_errors.iter().all(|one| one.batch_index_error_message.is_some()));
    }
    assert_eq!(client.append(&topic, 0, timed(&[now - 1000, now + 1000])), 0);
}

#[test]
fn a_compacted_topic_takes_no_record_without_a_key() {
    let mut client = client();
    let topic = fresh("produce-compacted");
    client.create(&topic, 1, &[("cleanup.policy", "compact")]);
    let keyed =
        |key: Option<&'static [u8]>| NewRecord { timestamp: now(), key, value: Some(b"v"), ..Default::default() };
    let mut builder = BatchBuilder::new(Compression::NONE);
    for key in [Some(b"k".as_slice()), None, Some(b"".as_slice()), None] {
        builder.append(&keyed(key));
    }
    let mixed = builder.build().to_bytes(Offset(0), LeaderEpoch(-1));
    let row = client.produce(&topic, 0, mixed.clone());
    assert_eq!((row.error_code.0, row.base_offset), (87, -1));
    assert_eq!(row.record_errors.iter().map(|one| one.batch_index).collect::<Vec<_>>(), [1, 3]);
    // Before version 8 the answer has no room for them.
    let row = client.call(&produce_request(&topic, 0, -1, mixed), 7).responses[0].partition_responses[0].clone();
    assert_eq!(row.error_code.0, 87);
    assert!(row.record_errors.is_empty());
    let mut builder = BatchBuilder::new(Compression::of(Codec::Zstd));
    builder.append(&keyed(Some(b"k")));
    assert_eq!(client.append(&topic, 0, builder.build().to_bytes(Offset(0), LeaderEpoch(-1))), 0);
}

#[test]
fn a_resent_batch_is_answered_with_its_first_offset() {
    let mut client = client();
    let topic = fresh("produce-resent");
    client.create(&topic, 1, &[]);
    let id = producer(&mut client);
    let all: Vec<_> = (0..8).map(|index| sequenced(id, 0, index * 2, &["a", "b"])).collect();
    for (index, batch) in (0i64..).zip(&all) {
        assert_eq!(client.append(&topic, 0, batch.clone()), index * 2);
    }
    // The last five are remembered.
    for (index, batch) in (0i64..).zip(&all).skip(3) {
        assert_eq!(client.append(&topic, 0, batch.clone()), index * 2, "batch {index}");
    }
    if !rig::is_reference() {
        // Kafka gives up (45) on what it does not remember; here the log itself is asked.
        for (index, batch) in (0i64..).zip(&all).take(3) {
            assert_eq!(client.append(&topic, 0, batch.clone()), index * 2, "batch {index}");
        }
    }
    assert_eq!(client.fetch(&topic, 0, 0).high_watermark, 16, "nothing was appended twice");
}

#[test]
fn a_gap_in_the_sequence_is_refused() {
    let mut client = client();
    let topic = fresh("produce-gap");
    client.create(&topic, 1, &[]);
    let id = producer(&mut client);
    client.append(&topic, 0, sequenced(id, 0, 0, &["a", "b"]));
    let row = client.produce(&topic, 0, sequenced(id, 0, 3, &["d"]));
    assert_eq!((row.error_code.0, row.base_offset), (45, -1));
    assert_eq!(client.append(&topic, 0, sequenced(id, 0, 2, &["c"])), 2);
    let row = client.produce(&topic, 0, sequenced(id, 0, 1, &["b", "c"]));
    assert_eq!(row.error_code.0, 45, "neither new nor a resend");
    assert_eq!(client.fetch(&topic, 0, 0).high_watermark, 3);
}

#[test]
fn epochs_of_a_producer_rise_and_begin_at_sequence_0() {
    let mut client = client();
    let topic = fresh("produce-epochs");
    client.create(&topic, 1, &[]);
    let id = producer(&mut client);
    client.append(&topic, 0, sequenced(id, 1, 0, &["a"]));
    assert_eq!(client.produce(&topic, 0, sequenced(id, 2, 1, &["b"])).error_code.0, 45, "a new epoch begins at 0");
    client.append(&topic, 0, sequenced(id, 2, 0, &["b"]));
    assert_eq!(client.produce(&topic, 0, sequenced(id, 1, 1, &["c"])).error_code.0, 47, "an old epoch is over");
    assert_eq!(client.fetch(&topic, 0, 0).high_watermark, 2);
}

#[test]
fn pipelined_batches_of_a_producer_stay_in_sequence() {
    let mut client = client();
    let topic = fresh("produce-pipelined-producer");
    client.create(&topic, 1, &[]);
    let id = producer(&mut client);
    let sent: Vec<_> = (0..200)
        .map(|sequence| client.send(&produce_request(&topic, 0, -1, sequenced(id, 0, sequence, &["v"])), BY_NAME))
        .collect();
    for (offset, correlation) in (0..).zip(sent) {
        let row = client.receive::<ProduceRequest>(correlation, BY_NAME).responses[0].partition_responses[0].clone();
        assert_eq!((row.error_code.0, row.base_offset), (0, offset));
    }
}

#[test]
fn a_producer_is_remembered_over_a_clean_restart() {
    let mut rig = rig::Rig::with(&[]);
    let mut client = rig.client();
    client.create("t", 1, &[]);
    let id = producer(&mut client);
    client.append("t", 0, sequenced(id, 0, 0, &["a", "b"]));
    rig.restart();
    let mut client = rig.client();
    assert_eq!(client.append("t", 0, sequenced(id, 0, 0, &["a", "b"])), 0, "a resend is still known");
    assert_eq!(client.produce("t", 0, sequenced(id, 0, 5, &["c"])).error_code.0, 45);
    assert_eq!(client.append("t", 0, sequenced(id, 0, 2, &["c"])), 2);
    assert_eq!(values(&client.fetch("t", 0, 0).records), ["a", "b", "c"]);
}

#[test]
fn versions_that_are_advertised_and_not_served_close_the_connection() {
    for version in [0i16, 1, 2, 14, -1, i16::MAX] {
        let mut client = client();
        let header = RequestHeader { api_key: 0, api_version: version, correlation_id: 1, client_id: None };
        let mut w = klamm::codec::Writer::new();
        header.encode(&mut w, false);
        w.i16(1);
        w.i32(1000);
        w.i32(0);
        let body = w.into_bytes();
        client.raw(&frame::prefix(body.len()).expect("a short frame"));
        client.raw(&body);
        client.expect_closed();
    }
}

#[test]
fn a_transactional_batch_is_refused_until_there_are_transactions() {
    if rig::is_reference() {
        return;
    }
    let mut client = client();
    let topic = fresh("produce-transactional");
    client.create(&topic, 1, &[]);
    let request =
        ProduceRequest { transactional_id: Some("tx".into()), ..produce_request(&topic, 0, -1, batch(&["a"])) };
    let row = client.call(&request, BY_NAME).responses[0].partition_responses[0].clone();
    assert_ne!(row.error_code.0, 0);
    let mut builder = BatchBuilder::new(Compression::NONE)
        .producer(
            klamm::base::ids::ProducerId(producer(&mut client)),
            klamm::base::ids::ProducerEpoch(0),
            klamm::base::ids::Sequence(0),
        )
        .transactional();
    builder.append(&NewRecord { timestamp: now(), value: Some(b"v"), ..Default::default() });
    let row = client.produce(&topic, 0, builder.build().to_bytes(Offset(0), LeaderEpoch(-1)));
    assert_ne!(row.error_code.0, 0, "a transactional batch holds the last stable offset back for ever");
    assert_eq!(client.fetch(&topic, 0, 0).high_watermark, 0);
}

#[test]
fn internal_topics_are_closed_to_clients() {
    if rig::is_reference() {
        return;
    }
    let mut client = client();
    let response = client.try_create("__consumer_offsets", 1, &[]);
    assert!(matches!(response.topics[0].error_code.0, 0 | 36));
    assert_eq!(client.produce("__consumer_offsets", 0, batch(&["a"])).error_code.0, 17);
}

#[test]
fn a_full_segment_is_rolled_and_everything_is_still_there() {
    let rig = rig::Rig::with(&[]);
    let mut client = rig.client();
    client.create("t", 1, &[("segment.bytes", "1048576")]);
    let text = "x".repeat(200_000);
    for _ in 0..12 {
        client.append("t", 0, batch(&[&text]));
    }
    let folder = rig.data().join("t-0");
    let segments = until("a second segment", || {
        let found = rig::files(&folder, ".log");
        (found.len() > 1).then_some(found)
    });
    assert_eq!(segments[..2], ["00000000000000000000.log", "00000000000000000005.log"]);
    for offset in 0..12 {
        let row = client.fetch("t", 0, offset);
        assert_eq!(records_of(&row.records)[0].offset, offset);
    }
}

#[test]
fn the_answer_of_an_old_version_is_no_longer_than_its_fields() {
    // Guards the tail of the answer: trailing bytes would be read by nobody in a test that decodes leniently.
    let mut client = client();
    let topic = fresh("produce-tail");
    client.create(&topic, 1, &[]);
    client.send(&produce_request(&topic, 0, 1, batch(&["a"])), 3);
    let bytes = client.frame().expect("an answer");
    let mut reader = Reader::new(bytes.slice(4..));
    klamm::wire::messages::produce::ProduceResponse::decode(&mut reader, 3).expect("an answer");
    assert_eq!(reader.remaining(), 0);
}

#[test]
fn more_copies_in_sync_than_there_are_replicas_are_not_waited_for() {
    // Kafka 4 bounds `min.insync.replicas` by the replicas of the partition; a topic made elsewhere often brings a 2 along.
    let mut client = client();
    let topic = fresh("min-isr");
    client.create(&topic, 1, &[("min.insync.replicas", "2")]);
    for acks in [-1, 1] {
        let answer = client.call(&produce_request(&topic, 0, acks, batch(&["a"])), BY_NAME);
        assert_eq!(answer.responses[0].partition_responses[0].error_code.0, 0, "acks {acks}");
    }
}
