//! Who a data directory belongs to: `meta.properties`, and the lock that keeps a second broker out.
//!
//! ```text
//! cluster.id=GpUQmrcEQ3ukBHTQ135JPg      free text
//! directory.id=wzMCscdKSSaaPyjEk3eIow    never changes
//! node.id=1
//! version=1                              0 was ZooKeeper's, with broker.id
//! ```
//!
//! A directory that is not understood is refused, and nothing is written to it.
//!
//! References: Kafka `MetaProperties.java`, `MetaPropertiesEnsemble.java`, `FileLock.java`.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::base::disk::{Disk, Kind, Lock, lock_file, parent};
use crate::base::ids::Uuid;

/// The file that holds a directory's identity.
pub const META_PROPERTIES: &str = "meta.properties";

/// The file whose lock a running broker holds, Kafka and we alike.
pub const LOCK_FILE: &str = ".lock";

/// The folder of the metadata log.
pub const METADATA_FOLDER: &str = "__cluster_metadata-0";

/// Files that a first start writes into the metadata folder before the identity: with nothing else there, it may begin again.
const FIRST_START_FILES: [&str; 5] = [
    "00000000000000000000.log",
    "00000000000000000000-0000000000.checkpoint",
    "leader-epoch-checkpoint",
    "partition.metadata",
    "quorum-state",
];

/// Kafka never gives out the first hundred ids.
const RESERVED_IDS: u128 = 100;

/// Why a directory is not used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// It belongs to somebody else, or is not what it should be. One line, all problems.
    #[error("data directory {} is refused: {}", .directory.display(), .problems.join("; "))]
    Refused { directory: PathBuf, problems: Vec<String> },
    /// Another process, Klamm or Kafka, has it open.
    #[error("data directory {} is in use by another broker", .directory.display())]
    InUse { directory: PathBuf },
    /// The system refused.
    #[error("{doing} {}: {source}", .path.display())]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
}

/// What `meta.properties` says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    pub cluster_id: String,
    pub node_id: i32,
    /// Missing in directories of Kafka before 3.7.
    pub directory_id: Option<Uuid>,
}

/// What the configuration says; `None` takes what the directory says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Expected {
    pub cluster_id: Option<String>,
    pub node_id: Option<i32>,
}

/// A data directory, looked at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Inspected {
    /// Missing, empty, or left by a first start that did not finish.
    Fresh,
    Existing(Identity),
}

/// Looks at a data directory, makes it if it is missing, and locks it until the lock is dropped. The first thing that a start does.
///
/// # Errors
/// `Refused`, and nothing was written. `InUse` if a Klamm or a Kafka has it. `Io`.
pub fn lock(disk: &dyn Disk, directory: &Path, expected: &Expected) -> Result<Lock, IdentityError> {
    inspect(disk, directory, expected)?;
    for changed in make_folders(disk, directory)? {
        let io = |source| IdentityError::Io { doing: "sync", path: changed.clone(), source };
        disk.sync_folder(&changed).map_err(io)?;
    }
    let path = directory.join(LOCK_FILE);
    match lock_file(&path) {
        Ok(Some(lock)) => Ok(lock),
        Ok(None) => Err(IdentityError::InUse { directory: directory.to_owned() }),
        Err(source) => Err(IdentityError::Io { doing: "lock", path, source }),
    }
}

/// Makes a folder and those above it that are missing; returns the folders whose names changed.
pub(super) fn make_folders(disk: &dyn Disk, folder: &Path) -> Result<Vec<PathBuf>, IdentityError> {
    let io = |source| IdentityError::Io { doing: "create", path: folder.to_owned(), source };
    let mut changed = Vec::new();
    match disk.create_folder(folder) {
        Ok(()) => changed.push(parent(folder).to_owned()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound && parent(folder) != folder => {
            changed = make_folders(disk, parent(folder))?;
            disk.create_folder(folder).map_err(io)?;
            changed.push(parent(folder).to_owned());
        }
        Err(error) => return Err(io(error)),
    }
    Ok(changed)
}

/// Looks at a data directory without writing to it.
///
/// # Errors
/// `Refused` with everything that is wrong; `Io`.
pub fn inspect(disk: &dyn Disk, directory: &Path, expected: &Expected) -> Result<Inspected, IdentityError> {
    let path = directory.join(META_PROPERTIES);
    let text = match disk.read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return inspect_unnamed(disk, directory),
        Err(source) => return Err(IdentityError::Io { doing: "read", path, source }),
    };
    let (identity, mut problems) = parse(&text);
    if let (Some(found), Some(expected)) = (&identity, &expected.cluster_id)
        && found.cluster_id != *expected
    {
        problems.push(format!("its cluster.id is {}, the configured one {expected}", found.cluster_id));
    }
    if let (Some(found), Some(expected)) = (&identity, expected.node_id)
        && found.node_id != expected
    {
        problems.push(format!("its node.id is {}, the configured one {expected}", found.node_id));
    }
    match identity {
        Some(identity) if problems.is_empty() => Ok(Inspected::Existing(identity)),
        _ => Err(IdentityError::Refused { directory: directory.to_owned(), problems }),
    }
}

/// The content of `meta.properties`.
pub fn print(identity: &Identity) -> String {
    let mut text = format!("cluster.id={}\n", escape(&identity.cluster_id));
    if let Some(id) = identity.directory_id {
        text.push_str(&format!("directory.id={id}\n"));
    }
    text.push_str(&format!("node.id={}\nversion=1\n", identity.node_id));
    text
}

/// A directory without identity: nothing but what a first start may find or leave is accepted.
fn inspect_unnamed(disk: &dyn Disk, directory: &Path) -> Result<Inspected, IdentityError> {
    let list = |folder: &Path| match disk.list(folder) {
        Ok(entries) => Ok(entries),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(IdentityError::Io { doing: "list", path: folder.to_owned(), source }),
    };
    let mut foreign = Vec::new();
    for entry in list(directory)? {
        match (entry.name.as_str(), entry.kind) {
            (LOCK_FILE | "meta.properties.tmp", Kind::File) | ("lost+found", Kind::Folder) => {}
            (METADATA_FOLDER, Kind::Folder) => {
                let is_ours = |name: &str| FIRST_START_FILES.contains(&name.trim_end_matches(".tmp"));
                let inside = list(&directory.join(METADATA_FOLDER))?;
                foreign.extend(inside.into_iter().map(|inner| inner.name).filter(|name| !is_ours(name)));
            }
            _ => foreign.push(entry.name),
        }
    }
    if foreign.is_empty() {
        return Ok(Inspected::Fresh);
    }
    foreign.sort_unstable();
    let problem =
        format!("it has no {META_PROPERTIES} and is not empty ({} and {} more)", foreign[0], foreign.len() - 1);
    Err(IdentityError::Refused { directory: directory.to_owned(), problems: vec![problem] })
}

/// Reads `meta.properties`; what is wrong with it is listed, and an identity given if one could be made out.
fn parse(text: &[u8]) -> (Option<Identity>, Vec<String>) {
    let properties = parse_properties(text);
    let mut problems = Vec::new();
    match properties.get("version").map(String::as_str) {
        Some("1") => {}
        None | Some("0") => {
            let problem =
                format!("{META_PROPERTIES} is of version 0, written in ZooKeeper mode: migrate it to KRaft first");
            return (None, vec![problem]);
        }
        Some(other) => problems.push(format!("{META_PROPERTIES} is of version {other}, which is not known")),
    }
    let cluster_id = properties.get("cluster.id").filter(|id| !id.is_empty());
    if cluster_id.is_none() {
        problems.push(format!("{META_PROPERTIES} has no cluster.id"));
    }
    let node_id = properties.get("node.id").and_then(|id| id.parse().ok()).filter(|id: &i32| *id >= 0);
    if node_id.is_none() {
        problems.push(format!("{META_PROPERTIES} has no valid node.id"));
    }
    let directory_id = properties.get("directory.id").map(|text| (text, Uuid::parse(text)));
    match directory_id {
        Some((text, id)) if id.is_none_or(|id| u128::from_be_bytes(id.0) < RESERVED_IDS) => {
            problems.push(format!("directory.id {text} is not an id, or a reserved one"));
        }
        _ => {}
    }
    let directory_id = directory_id.and_then(|(_, id)| id);
    let identity = cluster_id.zip(node_id).map(|(cluster_id, node_id)| Identity {
        cluster_id: cluster_id.clone(),
        node_id,
        directory_id,
    });
    (identity, problems)
}

/// Reads Java properties without continued lines: ISO-8859-1, `#` and `!` comments, `=`, `:` or a blank behind the key.
fn parse_properties(text: &[u8]) -> BTreeMap<String, String> {
    let text: String = text.iter().map(|byte| char::from(*byte)).collect();
    let mut properties = BTreeMap::new();
    for line in text.lines() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        let mut is_escaped = false;
        let end = line.find(|c: char| {
            let ends = !is_escaped && (c == '=' || c == ':' || c.is_ascii_whitespace());
            is_escaped = !is_escaped && c == '\\';
            ends
        });
        let (key, rest) = line.split_at(end.unwrap_or(line.len()));
        let rest = rest.trim_start();
        let value = rest.strip_prefix(['=', ':']).unwrap_or(rest).trim_start();
        properties.insert(unescape(key), unescape(value));
    }
    properties
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match rest.next() {
            Some('u') => {
                let digits: String = rest.by_ref().take(4).collect();
                out.push(u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32).unwrap_or('\u{fffd}'));
            }
            Some('t') => out.push('\t'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('f') => out.push('\u{c}'),
            Some(other) => out.push(other),
            None => {}
        }
    }
    out
}

/// Writes a value so that Java's `Properties.load` gives it back.
fn escape(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '\\' | '=' | ':' | '#' | '!' | ' ' => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            other => {
                let mut units = [0; 2];
                out.extend(other.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::disk::RealDisk;

    fn check(content: Option<&str>, expected: &Expected, wanted: Result<Inspected, &str>) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        if let Some(content) = content {
            std::fs::write(folder.path().join(META_PROPERTIES), content).expect("written");
        }
        match (inspect(&RealDisk, folder.path(), expected), wanted) {
            (Ok(found), Ok(wanted)) => assert_eq!(found, wanted),
            (Err(error), Err(part)) => {
                let line = error.to_string();
                assert!(line.contains(part), "{line:?} names {part:?}");
                assert!(!line.contains('\n'), "one line: {line:?}");
            }
            (found, _) => panic!("{found:?} of {content:?}"),
        }
        assert_eq!(std::fs::read_dir(folder.path()).expect("listed").count(), usize::from(content.is_some()));
    }

    const KAFKAS: &str = "#\n#Sat Nov 21 02:21:16 UTC 2026\ncluster.id=GpUQmrcEQ3ukBHTQ135JPg\n\
                          directory.id=wzMCscdKSSaaPyjEk3eIow\nnode.id=1\nversion=1\n";

    fn kafkas() -> Identity {
        Identity {
            cluster_id: "GpUQmrcEQ3ukBHTQ135JPg".to_owned(),
            node_id: 1,
            directory_id: Uuid::parse("wzMCscdKSSaaPyjEk3eIow"),
        }
    }

    #[test]
    fn kafkas_file_is_read() {
        check(Some(KAFKAS), &Expected::default(), Ok(Inspected::Existing(kafkas())));
    }

    #[test]
    fn what_is_not_understood_is_refused_in_one_line() {
        let any = Expected::default();
        check(None, &any, Ok(Inspected::Fresh));
        check(Some("broker.id=1\nversion=0\n"), &any, Err("ZooKeeper"));
        check(Some("cluster.id=a\nnode.id=1\n"), &any, Err("ZooKeeper"));
        check(Some("cluster.id=a\nnode.id=1\nversion=7\n"), &any, Err("version 7"));
        check(Some("version=1\n"), &any, Err("no cluster.id; meta.properties has no valid node.id"));
        check(Some("cluster.id=a\nnode.id=1\nversion=1\ndirectory.id=AAAAAAAAAAAAAAAAAAAAAQ"), &any, Err("reserved"));
        let other = Expected { cluster_id: Some("b".to_owned()), node_id: Some(2) };
        check(Some(KAFKAS), &other, Err("configured one b; its node.id is 1, the configured one 2"));
    }

    #[test]
    fn a_directory_of_something_else_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(folder.path().join("orders-0")).expect("made");
        let error = inspect(&RealDisk, folder.path(), &Expected::default()).expect_err("it is not empty");
        assert!(error.to_string().contains("orders-0"), "{error}");
    }

    #[test]
    fn any_cluster_id_comes_back() {
        for id in ["4L6g3nShT-eMCtK--X86sw", "a b=c:#!\\ü\u{1f600}", " lead"] {
            let identity = Identity { cluster_id: id.to_owned(), ..kafkas() };
            let (found, problems) = parse(print(&identity).as_bytes());
            assert!(problems.is_empty(), "{problems:?}");
            // Beyond the basic plane Java reads a pair of escapes as one character; nothing of ours needs to.
            if !id.contains('\u{1f600}') {
                assert_eq!(found, Some(identity));
            }
        }
    }

    #[test]
    fn a_second_lock_is_refused_until_the_first_is_dropped() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let data = folder.path().join("made/on/the/way");
        let first = lock(&RealDisk, &data, &Expected::default()).expect("nobody has it");
        let error = lock(&RealDisk, &data, &Expected::default()).expect_err("the first one holds it");
        assert!(matches!(error, IdentityError::InUse { .. }), "{error}");
        drop(first);
        lock(&RealDisk, &data, &Expected::default()).expect("free again");
    }

    #[test]
    fn a_directory_that_is_refused_gets_no_lock_file() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("notes.txt"), "mine").expect("written");
        lock(&RealDisk, folder.path(), &Expected::default()).expect_err("it is somebody's");
        assert_eq!(std::fs::read_dir(folder.path()).expect("listed").count(), 1);
    }
}
