//! The first start of a data directory: what Kafka's format step and its controller's first seconds leave, written at once.
//!
//! ```text
//! meta.properties.tmp
//! __cluster_metadata-0/  00..0-00..0.checkpoint  00..0.log  leader-epoch-checkpoint  partition.metadata  quorum-state
//! ```
//!
//! All files are written, then all synced side by side, then `meta.properties` gets its name: before that the directory counts as
//! empty, after it as whole. Two rounds of syncs, however many files.

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::batches::data_batch;
use super::change::{Node, Registration, cluster_min_insync_replicas, initial_features, register};
use super::error::{Doing, MetaError};
use super::identity::{self, Identity, META_PROPERTIES, METADATA_FOLDER};
use super::image::Image;
use super::options::BootOptions;
use super::quorum::{QUORUM_STATE, Quorum, leader_change, print_state};
use super::record::{BeginTransactionRecord, EndTransactionRecord, Record, level};
use super::snapshot::{self, SnapshotId};
use crate::base::clock::WallMs;
use crate::base::disk::{Disk, DiskFile, Open, parent, suffixed};
use crate::base::ids::{LeaderEpoch, Offset, Uuid};
use crate::log::names::{FileKind, file_name};
use crate::record::batch::ValidBatch;
use crate::record::control::control_batch;

/// The quorum epoch of a first start.
const FIRST_EPOCH: LeaderEpoch = LeaderEpoch(1);

/// The node id that a directory gets when none is configured.
const DEFAULT_NODE_ID: i32 = 1;

/// Writes a new directory. Durable on return.
pub(super) fn create(
    disk: &Arc<dyn Disk>,
    directory: &Path,
    options: &mut BootOptions<'_>,
) -> Result<Identity, MetaError> {
    let mut random_id = || Uuid::from_random((options.random)());
    let directory_id = random_id();
    let identity = Identity {
        cluster_id: options.cluster_id.clone().unwrap_or_else(|| random_id().to_string()),
        node_id: options.node_id.unwrap_or(DEFAULT_NODE_ID),
        directory_id: Some(directory_id),
    };
    let node = Node { id: identity.node_id, directory_id };
    let registration = Registration {
        node,
        listeners: &options.listeners,
        controller: &options.controller,
        rack: options.rack.as_deref(),
        controller_incarnation: random_id(),
        broker_incarnation: random_id(),
    };
    let now = options.clock.wall();
    let quorum = Quorum::of_one(node.id, directory_id, &options.controller);

    let folder = directory.join(METADATA_FOLDER);
    let mut folders = identity::make_folders(disk.as_ref(), &folder)?;
    // The directory's own name too: a start that was killed may have made it and synced nothing.
    folders.extend([folder.clone(), directory.to_owned(), parent(directory).to_owned()]);
    folders.sort_unstable();
    folders.dedup();
    let named = |name: &str| folder.join(name);
    let epoch_cache = format!("0\n1\n{FIRST_EPOCH} 0\n");
    let topic_id = format!("version: 0\ntopic_id: {}", Uuid::METADATA_TOPIC);
    let bootstrap = snapshot::batches(&initial_features(), level::NEWEST, &quorum, now.0, now);
    let unnamed = suffixed(&directory.join(META_PROPERTIES), ".tmp");
    let content: Vec<(PathBuf, Vec<u8>)> = vec![
        (named(&SnapshotId::BOOTSTRAP.file_name()), snapshot::to_bytes(&bootstrap, SnapshotId::BOOTSTRAP.epoch)),
        (named(&file_name(Offset::ZERO, FileKind::Log)), first_log(&quorum, &registration, now)?),
        (named(QUORUM_STATE), print_state(&quorum, node.id, FIRST_EPOCH).into_bytes()),
        (named("leader-epoch-checkpoint"), epoch_cache.into_bytes()),
        (named("partition.metadata"), topic_id.into_bytes()),
        (unnamed.clone(), identity::print(&identity).into_bytes()),
    ];
    let mut files = Vec::new();
    for (path, bytes) in &content {
        snapshot::remove(disk.as_ref(), path)?;
        let file = disk.open(path, Open::Create).doing("create", path)?;
        file.write_all_at(&[IoSlice::new(bytes)], 0).doing("write", path)?;
        files.push(file);
    }
    disk.set_mode(&content[0].0, 0o400).doing("protect", &content[0].0)?;
    sync_all(disk, &files, &folders).doing("sync the files of", directory)?;
    let path = directory.join(META_PROPERTIES);
    disk.rename(&unnamed, &path).doing("rename", &unnamed)?;
    disk.sync_folder(directory).doing("sync", directory)?;
    Ok(identity)
}

/// The bytes of the log's first segment: control records, bootstrap transaction, registration.
fn first_log(quorum: &Quorum, registration: &Registration<'_>, now: WallMs) -> Result<Vec<u8>, MetaError> {
    let mut control = vec![leader_change(registration.node.id)];
    control.extend(quorum.records());
    let bootstrap = bootstrap_transaction(initial_features())?;
    let first_offset = control.len() + bootstrap.len();
    let first_offset = i64::try_from(first_offset).map_err(io::Error::other).doing("count", Path::new(""))?;
    let registered = register(registration, level::NEWEST, first_offset);
    let batches: [ValidBatch; 3] = [
        control_batch(&control, now),
        data_batch(&bootstrap, level::NEWEST, now),
        data_batch(&registered, level::NEWEST, now),
    ];
    Ok(snapshot::to_bytes(&batches, FIRST_EPOCH))
}

/// The records that a controller copies into an empty log, with what follows from them, as one transaction.
pub(super) fn bootstrap_transaction(bootstrap: Vec<Record>) -> Result<Vec<Record>, MetaError> {
    let mut image = Image::default();
    bootstrap.iter().try_for_each(|record| image.replay(record))?;
    let has_transactions = image.metadata_version() >= level::TRANSACTIONS;
    let mut records = Vec::new();
    if has_transactions {
        records.push(BeginTransactionRecord { name: Some("Bootstrap records".to_owned()) }.into());
    }
    records.extend(bootstrap);
    records.extend(cluster_min_insync_replicas(&image));
    if has_transactions {
        records.push(EndTransactionRecord {}.into());
    }
    Ok(records)
}

/// Syncs files and folders side by side; one after the other on a simulated disk, whose order is to be the same every time.
fn sync_all(disk: &Arc<dyn Disk>, files: &[Arc<dyn DiskFile>], folders: &[PathBuf]) -> io::Result<()> {
    if files.iter().any(|file| file.system().is_none()) {
        files.iter().try_for_each(|file| file.sync())?;
        return folders.iter().try_for_each(|folder| disk.sync_folder(folder));
    }
    std::thread::scope(|scope| {
        let mut syncs: Vec<_> = files.iter().map(|file| scope.spawn(move || file.sync())).collect();
        syncs.extend(folders.iter().map(|folder| scope.spawn(move || disk.sync_folder(folder))));
        syncs.into_iter().try_for_each(|sync| sync.join().unwrap_or_else(|_| Err(io::Error::other("a sync panicked"))))
    })
}
