//! Why rows cannot be divided as asked.
//!
//! Not for cells of inputs and targets; see [`TableError`](crate::TableError).

use std::path::PathBuf;

use thiserror::Error as ThisError;

use super::super::named::NamedCell;
use super::super::place::RowPlace;

/// A division of rows that was refused.
#[derive(Debug, Clone, PartialEq, ThisError)]
#[non_exhaustive]
pub enum PartError {
    /// A part has fewer rows than can be measured.
    #[error("{}: the {part} part has {rows} of the rows, at least {least} are needed; ask for other shares or give more rows", path.display())]
    TooFewRows {
        /// The file.
        path: PathBuf,
        /// `training`, `validation` or `test`.
        part: &'static str,
        /// Number of its rows.
        rows: usize,
        /// The least number.
        least: usize,
    },
    /// There are fewer groups than parts.
    #[error("{}: column `{column}` has {groups} groups, fewer than the {parts} parts; no group may be in two of them", path.display())]
    TooFewGroups {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// Number of groups.
        groups: usize,
        /// Number of parts.
        parts: usize,
    },
    /// There are fewer different times than parts.
    #[error("{}: column `{column}` has {times} different times, too few for {parts} parts; rows of the same time stay together", path.display())]
    TooFewTimes {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// Number of different times.
        times: usize,
        /// Number of parts.
        parts: usize,
    },
    /// A cell of the column that divides the rows is missing or says something else.
    #[error("{}: {cell} expected {expected}, for the column divides the rows into parts", path.display())]
    Cell {
        /// The file.
        path: PathBuf,
        /// The cell.
        cell: Box<NamedCell>,
        /// What it should be.
        expected: &'static str,
    },
    /// The column that divides the rows is the target.
    #[error("the target `{column}` cannot divide the rows into parts")]
    Target {
        /// The column.
        column: String,
    },
    /// A file of row numbers is not of the expected form.
    #[error("{}: {reason}; expected {{\"train\": [rows], \"validation\": [rows], \"test\": [rows]}} with rows counted from 0", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// What the reader says, on one line.
        reason: String,
    },
    /// A file of row numbers names a row that does not exist.
    #[error("{}: row {row} of the {part} part; the table has {rows} rows, counted from 0", path.display())]
    NoSuchRow {
        /// The file of row numbers.
        path: PathBuf,
        /// `training`, `validation` or `test`.
        part: &'static str,
        /// The row, from 0.
        row: usize,
        /// Number of rows of the table.
        rows: usize,
    },
    /// A file of row numbers names a row twice.
    #[error("{}: row {row} (counted from 0) stands twice, in the {first} and the {second} part", path.display())]
    RowTwice {
        /// The file of row numbers.
        path: PathBuf,
        /// The row, from 0.
        row: usize,
        /// The part that has it already.
        first: &'static str,
        /// The part that names it again.
        second: &'static str,
    },
    /// Targets are missing; they are never filled.
    #[error("{}: {n} of {rows} rows have no target `{column}`, the first is {row} (`{value}`); targets are never imputed, so remove these rows", path.display())]
    MissingTargets {
        /// The file.
        path: PathBuf,
        /// The target column.
        column: String,
        /// Number of rows without target.
        n: usize,
        /// Number of rows looked at.
        rows: usize,
        /// The first of them.
        row: RowPlace,
        /// What stands there.
        value: String,
    },
}
