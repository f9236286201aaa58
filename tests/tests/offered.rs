//! Frames come as quickly as a program can write them, for as long as it likes: memory and disk stay as they were.
//!
//! 20,000 frames here, 1,000,000 in `cargo xtask soak offered`, which prints what was so on the way. Offered is what the source
//! has read; of what waits, only the newest is looked at.

use std::fs;
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use acclimate_tests::daemon::Daemon;
use acclimate_tests::device::Device;
use acclimate_tests::picture;
use acclimate_tests::program::resident;
use acclimate_tests::skip::soak;

/// Frames in a file, which is written over and over.
const FILE: u64 = 500;
/// What may come on top of what there was after the first tenth, bytes.
const MEMORY: u64 = 24 << 20;
const DISK: u64 = 8 << 20;
/// What the task may keep, MiB.
const KEPT: u64 = 2;
/// Time for everything; what was not offered by then fails.
const PATIENCE: Duration = Duration::from_mins(20);

/// What a daemon costs at one moment.
#[derive(Clone, Copy, Debug)]
struct Cost {
    memory: u64,
    disk: u64,
}

impl Cost {
    fn of(process: u32, data: &Path) -> Self {
        let files = fs::read_dir(data).unwrap();
        // A file of the database may go while they are counted.
        let disk = files.filter_map(|file| Some(file.ok()?.metadata().ok()?.len())).sum();
        Self { memory: resident(process), disk }
    }
}

#[test]
fn frames_without_end_leave_memory_and_disk_as_they_were() {
    let times = if soak() { 1_000_000 / FILE } else { 20_000 / FILE };
    let device = Device::new();
    let pixels = |number| image::load_from_memory(&picture::draw(number as usize % 2, number)).unwrap().to_rgb8();
    let frames: Vec<u8> = (0..FILE).flat_map(|number| pixels(number).into_raw()).collect();
    let frames = device.file("frames.rgb", &frames);
    let (progress, side) = (device.path("progress"), picture::SIDE);
    // It waits in the end, so that it is not started again.
    let script = format!(
        "i=0; while [ $i -lt {times} ]; do cat {}; i=$((i+1)); echo $i > {}; done; exec tail -f /dev/null",
        frames.display(),
        progress.display()
    );
    let text = format!(
        "[http]\nlisten = \"127.0.0.1:0\"\n[[source]]\nname = \"belt\"\nkind = \"command\"\nformat = \"rgb\"\n\
         size = [{side}, {side}]\npatience = \"1h\"\nargv = [\"sh\", \"-c\", \"{script}\"]\n\
         [[task]]\nname = \"parts\"\nkeep_mib = {KEPT}\n"
    );
    let config = device.file("acclimate.toml", text.as_bytes());
    let start = Instant::now();
    let mut daemon = Daemon::start(&device, &config);
    let offered = || fs::read_to_string(&progress).ok().and_then(|text| text.trim().parse::<u64>().ok()).unwrap_or(0);
    let (_never, nothing) = mpsc::channel::<()>();
    let mut costs = Vec::new();
    for tenth in 1..=10 {
        while offered() * 10 < times * tenth {
            assert!(
                start.elapsed() < PATIENCE,
                "{} of {} frames offered in {PATIENCE:?}",
                offered() * FILE,
                times * FILE
            );
            let _ = nothing.recv_timeout(Duration::from_millis(20));
        }
        let view = daemon.status();
        let cost = Cost::of(daemon.id(), &device.data_dir());
        eprintln!(
            "{:7} frames offered, {} looked at, {} kept, {:.0} s: resident {:.1} MiB, data {:.2} MiB",
            offered() * FILE,
            view["sources"][0]["frames"],
            view["tasks"][0]["unlabelled"],
            start.elapsed().as_secs_f64(),
            cost.memory as f64 / f64::from(1 << 20),
            cost.disk as f64 / f64::from(1 << 20)
        );
        costs.push(cost);
    }
    let view = daemon.status();
    assert!(view["sources"][0]["frames"].as_u64() > Some(100), "{view}");
    assert_eq!(view["degraded"], serde_json::json!([]), "{view}");
    let (first, last) = (costs[0], costs[9]);
    assert!(last.memory < first.memory + MEMORY, "memory grows: {costs:?}");
    assert!(last.disk < first.disk + DISK, "the store grows: {costs:?}");
    let ended = daemon.end().expect(0);
    assert!(!ended.stderr.contains("panic"), "{}", ended.stderr);
}
