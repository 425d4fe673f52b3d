//! SyncGroup (key 14), versions 0-5.
//!
//! Behavior: the group decides; a member's answer comes when its leader has assigned and the generation is durable.
//!
//! Version notes: v5: protocol type and name are checked (KIP-559).
//!
//! Reference: Kafka `GroupMetadataManager.classicGroupSync`.

use super::coordinated::{ask, code};
use super::{Call, Outcome};
use crate::coordinator::group::event::{Event, Reply, SyncGroup};
use crate::wire::ErrorCode;
use crate::wire::messages::sync_group::{SyncGroupRequest, SyncGroupResponse};

pub fn handle(call: Call<'_>, request: SyncGroupRequest, (): ()) -> Outcome<SyncGroupResponse> {
    let assignments = request.assignments.into_iter().map(|given| (given.member_id, given.assignment)).collect();
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
