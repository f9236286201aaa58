//! The daemon: what can be asked of it, what it shows and announces, and the threads behind.
//!
//! | file | what |
//! |---|---|
//! | [`command`], [`signed`] | what a person or an automation asks for, and the answers: one closed list |
//! | [`view`] | one moment of the daemon, immutable |
//! | [`notice`] | what it announces |
//! | [`handle`] | how the page, the socket and the network reach it |
//! | `core` | every decision: synchronous, pure, simulated |
//! | `shell`, `sources` | the threads, started and ended |
//! | `inference`, `writer`, `fit` | what the threads do |
//! | `askers`, `beside` | who waits for an answer; who lives beside it and is told everything |
//! | [`mapping`] | where the head looks, for who asks |
//! | `reload` | which changes of a configuration need a restart |
//! | `stage`, [`vitals`], `heat`, [`signals`] | what is stuck, how the parts fare, what is too hot, what the system tells |
//! | [`socket`], [`client`] | the two ends of the Unix socket |
//!
//! Knows nothing of HTTP, MQTT or pages. Read `core` first.

mod askers;
pub(crate) mod beside;
pub mod client;
pub mod command;
mod core;
mod fit;
pub mod handle;
mod heat;
mod inbox;
mod inference;
pub mod mapping;
pub mod notice;
mod reload;
mod shell;
pub mod signals;
pub mod signed;
pub mod socket;
mod sources;
pub(crate) mod stage;
pub mod view;
pub mod vitals;
mod writer;

pub(crate) use self::inference::DRAWN;
pub use self::shell::{Running, Start, StartError, start};
pub use self::sources::OpenSource;
