//! Compressed batches: truncation, bombs, and records longer than the window.

use std::io::{Read, Write};
use std::ops::ControlFlow;

use super::*;
use crate::record::compression::Encoder;
use crate::record::records::{RecordsFault, scan};
use crate::record::validate::BatchFault;

const CODECS: [Codec; 4] = [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

/// Text of a length, neither constant nor random.
fn text(length: usize) -> Vec<u8> {
    let mut random = Random(length as u64 + 1);
    let mut out = Vec::with_capacity(length);
    while out.len() < length {
        let word = format!("w{} ", random.below(3000));
        out.extend_from_slice(word.as_bytes());
    }
    out.truncate(length);
    out
}

#[test]
fn every_truncation_of_a_stream_is_refused() {
    let records: Vec<Plain> = (0..20).map(|i| keyed(NOW, &format!("key{i}"), "a value to be found again")).collect();
    for codec in Codec::ALL {
        let batch = sent(&build(codec, &records));
        for cut in 61..batch.len() {
            let mut short = batch[..cut].to_vec();
            reseal(&mut short);
            let result = check(&short, &rules());
            // lz4 ends with a mark of four zero bytes, gzip with a checksum: all of it must be there.
            assert!(
                matches!(result, Err(Refusal::InvalidBatch(BatchFault::Records(_)))),
                "{codec:?} at {cut}: {result:?}"
            );
        }
    }
}

/// A batch whose one record has a value of so many zeros, made without holding them.
fn bomb(codec: Codec, value_bytes: usize) -> Vec<u8> {
    use crate::record::varint;
    let mut head = vec![0, 0, 0, 1];
    varint::put(&mut head, value_bytes as i64);
    let mut record = Vec::new();
    varint::put(&mut record, (head.len() + value_bytes + 1) as i64);
    record.extend_from_slice(&head);
    let mut encoder = Encoder::new(Compression::of(codec), Vec::new()).expect("encoder");
    encoder.write_all(&record).expect("written");
    std::io::copy(&mut std::io::repeat(0).take(value_bytes as u64), &mut encoder).expect("written");
    encoder.write_all(&[0]).expect("written");
    let mut batch = sent(&build(codec, &[keyed(NOW, "k", "v")]));
    batch.truncate(61);
    batch.extend(encoder.finish().expect("finished"));
    reseal(&mut batch);
    batch
}

#[test]
fn a_bomb_passes_through_the_window_or_is_stopped_at_its_length() {
    const VALUE_BYTES: usize = 64 << 20;
    for codec in CODECS {
        let batch = bomb(codec, VALUE_BYTES);
        let open = Rules { max_message_bytes: 8 << 20, ..rules() };
        check(&batch, &open).expect("a large constant value is a legal record");
        let limited = Rules { decompressed_max_bytes: VALUE_BYTES, ..open };
        let refused = check(&batch, &limited).expect_err("the record is longer than its value");
        assert!(
            matches!(refused, Refusal::InvalidBatch(BatchFault::Records(RecordsFault::TooLarge { .. }))),
            "{codec:?}: {refused:?}"
        );
        let bounded = Rules { batch_decompressed_max_bytes: VALUE_BYTES, ..open };
        let refused = check(&batch, &bounded).expect_err("all records together are longer than the value");
        assert_eq!(refused, Refusal::Expands { max_bytes: VALUE_BYTES }, "{codec:?}");
        let plain = Rules { target: Target::Always(Compression::NONE), ..open };
        let refused = check(&batch, &plain).expect_err("it does not fit once decompressed");
        assert!(matches!(refused, Refusal::TooLarge { .. }), "{codec:?}: {refused:?}");
        let header = BatchHeader::parse(&batch).expect("a header");
        let body = Bytes::from(batch).slice(61..);
        let fault = decode(&header, &body, 1 << 20).expect_err("more than the reader takes");
        assert!(matches!(fault, RecordsFault::TooLarge { .. }));
    }
}

#[test]
fn records_longer_than_the_window_are_seen_like_short_ones() {
    for codec in Codec::ALL {
        let mut records = Vec::new();
        for length in [1, 65_520, 65_530, 65_536, 65_550, 70_000, 3, 200_000] {
            let mut record = keyed(NOW + length as i64, "key", "");
            record.value = Some(text(length));
            record.headers = vec![(b"before".to_vec(), Some(text(length / 3))), (b"after".to_vec(), None)];
            records.push(record);
        }
        let batch = build(codec, &records);
        let mut seen = Vec::new();
        let result = scan(batch.header(), batch.body(), NO_LIMIT, |record| {
            seen.push((record.offset_delta, record.timestamp(batch.header()), record.has_key));
            ControlFlow::Continue(())
        });
        assert_eq!(result, Ok(()));
        let expected: Vec<_> = (0..).zip(&records).map(|(index, record)| (index, record.timestamp, true)).collect();
        assert_eq!(seen, expected, "{codec:?}");
        assert_eq!(read(&batch), records);
    }
}

#[test]
fn a_scan_stops_when_told_to() {
    for codec in Codec::ALL {
        let batch = build(codec, &[keyed(1, "a", "b"), keyed(2, "c", "d")]);
        let mut count = 0;
        let result = scan(batch.header(), batch.body(), NO_LIMIT, |_| {
            count += 1;
            ControlFlow::Break(())
        });
        assert_eq!((result, count), (Ok(()), 1));
    }
}

/// What `compressed.validation=header` gives up and what it keeps.
#[test]
fn a_compressed_batch_may_be_taken_at_its_headers_word() {
    let trusting = Rules { compressed_unread: true, ..rules() };
    for codec in CODECS {
        let good = sent(&build(codec, &[keyed(NOW, "k", "v"), keyed(NOW + 5, "k", "w")]));
        let taken = check(&good, &trusting).expect("valid");
        assert_eq!((taken.header(), taken.body()), (check(&good, &rules()).expect("valid").header(), &good[61..]));
        let mut garbage = good.clone();
        garbage.truncate(61);
        garbage.extend([7; 40]);
        reseal(&mut garbage);
        assert!(check(&garbage, &trusting).is_ok(), "{codec:?}: not looked into");
        assert!(check(&garbage, &rules()).is_err());
        // who needs the records still reads them
        for reader in
            [Rules { keys_required: true, ..trusting }, Rules { target: Target::Always(Compression::NONE), ..trusting }]
        {
            assert!(check(&garbage, &reader).is_err(), "{codec:?}: {reader:?}");
        }
        let mut flipped = good.clone();
        flipped[70] ^= 1;
        assert!(matches!(check(&flipped, &trusting), Err(Refusal::Crc)));
        let late = sent(&build(codec, &[keyed(NOW + 4_000_000, "k", "v")]));
        assert!(matches!(check(&late, &trusting), Err(Refusal::InvalidTimestamps(errors)) if errors.len() == 1));
        let stamped = Rules { timestamp_type: TimestampType::LogAppendTime, ..trusting };
        let stamped = check(&good, &stamped).expect("valid");
        assert!(stamped.header().attributes.is_log_append_time());
        assert_eq!(stamped.header().max_timestamp, NOW);
    }
}
