//! JoinGroup (key 11), versions 0-9.
//!
//! Behavior: the group decides (`coordinator/group/classic`); the answer comes when all members have joined.
//!
//! Version notes: v1: rebalance timeout. v4: member ids are given first (KIP-394). v7: null protocol. v9: no assignment (KIP-814).
//!
//! Reference: Kafka `GroupMetadataManager.classicGroupJoin`.

use bytes::Bytes;

use super::coordinated::{ask, client, code};
use super::{Call, Outcome};
use crate::coordinator::group::event::{Event, JoinGroup, Joined, Reply};
use crate::wire::ErrorCode;
use crate::wire::messages::join_group::{
    JoinGroupFacts, JoinGroupRequest, JoinGroupResponse, JoinGroupResponseMember,
};

pub fn handle(call: Call<'_>, request: JoinGroupRequest, facts: JoinGroupFacts) -> Outcome<JoinGroupResponse> {
    let rebalance =
        if facts.rebalance_timeout_given { request.rebalance_timeout_ms } else { request.session_timeout_ms };
    let asked = request.member_id.clone();
    // Copied: a group must not keep the whole request alive.
    let protocols = request.protocols.into_iter();
    let protocols = protocols.map(|protocol| (protocol.name, Bytes::copy_from_slice(&protocol.metadata)));
    let event = Event::JoinGroup(JoinGroup {
        group: request.group_id.clone(),
        client: client(&call),
        session_timeout_ms: request.session_timeout_ms,
        rebalance_timeout_ms: rebalance,
        member_id: request.member_id,
        instance_id: request.group_instance_id,
        protocol_type: request.protocol_type,
        protocols: protocols.collect(),
        reason: request.reason,
        member_id_required: facts.member_id_required,
        may_skip_assignment: facts.may_skip_assignment,
    });
    ask(&call, &request.group_id, event, move |reply| match reply {
        Ok(Reply::JoinGroup(Ok(joined))) => accepted(joined, facts),
        Ok(Reply::JoinGroup(Err(refused))) => failed(code(&refused.error), refused.member_id, facts),
        Ok(_) => failed(ErrorCode::UNKNOWN_SERVER_ERROR, asked, facts),
        Err(error) => failed(error, asked, facts),
    })
}

fn accepted(joined: Joined, facts: JoinGroupFacts) -> JoinGroupResponse {
    let member = |(member_id, group_instance_id, metadata)| JoinGroupResponseMember {
        member_id,
        group_instance_id,
        metadata,
    };
    JoinGroupResponse {
        generation_id: joined.generation,
        protocol_type: joined.protocol_type,
        protocol_name: name(joined.protocol, facts),
        leader: joined.leader,
        skip_assignment: joined.skip_assignment,
        member_id: joined.member_id,
        members: joined.members.into_iter().map(member).collect(),
        ..JoinGroupResponse::default()
    }
}

fn failed(error_code: ErrorCode, member_id: String, facts: JoinGroupFacts) -> JoinGroupResponse {
    JoinGroupResponse { error_code, member_id, protocol_name: name(None, facts), ..JoinGroupResponse::default() }
}

fn name(protocol: Option<String>, facts: JoinGroupFacts) -> Option<String> {
    if facts.protocol_may_be_null { protocol } else { Some(protocol.unwrap_or_default()) }
}
