//! Answers the kernel's requests from a tree, and notes every change. Knows nothing of devices and threads.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

#[cfg(test)]
use rand_chacha::ChaCha8Rng;

use super::protocol::{Asked, Attributes, Body, EEXIST, ENOENT, ENOSYS, ENOTDIR, ENOTEMPTY, EPERM, Request, answer};
use super::tree::{Change, Tree};

/// A disk, what happened on it, and whose it is.
#[derive(Debug)]
pub(super) struct Served {
    tree: Tree,
    pub(super) changes: Vec<Change>,
    next: u64,
    uid: u32,
    gid: u32,
}

impl Served {
    pub(super) fn new(uid: u32, gid: u32) -> Self {
        Self { tree: Tree::new(), changes: Vec::new(), next: 2, uid, gid }
    }

    /// What is said to a request; nothing to some.
    pub(super) fn handle(&mut self, request: &[u8]) -> Option<Vec<u8>> {
        let Request { unique, node, asked } = Request::parse(request)?;
        let answered = match asked {
            Asked::Forget => return None,
            Asked::Init => Ok(Body::init()),
            Asked::Open => Ok(Body::default().opened()),
            Asked::Release => Ok(Body::default()),
            Asked::Statfs => Ok(Body::statfs()),
            // The kernel then decides by itself, and asks no more.
            Asked::Access | Asked::Unknown => Err(ENOSYS),
            asked => self.answer(node, asked),
        };
        Some(answer(unique, answered))
    }

    fn answer(&mut self, node: u64, asked: Asked) -> Result<Body, i32> {
        match asked {
            Asked::Create { name, mode } => {
                let made = self.make(node, name, mode)?;
                Ok(Body::entry(&made).opened())
            }
            Asked::Fsync { folder: true } => Ok(self.note(Change::SyncFolder { folder: node })),
            Asked::Fsync { folder: false } => Ok(self.note(Change::Sync { node })),
            Asked::Look => Ok(Body::look(&self.attributes(node)?)),
            Asked::Lookup { name } => Ok(Body::entry(&self.attributes(self.find(node, &name)?)?)),
            Asked::Make { name, mode } => Ok(Body::entry(&self.make(node, name, mode)?)),
            Asked::Read { offset, size } => {
                let bytes = &self.tree.node(node).ok_or(ENOENT)?.bytes;
                let from = bytes.len().min(offset as usize);
                let to = bytes.len().min(from + size as usize);
                Ok(Body(bytes[from..to].to_vec()))
            }
            Asked::ReadFolder { offset, size } => self.names(node, offset, size),
            Asked::Remove { name, folder } => self.remove(node, name, folder),
            Asked::Rename { name, to, new_name, keep } => {
                let moved = self.find(node, &name)?;
                if let Ok(there) = self.find(to, &new_name) {
                    if keep {
                        return Err(EEXIST);
                    }
                    if self.tree.node(there).is_some_and(|there| !there.names.is_empty()) {
                        return Err(ENOTEMPTY);
                    }
                }
                Ok(self.note(Change::Rename { node: moved, folder: node, name, to, new_name }))
            }
            Asked::Set { mode, length } => {
                if let Some(length) = length {
                    self.note(Change::Resize { node, length });
                }
                if let (Some(mode), Some(found)) = (mode, self.tree.node_mut(node)) {
                    found.mode = found.mode & 0o170_000 | mode & 0o7777;
                }
                Ok(Body::look(&self.attributes(node)?))
            }
            Asked::Write { offset, bytes } => {
                let size = bytes.len() as u32;
                self.note(Change::Write { node, offset, bytes: bytes.into() });
                Ok(Body::written(size))
            }
            _ => Err(EPERM),
        }
    }

    fn note(&mut self, change: Change) -> Body {
        self.tree.apply(&change);
        self.changes.push(change);
        Body::default()
    }

    fn find(&self, folder: u64, name: &OsStr) -> Result<u64, i32> {
        let folder = self.tree.node(folder).ok_or(ENOENT)?;
        folder.names.get(name).copied().ok_or(ENOENT)
    }

    fn attributes(&self, node: u64) -> Result<Attributes, i32> {
        let found = self.tree.node(node).ok_or(ENOENT)?;
        let length = found.bytes.len() as u64;
        Ok(Attributes { node, mode: found.mode, length, uid: self.uid, gid: self.gid })
    }

    fn make(&mut self, folder: u64, name: OsString, mode: u32) -> Result<Attributes, i32> {
        if self.find(folder, &name).is_ok() {
            return Err(EEXIST);
        }
        let node = self.next;
        self.next += 1;
        self.note(Change::Make { folder, name, node, mode });
        self.attributes(node)
    }

    fn remove(&mut self, folder: u64, name: OsString, of_folder: bool) -> Result<Body, i32> {
        let found = self.tree.node(self.find(folder, &name)?).ok_or(ENOENT)?;
        if of_folder && !found.is_folder() {
            return Err(ENOTDIR);
        }
        if !found.names.is_empty() {
            return Err(ENOTEMPTY);
        }
        Ok(self.note(Change::Remove { folder, name }))
    }

    fn names(&self, folder: u64, offset: u64, size: u32) -> Result<Body, i32> {
        let found = self.tree.node(folder).ok_or(ENOENT)?;
        let mut body = Body::default();
        for (index, (name, node)) in found.names.iter().enumerate().skip(offset as usize) {
            let mode = self.tree.node(*node).map_or(0, |node| node.mode);
            body = match body.name(*node, index as u64 + 1, mode, name.as_bytes(), size) {
                Ok(body) => body,
                Err(full) => return Ok(full),
            };
        }
        Ok(body)
    }

    #[cfg(test)]
    pub(super) fn cut(&self, moment: usize, random: &mut ChaCha8Rng) -> Tree {
        super::cut::cut(&self.changes[..moment], super::Syncs::Kept, random)
    }
}
