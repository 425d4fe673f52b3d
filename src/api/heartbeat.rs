//! Heartbeat (key 12), versions 0-4.
//!
//! Behavior: the group decides; REBALANCE_IN_PROGRESS tells the member to join again.
//!
//! Reference: Kafka `GroupMetadataManager.classicGroupHeartbeat`.

use super::coordinated::{ask, code_of};
use super::{Call, Outcome};
use crate::coordinator::group::event::{Event, Heartbeat, Reply};
use crate::wire::ErrorCode;
use crate::wire::messages::heartbeat::{HeartbeatRequest, HeartbeatResponse};

pub fn handle(call: Call<'_>, request: HeartbeatRequest, (): ()) -> Outcome<HeartbeatResponse> {
    let group = request.group_id;
    let event = Event::Heartbeat(Heartbeat {
        group: group.clone(),
        generation: request.generation_id,
        member_id: request.member_id,
        instance_id: request.group_instance_id,
    });
    ask(&call, &group, event, |reply| {
        let error_code = match reply {
            Ok(Reply::Heartbeat(outcome)) => code_of(&outcome),
            Ok(_) => ErrorCode::UNKNOWN_SERVER_ERROR,
            // Who is alive need not do anything, as by Kafka.
            Err(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS) => ErrorCode::NONE,
            Err(error) => error,
        };
        HeartbeatResponse { error_code, ..HeartbeatResponse::default() }
    })
}
