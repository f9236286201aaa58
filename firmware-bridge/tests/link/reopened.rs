//! A port that goes and comes back, and devices that begin anew.

use std::time::Duration;

use acclimate_bridge::link::{Configure, Event, Outgoing, Prediction};
use acclimate_wire::device::{Device, Row};

use crate::world::{ACCELEROMETER, Judge, World};

type Rig = World<64, 120>;

fn rig() -> (Rig, Judge) {
    (World::new(ACCELEROMETER, 115_200.0, 0.0, 1), Judge::default())
}

fn play(rig: &mut Rig, judge: &mut Judge, seconds: u64) {
    let until = rig.now + Duration::from_secs(seconds);
    while rig.now < until {
        rig.sense();
        rig.step(&mut |event| judge.hear(event));
    }
}

fn unplugged(rig: &mut Rig, seconds: u64) {
    let until = rig.now + Duration::from_secs(seconds);
    while rig.now < until {
        rig.sense();
        rig.step_unplugged();
    }
    let now = rig.now;
    rig.link.opened(now);
}

#[test]
fn what_the_device_kept_while_the_port_was_gone_comes_after_all() {
    let (mut rig, mut judge) = rig();
    play(&mut rig, &mut judge, 20);
    unplugged(&mut rig, 5);
    play(&mut rig, &mut judge, 20);
    assert_eq!((judge.gaps, judge.hellos, rig.link.counts().restarts), (0, 1, 0));
    assert!(judge.rows + 60 >= rig.sensed, "{} of {}", judge.rows, rig.sensed);
}

#[test]
fn what_the_device_could_not_keep_is_a_counted_gap() {
    let (mut rig, mut judge) = rig();
    play(&mut rig, &mut judge, 20);
    unplugged(&mut rig, 60);
    play(&mut rig, &mut judge, 20);
    assert_eq!((judge.gaps, judge.hellos), (1, 1));
    let missing = rig.sensed - judge.rows;
    assert!((20 * judge.lost..20 * judge.lost + 60).contains(&missing), "{missing} rows, {} blocks", judge.lost);
    assert_eq!(rig.link.counts().lost, judge.lost);
}

#[test]
fn a_device_that_begins_anew_is_noticed_and_followed() {
    let (mut rig, mut judge) = rig();
    play(&mut rig, &mut judge, 20);
    (rig.device, rig.started, rig.sensed) = (Box::new(Device::new(ACCELEROMETER)), rig.now, 0);
    judge.rows = 0;
    play(&mut rig, &mut judge, 20);
    assert_eq!((judge.gaps, judge.hellos, rig.link.counts().restarts), (0, 2, 1));
    assert!(judge.rows + 100 >= rig.sensed);
    // Also while the port is gone.
    (rig.device, rig.started, rig.sensed) = (Box::new(Device::new(ACCELEROMETER)), rig.now, 0);
    unplugged(&mut rig, 2);
    judge.rows = 0;
    play(&mut rig, &mut judge, 20);
    assert_eq!((judge.hellos, rig.link.counts().restarts), (3, 2));
    assert!(judge.rows + 300 >= rig.sensed);
}

#[test]
fn a_host_that_begins_anew_hears_nothing_old() {
    let (mut rig, _) = rig();
    play(&mut rig, &mut Judge::default(), 20);
    let before = rig.sensed;
    rig.link = acclimate_bridge::link::Link::new(acclimate_bridge::link::Setup { session: 1000, configure: None });
    let now = rig.now;
    rig.link.opened(now);
    let mut first = None;
    let until = now + Duration::from_secs(5);
    while rig.now < until {
        rig.sense();
        rig.step(&mut |event| {
            if let Event::Samples(block) = event {
                first.get_or_insert(block.device_time);
            }
        });
    }
    let first = first.expect("blocks came").as_micros() as u64 / 10_000;
    assert!((before.saturating_sub(40)..before + 60).contains(&first), "row {first} where {before} were sensed");
}

#[test]
fn a_pause_of_the_device_is_a_gap_of_nothing() {
    let (mut rig, mut judge) = rig();
    play(&mut rig, &mut judge, 5);
    rig.device.flush();
    let until = rig.now + Duration::from_secs(3);
    while rig.now < until {
        rig.step(&mut |event| judge.hear(event));
    }
    rig.sensed = rig.device_time() / 10_000 + 1;
    play(&mut rig, &mut judge, 5);
    assert_eq!((judge.gaps, judge.lost), (1, 0));
}

#[test]
fn the_device_is_configured_again_when_it_began_anew() {
    let (mut rig, mut judge) = rig();
    play(&mut rig, &mut judge, 2);
    rig.link.send(Outgoing::Configure(Configure { running: true, rate_hz: Some(50.0) }));
    let heard = |rig: &mut Rig| {
        let mut said = Vec::new();
        let until = rig.now + Duration::from_secs(3);
        while rig.now < until {
            rig.step(&mut |_| {});
            said.append(&mut rig.configured);
        }
        said
    };
    assert_eq!(heard(&mut rig), [(true, 50_000)]);
    (rig.device, rig.started, rig.sensed) = (Box::new(Device::new(ACCELEROMETER)), rig.now, 0);
    assert_eq!(heard(&mut rig), [(true, 50_000)]);
}

#[test]
fn another_rate_holds_from_the_first_block_that_was_sensed_at_it() {
    // Slow enough that blocks wait while the device already says that its rate is another.
    let mut rig: Rig = World::new(ACCELEROMETER, 9600.0, 0.0, 1);
    play(&mut rig, &mut Judge::default(), 5);
    rig.device.set_rate(50_000);
    let changed = Duration::from_micros(rig.device_time());
    let (mut is_told, mut before, mut after) = (false, 0, 0);
    for row in 0..100 {
        rig.device.push(rig.device_time(), Row::I16(&[row; 3])).expect("three values");
        for _ in 0..5 {
            rig.step(&mut |event| match event {
                Event::Hello(device) => {
                    assert_eq!((device.rate_hz, is_told), (Some(50.0), false));
                    is_told = true;
                }
                Event::Samples(block) => {
                    assert_eq!(block.device_time >= changed, is_told, "{:?}", block.device_time);
                    *if is_told { &mut after } else { &mut before } += 1;
                }
                other => panic!("{other:?}"),
            });
        }
    }
    assert!(before > 0 && after > 2, "{before} blocks before, {after} after");
}

#[test]
fn a_device_is_told_the_newest_answer_again_and_again() {
    let (mut rig, mut judge) = rig();
    play(&mut rig, &mut judge, 2);
    for class in ["worn", "new"] {
        let class = class.to_owned();
        rig.link.send(Outgoing::Prediction(Prediction { class, confidence: 1.0, known: true, label_wanted: false }));
    }
    play(&mut rig, &mut judge, 11);
    assert!((6..9).contains(&rig.predictions.len()), "{:?}", rig.predictions);
    assert!(rig.predictions.iter().all(|class| class == "new"));
}
