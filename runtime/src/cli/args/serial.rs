//! The arguments of `acclimate serial`.

use std::num::NonZeroU64;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// `acclimate serial`.
#[derive(Debug, Subcommand)]
pub enum Serial {
    /// List the serial ports of this machine: the paths that last, what they are, who holds them
    List,
    /// Show what comes from a device, a line a second, until interrupted: rate, columns, readings, what was lost
    Watch {
        /// Which device
        #[command(flatten)]
        port: Port,
        /// End after so many seconds
        #[arg(long, value_name = "N")]
        seconds: Option<NonZeroU64>,
    },
    /// Record readings as CSV, which add and replay read; after a gap, another file (FILE-2.csv) is begun
    Record {
        /// Which device
        #[command(flatten)]
        port: Port,
        /// Where to; it must not exist
        #[arg(long, short, value_name = "FILE")]
        output: PathBuf,
        /// End after so many seconds [default: when interrupted]
        #[arg(long, value_name = "N")]
        seconds: Option<NonZeroU64>,
        /// End after so many readings
        #[arg(long, value_name = "N")]
        readings: Option<NonZeroU64>,
        /// Record the bytes as they come, whatever they are
        #[arg(long, conflicts_with = "readings")]
        raw: bool,
    },
    /// Send recordings down a line as a sketch would print them, so that what listens can be tried without the device
    Replay(Replay),
    /// Tell a device something: a line as it is, or an answer in the way that it speaks
    Send(Send),
}

/// A device, and how it is reached.
#[derive(Args, Clone, Debug)]
pub struct Port {
    /// Path of the port (acclimate serial list); auto: the only device on USB
    #[arg(value_name = "PORT")]
    pub device: String,
    /// Bits a second
    #[arg(long, value_name = "N", default_value_t = acclimate::serial::BAUD, value_parser = clap::value_parser!(u32).range(50..=12_000_000))]
    pub baud: u32,
    /// Do not set DTR while the port is open: many boards restart when it is set, and some say nothing without it
    #[arg(long)]
    pub no_dtr: bool,
    /// How the device speaks [default: found out]
    #[arg(long, value_enum, value_name = "HOW")]
    pub speaks: Option<Speaks>,
}

/// How a device speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Speaks {
    /// Frames of acclimate-wire
    Frames,
    /// Numbers, a reading a line
    Text,
}

/// `serial replay`.
#[derive(Args, Debug)]
pub struct Replay {
    /// Recordings as CSV, or with --raw as they came; one after the other
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The port to send them to [default: a pseudo-terminal, whose path is printed]
    #[arg(long, value_name = "PORT")]
    pub port: Option<PathBuf>,
    /// A link to the pseudo-terminal, so that its path can stand in a configuration
    #[arg(long, value_name = "PATH", conflicts_with = "port")]
    pub link: Option<PathBuf>,
    /// Bits a second
    #[arg(long, value_name = "N", default_value_t = acclimate::serial::BAUD, value_parser = clap::value_parser!(u32).range(50..=12_000_000))]
    pub baud: u32,
    /// Readings a second [default: what the recording says, else 50]; 0: as fast as they are taken
    #[arg(long, value_name = "HZ", conflicts_with = "raw")]
    pub rate_hz: Option<f64>,
    /// Over and over, until interrupted
    #[arg(long)]
    pub repeat: bool,
    /// The files are bytes as they came (serial record --raw); sent as fast as the baud rate allows
    #[arg(long)]
    pub raw: bool,
}

/// `serial send`.
#[derive(Args, Debug)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["line", "class", "label_wanted"])))]
pub struct Send {
    /// Which device
    #[command(flatten)]
    pub port: Port,
    /// A line of text, as it is
    #[arg(long, value_name = "TEXT")]
    pub line: Option<String>,
    /// The class that its readings are of
    #[arg(long, value_name = "NAME")]
    pub class: Option<String>,
    /// How sure that is
    #[arg(long, value_name = "P", default_value_t = 1.0, requires = "class")]
    pub confidence: f64,
    /// It is unlike everything learnt
    #[arg(long, requires = "class")]
    pub unknown: bool,
    /// A label would help
    #[arg(long)]
    pub label_wanted: bool,
}
