//! Heads over the broker: what is taught here is offered to others, and what others offer is got, checked and handed to the
//! daemon. Whether a head is used is decided by `sync` and the daemon; here stands how it travels.
//!
//! ```text
//! here    a new head in service, or `cmd/publish` ─▶ worker: signed, cut ─▶ manifest and parts, owed, kept by the broker
//! there   manifest ─▶ intake ─ wanted ─▶ SUBSCRIBE to its parts ─▶ parts ─▶ intake ─ whole ─▶ worker: the daemon judges
//! ```
//!
//! The broker keeps manifest and parts, so that a device which was away, or lost some, gets them by listening again. Nothing of a
//! head is listened to before its manifest was admitted.

mod places;
mod worker;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub(super) use self::places::{Places, What};
pub(super) use self::worker::{Done, Setup};
use self::worker::{Job, Worker};
use super::message::{Message, Received};
use super::order::Order;
use super::reply::Data;
use crate::daemon::command::CommandError;
use crate::daemon::handle::Handle;
use crate::daemon::view::View;
use crate::record::InstallRecord;
use crate::store::{Access, Tasks};
use crate::sync::{Arrivals, Intake, Intaken, Keyring, Part};
use crate::{causes, clock};

/// A daemon that could not take a head in now is asked again after so long.
const AGAIN: Duration = Duration::from_secs(5);
/// A head that could not be signed is tried again after so long: the clock may be right then, or there may be a key.
const SIGN_AGAIN: Duration = Duration::from_mins(1);
/// Jobs that wait for their time.
const LATER: usize = 64;

/// What is to be done.
#[derive(Debug)]
pub(super) enum Do {
    /// A command is answered.
    Answer(Box<Order>, Result<Data, CommandError>),
    /// These topics are listened to.
    Listen(Vec<String>),
    /// Somebody is to be told what needs a person.
    Problem(String),
    /// The broker is owed all of this.
    Publish(Vec<Message>),
    /// Somebody is to be told that a head was refused.
    Rejected(Box<InstallRecord>),
}

pub(super) struct Heads {
    places: Places,
    data_dir: PathBuf,
    /// None where no heads are taken.
    intake: Option<Intake>,
    worker: Worker,
    /// The largest packet of this device.
    most: usize,
    /// Jobs for which it is not the time yet.
    later: Vec<(Duration, Job)>,
    /// Whether every new head is published.
    publish: bool,
    /// The generations that were, by task.
    published: BTreeMap<String, u32>,
    /// What was refused last, by where it was announced: it is announced again with every connection.
    refused: BTreeMap<String, String>,
    /// Why heads are not published, by task.
    unpublished: BTreeMap<String, String>,
    /// Why heads cannot be taken in.
    untaken: Option<String>,
    /// Parts that were not what was signed.
    pub(super) damaged: u64,
}

impl Heads {
    pub(super) fn start(
        setup: Setup,
        places: Places,
        publish: bool,
        handle: &Handle,
        done: Arc<dyn Fn(Done) + Send + Sync>,
        now: Duration,
    ) -> std::io::Result<(Self, Vec<Do>)> {
        let data_dir = handle.data_dir.clone();
        let mut heads = Self {
            most: setup.packet as usize,
            worker: Worker::start(setup, handle.clone(), done)?,
            data_dir,
            intake: None,
            later: Vec::new(),
            publish,
            published: BTreeMap::new(),
            refused: BTreeMap::new(),
            unpublished: BTreeMap::new(),
            untaken: None,
            damaged: 0,
            places,
        };
        let mut doing = Vec::new();
        if !heads.places.filters().is_empty() {
            let trusted = Keyring::of(&heads.data_dir).trusted().unwrap_or_default();
            match Intake::start(Arrivals::of(&heads.data_dir), &trusted, now) {
                Ok((intake, intaken)) => {
                    heads.intake = Some(intake);
                    heads.go_on(intaken, None, now, &mut doing);
                }
                Err(error) => heads.untaken = Some(causes(&error)),
            }
        }
        Ok((heads, doing))
    }

    /// There is a connection, or there is none any more; packets have so many bytes at most. A generation that is newly in service
    /// is published while there is one, for it is cut to what the broker takes.
    pub(super) fn connected(&mut self, packet: Option<u32>, view: &View) {
        let Some(packet) = packet else {
            // A new connection listens to nothing yet.
            return self.places.forget_listened();
        };
        self.worker.packet = self.most.min(packet as usize);
        if self.publish {
            self.viewed(view);
        }
    }

    fn viewed(&mut self, view: &View) {
        for task in &view.tasks {
            let Some(generation) = task.generation else { continue };
            let job = || Job::Publish { task: task.name.clone(), order: None };
            if self.published.get(&task.name) != Some(&generation) && self.worker.put(job()).is_ok() {
                self.published.insert(task.name.clone(), generation);
            }
        }
        self.published.retain(|name, _| view.tasks.iter().any(|task| task.name == *name));
    }

    /// Publishes a head because somebody asks for it.
    pub(super) fn asked(&mut self, task: String, order: Order) -> Result<(), Box<Order>> {
        let job = Job::Publish { task, order: Some(Box::new(order.clone())) };
        self.worker.put(job).map_err(|_full| Box::new(order))
    }

    /// A message, if it is about heads.
    pub(super) fn take(&mut self, received: &Received, view: &View, now: Duration) -> Option<Vec<Do>> {
        let what = self.places.what(&received.topic)?;
        let mut doing = Vec::new();
        let Some(intake) = &mut self.intake else { return Some(doing) };
        match what {
            What::Manifest { task, .. } if !view.tasks.iter().any(|known| known.name == task) => {}
            // It was taken back.
            What::Manifest { .. } if received.payload.is_empty() => {}
            What::Manifest { base, task } => {
                let mut manifest = || -> Result<Vec<Intaken>, String> {
                    let trusted = Keyring::of(&self.data_dir).trusted().map_err(|error| causes(&error))?;
                    let tasks = Tasks::open(&self.data_dir, &Access::Read).map_err(|error| causes(&error))?;
                    intake
                        .manifest(&tasks, &task, &received.payload, &trusted, clock::believed(), now)
                        .map_err(|error| causes(&error))
                };
                let intaken = manifest();
                self.came(intaken, Some(&base), now, &mut doing);
            }
            What::Part { of, part } => {
                let intaken = intake.part(of, part, &received.payload, now).map(|(what, intaken)| {
                    self.damaged += u64::from(what == Part::Damaged);
                    intaken
                });
                self.came(intaken.map_err(|error| causes(&error)), None, now, &mut doing);
            }
            What::Stray => {}
        }
        Some(doing)
    }

    /// When [`Heads::due`] has something to do.
    pub(super) fn deadline(&self) -> Option<Duration> {
        let intake = self.intake.as_ref().and_then(Intake::deadline);
        self.later.iter().map(|(at, _)| *at).chain(intake).min()
    }

    /// Time went by.
    pub(super) fn due(&mut self, now: Duration) -> Vec<Do> {
        let mut doing = Vec::new();
        let due: Vec<Job> = self.later.extract_if(.., |(at, _)| *at <= now).map(|(_, job)| job).collect();
        for job in due {
            let is_over = matches!(&job, Job::Publish { task, .. } if !self.unpublished.contains_key(task));
            if !is_over {
                self.put(job, now);
            }
        }
        if let Some(intake) = &mut self.intake
            && intake.deadline().is_some_and(|at| at <= now)
        {
            let intaken = intake.time(now).map_err(|error| causes(&error));
            self.came(intaken, None, now, &mut doing);
        }
        doing
    }

    /// The worker has done something.
    pub(super) fn done(&mut self, done: Done, now: Duration) -> Vec<Do> {
        let mut doing = Vec::new();
        match done {
            Done::Installed { of, task, signed, outcome: Err(CommandError::Unavailable(_)) } => {
                self.later(now + AGAIN, Job::Install { of, task, signed });
            }
            Done::Installed { of, task, signed: _, outcome } => {
                self.places.arrived(&of);
                if let Err(error) = outcome {
                    doing.push(Do::Problem(format!("another device's head for task `{task}` was not judged: {error}")));
                }
                let dropped = self.intake.as_mut().map_or(Ok(()), |intake| intake.done(&of));
                self.untaken = dropped.err().map(|error| causes(&error));
            }
            Done::Published { task: _, order: Some(order), outcome } => {
                let answer = outcome.map(|published| {
                    doing.push(Do::Publish(published.messages));
                    Data::Document(published.record)
                });
                doing.push(Do::Answer(order, answer.map_err(|(_, error)| error)));
            }
            Done::Published { task, order: None, outcome } => match outcome {
                Ok(published) => {
                    self.unpublished.remove(&task);
                    doing.push(Do::Publish(published.messages));
                }
                // Of another device, which publishes it itself.
                Err((true, _)) => drop(self.unpublished.remove(&task)),
                Err((false, error)) => {
                    let why = format!("the head of task `{task}` is not published: {error}");
                    if self.unpublished.insert(task.clone(), why.clone()).as_ref() != Some(&why) {
                        doing.push(Do::Problem(why));
                    }
                    self.later.retain(|(_, job)| !matches!(job, Job::Publish { task: of, .. } if *of == task));
                    self.later(now + SIGN_AGAIN, Job::Publish { task, order: None });
                }
            },
        }
        doing
    }

    /// What does not work, in words.
    pub(super) fn troubles(&self) -> Vec<String> {
        let untaken = self.untaken.iter().map(|why| format!("heads of other devices are not taken in: {why}"));
        self.unpublished.values().cloned().chain(untaken).collect()
    }

    /// The broker does not let this device listen to parts.
    pub(super) fn unheard(&mut self, why: &str) {
        self.untaken = Some(format!("the broker does not let this device listen to <manifest>/+ ({why})"));
    }

    fn came(&mut self, intaken: Result<Vec<Intaken>, String>, base: Option<&str>, now: Duration, doing: &mut Vec<Do>) {
        match intaken {
            Ok(intaken) => {
                self.untaken = None;
                self.go_on(intaken, base, now, doing);
            }
            // What is missing is asked for again.
            Err(why) => {
                tracing::error!("MQTT: a head of another device could not be taken in: {why}");
                self.untaken = Some(why);
            }
        }
    }

    fn go_on(&mut self, intaken: Vec<Intaken>, base: Option<&str>, now: Duration, doing: &mut Vec<Do>) {
        for intaken in intaken {
            match intaken {
                Intaken::Refused(record) => {
                    if self.is_news(&record, base) {
                        doing.push(Do::Rejected(record));
                    }
                }
                Intaken::Want { of, task: _, parts } => {
                    if let Some(base) = base {
                        self.places.announced(base, of);
                    }
                    let filters = self.places.wanted(&of, &parts);
                    if !filters.is_empty() {
                        doing.push(Do::Listen(filters));
                    }
                }
                Intaken::Whole { of, task, signed } => {
                    self.put(Job::Install { of, task, signed: signed.into() }, now);
                }
            }
        }
    }

    /// Whether a refusal was not told before: the broker announces the same head with every connection.
    fn is_news(&mut self, record: &InstallRecord, base: Option<&str>) -> bool {
        if record.is_known() {
            return false;
        }
        let Some(base) = base else { return true };
        let said = format!("{:?} {:?}", record.reasons, record.issue);
        self.refused.insert(base.to_owned(), said.clone()) != Some(said)
    }

    fn put(&mut self, job: Job, now: Duration) {
        if let Err(job) = self.worker.put(job) {
            self.later(now + AGAIN, job);
        }
    }

    /// Whatever is forgotten here was kept, and comes again with the next start or announcement.
    fn later(&mut self, at: Duration, job: Job) {
        if self.later.len() < LATER {
            self.later.push((at, job));
        } else if let (Job::Install { of, .. }, Some(intake)) = (job, &mut self.intake) {
            intake.leave(&of);
        }
    }
}
