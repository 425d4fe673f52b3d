//! Broker keys of groups, offsets, transactions and share groups.

use crate::settings::row::Kind::{Boolean, Class, Int, List, Long, Short, String};
use crate::settings::row::Preset::{Is, Null};
use crate::settings::row::Valid::{AtLeast, Between, FilledListOf, OneOfAnyCase};
use crate::settings::row::{Row, broker};
use crate::settings::rows::{
    AT_ONCE, COORDINATORS, ONE_COPY, ONE_NODE, SHARE, STREAMS, TELEMETRY, THREADS, TRANSACTIONS,
};

pub(super) static ROWS: &[Row] = &[
    broker("add.partitions.to.txn.retry.backoff.max.ms", Int, Is("100")).valid(AtLeast(0)).meaningless(ONE_NODE),
    broker("add.partitions.to.txn.retry.backoff.ms", Int, Is("20")).valid(AtLeast(1)).meaningless(ONE_NODE),
    broker("errors.deadletterqueue.auto.create.topics.enable", Boolean, Is("false")).dynamic().later(SHARE),
    broker("errors.deadletterqueue.topic.name.prefix", String, Is("dlq.")).dynamic().later(SHARE),
    broker("group.consumer.assignment.interval.ms", Int, Is("1000"))
        .dynamic()
        .valid(AtLeast(0))
        .ours(Is("0"), "nothing is won by waiting on one node")
        .doc("The least time between two target assignments of a consumer group."),
    broker("group.consumer.assignors", List, Is("uniform,range"))
        .valid(FilledListOf(&[]))
        .doc("Assignors that members of consumer groups may ask for; the first is the default."),
    broker("group.consumer.heartbeat.interval.ms", Int, Is("5000"))
        .valid(AtLeast(1))
        .doc("How often members of consumer groups are told to send heartbeats."),
    broker("group.consumer.max.assignment.interval.ms", Int, Is("15000"))
        .valid(AtLeast(0))
        .doc("The longest time between two target assignments that a consumer group may be given."),
    broker("group.consumer.max.heartbeat.interval.ms", Int, Is("15000"))
        .valid(AtLeast(1))
        .doc("The longest heartbeat interval that a consumer group may be given."),
    broker("group.consumer.max.session.timeout.ms", Int, Is("60000"))
        .valid(AtLeast(1))
        .doc("The longest session timeout that a consumer group may be given."),
    broker("group.consumer.max.size", Int, Is("2147483647"))
        .valid(AtLeast(1))
        .doc("The most members of a consumer group."),
    broker("group.consumer.migration.policy", String, Is("bidirectional"))
        .valid(OneOfAnyCase(&["DISABLED", "DOWNGRADE", "UPGRADE", "BIDIRECTIONAL"]))
        .doc("Which way a group may change its protocol while members are in it."),
    broker("group.consumer.min.assignment.interval.ms", Int, Is("0"))
        .valid(AtLeast(0))
        .doc("The shortest time between two target assignments that a consumer group may be given."),
    broker("group.consumer.min.heartbeat.interval.ms", Int, Is("5000"))
        .valid(AtLeast(1))
        .doc("The shortest heartbeat interval that a consumer group may be given."),
    broker("group.consumer.min.session.timeout.ms", Int, Is("45000"))
        .valid(AtLeast(1))
        .doc("The shortest session timeout that a consumer group may be given."),
    broker("group.consumer.session.timeout.ms", Int, Is("45000"))
        .valid(AtLeast(1))
        .doc("How long a member of a consumer group may be silent."),
    broker("group.coordinator.append.linger.ms", Int, Is("-1")).valid(AtLeast(-1)).meaningless(AT_ONCE),
    broker("group.coordinator.background.threads", Int, Is("2")).valid(AtLeast(1)).meaningless(THREADS),
    broker("group.coordinator.cached.buffer.max.bytes", Int, Is("1048588"))
        .dynamic()
        .valid(AtLeast(524_288))
        .meaningless(AT_ONCE),
    broker("group.coordinator.rebalance.protocols", List, Is("classic,consumer,streams"))
        .valid(FilledListOf(&["consumer", "classic", "share", "streams"]))
        .later(COORDINATORS),
    broker("group.coordinator.threads", Int, Is("4")).valid(AtLeast(1)).meaningless(THREADS),
    broker("group.initial.rebalance.delay.ms", Int, Is("3000"))
        .ours(Is("0"), "nothing is won by waiting on one node")
        .doc("How long a new classic group waits for more members."),
    broker("group.max.session.timeout.ms", Int, Is("1800000")).doc("The longest session a classic member may ask for."),
    broker("group.max.size", Int, Is("2147483647")).valid(AtLeast(1)).doc("The most members of a classic group."),
    broker("group.min.session.timeout.ms", Int, Is("6000")).doc("The shortest session a classic member may ask for."),
    broker("group.share.assignment.interval.ms", Int, Is("1000")).dynamic().valid(AtLeast(0)).later(SHARE),
    broker("group.share.assignors", List, Is("simple")).valid(FilledListOf(&[])).later(SHARE),
    broker("group.share.delivery.count.limit", Int, Is("5")).valid(Between(2, 10)).later(SHARE),
    broker("group.share.heartbeat.interval.ms", Int, Is("5000")).valid(AtLeast(1)).later(SHARE),
    broker("group.share.max.assignment.interval.ms", Int, Is("15000")).valid(AtLeast(0)).later(SHARE),
    broker("group.share.max.delivery.count.limit", Int, Is("10")).valid(Between(5, 25)).later(SHARE),
    broker("group.share.max.heartbeat.interval.ms", Int, Is("15000")).valid(AtLeast(1)).later(SHARE),
    broker("group.share.max.partition.max.record.locks", Int, Is("4000")).valid(Between(2_000, 10_000)).later(SHARE),
    broker("group.share.max.record.lock.duration.ms", Int, Is("60000")).valid(Between(30_000, 3_600_000)).later(SHARE),
    broker("group.share.max.session.timeout.ms", Int, Is("60000")).valid(AtLeast(1)).later(SHARE),
    broker("group.share.max.share.sessions", Int, Is("2000")).valid(AtLeast(1)).later(SHARE),
    broker("group.share.max.size", Int, Is("200")).valid(Between(1, 1_000)).later(SHARE),
    broker("group.share.min.assignment.interval.ms", Int, Is("0")).valid(AtLeast(0)).later(SHARE),
    broker("group.share.min.delivery.count.limit", Int, Is("2")).valid(Between(2, 5)).later(SHARE),
    broker("group.share.min.heartbeat.interval.ms", Int, Is("5000")).valid(AtLeast(1)).later(SHARE),
    broker("group.share.min.partition.max.record.locks", Int, Is("100")).valid(Between(100, 2_000)).later(SHARE),
    broker("group.share.min.record.lock.duration.ms", Int, Is("15000")).valid(Between(1_000, 30_000)).later(SHARE),
    broker("group.share.min.session.timeout.ms", Int, Is("45000")).valid(AtLeast(1)).later(SHARE),
    broker("group.share.partition.max.record.locks", Int, Is("2000")).valid(Between(100, 10_000)).later(SHARE),
    broker("group.share.record.lock.duration.ms", Int, Is("30000")).valid(Between(1_000, 3_600_000)).later(SHARE),
    broker("group.share.session.timeout.ms", Int, Is("45000")).valid(AtLeast(1)).later(SHARE),
    broker("group.streams.assignment.interval.ms", Int, Is("1000")).dynamic().valid(AtLeast(0)).later(STREAMS),
    broker("group.streams.assignors", List, Is("sticky")).valid(FilledListOf(&[])).later(STREAMS),
    broker("group.streams.heartbeat.interval.ms", Int, Is("5000")).valid(AtLeast(1)).later(STREAMS),
    broker("group.streams.initial.rebalance.delay.ms", Int, Is("3000"))
        .valid(AtLeast(0))
        .ours(Is("0"), "nothing is won by waiting on one node")
        .later(STREAMS),
    broker("group.streams.max.assignment.interval.ms", Int, Is("15000")).valid(AtLeast(0)).later(STREAMS),
    broker("group.streams.max.heartbeat.interval.ms", Int, Is("15000")).valid(AtLeast(1)).later(STREAMS),
    broker("group.streams.max.session.timeout.ms", Int, Is("60000")).valid(AtLeast(1)).later(STREAMS),
    broker("group.streams.max.size", Int, Is("2147483647")).valid(AtLeast(1)).later(STREAMS),
    broker("group.streams.max.standby.replicas", Int, Is("2")).valid(AtLeast(0)).later(STREAMS),
    broker("group.streams.min.assignment.interval.ms", Int, Is("0")).valid(AtLeast(0)).later(STREAMS),
    broker("group.streams.min.heartbeat.interval.ms", Int, Is("5000")).valid(AtLeast(1)).later(STREAMS),
    broker("group.streams.min.session.timeout.ms", Int, Is("45000")).valid(AtLeast(1)).later(STREAMS),
    broker("group.streams.num.standby.replicas", Int, Is("0")).valid(AtLeast(0)).later(STREAMS),
    broker("group.streams.rack.aware.assignment.tags", List, Is("")).later(STREAMS),
    broker("group.streams.session.timeout.ms", Int, Is("45000")).valid(AtLeast(1)).later(STREAMS),
    broker("group.streams.topology.description.plugin.class", Class, Null).later(STREAMS),
    broker("offset.metadata.max.bytes", Int, Is("4096")).doc("The longest text a committed offset may carry."),
    broker("offsets.commit.timeout.ms", Int, Is("5000")).valid(AtLeast(1)).meaningless(ONE_COPY),
    broker("offsets.load.buffer.size", Int, Is("5242880")).valid(AtLeast(1)).meaningless(AT_ONCE),
    broker("offsets.retention.check.interval.ms", Long, Is("600000"))
        .valid(AtLeast(1))
        .doc("How often committed offsets are looked through for those that are too old."),
    broker("offsets.retention.minutes", Int, Is("10080"))
        .valid(AtLeast(1))
        .doc("How long offsets are kept once their group is empty, or reads the topic no longer."),
    broker("offsets.topic.compression.codec", Int, Is("0")).later(COORDINATORS),
    broker("offsets.topic.num.partitions", Int, Is("50"))
        .valid(AtLeast(1))
        .doc("Partitions of `__consumer_offsets` when it is made."),
    broker("offsets.topic.replication.factor", Short, Is("3"))
        .valid(AtLeast(1))
        .ours(Is("1"), "one node keeps one copy")
        .meaningless(ONE_COPY),
    broker("offsets.topic.segment.bytes", Int, Is("104857600"))
        .valid(AtLeast(1))
        .doc("Segment size of `__consumer_offsets` when it is made."),
    broker("producer.id.expiration.ms", Int, Is("86400000"))
        .dynamic()
        .valid(AtLeast(1))
        .doc("How long a partition remembers an idempotent producer that is silent."),
    broker("share.coordinator.append.linger.ms", Int, Is("-1")).valid(AtLeast(-1)).later(SHARE),
    broker("share.coordinator.cached.buffer.max.bytes", Int, Is("1048588"))
        .dynamic()
        .valid(AtLeast(524_288))
        .later(SHARE),
    broker("share.coordinator.load.buffer.size", Int, Is("5242880")).valid(AtLeast(1)).later(SHARE),
    broker("share.coordinator.snapshot.update.records.per.snapshot", Int, Is("500"))
        .valid(Between(0, 500))
        .later(SHARE),
    broker("share.coordinator.state.topic.compression.codec", Int, Is("0")).later(SHARE),
    broker("share.coordinator.state.topic.min.isr", Short, Is("2"))
        .valid(AtLeast(1))
        .ours(Is("1"), "one node keeps one copy")
        .later(SHARE),
    broker("share.coordinator.state.topic.num.partitions", Int, Is("50")).valid(AtLeast(1)).later(SHARE),
    broker("share.coordinator.state.topic.replication.factor", Short, Is("3"))
        .valid(AtLeast(1))
        .ours(Is("1"), "one node keeps one copy")
        .later(SHARE),
    broker("share.coordinator.state.topic.segment.bytes", Int, Is("104857600")).valid(AtLeast(1)).later(SHARE),
    broker("share.coordinator.threads", Int, Is("1")).valid(AtLeast(1)).later(SHARE),
    broker("share.coordinator.write.timeout.ms", Int, Is("5000")).valid(AtLeast(1)).later(SHARE),
    broker("share.fetch.purgatory.purge.interval.requests", Int, Is("1000")).later(SHARE),
    broker("telemetry.max.bytes", Int, Is("1048576")).valid(AtLeast(1)).later(TELEMETRY),
    broker("transaction.abort.timed.out.transaction.cleanup.interval.ms", Int, Is("10000"))
        .valid(AtLeast(1))
        .later(TRANSACTIONS),
    broker("transaction.max.timeout.ms", Int, Is("900000")).valid(AtLeast(1)).later(TRANSACTIONS),
    broker("transaction.partition.verification.enable", Boolean, Is("true")).dynamic().later(TRANSACTIONS),
    broker("transaction.remove.expired.transaction.cleanup.interval.ms", Int, Is("3600000"))
        .valid(AtLeast(1))
        .later(TRANSACTIONS),
    broker("transaction.state.log.load.buffer.size", Int, Is("5242880")).valid(AtLeast(1)).later(TRANSACTIONS),
    broker("transaction.state.log.min.isr", Int, Is("2"))
        .valid(AtLeast(1))
        .ours(Is("1"), "one node keeps one copy")
        .later(TRANSACTIONS),
    broker("transaction.state.log.num.partitions", Int, Is("50")).valid(AtLeast(1)).later(TRANSACTIONS),
    broker("transaction.state.log.replication.factor", Short, Is("3"))
        .valid(AtLeast(1))
        .ours(Is("1"), "one node keeps one copy")
        .later(TRANSACTIONS),
    broker("transaction.state.log.segment.bytes", Int, Is("104857600")).valid(AtLeast(1)).later(TRANSACTIONS),
    broker("transaction.two.phase.commit.enable", Boolean, Is("false")).later(TRANSACTIONS),
    broker("transactional.id.expiration.ms", Int, Is("604800000")).valid(AtLeast(1)).later(TRANSACTIONS),
];
