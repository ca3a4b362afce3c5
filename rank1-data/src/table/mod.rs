//! A user's own table: a delimited text file with a header, numeric and categorical columns, and a target named by the user.
//!
//! Not for headerless number files (see [`crate::UciSet`]) and not for normalization (see [`crate::Normalizer`]).
//!
//! A [`CsvSchema`] is fitted on a training file and applied to every later file, so that columns, one-hot levels, class
//! numbers and imputed values stay the same. Rules:
//! - Cells are trimmed; blank lines are skipped; a UTF-8 byte order mark is allowed. Rows in messages are lines of the file.
//! - A column whose every non-missing cell is text is categorical; a column of numbers is numeric; a mixture is an error
//!   unless the column is listed in [`CsvOptions::categorical`].
//! - Inputs are single precision: consecutive large integers (above 2^24) cannot all be told apart.
//! - Columns are found by name; their order in later files does not matter.

mod assemble;
mod encode;
pub(crate) mod error;
mod fit;
mod numeric;
mod options;
mod read;
mod schema;

pub use assemble::{TestPart, load_table};
pub use options::{CsvOptions, Missing, UnknownLevels};
pub use schema::{Column, ColumnKind, CsvSchema, TargetKind};
