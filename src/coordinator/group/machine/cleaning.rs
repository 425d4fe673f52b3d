//! What goes: groups that are deleted, offsets whose time is over, offsets of deleted topics.
//!
//! All of it is written in parts, each a batch: much of it makes no giant one and keeps the other groups waiting for a moment only.
//! A crash between two parts leaves the rest, which is deleted when it is asked for again or its time is over.

use std::time::Duration;

use super::{Group, GroupMachine, not_found};
use crate::base::clock::Monotonic;
use crate::base::ids::TopicId;
use crate::coordinator::group::event::{GroupError, Refusal, Reply};
use crate::coordinator::group::offsets::{Expiry, ExpiryBase, Room};
use crate::coordinator::group::record::Record;
use crate::coordinator::group::scope::{GroupEffects, Timer};
use crate::coordinator::machine::{Context, Ticket};

/// Until the next part: the records of this one are replayed first, and others get their turn.
const NEXT_PART: Duration = Duration::from_millis(1);

impl GroupMachine {
    /// Deletes a group that nobody is in. The answer comes with the last part.
    pub(super) fn delete(&mut self, ticket: Ticket, id: &str, context: &Context<'_>) -> GroupEffects {
        match self.deletion(id) {
            Ok((records, true)) => GroupEffects { records, ..GroupEffects::reply(ticket, Reply::DeleteGroup(Ok(()))) },
            Ok((records, false)) => {
                self.deleting.entry(id.to_owned()).or_default().push(ticket);
                self.timers.set(Timer::Deletion(id.to_owned()), next_part(context));
                GroupEffects { records, ..GroupEffects::default() }
            }
            Err(error) => GroupEffects::reply(ticket, Reply::DeleteGroup(Err(error))),
        }
    }

    /// The next part of a group that is being deleted, unless somebody has come into it meanwhile.
    pub(super) fn go_on_deleting(&mut self, id: &str, context: &Context<'_>) -> GroupEffects {
        let (records, outcome) = match self.deletion(id) {
            Ok((records, false)) => {
                self.timers.set(Timer::Deletion(id.to_owned()), next_part(context));
                return GroupEffects { records, ..GroupEffects::default() };
            }
            Ok((records, true)) => (records, Ok(())),
            // Another request, or its time, brought it to the end.
            Err(error) if error.refusal == Refusal::GroupIdNotFound => (Vec::new(), Ok(())),
            Err(error) => (Vec::new(), Err(error)),
        };
        let tickets = self.deleting.remove(id).unwrap_or_default();
        let reply = |ticket: Ticket| (ticket, Reply::DeleteGroup(outcome.clone()));
        GroupEffects { records, replies: tickets.into_iter().map(reply).collect(), ..GroupEffects::default() }
    }

    /// Tombstones of a group that nobody is in, and whether those are all.
    fn deletion(&self, id: &str) -> Result<(Vec<Record>, bool), GroupError> {
        match self.groups.get(id) {
            Some(Group::Classic(group)) => group.check_delete()?,
            Some(Group::Consumer(group)) if group.is_empty() => {}
            Some(Group::Consumer(_)) => return Err(Refusal::NonEmptyGroup.into()),
            None if self.offsets.has(id) => {}
            None => return Err(not_found(id)),
        }
        let mut room = Room::of_a_batch();
        let mut records = self.offsets.delete_all(id, &mut room);
        if !room.is_used_up() {
            records.extend(self.tombstones(id));
        }
        Ok((records, !room.is_used_up()))
    }

    /// Tombstones of what is remembered of a group besides offsets. One that only has offsets gets that of a classic group:
    /// Apache Kafka makes such a group of them when it reads them, and keeps it until it sees this.
    fn tombstones(&self, id: &str) -> Vec<Record> {
        match self.groups.get(id) {
            Some(Group::Consumer(group)) => group.tombstones(),
            Some(Group::Classic(_)) | None => vec![Record::Group { group: id.to_owned(), value: None }],
        }
    }

    /// Tombstones for offsets and groups whose time is over, and the next look at them.
    pub(super) fn expire(&mut self, context: &Context<'_>) -> GroupEffects {
        let mut effects = GroupEffects::default();
        let managed = self.groups.keys().map(String::as_str);
        let simple = self.offsets.groups().filter(|group| !self.groups.contains_key(*group));
        let mut room = Room::of_a_batch();
        for id in managed.chain(simple) {
            effects.records.extend(self.expire_group(id, context, &mut room));
            if room.is_used_up() {
                break;
            }
        }
        let interval = u64::try_from(self.settings.offsets_check_interval_ms).unwrap_or(1).max(1);
        let wait = if room.is_used_up() { NEXT_PART } else { Duration::from_millis(interval) };
        self.timers.set(Timer::Expiry, Monotonic(context.monotonic.0.saturating_add(wait)));
        effects
    }

    fn expire_group(&self, id: &str, context: &Context<'_>, room: &mut Room) -> Vec<Record> {
        let group = self.groups.get(id);
        let base = match group {
            Some(Group::Classic(group)) => group.expiry_base(),
            Some(Group::Consumer(_)) | None => Some(ExpiryBase::Commit),
        };
        let is_subscribed = |topic: &str| group.is_some_and(|group| group.is_subscribed(topic));
        let Some(base) = base else { return Vec::new() };
        let expiry = Expiry { now: context.wall, retention_ms: self.settings.offsets_retention_ms, base };
        let (mut records, all_gone) = self.offsets.expired(id, expiry, is_subscribed, room);
        if all_gone && group.is_none_or(Group::is_empty) {
            records.extend(self.tombstones(id));
        }
        records
    }

    /// Tombstones for the offsets of deleted topics.
    pub(super) fn forget_topics(&mut self, context: &Context<'_>) -> GroupEffects {
        let is_gone = |name: &str| {
            let deleted = self.gone.iter().filter(|(_, deleted)| deleted.as_str() == name);
            let deleted: Vec<TopicId> = deleted.map(|(id, _)| *id).collect();
            let now = context.topics.by_name(name).map(|(id, _)| id);
            let (told, unseen) = (!deleted.is_empty(), self.gone_unseen);
            // A commit without an id is of whatever has the name.
            move |id: TopicId| {
                let was_told = if id.is_zero() { told } else { deleted.contains(&id) };
                was_told || unseen && now.is_none_or(|now| !id.is_zero() && id != now)
            }
        };
        let mut room = Room::of_a_batch();
        let records = self.offsets.delete_topics(is_gone, &mut room);
        if room.is_used_up() {
            self.timers.set(Timer::Gone, next_part(context));
        } else {
            self.gone.clear();
            self.gone_unseen = false;
        }
        GroupEffects { records, ..GroupEffects::default() }
    }
}

fn next_part(context: &Context<'_>) -> Monotonic {
    Monotonic(context.monotonic.0.saturating_add(NEXT_PART))
}
