//! A user's own table: a delimited text file with a header, or a Parquet file, numeric and categorical columns, and a target named by the user.
//!
//! Not for headerless number files (see [`crate::UciSet`]) and not for normalization (see [`crate::Normalizer`]).
//!
//! A [`CsvSchema`] is fitted on a training file and applied to every later file, so that columns, one-hot levels, class
//! numbers and imputed values stay the same. Rules:
//! - Files are UTF-8 text, plain or packed by gzip, xz or zstd, which the first bytes tell. Separator (comma, semicolon, tab or
//!   pipe) and decimal mark are found out unless they are given. Cells are trimmed; blank lines are skipped; a byte order mark
//!   is allowed. Rows in messages are counted as in predictions, from 1 without the header, with the line of the file.
//! - A column whose every non-missing cell is text is categorical; a column of numbers is numeric; a mixture is an error
//!   unless the column is listed in [`CsvOptions::categorical`]. Columns of dates are refused unless [`CsvOptions::dates`] makes
//!   calendar parts of them; numbers with thousands separators or units are refused rather than read as text.
//! - In columns of numbers the cells of [`MISSING_TOKENS`] are missing, in columns of text only empty cells are.
//! - Numbers are read in double precision and standardized before they are rounded to single precision.
//! - The values of a Parquet file become the cells that the CSV of the same table has.
//! - Columns are found by name; their order in later files does not matter.
//! - What was guessed or filled is returned as [`TableNote`]s.

mod assemble;
mod blocks;
mod bytes;
mod calendar;
mod carries;
mod date_column;
mod date_format;
mod decimal;
mod describe;
mod dialect;
mod encode;
pub(crate) mod error;
mod fit;
mod groups;
mod index_column;
mod levels;
mod missing;
mod named;
mod notes;
mod numeric;
mod options;
mod parquet;
mod parts;
mod place;
mod places;
mod quotes;
mod read;
mod rows;
mod schema;
mod stream;
mod target;
mod truth;
mod unpack;
mod useless;
mod written;

pub use assemble::{LoadedTable, TestPart, load_table};
pub use blocks::{InputBlock, InputBlocks};
pub use date_column::DateColumn;
pub use date_format::DateFormat;
pub use describe::ColumnSummary;
pub use encode::TableInputs;
pub use error::{KnownLevels, NamedCell};
pub use groups::{InputGroup, InputKind};
pub use missing::MISSING_TOKENS;
pub use notes::TableNote;
pub use options::{CsvOptions, Dates, Missing, ReadingChanges, UnknownLevels};
pub use parquet::ParquetError;
pub use parts::{LoadedParts, PartError, PartRows, Shares, TableParts, load_parts};
pub use place::RowPlace;
pub use places::{MissingPlace, Places};
pub use schema::{Column, ColumnKind, CsvSchema, TargetKind};
pub use truth::TruthColumn;
