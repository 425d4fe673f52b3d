//! KRaft metadata records: what a value in `__cluster_metadata-0` says, in every version up to Kafka 4.4.
//!
//! ```text
//! uvarint frame version 1 | uvarint api key | uvarint record version | message, flexible encoding
//! ```
//!
//! A record of a key that is not known here is carried as it is. A known key in a version that is not known is an error:
//! to guess at it would be to lose a topic. Nothing here decides or remembers.
//!
//! References: Kafka `metadata/src/main/resources/common/metadata/*.json`, `MetadataRecordSerde`, KIP-631.

use bytes::Bytes;

use crate::base::ids::Uuid;
use crate::codec::reader::{DecodeError, Fault};
use crate::codec::{Message, Reader, Writer};
use crate::message;

/// The only frame version there is.
const FRAME_VERSION: u32 = 1;

/// Levels of the feature `metadata.version` from which a record may be written in a higher version (Kafka `MetadataVersion`).
pub mod level {
    /// 3.3-IV3, the oldest that Kafka 4 reads.
    pub const OLDEST: i16 = 7;
    /// 3.4-IV0: RegisterBroker says whether the broker migrates.
    pub const MIGRATION: i16 = 8;
    /// 3.6-IV1: metadata transactions.
    pub const TRANSACTIONS: i16 = 13;
    /// 3.7-IV0: controllers register.
    pub const CONTROLLER_REGISTRATION: i16 = 15;
    /// 3.7-IV2: a replica's directory is recorded.
    pub const DIRECTORIES: i16 = 17;
    /// 4.0-IV1: eligible leader replicas.
    pub const ELIGIBLE_LEADERS: i16 = 23;
    /// 4.3-IV0: cordoned log directories.
    pub const CORDONED: i16 = 30;
    /// What Kafka 4.4.0 finalizes, and we.
    pub const NEWEST: i16 = 33;
}

macro_rules! records {
    ($($key:literal $name:ident($message:ident) 0..=$newest:literal;)*) => {
        /// One metadata record.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Record {
            $($name($message),)*
            /// Of a key that is not known here.
            Unknown(UnknownRecord),
        }

        impl Record {
            fn decode_known(key: u32, version: i16, r: &mut Reader) -> Option<Result<Record, DecodeError>> {
                match key {
                    $($key => Some(if version <= $newest {
                        $message::decode(r, version).map(Record::$name)
                    } else {
                        Err(DecodeError { what: Fault::BadValue, field: concat!("version of ", stringify!($name)) })
                    }),)*
                    _ => None,
                }
            }

            fn encode_known(&self, version: i16, w: &mut Writer) {
                match self {
                    $(Record::$name(message) => {
                        w.uvarint($key);
                        w.uvarint(u32::from(version.unsigned_abs()));
                        message.encode(w, version);
                    })*
                    Record::Unknown(_) => {}
                }
            }

            /// The record's name, for errors and logs.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Record::$name(_) => stringify!($name),)*
                    Record::Unknown(_) => "Unknown",
                }
            }
        }

        $(impl From<$message> for Record {
            fn from(message: $message) -> Record {
                Record::$name(message)
            }
        })*
    };
}

records! {
    0 RegisterBroker(RegisterBrokerRecord) 0..=4;
    1 UnregisterBroker(UnregisterBrokerRecord) 0..=0;
    2 Topic(TopicRecord) 0..=0;
    3 Partition(PartitionRecord) 0..=2;
    4 Config(ConfigRecord) 0..=0;
    5 PartitionChange(PartitionChangeRecord) 0..=2;
    7 FenceBroker(FenceBrokerRecord) 0..=0;
    8 UnfenceBroker(UnfenceBrokerRecord) 0..=0;
    9 RemoveTopic(RemoveTopicRecord) 0..=0;
    10 DelegationToken(DelegationTokenRecord) 0..=0;
    11 UserScramCredential(UserScramCredentialRecord) 0..=0;
    12 FeatureLevel(FeatureLevelRecord) 0..=0;
    14 ClientQuota(ClientQuotaRecord) 0..=0;
    15 ProducerIds(ProducerIdsRecord) 0..=0;
    17 BrokerRegistrationChange(BrokerRegistrationChangeRecord) 0..=3;
    18 AccessControlEntry(AccessControlEntryRecord) 0..=0;
    19 RemoveAccessControlEntry(RemoveAccessControlEntryRecord) 0..=0;
    20 NoOp(NoOpRecord) 0..=0;
    21 ZkMigrationState(ZkMigrationStateRecord) 0..=0;
    22 RemoveUserScramCredential(RemoveUserScramCredentialRecord) 0..=0;
    23 BeginTransaction(BeginTransactionRecord) 0..=0;
    24 EndTransaction(EndTransactionRecord) 0..=0;
    25 AbortTransaction(AbortTransactionRecord) 0..=0;
    26 RemoveDelegationToken(RemoveDelegationTokenRecord) 0..=0;
    27 RegisterController(RegisterControllerRecord) 0..=0;
    28 ClearElr(ClearElrRecord) 0..=0;
    29 UnregisterController(UnregisterControllerRecord) 0..=0;
}

/// A record of a key that is not known here, kept byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownRecord {
    pub key: u32,
    pub version: u32,
    /// What follows the record version.
    pub body: Bytes,
}

impl Record {
    /// Reads a record's value.
    ///
    /// # Errors
    /// Another frame version, a known key in an unknown version, or a message that does not decode to its last byte.
    pub fn decode(value: &Bytes) -> Result<Record, DecodeError> {
        let mut r = Reader::new(value.clone());
        r.at("frame version");
        if r.uvarint()? != FRAME_VERSION {
            return Err(r.error(Fault::BadValue));
        }
        r.at("record key");
        let key = r.uvarint()?;
        r.at("record version");
        let version = r.uvarint()?;
        let narrow = i16::try_from(version).map_err(|_| r.error(Fault::BadValue))?;
        match Record::decode_known(key, narrow, &mut r) {
            Some(record) => {
                let record = record?;
                r.finish()?;
                Ok(record)
            }
            None => Ok(Record::Unknown(UnknownRecord { key, version, body: r.rest() })),
        }
    }

    /// The record's value in the version that `metadata_version` allows, or that holds all the record says if that is lower.
    pub fn encode(&self, metadata_version: i16) -> Bytes {
        let mut w = Writer::new();
        w.uvarint(FRAME_VERSION);
        if let Record::Unknown(unknown) = self {
            w.uvarint(unknown.key);
            w.uvarint(unknown.version);
            w.bytes(&unknown.body);
        } else {
            self.encode_known(self.version_at(metadata_version), &mut w);
        }
        w.into_bytes()
    }

    /// The version to write (Kafka `MetadataVersion.registerBrokerRecordVersion` and its siblings).
    fn version_at(&self, metadata_version: i16) -> i16 {
        let allows = |from| metadata_version >= from;
        match self {
            Record::RegisterBroker(_) if allows(level::CORDONED) => 4,
            Record::RegisterBroker(_) if allows(level::DIRECTORIES) => 3,
            Record::RegisterBroker(_) if allows(level::MIGRATION) => 2,
            Record::RegisterBroker(_) => 1,
            Record::Partition(_) if allows(level::ELIGIBLE_LEADERS) => 2,
            Record::Partition(_) if allows(level::DIRECTORIES) => 1,
            Record::PartitionChange(change) => {
                let names_eligible = change.eligible_leader_replicas.is_some() || change.last_known_elr.is_some();
                match change {
                    _ if names_eligible && allows(level::ELIGIBLE_LEADERS) => 2,
                    _ if change.directories.is_some() && allows(level::DIRECTORIES) => 1,
                    _ => 0,
                }
            }
            Record::BrokerRegistrationChange(change) => match change {
                _ if change.cordoned_log_dirs.is_some() && allows(level::CORDONED) => 3,
                _ if !change.log_dirs.is_empty() && allows(level::DIRECTORIES) => 2,
                _ => i16::from(change.in_controlled_shutdown != 0),
            },
            _ => 0,
        }
    }
}

message! {
    /// A broker came up (again). Its epoch is the offset of this record.
    pub struct RegisterBrokerRecord, flexible 0+ {
        [0+] broker_id: i32,
        [2+] is_migrating_zk_broker: bool,
        [0+] incarnation_id: Uuid,
        [0+] broker_epoch: i64,
        [0+] end_points: Vec<NodeEndpoint>,
        [0+] features: Vec<NodeFeature>,
        [0+] rack: Option<String>,
        [0+] fenced: bool = true,
        [1+] in_controlled_shutdown: bool,
        [3+, tag 0] log_dirs: Vec<Uuid>,
        [4+, tag 1] cordoned_log_dirs: Option<Vec<Uuid>>,
    }
    /// Where a node listens.
    pub struct NodeEndpoint {
        [0+] name: String,
        [0+] host: String,
        [0+] port: u16,
        /// 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL.
        [0+] security_protocol: i16,
    }
    /// The levels of a feature that a node can work with.
    pub struct NodeFeature {
        [0+] name: String,
        [0+] min_supported_version: i16,
        [0+] max_supported_version: i16,
    }
}

message! {
    /// A broker is gone for good.
    pub struct UnregisterBrokerRecord, flexible 0+ {
        [0+] broker_id: i32,
        [0+] broker_epoch: i64,
    }
}

message! {
    /// A topic exists from here on.
    pub struct TopicRecord, flexible 0+ {
        [0+] name: String,
        [0+] topic_id: Uuid,
    }
}

message! {
    /// A partition exists from here on, in this state.
    pub struct PartitionRecord, flexible 0+ {
        [0+] partition_id: i32 = -1,
        [0+] topic_id: Uuid,
        [0+] replicas: Vec<i32>,
        [0+] isr: Vec<i32>,
        [0+] removing_replicas: Vec<i32>,
        [0+] adding_replicas: Vec<i32>,
        [0+] leader: i32 = -1,
        [0+, tag 0] leader_recovery_state: i8,
        [0+] leader_epoch: i32 = -1,
        [0+] partition_epoch: i32 = -1,
        [1+] directories: Vec<Uuid>,
        [2+, tag 1] eligible_leader_replicas: Option<Vec<i32>>,
        [2+, tag 2] last_known_elr: Option<Vec<i32>>,
    }
}

message! {
    /// A configuration was set, or removed when the value is null.
    pub struct ConfigRecord, flexible 0+ {
        [0+] resource_type: i8,
        [0+] resource_name: String,
        [0+] name: String,
        [0+] value: Option<String>,
    }
}

message! {
    /// What changed in a partition; null and the defaults say "as it was".
    pub struct PartitionChangeRecord, flexible 0+ {
        [0+] partition_id: i32 = -1,
        [0+] topic_id: Uuid,
        [0+, tag 0] isr: Option<Vec<i32>>,
        /// -2: as it was. -1: none.
        [0+, tag 1] leader: i32 = -2,
        [0+, tag 2] replicas: Option<Vec<i32>>,
        [0+, tag 3] removing_replicas: Option<Vec<i32>>,
        [0+, tag 4] adding_replicas: Option<Vec<i32>>,
        [0+, tag 5] leader_recovery_state: i8 = -1,
        [1+, tag 8] directories: Option<Vec<Uuid>>,
        [2+, tag 6] eligible_leader_replicas: Option<Vec<i32>>,
        [2+, tag 7] last_known_elr: Option<Vec<i32>>,
    }
}

message! {
    /// A broker may not lead (before metadata.version 3.3).
    pub struct FenceBrokerRecord, flexible 0+ {
        [0+] id: i32,
        [0+] epoch: i64,
    }
}

message! {
    /// A broker may lead again (before metadata.version 3.3).
    pub struct UnfenceBrokerRecord, flexible 0+ {
        [0+] id: i32,
        [0+] epoch: i64,
    }
}

message! {
    /// A topic is gone, with its partitions and its configuration.
    pub struct RemoveTopicRecord, flexible 0+ {
        [0+] topic_id: Uuid,
    }
}

message! {
    /// A delegation token (KIP-48, KIP-900).
    pub struct DelegationTokenRecord, flexible 0+ {
        [0+] owner: String,
        [0+] requester: String,
        [0+] renewers: Vec<String>,
        [0+] issue_timestamp: i64,
        [0+] max_timestamp: i64,
        [0+] expiration_timestamp: i64,
        [0+] token_id: String,
    }
}

message! {
    /// What a SCRAM exchange needs of a user; never the password (KIP-554).
    pub struct UserScramCredentialRecord, flexible 0+ {
        [0+] name: String,
        /// 1 SCRAM-SHA-256, 2 SCRAM-SHA-512.
        [0+] mechanism: i8,
        [0+] salt: Bytes,
        [0+] stored_key: Bytes,
        [0+] server_key: Bytes,
        [0+] iterations: i32,
    }
}

message! {
    /// The finalized level of a feature (KIP-584); 0 is off.
    pub struct FeatureLevelRecord, flexible 0+ {
        [0+] name: String,
        [0+] feature_level: i16,
    }
}

message! {
    /// One key of a quota, set or removed (KIP-546).
    pub struct ClientQuotaRecord, flexible 0+ {
        [0+] entity: Vec<QuotaEntity>,
        [0+] key: String,
        [0+] value: f64,
        [0+] remove: bool,
    }
    /// Whom a quota is for; a null name is the default of its type.
    pub struct QuotaEntity {
        [0+] entity_type: String,
        [0+] entity_name: Option<String>,
    }
}

message! {
    /// The first producer id that no block holds yet.
    pub struct ProducerIdsRecord, flexible 0+ {
        [0+] broker_id: i32,
        [0+] broker_epoch: i64 = -1,
        [0+] next_producer_id: i64,
    }
}

message! {
    /// What changed in a broker's registration; 0 and empty say "as it was".
    pub struct BrokerRegistrationChangeRecord, flexible 0+ {
        [0+] broker_id: i32,
        [0+] broker_epoch: i64,
        /// 1 fenced, -1 no longer.
        [0+, tag 0] fenced: i8,
        [1+, tag 1] in_controlled_shutdown: i8,
        [2+, tag 2] log_dirs: Vec<Uuid>,
        [3+, tag 3] cordoned_log_dirs: Option<Vec<Uuid>>,
    }
}

message! {
    /// One rule of the authorizer, in the integers of Kafka's enums.
    pub struct AccessControlEntryRecord, flexible 0+ {
        [0+] id: Uuid,
        [0+] resource_type: i8,
        [0+] resource_name: String,
        [0+] pattern_type: i8,
        [0+] principal: String,
        [0+] host: String,
        [0+] operation: i8,
        [0+] permission_type: i8,
    }
}

message! {
    /// A rule is gone.
    pub struct RemoveAccessControlEntryRecord, flexible 0+ {
        [0+] id: Uuid,
    }
}

message! {
    /// Says nothing; Kafka's controller writes it so that the log moves. We never do.
    pub struct NoOpRecord, flexible 0+ {}
}

message! {
    /// How far a cluster's way from ZooKeeper is.
    pub struct ZkMigrationStateRecord, flexible 0+ {
        [0+] zk_migration_state: i8,
    }
}

message! {
    /// A user's credential is gone.
    pub struct RemoveUserScramCredentialRecord, flexible 0+ {
        [0+] name: String,
        [0+] mechanism: i8,
    }
}

message! {
    /// What follows counts only from its `EndTransaction` on (KIP-868).
    pub struct BeginTransactionRecord, flexible 0+ {
        [0+, tag 0] name: Option<String>,
    }
}

message! {
    /// The records since `BeginTransaction` count.
    pub struct EndTransactionRecord, flexible 0+ {}
}

message! {
    /// The records since `BeginTransaction` are void.
    pub struct AbortTransactionRecord, flexible 0+ {
        [0+, tag 0] reason: Option<String>,
    }
}

message! {
    /// A delegation token is gone.
    pub struct RemoveDelegationTokenRecord, flexible 0+ {
        [0+] token_id: String,
    }
}

message! {
    /// A controller came up (again) (KIP-919).
    pub struct RegisterControllerRecord, flexible 0+ {
        [0+] controller_id: i32,
        [0+] incarnation_id: Uuid,
        [0+] zk_migration_ready: bool,
        [0+] end_points: Vec<NodeEndpoint>,
        [0+] features: Vec<NodeFeature>,
    }
}

message! {
    /// The eligible leader replicas of a topic, or of all when the name is empty, are forgotten (KIP-966).
    pub struct ClearElrRecord, flexible 0+ {
        [0+] topic_name: String,
    }
}

message! {
    /// A controller is gone for good.
    pub struct UnregisterControllerRecord, flexible 0+ {
        [0+] controller_id: i32,
    }
}
