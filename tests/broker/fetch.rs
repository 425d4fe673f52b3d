//! Fetch: bounds, waiting, sessions, topics by id.

use std::time::{Duration, Instant};

use klamm::base::ids::Uuid;
use klamm::codec::primitives::Records;
use klamm::record::compression::Codec;
use klamm::wire::messages::api_versions::ApiVersionsRequest;
use klamm::wire::messages::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic, ForgottenTopic};

use crate::rig::{
    self, BY_NAME, Client, Rig, batch, bytes_of, client, coded, fetch_request, fresh, headers, produce_request, until,
    values,
};

fn by_id(id: Uuid, partitions: &[(i32, i64)]) -> FetchRequest {
    let mut request = fetch_request("", partitions);
    request.topics[0].topic_id = id;
    request
}

/// The rows of an answer by partition: index, error, values.
fn rows(response: &FetchResponse) -> Vec<(i32, i16, Vec<String>)> {
    let mut rows: Vec<_> = response
        .responses
        .iter()
        .flat_map(|topic| &topic.partitions)
        .map(|row| (row.partition_index, row.error_code.0, values(&row.records)))
        .collect();
    rows.sort_unstable();
    rows
}

#[test]
fn every_version_reads_what_was_produced() {
    let mut client = client();
    let topic = fresh("fetch-versions");
    let id = client.create(&topic, 1, &[]);
    client.append(&topic, 0, batch(&["a", "b"]));
    for version in 4..=18 {
        let mut request = fetch_request(&topic, &[(0, 0)]);
        request.topics[0].topic_id = id;
        let response = client.call(&request, version);
        assert_eq!((response.error_code.0, response.session_id, response.throttle_time_ms), (0, 0, 0));
        let found = &response.responses[0];
        assert_eq!(found.topic, if version < 13 { topic.as_str() } else { "" });
        assert_eq!(found.topic_id, if version < 13 { Uuid::ZERO } else { id });
        let row = &found.partitions[0];
        assert_eq!((row.partition_index, row.error_code.0), (0, 0), "version {version}");
        assert_eq!((row.high_watermark, row.last_stable_offset), (2, 2), "version {version}");
        assert_eq!(row.log_start_offset, if version < 5 { -1 } else { 0 });
        assert_eq!(row.aborted_transactions, None, "read uncommitted");
        assert_eq!((row.preferred_read_replica, row.diverging_epoch.epoch), (-1, -1));
        assert_eq!(values(&row.records), ["a", "b"], "version {version}");
    }
}

#[test]
fn nothing_new_is_empty_and_never_null() {
    let mut client = client();
    let topic = fresh("fetch-empty");
    client.create(&topic, 1, &[]);
    for version in [4, 11, 12] {
        let response = client.call(&fetch_request(&topic, &[(0, 0)]), version);
        let row = &response.responses[0].partitions[0];
        assert_eq!((row.error_code.0, row.high_watermark), (0, 0));
        assert!(matches!(&row.records, Records::Bytes(bytes) if bytes.is_empty()), "librdkafka logs an error for null");
    }
}

#[test]
fn offsets_outside_of_the_log_are_refused_on_both_sides() {
    let mut client = client();
    let topic = fresh("fetch-range");
    client.create(&topic, 1, &[]);
    client.append(&topic, 0, batch(&["a", "b"]));
    for (offset, error) in [(-1, 1), (3, 1), (i64::MAX, 1), (i64::MIN, 1), (2, 0), (1, 0)] {
        let row = client.fetch(&topic, 0, offset);
        assert_eq!(row.error_code.0, error, "offset {offset}");
        if error != 0 {
            assert_eq!((row.high_watermark, row.last_stable_offset, row.log_start_offset), (-1, -1, -1));
            assert!(matches!(&row.records, Records::Bytes(bytes) if bytes.is_empty()));
        }
    }
}

#[test]
fn what_is_not_there_is_told_per_partition_and_the_others_are_waited_for() {
    let mut client = client();
    let topic = fresh("fetch-unknown");
    client.create(&topic, 1, &[]);
    assert_eq!(client.call(&fetch_request(&fresh("never"), &[(0, 0)]), 4).responses[0].partitions[0].error_code.0, 3);
    assert_eq!(client.call(&by_id(Uuid([9; 16]), &[(0, 0)]), 18).responses[0].partitions[0].error_code.0, 100);
    let mut request = fetch_request(&topic, &[(9, 0), (-1, 0)]);
    (request.max_wait_ms, request.min_bytes) = (19_000, 1);
    let began = Instant::now();
    assert_eq!(rows(&client.call(&request, BY_NAME)), [(-1, 3, vec![]), (9, 3, vec![])]);
    assert!(began.elapsed() < Duration::from_secs(15), "there is nothing to wait for");
    let mut request = fetch_request(&topic, &[(0, 0), (9, 0)]);
    (request.max_wait_ms, request.min_bytes) = (300, 1);
    let began = Instant::now();
    assert_eq!(rows(&client.call(&request, BY_NAME)), [(0, 0, vec![]), (9, 3, vec![])]);
    assert!(began.elapsed() >= Duration::from_millis(290), "or a consumer of a deleted topic never pauses");
}

#[test]
fn an_offset_out_of_range_is_told_at_once() {
    let mut client = client();
    let topic = fresh("fetch-urgent");
    client.create(&topic, 2, &[]);
    let mut request = fetch_request(&topic, &[(0, 0), (1, 5)]);
    (request.max_wait_ms, request.min_bytes) = (19_000, 1);
    let began = Instant::now();
    assert_eq!(rows(&client.call(&request, BY_NAME)), [(0, 0, vec![]), (1, 1, vec![])]);
    assert!(began.elapsed() < Duration::from_secs(15));
}

#[test]
fn a_topic_deleted_under_a_waiting_fetch_ends_it() {
    let rig = Rig::with(&[]);
    let mut consumer = rig.client();
    let mut other = rig.client();
    let ids: Vec<Uuid> = ["gone", "stays"].into_iter().map(|name| other.create(name, 1, &[])).collect();
    let mut request = by_id(ids[0], &[(0, 0)]);
    request.topics.extend(by_id(ids[1], &[(0, 0)]).topics);
    request.topics.extend(by_id(Uuid([9; 16]), &[(0, 0)]).topics);
    (request.max_wait_ms, request.min_bytes) = (19_000, 1);
    let began = Instant::now();
    let sent = consumer.send(&request, 13);
    // The request behind it tells when the fetch has had its first look; its answer stays behind the fetch's.
    consumer.send(&ApiVersionsRequest::default(), 0);
    until("the fetch to be executed", || (rig.broker().metrics.requests.value() >= 4).then_some(()));
    other.delete("gone");
    let response = consumer.receive::<FetchRequest>(sent, 13);
    let mut found = rows(&response);
    found.sort_by_key(|row| row.1);
    // It was known by its id when the fetch came; the one of no topic was not.
    assert_eq!(found, [(0, 0, vec![]), (0, 3, vec![]), (0, 100, vec![])]);
    assert!(began.elapsed() < Duration::from_secs(15));
}

#[test]
fn a_recreated_topic_is_not_read_under_its_old_id() {
    let mut client = client();
    let topic = fresh("fetch-recreated");
    let old = client.create(&topic, 1, &[]);
    client.append(&topic, 0, batch(&["old"]));
    client.delete(&topic);
    let new = client.create(&topic, 1, &[]);
    client.append(&topic, 0, batch(&["new"]));
    let row = client.call(&by_id(old, &[(0, 0)]), 13).responses.remove(0);
    assert_eq!((row.topic_id, row.partitions[0].error_code.0, row.partitions[0].high_watermark), (old, 100, -1));
    assert_eq!(rows(&client.call(&by_id(new, &[(0, 0)]), 13)), [(0, 0, vec!["new".to_owned()])]);
}

#[test]
fn a_batch_is_sent_whole_from_any_of_its_offsets() {
    let mut client = client();
    let topic = fresh("fetch-inside");
    client.create(&topic, 1, &[]);
    client.append(&topic, 0, batch(&["a", "b", "c"]));
    client.append(&topic, 0, batch(&["d"]));
    let row = client.fetch(&topic, 0, 2);
    assert_eq!(headers(&row.records)[0].base_offset.0, 0, "the client skips what it has");
    assert_eq!(values(&row.records), ["a", "b", "c", "d"]);
}

#[test]
fn the_first_batch_is_sent_whole_however_small_the_limits() {
    let mut client = client();
    let topic = fresh("fetch-small");
    client.create(&topic, 2, &[]);
    let text = "x".repeat(5000);
    for partition in 0..2 {
        client.append(&topic, partition, batch(&[&text]));
        client.append(&topic, partition, batch(&["small"]));
    }
    let mut request = fetch_request(&topic, &[(0, 0), (1, 0)]);
    request.max_bytes = 100;
    request.topics[0].partitions.iter_mut().for_each(|one| one.partition_max_bytes = 50);
    let response = client.call(&request, BY_NAME);
    let found = rows(&response);
    assert_eq!(found[0].2, [text.as_str()], "one whole batch and no more");
    assert_eq!(found[1].2, [""; 0]);
}

#[test]
fn max_bytes_bounds_the_whole_answer_and_partition_max_bytes_its_part() {
    let mut client = client();
    let topic = fresh("fetch-bounds");
    client.create(&topic, 4, &[]);
    let text = "x".repeat(1000);
    for partition in 0..4 {
        for _ in 0..8 {
            client.append(&topic, partition, batch(&[&text]));
        }
    }
    let one = batch(&[&text]).len();
    let mut request = fetch_request(&topic, &[(0, 0), (1, 0), (2, 0), (3, 0)]);
    request.topics[0]
        .partitions
        .iter_mut()
        .for_each(|row| row.partition_max_bytes = i32::try_from(3 * one).expect("small"));
    request.max_bytes = i32::try_from(5 * one).expect("small");
    let response = client.call(&request, BY_NAME);
    let counts: Vec<_> =
        response.responses[0].partitions.iter().map(|row| bytes_of(&row.records).len() / one).collect();
    assert_eq!(counts, [3, 2, 0, 0]);
}

/// Reads a partition to its end, each time from behind the last record, with `bytes` at a time.
fn read_through(client: &mut Client, topic: &str, bytes: i32) -> Vec<i64> {
    let mut offsets = Vec::new();
    let mut next = 0;
    loop {
        let mut request = fetch_request(topic, &[(0, next)]);
        request.topics[0].partitions[0].partition_max_bytes = bytes;
        let row = client.call(&request, BY_NAME).responses.remove(0).partitions.remove(0);
        assert_eq!(row.error_code.0, 0);
        let mut found: Vec<_> = headers_lenient(&row.records);
        found.retain(|offset| *offset >= next);
        let Some(last) = found.last() else { return offsets };
        next = last + 1;
        offsets.extend(found);
    }
}

/// Offsets of the whole batches; Kafka may cut the last one.
fn headers_lenient(records: &Records) -> Vec<i64> {
    let mut rest = bytes_of(records);
    let mut found = Vec::new();
    while let Ok(header) = klamm::record::batch::BatchHeader::parse(&rest) {
        if rest.len() < header.size_bytes {
            break;
        }
        found.extend(header.base_offset.0..=header.last_offset().0);
        let _ = rest.split_to(header.size_bytes);
    }
    found
}

#[test]
fn no_record_is_lost_at_the_ends_of_segments_and_limits() {
    let mut client = client();
    let topic = fresh("fetch-segments");
    client.create(&topic, 1, &[("segment.bytes", "1048576")]);
    let text = "x".repeat(150_000);
    for _ in 0..20 {
        client.append(&topic, 0, batch(&["a", &text]));
    }
    let all: Vec<i64> = (0..40).collect();
    for bytes in [1, 150_000, 400_000, 1 << 20, 10 << 20] {
        assert_eq!(read_through(&mut client, &topic, bytes), all, "{bytes} bytes at a time");
    }
}

#[test]
fn a_waiting_fetch_is_woken_by_a_produce() {
    let mut consumer = client();
    let mut producer = client();
    let topic = fresh("fetch-woken");
    producer.create(&topic, 2, &[]);
    let mut request = fetch_request(&topic, &[(0, 0), (1, 0)]);
    (request.max_wait_ms, request.min_bytes) = (19_000, 1);
    let began = Instant::now();
    let sent = consumer.send(&request, BY_NAME);
    producer.append(&topic, 1, batch(&["a"]));
    let response = consumer.receive::<FetchRequest>(sent, BY_NAME);
    assert_eq!(rows(&response), [(0, 0, vec![]), (1, 0, vec!["a".to_owned()])]);
    assert!(began.elapsed() < Duration::from_secs(15));
}

#[test]
fn min_bytes_is_kept_over_several_wakes() {
    let mut consumer = client();
    let mut producer = client();
    let topic = fresh("fetch-min");
    producer.create(&topic, 2, &[]);
    let text = "x".repeat(1000);
    let mut request = fetch_request(&topic, &[(0, 0), (1, 0)]);
    (request.max_wait_ms, request.min_bytes) = (19_000, 3000);
    let sent = consumer.send(&request, BY_NAME);
    for index in 0..3 {
        producer.append(&topic, index % 2, batch(&[&text]));
    }
    let response = consumer.receive::<FetchRequest>(sent, BY_NAME);
    let bytes: usize = response.responses[0].partitions.iter().map(|row| bytes_of(&row.records).len()).sum();
    assert!(bytes >= 3000, "{bytes} bytes are fewer than were asked for");
}

#[test]
fn a_fetch_that_waits_in_vain_ends_at_its_time_with_what_there_is() {
    let mut client = client();
    let topic = fresh("fetch-in-vain");
    client.create(&topic, 1, &[]);
    client.append(&topic, 0, batch(&["a"]));
    let mut request = fetch_request(&topic, &[(0, 0)]);
    (request.max_wait_ms, request.min_bytes) = (300, 100_000);
    let began = Instant::now();
    let response = client.call(&request, BY_NAME);
    assert!(began.elapsed() >= Duration::from_millis(290));
    assert_eq!(rows(&response), [(0, 0, vec!["a".to_owned()])]);
}

#[test]
fn a_waiting_fetch_does_not_hold_up_what_the_same_client_asks_next() {
    let rig = Rig::with(&[]);
    let mut client = rig.client();
    client.create("t", 1, &[]);
    let mut request = fetch_request("t", &[(0, 0)]);
    (request.max_wait_ms, request.min_bytes) = (19_000, 1);
    let fetched = client.send(&request, BY_NAME);
    // Executed behind the fetch, this wakes it; answers still leave in order.
    let produced = client.send(&produce_request("t", 0, -1, batch(&["a"])), BY_NAME);
    assert_eq!(rows(&client.receive::<FetchRequest>(fetched, BY_NAME)), [(0, 0, vec!["a".to_owned()])]);
    let row = client.receive::<klamm::wire::messages::produce::ProduceRequest>(produced, BY_NAME);
    assert_eq!(row.responses[0].partition_responses[0].error_code.0, 0);
}

#[test]
fn read_committed_tells_aborted_transactions_even_if_there_are_none() {
    let mut client = client();
    let topic = fresh("fetch-committed");
    client.create(&topic, 1, &[]);
    client.append(&topic, 0, batch(&["a"]));
    for version in [4, 12] {
        let request = FetchRequest { isolation_level: 1, ..fetch_request(&topic, &[(0, 0)]) };
        let response = client.call(&request, version);
        let row = &response.responses[0].partitions[0];
        assert_eq!(row.aborted_transactions, Some(vec![]), "version {version}");
        assert_eq!(values(&row.records), ["a"]);
    }
}

#[test]
fn leader_epochs_are_checked_where_the_client_names_one() {
    let mut client = client();
    let topic = fresh("fetch-epochs");
    client.create(&topic, 1, &[]);
    client.append(&topic, 0, batch(&["a"]));
    for (epoch, error) in [(-1, 0), (0, 0), (1, 75), (i32::MAX, 75)] {
        let mut request = fetch_request(&topic, &[(0, 0)]);
        request.topics[0].partitions[0].current_leader_epoch = epoch;
        let found = client.call(&request, BY_NAME).responses[0].partitions[0].error_code.0;
        assert_eq!(found, error, "epoch {epoch}");
    }
}

#[test]
fn a_client_that_read_what_is_not_here_is_told_where_the_logs_part() {
    let mut client = client();
    let topic = fresh("fetch-diverging");
    client.create(&topic, 1, &[]);
    client.append(&topic, 0, batch(&["a"]));
    let mut request = fetch_request(&topic, &[(0, 1)]);
    request.topics[0].partitions[0].last_fetched_epoch = 0;
    let row = client.call(&request, BY_NAME).responses.remove(0).partitions.remove(0);
    assert_eq!((row.error_code.0, row.diverging_epoch.epoch), (0, -1));
    request.topics[0].partitions[0].fetch_offset = 5;
    let row = client.call(&request, BY_NAME).responses.remove(0).partitions.remove(0);
    assert_eq!(row.error_code.0, 0);
    assert_eq!((row.diverging_epoch.epoch, row.diverging_epoch.end_offset), (0, 1));
    assert!(bytes_of(&row.records).is_empty());
}

#[test]
fn zstd_is_sent_to_every_version_as_kafka_4_does() {
    let mut client = client();
    let topic = fresh("fetch-zstd");
    client.create(&topic, 1, &[("compression.type", "zstd")]);
    client.append(&topic, 0, coded(Codec::Zstd, &["a"]));
    for version in [4, 9, 10] {
        let row = client.call(&fetch_request(&topic, &[(0, 0)]), version).responses.remove(0).partitions.remove(0);
        assert_eq!((row.error_code.0, values(&row.records)), (0, vec!["a".to_owned()]), "version {version}");
    }
}

struct Session {
    client: Client,
    id: i32,
    epoch: i32,
    topic: String,
}

impl Session {
    fn begin(topic: &str, partitions: &[(i32, i64)]) -> (Session, FetchResponse) {
        let mut client = client();
        let request = FetchRequest { session_epoch: 0, ..fetch_request(topic, partitions) };
        let response = client.call(&request, BY_NAME);
        assert_eq!(response.error_code.0, 0);
        assert_ne!(response.session_id, 0, "a session begins");
        (Session { client, id: response.session_id, epoch: 1, topic: topic.to_owned() }, response)
    }

    fn next(&mut self, changed: &[(i32, i64)], forgotten: &[i32]) -> FetchResponse {
        let mut request = fetch_request(&self.topic, changed);
        if changed.is_empty() {
            request.topics.clear();
        }
        if !forgotten.is_empty() {
            let partitions = forgotten.to_vec();
            request.forgotten_topics_data =
                vec![ForgottenTopic { topic: self.topic.clone(), partitions, ..Default::default() }];
        }
        (request.session_id, request.session_epoch) = (self.id, self.epoch);
        let response = self.client.call(&request, BY_NAME);
        if response.error_code.0 == 0 {
            self.epoch += 1;
        }
        response
    }
}

#[test]
fn a_session_answers_only_what_moved() {
    let mut producer = client();
    let topic = fresh("fetch-session");
    producer.create(&topic, 3, &[]);
    producer.append(&topic, 0, batch(&["a"]));
    let (mut session, first) = Session::begin(&topic, &[(0, 0), (1, 0), (2, 0)]);
    assert_eq!(rows(&first).len(), 3, "a full fetch answers all");
    let none = session.next(&[(0, 1)], &[]);
    assert_eq!((none.session_id, rows(&none)), (session.id, vec![]), "nothing moved");
    producer.append(&topic, 2, batch(&["b"]));
    assert_eq!(rows(&session.next(&[], &[])), [(2, 0, vec!["b".to_owned()])]);
    assert_eq!(rows(&session.next(&[], &[])), [(2, 0, vec!["b".to_owned()])], "its offset was not moved on");
    assert_eq!(rows(&session.next(&[(2, 1)], &[])), []);
    producer.append(&topic, 0, batch(&["c"]));
    producer.append(&topic, 2, batch(&["d"]));
    let both = session.next(&[], &[0]);
    assert_eq!(rows(&both), [(2, 0, vec!["d".to_owned()])], "0 was forgotten");
    assert_eq!(rows(&session.next(&[(2, 2), (0, 1)], &[])), [(0, 0, vec!["c".to_owned()])], "and comes back");
}

#[test]
fn a_session_goes_by_its_epochs() {
    let mut client = client();
    let topic = fresh("fetch-session-epochs");
    client.create(&topic, 1, &[]);
    let (mut session, _) = Session::begin(&topic, &[(0, 0)]);
    for wrong in [2, 5, i32::MAX] {
        session.epoch = wrong;
        assert_eq!(session.next(&[], &[]).error_code.0, 71, "epoch {wrong}");
    }
    session.epoch = 1;
    assert_eq!(session.next(&[], &[]).error_code.0, 0);
    session.epoch = 1;
    assert_eq!(session.next(&[], &[]).error_code.0, 71, "an epoch comes once");
    session.epoch = 2;
    assert_eq!(session.next(&[], &[]).error_code.0, 0);
    let id = session.id;
    session.id = id.wrapping_add(1).max(1);
    assert_eq!(session.next(&[], &[]).error_code.0, 70, "nobody's id");
    // Epoch -1 ends the session and answers all it asks.
    (session.id, session.epoch) = (id, -1);
    let last = session.next(&[(0, 0)], &[]);
    assert_eq!((last.error_code.0, last.session_id, rows(&last).len()), (0, 0, 1));
    session.epoch = 3;
    assert_eq!(session.next(&[], &[]).error_code.0, 70, "it is over");
}

#[test]
fn a_new_session_ends_the_one_it_names() {
    let mut client = client();
    let topic = fresh("fetch-session-new");
    client.create(&topic, 1, &[]);
    let (mut session, _) = Session::begin(&topic, &[(0, 0)]);
    let request = FetchRequest { session_epoch: 0, session_id: session.id, ..fetch_request(&topic, &[(0, 0)]) };
    let response = client.call(&request, BY_NAME);
    assert_eq!(response.error_code.0, 0);
    assert_ne!(response.session_id, session.id);
    assert_eq!(session.next(&[], &[]).error_code.0, 70);
}

#[test]
fn a_session_of_names_cannot_go_on_with_ids() {
    let mut client = client();
    let topic = fresh("fetch-session-ids");
    let id = client.create(&topic, 1, &[]);
    let (session, _) = Session::begin(&topic, &[(0, 0)]);
    let request = FetchRequest { session_id: session.id, session_epoch: 1, ..by_id(id, &[(0, 0)]) };
    let response = client.call(&request, 13);
    assert_eq!(response.error_code.0, 106);
}

#[test]
fn a_session_tells_an_error_every_time() {
    let mut client = client();
    let topic = fresh("fetch-session-error");
    client.create(&topic, 1, &[]);
    let (mut session, first) = Session::begin(&topic, &[(0, 0), (7, 0)]);
    assert_eq!(rows(&first), [(0, 0, vec![]), (7, 3, vec![])]);
    for _ in 0..2 {
        assert_eq!(rows(&session.next(&[], &[])), [(7, 3, vec![])]);
    }
}

#[test]
fn a_session_sees_its_topic_deleted() {
    let mut client = client();
    let topic = fresh("fetch-session-deleted");
    let id = client.create(&topic, 1, &[]);
    let begin = FetchRequest { session_epoch: 0, ..by_id(id, &[(0, 0)]) };
    let response = client.call(&begin, 13);
    assert_ne!(response.session_id, 0);
    client.delete(&topic);
    client.create(&topic, 1, &[]);
    let next =
        FetchRequest { session_id: response.session_id, session_epoch: 1, topics: vec![], ..fetch_request("", &[]) };
    let response = client.call(&next, 13);
    // Kafka tells that the name has another id by now (103), we that the id is gone (100); clients treat both alike.
    assert_eq!(rows(&response), [(0, if rig::is_reference() { 103 } else { 100 }, vec![])]);
    assert_eq!(response.responses[0].topic_id, id);
}

#[test]
fn with_no_slots_left_a_fetch_goes_on_without_a_session() {
    let rig = Rig::with(&[("max.incremental.fetch.session.cache.slots", "1")]);
    let mut client = rig.client();
    client.create("t", 1, &[]);
    let begin = FetchRequest { session_epoch: 0, ..fetch_request("t", &[(0, 0)]) };
    assert_ne!(client.call(&begin, BY_NAME).session_id, 0);
    let second = client.call(&begin, BY_NAME);
    assert_eq!((second.error_code.0, second.session_id), (0, 0));
    assert_eq!(rows(&second).len(), 1);
}

#[test]
fn a_fetch_that_waits_is_answered_when_the_broker_stops() {
    let mut rig = Rig::with(&[]);
    let mut client = rig.client();
    client.create("t", 1, &[]);
    let mut request = fetch_request("t", &[(0, 0)]);
    (request.max_wait_ms, request.min_bytes) = (60_000, 1);
    let sent = client.send(&request, BY_NAME);
    let began = Instant::now();
    rig.stop();
    assert!(began.elapsed() < Duration::from_secs(15), "a stop does not wait for the fetch's time");
    // Answered if it was read before the stop; the connection ends in either case.
    if let Some(frame) = client.frame() {
        assert_eq!(rows(&rig::decode::<FetchRequest>(frame, sent, BY_NAME)), [(0, 0, vec![])]);
        client.expect_closed();
    }
}

#[test]
fn large_answers_arrive_whole_while_the_reader_is_slow() {
    let mut client = client();
    let topic = fresh("fetch-large");
    client.create(&topic, 1, &[]);
    let text = "x".repeat(900_000);
    for _ in 0..16 {
        client.append(&topic, 0, batch(&[&text]));
    }
    let mut request = fetch_request(&topic, &[(0, 0)]);
    request.topics[0].partitions[0].partition_max_bytes = 50 << 20;
    // Both answers are due before the first is read.
    let sent = [client.send(&request, BY_NAME), client.send(&request, BY_NAME)];
    for correlation in sent {
        let row = client.receive::<FetchRequest>(correlation, BY_NAME).responses.remove(0).partitions.remove(0);
        assert_eq!(headers(&row.records).len(), 16);
    }
}

#[test]
fn fetch_without_topics_is_empty() {
    let mut client = client();
    let request = FetchRequest { max_wait_ms: 10, min_bytes: 1, ..Default::default() };
    for version in [4, 7, 13, 18] {
        let response = client.call(&request, version);
        assert_eq!((response.error_code.0, response.responses.len()), (0, 0));
    }
}

#[test]
fn a_topic_asked_twice_is_read_once_or_twice_but_never_wrongly() {
    let mut client = client();
    let topic = fresh("fetch-twice");
    client.create(&topic, 1, &[]);
    client.append(&topic, 0, batch(&["a"]));
    let mut request = fetch_request(&topic, &[(0, 0)]);
    request.topics.push(FetchTopic {
        topic: topic.clone(),
        partitions: vec![FetchPartition {
            partition: 0,
            fetch_offset: 0,
            partition_max_bytes: 1000,
            ..Default::default()
        }],
        ..Default::default()
    });
    for row in rows(&client.call(&request, BY_NAME)) {
        assert_eq!(row, (0, 0, vec!["a".to_owned()]));
    }
}
