//! What can go wrong with the metadata, one variant per thing that a caller treats differently.

use std::io;
use std::path::{Path, PathBuf};

use super::identity::IdentityError;
use super::image::ReplayError;
use crate::log::LogError;

/// Why metadata was not read or not written.
#[derive(Debug, thiserror::Error)]
pub enum MetaError {
    /// The directory is not ours to use. Nothing was written to it.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Records are missing or unreadable. Nothing was cut.
    #[error("{}: {why}", .file.display())]
    Damaged { file: PathBuf, why: String },
    /// No room on the disk. Nothing was written; it may be tried again.
    #[error("no space left for metadata")]
    NoSpace,
    /// An earlier write or sync failed: the daemon must stop (decision D10).
    #[error("metadata log failed and takes nothing until restart: {reason}")]
    Poisoned { reason: String },
    /// The records contradict the image; nothing was written. Only a bug of ours leads here.
    #[error(transparent)]
    Contradiction(#[from] ReplayError),
    /// The log refused while opening or closing.
    #[error("metadata log: {0}")]
    Log(#[from] LogError),
    /// The system refused while opening or closing.
    #[error("{doing} {}: {source}", .path.display())]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
}

/// Attaches what was being done to an error of the system.
pub(super) trait Doing<T> {
    fn doing(self, what: &'static str, path: &Path) -> Result<T, MetaError>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, doing: &'static str, path: &Path) -> Result<T, MetaError> {
        self.map_err(|source| MetaError::Io { doing, path: path.to_owned(), source })
    }
}
