//! A button of a device: what its newest readings are, says who stands beside it. Knows nothing of lines.

use std::sync::Arc;

use super::{Core, Infer, Now, Pending, Request};
use crate::daemon::notice;

/// Nobody waits for the answer; that something could not be done is logged.
pub(super) const NOBODY: Request = 0;

impl Core {
    /// Labels what a source's newest frame is, in the tasks that this can be about: those that know the class, else the only
    /// one that looks at the source.
    pub(super) fn labelled(&mut self, source: &Arc<str>, class: &str, now: Now) {
        if let Err(why) = self.label_newest(source, class) {
            let message = format!("a button of `{source}` said `{class}`, and no sample was labelled: {why}");
            self.announce(notice::Event::Problem, None, Some(source), message, None, now);
        }
    }

    fn label_newest(&mut self, source: &Arc<str>, class: &str) -> Result<(), String> {
        if class.trim() != class || !(1..=200).contains(&class.len()) || class.contains(char::is_control) {
            return Err("that is no name for a class: expected 1 to 200 characters".to_owned());
        }
        if self.ending || !self.has_room() {
            return Err("too much is on its way to the disk".to_owned());
        }
        let looks = |task: &super::Task| {
            let mut looks = task.regions.iter().filter(|region| *region.look.source == **source);
            looks.next().filter(|_| looks.next().is_none()).map(|region| region.look.clone())
        };
        let all: Vec<_> = self.tasks.iter().filter_map(|(name, task)| Some((Arc::clone(name), looks(task)?))).collect();
        let knows = |name: &Arc<str>| {
            let facts = self.tasks.get(name).map(|task| &task.facts);
            facts.is_some_and(|facts| facts.classes.iter().any(|(known, _)| known == class))
        };
        let knowing: Vec<_> = all.iter().filter(|(name, _)| knows(name)).cloned().collect();
        let meant = match (knowing.as_slice(), all.as_slice()) {
            ([], [only]) => vec![only.clone()],
            ([], []) => return Err("no task looks at all of it, once".to_owned()),
            ([], several) => {
                let names: Vec<&str> = several.iter().map(|(name, _)| &**name).collect();
                return Err(format!("none of the tasks {} knows that class", names.join(", ")));
            }
            (knowing, _) => knowing.to_vec(),
        };
        for (name, look) in meant {
            let (who, label) = (format!("button of {source}"), class.to_owned());
            self.infer(&name, look, Infer::CaptureNewest, Pending::Seen { request: NOBODY, who, label });
        }
        Ok(())
    }
}
