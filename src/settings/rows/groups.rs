//! Group keys.

use crate::settings::row::Kind::{Boolean, Int, List, String};
use crate::settings::row::Preset::Is;
use crate::settings::row::Valid::{AtLeast, OneOf, ShareOffsetReset};
use crate::settings::row::{Row, group};
use crate::settings::rows::{SHARE, STREAMS};

pub(super) static ROWS: &[Row] = &[
    group("consumer.assignment.interval.ms", Int, Is("1000"))
        .valid(AtLeast(0))
        .falls_back_to("group.consumer.assignment.interval.ms")
        .doc("The least time between two target assignments of the group."),
    group("consumer.heartbeat.interval.ms", Int, Is("5000"))
        .valid(AtLeast(1))
        .falls_back_to("group.consumer.heartbeat.interval.ms")
        .doc("How often members are told to send heartbeats."),
    group("consumer.session.timeout.ms", Int, Is("45000"))
        .valid(AtLeast(1))
        .falls_back_to("group.consumer.session.timeout.ms")
        .doc("How long a member may be silent."),
    group("errors.deadletterqueue.copy.record.enable", Boolean, Is("false")).later(SHARE),
    group("errors.deadletterqueue.topic.name", String, Is("")).later(SHARE),
    group("share.assignment.interval.ms", Int, Is("1000"))
        .valid(AtLeast(0))
        .falls_back_to("group.share.assignment.interval.ms")
        .later(SHARE),
    group("share.auto.offset.reset", String, Is("latest")).valid(ShareOffsetReset).later(SHARE),
    group("share.delivery.count.limit", Int, Is("5"))
        .valid(AtLeast(2))
        .falls_back_to("group.share.delivery.count.limit")
        .later(SHARE),
    group("share.heartbeat.interval.ms", Int, Is("5000"))
        .valid(AtLeast(1))
        .falls_back_to("group.share.heartbeat.interval.ms")
        .later(SHARE),
    group("share.isolation.level", String, Is("read_uncommitted"))
        .valid(OneOf(&["read_committed", "read_uncommitted"]))
        .later(SHARE),
    group("share.partition.max.record.locks", Int, Is("2000"))
        .valid(AtLeast(100))
        .falls_back_to("group.share.partition.max.record.locks")
        .later(SHARE),
    group("share.record.lock.duration.ms", Int, Is("30000"))
        .valid(AtLeast(1_000))
        .falls_back_to("group.share.record.lock.duration.ms")
        .later(SHARE),
    group("share.renew.acknowledge.enable", Boolean, Is("true")).later(SHARE),
    group("share.session.timeout.ms", Int, Is("45000"))
        .valid(AtLeast(1))
        .falls_back_to("group.share.session.timeout.ms")
        .later(SHARE),
    group("streams.assignment.interval.ms", Int, Is("1000"))
        .valid(AtLeast(0))
        .falls_back_to("group.streams.assignment.interval.ms")
        .later(STREAMS),
    group("streams.assignor.name", String, Is("sticky")).later(STREAMS),
    group("streams.heartbeat.interval.ms", Int, Is("5000"))
        .valid(AtLeast(1))
        .falls_back_to("group.streams.heartbeat.interval.ms")
        .later(STREAMS),
    group("streams.initial.rebalance.delay.ms", Int, Is("3000"))
        .valid(AtLeast(0))
        .falls_back_to("group.streams.initial.rebalance.delay.ms")
        .later(STREAMS),
    group("streams.num.standby.replicas", Int, Is("0"))
        .valid(AtLeast(0))
        .falls_back_to("group.streams.num.standby.replicas")
        .later(STREAMS),
    group("streams.rack.aware.assignment.tags", List, Is(""))
        .falls_back_to("group.streams.rack.aware.assignment.tags")
        .later(STREAMS),
    group("streams.session.timeout.ms", Int, Is("45000"))
        .valid(AtLeast(1))
        .falls_back_to("group.streams.session.timeout.ms")
        .later(STREAMS),
];
