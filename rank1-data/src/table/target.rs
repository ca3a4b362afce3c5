//! Learning how the target is read: a quantity or classes, with what a guess must not pass over in silence.
//!
//! Not for feature columns; see [`super::fit`].

use super::error::TableError;
use super::fit::{check_level_count, check_no_doubt, check_text};
use super::levels::{check_written_alike, sorted_levels};
use super::missing::Tokens;
use super::notes::TableNote;
use super::options::CsvOptions;
use super::place::shown;
use super::read::{Cell, Table};
use super::schema::TargetKind;
use crate::Task;

/// Texts that are certainly few enough to be classes.
const FEW: usize = 10;

pub(super) fn fit_target(
    table: &Table,
    position: usize,
    options: &CsvOptions,
    rows: &[usize],
) -> Result<TargetKind, TableError> {
    let column = &table.header[position];
    let tokens = Tokens(options.missing_tokens.as_deref());
    let listed = options.categorical.contains(column);
    let task = guessed_task(table, position, options);
    let is_missing = |cell: &Cell<'_>| match task {
        Task::Regression => tokens.in_numbers(cell.text()),
        Task::Classification => tokens.in_text(cell.text()),
    };
    if let Some(cell) = table.column(position).find(is_missing) {
        return Err(missing_target(cell));
    }
    if task == Task::Regression {
        for cell in table.column(position) {
            cell.number()?;
        }
        return Ok(TargetKind::Value);
    }
    if options.task.is_none() && !listed {
        check_text(table.column(position))?;
    }
    check_no_doubt(table.column(position), options)?;
    let names = sorted_levels(table.column(position));
    if options.task.is_none() && !listed && names.len() > FEW && 2 * names.len() > table.n_rows() {
        return Err(TableError::TargetMostlyDistinct {
            path: table.path.clone(),
            column: shown(column),
            levels: names.len(),
            rows: table.n_rows(),
            first: shown(table.cell(0, position).text()),
        });
    }
    let in_rows = sorted_levels(rows.iter().map(|&row| table.cell(row, position)));
    if let [class] = in_rows.as_slice() {
        return Err(TableError::OneClass {
            path: table.path.clone(),
            column: shown(column),
            class: shown(class),
            rows: rows.len(),
        });
    }
    check_level_count(table, column, &names, options)?;
    check_written_alike(table, column, &names)?;
    Ok(TargetKind::Classes { names })
}

/// What is predicted: as asked, or regression if a cell is a number.
pub(super) fn guessed_task(table: &Table, position: usize, options: &CsvOptions) -> Task {
    let tokens = Tokens(options.missing_tokens.as_deref());
    let listed = options.categorical.contains(&table.header[position]);
    let is_number = |cell: Cell<'_>| !tokens.in_numbers(cell.text()) && cell.is_number();
    let numeric = !listed && table.column(position).any(is_number);
    let guess = if numeric { Task::Regression } else { Task::Classification };
    options.task.unwrap_or(guess)
}

pub(super) fn missing_target(cell: Cell<'_>) -> TableError {
    let (path, row, column, value) = cell.place();
    TableError::MissingTarget { path, row, column, value }
}

/// A quantity that looks like classes: nobody has said which it is, and few whole numbers occur, each several times.
pub(super) fn doubtful_quantity(table: &Table, target: &str, options: &CsvOptions) -> Option<TableNote> {
    let position = table.position(target).ok()?;
    if options.task.is_some() || options.categorical.iter().any(|name| name == target) {
        return None;
    }
    let whole = |cell: Cell<'_>| cell.number().is_ok_and(|value| value.fract() == 0.0);
    if !table.column(position).all(whole) {
        return None;
    }
    let values = sorted_levels(table.column(position));
    let binary = values == ["0", "1"];
    let few = values.len() > 1 && values.len() <= FEW && 2 * values.len() <= table.n_rows();
    (binary || few).then(|| TableNote::NumbersForClasses {
        path: table.path.clone(),
        target: target.to_owned(),
        values,
    })
}
