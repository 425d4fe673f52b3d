//! What every handler can reach: the broker, the connection's session, the caller.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use parking_lot::Mutex;

use super::fetch::sessions::FetchSessions;
use super::heavy::Heavy;
use super::outcome::Dispatched;
use crate::base::clock::{Clock, Monotonic};
use crate::base::metrics::Metrics;
use crate::coordinator::Groups;
use crate::settings::Settings;
use crate::topics::Registry;
use crate::wire::{ApiKey, RequestHeader};

/// The running broker, as requests see it.
pub struct Broker {
    pub node_id: i32,
    pub cluster_id: String,
    /// Where clients of each listener are sent.
    pub advertised: HashMap<Arc<str>, Advertised>,
    pub registry: Arc<Registry>,
    pub groups: Arc<Groups>,
    pub settings: Arc<Settings>,
    pub fetch_sessions: FetchSessions,
    pub clock: Arc<dyn Clock>,
    pub metrics: Arc<Metrics>,
    pub limits: Limits,
    /// Set once the broker stops: a fetch that waits answers with what there is.
    pub stopping: AtomicBool,
    pub complaints: Complaints,
    pub heavy: Heavy,
}

/// The address that a listener's clients are told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Advertised {
    /// The one of `advertised.listeners`.
    Configured { host: String, port: u16 },
    /// The address that the client connected to.
    AsConnected,
}

/// Bounds of connections, from the configuration.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// `socket.request.max.bytes`.
    pub request_bytes_max: usize,
    /// `connections.max.idle.ms`.
    pub connection_idle: Duration,
    /// `klamm.request.progress.ms`: how long a request that was begun may bring next to nothing.
    pub request_progress: Duration,
    /// `klamm.send.stall.ms`: how long a peer may take nothing of its answers.
    pub send_stall: Duration,
    /// `klamm.connection.queued.requests`.
    pub replies_max: usize,
    /// `klamm.connection.queued.bytes`.
    pub reply_bytes_max: usize,
    /// `max.request.partition.size.limit`.
    pub partitions_per_page_max: usize,
    /// `fetch.max.bytes`.
    pub fetch_bytes_max: usize,
}

/// What is remembered of a connection between its requests.
#[derive(Clone)]
pub struct Session {
    pub listener: Arc<str>,
    /// The address that the client connected to.
    pub local: Option<SocketAddr>,
    pub peer: SocketAddr,
    /// Name and version of the client's library, if it told them (KIP-511).
    pub software: Option<Box<(String, String)>>,
}

impl Session {
    pub fn new(listener: Arc<str>, local: Option<SocketAddr>, peer: SocketAddr) -> Session {
        Session { listener, local, peer, software: None }
    }
}

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.peer)?;
        match self.software.as_deref() {
            Some((name, release)) => write!(f, " ({name} {release})"),
            None => Ok(()),
        }
    }
}

/// One request being handled.
pub struct Call<'a> {
    pub broker: &'a Arc<Broker>,
    pub session: &'a mut Session,
    pub client_id: Option<&'a str>,
    /// On a thread of low priority (`heavy.rs`): nothing that others wait for may be done here.
    pub is_aside: bool,
}

impl Call<'_> {
    /// Closes the connection over a key or version that is not served, as Kafka does.
    pub(super) fn refuse_unsupported(&self, header: &RequestHeader) -> Dispatched {
        self.broker.metrics.requests_unsupported.add(1);
        let name = ApiKey::from_i16(header.api_key).map_or("unknown", ApiKey::name);
        let what = format!("{name} (key {}) version {} is not served", header.api_key, header.api_version);
        self.broker.complaints.say(self.session, &what);
        Dispatched::Close
    }
}

impl Broker {
    /// Closes the connection over bytes that are not a request.
    pub(super) fn refuse_malformed(&self, session: &Session, error: &dyn fmt::Display) -> Dispatched {
        self.metrics.requests_malformed.add(1);
        self.complaints.say(session, error);
        Dispatched::Close
    }

    /// Host and port that this connection's client is told to connect to.
    pub fn advertised_to(&self, session: &Session) -> (String, i32) {
        match (self.advertised.get(&session.listener), session.local) {
            (Some(Advertised::Configured { host, port }), _) => (host.clone(), i32::from(*port)),
            (_, Some(local)) => (local.ip().to_canonical().to_string(), i32::from(local.port())),
            (_, None) => ("localhost".to_owned(), 0),
        }
    }
}

/// Log lines about misbehaving peers: a few at once, then one in a while with the number left out, so that a flood of garbage
/// does not become a flood of lines.
pub struct Complaints {
    clock: Arc<dyn Clock>,
    state: Mutex<ComplaintState>,
}

#[derive(Default)]
struct ComplaintState {
    window: Monotonic,
    said: u32,
    left_out: u64,
}

const COMPLAINTS_PER_WINDOW: u32 = 10;
const COMPLAINT_WINDOW: Duration = Duration::from_secs(10);

impl Complaints {
    pub fn new(clock: Arc<dyn Clock>) -> Complaints {
        Complaints { clock, state: Mutex::default() }
    }

    /// Says something odd of a client that goes on.
    pub fn note(&self, session: &Session, what: &dyn fmt::Display) {
        if let Some(left_out) = self.turn() {
            tracing::warn!(client = %session, %what, left_out, "client");
        }
    }

    /// Says why a connection is being closed, unless too much was said lately.
    pub fn say(&self, session: &Session, why: &dyn fmt::Display) {
        if let Some(left_out) = self.turn() {
            tracing::warn!(client = %session, reason = %why, left_out, "connection closed");
        }
    }

    /// Whether one more line may be said now, and how many were left out before it.
    fn turn(&self) -> Option<u64> {
        let now = self.clock.monotonic();
        let mut state = self.state.lock();
        if now.0.saturating_sub(state.window.0) >= COMPLAINT_WINDOW {
            state.window = now;
            state.said = 0;
        }
        if state.said >= COMPLAINTS_PER_WINDOW {
            state.left_out += 1;
            return None;
        }
        state.said += 1;
        Some(std::mem::take(&mut state.left_out))
    }
}
