//! What the clinical readers refuse, with the file and row or the record it is about.
//!
//! Not for values that are merely implausible or late: those are counted and left out, see the readers' `Discards`.

use std::path::PathBuf;

use thiserror::Error as ThisError;

/// A refused clinical file, record or argument.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum ClinicalError {
    /// A set is not named by one ASCII letter.
    #[error("`{got}` names no set, expected one letter as in `set-a`")]
    SetLetter {
        /// The character that came.
        got: char,
    },
    /// The first line of a file is not the published header.
    #[error("{}: the header is `{got_shown}`, expected `{expected}`", file.display(), got_shown = crate::error::short(got))]
    Header {
        /// The file.
        file: PathBuf,
        /// The header that was expected.
        expected: &'static str,
        /// The first line.
        got: String,
    },
    /// A required column is not in the header.
    #[error("{}: no column `{column}` among {names}", file.display(), names = crate::error::short(format!("{got:?}")))]
    Column {
        /// The file.
        file: PathBuf,
        /// The missing column.
        column: &'static str,
        /// The columns that came.
        got: Vec<String>,
    },
    /// A row has another number of fields than the header.
    #[error("{}: row {row} has {got} field(s), expected {expected}", file.display())]
    Fields {
        /// The file.
        file: PathBuf,
        /// 1-based line.
        row: u64,
        /// Number of fields of the header.
        expected: usize,
        /// Number that came.
        got: usize,
    },
    /// A field cannot be read.
    #[error("{}: row {row}, `{column}`: `{value_shown}` is not {expected}", file.display(), value_shown = crate::error::short(value))]
    Field {
        /// The file.
        file: PathBuf,
        /// 1-based line.
        row: u64,
        /// The column or parameter.
        column: String,
        /// What stands there.
        value: String,
        /// What was expected, in words.
        expected: &'static str,
    },
    /// The record number inside a file is not the one it is named by.
    #[error("{}: row {row}: RecordID {found}, expected {expected} as in the file's name", file.display(), found = crate::error::short(got))]
    RecordId {
        /// The file.
        file: PathBuf,
        /// 1-based line.
        row: u64,
        /// The number in the file name.
        expected: u64,
        /// What stands in the file.
        got: String,
    },
    /// A set holds no record file.
    #[error("{}: no record files (`<number>.txt`)", file.display())]
    NoRecords {
        /// The folder or archive.
        file: PathBuf,
    },
    /// A record has no outcome.
    #[error("{}: no outcome for record {id}", file.display())]
    OutcomeMissing {
        /// The outcome file.
        file: PathBuf,
        /// The record.
        id: u64,
    },
    /// An outcome has no record.
    #[error("{}: no file for record {id}, which has an outcome", file.display())]
    RecordMissing {
        /// The folder or archive of records.
        file: PathBuf,
        /// The record.
        id: u64,
    },
    /// A record has two outcomes.
    #[error("{}: row {row}: record {id} already has an outcome", file.display())]
    OutcomeRepeated {
        /// The outcome file.
        file: PathBuf,
        /// 1-based line.
        row: u64,
        /// The record.
        id: u64,
    },
    /// Every record has the same outcome.
    #[error("{}: all {records} records have the outcome {outcome}, expected both", file.display())]
    OneClass {
        /// The outcome file.
        file: PathBuf,
        /// Number of records.
        records: usize,
        /// `0` (survived) or `1` (died).
        outcome: u8,
    },
    /// A row to fit on does not exist.
    #[error("{op}: row {row} is not below the number of stays {stays}")]
    Row {
        /// The refusing function.
        op: &'static str,
        /// The row.
        row: usize,
        /// The number of stays.
        stays: usize,
    },
    /// A delimited file breaks off or is not delimited as published.
    #[error("{}: row {row}: {problem_shown}", file.display(), problem_shown = crate::error::short(problem))]
    Csv {
        /// The file.
        file: PathBuf,
        /// 1-based line.
        row: u64,
        /// The decoder's reason.
        problem: String,
    },
    /// An option is impossible.
    #[error("option `{option}`: {problem_shown}", problem_shown = crate::error::short(problem))]
    Choice {
        /// The option.
        option: &'static str,
        /// What is wrong, in words.
        problem: String,
    },
    /// The stays that are left do not make a benchmark.
    #[error("cohort of {stays} stay(s): {problem_shown}", problem_shown = crate::error::short(problem))]
    Cohort {
        /// Number of stays that met the rules.
        stays: usize,
        /// What is wrong, in words.
        problem: String,
    },
    /// The arrays would be larger than allowed.
    #[error(
        "{stays} stays of {steps} steps and {features} features need {needed} bytes, more than `memory_limit` {limit}"
    )]
    Memory {
        /// Stays of the cohort.
        stays: usize,
        /// Steps of a stay.
        steps: usize,
        /// Values per step.
        features: usize,
        /// Bytes at the peak.
        needed: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// A stored scaler does not fit the table of parameters, or holds an impossible number.
    #[error("scaler: `{field}`: {problem_shown}", problem_shown = crate::error::short(problem))]
    Scaler {
        /// The field.
        field: &'static str,
        /// What is wrong, in words.
        problem: String,
    },
}
