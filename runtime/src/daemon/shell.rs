//! The daemon's threads, started and ended; and the core thread, which carries out what the core decides. Decides nothing
//! itself.
//!
//! ```text
//! sources ─▶ inference ─▶ core ─▶ writer ─▶ core        doors ─▶ asked ─▶ core ─▶ views, notices, answers
//!                           └──▶ fit ─▶ writer
//! ```

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::{broadcast, oneshot, watch};

use super::askers::Waiting;
use super::beside::{Beside, Told};
use super::command::{CommandError, Look};
use super::core::{AGREE, Core, Declared, Effect, Event, Facts, Keeping, Now, Offer, Policy, Setup};
use super::fit::{self, Fit, Given, new_task};
use super::handle::{Asked, Handle, Newest};
use super::heat::heat;
use super::inbox::Inbox;
use super::inference::{Inference, Lens, Request, Served};
use super::mapping::Mapping;
use super::reload::{changed_sources, needs_a_restart};
use super::sources::{OpenSource, Sources, added};
use super::stage::Stage;
use super::view::View;
use super::vitals::{Parts, Pulse, latency};
use super::writer::{Work, Writer, facts};
use crate::adaptation::Options;
use crate::config::{self, Config, SourceKind, Trigger};
use crate::embedding::Opener;
use crate::outbox::OutboxError;
use crate::serial::Downlinks;
use crate::sink::Sinks;
use crate::source::{Outlet, Stop};
use crate::store::{Access, Added, StoreError, Tasks};
use crate::{causes, memory};

/// Commands that wait for the core.
const COMMANDS: usize = 64;
/// Notices that a slow listener may be behind.
const NOTICES: usize = 256;
/// Between two views.
const VIEW_EVERY: Duration = Duration::from_millis(200);
/// Between two looks at the temperature.
const HEAT_EVERY: Duration = Duration::from_secs(10);

/// Between two looks whether threads are stuck and sinks can be told.
const AILS_EVERY: Duration = Duration::from_secs(1);

/// What the daemon is started with.
#[derive(Clone, Debug)]
pub struct Start {
    /// The configuration file.
    pub config: Config,
    /// Where the store lies.
    pub data_dir: PathBuf,
    /// What opens backbones.
    pub opener: Opener,
    /// How heads are fitted.
    pub options: Options,
}

/// Why the daemon cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// What webhooks are owed cannot be opened.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    /// The store cannot be opened, or not be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A task of the configuration cannot be made.
    #[error("could not make task `{task}`, which the configuration declares: {why}")]
    Task {
        /// The task.
        task: String,
        /// Why not.
        why: String,
    },
    /// The system gives no thread.
    #[error("could not start the daemon's thread `{name}`")]
    Thread {
        /// What it is for.
        name: &'static str,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

/// The daemon while it runs. Dropping it does not end it: [`Running::end`] does.
pub struct Running {
    handle: Handle,
    inbox: Inbox,
    offers: Offers,
    stages: Vec<Stage>,
    beside: Beside,
    sinks: Arc<Mutex<Sinks>>,
    /// What of the configuration is not as it stands in the file, in words.
    lacks: Arc<Mutex<Vec<String>>>,
    requests: Sender<Request>,
    outlet: Arc<Outlet>,
    stop: Stop,
    sources: Sources,
    inference: JoinHandle<()>,
    core: JoinHandle<()>,
    writer: JoinHandle<()>,
}

/// Where samples are handed in: see [`Offers::offer`].
#[derive(Clone)]
pub(super) struct Offers(SyncSender<Offered>);

struct Offered {
    offer: Box<Offer>,
    who: String,
    answer: oneshot::Sender<Result<Added, CommandError>>,
}

impl Offers {
    /// Hands a sample in; the answer comes when it is on the disk. Waits for room.
    pub(super) fn offer(&self, offer: Offer, who: String) -> oneshot::Receiver<Result<Added, CommandError>> {
        let (answer, answered) = oneshot::channel();
        let _the_daemon_ends = self.0.send(Offered { offer: Box::new(offer), who, answer });
        answered
    }
}

/// Starts every thread; returns once the store is open and every task of the configuration exists.
///
/// # Errors
/// When another process writes the store, or a declared task cannot be made.
pub fn start(start: Start, open: OpenSource) -> Result<Running, StartError> {
    let Start { config, data_dir, opener, options } = start;
    let mut tasks = Tasks::open(&data_dir, &Access::Write { command: "acclimate run".to_owned() })?;
    make_declared(&mut tasks, &config, &opener)?;
    let downlinks = Downlinks::default();
    let sinks = Sinks::start(&config.sink, &data_dir, downlinks.clone())?;
    let added = added(&tasks, &config)?;
    let names: Vec<Arc<str>> = tasks.list()?.into_iter().map(|task| task.name.into()).collect();

    let (inbox, events) = Inbox::new();
    let (asked, commands) = mpsc::sync_channel::<Asked>(COMMANDS);
    let (offers, offered) = mpsc::sync_channel::<Offered>(COMMANDS);
    let (work, to_write) = mpsc::channel::<Work>();
    let (given, to_fit) = mpsc::channel::<Given>();
    let (requests, to_infer) = mpsc::channel::<Request>();
    let (view, seen) = watch::channel(Arc::new(View::default()));
    let (notices, _) = broadcast::channel(NOTICES);
    let (outlet, stop) = (Arc::new(Outlet::new()), Stop::new());
    let (newest, served) = (Newest::default(), Served::default());

    let first = names.iter().map(|name| facts(&tasks, name, &served)).collect::<Result<Vec<_>, _>>()?;
    let stage = |name, seconds| Stage::new(name, Duration::from_secs(seconds));
    let stages = vec![stage("core", 30), stage("inference", 60), stage("writer", 300), stage("fit", 3600)];

    let parts = Parts {
        stages: stages.clone(),
        sinks: sinks.fares(),
        lacks: Arc::default(),
        beside: Beside::default(),
        outlet: Arc::clone(&outlet),
        inbox: inbox.clone(),
        held: Arc::default(),
        latency: latency(),
    };
    let (sinks, lacks, beside) = (Arc::new(Mutex::new(sinks)), Arc::clone(&parts.lacks), parts.beside.clone());
    let writer = Writer {
        tasks,
        work: to_write,
        inbox: inbox.clone(),
        served: served.clone(),
        options: options.clone(),
        stage: stages[2].clone(),
    };
    let fit = Fit {
        given: to_fit,
        inbox: inbox.clone(),
        writer: work.clone(),
        data_dir: data_dir.clone(),
        opener: opener.clone(),
        options: Options { threads: fit::threads(options.threads), ..options.clone() },
        backbone: config.backbone.name.clone(),
        stage: stages[3].clone(),
    };
    let mapping = Mapping::new(opener.clone(), data_dir.clone(), Some("/proc/self/exe".into()));
    let inference = Inference {
        outlet: Arc::clone(&outlet),
        requests: to_infer,
        inbox: inbox.clone(),
        served,
        newest: newest.clone(),
        opener,
        data_dir: data_dir.clone(),
        lenses: lenses(&config),
        stage: stages[1].clone(),
        latency: parts.latency.clone(),
        watching: Vec::new(),
        backbones: HashMap::new(),
    };
    let sources = Sources::new(open, Arc::clone(&outlet), downlinks, stop.clone());
    let origin = Instant::now();
    let mut core = CoreThread {
        core: Core::new(setup(&config, &added, &options), Now { since: Duration::ZERO, time: Timestamp::now() }),
        origin,
        events,
        waiting: Waiting::default(),
        view,
        notices: notices.clone(),
        sinks: Arc::clone(&sinks),
        beside: beside.clone(),
        work,
        given,
        requests: requests.clone(),
        outlet: Arc::clone(&outlet),
        sources: sources.clone(),
        newest: newest.clone(),
        held: Arc::clone(&parts.held),
        stage: stages[0].clone(),
    };
    let waiting = core.waiting.clone();
    // Whoever asks from now on sees every task.
    core.begin(first);

    let core = spawn("core", move || core.run())?;
    let writer = spawn("writer", move || writer.run())?;
    spawn("fit", move || fit.run())?;
    let inference = spawn("inference", move || inference.run())?;
    spawn("asked", {
        let (inbox, waiting) = (inbox.clone(), waiting.clone());
        move || {
            while let Ok(Asked { command, who, answer }) = commands.recv() {
                let request = waiting.of_command(answer);
                if !inbox.tell(Event::Asked { request, who, command }) {
                    return;
                }
            }
        }
    })?;
    spawn("offered", {
        let inbox = inbox.clone();
        move || {
            while let Ok(Offered { offer, who, answer }) = offered.recv() {
                let request = waiting.of_offer(answer);
                if !inbox.tell(Event::Offered { request, who, offer }) {
                    return;
                }
            }
        }
    })?;
    for source in config.source.iter().chain(&added) {
        sources.open(source)?;
    }
    spawn("heat", {
        let (inbox, stop) = (inbox.clone(), stop.clone());
        move || {
            let mut told = None;
            while !stop.wait(if told.is_none() { Duration::ZERO } else { HEAT_EVERY }) {
                let now = heat("/sys".as_ref());
                if told.as_ref() != Some(&now) && !inbox.tell(Event::Heat(now.clone())) {
                    return;
                }
                told = Some(now);
            }
        }
    })?;
    spawn("memory", {
        let stop = stop.clone();
        move || {
            while !stop.wait(memory::GIVE_BACK_EVERY) {
                memory::give_back();
            }
        }
    })?;

    let pulse: Pulse = Arc::new(move || parts.vitals(Instant::now()));
    spawn("ails", {
        let (inbox, stop, pulse) = (inbox.clone(), stop.clone(), Arc::clone(&pulse));
        move || {
            let mut told = Vec::new();
            while !stop.wait(AILS_EVERY) {
                let now = pulse().troubles();
                if told != now && !inbox.tell(Event::Ails(now.clone())) {
                    return;
                }
                told = now;
            }
        }
    })?;

    let inboxes = sources.inboxes().clone();
    let posted = Arc::new(move |source: &str, content| inboxes.post(source, content));
    let handle = Handle { asked, view: seen, notices, newest, posted, pulse, mapping, data_dir };
    let offers = Offers(offers);
    Ok(Running {
        handle,
        inbox,
        offers,
        stages,
        beside,
        sinks,
        lacks,
        requests,
        outlet,
        stop,
        sources,
        inference,
        core,
        writer,
    })
}

impl Running {
    /// How doors reach it.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Where samples are handed in.
    pub(super) fn offers(&self) -> &Offers {
        &self.offers
    }

    /// A thread that has been at one thing for too long.
    pub fn stuck(&self) -> Option<&'static str> {
        let now = Instant::now();
        self.stages.iter().chain(&self.beside.stages()).find(|stage| stage.is_stuck(now)).map(|stage| stage.name)
    }

    /// Who lives beside it.
    pub(crate) fn beside(&self) -> &Beside {
        &self.beside
    }

    /// Takes over what of a configuration can be changed while it runs: sources, policy and budget, regions, what is kept and
    /// how many answers agree, sinks, turns and masks. `first` is the one that it was started with, `before` the one that was
    /// taken over last. Gives what needs a restart, which is also shown as degraded until it is had.
    pub fn reload(&self, first: &Config, before: &Config, config: &Config, options: &Options) -> Vec<&'static str> {
        let _it_ends = self.requests.send(Request::Lenses(lenses(config)));
        let (close, open) = changed_sources(before, config);
        let setup = Box::new(setup(config, &[], options));
        self.inbox.tell(Event::Configured { setup, close, open });
        let mut lacks = Vec::new();
        if let Err(error) = lock(&self.sinks).change(&config.sink) {
            lacks.push(format!("the sinks of the new configuration could not be started: {}", causes(&error)));
        }
        let restart = needs_a_restart(first, config);
        if !restart.is_empty() {
            lacks.push(format!("the configuration has changed: a change of {} needs a restart", restart.join(", ")));
        }
        *lock(&self.lacks) = lacks;
        restart
    }

    /// A configuration that was to be taken over is wrong: shown as degraded until another one is right.
    pub fn refuse(&self, why: &str) {
        *lock(&self.lacks) = vec![format!("the configuration is wrong, and stays as it was: {why}")];
    }

    /// Ends it: nothing new is begun, what was acknowledged or is on its way to the disk is finished, then every thread but
    /// a running fit, which only reads, has ended.
    pub fn end(self) {
        self.stop.set();
        self.inbox.tell(Event::End);
        let _ended = self.core.join();
        // The core gave its ends of the channels back: the writer does what is left and ends.
        let _ended = self.requests.send(Request::End);
        self.outlet.close();
        self.outlet.knock();
        for thread in [self.inference, self.writer].into_iter().chain(self.sources.take()) {
            if thread.join().is_err() {
                tracing::error!("a thread of the daemon had ended with a panic; this is a bug in acclimate");
            }
        }
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes the tasks that the configuration declares and the store lacks.
fn make_declared(tasks: &mut Tasks, config: &Config, opener: &Opener) -> Result<(), StartError> {
    for declared in &config.task {
        let wrong = |why: String| StartError::Task { task: declared.name.clone(), why };
        match tasks.task(&declared.name) {
            Ok(_) => {}
            Err(StoreError::NoTask { .. }) => {
                let name = declared.backbone.as_deref().or(config.backbone.name.as_deref());
                let name = name.unwrap_or(acclimate_backbone::builtin::NAME);
                let new = new_task(opener, &declared.name, name, &declared.classes).map_err(wrong)?;
                tasks.create_task(&new, Timestamp::now())?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn setup(config: &Config, added: &[config::Source], options: &Options) -> Setup {
    let adapt = &config.adapt;
    let usual = Policy::default();
    let declared = |task: &config::Task| {
        let usual = Keeping::default();
        let look = |look: &config::Look| Look { source: look.source.clone(), crop: look.crop };
        Declared {
            task: task.name.clone(),
            looks: task.from.iter().map(look).collect(),
            keeping: Keeping { keep: task.keep, bytes: task.keep_mib.map_or(usual.bytes, |mib| mib << 20) },
            agree: task.agree.unwrap_or(AGREE),
        }
    };
    Setup {
        device: config.device_id(),
        policy: Policy {
            after_labels: adapt.after_labels,
            at_most_every: adapt.at_most_every.map_or(usual.at_most_every, |every| every.0),
            on_drift: adapt.on_drift.unwrap_or(usual.on_drift),
        },
        budget: options.budget,
        every_answer: config.mqtt.url.is_some() && config.mqtt.predictions == config::Predictions::All,
        sources: named(&config.source),
        added: added.iter().map(|source| (source.name.as_str().into(), source.kind)).collect(),
        tasks: config.task.iter().map(declared).collect(),
    }
}

fn named(sources: &[config::Source]) -> Vec<(Arc<str>, SourceKind, Trigger)> {
    sources.iter().map(|source| (source.name.as_str().into(), source.kind, source.trigger)).collect()
}

fn lenses(config: &Config) -> HashMap<Arc<str>, Lens> {
    let lens = |source: &config::Source| {
        let lens = Lens { turns: (source.rotate / 90 % 4) as u8, mask: source.mask.clone() };
        (source.name.as_str().into(), lens)
    };
    config.source.iter().map(lens).collect()
}

pub(super) fn spawn(name: &'static str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StartError> {
    thread::Builder::new().name(name.to_owned()).spawn(run).map_err(|source| StartError::Thread { name, source })
}

/// The core thread.
struct CoreThread {
    core: Core,
    origin: Instant,
    events: Receiver<Event>,
    waiting: Waiting,
    view: watch::Sender<Arc<View>>,
    notices: broadcast::Sender<Arc<super::notice::Notice>>,
    sinks: Arc<Mutex<Sinks>>,
    beside: Beside,
    work: Sender<Work>,
    given: Sender<Given>,
    requests: Sender<Request>,
    outlet: Arc<Outlet>,
    sources: Sources,
    newest: Newest,
    held: Arc<AtomicU64>,
    stage: Stage,
}

impl CoreThread {
    fn now(&self) -> Now {
        Now { since: self.origin.elapsed(), time: Timestamp::now() }
    }

    /// Takes in the tasks that there are.
    fn begin(&mut self, facts: Vec<Facts>) {
        for facts in facts {
            for effect in self.core.handle(Event::Facts(Box::new(facts)), self.now()) {
                self.carry_out(effect);
            }
        }
        self.show();
    }

    /// Until it has finished.
    fn run(mut self) {
        let mut shown = Duration::ZERO;
        let mut stale = false;
        loop {
            let now = self.now().since;
            let view = stale.then(|| shown + VIEW_EVERY);
            let until = self.core.deadline().into_iter().chain(view).min();
            let wait = until.map_or(Duration::from_mins(1), |until| until.saturating_sub(now));
            self.stage.rests();
            let event = match self.events.recv_timeout(wait) {
                Ok(event) => event,
                Err(RecvTimeoutError::Timeout) => Event::Tick,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            self.stage.works();
            stale |= !matches!(event, Event::Tick);
            let now = self.now();
            let effects = self.core.handle(event, now);
            self.held.store(self.core.shed(), Ordering::Relaxed);
            for effect in effects {
                if matches!(effect, Effect::Finished) {
                    self.show();
                    lock(&self.sinks).end();
                    return;
                }
                self.carry_out(effect);
            }
            if stale && now.since >= shown + VIEW_EVERY {
                self.show();
                (shown, stale) = (now.since, false);
            }
        }
    }

    /// Shows this moment, where it differs from the one shown before in more than its time.
    fn show(&self) {
        let view = self.core.view(self.now());
        self.view.send_if_modified(|shown| {
            let same = View { time: shown.time.clone(), ..view.clone() } == **shown;
            if !same {
                *shown = Arc::new(view);
                self.beside.tell(Told::Shown(shown));
            }
            !same
        });
    }

    /// A channel whose other end is gone belongs to a thread that has ended: the watchdog and the log say so.
    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Announce(notice) => {
                tracing::info!("{}", notice.message);
                lock(&self.sinks).tell(&notice);
                self.beside.tell(Told::Announced(&notice));
                // Nobody may be listening.
                let _listeners = self.notices.send(Arc::new(notice));
            }
            Effect::Answer { request, answer } => {
                // What was asked shows before it is answered.
                self.show();
                match (self.waiting.askers().commands.remove(&request), answer) {
                    (Some(to), answer) => {
                        let _gone_meanwhile = to.send(answer);
                    }
                    (None, Err(error)) => tracing::warn!("what a device asked for was not done: {error}"),
                    (None, Ok(_)) => {}
                }
            }
            Effect::AnswerOffer { request, answer } => {
                if let Some(to) = self.waiting.askers().offers.remove(&request) {
                    let _gone_meanwhile = to.send(answer);
                }
            }
            Effect::Close(source) => {
                self.sources.close(&source);
                self.newest.forget(&source);
            }
            Effect::Finished => {}
            Effect::Infer { ticket, task, look, what } => {
                let _ended = self.requests.send(Request::Do { ticket, task, look, what });
                self.outlet.knock();
            }
            Effect::Open(source) => {
                // It is stored: the next start tries again.
                if let Err(error) = self.sources.open(&source) {
                    tracing::error!("source `{}` cannot begin: {}", source.name, causes(&error));
                }
            }
            Effect::Predicted(prediction) => self.beside.tell(Told::Predicted(&prediction)),
            Effect::Sense { source } => self.sources.ask(&source),
            Effect::Slow { ticket, task, work } => {
                let _ended = self.given.send((ticket, task, work));
            }
            Effect::Store { ticket, task, job } => {
                let _ended = self.work.send(Work::Job { ticket, task, job });
            }
            Effect::Watch(watching) => {
                let _ended = self.requests.send(Request::Watch(watching));
                self.outlet.knock();
            }
        }
    }
}
