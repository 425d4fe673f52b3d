//! The few questions a log asks of the records inside a batch: which marker is this, which record is the first at a time.

use std::ops::ControlFlow;

use super::producers::Marker;
use crate::base::ids::Offset;
use crate::base::limits::BATCH_HEADER_BYTES;
use crate::record::batch::BatchHeader;
use crate::record::control::ControlRecord;
use crate::record::records;

/// True if a batch with this header may be the end of a transaction.
pub fn may_be_marker(header: &BatchHeader) -> bool {
    header.attributes.is_control() && header.attributes.is_transactional() && header.has_producer()
}

/// The marker in a control batch, from its bytes behind the header.
pub fn marker(header: &BatchHeader, body: &[u8]) -> Option<Marker> {
    if !may_be_marker(header) {
        return None;
    }
    let record = records::iterate(header, body).next()?.ok()?;
    match ControlRecord::decode(record.key?, record.value.unwrap_or_default()).ok()? {
        ControlRecord::Commit(end) => Some(Marker { commit: true, coordinator_epoch: end.coordinator_epoch }),
        ControlRecord::Abort(end) => Some(Marker { commit: false, coordinator_epoch: end.coordinator_epoch }),
        _ => None,
    }
}

/// The first record of a batch at or after `start` whose time is not before `timestamp`: its offset and time.
///
/// `Err` if the bytes are not the records of this header.
pub fn first_at(
    batch: &[u8],
    header: &BatchHeader,
    timestamp: i64,
    start: Offset,
) -> Result<Option<(Offset, i64)>, ()> {
    let body = batch.get(BATCH_HEADER_BYTES..).ok_or(())?;
    let (mut found, mut misplaced) = (None, false);
    let scanned = records::scan(header, body, usize::MAX, |seen| {
        let (offset, time) = (seen.offset(header), seen.timestamp(header));
        misplaced = offset < header.base_offset || offset > header.last_offset();
        if misplaced {
            return ControlFlow::Break(());
        }
        if time >= timestamp && offset >= start {
            found = Some((offset, time));
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    if misplaced || found.is_none() && scanned.is_err() { Err(()) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::LeaderEpoch;
    use crate::record::builder::{BatchBuilder, NewRecord};
    use crate::record::compression::Compression;

    /// A lookup by time answered with an offset behind the log's end.
    #[test]
    fn a_record_outside_its_batch_is_not_found() {
        let mut builder = BatchBuilder::new(Compression::NONE);
        for timestamp in [5, 6, 7] {
            builder.append(&NewRecord { timestamp, value: Some(b"value"), ..NewRecord::default() });
        }
        let batch = builder.build();
        let bytes = batch.to_bytes(Offset(0), LeaderEpoch(0));
        let mut header = *batch.header();
        assert_eq!(first_at(&bytes, &header, 7, Offset(0)), Ok(Some((Offset(2), 7))));
        header.last_offset_delta = 1;
        assert_eq!(first_at(&bytes, &header, 6, Offset(0)), Ok(Some((Offset(1), 6))));
        assert_eq!(first_at(&bytes, &header, 7, Offset(0)), Err(()));
    }
}
