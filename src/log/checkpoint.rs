//! The small text files of a data directory: offset checkpoints, leader epochs, topic ids, the clean-stop mark.
//!
//! ```text
//! offset checkpoint         leader-epoch-checkpoint    partition.metadata                 .kafka_cleanshutdown
//! 0                         0                          version: 0                         {"version":0,"brokerEpoch":14}
//! 2                         2                          topic_id: _SU8knQgSTydCnd91WMxPQ
//! topic 1 37                0 0
//! topic 0 15                2 63
//! ```
//! The first line is the version, the second the number of entries. Kafka: `CheckpointFile`, `PartitionMetadataFile`,
//! `CleanShutdownFileHandler`.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use super::names;
use crate::base::disk::{Disk, parent};
use crate::base::ids::{LeaderEpoch, Offset, PartitionIndex, TopicId, TopicName};

/// One line of an offset checkpoint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OffsetEntry {
    pub topic: TopicName,
    pub partition: PartitionIndex,
    pub offset: Offset,
}

/// Writes an offset checkpoint durably.
///
/// # Errors
/// Those of the system; the old content is then still there.
pub fn write_offsets(disk: &dyn Disk, path: &Path, entries: &[OffsetEntry]) -> io::Result<()> {
    let mut text = format!("0\n{}\n", entries.len());
    for entry in entries {
        // Writing to a String does not fail.
        let _ = writeln!(text, "{} {} {}", entry.topic, entry.partition, entry.offset);
    }
    disk.replace(path, text.as_bytes())
}

/// Reads an offset checkpoint. A file that is not there, or is empty, has no entries.
///
/// # Errors
/// `InvalidData` if it is not one; those of the system.
pub fn read_offsets(disk: &dyn Disk, path: &Path) -> io::Result<Vec<OffsetEntry>> {
    let Some(text) = read_text(disk, path)? else { return Ok(Vec::new()) };
    if text.is_empty() {
        return Ok(Vec::new());
    }
    read_entries(&text, |line| {
        let mut fields = line.split_whitespace();
        let topic = TopicName::parse(fields.next()?).ok()?;
        let partition = PartitionIndex(fields.next()?.parse().ok()?);
        let offset = Offset(fields.next()?.parse().ok()?);
        fields.next().is_none().then_some(OffsetEntry { topic, partition, offset })
    })
    .ok_or_else(|| invalid(path))
}

/// The text of a `leader-epoch-checkpoint`: epochs and the offsets at which they begin.
pub fn leader_epochs_text(entries: &[(LeaderEpoch, Offset)]) -> String {
    let mut text = format!("0\n{}\n", entries.len());
    for (epoch, start) in entries {
        let _ = writeln!(text, "{epoch} {start}");
    }
    text
}

/// Reads the `leader-epoch-checkpoint` of a folder; `None` if there is none or it is not valid: it can be rebuilt.
///
/// # Errors
/// Those of the system.
pub fn read_leader_epochs(disk: &dyn Disk, folder: &Path) -> io::Result<Option<Vec<(LeaderEpoch, Offset)>>> {
    let Some(text) = read_text(disk, &folder.join(names::LEADER_EPOCHS))? else { return Ok(None) };
    let entries = read_entries(&text, |line| {
        let (epoch, start) = line.split_once(' ')?;
        Some((LeaderEpoch(epoch.parse().ok()?), Offset(start.trim_end().parse().ok()?)))
    });
    Ok(entries.filter(|entries| entries.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1)))
}

/// The text of a `partition.metadata`. No line end behind it, as Kafka writes it.
pub fn partition_metadata_text(topic_id: TopicId) -> String {
    format!("version: 0\ntopic_id: {topic_id}")
}

/// Reads the topic id of a partition's folder; `None` if the file is missing or torn.
///
/// # Errors
/// Those of the system.
pub fn read_partition_metadata(disk: &dyn Disk, folder: &Path) -> io::Result<Option<TopicId>> {
    let text = read_text(disk, &folder.join(names::PARTITION_METADATA))?.unwrap_or_default();
    let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
    Ok(match (value("version:"), value("topic_id:")) {
        (Some("0"), Some(id)) => TopicId::parse(id),
        _ => None,
    })
}

/// Writes the clean-stop mark: a promise that everything in the directory is complete and durable. The last act of a stop.
///
/// # Errors
/// Those of the system.
pub fn write_clean_shutdown(disk: &dyn Disk, data: &Path, broker_epoch: i64) -> io::Result<()> {
    let text = format!("{{\"version\":0,\"brokerEpoch\":{broker_epoch}}}");
    disk.replace(&data.join(names::CLEAN_SHUTDOWN), text.as_bytes())
}

/// True if the last stop left its mark.
///
/// # Errors
/// Those of the system.
pub fn has_clean_shutdown(disk: &dyn Disk, data: &Path) -> io::Result<bool> {
    Ok(disk.length(&data.join(names::CLEAN_SHUTDOWN))?.is_some())
}

/// Takes the clean-stop mark away, durably, and returns the broker epoch in it (-1 if unknown); `None` if there was none.
///
/// # Errors
/// Those of the system: then nothing in the directory may be changed.
pub fn take_clean_shutdown(disk: &dyn Disk, data: &Path) -> io::Result<Option<i64>> {
    let path = data.join(names::CLEAN_SHUTDOWN);
    let Some(text) = read_text(disk, &path)? else { return Ok(None) };
    disk.remove_file(&path)?;
    disk.sync_folder(parent(&path))?;
    let digits = text.split_once("\"brokerEpoch\"").and_then(|(_, rest)| rest.trim_start().strip_prefix(':'));
    let number = digits.map(|rest| rest.trim_start().trim_end_matches(|c: char| c != '-' && !c.is_ascii_digit()));
    Ok(Some(number.and_then(|text| text.split([',', '}']).next()?.trim().parse().ok()).unwrap_or(-1)))
}

fn read_text(disk: &dyn Disk, path: &Path) -> io::Result<Option<String>> {
    match disk.read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn read_entries<T>(text: &str, parse: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    let mut lines = text.lines();
    if lines.next()?.trim() != "0" {
        return None;
    }
    let count: usize = lines.next()?.trim().parse().ok()?;
    let entries: Vec<T> = lines.filter(|line| !line.trim().is_empty()).map(parse).collect::<Option<_>>()?;
    (entries.len() == count).then_some(entries)
}

fn invalid(path: &Path) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{} is not a checkpoint of version 0", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::disk::RealDisk;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a folder")
    }

    fn entry(topic: &str, partition: i32, offset: i64) -> OffsetEntry {
        let topic = TopicName::parse(topic).expect("legal");
        OffsetEntry { topic, partition: PartitionIndex(partition), offset: Offset(offset) }
    }

    #[test]
    fn offset_checkpoints_are_kafkas_text() {
        let folder = folder();
        let path = folder.path().join(names::RECOVERY_POINTS);
        assert_eq!(read_offsets(&RealDisk, &path).expect("none"), vec![]);
        let entries = vec![entry("birch1-cut", 1, 37), entry("birch1-cut", 0, 15)];
        write_offsets(&RealDisk, &path, &entries).expect("written");
        assert_eq!(std::fs::read_to_string(&path).expect("text"), "0\n2\nbirch1-cut 1 37\nbirch1-cut 0 15\n");
        assert_eq!(read_offsets(&RealDisk, &path).expect("read"), entries);
        std::fs::write(&path, "").expect("emptied");
        assert_eq!(read_offsets(&RealDisk, &path).expect("empty"), vec![]);
        for wrong in ["1\n0\n", "0\n2\na 0 1\n", "0\n1\na 0\n", "0\n1\na 0 1 2\n", "0\n"] {
            std::fs::write(&path, wrong).expect("written");
            assert!(read_offsets(&RealDisk, &path).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn leader_epochs_are_kafkas_text() {
        let folder = folder();
        let entries = vec![(LeaderEpoch(0), Offset(0)), (LeaderEpoch(2), Offset(63))];
        let text = leader_epochs_text(&entries);
        assert_eq!(text, "0\n2\n0 0\n2 63\n");
        let path = folder.path().join(names::LEADER_EPOCHS);
        std::fs::write(&path, text).expect("written");
        assert_eq!(read_leader_epochs(&RealDisk, folder.path()).expect("read"), Some(entries));
        std::fs::write(&path, "0\n2\n2 0\n1 5\n").expect("written");
        assert_eq!(read_leader_epochs(&RealDisk, folder.path()).expect("read"), None);
    }

    #[test]
    fn partition_metadata_is_43_bytes() {
        let folder = folder();
        assert_eq!(read_partition_metadata(&RealDisk, folder.path()).expect("none"), None);
        let text = partition_metadata_text(TopicId::METADATA_TOPIC);
        assert_eq!(text.len(), 43);
        std::fs::write(folder.path().join(names::PARTITION_METADATA), &text).expect("written");
        assert_eq!(read_partition_metadata(&RealDisk, folder.path()).expect("read"), Some(TopicId::METADATA_TOPIC));
    }

    #[test]
    fn clean_shutdown_is_taken_once() {
        let folder = folder();
        assert_eq!(take_clean_shutdown(&RealDisk, folder.path()).expect("none"), None);
        for epoch in [14, -1] {
            write_clean_shutdown(&RealDisk, folder.path(), epoch).expect("written");
            assert_eq!(take_clean_shutdown(&RealDisk, folder.path()).expect("taken"), Some(epoch));
            assert_eq!(take_clean_shutdown(&RealDisk, folder.path()).expect("gone"), None);
        }
        std::fs::write(folder.path().join(names::CLEAN_SHUTDOWN), "").expect("written");
        assert_eq!(take_clean_shutdown(&RealDisk, folder.path()).expect("taken"), Some(-1));
    }
}
