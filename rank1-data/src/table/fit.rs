//! Learning a schema from a table: kinds of columns, levels, classes and imputed values.
//!
//! Not for encoding rows; see [`super::encode`].

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::path::Path;

use super::error::TableError;
use super::options::{CsvOptions, Missing};
use super::read::{Cell, Table};
use super::schema::{Column, ColumnKind, CsvSchema, TargetKind};
use crate::{Error, Task};

impl CsvSchema {
    /// Learns a schema from all rows of a file.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::Table`] with the first fault in the form of the file, in a feature column or in the target.
    pub fn fit(path: &Path, target: &str, options: &CsvOptions) -> Result<Self, Error> {
        let table = Table::read(path, options.delimiter)?;
        let all: Vec<usize> = (0..table.n_rows()).collect();
        Ok(Self::fit_table(&table, target, options, &all)?)
    }

    /// As [`CsvSchema::fit`], with imputed values learned from `rows` only. Levels and classes are those of the whole
    /// table: they are the domain of a column and carry no information about its target.
    pub(super) fn fit_table(
        table: &Table,
        target: &str,
        options: &CsvOptions,
        rows: &[usize],
    ) -> Result<Self, TableError> {
        let target_position = table.position(target)?;
        if options.ignore.iter().any(|name| name == target) {
            return Err(TableError::TargetIgnored { column: target.to_owned() });
        }
        for name in options.categorical.iter().chain(&options.ignore) {
            table.position(name)?;
        }
        let mut columns = Vec::new();
        for (position, name) in table.header.iter().enumerate() {
            if position == target_position || options.ignore.contains(name) {
                continue;
            }
            if name.is_empty() {
                return Err(TableError::UnnamedColumn { path: table.path.clone(), position: position + 1 });
            }
            let kind = fit_column(table, position, options, rows)?;
            columns.push(Column { name: name.clone(), kind });
        }
        if columns.is_empty() {
            return Err(TableError::NoFeatures { path: table.path.clone(), target: target.to_owned() });
        }
        let target_kind = fit_target(table, target_position, options, rows)?;
        Ok(Self::new(target, target_kind, columns, options))
    }
}

fn fit_column(
    table: &Table,
    position: usize,
    options: &CsvOptions,
    rows: &[usize],
) -> Result<ColumnKind, TableError> {
    let column = &table.header[position];
    let tokens = &options.missing_tokens;
    if options.missing == Missing::Refuse
        && let Some(cell) = table.column(position).find(|cell| cell.is_missing(tokens))
    {
        let (path, row, column, value) = cell.place();
        return Err(TableError::MissingValue { path, row, column, value });
    }
    let present = || table.column(position).filter(|cell| !cell.is_missing(tokens));
    let training =
        || rows.iter().map(|&row| table.cell(row, position)).filter(|cell| !cell.is_missing(tokens));
    if training().next().is_none() {
        return Err(TableError::NoValues { path: table.path.clone(), column: column.clone() });
    }

    let listed = options.categorical.contains(column);
    if !listed && present().any(Cell::is_number) {
        for cell in present() {
            cell.number()?;
        }
        let impute = match options.missing {
            Missing::Refuse => None,
            policy => {
                let values = training().map(Cell::number).collect::<Result<Vec<f64>, _>>()?;
                Some(if policy == Missing::ImputeMean { mean(&values) } else { median(values) })
            }
        };
        return Ok(ColumnKind::Numeric { impute });
    }

    let levels = sorted_levels(present());
    if levels.len() > options.max_levels {
        let (levels, limit) = (levels.len(), options.max_levels);
        return Err(TableError::TooManyLevels {
            path: table.path.clone(),
            column: column.clone(),
            levels,
            limit,
        });
    }
    let impute = match options.missing {
        Missing::Refuse => None,
        _ => most_frequent(&levels, training()),
    };
    Ok(ColumnKind::Categorical { levels, impute })
}

fn fit_target(
    table: &Table,
    position: usize,
    options: &CsvOptions,
    rows: &[usize],
) -> Result<TargetKind, TableError> {
    if let Some(cell) = table.column(position).find(|cell| cell.is_missing(&options.missing_tokens)) {
        return Err(missing_target(cell));
    }
    let column = &table.header[position];
    let task = options.task.unwrap_or_else(|| {
        let is_class = options.categorical.contains(column) || !table.column(position).any(Cell::is_number);
        if is_class { Task::Classification } else { Task::Regression }
    });
    if task == Task::Regression {
        for cell in table.column(position) {
            cell.number()?;
        }
        return Ok(TargetKind::Value);
    }
    let in_rows = sorted_levels(rows.iter().map(|&row| table.cell(row, position)));
    if let [class] = in_rows.as_slice() {
        return Err(TableError::OneClass {
            path: table.path.clone(),
            column: column.clone(),
            class: class.clone(),
            rows: rows.len(),
        });
    }
    let names = sorted_levels(table.column(position));
    check_level_count(table, column, &names, options)?;
    Ok(TargetKind::Classes { names })
}

fn check_level_count(
    table: &Table,
    column: &str,
    levels: &[String],
    options: &CsvOptions,
) -> Result<(), TableError> {
    if levels.len() <= options.max_levels {
        return Ok(());
    }
    let (levels, limit) = (levels.len(), options.max_levels);
    Err(TableError::TooManyLevels { path: table.path.clone(), column: column.to_owned(), levels, limit })
}

pub(super) fn missing_target(cell: Cell<'_>) -> TableError {
    let (path, row, column, value) = cell.place();
    TableError::MissingTarget { path, row, column, value }
}

/// The different texts of some cells: by value when all are numbers, else alphabetical.
fn sorted_levels<'a>(cells: impl Iterator<Item = Cell<'a>>) -> Vec<String> {
    let mut levels: Vec<&str> = cells.map(Cell::text).collect();
    levels.sort_unstable();
    levels.dedup();
    let numbers: Option<Vec<f64>> = levels.iter().map(|level| level.parse().ok()).collect();
    if let Some(numbers) = numbers {
        let mut keyed: Vec<(f64, &str)> = numbers.into_iter().zip(levels).collect();
        keyed.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.cmp(b.1)));
        levels = keyed.into_iter().map(|(_, level)| level).collect();
    }
    levels.into_iter().map(str::to_owned).collect()
}

/// Position of the level that occurs most often; the first in order on a tie.
fn most_frequent<'a>(levels: &[String], cells: impl Iterator<Item = Cell<'a>>) -> Option<usize> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for cell in cells {
        *counts.entry(cell.text()).or_default() += 1;
    }
    let count = |position: &usize| counts.get(levels[*position].as_str()).copied().unwrap_or(0);
    (0..levels.len()).max_by(|a, b| match count(a).cmp(&count(b)) {
        Ordering::Equal => b.cmp(a),
        other => other,
    })
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { 0.5 * (values[middle - 1] + values[middle]) }
}
