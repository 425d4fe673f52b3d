//! The requests of consumer groups, encoded by hand as in `wire.rs`.
//!
//! One version of each, all flexible: OffsetCommit 9, OffsetFetch 9, FindCoordinator 4, JoinGroup 9, Heartbeat 4, SyncGroup 5,
//! ConsumerGroupHeartbeat 1.

use std::time::{Duration, Instant};

use crate::Fallible;
use crate::wire::{Connection, Decoder, Encoder, TopicId};

const OFFSET_COMMIT: i16 = 8;
const OFFSET_FETCH: i16 = 9;
const FIND_COORDINATOR: i16 = 10;
const JOIN_GROUP: i16 = 11;
const HEARTBEAT: i16 = 12;
const SYNC_GROUP: i16 = 14;
const CONSUMER_GROUP_HEARTBEAT: i16 = 68;

/// Kafka's error codes that are answers here.
pub const NONE: i16 = 0;
pub const ILLEGAL_GENERATION: i16 = 22;
pub const UNKNOWN_MEMBER_ID: i16 = 25;
pub const REBALANCE_IN_PROGRESS: i16 = 27;
pub const MEMBER_ID_REQUIRED: i16 = 79;
pub const FENCED_MEMBER_EPOCH: i16 = 110;
/// The coordinator loads, is not there yet, or is elsewhere.
const COMING: [i16; 3] = [14, 15, 16];

/// So long that no member is lost while a run is busy elsewhere.
const SESSION_MS: i32 = 300_000;
const PATIENCE: Duration = Duration::from_secs(120);

/// An error that is no answer.
fn unexpected(what: &str, error: i16) -> Box<dyn std::error::Error + Send + Sync> {
    format!("{what} answered error {error}").into()
}

/// Asks until the coordinators of all these groups answer: the first to ask makes their topic.
pub fn find_coordinators(port: u16, groups: &[String]) -> Fallible<()> {
    let mut to = Encoder::request(FIND_COORDINATOR, 4, 0);
    to.i8(0).length(groups.len());
    for group in groups {
        to.text(group);
    }
    to.tags();
    let request = to.finish();
    let (mut connection, mut response) = (Connection::open(port)?, Vec::new());
    until_it_is_there(|| {
        let mut from = Decoder::new(connection.call(&request, &mut response)?);
        from.i32()?;
        from.tags()?;
        from.i32()?;
        let mut worst = NONE;
        for _ in 0..from.length()? {
            from.text()?;
            from.i32()?;
            from.text()?;
            from.i32()?;
            worst = worst.max(from.i16()?);
            from.text()?;
            from.tags()?;
        }
        Ok((worst, ()))
    })
    .and_then(|(error, ())| if error == NONE { Ok(()) } else { Err(unexpected("FindCoordinator", error)) })
}

/// Asks again while the coordinator is not there yet.
fn until_it_is_there<T>(mut ask: impl FnMut() -> Fallible<(i16, T)>) -> Fallible<(i16, T)> {
    let started = Instant::now();
    loop {
        let (error, answer) = ask()?;
        if !COMING.contains(&error) {
            return Ok((error, answer));
        }
        if started.elapsed() > PATIENCE {
            return Err("the coordinator has not come in two minutes".into());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A member of a group of the classic protocol, and its connection.
pub struct Classic {
    pub connection: Connection,
    response: Vec<u8>,
    group: String,
    topic: String,
    pub member: String,
    pub generation: i32,
    /// All members, if it is to assign.
    others: Vec<String>,
}

impl Classic {
    pub fn open(port: u16, group: &str, topic: &str) -> Fallible<Classic> {
        Ok(Classic {
            connection: Connection::open(port)?,
            response: Vec::new(),
            group: group.to_owned(),
            topic: topic.to_owned(),
            member: String::new(),
            generation: -1,
            others: Vec::new(),
        })
    }

    /// Asks for a member id (KIP-394). The group's next generation waits for who has asked and not joined.
    pub fn take_id(&mut self) -> Fallible<()> {
        let (error, ()) = until_it_is_there(|| {
            self.send_join()?;
            Ok((self.receive_join()?, ()))
        })?;
        if error == MEMBER_ID_REQUIRED { Ok(()) } else { Err(unexpected("the first JoinGroup", error)) }
    }

    pub fn send_join(&mut self) -> Fallible<()> {
        let mut subscription = vec![0, 0, 0, 0, 0, 1];
        subscription.extend((self.topic.len() as u16).to_be_bytes());
        subscription.extend(self.topic.as_bytes());
        subscription.extend([255; 4]);
        let mut to = Encoder::request(JOIN_GROUP, 9, 0);
        to.text(&self.group).i32(SESSION_MS).i32(SESSION_MS).text(&self.member).null().text("consumer");
        to.length(1).text("range").length(subscription.len()).raw(&subscription).tags().null().tags();
        self.send(&to.finish())
    }

    /// The error of the answer; generation and member id are taken from it.
    pub fn receive_join(&mut self) -> Fallible<i16> {
        let mut from = Decoder::new(self.connection.receive(&mut self.response)?);
        from.i32()?;
        from.tags()?;
        from.i32()?;
        let error = from.i16()?;
        let generation = from.i32()?;
        from.text()?;
        from.text()?;
        from.text()?;
        from.i8()?;
        let member = from.text()?;
        if error == NONE || error == MEMBER_ID_REQUIRED {
            member.clone_into(&mut self.member);
        }
        if error == NONE {
            self.generation = generation;
            self.others.clear();
            for _ in 0..from.length()? {
                self.others.push(from.text()?.to_owned());
                from.text()?;
                let length = from.length()?;
                from.take(length)?;
                from.tags()?;
            }
        }
        Ok(error)
    }

    /// Assigns, if that is its part; what is assigned is of no meaning.
    pub fn send_sync(&mut self) -> Fallible<()> {
        let mut to = Encoder::request(SYNC_GROUP, 5, 0);
        to.text(&self.group).i32(self.generation).text(&self.member).null().text("consumer").text("range");
        to.length(self.others.len());
        for other in &self.others {
            to.text(other).length(ASSIGNMENT.len()).raw(ASSIGNMENT).tags();
        }
        to.tags();
        self.send(&to.finish())
    }

    /// The error of an answer to `send_sync` or `send_heartbeat`.
    pub fn receive_error(&mut self) -> Fallible<i16> {
        error_behind_throttle(self.connection.receive(&mut self.response)?)
    }

    pub fn heartbeat_request(&self) -> Vec<u8> {
        let mut to = Encoder::request(HEARTBEAT, 4, 0);
        to.text(&self.group).i32(self.generation).text(&self.member).null().tags();
        to.finish()
    }

    /// A commit of one offset.
    pub fn commit_request(&self) -> Vec<u8> {
        commit(&self.group, self.generation, &self.member, &self.topic, 0..1, 1)
    }

    pub fn send(&mut self, request: &[u8]) -> Fallible<()> {
        use std::io::Write;
        Ok(self.connection.stream.write_all(request)?)
    }
}

/// An assignment of nothing, as clients write it: a version, no topics, no user data.
const ASSIGNMENT: &[u8] = &[0, 0, 0, 0, 0, 0, 255, 255, 255, 255];

/// The error of a response that begins with the throttle time and it: Heartbeat, SyncGroup.
pub fn error_behind_throttle(response: &[u8]) -> Fallible<i16> {
    let mut from = Decoder::new(response);
    from.i32()?;
    from.tags()?;
    from.i32()?;
    from.i16()
}

/// A member of a group of the consumer protocol (KIP-848), and its connection.
pub struct Consumer {
    pub connection: Connection,
    response: Vec<u8>,
    group: String,
    topic: String,
    member: String,
    pub epoch: i32,
    pub owned: Vec<(TopicId, Vec<i32>)>,
    /// What it owns has changed, and the broker has not been told.
    pub is_to_report: bool,
}

impl Consumer {
    pub fn open(port: u16, group: &str, topic: &str, member: String) -> Fallible<Consumer> {
        Ok(Consumer {
            connection: Connection::open(port)?,
            response: Vec::new(),
            group: group.to_owned(),
            topic: topic.to_owned(),
            member,
            epoch: 0,
            owned: Vec::new(),
            is_to_report: false,
        })
    }

    /// The next heartbeat: it joins with epoch 0, and says what it owns when that has changed.
    pub fn heartbeat_request(&mut self) -> Vec<u8> {
        let mut to = Encoder::request(CONSUMER_GROUP_HEARTBEAT, 1, 0);
        to.text(&self.group).text(&self.member).i32(self.epoch).null().null();
        if self.epoch == 0 {
            to.i32(SESSION_MS).length(1).text(&self.topic);
            self.owned.clear();
        } else {
            to.i32(-1).null();
        }
        to.null().null();
        if self.epoch == 0 || self.is_to_report {
            to.length(self.owned.len());
            for (topic, partitions) in &self.owned {
                to.raw(topic).length(partitions.len());
                for partition in partitions {
                    to.i32(*partition);
                }
                to.tags();
            }
        } else {
            to.null();
        }
        self.is_to_report = false;
        to.tags();
        to.finish()
    }

    pub fn send_heartbeat(&mut self) -> Fallible<()> {
        use std::io::Write;
        let request = self.heartbeat_request();
        Ok(self.connection.stream.write_all(&request)?)
    }

    /// The error of the answer; epoch and assignment are taken from it.
    pub fn receive_heartbeat(&mut self) -> Fallible<i16> {
        let mut from = Decoder::new(self.connection.receive(&mut self.response)?);
        from.i32()?;
        from.tags()?;
        from.i32()?;
        let error = from.i16()?;
        from.text()?;
        from.text()?;
        let epoch = from.i32()?;
        from.i32()?;
        if error != NONE {
            return Ok(error);
        }
        self.epoch = epoch;
        if from.i8()? < 0 {
            return Ok(error);
        }
        let mut assigned = Vec::new();
        for _ in 0..from.length()? {
            let topic = from.array()?;
            let partitions = (0..from.length()?).map(|_| from.i32()).collect::<Fallible<Vec<i32>>>()?;
            from.tags()?;
            assigned.push((topic, partitions));
        }
        if assigned != self.owned {
            self.owned = assigned;
            self.is_to_report = true;
        }
        Ok(error)
    }

    /// Joins, and asks again while the coordinator is not there.
    pub fn join(&mut self) -> Fallible<()> {
        let (error, ()) = until_it_is_there(|| {
            self.send_heartbeat()?;
            Ok((self.receive_heartbeat()?, ()))
        })?;
        if error == NONE { Ok(()) } else { Err(unexpected("ConsumerGroupHeartbeat", error)) }
    }

    pub fn partitions_owned(&self) -> usize {
        self.owned.iter().map(|(_, partitions)| partitions.len()).sum()
    }
}

/// Commits the same offset for some partitions of a topic. A generation of -1 and no member: nobody manages the group.
pub fn commit(
    group: &str,
    generation: i32,
    member: &str,
    topic: &str,
    partitions: std::ops::Range<i32>,
    offset: i64,
) -> Vec<u8> {
    let mut to = Encoder::request(OFFSET_COMMIT, 9, 0);
    to.text(group).i32(generation).text(member).null().length(1).text(topic).length(partitions.len());
    for partition in partitions {
        to.i32(partition).i64(offset).i32(-1).text("").tags();
    }
    to.tags().tags();
    to.finish()
}

/// The worst error of an OffsetCommit response.
pub fn committed(response: &[u8]) -> Fallible<i16> {
    let mut from = Decoder::new(response);
    from.i32()?;
    from.tags()?;
    from.i32()?;
    let mut worst = NONE;
    for _ in 0..from.length()? {
        from.text()?;
        for _ in 0..from.length()? {
            from.i32()?;
            worst = worst.max(from.i16()?);
            from.tags()?;
        }
        from.tags()?;
    }
    Ok(worst)
}

/// Commits for groups that nobody manages, and waits for the coordinator if it is not there.
pub fn commit_once(connection: &mut Connection, request: &[u8]) -> Fallible<()> {
    let mut response = Vec::new();
    let (error, ()) = until_it_is_there(|| Ok((committed(connection.call(request, &mut response)?)?, ())))?;
    if error == NONE { Ok(()) } else { Err(unexpected("OffsetCommit", error)) }
}

/// Asks for everything that some groups have committed.
pub fn fetch_offsets(groups: &[String]) -> Vec<u8> {
    let mut to = Encoder::request(OFFSET_FETCH, 9, 0);
    to.length(groups.len());
    for group in groups {
        to.text(group).null().i32(-1).null().tags();
    }
    to.i8(0).tags();
    to.finish()
}

/// The worst error of an OffsetFetch response, and how many offsets of this value it has.
pub fn fetched_offsets(response: &[u8], wanted: i64) -> Fallible<(i16, usize)> {
    let mut from = Decoder::new(response);
    from.i32()?;
    from.tags()?;
    from.i32()?;
    let (mut worst, mut found) = (NONE, 0);
    for _ in 0..from.length()? {
        from.text()?;
        for _ in 0..from.length()? {
            from.text()?;
            for _ in 0..from.length()? {
                from.i32()?;
                found += usize::from(from.i64()? == wanted);
                from.i32()?;
                from.text()?;
                worst = worst.max(from.i16()?);
                from.tags()?;
            }
            from.tags()?;
        }
        worst = worst.max(from.i16()?);
        from.tags()?;
    }
    Ok((worst, found))
}
