//! Classifier heads on frozen features. Pure numbers: no files, no clock, no async; randomness comes in as a seed.

#![allow(
    clippy::needless_pass_by_value,
    reason = "array views are handles and are passed by value"
)]

mod advice;
mod comparison;
mod evaluation;
mod facts;
pub mod interval;
mod judge;
mod verdict;

pub use advice::{Advice, Contradiction, Reason};
pub use comparison::{Comparison, GROUPS_TO_TEST};
pub use evaluation::{Evaluation, EvaluationError};
pub use judge::{
    CONTRADICTION, GROUPS_PROVED, MARGIN, NEGLIGIBLE, NEW_CLASS_F1, SAMPLES_PER_CLASS,
    SIGNIFICANCE, judge,
};
pub use verdict::{FORGOTTEN, InService, JudgeError, JudgeInput, Outcome, Verdict};
