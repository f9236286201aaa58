//! How much of a line's rate is values, where the device has always more to send.

use std::time::Duration;

use acclimate_bridge::link::Event;
use acclimate_wire::{
    device::{Identity, Row},
    message::Channel,
};

use crate::world::World;

const MICROPHONE: Identity = Identity {
    name: "microphone",
    firmware: "1.0",
    channels: &[Channel { name: "sound", unit: "V", scale: 1.0 }],
    rate_millihertz: 0,
    rows: 0,
};

/// The share of the line's bytes that are values of blocks handed on, over a minute.
fn share(baud: f64) -> f64 {
    let mut world: World<128, 1000> = World::new(MICROPHONE, baud, 0.0, 1);
    let (mut pushed, mut heard) = (0u64, 0u64);
    let minute = Duration::from_mins(1);
    while world.now < minute {
        // Some blocks ahead of what was handed on, and never so many that one is overwritten. A host begins with what is made
        // after its greeting.
        while world.link.device().is_some() && pushed < heard + 100 * 500 {
            world.device.push(world.device_time(), Row::I16(&[pushed as i16])).expect("one value");
            pushed += 1;
        }
        world.step(&mut |event| match event {
            Event::Samples(block) => {
                for value in block.values {
                    assert_eq!(value.to_bits(), f32::from(heard as i16).to_bits(), "value {heard}");
                    heard += 1;
                }
            }
            Event::Hello(_) => {}
            other => panic!("{other:?} on a good line"),
        });
    }
    2.0 * heard as f64 / (baud / 10.0 * minute.as_secs_f64())
}

#[test]
fn nine_tenths_of_a_line_are_values() {
    for baud in [115_200.0, 921_600.0, 3_000_000.0] {
        let share = share(baud);
        eprintln!("{baud} baud: {:.1} % of the line's rate are values", 100.0 * share);
        assert!(share >= 0.9, "{share} at {baud}");
    }
}
