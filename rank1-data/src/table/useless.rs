//! Columns that can carry nothing from known rows to new ones: constant ones and identifiers.
//!
//! Not for columns without name that count the rows; see [`super::index_column`].

use std::collections::HashSet;

use super::missing::Tokens;
use super::notes::TableNote;
use super::options::CsvOptions;
use super::read::{Cell, Table};
use super::written::{Written, written};

/// Fewer rows may all differ by chance.
const LEAST_ROWS: usize = 20;

/// Whole numbers that may be years, which tell time rather than rows.
const YEARS: std::ops::Range<i64> = 1_800..2_200;

/// The useless columns and why each is one, unless they are to be kept.
pub(super) fn useless_columns(
    table: &Table,
    target: &str,
    options: &CsvOptions,
    rows: &[usize],
) -> Vec<(String, &'static str)> {
    if !options.leave_out_useless || rows.len() < 2 {
        return Vec::new();
    }
    let listed = |name: &String| {
        name == target
            || [&options.ignore, &options.categorical, &options.keep, &options.date_columns]
                .into_iter()
                .any(|names| names.contains(name))
    };
    let columns = table.header.iter().enumerate().filter(|(_, name)| !listed(name) && !name.is_empty());
    columns
        .filter_map(|(position, name)| why(table, position, options, rows).map(|why| (name.clone(), why)))
        .collect()
}

fn why(table: &Table, position: usize, options: &CsvOptions, rows: &[usize]) -> Option<&'static str> {
    let tokens = Tokens(options.missing_tokens.as_deref());
    let first = table.cell(rows[0], position).text();
    if rows.iter().all(|&row| table.cell(row, position).text() == first) {
        return Some(if tokens.in_numbers(first) {
            "missing in all training rows"
        } else {
            "constant in the training rows"
        });
    }
    if table.n_rows() < LEAST_ROWS {
        return None;
    }
    if counts_rows(table.column(position)) {
        return Some("counts the rows");
    }
    let mut seen = HashSet::new();
    let identifies = table.column(position).all(|cell| {
        !tokens.in_text(cell.text()) && written(cell.text()) == Written::Text && seen.insert(cell.text())
    });
    identifies.then_some("another text in every row")
}

/// Whether the cells are successive whole numbers in any order, and no years.
fn counts_rows<'a>(cells: impl Iterator<Item = Cell<'a>>) -> bool {
    let mut numbers = Vec::new();
    for cell in cells {
        let Ok(number) = cell.text().parse::<i64>() else { return false };
        numbers.push(number);
    }
    numbers.sort_unstable();
    let rises = numbers.windows(2).all(|pair| pair[0].checked_add(1) == Some(pair[1]));
    rises && !numbers.iter().all(|number| YEARS.contains(number))
}

/// What should be said of them.
pub(super) fn useless_note(table: &Table, columns: Vec<(String, &'static str)>) -> Option<TableNote> {
    (!columns.is_empty()).then(|| TableNote::Useless { path: table.path.clone(), columns })
}
