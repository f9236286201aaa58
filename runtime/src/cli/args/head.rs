//! What `head` accepts. Its comments are the help that users read.

use std::path::PathBuf;

use clap::{ArgGroup, Subcommand};

/// `acclimate head`.
#[derive(Debug, Subcommand)]
pub enum Head {
    /// List the generations of a task
    List {
        /// Name of the task
        task: String,
    },
    /// Show one generation: provenance, evaluation, classes
    Show {
        /// Name of the task
        task: String,
        /// Which one [default: the one in service]
        generation: Option<u32>,
    },
    /// Put a generation in service
    Activate {
        /// Name of the task
        task: String,
        /// Which one
        generation: u32,
        /// Also one that was rejected; recorded as a person's decision
        #[arg(long)]
        force: bool,
    },
    /// Put the head that was in service before back
    Rollback {
        /// Name of the task
        task: String,
    },
    /// Write a head to a file: .head for other devices, ONNX with its backbone for other runtimes, NPZ for NumPy
    #[command(group(ArgGroup::new("to").required(true).args(["output", "onnx", "npz", "signed"])))]
    Export {
        /// Name of the task
        task: String,
        /// A .head file, for `head import`
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Backbone and head as one ONNX file: preprocessed input to probabilities; written only if it gives what the
        /// live head gives
        #[arg(long, value_name = "FILE")]
        onnx: Option<PathBuf>,
        /// The head's numbers: weights, bias, temperature, classes, penalty
        #[arg(long, value_name = "FILE")]
        npz: Option<PathBuf>,
        /// The head in service, signed with this device's key: for `head install` on devices that trust it
        #[arg(long, value_name = "FILE", conflicts_with = "generation")]
        signed: Option<PathBuf>,
        /// With --signed: for how many days it may be installed
        #[arg(long, value_name = "N", default_value_t = acclimate::sync::DAYS, value_parser = clap::value_parser!(u32).range(..=36500), requires = "signed")]
        days: u32,
        /// Which one [default: the one in service]
        #[arg(long, value_name = "N")]
        generation: Option<u32>,
    },
    /// Take in a head that another device has signed: in service if its key is trusted and nothing here speaks against it
    Install {
        /// Name of the task
        task: String,
        /// The file that `head export --signed` wrote
        file: PathBuf,
    },
    /// Bring in a .head file as a new generation; it goes in service by `head activate`
    Import {
        /// Name of the task
        task: String,
        /// The file
        file: PathBuf,
    },
}
