//! What a coordinator's state machine is: synchronous, deterministic, driven by inputs and a clock that is handed in.
//!
//! ```text
//! input -> handle: decides, may touch soft state   -> Effects { records, replies, commands }
//!          the shell appends the records in one batch
//! record -> replay: changes durable state           (at run time at once, at a start from the log)
//!          replies leave when the log is durable up to where it stood then
//! ```
//!
//! Soft state: who waits, sessions, what a rebalance has gathered. Durable state: all that a restart must know. A machine whose
//! records could not be appended is dropped and loaded again, so `handle` may run ahead of the log in soft state only.

use crate::base::clock::{Monotonic, WallMs};
use crate::base::ids::{Offset, ProducerEpoch, ProducerId, TopicId, TopicName};

/// One coordinator partition's state.
pub trait Machine: Send + 'static {
    /// What is asked.
    type Event: Send + 'static;
    /// What is remembered: one record of the log, key and value.
    type Record: Send + 'static;
    /// What is answered.
    type Reply: Send + 'static;
    /// What else is to be done, by the shell's owner.
    type Command: Send + 'static;

    /// Decides. May touch soft state; durable state never.
    fn handle(&mut self, input: Input<Self::Event>, context: &mut Context<'_>) -> EffectsOf<Self>;

    /// The only way durable state changes.
    fn replay(&mut self, record: Self::Record, at: At);

    /// The end of a transaction in this partition: what it wrote becomes real or vanishes.
    fn replay_marker(&mut self, marker: Marker, at: At);

    /// All of the log was replayed: sessions of what was found begin now. Called once, before the first input.
    fn loaded(&mut self, context: &mut Context<'_>) -> EffectsOf<Self>;

    /// When `Input::Deadline` is due at the latest; `None`: nothing is waited for.
    fn next_deadline(&self) -> Option<Monotonic>;

    /// A record as it stands in the log: key and value, `None` for a tombstone.
    fn encode(record: &Self::Record) -> (Vec<u8>, Option<Vec<u8>>);

    /// Reads a record of the log. `None`: of a kind that is not known here; it stays in the log and is passed over.
    ///
    /// # Errors
    /// What is wrong with a record of a known kind.
    fn decode(key: &[u8], value: Option<&[u8]>) -> Result<Option<Self::Record>, String>;
}

/// The effects of a machine.
pub type EffectsOf<M> = Effects<<M as Machine>::Record, <M as Machine>::Reply, <M as Machine>::Command>;

/// Which request an answer belongs to; never used twice by a shell.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Ticket(pub u64);

/// What a machine is told.
#[derive(Clone, Debug)]
pub enum Input<E> {
    /// A request. Its answer may come with the effects of a later input.
    Request { ticket: Ticket, event: E },
    /// A deadline has passed (or may have: a machine looks for itself).
    Deadline,
    /// Topics were made, deleted, or given more partitions.
    TopicsChanged,
}

/// What a decision leads to, in this order.
#[derive(Clone, PartialEq, Debug)]
pub struct Effects<R, P, C> {
    /// Appended together, in this order, all or none.
    pub records: Vec<R>,
    /// The records belong to this producer's open transaction.
    pub transaction: Option<(ProducerId, ProducerEpoch)>,
    /// Answers to this request or to earlier ones. They leave once the log is durable up to where it ends now.
    pub replies: Vec<(Ticket, P)>,
    pub commands: Vec<C>,
}

impl<R, P, C> Default for Effects<R, P, C> {
    fn default() -> Self {
        Effects { records: Vec::new(), transaction: None, replies: Vec::new(), commands: Vec::new() }
    }
}

impl<R, P, C> Effects<R, P, C> {
    /// Nothing but an answer.
    pub fn reply(ticket: Ticket, reply: P) -> Self {
        Effects { replies: vec![(ticket, reply)], ..Effects::default() }
    }

    /// Adds what another decision leads to.
    pub fn extend(&mut self, other: Self) {
        self.records.extend(other.records);
        self.transaction = self.transaction.or(other.transaction);
        self.replies.extend(other.replies);
        self.commands.extend(other.commands);
    }
}

/// Where a replayed record stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct At {
    pub offset: Offset,
    /// The record's timestamp.
    pub wall: WallMs,
    /// The transaction that the record is part of.
    pub transaction: Option<(ProducerId, ProducerEpoch)>,
}

/// The end of a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Marker {
    pub producer_id: ProducerId,
    pub producer_epoch: ProducerEpoch,
    pub committed: bool,
}

/// What a decision may look at besides the machine's own state.
pub struct Context<'a> {
    pub wall: WallMs,
    pub monotonic: Monotonic,
    /// Yields 16 random bytes.
    pub random: &'a mut dyn FnMut() -> [u8; 16],
    pub topics: &'a dyn Topics,
}

/// The topics that exist now.
pub trait Topics: Send + Sync {
    /// Id and number of partitions.
    fn by_name(&self, name: &str) -> Option<(TopicId, usize)>;
    /// Name and number of partitions.
    fn by_id(&self, id: TopicId) -> Option<(TopicName, usize)>;
    /// All names, internal topics among them, in no order.
    fn names(&self) -> Vec<TopicName>;
    /// Rises with every change of topics or partition counts.
    fn edition(&self) -> u64;
}
