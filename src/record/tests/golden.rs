//! Bytes that Apache Kafka 4.4 and its Java client wrote, read and written again.

use bytes::Bytes;

use super::*;
use crate::base::ids::{ProducerEpoch, ProducerId, Sequence};
use crate::record::batch::crc_matches;
use crate::record::control::{ControlRecord, ControlType, EndTxnMarker, marker_batch};

/// Five records of a transactional producer, uncompressed, at offset 2.
const TRANSACTIONAL: &str = "\
    0000000000000002000000b800000000023aaf144c001000000004000003bb2cc3d800000003bb2cc3d80400000000000000020000000000\
    0000000005340000000128616d6265720a6a756e69706572206b6172737420004a00020200086c617263060a747261636508743832350a74\
    72616365000e6e6f7468696e6701560004040c6b65792d333318636564617220656d6265720a04000e6e6f206e616d650ac3bc6ec3af0600\
    ff7f180006060c6b65792d34320100180008080c6b65792d31370000";

/// The marker that aborts it.
const ABORT: &str = "\
    00000000000000070000004200000000024d6b8af2003000000000000001a1fbe8914d000001a1fbe8914d00000000000000020001ffffff\
    ff000000012000000008000000000c00000000000000";

const GZIP: &str = "\
    000000000000003c000001130000000002f139f77f000100000007000003bb2cc3d801000003bb2cc3d81600000000000000050000000000\
    08000000081f8b08000000000000ff5d90bf0ac23010c6bf8a1409c5c141c441823809827fa1ae0e3e83b8c5f66c536b94340abe8193cf6c\
    4daaa8371cdf1d77f97eb9bb8732d6d945c933691e512c343b085d18becf4e3a66b9d051ca4aed33a345440db358864ea2a94e26952af13a\
    f06bc1816ea3c904787808eab69acdae74dc91663673a97232dce9987223f8db3651248ba21aa88a0457b47c2ffb690abbfcfd9c25e62909\
    9356f9458c2d3a0dc7300e5cfbc33f9f2ffef9fbe831b4ed871d19361804ecb51faebeafb193e5359c8fd3acd4e862d8b466d3b0b6c713dc\
    24edd153010000";

const SNAPPY: &str = "\
    00000000000000500000012700000000028f6ee92b000200000007000003bb2cc3d801000003bb2cc3d81600000000000000070000000000\
    000000000882534e41505059000000000100000001000000e29602587a0000000038636564617220666a6f7264206865617468090c400a6c\
    617263060a74726163650874383030090b68000e6e6f7468696e6701180006020c6b65792d3232000050000c04050d0431330d51146a756e\
    69706511595c626972636820686500140012060108616d6265005000180805341432340267060a0d6a08333439090b196a1452001e0a0046\
    0134047220090609a80d63680a6b617273740a656d62002800240c0a6b65792d3012696e6c6574011b10005c002a0e0568083432440d3318\
    2064656c74612001e340680a6b6172737420656d6265720a666a00";

const LZ4: &str = "\
    0000000000000023000000a500000000024c3632d9001300000002000003bb2cc3d800000003bb2cc3d80400000000000000060000000000\
    000000000304224d1860408265000000f0045a000000014e616d62657220686561746820650c00620a6b617273741200120a1800f2066269\
    72005e0004020a6b65792d31226c61726368203900f0176a756e697004000e6e6f206e616d650ac3bc6ec3af0600ff7f180008040c6b6579\
    2d3336000000000000";

const ZSTD: &str = "\
    00000000000000a00000011b0000000002bdf594c1000400000007000003bb2cc3d801000003bb2cc3d816000000000000000b0000000000\
    000000000828b52ffd0058f40600024b272970699a03fcffff7fe888a4045da26d7be99bec4e9f4b876f08a68fa0262766cad79b7fcbadd5\
    a0960267fd3411020547a2e00c4f2a2dbeb8b2e7c021c7e311458ea144233bd029eba789b4b8dc72a3c3cc49604cf825a3b812715eda563b\
    4836430e4234aa9445e00d8f7a5feaa6c6a8f7a905848074875f3518137e0960b9429140d7e203136f1ca8c8f0da8eb9f4325ed90c79606d\
    abd731f87f28190045640035396c360d1563b3195a9304645858065203f818f76c8c02687456003d8c9092df6b081f36861e46d23c9ad202\
    16ae829c61dee132e80f450c010000";

/// What the cleaner left of four records: two, with a delete horizon and deltas far in the past.
const CLEANED: &str = "\
    00000000000000af00000061000000000215b9ae2f0043000000030001207374afc5e8000003bb2da5acbd00000000000000000000000000\
    af0000000204224d1860408221000000f3062200d9e4d0f088ae8e0104066b31350261002000d512007006066b3331010000000000";

/// The first batch of a metadata log: leader change, KRaft version, voters.
const BOOT: &str = "\
    0000000000000000000000a2000000010277030f73002000000002000001a1fbfeed20000001a1fbfeed20ffffffffffffffffffffffffff\
    ff000000033a00000008000000022600000000000102000000010002000000010000001e00000208000000050a0000000100008201000004\
    08000000066e00000200000001609ac85b4d4d4b239c48340ce9f5141e020b434f4e54524f4c4c45520a3132372e302e302e315a3d000000\
    000100000000";

/// The first batch of a snapshot: header, KRaft version, voters.
const SNAPSHOT: &str = "\
    00000000000000000000009a0000000202d7321a9d002000000002000001a1fbfb2670000001a1fbfb2670ffffffffffffffffffffffffff\
    ff000000032a0000000800000003160000000001a1fbfb264700001e00000208000000050a000000010000820100000408000000066e0000\
    0200000001487c73281da940aa961aeb0781816bd3020b434f4e54524f4c4c45520a3132372e302e302e315a3d000000000100000000";

/// The last batch of a snapshot: its footer.
const FOOTER: &str = "\
    000000000000000e0000003f000000020250c2a6aa002000000000000001a1fbfb26aa000001a1fbfb26aaffffffffffffffffffffffffff\
    ff000000011a00000008000000040600000000";

fn unhex(text: &str) -> Bytes {
    let digits = text.as_bytes();
    digits.chunks(2).map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap()).collect()
}

/// Header and records of a batch, after the checks that every batch passes.
fn open(text: &str) -> (BatchHeader, Bytes) {
    let bytes = unhex(text);
    let header = BatchHeader::parse(&bytes).expect("a header");
    assert_eq!(header.size_bytes, bytes.len());
    assert!(crc_matches(&bytes));
    assert_eq!(header.to_bytes(), bytes[..61]);
    let plain = decode(&header, &bytes.slice(61..), NO_LIMIT).expect("decodable");
    (header, plain)
}

#[test]
fn a_transactional_batch_is_read_to_the_byte() {
    let (header, plain) = open(TRANSACTIONAL);
    assert!(header.attributes.is_transactional() && !header.attributes.is_control());
    assert_eq!((header.base_offset, header.last_offset()), (Offset(2), Offset(6)));
    assert_eq!((header.producer_id, header.producer_epoch), (ProducerId(2), ProducerEpoch(0)));
    assert_eq!((header.base_sequence, header.last_sequence()), (Sequence(0), Sequence(4)));
    let records = read_plain(&header, &plain);
    let value = |record: &Plain| record.value.clone().map(|value| String::from_utf8(value).expect("text"));
    assert_eq!(records[0].key, None);
    assert_eq!(value(&records[0]).as_deref(), Some("amber\njuniper karst "));
    assert_eq!(records[1].key, Some(vec![]));
    let header =
        |key: &str, value: Option<&str>| (key.as_bytes().to_vec(), value.map(|value| value.as_bytes().to_vec()));
    assert_eq!(records[1].headers, [header("trace", Some("t825")), header("trace", Some("")), header("nothing", None)]);
    assert_eq!(records[2].headers[0].0, b"", "a header may have an empty key");
    assert_eq!(value(&records[3]), None, "a tombstone");
    assert_eq!(records[4].timestamp, 4_102_444_800_004);
}

#[test]
fn what_kafka_wrote_uncompressed_or_in_lz4_is_written_the_same() {
    for text in [TRANSACTIONAL, LZ4] {
        let (header, plain) = open(text);
        let mut builder = BatchBuilder::new(Compression::of(header.attributes.codec().expect("known"))).producer(
            header.producer_id,
            header.producer_epoch,
            header.base_sequence,
        );
        if header.attributes.is_transactional() {
            builder = builder.transactional();
        }
        append_all(&mut builder, &read_plain(&header, &plain));
        assert_eq!(builder.build().to_bytes(header.base_offset, header.leader_epoch), unhex(text));
    }
}

#[test]
fn every_codec_of_the_java_client_is_read_and_let_through_unchanged() {
    for (text, codec) in [(GZIP, Codec::Gzip), (SNAPPY, Codec::Snappy), (LZ4, Codec::Lz4), (ZSTD, Codec::Zstd)] {
        let (header, plain) = open(text);
        assert_eq!(header.attributes.codec(), Some(codec));
        let records = read_plain(&header, &plain);
        let last = records.last().expect("records");
        assert_eq!(last.timestamp, header.max_timestamp, "{codec:?}");
        let mut bytes = unhex(text).to_vec();
        bytes[..8].fill(0);
        let valid = check(&bytes, &Rules { timestamp_after_max_ms: i64::MAX, ..rules() }).expect("valid");
        assert_eq!(valid.to_bytes(header.base_offset, header.leader_epoch), unhex(text));
        assert_eq!(read(&valid), records);
    }
}

#[test]
fn a_cleaned_batch_keeps_its_offsets_and_times() {
    let (header, plain) = open(CLEANED);
    assert!(header.attributes.has_delete_horizon());
    assert_eq!((header.record_count, header.last_offset_delta), (2, 3));
    let records: Vec<_> = iterate(&header, &plain).map(|record| record.expect("a record")).collect();
    assert_eq!(records[0].offset, Offset(0xaf + 2));
    assert_eq!(records[0].key, Some(b"k15".as_slice()));
    assert_eq!(records[1].offset, Offset(0xaf + 3));
    assert_eq!(records[1].timestamp, header.max_timestamp);
}

#[test]
fn a_marker_is_read_and_written_to_the_byte() {
    let (header, plain) = open(ABORT);
    let record = iterate(&header, &plain).next().expect("one").expect("a record");
    let (key, value) = (record.key.expect("key"), record.value.expect("value"));
    let marker = ControlRecord::Abort(EndTxnMarker { coordinator_epoch: 0 });
    assert_eq!(ControlRecord::decode(key, value).as_ref(), Ok(&marker));
    let batch = marker_batch(header.producer_id, header.producer_epoch, marker, WallMs(header.max_timestamp));
    assert_eq!(batch.to_bytes(header.base_offset, header.leader_epoch), unhex(ABORT));
}

#[test]
fn control_records_of_the_metadata_log_are_written_as_kafka_does() {
    use ControlType::{KRaftVersion, LeaderChange, SnapshotFooter, SnapshotHeader, Voters};
    let cases: [(&str, &[ControlType]); 3] = [
        (BOOT, &[LeaderChange, KRaftVersion, Voters]),
        (SNAPSHOT, &[SnapshotHeader, KRaftVersion, Voters]),
        (FOOTER, &[SnapshotFooter]),
    ];
    for (text, types) in cases {
        let (header, plain) = open(text);
        let mut records = Vec::new();
        for record in iterate(&header, &plain) {
            let record = record.expect("a record");
            let (key, value) = (record.key.expect("key"), record.value.expect("value"));
            records.push(ControlRecord::decode(key, value).expect("a control record"));
            for cut in 0..value.len() {
                ControlRecord::decode(key, &value[..cut]).expect_err("a truncated value is refused");
            }
        }
        assert_eq!(records.iter().map(ControlRecord::control_type).collect::<Vec<_>>(), types);
        let written = crate::record::control::control_batch(&records, WallMs(header.max_timestamp));
        assert_eq!(written.to_bytes(header.base_offset, header.leader_epoch), unhex(text));
    }
}

#[test]
fn control_types_of_later_versions_are_passed_over() {
    assert_eq!(ControlRecord::decode(&[0, 0, 0, 9], b"anything"), Ok(ControlRecord::Unknown(9)));
    assert_eq!(ControlType::from_key(&[0, 1, 0, 1, 7]), Some(ControlType::Commit));
    assert_eq!(ControlType::from_key(&[0, 0, 0]), None);
    assert_eq!(ControlType::from_key(&[0xff, 0xff, 0, 0]), None);
}
