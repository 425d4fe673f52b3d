//! What consumers of the classic protocol put into their member metadata and get as their assignment (`ConsumerProtocol`).
//!
//! ```text
//! int16 version | subscription or assignment, never flexible
//! ```
//!
//! A later version than is known is read as the newest known; bytes behind it are passed over, as by Kafka.
//!
//! References: Kafka `ConsumerProtocolSubscription.json`, `ConsumerProtocolAssignment.json`, `ConsumerProtocol.java`.

use bytes::Bytes;

use crate::codec::{Message, Reader, Writer};
use crate::message;

/// The newest version that is known.
const NEWEST: i16 = 3;

message! {
    /// What a consumer wants to read.
    pub struct ConsumerProtocolSubscription, flexible none {
        [0+] topics: Vec<String>,
        [0+] user_data: Option<Bytes>,
        [1+] owned_partitions: Vec<OwnedTopic>,
        [2+] generation_id: i32 = -1,
        [3+] rack_id: Option<String>,
    }
    pub struct OwnedTopic {
        [0+] topic: String,
        [0+] partitions: Vec<i32>,
    }
}

message! {
    /// What a consumer is to read.
    pub struct ConsumerProtocolAssignment, flexible none {
        [0+] assigned_partitions: Vec<AssignedTopic>,
        [0+] user_data: Option<Bytes>,
    }
    pub struct AssignedTopic {
        [0+] topic: String,
        [0+] partitions: Vec<i32>,
    }
}

/// Reads a subscription; `None` if the bytes are none.
pub fn read(bytes: &Bytes) -> Option<ConsumerProtocolSubscription> {
    read_message(bytes).map(|(_, subscription)| subscription)
}

/// Reads a subscription and the version that it is written in.
pub fn read_with_version(bytes: &Bytes) -> Option<(i16, ConsumerProtocolSubscription)> {
    read_message(bytes)
}

/// Reads an assignment; `None` if the bytes are none.
pub fn read_assignment(bytes: &Bytes) -> Option<ConsumerProtocolAssignment> {
    read_message(bytes).map(|(_, assignment)| assignment)
}

/// An assignment as a client of that version reads it.
pub fn write_assignment(assignment: &ConsumerProtocolAssignment, version: i16) -> Bytes {
    let version = version.clamp(0, NEWEST);
    let mut w = Writer::new();
    w.i16(version);
    assignment.encode(&mut w, version);
    w.into_bytes()
}

fn read_message<M: Message>(bytes: &Bytes) -> Option<(i16, M)> {
    let mut r = Reader::new(bytes.clone());
    let version = r.i16().ok()?;
    if version < 0 {
        return None;
    }
    let version = version.min(NEWEST);
    M::decode(&mut r, version).ok().map(|message| (version, message))
}
