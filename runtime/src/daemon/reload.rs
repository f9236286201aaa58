//! A configuration that is read again: which of its changes a running daemon cannot take over, and which sources end and
//! begin. Knows nothing of threads.

use std::fmt::Debug;
use std::sync::Arc;

use crate::config::{self, Config};

/// Sections of which something changed that cannot be taken over while the daemon runs.
pub(super) fn needs_a_restart(before: &Config, config: &Config) -> Vec<&'static str> {
    // A task that is gone from the file stays in the store.
    let task = |config: &Config, name: &str| {
        let found = config.task.iter().find(|task| task.name == name);
        found
            .map(|task| (task.backbone.clone(), task.classes.clone(), task.device_class.clone(), task.on_class.clone()))
    };
    let tasks = config.task.iter().any(|of| task(config, &of.name) != task(before, &of.name));
    // The broker is asked once what is listened to.
    let topics = |config: &Config| {
        let of = |source: &config::Source| source.topic.clone().map(|topic| (topic, source.name.clone()));
        config.source.iter().filter_map(of).collect::<Vec<_>>()
    };
    let parts = [
        ("[backbone]", differ(&before.backbone, &config.backbone)),
        ("[device]", differ(&before.device, &config.device)),
        ("[http]", differ(&before.http, &config.http)),
        ("[mqtt]", differ(&before.mqtt, &config.mqtt)),
        ("[[source]] of kind mqtt", topics(before) != topics(config)),
        ("[[task]]", tasks),
    ];
    parts.into_iter().filter_map(|(name, differs)| differs.then_some(name)).collect()
}

/// Sources that end, and those that begin: one of which something changed does both. Turns and masks are not the source's.
pub(super) fn changed_sources(before: &Config, config: &Config) -> (Vec<Arc<str>>, Vec<config::Source>) {
    let plain = |source: &config::Source| config::Source { rotate: 0, mask: Vec::new(), ..source.clone() };
    let beside = |source: &config::Source, others: &Config| {
        let same = |other: &&config::Source| other.name == source.name && !differ(&plain(other), &plain(source));
        !others.source.iter().any(|other| same(&other))
    };
    let close = before.source.iter().filter(|source| beside(source, config)).map(|source| source.name.as_str().into());
    let open = config.source.iter().filter(|source| beside(source, before)).cloned();
    (close.collect(), open.collect())
}

fn differ(one: &dyn Debug, other: &dyn Debug) -> bool {
    format!("{one:?}") != format!("{other:?}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn what_can_be_taken_over_needs_no_restart_and_the_rest_is_named() {
        let source = "[[source]]\nname = \"yard\"\nkind = \"camera\"\n";
        let task = "[[task]]\nname = \"gate\"\n";
        let before = Config::parse(&format!("{source}{task}")).unwrap();
        let changed = |text: &str| needs_a_restart(&before, &Config::parse(text).unwrap());
        let crop = "from = [{ source = \"yard\", crop = [0.1, 0.1, 0.5, 0.5] }]\nkeep = \"labelled\"\nagree = 5\n";
        let sink = "[[sink]]\ntask = \"gate\"\nkind = \"command\"\nargv = [\"/bin/true\"]\n[adapt]\nafter_labels = 5\n";
        assert_eq!(changed(&format!("{source}rotate = 90\n{task}{crop}{sink}")), [""; 0]);
        assert_eq!(changed(source), [""; 0], "a task stays in the store");
        assert_eq!(changed(&format!("{source}every = \"5s\"\n{task}")), [""; 0]);
        assert_eq!(changed(&format!("{source}{task}[[task]]\nname = \"belt\"\n")), ["[[task]]"]);
        assert_eq!(
            changed(&format!(
                "[http]\nlisten = \"127.0.0.1:1\"\n[device]\nid = \"a\"\n{source}{task}classes = [\"a\"]\n"
            )),
            ["[device]", "[http]", "[[task]]"]
        );
        let published = "[[source]]\nname = \"b\"\nkind = \"mqtt\"\ntopic = \"cameras/b\"\n";
        assert_eq!(
            changed(&format!("[mqtt]\nurl = \"mqtt://broker\"\n{source}{published}{task}")),
            ["[mqtt]", "[[source]] of kind mqtt"]
        );
        assert_eq!(changed(&format!("[mqtt]\nurl = \"mqtt://broker\"\n{source}{task}")), ["[mqtt]"]);
    }

    #[test]
    fn a_source_of_which_something_changed_ends_and_begins_and_the_others_go_on() {
        let source = |name: &str, more: &str| format!("[[source]]\nname = \"{name}\"\nkind = \"camera\"\n{more}\n");
        let config = |sources: &[String]| Config::parse(&sources.concat()).unwrap();
        let before = config(&[source("a", ""), source("b", ""), source("c", "")]);
        let after = config(&[source("a", "rotate = 90"), source("b", "every = \"5s\""), source("d", "")]);
        let (close, open) = changed_sources(&before, &after);
        assert_eq!(close, [Arc::from("b"), Arc::from("c")]);
        assert_eq!(open.iter().map(|source| source.name.as_str()).collect::<Vec<_>>(), ["b", "d"]);
    }
}
