//! Parquet files: the same table as CSV and as Parquet is the same, whole and in blocks.
#![allow(clippy::unwrap_used)]

mod blocks;
mod refused;
mod types;
mod writing;
