//! The place of each row in time, from a column of dates or numbers.
//!
//! Not for inputs; see [`DateColumn`](super::super::DateColumn).

use super::super::date_format::DateFormat;
use super::super::error::TableError;
use super::super::missing::Tokens;
use super::super::options::CsvOptions;
use super::super::read::{Cell, Table};
use super::column::refused;

/// Numbers as they are, dates in days.
///
/// # Errors
/// [`TableError::Part`] for a missing cell or one that is neither, [`TableError::UnreadableDate`],
/// [`TableError::AmbiguousDates`], [`TableError::TextInNumericColumn`] and the like.
pub(super) fn moments(table: &Table, position: usize, options: &CsvOptions) -> Result<Vec<f64>, TableError> {
    let cells = table.column(position);
    let tokens = Tokens(options.missing_tokens.as_deref());
    if let Some(cell) = cells.clone().find(|cell| tokens.in_numbers(cell.text())) {
        return Err(refused(cell, "a date or a number").into());
    }
    if cells.clone().next().is_some_and(Cell::is_number) {
        return cells.map(Cell::number).collect();
    }
    match DateFormat::of_cells(cells.clone(), options.day_first)? {
        Some(format) => cells.map(|cell| Ok(format.read_cell(cell)?.elapsed())).collect(),
        None => {
            Err(refused(table.cell(0, position), "a date with a year of four digits, or a number").into())
        }
    }
}
