//! Reading an existing directory, and deciding what a start adds to it.
//!
//! ```text
//! newest snapshot -> log behind it -> refuse what is not ours -> directory.id, quorum-state
//!   -> LeaderChange of a new epoch | bootstrap records if there are none | abort, registration, leadership in one batch
//! ```
//!
//! Nothing is written before everything was read and understood.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::batches::{Contents, contents, data_batch};
use super::change::{Node, Registration, initial_features, register, take_leadership};
use super::error::{Doing, MetaError};
use super::fresh::bootstrap_transaction;
use super::identity::{self, Identity, IdentityError, META_PROPERTIES, METADATA_FOLDER};
use super::image::{Image, METADATA_VERSION, Replay};
use super::journal::Scanned;
use super::options::BootOptions;
use super::quorum::{QUORUM_STATE, Quorum, epoch_in_state, leader_change, print_state};
use super::record::{AbortTransactionRecord, Record, level};
use super::snapshot::{self, SnapshotId};
use crate::base::disk::{Disk, parent};
use crate::base::ids::{LeaderEpoch, Offset, Uuid};
use crate::log::checkpoint;
use crate::record::batch::ValidBatch;
use crate::record::control::control_batch;

/// A log that has fewer offsets left was never written: its names or snapshots are wrong.
const OFFSETS_LEFT_MIN: i64 = 1 << 32;

/// A directory, read.
pub(super) struct Loaded {
    pub(super) scanned: Scanned,
    pub(super) replay: Replay,
    pub(super) quorum: Quorum,
    /// What the format step wants an empty log to begin with.
    bootstrap: Vec<Record>,
    /// The highest epoch seen.
    pub(super) epoch: LeaderEpoch,
    pub(super) directory_id: Uuid,
}

/// What a start adds to the log.
pub(super) struct Start {
    pub(super) epoch: LeaderEpoch,
    pub(super) broker_epoch: i64,
    pub(super) batches: Vec<ValidBatch>,
    /// The records of the batches that have any.
    pub(super) records: Vec<Vec<Record>>,
}

/// Reads a directory. Writes nothing.
pub(super) fn load(
    disk: &Arc<dyn Disk>,
    directory: &Path,
    identity: &Identity,
    options: &mut BootOptions<'_>,
) -> Result<Loaded, MetaError> {
    let folder = directory.join(METADATA_FOLDER);
    let newest = match snapshot::list(disk.as_ref(), &folder) {
        Err(MetaError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            let why = "it is missing beside a meta.properties".to_owned();
            return Err(MetaError::Damaged { file: folder, why });
        }
        ids => ids?.pop().filter(|id| *id != SnapshotId::BOOTSTRAP),
    };
    let format = read_format(disk.as_ref(), directory)?;
    let mut quorum = format.quorum;
    let mut replay = Replay::default();
    if let Some(id) = newest {
        let path = folder.join(id.file_name());
        let snapshot = snapshot::read(disk.as_ref(), &path)?;
        let gone = || MetaError::Damaged { file: path.clone(), why: "it went away".to_owned() };
        let snapshot = snapshot.ok_or_else(gone)?;
        snapshot.records.into_iter().try_for_each(|record| replay.record(record))?;
        quorum = snapshot.quorum;
    }
    let from = newest.map_or(Offset::ZERO, |id| id.end);
    let scanned = Scanned::scan(disk, &folder, from, &mut |header, batch| {
        let why = |fault: String| MetaError::Damaged { file: folder.clone(), why: fault };
        match contents(header, batch).map_err(|fault| why(fault.to_string()))? {
            Contents::Control(records) => records.iter().for_each(|record| quorum.observe(record)),
            Contents::Data(records) => records.into_iter().try_for_each(|record| replay.record(record))?,
        }
        Ok(())
    })?;
    let epoch_in_file = match disk.read(&folder.join(QUORUM_STATE)) {
        Ok(text) => epoch_in_state(&text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => LeaderEpoch::UNKNOWN,
        Err(error) => return Err(error).doing("read", &folder.join(QUORUM_STATE)),
    };
    let snapshot_epoch = newest.map_or(LeaderEpoch(0), |id| id.epoch);
    let listed = checkpoint::read_leader_epochs(disk.as_ref(), &folder).doing("read leader epochs of", &folder)?;
    let listed_epoch = listed.unwrap_or_default().last().map_or(LeaderEpoch::UNKNOWN, |entry| entry.0);
    let epoch = epoch_in_file.max(scanned.epoch()).max(snapshot_epoch).max(listed_epoch);
    if epoch.0 == i32::MAX || scanned.end().0 > i64::MAX - OFFSETS_LEFT_MIN {
        let why = format!("epoch {epoch} and offset {} leave none to go on with", scanned.end());
        return Err(MetaError::Damaged { file: folder, why });
    }
    let recorded = quorum.directory_of(identity.node_id).filter(|id| !id.is_zero());
    let directory_id = identity.directory_id.or(recorded).unwrap_or_else(|| Uuid::from_random((options.random)()));
    refuse_foreign(directory, identity.node_id, directory_id, &quorum, replay.image())?;
    Ok(Loaded { scanned, replay, quorum, bootstrap: format.records, epoch, directory_id })
}

/// What the format step left: voters, and the records that an empty log begins with. In Kafka 4.4 they lie in the
/// 0-0 snapshot, in 4.1 and before in `bootstrap.checkpoint`.
fn read_format(disk: &dyn Disk, directory: &Path) -> Result<snapshot::Snapshot, MetaError> {
    let path = directory.join(METADATA_FOLDER).join(SnapshotId::BOOTSTRAP.file_name());
    let mut format = snapshot::read(disk, &path)?.unwrap_or_default();
    if format.records.is_empty()
        && let Some(older) = snapshot::read(disk, &directory.join("bootstrap.checkpoint"))?
    {
        format.records = older.records;
    }
    Ok(format)
}

/// Refuses a directory that is a part of something larger, or newer than we are.
fn refuse_foreign(
    directory: &Path,
    node_id: i32,
    directory_id: Uuid,
    quorum: &Quorum,
    image: &Image,
) -> Result<(), MetaError> {
    let mut problems = Vec::new();
    let metadata_version = image.feature(METADATA_VERSION);
    if metadata_version != 0 && !(level::OLDEST..=level::NEWEST).contains(&metadata_version) {
        let known = format!("{}-{}", level::OLDEST, level::NEWEST);
        problems.push(format!("its metadata.version is {metadata_version}, known are {known}"));
    }
    if quorum.kraft_version > 1 {
        problems.push(format!("its kraft.version is {}, known are 0-1", quorum.kraft_version));
    }
    let others = quorum.others(node_id);
    if !others.is_empty() {
        problems.push(format!("its quorum has other voters: {others:?}"));
    }
    if let Some(recorded) = quorum.directory_of(node_id).filter(|id| !id.is_zero() && *id != directory_id) {
        problems.push(format!("its directory.id is {directory_id}, but its quorum knows it as {recorded}"));
    }
    let is_elsewhere = |replicas: &[i32]| replicas != [node_id];
    let elsewhere = image.topics().find_map(|topic| {
        let partition = topic.partitions.iter().find(|(_, partition)| is_elsewhere(&partition.replicas))?;
        Some((topic.name.clone(), *partition.0, partition.1.replicas.clone()))
    });
    if let Some((name, index, replicas)) = elsewhere {
        problems.push(format!("partition {name}-{index} has replicas on nodes {replicas:?}, this is node {node_id}"));
    }
    if problems.is_empty() {
        return Ok(());
    }
    Err(IdentityError::Refused { directory: directory.to_owned(), problems }.into())
}

/// Makes the names durable that a start found: the one before may have been killed between giving and syncing them.
fn sync_names(disk: &dyn Disk, directory: &Path) -> Result<(), MetaError> {
    for folder in [&directory.join(METADATA_FOLDER), directory, parent(directory)] {
        disk.sync_folder(folder).doing("sync", folder)?;
    }
    Ok(())
}

/// Writes `directory.id` where it was missing and the new epoch's `quorum-state`, and decides what the log gets.
pub(super) fn prepare_start(
    disk: &Arc<dyn Disk>,
    directory: &Path,
    identity: &Identity,
    loaded: &Loaded,
    options: &mut BootOptions<'_>,
) -> Result<Start, MetaError> {
    sync_names(disk.as_ref(), directory)?;
    let node = Node { id: identity.node_id, directory_id: loaded.directory_id };
    let epoch = LeaderEpoch(loaded.epoch.0 + 1);
    let now = options.clock.wall();
    let mut random_id = || Uuid::from_random((options.random)());
    let registration = Registration {
        node,
        listeners: &options.listeners,
        controller: &options.controller,
        rack: options.rack.as_deref(),
        controller_incarnation: random_id(),
        broker_incarnation: random_id(),
    };
    let mut batches = vec![control_batch(&[leader_change(node.id)], now)];
    let mut records = Vec::new();
    let mut offset = loaded.scanned.end().0 + 1;
    let mut metadata_version = loaded.replay.image().metadata_version();
    let mut opening = Vec::new();
    if loaded.replay.is_in_transaction() {
        let reason = Some("the controller stopped within it".to_owned());
        opening.push(AbortTransactionRecord { reason }.into());
    }
    if loaded.replay.image().feature(METADATA_VERSION) == 0 {
        let bootstrap = if loaded.bootstrap.is_empty() { initial_features() } else { loaded.bootstrap.clone() };
        opening.extend(bootstrap_transaction(bootstrap)?);
    }
    let mut after = Replay::of(loaded.replay.image().clone());
    let counted = opening.iter().filter(|record| !matches!(record, Record::AbortTransaction(_)));
    counted.cloned().try_for_each(|record| after.record(record))?;
    if !opening.is_empty() {
        metadata_version = metadata_version.max(after.image().metadata_version());
        batches.push(data_batch(&opening, metadata_version, now));
        offset += i64::from(batches[1].header().record_count);
        records.push(opening);
    }
    let broker_epoch = offset + i64::from(metadata_version >= level::CONTROLLER_REGISTRATION);
    let mut registered = register(&registration, metadata_version, offset);
    registered.extend(take_leadership(after.image(), node, options.is_clean));
    batches.push(data_batch(&registered, metadata_version, now));
    records.push(registered);

    if identity.directory_id.is_none() {
        let path = directory.join(META_PROPERTIES);
        let named = Identity { directory_id: Some(node.directory_id), ..identity.clone() };
        disk.replace(&path, identity::print(&named).as_bytes()).doing("write", &path)?;
    }
    let path = directory.join(METADATA_FOLDER).join(QUORUM_STATE);
    let state = print_state(&loaded.quorum, node.id, epoch);
    disk.replace(&path, state.as_bytes()).doing("write", &path)?;
    Ok(Start { epoch, broker_epoch, batches, records })
}
