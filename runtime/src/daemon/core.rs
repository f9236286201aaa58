//! The deciding of the daemon: every state it has, and what is to be done. Synchronous and pure: an event and the moment go
//! in, effects come out, and nothing happens until the next event or [`Core::deadline`]. Knows no thread, file, clock or
//! engine.
//!
//! - What was acknowledged, the store has on the disk: an answer to who labelled or taught leaves after the write.
//! - In a task one thing at a time moves the head in service or forgets; the others wait for their turn, few of them.
//! - What is on its way to other threads is counted and bounded; beyond that, commands are refused and frames are shed.
//! - An adaptation that nobody asked for is never begun while it is hot.
//!
//! Read `core/event.rs` first, then `core/ask.rs` (commands), `core/turn.rs` (one at a time), `core/see.rs` (frames).

mod ask;
mod button;
mod elsewhere;
mod event;
mod gate;
mod keep;
mod policy;
mod see;
mod seen;
mod sense;
mod show;
mod sources;
mod stable;
mod task;
mod teach;
#[cfg(test)]
mod tests;
mod turn;

use std::collections::{BTreeMap, HashMap};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

pub(crate) use self::event::{
    Answer, Done, Effect, Event, Facts, HeadFacts, Infer, Job, Now, Observation, Offer, Request, Slow, Taken, Ticket,
    Trouble, TroubleKind, Watch,
};
pub(crate) use self::keep::Keeping;
pub(crate) use self::policy::Policy;
use self::sense::Asking;
use self::task::{Task, Turn};
use self::teach::{Hold, LONGEST};
use super::command::{CommandError, Look, Reply};
use super::notice::{self, Notice, State};
use super::view::LineView;
use crate::config::{self, SourceKind, Trigger};
use crate::source::Health;

/// What is on its way to other threads at most.
const ON_ITS_WAY: usize = 256;
/// Between two looks whether anything can be written again.
const PROBE_EVERY: Duration = Duration::from_secs(10);
/// Fitting what a hold brought: a person waits.
const LEARN_WITHIN: Duration = Duration::from_millis(60);

/// What the daemon was started with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Setup {
    pub(crate) device: String,
    pub(crate) policy: Policy,
    /// Time for an adaptation.
    pub(crate) budget: Option<Duration>,
    /// Whether somebody listens to every answer.
    pub(crate) every_answer: bool,
    pub(crate) sources: Vec<(Arc<str>, SourceKind, Trigger)>,
    /// Sources beside those of the configuration.
    pub(crate) added: Vec<(Arc<str>, SourceKind)>,
    /// What the configuration says of tasks.
    pub(crate) tasks: Vec<Declared>,
}

/// What the configuration says of a task.
#[derive(Clone, Debug)]
pub(crate) struct Declared {
    pub(crate) task: String,
    pub(crate) looks: Vec<Look>,
    pub(crate) keeping: Keeping,
    pub(crate) agree: usize,
}

/// Answers in a row that count, where the configuration does not say.
pub(crate) const AGREE: usize = 3;

/// A source while the daemon runs.
#[derive(Debug)]
struct Source {
    kind: SourceKind,
    trigger: Trigger,
    health: Health,
    frames: u64,
    size: Option<[u32; 2]>,
    last: Option<Timestamp>,
    /// What came over its line.
    line: Option<LineView>,
    /// Why its frames cannot be read.
    unreadable: Option<String>,
    /// It is not of the configuration.
    added: bool,
    /// When a hold asked it for a frame last, and whether one has come since.
    asked: Option<(Duration, bool)>,
}

/// What a ticket is for.
#[derive(Debug)]
enum Pending {
    /// Adapting; nobody may have asked.
    Adapt {
        request: Option<Request>,
    },
    /// A frame that teaches: captured, then kept.
    Unlabelled,
    /// One that was handed in is embedded.
    Embed {
        request: Request,
        who: String,
        label: Option<String>,
        group_key: Option<String>,
    },
    /// And stored.
    Offered {
        request: Request,
    },
    Classify {
        request: Request,
    },
    /// A backbone is opened for a task that is to be made.
    Choose {
        request: Request,
        looks: Vec<Look>,
    },
    /// A plain write: what to say when it is done.
    Plain {
        request: Request,
        done: String,
    },
    Label {
        request: Request,
        what: String,
        generation: Option<u32>,
    },
    /// What is seen now becomes a labelled sample: captured, then kept.
    Seen {
        request: Request,
        who: String,
        label: String,
    },
    SeenKept {
        request: Request,
        what: String,
        generation: Option<u32>,
    },
    /// The moment before a hold, and its digest.
    Mark {
        hold: String,
    },
    Digest {
        hold: String,
    },
    /// A frame of a hold.
    Held {
        hold: String,
    },
    /// Another device's head is looked at.
    Install {
        request: Request,
    },
    /// What a hold brought is fitted.
    Learn {
        hold: Box<Hold>,
    },
    Write {
        request: Request,
        done: String,
    },
    /// A source is added.
    Source {
        request: Request,
        source: Box<config::Source>,
    },
    /// And removed.
    SourceGone {
        request: Request,
        source: Arc<str>,
    },
    Undo {
        request: Request,
        undo: task::Undo,
    },
    Room,
    Refer,
    Probe,
}

/// The daemon's deciding.
#[derive(Debug)]
pub(crate) struct Core {
    setup: Setup,
    started: Timestamp,
    sources: BTreeMap<Arc<str>, Source>,
    tasks: BTreeMap<Arc<str>, Task>,
    pending: HashMap<Ticket, (Arc<str>, Pending)>,
    next_ticket: Ticket,
    notices: u64,
    heat: Option<String>,
    /// What other parts lack.
    ails: Vec<String>,
    /// Why nothing can be written, and when to look again.
    store: Option<(String, Duration)>,
    ending: bool,
    finished: bool,
    /// Who waits for a frame.
    asking: Vec<Asking>,
    /// Frames of holds and samples that could not be taken in.
    shed: u64,
    evicted: u64,
    watching: Vec<Watch>,
    effects: Vec<Effect>,
}

impl Core {
    pub(crate) fn new(setup: Setup, now: Now) -> Self {
        let declared = setup.sources.iter().map(|(name, kind, trigger)| (name, Source::new(*kind, *trigger, false)));
        let added = setup.added.iter().map(|(name, kind)| (name, Source::new(*kind, Trigger::Interval, true)));
        Self {
            sources: declared.chain(added).map(|(name, source)| (Arc::clone(name), source)).collect(),
            setup,
            started: now.time,
            tasks: BTreeMap::new(),
            pending: HashMap::new(),
            next_ticket: 1,
            notices: 0,
            heat: None,
            ails: Vec::new(),
            store: None,
            ending: false,
            finished: false,
            asking: Vec::new(),
            shed: 0,
            evicted: 0,
            watching: Vec::new(),
            effects: Vec::new(),
        }
    }

    /// Takes one event; gives what is to be done, in this order.
    pub(crate) fn handle(&mut self, event: Event, now: Now) -> Vec<Effect> {
        match event {
            Event::Ails(ails) => self.ails = ails,
            Event::Asked { request, who, command } => {
                if let Err(error) = self.ask(request, who, command, now) {
                    self.effects.push(Effect::Answer { request, answer: Err(error) });
                }
            }
            Event::Configured { setup, close, open } => self.configured(*setup, &close, open, now),
            Event::Counted { source, line } => {
                if let Some(source) = self.sources.get_mut(&source) {
                    source.line = Some(line);
                }
            }
            Event::Done { ticket, done } => self.done(ticket, done, now),
            Event::End => self.end(now),
            Event::Facts(facts) => self.facts(*facts),
            Event::Heat(heat) => self.heat = heat,
            Event::Labelled { source, class } => self.labelled(&source, &class, now),
            Event::Offered { request, who, offer } => {
                if let Err(error) = self.offered(request, who, *offer) {
                    self.effects.push(Effect::AnswerOffer { request, answer: Err(error) });
                }
            }
            Event::Opened { task, opened } => {
                if let Some(task) = self.tasks.get_mut(&task) {
                    (task.extractor, task.trouble) = match opened {
                        Ok(extractor) => (Some(extractor), None),
                        Err(why) => (None, Some(why)),
                    };
                }
            }
            Event::Saw(observation) => self.saw(*observation, now),
            Event::Source { source, health } => self.source(&source, health, now),
            Event::Sensed { source, taken, size } => self.sensed(&source, taken, size),
            Event::Tick => {}
        }
        self.elapse(now);
        if self.ending && !self.finished && self.pending.values().all(|(_, pending)| !pending.writes()) {
            self.finished = true;
            self.effects.push(Effect::Finished);
        }
        mem::take(&mut self.effects)
    }

    /// Frames of holds and samples that there was no room for.
    pub(crate) fn shed(&self) -> u64 {
        self.shed
    }

    /// The moment of which [`Event::Tick`] is to tell, if nothing else happens before.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        let holds = self.tasks.values().filter_map(|task| task.hold.as_ref());
        let holds = holds.map(|hold| hold.begun + LONGEST);
        let probe = self.store.iter().filter(|_| !self.probing()).map(|(_, at)| *at);
        let adapt = self.tasks.values().filter_map(|task| self.may_adapt(task));
        holds.chain(probe).chain(adapt).chain(self.sense_again()).min()
    }

    /// When a task adapts by itself, if nothing but time is missing.
    fn may_adapt(&self, task: &Task) -> Option<Duration> {
        let free = !self.ending && self.heat.is_none() && self.store.is_none() && !task.busy && task.waiting.is_empty();
        let wanted = self.setup.policy.wants(&task.standing)?;
        (free && task.hold.is_none() && task.released.is_empty()).then_some(wanted)
    }

    /// Does what is due.
    fn elapse(&mut self, now: Now) {
        let names: Vec<Arc<str>> = self.tasks.keys().cloned().collect();
        for name in &names {
            let Some(task) = self.tasks.get_mut(name) else { continue };
            if task.hold.as_ref().is_some_and(|hold| now.since >= hold.begun + LONGEST) {
                self.let_go(name, None, now);
            }
            self.release(name);
            let due = self.tasks.get(name).and_then(|task| self.may_adapt(task));
            if due.is_some_and(|at| now.since >= at)
                && let Some(task) = self.tasks.get_mut(name)
            {
                task.standing.last = Some(now.since);
                task.waiting.push_back(Turn::Adapt { request: None, who: "policy".to_owned(), trust_labels: false });
            }
            self.next_turn(name);
        }
        if self.store.as_ref().is_some_and(|(_, at)| now.since >= *at) && !self.probing() {
            self.store(&Arc::from(""), Job::Probe, Pending::Probe);
        }
        self.ask_sources(now);
    }

    fn probing(&self) -> bool {
        self.pending.values().any(|(_, pending)| matches!(pending, Pending::Probe))
    }

    /// Nothing new is begun. What is stored or on its way there stays; a hold that goes on ends.
    fn end(&mut self, now: Now) {
        self.ending = true;
        for name in self.tasks.keys().cloned().collect::<Vec<_>>() {
            self.let_go(&name, None, now);
        }
        self.nothing_sensed(None, &CommandError::Unavailable("the daemon is ending".to_owned()));
    }

    fn source(&mut self, name: &Arc<str>, health: Health, now: Now) {
        let Some(source) = self.sources.get_mut(name) else { return };
        let before = mem::replace(&mut source.health, health);
        if let Health::Lost { reason } = &source.health {
            let message = format!("source `{name}` cannot be read: {reason}");
            self.nothing_sensed(Some(name), &CommandError::Conflict(message.clone()));
            if matches!(before, Health::Lost { .. }) {
                return;
            }
            self.announce(notice::Event::SourceLost, None, Some(name), message, None, now);
        }
    }

    /// How a task stands now; a task that is not known yet is one more.
    fn facts(&mut self, facts: Facts) {
        let sources: Vec<Arc<str>> = self.sources.keys().cloned().collect();
        let name = Arc::clone(&facts.task);
        let before = self.tasks.get(&name).map(|task| task.facts.head.as_ref().map(|head| head.generation));
        let generation = facts.head.as_ref().map(|head| head.generation);
        if let Some(task) = self.tasks.get_mut(&name) {
            task.facts = facts;
            task.count_labels();
        } else {
            let declared = self.setup.tasks.iter().find(|declared| *declared.task == *name);
            let task = match declared {
                Some(Declared { looks, keeping, agree, .. }) => Task::new(facts, looks.clone(), *keeping, *agree),
                None => Task::new(facts, Vec::new(), Keeping::default(), AGREE),
            };
            self.tasks.insert(Arc::clone(&name), task);
        }
        let Some(task) = self.tasks.get_mut(&name) else { return };
        task.look_at(sources.into_iter());
        if before != Some(generation) {
            task.drift = task::Drift { of: generation, ..task::Drift::default() };
            task.standing.drifted = false;
            if generation.is_none() {
                task.regions.iter_mut().for_each(|region| region.said.clear());
            }
        }
        let room = task.keeping.room(task.facts.payload_bytes).filter(|_| !task.making_room);
        task.making_room |= room.is_some();
        if let Some(keep_bytes) = room {
            self.store(&name, Job::Evict { keep_bytes }, Pending::Room);
        }
        if before != Some(generation) && generation.is_some() {
            self.slow(&name, Slow::Refer, Pending::Refer);
        }
        self.watch();
    }

    /// Takes over what can be changed while it runs: the rest of the setup stays as it was.
    fn configured(&mut self, setup: Setup, close: &[Arc<str>], open: Vec<config::Source>, now: Now) {
        let Setup { device: _, policy, budget, every_answer: _, sources: _, added: _, tasks } = setup;
        (self.setup.policy, self.setup.budget, self.setup.tasks) = (policy, budget, tasks);
        for (name, task) in &mut self.tasks {
            let declared = self.setup.tasks.iter().find(|declared| *declared.task == **name);
            (task.declared, task.keeping, task.agree) = match declared {
                Some(Declared { looks, keeping, agree, .. }) => (looks.clone(), *keeping, *agree),
                None => (Vec::new(), Keeping::default(), AGREE),
            };
        }
        self.sources_changed(close, open, now);
    }

    /// Tells the inference thread what to look at, where that changed.
    fn watch(&mut self) {
        let watch = |task: &Task| Watch {
            task: Arc::clone(task.name()),
            backbone_id: task.facts.backbone_id,
            looks: task.regions.iter().map(|region| region.look.clone()).collect(),
            held: task.hold.as_ref().map(|hold| Arc::clone(&hold.source)),
        };
        let watching: Vec<Watch> = self.tasks.values().map(watch).collect();
        if watching != self.watching {
            self.watching.clone_from(&watching);
            self.effects.push(Effect::Watch(watching));
        }
    }

    fn announce(
        &mut self,
        event: notice::Event,
        task: Option<&str>,
        source: Option<&str>,
        message: String,
        state: Option<State>,
        now: Now,
    ) {
        self.notices += 1;
        self.effects.push(Effect::Announce(Notice {
            id: self.notices,
            time: now.time.to_string(),
            event,
            task: task.map(str::to_owned),
            source: source.map(str::to_owned),
            reason: None,
            message,
            state,
        }));
    }

    /// Tells everybody something about a task, with a word for why.
    fn announce_because(
        &mut self,
        event: notice::Event,
        task: &str,
        message: String,
        reason: Option<String>,
        now: Now,
    ) {
        self.announce(event, Some(task), None, message, None, now);
        if let Some(Effect::Announce(notice)) = self.effects.last_mut() {
            notice.reason = reason;
        }
    }

    fn answer(&mut self, request: Request, answer: Result<Reply, CommandError>) {
        if request == button::NOBODY && answer.is_ok() {
            return;
        }
        self.effects.push(Effect::Answer { request, answer });
    }

    fn ticket(&mut self, task: &Arc<str>, pending: Pending) -> Ticket {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.pending.insert(ticket, (Arc::clone(task), pending));
        ticket
    }

    fn store(&mut self, task: &Arc<str>, job: Job, pending: Pending) {
        let ticket = self.ticket(task, pending);
        self.effects.push(Effect::Store { ticket, task: Arc::clone(task), job });
    }

    fn slow(&mut self, task: &Arc<str>, work: Slow, pending: Pending) {
        let ticket = self.ticket(task, pending);
        self.effects.push(Effect::Slow { ticket, task: Arc::clone(task), work });
    }

    fn infer(&mut self, task: &Arc<str>, look: Look, what: Infer, pending: Pending) {
        let ticket = self.ticket(task, pending);
        self.effects.push(Effect::Infer { ticket, task: Arc::clone(task), look, what });
    }

    /// Whether more may be sent on its way.
    fn has_room(&self) -> bool {
        self.pending.len() < ON_ITS_WAY
    }

    /// Something could not be written: from now on, looked at again and again.
    fn trouble(&mut self, words: &str, now: Now) {
        if self.store.is_none() {
            let message = format!("nothing can be stored: {words}");
            self.announce(notice::Event::Problem, None, None, message, None, now);
        }
        self.store = Some((words.to_owned(), now.since + PROBE_EVERY));
    }
}

impl Pending {
    /// Whether it ends in something on the disk that somebody was or will be told of: the daemon does not end before.
    fn writes(&self) -> bool {
        match self {
            Self::Embed { .. }
            | Self::Held { .. }
            | Self::Label { .. }
            | Self::Offered { .. }
            | Self::Plain { .. }
            | Self::Room
            | Self::Seen { .. }
            | Self::SeenKept { .. }
            | Self::Source { .. }
            | Self::SourceGone { .. }
            | Self::Undo { .. }
            | Self::Write { .. } => true,
            Self::Adapt { .. }
            | Self::Choose { .. }
            | Self::Classify { .. }
            | Self::Digest { .. }
            | Self::Install { .. }
            | Self::Learn { .. }
            | Self::Mark { .. }
            | Self::Probe
            | Self::Refer
            | Self::Unlabelled => false,
        }
    }
}
