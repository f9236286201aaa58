//! An hour of an accelerometer over a line on which one byte in a thousand is flipped, dropped or doubled.

use std::time::Duration;

use acclimate_bridge::link::{Counts, Event, Outgoing, Prediction};

use crate::{
    times,
    world::{ACCELEROMETER, Judge, World},
};

const HOUR: Duration = Duration::from_hours(1);

/// How a line was played.
struct Outcome {
    counts: Counts,
    /// Windows of a second that could have been, and that were whole.
    windows: u64,
    whole: u64,
}

/// No false block, every loss owned up to, labels where they were said, times right.
fn play<const BLOCKS: usize>(faults: f64, has_labels: bool, seed: u64) -> Outcome {
    let mut world: World<BLOCKS, 120> = World::new(ACCELEROMETER, 115_200.0, faults, seed);
    // A crystal that is 40 ppm fast.
    world.drift = 4e-5;
    let mut judge = Judge::default();
    judge.rows_of_block = (!has_labels).then_some(20);
    let (mut said, mut late, mut early) = (0u64, 0.0f64, 0.0f64);
    while world.now < HOUR {
        world.sense();
        let (started, drift) = (world.started, world.drift);
        // A button every 17 seconds.
        if has_labels && world.sensed / 1700 > said {
            said += 1;
            let (time, next) = (world.device_time(), world.sensed);
            world.device.label(time, &next.to_string());
        }
        if world.sensed.is_multiple_of(100) {
            world.link.send(Outgoing::Prediction(Prediction {
                class: world.sensed.to_string(),
                confidence: 0.5,
                known: true,
                label_wanted: false,
            }));
        }
        world.step(&mut |event| {
            if let Event::Samples(block) = &event
                && block.device_time > Duration::from_mins(1)
            {
                let truth = started.as_secs_f64() + block.device_time.as_secs_f64() / (1.0 + drift);
                let error = block.host_time.as_secs_f64() - truth;
                (late, early) = (late.max(error), early.min(error));
            }
            judge.hear(event);
        });
    }
    let counts = world.link.counts();
    let windows = world.sensed / 100;
    eprintln!(
        "{BLOCKS} slots, seed {seed}: {} bytes spoilt, {} of {windows} windows, {} of {said} labels, {:.1} to {:.1} ms off, {counts:?}",
        world.up.spoilt + world.down.spoilt,
        judge.windows,
        judge.labels,
        1e3 * early,
        1e3 * late,
    );
    assert_eq!(counts.lost, judge.lost);
    assert_eq!(counts.restarts, 0);
    // What was neither handed on nor counted is on its way still.
    let rows_missing = world.sensed - judge.rows;
    assert!(rows_missing <= 20 * (judge.lost + 20), "{rows_missing} rows missing, {} messages lost", judge.lost);
    assert!(judge.labels + judge.lost + 1 >= said);
    // Resynchronised within a frame: a byte spoils the frame it is in, and the next if it was the delimiter between.
    let spoilt = counts.malformed + counts.checksum + counts.too_long;
    assert!(spoilt <= 2 * world.up.spoilt, "{spoilt} frames spoilt by {} bytes", world.up.spoilt);
    // What the device heard was said.
    let is_said = |class: &String| class.parse::<u64>().is_ok_and(|row| row.is_multiple_of(100) && row <= world.sensed);
    assert!(world.predictions.len() > 3400 && world.predictions.iter().all(is_said));
    assert!(early > -0.002 && late < 0.06, "mapped times are {early} to {late} s off");
    Outcome { counts, windows, whole: judge.windows }
}

#[test]
fn an_hour_of_one_spoilt_byte_in_a_thousand() {
    for seed in 0..times(20, 1) {
        let Outcome { counts, windows, whole } = play::<64>(1e-3, true, seed);
        assert!(whole * 100 >= windows * 99, "{whole} of {windows} windows");
        assert!(counts.recovered > 1000 && counts.lost * 10_000 < counts.blocks);
    }
}

#[test]
fn what_a_device_without_memory_loses_is_counted_block_by_block() {
    let Outcome { counts, windows, whole } = play::<2>(1e-3, false, 0);
    assert!(counts.lost > 10 && whole * 2 > windows);
}

#[test]
fn an_hour_of_a_good_line_loses_nothing() {
    let Outcome { counts, .. } = play::<64>(0.0, true, 0);
    assert_eq!((counts.recovered, counts.lost, counts.requests, counts.duplicates), (0, 0, 0, 0));
}
