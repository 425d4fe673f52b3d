//! Every framing seen in the wild, levels, and lies.

use super::*;

const CODECS: [Codec; 4] = [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

/// Text of a length, neither constant nor random.
fn text(length: usize) -> Vec<u8> {
    let mut state = length as u64 + 1;
    let mut out = Vec::with_capacity(length + 8);
    while out.len() < length {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        out.extend_from_slice(format!("w{} ", (state >> 33) % 3000).as_bytes());
    }
    out.truncate(length);
    out
}

fn decoded(codec: Codec, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    Decoder::new(codec, bytes)?.read_to_end(&mut plain)?;
    Ok(plain)
}

#[test]
fn every_codec_gives_back_what_it_got() {
    for codec in Codec::ALL {
        for length in [0, 1, 100, 32 * 1024 - 1, 32 * 1024, 64 * 1024 + 1, 300_000] {
            let plain = text(length);
            let compressed = compress(Compression::of(codec), &plain).expect("compressed");
            assert_eq!(decoded(codec, &compressed).expect("decoded"), plain, "{codec:?} {length}");
        }
    }
}

#[test]
fn levels_of_kafkas_scales_are_taken_and_outliers_bounded() {
    let plain = text(50_000);
    let scales = [(Codec::Gzip, -1..=9), (Codec::Lz4, 1..=17), (Codec::Zstd, -5..=22), (Codec::Snappy, 0..=0)];
    for (codec, levels) in scales {
        for level in levels.chain([i32::MIN, i32::MAX]) {
            let compressed = compress(Compression::at_level(codec, level), &plain).expect("compressed");
            assert!(compressed.len() < plain.len() + 100, "{codec:?} {level}");
            assert_eq!(decoded(codec, &compressed).expect("decoded"), plain, "{codec:?} {level}");
        }
    }
    assert_eq!(Compression::at_level(Codec::Lz4, 9), Compression::of(Codec::Lz4));
    assert_eq!(Compression::at_level(Codec::Gzip, -1), Compression::of(Codec::Gzip));
}

#[test]
fn frames_begin_as_kafka_writes_them() {
    let start = |codec| compress(Compression::of(codec), &text(1000)).expect("compressed");
    assert_eq!(start(Codec::Gzip)[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
    assert_eq!(start(Codec::Snappy)[..16], *b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01");
    assert_eq!(start(Codec::Lz4)[..7], [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82]);
    assert_eq!(start(Codec::Zstd)[..6], [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58]);
}

#[test]
fn several_streams_behind_each_other_are_one() {
    let (a, b) = (text(70_000), text(10));
    for codec in CODECS {
        let parts = [a.as_slice(), &b, &a].map(|part| compress(Compression::of(codec), part).expect("compressed"));
        let plain = decoded(codec, &parts.concat()).expect("decoded");
        assert_eq!(plain, [a.clone(), b.clone(), a.clone()].concat(), "{codec:?}");
    }
}

#[test]
fn a_snappy_block_without_a_frame_is_read() {
    let plain = text(200_000);
    let raw = snap::raw::Encoder::new().compress_vec(&plain).expect("compressed");
    assert_eq!(decoded(Codec::Snappy, &raw).expect("decoded"), plain);
    let constant = vec![7; 200_000];
    let raw = snap::raw::Encoder::new().compress_vec(&constant).expect("compressed");
    assert_eq!(decoded(Codec::Snappy, &raw).expect("the best that snappy can do"), constant);
}

#[test]
fn lz4_frames_of_every_kind_that_java_reads_are_read() {
    let plain = text(5_000_000);
    for size in [lz4::BlockSize::Max64KB, lz4::BlockSize::Max256KB, lz4::BlockSize::Max1MB, lz4::BlockSize::Max4MB] {
        for checksums in [false, true] {
            let mut frame = lz4_frame(&plain, size.clone(), lz4::BlockMode::Independent, checksums);
            assert!(decoded(Codec::Lz4, &frame).expect("decoded") == plain, "checksums {checksums}");
            if checksums {
                let middle = frame.len() / 2;
                frame[middle] ^= 0x40;
                decoded(Codec::Lz4, &frame).expect_err("a checksum that does not match");
            }
        }
    }
}

/// They were taken, and then no Java consumer got past them; Kafka's broker refuses them as well.
#[test]
fn lz4_frames_of_linked_blocks_are_refused() {
    let plain = text(200_000);
    let linked = lz4_frame(&plain, lz4::BlockSize::Max64KB, lz4::BlockMode::Linked, false);
    decoded(Codec::Lz4, &linked).expect_err("linked blocks");
    let mut both = lz4_frame(&plain, lz4::BlockSize::Max64KB, lz4::BlockMode::Independent, false);
    both.extend_from_slice(&linked);
    decoded(Codec::Lz4, &both).expect_err("linked blocks in a second frame");
}

fn lz4_frame(plain: &[u8], size: lz4::BlockSize, mode: lz4::BlockMode, checksums: bool) -> Vec<u8> {
    use lz4::ContentChecksum::{ChecksumEnabled, NoChecksum};
    use lz4::liblz4::BlockChecksum::{BlockChecksumEnabled, NoBlockChecksum};
    let mut builder = lz4::EncoderBuilder::new();
    builder.block_size(size).block_mode(mode);
    if checksums {
        builder.checksum(ChecksumEnabled).block_checksum(BlockChecksumEnabled).content_size(plain.len() as u64);
    } else {
        builder.checksum(NoChecksum).block_checksum(NoBlockChecksum);
    }
    let mut encoder = builder.build(Vec::new()).expect("encoder");
    encoder.write_all(plain).expect("written");
    let (frame, result) = encoder.finish();
    result.expect("finished");
    frame
}

#[test]
fn zstd_frames_with_a_content_size_and_small_windows_are_read() {
    let plain = text(100_000);
    let frame = zstd::bulk::compress(&plain, 3).expect("compressed");
    assert_eq!(decoded(Codec::Zstd, &frame).expect("single segment"), plain);
    let two = [frame.clone(), frame].concat();
    assert_eq!(decoded(Codec::Zstd, &two).expect("two frames").len(), 200_000);
}

#[test]
fn a_zstd_window_above_the_limit_is_refused_before_it_is_reserved() {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).expect("encoder");
    encoder.window_log(27).expect("a legal window");
    encoder.write_all(&text(1000)).expect("written");
    let frame = encoder.finish().expect("finished");
    decoded(Codec::Zstd, &frame).expect_err("128 MiB of window");
    // The header alone may claim 2^41 bytes.
    decoded(Codec::Zstd, &[0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xff, 1, 0, 0]).expect_err("the largest claim");
}

#[test]
fn a_snappy_length_that_cannot_be_is_refused_before_it_is_reserved() {
    let lie = [0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0];
    decoded(Codec::Snappy, &lie).expect_err("4 GiB in two bytes");
    let mut framed = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01\0\0\0\x07".to_vec();
    framed.extend_from_slice(&lie);
    decoded(Codec::Snappy, &framed).expect_err("the same in a block");
    framed[16..20].copy_from_slice(&(-1i32).to_be_bytes());
    decoded(Codec::Snappy, &framed).expect_err("a negative block length");
}
