//! ConsumerGroupDescribe (key 69), versions 0-1.
//!
//! Behavior: groups of the consumer protocol in full.
//!
//! Version notes: v1: the protocol of each member (KIP-1099).
//!
//! Reference: Kafka `GroupMetadataManager.consumerGroupDescribe`.

use super::coordinated::{ask_each, code};
use super::describe_groups::GROUP_OPERATIONS;
use super::{Call, Outcome};
use crate::base::ids::{TopicId, TopicName};
use crate::coordinator::group::event::{DescribedConsumerGroup, DescribedConsumerMember, Event, Reply};
use crate::wire::ErrorCode;
use crate::wire::messages::OPERATIONS_NOT_ASKED;
use crate::wire::messages::consumer_group_describe::{
    Assignment, ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, DescribedGroup, Member, TopicPartitions,
};

pub fn handle(
    call: Call<'_>,
    request: ConsumerGroupDescribeRequest,
    (): (),
) -> Outcome<ConsumerGroupDescribeResponse> {
    let operations = if request.include_authorized_operations { GROUP_OPERATIONS } else { OPERATIONS_NOT_ASKED };
    let ids = request.group_ids;
    let groups = &call.broker.groups;
    let asked = ids.iter().map(|id| (groups.shell_of(id), Event::DescribeConsumerGroup(id.clone()))).collect();
    ask_each(asked, move |replies| {
        let groups = ids.into_iter().zip(replies).map(|(id, reply)| match reply {
            _ if id.is_empty() => failed(id, ErrorCode::INVALID_GROUP_ID, None),
            Ok(Reply::DescribeConsumerGroup(Ok(group))) => described(id, group, operations),
            Ok(Reply::DescribeConsumerGroup(Err(error))) => failed(id, code(&error), error.message),
            Ok(_) => failed(id, ErrorCode::UNKNOWN_SERVER_ERROR, None),
            Err(error) => failed(id, error, None),
        });
        ConsumerGroupDescribeResponse { groups: groups.collect(), ..ConsumerGroupDescribeResponse::default() }
    })
}

fn described(group_id: String, group: DescribedConsumerGroup, authorized_operations: i32) -> DescribedGroup {
    DescribedGroup {
        group_id,
        group_state: group.state.to_owned(),
        group_epoch: group.group_epoch,
        assignment_epoch: group.assignment_epoch,
        assignor_name: group.assignor,
        members: group.members.into_iter().map(member).collect(),
        authorized_operations,
        ..DescribedGroup::default()
    }
}

fn member(member: DescribedConsumerMember) -> Member {
    Member {
        member_id: member.member_id,
        instance_id: member.instance_id,
        rack_id: member.rack_id,
        member_epoch: member.member_epoch,
        client_id: member.client.id,
        client_host: member.client.host,
        subscribed_topic_names: member.subscribed_topics,
        subscribed_topic_regex: member.subscribed_regex,
        assignment: assignment(member.assignment),
        target_assignment: assignment(member.target),
        member_type: if member.is_classic { 0 } else { 1 },
    }
}

fn assignment(topics: Vec<(TopicId, TopicName, Vec<i32>)>) -> Assignment {
    let topic = |(topic_id, name, partitions): (TopicId, TopicName, Vec<i32>)| TopicPartitions {
        topic_id,
        topic_name: name.to_string(),
        partitions,
    };
    Assignment { topic_partitions: topics.into_iter().map(topic).collect() }
}

fn failed(group_id: String, error_code: ErrorCode, error_message: Option<String>) -> DescribedGroup {
    DescribedGroup { error_code, error_message, group_id, ..DescribedGroup::default() }
}
