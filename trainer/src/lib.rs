//! Classifier heads on frozen features. Pure numbers: no files, no clock, no async; randomness comes in as a seed.

#![allow(
    clippy::needless_pass_by_value,
    reason = "array views are handles and are passed by value"
)]

pub mod advice;
pub mod calibration;
pub mod evaluation;
pub mod interval;
pub mod judge;

mod candidate;
mod feature;
mod head;
mod leave_out;
mod novelty;
mod prototype;
mod quantisation;
mod samples;
mod selection;
mod solution;
mod statistics;

pub use evaluation::Evaluation;
pub use candidate::{Candidate, FitError, FitOptions, fit};
pub use feature::{Feature, FeatureError};
pub use head::{Head, Kind, KindError, LOG_LOSS_FLOOR, log_loss, softmax};
pub use novelty::{FALSE_UNKNOWN_RATE, Novelty};
pub use quantisation::{Encoded, Quantisation, QuantisationError};
pub use samples::{Samples, SamplesError};
pub use selection::select;
pub use solution::Solution;
pub use statistics::{Statistics, StatisticsError};
