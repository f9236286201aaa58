//! Sources that come and go while the daemon runs, beside those of the configuration. Knows nothing of what they sense.

use std::sync::Arc;

use super::task::Task;
use super::{Core, Done, Effect, Job, Now, Pending, Request, Source, Trouble};
use crate::config::{self, SourceKind, Trigger};
use crate::daemon::command::{AddedKind, CommandError, Reply};
use crate::source::Health;

/// Sources that can be added at most.
const ADDED: usize = 32;

impl Source {
    pub(super) fn new(kind: SourceKind, trigger: Trigger, added: bool) -> Self {
        Self {
            kind,
            trigger,
            health: Health::Starting,
            frames: 0,
            size: None,
            last: None,
            line: None,
            unreadable: None,
            added,
            asked: None,
        }
    }
}

impl Core {
    /// A source is added once it is stored.
    pub(super) fn add_source(
        &mut self,
        request: Request,
        name: &str,
        kind: AddedKind,
        device: Option<&str>,
    ) -> Result<(), CommandError> {
        let kind = match kind {
            AddedKind::Camera => SourceKind::Camera,
            AddedKind::Http => SourceKind::Http,
        };
        let source = config::Source::added(name, kind, device).map_err(CommandError::Invalid)?;
        let coming: Vec<&str> = self
            .pending
            .values()
            .filter_map(|(_, pending)| match pending {
                Pending::Source { source, .. } => Some(source.name.as_str()),
                _ => None,
            })
            .collect();
        if self.sources.contains_key(name) || coming.contains(&name) {
            return Err(CommandError::Conflict(format!("there is a source `{name}` already: choose another name")));
        }
        if self.sources.values().filter(|source| source.added).count() + coming.len() >= ADDED {
            let full = format!("{ADDED} sources were added already: remove one, or declare it in the configuration");
            return Err(CommandError::Conflict(full));
        }
        let source = Box::new(source);
        self.store(&Arc::from(""), Job::AddSource(source.clone()), Pending::Source { request, source });
        Ok(())
    }

    /// A source is removed once that is stored.
    pub(super) fn remove_source(&mut self, request: Request, name: &str) -> Result<(), CommandError> {
        let (source, known) = self.known_source(name)?;
        if !known.added {
            let declared =
                format!("source `{name}` stands in the configuration: remove it there, then SIGHUP has it read again");
            return Err(CommandError::Conflict(declared));
        }
        let mut holds = self.tasks.values().filter_map(|task| task.hold.as_ref());
        if let Some(hold) = holds.find(|hold| hold.source == source) {
            return Err(CommandError::Conflict(format!("`{}` is being held on `{name}`: let it go first", hold.class)));
        }
        self.store(&Arc::from(""), Job::RemoveSource(Arc::clone(&source)), Pending::SourceGone { request, source });
        Ok(())
    }

    /// It is stored, or not.
    pub(super) fn source_added(&mut self, request: Request, source: Box<config::Source>, done: Result<Done, Trouble>) {
        let answer = match done {
            Ok(_) => {
                self.sources.insert(source.name.as_str().into(), Source::new(source.kind, source.trigger, true));
                self.look_again();
                let done = format!("source `{}` was added", source.name);
                self.effects.push(Effect::Open(source));
                Ok(Reply::Done { done })
            }
            Err(trouble) => Err(trouble.into()),
        };
        self.answer(request, answer);
    }

    /// It is gone from the store, or not. What tasks look at was told before.
    pub(super) fn source_removed(&mut self, request: Request, name: &Arc<str>, done: Result<Done, Trouble>) {
        let answer = match done {
            Ok(_) => {
                self.close(name);
                self.look_again();
                let done = format!("source `{name}` was removed; its samples stay");
                Ok(Reply::Done { done })
            }
            Err(trouble) => Err(trouble.into()),
        };
        self.answer(request, answer);
    }

    /// The configuration declares other sources; what it declares wins over what was added.
    pub(super) fn sources_changed(&mut self, close: &[Arc<str>], open: Vec<config::Source>, now: Now) {
        for name in close {
            let holds = |task: &Task| task.hold.as_ref().is_some_and(|hold| hold.source == *name);
            let held: Vec<Arc<str>> =
                self.tasks.values().filter(|task| holds(task)).map(|task| Arc::clone(task.name())).collect();
            for task in held {
                self.let_go(&task, None, now);
            }
            self.close(name);
        }
        for source in open {
            let name: Arc<str> = source.name.as_str().into();
            if self.sources.contains_key(&name) {
                self.close(&name);
            }
            self.sources.insert(name, Source::new(source.kind, source.trigger, false));
            self.effects.push(Effect::Open(Box::new(source)));
        }
        self.look_again();
    }

    fn close(&mut self, name: &Arc<str>) {
        self.sources.remove(name);
        let gone = CommandError::NotFound(format!("source `{name}` is gone"));
        self.nothing_sensed(Some(name), &gone);
        self.effects.push(Effect::Close(Arc::clone(name)));
    }

    /// Tasks of which nobody said what they look at look at every source.
    fn look_again(&mut self) {
        let names: Vec<Arc<str>> = self.sources.keys().cloned().collect();
        for task in self.tasks.values_mut() {
            task.look_at(names.iter().cloned());
        }
        self.watch();
    }
}
