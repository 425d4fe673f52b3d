//! The topics that the broker keeps for itself, and what their owners do with their logs.

use std::sync::Arc;

use bytes::Bytes;

use super::partition::{Acks, AppendError, Partition};
use crate::base::clock::WallMs;
use crate::base::ids::Offset;
use crate::log::{Appended, Origin, ReadError, Upper};
use crate::record::batch::{BatchHeader, HeaderFault, ValidBatch};

/// Bytes of a log that are read at a time.
const READ_BYTES: usize = 4 << 20;

/// Why a log could not be read from end to end.
#[derive(Debug, thiserror::Error)]
pub enum VisitError<E> {
    #[error("read at offset {from}: {source}")]
    Read { from: Offset, source: ReadError },
    #[error("read at offset {from}: {source}")]
    Io { from: Offset, source: std::io::Error },
    #[error("batch behind offset {from}: {source}")]
    Header { from: Offset, source: HeaderFault },
    #[error("there is nothing at offset {from}, and the log goes on")]
    Gap { from: Offset },
    /// What the visitor found.
    #[error("{0}")]
    Visitor(E),
}

impl Partition {
    /// Appends a coordinator's batch: epochs are checked and no sequences. Acknowledged once it is durable, as acks=all.
    ///
    /// # Errors
    /// Those of [`Partition::append`].
    pub fn append_internal(self: &Arc<Self>, batch: &ValidBatch, now: WallMs) -> Result<Appended, AppendError> {
        self.append_of(Origin::Coordinator, batch, Acks::All, now)
    }

    /// Shows every batch of the log, header and whole bytes, from its start to where it ends now. Blocks.
    ///
    /// # Errors
    /// The first that cannot be read; those before it were shown.
    pub fn visit<E>(
        &self,
        mut visitor: impl FnMut(&BatchHeader, &Bytes) -> Result<(), E>,
    ) -> Result<(), VisitError<E>> {
        let reader = self.reader();
        let mut from = reader.log_start();
        while from < reader.end() {
            let slice =
                reader.read(from, Upper::End, READ_BYTES, true).map_err(|source| VisitError::Read { from, source })?;
            if slice.end <= from {
                return Err(VisitError::Gap { from });
            }
            let mut bytes = Bytes::from(slice.region.read().map_err(|source| VisitError::Io { from, source })?);
            while !bytes.is_empty() {
                let header = BatchHeader::parse(&bytes).map_err(|source| VisitError::Header { from, source })?;
                let batch = bytes.split_to(header.size_bytes.min(bytes.len()));
                visitor(&header, &batch).map_err(VisitError::Visitor)?;
            }
            from = slice.end;
        }
        Ok(())
    }
}

/// Names of Kafka's internal topics (`Topic.java`); clients may read them and not write to them.
const INTERNAL: [&str; 3] = ["__consumer_offsets", "__transaction_state", "__share_group_state"];

/// True if clients may not produce to this topic, and metadata flags it.
pub fn is_internal(name: &str) -> bool {
    INTERNAL.contains(&name)
}
