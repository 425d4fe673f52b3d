//! DescribeGroups (key 15), versions 0-6.
//!
//! Behavior: classic groups in full. A group that is not there, or of another protocol, is dead to v5 and not found from v6 on.
//!
//! Version notes: v3: authorized operations (KIP-430). v6: GROUP_ID_NOT_FOUND (KIP-1043).
//!
//! Reference: Kafka `GroupMetadataManager.describeGroups`.

use super::coordinated::{ask_each, code};
use super::{Call, Outcome};
use crate::coordinator::group::event::{DescribedGroup as Group, DescribedMember, Event, Reply};
use crate::wire::ErrorCode;
use crate::wire::messages::OPERATIONS_NOT_ASKED;
use crate::wire::messages::describe_groups::{
    DescribeGroupsFacts, DescribeGroupsRequest, DescribeGroupsResponse, DescribedGroup, DescribedGroupMember,
};

/// What may be done with a group where nothing is forbidden: read, delete, describe, describe and alter configs.
pub(super) const GROUP_OPERATIONS: i32 = 1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11;

pub fn handle(
    call: Call<'_>,
    request: DescribeGroupsRequest,
    facts: DescribeGroupsFacts,
) -> Outcome<DescribeGroupsResponse> {
    let operations = if request.include_authorized_operations { GROUP_OPERATIONS } else { OPERATIONS_NOT_ASKED };
    let ids = request.groups;
    let groups = &call.broker.groups;
    let asked = ids.iter().map(|id| (groups.shell_of(id), Event::DescribeGroup(id.clone()))).collect();
    ask_each(asked, move |replies| {
        let groups = ids.into_iter().zip(replies).map(|(id, reply)| match reply {
            Ok(Reply::DescribeGroup(Ok(group))) => described(id, group, operations),
            Ok(Reply::DescribeGroup(Err(error))) => {
                let error_code = code(&error);
                if error_code == ErrorCode::GROUP_ID_NOT_FOUND && !facts.knows_group_id_not_found {
                    return dead(id, ErrorCode::NONE, None, operations);
                }
                dead(id, error_code, error.message, operations)
            }
            Ok(_) => dead(id, ErrorCode::UNKNOWN_SERVER_ERROR, None, OPERATIONS_NOT_ASKED),
            Err(error) => DescribedGroup { error_code: error, group_id: id, ..DescribedGroup::default() },
        });
        DescribeGroupsResponse { groups: groups.collect(), ..DescribeGroupsResponse::default() }
    })
}

fn described(group_id: String, group: Group, authorized_operations: i32) -> DescribedGroup {
    let member = |member: DescribedMember| DescribedGroupMember {
        member_id: member.member_id,
        group_instance_id: member.instance_id,
        client_id: member.client.id,
        client_host: member.client.host,
        member_metadata: member.metadata,
        member_assignment: member.assignment,
    };
    DescribedGroup {
        group_id,
        group_state: group.state.to_owned(),
        protocol_type: group.protocol_type,
        protocol_data: group.protocol,
        members: group.members.into_iter().map(member).collect(),
        authorized_operations,
        ..DescribedGroup::default()
    }
}

fn dead(group_id: String, error_code: ErrorCode, error_message: Option<String>, operations: i32) -> DescribedGroup {
    DescribedGroup {
        error_code,
        error_message,
        group_id,
        group_state: "Dead".to_owned(),
        authorized_operations: operations,
        ..DescribedGroup::default()
    }
}
