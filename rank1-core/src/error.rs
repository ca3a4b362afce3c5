//! What the functions of this crate refuse, with the facts a caller needs to mend it.

use thiserror::Error as ThisError;

/// A refused argument or a failed factorization.
#[derive(Debug, Clone, PartialEq, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// An array has the wrong shape; `got` is what came.
    #[error("{op}: `{argument}` has shape {got:?}, expected {expected:?}")]
    ShapeMismatch {
        /// The refusing function.
        op: &'static str,
        /// The argument's name.
        argument: &'static str,
        /// The shape that was needed.
        expected: Vec<usize>,
        /// The shape that came.
        got: Vec<usize>,
    },
    /// An array that must hold at least one element is empty.
    #[error("{op}: `{argument}` is empty")]
    Empty {
        /// The refusing function.
        op: &'static str,
        /// The argument's name.
        argument: &'static str,
    },
    /// An entry is NaN or infinite.
    #[error("{op}: `{argument}` is not finite at index {index:?}")]
    NotFinite {
        /// The refusing function.
        op: &'static str,
        /// The argument's name.
        argument: &'static str,
        /// Position of the first offending entry.
        index: Vec<usize>,
    },
    /// Probabilities of a row that do not sum to one.
    #[error("{op}: row {row} of `{argument}` sums to {sum}, expected 1 (within 0.001)")]
    NotNormalized {
        /// The refusing function.
        op: &'static str,
        /// The argument's name.
        argument: &'static str,
        /// The first such row, all axes but the last counted through.
        row: usize,
        /// What it sums to.
        sum: f64,
    },
    /// A scalar lies outside the accepted region.
    #[error("{op}: `{argument}` is {value}, expected {expected}")]
    OutOfRange {
        /// The refusing function.
        op: &'static str,
        /// The argument's name.
        argument: &'static str,
        /// What came.
        value: f64,
        /// The accepted region, in words.
        expected: &'static str,
    },
    /// An instruction set is asked for that does not exist or that this machine lacks.
    #[error("{variable}: expected one of {expected} on this machine, got `{asked}`")]
    InstructionSet {
        /// The environment variable that asked.
        variable: &'static str,
        /// What it asked for.
        asked: String,
        /// The names that this machine knows.
        expected: String,
    },
    /// A class label is not below the number of classes.
    #[error("{op}: label {label} at row {row} is not below the number of classes {n_classes}")]
    LabelOutOfRange {
        /// The refusing function.
        op: &'static str,
        /// Row of the first offending label.
        row: usize,
        /// The label that came.
        label: usize,
        /// The number of classes.
        n_classes: usize,
    },
    /// A metric or a task needs two classes but saw one.
    #[error("{op}: all {n} labels belong to class {class}; at least two classes are needed")]
    OneClass {
        /// The refusing function.
        op: &'static str,
        /// The only class present.
        class: usize,
        /// How many labels were given.
        n: usize,
    },
    /// The combination is not defined for this likelihood or form.
    #[error("{op}: not defined for {what}")]
    Undefined {
        /// The refusing function.
        op: &'static str,
        /// What was asked for.
        what: &'static str,
    },
    /// A matrix factorization failed.
    #[error("{op}: {factorization} failed on a {rows}x{rows} matrix (is it symmetric positive definite?)")]
    Factorization {
        /// The refusing function.
        op: &'static str,
        /// Which factorization.
        factorization: &'static str,
        /// Number of rows.
        rows: usize,
    },
}

/// Refuses a flat slice of the wrong length.
pub(crate) fn check_len(
    op: &'static str,
    argument: &'static str,
    got: usize,
    expected: usize,
) -> Result<(), Error> {
    if got == expected {
        return Ok(());
    }
    Err(Error::ShapeMismatch { op, argument, expected: vec![expected], got: vec![got] })
}
