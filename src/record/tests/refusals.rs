//! What is refused, and as what.

use super::*;
use crate::base::limits::RECORD_ERRORS_MAX;
use crate::record::batch::HeaderFault;
use crate::record::records::RecordsFault;
use crate::record::validate::{BatchFault, RecordError, RecordFault};

fn three(codec: Codec) -> Vec<u8> {
    sent(&build(codec, &[keyed(NOW, "a", "x"), keyed(NOW + 5, "b", "y"), keyed(NOW + 3, "c", "z")]))
}

fn refusal(bytes: &[u8], rules: &Rules) -> Refusal {
    check(bytes, rules).expect_err("refused")
}

#[test]
fn envelope_faults_have_kafkas_answers() {
    let good = three(Codec::None);
    let twice = [good.clone(), good.clone()].concat();
    let field = |at, value: &[u8]| with_field(&good, at, value);
    let mut short_length = good.clone();
    short_length[8..12].copy_from_slice(&48i32.to_be_bytes());
    let mut bad_crc = good.clone();
    bad_crc[17] ^= 1;
    let of_offsets = |base, delta| Refusal::InvalidBatch(BatchFault::Counts(HeaderFault::OffsetRange { base, delta }));
    let cases: Vec<(Vec<u8>, Refusal)> = vec![
        (vec![], Refusal::InvalidBatch(BatchFault::NoBatch)),
        (good[..60].to_vec(), Refusal::InvalidBatch(BatchFault::NoBatch)),
        (good[..good.len() - 1].to_vec(), Refusal::InvalidBatch(BatchFault::NoBatch)),
        (twice, Refusal::InvalidBatch(BatchFault::SeveralBatches)),
        (short_length, Refusal::Corrupt(HeaderFault::Length(48))),
        (field(16, &[0]), Refusal::OldFormat(0)),
        (field(16, &[1]), Refusal::OldFormat(1)),
        (field(16, &[3]), Refusal::Corrupt(HeaderFault::Magic(3))),
        (bad_crc, Refusal::Crc),
        (field(0, &7i64.to_be_bytes()), Refusal::InvalidBatch(BatchFault::BaseOffset(Offset(7)))),
        (field(22, &[5]), Refusal::UnsupportedCompression(5)),
        (field(22, &[7]), Refusal::UnsupportedCompression(7)),
        (field(22, &[0x20]), Refusal::InvalidBatch(BatchFault::Control)),
        (field(22, &[0x10]), Refusal::InvalidBatch(BatchFault::Producer)),
        (field(23, &(-1i32).to_be_bytes()), of_offsets(0, -1)),
        (field(23, &3i32.to_be_bytes()), Refusal::InvalidBatch(BatchFault::RecordCount { count: 3, offsets: 4 })),
        (field(57, &2i32.to_be_bytes()), Refusal::InvalidBatch(BatchFault::RecordCount { count: 2, offsets: 3 })),
        (
            field(57, &(-3i32).to_be_bytes()),
            Refusal::InvalidBatch(BatchFault::Counts(HeaderFault::RecordCount { count: -3, delta: 2 })),
        ),
    ];
    for (index, (bytes, expected)) in cases.into_iter().enumerate() {
        assert_eq!(refusal(&bytes, &rules()), expected, "case {index}");
    }
}

#[test]
fn a_producer_id_comes_with_epoch_and_sequence() {
    let mut producer = [0; 14];
    producer[..8].copy_from_slice(&9i64.to_be_bytes());
    let with = |epoch: i16, sequence: i32| {
        let mut fields = producer;
        fields[8..10].copy_from_slice(&epoch.to_be_bytes());
        fields[10..].copy_from_slice(&sequence.to_be_bytes());
        check(&with_field(&three(Codec::Lz4), 43, &fields), &rules())
    };
    assert!(with(0, 0).is_ok());
    assert!(matches!(with(0, -1), Err(Refusal::InvalidBatch(BatchFault::Sequence(_)))));
    assert_eq!(with(-1, 4), Err(Refusal::InvalidBatch(BatchFault::Producer)));
}

#[test]
fn a_sequence_without_a_producer_id_is_let_through() {
    // Some clients write base sequence 0 in every batch; refusing them broke Kafka's own coordinators' batches in a test.
    check(&with_field(&three(Codec::None), 53, &0i32.to_be_bytes()), &rules()).expect("valid");
}

#[test]
fn zstd_needs_a_request_that_knows_it() {
    let batch = three(Codec::Zstd);
    check(&batch, &rules()).expect("valid");
    assert_eq!(refusal(&batch, &Rules { zstd_allowed: false, ..rules() }), Refusal::UnsupportedCompression(4));
}

#[test]
fn size_is_that_of_the_whole_batch_and_counts_before_its_crc() {
    let mut batch = three(Codec::None);
    let size_bytes = batch.len();
    let limited = |max_message_bytes| Rules { max_message_bytes, ..rules() };
    check(&batch, &limited(size_bytes)).expect("valid");
    batch[17] ^= 1;
    let too_large = Refusal::TooLarge { size_bytes, max_bytes: size_bytes - 1 };
    assert_eq!(refusal(&batch, &limited(size_bytes - 1)), too_large);
}

#[test]
fn offset_deltas_count_from_zero() {
    for codec in Codec::ALL {
        let mut builder = BatchBuilder::new(Compression::of(codec));
        builder.append_at(0, &NewRecord::default()).append_at(2, &NewRecord::default());
        let batch = with_field(&sent(&builder.build()), 57, &3i32.to_be_bytes());
        let expected = Refusal::InvalidBatch(BatchFault::OffsetDelta { index: 1, offset_delta: 2 });
        assert_eq!(refusal(&batch, &rules()), expected, "{codec:?}");
    }
}

#[test]
fn keyless_records_on_a_compacted_topic_are_named() {
    let keyless = Plain { timestamp: NOW, ..Plain::default() };
    for codec in Codec::ALL {
        let records = [keyless.clone(), keyed(NOW, "", "empty keys are keys"), keyless.clone()];
        let batch = sent(&build(codec, &records));
        check(&batch, &rules()).expect("valid elsewhere");
        let refused = refusal(&batch, &Rules { keys_required: true, ..rules() });
        let error = |batch_index| RecordError { batch_index, fault: RecordFault::NoKey };
        assert_eq!(refused, Refusal::InvalidRecords(vec![error(0), error(2)]));
        let text = "invalid record: records refused: 2; record 0: a compacted topic takes no record without a key";
        assert_eq!(refused.to_string(), text);
    }
}

#[test]
fn timestamps_outside_the_limits_are_named() {
    let limited = Rules { timestamp_before_max_ms: 10, timestamp_after_max_ms: 20, keys_required: true, ..rules() };
    for codec in Codec::ALL {
        let at = |timestamp| keyed(timestamp, "k", "v");
        let fine = [at(NOW - 10), at(NOW + 20), at(-1)];
        check(&sent(&build(codec, &fine)), &limited).expect("on the limits, and without a time");
        let keyless = Plain { timestamp: NOW, ..Plain::default() };
        let batch = sent(&build(codec, &[at(NOW - 11), at(NOW), at(NOW + 21), keyless]));
        let late = |batch_index, timestamp| RecordError {
            batch_index,
            fault: RecordFault::Timestamp { timestamp, from: NOW - 10, to: NOW + 20 },
        };
        let no_key = RecordError { batch_index: 3, fault: RecordFault::NoKey };
        let expected = vec![late(0, NOW - 11), late(2, NOW + 21), no_key];
        assert_eq!(refusal(&batch, &limited), Refusal::InvalidTimestamps(expected), "{codec:?}");
        let append_time = Rules { timestamp_type: TimestampType::LogAppendTime, keys_required: false, ..limited };
        check(&batch, &append_time).expect("a topic of LogAppendTime has no limits");
    }
}

#[test]
fn extreme_timestamps_neither_wrap_nor_panic() {
    for timestamp in [i64::MIN, i64::MAX, -2] {
        let batch = sent(&build(Codec::None, &[keyed(timestamp, "k", "v"), keyed(NOW, "k", "v")]));
        let strict = Rules { timestamp_before_max_ms: 10, timestamp_after_max_ms: 10, ..rules() };
        assert!(matches!(refusal(&batch, &strict), Refusal::InvalidTimestamps(_)));
        let open = Rules { timestamp_before_max_ms: i64::MAX, timestamp_after_max_ms: i64::MAX, ..rules() };
        assert_eq!(check(&batch, &open).is_ok(), timestamp != i64::MIN, "{timestamp}");
    }
}

#[test]
fn a_producer_does_not_write_log_append_time() {
    let batch = with_field(&three(Codec::None), 22, &[8]);
    for timestamp_type in [TimestampType::CreateTime, TimestampType::LogAppendTime] {
        let refused = refusal(&batch, &Rules { timestamp_type, ..rules() });
        assert_eq!(refused.record_errors().len(), 3);
        assert_eq!(refused.record_errors()[0].fault, RecordFault::LogAppendTime);
    }
}

#[test]
fn the_list_of_faulty_records_is_bounded() {
    let records = vec![Plain { timestamp: NOW, ..Plain::default() }; RECORD_ERRORS_MAX + 1];
    let refused = refusal(&sent(&build(Codec::None, &records)), &Rules { keys_required: true, ..rules() });
    assert_eq!(refused.record_errors().len(), RECORD_ERRORS_MAX);
}

#[test]
fn broken_records_are_refused_in_every_codec() {
    // Attributes, timestamp delta, offset delta, key, value, header count; each case breaks one of them.
    let cases: [(&[u8], RecordsFault); 12] = [
        (&[12, 0, 0, 0, 1, 1, 0, 0], RecordsFault::TrailingBytes),
        (&[14, 0, 0, 0, 1, 1, 0, 0], RecordsFault::RecordSize),
        (&[10, 0, 0, 0, 1, 1, 0], RecordsFault::RecordSize),
        (&[16, 0, 0, 0, 1, 1, 0], RecordsFault::Truncated),
        (&[1, 0, 0, 0, 1, 1, 0], RecordsFault::Length),
        (&[0, 0, 0, 0], RecordsFault::RecordSize),
        (&[12, 0, 0, 0, 20, 1, 0], RecordsFault::Length),
        (&[12, 0, 0, 0, 1, 20, 0], RecordsFault::Length),
        (&[12, 0, 0, 0, 1, 1, 1], RecordsFault::HeaderCount),
        (&[12, 0, 0, 0, 1, 1, 2], RecordsFault::HeaderCount),
        (&[16, 0, 0, 0, 1, 1, 2, 1, 0], RecordsFault::Length),
        (&[], RecordsFault::Truncated),
    ];
    for codec in Codec::ALL {
        for (index, (plain, expected)) in cases.iter().enumerate() {
            let mut batch = sent(&build(codec, &[keyed(NOW, "k", "v")]));
            batch.truncate(61);
            batch.extend(crate::record::compression::compress(Compression::of(codec), plain).expect("compressed"));
            reseal(&mut batch);
            let refused = refusal(&batch, &rules());
            assert_eq!(refused, Refusal::InvalidBatch(BatchFault::Records(expected.clone())), "{codec:?} case {index}");
        }
    }
}

#[test]
fn headers_on_disk_may_have_holes_and_be_empty() {
    let empty = BatchBuilder::new(Compression::of(Codec::Gzip)).ending_at(4).build();
    assert_eq!((empty.header().record_count, empty.size_bytes()), (0, 61));
    assert!(read(&empty).is_empty());
    let bytes = empty.to_bytes(Offset(100), LeaderEpoch(3));
    let header = BatchHeader::parse(&bytes).expect("a header");
    assert_eq!((header.next_offset(), header.leader_epoch), (Offset(105), LeaderEpoch(3)));
    assert!(matches!(BatchHeader::parse(&bytes[..60]), Err(HeaderFault::Truncated)));
    let far = with_field(&bytes, 0, &(i64::MAX - 4).to_be_bytes());
    assert!(matches!(BatchHeader::parse(&far), Err(HeaderFault::OffsetRange { .. })));
}
