//! Classifier heads on frozen features. Pure numbers: no files, no clock, no async; randomness comes in as a seed.
//!
//! Read next: `head.rs` and `form.rs` (what is deployed), `candidate.rs` (how it is fitted), `ridge.rs` (the closed form), `judge.rs`
//! (whether it goes into service).
//! Invariant: the same samples in the same order give the same bits, on any number of threads.
//!
#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::float_cmp, reason = "exact answers are compared exactly"))]
#![allow(clippy::needless_pass_by_value, reason = "array views are handles and are passed by value")]

mod advice;
mod balance;
mod biased;
pub mod calibration;
mod candidate;
mod centred;
mod closed;
mod comparison;
mod conformal;
mod coordinates;
mod cost;
mod decision;
mod discriminant;
pub mod domain;
mod dot;
pub mod drift;
mod evaluation;
mod exp;
mod expansion;
mod factor;
mod facts;
mod feature;
mod form;
mod head;
mod incremental;
mod inner_products;
pub mod interval;
mod judge;
mod kernel;
mod lbfgs;
mod learning_curve;
mod leave_out;
mod logistic;
mod novelty;
mod penalised;
mod picked;
mod precision;
mod prior;
mod prototype;
mod quantisation;
mod race;
mod ridge;
mod samples;
mod search;
mod selection;
mod sensitivity;
mod solution;
mod spectrum;
mod statistics;
mod suspects;
mod useful;
mod verdict;
mod wide;
mod within;
mod workers;

pub use advice::{Advice, Contradiction, Reason};
pub use balance::{IMBALANCE, Weighting, WeightingError};
pub use candidate::{Candidate, FitError, FitOptions, Fitted, fit, fit_within, solve};
pub use comparison::{Comparison, GROUPS_TO_TEST};
pub use conformal::{COVERAGES, Conformal, CoverageError};
pub use cost::flops;
pub use decision::{Answer, Decision, DecisionError, Outcomes};
pub use evaluation::{Evaluation, EvaluationError, most_probable};
pub use feature::{Feature, FeatureError};
pub use form::{Form, Kernel, Linear};
pub use head::{Head, Kind, KindError, LOG_LOSS_FLOOR, log_loss, softmax};
pub use incremental::{Incremental, REFRESH};
pub use judge::{
    CONTRADICTION, GROUPS_PROVED, MARGIN, NEGLIGIBLE, NEW_CLASS_F1, SAMPLES_PER_CLASS, SIGNIFICANCE, judge,
};
pub use kernel::{EXACT, LANDMARKS};
pub use learning_curve::{CurveError, CurvePoint, Estimate, FLAT, Forecast, LearningCurve, WORTH};
pub use novelty::{FALSE_UNKNOWN_RATE, Measure, Novelty, STORED, Stored};
pub use prior::Prior;
pub use quantisation::{Encoded, Quantisation, QuantisationError};
pub use race::{Behind, RACED};
pub use samples::{SIZES, Samples, SamplesError, WEIGHTS};
pub use selection::select;
pub use solution::Solution;
pub use statistics::{Statistics, StatisticsError};
pub use suspects::{SUSPECT_ODDS, Suspect, suspects};
pub use useful::{FEW_LABELS, Use, Useful, most_useful};
pub use verdict::{FORGOTTEN, InService, JudgeError, JudgeInput, Outcome, Verdict};
