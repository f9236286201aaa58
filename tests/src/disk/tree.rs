//! What is on a disk: files, folders and names. Knows changes, not who makes them nor what becomes of them when power fails.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// The folder at the top.
pub(super) const ROOT: u64 = 1;

/// Type bits of a mode, and what they say.
const TYPE: u32 = 0o170_000;
const FOLDER: u32 = 0o040_000;
const FILE: u32 = 0o100_000;

/// Something that happened on a disk. Names are entries of folders; contents belong to nodes.
#[derive(Clone, Debug)]
pub(super) enum Change {
    /// A new node, and a name for it.
    Make { folder: u64, name: OsString, node: u64, mode: u32 },
    /// A name is gone.
    Remove { folder: u64, name: OsString },
    /// A name moves, over another one if need be.
    Rename { node: u64, folder: u64, name: OsString, to: u64, new_name: OsString },
    /// Cut off, or made longer by zeros.
    Resize { node: u64, length: u64 },
    /// Contents of a file are durable.
    Sync { node: u64 },
    /// Names in a folder are durable.
    SyncFolder { folder: u64 },
    /// Contents of a file.
    Write { node: u64, offset: u64, bytes: Arc<[u8]> },
}

#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Type and permissions.
    pub(super) mode: u32,
    /// Of a file.
    pub(super) bytes: Vec<u8>,
    /// Of a folder.
    pub(super) names: BTreeMap<OsString, u64>,
}

impl Node {
    pub(super) fn new(mode: u32) -> Self {
        Self { mode, bytes: Vec::new(), names: BTreeMap::new() }
    }

    pub(super) fn is_folder(&self) -> bool {
        self.mode & TYPE == FOLDER
    }
}

/// The contents of a disk.
#[derive(Clone, Debug)]
pub struct Tree {
    /// Also those without a name: who has them open still reads them.
    nodes: BTreeMap<u64, Node>,
}

impl Tree {
    pub(super) fn new() -> Self {
        Self { nodes: [(ROOT, Node::new(FOLDER | 0o755))].into() }
    }

    pub(super) fn node(&self, node: u64) -> Option<&Node> {
        self.nodes.get(&node)
    }

    pub(super) fn node_mut(&mut self, node: u64) -> Option<&mut Node> {
        self.nodes.get_mut(&node)
    }

    /// A node without a name.
    pub(super) fn make(&mut self, node: u64, mode: u32) {
        self.nodes.insert(node, Node::new(mode));
    }

    /// Carries a change out. What it is about may be missing where earlier changes were lost; then nothing happens.
    pub(super) fn apply(&mut self, change: &Change) {
        match change {
            Change::Make { folder, name, node, mode } => {
                self.make(*node, *mode);
                self.name(*folder, name, *node);
            }
            Change::Remove { folder, name } => {
                if let Some(folder) = self.nodes.get_mut(folder) {
                    folder.names.remove(name);
                }
            }
            Change::Rename { node, folder, name, to, new_name } => {
                if let Some(folder) = self.nodes.get_mut(folder)
                    && folder.names.get(name) == Some(node)
                {
                    folder.names.remove(name);
                }
                self.name(*to, new_name, *node);
            }
            Change::Resize { node, length } => {
                if let Some(node) = self.nodes.get_mut(node) {
                    node.bytes.resize(*length as usize, 0);
                }
            }
            Change::Sync { .. } | Change::SyncFolder { .. } => {}
            Change::Write { node, offset, bytes } => self.write_at(*node, *offset as usize, bytes),
        }
    }

    pub(super) fn write_at(&mut self, node: u64, offset: usize, bytes: &[u8]) {
        let Some(node) = self.nodes.get_mut(&node) else { return };
        let end = offset + bytes.len();
        if node.bytes.len() < end {
            node.bytes.resize(end, 0);
        }
        node.bytes[offset..end].copy_from_slice(bytes);
    }

    fn name(&mut self, folder: u64, name: &OsString, node: u64) {
        if let Some(folder) = self.nodes.get_mut(&folder) {
            folder.names.insert(name.clone(), node);
        }
    }

    /// Writes the files and folders that have names into a folder; sockets are nothing that a disk keeps.
    ///
    /// # Panics
    /// When the folder cannot be written to.
    pub fn write(&self, place: &Path) {
        self.write_folder(ROOT, place);
    }

    fn write_folder(&self, folder: u64, place: &Path) {
        for (name, node) in &self.nodes[&folder].names {
            let (path, found) = (place.join(name), &self.nodes[node]);
            match found.mode & TYPE {
                FOLDER => {
                    fs::create_dir(&path).expect("a writable temporary folder");
                    self.write_folder(*node, &path);
                }
                FILE => fs::write(&path, &found.bytes).expect("a writable temporary folder"),
                _ => {}
            }
        }
    }
}
