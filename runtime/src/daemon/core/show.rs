//! The core as a view. Changes nothing.

use super::task::Task;
use super::{Core, Now, Source};
use crate::config::Trigger;
use crate::daemon::view::{ClassView, LookView, SourceView, TaskView, Teaching, View};
use crate::source::Health;

impl Core {
    /// This moment.
    pub(crate) fn view(&self, now: Now) -> View {
        View {
            time: now.time.to_string(),
            device: self.setup.device.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: self.started.to_string(),
            degraded: self.degraded(),
            sources: self.sources.iter().map(|(name, source)| source_view(name, source)).collect(),
            tasks: self.tasks.values().map(task_view).collect(),
        }
    }

    /// What does not work as it should.
    fn degraded(&self) -> Vec<String> {
        let store = self.store.iter().map(|(why, _)| format!("nothing can be stored: {why}"));
        let heat = self.heat.iter().map(|why| format!("nothing is fitted by itself: {why}"));
        let sources = self.sources.iter().filter_map(|(name, source)| match (&source.health, &source.unreadable) {
            (Health::Lost { reason }, _) => Some(format!("source `{name}` cannot be read: {reason}")),
            (_, Some(why)) => Some(format!("a frame of source `{name}` is of no use: {why}")),
            _ => None,
        });
        let tasks = self.tasks.values();
        let tasks = tasks.filter_map(|task| Some(format!("task `{}`: {}", task.name(), task.trouble.as_ref()?)));
        store.chain(heat).chain(sources).chain(tasks).chain(self.ails.iter().cloned()).collect()
    }
}

fn source_view(name: &str, source: &Source) -> SourceView {
    let (health, reason) = match &source.health {
        Health::Ended => ("ended", None),
        Health::Lost { reason } => ("lost", Some(reason.clone())),
        Health::Running => ("running", None),
        Health::Starting => ("starting", None),
    };
    SourceView {
        name: name.to_owned(),
        kind: source.kind.word().to_owned(),
        removable: source.added,
        on_request: source.trigger == Trigger::Request,
        health: health.to_owned(),
        reason,
        frames: source.frames,
        size: source.size,
        last: source.last.map(|last| last.to_string()),
        line: source.line.clone(),
    }
}

fn task_view(task: &Task) -> TaskView {
    let facts = &task.facts;
    let looks = task.regions.iter().map(|region| LookView {
        look: region.look.clone(),
        now: region.said.now.clone(),
        stable: region.said.counts.clone(),
        milliseconds: region.milliseconds,
    });
    let class = |(name, samples): &(String, usize)| ClassView { name: name.clone(), samples: *samples };
    let hold = task.hold.as_ref();
    TaskView {
        name: facts.task.to_string(),
        backbone: facts.backbone.clone(),
        extractor: task.extractor.clone(),
        classes: facts.classes.iter().map(class).collect(),
        looks: looks.collect(),
        generation: facts.head.as_ref().map(|head| head.generation),
        unproved: facts.head.as_ref().is_some_and(|head| head.unproved),
        from: facts.head.as_ref().and_then(|head| head.from.clone()),
        accuracy: facts.head.as_ref().and_then(|head| head.accuracy),
        unlabelled: facts.unlabelled,
        new_labels: facts.new_labels,
        adapting: task.adapting,
        teaching: hold.map(|hold| Teaching { class: hold.class.clone(), frames: hold.frames }),
        undo: task.undo.last().map(|undo| undo.what.clone()),
        drifted: task.standing.drifted,
        verdict: task.verdict.clone(),
        next: task.next.clone(),
    }
}
