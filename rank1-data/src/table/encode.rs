//! Applying a fitted schema to a file: numbers, one-hot levels and targets as arrays.
//!
//! Not for learning anything from that file; an unseen level or a missing column is an error or the fitted fallback.

use std::io::Read;
use std::path::Path;

use ndarray::Array2;
use rank1_core::targets::Targets;

use super::error::TableError;
use super::levels::LevelIndex;
use super::notes::TableNote;
use super::options::UnknownLevels;
use super::place::{shown, shown_number};
use super::read::{Cell, Table};
use super::schema::{ColumnKind, CsvSchema, TargetKind};
use super::target::missing_target;
use crate::{Error, Split};

/// Encoded rows of a file without targets.
#[derive(Debug, Clone, PartialEq)]
pub struct TableInputs {
    /// Encoded columns, `[N, D]`, in double precision: they are standardized before they are rounded.
    pub values: Array2<f64>,
    /// What was guessed and filled.
    pub notes: Vec<TableNote>,
}

impl CsvSchema {
    /// Reads inputs and targets of a file with the fitted columns.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Compressed`], or [`Error::Table`] with the first fault: form of the file,
    /// [`TableError::MissingColumn`], [`TableError::UnexpectedColumns`], [`TableError::MissingValue`],
    /// [`TableError::TextInNumericColumn`], [`TableError::NumberWrittenOtherwise`], [`TableError::NotFinite`],
    /// [`TableError::UnknownLevel`], [`TableError::UnknownClass`], [`TableError::MissingTarget`].
    pub fn read(&self, path: &Path) -> Result<Split, Error> {
        Ok(self.split_of(&self.table_of(|reading| Table::read(path, reading))?)?.0)
    }

    /// Reads the inputs of a file; a target column is not needed and ignored if present.
    ///
    /// # Shapes
    /// Returns `[N, D]` with `D` = [`CsvSchema::n_features`].
    ///
    /// # Errors
    /// As [`CsvSchema::read`], without those about targets.
    pub fn read_inputs(&self, path: &Path) -> Result<TableInputs, Error> {
        self.inputs_with_notes(&self.table_of(|reading| Table::read(path, reading))?)
    }

    /// As [`CsvSchema::read_inputs`], from a stream such as the standard input, which messages call `name`.
    ///
    /// # Shapes
    /// Returns `[N, D]` with `D` = [`CsvSchema::n_features`].
    ///
    /// # Errors
    /// As [`CsvSchema::read_inputs`].
    pub fn read_inputs_from(&self, reader: impl Read, name: &Path) -> Result<TableInputs, Error> {
        self.inputs_with_notes(&self.table_of(|reading| Table::from_reader(reader, name, reading))?)
    }

    fn inputs_with_notes(&self, table: &Table) -> Result<TableInputs, Error> {
        let (values, found) = self.inputs_of(table)?;
        let mut notes: Vec<TableNote> =
            table.dialect_note(self.delimiter, self.decimal).into_iter().collect();
        notes.extend(found);
        Ok(TableInputs { values, notes })
    }

    pub(super) fn split_of(&self, table: &Table) -> Result<(Split, Vec<TableNote>), Error> {
        let (inputs, notes) = self.inputs_of(table)?;
        Ok((Split::from_f64(inputs, self.targets_of(table)?)?, notes))
    }

    fn inputs_of(&self, table: &Table) -> Result<(Array2<f64>, Vec<TableNote>), TableError> {
        let positions =
            self.columns.iter().map(|column| table.position(&column.name)).collect::<Result<Vec<_>, _>>()?;
        self.check_extra_columns(table)?;
        let tokens = self.tokens();
        let mut inputs = Array2::zeros((table.n_rows(), self.n_features()));
        let (mut filled, mut unknown) = (Vec::new(), Vec::new());
        let mut first = 0;
        for (column, &position) in self.columns.iter().zip(&positions) {
            let (mut n_filled, mut strangers) = (0, Vec::new());
            match &column.kind {
                ColumnKind::Numeric { impute } => {
                    for (row, cell) in table.column(position).enumerate() {
                        inputs[[row, first]] = match (tokens.in_numbers(cell.text()), impute) {
                            (false, _) => cell.number()?,
                            (true, Some(value)) => {
                                n_filled += 1;
                                *value
                            }
                            (true, None) => return Err(missing_value(cell)),
                        };
                    }
                }
                ColumnKind::Categorical { levels, impute } => {
                    let known = LevelIndex::of(levels);
                    for (row, cell) in table.column(position).enumerate() {
                        let level = match (tokens.in_text(cell.text()), impute) {
                            (false, _) => known.find(cell.text()),
                            (true, Some(level)) => {
                                n_filled += 1;
                                Some(*level)
                            }
                            (true, None) => return Err(missing_value(cell)),
                        };
                        match (level, self.unknown_levels) {
                            (Some(level), _) => inputs[[row, first + level]] = 1.0,
                            (None, UnknownLevels::AllZero) => strangers.push(cell),
                            (None, UnknownLevels::Refuse) => return Err(unknown_level(cell, &known)),
                        }
                    }
                }
            }
            if n_filled > 0 {
                filled.push((column.name.clone(), n_filled, column.kind.filling()));
            }
            if let Some(stranger) = strangers.first() {
                unknown.push((column.name.clone(), strangers.len(), shown(stranger.text())));
            }
            first += column.kind.width();
        }
        let mut notes = Vec::new();
        if !filled.is_empty() {
            notes.push(TableNote::Filled { path: table.path.clone(), columns: filled });
        }
        if !unknown.is_empty() {
            notes.push(TableNote::UnknownLevels { path: table.path.clone(), columns: unknown });
        }
        Ok((inputs, notes))
    }

    fn targets_of(&self, table: &Table) -> Result<Targets, TableError> {
        let cells = table.column(table.position(&self.target)?);
        let tokens = self.tokens();
        match &self.target_kind {
            TargetKind::Value => {
                let value = |cell: Cell| match tokens.in_numbers(cell.text()) {
                    true => Err(missing_target(cell)),
                    false => cell.number(),
                };
                Ok(Targets::Values(cells.map(value).collect::<Result<_, _>>()?))
            }
            TargetKind::Classes { names } => {
                let known = LevelIndex::of(names);
                let label = |cell: Cell| match tokens.in_text(cell.text()) {
                    true => Err(missing_target(cell)),
                    false => known.find(cell.text()).ok_or_else(|| unknown_class(cell, &known)),
                };
                let labels = cells.map(label).collect::<Result<_, _>>()?;
                Ok(Targets::Classes { labels, n_classes: names.len() })
            }
        }
    }

    /// Columns that are neither features nor target nor declared as ignored.
    fn check_extra_columns(&self, table: &Table) -> Result<(), TableError> {
        let is_known = |name: &String| {
            *name == self.target
                || self.ignore.contains(name)
                || self.columns.iter().any(|column| column.name == *name)
        };
        let unexpected: Vec<String> = table.header.iter().filter(|name| !is_known(name)).cloned().collect();
        if unexpected.is_empty() {
            return Ok(());
        }
        let expected = self.columns.len();
        let got = expected + unexpected.len();
        Err(TableError::UnexpectedColumns { path: table.path.clone(), expected, got, unexpected })
    }
}

impl ColumnKind {
    /// What fills a missing cell, for messages.
    fn filling(&self) -> String {
        match self {
            Self::Numeric { impute: Some(value) } => shown_number(*value),
            Self::Categorical { levels, impute: Some(level) } => format!("`{}`", shown(&levels[*level])),
            Self::Numeric { impute: None } | Self::Categorical { impute: None, .. } => "nothing".into(),
        }
    }
}

fn missing_value(cell: Cell) -> TableError {
    let (path, row, column, value) = cell.place();
    TableError::MissingValue { path, row, column, value }
}

fn unknown_level(cell: Cell, known: &LevelIndex) -> TableError {
    let (path, row, column, level) = cell.place();
    TableError::UnknownLevel { path, row, column, level, known: known.known(cell.text()) }
}

fn unknown_class(cell: Cell, known: &LevelIndex) -> TableError {
    let (path, row, column, level) = cell.place();
    TableError::UnknownClass { path, row, column, level, known: known.known(cell.text()) }
}
