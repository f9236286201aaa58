//! What the command line accepts, and nothing of what it does. Its comments are the help that users read.

#![expect(clippy::doc_markdown, reason = "help is plain text, without backticks")]

mod head;
mod key;
mod learning;
mod mqtt;
mod serial;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use self::head::Head;
pub use self::key::Key;
pub use self::learning::{Adapt, Adjust, HeadKind, Tune, Weighting};
pub use self::mqtt::Mqtt;
pub use self::serial::{Port, Replay, Send, Serial, Speaks};

/// Let a deployed device learn its own site: adapt the classifier head of a frozen backbone, prove it, put it in service.
#[derive(Debug, Parser)]
#[command(name = "acclimate", version, max_term_width = 110, arg_required_else_help = true)]
#[command(after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 verdict `rejected`, 4 not enough samples.")]
pub struct Cli {
    /// Options that every command has.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options that every command has.
#[derive(Args, Clone, Debug)]
pub struct Global {
    /// Where tasks, samples and heads live [default: $STATE_DIRECTORY, else the XDG data directory]
    #[arg(long, global = true, env = "ACCLIMATE_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Configuration file (TOML) [default: /etc/acclimate/acclimate.toml for a service and root, else the XDG one]
    #[arg(long, global = true, env = "ACCLIMATE_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Folder with models, searched first [also: $ACCLIMATE_MODELS]
    #[arg(long, global = true, value_name = "DIR")]
    pub models: Vec<PathBuf>,
    /// What runs the backbone [default: auto, or what the configuration says]
    #[arg(long, global = true, value_enum)]
    pub engine: Option<Engine>,
    /// Threads of the engine [default: all cores]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: Option<u16>,
    /// Print results as JSON on stdout (JSON Lines where there is one result an input)
    #[arg(long, global = true)]
    pub json: bool,
    /// Log more (-v, -vv)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Log errors only, no progress
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
}

/// What runs a backbone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Engine {
    /// ONNX Runtime where its library can be loaded, else tract
    Auto,
    /// ONNX Runtime
    Ort,
    /// tract, built in
    Tract,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// The whole loop with nothing installed: teach, prove, reject, roll back, on drawn pictures
    Demo(Demo),
    /// Make a task: a named classification problem on one backbone
    Init(Init),
    /// Make and list tasks
    #[command(subcommand)]
    Task(Task),
    /// Import pictures or recordings into a task, computing their features
    Add(Add),
    /// Fit the head in service again from the stored samples and compare: numbers, evaluation and verdict, to the bit
    Audit {
        /// Name of the task
        task: String,
    },
    /// Fit candidate heads, judge the best against the head in service, activate or reject it
    Adapt(Adapt),
    /// Adjust the head in service to another site from pictures or recordings without labels, if they are unlike what it was
    /// learnt on
    Adjust(Adjust),
    /// Classify pictures or recordings with the head in service
    Classify(Classify),
    /// Compare pictures or recordings, without labels, with what a head was learnt on
    Drift(Drift),
    /// Measure a head on a labelled folder that it was not fitted on
    Evaluate(Evaluate),
    /// List, show, activate, roll back, export, install and import heads
    #[command(subcommand)]
    Head(Head),
    /// Make the key that signs this device's heads, and say whose signed heads may be used here
    #[command(subcommand)]
    Key(Key),
    /// Say of which class a sample is, or take that back
    Label(Label),
    /// Remove samples, or a class with all its samples, without a trace
    Forget(Forget),
    /// List, show and export samples
    #[command(subcommand)]
    Sample(Sample),
    /// List and inspect backbones
    #[command(subcommand)]
    Model(Model),
    /// Search wider for a head than adapt does (more penalties, both weightings), then judge it like any other
    Tune(Tune),
    /// Watch the sources, answer, learn: the daemon, until it is told to end (SIGTERM)
    Run,
    /// Have the running daemon take a picture from a source now, and say what is in it
    Sense {
        /// Name of the source
        source: String,
    },
    /// What the running daemon sees, says and lacks
    Status,
    /// Say where the page is; with --lan, make a token and show how to open the page on a phone
    Page {
        /// Open it to the local network
        #[arg(long)]
        lan: bool,
    },
    /// Check what works here and say what to do about what does not
    Doctor(Doctor),
    /// Measure this machine: load, latency, throughput, fit, memory
    Bench(Bench),
    /// List serial ports; show, record, replay what comes from a device, and tell it something
    #[command(subcommand)]
    Serial(Serial),
    /// List the cameras of this machine
    #[command(subcommand)]
    Camera(Camera),
    /// Say what the configured MQTT broker allows, and what is said there
    #[command(subcommand)]
    Mqtt(Mqtt),
    /// Check the configuration, print one to start from, its JSON Schema, and what holds with where it comes from
    #[command(subcommand)]
    Config(Config),
    /// Print a completion script
    Completions {
        /// The shell to complete for
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
    /// Say where heads look in the pictures on standard input: what the daemon runs in a process of its own
    #[command(hide = true)]
    Look,
    /// Load and run the models named on standard input: what a trial runs in a process of its own
    #[command(hide = true)]
    Trial,
}

/// `acclimate camera`.
#[derive(Debug, Subcommand)]
pub enum Camera {
    /// Say which cameras there are, what each can do, and why one cannot be opened
    List,
}

/// `acclimate config`.
#[derive(Debug, Subcommand)]
pub enum Config {
    /// Say everything that is wrong, with its line; exit code 1 where something is
    Check {
        /// The file [default: --config, else the system's or the user's]
        file: Option<PathBuf>,
    },
    /// Print a file to start from: every key with its default, commented out
    Default,
    /// Print the JSON Schema of the file, for editors
    Schema,
    /// Print what holds: every setting, and the file, variable, default or store that it comes from
    Show,
}

/// `acclimate demo`.
#[derive(Args, Debug)]
pub struct Demo {
    /// Seed of the drawn pictures
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
}

/// `acclimate doctor`.
#[derive(Args, Debug)]
pub struct Doctor {
    /// Also compare the checksums of all model files with their manifests
    #[arg(long)]
    pub checksums: bool,
}

/// `acclimate bench`.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Bench {
    /// What to measure instead of a backbone
    #[command(subcommand)]
    pub what: Option<BenchWhat>,
    /// The backbone to measure with [default: the configuration's, else the built-in one]
    #[arg(long, value_name = "NAME")]
    pub backbone: Option<String>,
    /// Pictures to run one after another
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(10..=10_000))]
    pub pictures: u16,
}

/// What `bench` measures besides backbones.
#[derive(Debug, Subcommand)]
pub enum BenchWhat {
    /// The daemon: from a frame to its answer while nothing is fitted and while adaptations run back to back, and to a webhook;
    /// memory, what it does and writes while no frame comes, bytes written for each label
    Daemon(BenchDaemon),
    /// How long heads take to fit, beside scikit-learn in the same run where `$ACCLIMATE_PYTHON` or `python3` has it
    Fit(BenchFit),
}

/// `acclimate bench daemon`.
#[derive(Args, Debug)]
pub struct BenchDaemon {
    /// The backbone to measure with [default: the configuration's, else the built-in one]
    #[arg(long, value_name = "NAME")]
    pub backbone: Option<String>,
    /// Frames in each of the two states
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(100..))]
    pub frames: u32,
    /// Labelled samples that are fitted
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(30..=10_000))]
    pub samples: u32,
}

/// `acclimate bench fit`.
#[derive(Args, Debug)]
pub struct BenchFit {
    /// The whole grid: 50, 200, 2000 and 10000 samples of 160, 384 and 1280 numbers, 2, 10 and 100 classes, one and two
    /// threads unless told how many; takes long
    #[arg(long)]
    pub full: bool,
    /// Only this head: ridge, discriminant, kernel, logistic, or auto, the selection among the closed forms
    #[arg(long, value_name = "HEAD")]
    pub head: Vec<String>,
    /// Only so many samples
    #[arg(long, value_name = "N")]
    pub samples: Vec<usize>,
    /// Only features of so many numbers
    #[arg(long, value_name = "N")]
    pub dim: Vec<usize>,
    /// Only so many classes
    #[arg(long, value_name = "N")]
    pub classes: Vec<usize>,
    /// Ourselves alone
    #[arg(long)]
    pub alone: bool,
}

/// `acclimate init`.
#[derive(Args, Debug)]
pub struct Init {
    /// Name of the task: a-z, 0-9 and -
    pub task: String,
    /// A backbone by name (see `acclimate model list`) [default: the configuration's, else the built-in one]
    #[arg(long, value_name = "NAME", conflicts_with = "model")]
    pub backbone: Option<String>,
    /// A backbone by file; its manifest is FILE.toml beside it, the catalogue's for the same content, or the one in a
    /// file that `head export --onnx` wrote; else it is guessed, with a warning
    #[arg(long, value_name = "FILE")]
    pub model: Option<PathBuf>,
    /// Channels of a signal: numbers in one reading (with --backbone builtin-signal-1)
    #[arg(long, value_name = "N", requires = "length", conflicts_with = "model")]
    pub channels: Option<NonZeroUsize>,
    /// Length of a signal's windows in readings (with --backbone builtin-signal-1)
    #[arg(long, value_name = "N", requires = "channels")]
    pub length: Option<NonZeroUsize>,
    /// Readings a second: kept for people, nothing is resampled
    #[arg(long, value_name = "HZ", requires = "channels")]
    pub rate_hz: Option<f32>,
    /// What the readings are, as g or m/s²: kept for people
    #[arg(long, value_name = "UNIT", requires = "channels")]
    pub unit: Option<String>,
    /// Keep the classifier that came in the model: it is generation 0, in service at once, and new heads may start from it
    #[arg(long)]
    pub keep_head: bool,
    /// Classes known from the start, or a file with one a line; others are learnt from labels. With --keep-head: the
    /// names of the model's classes
    #[arg(long, value_name = "CLASS", value_delimiter = ',')]
    pub classes: Vec<String>,
    /// The model's classes and no others: new heads keep them all, also those without samples here. Without this, a new
    /// head knows the classes that have samples
    #[arg(long, requires = "keep_head")]
    pub classes_only: bool,
    /// What may not be split between fitting and judging
    #[arg(long, value_enum, default_value_t = GroupBy::Auto)]
    pub group_by: GroupBy,
}

/// `acclimate task`.
#[derive(Debug, Subcommand)]
pub enum Task {
    /// Make a task (the same as `acclimate init`)
    Create(Init),
    /// List the tasks
    List,
    /// Change the backbone of a task: features are computed from the kept pictures, a head on them is judged against the
    /// one in service, and both change together or neither does
    SetBackbone(SetBackbone),
}

/// `acclimate task set-backbone`.
#[derive(Args, Debug)]
pub struct SetBackbone {
    /// Name of the task
    pub task: String,
    /// The backbone by name (see `acclimate model list`)
    #[arg(required_unless_present = "model", conflicts_with = "model")]
    pub backbone: Option<String>,
    /// The backbone by file, as for `init`
    #[arg(long, value_name = "FILE")]
    pub model: Option<PathBuf>,
    /// Keep the classifier that came in the model, as a candidate and for others to start from
    #[arg(long)]
    pub keep_head: bool,
    /// Names of the model's classes, or a file with one a line
    #[arg(long, value_name = "CLASS", value_delimiter = ',', requires = "keep_head")]
    pub classes: Vec<String>,
}

/// `acclimate add`.
#[derive(Args, Debug)]
pub struct Add {
    /// Name of the task
    pub task: String,
    /// Files, folders (with everything below), or - for one file on stdin
    #[arg(required = true)]
    pub paths: Vec<PathBuf>,
    /// The class of all of them
    #[arg(long, value_name = "CLASS", conflicts_with_all = ["labels_from_folders", "labels_from_csv"])]
    pub label: Option<String>,
    /// The name of the folder a file lies in is its class
    #[arg(long, conflicts_with = "labels_from_csv")]
    pub labels_from_folders: bool,
    /// A CSV file with a header and the columns `path` (relative to the file), `label`, and optionally `group`
    #[arg(long, value_name = "FILE")]
    pub labels_from_csv: Option<PathBuf>,
    /// Readings between the starts of two windows of a recording [default: the window's length]
    #[arg(long, value_name = "N")]
    pub stride: Option<NonZeroUsize>,
}

/// What makes a group: samples that may not be split between fitting and judging.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum GroupBy {
    /// Pictures that are nearly the same; windows of one recording
    Auto,
    /// The column `group` of the CSV file
    Column,
    /// The folder that a file lies in
    Folder,
    /// Every sample on its own
    None,
}

/// `acclimate classify`.
#[derive(Args, Debug)]
pub struct Classify {
    /// Name of the task
    pub task: String,
    /// Files, folders, or - for one file on stdin
    #[arg(required = true)]
    pub paths: Vec<PathBuf>,
    /// Use this generation instead of the one in service
    #[arg(long, value_name = "N")]
    pub generation: Option<u32>,
    /// Also answer with the classes that it may be, the true one among them this often (0.001 to 0.999), as far as it is
    /// of a class that the head knows and what comes is like what the head was fitted on
    #[arg(long, value_name = "SHARE")]
    pub coverage: Option<f64>,
    /// Also write the one picture as a PNG file on which shows where the head looks: warm colours speak for the class,
    /// cold ones against it; for backbones whose feature is the mean of a map over the picture
    #[arg(long, value_name = "FILE")]
    pub attention: Option<PathBuf>,
    /// Readings between the starts of two windows of a recording [default: the window's length]
    #[arg(long, value_name = "N")]
    pub stride: Option<NonZeroUsize>,
}

/// `acclimate drift`.
#[derive(Args, Debug)]
pub struct Drift {
    /// Name of the task
    pub task: String,
    /// Files, folders, or - for one file on stdin; near-duplicates count once
    #[arg(required = true)]
    pub paths: Vec<PathBuf>,
    /// Compare with what this generation was learnt on [default: the one in service]
    #[arg(long, value_name = "N")]
    pub generation: Option<u32>,
    /// Readings between the starts of two windows of a recording [default: the window's length]
    #[arg(long, value_name = "N")]
    pub stride: Option<NonZeroUsize>,
}

/// `acclimate evaluate`.
#[derive(Args, Debug)]
pub struct Evaluate {
    /// Name of the task
    pub task: String,
    /// A folder with a folder for each class (with --labels-from-csv: where the CSV's paths start)
    pub dir: PathBuf,
    /// Labels from a CSV file with the columns `path` and `label`
    #[arg(long, value_name = "FILE")]
    pub labels_from_csv: Option<PathBuf>,
    /// Use this generation instead of the one in service
    #[arg(long, value_name = "N")]
    pub generation: Option<u32>,
    /// Readings between the starts of two windows of a recording [default: the window's length]
    #[arg(long, value_name = "N")]
    pub stride: Option<NonZeroUsize>,
}

/// `acclimate label`.
#[derive(Args, Debug)]
pub struct Label {
    /// Name of the task
    pub task: String,
    /// Id of the sample, or its first digits
    pub sample: String,
    /// The class
    #[arg(required_unless_present = "remove")]
    pub class: Option<String>,
    /// Take the sample's label back
    #[arg(long, conflicts_with = "class")]
    pub remove: bool,
}

/// `acclimate forget`.
#[derive(Args, Debug)]
pub struct Forget {
    /// Name of the task
    pub task: String,
    /// Ids of samples, or their first digits
    #[arg(required_unless_present = "class")]
    pub samples: Vec<String>,
    /// A class with all its samples
    #[arg(long, value_name = "CLASS", conflicts_with = "samples")]
    pub class: Option<String>,
    /// Do it; without this, what would go is only listed
    #[arg(long, short)]
    pub yes: bool,
}

/// `acclimate sample`.
#[derive(Debug, Subcommand)]
pub enum Sample {
    /// List the samples of a task
    List {
        /// Name of the task
        task: String,
        /// Only those without a label
        #[arg(long, conflicts_with = "class")]
        unlabelled: bool,
        /// Only those of a class
        #[arg(long, value_name = "CLASS")]
        class: Option<String>,
        /// Only those whose label looks wrong to a head fitted without them, the most suspect first
        #[arg(long, conflicts_with_all = ["unlabelled", "class"])]
        suspect: bool,
        /// Only the N without a label that are most worth one, the best first [default: 10]
        #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "10", conflicts_with_all = ["unlabelled", "class", "suspect"])]
        most_useful: Option<usize>,
    },
    /// Write the labelled samples to an NPZ file: features, labels, groups, ids, and the leave-out probabilities of the
    /// head in service
    Export {
        /// Name of the task
        task: String,
        /// Where to
        file: PathBuf,
    },
    /// Show one sample with the history of its labels
    Show {
        /// Name of the task
        task: String,
        /// Id of the sample, or its first digits
        sample: String,
        /// Write the picture as it came in, or the window as NPY, to a file
        #[arg(long, value_name = "FILE")]
        payload: Option<PathBuf>,
    },
}

/// `acclimate model`.
#[derive(Debug, Subcommand)]
pub enum Model {
    /// List the backbones that are known, and where their files are
    List,
    /// Take a model of your own in: an ONNX file, or a folder as Hugging Face has it
    ///
    /// Its manifest is FILE.toml beside it, else the catalogue's for the same content, else what Hugging Face's
    /// preprocessor_config.json says, else a proposal that says what is guessed.
    Add {
        /// The file or folder
        path: PathBuf,
        /// Name of the model [default: the manifest's, else the file's or folder's]
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
    },
    /// Measure other backbones on a task's own samples: accuracy when left out, time, memory; the task is not touched
    Compare {
        /// Name of the task
        task: String,
        /// Backbones to compare with the one in use
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
    /// Get the files of models by name: downloaded, resumed where it broke, checked before use
    Pull {
        /// Names (see `acclimate model list`)
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
        /// Take the files from this folder instead of the network
        #[arg(long, value_name = "DIR")]
        from: Option<PathBuf>,
        /// Where to put them [default: the folder `models` of the data directory]
        #[arg(long, value_name = "DIR")]
        to: Option<PathBuf>,
    },
    /// Show what is in an ONNX file and print a manifest to start from
    Inspect {
        /// The file
        file: PathBuf,
        /// Write the proposed manifest here
        #[arg(long, value_name = "FILE")]
        write_manifest: Option<PathBuf>,
    },
}
