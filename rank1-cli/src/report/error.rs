//! What can be wrong with a run folder that a report is asked to show; drawing itself has no failures of its own.

use std::path::PathBuf;

/// Why a run folder cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The folder itself is not there.
    #[error("{}: no such run folder", path.display())]
    MissingFolder {
        /// The folder that was asked for.
        path: PathBuf,
    },
    /// One file of the folder is not there, so the run is not finished.
    #[error("{}: missing, the run is not complete; {remedy}", path.display())]
    MissingFile {
        /// The file that was expected.
        path: PathBuf,
        /// The command that writes it.
        remedy: &'static str,
    },
    /// The operating system refused to read a file.
    #[error("{}: cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A JSON document is cut off, malformed or lacks a field.
    #[error("{}: line {line}, column {column}: {reason}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Line of the problem, from 1.
        line: usize,
        /// Column of the problem, from 1; 0 when the document as a whole is at fault.
        column: usize,
        /// The parser's reason.
        reason: String,
    },
    /// The table of epochs lacks a column.
    #[error("{}: no column \"{column}\"", path.display())]
    MissingColumn {
        /// The file.
        path: PathBuf,
        /// The column that was expected.
        column: &'static str,
    },
    /// A row of the table of epochs is ragged or not valid UTF-8.
    #[error("{}: line {line}: {reason}", path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// Line in the file, from 1.
        line: u64,
        /// The parser's reason.
        reason: String,
    },
    /// A cell of the table of epochs is not a number.
    #[error("{}: line {line}, column \"{column}\": expected a number, got \"{value}\"", path.display())]
    Cell {
        /// The file.
        path: PathBuf,
        /// Line in the file, from 1.
        line: u64,
        /// Name of the column.
        column: String,
        /// What was found.
        value: String,
    },
    /// A curve or histogram of the evaluation contradicts itself.
    #[error("{}: `{field}` {reason}", path.display())]
    Inconsistent {
        /// The file.
        path: PathBuf,
        /// The field at fault.
        field: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
}
