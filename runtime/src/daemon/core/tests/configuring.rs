//! A configuration that is read again, in the simulated world.

use std::time::Duration;

use super::world::{self, World, look_for, teach};
use crate::config::Config;
use crate::daemon::command::{Hold, Look, Reply};
use crate::daemon::core::{Declared, Event, Keeping, Policy, Setup};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn policy_regions_and_sources_of_the_new_configuration_hold_at_once() {
    let mut world = World::new(world::setup(Policy::default()));
    let begun = world.ask(teach("open", Hold::Begin));
    world.run(SECOND);
    assert!(matches!(world.answer(begun), Ok(Reply::Done { .. })));
    let text = "[[source]]\nname = \"yard\"\nkind = \"camera\"\nevery = \"1s\"\n[[source]]\nname = \"belt\"\nkind = \"camera\"\n";
    let crop = Some([0.0, 0.0, 0.5, 0.5]);
    let looks = vec![Look { source: "belt".to_owned(), crop }];
    let gate = Declared { task: "gate".to_owned(), looks: looks.clone(), keeping: Keeping::default(), agree: 1 };
    let setup = Setup { tasks: vec![gate], ..world::setup(Policy { after_labels: Some(3), ..Policy::default() }) };
    let (setup, open) = (Box::new(setup), Config::parse(text).unwrap().source);
    world.tell(Event::Configured { setup, close: vec!["yard".into()], open });
    assert_eq!(world.opened, ["-yard", "+yard", "+belt"]);
    let view = world.view();
    assert_eq!(view.sources.iter().map(|source| source.name.as_str()).collect::<Vec<_>>(), ["belt", "yard"]);
    assert_eq!(view.tasks[0].looks.iter().map(|look| look.look.clone()).collect::<Vec<_>>(), looks);
    assert!(view.tasks[0].teaching.is_none(), "what is held on a source that ends is let go");
    world.run(SECOND);
    let declared = world.ask(look_for("yard", None));
    world.run(SECOND);
    assert!(world.answer(declared).is_err(), "the file says what it looks at");
}
