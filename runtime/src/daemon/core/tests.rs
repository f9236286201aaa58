//! The core in a simulated world: days of virtual time, with everything that other threads do played by `world`.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod configuring;
mod days;
mod sensing;
mod world;

use std::time::Duration;

use self::world::{World, adapt, add_source, label, look_for, teach};
use super::teach::{FRAMES, LONGEST};
use super::{Event, Policy, Setup, Trouble, TroubleKind};
use crate::daemon::command::{Command, CommandError, Hold, Reply};
use crate::daemon::notice::Event as Told;
use crate::source::Health;

const SECOND: Duration = Duration::from_secs(1);

fn setup() -> Setup {
    world::setup(Policy { after_labels: Some(5), ..Policy::default() })
}

/// Two classes, each held for two seconds.
fn taught() -> World {
    let mut world = World::new(setup());
    for class in ["open", "shut"] {
        let begun = world.ask(teach(class, Hold::Begin));
        world.run(2 * SECOND);
        assert!(matches!(world.answer(begun), Ok(Reply::Done { .. })));
        let ended = world.ask(teach(class, Hold::End));
        world.run(SECOND);
        let Ok(Reply::Learnt { frames, .. }) = world.answer(ended) else { panic!("{:?}", world.answer(ended)) };
        assert!((10..=25).contains(&frames), "{frames}");
    }
    world
}

#[test]
fn what_is_seen_now_is_labelled_and_that_can_be_undone() {
    let mut world = World::new(setup());
    world.run(2 * SECOND);
    let label = || Command::LabelSeen { task: "gate".to_owned(), label: "ajar".to_owned() };
    let asked = world.ask(label());
    world.run(SECOND);
    let Ok(Reply::Done { done }) = world.answer(asked) else { panic!("{:?}", world.answer(asked)) };
    assert!(done.contains("`ajar`: sample "), "{done}");
    let view = world.view();
    let ajar = view.tasks[0].classes.iter().find(|class| class.name == "ajar").map(|class| class.samples);
    assert_eq!(ajar, Some(1));
    assert!(
        view.tasks[0].undo.as_deref().is_some_and(|what| what.contains("what was seen")),
        "{:?}",
        view.tasks[0].undo
    );
    let undone = world.ask(Command::Undo { task: "gate".to_owned() });
    world.run(SECOND);
    assert!(matches!(world.answer(undone), Ok(Reply::Undone { samples: 1, .. })), "{:?}", world.answer(undone));
}

#[test]
fn a_button_of_a_device_labels_what_it_shows_now() {
    let mut world = World::new(setup());
    world.run(2 * SECOND);
    let press = |class: &str| Event::Labelled { source: "yard".into(), class: class.to_owned() };
    world.tell(press("ajar"));
    world.run(SECOND);
    let view = world.view();
    let ajar = view.tasks[0].classes.iter().find(|class| class.name == "ajar").map(|class| class.samples);
    assert_eq!((ajar, world.told(Told::Problem)), (Some(1), 0));
    assert!(view.tasks[0].undo.is_some());
    world.tell(press("no\nname"));
    assert_eq!(world.told(Told::Problem), 1);
    world.tell(Event::Labelled { source: "attic".into(), class: "ajar".to_owned() });
    assert_eq!(world.told(Told::Problem), 2, "no task looks at it");
}

#[test]
fn every_answer_is_told_where_somebody_listens_and_else_none() {
    assert_eq!(taught().predicted, []);
    let mut world = World::new(Setup { every_answer: true, ..setup() });
    world.run(SECOND);
    assert_eq!(world.predicted, [], "there is no head yet");
    for class in ["open", "shut"] {
        world.ask(teach(class, Hold::Begin));
        world.run(2 * SECOND);
        world.ask(teach(class, Hold::End));
        world.run(SECOND);
    }
    let frames = world.predicted.len();
    assert!(frames > 0);
    world.run(SECOND);
    assert!(world.predicted.len() >= frames + 5, "{frames} and then {}", world.predicted.len());
    let last = world.predicted.last().unwrap();
    assert!(last.task == "gate" && !last.state.class.is_empty(), "{last:?}");
}

#[test]
fn what_is_held_is_learnt_and_said_with_digests() {
    let mut world = taught();
    let before = world.store.digest();
    let begun = world.ask(teach("ajar", Hold::Begin));
    world.run(SECOND);
    assert_eq!(world.view().tasks[0].teaching.as_ref().unwrap().class, "ajar");
    let ended = world.ask(teach("ajar", Hold::End));
    world.run(SECOND);
    assert!(world.answer(begun).is_ok());
    let Ok(Reply::Learnt { milliseconds, digest_before, digest_after, .. }) = world.answer(ended) else { panic!() };
    assert_eq!((digest_before, digest_after), (before, world.store.digest()));
    assert!(milliseconds < 100.0, "{milliseconds}");
    let task = &world.view().tasks[0];
    assert_eq!((task.teaching.is_none(), task.adapting), (true, false));
    assert_eq!(task.classes.iter().map(|class| class.name.as_str()).collect::<Vec<_>>(), ["open", "shut", "ajar"]);
    assert!(task.undo.as_ref().unwrap().contains("ajar"));
}

#[test]
fn another_devices_head_waits_its_turn_and_is_told_of_unless_nothing_changed() {
    let mut world = taught();
    let install =
        |reason: &str| Command::Install { task: "gate".to_owned(), signed: reason.as_bytes().to_vec().into() };
    let adapting = world.ask(adapt());
    let before = (world.told(Told::Adapted), world.told(Told::Rejected));
    let taken = world.ask(install(""));
    world.run(SECOND);
    assert!(world.answer(adapting).is_ok());
    let Ok(Reply::Installed { installed }) = world.answer(taken) else { panic!("{:?}", world.answer(taken)) };
    assert_eq!((installed.verdict.as_str(), installed.unproved), ("activated", true));
    assert_eq!(world.told(Told::Adapted), before.0 + 2, "the adaptation, then the head");
    for reason in ["bad_signature", "seen", "in_service", "worse"] {
        let refused = world.ask(install(reason));
        world.run(SECOND);
        let Ok(Reply::Installed { installed }) = world.answer(refused) else { panic!("a refusal is a verdict") };
        assert_eq!(installed.reasons, [reason]);
    }
    assert_eq!(world.told(Told::Rejected), before.1 + 2);
    assert_eq!(world.reasons(), ["", "bad_signature", "worse"]);
    world.store.takes_back = Some(3);
    world.store.enough = false;
    let adapting = world.ask(adapt());
    world.run(SECOND);
    assert!(world.answer(adapting).is_ok());
    assert_eq!(world.reasons().last().map(String::as_str), Some("taken_back"), "also where no new head comes of it");
    let nowhere = world.ask(Command::Install { task: "door".to_owned(), signed: Vec::new().into() });
    assert!(matches!(world.answer(nowhere), Err(CommandError::NotFound(_))));
}

#[test]
fn undo_goes_back_step_by_step_to_the_digests_and_generations_of_before() {
    let mut world = World::new(setup());
    let mut before = Vec::new();
    for class in ["open", "shut", "ajar"] {
        before.push((world.store.digest(), world.store.generation));
        let _begun = world.ask(teach(class, Hold::Begin));
        world.run(SECOND);
        let _ended = world.ask(teach(class, Hold::End));
        world.run(SECOND);
    }
    let sample = world.store.samples[0].id;
    before.push((world.store.digest(), world.store.generation));
    let labelled = world.ask(label(&[sample], Some("shut")));
    world.run(SECOND);
    assert!(matches!(world.answer(labelled), Ok(Reply::Done { .. })));
    while let Some((digest, generation)) = before.pop() {
        let undone = world.ask(Command::Undo { task: "gate".to_owned() });
        world.run(SECOND);
        let Ok(Reply::Undone { digest_after, generation: now, .. }) = world.answer(undone) else { panic!() };
        assert_eq!((digest_after, now), (digest, generation));
    }
    let undone = world.ask(Command::Undo { task: "gate".to_owned() });
    world.run(SECOND);
    assert!(matches!(world.answer(undone), Err(CommandError::Conflict(why)) if why.contains("nothing to undo")));
}

#[test]
fn a_hold_ends_by_itself_and_takes_no_more_frames_than_teach() {
    let mut world = World::new(setup());
    let _begun = world.ask(teach("open", Hold::Begin));
    world.run(LONGEST.saturating_sub(SECOND));
    assert_eq!(world.store.samples.len(), FRAMES, "more of one moment teach nothing");
    assert!(world.view().tasks[0].teaching.is_some());
    world.run(2 * SECOND);
    assert!(world.view().tasks[0].teaching.is_none());
    let late = world.ask(teach("open", Hold::End));
    assert!(matches!(world.answer(late), Err(CommandError::Conflict(_))));
}

#[test]
fn a_hold_without_frames_says_so() {
    let mut world = World::new(setup());
    world.source(Health::Lost { reason: "unplugged".to_owned() });
    world.frames = false;
    let _begun = world.ask(teach("open", Hold::Begin));
    world.run(SECOND);
    let ended = world.ask(teach("open", Hold::End));
    world.run(SECOND);
    assert!(
        matches!(world.answer(ended), Err(CommandError::Conflict(why)) if why.contains("no frame came from `yard`"))
    );
    assert!(world.view().degraded[0].contains("unplugged"));
    assert_eq!(world.told(Told::SourceLost), 1);
    world.source(Health::Running);
    assert!(world.view().degraded.is_empty());
}

#[test]
fn new_labels_have_it_adapt_but_not_too_often_and_not_while_it_is_hot() {
    let mut world = taught();
    let fits = world.fits;
    world.heat(Some("81 °C"));
    let ids = world.store.ids(12);
    let labelled = world.ask(label(&ids[..6], Some("ajar")));
    world.run(10 * SECOND);
    assert!(world.answer(labelled).is_ok());
    assert_eq!(world.fits, fits, "hot");
    assert!(world.view().degraded[0].contains("81 °C"));
    let asked = world.ask(adapt());
    assert!(matches!(world.answer(asked), Err(CommandError::Conflict(why)) if why.contains("81 °C")));
    world.heat(None);
    world.run(SECOND);
    assert_eq!(world.fits, fits + 1);
    let labelled = world.ask(label(&ids[6..], Some("ajar")));
    world.run(30 * SECOND);
    assert!(world.answer(labelled).is_ok());
    assert_eq!(world.fits, fits + 1, "not yet");
    world.run(60 * SECOND);
    assert_eq!(world.fits, fits + 2);
    let asked = world.ask(adapt());
    world.run(SECOND);
    assert!(matches!(world.answer(asked), Ok(Reply::Adapted { .. })), "who asks need not wait");
}

#[test]
fn labels_that_were_not_enough_are_not_tried_again_and_again() {
    let mut world = World::new(setup());
    world.store.enough = false;
    world.busy_scene = true;
    world.run(600 * SECOND);
    let ids = world.store.ids(6);
    assert_eq!(ids.len(), 6);
    let _labelled = world.ask(label(&ids, Some("open")));
    world.run(3600 * SECOND);
    assert_eq!(world.fits, 1);
}

#[test]
fn a_full_disk_degrades_it_and_it_recovers_by_itself() {
    let mut world = taught();
    world.store.full = true;
    let sample = world.store.samples[0].id;
    let labelled = world.ask(label(&[sample], Some("shut")));
    world.run(SECOND);
    assert!(matches!(world.answer(labelled), Err(CommandError::Failed(why)) if why.contains("disk is full")));
    assert!(world.view().degraded[0].contains("disk is full"));
    let (answers, probes) = (world.observations, world.probes);
    world.run(60 * SECOND);
    assert!(world.observations > answers + 100, "it goes on answering");
    assert!((4..=7).contains(&(world.probes - probes)), "it looks now and then: {}", world.probes - probes);
    assert_eq!(world.told(Told::Problem), 1, "said once");
    world.store.full = false;
    world.run(15 * SECOND);
    assert!(world.view().degraded.is_empty());
    let labelled = world.ask(label(&[sample], Some("shut")));
    world.run(SECOND);
    assert!(world.answer(labelled).is_ok());
}

#[test]
fn stable_answers_are_told_once_and_a_wobble_is_not() {
    let mut world = taught();
    world.run(5 * SECOND);
    let told = world.told(Told::Changed);
    world.class = "shut";
    world.run(5 * SECOND);
    world.class = "open";
    world.run(Duration::from_millis(100));
    world.class = "shut";
    world.run(5 * SECOND);
    assert_eq!(world.told(Told::Changed), told + 1);
    let task = &world.view().tasks[0];
    assert_eq!(task.looks[0].stable.as_ref().unwrap().class, "shut");
}

#[test]
fn drift_is_noticed_asks_for_labels_and_is_adapted_to_once_they_came() {
    let mut world = World::new(world::setup(Policy::default()));
    world.store.reference = true;
    for class in ["open", "shut"] {
        let _begun = world.ask(teach(class, Hold::Begin));
        world.run(SECOND);
        let _ended = world.ask(teach(class, Hold::End));
        world.run(SECOND);
    }
    // A scene every second: bursts come as fast as scenes do.
    world.busy_scene = true;
    world.run(300 * SECOND);
    assert_eq!(world.told(Told::Drifted), 0);
    world.shift = 0.3;
    world.run(300 * SECOND);
    assert_eq!(world.told(Told::Drifted), 1);
    assert!(world.view().tasks[0].drifted);
    let (fits, ids) = (world.fits, world.store.unlabelled(5));
    assert_eq!(ids.len(), 5, "what it sees since is kept to be labelled");
    let _labelled = world.ask(label(&ids, Some("open")));
    world.run(10 * SECOND);
    assert_eq!(world.fits, fits + 1);
    assert!(!world.view().tasks[0].drifted, "the new head knows it");
    // The fit was told where features lie now: what is learnt by touch later is not.
    let there = world.elsewhere.take().unwrap().feature;
    assert!((there[2] - world::feature(0, 0, 0.0).as_slice()[2]).abs() > 0.1, "{there:?}");
    let _begun = world.ask(teach("open", Hold::Begin));
    world.run(SECOND);
    let _ended = world.ask(teach("open", Hold::End));
    world.run(SECOND);
    assert_eq!((world.fits, world.elsewhere.is_none()), (fits + 2, true));
}

#[test]
fn room_is_made_when_payloads_take_too_much() {
    let mut setup = setup();
    setup.tasks[0].keeping.bytes = 20_000;
    let mut world = World::new(setup);
    world.busy_scene = true;
    world.run(3600 * SECOND);
    assert!(world.evictions > 0);
    assert!(world.store.bytes() <= 21_000, "{}", world.store.bytes());
}

#[test]
fn what_makes_no_sense_is_refused_in_words() {
    let mut world = taught();
    let refused = |world: &mut World, command: Command| {
        let request = world.ask(command);
        world.run(SECOND);
        world.answer(request).unwrap_err()
    };
    let none = refused(&mut world, Command::Adapt { task: "door".to_owned(), trust_labels: false });
    assert_eq!(none, CommandError::NotFound("there is no task `door`".to_owned()));
    let end = refused(&mut world, teach("open", Hold::End));
    assert!(matches!(end, CommandError::Conflict(why) if why.contains("is not being held")));
    let nameless = refused(&mut world, teach(" ", Hold::Begin));
    assert!(matches!(nameless, CommandError::Invalid(_)));
    let outside = refused(&mut world, look_for("yard", Some([0.5, 0.0, 0.6, 1.0])));
    assert!(matches!(outside, CommandError::Invalid(why) if why.contains("does not lie in the frame")));
    let unknown = refused(&mut world, look_for("attic", None));
    assert!(matches!(unknown, CommandError::NotFound(why) if why.contains("there are: yard")));
}

#[test]
fn a_source_is_added_and_removed_while_it_runs_and_those_of_the_configuration_stay() {
    let mut world = taught();
    let mut asked = |command: Command| {
        let request = world.ask(command);
        world.run(SECOND);
        let looks = world.view().tasks[0].looks.len();
        (world.answer(request), looks, std::mem::take(&mut world.opened))
    };
    let (added, looks, opened) = asked(add_source("attic", "http://cam/stream"));
    assert!(added.is_ok() && looks == 2 && opened == ["+attic"], "{added:?} {looks} {opened:?}");
    let (twice, ..) = asked(add_source("attic", "auto"));
    assert!(matches!(twice, Err(CommandError::Conflict(why)) if why.contains("`attic` already")));
    let (wrong, ..) = asked(add_source("cellar", "/etc/passwd"));
    assert!(matches!(wrong, Err(CommandError::Invalid(why)) if why.contains("is no camera")));
    let (nameless, ..) = asked(add_source("The cellar", "auto"));
    assert!(matches!(nameless, Err(CommandError::Invalid(why)) if why.contains("a-z")));
    let remove = |name: &str| Command::RemoveSource { source: name.to_owned() };
    let (declared, ..) = asked(remove("yard"));
    assert!(matches!(declared, Err(CommandError::Conflict(why)) if why.contains("configuration")));
    let (removed, looks, opened) = asked(remove("attic"));
    assert!(removed.is_ok() && looks == 1 && opened == ["-attic"], "{removed:?} {looks} {opened:?}");
    let (gone, ..) = asked(remove("attic"));
    assert!(matches!(gone, Err(CommandError::NotFound(_))));

    let mut most = 0;
    while asked(add_source(&format!("s{most}"), "auto")).0.is_ok() {
        most += 1;
    }
    assert_eq!(most, 32, "they do not grow without bound");
}

#[test]
fn ending_finishes_what_is_on_its_way_and_begins_nothing() {
    let mut world = taught();
    let sample = world.store.samples[0].id;
    let labelled = world.ask(label(&[sample], Some("shut")));
    let begun = world.ask(teach("ajar", Hold::Begin));
    world.run(Duration::from_millis(300));
    world.end();
    let late = world.ask(label(&[sample], Some("open")));
    world.run(5 * SECOND);
    assert!(world.finished);
    assert!(world.answer(labelled).is_ok() && world.answer(begun).is_ok());
    assert!(matches!(world.answer(late), Err(CommandError::Unavailable(_))));
}

#[test]
fn a_trouble_says_whose_fault_it_is() {
    let error = |kind| CommandError::from(Trouble { kind, words: "w".to_owned() });
    assert_eq!(error(TroubleKind::NotFound), CommandError::NotFound("w".to_owned()));
    assert_eq!(error(TroubleKind::Store), CommandError::Failed("nothing can be stored: w".to_owned()));
}
