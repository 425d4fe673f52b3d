//! ListGroups (key 16), versions 0-5.
//!
//! Behavior: every group of every partition of `__consumer_offsets`, filtered by state and type.
//!
//! Version notes: v4: states (KIP-518). v5: types (KIP-848).
//!
//! Reference: Kafka `GroupCoordinatorService.listGroups`.

use tokio::task::block_in_place;

use super::coordinated::ask_each;
use super::{Call, Outcome};
use crate::coordinator::group::event::{Event, ListGroups, ListedGroup as Listed, Reply};
use crate::wire::ErrorCode;
use crate::wire::messages::list_groups::{ListGroupsRequest, ListGroupsResponse, ListedGroup};

pub fn handle(call: Call<'_>, request: ListGroupsRequest, (): ()) -> Outcome<ListGroupsResponse> {
    let lower = |names: Vec<String>| names.iter().map(|name| name.to_lowercase()).collect();
    let filter = ListGroups { states: lower(request.states_filter), types: lower(request.types_filter) };
    let shells = call.broker.groups.shells().into_iter();
    let asked = shells.map(|shell| (Some(shell), Event::ListGroups(filter.clone()))).collect();
    let list = || ask_each(asked, |replies| {
        let mut groups = Vec::new();
        for reply in replies {
            match reply {
                Ok(Reply::ListGroups(listed)) => groups.extend(listed.into_iter().map(row)),
                Ok(_) => {}
                // The list would not be whole.
                Err(error_code) => return ListGroupsResponse { error_code, ..ListGroupsResponse::default() },
            }
        }
        ListGroupsResponse { groups, error_code: ErrorCode::NONE, ..ListGroupsResponse::default() }
    });
    // There may be a hundred thousand.
    block_in_place(list)
}

fn row(listed: Listed) -> ListedGroup {
    ListedGroup {
        group_id: listed.group,
        protocol_type: listed.protocol_type,
        group_state: listed.state.to_owned(),
        group_type: listed.kind.to_owned(),
    }
}
