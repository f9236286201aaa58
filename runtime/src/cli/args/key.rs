//! What `key` accepts. Its comments are the help that users read.

use clap::Subcommand;

/// `acclimate key`.
#[derive(Debug, Subcommand)]
pub enum Key {
    /// Make the key that signs this device's heads
    Generate {
        /// Make another where there is one; other devices then have to trust it anew
        #[arg(long)]
        replace: bool,
    },
    /// Print this device's public key, for `key trust` on other devices
    Show,
    /// Use heads that another device's key has signed, unless this device's own samples speak against them
    Trust {
        /// What to call it: a-z, 0-9 and -, the id of its device for example
        name: String,
        /// The public key, as its device's `key show` prints it, or a file with it (also PEM)
        key: String,
    },
    /// List the keys whose heads may be used here
    List,
    /// Use heads of a key no longer, because its device is gone or its key is known to others
    Distrust {
        /// What it is called here
        name: String,
    },
}
