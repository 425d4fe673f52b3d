//! CreateTopics, and what offsets and groups there are, by hand: tests that use one client must not need another to make
//! their topics.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::wait_for;

/// A topic as a client asks for it, with a replication factor of 1.
pub struct Topic<'a> {
    pub name: &'a str,
    pub partitions: i32,
    pub configs: &'a [(&'a str, &'a str)],
}

impl Topic<'_> {
    /// Creates it, and returns when each of its partitions answers (Apache Kafka takes a moment after CreateTopics).
    ///
    /// # Panics
    /// If the broker refuses.
    pub fn create(&self, bootstrap: &str) {
        let mut stream = connect(bootstrap);
        let answer = ask(&mut stream, &self.create_request());
        // correlation id, throttle time, count, name; then the error code
        assert_eq!(code(&answer, 14 + self.name.len()), Some(0), "CreateTopics {} answered {answer:?}", self.name);
        for partition in 0..self.partitions {
            wait_for("a new partition answers", Duration::from_secs(30), || {
                let answer = ask(&mut stream, &self.end_offset_request(partition));
                // correlation id, count, name, count, partition; then the error code
                (code(&answer, 18 + self.name.len()) == Some(0)).then_some(())
            });
        }
    }

    /// CreateTopics, version 2.
    fn create_request(&self) -> Vec<u8> {
        let mut bytes = header(19, 2);
        bytes.extend(1_i32.to_be_bytes());
        put(&mut bytes, self.name);
        bytes.extend(self.partitions.to_be_bytes());
        bytes.extend(1_i16.to_be_bytes());
        bytes.extend(0_i32.to_be_bytes());
        bytes.extend(i32::try_from(self.configs.len()).expect("few configs").to_be_bytes());
        for (key, value) in self.configs {
            put(&mut bytes, key);
            put(&mut bytes, value);
        }
        bytes.extend(30_000_i32.to_be_bytes());
        bytes.push(0);
        bytes
    }

    /// ListOffsets, version 1, for the latest offset.
    fn end_offset_request(&self, partition: i32) -> Vec<u8> {
        let mut bytes = header(2, 1);
        bytes.extend((-1_i32).to_be_bytes());
        bytes.extend(1_i32.to_be_bytes());
        put(&mut bytes, self.name);
        bytes.extend(1_i32.to_be_bytes());
        bytes.extend(partition.to_be_bytes());
        bytes.extend((-1_i64).to_be_bytes());
        bytes
    }
}

/// DeleteTopics, version 1.
///
/// # Panics
/// If the broker refuses.
pub fn delete_topic(bootstrap: &str, name: &str) {
    let mut bytes = header(20, 1);
    bytes.extend(1_i32.to_be_bytes());
    put(&mut bytes, name);
    bytes.extend(30_000_i32.to_be_bytes());
    let answer = ask(&mut connect(bootstrap), &bytes);
    // correlation id, throttle time, count, name; then the error code
    assert_eq!(code(&answer, 14 + name.len()), Some(0), "DeleteTopics {name} answered {answer:?}");
}

/// CreatePartitions, version 0: so many in all.
///
/// # Panics
/// If the broker refuses.
pub fn grow_topic(bootstrap: &str, name: &str, partitions: i32) {
    let mut bytes = header(37, 0);
    bytes.extend(1_i32.to_be_bytes());
    put(&mut bytes, name);
    bytes.extend(partitions.to_be_bytes());
    // placed by the broker; the time it has, and that it is to be done
    bytes.extend((-1_i32).to_be_bytes());
    bytes.extend(30_000_i32.to_be_bytes());
    bytes.push(0);
    let answer = ask(&mut connect(bootstrap), &bytes);
    assert_eq!(code(&answer, 14 + name.len()), Some(0), "CreatePartitions {name} answered {answer:?}");
}

/// The end offsets of a topic's partitions, from the first.
///
/// # Panics
/// If the broker refuses.
pub fn end_offsets(bootstrap: &str, name: &str, partitions: i32) -> Vec<i64> {
    let topic = Topic { name, partitions, configs: &[] };
    let mut stream = connect(bootstrap);
    let one = |partition| {
        let answer = ask(&mut stream, &topic.end_offset_request(partition));
        assert_eq!(code(&answer, 18 + name.len()), Some(0), "ListOffsets {name} answered {answer:?}");
        // the error code, a timestamp; then the offset
        number(&answer, 28 + name.len()).expect("an offset")
    };
    (0..partitions).map(one).collect()
}

/// What a group has committed for a partition, if it has and its coordinator answers: OffsetFetch, version 1.
pub fn committed(bootstrap: &str, group: &str, topic: &str, partition: i32) -> Option<i64> {
    let mut bytes = header(9, 1);
    put(&mut bytes, group);
    bytes.extend(1_i32.to_be_bytes());
    put(&mut bytes, topic);
    bytes.extend(1_i32.to_be_bytes());
    bytes.extend(partition.to_be_bytes());
    let answer = ask(&mut connect(bootstrap), &bytes);
    // correlation id, count, name, count, partition; then the offset
    number(&answer, 18 + topic.len()).filter(|offset| *offset >= 0)
}

/// The state of each group, in Kafka's words: ListGroups, version 4.
///
/// # Panics
/// If the broker refuses.
pub fn group_states(bootstrap: &str) -> BTreeMap<String, String> {
    let mut bytes = header(16, 4);
    // no tags in the header; of all states, no tags
    bytes.extend([0, 1, 0]);
    let answer = ask(&mut connect(bootstrap), &bytes);
    // correlation id, no tags, throttle time; then the error code
    assert_eq!(code(&answer, 9), Some(0), "ListGroups answered {answer:?}");
    let mut rest = answer.get(11..).expect("an answer");
    let count = compact_length(&mut rest);
    let mut states = BTreeMap::new();
    for _ in 0..count {
        let (id, _type, state) = (compact_text(&mut rest), compact_text(&mut rest), compact_text(&mut rest));
        rest = rest.get(1..).expect("no tags");
        states.insert(id, state);
    }
    states
}

/// One less than the variable-length number that stands first.
fn compact_length(rest: &mut &[u8]) -> usize {
    let end = rest.iter().position(|byte| byte & 0x80 == 0).expect("a length");
    let (number, after) = rest.split_at(end + 1);
    *rest = after;
    number.iter().rev().fold(0, |length, byte| length << 7 | usize::from(byte & 0x7f)) - 1
}

fn compact_text(rest: &mut &[u8]) -> String {
    let length = compact_length(rest);
    let (text, after) = rest.split_at(length);
    *rest = after;
    String::from_utf8_lossy(text).into_owned()
}

fn connect(bootstrap: &str) -> TcpStream {
    let stream = TcpStream::connect(bootstrap).expect("connect to the broker");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("set a timeout");
    stream
}

fn header(key: i16, version: i16) -> Vec<u8> {
    let mut bytes = [key.to_be_bytes(), version.to_be_bytes()].concat();
    bytes.extend(1_i32.to_be_bytes());
    put(&mut bytes, "tests");
    bytes
}

fn ask(stream: &mut TcpStream, request: &[u8]) -> Vec<u8> {
    let length = i32::try_from(request.len()).expect("a small request");
    stream.write_all(&[&length.to_be_bytes()[..], request].concat()).expect("send a request");
    let mut length = [0; 4];
    stream.read_exact(&mut length).expect("read the length of an answer");
    let mut answer = vec![0; usize::try_from(i32::from_be_bytes(length)).expect("a length")];
    stream.read_exact(&mut answer).expect("read an answer");
    answer
}

fn code(answer: &[u8], at: usize) -> Option<i16> {
    answer.get(at..at + 2).map(|bytes| i16::from_be_bytes([bytes[0], bytes[1]]))
}

fn number(answer: &[u8], at: usize) -> Option<i64> {
    answer.get(at..)?.first_chunk().map(|bytes| i64::from_be_bytes(*bytes))
}

fn put(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend(i16::try_from(text.len()).expect("a short text").to_be_bytes());
    bytes.extend(text.as_bytes());
}
