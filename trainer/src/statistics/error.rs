//! Why statistics refuse: every reason leaves them as they were.

use super::MAX_CLASSES;
use crate::Quantisation;

/// Why statistics stay as they were.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum StatisticsError {
    /// More samples of a class removed than were ever added.
    #[error(
        "cannot remove {removed} samples of class {class} from statistics that hold {held}: rebuild them from the stored samples"
    )]
    Absent {
        /// The class.
        class: usize,
        /// How many were to go.
        removed: i64,
        /// How many there are.
        held: i64,
    },
    /// A label no task can have.
    #[error("label {label} is beyond the largest class, {}", MAX_CLASSES - 1)]
    ClassLimit {
        /// The label.
        label: usize,
    },
    /// Codes of another length.
    #[error("codes have {found} components, expected {expected}: they are of another backbone")]
    Dim {
        /// The statistics' dim.
        expected: usize,
        /// The codes' dim.
        found: usize,
    },
    /// Not as many labels as rows of codes.
    #[error("{rows} rows of codes come with {labels} labels, expected as many")]
    Labels {
        /// Rows of codes.
        rows: usize,
        /// Labels.
        labels: usize,
    },
    /// A class with samples has no name of its own.
    #[error("class {class} has samples but no name of its own among the {names} given")]
    Names {
        /// The class.
        class: usize,
        /// How many names were given.
        names: usize,
    },
    /// Stored parts do not fit together.
    #[error("stored {part} has {found} entries, expected {expected}: rebuild the statistics from the stored samples")]
    Parts {
        /// Which part.
        part: &'static str,
        /// The expected length.
        expected: usize,
        /// The length found.
        found: usize,
    },
    /// Codes that mean other numbers.
    #[error("statistics are quantised as {found:?}, expected {expected:?}: only equal ones add up")]
    Quantisation {
        /// Of these statistics.
        expected: Quantisation,
        /// Of the other ones.
        found: Quantisation,
    },
}
