//! LeaveGroup (key 13), versions 0-5.
//!
//! Behavior: the group decides, member by member.
//!
//! Version notes: v3: many members, static ones by their instance (KIP-345).
//!
//! Reference: Kafka `GroupMetadataManager.classicGroupLeave`.

use super::coordinated::{ask, code, code_of};
use super::{Call, Outcome};
use crate::coordinator::group::event::{Event, LeaveGroup, LeavingMember, Left, Reply};
use crate::wire::ErrorCode;
use crate::wire::messages::leave_group::{LeaveGroupFacts, LeaveGroupRequest, LeaveGroupResponse, MemberResponse};

pub fn handle(call: Call<'_>, request: LeaveGroupRequest, facts: LeaveGroupFacts) -> Outcome<LeaveGroupResponse> {
    let members = if facts.batched {
        let leaving = request.members.into_iter().map(|member| LeavingMember {
            member_id: member.member_id,
            instance_id: member.group_instance_id,
            reason: member.reason,
        });
        leaving.collect()
    } else {
        vec![LeavingMember { member_id: request.member_id, instance_id: None, reason: None }]
    };
    let event = Event::LeaveGroup(LeaveGroup { group: request.group_id.clone(), members });
    ask(&call, &request.group_id, event, move |reply| match reply {
        Ok(Reply::LeaveGroup(Ok(left))) => told(left, facts),
        Ok(Reply::LeaveGroup(Err(error))) => failed(code(&error)),
        Ok(_) => failed(ErrorCode::UNKNOWN_SERVER_ERROR),
        Err(error) => failed(error),
    })
}

fn told(left: Vec<Left>, facts: LeaveGroupFacts) -> LeaveGroupResponse {
    if !facts.batched {
        return failed(left.first().map_or(ErrorCode::NONE, |(_, outcome)| code_of(outcome)));
    }
    let member = |(member, outcome): Left| MemberResponse {
        member_id: member.member_id,
        group_instance_id: member.instance_id,
        error_code: code_of(&outcome),
    };
    LeaveGroupResponse { members: left.into_iter().map(member).collect(), ..LeaveGroupResponse::default() }
}

fn failed(error_code: ErrorCode) -> LeaveGroupResponse {
    LeaveGroupResponse { error_code, ..LeaveGroupResponse::default() }
}
