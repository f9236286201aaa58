//! A world for the core: a clock that jumps from event to event, a store that takes its time, one source. Holds the
//! invariants after every event.

mod installing;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use acclimate_trainer::Feature;
use acclimate_trainer::drift::Reference;
use jiff::Timestamp;
use ndarray::Array2;

use crate::adaptation::Elsewhere;
use crate::config::{SourceKind, Trigger};
use crate::daemon::command::{AddedKind, Command, CommandError, Hold, Look, Reply};
use crate::daemon::core::task::WAITING;
use crate::daemon::core::{
    AGREE, Answer, Core, Declared, Done, Effect, Event, Facts, HeadFacts, Infer, Job, Keeping, Now, ON_ITS_WAY,
    Observation, Policy, Request, Setup, Slow, Taken, Ticket, Trouble, TroubleKind, Watch,
};
use crate::daemon::notice::{self, Notice, Prediction};
use crate::daemon::view::View;
use crate::record::PredictionRecord;
use crate::source::{Content, Frame, Health};
use crate::store::{Added, Evicted, SampleId, Watermark};

/// Between two frames.
const CALM: Duration = Duration::from_millis(100);
/// A write, a fit, an embedding.
const WRITE: Duration = Duration::from_millis(5);
const FIT: Duration = Duration::from_millis(40);
const EMBED: Duration = Duration::from_millis(20);
const DIM: usize = 16;

pub(super) fn setup(policy: Policy) -> Setup {
    let gate = Declared { task: "gate".to_owned(), looks: Vec::new(), keeping: Keeping::default(), agree: AGREE };
    let sources = vec![("yard".into(), SourceKind::Camera, Trigger::Interval)];
    let (device, added) = ("test".to_owned(), Vec::new());
    Setup { device, policy, budget: None, every_answer: false, sources, added, tasks: vec![gate] }
}

pub(super) fn teach(class: &str, hold: Hold) -> Command {
    Command::Teach { task: "gate".to_owned(), source: None, class: class.to_owned(), hold }
}

pub(super) fn label(ids: &[SampleId], label: Option<&str>) -> Command {
    let samples = ids.iter().map(ToString::to_string).collect();
    Command::Label { task: "gate".to_owned(), samples, label: label.map(str::to_owned) }
}

pub(super) fn add_source(name: &str, device: &str) -> Command {
    Command::AddSource { source: name.to_owned(), kind: AddedKind::Camera, device: Some(device.to_owned()) }
}

pub(super) fn adapt() -> Command {
    Command::Adapt { task: "gate".to_owned(), trust_labels: false }
}

pub(super) fn look_for(source: &str, crop: Option<[f64; 4]>) -> Command {
    Command::Look { task: "gate".to_owned(), from: vec![Look { source: source.to_owned(), crop }] }
}

/// A sample of the simulated store.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) id: SampleId,
    pub(super) label: Option<String>,
    bytes: usize,
    label_seq: u64,
}

/// One task's store.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) samples: Vec<Stored>,
    classes: Vec<String>,
    pub(super) generation: Option<u32>,
    next_generation: u32,
    /// Claims so far, and those that the newest head has seen.
    claims: u64,
    seen: u64,
    digests: BTreeMap<u64, String>,
    pub(super) full: bool,
    /// Whether a fit has enough for a head.
    pub(super) enough: bool,
    /// The head in service that the next adaptation takes back.
    pub(super) takes_back: Option<u32>,
    /// Whether there is something that drift is compared with.
    pub(super) reference: bool,
    /// Whether it adapts by itself, and its threshold.
    how: (bool, f64),
}

impl Store {
    pub(super) fn digest(&self) -> String {
        let mut labelled: Vec<_> = self.samples.iter().filter_map(|s| Some((s.id, s.label.clone()?))).collect();
        labelled.sort();
        crate::store::Digest::of(format!("{labelled:?}").as_bytes()).to_string()
    }

    pub(super) fn bytes(&self) -> usize {
        self.samples.iter().map(|sample| sample.bytes).sum()
    }

    pub(super) fn ids(&self, count: usize) -> Vec<SampleId> {
        self.samples.iter().take(count).map(|sample| sample.id).collect()
    }

    pub(super) fn unlabelled(&self, count: usize) -> Vec<SampleId> {
        self.samples.iter().rev().filter(|sample| sample.label.is_none()).take(count).map(|s| s.id).collect()
    }

    /// Gives the label before; none too where there is no such sample.
    fn claim(&mut self, id: SampleId, label: Option<String>) -> Option<String> {
        self.claims += 1;
        if let Some(label) = &label
            && !self.classes.contains(label)
        {
            self.classes.push(label.clone());
        }
        let claims = self.claims;
        let sample = self.samples.iter_mut().find(|sample| sample.id == id)?;
        sample.label_seq = claims;
        std::mem::replace(&mut sample.label, label)
    }

    fn facts(&self) -> Facts {
        let count = |class: &String| self.samples.iter().filter(|s| s.label.as_ref() == Some(class)).count();
        let new = |s: &&Stored| s.label.is_some() && s.label_seq > self.seen;
        Facts {
            task: "gate".into(),
            backbone: "tiny".to_owned(),
            backbone_id: [7; 32],
            classes: self.classes.iter().map(|class| (class.clone(), count(class))).collect(),
            unlabelled: self.samples.iter().filter(|sample| sample.label.is_none()).count(),
            new_labels: self.samples.iter().filter(new).count(),
            head: self.generation.map(|generation| HeadFacts {
                generation,
                accuracy: None,
                unproved: false,
                from: None,
            }),
            looks: Vec::new(),
            payload_bytes: self.bytes() as u64,
            adapts: self.how.0,
            threshold: self.how.1,
        }
    }

    /// What the writer would do.
    fn write(&mut self, job: Job) -> Result<Done, Trouble> {
        if self.full {
            let words = "the disk is full".to_owned();
            return Err(Trouble { kind: TroubleKind::Store, words });
        }
        let gone = || Trouble { kind: TroubleKind::NotFound, words: "there is no such thing".to_owned() };
        Ok(match job {
            Job::Activate { generation, .. } => {
                self.generation = Some(generation).filter(|&g| g < self.next_generation).ok_or_else(gone)?.into();
                Done::Plain
            }
            Job::AddSource(_) | Job::Create { .. } | Job::Look { .. } | Job::Probe | Job::RemoveSource(_) => {
                Done::Plain
            }
            Job::Evict { keep_bytes } => {
                let before = self.samples.len();
                while self.bytes() as u64 > keep_bytes
                    && let Some(at) = self.samples.iter().position(|sample| sample.label.is_none())
                {
                    self.samples.remove(at);
                }
                Done::Evicted(Evicted { samples: before - self.samples.len(), payloads: 0, bytes: 0 })
            }
            Job::Forget { samples, .. } => {
                self.samples.retain(|sample| !samples.contains(&sample.id.to_string()));
                Done::Plain
            }
            Job::Keep { taken, label, .. } => {
                let id = SampleId::of(&taken.payload);
                let known = self.samples.iter().any(|sample| sample.id == id);
                if !known {
                    let bytes = taken.payload.len();
                    self.samples.push(Stored { id, label: None, bytes, label_seq: 0 });
                }
                let from = label.map(|label| (self.claim(id, Some(label.clone())), label));
                Done::Kept(match (known, from) {
                    (false, _) => Added::New(id),
                    (true, Some((from, label))) if from.as_ref() != Some(&label) => Added::Relabelled { id, from },
                    (true, _) => Added::Known(id),
                })
            }
            Job::Label { samples, label, .. } => {
                let known: Vec<SampleId> = self.samples.iter().map(|sample| sample.id).collect();
                let known = known.into_iter().filter(|id| samples.contains(&id.to_string()));
                let mut changed = Vec::new();
                for id in known {
                    let before = self.claim(id, label.clone());
                    if before != label {
                        changed.push((id, before));
                    }
                }
                Done::Labelled(changed)
            }
            Job::Mark => {
                self.digests.insert(self.claims, self.digest());
                Done::Marked(Watermark(self.claims.cast_signed()))
            }
            Job::Rollback { .. } => {
                let before = self.generation.filter(|&generation| generation > 1).ok_or_else(gone)?;
                self.generation = Some(before - 1);
                Done::Plain
            }
            Job::Set { adapts, threshold } => {
                self.how = (adapts.unwrap_or(self.how.0), threshold.unwrap_or(self.how.1));
                Done::Plain
            }
            Job::Undo { forget, labels, generation, .. } => {
                let before = self.digest();
                self.samples.retain(|sample| !forget.contains(&sample.id));
                for (id, label) in labels {
                    self.claim(id, label);
                }
                self.generation = generation;
                Done::Undone { before, after: self.digest() }
            }
        })
    }

    fn adapt(&mut self) -> Done {
        let verdict = if self.enough { "activated" } else { "not_enough_samples" };
        let generation = self.enough.then(|| {
            (self.generation, self.seen) = (Some(self.next_generation), self.claims);
            self.next_generation += 1;
            self.next_generation - 1
        });
        let record = serde_json::json!({
            "task": "gate", "verdict": verdict, "unproved": true, "reasons": [], "because": [], "next": [],
            "generation": generation, "head": null, "lambda": null, "samples": self.samples.len(), "classes": self.classes,
            "groups": 1, "ungrouped": true, "evaluation": null, "in_service": null, "comparison": null, "candidates": [],
            "taken_back": self.takes_back.take(), "seconds": { "load": 0.0, "fit": 0.0, "total": 0.0 },
        });
        let adaptation = serde_json::from_value(record).unwrap();
        Done::Recorded { adaptation: Box::new(adaptation), digest: self.digest() }
    }
}

/// What happens at a moment.
enum Happening {
    /// A frame that was asked for.
    Asked,
    Frame,
    Store(Ticket, Job),
    Fit(Ticket),
    Say(Event),
}

#[expect(clippy::struct_excessive_bools, reason = "switches of what the world does, each on its own")]
pub(super) struct World {
    pub(super) core: Core,
    now: Duration,
    agenda: BTreeMap<(Duration, u64), Happening>,
    order: u64,
    pub(super) store: Store,
    watching: Vec<Watch>,
    requests: Request,
    answers: HashMap<Request, Result<Reply, CommandError>>,
    notices: Vec<Notice>,
    fitting: HashSet<Ticket>,
    pub(super) fits: usize,
    /// What the newest fit was told of what is sensed since it changed.
    pub(super) elsewhere: Option<Elsewhere>,
    pub(super) probes: usize,
    pub(super) evictions: usize,
    pub(super) observations: usize,
    pub(super) finished: bool,
    /// Answers that were told to who listens to every one.
    pub(super) predicted: Vec<Prediction>,
    /// Sources that were begun (`+`) and ended (`-`).
    pub(super) opened: Vec<String>,
    /// Whether the source gives frames.
    pub(super) frames: bool,
    /// Whether it gives one when it is asked, and how often it was.
    pub(super) gives: bool,
    pub(super) asks: usize,
    pub(super) every: Duration,
    /// What there is to be seen.
    pub(super) class: &'static str,
    pub(super) busy_scene: bool,
    pub(super) shift: f32,
    frame: u64,
}

impl World {
    pub(super) fn new(setup: Setup) -> Self {
        let now = Duration::ZERO;
        let store = Store {
            samples: Vec::new(),
            classes: Vec::new(),
            generation: None,
            next_generation: 1,
            claims: 0,
            seen: 0,
            digests: BTreeMap::new(),
            full: false,
            enough: true,
            takes_back: None,
            reference: false,
            how: (true, 0.0),
        };
        let mut world = Self {
            core: Core::new(setup, at(now)),
            now,
            agenda: BTreeMap::new(),
            order: 0,
            store,
            watching: Vec::new(),
            requests: 0,
            answers: HashMap::new(),
            notices: Vec::new(),
            fitting: HashSet::new(),
            fits: 0,
            elsewhere: None,
            probes: 0,
            evictions: 0,
            observations: 0,
            finished: false,
            predicted: Vec::new(),
            opened: Vec::new(),
            frames: true,
            gives: true,
            asks: 0,
            every: CALM,
            class: "open",
            busy_scene: false,
            shift: 0.0,
            frame: 0,
        };
        world.tell(Event::Facts(Box::new(world.store.facts())));
        world.tell(Event::Source { source: "yard".into(), health: Health::Running });
        world.plan(Duration::ZERO, Happening::Frame);
        world
    }

    /// Lets so much time go by.
    pub(super) fn run(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            let planned = self.agenda.keys().next().map(|(when, _)| *when);
            let deadline = self.core.deadline();
            let Some(next) = planned.into_iter().chain(deadline).min().filter(|&next| next <= until) else { break };
            self.now = self.now.max(next);
            if deadline.is_some_and(|deadline| deadline <= self.now) {
                self.tell(Event::Tick);
                let after = self.core.deadline();
                assert!(after.is_none_or(|after| after > self.now), "due at {:?} and again at {after:?}", self.now);
            } else if let Some((_, happening)) = self.agenda.pop_first() {
                self.happen(happening);
            }
        }
        self.now = until;
    }

    pub(super) fn ask(&mut self, command: Command) -> Request {
        self.requests += 1;
        let request = self.requests;
        self.tell(Event::Asked { request, who: "test".to_owned(), command });
        request
    }

    /// The answer, which must have come.
    pub(super) fn answer(&self, request: Request) -> Result<Reply, CommandError> {
        self.answers.get(&request).unwrap_or_else(|| panic!("request {request} was not answered")).clone()
    }

    pub(super) fn unanswered(&self) -> usize {
        self.requests as usize - self.answers.len()
    }

    pub(super) fn told(&self, event: notice::Event) -> usize {
        self.notices.iter().filter(|notice| notice.event == event).count()
    }

    pub(super) fn view(&self) -> View {
        self.core.view(at(self.now))
    }

    pub(super) fn heat(&mut self, heat: Option<&str>) {
        self.tell(Event::Heat(heat.map(str::to_owned)));
    }

    pub(super) fn source(&mut self, health: Health) {
        self.tell(Event::Source { source: "yard".into(), health });
    }

    pub(super) fn end(&mut self) {
        self.tell(Event::End);
    }

    fn plan(&mut self, after: Duration, happening: Happening) {
        self.order += 1;
        self.agenda.insert((self.now + after, self.order), happening);
    }

    pub(super) fn tell(&mut self, event: Event) {
        let effects = self.core.handle(event, at(self.now));
        let hot = self.core.heat.is_some();
        for effect in effects {
            match effect {
                Effect::Announce(notice) => {
                    assert_eq!(notice.id as usize, self.notices.len() + 1);
                    self.notices.push(notice);
                }
                Effect::Answer { request, answer } => {
                    assert!(self.answers.insert(request, answer).is_none(), "request {request} was answered twice");
                }
                Effect::AnswerOffer { .. } => {}
                Effect::Close(source) => self.opened.push(format!("-{source}")),
                Effect::Finished => self.finished = true,
                Effect::Predicted(prediction) => self.predicted.push(*prediction),
                Effect::Open(source) => self.opened.push(format!("+{}", source.name)),
                Effect::Infer { ticket, what, .. } => {
                    let done = match what {
                        Infer::Capture(_) | Infer::CaptureNewest | Infer::Embed(_) => {
                            Ok(Done::Captured(Box::new(self.taken())))
                        }
                        Infer::Classify | Infer::ClassifyPicture(_) => {
                            Err(Trouble { kind: TroubleKind::Failed, words: "nothing to classify".to_owned() })
                        }
                    };
                    self.plan(EMBED, Happening::Say(Event::Done { ticket, done }));
                }
                Effect::Sense { source } => {
                    assert_eq!(&*source, "yard");
                    self.asks += 1;
                    if self.gives {
                        self.plan(EMBED, Happening::Asked);
                    }
                }
                Effect::Slow { ticket, work: Slow::Fit { who, elsewhere, .. }, .. } => {
                    self.elsewhere = elsewhere;
                    assert!(self.fitting.is_empty(), "one adaptation of a task at a time");
                    assert!(!hot || who != "policy", "nothing that nobody asked for while it is hot");
                    self.fitting.insert(ticket);
                    self.fits += 1;
                    self.plan(FIT, Happening::Fit(ticket));
                }
                Effect::Slow { ticket, work, .. } => {
                    let done = match work {
                        Slow::Digest(Watermark(at)) => Done::Digested(self.store.digests[&at.cast_unsigned()].clone()),
                        Slow::Refer => Done::Referred {
                            generation: self.store.generation.unwrap_or_default(),
                            reference: self.store.reference.then(|| Box::new(reference())),
                        },
                        Slow::Install { signed, .. } => self.store.install(signed.bytes()),
                        Slow::Choose { .. } | Slow::Fit { .. } => Done::Plain,
                    };
                    self.plan(FIT / 4, Happening::Say(Event::Done { ticket, done: Ok(done) }));
                }
                Effect::Store { ticket, job, .. } => {
                    self.probes += usize::from(matches!(job, Job::Probe));
                    self.evictions += usize::from(matches!(job, Job::Evict { .. }));
                    self.plan(WRITE, Happening::Store(ticket, job));
                }
                Effect::Watch(watching) => self.watching = watching,
            }
        }
        let pending = self.core.pending.len();
        assert!(pending <= ON_ITS_WAY + 8, "{pending} things on their way");
        assert!(self.core.tasks.values().all(|task| task.waiting.len() <= WAITING + 2));
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Frame => {
                if self.frames && !self.finished {
                    self.sense();
                }
                self.plan(self.every, Happening::Frame);
            }
            Happening::Asked => self.sense(),
            Happening::Store(ticket, job) => {
                let done = self.store.write(job);
                self.tell(Event::Facts(Box::new(self.store.facts())));
                self.tell(Event::Done { ticket, done });
            }
            Happening::Fit(ticket) => {
                self.fitting.remove(&ticket);
                let done = self.store.adapt();
                self.tell(Event::Facts(Box::new(self.store.facts())));
                self.tell(Event::Done { ticket, done: Ok(done) });
            }
            Happening::Say(event) => self.tell(event),
        }
    }

    fn taken(&mut self) -> Taken {
        self.frame += 1;
        Taken {
            payload: format!("{:>1000}", self.frame).into_bytes(),
            media: "image/jpeg",
            source: "yard".to_owned(),
            time: Some(at(self.now).time),
            phash: self.phash(),
            thumbnail: None,
            codes: vec![0; DIM],
            saturated: 0,
            norm: 1.0,
            extractor: "test".to_owned(),
        }
    }

    /// The same scene for minutes, or another one every second.
    fn phash(&self) -> u64 {
        let scene = if self.busy_scene { self.now.as_secs() } else { self.now.as_secs() / 600 };
        mix(scene)
    }

    /// A frame, as the inference thread would tell of it.
    fn sense(&mut self) {
        let frame = Arc::new(Frame {
            source: "yard".into(),
            taken: at(self.now).time,
            content: Content::File(self.now.as_nanos().to_le_bytes().to_vec()),
        });
        let sensed = Event::Sensed { source: "yard".into(), taken: frame.taken, size: Ok([640, 480]) };
        if let Some(watch) = self.watching.first().cloned() {
            self.saw(&watch, frame);
        }
        self.tell(sensed);
    }

    /// A look at it.
    fn saw(&mut self, watch: &Watch, frame: Arc<Frame>) {
        let taken = watch.held.as_ref().map(|_| Box::new(self.taken()));
        let class = usize::from(self.class == "shut");
        let answer = self.store.generation.map(|generation| Answer {
            prediction: PredictionRecord {
                input: "yard".to_owned(),
                class: self.class.to_owned(),
                confidence: 0.97,
                unknown: watch.threshold > 0.97,
                unsure: watch.threshold > 0.97,
                set: None,
                scores: [(self.class.to_owned(), 0.97)].into(),
                generation,
            },
            class,
        });
        let scene = if self.busy_scene { self.now.as_secs() } else { 0 };
        let feature = answer.is_some().then(|| Arc::new(feature(1_000_000 + scene, class, self.shift)));
        self.observations += 1;
        self.tell(Event::Saw(Box::new(Observation {
            task: "gate".into(),
            look: 0,
            frame,
            phash: self.phash(),
            feature,
            answer,
            milliseconds: 12.0,
            taken,
        })));
    }
}

fn at(since: Duration) -> Now {
    let time = Timestamp::from_second(1_700_000_000).unwrap() + since;
    Now { since, time }
}

pub(super) fn mix(mut seed: u64) -> u64 {
    seed = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(0x1234_5678_9ABC_DEF1);
    seed = (seed ^ (seed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    seed = (seed ^ (seed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    seed ^ (seed >> 31)
}

/// Noise around a class's direction, moved along another one.
pub(super) fn feature(seed: u64, class: usize, shift: f32) -> Feature {
    let noise = |j: usize| (mix(seed * DIM as u64 + j as u64) >> 40) as f32 / (1 << 24) as f32 - 0.5;
    let mut raw: Vec<f32> = (0..DIM).map(|j| 0.1 * noise(j)).collect();
    raw[class] += 1.0;
    raw[2] += shift;
    Feature::from_raw(&raw).unwrap()
}

fn reference() -> Reference {
    let rows = 160;
    let mut x = Array2::zeros((rows, DIM));
    for row in 0..rows {
        let feature = feature(row as u64, row % 2, 0.0);
        x.row_mut(row).assign(&ndarray::ArrayView1::from(feature.as_slice()));
    }
    let predicted: Vec<usize> = (0..rows).map(|row| row % 2).collect();
    let groups: Vec<usize> = (0..rows).collect();
    Reference::new(x.view(), &predicted, &groups, 2).unwrap()
}
