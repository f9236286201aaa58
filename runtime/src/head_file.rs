//! Head files (`.head`): one fitted head with everything needed to judge and to use it. Knows nothing about stores.
//!
//! CBOR behind the bounded reader of [`crate::cbor`], always in its one deterministic form, so that equal heads are
//! equal bytes. Under the tag of self-described CBOR (55799, first bytes `d9 d9 f7`) is one map, format 2, 3 where the head was adjusted to
//! another site, or 4 where it does without directions:
//!
//! | field | type | what |
//! |---|---|---|
//! | `format` | 2, 3 or 4 | version of this table |
//! | `task` | text | the task it was fitted for |
//! | `backbone` | 32 bytes | id of the backbone whose features it reads |
//! | `classes` | \[text\] | names, one at least, no two alike |
//! | `kind` | text | `biased_ridge`, `discriminant`, `kernel`, `logistic`, `prototype`, `ridge` or `shipped`; the last acts on the raw feature |
//! | `weights` | f32 `[classes, dim]` | finite; absent where there is a `kernel` |
//! | `bias` | f32 `[classes]` | finite; absent where there is a `kernel` |
//! | `kernel` | map | instead of weights and bias; see below |
//! | `temperature` | float | calibration: divides the logits; above 0 |
//! | `lambda` | float or null | the penalty, for kinds that have one |
//! | `novelty` | map or null | when to answer `unknown`; see below |
//! | `conformal` | f32 `[999]` or null | largest `1 - p` of a class in a set of coverage 0.001, 0.002, … 0.999 |
//! | `decision` | map or null | how probabilities become an answer, see below; null where the likeliest class is it |
//! | `provenance` | map | see below |
//!
//! | field of `novelty` | type | what |
//! |---|---|---|
//! | `threshold` | float | largest score of what is known |
//! | `false_unknown_rate` | float | the share of known samples it gives up |
//! | `means` | f32 `[classes, dim]` or null | of norm 1: the score is the cosine distance to the nearest; as format 1 had it |
//! | `samples` | map or null | stored features, where there are no `means`; see below |
//!
//! | field of `samples` | type | what |
//! |---|---|---|
//! | `codes` | u8 `[stored, dim]` | 8-bit features |
//! | `full_scale` | float | value of the largest code; above 0 |
//! | `signed` | bool | whether codes are i8 |
//! | `coefficients` | f32 `[stored, classes]` | kernel ridge regression on one-hot targets |
//! | `gamma` | float | width of the Gaussian kernel; above 0 |
//! | `units` | f32 `[4]` | mean and spread of evidence and distance; spreads above 0 |
//!
//! | field of `kernel` | type | what |
//! |---|---|---|
//! | `support` | u8 or f32 `[n, dim]` | features it compares with: codes where `quantisation` is given, else finite numbers |
//! | `quantisation` | map or null | `full_scale` float above 0, `signed` bool |
//! | `coefficients` | f32 `[classes, n]` | finite |
//! | `bias` | f32 `[classes]` | finite |
//! | `gamma` | float | above 0 |
//!
//! | field of `decision` | type | what |
//! |---|---|---|
//! | `costs` | f64 `[classes, classes]` or null | what each answer (column) costs for each class (row) |
//! | `thresholds` | f64 `[classes]` or null | the probability below which an answer is `unknown` |
//!
//! | field of `provenance` | type | what |
//! |---|---|---|
//! | `adjusted` | map | what a fitted head was adjusted by, see below; from format 3 on, and in format 4 null where it was not |
//! | `counts` | \[uint\] | samples it was fitted on, per class |
//! | `device` | text | where it was fitted |
//! | `evaluation` | map or null | see below |
//! | `extractor` | text | engine, version, provider and precision that computed the features |
//! | `fixed` | map or null | what a person fixed of the fit: `gamma`, `lambda` and `precision` float or null, `weighting` text |
//! | `nuisance` | f32 `[k, dim]` | of format 4 alone: orthonormal directions that its weights do not use; 1 to 4 |
//! | `parent` | uint or null | generation in service when it was fitted, in the store that fitted it |
//! | `statistics` | 32 bytes or null | digest of the statistics it was fitted on |
//! | `time` | 0(text) | when, RFC 3339; by a clock that may have been wrong |
//! | `unproved` | bool | whether there were too few groups to prove it |
//!
//! | field of `adjusted` | type | what |
//! |---|---|---|
//! | `samples`, `groups` | uint | how many samples without labels it rests on |
//! | `p` | float | chance of such samples where nothing changed |
//! | `shift` | f32 `[dim]` | what it takes features to be moved by; finite |
//!
//! | field of `evaluation` | type | what |
//! |---|---|---|
//! | `samples`, `groups` | uint | how many |
//! | `ungrouped` | bool | whether single samples were left out instead of groups |
//! | `accuracy`, `balanced_accuracy`, `macro_f1`, `log_loss`, `ece` | float | finite |
//! | `accuracy_interval` | \[float, float\] | 95 % |
//! | `confusion` | u64 `[classes, classes]` | true, predicted |
//!
//! Arrays of numbers are RFC 8746 typed arrays, little endian: f32 is tag 85 on bytes, f64 tag 86, u64 tag 71, u8 tag 64; with two dimensions,
//! tag 40 on `[[rows, columns], typed array]`, row by row. A float is a whole number of the shortest width that holds
//! it. A field that is missing, or that this table does not have, is an error: another table is another format.
//!
//! Format 1 is still read: its `novelty` has `means`, `threshold` and `false_unknown_rate` alone, and it has no `kernel`,
//! `conformal`, `decision` or `fixed`.

mod read;
mod write;

use acclimate_trainer::domain::Nuisance;
use acclimate_trainer::{
    COVERAGES, Decision, Evaluation, Form, Head, Kernel, Linear, Measure, Novelty, Stored, Weighting,
};
use jiff::Timestamp;

use crate::cbor::CborError;

/// The newest format. What it alone can say is written in it, all else in `PLAIN`, which earlier versions read too.
pub const FORMAT: u64 = 4;

/// The format of a head that was adjusted and uses every direction, and of one that was not adjusted either.
const ADJUSTED: u64 = 3;
const PLAIN: u64 = 2;

/// The oldest format that is read.
const OLDEST: u64 = 1;

/// Largest file that is read. 1,000 classes of a feature of 2,048 take 16 MB, and so does a kernel head of 2,500 features
/// of 1,280 with as many classes.
pub const MAX_BYTES: usize = 64 << 20;

/// CBOR tags: self-described CBOR; a row-major matrix; arrays of u8 and little-endian u64 and f32 (RFC 8949, RFC 8746).
const SELF_DESCRIBED: u64 = 55799;
const ROW_MAJOR: u64 = 40;
const U8: u64 = 64;
const U64_LE: u64 = 71;
const F32_LE: u64 = 85;
const F64_LE: u64 = 86;

/// A head with its provenance, as it travels.
#[derive(Clone, Debug, PartialEq)]
pub struct HeadFile {
    /// The task it was fitted for.
    pub task: String,
    /// Id of the backbone whose features it reads.
    pub backbone_id: [u8; 32],
    /// Names of its classes, in the order of its outputs.
    pub classes: Vec<String>,
    /// What computes.
    pub head: Head,
    /// What is answered.
    pub decision: Decision,
    /// Where it comes from.
    pub provenance: Provenance,
}

/// Where a head comes from and how good it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Provenance {
    /// What the head that was fitted has been adjusted by since.
    pub adjusted: Option<Adjustment>,
    /// Samples it was fitted on, per class.
    pub counts: Vec<u64>,
    /// Where it was fitted.
    pub device: String,
    /// How good it is on samples it was not fitted on.
    pub evaluation: Option<Evaluation>,
    /// What computed the features: engine, version, provider, precision.
    pub extractor: String,
    /// What a person fixed of the fit: the same is fixed when it is fitted again.
    pub fixed: Fixed,
    /// The directions that its weights do not use.
    pub nuisance: Option<Nuisance>,
    /// Generation in service when it was fitted, in the store that fitted it.
    pub parent: Option<u32>,
    /// Digest of the statistics it was fitted on.
    pub statistics: Option<[u8; 32]>,
    /// When it was fitted.
    pub time: Timestamp,
    /// Whether there were too few groups to prove it.
    pub unproved: bool,
}

/// What a head was adjusted by to another site, from samples without labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Adjustment {
    /// How many.
    pub samples: u64,
    /// Groups among them.
    pub groups: u64,
    /// Chance of such samples where nothing changed.
    pub p: f64,
    /// What it takes features to be moved by, `[dim]`.
    pub shift: Vec<f32>,
}

/// What a person fixed of a fit; the rest is chosen by leave-out.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Fixed {
    /// The width of a kernel head.
    pub gamma: Option<f64>,
    /// The penalty.
    pub lambda: Option<f64>,
    /// The precision that the thresholds of the decision are to keep.
    pub precision: Option<f64>,
    /// Whether classes count alike.
    pub weighting: Weighting,
}

/// Why a head file was refused.
#[derive(Debug, thiserror::Error)]
pub enum HeadFileError {
    /// Not acceptable as CBOR.
    #[error("head file is damaged or no head file")]
    Cbor(#[source] CborError),
    /// One field is wrong.
    #[error("head file: `{field}` is {found}, expected {expected}")]
    Field {
        /// Its path, e.g. `novelty.means`.
        field: String,
        /// What belongs there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A version of the future.
    #[error("head file has format {found}, but this version of acclimate reads formats 1 to {FORMAT}; use a newer one")]
    Format {
        /// The file's.
        found: u64,
    },
    /// Some other CBOR.
    #[error("this is no head file: it does not start with the tag of self-described CBOR (bytes d9 d9 f7) on a map")]
    NotAHead,
    /// Too large to be one.
    #[error("head file has {found} bytes, expected at most {MAX_BYTES}")]
    TooLarge {
        /// Its size.
        found: usize,
    },
}

impl HeadFile {
    /// The bytes of a head: equal for equal heads.
    ///
    /// # Errors
    /// A number is not finite or a shape does not fit: what could not be read back is not written.
    pub fn encode(&self) -> Result<Vec<u8>, HeadFileError> {
        self.check()?;
        Ok(write::bytes(self))
    }

    /// Reads a head; from strangers too.
    ///
    /// # Errors
    /// The first thing that is wrong, with its field, what was expected and what was found.
    pub fn decode(bytes: &[u8]) -> Result<Self, HeadFileError> {
        let file = read::head_file(bytes)?;
        file.check()?;
        Ok(file)
    }

    /// What the types do not say.
    fn check(&self) -> Result<(), HeadFileError> {
        let Self { task: _, backbone_id: _, classes, head, decision, provenance } = self;
        let Head { kind: _, form, temperature, lambda, novelty, conformal } = head;
        let Provenance {
            adjusted,
            counts,
            device: _,
            evaluation,
            extractor: _,
            fixed,
            nuisance,
            parent: _,
            statistics: _,
            time: _,
            unproved: _,
        } = provenance;

        let n = classes.len();
        expect("classes", "one at least, no two alike", n > 0 && distinct(classes), || format!("{classes:?}"))?;
        check_form(form, n)?;
        expect("temperature", "a finite number above 0", temperature.is_finite() && *temperature > 0.0, || {
            temperature.to_string()
        })?;
        finite("lambda", *lambda)?;
        if let Some(novelty) = novelty {
            check_novelty(novelty, (n, form.dim()))?;
        }
        if let Some(conformal) = conformal {
            let thresholds = &conformal.thresholds;
            shape("conformal", (thresholds.len(), 1), (COVERAGES - 1, 1))?;
            finite("conformal", thresholds.iter().map(|&x| f64::from(x)))?;
        }
        let of = decision.costs().map_or(n, ndarray::Array2::nrows);
        shape("decision.costs", (of, 1), (n, 1))?;
        shape("decision.thresholds", (decision.thresholds().map_or(n, <[f64]>::len), 1), (n, 1))?;
        finite("provenance.fixed", [fixed.gamma, fixed.lambda, fixed.precision].into_iter().flatten())?;
        shape("provenance.counts", (counts.len(), 1), (n, 1))?;
        if let Some(nuisance) = nuisance {
            let directions = nuisance.directions();
            shape("provenance.nuisance", directions.dim(), (directions.nrows(), form.dim()))?;
        }
        if let Some(Adjustment { samples: _, groups: _, p, shift }) = adjusted {
            finite("provenance.adjusted.p", [*p])?;
            shape("provenance.adjusted.shift", (shift.len(), 1), (form.dim(), 1))?;
            finite("provenance.adjusted.shift", shift.iter().map(|&x| f64::from(x)))?;
        }
        if let Some(evaluation) = evaluation {
            let Evaluation {
                samples: _,
                groups: _,
                ungrouped: _,
                accuracy,
                accuracy_interval: (low, high),
                balanced_accuracy,
                macro_f1,
                log_loss,
                ece,
                confusion,
            } = evaluation;
            finite("provenance.evaluation", [*accuracy, *low, *high, *balanced_accuracy, *macro_f1, *log_loss, *ece])?;
            shape("provenance.evaluation.confusion", confusion.dim(), (n, n))?;
        }
        Ok(())
    }
}

/// Of a head of these classes and this dim.
fn check_novelty(novelty: &Novelty, (classes, dim): (usize, usize)) -> Result<(), HeadFileError> {
    let Novelty { measure, threshold, false_unknown_rate } = novelty;
    finite("novelty.threshold", [f64::from(*threshold)])?;
    finite("novelty.false_unknown_rate", [*false_unknown_rate])?;
    match measure {
        Measure::Means { means } => {
            shape("novelty.means", means.dim(), (classes, dim))?;
            finite("novelty.means", means.iter().map(|&x| f64::from(x)))
        }
        Measure::Samples(Stored { codes, quantisation, coefficients, gamma, units }) => {
            let stored = codes.nrows();
            shape("novelty.samples.codes", codes.dim(), (stored.max(1), dim))?;
            shape("novelty.samples.coefficients", coefficients.dim(), (stored, classes))?;
            finite("novelty.samples.coefficients", coefficients.iter().map(|&x| f64::from(x)))?;
            finite("novelty.samples.units", units.map(f64::from))?;
            for (field, x) in [
                ("novelty.samples.full_scale", quantisation.full_scale),
                ("novelty.samples.gamma", *gamma),
                ("novelty.samples.units", units[1]),
                ("novelty.samples.units", units[3]),
            ] {
                expect(field, "a finite number above 0", x.is_finite() && x > 0.0, || x.to_string())?;
            }
            Ok(())
        }
    }
}

fn check_form(form: &Form, classes: usize) -> Result<(), HeadFileError> {
    let numbers = |field: &str, numbers: &mut dyn Iterator<Item = &f32>| finite(field, numbers.map(|&x| f64::from(x)));
    match form {
        Form::Linear(Linear { weights, bias }) => {
            shape("weights", weights.dim(), (classes, weights.ncols().max(1)))?;
            shape("bias", (bias.len(), 1), (classes, 1))?;
            numbers("weights", &mut weights.iter())?;
            numbers("bias", &mut bias.iter())
        }
        Form::Kernel(Kernel { support, quantisation: _, coefficients, bias, gamma }) => {
            shape("kernel.support", support.dim(), (support.nrows().max(1), support.ncols().max(1)))?;
            shape("kernel.coefficients", coefficients.dim(), (classes, support.nrows()))?;
            shape("kernel.bias", (bias.len(), 1), (classes, 1))?;
            numbers("kernel.support", &mut support.iter())?;
            numbers("kernel.coefficients", &mut coefficients.iter())?;
            numbers("kernel.bias", &mut bias.iter())?;
            expect("kernel.gamma", "a finite number above 0", gamma.is_finite() && *gamma > 0.0, || gamma.to_string())
        }
    }
}

fn distinct(names: &[String]) -> bool {
    let mut names: Vec<&String> = names.iter().collect();
    names.sort_unstable();
    names.windows(2).all(|pair| pair[0] != pair[1])
}

fn expect(field: &str, expected: &str, holds: bool, found: impl FnOnce() -> String) -> Result<(), HeadFileError> {
    if holds {
        return Ok(());
    }
    Err(HeadFileError::Field { field: field.to_owned(), expected: expected.to_owned(), found: found() })
}

fn shape(field: &str, found: (usize, usize), expected: (usize, usize)) -> Result<(), HeadFileError> {
    let words = |(rows, columns)| format!("{rows} × {columns}");
    expect(field, &words(expected), found == expected, || words(found))
}

fn finite(field: &str, numbers: impl IntoIterator<Item = f64>) -> Result<(), HeadFileError> {
    match numbers.into_iter().find(|x| !x.is_finite()) {
        None => Ok(()),
        Some(x) => expect(field, "finite", false, || x.to_string()),
    }
}

#[cfg(test)]
mod tests;
