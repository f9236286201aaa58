//! The arguments of `acclimate mqtt`.

use clap::Subcommand;

/// `acclimate mqtt`.
#[derive(Debug, Subcommand)]
pub enum Mqtt {
    /// List the devices with the same prefix that the broker knows of
    Discover,
    /// Say what the configured broker allows this device, its limits, and how long a message takes; exit code 1 where it
    /// does not allow enough
    Test,
    /// Print what this device says and is told, a message a line, until interrupted
    Watch {
        /// Every device with the same prefix
        #[arg(long)]
        all: bool,
    },
}
