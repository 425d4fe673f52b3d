//! Topic keys.

use crate::settings::row::Kind::{Boolean, Double, Int, List, Long, String};
use crate::settings::row::Preset::Is;
use crate::settings::row::Valid::{AtLeast, Between, GzipLevel, ListOf, OneOf, Ratio, ThrottledReplicas};
use crate::settings::row::{Row, topic};
use crate::settings::rows::{COMPACTION, DURABILITY, LOCAL_DISK, ONE_NODE, PREALLOCATION, SHARE};

pub(super) static ROWS: &[Row] = &[
    topic("cleanup.policy", List, Is("delete"))
        .valid(ListOf(&["compact", "delete"]))
        .falls_back_to("log.cleanup.policy")
        .doc("What becomes of old records: delete, compact, both or (empty) neither. With compact every record needs a key."),
    topic("compression.gzip.level", Int, Is("-1"))
        .valid(GzipLevel)
        .falls_back_to("compression.gzip.level")
        .doc("Level when the broker compresses with gzip."),
    topic("compression.lz4.level", Int, Is("9"))
        .valid(Between(1, 17))
        .falls_back_to("compression.lz4.level")
        .doc("Level when the broker compresses with lz4."),
    topic("compression.type", String, Is("producer"))
        .valid(OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]))
        .falls_back_to("compression.type")
        .doc("Compression of stored batches; producer keeps what the producer chose."),
    topic("compression.zstd.level", Int, Is("3"))
        .valid(Between(-131_072, 22))
        .falls_back_to("compression.zstd.level")
        .doc("Level when the broker compresses with zstd."),
    topic("delete.retention.ms", Long, Is("86400000"))
        .valid(AtLeast(0))
        .falls_back_to("log.cleaner.delete.retention.ms")
        .later(COMPACTION),
    topic("errors.deadletterqueue.group.enable", Boolean, Is("false")).later(SHARE),
    topic("file.delete.delay.ms", Long, Is("60000"))
        .valid(AtLeast(0))
        .falls_back_to("log.segment.delete.delay.ms")
        .doc("How long a removed file is kept under another name."),
    topic("flush.messages", Long, Is("9223372036854775807"))
        .valid(AtLeast(1))
        .falls_back_to("log.flush.interval.messages")
        .doc("Records after which an append waits for a sync of its log. 1: every append."),
    topic("flush.ms", Long, Is("9223372036854775807"))
        .valid(AtLeast(0))
        .falls_back_to("log.flush.interval.ms")
        .meaningless(DURABILITY),
    topic("follower.replication.throttled.replicas", List, Is("")).valid(ThrottledReplicas).meaningless(ONE_NODE),
    topic("index.interval.bytes", Int, Is("4096"))
        .valid(AtLeast(0))
        .falls_back_to("log.index.interval.bytes")
        .doc("Bytes of records between two entries of the offset index."),
    topic("leader.replication.throttled.replicas", List, Is("")).valid(ThrottledReplicas).meaningless(ONE_NODE),
    topic("local.retention.bytes", Long, Is("-2"))
        .valid(AtLeast(-2))
        .falls_back_to("log.local.retention.bytes")
        .meaningless(LOCAL_DISK),
    topic("local.retention.ms", Long, Is("-2"))
        .valid(AtLeast(-2))
        .falls_back_to("log.local.retention.ms")
        .meaningless(LOCAL_DISK),
    topic("max.compaction.lag.ms", Long, Is("9223372036854775807"))
        .valid(AtLeast(1))
        .falls_back_to("log.cleaner.max.compaction.lag.ms")
        .later(COMPACTION),
    topic("max.decompressed.message.bytes", Int, Is("2147483639"))
        .valid(Between(1, 2_147_483_639))
        .falls_back_to("max.decompressed.message.bytes")
        .doc("Largest record batch after decompression."),
    topic("max.message.bytes", Int, Is("1048588"))
        .valid(AtLeast(0))
        .falls_back_to("message.max.bytes")
        .doc("Largest record batch, header included, after compression."),
    topic("message.timestamp.after.max.ms", Long, Is("3600000"))
        .valid(AtLeast(0))
        .falls_back_to("log.message.timestamp.after.max.ms")
        .doc("How far ahead of the broker's clock a record's timestamp may be."),
    topic("message.timestamp.before.max.ms", Long, Is("9223372036854775807"))
        .valid(AtLeast(0))
        .falls_back_to("log.message.timestamp.before.max.ms")
        .doc("How far behind the broker's clock a record's timestamp may be."),
    topic("message.timestamp.type", String, Is("CreateTime"))
        .valid(OneOf(&["CreateTime", "LogAppendTime"]))
        .falls_back_to("log.message.timestamp.type")
        .doc("Whose clock stamps records: CreateTime is the producer's, LogAppendTime the broker's."),
    topic("min.cleanable.dirty.ratio", Double, Is("0.5"))
        .valid(Ratio(0.0, 1.0))
        .falls_back_to("log.cleaner.min.cleanable.ratio")
        .later(COMPACTION),
    topic("min.compaction.lag.ms", Long, Is("0"))
        .valid(AtLeast(0))
        .falls_back_to("log.cleaner.min.compaction.lag.ms")
        .later(COMPACTION),
    topic("min.insync.replicas", Int, Is("1"))
        .valid(AtLeast(1))
        .falls_back_to("min.insync.replicas")
        .doc("Copies that must hold a record before acks=all is answered. There is one, so a larger number waits for one too, as in Kafka."),
    topic("preallocate", Boolean, Is("false"))
        .falls_back_to("log.preallocate").later(PREALLOCATION),
    topic("remote.copy.lag.bytes", Long, Is("-1"))
        .valid(AtLeast(-1))
        .falls_back_to("log.remote.copy.lag.bytes")
        .meaningless(LOCAL_DISK),
    topic("remote.copy.lag.ms", Long, Is("0"))
        .valid(AtLeast(-1))
        .falls_back_to("log.remote.copy.lag.ms")
        .meaningless(LOCAL_DISK),
    topic("remote.log.copy.disable", Boolean, Is("false")).meaningless(LOCAL_DISK),
    topic("remote.log.delete.on.disable", Boolean, Is("false")).meaningless(LOCAL_DISK),
    topic("remote.storage.enable", Boolean, Is("false")).meaningless(LOCAL_DISK),
    topic("retention.bytes", Long, Is("-1"))
        .falls_back_to("log.retention.bytes")
        .doc("Bytes of a partition that are kept; its oldest segments beyond them are removed. -1: all."),
    topic("retention.ms", Long, Is("604800000"))
        .valid(AtLeast(-1))
        .falls_back_to("log.retention.ms")
        .doc("How long records are kept: a segment whose newest record is older is removed. -1: for ever."),
    topic("segment.bytes", Int, Is("1073741824"))
        .valid(AtLeast(1_048_576))
        .falls_back_to("log.segment.bytes")
        .doc("Size at which a segment file is closed and the next begun."),
    topic("segment.index.bytes", Int, Is("10485760"))
        .valid(AtLeast(4))
        .falls_back_to("log.index.size.max.bytes")
        .doc("Size of an index file at which its segment is closed."),
    topic("segment.jitter.ms", Long, Is("0"))
        .valid(AtLeast(0))
        .falls_back_to("log.roll.jitter.ms")
        .doc("A random part taken off that age."),
    topic("segment.ms", Long, Is("604800000"))
        .valid(AtLeast(1))
        .falls_back_to("log.roll.ms")
        .doc("Age at which a segment is closed."),
    topic("unclean.leader.election.enable", Boolean, Is("false"))
        .falls_back_to("unclean.leader.election.enable")
        .meaningless(ONE_NODE),
];
