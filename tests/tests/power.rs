//! Power fails at any moment: what was acknowledged by then is there, the store opens and is whole, its head answers as it did
//! and is the one that its samples give, and work goes on.
//!
//! A disk in memory notes every change and every sync of what runs on it, so that one run gives any number of power cuts, each
//! at a moment of its own and with other things lost that were not synced. 16 here, 1,000 in `cargo xtask soak power`.

mod aftermath;
mod by_command;
mod by_daemon;
mod state;

use acclimate_tests::device::Device;
use acclimate_tests::disk::{Disk, Record, Syncs};
use acclimate_tests::skip::{skip, soak};
use aftermath::check;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use state::Step;

/// What ran on a disk, and what was acknowledged when.
struct Session {
    record: Record,
    /// In order.
    steps: Vec<Step>,
    /// What lies on other disks, as models do.
    #[expect(dead_code, reason = "its files are read by who takes the disk up again")]
    device: Device,
}

impl Session {
    /// A moment of it: every other time one at which something was just acknowledged.
    fn moment(&self, random: &mut ChaCha8Rng) -> usize {
        let acknowledged: Vec<usize> = self.steps.iter().flat_map(Step::moments).collect();
        if random.random_bool(0.5) && !acknowledged.is_empty() {
            return acknowledged[random.random_range(0..acknowledged.len())];
        }
        random.random_range(0..=self.record.len())
    }

    /// Power fails at a moment; what is wrong afterwards, if anything is.
    fn fails(&self, moment: usize, syncs: Syncs, random: &mut ChaCha8Rng) -> Result<(), String> {
        let left = self.record.cut(moment, syncs, random);
        check(&left, &self.steps, moment)
    }

    fn words(&self) -> String {
        let (bytes, files, folders) = self.record.counts();
        let (changes, steps) = (self.record.len(), self.steps.len());
        format!(
            "{steps} steps, {changes} changes: {} KiB written, files synced {files} times, folders {folders} times",
            bytes >> 10
        )
    }
}

/// Cuts power so many times, in sessions of a few cuts each.
fn cut(cuts: usize, each: usize, seed: u64, record: impl Fn(Disk, u64) -> Session) {
    for session in 0..cuts.div_ceil(each) {
        let disk = match Disk::mount() {
            Ok(disk) => disk,
            Err(why) => return skip("fuse", &format!("no power was cut: {why}")),
        };
        let session_seed = seed + session as u64;
        let recorded = record(disk, session_seed);
        eprintln!("session {session_seed:#x}: {}", recorded.words());
        let mut random = ChaCha8Rng::seed_from_u64(session_seed);
        for number in 0..each {
            let moment = recorded.moment(&mut random);
            if let Err(wrong) = recorded.fails(moment, Syncs::Kept, &mut random) {
                let steps: Vec<_> = recorded.steps.iter().map(Step::words).collect();
                panic!("session {session_seed:#x}, cut {number} at {moment}: {wrong}\n{}", steps.join("\n"));
            }
        }
        eprintln!("power cut {} times", (session + 1) * each);
    }
}

#[test]
fn what_the_command_line_acknowledged_is_there_after_a_power_cut() {
    let (cuts, each) = if soak() { (500, 50) } else { (8, 8) };
    cut(cuts, each, 0x00AC_C300, by_command::record);
}

#[test]
fn what_a_daemon_acknowledged_is_there_after_a_power_cut() {
    let (cuts, each) = if soak() { (500, 50) } else { (8, 8) };
    cut(cuts, each, 0x00AC_C400, by_daemon::record);
}

/// Otherwise the two above say nothing.
#[test]
fn syncs_that_are_left_out_are_noticed() {
    let disk = match Disk::mount() {
        Ok(disk) => disk,
        Err(why) => return skip("fuse", &format!("no power was cut: {why}")),
    };
    let session = by_command::record(disk, 0x00AC_C300);
    // The one folder that names an exported head: everything else was made before.
    let export =
        session.steps.iter().find(|step| step.what.starts_with("head export")).expect("the session exports one");
    let faults = [
        (Syncs::FoldersUntil(export.begun), Some(export.acknowledged)),
        (Syncs::WithoutFolders, None),
        (Syncs::WithoutFiles, None),
    ];
    for (syncs, moment) in faults {
        let mut random = ChaCha8Rng::seed_from_u64(2);
        let noticed = (1..=30).find_map(|cut| {
            let moment = moment.unwrap_or_else(|| session.moment(&mut random));
            session.fails(moment, syncs, &mut random).err().map(|wrong| (cut, wrong))
        });
        let (cut, wrong) = noticed.unwrap_or_else(|| panic!("{syncs:?}: unnoticed in 30 cuts"));
        eprintln!("{syncs:?}: noticed at cut {cut}: {wrong}");
    }
}
