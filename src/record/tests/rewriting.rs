//! What is changed in a batch that is let in.

use super::*;
use crate::base::ids::{ProducerEpoch, ProducerId, Sequence};
use crate::record::batch::crc_matches;

fn records() -> Vec<Plain> {
    let mut records: Vec<Plain> =
        (0..50).map(|i| keyed(NOW + (i * 7) % 13, &format!("key{i}"), "some value")).collect();
    records[3].headers = vec![(b"h".to_vec(), None), (b"".to_vec(), Some(b"x".to_vec()))];
    records
}

#[test]
fn a_batch_that_is_kept_shares_its_bytes() {
    for codec in Codec::ALL {
        let bytes = Bytes::from(sent(&build(codec, &records())));
        let valid = validate(bytes.clone(), &rules()).expect("valid");
        assert_eq!(valid.body().as_ptr(), bytes[61..].as_ptr(), "{codec:?}");
        assert_eq!(valid.to_bytes(Offset::ZERO, LeaderEpoch::UNKNOWN), bytes);
        let same = Rules { target: Target::Always(Compression::at_level(codec, 1)), ..rules() };
        let valid = validate(bytes.clone(), &same).expect("valid");
        assert_eq!(valid.body().as_ptr(), bytes[61..].as_ptr(), "the topic's codec is the batch's: {codec:?}");
    }
}

#[test]
fn the_append_patches_what_the_crc_does_not_cover() {
    let valid = check(&sent(&build(Codec::None, &records())), &rules()).expect("valid");
    let bytes = valid.to_bytes(Offset(1 << 40), LeaderEpoch(77));
    assert!(crc_matches(&bytes));
    let header = BatchHeader::parse(&bytes).expect("a header");
    assert_eq!((header.base_offset, header.leader_epoch), (Offset(1 << 40), LeaderEpoch(77)));
    assert_eq!(header.last_offset(), Offset((1 << 40) + 49));
}

#[test]
fn a_wrong_max_timestamp_is_put_right() {
    for codec in Codec::ALL {
        let right = sent(&build(codec, &records()));
        let wrong = with_field(&right, 35, &(NOW + 999).to_be_bytes());
        let valid = check(&wrong, &rules()).expect("valid");
        assert_eq!(valid.header().max_timestamp, NOW + 12);
        assert_eq!(valid.to_bytes(Offset::ZERO, LeaderEpoch::UNKNOWN), right, "{codec:?}");
    }
}

#[test]
fn append_time_goes_into_the_header() {
    for codec in Codec::ALL {
        let rules = Rules { timestamp_type: TimestampType::LogAppendTime, ..rules() };
        let valid = check(&sent(&build(codec, &records())), &rules).expect("valid");
        assert!(valid.header().attributes.is_log_append_time());
        assert_eq!(valid.header().max_timestamp, NOW);
        assert!(crc_matches(&valid.to_bytes(Offset::ZERO, LeaderEpoch::UNKNOWN)));
        assert!(read(&valid).iter().all(|record| record.timestamp == NOW), "{codec:?}");
    }
}

#[test]
fn another_codec_writes_one_new_batch_of_the_same_records() {
    for from in Codec::ALL {
        for to in Codec::ALL.into_iter().filter(|to| *to != from) {
            let mut builder = BatchBuilder::new(Compression::of(from))
                .producer(ProducerId(5), ProducerEpoch(2), Sequence(i32::MAX))
                .transactional();
            append_all(&mut builder, &records());
            let target = Target::Always(Compression::at_level(to, 3));
            let valid = check(&sent(&builder.build()), &Rules { target, ..rules() }).expect("valid");
            let header = valid.header();
            assert_eq!(header.attributes.codec(), Some(to));
            assert!(header.attributes.is_transactional());
            assert_eq!((header.producer_id, header.producer_epoch), (ProducerId(5), ProducerEpoch(2)));
            assert_eq!((header.base_sequence, header.last_sequence()), (Sequence(i32::MAX), Sequence(48)));
            assert!(crc_matches(&valid.to_bytes(Offset::ZERO, LeaderEpoch::UNKNOWN)));
            assert_eq!(read(&valid), records(), "{from:?} to {to:?}");
        }
    }
}

#[test]
fn size_counts_again_after_recompression() {
    let records: Vec<Plain> = (0..100).map(|_| keyed(NOW, "k", &"y".repeat(1000))).collect();
    let batch = sent(&build(Codec::Zstd, &records));
    let plain_bytes = sent(&build(Codec::None, &records)).len();
    let limited = |max_message_bytes| Rules { max_message_bytes, target: Target::Always(Compression::NONE), ..rules() };
    check(&batch, &limited(plain_bytes)).expect("fits exactly");
    let refused = check(&batch, &limited(plain_bytes - 1)).expect_err("one byte too many");
    assert_eq!(refused, Refusal::TooLarge { size_bytes: plain_bytes, max_bytes: plain_bytes - 1 });
}

#[test]
fn a_topic_of_plain_batches_takes_compressed_ones_apart_and_nothing_else() {
    let plain = Rules { target: Target::Always(Compression::NONE), ..rules() };
    let expected = sent(&build(Codec::None, &records()));
    for codec in Codec::ALL {
        let valid = check(&sent(&build(codec, &records())), &plain).expect("valid");
        assert_eq!(valid.to_bytes(Offset::ZERO, LeaderEpoch::UNKNOWN), expected);
    }
}
