//! ListPartitionReassignments (key 46), version 0.
//!
//! Behavior: nothing ever moves: there is one broker. What is unknown is left out, as by Kafka.
//!
//! Reference: Kafka `ReplicationControlManager.listPartitionReassignments` (KIP-455).

use super::{Call, Outcome};
use crate::wire::messages::list_partition_reassignments::{
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse,
};

pub fn handle(
    _: Call<'_>,
    _: ListPartitionReassignmentsRequest,
    (): (),
) -> Outcome<ListPartitionReassignmentsResponse> {
    Outcome::Now(ListPartitionReassignmentsResponse { error_message: None, ..Default::default() })
}
