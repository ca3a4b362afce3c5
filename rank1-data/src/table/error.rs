//! What the table reader refuses; rows are counted as predictions count them, from 1 without the header, with the line of the file.
//!
//! Not for files that cannot be opened; see [`crate::Error::Io`].

use std::path::PathBuf;

use thiserror::Error as ThisError;

pub use super::named::{KnownLevels, NamedCell};
use super::parquet::ParquetError;
use super::parts::PartError;
use super::place::{RowPlace, shown_list};
use super::rows::LONGEST_ROW;
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
    #[error("{}: {row}, field {field} is not UTF-8 text; save the table as UTF-8", path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// The row.
        row: RowPlace,
        /// 1-based field.
        field: usize,
    },
    /// A row has another number of fields than the header.
    #[error("{}: {row} has {got} fields, expected {expected} as in the header; cells are separated by {separator:?}, data.delimiter says otherwise", path.display())]
    RaggedRow {
        /// The file.
        path: PathBuf,
        /// The row.
        row: RowPlace,
        /// Number of columns in the header.
        expected: usize,
        /// Number of fields in the row.
        got: usize,
        /// The separator in force.
        separator: char,
    },
    /// The file is no UTF-8 text at all.
    #[error("{}: is {what}; expected a table as UTF-8 text, plain or packed by gzip, xz or zstd, or a Parquet file", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// What the first bytes are.
        what: &'static str,
    },
    /// A packed file unpacks to more than is read.
    #[error("{}: {format} data of more than {} MiB; unpack the file first", path.display(), bound >> 20)]
    UnpacksTooLarge {
        /// The file.
        path: PathBuf,
        /// `gzip`, `xz` or `zstd`.
        format: &'static str,
        /// The bound in bytes.
        bound: u64,
    },
    /// A file grew, shrank or was replaced while it was read.
    #[error("{}: changed while it was read ({before} bytes at first, {read} read); read it again when it is complete", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
        /// Bytes when it was opened.
        before: u64,
        /// Bytes that were read.
        read: u64,
    },
    /// A quote is opened and never closed.
    #[error("{}: the quote that is opened on line {line} is never closed", path.display())]
    UnclosedQuote {
        /// The file.
        path: PathBuf,
        /// 1-based line.
        line: usize,
    },
    /// A row is too long to be read in blocks.
    #[error("{}: {row} is longer than {} MiB; a quote that is opened there may never be closed", path.display(), LONGEST_ROW >> 20)]
    LongRow {
        /// The file.
        path: PathBuf,
        /// The row.
        row: RowPlace,
    },
    /// A Parquet file that is not read.
    #[error(transparent)]
    Parquet(#[from] ParquetError),
    /// Two separators divide header and rows into equal numbers of fields.
    #[error("{}: cells may be separated by {first:?} or by {second:?}; say which with data.delimiter", path.display())]
    AmbiguousSeparator {
        /// The file.
        path: PathBuf,
        /// One separator.
        first: char,
        /// The other.
        second: char,
    },
    /// Some columns have decimal points and some decimal commas.
    #[error("{}: {point} has a decimal point, {comma} a decimal comma; say which is the decimal mark with data.decimal, or that a column is no number with data.categorical or data.ignore", path.display())]
    TwoDecimalMarks {
        /// The file.
        path: PathBuf,
        /// A cell with a point.
        point: Box<NamedCell>,
        /// A cell with a comma.
        comma: Box<NamedCell>,
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
    #[error("{}: column {position} has no name; leave it out with data.ignore = [\"\"] (an index that pandas wrote?) or name it", path.display())]
    UnnamedColumn {
        /// The file.
        path: PathBuf,
        /// 1-based position.
        position: usize,
    },
    /// A column is not in the header.
    #[error("{}: no column `{column}`{}; columns: {}{}", path.display(), hint_text(hint), shown_list(available).join(", "), super::named::one_column(available))]
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
    #[error("{}: {got} feature columns, expected {expected}; not among the columns of training: {}; data.ignore leaves columns out", path.display(), shown_list(unexpected).join(", "))]
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
    #[error("{}: {row}, column `{column}`: `{value}` is not a number; mend the cell, list it in data.missing_tokens if it stands for a missing value, or the column in data.categorical", path.display())]
    TextInNumericColumn {
        /// The file.
        path: PathBuf,
        /// The row.
        row: RowPlace,
        /// The column.
        column: String,
        /// The cell.
        value: String,
    },
    /// A number is NaN, infinite or beyond single precision.
    #[error("{}: {row}, column `{column}`: `{value}` is not a finite single-precision number", path.display())]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// The row.
        row: RowPlace,
        /// The column.
        column: String,
        /// The cell.
        value: String,
    },
    /// A cell is missing and imputation was not chosen.
    #[error("{}: {row}, column `{column}`: missing value (`{value}`); training with data.missing = \"mean\" or \"median\" fills it, or remove the row", path.display())]
    MissingValue {
        /// The file.
        path: PathBuf,
        /// The row.
        row: RowPlace,
        /// The column.
        column: String,
        /// The missing-value token that stands there.
        value: String,
    },
    /// A text that often stands for a missing value, in a column of text of a table whose missing cells are refused.
    #[error("{}: {row}, column `{column}`: `{value}` in a column of text may be a value or stand for a missing one; say that it is a value with data.missing_tokens = [], or missing with data.missing_tokens = [{value:?}]", path.display())]
    DoubtfulValue {
        /// The file.
        path: PathBuf,
        /// The row.
        row: RowPlace,
        /// The column.
        column: String,
        /// The text.
        value: String,
    },
    /// A target is missing; targets are never imputed.
    #[error("{}: {row}: the target `{column}` is missing (`{value}`); targets are never imputed", path.display())]
    MissingTarget {
        /// The file.
        path: PathBuf,
        /// The row.
        row: RowPlace,
        /// The target column.
        column: String,
        /// The missing-value token that stands there.
        value: String,
    },
    /// A column has no value from which an imputation could be fitted.
    #[error("{}: column `{column}` has no values in the training rows; leave it out with data.ignore", path.display())]
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
    #[error("{}: {row}, column `{column}`: unknown level `{level}`{}; known: {}; data.unknown = \"missing\" reads it as none of them", path.display(), hint_text(&known.hint), shown_list(&known.levels).join(", "))]
    UnknownLevel {
        /// The file.
        path: PathBuf,
        /// The row.
        row: RowPlace,
        /// The column.
        column: String,
        /// The level that came.
        level: String,
        /// The levels of training.
        known: Box<KnownLevels>,
    },
    /// A class did not occur when the schema was fitted.
    #[error("{}: {row}, target `{column}`: unknown class `{level}`{}; known: {}", path.display(), hint_text(&known.hint), shown_list(&known.levels).join(", "))]
    UnknownClass {
        /// The file.
        path: PathBuf,
        /// The row.
        row: RowPlace,
        /// The target column.
        column: String,
        /// The class that came.
        level: String,
        /// The classes of training.
        known: Box<KnownLevels>,
    },
    /// Two levels differ only in how a number or a truth value is written.
    #[error("{}: column `{column}` has the levels `{first}` and `{second}`, which mean the same; write them alike", path.display())]
    LevelWrittenTwice {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// One level.
        first: String,
        /// The other.
        second: String,
    },
    /// A number is written in a way that could be read as several numbers.
    #[error("{}: {row}, column `{column}`: `{value}` is not a number as it stands: {problem}", path.display())]
    NumberWrittenOtherwise {
        /// The file.
        path: PathBuf,
        /// The row.
        row: RowPlace,
        /// The column.
        column: String,
        /// The cell.
        value: String,
        /// Why, and what changes it.
        problem: &'static str,
    },
    /// A column holds dates.
    #[error("{}: {row}, column `{column}`: `{value}` is a date or time, which is not read as an input; leave the column out with data.ignore, or list it in data.categorical to use each date as a level", path.display())]
    Dates {
        /// The file.
        path: PathBuf,
        /// The first row.
        row: RowPlace,
        /// The column.
        column: String,
        /// The cell.
        value: String,
    },
    /// A cell of a column of dates is none, or is written otherwise than the others.
    #[error("{}: {row}, column `{column}`: `{value}` is not a date of the form {expected}; mend the cell, list it in data.missing_tokens if it stands for a missing value, or the column in data.categorical or data.ignore", path.display())]
    UnreadableDate {
        /// The file.
        path: PathBuf,
        /// The row.
        row: RowPlace,
        /// The column.
        column: String,
        /// The cell.
        value: String,
        /// The form of the column.
        expected: String,
    },
    /// No date of a column tells days from months.
    #[error("{}: {row}, column `{column}`: `{value}` may begin with a day or a month, as all dates of the column; say which with data.day_first = true or false", path.display())]
    AmbiguousDates {
        /// The file.
        path: PathBuf,
        /// The first row.
        row: RowPlace,
        /// The column.
        column: String,
        /// The cell.
        value: String,
    },
    /// The rows cannot be divided as asked.
    #[error(transparent)]
    Part(#[from] PartError),
    /// A target of text has about as many texts as rows.
    #[error("{}: the target `{column}` is text with {levels} different values in {rows} rows (`{first}`, ...), which are hardly classes; set data.decimal or data.delimiter if they are numbers, or list it in data.categorical if they are classes", path.display())]
    TargetMostlyDistinct {
        /// The file.
        path: PathBuf,
        /// The target column.
        column: String,
        /// Number of different texts.
        levels: usize,
        /// Number of rows.
        rows: usize,
        /// The first of them.
        first: String,
    },
    /// A categorical column has too many levels to be one-hot encoded.
    #[error("{}: column `{column}` has {levels} levels, more than the limit of {limit}; leave it out with data.ignore, raise data.max_levels, or set data.decimal or data.delimiter if they are numbers", path.display())]
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
    #[error("the target `{column}` is listed in data.ignore")]
    TargetIgnored {
        /// The target column.
        column: String,
    },
    /// The field separator is not an ASCII character.
    #[error(
        "data.delimiter: the separator {delimiter:?} is not one ASCII character other than a quote or a line end"
    )]
    Delimiter {
        /// The separator.
        delimiter: char,
    },
}
