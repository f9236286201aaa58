//! Frames that are asked for, by people and by holds, in the simulated world.

use std::time::Duration;

use super::world::{self, World, teach};
use crate::config::{SourceKind, Trigger};
use crate::daemon::command::{Command, CommandError, Hold, Reply};
use crate::daemon::core::Policy;
use crate::daemon::core::sense::{APART, WITHIN};
use crate::source::Health;

const SECOND: Duration = Duration::from_secs(1);

fn sense(source: &str) -> Command {
    Command::Sense { source: source.to_owned() }
}

/// A source that gives frames only when it is asked.
fn asked_for() -> World {
    let mut setup = world::setup(Policy::default());
    setup.sources[0].2 = Trigger::Request;
    let mut world = World::new(setup);
    world.frames = false;
    world
}

#[test]
fn who_asks_for_a_frame_is_told_what_every_task_says_of_it() {
    let mut world = asked_for();
    world.run(SECOND);
    assert_eq!((world.asks, world.view().sources[0].frames, world.view().sources[0].on_request), (0, 0, true));
    let first = world.ask(sense("yard"));
    world.run(SECOND);
    let Ok(Reply::Sensed { source, said, .. }) = world.answer(first) else { panic!("{:?}", world.answer(first)) };
    assert_eq!((source.as_str(), said.len(), said[0].task.as_str(), &said[0].state), ("yard", 1, "gate", &None));
    for class in ["open", "shut"] {
        let _begun = world.ask(teach(class, Hold::Begin));
        world.run(SECOND);
        let _ended = world.ask(teach(class, Hold::End));
        world.run(SECOND);
    }
    let frames = world.view().sources[0].frames;
    let both = [world.ask(sense("yard")), world.ask(sense("yard"))];
    world.run(SECOND);
    for request in both {
        let Ok(Reply::Sensed { said, .. }) = world.answer(request) else { panic!() };
        assert_eq!(said[0].state.as_ref().unwrap().class, "open");
    }
    assert!((1..=2).contains(&(world.view().sources[0].frames - frames)));
}

#[test]
fn while_a_class_is_held_frames_are_asked_for_one_after_the_other_and_not_after() {
    let mut world = asked_for();
    let _begun = world.ask(teach("open", Hold::Begin));
    world.run(2 * SECOND);
    let most = 2 * SECOND.as_millis() / APART.as_millis() + 1;
    assert!((20..=most as usize).contains(&world.asks), "{}", world.asks);
    let ended = world.ask(teach("open", Hold::End));
    world.run(SECOND);
    let Ok(Reply::Learnt { frames, .. }) = world.answer(ended) else { panic!("{:?}", world.answer(ended)) };
    assert!(frames + 2 >= world.asks, "{frames} of {}", world.asks);
    let asks = world.asks;
    world.run(60 * SECOND);
    assert_eq!(world.asks, asks);
}

#[test]
fn what_does_not_come_while_a_class_is_held_is_asked_for_again_each_second() {
    let mut world = asked_for();
    world.gives = false;
    let _begun = world.ask(teach("open", Hold::Begin));
    world.run(10 * SECOND);
    assert!((9..=11).contains(&world.asks), "{}", world.asks);
    world.gives = true;
    world.run(3 * SECOND);
    assert!(world.view().tasks[0].teaching.as_ref().unwrap().frames > 10);
}

#[test]
fn a_source_that_gives_frames_by_itself_is_not_asked_by_a_hold() {
    let mut world = World::new(world::setup(Policy::default()));
    let _begun = world.ask(teach("open", Hold::Begin));
    world.run(SECOND);
    assert_eq!(world.asks, 0);
}

#[test]
fn who_gets_no_frame_is_told_why() {
    let mut world = asked_for();
    world.gives = false;
    let late = world.ask(sense("yard"));
    world.run(WITHIN + SECOND);
    let why = world.answer(late).unwrap_err();
    assert!(
        matches!(&why, CommandError::Conflict(why) if why.contains("no frame came from `yard` within 10 s")),
        "{why}"
    );
    let lost = world.ask(sense("yard"));
    world.source(Health::Lost { reason: "unplugged".to_owned() });
    let why = world.answer(lost).unwrap_err();
    assert!(matches!(&why, CommandError::Conflict(why) if why.contains("unplugged")), "{why}");
    let unknown = world.ask(sense("attic"));
    let why = world.answer(unknown).unwrap_err();
    assert!(matches!(&why, CommandError::NotFound(why) if why.contains("there are: yard")), "{why}");
    world.source(Health::Ended);
    let ended = world.ask(sense("yard"));
    assert!(matches!(world.answer(ended), Err(CommandError::Conflict(why)) if why.contains("given all")));
    world.source(Health::Running);
    let ending = world.ask(sense("yard"));
    world.end();
    assert!(matches!(world.answer(ending), Err(CommandError::Unavailable(_))));
    world.run(SECOND);
    assert!(world.finished);
}

#[test]
fn a_source_that_is_brought_its_pictures_cannot_be_asked_and_not_too_many_wait() {
    let mut setup = world::setup(Policy::default());
    setup.sources[0].1 = SourceKind::Http;
    let mut world = World::new(setup);
    let posted = world.ask(sense("yard"));
    assert!(matches!(world.answer(posted), Err(CommandError::Conflict(why)) if why.contains("brought")));
    let mut world = asked_for();
    world.gives = false;
    let requests: Vec<_> = (0..65).map(|_| world.ask(sense("yard"))).collect();
    assert!(matches!(world.answer(requests[64]), Err(CommandError::Unavailable(_))));
    assert_eq!(world.unanswered(), 64);
}
