//! What the table reader refuses; rows are 1-based lines of the file, the header included.
//!
//! Not for files that cannot be opened; see [`crate::Error::Io`].

use std::path::PathBuf;

use thiserror::Error as ThisError;

use crate::error::hint_text;

/// A refused table, row, column or cell.
#[derive(Debug, Clone, PartialEq, ThisError)]
#[non_exhaustive]
pub enum TableError {
    /// The file has no header and no rows.
    #[error("{}: the file is empty; expected a header line and rows", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The file ends after the header.
    #[error("{}: only a header line with {columns} columns, no rows", path.display())]
    HeaderOnly {
        /// The file.
        path: PathBuf,
        /// Number of columns in the header.
        columns: usize,
    },
    /// The first line holds numbers instead of names.
    #[error("{}: the first line holds numbers (`{first}`, ...); expected a header line with column names", path.display())]
    NoHeader {
        /// The file.
        path: PathBuf,
        /// The first cell.
        first: String,
    },
    /// A byte sequence is not UTF-8.
    #[error("{}: row {row}, field {field} is not UTF-8 text; save the table as UTF-8", path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// 1-based line.
        row: usize,
        /// 1-based field.
        field: usize,
    },
    /// A row has another number of fields than the header.
    #[error("{}: row {row} has {got} fields, expected {expected} as in the header", path.display())]
    RaggedRow {
        /// The file.
        path: PathBuf,
        /// 1-based line.
        row: usize,
        /// Number of columns in the header.
        expected: usize,
        /// Number of fields in the row.
        got: usize,
    },
    /// Two columns share a name.
    #[error("{}: column `{column}` occurs twice, at positions {first} and {second}", path.display())]
    DuplicateColumn {
        /// The file.
        path: PathBuf,
        /// The name.
        column: String,
        /// 1-based position of the first.
        first: usize,
        /// 1-based position of the second.
        second: usize,
    },
    /// A column has no name.
    #[error("{}: column {position} has no name; name it, remove it, or ignore the column named \"\"", path.display())]
    UnnamedColumn {
        /// The file.
        path: PathBuf,
        /// 1-based position.
        position: usize,
    },
    /// A column is not in the header.
    #[error("{}: no column `{column}`{}; columns: {}", path.display(), hint_text(hint), available.join(", "))]
    MissingColumn {
        /// The file.
        path: PathBuf,
        /// The name that was looked for.
        column: String,
        /// The nearest name in the header.
        hint: Option<String>,
        /// The header.
        available: Vec<String>,
    },
    /// The table has columns that the schema does not know.
    #[error("{}: {got} feature columns, expected {expected}; not in the schema: {}", path.display(), unexpected.join(", "))]
    UnexpectedColumns {
        /// The file.
        path: PathBuf,
        /// Number of feature columns of the schema.
        expected: usize,
        /// Number of columns in the file, target and ignored columns not counted.
        got: usize,
        /// The unknown columns.
        unexpected: Vec<String>,
    },
    /// No column is left to predict from.
    #[error("{}: no feature columns beside the target `{target}`", path.display())]
    NoFeatures {
        /// The file.
        path: PathBuf,
        /// The target column.
        target: String,
    },
    /// A numeric column holds text.
    #[error("{}: row {row}, column `{column}`: `{value}` is not a number; mend the cell or list the column as categorical", path.display())]
    TextInNumericColumn {
        /// The file.
        path: PathBuf,
        /// 1-based line.
        row: usize,
        /// The column.
        column: String,
        /// The cell.
        value: String,
    },
    /// A number is NaN, infinite or beyond single precision.
    #[error("{}: row {row}, column `{column}`: `{value}` is not a finite single-precision number", path.display())]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// 1-based line.
        row: usize,
        /// The column.
        column: String,
        /// The cell.
        value: String,
    },
    /// A cell is missing and imputation was not chosen.
    #[error("{}: row {row}, column `{column}`: missing value (`{value}`); choose an imputation or remove the row", path.display())]
    MissingValue {
        /// The file.
        path: PathBuf,
        /// 1-based line.
        row: usize,
        /// The column.
        column: String,
        /// The missing-value token that stands there.
        value: String,
    },
    /// A target is missing; targets are never imputed.
    #[error("{}: row {row}: the target `{column}` is missing (`{value}`); targets are never imputed", path.display())]
    MissingTarget {
        /// The file.
        path: PathBuf,
        /// 1-based line.
        row: usize,
        /// The target column.
        column: String,
        /// The missing-value token that stands there.
        value: String,
    },
    /// A column has no value from which an imputation could be fitted.
    #[error("{}: column `{column}` has no values in the training rows; ignore it", path.display())]
    NoValues {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
    },
    /// A classification target has one class.
    #[error("{}: target `{column}` has one class (`{class}`) in {rows} rows; at least two are needed", path.display())]
    OneClass {
        /// The file.
        path: PathBuf,
        /// The target column.
        column: String,
        /// The only class.
        class: String,
        /// Number of rows looked at.
        rows: usize,
    },
    /// A level or class did not occur when the schema was fitted.
    #[error("{}: row {row}, column `{column}`: unknown level `{level}`{}; known: {}", path.display(), hint_text(hint), known.join(", "))]
    UnknownLevel {
        /// The file.
        path: PathBuf,
        /// 1-based line.
        row: usize,
        /// The column.
        column: String,
        /// The level that came.
        level: String,
        /// The nearest known level.
        hint: Option<Box<str>>,
        /// The first known levels.
        known: Box<[String]>,
    },
    /// A categorical column has too many levels to be one-hot encoded.
    #[error("{}: column `{column}` has {levels} levels, more than the limit of {limit}; leave it out or raise `max_levels`", path.display())]
    TooManyLevels {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// Number of levels.
        levels: usize,
        /// The limit in force.
        limit: usize,
    },
    /// The target is listed among the ignored columns.
    #[error("the target `{column}` is listed among the ignored columns")]
    TargetIgnored {
        /// The target column.
        column: String,
    },
    /// The field separator is not an ASCII character.
    #[error("the field separator {delimiter:?} is not one ASCII character other than a quote or a line end")]
    Delimiter {
        /// The separator.
        delimiter: char,
    },
}
