//! Classifier heads on frozen features. Pure numbers: no files, no clock, no async; randomness comes in as a seed.
//!
//! Read next: `head.rs` (what is deployed), `candidate.rs` (how it is fitted), `ridge.rs` (the closed form).
//! Invariant: the same samples in the same order give the same bits, on any number of threads.
//!
#![doc = include_str!("../README.md")]
#![cfg_attr(
    test,
    allow(clippy::float_cmp, reason = "exact answers are compared exactly")
)]
#![allow(
    clippy::needless_pass_by_value,
    reason = "array views are handles and are passed by value"
)]

pub mod calibration;
mod candidate;
mod dot;
mod feature;
mod head;
mod lbfgs;
mod leave_out;
mod logistic;
mod novelty;
mod prototype;
mod quantisation;
mod ridge;
mod samples;
mod selection;
mod solution;
mod spectrum;
mod statistics;

pub use candidate::{Candidate, FitError, FitOptions, fit, solve};
pub use feature::{Feature, FeatureError};
pub use head::{Head, Kind, KindError, LOG_LOSS_FLOOR, log_loss, softmax};
pub use novelty::{FALSE_UNKNOWN_RATE, Novelty};
pub use quantisation::{Encoded, Quantisation, QuantisationError};
pub use samples::{Samples, SamplesError};
pub use selection::select;
pub use solution::Solution;
pub use statistics::{Statistics, StatisticsError};
