//! The options of `adapt`, `adjust` and `tune`. Knows nothing about what they do.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::GroupBy;

/// A head family that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HeadKind {
    /// Ridge regression towards the model's own classifier (--keep-head)
    #[value(name = "biased_ridge")]
    BiasedRidge,
    /// Linear discriminant analysis, shrunk covariance
    Discriminant,
    /// Kernel ridge regression, Gaussian, width and λ by leave-out
    Kernel,
    /// Multinomial logistic regression, L2, tuned
    Logistic,
    /// Nearest class mean by cosine
    Prototype,
    /// Ridge regression, λ by leave-out
    Ridge,
    /// The model's own classifier, calibrated
    Shipped,
}

/// `acclimate adapt`.
#[derive(Args, Debug)]
pub struct Adapt {
    /// Name of the task
    pub task: String,
    /// List groups, candidates and the paired test
    #[arg(long)]
    pub explain: bool,
    /// Believe the new labels even where they contradict the older ones
    #[arg(long)]
    pub trust_labels: bool,
    /// Fit only these heads [default: all, the best is selected]
    #[arg(long, value_enum, value_delimiter = ',')]
    pub head: Vec<HeadKind>,
    /// The penalty, instead of the one that leave-out favours (with --head and one kind that has a penalty; the shrinkage
    /// for discriminant)
    #[arg(long, value_name = "X", requires = "head")]
    pub lambda: Option<f64>,
    /// The width of a kernel head, `exp(-X · squared distance)`, instead of the one that leave-out favours (with --head
    /// kernel)
    #[arg(long, value_name = "X", requires = "head")]
    pub gamma: Option<f64>,
    /// Whether classes count alike in the fit [default: where their numbers differ more than threefold and balanced
    /// leave-out loss says so]
    #[arg(long, value_enum, default_value_t = Weighting::Auto, hide_default_value = true)]
    pub weighting: Weighting,
    /// Do not start a kind of head that would not be fitted within so many milliseconds; the prototype and the first
    /// other one always are [also: adapt.budget_ms in the configuration]
    #[arg(long, value_name = "N")]
    pub budget_ms: Option<u64>,
    /// Answer `unknown` rather than be right less often than this, class by class; thresholds are set so on samples left
    /// out. 0 for no thresholds [default: as the head in service has it]
    #[arg(long, value_name = "P", conflicts_with = "threshold")]
    pub precision: Option<f64>,
    /// Answer `unknown` below this probability: P for every class or CLASS=P for one, several times
    #[arg(long, value_name = "[CLASS=]P")]
    pub threshold: Vec<String>,
    /// What mistakes cost: a CSV file with a header `label,CLASS,…` and a line for each class; answers are then those of
    /// least expected cost. `none` for all alike [default: as the head in service has it]
    #[arg(long, value_name = "FILE")]
    pub cost: Option<PathBuf>,
    /// Group otherwise than the task says, for this run
    #[arg(long, value_enum)]
    pub group_by: Option<GroupBy>,
}

/// `acclimate adjust`.
#[derive(Args, Debug)]
pub struct Adjust {
    /// Name of the task
    pub task: String,
    /// Files, folders, or - for one file on stdin; near-duplicates count once
    #[arg(required = true)]
    pub paths: Vec<PathBuf>,
    /// Readings between the starts of two windows of a recording [default: the window's length]
    #[arg(long, value_name = "N")]
    pub stride: Option<NonZeroUsize>,
}

/// Whether classes count alike in a fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Weighting {
    /// Where it helps
    Auto,
    /// All classes count alike
    Balanced,
    /// All samples count alike
    None,
}

/// `acclimate tune`.
#[derive(Args, Debug)]
pub struct Tune {
    /// Name of the task
    pub task: String,
    /// Print what was tried, and adapt nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Believe the new labels even where they contradict the older ones
    #[arg(long, conflicts_with = "dry_run")]
    pub trust_labels: bool,
    /// Group otherwise than the task says, for this run
    #[arg(long, value_enum)]
    pub group_by: Option<GroupBy>,
}
