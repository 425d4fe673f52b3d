//! The records of `__consumer_offsets`, key and value, in every version of Kafka 4.4's schemas.
//!
//! ```text
//! key    int16 kind | fields, never flexible
//! value  int16 version | fields, flexible from the version in the schema on; none at all: a tombstone
//! ```
//!
//! Records of share and streams groups (kinds 10 to 15 and 17 to 23) are not read: they stay in the log as they are.
//!
//! References: Kafka `group-coordinator/src/main/resources/common/message/*.json`, `GroupCoordinatorRecordSerde.java`.

use bytes::Bytes;

use crate::base::ids::Uuid;
use crate::codec::declare::{Field, Version};
use crate::codec::reader::Fault;
use crate::codec::{DecodeError, Message, Reader, Writer};
use crate::message;

/// Keys are never flexible.
const PLAIN: Version = Version { number: 0, flexible: false };

message! {
    /// A committed offset (kind 1; kind 0 is its oldest form).
    pub struct OffsetCommitValue, flexible 4+ {
        [0+] offset: i64,
        [3+] leader_epoch: i32 = -1,
        [0+] metadata: String,
        [0+] commit_timestamp: i64,
        /// -1: by the broker's retention.
        [1] expire_timestamp: i64 = -1,
        /// Zero: written by a broker older than topic ids here.
        [4+, tag 0] topic_id: Uuid,
    }
}

message! {
    /// A classic group (kind 2).
    pub struct GroupMetadataValue, flexible 4+ {
        [0+] protocol_type: String,
        [0+] generation: i32,
        [0+] protocol: Option<String>,
        [0+] leader: Option<String>,
        [2+] current_state_timestamp: i64 = -1,
        [0+] members: Vec<MemberMetadata>,
    }
    pub struct MemberMetadata {
        [0+] member_id: String,
        [3+] group_instance_id: Option<String>,
        [0+] client_id: String,
        [0+] client_host: String,
        [1+] rebalance_timeout: i32 = -1,
        [0+] session_timeout: i32,
        [0+] subscription: Bytes,
        [0+] assignment: Bytes,
    }
}

message! {
    /// A consumer group (kind 3).
    pub struct ConsumerGroupMetadataValue, flexible 0+ {
        [0+] epoch: i32,
        /// Of the topics that are subscribed to; zero before Kafka 4.1.
        [0+, tag 0] metadata_hash: i64,
    }
}

message! {
    /// The subscribed topics as they were (kind 4), up to Kafka 4.0.
    pub struct ConsumerGroupPartitionMetadataValue, flexible 0+ {
        [0+] topics: Vec<SubscribedTopic>,
    }
    pub struct SubscribedTopic {
        [0+] topic_id: Uuid,
        [0+] topic_name: String,
        [0+] num_partitions: i32,
        [0+] partition_metadata: Vec<SubscribedPartition>,
    }
    pub struct SubscribedPartition {
        [0+] partition: i32,
        [0+] racks: Vec<String>,
    }
}

message! {
    /// A member of a consumer group and what it wants (kind 5).
    pub struct ConsumerGroupMemberMetadataValue, flexible 0+ {
        [0+] instance_id: Option<String>,
        [0+] rack_id: Option<String>,
        [0+] client_id: String,
        [0+] client_host: String,
        [0+] subscribed_topic_names: Vec<String>,
        [0+] subscribed_topic_regex: Option<String>,
        [0+] rebalance_timeout_ms: i32 = -1,
        [0+] server_assignor: Option<String>,
        /// Of a member that speaks the classic protocol.
        [0+, tag 0] classic_member_metadata: Option<ClassicMemberMetadata>,
    }
    pub struct ClassicMemberMetadata {
        [0+] session_timeout_ms: i32,
        [0+] supported_protocols: Vec<ClassicProtocol>,
    }
    pub struct ClassicProtocol {
        [0+] name: String,
        [0+] metadata: Bytes,
    }
}

message! {
    /// Of which epoch the target assignment is (kind 6).
    pub struct ConsumerGroupTargetAssignmentMetadataValue, flexible 0+ {
        [0+] assignment_epoch: i32,
        [0+, tag 0] assignment_timestamp: i64,
    }
}

message! {
    /// What a member is to own in the end (kind 7).
    pub struct ConsumerGroupTargetAssignmentMemberValue, flexible 0+ {
        [0+] topic_partitions: Vec<TargetPartitions>,
    }
    pub struct TargetPartitions {
        [0+] topic_id: Uuid,
        [0+] partitions: Vec<i32>,
    }
}

message! {
    /// What a member owns now (kind 8).
    pub struct ConsumerGroupCurrentMemberAssignmentValue, flexible 0+ {
        [0+] member_epoch: i32,
        [0+] previous_member_epoch: i32,
        [0+] state: i8,
        [0+] assigned_partitions: Vec<OwnedPartitions>,
        [0+] partitions_pending_revocation: Vec<OwnedPartitions>,
    }
    pub struct OwnedPartitions {
        [0+] topic_id: Uuid,
        [0+] partitions: Vec<i32>,
        /// The epoch that each was given in; as long as `partitions`.
        [0+, tag 0] assignment_epochs: Option<Vec<i32>>,
    }
}

message! {
    /// The topics that a regular expression matches (kind 16).
    pub struct ConsumerGroupRegularExpressionValue, flexible 0+ {
        [0+] topics: Vec<String>,
        [0+] version: i64,
        [0+] timestamp: i64,
    }
}

/// One record: its key, and its value unless it is a tombstone.
#[derive(Clone, PartialEq, Debug)]
pub enum Record {
    /// Kinds 0 and 1. Always written as kind 1.
    Offset { group: String, topic: String, partition: i32, value: Option<OffsetCommitValue> },
    /// Kind 2.
    Group { group: String, value: Option<GroupMetadataValue> },
    /// Kind 3.
    ConsumerGroup { group: String, value: Option<ConsumerGroupMetadataValue> },
    /// Kind 4.
    PartitionMetadata { group: String, value: Option<ConsumerGroupPartitionMetadataValue> },
    /// Kind 5.
    Member { group: String, member: String, value: Option<ConsumerGroupMemberMetadataValue> },
    /// Kind 6.
    TargetEpoch { group: String, value: Option<ConsumerGroupTargetAssignmentMetadataValue> },
    /// Kind 7.
    Target { group: String, member: String, value: Option<ConsumerGroupTargetAssignmentMemberValue> },
    /// Kind 8.
    Current { group: String, member: String, value: Option<ConsumerGroupCurrentMemberAssignmentValue> },
    /// Kind 16.
    Regex { group: String, regex: String, value: Option<ConsumerGroupRegularExpressionValue> },
}

impl Record {
    /// The group that the record is about.
    pub fn group(&self) -> &str {
        match self {
            Record::Offset { group, .. }
            | Record::Group { group, .. }
            | Record::ConsumerGroup { group, .. }
            | Record::PartitionMetadata { group, .. }
            | Record::Member { group, .. }
            | Record::TargetEpoch { group, .. }
            | Record::Target { group, .. }
            | Record::Current { group, .. }
            | Record::Regex { group, .. } => group,
        }
    }

    /// Key and value as they stand in the log.
    pub fn encode(&self) -> (Vec<u8>, Option<Vec<u8>>) {
        match self {
            Record::Offset { group, topic, partition, value } => {
                // A commit with an end of its own is written in the one version that knows ends, as Kafka does.
                let version = |value: &OffsetCommitValue| if value.expire_timestamp == -1 { 4 } else { 1 };
                let mut key = key_of(1, &[group, topic]);
                key.extend(partition.to_be_bytes());
                (key, value.as_ref().map(|value| value_of(value, version(value))))
            }
            Record::Group { group, value } => pair(2, &[group], value.as_ref(), 3),
            Record::ConsumerGroup { group, value } => pair(3, &[group], value.as_ref(), 0),
            Record::PartitionMetadata { group, value } => pair(4, &[group], value.as_ref(), 0),
            Record::Member { group, member, value } => pair(5, &[group, member], value.as_ref(), 0),
            Record::TargetEpoch { group, value } => pair(6, &[group], value.as_ref(), 0),
            Record::Target { group, member, value } => pair(7, &[group, member], value.as_ref(), 0),
            Record::Current { group, member, value } => pair(8, &[group, member], value.as_ref(), 0),
            Record::Regex { group, regex, value } => pair(16, &[group, regex], value.as_ref(), 0),
        }
    }

    /// Reads a record. `None`: of a kind that is not known here.
    ///
    /// # Errors
    /// A key or value of a known kind that is not what its schema demands.
    pub fn decode(key: &[u8], value: Option<&[u8]>) -> Result<Option<Record>, DecodeError> {
        let mut k = Reader::new(Bytes::copy_from_slice(key));
        k.at("record key");
        let kind = k.i16()?;
        let record = match kind {
            0 | 1 => {
                let (group, topic, partition) = (text(&mut k)?, text(&mut k)?, k.i32()?);
                Record::Offset { group, topic, partition, value: read_value(value, if kind == 0 { 0 } else { 4 })? }
            }
            2 => Record::Group { group: text(&mut k)?, value: read_value(value, 4)? },
            3 => Record::ConsumerGroup { group: text(&mut k)?, value: read_value(value, 0)? },
            4 => Record::PartitionMetadata { group: text(&mut k)?, value: read_value(value, 0)? },
            5 => Record::Member { group: text(&mut k)?, member: text(&mut k)?, value: read_value(value, 0)? },
            6 => Record::TargetEpoch { group: text(&mut k)?, value: read_value(value, 0)? },
            7 => Record::Target { group: text(&mut k)?, member: text(&mut k)?, value: read_value(value, 0)? },
            8 => Record::Current { group: text(&mut k)?, member: text(&mut k)?, value: read_value(value, 0)? },
            16 => Record::Regex { group: text(&mut k)?, regex: text(&mut k)?, value: read_value(value, 0)? },
            _ => return Ok(None),
        };
        k.finish()?;
        Ok(Some(record))
    }
}

fn pair<V: Message>(kind: i16, key: &[&str], value: Option<&V>, version: i16) -> (Vec<u8>, Option<Vec<u8>>) {
    (key_of(kind, key), value.map(|value| value_of(value, version)))
}

fn key_of(kind: i16, texts: &[&str]) -> Vec<u8> {
    let mut w = Writer::new();
    w.i16(kind);
    for text in texts {
        (*text).to_owned().write(&mut w, PLAIN);
    }
    w.into_bytes().to_vec()
}

fn value_of<V: Message>(value: &V, version: i16) -> Vec<u8> {
    let mut w = Writer::new();
    w.i16(version);
    value.encode(&mut w, version);
    w.into_bytes().to_vec()
}

fn text(r: &mut Reader) -> Result<String, DecodeError> {
    String::read(r, PLAIN)
}

fn read_value<V: Message>(value: Option<&[u8]>, newest: i16) -> Result<Option<V>, DecodeError> {
    let Some(value) = value else { return Ok(None) };
    let mut r = Reader::new(Bytes::copy_from_slice(value));
    r.at("record value version");
    let version = r.i16()?;
    if !(0..=newest).contains(&version) {
        return Err(r.error(Fault::BadValue));
    }
    let message = V::decode(&mut r, version)?;
    r.finish()?;
    Ok(Some(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_as_kafka_writes_it_is_read() {
        // Kafka 4.4 writes the null of a member that is not classic into its tag.
        let key = [&[0, 5, 0, 1][..], b"g", &[0, 1], b"m"].concat();
        let value =
            [&[0, 0, 0, 0, 2][..], b"c", &[2], b"h", &[2, 2], b"t", &[1, 0, 0, 0x4e, 0x20, 0, 1, 0, 1, 0]].concat();
        let Ok(Some(Record::Member { group, member, value: Some(value) })) = Record::decode(&key, Some(&value)) else {
            panic!("not read")
        };
        assert_eq!((group.as_str(), member.as_str(), value.subscribed_topic_names), ("g", "m", vec!["t".to_owned()]));
        assert_eq!((value.rebalance_timeout_ms, value.classic_member_metadata), (20_000, None));
    }

    #[test]
    fn a_classic_member_of_a_consumer_group_is_read_as_it_is_written() {
        let protocol = ClassicProtocol { name: "range".to_owned(), metadata: Bytes::from_static(b"m") };
        let classic = ClassicMemberMetadata { session_timeout_ms: 7, supported_protocols: vec![protocol] };
        let value = ConsumerGroupMemberMetadataValue { classic_member_metadata: Some(classic), ..Default::default() };
        let record = Record::Member { group: "g".to_owned(), member: "m".to_owned(), value: Some(value) };
        let (key, value) = record.encode();
        assert_eq!(Record::decode(&key, value.as_deref()).expect("our own"), Some(record));
    }
}
