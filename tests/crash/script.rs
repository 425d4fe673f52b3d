//! A broker in miniature around one log: appends, group commits at odd moments, checkpoints, stops and starts, all from a
//! seed, on any disk. It notes what its clients were told.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use klamm::base::clock::WallMs;
use klamm::base::disk::Disk;
use klamm::base::disk::fault::Dice;
use klamm::base::ids::{LeaderEpoch, Offset, PartitionIndex, TopicName, Uuid};
use klamm::log::checkpoint::{self, OffsetEntry};
use klamm::log::names;
use klamm::log::{
    Acknowledge, Append, Appended, DerivedTicket, Log, LogConfig, LogError, OpenOptions, Origin, SyncTicket,
};

use crate::batches::{Sent, random_batch};

pub const ROOT: &str = "/data";
const TOPIC_ID: Uuid = Uuid([7; 16]);
const PRODUCERS: usize = 3;

/// A batch and where the log said it is.
#[derive(Clone)]
pub struct Placed {
    pub base: i64,
    pub sent: Sent,
}

impl Placed {
    pub fn end(&self) -> i64 {
        self.base + i64::from(self.sent.count())
    }
}

/// What clients know: everything below `durable_end` was acknowledged as durable.
#[derive(Clone, Copy, Default, Debug)]
pub struct Told {
    pub durable_end: i64,
}

/// Slips that the rig must notice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Slip {
    None,
    /// Says that a batch is durable when it is written.
    AcknowledgesBeforeSync,
    /// Says that all is durable which was there when the sync came back, not when it began.
    AcknowledgesPastSync,
}

pub fn folder() -> PathBuf {
    Path::new(ROOT).join("topic-0")
}

pub fn config() -> Arc<LogConfig> {
    Arc::new(LogConfig { segment_bytes: 1_500, index_interval_bytes: 200, ..LogConfig::default() })
}

fn recovery_points() -> PathBuf {
    Path::new(ROOT).join(names::RECOVERY_POINTS)
}

/// Starts as the daemon does: takes the clean-stop mark away, then opens the log with what the checkpoint says. `None` if
/// there is no folder yet.
pub fn start(disk: &Arc<dyn Disk>) -> Result<Option<Log>, LogError> {
    let doing = |source| LogError::Io { doing: "start", source };
    let clean = checkpoint::take_clean_shutdown(&**disk, Path::new(ROOT)).map_err(doing)?.is_some();
    if !disk.list(Path::new(ROOT)).map_err(doing)?.iter().any(|entry| entry.name == "topic-0") {
        return Ok(None);
    }
    let entries = checkpoint::read_offsets(&**disk, &recovery_points()).map_err(doing)?;
    let recovery_point = entries.first().map_or(Offset(0), |entry| entry.offset);
    let (log_start, now) = (Offset(0), WallMs(1_700_000_000_000));
    let options = OpenOptions {
        config: config(),
        topic_id: Some(TOPIC_ID),
        clean,
        recovery_point,
        log_start,
        strict: false,
        named: false,
        now,
    };
    Log::open(disk.clone(), &folder(), &options).map(|(log, _)| Some(log))
}

/// Opens the log, or makes it if it is not there.
pub fn start_or_create(disk: &Arc<dyn Disk>) -> Result<Log, LogError> {
    match start(disk)? {
        Some(log) => Ok(log),
        None => Log::create(disk.clone(), &folder(), TOPIC_ID, config(), WallMs(0)),
    }
}

pub fn append(log: &mut Log, sent: &Sent, acknowledge: Acknowledge) -> Result<Appended, LogError> {
    let now = WallMs(sent.max_timestamp());
    log.append(&sent.batch, &Append { leader_epoch: LeaderEpoch(3), acknowledge, origin: Origin::Client, now })
}

/// The broker and its clients.
pub struct Broker<'a> {
    pub disk: Arc<dyn Disk>,
    pub log: Log,
    pub placed: Vec<Placed>,
    pub told: Told,
    slip: Slip,
    dice: Dice,
    tag: u64,
    next_sequences: [i32; PRODUCERS],
    ticket: Option<(i64, SyncTicket)>,
    result: Option<io::Result<()>>,
    derived: Option<DerivedTicket>,
    derived_result: Option<io::Result<()>>,
    /// Hears what clients know whenever that changes.
    tell: &'a mut dyn FnMut(Told),
}

impl<'a> Broker<'a> {
    /// # Errors
    /// Those of the log.
    pub fn start(disk: Arc<dyn Disk>, seed: u64, slip: Slip, tell: &'a mut dyn FnMut(Told)) -> Result<Self, LogError> {
        let log = start_or_create(&disk)?;
        Ok(Broker {
            disk,
            log,
            placed: Vec::new(),
            told: Told::default(),
            slip,
            dice: Dice::new(seed),
            tag: 0,
            next_sequences: [0; PRODUCERS],
            ticket: None,
            result: None,
            derived: None,
            derived_result: None,
            tell,
        })
    }

    /// One random step.
    ///
    /// # Errors
    /// Those of the log. What was refused counts as not sent.
    pub fn step(&mut self) -> Result<(), LogError> {
        match self.dice.below(20) {
            0..9 => self.append(),
            9..12 => self.begin_sync(),
            12..14 => self.run_sync(),
            14..16 => self.finish_sync(),
            16 => self.run_derived(),
            17 => self.finish_derived(),
            18 => self.checkpoint(),
            _ if self.dice.below(3) == 0 => self.stop_and_start(),
            _ => Ok(()),
        }
    }

    pub fn append(&mut self) -> Result<(), LogError> {
        let acknowledge = if self.dice.below(3) > 0 { Acknowledge::Durable } else { Acknowledge::Written };
        self.tag += 1;
        let producer = self.dice.below(PRODUCERS + 1);
        let sender =
            self.next_sequences.get(producer).map(|next| (100 + i64::try_from(producer).unwrap_or(0), 0, *next));
        let sent = random_batch(&mut self.dice, sender, self.tag, 4);
        let appended = append(&mut self.log, &sent, acknowledge)?;
        assert!(!appended.duplicate, "a new batch is no duplicate");
        if let Some(next) = self.next_sequences.get_mut(producer) {
            *next += sent.count();
        }
        self.placed.push(Placed { base: appended.base_offset.0, sent });
        if self.slip == Slip::AcknowledgesBeforeSync {
            self.told.durable_end = self.log.reader().end().0;
            (self.tell)(self.told);
        }
        Ok(())
    }

    fn begin_sync(&mut self) -> Result<(), LogError> {
        if self.ticket.is_none() {
            self.ticket = self.log.begin_sync().map(|ticket| (ticket.covers().0, ticket));
        }
        Ok(())
    }

    fn run_sync(&mut self) -> Result<(), LogError> {
        if let (Some((_, ticket)), None) = (&self.ticket, &self.result) {
            self.result = Some(ticket.run());
        }
        Ok(())
    }

    fn finish_sync(&mut self) -> Result<(), LogError> {
        let Some(result) = self.result.take() else { return Ok(()) };
        let (covered, ticket) = self.ticket.take().expect("a ticket that has run");
        let succeeded = result.is_ok();
        self.log.finish_sync(ticket, result);
        if succeeded {
            let end = if self.slip == Slip::AcknowledgesPastSync { self.log.reader().end().0 } else { covered };
            self.told.durable_end = self.told.durable_end.max(end);
            (self.tell)(self.told);
        }
        Ok(())
    }

    /// What is derived from what was synced is written while the next sync runs, or long after.
    fn run_derived(&mut self) -> Result<(), LogError> {
        if self.derived.is_none() {
            self.derived = self.log.begin_derived();
        }
        if let (Some(ticket), None) = (&self.derived, &self.derived_result) {
            self.derived_result = Some(ticket.run());
        }
        Ok(())
    }

    fn finish_derived(&mut self) -> Result<(), LogError> {
        if let Some(result) = self.derived_result.take() {
            let ticket = self.derived.take().expect("a ticket that has run");
            self.log.finish_derived(ticket, result);
        }
        Ok(())
    }

    /// A whole sync, from beginning to end.
    ///
    /// # Errors
    /// Never; a failed sync poisons the log.
    pub fn sync(&mut self) -> Result<(), LogError> {
        self.run_sync()?;
        self.finish_sync()?;
        self.begin_sync()?;
        self.run_sync()?;
        self.finish_sync()?;
        self.finish_derived()?;
        self.run_derived()?;
        self.finish_derived()
    }

    fn checkpoint(&mut self) -> Result<(), LogError> {
        let entry = OffsetEntry {
            topic: TopicName::parse("topic").expect("a legal name"),
            partition: PartitionIndex(0),
            offset: self.log.recovery_point(),
        };
        checkpoint::write_offsets(&*self.disk, &recovery_points(), &[entry])
            .map_err(|source| LogError::Io { doing: "write checkpoint", source })
    }

    fn stop_and_start(&mut self) -> Result<(), LogError> {
        let doing = |source| LogError::Io { doing: "stop", source };
        self.run_sync()?;
        self.finish_sync()?;
        self.ticket = None;
        if self.derived.is_some() {
            self.run_derived()?;
            self.finish_derived()?;
        }
        self.log.close()?;
        self.checkpoint()?;
        checkpoint::write_clean_shutdown(&*self.disk, Path::new(ROOT), 1).map_err(doing)?;
        self.log = start(&self.disk)?.ok_or(LogError::Io { doing: "start", source: io::ErrorKind::NotFound.into() })?;
        self.told.durable_end = self.log.reader().end().0;
        (self.tell)(self.told);
        Ok(())
    }
}
