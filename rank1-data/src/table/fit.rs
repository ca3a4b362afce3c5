//! Learning a schema from a table: kinds of columns, levels and imputed values.
//!
//! Not for encoding rows; see [`super::encode`]. The target is in [`super::target`].

use std::path::Path;

use super::date_column::DateColumn;
use super::error::TableError;
use super::index_column::index_columns;
use super::levels::{check_written_alike, most_frequent, sorted_levels};
use super::missing::Tokens;
use super::options::{CsvOptions, Missing, UnknownLevels};
use super::place::shown;
use super::places::Places;
use super::read::{Cell, Reading, Table};
use super::schema::{Column, ColumnKind, CsvSchema};
use super::target::fit_target;
use super::truth::TruthColumn;
use super::useless::useless_columns;
use super::written::{Written, written};
use crate::Error;

impl CsvSchema {
    /// Learns a schema from all rows of a file.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Compressed`], or [`Error::Table`] with the first fault in the form of the file, in a feature
    /// column or in the target.
    pub fn fit(path: &Path, target: &str, options: &CsvOptions) -> Result<Self, Error> {
        let table = Table::read(path, &reading(options))?;
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
        let named = [&options.categorical, &options.ignore, &options.date_columns, &options.keep];
        for name in named.into_iter().flatten() {
            table.position(name)?;
        }
        let mut index = index_columns(table, target, options);
        index.extend(useless_columns(table, target, options, rows).into_iter().map(|(name, _)| name));
        let mut columns = Vec::new();
        for (position, name) in table.header.iter().enumerate() {
            if position == target_position || options.ignore.contains(name) || index.contains(name) {
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
        let mut schema = Self::new(target, target_kind, columns, options);
        schema.ignore.extend(index);
        Ok(Self { fitted_decimal: table.decimal, ..schema })
    }
}

/// How a file is read before anything is known of its columns.
pub(super) fn reading(options: &CsvOptions) -> Reading<'_> {
    Reading {
        delimiter: options.delimiter,
        decimal: options.decimal,
        expected_decimal: '.',
        ignore: &options.ignore,
        tokens: Tokens(options.missing_tokens.as_deref()),
        categorical: &options.categorical,
        numeric: None,
        needed: None,
        kept: &[],
    }
}

fn fit_column(
    table: &Table,
    position: usize,
    options: &CsvOptions,
    rows: &[usize],
) -> Result<ColumnKind, TableError> {
    let column = &table.header[position];
    let tokens = Tokens(options.missing_tokens.as_deref());
    let listed = options.categorical.contains(column);
    let of_rows = rows.iter().map(|&row| table.cell(row, position));
    if !listed && let Some(date) = DateColumn::fit(column, table.column(position), of_rows.clone(), options)?
    {
        return Ok(ColumnKind::Date(date));
    }
    let mut cells = table.column(position).filter(|cell| !tokens.in_numbers(cell.text())).peekable();
    // A column that holds nothing but tokens for missing numbers tells no kind, and counts as one of numbers.
    let numeric = !listed && (cells.peek().is_none() || cells.any(Cell::is_number));
    let is_missing = |cell: &Cell<'_>| match numeric {
        true => tokens.in_numbers(cell.text()),
        false => tokens.in_text(cell.text()),
    };
    if options.missing == Missing::Refuse
        && let Some(cell) = table.column(position).find(is_missing)
    {
        let (path, row, column, value) = cell.place();
        return Err(TableError::MissingValue { path, row, column, value });
    }
    let present = || table.column(position).filter(|cell| !is_missing(cell));
    let training = || of_rows.clone().filter(|cell| !is_missing(cell));
    let missing_in_training = of_rows.clone().any(|cell| is_missing(&cell));
    if training().next().is_none() {
        return Err(TableError::NoValues { path: table.path.clone(), column: shown(column) });
    }

    if numeric {
        for cell in present() {
            cell.number()?;
        }
        let impute = match options.missing {
            Missing::Refuse => return Ok(ColumnKind::Numeric { impute: None }),
            policy => {
                let values = training().map(Cell::number).collect::<Result<Vec<f64>, _>>()?;
                if policy == Missing::ImputeMean { mean(&values) } else { median(values) }
            }
        };
        return Ok(match options.missing == Missing::Indicator && missing_in_training {
            true => ColumnKind::NumericWithIndicator { impute },
            false => ColumnKind::Numeric { impute: Some(impute) },
        });
    }

    if !listed {
        check_text(present())?;
    }
    check_no_doubt(present(), options)?;
    let levels = sorted_levels(present());
    if options.booleans
        && !listed
        && let Some(truth) = TruthColumn::fit(&levels, training(), missing_in_training, options.missing)
    {
        return Ok(ColumnKind::Truth(truth));
    }
    if options.missing == Missing::Indicator || options.unknown_levels == UnknownLevels::OwnLevel {
        let places = Places::fit(present(), training(), missing_in_training, options);
        check_level_count(table, column, &places.levels, options)?;
        check_written_alike(table, column, &places.levels)?;
        return Ok(ColumnKind::Places(places));
    }
    check_level_count(table, column, &levels, options)?;
    check_written_alike(table, column, &levels)?;
    let impute = match options.missing {
        Missing::Refuse => None,
        _ => most_frequent(&levels, training()),
    };
    Ok(ColumnKind::Categorical { levels, impute })
}

/// Refuses a column of dates, and one of numbers that are all written in a way that is not read.
pub(super) fn check_text<'a>(cells: impl Iterator<Item = Cell<'a>>) -> Result<(), TableError> {
    let (mut n, mut dates, mut numbers) = (0, 0, 0);
    let (mut date, mut number) = (None, None);
    for cell in cells {
        n += 1;
        match written(cell.text()) {
            Written::Date => {
                dates += 1;
                date = date.or(Some(cell));
            }
            Written::Text => {}
            _ => {
                numbers += 1;
                number = number.or(Some(cell));
            }
        }
    }
    match (date, number) {
        (Some(cell), _) if 2 * dates > n => {
            let (path, row, column, value) = cell.place();
            Err(TableError::Dates { path, row, column, value })
        }
        (_, Some(cell)) if 2 * numbers > n => Err(cell.not_a_number()),
        _ => Ok(()),
    }
}

/// Where missing cells are refused, a text that may be one is refused too until a recipe says what it is.
pub(super) fn check_no_doubt<'a>(
    mut cells: impl Iterator<Item = Cell<'a>>,
    options: &CsvOptions,
) -> Result<(), TableError> {
    let tokens = Tokens(options.missing_tokens.as_deref());
    match cells.find(|cell| options.missing == Missing::Refuse && tokens.is_doubtful(cell.text())) {
        Some(cell) => {
            let (path, row, column, value) = cell.place();
            Err(TableError::DoubtfulValue { path, row, column, value })
        }
        None => Ok(()),
    }
}

pub(super) fn check_level_count(
    table: &Table,
    column: &str,
    levels: &[String],
    options: &CsvOptions,
) -> Result<(), TableError> {
    if levels.len() <= options.max_levels {
        return Ok(());
    }
    let (levels, limit) = (levels.len(), options.max_levels);
    Err(TableError::TooManyLevels { path: table.path.clone(), column: shown(column), levels, limit })
}

pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { 0.5 * (values[middle - 1] + values[middle]) }
}
