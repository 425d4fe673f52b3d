//! The broker's own numbers and names as types, so that mixing an offset with a position or an epoch does not compile.
//!
//! An `Offset` counts records of one partition. A position (plain `u64`) counts bytes in a file.

use std::fmt;
use std::sync::Arc;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// The position of a record in its partition, counted from 0. Negative values appear on the wire only.
    Offset(i64)
}
number! {
    /// How often the leader of a partition changed (KIP-101, KIP-320). -1: unknown.
    LeaderEpoch(i32)
}
number! {
    /// Identity of an idempotent producer (KIP-98). -1: none.
    ProducerId(i64)
}
number! {
    /// Generation of a producer id; a higher one fences the lower.
    ProducerEpoch(i16)
}
number! {
    /// Sequence number of a producer's record in one partition; wraps from `i32::MAX` to 0.
    Sequence(i32)
}
number! {
    /// Index of a partition in its topic, from 0.
    PartitionIndex(i32)
}

impl Offset {
    pub const ZERO: Offset = Offset(0);

    /// This offset moved by a count of records.
    pub fn plus(self, count: i64) -> Offset {
        Offset(self.0 + count)
    }
}

impl LeaderEpoch {
    pub const UNKNOWN: LeaderEpoch = LeaderEpoch(-1);
}

impl ProducerId {
    pub const NONE: ProducerId = ProducerId(-1);
}

impl ProducerEpoch {
    pub const NONE: ProducerEpoch = ProducerEpoch(-1);
}

impl Sequence {
    pub const NONE: Sequence = Sequence(-1);

    /// The sequence `count` records later, wrapping from `i32::MAX` to 0 (Kafka `DefaultRecordBatch.incrementSequence`).
    pub fn plus(self, count: i32) -> Sequence {
        let sum = i64::from(self.0) + i64::from(count);
        let wrapped = sum.rem_euclid(i64::from(i32::MAX) + 1);
        Sequence(i32::try_from(wrapped).unwrap_or(0))
    }
}

/// A 128-bit id as Kafka uses it for topics, directories and incarnations; printed as 22 characters of URL-safe base64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Uuid(pub [u8; 16]);

/// The id of a topic (KIP-516).
pub type TopicId = Uuid;

const BASE64_URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl Uuid {
    pub const ZERO: Uuid = Uuid([0; 16]);
    /// The fixed topic id of `__cluster_metadata` (Kafka `Uuid.METADATA_TOPIC_ID`).
    pub const METADATA_TOPIC: Uuid = Uuid([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);

    pub fn is_zero(&self) -> bool {
        *self == Uuid::ZERO
    }

    /// A version 4 UUID from 16 random bytes. Never one of the first hundred, which Kafka reserves, and its text never
    /// begins with `-`, which would read as a flag on a command line (Kafka `Uuid.randomUuid`).
    pub fn from_random(mut bytes: [u8; 16]) -> Uuid {
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        if bytes[0] >> 2 == 62 {
            bytes[0] ^= 0x80;
        }
        Uuid(bytes)
    }

    /// Reads the 22 characters of URL-safe base64 (padding allowed, spare bits ignored as Kafka does).
    pub fn parse(text: &str) -> Option<Uuid> {
        let text = text.trim_end_matches('=');
        if text.len() != 22 {
            return None;
        }
        let mut bits: u32 = 0;
        let mut bit_count = 0;
        let mut out = Vec::with_capacity(16);
        for byte in text.bytes() {
            let value = BASE64_URL.iter().position(|c| *c == byte)?;
            bits = (bits << 6) | u32::try_from(value).ok()?;
            bit_count += 6;
            if bit_count >= 8 {
                bit_count -= 8;
                out.push((bits >> bit_count) as u8);
                bits &= (1 << bit_count) - 1;
            }
        }
        out.try_into().ok().map(Uuid)
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = u128::from_be_bytes(self.0);
        for group in 0..22u32 {
            let shift = 122 - 6 * i64::from(group);
            let six = if shift >= 0 { (value >> shift) & 63 } else { (value << -shift) & 63 };
            f.write_str(char::from(BASE64_URL[six as usize]).encode_utf8(&mut [0; 4]))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A legal topic name: 1 to 249 characters of `[A-Za-z0-9._-]`, not `.` or `..` (Kafka `Topic.validate`).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicName(Arc<str>);

/// Why a text is not a topic name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BadTopicName {
    Empty,
    Dots,
    TooLong,
    IllegalCharacter,
}

impl TopicName {
    pub const LENGTH_MAX: usize = 249;

    pub fn parse(text: &str) -> Result<TopicName, BadTopicName> {
        if text.is_empty() {
            return Err(BadTopicName::Empty);
        }
        if text == "." || text == ".." {
            return Err(BadTopicName::Dots);
        }
        if text.len() > Self::LENGTH_MAX {
            return Err(BadTopicName::TooLong);
        }
        let legal = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-');
        if !text.bytes().all(legal) {
            return Err(BadTopicName::IllegalCharacter);
        }
        Ok(TopicName(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Two names with one collision key would share a metric name: Kafka refuses the second (`Topic.hasCollision`).
    pub fn collision_key(&self) -> String {
        self.0.replace('.', "_")
    }
}

impl std::borrow::Borrow<str> for TopicName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuid_text_is_kafkas_base64() {
        assert_eq!(Uuid::METADATA_TOPIC.to_string(), "AAAAAAAAAAAAAAAAAAAAAQ");
        for text in ["GpUQmrcEQ3ukBHTQ135JPg", "_SU8knQgSTydCnd91WMxPQ", "wzMCscdKSSaaPyjEk3eIow"] {
            assert_eq!(Uuid::parse(text).expect("legal").to_string(), text);
        }
        assert_eq!(Uuid::parse("short"), None);
        assert_eq!(Uuid::parse("wzMCscdKSSaaPyjEk3eI!w"), None);
    }

    #[test]
    fn random_uuid_never_prints_a_leading_dash() {
        for first in 0..=255 {
            let mut bytes = [7; 16];
            bytes[0] = first;
            assert!(!Uuid::from_random(bytes).to_string().starts_with('-'));
        }
    }

    #[test]
    fn sequence_wraps_to_zero() {
        assert_eq!(Sequence(i32::MAX).plus(1), Sequence(0));
        assert_eq!(Sequence(i32::MAX - 1).plus(3), Sequence(1));
    }

    #[test]
    fn topic_names_follow_kafka() {
        assert!(TopicName::parse("a_wide.v1-0").is_ok());
        assert!(TopicName::parse(&"x".repeat(249)).is_ok());
        assert_eq!(TopicName::parse(&"x".repeat(250)), Err(BadTopicName::TooLong));
        assert_eq!(TopicName::parse(""), Err(BadTopicName::Empty));
        assert_eq!(TopicName::parse(".."), Err(BadTopicName::Dots));
        assert_eq!(TopicName::parse("a/b"), Err(BadTopicName::IllegalCharacter));
        assert_eq!(TopicName::parse("ä"), Err(BadTopicName::IllegalCharacter));
    }
}
