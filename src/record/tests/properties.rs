//! Random records and random damage.

use std::ops::ControlFlow;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::record::compression::compress;
use crate::record::records::scan;

fn bytes(length_max: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..length_max)
}

fn plain() -> impl Strategy<Value = Plain> {
    let headers = vec((bytes(8), option::of(bytes(40))), 0..4);
    (0..NOW + 1000, option::of(bytes(30)), option::of(bytes(300)), headers)
        .prop_map(|(timestamp, key, value, headers)| Plain { timestamp, key, value, headers })
}

fn codec() -> impl Strategy<Value = Codec> {
    (0..Codec::ALL.len()).prop_map(|index| Codec::ALL[index])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn records_built_and_validated_are_the_records_read(
        records in vec(plain(), 1..30),
        from in codec(),
        to in option::of(codec()),
    ) {
        let target = to.map_or(Target::Producer, |to| Target::Always(Compression::of(to)));
        let valid = check(&sent(&build(from, &records)), &Rules { target, ..rules() }).expect("valid");
        prop_assert_eq!(valid.header().attributes.codec(), Some(to.unwrap_or(from)));
        prop_assert_eq!(valid.header().max_timestamp, records.iter().map(|record| record.timestamp).max().expect("some"));
        prop_assert_eq!(read(&valid), records);
    }

    #[test]
    fn a_changed_byte_is_refused_where_the_crc_covers_it(
        records in vec(plain(), 1..5),
        codec in codec(),
        at in any::<prop::sample::Index>(),
        flip in 1..=255u8,
    ) {
        let good = sent(&build(codec, &records));
        let mut bad = good.clone();
        let at = at.index(bad.len());
        bad[at] ^= flip;
        match check(&bad, &rules()) {
            // The leader epoch is whatever the append makes it.
            Ok(valid) => {
                prop_assert!((12..16).contains(&at), "byte {} may not change", at);
                prop_assert_eq!(valid.to_bytes(Offset::ZERO, LeaderEpoch::UNKNOWN), good);
            }
            Err(_) => prop_assert!(!(12..16).contains(&at)),
        }
    }

    #[test]
    fn damage_under_a_right_crc_is_refused_or_yields_readable_records(
        records in vec(plain(), 1..5),
        codec in codec(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        target in option::of(codec()),
    ) {
        let mut bad = sent(&build(codec, &records));
        for (at, value) in changes {
            let at = 21 + at.index(bad.len() - 21);
            bad[at] = value;
        }
        reseal(&mut bad);
        let target = target.map_or(Target::Producer, |to| Target::Always(Compression::of(to)));
        if let Ok(valid) = check(&bad, &Rules { target, ..rules() }) {
            let count = usize::try_from(valid.header().record_count).expect("positive");
            prop_assert_eq!(read(&valid).len(), count);
        }
    }

    #[test]
    fn plain_and_compressed_bodies_are_judged_alike(
        records in vec(plain(), 1..5),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        codec in codec(),
        long in option::of(60_000..140_000usize),
    ) {
        let mut records = records;
        if let Some(length) = long {
            records[0].value = Some(vec![3; length]);
        }
        let batch = build(Codec::None, &records);
        let mut body = batch.body().to_vec();
        for (at, value) in changes {
            // Half of the changes go where the structure of a long record is.
            let range = if value % 2 == 0 { body.len() } else { body.len().min(40) };
            body[at.index(range)] = value;
        }
        let look = |header: &BatchHeader, body: &[u8]| {
            let mut seen = Vec::new();
            let result = scan(header, body, NO_LIMIT, |record| {
                seen.push(record);
                ControlFlow::Continue(())
            });
            (result.is_ok(), seen)
        };
        let header = BatchHeader { attributes: batch.header().attributes.with_codec(codec), ..*batch.header() };
        let compressed = compress(Compression::of(codec), &body).expect("compressed");
        let alike = look(batch.header(), &body);
        prop_assert_eq!(&look(&header, &compressed), &alike);
        prop_assert_eq!(iterate(batch.header(), &body).all(|record| record.is_ok()), alike.0);
    }
}

#[test]
fn every_truncation_of_a_batch_is_refused() {
    for codec in Codec::ALL {
        let batch = sent(&build(codec, &[keyed(NOW, "a", "x"), keyed(NOW, "b", "y")]));
        for cut in 0..batch.len() {
            check(&batch[..cut], &rules()).expect_err("a truncated batch is refused");
        }
    }
}

#[test]
fn random_bytes_never_panic() {
    for seed in 1..=4000 {
        replay_one_seed(seed);
    }
}

/// A random header of a random codec over random bytes, all of it under a right CRC; and the bytes alone.
fn replay_one_seed(seed: u64) {
    println!("seed {seed}");
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let length = random.below(300);
    let noise = random.bytes(length);
    let _ = check(&noise, &rules());
    let mut batch = sent(&build(Codec::ALL[random.below(5)], &[keyed(NOW, "k", "v")]));
    // Some of the codec's own first bytes let the noise pass for a stream.
    batch.truncate(61 + random.below(12).min(batch.len() - 61));
    batch.extend_from_slice(&noise);
    let count = i32::try_from(random.below(5)).expect("small");
    batch[23..27].copy_from_slice(&(count - 1).to_be_bytes());
    batch[57..61].copy_from_slice(&count.to_be_bytes());
    reseal(&mut batch);
    let _ = check(&batch, &rules());
    if let Ok(header) = BatchHeader::parse(&batch) {
        let body = Bytes::from(batch).slice(61..);
        if let Ok(plain) = decode(&header, &body, NO_LIMIT) {
            for record in iterate(&header, &plain).flatten() {
                assert!(record.headers.count() <= plain.len());
            }
        }
        let _ = scan(&header, &body, NO_LIMIT, |_| ControlFlow::Continue(()));
    }
}
