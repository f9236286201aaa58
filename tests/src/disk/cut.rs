//! What a power cut leaves: everything that was synced, and of the rest anything, as the case may be. Pure: changes and random
//! numbers in, a tree out.
//!
//! A name is durable when its folder was synced after it, contents when their file was. What is not may be there all the same:
//! nothing of it; what came first of it, as on a disk that keeps order; or any of it, writes also in part, by sectors, as on a
//! disk that does not. Names appear in order in every case: the journals of file systems keep theirs.

use std::collections::BTreeSet;
use std::sync::Arc;

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;

use super::tree::{Change, Tree};

/// What a disk writes whole or not at all, bytes.
const SECTOR: usize = 512;

/// Which syncs a disk heeds. A fault is planted by leaving some out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syncs {
    /// Those of folders are left out from a moment on.
    FoldersUntil(usize),
    /// All.
    Kept,
    /// Those of folders are left out, as if the program had never asked for them.
    WithoutFolders,
    /// Those of files are left out.
    WithoutFiles,
}

/// What becomes of a change that is not durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Luck {
    Nothing,
    /// What came before the so-manieth change.
    First(usize),
    Any,
}

pub(super) fn cut(changes: &[Change], syncs: Syncs, random: &mut ChaCha8Rng) -> Tree {
    let durable = durable(changes, syncs);
    let luck = match random.random_range(0..3) {
        0 => Luck::Nothing,
        1 => Luck::First(random.random_range(0..=changes.len())),
        _ => Luck::Any,
    };
    // Names have a moment of their own, before which all are kept.
    let names = match luck {
        Luck::Nothing => 0,
        Luck::First(first) => first,
        Luck::Any => random.random_range(0..=changes.len()),
    };
    let mut tree = Tree::new();
    // Files whose length was to change and did not: what was written to them after that is lost as well.
    let mut stuck = BTreeSet::new();
    for (index, change) in changes.iter().enumerate() {
        let kept = durable[index]
            || match (change, luck) {
                (Change::Make { .. } | Change::Remove { .. } | Change::Rename { .. }, _) => index < names,
                (_, Luck::Nothing) => false,
                (_, Luck::First(first)) => index < first,
                (Change::Write { node, .. } | Change::Resize { node, .. }, Luck::Any) => {
                    !stuck.contains(node) && random.random_bool(0.6)
                }
                (_, Luck::Any) => true,
            };
        match change {
            _ if kept => tree.apply(change),
            // Contents that were synced belong to the node, whatever it is called.
            Change::Make { node, mode, .. } => tree.make(*node, *mode),
            Change::Resize { node, .. } => {
                stuck.insert(*node);
            }
            Change::Write { node, offset, bytes } if luck == Luck::Any && !stuck.contains(node) => {
                tear(&mut tree, *node, *offset as usize, bytes, random);
            }
            _ => {}
        }
    }
    tree
}

/// Some sectors of a write, often none.
fn tear(tree: &mut Tree, node: u64, offset: usize, bytes: &Arc<[u8]>, random: &mut ChaCha8Rng) {
    if random.random_bool(0.5) {
        return;
    }
    let mut from = 0;
    while from < bytes.len() {
        let sector_ends = (offset + from) / SECTOR * SECTOR + SECTOR - offset;
        let to = sector_ends.min(bytes.len());
        if random.random_bool(0.5) {
            tree.write_at(node, offset + from, &bytes[from..to]);
        }
        from = to;
    }
}

/// For each change, whether it is there after a power cut in any case.
fn durable(changes: &[Change], syncs: Syncs) -> Vec<bool> {
    let (mut files, mut folders) = (BTreeSet::new(), BTreeSet::new());
    let mut durable = vec![false; changes.len()];
    for (index, change) in changes.iter().enumerate().rev() {
        durable[index] = match change {
            Change::Make { folder, .. } | Change::Remove { folder, .. } => folders.contains(folder),
            // In two folders at once or in none.
            Change::Rename { folder, to, .. } => folders.contains(folder) || folders.contains(to),
            Change::Resize { node, .. } | Change::Write { node, .. } => files.contains(node),
            Change::Sync { node } => {
                if syncs != Syncs::WithoutFiles {
                    files.insert(*node);
                }
                true
            }
            Change::SyncFolder { folder } => {
                let heeded = match syncs {
                    Syncs::FoldersUntil(moment) => index < moment,
                    Syncs::Kept | Syncs::WithoutFiles => true,
                    Syncs::WithoutFolders => false,
                };
                if heeded {
                    folders.insert(*folder);
                }
                true
            }
        };
    }
    durable
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test should panic")]
    use rand::SeedableRng as _;

    use super::super::tree::ROOT;
    use super::*;

    fn make(node: u64, name: &str) -> Change {
        Change::Make { folder: ROOT, name: name.into(), node, mode: 0o100_644 }
    }

    fn write(node: u64, offset: u64, byte: u8, length: usize) -> Change {
        Change::Write { node, offset, bytes: vec![byte; length].into() }
    }

    /// Everything that a hundred cuts leave in the file `name`.
    fn outcomes(changes: &[Change], syncs: Syncs, name: &str) -> BTreeSet<Option<Vec<u8>>> {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let left = (0..100).map(|_| {
            let tree = cut(changes, syncs, &mut random);
            let node = tree.node(ROOT).unwrap().names.get(std::ffi::OsStr::new(name)).copied();
            node.map(|node| tree.node(node).unwrap().bytes.clone())
        });
        left.collect()
    }

    #[test]
    fn what_was_synced_is_there_and_what_was_not_may_be_anything() {
        let mut changes = vec![make(2, "a"), write(2, 0, 1, 1024), Change::Sync { node: 2 }];
        let with_name = [changes.clone(), vec![Change::SyncFolder { folder: ROOT }]].concat();
        assert_eq!(outcomes(&with_name, Syncs::Kept, "a"), [Some(vec![1; 1024])].into());
        // A name that nobody synced; and one that was, as if it had not been.
        assert_eq!(outcomes(&changes, Syncs::Kept, "a"), [None, Some(vec![1; 1024])].into());
        assert_eq!(outcomes(&with_name, Syncs::WithoutFolders, "a"), [None, Some(vec![1; 1024])].into());
        // Contents that nobody synced: none, all, and either sector.
        changes = vec![make(2, "a"), write(2, 0, 1, 1024), Change::SyncFolder { folder: ROOT }];
        let torn = [vec![0; 512], vec![1; 512]].concat();
        let expected: BTreeSet<_> = [vec![], vec![1; 512], vec![1; 1024], torn].map(Some).into();
        assert_eq!(outcomes(&changes, Syncs::Kept, "a"), expected);
        assert_eq!(outcomes(&with_name, Syncs::WithoutFiles, "a"), expected);
    }

    #[test]
    fn a_synced_file_is_found_under_its_new_name_or_its_old_one() {
        let renamed = Change::Rename { node: 2, folder: ROOT, name: "new".into(), to: ROOT, new_name: "head".into() };
        let mut changes = vec![make(3, "head"), write(3, 0, 3, 1), Change::Sync { node: 3 }];
        changes.extend([Change::SyncFolder { folder: ROOT }, make(2, "new"), write(2, 0, 2, 1)]);
        changes.extend([Change::Sync { node: 2 }, renamed]);
        assert_eq!(outcomes(&changes, Syncs::Kept, "head"), [Some(vec![2]), Some(vec![3])].into());
        changes.push(Change::SyncFolder { folder: ROOT });
        assert_eq!(outcomes(&changes, Syncs::Kept, "head"), [Some(vec![2])].into());
        assert_eq!(outcomes(&changes, Syncs::Kept, "new"), [None].into());
    }

    #[test]
    fn nothing_is_written_to_a_file_that_was_to_be_cut_off_and_was_not() {
        let mut changes = vec![make(2, "log"), write(2, 0, 1, 4), Change::Sync { node: 2 }];
        changes.extend([Change::SyncFolder { folder: ROOT }, Change::Resize { node: 2, length: 0 }, write(2, 0, 2, 2)]);
        let expected: BTreeSet<_> = [vec![1; 4], vec![], vec![2; 2]].map(Some).into();
        assert_eq!(outcomes(&changes, Syncs::Kept, "log"), expected);
    }
}
