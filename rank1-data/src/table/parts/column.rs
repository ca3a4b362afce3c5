//! Parts that a column names.
//!
//! Not for groups; see [`super::grouped`].

use super::super::read::{Cell, Table};
use super::{PartError, PartRows};

/// The rows by what the cells of a column say.
///
/// # Errors
/// [`PartError::Cell`] for another word.
pub(super) fn by_column(table: &Table, position: usize) -> Result<PartRows, PartError> {
    let mut rows = PartRows::default();
    for (row, cell) in table.column(position).enumerate() {
        match cell.text().to_ascii_lowercase().as_str() {
            "train" => rows.train.push(row),
            "validation" | "valid" => rows.validation.push(row),
            "test" => rows.test.push(row),
            _ => return Err(refused(cell, "`train`, `validation` or `test`")),
        }
    }
    Ok(rows)
}

/// A cell that says nothing about the part of its row.
pub(super) fn refused(cell: Cell<'_>, expected: &'static str) -> PartError {
    let (path, ..) = cell.place();
    PartError::Cell { path, cell: Box::new(cell.named()), expected }
}
