//! What the groups of one machine share while they decide: the clock and the topics, the settings, the timers, the effects so far.

use std::sync::Arc;
use std::time::Duration;

use super::classic::ClassicGroup;
use super::consumer::regex::Compiled;
use super::event::{GroupId, Reply};
use super::record::Record;
use super::timers::Timers;
use crate::base::clock::Monotonic;
use crate::base::limits::GROUPS_PER_PARTITION_MAX;
use crate::coordinator::machine::{Context, Effects, Ticket};
use crate::settings::Settings;

/// The effects of a group machine. It has no commands.
pub type GroupEffects = Effects<Record, Reply, Command>;

/// What a group machine asks its surroundings to do: nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {}

/// A name of a timer.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Timer {
    /// A classic member's session.
    Session(GroupId, String),
    /// The end of a classic group's PreparingRebalance.
    Join(GroupId),
    /// Until when a classic group's members must have synced.
    Sync(GroupId),
    /// A consumer member's session.
    ConsumerSession(GroupId, String),
    /// Until when a consumer member must have given back what it is to give back.
    ConsumerRebalance(GroupId, String),
    /// A classic member of a consumer group must have joined again, or synced.
    ConsumerJoin(GroupId, String),
    ConsumerSync(GroupId, String),
    /// A target assignment that was put off (`group.consumer.assignment.interval.ms`).
    Assignment(GroupId),
    /// The next part of a group that is being deleted.
    Deletion(GroupId),
    /// `offsets.retention.check.interval.ms`.
    Expiry,
    /// Offsets of deleted topics are to go.
    Gone,
}

impl Timer {
    /// The group that the timer is of.
    pub fn group(&self) -> Option<&str> {
        match self {
            Timer::Session(group, _)
            | Timer::Join(group)
            | Timer::Sync(group)
            | Timer::ConsumerSession(group, _)
            | Timer::ConsumerRebalance(group, _)
            | Timer::ConsumerJoin(group, _)
            | Timer::ConsumerSync(group, _)
            | Timer::Assignment(group)
            | Timer::Deletion(group) => Some(group),
            Timer::Expiry | Timer::Gone => None,
        }
    }
}

/// What a consumer group goes by that may be set for it alone, and while the broker runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConsumerConfig {
    /// `consumer.session.timeout.ms`
    pub session_timeout_ms: i32,
    /// `consumer.heartbeat.interval.ms`
    pub heartbeat_interval_ms: i32,
    /// `consumer.assignment.interval.ms`
    pub assignment_interval_ms: i32,
}

/// The configurations of groups, as they are now.
pub trait ConsumerConfigs: Send + Sync {
    /// Those of one group, whether there is such a group or not.
    fn of(&self, group: &str) -> ConsumerConfig;
}

/// Settings of group coordinators.
#[derive(Clone)]
pub struct GroupSettings {
    /// `group.min.session.timeout.ms`, `group.max.session.timeout.ms`.
    pub session_timeout_min_ms: i32,
    pub session_timeout_max_ms: i32,
    /// `group.initial.rebalance.delay.ms`.
    pub initial_rebalance_delay_ms: i32,
    /// `group.max.size`.
    pub classic_size_max: usize,
    /// `group.consumer.max.size`.
    pub consumer_size_max: usize,
    /// What differs from group to group.
    pub consumers: Arc<dyn ConsumerConfigs>,
    /// `group.consumer.assignors`, the default first.
    pub consumer_assignors: Vec<String>,
    /// `group.consumer.migration.policy`.
    pub upgrade_allowed: bool,
    pub downgrade_allowed: bool,
    /// `offset.metadata.max.bytes`.
    pub offset_metadata_bytes_max: usize,
    /// `offsets.retention.minutes`, in milliseconds.
    pub offsets_retention_ms: i64,
    /// `offsets.retention.check.interval.ms`.
    pub offsets_check_interval_ms: i64,
    /// How many groups one partition keeps: bounds what a client that invents group ids can take.
    pub groups_max: usize,
}

impl GroupSettings {
    /// What the broker's configuration says; `consumers` says what differs from group to group.
    pub fn of(settings: &Settings, consumers: Arc<dyn ConsumerConfigs>) -> GroupSettings {
        let size = |name: &str| usize::try_from(settings.int(name)).unwrap_or(usize::MAX);
        let policy = settings.string("group.consumer.migration.policy").to_lowercase();
        GroupSettings {
            session_timeout_min_ms: settings.int("group.min.session.timeout.ms"),
            session_timeout_max_ms: settings.int("group.max.session.timeout.ms"),
            initial_rebalance_delay_ms: settings.int("group.initial.rebalance.delay.ms"),
            classic_size_max: size("group.max.size"),
            consumer_size_max: size("group.consumer.max.size"),
            consumers,
            consumer_assignors: settings.list("group.consumer.assignors"),
            upgrade_allowed: matches!(&*policy, "upgrade" | "bidirectional"),
            downgrade_allowed: matches!(&*policy, "downgrade" | "bidirectional"),
            offset_metadata_bytes_max: size("offset.metadata.max.bytes"),
            offsets_retention_ms: i64::from(settings.int("offsets.retention.minutes")).saturating_mul(60_000),
            offsets_check_interval_ms: settings.long("offsets.retention.check.interval.ms"),
            groups_max: GROUPS_PER_PARTITION_MAX,
        }
    }
}

/// See the module's comment.
pub struct Scope<'a, 'c> {
    pub context: &'a mut Context<'c>,
    pub settings: &'a GroupSettings,
    pub timers: &'a mut Timers<Timer>,
    pub effects: &'a mut GroupEffects,
    /// The group has become one of the other protocol: the machine is to keep this one from now on.
    pub converted: Option<Box<ClassicGroup>>,
    /// An expression that was read already, and its text.
    pub expression: Option<(String, Compiled)>,
}

impl<'a, 'c> Scope<'a, 'c> {
    pub fn new(
        context: &'a mut Context<'c>,
        settings: &'a GroupSettings,
        timers: &'a mut Timers<Timer>,
        effects: &'a mut GroupEffects,
    ) -> Self {
        Scope { context, settings, timers, effects, converted: None, expression: None }
    }
}

impl Scope<'_, '_> {
    /// Answers a request.
    pub fn reply(&mut self, ticket: Ticket, reply: Reply) {
        self.effects.replies.push((ticket, reply));
    }

    /// Remembers something.
    pub fn record(&mut self, record: Record) {
        self.effects.records.push(record);
    }

    /// A time so many milliseconds from now; none for negative ones.
    pub fn after_ms(&self, ms: i32) -> Monotonic {
        let wait = Duration::from_millis(u64::try_from(ms).unwrap_or(0));
        Monotonic(self.context.monotonic.0.saturating_add(wait))
    }
}
