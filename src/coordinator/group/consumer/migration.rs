//! A group changes its protocol while members are in it (KIP-848): a classic one when the first member of the consumer protocol
//! comes, a consumer one when the last of them goes.
//!
//! Both ways the new group begins where the old one stood: its generation is the other's epoch, and what members were assigned they
//! still have. The members notice no more than a rebalance.
//!
//! References: Kafka `GroupMetadataManager.java` (`convertToConsumerGroup`, `convertToClassicGroup`, `validateOnline*`),
//! `ConsumerGroup.fromClassicGroup`, `ClassicGroup.fromConsumerGroup`.

use super::super::assignor::Assignment;
use super::super::classic::{CONSUMER, ClassicGroup, Member};
use super::super::event::{GroupError, Refusal};
use super::super::record::{
    ClassicMemberMetadata, ClassicProtocol, ConsumerGroupMetadataValue, ConsumerGroupTargetAssignmentMetadataValue,
    Record,
};
use super::super::scope::{GroupSettings, Scope};
use super::super::subscription::{self, ConsumerProtocolAssignment};
use super::heartbeat::refuse;
use super::{ConsumerGroup, ConsumerMember, classic, target_value};
use crate::coordinator::machine::Topics;

impl ConsumerGroup {
    /// The consumer group that a classic group becomes, and its records.
    ///
    /// # Errors
    /// `GroupIdNotFound` if it cannot become one.
    pub fn upgraded(
        group: &ClassicGroup,
        settings: &GroupSettings,
        topics: &dyn Topics,
    ) -> Result<(ConsumerGroup, Vec<Record>), GroupError> {
        let id = group.id();
        let fault = if !settings.upgrade_allowed {
            Some("online upgrade is disabled")
        } else if group.protocol_type() != Some(CONSUMER) {
            Some("the group does not use the consumer embedded protocol")
        } else if group.members().count() > settings.consumer_size_max {
            Some("the group size exceeds the consumer group maximum size")
        } else {
            None
        };
        let cannot = |why: &str| {
            let message = format!("Cannot upgrade classic group {id} to consumer group because {why}.");
            refuse(Refusal::GroupIdNotFound, message)
        };
        if let Some(fault) = fault {
            return Err(cannot(fault));
        }
        let mut upgraded = ConsumerGroup::new(id.to_owned());
        let mut targets = Vec::new();
        let mut currents = Vec::new();
        let mut records = vec![Record::Group { group: id.to_owned(), value: None }];
        for member in group.members() {
            let of = of_classic(member, group, topics).map_err(cannot)?;
            let (group, member) = (|| id.to_owned(), of.id.clone());
            records.push(Record::Member { group: group(), member: member.clone(), value: Some(of.metadata()) });
            let target = Some(target_value(of.assigned.clone()));
            targets.push(Record::Target { group: group(), member: member.clone(), value: target });
            currents.push(Record::Current { group: group(), member, value: Some(of.current()) });
        }
        let epoch = group.generation();
        let value = Some(ConsumerGroupMetadataValue { epoch, metadata_hash: 0 });
        records.push(Record::ConsumerGroup { group: id.to_owned(), value });
        records.extend(targets);
        let value =
            Some(ConsumerGroupTargetAssignmentMetadataValue { assignment_epoch: epoch, assignment_timestamp: 0 });
        records.push(Record::TargetEpoch { group: id.to_owned(), value });
        records.extend(currents);
        records.iter().for_each(|record| upgraded.replay(record.clone()));
        Ok((upgraded, records))
    }

    /// After an upgrade: the sessions of the members go on.
    pub fn expect_heartbeats(&self, scope: &mut Scope<'_, '_>) {
        self.members.values().for_each(|member| self.expect_heartbeat(scope, member));
    }

    /// True if any member speaks the consumer protocol.
    pub(super) fn has_consumers(&self) -> bool {
        self.members.values().any(|member| member.classic.is_none())
    }

    /// True if only members of the classic protocol are left, and the group may become one of theirs.
    pub(super) fn may_downgrade(&self, settings: &GroupSettings) -> bool {
        !self.members.is_empty()
            && !self.has_consumers()
            && settings.downgrade_allowed
            && self.members.len() <= settings.classic_size_max
    }

    /// Becomes a classic group; with `rebalance` its members come together anew.
    pub(super) fn downgrade(&self, scope: &mut Scope<'_, '_>, rebalance: bool) {
        let topics = scope.context.topics;
        let none = Assignment::new();
        let members = self.members.values().map(|member| {
            let target = self.targets.get(&member.id).unwrap_or(&none);
            to_classic(member, classic::assignment_for(member, target, topics))
        });
        let mut group = ClassicGroup::of_members(self.id.clone(), self.epoch, scope.context.wall, members.collect());
        for record in self.tombstones() {
            scope.record(record);
        }
        self.members.keys().for_each(|member| self.cancel_timers(scope, member));
        scope.record(group.record());
        group.loaded(scope);
        if rebalance {
            group.rebalance_anew(scope);
        }
        tracing::info!(group = %self.id, "consumer group became a classic group");
        scope.converted = Some(Box::new(group));
    }
}

fn of_classic(member: &Member, group: &ClassicGroup, topics: &dyn Topics) -> Result<ConsumerMember, &'static str> {
    const MALFORMED: &str = "the embedded consumer protocol is malformed";
    let metadata = match group.protocol() {
        Some(protocol) => member.metadata(Some(protocol)),
        None => member.protocols.first().map(|(_, metadata)| metadata.clone()).unwrap_or_default(),
    };
    let wishes = subscription::read(&metadata).ok_or(MALFORMED)?;
    // One that never synced was assigned nothing.
    let assignment = if member.assignment.is_empty() {
        ConsumerProtocolAssignment::default()
    } else {
        subscription::read_assignment(&member.assignment).ok_or(MALFORMED)?
    };
    if assignment.user_data.is_some_and(|data| !data.is_empty()) {
        return Err("an unsupported custom assignor is in use. \
                    Please refer to the documentation or switch to a default assignor before re-attempting the upgrade");
    }
    let mut assigned = Assignment::new();
    for topic in assignment.assigned_partitions {
        if let Some((id, _)) = topics.by_name(&topic.topic) {
            assigned.entry(id).or_default().extend(topic.partitions);
        }
    }
    let protocols = member.protocols.iter();
    let protocols =
        protocols.map(|(name, metadata)| ClassicProtocol { name: name.clone(), metadata: metadata.clone() });
    Ok(ConsumerMember {
        instance_id: member.instance_id.clone(),
        rack_id: wishes.rack_id,
        client: member.client.clone(),
        topics: wishes.topics.into_iter().collect(),
        rebalance_timeout_ms: member.rebalance_timeout_ms,
        classic: Some(ClassicMemberMetadata {
            session_timeout_ms: member.session_timeout_ms,
            supported_protocols: protocols.collect(),
        }),
        epoch: group.generation(),
        previous_epoch: group.generation(),
        assigned,
        ..ConsumerMember::new(member.id.clone())
    })
}

fn to_classic(member: &ConsumerMember, assignment: bytes::Bytes) -> Member {
    let classic = member.classic.clone().unwrap_or_default();
    let protocols = classic.supported_protocols.into_iter().map(|protocol| (protocol.name, protocol.metadata));
    Member::of_parts(
        member.id.clone(),
        member.instance_id.clone(),
        member.client.clone(),
        (classic.session_timeout_ms, member.rebalance_timeout_ms),
        protocols.collect(),
        assignment,
    )
}
