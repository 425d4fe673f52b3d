//! A real text goes through kcat line by line, in every codec, into one partition and into sixteen, and comes back.
//!
//! kcat drops an empty line that has no key, so every line is sent under its number. The numbers also show that each
//! partition kept the order and that no line came twice.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::need;
use crate::support::broker::{Kind, Shared, shared, tried};
use crate::support::clients::{Java, kcat};
use crate::support::process::run;
use crate::support::topic::Topic;
use crate::support::{long, scratch, turn};

const SMALL_BYTES: usize = 10_000_000;
const LARGE_BYTES: usize = 100_000_000;
/// Each codec's name and its number in a batch's attributes.
pub const CODECS: [(&str, u8); 5] = [("none", 0), ("gzip", 1), ("snappy", 2), ("lz4", 3), ("zstd", 4)];

#[test]
fn a_small_text_comes_back_from_apache_kafka() {
    let _turn = turn();
    need!(Java::find());
    for (codec, _) in CODECS {
        check(Kind::Kafka, codec, 16, if long() { LARGE_BYTES } else { SMALL_BYTES });
    }
    check(Kind::Kafka, "lz4", 1, LARGE_BYTES);
}

#[test]
fn a_text_comes_back_from_one_partition_in_every_codec() {
    let _turn = turn();
    for (codec, _) in CODECS {
        check(Kind::Klamm, codec, 1, LARGE_BYTES);
    }
}

#[test]
fn a_text_comes_back_from_sixteen_partitions_in_every_codec() {
    let _turn = turn();
    for (codec, _) in CODECS {
        check(Kind::Klamm, codec, 16, LARGE_BYTES);
    }
}

fn check(kind: Kind, codec: &str, partitions: i32, size_bytes: usize) {
    let kcat = need!(kcat());
    if !tried(kind) {
        return;
    }
    let text = Text::of(size_bytes);
    let broker = shared(kind);
    let name = format!("text-{codec}-{partitions}-{size_bytes}");
    Topic { name: &name, partitions, configs: &[] }.create(&broker.bootstrap);
    let mut send = Command::new(kcat);
    send.args(["-P", "-b", &broker.bootstrap, "-t", &name, "-K", "\t", "-z", codec, "-X", "acks=all", "-l"]);
    let begun = std::time::Instant::now();
    run(send.arg(&text.keyed), Duration::from_secs(300)).out();
    let sent = begun.elapsed();
    let begun = std::time::Instant::now();
    if partitions == 1 {
        one(kcat, &broker, &name, &text)
    } else {
        many(kcat, &broker, &name, &text, partitions)
    }
    println!("{kind:?} {name}: sent in {sent:?}, read in {:?}", begun.elapsed());
    let wanted = CODECS.iter().find(|(name, _)| *name == codec).map(|(_, code)| *code).expect("a codec's name");
    // librdkafka takes FindCoordinator v0 as the sign of a broker that knows lz4, and sends plain batches to others
    assert_eq!(codec_on_disk(&broker.data.join(format!("{name}-0"))), wanted, "codec of {name} on disk");
}

/// The values of the only partition, one a line, are the text.
fn one(kcat: &str, broker: &Shared, name: &str, text: &Text) {
    let mut read = consumer(kcat, broker, name, "%s\\n").stdout(Stdio::piped()).spawn().expect("start kcat");
    let got = read.stdout.take().expect("stdout is a pipe");
    let same = compare(BufReader::new(got), BufReader::new(File::open(&text.plain).expect("open the text")));
    let status = read.wait().expect("wait for kcat");
    assert_eq!(same, Ok(text.length_bytes), "{name} as read back");
    assert!(status.success(), "kcat ended with {status}");
}

/// Equal streams give their length, others the position of the first difference.
fn compare(mut one: impl Read, mut other: impl Read) -> Result<u64, u64> {
    let (mut a, mut b) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    let mut position = 0;
    loop {
        let (m, n) = (fill(&mut one, &mut a), fill(&mut other, &mut b));
        if a.get(..m) != b.get(..n) {
            let same = a.iter().take(m).zip(b.iter().take(n)).take_while(|(x, y)| x == y).count();
            return Err(position + same as u64);
        }
        if m == 0 {
            return Ok(position);
        }
        position += m as u64;
    }
}

fn fill(source: &mut impl Read, buffer: &mut [u8]) -> usize {
    let mut length = 0;
    while let Some(free) = buffer.get_mut(length..).filter(|free| !free.is_empty()) {
        match source.read(free).expect("read a stream") {
            0 => break,
            n => length += n,
        }
    }
    length
}

/// Every line comes once, unchanged, and within a partition in order.
fn many(kcat: &str, broker: &Shared, name: &str, text: &Text, partitions: i32) {
    let bytes = std::fs::read(&text.plain).expect("read the text");
    let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    let mut seen = vec![false; lines.len()];
    let mut last = vec![None; usize::try_from(partitions).expect("a small number")];
    let mut read = consumer(kcat, broker, name, "%p\\t%k\\t%s\\n").stdout(Stdio::piped()).spawn().expect("start kcat");
    let mut got = BufReader::with_capacity(1 << 20, read.stdout.take().expect("stdout is a pipe"));
    let mut record = Vec::new();
    while got.read_until(b'\n', &mut record).expect("read kcat") > 0 {
        let mut parts = record.splitn(3, |byte| *byte == b'\t');
        let mut number = || std::str::from_utf8(parts.next()?).ok()?.parse::<usize>().ok();
        let (partition, line) = (number().expect("a partition"), number().expect("a line number"));
        assert_eq!(parts.next(), lines.get(line).copied(), "line {line} of {name} as read back");
        assert!(!std::mem::replace(&mut seen[line], true), "line {line} of {name} came twice");
        assert!(last[partition] < Some(line), "order in partition {partition} of {name}");
        last[partition] = Some(line);
        record.clear();
    }
    let status = read.wait().expect("wait for kcat");
    assert!(status.success(), "kcat ended with {status}");
    assert_eq!(seen.iter().position(|seen| !seen), None, "a line of {name} did not come back");
    assert!(last.iter().all(Option::is_some), "a partition of {name} has no records: {last:?}");
}

fn consumer(kcat: &str, broker: &Shared, name: &str, format: &str) -> Command {
    let mut command = Command::new(kcat);
    command.args(["-C", "-b", &broker.bootstrap, "-t", name, "-o", "beginning", "-e", "-q", "-f", format]);
    command.args(["-X", "check.crcs=true"]).stdin(Stdio::null());
    command
}

/// The codec of a partition's batches: librdkafka leaves a batch plain, often the first and smallest, where compression
/// would not make it smaller.
pub fn codec_on_disk(partition: &Path) -> u8 {
    let bytes = std::fs::read(partition.join("00000000000000000000.log")).expect("read the first segment");
    let mut rest = bytes.as_slice();
    while let Some(header) = rest.first_chunk::<61>() {
        let codec = header[22] & 7;
        if codec != 0 {
            return codec;
        }
        let length = u32::from_be_bytes([header[8], header[9], header[10], header[11]]) as usize;
        let Some(next) = rest.get(12 + length..) else { break };
        rest = next;
    }
    0
}

/// A text of source code as two files: as it is, and with each line's number and a tab before it.
pub struct Text {
    plain: PathBuf,
    pub keyed: PathBuf,
    length_bytes: u64,
}

impl Text {
    /// The Rust sources of the crates in use and of the project, repeated until there are `size_bytes`.
    pub fn of(size_bytes: usize) -> Text {
        let plain = scratch().join(format!("text-{size_bytes}.txt"));
        let keyed = plain.with_extension("keyed");
        if !keyed.exists() {
            let text = gather(size_bytes);
            let draft = scratch().join(format!("draft-{}", std::process::id()));
            std::fs::write(&draft, &text).and_then(|()| std::fs::rename(&draft, &plain)).expect("write the text");
            let mut out = BufWriter::new(File::create(&draft).expect("make the text"));
            let mut key = String::new();
            for (number, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
                key.clear();
                write!(key, "{number:08}\t").expect("format a number");
                out.write_all(key.as_bytes()).and_then(|()| out.write_all(line)).expect("write the text");
            }
            out.flush().and_then(|()| std::fs::rename(&draft, &keyed)).expect("write the text");
        }
        let length_bytes = plain.metadata().expect("length of the text").len();
        Text { plain, keyed, length_bytes }
    }
}

fn gather(size_bytes: usize) -> Vec<u8> {
    let home = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let cargo = home("CARGO_HOME").or_else(|| Some(home("HOME")?.join(".cargo"))).unwrap_or_default();
    let mut files = Vec::new();
    sources(&cargo.join("registry/src"), &mut files);
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    files.sort();
    let mut text = Vec::with_capacity(size_bytes + 4_000_000);
    while text.len() < size_bytes {
        for file in &files {
            let source = std::fs::read(file).expect("read a source");
            let fits = source.split(|byte| *byte == b'\n').all(|line| line.len() < 500_000);
            if fits && !source.is_empty() {
                text.extend_from_slice(&source);
                text.extend((source.last() != Some(&b'\n')).then_some(b'\n'));
            }
            if text.len() >= size_bytes {
                break;
            }
        }
    }
    text
}

fn sources(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}
