//! Reading a table into parts, with everything that is learned taken from its training rows.
//!
//! Not for how rows are chosen; see the other files of this folder.

use std::path::{Path, PathBuf};

use super::super::assemble::{notes_of_training, table_name};
use super::super::describe::ColumnSummary;
use super::super::error::TableError;
use super::super::fit::reading;
use super::super::index_column::{index_columns, index_note};
use super::super::missing::Tokens;
use super::super::notes::TableNote;
use super::super::options::CsvOptions;
use super::super::place::shown;
use super::super::read::Table;
use super::super::schema::CsvSchema;
use super::super::target::guessed_task;
use super::column::by_column;
use super::grouped::by_groups;
use super::listed::by_list;
use super::moments::moments;
use super::ordered::by_time;
use super::{PartError, PartRows, Shares, TableParts};
use crate::{Dataset, Error, InputLayout, Split, Task};

/// Fewer rows than this have no spread.
const LEAST_ROWS: usize = 2;

/// A table that was read and divided.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedParts {
    /// The rows to fit on.
    pub train: Split,
    /// The rows to choose on, if there are such.
    pub validation: Option<Split>,
    /// The rows to report on.
    pub test: Split,
    /// Its columns, learned from the training rows, for later files.
    pub schema: CsvSchema,
    /// What each feature column is taken for.
    pub columns: Vec<ColumnSummary>,
    /// What a user should be told.
    pub notes: Vec<TableNote>,
    /// Which rows of the table are in which part; a part from another file has none.
    pub rows: PartRows,
    /// SHA-256 of the unpacked training file, in hexadecimal digits.
    pub digest: String,
    /// The stem of the file's name.
    pub name: String,
    /// Where the rows came from, in one sentence.
    pub provenance: String,
}

impl LoadedParts {
    /// The training and the test part as a data set.
    pub fn dataset(&self) -> Dataset {
        Dataset {
            name: self.name.clone(),
            task: self.schema.task(),
            train: self.train.clone(),
            test: self.test.clone(),
            feature_names: self.schema.feature_names(),
            class_names: self.schema.class_names().to_vec(),
            image: None,
            layout: InputLayout::Columns,
            provenance: self.provenance.clone(),
        }
    }
}

/// Reads a table, divides its rows, and fits a schema to the training rows.
///
/// Levels and classes are those of the whole table, but for columns in which unknown levels have a place.
///
/// # Errors
/// As [`CsvSchema::fit`] and [`CsvSchema::read`]; [`Error::Fraction`] for shares that leave nothing; [`TableError::Part`] with
/// what is wrong with the parts; [`TableError::OneClass`] if the training rows have one class only.
pub fn load_parts(
    file: &Path,
    parts: &TableParts,
    target: &str,
    options: &CsvOptions,
) -> Result<LoadedParts, Error> {
    let mut options = options.clone();
    // The column is read although it is no input.
    if let Some((column, _)) = parts.column() {
        options.ignore.retain(|name| name != column);
    }
    let table = Table::read(file, &reading(&options))?;
    table.position(target)?;
    let rows = rows_of(&table, parts, target, &options)?;
    if let Some((column, false)) = parts.column() {
        for names in [&mut options.keep, &mut options.date_columns, &mut options.categorical] {
            names.retain(|name| name != column);
        }
        options.ignore.push(column.clone());
    } else if let Some((column, true)) = parts.column() {
        options.keep.push(column.clone());
    }
    // From here on there are only the rows of the parts, at their places among these.
    let all = rows.all();
    let table = if all.len() < table.n_rows() { table.with_rows(&all) } else { table };
    let places = |rows: &[usize]| -> Vec<usize> {
        rows.iter().filter_map(|row| all.binary_search(row).ok()).collect()
    };
    let train_places = places(&rows.train);
    check_targets(&table, target, &options)?;
    let schema = CsvSchema::fit_table(&table, target, &options, &train_places)?;
    let mut notes: Vec<TableNote> =
        table.dialect_note(options.delimiter, options.decimal).into_iter().collect();
    notes.extend(index_note(&table, index_columns(&table, target, &options)));
    let (whole, found) = schema.split_of(&table)?;
    notes.extend(found);
    let part = |wanted: &[usize]| whole.select(&places(wanted));
    let mut from_file = |path: &PathBuf, part: &'static str| -> Result<Split, Error> {
        let other = schema.table_of(|reading| Table::read(path, reading))?;
        check_size(path, part, other.n_rows())?;
        check_targets(&other, target, &options)?;
        let (split, found) = schema.split_of(&other)?;
        notes.extend(other.dialect_note(options.delimiter, options.decimal));
        notes.extend(found);
        Ok(split)
    };
    let (validation_file, test_file) = match parts {
        TableParts::Files { validation, test, .. } => (validation.as_ref(), test.as_ref()),
        _ => (None, None),
    };
    let train = part(&rows.train);
    let validation = match validation_file {
        Some(path) => Some(from_file(path, "validation")?),
        None => (!rows.validation.is_empty()).then(|| part(&rows.validation)),
    };
    let test = match test_file {
        Some(path) => from_file(path, "test")?,
        None => part(&rows.test),
    };
    notes.extend(notes_of_training(&table, &schema, target, &options, &train, &train_places));
    Ok(LoadedParts {
        columns: schema.describe_table(&table),
        name: table_name(file),
        provenance: provenance(file, parts),
        digest: table.digest,
        train,
        validation,
        test,
        schema,
        notes,
        rows,
    })
}

fn rows_of(table: &Table, parts: &TableParts, target: &str, options: &CsvOptions) -> Result<PartRows, Error> {
    let position = |column: &String| -> Result<usize, Error> {
        if column == target {
            return Err(refused(PartError::Target { column: column.clone() }));
        }
        Ok(table.position(column)?)
    };
    let n = table.n_rows();
    let rows = match parts {
        TableParts::Random { shares, seed } => PartRows::random(n, *shares, *seed)?,
        TableParts::Time { column, shares, .. } => {
            let position = position(column)?;
            by_time(table, position, &moments(table, position, options)?, *shares)?
        }
        TableParts::Groups { column, shares, seed } => by_groups(table, position(column)?, *shares, *seed)?,
        TableParts::Column { column } => by_column(table, position(column)?).map_err(refused)?,
        TableParts::Rows { file } => by_list(file, n)?,
        TableParts::Files { validation, test, shares, seed } => {
            let of = |file: &Option<PathBuf>, share: f64| if file.is_some() { 0.0 } else { share };
            let shares =
                Shares { validation: of(validation, shares.validation), test: of(test, shares.test) };
            PartRows::random(n, shares, *seed)?
        }
    };
    let path = &table.path;
    check_size(path, "training", rows.train.len())?;
    if !rows.validation.is_empty() {
        check_size(path, "validation", rows.validation.len())?;
    }
    if !matches!(parts, TableParts::Files { test: Some(_), .. }) {
        check_size(path, "test", rows.test.len())?;
    }
    Ok(rows)
}

fn refused(error: PartError) -> Error {
    Error::Table(error.into())
}

fn check_size(path: &Path, part: &'static str, rows: usize) -> Result<(), Error> {
    let too_few = PartError::TooFewRows { path: path.into(), part, rows, least: LEAST_ROWS };
    if rows < LEAST_ROWS { Err(refused(too_few)) } else { Ok(()) }
}

/// Refuses rows without target, with their number.
fn check_targets(table: &Table, target: &str, options: &CsvOptions) -> Result<(), TableError> {
    let position = table.position(target)?;
    let tokens = Tokens(options.missing_tokens.as_deref());
    let in_numbers = guessed_task(table, position, options) == Task::Regression;
    let mut missing = table.column(position).filter(|cell| match in_numbers {
        true => tokens.in_numbers(cell.text()),
        false => tokens.in_text(cell.text()),
    });
    let Some(first) = missing.next() else { return Ok(()) };
    let named = first.named();
    let n = 1 + missing.count();
    let (path, column, rows) = (table.path.clone(), shown(target), table.n_rows());
    Err(PartError::MissingTargets { path, column, n, rows, row: named.row, value: named.value }.into())
}

fn provenance(file: &Path, parts: &TableParts) -> String {
    let table = format!("the user's table {}", file.display());
    match parts {
        TableParts::Random { shares, seed } => {
            let Shares { validation, test } = shares;
            format!("{table}, {validation} of the rows for validation and {test} for test with seed {seed}")
        }
        TableParts::Time { column, .. } => format!("{table}, divided in time by `{}`", shown(column)),
        TableParts::Groups { column, seed, .. } => {
            format!("{table}, divided by the groups of `{}` with seed {seed}", shown(column))
        }
        TableParts::Column { column } => format!("{table}, divided as `{}` says", shown(column)),
        TableParts::Rows { file } => format!("{table}, divided as {} lists", file.display()),
        TableParts::Files { validation, test, .. } => {
            let told = |what: &str, file: &Option<PathBuf>| {
                file.as_ref().map_or_else(String::new, |file| format!(", {what} {}", file.display()))
            };
            format!("{table}{}{}", told("validated on", validation), told("tested on", test))
        }
    }
}
