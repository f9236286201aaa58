//! The commands, one file each; this one dispatches and holds what they share: context, output, exit codes.

mod adapt;
mod add;
mod adjust;
pub mod args;
mod audit;
mod bench;
mod camera;
mod choose;
mod classify;
mod config;
mod demo;
mod doctor;
mod drift;
mod forget;
mod head;
mod key;
mod manifest;
mod model;
mod mqtt;
mod page;
mod run;
mod sample;
mod sense;
mod serial;
mod status;
mod task;
mod tune;
mod unlabelled;

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use acclimate::adaptation::{Options, Rule};
pub use acclimate::causes;
use acclimate::config::{Config, EngineName, From as ConfigFrom};
use acclimate::daemon::client::Daemon;
use acclimate::daemon::mapping;
use acclimate::embedding::Opener;
use acclimate::extractor::{self, Checked};
use acclimate::head_file::Fixed;
use acclimate::place::Environment;
use acclimate::record::AddRecord;
use acclimate::store::{Access, Task, Tasks};
use acclimate::trial::{self, Trials};
use acclimate_backbone::{Backbone, EngineChoice, EngineOptions, Library};
use acclimate_trainer::Kind;
use anyhow::Context as _;
use clap::CommandFactory as _;
use indicatif::{ProgressBar, ProgressStyle};

use args::{Cli, Command, Engine, Global};

/// How a command ended, when it did not fail outright.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything was done.
    Done,
    /// Exit code 4: there is too little to learn from.
    NotEnoughSamples,
    /// Exit code 1: some inputs failed; each was reported.
    Partly,
    /// Exit code 3: the candidate was rejected; the head in service stays.
    Rejected,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done => 0,
            Outcome::Partly => 1,
            Outcome::Rejected => 3,
            Outcome::NotEnoughSamples => 4,
        }
        .into()
    }
}

/// What every command is given.
pub struct Context {
    /// Options of the command line.
    pub global: Global,
    /// The configuration file.
    pub config: Config,
    /// Where the store lies.
    pub data_dir: PathBuf,
    /// Where models are found.
    pub library: Library,
}

/// Runs one command.
pub fn run(cli: &Cli) -> anyhow::Result<Outcome> {
    let global = cli.global.clone();
    // It speaks about a wrong configuration, which nothing else runs with.
    if let Command::Config(command) = &cli.command {
        return config::run(&global, command);
    }
    let config = match &cli.command {
        // The daemon that started it says on the command line what holds.
        Command::Look => Config::default(),
        _ => Config::load(&ConfigFrom::of_process(global.config.as_deref()))?.config,
    };
    let environment = Environment::of_process();
    let data_dir = environment.data_dir(global.data_dir.as_deref());
    let library = Library::new(environment.model_dirs(&global.models, &data_dir));
    let context = Context { global, config, data_dir, library };
    match &cli.command {
        Command::Adapt(args) => adapt::run(&context, args),
        Command::Add(args) => add::run(&context, args),
        Command::Adjust(args) => adjust::run(&context, args),
        Command::Audit { task } => audit::run(&context, task),
        Command::Bench(args) => bench::run(&context, args),
        Command::Camera(command) => camera::run(&context, command),
        Command::Classify(args) => classify::classify(&context, args),
        Command::Completions { shell } => {
            // Into memory first: the generator panics when its reader goes away.
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "acclimate", &mut script);
            std::io::stdout().write_all(&script)?;
            Ok(Outcome::Done)
        }
        // Answered above.
        Command::Config(command) => config::run(&context.global, command),
        Command::Demo(args) => demo::run(&context, args),
        Command::Doctor(args) => doctor::run(&context, args),
        Command::Drift(args) => drift::run(&context, args),
        Command::Evaluate(args) => classify::evaluate(&context, args),
        Command::Forget(args) => forget::run(&context, args),
        Command::Head(command) => head::run(&context, command),
        Command::Init(args) => task::init(&context, args),
        Command::Key(command) => key::run(&context, command),
        Command::Label(args) => sample::label(&context, args),
        Command::Look => {
            mapping::look(context.opener(), context.data_dir.clone())?;
            Ok(Outcome::Done)
        }
        Command::Man => {
            clap_mangen::Man::new(Cli::command()).render(&mut std::io::stdout())?;
            Ok(Outcome::Done)
        }
        Command::Model(command) => model::run(&context, command),
        Command::Mqtt(command) => mqtt::run(&context, command),
        Command::Page { lan } => page::run(&context, *lan),
        Command::Run => run::run(&context),
        Command::Sample(command) => sample::run(&context, command),
        Command::Sense { source } => sense::run(&context, source),
        Command::Serial(command) => serial::run(&context, command),
        Command::Status => status::run(&context),
        Command::Task(command) => task::run(&context, command),
        Command::Tune(args) => tune::run(&context, args),
        Command::Trial => {
            trial::answer()?;
            Ok(Outcome::Done)
        }
    }
}

impl Context {
    /// Opens the store, as its one writer or to read.
    pub fn tasks(&self, access: &Access) -> anyhow::Result<Tasks> {
        Ok(Tasks::open(&self.data_dir, access)?)
    }

    /// The daemon that holds the store, if one runs: then what changes the store goes through it, and that is said.
    pub fn daemon(&self) -> anyhow::Result<Option<Daemon>> {
        let environment = Environment::of_process();
        let daemon = Daemon::of(&self.data_dir, self.global.data_dir.is_some(), environment.runtime_dir())?;
        if let Some(daemon) = &daemon {
            tracing::warn!("acting on the store of the daemon at {}", daemon.path.display());
        }
        Ok(daemon)
    }

    /// Opens the store as its one writer; a second one is told that this command holds it.
    pub fn tasks_to_write(&self, command: &str) -> anyhow::Result<Tasks> {
        self.tasks(&Access::Write { command: format!("acclimate {command}") })
    }

    /// What is to run backbones, by command line, else configuration.
    pub fn engine_options(&self) -> EngineOptions {
        let engine = match (self.global.engine, self.config.backbone.engine) {
            (Some(Engine::Auto), _) | (None, EngineName::Auto) => EngineChoice::Auto,
            (Some(Engine::Ort), _) | (None, EngineName::Ort) => EngineChoice::Ort,
            (Some(Engine::Tract), _) | (None, EngineName::Tract) => EngineChoice::Tract,
        };
        EngineOptions {
            engine,
            threads: self.global.threads.map_or(EngineOptions::default().threads, usize::from),
            ort_library: Some(self.data_dir.join("lib")),
        }
    }

    /// An adaptation that leaves everything to the trainer.
    pub fn adapt_options(&self) -> Options {
        self.options_of(&self.config)
    }

    /// The same, by another configuration.
    pub fn options_of(&self, config: &Config) -> Options {
        Options {
            kinds: Kind::ALL.to_vec(),
            trust_labels: false,
            elsewhere: None,
            fixed: Fixed::default(),
            rule: Rule::default(),
            budget: config.adapt.budget_ms.map(Duration::from_millis),
            group_by: None,
            threads: self.engine_options().threads,
            who: who(),
            device: config.device_id(),
        }
    }

    /// What opens backbones. The trial of a new one runs in this program, even where an update has replaced its file.
    pub fn opener(&self) -> Opener {
        Opener {
            library: self.library.clone(),
            options: self.engine_options(),
            trials: Trials::new(self.data_dir.clone(), "/proc/self/exe".into()),
        }
    }

    /// Opens the backbone of a task, and says what really runs it.
    pub fn backbone(&self, task: &Task) -> anyhow::Result<Backbone> {
        let opener = self.opener();
        let backbone =
            opener.open_for(task).with_context(|| format!("could not open the backbone of task `{}`", task.name))?;
        tracing::info!("{} runs on {}", task.backbone, backbone.extractor());
        Ok(backbone)
    }

    /// Makes sure that what runs the backbone now computes the features that the task has.
    pub fn check_extractor(&self, tasks: &mut Tasks, task: &Task, backbone: &mut Backbone) -> anyhow::Result<()> {
        let bar = self.progress(0, "computing features again");
        let checked = extractor::check(tasks, task, backbone, counter(&bar))?;
        bar.finish_and_clear();
        match checked {
            Checked::Known => {}
            Checked::Agrees { checked, difference } => tracing::info!(
                "{} computes the features of task `{}` too: {checked} kept payloads agree to {difference:.1e}",
                backbone.extractor(),
                task.name
            ),
            Checked::Recomputed { features, .. } => tracing::warn!(
                "{} computes other features than those of task `{}`: {features} were computed again from the kept payloads; \
                 adapt again, for the head in service was fitted on the old ones",
                backbone.extractor(),
                task.name
            ),
        }
        Ok(())
    }

    /// A progress bar on a terminal's stderr; silent elsewhere.
    pub fn progress(&self, length: usize, what: &'static str) -> ProgressBar {
        if self.global.quiet || !std::io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {per_sec} eta {eta}");
        ProgressBar::new(length as u64)
            .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
            .with_message(what)
    }

    /// The same, counting bytes.
    pub fn progress_bytes(&self, length: u64, what: &'static str) -> ProgressBar {
        let bar = self.progress(length as usize, what);
        let style = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} eta {eta}");
        bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
    }

    /// Reports an input that failed: on stderr, and as a line of JSON where that was asked for.
    pub fn report_failed(&self, input: &str, reason: &str) -> anyhow::Result<()> {
        eprintln!("failed: {input}: {reason}");
        if self.global.json {
            line(&serde_json::to_string(&AddRecord::failed(input, reason))?)?;
        }
        Ok(())
    }

    /// Prints one JSON document, or the words for people.
    pub fn print<R: serde::Serialize>(&self, record: &R, words: impl FnOnce() -> String) -> anyhow::Result<()> {
        if self.global.json { line(&serde_json::to_string(record)?) } else { line(&words()) }
    }
}

/// What moves a bar: told how many are done, and of how many.
pub fn counter(bar: &ProgressBar) -> impl FnMut(usize, usize) + use<> {
    let bar = bar.clone();
    move |done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    }
}

/// Writes one line to stdout; a reader that went away is an error, not a panic.
pub fn line(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}

/// Who speaks, for the history: the user's name.
pub fn who() -> String {
    std::env::var("USER").ok().filter(|name| !name.is_empty()).unwrap_or_else(|| "command line".to_owned())
}

/// Sends logs to stderr, at the level asked for.
pub fn log(global: &Global, daemon: bool) {
    let level = match (global.quiet, global.verbose) {
        (true, _) => "error",
        // A daemon says what it does.
        (false, 0) if daemon => "info,tract=warn,ort=warn",
        (false, 0) => "warn",
        (false, 1) => "info,tract=warn,ort=warn",
        (false, _) => "debug",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("ACCLIMATE_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .without_time()
        .with_target(false)
        .init();
}

/// An error with its causes, `a: b: c`.
pub fn chain(error: &anyhow::Error) -> String {
    causes(error.as_ref())
}

/// Whether an error says that nobody reads our output any more.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}
