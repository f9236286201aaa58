//! Days of everything at once: people who press, label, undo and change their minds, a disk that fills up and is emptied, a
//! source that goes and comes back, heat. The invariants are those of `world`; here is that nothing acknowledged is lost.

use std::time::Duration;

use super::world::{World, adapt, label, mix, setup, teach};
use crate::daemon::command::{Command, Hold, Reply};
use crate::daemon::core::Policy;
use crate::source::Health;

const HOURS: u64 = 72;

#[test]
fn in_days_of_everything_nothing_acknowledged_is_lost_and_everybody_is_answered() {
    for seed in 0..4 {
        days(seed);
    }
}

fn days(seed: u64) {
    let mut world = World::new(setup(Policy { after_labels: Some(5), ..Policy::default() }));
    world.every = Duration::from_secs(5);
    let mut chance = 0;
    let mut draw = |below: u64| {
        chance += 1;
        mix(seed * 1_000_003 + chance) % below
    };
    let classes = ["open", "shut", "ajar"];
    let mut acknowledged = 0;
    let mut asked = Vec::new();
    for _ in 0..HOURS * 12 {
        let class = classes[draw(3) as usize];
        match draw(12) {
            0..=2 => {
                world.every = Duration::from_millis(100);
                asked.push(world.ask(teach(class, Hold::Begin)));
                world.run(Duration::from_millis(draw(3000)));
                asked.push(world.ask(teach(class, Hold::End)));
                world.every = Duration::from_secs(5);
            }
            3 | 4 => {
                // Whatever else was asked for is done by then: what is there afterwards is this label's.
                world.run(Duration::from_secs(5));
                let ids = world.store.ids(draw(12) as usize + 1);
                let class = (draw(5) > 0).then_some(class);
                let labelled = world.ask(label(&ids, class));
                world.run(Duration::from_secs(1));
                if let Ok(Reply::Done { .. }) = world.answer(labelled) {
                    acknowledged += 1;
                    let said = |id| world.store.samples.iter().any(|s| s.id == id && s.label.as_deref() == class);
                    assert!(ids.into_iter().all(said), "seed {seed}: an acknowledged label is lost");
                }
            }
            5 => asked.push(world.ask(adapt())),
            6 => asked.push(world.ask(Command::Undo { task: "gate".to_owned() })),
            7 => asked.push(world.ask(Command::Rollback { task: "gate".to_owned() })),
            8 => world.store.full = draw(2) == 0,
            9 => world.heat((draw(2) == 0).then_some("85 °C")),
            10 => {
                world.frames = draw(3) > 0;
                let lost = Health::Lost { reason: "unplugged".to_owned() };
                world.source(if world.frames { Health::Running } else { lost });
            }
            _ => world.class = classes[draw(2) as usize],
        }
        world.busy_scene = draw(4) == 0;
        world.run(Duration::from_secs(draw(600)));
    }
    world.store.full = false;
    world.run(Duration::from_mins(5));
    assert!(acknowledged > 50, "seed {seed}: {acknowledged}");
    assert_eq!(world.unanswered(), 0, "seed {seed}");
    let learnt = asked.iter().filter(|&&request| matches!(world.answer(request), Ok(Reply::Learnt { .. }))).count();
    assert!(learnt > 20, "seed {seed}: {learnt}");
    assert!(world.view().degraded.iter().all(|why| !why.contains("disk")), "seed {seed}: {:?}", world.view().degraded);
    world.end();
    world.run(Duration::from_secs(10));
    assert!(world.finished, "seed {seed}");
}
