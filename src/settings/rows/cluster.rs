//! Broker keys of the node, the metadata log, replication and tiered storage.

use crate::settings::row::Kind::{Boolean, Class, Int, List, Long, String};
use crate::settings::row::Preset::{Is, Null, Required};
use crate::settings::row::Valid::{AtLeast, FilledListOf};
use crate::settings::row::{Row, broker};
use crate::settings::rows::{CHECKPOINTS, JVM, LOCAL_DISK, LOG_DIRS, METADATA_RETENTION, ONE_NODE};

pub(super) static ROWS: &[Row] = &[
    broker("alter.config.policy.class.name", Class, Null).meaningless(JVM),
    broker("alter.log.dirs.replication.quota.window.num", Int, Is("11")).valid(AtLeast(1)).meaningless(ONE_NODE),
    broker("alter.log.dirs.replication.quota.window.size.seconds", Int, Is("1"))
        .valid(AtLeast(1))
        .meaningless(ONE_NODE),
    broker("auto.leader.rebalance.enable", Boolean, Is("true")).meaningless(ONE_NODE),
    broker("broker.heartbeat.interval.ms", Int, Is("2000")).meaningless(ONE_NODE),
    broker("broker.session.timeout.ms", Int, Is("9000")).meaningless(ONE_NODE),
    broker("config.providers", List, Is("")).dynamic().meaningless(JVM),
    broker("controlled.shutdown.enable", Boolean, Is("true")).meaningless(ONE_NODE),
    broker("controller.listener.names", List, Required)
        .valid(FilledListOf(&[]))
        .ours(Null, "there is no controller to connect to")
        .doc("Listeners that Kafka would keep for its controllers. Accepted, and not opened."),
    broker("controller.quorum.append.linger.ms", Int, Is("25")).valid(AtLeast(0)).meaningless(ONE_NODE),
    broker("controller.quorum.auto.join.enable", Boolean, Is("false")).meaningless(ONE_NODE),
    broker("controller.quorum.bootstrap.servers", List, Is("")).meaningless(ONE_NODE),
    broker("controller.quorum.election.backoff.max.ms", Int, Is("1000")).valid(AtLeast(0)).meaningless(ONE_NODE),
    broker("controller.quorum.election.timeout.ms", Int, Is("1000")).valid(AtLeast(0)).meaningless(ONE_NODE),
    broker("controller.quorum.fetch.max.bytes", Int, Is("1048576")).valid(AtLeast(1)).meaningless(ONE_NODE),
    broker("controller.quorum.fetch.snapshot.max.bytes", Int, Is("1048576")).valid(AtLeast(1)).meaningless(ONE_NODE),
    broker("controller.quorum.fetch.timeout.ms", Int, Is("2000")).valid(AtLeast(0)).meaningless(ONE_NODE),
    broker("controller.quorum.request.timeout.ms", Int, Is("2000")).valid(AtLeast(0)).meaningless(ONE_NODE),
    broker("controller.quorum.retry.backoff.ms", Int, Is("20")).valid(AtLeast(0)).meaningless(ONE_NODE),
    broker("controller.quorum.voters", List, Is("")).meaningless(ONE_NODE),
    broker("controller.socket.timeout.ms", Int, Is("30000")).meaningless(ONE_NODE),
    broker("follower.fetch.last.tiered.offset.enable", Boolean, Is("false")).dynamic().meaningless(ONE_NODE),
    broker("initial.broker.registration.timeout.ms", Int, Is("60000")).meaningless(ONE_NODE),
    broker("kafka.metrics.polling.interval.secs", Int, Is("10")).valid(AtLeast(1)).meaningless(JVM),
    broker("kafka.metrics.reporters", List, Is("")).meaningless(JVM),
    broker("leader.imbalance.check.interval.seconds", Long, Is("300")).valid(AtLeast(1)).meaningless(ONE_NODE),
    broker("metadata.log.dir", String, Null).later(LOG_DIRS),
    broker("metadata.log.max.record.bytes.between.snapshots", Long, Is("20971520"))
        .valid(AtLeast(1))
        .doc("Bytes of metadata records after which a snapshot is written."),
    broker("metadata.log.max.snapshot.interval.ms", Long, Is("3600000")).valid(AtLeast(0)).later(METADATA_RETENTION),
    broker("metadata.log.segment.bytes", Int, Is("1073741824")).valid(AtLeast(8_388_608)).later(METADATA_RETENTION),
    broker("metadata.log.segment.ms", Long, Is("604800000")).later(METADATA_RETENTION),
    broker("metadata.max.idle.interval.ms", Int, Is("500")).valid(AtLeast(0)).meaningless(ONE_NODE),
    broker("metadata.max.retention.bytes", Long, Is("104857600")).later(METADATA_RETENTION),
    broker("metadata.max.retention.ms", Long, Is("604800000")).later(METADATA_RETENTION),
    broker("metric.reporters", List, Is("org.apache.kafka.common.metrics.JmxReporter")).dynamic().meaningless(JVM),
    broker("metrics.num.samples", Int, Is("2")).valid(AtLeast(1)).meaningless(JVM),
    broker("metrics.recording.level", String, Is("INFO")).meaningless(JVM),
    broker("metrics.sample.window.ms", Long, Is("30000")).valid(AtLeast(1)).meaningless(JVM),
    broker("num.replica.alter.log.dirs.threads", Int, Null).meaningless(ONE_NODE),
    broker("num.replica.fetchers", Int, Is("1")).dynamic().valid(AtLeast(1)).meaningless(ONE_NODE),
    broker("process.roles", List, Required)
        .valid(FilledListOf(&["broker", "controller"]))
        .ours(Is("broker,controller"), "one process is the whole cluster")
        .doc("Kept for its file. Klamm is broker and controller in one; a value without broker is refused."),
    broker("remote.fetch.max.wait.ms", Int, Is("500")).dynamic().valid(AtLeast(1)).meaningless(LOCAL_DISK),
    broker("remote.list.offsets.request.timeout.ms", Long, Is("30000"))
        .dynamic()
        .valid(AtLeast(1))
        .meaningless(LOCAL_DISK),
    broker("remote.log.index.file.cache.total.size.bytes", Long, Is("1073741824"))
        .dynamic()
        .valid(AtLeast(1))
        .meaningless(LOCAL_DISK),
    broker("remote.log.manager.copier.thread.pool.size", Int, Is("10"))
        .dynamic()
        .valid(AtLeast(1))
        .meaningless(LOCAL_DISK),
    broker("remote.log.manager.copy.max.bytes.per.second", Long, Is("9223372036854775807"))
        .dynamic()
        .valid(AtLeast(1))
        .meaningless(LOCAL_DISK),
    broker("remote.log.manager.copy.quota.window.num", Int, Is("11")).valid(AtLeast(1)).meaningless(LOCAL_DISK),
    broker("remote.log.manager.copy.quota.window.size.seconds", Int, Is("1")).valid(AtLeast(1)).meaningless(LOCAL_DISK),
    broker("remote.log.manager.expiration.thread.pool.size", Int, Is("10"))
        .dynamic()
        .valid(AtLeast(1))
        .meaningless(LOCAL_DISK),
    broker("remote.log.manager.fetch.max.bytes.per.second", Long, Is("9223372036854775807"))
        .dynamic()
        .valid(AtLeast(1))
        .meaningless(LOCAL_DISK),
    broker("remote.log.manager.fetch.quota.window.num", Int, Is("11")).valid(AtLeast(1)).meaningless(LOCAL_DISK),
    broker("remote.log.manager.fetch.quota.window.size.seconds", Int, Is("1"))
        .valid(AtLeast(1))
        .meaningless(LOCAL_DISK),
    broker("remote.log.manager.follower.thread.pool.size", Int, Is("2"))
        .dynamic()
        .valid(AtLeast(1))
        .meaningless(LOCAL_DISK),
    broker("remote.log.manager.task.interval.ms", Long, Is("30000")).valid(AtLeast(1)).meaningless(LOCAL_DISK),
    broker("remote.log.manager.thread.pool.size", Int, Is("2")).valid(AtLeast(1)).meaningless(LOCAL_DISK),
    broker("remote.log.metadata.custom.metadata.max.bytes", Int, Is("128")).valid(AtLeast(0)).meaningless(LOCAL_DISK),
    broker(
        "remote.log.metadata.manager.class.name",
        String,
        Is("org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager"),
    )
    .meaningless(LOCAL_DISK),
    broker("remote.log.metadata.manager.class.path", String, Null).meaningless(LOCAL_DISK),
    broker("remote.log.metadata.manager.impl.prefix", String, Is("rlmm.config.")).meaningless(LOCAL_DISK),
    broker("remote.log.metadata.manager.listener.name", String, Null).meaningless(LOCAL_DISK),
    broker("remote.log.reader.max.pending.tasks", Int, Is("100")).valid(AtLeast(1)).meaningless(LOCAL_DISK),
    broker("remote.log.reader.threads", Int, Is("10")).dynamic().valid(AtLeast(1)).meaningless(LOCAL_DISK),
    broker("remote.log.storage.manager.class.name", String, Null).meaningless(LOCAL_DISK),
    broker("remote.log.storage.manager.class.path", String, Null).meaningless(LOCAL_DISK),
    broker("remote.log.storage.manager.impl.prefix", String, Is("rsm.config.")).meaningless(LOCAL_DISK),
    broker("remote.log.storage.system.enable", Boolean, Is("false")).meaningless(LOCAL_DISK),
    broker("replica.fetch.backoff.ms", Int, Is("1000")).valid(AtLeast(0)).meaningless(ONE_NODE),
    broker("replica.fetch.max.bytes", Int, Is("1048576")).valid(AtLeast(0)).meaningless(ONE_NODE),
    broker("replica.fetch.min.bytes", Int, Is("1")).meaningless(ONE_NODE),
    broker("replica.fetch.response.max.bytes", Int, Is("10485760")).valid(AtLeast(0)).meaningless(ONE_NODE),
    broker("replica.fetch.wait.max.ms", Int, Is("500")).meaningless(ONE_NODE),
    broker("replica.high.watermark.checkpoint.interval.ms", Long, Is("5000")).later(CHECKPOINTS),
    broker("replica.lag.time.max.ms", Long, Is("30000")).meaningless(ONE_NODE),
    broker("replica.selector.class", String, Null).meaningless(ONE_NODE),
    broker("replica.socket.receive.buffer.bytes", Int, Is("65536")).meaningless(ONE_NODE),
    broker("replica.socket.timeout.ms", Int, Is("30000")).meaningless(ONE_NODE),
    broker("replication.quota.window.num", Int, Is("11")).valid(AtLeast(1)).meaningless(ONE_NODE),
    broker("replication.quota.window.size.seconds", Int, Is("1")).valid(AtLeast(1)).meaningless(ONE_NODE),
    broker("unclean.leader.election.enable", Boolean, Is("false")).dynamic().meaningless(ONE_NODE),
];
