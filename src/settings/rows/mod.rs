//! The rows: one for each of Kafka 4.4's 408 keys, and Klamm's own. Data only.
//!
//! A feature that comes into being turns its rows from `later` to `doc`.

mod cluster;
mod coordinators;
mod groups;
mod log;
mod network;
mod own;
mod security;
mod topics;

use crate::settings::row::Row;

/// All rows, in no order.
pub(super) static PARTS: [&[Row]; 8] = [
    cluster::ROWS,
    coordinators::ROWS,
    groups::ROWS,
    log::ROWS,
    network::ROWS,
    own::ROWS,
    security::ROWS,
    topics::ROWS,
];

const ADDRESS_LIMITS: &str = "connection limits of single addresses";
const CHECKPOINTS: &str = "checkpoint intervals";
const COMPACTION: &str = "compaction";
const COORDINATORS: &str = "options of group coordinators";
const LOG_DIRS: &str = "several log directories";
const METADATA_RETENTION: &str = "retention of the metadata log";
const PREALLOCATION: &str = "segments that take their room at once";
const QUOTAS: &str = "quotas";
const SECURITY: &str = "TLS, SASL and ACLs";
const SHARE: &str = "share groups";
const SOCKET_OPTIONS: &str = "options of sockets";
const STREAMS: &str = "streams groups";
const TELEMETRY: &str = "client telemetry";
const TRANSACTIONS: &str = "transactions";

const AT_ONCE: &str = "what a coordinator decides is written at once, and read batch by batch";
const DURABILITY: &str = "durability.interval.ms bounds how long data stays unsynced";
const JVM: &str = "classes of a JVM cannot be loaded here";
const LOCAL_DISK: &str = "Klamm keeps its logs on its own disk, there is no tiered storage";
const NO_KERBEROS: &str = "there is no Kerberos here";
const ONE_COPY: &str = "every topic has one copy";
const ONE_NODE: &str = "one node has no quorum and no replicas to talk to";
const PURGATORY: &str = "waiting requests are dropped when they end, nothing is purged";
const QUEUES: &str = "requests wait in their own connection, in no shared queue";
const THREADS: &str = "threads follow the processors of the machine";
