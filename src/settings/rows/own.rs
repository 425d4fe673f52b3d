//! Klamm's own keys, which Kafka does not know.

use crate::settings::row::Kind::{Boolean, Int, Long, String};
use crate::settings::row::Preset::{Is, Null};
use crate::settings::row::Valid::{AtLeast, Between, OneOf};
use crate::settings::row::{Row, broker, topic};

const LOOKS: &[&str] = &["records", "header"];
const MODES: &[&str] = &["sync", "interval", "os"];

pub(super) static ROWS: &[Row] = &[
    broker("cluster.id", String, Null)
        .own()
        .doc("Id of the cluster, taken as it is by an empty data directory. Not set: one is made at the first start."),
    broker("durability.mode", String, Is("sync"))
        .own()
        .valid(OneOf(MODES))
        .doc("When acks=all is answered: sync, once a sync of the disk covers it; interval, at once, synced soon; os, at once, synced when the system likes."),
    broker("durability.interval.ms", Long, Is("50"))
        .own()
        .valid(AtLeast(1))
        .doc("Longest time without a sync: of acks=0/1 data in mode sync, of everything in mode interval."),
    broker("durability.interval.bytes", Long, Is("8388608"))
        .own()
        .valid(AtLeast(1))
        .doc("Unsynced bytes of a log after which it is synced before durability.interval.ms is over."),
    broker("durability.sync.threads", Int, Is("16"))
        .own()
        .valid(Between(2, 256))
        .doc("Threads that do nothing but sync. One is kept for the metadata log and internal topics."),
    broker("durability.visibility", String, Is("acknowledged"))
        .own()
        .valid(OneOf(&["acknowledged", "durable"]))
        .doc("What consumers see: acknowledged, records that were or may be acknowledged; durable, only what a sync covers."),
    broker("recovery.mode", String, Is("quarantine")).own().valid(OneOf(&["quarantine", "strict"])).doc("What a start does with a torn end of a log after a crash: quarantine, keep it aside and go on; strict, refuse to start."),
    broker("klamm.replication.clamp", Boolean, Is("true"))
        .own()
        .doc("A topic asked for with more copies than one is created with one. false: it is refused, as by Kafka."),
    broker("klamm.connection.queued.bytes", Long, Is("1048576"))
        .own()
        .valid(AtLeast(1))
        .doc("Memory of the answers of one connection that wait to be sent, past which no further request of it is executed. Records in files do not count."),
    broker("klamm.connection.queued.requests", Int, Is("256"))
        .own()
        .valid(AtLeast(1))
        .doc("Requests of one connection whose answers wait, past which it is not read."),
    broker("klamm.group.memory.bytes", Long, Is("268435456"))
        .own()
        .valid(AtLeast(1))
        .doc("Memory of all groups, their members and offsets, about. Past three quarters of it no new groups and members are taken, past all of it nothing that makes those that are there larger; what takes no more than before goes on."),
    broker("klamm.request.progress.ms", Long, Is("10000"))
        .own()
        .valid(AtLeast(1000))
        .doc("A connection is closed when a request was begun and brings less than 4 KiB in so long, and is not whole by then."),
    broker("klamm.send.stall.ms", Long, Is("300000"))
        .own()
        .valid(AtLeast(1000))
        .doc("A connection is closed when answers wait for it and it takes nothing of them for so long."),
    broker("klamm.shutdown.timeout.ms", Long, Is("30000"))
        .own()
        .valid(AtLeast(0))
        .doc("How long a clean stop may take before it is given up."),
    broker("klamm.disk.max.bytes", Long, Is("-1"))
        .own()
        .valid(AtLeast(-1))
        .doc("What all partitions together may take. Near it the oldest closed segments of topics whose policy is to delete go, at it produce requests are refused. -1: no limit."),
    broker("klamm.disk.min.free.bytes", Long, Is("-1"))
        .own()
        .valid(AtLeast(-1))
        .doc("What the file system is to have left, kept in the same way. -1: no limit."),
    broker("compressed.validation", String, Is("records"))
        .own()
        .valid(OneOf(LOOKS))
        .doc("What is checked of a compressed batch: records, each of them, as Kafka does; header, its checksum and header only, which costs a fraction and trusts the producer."),
    topic("compressed.validation", String, Is("records"))
        .own()
        .valid(OneOf(LOOKS))
        .falls_back_to("compressed.validation")
        .doc("What is checked of a compressed batch: records, each of them, as Kafka does; header, its checksum and header only, which costs a fraction and trusts the producer."),
    topic("durability.mode", String, Is("sync"))
        .own()
        .valid(OneOf(MODES))
        .falls_back_to("durability.mode")
        .doc("When acks=all is answered: sync, once a sync of the disk covers it; interval, at once, synced soon; os, at once, synced when the system likes."),
];
