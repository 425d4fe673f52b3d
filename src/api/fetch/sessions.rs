//! Incremental fetch sessions (KIP-227): what a consumer fetches is remembered, so that a request names only what changed and
//! an answer carries only what moved.
//!
//! A session is found by its id and moves on by its epoch, which rises with each request and wraps from `i32::MAX` to 1.
//!
//! References: Kafka `FetchSession.java`, `FetchManager`, `FetchMetadata.java`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::{Row, TopicRef, Want};
use crate::base::clock::{Clock, Monotonic};
use crate::wire::ErrorCode;
use crate::wire::messages::fetch::{ForgottenTopic, FetchRequest};

const INITIAL_EPOCH: i32 = 0;
const FINAL_EPOCH: i32 = -1;

/// A session that was used within this time is not given up for a new one (Kafka `MIN_INCREMENTAL_FETCH_SESSION_EVICTION_MS`).
const EVICTION_AGE: Duration = Duration::from_secs(120);

/// How one fetch takes part in a session.
pub enum Membership {
    /// No session: everything asked is answered.
    None,
    /// Everything is answered, and a session begins if there is room.
    Start,
    /// What changed is answered, if the session is still at this epoch when the answer leaves.
    Continue { session: Arc<Mutex<FetchSession>>, epoch: i32 },
}

/// One session.
pub struct FetchSession {
    id: i32,
    /// The epoch that the next request must carry.
    epoch: i32,
    by_id: bool,
    /// In the order of service: a partition that was answered with records goes to the end, so that all get their turn.
    partitions: BTreeMap<u64, Remembered>,
    places: HashMap<(TopicRef, i32), u64>,
    next_place: u64,
    last_used: Monotonic,
}

struct Remembered {
    want: Want,
    high_watermark: i64,
    log_start: i64,
}

/// All sessions of the broker, bounded by `max.incremental.fetch.session.cache.slots`.
pub struct FetchSessions {
    sessions: Mutex<HashMap<i32, Arc<Mutex<FetchSession>>>>,
    slots: usize,
    clock: Arc<dyn Clock>,
    next_id: Mutex<u32>,
}

fn epoch_after(epoch: i32) -> i32 {
    if epoch == i32::MAX { 1 } else { epoch + 1 }
}

impl FetchSessions {
    /// `seed` sets the first session id apart from those of an earlier run.
    pub fn new(slots: usize, clock: Arc<dyn Clock>, seed: u32) -> FetchSessions {
        FetchSessions { sessions: Mutex::default(), slots, clock, next_id: Mutex::new(seed) }
    }

    /// Finds what a request fetches, and how its answer is to be filtered.
    ///
    /// # Errors
    /// `FETCH_SESSION_ID_NOT_FOUND`, `INVALID_FETCH_SESSION_EPOCH`, `FETCH_SESSION_TOPIC_ID_ERROR`: the client then begins anew.
    pub fn enter(&self, request: FetchRequest, by_id: bool) -> Result<(Vec<Want>, Membership), ErrorCode> {
        let (id, epoch) = (request.session_id, request.session_epoch);
        if epoch == INITIAL_EPOCH || epoch == FINAL_EPOCH {
            if id != 0 {
                self.sessions.lock().remove(&id);
            }
            let membership = if epoch == FINAL_EPOCH { Membership::None } else { Membership::Start };
            return Ok((super::wants(request.topics, by_id), membership));
        }
        let session = self.sessions.lock().get(&id).cloned().ok_or(ErrorCode::FETCH_SESSION_ID_NOT_FOUND)?;
        let mut state = session.lock();
        if state.epoch != epoch {
            return Err(ErrorCode::INVALID_FETCH_SESSION_EPOCH);
        }
        if state.by_id != by_id {
            return Err(ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR);
        }
        state.update(super::wants(request.topics, by_id), &request.forgotten_topics_data);
        state.last_used = self.clock.monotonic();
        if state.partitions.is_empty() {
            // `start` locks them the other way round.
            drop(state);
            self.sessions.lock().remove(&id);
            return Ok((Vec::new(), Membership::None));
        }
        state.epoch = epoch_after(epoch);
        let wants = state.partitions.values().map(|remembered| remembered.want.clone()).collect();
        let epoch = state.epoch;
        drop(state);
        Ok((wants, Membership::Continue { session, epoch }))
    }

    /// Filters the rows of an answer and notes what was sent. Returns the session id that the answer carries.
    ///
    /// # Errors
    /// `INVALID_FETCH_SESSION_EPOCH`, with the session's id, if another request went on with the session meanwhile.
    pub fn leave(&self, membership: Membership, rows: Vec<Row>, by_id: bool) -> Result<(i32, Vec<Row>), (ErrorCode, i32)> {
        match membership {
            Membership::None => Ok((0, rows)),
            Membership::Start => Ok((self.start(&rows, by_id), rows)),
            Membership::Continue { session, epoch } => {
                let mut state = session.lock();
                if state.epoch != epoch {
                    return Err((ErrorCode::INVALID_FETCH_SESSION_EPOCH, state.id));
                }
                let changed = rows.into_iter().filter(|row| state.note(row)).collect();
                Ok((state.id, changed))
            }
        }
    }

    fn start(&self, rows: &[Row], by_id: bool) -> i32 {
        if rows.is_empty() || self.slots == 0 {
            return 0;
        }
        let now = self.clock.monotonic();
        let mut sessions = self.sessions.lock();
        if sessions.len() >= self.slots {
            let oldest = sessions.iter().min_by_key(|(_, session)| session.lock().last_used);
            let Some((&id, session)) = oldest else { return 0 };
            if now.0.saturating_sub(session.lock().last_used.0) < EVICTION_AGE {
                return 0;
            }
            sessions.remove(&id);
        }
        let mut next = self.next_id.lock();
        let id = loop {
            *next = next.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let id = (*next >> 1).cast_signed();
            if id != 0 && !sessions.contains_key(&id) {
                break id;
            }
        };
        let mut session = FetchSession {
            id,
            epoch: 1,
            by_id,
            partitions: BTreeMap::new(),
            places: HashMap::new(),
            next_place: 0,
            last_used: now,
        };
        session.update(rows.iter().map(|row| row.want.clone()).collect(), &[]);
        for row in rows {
            session.note(row);
        }
        sessions.insert(id, Arc::new(Mutex::new(session)));
        id
    }
}

impl FetchSession {
    fn update(&mut self, wants: Vec<Want>, forgotten: &[ForgottenTopic]) {
        for want in wants {
            let key = (want.topic.clone(), want.partition);
            match self.places.get(&key).and_then(|place| self.partitions.get_mut(place)) {
                Some(remembered) => remembered.want = want,
                None => {
                    self.places.insert(key, self.next_place);
                    self.partitions.insert(self.next_place, Remembered { want, high_watermark: -1, log_start: -1 });
                    self.next_place += 1;
                }
            }
        }
        for topic in forgotten {
            let reference = TopicRef::new(&topic.topic, topic.topic_id, self.by_id);
            for partition in &topic.partitions {
                if let Some(place) = self.places.remove(&(reference.clone(), *partition)) {
                    self.partitions.remove(&place);
                }
            }
        }
    }

    /// Notes what a row tells the client; true if the row tells anything new.
    fn note(&mut self, row: &Row) -> bool {
        let key = (row.want.topic.clone(), row.want.partition);
        let Some(place) = self.places.get(&key).copied() else { return true };
        let Some(remembered) = self.partitions.get_mut(&place) else { return true };
        let moved = remembered.high_watermark != row.high_watermark || remembered.log_start != row.log_start;
        let has_records = !row.records.is_empty();
        let failed = row.error != ErrorCode::NONE;
        remembered.high_watermark = if failed { -1 } else { row.high_watermark };
        remembered.log_start = if failed { -1 } else { row.log_start };
        if has_records && let Some(remembered) = self.partitions.remove(&place) {
            self.partitions.insert(self.next_place, remembered);
            self.places.insert(key, self.next_place);
            self.next_place += 1;
        }
        moved || has_records || failed || row.diverging.is_some()
    }
}
