//! What the reader of Parquet files refuses, each in one line.
//!
//! Not for cells; see [`TableError`](super::super::error::TableError).

use std::path::PathBuf;

use thiserror::Error as ThisError;

/// A Parquet file that is not read, or one of its columns.
#[derive(Debug, Clone, PartialEq, ThisError)]
#[non_exhaustive]
pub enum ParquetError {
    /// The build reads no Parquet.
    #[error("{}: is a Parquet file, which this build does not read; build it with the Cargo feature `parquet`, or save the table as CSV", path.display())]
    NotBuilt {
        /// The file.
        path: PathBuf,
    },
    /// The file is cut or damaged.
    #[error("{}: truncated or corrupt Parquet file: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the decoder says, in one line.
        reason: String,
    },
    /// A column holds what no cell of a table can hold.
    #[error("{}: column `{column}` is of the type {kind}, which is not read; leave it out with data.ignore = [{column:?}], or store it as numbers or text", path.display())]
    Type {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// Its type, such as `list` or `binary`.
        kind: String,
    },
    /// The pages of a column are packed otherwise than by the codecs that are built in.
    #[error("{}: column `{column}` is packed by {codec}, which is not read; write the file with Snappy, gzip, Zstandard or without packing", path.display())]
    Packing {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// The codec, such as `Brotli`.
        codec: String,
    },
}

impl ParquetError {
    /// With the column in which a page is damaged.
    #[cfg(feature = "parquet")]
    pub(super) fn of_column(self, column: &str) -> Self {
        match self {
            Self::Damaged { path, reason } => {
                Self::Damaged { path, reason: format!("column `{column}`: {reason}") }
            }
            other => other,
        }
    }
}
