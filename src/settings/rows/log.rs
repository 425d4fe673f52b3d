//! Broker keys of topics and their logs.

use crate::settings::row::Kind::{Boolean, Class, Double, Int, List, Long, String};
use crate::settings::row::Preset::{Is, Null};
use crate::settings::row::Valid::{AtLeast, Between, FilledListOf, GzipLevel, ListOf, OneOf, Ratio};
use crate::settings::row::{Row, broker};
use crate::settings::rows::{
    CHECKPOINTS, COMPACTION, DURABILITY, JVM, LOCAL_DISK, LOG_DIRS, ONE_COPY, ONE_NODE, PREALLOCATION, THREADS,
};

pub(super) static ROWS: &[Row] = &[
    broker("auto.create.topics.enable", Boolean, Is("true"))
        .doc("A topic comes into being when a client asks for its metadata or produces to it."),
    broker("compression.gzip.level", Int, Is("-1"))
        .dynamic()
        .valid(GzipLevel)
        .doc("Level when the broker compresses with gzip."),
    broker("compression.lz4.level", Int, Is("9"))
        .dynamic()
        .valid(Between(1, 17))
        .doc("Level when the broker compresses with lz4."),
    broker("compression.type", String, Is("producer"))
        .dynamic()
        .valid(OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]))
        .doc("Compression of stored batches; producer keeps what the producer chose."),
    broker("compression.zstd.level", Int, Is("3"))
        .dynamic()
        .valid(Between(-131_072, 22))
        .doc("Level when the broker compresses with zstd."),
    broker("cordoned.log.dirs", List, Is("")).dynamic().later(LOG_DIRS),
    broker("create.topic.policy.class.name", Class, Null).meaningless(JVM),
    broker("default.replication.factor", Int, Is("1")).meaningless(ONE_COPY),
    broker("delete.topic.enable", Boolean, Is("true")).doc("Topics may be deleted."),
    broker("fetch.max.bytes", Int, Is("57671680"))
        .valid(AtLeast(1_024))
        .doc("Most bytes in one fetch response, whatever the client asks for."),
    broker("log.cleaner.backoff.ms", Long, Is("15000")).dynamic().valid(AtLeast(0)).later(COMPACTION),
    broker("log.cleaner.dedupe.buffer.size", Long, Is("134217728"))
        .dynamic()
        .ours(Is("4194304"), "the whole broker takes less memory than this buffer in Kafka")
        .later(COMPACTION),
    broker("log.cleaner.delete.retention.ms", Long, Is("86400000")).dynamic().valid(AtLeast(0)).later(COMPACTION),
    broker("log.cleaner.enable", Boolean, Is("true")).later(COMPACTION),
    broker("log.cleaner.io.buffer.load.factor", Double, Is("0.9")).dynamic().later(COMPACTION),
    broker("log.cleaner.io.buffer.size", Int, Is("524288")).dynamic().valid(AtLeast(0)).later(COMPACTION),
    broker("log.cleaner.io.max.bytes.per.second", Double, Is("1.7976931348623157E308")).dynamic().later(COMPACTION),
    broker("log.cleaner.max.compaction.lag.ms", Long, Is("9223372036854775807"))
        .dynamic()
        .valid(AtLeast(1))
        .later(COMPACTION),
    broker("log.cleaner.min.cleanable.ratio", Double, Is("0.5")).dynamic().valid(Ratio(0.0, 1.0)).later(COMPACTION),
    broker("log.cleaner.min.compaction.lag.ms", Long, Is("0")).dynamic().valid(AtLeast(0)).later(COMPACTION),
    broker("log.cleaner.threads", Int, Is("1")).dynamic().valid(AtLeast(0)).later(COMPACTION),
    broker("log.cleanup.policy", List, Is("delete"))
        .dynamic()
        .valid(ListOf(&["compact", "delete"]))
        .doc("What becomes of old records: delete, compact, both or (empty) neither. With compact every record needs a key."),
    broker("log.dir", List, Is("/tmp/kafka-logs"))
        .valid(FilledListOf(&[]))
        .ours(Is("./klamm-data"), "data never lies in a temporary folder")
        .doc("The data directory, if log.dirs is not set."),
    broker("log.dir.failure.timeout.ms", Long, Is("30000")).valid(AtLeast(1)).meaningless(ONE_NODE),
    broker("log.dirs", List, Null)
        .valid(FilledListOf(&[]))
        .doc("The data directory. One only. Takes precedence over log.dir."),
    broker("log.flush.interval.messages", Long, Is("9223372036854775807"))
        .dynamic()
        .valid(AtLeast(1))
        .doc("Records after which an append waits for a sync of its log. 1: every append."),
    broker("log.flush.interval.ms", Long, Null).dynamic().meaningless(DURABILITY),
    broker("log.flush.offset.checkpoint.interval.ms", Int, Is("60000"))
        .valid(AtLeast(0)).later(CHECKPOINTS),
    broker("log.flush.scheduler.interval.ms", Long, Is("9223372036854775807")).meaningless(DURABILITY),
    broker("log.flush.start.offset.checkpoint.interval.ms", Int, Is("60000"))
        .valid(AtLeast(0)).later(CHECKPOINTS),
    broker("log.index.interval.bytes", Int, Is("4096"))
        .dynamic()
        .valid(AtLeast(0))
        .doc("Bytes of records between two entries of the offset index."),
    broker("log.index.size.max.bytes", Int, Is("10485760"))
        .dynamic()
        .valid(AtLeast(4))
        .doc("Size of an index file at which its segment is closed."),
    broker("log.local.retention.bytes", Long, Is("-2")).dynamic().valid(AtLeast(-2)).meaningless(LOCAL_DISK),
    broker("log.local.retention.ms", Long, Is("-2")).dynamic().valid(AtLeast(-2)).meaningless(LOCAL_DISK),
    broker("log.message.timestamp.after.max.ms", Long, Is("3600000"))
        .dynamic()
        .valid(AtLeast(0))
        .doc("How far ahead of the broker's clock a record's timestamp may be."),
    broker("log.message.timestamp.before.max.ms", Long, Is("9223372036854775807"))
        .dynamic()
        .valid(AtLeast(0))
        .doc("How far behind the broker's clock a record's timestamp may be."),
    broker("log.message.timestamp.type", String, Is("CreateTime"))
        .dynamic()
        .valid(OneOf(&["CreateTime", "LogAppendTime"]))
        .doc("Whose clock stamps records: CreateTime is the producer's, LogAppendTime the broker's."),
    broker("log.preallocate", Boolean, Is("false"))
        .dynamic().later(PREALLOCATION),
    broker("log.remote.copy.lag.bytes", Long, Is("-1")).dynamic().valid(AtLeast(-1)).meaningless(LOCAL_DISK),
    broker("log.remote.copy.lag.ms", Long, Is("0")).dynamic().valid(AtLeast(-1)).meaningless(LOCAL_DISK),
    broker("log.retention.bytes", Long, Is("-1"))
        .dynamic()
        .doc("Bytes of a partition that are kept; its oldest segments beyond them are removed. -1: all."),
    broker("log.retention.check.interval.ms", Long, Is("300000"))
        .valid(AtLeast(1))
        .ours(Is("30000"), "small disks fill sooner than five minutes")
        .doc("How often old segments are looked for; every 30 seconds at the latest."),
    broker("log.retention.hours", Int, Is("168"))
        .doc("How long records are kept, if neither log.retention.ms nor log.retention.minutes is set. -1: for ever."),
    broker("log.retention.minutes", Int, Null).doc("The same in minutes, if log.retention.ms is not set."),
    broker("log.retention.ms", Long, Null)
        .dynamic()
        .doc("How long records are kept: a segment whose newest record is older is removed. -1: for ever. Not set: log.retention.minutes."),
    broker("log.roll.hours", Int, Is("168"))
        .valid(AtLeast(1))
        .doc("Age at which a segment is closed, if log.roll.ms is not set."),
    broker("log.roll.jitter.hours", Int, Is("0"))
        .valid(AtLeast(0))
        .doc("The same in hours, if log.roll.jitter.ms is not set."),
    broker("log.roll.jitter.ms", Long, Null)
        .dynamic()
        .doc("A random part taken off that age, so that segments are not all closed at once. Not set: log.roll.jitter.hours."),
    broker("log.roll.ms", Long, Null).dynamic().doc("Age at which a segment is closed. Not set: log.roll.hours."),
    broker("log.segment.bytes", Int, Is("1073741824"))
        .dynamic()
        .valid(AtLeast(1_048_576))
        .doc("Size at which a segment file is closed and the next begun."),
    broker("log.segment.delete.delay.ms", Long, Is("60000"))
        .dynamic()
        .valid(AtLeast(0))
        .doc("How long a removed file is kept under another name."),
    broker("max.decompressed.message.bytes", Int, Is("2147483639"))
        .dynamic()
        .valid(Between(1, 2_147_483_639))
        .doc("Largest record batch after decompression."),
    broker("message.max.bytes", Int, Is("1048588"))
        .dynamic()
        .valid(AtLeast(0))
        .doc("Largest record batch, header included, after compression."),
    broker("min.insync.replicas", Int, Is("1"))
        .dynamic()
        .valid(AtLeast(1))
        .doc("Copies that must hold a record before acks=all is answered. There is one, so a larger number waits for one too, as in Kafka."),
    broker("num.partitions", Int, Is("1"))
        .valid(AtLeast(1))
        .doc("Partitions of a topic that is created without a number."),
    broker("num.recovery.threads.per.data.dir", Int, Is("2"))
        .dynamic()
        .valid(AtLeast(1)).meaningless(THREADS),
];
