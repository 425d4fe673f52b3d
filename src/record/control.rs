//! Control records: what the broker tells readers of a log between the records (transaction markers), and what a KRaft log and
//! its snapshots frame themselves with.
//!
//! ```text
//! key      int16 version 0 | int16 type
//! marker   int16 version 0 | int32 coordinator epoch
//! others   a flexible message whose first field is its version
//! ```
//!
//! References: Kafka `ControlRecordType.java`, `EndTransactionMarker.java`, `ControlRecordUtils.java`; KIP-98, KIP-595, KIP-853.

use bytes::Bytes;

use super::batch::ValidBatch;
use super::builder::{BatchBuilder, NewRecord};
use crate::base::clock::WallMs;
use crate::base::ids::{ProducerEpoch, ProducerId, Sequence, Uuid};
use crate::codec::reader::{Fault, Result};
use crate::codec::{Message, Reader, Writer};
use crate::message;

/// What a control record is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ControlType {
    Abort,
    Commit,
    LeaderChange,
    SnapshotHeader,
    SnapshotFooter,
    KRaftVersion,
    Voters,
    /// A type of a later Kafka: readers pass over it.
    Unknown(i16),
}

impl ControlType {
    /// The number in the key.
    pub fn id(self) -> i16 {
        match self {
            ControlType::Abort => 0,
            ControlType::Commit => 1,
            ControlType::LeaderChange => 2,
            ControlType::SnapshotHeader => 3,
            ControlType::SnapshotFooter => 4,
            ControlType::KRaftVersion => 5,
            ControlType::Voters => 6,
            ControlType::Unknown(id) => id,
        }
    }

    pub fn from_id(id: i16) -> ControlType {
        match id {
            0 => ControlType::Abort,
            1 => ControlType::Commit,
            2 => ControlType::LeaderChange,
            3 => ControlType::SnapshotHeader,
            4 => ControlType::SnapshotFooter,
            5 => ControlType::KRaftVersion,
            6 => ControlType::Voters,
            id => ControlType::Unknown(id),
        }
    }

    /// The type that a control record's key names. A key of a later version may be longer.
    pub fn from_key(key: &[u8]) -> Option<ControlType> {
        let (version, rest) = key.split_first_chunk::<2>()?;
        let id = rest.first_chunk::<2>()?;
        (i16::from_be_bytes(*version) >= 0).then(|| ControlType::from_id(i16::from_be_bytes(*id)))
    }

    /// The key of a control record of this type.
    pub fn to_key(self) -> [u8; 4] {
        let [high, low] = self.id().to_be_bytes();
        [0, 0, high, low]
    }
}

message! {
    /// The value of a transaction marker, its version left off.
    pub struct EndTxnMarker, flexible none {
        /// Leader epoch of the partition of `__transaction_state` that ended the transaction.
        [0+] coordinator_epoch: i32,
    }
}

message! {
    /// The first record of every epoch of a KRaft log.
    pub struct LeaderChangeMessage, flexible 0+ {
        [0+] version: i16,
        [0+] leader_id: i32,
        [0+] voters: Vec<Voter>,
        [0+] granting_voters: Vec<Voter>,
    }
    pub struct Voter {
        [0+] voter_id: i32,
        [1+] voter_directory_id: Uuid,
    }
}

message! {
    /// The version of the quorum's protocol from here on.
    pub struct KRaftVersionRecord, flexible 0+ {
        [0+] version: i16,
        [0+] kraft_version: i16,
    }
}

message! {
    /// The quorum's members from here on (KIP-853).
    pub struct VotersRecord, flexible 0+ {
        [0+] version: i16,
        [0+] voters: Vec<QuorumVoter>,
    }
    pub struct QuorumVoter {
        [0+] voter_id: i32,
        [0+] voter_directory_id: Uuid,
        [0+] endpoints: Vec<VoterEndpoint>,
        [0+] kraft_version_feature: KRaftVersionFeature,
    }
    pub struct VoterEndpoint {
        [0+] name: String,
        [0+] host: String,
        [0+] port: u16,
    }
    pub struct KRaftVersionFeature {
        [0+] min_supported_version: i16,
        [0+] max_supported_version: i16,
    }
}

message! {
    /// The first record of a snapshot.
    pub struct SnapshotHeaderRecord, flexible 0+ {
        [0+] version: i16,
        [0+] last_contained_log_timestamp: i64,
    }
}

message! {
    /// The last record of a snapshot.
    pub struct SnapshotFooterRecord, flexible 0+ {
        [0+] version: i16,
    }
}

/// A control record, read.
#[derive(Clone, PartialEq, Debug)]
pub enum ControlRecord {
    Abort(EndTxnMarker),
    Commit(EndTxnMarker),
    LeaderChange(LeaderChangeMessage),
    SnapshotHeader(SnapshotHeaderRecord),
    SnapshotFooter(SnapshotFooterRecord),
    KRaftVersion(KRaftVersionRecord),
    Voters(VotersRecord),
    Unknown(i16),
}

impl ControlRecord {
    /// Reads a control record from its key and value.
    ///
    /// # Errors
    /// A key that is none, or a value that is not what the key says.
    pub fn decode(key: &[u8], value: &[u8]) -> Result<ControlRecord> {
        let mut r = Reader::new(Bytes::copy_from_slice(value));
        r.at("control record key");
        let Some(control_type) = ControlType::from_key(key) else { return Err(r.error(Fault::BadValue)) };
        Ok(match control_type {
            ControlType::Abort => ControlRecord::Abort(decode_marker(r)?),
            ControlType::Commit => ControlRecord::Commit(decode_marker(r)?),
            ControlType::LeaderChange => ControlRecord::LeaderChange(decode_versioned(r, value, 1)?),
            ControlType::SnapshotHeader => ControlRecord::SnapshotHeader(decode_versioned(r, value, 0)?),
            ControlType::SnapshotFooter => ControlRecord::SnapshotFooter(decode_versioned(r, value, 0)?),
            ControlType::KRaftVersion => ControlRecord::KRaftVersion(decode_versioned(r, value, 0)?),
            ControlType::Voters => ControlRecord::Voters(decode_versioned(r, value, 0)?),
            ControlType::Unknown(id) => ControlRecord::Unknown(id),
        })
    }

    pub fn control_type(&self) -> ControlType {
        match self {
            ControlRecord::Abort(_) => ControlType::Abort,
            ControlRecord::Commit(_) => ControlType::Commit,
            ControlRecord::LeaderChange(_) => ControlType::LeaderChange,
            ControlRecord::SnapshotHeader(_) => ControlType::SnapshotHeader,
            ControlRecord::SnapshotFooter(_) => ControlType::SnapshotFooter,
            ControlRecord::KRaftVersion(_) => ControlType::KRaftVersion,
            ControlRecord::Voters(_) => ControlType::Voters,
            ControlRecord::Unknown(id) => ControlType::Unknown(*id),
        }
    }

    /// The record's value, in the version that its message names.
    ///
    /// # Panics
    /// If it is unknown: there is nothing to write.
    pub fn encode_value(&self) -> Bytes {
        let mut w = Writer::new();
        match self {
            ControlRecord::Abort(marker) | ControlRecord::Commit(marker) => {
                w.i16(0);
                marker.encode(&mut w, 0);
            }
            ControlRecord::LeaderChange(message) => message.encode(&mut w, message.version),
            ControlRecord::SnapshotHeader(message) => message.encode(&mut w, message.version),
            ControlRecord::SnapshotFooter(message) => message.encode(&mut w, message.version),
            ControlRecord::KRaftVersion(message) => message.encode(&mut w, message.version),
            ControlRecord::Voters(message) => message.encode(&mut w, message.version),
            ControlRecord::Unknown(id) => panic!("a control record of unknown type {id} is never written"),
        }
        w.into_bytes()
    }
}

/// A batch of control records of a KRaft log or snapshot, all of one time.
pub fn control_batch(records: &[ControlRecord], now: WallMs) -> ValidBatch {
    let mut builder = BatchBuilder::control();
    append_all(&mut builder, records, now);
    builder.build()
}

/// The marker that ends a producer's transaction in one partition.
pub fn marker_batch(id: ProducerId, epoch: ProducerEpoch, marker: ControlRecord, now: WallMs) -> ValidBatch {
    assert!(matches!(marker, ControlRecord::Abort(_) | ControlRecord::Commit(_)), "only these end a transaction");
    let mut builder = BatchBuilder::control().producer(id, epoch, Sequence::NONE).transactional();
    append_all(&mut builder, &[marker], now);
    builder.build()
}

fn append_all(builder: &mut BatchBuilder, records: &[ControlRecord], now: WallMs) {
    for record in records {
        let (key, value) = (record.control_type().to_key(), record.encode_value());
        builder.append(&NewRecord { timestamp: now.0, key: Some(&key), value: Some(&value), headers: &[] });
    }
}

/// A later version may add fields behind those known.
fn decode_marker(mut r: Reader) -> Result<EndTxnMarker> {
    r.at("marker version");
    if r.i16()? < 0 {
        return Err(r.error(Fault::BadValue));
    }
    EndTxnMarker::decode(&mut r, 0)
}

/// Reads a message in the version that its first field names.
fn decode_versioned<M: Message>(mut r: Reader, value: &[u8], highest: i16) -> Result<M> {
    r.at("control record version");
    let version = value.first_chunk().map(|version| i16::from_be_bytes(*version));
    match version {
        Some(version) if (0..=highest).contains(&version) => {
            let message = M::decode(&mut r, version)?;
            r.finish()?;
            Ok(message)
        }
        Some(_) => Err(r.error(Fault::BadValue)),
        None => Err(r.error(Fault::Truncated)),
    }
}
