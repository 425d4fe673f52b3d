//! SyncGroup (key 14), versions 0-5.
//!
//! Behavior: the group decides; a member's answer comes when its leader has assigned and the generation is durable.
//!
//! Version notes: v5: protocol type and name must be named, and are checked (KIP-559).
//!
//! Reference: Kafka `GroupMetadataManager.classicGroupSync`.

use bytes::Bytes;

use super::coordinated::{ask, code};
use super::{Call, Outcome};
use crate::coordinator::group::event::{Event, Reply, SyncGroup};
use crate::wire::ErrorCode;
use crate::wire::messages::sync_group::{SyncGroupFacts, SyncGroupRequest, SyncGroupResponse};

pub fn handle(call: Call<'_>, request: SyncGroupRequest, facts: SyncGroupFacts) -> Outcome<SyncGroupResponse> {
    if facts.protocol_required && (request.protocol_type.is_none() || request.protocol_name.is_none()) {
        return Outcome::Now(failed(ErrorCode::INCONSISTENT_GROUP_PROTOCOL));
    }
    // Copied: a group must not keep the whole request alive.
    let copied = |bytes: &Bytes| Bytes::copy_from_slice(bytes);
    let assignments = request.assignments.into_iter().map(|given| (given.member_id, copied(&given.assignment))).collect();
    let event = Event::SyncGroup(SyncGroup {
        group: request.group_id.clone(),
        generation: request.generation_id,
        member_id: request.member_id,
        instance_id: request.group_instance_id,
        protocol_type: request.protocol_type,
        protocol: request.protocol_name,
        assignments,
    });
    ask(&call, &request.group_id, event, |reply| match reply {
        Ok(Reply::SyncGroup(Ok(synced))) => SyncGroupResponse {
            protocol_type: synced.protocol_type,
            protocol_name: synced.protocol,
            assignment: synced.assignment,
            ..SyncGroupResponse::default()
        },
        Ok(Reply::SyncGroup(Err(error))) => failed(code(&error)),
        Ok(_) => failed(ErrorCode::UNKNOWN_SERVER_ERROR),
        Err(error) => failed(error),
    })
}

fn failed(error_code: ErrorCode) -> SyncGroupResponse {
    SyncGroupResponse { error_code, ..SyncGroupResponse::default() }
}
