//! A task while the daemon runs: its regions, its hold, what waits for its turn, what can be undone. Knows no other task.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use acclimate_trainer::drift::{Monitor, Reference};

use super::elsewhere::Since;
use super::event::{Facts, Job, Request};
use super::gate::Scene;
use super::keep::{Keeping, Unlabelled};
use super::policy::Standing;
use super::stable::Stable;
use super::teach::{Changes, Hold};
use crate::daemon::command::Look;
use crate::daemon::signed::Signed;

/// What waits for its turn in one task at most.
pub(super) const WAITING: usize = 16;
/// Steps that can be taken back.
const UNDOABLE: usize = 16;

/// One task.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) facts: Facts,
    /// What the configuration says that it looks at; empty where it says nothing.
    pub(super) declared: Vec<Look>,
    pub(super) keeping: Keeping,
    /// Answers in a row that count.
    pub(super) agree: usize,
    pub(super) regions: Vec<Region>,
    pub(super) hold: Option<Hold>,
    /// Holds that ended, whose last frames are on their way to the disk.
    pub(super) released: Vec<Hold>,
    /// Something that moves the pointer to the head in service, or forgets, is under way: nothing else of this kind is begun.
    pub(super) busy: bool,
    /// An adaptation is under way.
    pub(super) adapting: bool,
    pub(super) waiting: VecDeque<Turn>,
    pub(super) undo: Vec<Undo>,
    pub(super) standing: Standing,
    /// Labels that were tried already and were not enough for a head.
    pub(super) tried: usize,
    pub(super) drift: Drift,
    pub(super) unlabelled: Unlabelled,
    pub(super) making_room: bool,
    pub(super) extractor: Option<String>,
    pub(super) trouble: Option<String>,
    pub(super) verdict: Option<String>,
    pub(super) next: Vec<String>,
    /// When a label was wished for.
    pub(super) last_wish: Option<Duration>,
}

/// A region that a task looks at.
#[derive(Clone, Debug)]
pub(super) struct Region {
    pub(super) look: Look,
    pub(super) scene: Scene,
    pub(super) said: Stable,
    pub(super) milliseconds: Option<f64>,
}

/// What waits for its turn: one at a time in a task.
#[derive(Debug)]
pub(super) enum Turn {
    /// An adaptation; nobody may have asked.
    Adapt { request: Option<Request>, who: String, trust_labels: bool },
    /// Another device's head.
    Install { request: Request, who: String, signed: Signed },
    /// What a hold brought is learnt.
    Learn(Box<Hold>),
    /// A write that moves the pointer or forgets, and what to say when it is done.
    Write { request: Request, job: Job, done: String },
    /// The last step is taken back.
    Undo { request: Request, who: String },
}

/// A step that can be taken back.
#[derive(Clone, Debug)]
pub(super) struct Undo {
    /// In words.
    pub(super) what: String,
    pub(super) changes: Changes,
    /// The generation in service before.
    pub(super) generation: Option<u32>,
}

/// Whether what is sensed is still what the head was learnt on.
#[derive(Debug, Default)]
pub(super) struct Drift {
    /// Of which generation, once it is asked for.
    pub(super) of: Option<u32>,
    pub(super) reference: Option<Box<Reference>>,
    pub(super) monitor: Monitor,
    /// What is sensed since it was noticed.
    pub(super) since: Since,
}

impl Task {
    pub(super) fn new(facts: Facts, declared: Vec<Look>, keeping: Keeping, agree: usize) -> Self {
        Self {
            tried: 0,
            standing: Standing { new_labels: facts.new_labels, ..Standing::default() },
            facts,
            declared,
            keeping,
            agree,
            regions: Vec::new(),
            hold: None,
            released: Vec::new(),
            busy: false,
            adapting: false,
            waiting: VecDeque::new(),
            undo: Vec::new(),
            drift: Drift::default(),
            unlabelled: Unlabelled::default(),
            making_room: false,
            extractor: None,
            trouble: None,
            verdict: None,
            next: Vec::new(),
            last_wish: None,
        }
    }

    pub(super) fn name(&self) -> &Arc<str> {
        &self.facts.task
    }

    /// What it looks at: what the file declares wins, then what was chosen, then all of every source. True where that
    /// changed.
    pub(super) fn look_at(&mut self, sources: impl Iterator<Item = Arc<str>>) -> bool {
        let looks: Vec<Look> = match (&self.declared[..], &self.facts.looks[..]) {
            ([], []) => sources.map(|source| Look { source: source.to_string(), crop: None }).collect(),
            ([], chosen) => chosen.to_vec(),
            (declared, _) => declared.to_vec(),
        };
        let changed = !self.regions.iter().map(|region| &region.look).eq(&looks);
        if changed {
            let region = |look| Region { look, scene: Scene::default(), said: Stable::default(), milliseconds: None };
            self.regions = looks.into_iter().map(region).collect();
        }
        changed
    }

    /// The source that is meant: the one named, else the only one.
    pub(super) fn source(&self, named: Option<&str>) -> Result<Arc<str>, String> {
        let mut sources: Vec<&str> = self.regions.iter().map(|region| region.look.source.as_str()).collect();
        sources.sort_unstable();
        sources.dedup();
        match (named, &sources[..]) {
            (Some(named), known) if known.contains(&named) => Ok(named.into()),
            (Some(named), known) => {
                Err(format!("task `{}` does not look at a source `{named}`: it looks at {}", self.name(), words(known)))
            }
            (None, [only]) => Ok((*only).into()),
            (None, known) => Err(format!("task `{}` looks at {}: name one source", self.name(), words(known))),
        }
    }

    /// The hold with this key, wherever it has got to.
    pub(super) fn hold_of(&mut self, key: &str) -> Option<&mut Hold> {
        let waiting = self.waiting.iter_mut().filter_map(|turn| match turn {
            Turn::Learn(hold) => Some(&mut **hold),
            Turn::Adapt { .. } | Turn::Install { .. } | Turn::Undo { .. } | Turn::Write { .. } => None,
        });
        self.hold.iter_mut().chain(&mut self.released).chain(waiting).find(|hold| hold.group_key == key)
    }

    /// Counts the labels that no adaptation has seen.
    pub(super) fn count_labels(&mut self) {
        self.standing.new_labels = self.facts.new_labels.saturating_sub(self.tried);
    }

    /// Notes a step that can be taken back; the oldest is forgotten.
    pub(super) fn can_undo(&mut self, undo: Undo) {
        if undo.changes.len() == 0 {
            return;
        }
        if self.undo.len() == UNDOABLE {
            self.undo.remove(0);
        }
        self.undo.push(undo);
    }
}

fn words(sources: &[&str]) -> String {
    if sources.is_empty() { "no source".to_owned() } else { format!("`{}`", sources.join("`, `")) }
}
