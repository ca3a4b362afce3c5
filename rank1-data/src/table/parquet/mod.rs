//! Parquet files as rows of text cells: the same cells as the CSV of the same table.
//!
//! Not for the meaning of cells; see [`super::fit`] and [`super::encode`]. Without the feature `parquet` such a file is refused
//! with a line that says so.

#[cfg(not(feature = "parquet"))]
mod absent;
#[cfg(feature = "parquet")]
mod cells;
#[cfg(feature = "parquet")]
mod column;
mod error;
#[cfg(feature = "parquet")]
mod file;

pub use error::ParquetError;

#[cfg(not(feature = "parquet"))]
pub(super) use absent::{ParquetRows, table};
#[cfg(feature = "parquet")]
pub(super) use file::{ParquetRows, table};
