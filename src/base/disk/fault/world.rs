//! All there is on a simulated disk, as a value: what is seen, what is durable, what is pending. Copies are cheap.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Component, Path};
use std::sync::Arc;

use super::content::Content;
use super::{Cut, Dice, Fault, Kept};
use crate::base::disk::{Entry, Kind};

/// Modification times count operations from here (2023-11-14).
const EPOCH_MS: i64 = 1_700_000_000_000;

pub(super) type NodeId = u64;
const ROOT: NodeId = 0;
type Names = BTreeMap<String, NodeId>;

/// One change of a file that is not durable yet.
#[derive(Clone)]
enum Change {
    Write { position: u64, bytes: Arc<[u8]> },
    Length(u64),
}

/// A file or folder, whatever it is called.
#[derive(Clone)]
enum Node {
    File(FileNode),
    Folder(FolderNode),
}

#[derive(Clone, Default)]
struct FileNode {
    seen: Content,
    durable: Content,
    pending: Vec<Change>,
    modified_ms: i64,
}

#[derive(Clone, Default)]
struct FolderNode {
    seen: Names,
    durable: Names,
}

/// A change of names: an entry that goes and an entry that comes, both or neither.
#[derive(Clone)]
struct Renaming {
    gone: Option<(NodeId, String)>,
    come: Option<(NodeId, String, NodeId)>,
    /// Folders whose sync it still waits for.
    awaits: BTreeSet<NodeId>,
}

#[derive(Clone)]
pub(super) struct World {
    nodes: BTreeMap<NodeId, Arc<Node>>,
    next_id: NodeId,
    renamings: Vec<Arc<Renaming>>,
    pub(super) operations: u64,
    pub(super) faults: BTreeMap<u64, Fault>,
    pub(super) capacity: Option<u64>,
    pub(super) read_max: Option<usize>,
    pub(super) stopped: bool,
}

/// What an operation that was let in has to do besides its work.
pub(super) type Ordered = Option<io::Error>;

fn io_error() -> io::Error {
    io::Error::from_raw_os_error(5)
}

fn no_space() -> io::Error {
    io::Error::from_raw_os_error(28)
}

/// The names on the way from the root; `.` counts for nothing.
fn steps(path: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::RootDir | Component::CurDir => {}
            Component::Normal(name) => names.push(name.to_str().ok_or(io::ErrorKind::InvalidInput)?.to_owned()),
            Component::ParentDir | Component::Prefix(_) => return Err(io::ErrorKind::InvalidInput.into()),
        }
    }
    Ok(names)
}

impl FileNode {
    fn apply(content: &mut Content, change: &Change) {
        match change {
            Change::Write { position, bytes } => content.write(*position, bytes),
            Change::Length(length) => content.set_length(*length),
        }
    }

    fn change(&mut self, change: Change) {
        Self::apply(&mut self.seen, &change);
        self.pending.push(change);
    }

    fn sync(&mut self) {
        for change in self.pending.drain(..) {
            Self::apply(&mut self.durable, &change);
        }
    }

    /// What a crash leaves of this file. `keep` is asked once for each pending change, in order.
    fn after_crash(&self, cut: &Cut, mut keep: impl FnMut() -> bool, dice: &mut Dice) -> Content {
        let mut content = self.durable.clone();
        // Lengths that the file had since its last sync: after a subset any of them may be the one on disk.
        let mut length = content.length();
        let mut lengths = vec![length];
        for change in &self.pending {
            let kept = keep();
            match change {
                Change::Write { position, bytes } => {
                    length = length.max(position + bytes.len() as u64);
                    lengths.push(length);
                    match cut.tear_bytes {
                        _ if !kept => {}
                        None => content.write(*position, bytes),
                        Some(sector) => write_torn(&mut content, *position, bytes, sector, dice),
                    }
                }
                Change::Length(new) => {
                    length = *new;
                    if kept {
                        content.set_length(length);
                        lengths.clear();
                    }
                    lengths.push(length);
                }
            }
        }
        match cut.writes {
            Kept::Subset => content.set_length(lengths[dice.below(lengths.len())]),
            Kept::Everything => content.set_length(length),
            _ => {}
        }
        content
    }
}

/// Writes each aligned piece of `sector` bytes or leaves what was there; the file grows either way.
fn write_torn(content: &mut Content, position: u64, bytes: &[u8], sector: u64, dice: &mut Dice) {
    let end = position + bytes.len() as u64;
    let grown = content.length().max(end);
    let mut at = position;
    while at < end {
        let next = ((at / sector + 1) * sector).min(end);
        if dice.coin() {
            let range = [at - position, next - position].map(|edge| usize::try_from(edge).expect("within the write"));
            content.write(at, &bytes[range[0]..range[1]]);
        }
        at = next;
    }
    content.set_length(grown);
}

/// Answers for each of `count` operations whether it survives.
fn survivors(kept: Kept, count: usize, dice: &mut Dice) -> Vec<bool> {
    let prefix = if kept == Kept::Prefix { dice.below(count + 1) } else { 0 };
    (0..count)
        .map(|index| match kept {
            Kept::Nothing => false,
            Kept::Everything => true,
            Kept::Only(one) => index == one,
            Kept::AllBut(one) => index != one,
            Kept::Prefix => index < prefix,
            Kept::Subset => dice.coin(),
        })
        .collect()
}

impl World {
    pub(super) fn new() -> World {
        World {
            nodes: BTreeMap::from([(ROOT, Arc::new(Node::Folder(FolderNode::default())))]),
            next_id: ROOT + 1,
            renamings: Vec::new(),
            operations: 0,
            faults: BTreeMap::new(),
            capacity: None,
            read_max: None,
            stopped: false,
        }
    }

    /// Lets an operation in, under the next number, or refuses it. `Some`: it goes wrong with this error.
    pub(super) fn begin(&mut self) -> io::Result<Ordered> {
        self.alive()?;
        let fault = self.faults.remove(&self.operations);
        self.operations += 1;
        match fault {
            None => Ok(None),
            Some(Fault::Io) => Ok(Some(io_error())),
            Some(Fault::NoSpace) => Ok(Some(no_space())),
            Some(Fault::Stop) => {
                self.stopped = true;
                self.alive().map(|()| None)
            }
        }
    }

    pub(super) fn alive(&self) -> io::Result<()> {
        if self.stopped { Err(io::Error::other("the simulated machine is off")) } else { Ok(()) }
    }

    fn add(&mut self, node: Node) -> NodeId {
        let id = self.next_id;
        self.next_id += 1;
        self.nodes.insert(id, Arc::new(node));
        id
    }

    fn folder(&self, id: NodeId) -> io::Result<&FolderNode> {
        match self.nodes.get(&id).map(Arc::as_ref) {
            Some(Node::Folder(folder)) => Ok(folder),
            Some(Node::File(_)) => Err(io::ErrorKind::NotADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn folder_mut(&mut self, id: NodeId) -> io::Result<&mut FolderNode> {
        match self.nodes.get_mut(&id).map(Arc::make_mut) {
            Some(Node::Folder(folder)) => Ok(folder),
            Some(Node::File(_)) => Err(io::ErrorKind::NotADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn file(&self, id: NodeId) -> io::Result<&FileNode> {
        match self.nodes.get(&id).map(Arc::as_ref) {
            Some(Node::File(file)) => Ok(file),
            Some(Node::Folder(_)) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn file_mut(&mut self, id: NodeId) -> io::Result<&mut FileNode> {
        let now = EPOCH_MS.saturating_add(i64::try_from(self.operations).unwrap_or(i64::MAX));
        match self.nodes.get_mut(&id).map(Arc::make_mut) {
            Some(Node::File(file)) => {
                file.modified_ms = now;
                Ok(file)
            }
            Some(Node::Folder(_)) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn files(&self) -> impl Iterator<Item = (NodeId, &FileNode)> {
        self.nodes.iter().filter_map(|(id, node)| match node.as_ref() {
            Node::File(file) => Some((*id, file)),
            Node::Folder(_) => None,
        })
    }

    fn find(&self, path: &Path) -> io::Result<NodeId> {
        let mut at = ROOT;
        for name in steps(path)? {
            at = *self.folder(at)?.seen.get(&name).ok_or(io::ErrorKind::NotFound)?;
        }
        Ok(at)
    }

    /// The folder that a path is in, and its name there.
    fn place(&self, path: &Path) -> io::Result<(NodeId, String)> {
        let mut names = steps(path)?;
        let name = names.pop().ok_or(io::ErrorKind::InvalidInput)?;
        let mut at = ROOT;
        for name in names {
            at = *self.folder(at)?.seen.get(&name).ok_or(io::ErrorKind::NotFound)?;
        }
        self.folder(at)?;
        Ok((at, name))
    }

    /// Makes a folder and its parents, durable at once.
    pub(super) fn plant_folder(&mut self, path: &Path) -> io::Result<()> {
        let mut at = ROOT;
        for name in steps(path)? {
            let next = match self.folder(at)?.seen.get(&name) {
                Some(next) => *next,
                None => self.add(Node::Folder(FolderNode::default())),
            };
            let folder = self.folder_mut(at)?;
            folder.seen.insert(name.clone(), next);
            folder.durable.insert(name, next);
            at = next;
        }
        Ok(())
    }

    fn rename_entry(&mut self, gone: Option<(NodeId, String)>, come: Option<(NodeId, String, NodeId)>) {
        let from = gone.as_ref().map(|(folder, _)| *folder);
        let to = come.as_ref().map(|(folder, _, _)| *folder);
        let renaming = Renaming { gone, come, awaits: from.into_iter().chain(to).collect() };
        self.apply_renaming(&renaming, |folder| &mut folder.seen);
        self.renamings.push(Arc::new(renaming));
    }

    fn apply_renaming(&mut self, renaming: &Renaming, side: fn(&mut FolderNode) -> &mut Names) {
        if let Some((folder, name)) = &renaming.gone
            && let Ok(folder) = self.folder_mut(*folder)
        {
            side(folder).remove(name);
        }
        if let Some((folder, name, node)) = &renaming.come
            && let Ok(folder) = self.folder_mut(*folder)
        {
            side(folder).insert(name.clone(), *node);
        }
    }

    /// The file at a path, `None` if nothing is there.
    pub(super) fn existing_file(&self, path: &Path) -> io::Result<Option<NodeId>> {
        let (folder, name) = self.place(path)?;
        match self.folder(folder)?.seen.get(&name) {
            Some(id) => self.file(*id).map(|_| Some(*id)),
            None => Ok(None),
        }
    }

    pub(super) fn create_file(&mut self, path: &Path, ordered: Ordered) -> io::Result<NodeId> {
        let (folder, name) = self.place(path)?;
        fail(ordered)?;
        let id = self.add(Node::File(FileNode::default()));
        self.file_mut(id)?;
        self.rename_entry(None, Some((folder, name, id)));
        Ok(id)
    }

    pub(super) fn create_folder(&mut self, path: &Path, ordered: Ordered) -> io::Result<()> {
        let (folder, name) = self.place(path)?;
        if self.folder(folder)?.seen.contains_key(&name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        fail(ordered)?;
        let id = self.add(Node::Folder(FolderNode::default()));
        self.rename_entry(None, Some((folder, name, id)));
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path, ordered: Ordered) -> io::Result<()> {
        let gone = self.place(from)?;
        let (folder, name) = self.place(to)?;
        let node = *self.folder(gone.0)?.seen.get(&gone.1).ok_or(io::ErrorKind::NotFound)?;
        if let Some(target) = self.folder(folder)?.seen.get(&name) {
            match (self.folder(node).is_ok(), self.folder(*target)) {
                (false, Ok(_)) => return Err(io::ErrorKind::IsADirectory.into()),
                (true, Err(_)) => return Err(io::ErrorKind::NotADirectory.into()),
                (true, Ok(target)) if !target.seen.is_empty() => return Err(io::ErrorKind::DirectoryNotEmpty.into()),
                _ => {}
            }
        }
        fail(ordered)?;
        if gone != (folder, name.clone()) {
            self.rename_entry(Some(gone), Some((folder, name, node)));
        }
        Ok(())
    }

    pub(super) fn remove_file(&mut self, path: &Path, ordered: Ordered) -> io::Result<()> {
        self.existing_file(path)?.ok_or(io::ErrorKind::NotFound)?;
        fail(ordered)?;
        let place = self.place(path)?;
        self.rename_entry(Some(place), None);
        Ok(())
    }

    /// Removes what is in the folder, deepest first, then the folder. If it is to fail, half of the names are gone.
    pub(super) fn remove_folder(&mut self, path: &Path, ordered: Ordered) -> io::Result<()> {
        let id = self.find(path)?;
        self.folder(id)?;
        let mut entries = Vec::new();
        self.entries_below(id, &mut entries)?;
        entries.push(self.place(path)?);
        let count = if ordered.is_some() { entries.len() / 2 } else { entries.len() };
        for entry in entries.into_iter().take(count) {
            self.rename_entry(Some(entry), None);
        }
        fail(ordered)
    }

    fn entries_below(&self, id: NodeId, entries: &mut Vec<(NodeId, String)>) -> io::Result<()> {
        for (name, child) in &self.folder(id)?.seen {
            if self.folder(*child).is_ok() {
                self.entries_below(*child, entries)?;
            }
            entries.push((id, name.clone()));
        }
        Ok(())
    }

    pub(super) fn sync_folder(&mut self, path: &Path, ordered: Ordered) -> io::Result<()> {
        let id = self.find(path)?;
        self.folder(id)?;
        fail(ordered)?;
        for renaming in std::mem::take(&mut self.renamings) {
            let mut renaming = renaming;
            if renaming.awaits.contains(&id) {
                Arc::make_mut(&mut renaming).awaits.remove(&id);
            }
            if renaming.awaits.is_empty() {
                self.apply_renaming(&renaming, |folder| &mut folder.durable);
            } else {
                self.renamings.push(renaming);
            }
        }
        Ok(())
    }

    pub(super) fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let folder = self.folder(self.find(path)?)?;
        let kind = |id| if self.folder(id).is_ok() { Kind::Folder } else { Kind::File };
        Ok(folder.seen.iter().map(|(name, id)| Entry { name: name.clone(), kind: kind(*id) }).collect())
    }

    pub(super) fn modified_ms(&self, path: &Path) -> io::Result<i64> {
        Ok(self.file(self.find(path)?)?.modified_ms)
    }

    pub(super) fn length(&self, id: NodeId) -> io::Result<u64> {
        Ok(self.file(id)?.seen.length())
    }

    pub(super) fn read(&self, id: NodeId, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        let count = buffer.len().min(self.read_max.unwrap_or(usize::MAX));
        Ok(self.file(id)?.seen.read(&mut buffer[..count], position))
    }

    pub(super) fn write(&mut self, id: NodeId, bytes: &[u8], position: u64, ordered: Ordered) -> io::Result<()> {
        let end = position + bytes.len() as u64;
        let length = self.file(id)?.seen.length();
        let fitting = match self.room() {
            Some(room) if end > length.saturating_add(room) => (length + room).saturating_sub(position),
            _ => bytes.len() as u64,
        };
        let fitting = usize::try_from(fitting).unwrap_or(usize::MAX).min(bytes.len());
        let count = if ordered.is_some() { fitting / 2 } else { fitting };
        if count > 0 {
            self.file_mut(id)?.change(Change::Write { position, bytes: bytes[..count].into() });
        }
        fail(ordered)?;
        if count < bytes.len() { Err(no_space()) } else { Ok(()) }
    }

    pub(super) fn set_length(&mut self, id: NodeId, length: u64, ordered: Ordered) -> io::Result<()> {
        fail(ordered)?;
        self.file_mut(id)?.change(Change::Length(length));
        Ok(())
    }

    pub(super) fn sync(&mut self, id: NodeId, ordered: Ordered) -> io::Result<()> {
        let file = self.file_mut(id)?;
        if ordered.is_some() {
            file.pending.clear();
        }
        fail(ordered)?;
        file.sync();
        Ok(())
    }

    pub(super) fn reserve(&self, id: NodeId, length: u64) -> io::Result<()> {
        let growth = length.saturating_sub(self.file(id)?.seen.length());
        if self.room().is_some_and(|room| growth > room) { Err(no_space()) } else { Ok(()) }
    }

    /// Bytes that still fit, `None` without a capacity.
    pub(super) fn room(&self) -> Option<u64> {
        let capacity = self.capacity?;
        let mut used = 0;
        let mut open = vec![ROOT];
        while let Some(id) = open.pop() {
            match self.nodes.get(&id).map(Arc::as_ref) {
                Some(Node::Folder(folder)) => open.extend(folder.seen.values()),
                Some(Node::File(file)) => used += file.seen.length(),
                None => {}
            }
        }
        Some(capacity.saturating_sub(used))
    }

    pub(super) fn pending_writes(&self) -> usize {
        self.files().map(|(_, file)| file.pending.len()).sum()
    }

    pub(super) fn pending_names(&self) -> usize {
        self.renamings.len()
    }

    /// What a crash leaves, as a disk on which everything is durable.
    pub(super) fn crash(&self, cut: &Cut, dice: &mut Dice) -> World {
        let mut names: BTreeMap<NodeId, Names> = BTreeMap::new();
        for (id, node) in &self.nodes {
            if let Node::Folder(folder) = node.as_ref() {
                names.insert(*id, folder.durable.clone());
            }
        }
        let kept = survivors(cut.names, self.renamings.len(), dice);
        for (renaming, _) in self.renamings.iter().zip(kept).filter(|(_, kept)| *kept) {
            if let Some((folder, name)) = &renaming.gone {
                names.entry(*folder).or_default().remove(name);
            }
            if let Some((folder, name, node)) = &renaming.come {
                names.entry(*folder).or_default().insert(name.clone(), *node);
            }
        }
        let mut kept = survivors(cut.writes, self.pending_writes(), dice).into_iter();
        let mut contents: BTreeMap<NodeId, Content> = BTreeMap::new();
        for (id, file) in self.files() {
            contents.insert(id, file.after_crash(cut, || kept.next().unwrap_or(false), dice));
        }
        let mut world = World { next_id: self.next_id, ..World::new() };
        let mut open = vec![ROOT];
        while let Some(id) = open.pop() {
            let node = if let Some(names) = names.remove(&id) {
                open.extend(names.values());
                Node::Folder(FolderNode { seen: names.clone(), durable: names })
            } else if let Some(content) = contents.remove(&id) {
                let modified_ms = self.file(id).map_or(0, |file| file.modified_ms);
                Node::File(FileNode { seen: content.clone(), durable: content, pending: Vec::new(), modified_ms })
            } else {
                // A second name of a node that is already there.
                continue;
            };
            world.nodes.insert(id, Arc::new(node));
        }
        world
    }
}

fn fail(ordered: Ordered) -> io::Result<()> {
    ordered.map_or(Ok(()), Err)
}
