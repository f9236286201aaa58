//! What a task's only region shows now is labelled: a sample is made of it, and of nothing older. Knows nothing of pictures.

use std::sync::Arc;

use super::ask::counted;
use super::task::Undo;
use super::teach::Changes;
use super::turn::unexpected;
use super::{Core, Done, Infer, Job, Pending, Request, Trouble};
use crate::daemon::command::{CommandError, Reply};
use crate::store::Added;

impl Core {
    /// Labels what is seen now; the newest sample where nothing was seen yet.
    pub(super) fn label_seen(
        &mut self,
        request: Request,
        task: &str,
        label: String,
        who: String,
    ) -> Result<(), CommandError> {
        let (name, task) = self.task(task)?;
        let generation = task.facts.head.as_ref().map(|head| head.generation);
        let seen = |look: &&super::task::Region| {
            self.sources
                .get(&*look.look.source)
                .is_some_and(|source| source.last.is_some() && source.unreadable.is_none())
        };
        let looks: Vec<_> = task.regions.iter().filter(seen).map(|region| region.look.clone()).collect();
        match looks.as_slice() {
            [] => {
                let what = format!("labelling {} `{label}`", counted(1));
                let job = Job::Label { samples: vec!["last".to_owned()], label: Some(label), who };
                self.store(&name, job, Pending::Label { request, what, generation });
            }
            [look] => {
                self.infer(&name, look.clone(), Infer::CaptureNewest, Pending::Seen { request, who, label });
            }
            several => {
                return Err(CommandError::Conflict(format!(
                    "task `{name}` looks at {} regions: which of them `{label}` is about is not said; label a sample by its id",
                    several.len()
                )));
            }
        }
        Ok(())
    }

    /// It is a sample now, and not yet stored.
    pub(super) fn seen(
        &mut self,
        name: &Arc<str>,
        request: Request,
        who: String,
        label: String,
        done: Result<Done, Trouble>,
    ) {
        let taken = match done {
            Ok(Done::Captured(taken)) => taken,
            other => return self.answer(request, Err(unexpected(other))),
        };
        let Some(task) = self.tasks.get_mut(name) else { return };
        let (payload, time) = (task.keeping.payloads(), taken.time);
        let generation = task.facts.head.as_ref().map(|head| head.generation);
        let what = match time {
            Some(time) => format!("labelling what was seen at {time} `{label}`"),
            None => format!("labelling what was seen `{label}`"),
        };
        let job = Job::Keep { taken, label: Some(label), group_key: None, payload, who };
        self.store(name, job, Pending::SeenKept { request, what, generation });
    }

    /// It is on the disk.
    pub(super) fn seen_kept(
        &mut self,
        name: &Arc<str>,
        request: Request,
        what: String,
        generation: Option<u32>,
        done: Result<Done, Trouble>,
    ) {
        let added: Added = match done {
            Ok(Done::Kept(added)) => added,
            other => return self.answer(request, Err(unexpected(other))),
        };
        let done = format!("{what}: sample {}", added.id());
        let mut changes = Changes::default();
        changes.note(&added);
        if let Some(task) = self.tasks.get_mut(name) {
            task.can_undo(Undo { what, changes, generation });
        }
        self.answer(request, Ok(Reply::Done { done }));
    }
}
