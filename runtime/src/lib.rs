//! The runtime: everything between a labelled picture and a proved head. The only crate with files and the clock.
//!
//! | module | what |
//! |---|---|
//! | [`adaptation`] | one adaptation: snapshot, fit, judge, record |
//! | [`loading`], [`embedding`] | from files to samples, from samples to features |
//! | [`store`] | tasks, samples, labels, heads: one SQLite file |
//! | [`switch`], [`recompute`] | another backbone, from kept payloads |
//! | [`extractor`] | whether another engine computes the same features |
//! | [`class_map`] | where a head looks in a picture |
//! | [`drift`] | what a head was learnt on, to compare with |
//! | [`export`], [`npz`] | one ONNX file, NumPy arrays |
//! | [`group`] | what may not be split between fitting and judging |
//! | [`head_file`], [`cbor`] | the `.head` format |
//! | [`clock`] | whether the time can be believed |
//! | [`inputs`], [`place`], [`config`] | what the command line names, where things lie |
//! | [`sync`] | heads that travel: keys, signatures, parts, admission |
//! | [`record`] | what is printed as JSON |
//! | [`memory`] | what is freed goes back to the system |
//! | [`models_folder`] | where a user's model is kept |
//! | [`serial`] | serial ports and the devices behind them |
//! | [`source`], [`sink`], [`daemon`] | what is sensed, who is told; the daemon, as its doors see it |
//! | [`door`] | the API and metrics over HTTP |
//! | [`mqtt`] | the same over a broker |
//! | [`outbox`] | the file of what is owed to others |
//! | [`page`] | the files of the page on which a person teaches the device |
//! | [`comparison`] | other backbones on a task's own samples |
//! | [`pull`] | the file of a model, from its address or a folder |
//! | [`trial`] | unknown models, first tried in a child process |
//! | [`demo`] | the drawn pictures of `acclimate demo` |
//!
//! Read `ARCHITECTURE.md` first, then `adaptation.rs`.

pub mod adaptation;
pub mod attention;
pub mod cbor;
mod child;
pub mod class_map;
pub mod clock;
pub mod comparison;
pub mod config;
pub mod daemon;
pub mod demo;
pub mod door;
pub mod drift;
pub mod durable;
pub mod embedding;
pub mod export;
pub mod extractor;
#[cfg(test)]
mod fake;
pub mod group;
pub mod head_file;
pub mod inputs;
pub mod loading;
pub mod memory;
pub mod models_folder;
pub mod mqtt;
mod name;
pub mod npz;
pub mod outbox;
pub mod page;
pub mod place;
pub mod pull;
pub mod recompute;
pub mod record;
pub mod serial;
pub mod sink;
pub mod source;
pub mod store;
pub mod switch;
pub mod sync;
pub mod trial;

/// An error with its causes, `a: b: c`.
pub fn causes(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
