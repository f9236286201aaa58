//! A configuration that is read again: which of its changes a running daemon cannot take over. Knows nothing of threads.

use std::fmt::Debug;

use crate::config::{self, Config};

/// Sections of which something changed that cannot be taken over while the daemon runs.
pub(super) fn needs_a_restart(before: &Config, config: &Config) -> Vec<&'static str> {
    let sources = |config: &Config| {
        let plain = |source: &config::Source| config::Source { rotate: 0, mask: Vec::new(), ..source.clone() };
        config.source.iter().map(plain).collect::<Vec<_>>()
    };
    // A task that is gone from the file stays in the store.
    let task = |config: &Config, name: &str| {
        let found = config.task.iter().find(|task| task.name == name);
        found.map(|task| (task.backbone.clone(), task.classes.clone()))
    };
    let tasks = config.task.iter().any(|of| task(config, &of.name) != task(before, &of.name));
    let differ = |one: &dyn Debug, other: &dyn Debug| format!("{one:?}") != format!("{other:?}");
    let parts = [
        ("[backbone]", differ(&before.backbone, &config.backbone)),
        ("[device]", differ(&before.device, &config.device)),
        ("[http]", differ(&before.http, &config.http)),
        ("[[source]]", differ(&sources(before), &sources(config))),
        ("[[task]]", tasks),
    ];
    parts.into_iter().filter_map(|(name, differs)| differs.then_some(name)).collect()
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
        assert_eq!(changed(&format!("{source}every = \"5s\"\n{task}")), ["[[source]]"]);
        assert_eq!(changed(&format!("{source}{task}[[task]]\nname = \"belt\"\n")), ["[[task]]"]);
        assert_eq!(
            changed(&format!(
                "[http]\nlisten = \"127.0.0.1:1\"\n[device]\nid = \"a\"\n{source}{task}classes = [\"a\"]\n"
            )),
            ["[device]", "[http]", "[[task]]"]
        );
    }
}
