//! `bench daemon`: a daemon in this process, on drawn pictures and a store of its own. From a frame that is handed in to the
//! answer that everybody is told, while nothing is fitted and while adaptations run back to back.
//!
//! Two pictures that the head takes for different classes come in turn, so that every frame changes the answer.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use acclimate::adaptation::adapt;
use acclimate::config::{self, Config};
use acclimate::daemon::command::Command;
use acclimate::daemon::handle::Notices;
use acclimate::daemon::notice::Event;
use acclimate::daemon::{Running, Start, start};
use acclimate::demo::belt::{Belt, Class, Light};
use acclimate::embedding::embed_bytes;
use acclimate::group::GroupBy;
use acclimate::memory;
use acclimate::record::{BenchDaemonRecord, PredictionRecord, SpreadRecord};
use acclimate::source::{Content, Feed, Health, Source, Stop};
use acclimate::store::{Access, Filter, NewSample, NewTask, Tasks};
use anyhow::{Context as _, bail};
use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;
use jiff::Timestamp;

use super::hook::{Hook, PATIENCE};
use crate::cli::choose::choose;
use crate::cli::{Context, Outcome, args, who};

const TASK: &str = "bench";
const CLASSES: [Class; 2] = [Class::Ok, Class::Scratch];
/// Turns of the two states: what else the machine does falls on both.
const TURNS: u32 = 4;
/// Labels that are written, one by one.
const LABELS: usize = 50;
/// How long the daemon is watched doing nothing.
const IDLE: Duration = Duration::from_secs(10);
/// Answers that the webhook waits for.
const TOLD: usize = 200;

/// Runs `acclimate bench daemon`.
pub(super) fn run(context: &Context, args: &args::BenchDaemon) -> anyhow::Result<Outcome> {
    // As `run` has it.
    memory::keep_little();
    let folder = tempfile::tempdir().context("could not make a folder for the store")?;
    let data_dir = folder.path().join("data");
    let frames = fill(context, args, &data_dir)?;
    let text = format!(
        "[[source]]\nname = \"belt\"\nkind = \"http\"\n[[task]]\nname = \"{TASK}\"\nkeep = \"labelled\"\nagree = 1\n"
    );
    // A daemon of its own: what the webhook is owed is written to the disk as well, and would be in every other number.
    let hook = Hook::open()?;
    let sink = format!("[[sink]]\ntask = \"{TASK}\"\nkind = \"webhook\"\nurl = \"{}\"\n", hook.url);
    let (running, hand) = begin(context, &format!("{text}{sink}"), &data_dir)?;
    let sink_ms = hook.time(&hand, &frames, TOLD)?;
    running.end();
    let (running, hand) = begin(context, &text, &data_dir)?;
    let record = measure(args, &running, &hand, &frames, sink_ms)?;
    running.end();
    context.print(&record, || record.words())?;
    Ok(Outcome::Done)
}

/// A daemon whose source is handed its frames.
fn begin(context: &Context, config: &str, data_dir: &Path) -> anyhow::Result<(Running, Sender<Vec<u8>>)> {
    let (hand, handed) = channel();
    let handed = Mutex::new(Some(handed));
    let open = move |_: &config::Source| -> Box<dyn Source> {
        Box::new(Handed { frames: handed.lock().unwrap_or_else(PoisonError::into_inner).take() })
    };
    let (config, data_dir) = (Config::parse(config)?, data_dir.to_owned());
    let starting = Start { config, data_dir, opener: context.opener(), options: context.adapt_options() };
    Ok((start(starting, Arc::new(open))?, hand))
}

/// Makes a task with labelled samples and a head; gives the pictures.
fn fill(context: &Context, args: &args::BenchDaemon, data_dir: &Path) -> anyhow::Result<Frames> {
    let mut tasks = Tasks::open(data_dir, &Access::Write { command: "acclimate bench daemon".to_owned() })?;
    let chosen = choose(context, args.backbone.as_deref(), None, None)?;
    let mut backbone = context.opener().open(&chosen.manifest, &chosen.model)?;
    let new = NewTask {
        name: TASK.to_owned(),
        backbone: chosen.record(&backbone),
        group_by: GroupBy::None,
        classes: Vec::new(),
        classes_only: false,
        shipped: None,
    };
    tasks.create_task(&new, Timestamp::now())?;
    let bar = context.progress(args.samples as usize, "drawing and embedding");
    let (mut belt, mut drawn) = (Belt::new(7), Vec::new());
    for number in 0..args.samples {
        let class = CLASSES[number as usize % CLASSES.len()];
        let picture = belt.part(class, Light::DAY);
        let mut jpeg = Vec::new();
        let mut encoder = JpegEncoder::new_with_quality(&mut jpeg, 92);
        encoder.encode(picture.rgb(), picture.width(), picture.height(), ExtendedColorType::Rgb8)?;
        let embedded = embed_bytes(&mut backbone, jpeg)?;
        let encoded = backbone.quantisation().encode(&embedded.feature);
        let sample = NewSample {
            payload: &embedded.payload.bytes,
            media: embedded.payload.media,
            source: "belt",
            taken: None,
            group_key: None,
            phash: Some(embedded.phash),
            thumbnail: embedded.thumbnail.as_ref(),
            codes: &encoded.codes,
            saturated: encoded.saturated,
            norm: embedded.feature.norm(),
            extractor: &backbone.extractor().to_string(),
            label: Some(class.name()),
            who: &who(),
        };
        tasks.add_sample(TASK, &sample, Timestamp::now())?;
        drawn.push(embedded);
        bar.inc(1);
    }
    bar.finish_and_clear();
    adapt(&mut tasks, TASK, &context.adapt_options())?;
    let head = tasks.in_service(TASK)?.context("no head came of the drawn pictures: ask for more --samples")?;
    let mut answered = [Vec::new(), Vec::new()];
    for embedded in drawn {
        let answer = PredictionRecord::new(String::new(), &head, &embedded.feature, 0.0, None)?;
        if let Some(class) = CLASSES.iter().position(|class| class.name() == answer.class) {
            answered[class].push((answer.confidence, embedded.payload.bytes));
        }
    }
    if answered.iter().any(Vec::is_empty) {
        bail!("the head takes every picture for one class: ask for more --samples");
    }
    // The surer half: heads that are fitted meanwhile hardly take one of those for something else.
    let frames = Frames(answered.map(|mut of_class| {
        of_class.sort_by(|a, b| b.0.total_cmp(&a.0));
        of_class.truncate(of_class.len().div_ceil(2));
        of_class.into_iter().map(|(_, bytes)| bytes).collect()
    }));
    Ok(frames)
}

fn measure(
    args: &args::BenchDaemon,
    running: &Running,
    hand: &Sender<Vec<u8>>,
    frames: &Frames,
    sink_ms: SpreadRecord,
) -> anyhow::Result<BenchDaemonRecord> {
    let handle = running.handle().clone();
    // The first frame opens the way, and is not measured.
    let mut answered = Answered { told: told(handle.notices.subscribe()), next: 0 };
    for _ in 0..10 {
        answered.time(hand, frames)?;
    }
    let (mut idle_ms, mut adapting_ms, adaptations) = (Vec::new(), Vec::new(), Arc::new(AtomicUsize::new(0)));
    let each = args.frames.div_ceil(TURNS);
    for _ in 0..TURNS {
        for _ in 0..each {
            idle_ms.push(answered.time(hand, frames)?);
        }
        let go_on = Arc::new(AtomicBool::new(true));
        let adapter = std::thread::spawn({
            let (handle, go_on, adaptations) = (handle.clone(), Arc::clone(&go_on), Arc::clone(&adaptations));
            move || {
                while go_on.load(Ordering::SeqCst) {
                    let command = Command::Adapt { task: TASK.to_owned(), trust_labels: false };
                    if handle.ask_and_wait(command, "bench").is_ok() {
                        adaptations.fetch_add(1, Ordering::SeqCst);
                    }
                }
            }
        });
        let timed: anyhow::Result<Vec<f64>> = (0..each).map(|_| answered.time(hand, frames)).collect();
        go_on.store(false, Ordering::SeqCst);
        if adapter.join().is_err() {
            bail!("the thread that asks for adaptations panicked; this is a bug in acclimate");
        }
        adapting_ms.extend(timed?);
    }
    let bytes_per_label = label(running)?;
    let idle = Idle::watch();
    let (idle_ms, adapting_ms) = (spread(idle_ms), spread(adapting_ms));
    Ok(BenchDaemonRecord {
        samples: args.samples as usize,
        ratio: adapting_ms.p99 / idle_ms.p99,
        idle_ms,
        adapting_ms,
        adaptations: adaptations.load(Ordering::SeqCst),
        resident_bytes: field("/proc/self/status", "VmRSS:").map(|kib| kib * 1024),
        sink_ms,
        idle_seconds: idle.seconds,
        idle_cpu: idle.cpu,
        idle_bytes_per_day: idle.written.map(|bytes| bytes / idle.seconds * 86_400.0),
        bytes_per_label,
    })
}

/// Bytes that reach the disk for one label, each acknowledged before the next.
fn label(running: &Running) -> anyhow::Result<Option<f64>> {
    let handle = running.handle();
    let samples = handle.read(|tasks| tasks.samples(TASK, &Filter::All))?;
    let before = field("/proc/self/io", "write_bytes:");
    for sample in samples.iter().take(LABELS) {
        let other = CLASSES.iter().map(|class| class.name()).find(|&name| sample.label.as_deref() != Some(name));
        let samples = vec![sample.id.to_string()];
        let command = Command::Label { task: TASK.to_owned(), samples, label: other.map(str::to_owned) };
        handle.ask_and_wait(command, "bench")?;
    }
    let after = field("/proc/self/io", "write_bytes:");
    let labels = samples.len().min(LABELS) as f64;
    Ok(before.zip(after).map(|(before, after)| after.saturating_sub(before) as f64 / labels))
}

/// What the process does while nothing comes.
struct Idle {
    seconds: f64,
    /// Share of one core.
    cpu: Option<f64>,
    /// Bytes.
    written: Option<f64>,
}

impl Idle {
    fn watch() -> Self {
        let (cpu, written) = (cpu_seconds(), field("/proc/self/io", "write_bytes:"));
        let start = Instant::now();
        let (_nothing, nothing) = channel::<()>();
        let _waited = nothing.recv_timeout(IDLE);
        let seconds = start.elapsed().as_secs_f64();
        let written_after = field("/proc/self/io", "write_bytes:");
        Self {
            seconds,
            cpu: cpu.zip(cpu_seconds()).map(|(before, after)| (after - before) / seconds),
            written: written.zip(written_after).map(|(before, after)| after.saturating_sub(before) as f64),
        }
    }
}

/// User and system time of this process, of all threads; the fields behind the name, which may hold anything.
fn cpu_seconds() -> Option<f64> {
    let text = fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = text.rsplit_once(") ")?.1.split(' ').collect();
    let ticks: f64 = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
    Some(ticks / rustix::param::clock_ticks_per_second() as f64)
}

fn field(file: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok())
}

pub(super) fn spread(mut times: Vec<f64>) -> SpreadRecord {
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize];
    SpreadRecord { runs: times.len(), p50: at(0.5), p99: at(0.99) }
}

/// Pictures, apart by what the head takes them for. Many: a few again and again would be another site.
pub(super) struct Frames([Vec<Vec<u8>>; 2]);

impl Frames {
    /// Each is taken for another class than the one before.
    pub(super) fn get(&self, number: usize) -> Vec<u8> {
        let of_class = &self.0[number % 2];
        of_class[number / 2 % of_class.len()].clone()
    }
}

/// What everybody is told, waited for.
struct Answered {
    told: Receiver<Event>,
    next: usize,
}

/// Notices as they come, to be waited for no longer than one wants. Its thread ends with the daemon.
fn told(mut notices: Notices) -> Receiver<Event> {
    let (tell, told) = channel();
    std::thread::spawn(move || while notices.blocking_recv().is_ok_and(|notice| tell.send(notice.event).is_ok()) {});
    told
}

impl Answered {
    /// Hands the next frame in; milliseconds until the answer to it is told.
    fn time(&mut self, hand: &Sender<Vec<u8>>, frames: &Frames) -> anyhow::Result<f64> {
        let frame = frames.get(self.next);
        self.next += 1;
        let start = Instant::now();
        hand.send(frame).context("the daemon ended")?;
        loop {
            // What else is told meanwhile makes the wait no longer.
            match self.told.recv_timeout(PATIENCE.saturating_sub(start.elapsed())) {
                Ok(Event::Changed) => return Ok(start.elapsed().as_secs_f64() * 1e3),
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => bail!("the daemon ended"),
                Err(RecvTimeoutError::Timeout) => bail!(
                    "no picture changed the answer within {} s: the head takes them otherwise now",
                    PATIENCE.as_secs()
                ),
            }
        }
    }
}

/// A source that is handed its frames.
struct Handed {
    frames: Option<Receiver<Vec<u8>>>,
}

impl Source for Handed {
    fn run(&mut self, feed: &Feed, stop: &Stop) {
        let Some(frames) = &self.frames else { return };
        feed.health(Health::Running);
        while !stop.is_set() {
            match frames.recv_timeout(Duration::from_millis(100)) {
                Ok(frame) => {
                    if !feed.give(Timestamp::now(), Content::File(frame), stop) {
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }
}
