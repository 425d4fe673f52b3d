//! Names of files and folders of a log, as Kafka gives them.
//!
//! ```text
//! TOPIC-PARTITION/                 the folder, split at the last '-'
//!   00000000000000000042.log       20 digits of the base offset, then what it is
//!   00000000000000000042.log.swap  and, for leftovers, the state it was left in
//! ```
//! Kafka: `LogFileUtils`, `UnifiedLog.logDeleteDirName`.

use crate::base::ids::{Offset, PartitionIndex, TopicName};

/// What a segment's file is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum FileKind {
    Log,
    OffsetIndex,
    TimeIndex,
    TxnIndex,
    Snapshot,
}

/// In which state a file was left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    Live,
    /// On its way out.
    Deleted,
    /// Compaction was writing it.
    Cleaned,
    /// Compaction had finished it.
    Swap,
}

/// The name of a file that belongs to a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileName {
    pub base: Offset,
    pub kind: FileKind,
    pub state: State,
}

pub const PARTITION_METADATA: &str = "partition.metadata";
pub const LEADER_EPOCHS: &str = "leader-epoch-checkpoint";
pub const RECOVERY_POINTS: &str = "recovery-point-offset-checkpoint";
pub const HIGH_WATERMARKS: &str = "replication-offset-checkpoint";
pub const LOG_STARTS: &str = "log-start-offset-checkpoint";
pub const CLEANER_OFFSETS: &str = "cleaner-offset-checkpoint";
pub const CLEAN_SHUTDOWN: &str = ".kafka_cleanshutdown";

const KINDS: [(FileKind, &str); 5] = [
    (FileKind::Log, "log"),
    (FileKind::OffsetIndex, "index"),
    (FileKind::TimeIndex, "timeindex"),
    (FileKind::TxnIndex, "txnindex"),
    (FileKind::Snapshot, "snapshot"),
];

/// The files of a segment that goes, its records last: what a crash leaves of it is a whole segment or none.
pub const KINDS_REMOVED: [FileKind; 5] =
    [FileKind::OffsetIndex, FileKind::TimeIndex, FileKind::TxnIndex, FileKind::Snapshot, FileKind::Log];

/// What is put behind the name of a file that is to be removed.
pub const DELETED_SUFFIX: &str = ".deleted";

const STATES: [(State, &str); 3] = [(State::Deleted, "deleted"), (State::Cleaned, "cleaned"), (State::Swap, "swap")];

/// The name of a live file of the segment that starts at `base`.
pub fn file_name(base: Offset, kind: FileKind) -> String {
    let suffix = KINDS.iter().find(|(k, _)| *k == kind).map_or("", |(_, text)| text);
    format!("{:020}.{suffix}", base.0)
}

/// The name under which cut bytes of a segment are kept. Kafka ignores it.
pub fn quarantine_name(base: Offset, number: u32) -> String {
    format!("{:020}.log.quarantine-{number}", base.0)
}

/// Reads the name of a file; `None` for names that are none of a segment's.
pub fn parse_file(name: &str) -> Option<FileName> {
    let mut parts = name.split('.');
    let base = parse_offset(parts.next()?)?;
    let kind_text = parts.next()?;
    let kind = KINDS.iter().find(|(_, text)| *text == kind_text)?.0;
    let state = match parts.next() {
        None => State::Live,
        Some(text) => STATES.iter().find(|(_, known)| *known == text)?.0,
    };
    parts.next().is_none().then_some(FileName { base, kind, state })
}

fn parse_offset(digits: &str) -> Option<Offset> {
    let all_digits = digits.len() == 20 && digits.bytes().all(|c| c.is_ascii_digit());
    all_digits.then(|| digits.parse().ok()).flatten().map(Offset)
}

/// What a folder in the data directory is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Folder {
    Partition {
        topic: TopicName,
        index: PartitionIndex,
    },
    /// Of a deleted topic; its files wait to be removed.
    Deleted,
    /// A copy being moved from another directory.
    Future,
    /// Not known to the metadata; kept, never served.
    Stray,
    Other,
}

/// The folder of a partition.
pub fn partition_folder(topic: &TopicName, index: PartitionIndex) -> String {
    format!("{topic}-{index}")
}

/// The name of a partition's folder once it is deleted. The topic is cut so that the name fits 255 bytes.
pub fn deleted_folder(topic: &TopicName, index: PartitionIndex, unique: u128) -> String {
    set_aside_folder(topic, index, unique, "delete")
}

/// The name of a folder that the metadata does not know.
pub fn stray_folder(topic: &TopicName, index: PartitionIndex, unique: u128) -> String {
    set_aside_folder(topic, index, unique, "stray")
}

fn set_aside_folder(topic: &TopicName, index: PartitionIndex, unique: u128, why: &str) -> String {
    let tail = format!("-{index}.{unique:032x}-{why}");
    let room = 255usize.saturating_sub(tail.len());
    let topic = topic.as_str();
    // Topic names are ASCII: any cut is at a character.
    format!("{}{tail}", &topic[..topic.len().min(room)])
}

/// Reads the name of a folder.
pub fn parse_folder(name: &str) -> Folder {
    for (suffix, folder) in [("-delete", Folder::Deleted), ("-future", Folder::Future), ("-stray", Folder::Stray)] {
        if let Some(front) = name.strip_suffix(suffix) {
            let unique = front.rsplit('.').next().unwrap_or("");
            let is_unique = unique.len() == 32 && unique.bytes().all(|c| c.is_ascii_hexdigit());
            if is_unique {
                return folder;
            }
        }
    }
    let parsed = name.rsplit_once('-').and_then(|(topic, index)| {
        let topic = TopicName::parse(topic).ok()?;
        let number: i32 = index.parse().ok()?;
        let canonical = number.to_string() == index && number >= 0;
        canonical.then_some(Folder::Partition { topic, index: PartitionIndex(number) })
    });
    parsed.unwrap_or(Folder::Other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_survive_a_round_trip() {
        for (kind, _) in KINDS {
            let name = file_name(Offset(42), kind);
            assert_eq!(parse_file(&name), Some(FileName { base: Offset(42), kind, state: State::Live }));
        }
        let swap = parse_file("00000000000000000007.timeindex.swap").expect("a leftover");
        assert_eq!((swap.base, swap.kind, swap.state), (Offset(7), FileKind::TimeIndex, State::Swap));
    }

    #[test]
    fn foreign_file_names_are_not_ours() {
        for name in [
            "7.log",
            "0000000000000000000x.log",
            "00000000000000000007.log.quarantine-1",
            "notes",
            "99999999999999999999.log",
        ] {
            assert_eq!(parse_file(name), None, "{name}");
        }
    }

    #[test]
    fn folders_are_split_at_the_last_dash() {
        let Folder::Partition { topic, index } = parse_folder("a_wide.v1-0-11") else { panic!("a partition") };
        assert_eq!((topic.as_str(), index), ("a_wide.v1-0", PartitionIndex(11)));
        let topic = TopicName::parse(&"x".repeat(249)).expect("legal");
        let gone = deleted_folder(&topic, PartitionIndex(3), 0xabc);
        assert_eq!((gone.len(), parse_folder(&gone)), (255, Folder::Deleted));
        assert_eq!(parse_folder(&stray_folder(&topic, PartitionIndex(3), 1)), Folder::Stray);
        for name in ["klamm", "topic-", "topic-01", "topic-+1", "-3"] {
            assert_eq!(parse_folder(name), Folder::Other, "{name}");
        }
    }
}
