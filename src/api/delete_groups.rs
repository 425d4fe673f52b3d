//! DeleteGroups (key 42), versions 0-3.
//!
//! Behavior: a group that nobody is in goes with its offsets.
//!
//! Version notes: v3: error messages (KIP-1043).
//!
//! Reference: Kafka `GroupCoordinatorService.deleteGroups`.

use super::coordinated::{ask_each, code};
use super::{Call, Outcome};
use crate::coordinator::group::event::{Event, Reply};
use crate::wire::ErrorCode;
use crate::wire::messages::delete_groups::{DeletableGroupResult, DeleteGroupsRequest, DeleteGroupsResponse};

pub fn handle(call: Call<'_>, request: DeleteGroupsRequest, (): ()) -> Outcome<DeleteGroupsResponse> {
    let ids = request.groups_names;
    let groups = &call.broker.groups;
    let asked = ids.iter().map(|id| (groups.shell_of(id), Event::DeleteGroup(id.clone()))).collect();
    ask_each(asked, move |replies| {
        let results = ids.into_iter().zip(replies).map(|(group_id, reply)| {
            let error_code = match reply {
                Ok(Reply::DeleteGroup(Ok(()))) => ErrorCode::NONE,
                Ok(Reply::DeleteGroup(Err(error))) => code(&error),
                Ok(_) => ErrorCode::UNKNOWN_SERVER_ERROR,
                Err(error) => error,
            };
            // Kafka's coordinator fills in no texts here.
            DeletableGroupResult { group_id, error_code, error_message: None }
        });
        DeleteGroupsResponse { results: results.collect(), ..DeleteGroupsResponse::default() }
    })
}
