//! A member of a classic group.

use bytes::Bytes;

use super::super::event::{Client, JoinGroup, Refusal, Reply};
use super::super::record::MemberMetadata;
use super::super::scope::Scope;
use super::refuse_join;
use crate::coordinator::machine::Ticket;

/// What a member comes to in memory, about, without names and what it says.
const MEMBER_BYTES: usize = 1200;

/// One member.
#[derive(Clone, Debug)]
pub struct Member {
    pub id: String,
    pub instance_id: Option<String>,
    pub client: Client,
    pub session_timeout_ms: i32,
    pub rebalance_timeout_ms: i32,
    /// Name and metadata, the most wanted first.
    pub protocols: Vec<(String, Bytes)>,
    pub assignment: Bytes,
    /// Its JoinGroup that waits for the others.
    pub(super) awaiting_join: Option<Ticket>,
    /// Its SyncGroup that waits for the leader.
    pub(super) awaiting_sync: Option<Ticket>,
    /// It has not been told of a generation yet.
    pub(super) is_new: bool,
}

impl Member {
    pub(super) fn new(id: String, request: &JoinGroup) -> Member {
        Member {
            id,
            instance_id: request.instance_id.clone(),
            client: request.client.clone(),
            session_timeout_ms: request.session_timeout_ms,
            rebalance_timeout_ms: request.rebalance_timeout_ms,
            protocols: request.protocols.clone(),
            assignment: Bytes::new(),
            awaiting_join: None,
            awaiting_sync: None,
            is_new: true,
        }
    }

    /// A member that is in the middle of a generation. `timeouts_ms`: of its session and of a rebalance.
    pub fn of_parts(
        id: String,
        instance_id: Option<String>,
        client: Client,
        timeouts_ms: (i32, i32),
        protocols: Vec<(String, Bytes)>,
        assignment: Bytes,
    ) -> Member {
        Member {
            id,
            instance_id,
            client,
            session_timeout_ms: timeouts_ms.0,
            rebalance_timeout_ms: timeouts_ms.1,
            protocols,
            assignment,
            awaiting_join: None,
            awaiting_sync: None,
            is_new: false,
        }
    }

    pub(super) fn from_record(value: &MemberMetadata, protocol: Option<&str>) -> Member {
        // Version 0 knew one timeout only.
        let rebalance = if value.rebalance_timeout == -1 { value.session_timeout } else { value.rebalance_timeout };
        Member::of_parts(
            value.member_id.clone(),
            value.group_instance_id.clone(),
            Client { id: value.client_id.clone(), host: value.client_host.clone() },
            (value.session_timeout, rebalance),
            vec![(protocol.unwrap_or_default().to_owned(), value.subscription.clone())],
            value.assignment.clone(),
        )
    }

    /// What it says under a protocol; empty if it does not know it.
    pub fn metadata(&self, protocol: Option<&str>) -> Bytes {
        let found = self.protocols.iter().find(|(name, _)| Some(name.as_str()) == protocol);
        found.map(|(_, metadata)| metadata.clone()).unwrap_or_default()
    }

    /// About what it takes in the log, besides its assignment.
    pub(super) fn bytes(&self) -> usize {
        let protocols: usize = self.protocols.iter().map(|(name, metadata)| name.len() + metadata.len()).sum();
        protocols + self.id.len() + self.client.id.len() + self.client.host.len()
    }

    /// What it comes to in memory, about.
    pub(super) fn weight(&self) -> usize {
        let instance = self.instance_id.as_ref().map_or(0, String::len);
        MEMBER_BYTES + self.bytes() + 5 * self.id.len() + 3 * instance + self.assignment.len()
    }

    pub(super) fn supports(&self, protocol: &str) -> bool {
        self.protocols.iter().any(|(name, _)| name == protocol)
    }

    pub(super) fn update(&mut self, request: &JoinGroup) {
        self.protocols.clone_from(&request.protocols);
        self.session_timeout_ms = request.session_timeout_ms;
        self.rebalance_timeout_ms = request.rebalance_timeout_ms;
        self.client.clone_from(&request.client);
    }

    /// Refuses the requests of the member that wait.
    pub(super) fn refuse_waiting(&mut self, scope: &mut Scope<'_, '_>, refusal: Refusal) {
        if let Some(ticket) = self.awaiting_join.take() {
            scope.reply(ticket, refuse_join(refusal, self.id.clone()));
        }
        if let Some(ticket) = self.awaiting_sync.take() {
            scope.reply(ticket, Reply::SyncGroup(Err(refusal.into())));
        }
    }
}
