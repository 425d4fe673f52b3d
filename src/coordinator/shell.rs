//! The async shell around one machine: inputs one at a time, their records appended, replayed and made durable, answers let go.
//!
//! A machine sits under a lock that is held over `handle` and one write of its log, never over a sync and never across an await;
//! so a heartbeat costs no hop to another task. No input waits for another's sync: each answer waits for the log to be durable
//! up to where it ended when the answer was computed, so that nothing that was shown can vanish.
//!
//! If an append fails the machine is dropped, who waits gets `NotCoordinator`, and the next input loads it again. A panic while a
//! machine decides or is changed ends the process: half of a change must not be served, and the next start reads the log. One
//! while the log is being read is told in the log: that partition's groups are not served.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::{Notify, oneshot};

use super::machine::{At, Context, Effects, Input, Machine, Marker, Ticket, Topics};
use crate::base::abort::AbortOnPanic;
use crate::base::clock::{Clock, Monotonic, WallMs};
use crate::base::ids::{Offset, ProducerEpoch, ProducerId, Sequence};
use crate::base::limits::BATCH_HEADER_BYTES;
use crate::record::batch::BatchHeader;
use crate::record::builder::{BatchBuilder, NewRecord};
use crate::record::compression::Compression;
use crate::record::control::ControlRecord;
use crate::record::records::{decode, iterate};
use crate::topics::{Partition, Seat, Waiter};

/// Plain bytes of one compressed batch (Kafka may have written it).
const BATCH_PLAIN_BYTES_MAX: usize = 64 << 20;

/// An input that takes longer may be one of many.
const SLOW: Duration = Duration::from_micros(250);

/// Why the coordinator does not answer for itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ShellError {
    /// The log is being read; the client tries again.
    #[error("the coordinator is loading")]
    Loading,
    /// The state is gone: the append failed, the partition was deleted, or its log cannot be read.
    #[error("not the coordinator")]
    NotCoordinator,
}

/// An answer, now or later.
pub enum Called<P> {
    Now(Result<P, ShellError>),
    Later(Pending<P>),
}

/// An answer that does not exist yet or is not durable yet.
pub struct Pending<P> {
    partition: Arc<Partition>,
    answer: Awaited<P>,
}

enum Awaited<P> {
    /// It exists; the log must be durable up to here.
    Durable(P, Offset),
    /// It comes with the effects of a later input.
    Effect(oneshot::Receiver<(P, Offset)>),
}

impl<P> Pending<P> {
    /// The answer.
    ///
    /// # Errors
    /// `NotCoordinator` if the state behind it was lost.
    pub async fn answer(self) -> Result<P, ShellError> {
        let (reply, end) = match self.answer {
            Awaited::Durable(reply, end) => (reply, end),
            Awaited::Effect(receiver) => receiver.await.map_err(|_| ShellError::NotCoordinator)?,
        };
        if self.partition.is_waiting(end) {
            let seat = Seated::new(&self.partition, end);
            if self.partition.is_waiting(end) {
                seat.waiter.wait().await;
            }
        }
        if self.partition.is_acknowledged(end) { Ok(reply) } else { Err(ShellError::NotCoordinator) }
    }
}

/// A waiter among those of a partition, for as long as this lives: a connection may close meanwhile.
struct Seated<'a> {
    partition: &'a Partition,
    waiter: Arc<Waiter>,
    seat: Seat,
}

impl<'a> Seated<'a> {
    fn new(partition: &'a Partition, end: Offset) -> Seated<'a> {
        let waiter = Waiter::new(1);
        let seat = partition.waiters().add_answer(&waiter, end);
        Seated { partition, waiter, seat }
    }
}

impl Drop for Seated<'_> {
    fn drop(&mut self) {
        self.partition.waiters().remove(self.seat, &self.waiter);
    }
}

/// What all shells of a kind share.
pub struct Surroundings<M: Machine> {
    pub clock: Arc<dyn Clock>,
    pub topics: Arc<dyn Topics>,
    /// Yields 16 random bytes.
    pub random: fn() -> [u8; 16],
    /// A machine that remembers nothing.
    pub fresh: Box<dyn Fn() -> M + Send + Sync>,
    /// Carries out a machine's commands, after the records were replayed.
    pub command: Box<dyn Fn(M::Command) + Send + Sync>,
    /// One input at a time is worked off of those that are slow: what groups of thousands cost is a processor at most.
    pub slow_turn: Mutex<()>,
}

/// See the module's comment.
pub struct Shell<M: Machine> {
    partition: Arc<Partition>,
    surroundings: Arc<Surroundings<M>>,
    state: Mutex<State<M>>,
    /// A deadline came nearer.
    armed: Notify,
    /// The last input took long: the next one leaves the runtime's thread to others.
    slow: AtomicBool,
}

enum State<M: Machine> {
    /// Not read yet, or lost.
    Absent,
    Loading,
    Here(Box<Running<M>>),
    /// The log cannot be read, or the broker stops.
    Ended,
}

struct Running<M: Machine> {
    machine: M,
    next_ticket: u64,
    waiting: HashMap<Ticket, oneshot::Sender<(M::Reply, Offset)>>,
    /// What the timer sleeps until.
    armed_for: Option<Monotonic>,
}

impl<M: Machine> Shell<M> {
    /// A shell that has read nothing yet, and its timer. Must be called on the runtime.
    pub fn start(partition: Arc<Partition>, surroundings: Arc<Surroundings<M>>) -> Arc<Shell<M>> {
        let (state, armed) = (Mutex::new(State::Absent), Notify::new());
        let shell = Arc::new(Shell { partition, surroundings, state, armed, slow: AtomicBool::new(false) });
        tokio::spawn(keep_time(Arc::downgrade(&shell)));
        shell
    }

    /// The partition that remembers.
    pub fn partition(&self) -> &Arc<Partition> {
        &self.partition
    }

    /// Asks the machine. While its log is being read the answer is `Loading`.
    pub fn call(self: &Arc<Self>, event: M::Event) -> Called<M::Reply> {
        self.without_holding_up(|| self.call_now(event))
    }

    /// After a slow input the runtime's thread goes to others before the next one, which may be as slow or wait for one that is.
    fn without_holding_up<T>(&self, work: impl FnOnce() -> T) -> T {
        if !self.slow.load(Ordering::Relaxed) {
            return work();
        }
        tokio::task::block_in_place(|| {
            let _turn = self.surroundings.slow_turn.lock();
            work()
        })
    }

    fn call_now(self: &Arc<Self>, event: M::Event) -> Called<M::Reply> {
        let mut state = self.state.lock();
        let running = match &mut *state {
            State::Here(running) => running,
            State::Absent => {
                *state = State::Loading;
                drop(state);
                return self.call_after_load(event);
            }
            State::Loading => return Called::Now(Err(ShellError::Loading)),
            State::Ended => return Called::Now(Err(ShellError::NotCoordinator)),
        };
        let ticket = Ticket(running.next_ticket);
        running.next_ticket += 1;
        let done = self
            .run(running, Some(ticket), |machine, context| machine.handle(Input::Request { ticket, event }, context));
        match done {
            Ok((Some(reply), end)) => {
                drop(state);
                if self.partition.is_acknowledged(end) {
                    return Called::Now(Ok(reply));
                }
                Called::Later(self.pending(Awaited::Durable(reply, end)))
            }
            Ok((None, _)) => {
                let (sender, receiver) = oneshot::channel();
                running.waiting.insert(ticket, sender);
                Called::Later(self.pending(Awaited::Effect(receiver)))
            }
            Err(Lost) => {
                self.lose(state);
                Called::Now(Err(ShellError::NotCoordinator))
            }
        }
    }

    /// An empty log is read at once, another beside the runtime: the client tries again.
    fn call_after_load(self: &Arc<Self>, event: M::Event) -> Called<M::Reply> {
        let reader = self.partition.reader();
        if reader.end() > reader.log_start() {
            self.begin_load();
            return Called::Now(Err(ShellError::Loading));
        }
        self.load_now();
        if matches!(*self.state.lock(), State::Here(_)) {
            self.call_now(event)
        } else {
            Called::Now(Err(ShellError::NotCoordinator))
        }
    }

    fn pending(&self, answer: Awaited<M::Reply>) -> Pending<M::Reply> {
        Pending { partition: Arc::clone(&self.partition), answer }
    }

    /// Tells the machine that topics changed.
    pub fn topics_changed(&self) {
        self.without_holding_up(|| self.input(Input::TopicsChanged));
    }

    /// Reads the log now, if it was not read. Returns when it is done.
    pub async fn load(self: &Arc<Self>) {
        {
            let mut state = self.state.lock();
            if !matches!(*state, State::Absent) {
                return;
            }
            *state = State::Loading;
        }
        let shell = Arc::clone(self);
        // A panic leaves the state `Loading`: better no answer than a wrong one.
        let loaded = tokio::task::spawn_blocking(move || shell.load_now()).await;
        if let Err(error) = loaded {
            tracing::error!(%error, "load a coordinator");
        }
    }

    /// Reads the log beside the caller, if it was not read.
    pub fn load_soon(self: &Arc<Self>) {
        let shell = Arc::clone(self);
        tokio::spawn(async move { shell.load().await });
    }

    /// Answers nothing any more; who waits gets `NotCoordinator`.
    pub fn end(&self) {
        *self.state.lock() = State::Ended;
        self.armed.notify_one();
    }

    fn begin_load(self: &Arc<Self>) {
        let shell = Arc::clone(self);
        tokio::task::spawn_blocking(move || shell.load_now());
    }

    fn load_now(&self) {
        let mut machine = (self.surroundings.fresh)();
        let loaded = read_log(&self.partition, &mut machine);
        let mut state = self.state.lock();
        if matches!(*state, State::Ended) {
            return;
        }
        if let Err(reason) = loaded {
            tracing::error!(topic = %self.partition.topic(), partition = self.partition.index().0, %reason,
                "coordinator cannot read its log: its groups are not served; see the file and restart");
            *state = State::Ended;
            return;
        }
        let waiting = HashMap::new();
        let mut running = Box::new(Running { machine, next_ticket: 0, waiting, armed_for: None });
        if self.run(&mut running, None, |machine, context| machine.loaded(context)).is_err() {
            *state = State::Absent;
            return;
        }
        *state = State::Here(running);
        self.armed.notify_one();
    }

    fn input(&self, input: Input<M::Event>) {
        let mut state = self.state.lock();
        let State::Here(running) = &mut *state else { return };
        if self.run(running, None, |machine, context| machine.handle(input, context)).is_err() {
            self.lose(state);
        }
    }

    /// Drops a machine that may have run ahead of its log, and with it the answers that were to come.
    fn lose(&self, mut state: MutexGuard<'_, State<M>>) {
        *state = State::Absent;
    }

    /// Decides, appends, replays, answers. Gives the answer to `own` if there is one, and where the log ended.
    fn run(
        &self,
        running: &mut Running<M>,
        own: Option<Ticket>,
        decide: impl FnOnce(&mut M, &mut Context<'_>) -> Effects<M::Record, M::Reply, M::Command>,
    ) -> Result<(Option<M::Reply>, Offset), Lost> {
        let _whole = AbortOnPanic;
        let clock = &self.surroundings.clock;
        let mut random = self.surroundings.random;
        let mut context = Context {
            wall: clock.wall(),
            monotonic: clock.monotonic(),
            random: &mut random,
            topics: &*self.surroundings.topics,
        };
        let (wall, begun) = (context.wall, context.monotonic);
        let effects = decide(&mut running.machine, &mut context);
        if !effects.records.is_empty() {
            self.append(&mut running.machine, effects.records, effects.transaction, wall)?;
        }
        effects.commands.into_iter().for_each(&self.surroundings.command);
        let end = self.partition.reader().end();
        let mut own_reply = None;
        for (ticket, reply) in effects.replies {
            if own == Some(ticket) {
                own_reply = Some(reply);
            } else if let Some(sender) = running.waiting.remove(&ticket) {
                // Nobody is there any more if the connection was closed.
                drop(sender.send((reply, end)));
            }
        }
        self.arm(running);
        let took = clock.monotonic().0.saturating_sub(begun.0);
        self.slow.store(took > SLOW, Ordering::Relaxed);
        Ok((own_reply, end))
    }

    fn append(
        &self,
        machine: &mut M,
        records: Vec<M::Record>,
        transaction: Option<(ProducerId, ProducerEpoch)>,
        wall: WallMs,
    ) -> Result<(), Lost> {
        let mut builder = BatchBuilder::new(Compression::NONE);
        for record in &records {
            let (key, value) = M::encode(record);
            builder.append(&NewRecord {
                timestamp: wall.0,
                key: Some(&key),
                value: value.as_deref(),
                ..NewRecord::default()
            });
        }
        if let Some((id, epoch)) = transaction {
            builder = builder.producer(id, epoch, Sequence::NONE).transactional();
        }
        let appended = match self.partition.append_internal(&builder.build(), wall) {
            Ok(appended) => appended,
            Err(error) => {
                tracing::warn!(topic = %self.partition.topic(), partition = self.partition.index().0, %error,
                    "coordinator could not write: its state is read again from the log");
                return Err(Lost);
            }
        };
        for (record, nth) in records.into_iter().zip(0..) {
            machine.replay(record, At { offset: appended.base_offset.plus(nth), wall, transaction });
        }
        Ok(())
    }

    /// Wakes the timer if it sleeps for too long.
    fn arm(&self, running: &Running<M>) {
        let nearer = match (running.machine.next_deadline(), running.armed_for) {
            (Some(next), Some(armed)) => next < armed,
            (next, None) => next.is_some(),
            (None, _) => false,
        };
        if nearer {
            self.armed.notify_one();
        }
    }

    /// What the timer is to do: sleep so long, or nothing until it is armed. `None`: end.
    fn tick(&self) -> Option<Option<Duration>> {
        let mut state = self.state.lock();
        let now = self.surroundings.clock.monotonic();
        if let State::Here(running) = &mut *state
            && running.machine.next_deadline().is_some_and(|next| next <= now)
        {
            running.armed_for = None;
            if self.run(running, None, |machine, context| machine.handle(Input::Deadline, context)).is_err() {
                self.lose(state);
                return Some(None);
            }
        }
        match &mut *state {
            State::Here(running) => {
                running.armed_for = running.machine.next_deadline();
                // At least a millisecond: a machine that is never content must not keep a core busy.
                Some(running.armed_for.map(|next| next.0.saturating_sub(now.0).max(Duration::from_millis(1))))
            }
            State::Ended => None,
            State::Absent | State::Loading => Some(None),
        }
    }
}

/// The append failed: the machine may be ahead of its log.
struct Lost;

async fn keep_time<M: Machine>(shell: std::sync::Weak<Shell<M>>) {
    loop {
        let Some(alive) = shell.upgrade() else { return };
        match alive.without_holding_up(|| alive.tick()) {
            None => return,
            Some(Some(sleep)) => {
                tokio::select! {
                    () = tokio::time::sleep(sleep) => {}
                    () = alive.armed.notified() => {}
                }
            }
            Some(None) => alive.armed.notified().await,
        }
    }
}

/// Replays the whole log into a machine.
fn read_log<M: Machine>(partition: &Partition, machine: &mut M) -> Result<(), String> {
    let start = partition.reader().log_start();
    partition.visit(|header, batch| replay_batch(header, batch, start, machine)).map_err(|error| error.to_string())
}

fn replay_batch<M: Machine>(header: &BatchHeader, batch: &Bytes, start: Offset, machine: &mut M) -> Result<(), String> {
    let bad = |error: &dyn std::fmt::Display| format!("batch at offset {}: {error}", header.base_offset);
    let body = batch.slice(BATCH_HEADER_BYTES.min(batch.len())..);
    let plain = decode(header, &body, BATCH_PLAIN_BYTES_MAX).map_err(|error| bad(&error))?;
    let producer = (header.producer_id, header.producer_epoch);
    let transaction = header.attributes.is_transactional().then_some(producer);
    for record in iterate(header, &plain) {
        let record = record.map_err(|error| bad(&error))?;
        if record.offset < start {
            continue;
        }
        let (key, value) = (record.key.unwrap_or_default(), record.value);
        if header.attributes.is_control() {
            let control = ControlRecord::decode(key, value.unwrap_or_default()).map_err(|error| bad(&error))?;
            let committed = match control {
                ControlRecord::Commit(_) => true,
                ControlRecord::Abort(_) => false,
                _ => continue,
            };
            let (producer_id, producer_epoch) = producer;
            let at = At { offset: record.offset, wall: WallMs(record.timestamp), transaction };
            machine.replay_marker(Marker { producer_id, producer_epoch, committed }, at);
            continue;
        }
        match M::decode(key, value) {
            Ok(Some(known)) => {
                machine.replay(known, At { offset: record.offset, wall: WallMs(record.timestamp), transaction });
            }
            Ok(None) => {}
            Err(reason) => return Err(bad(&reason)),
        }
    }
    Ok(())
}
