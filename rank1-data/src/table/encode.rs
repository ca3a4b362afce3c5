//! Applying a fitted schema to a file: numbers, one-hot levels and targets as arrays.
//!
//! Not for learning anything from that file; an unseen level or a missing column is an error or the fitted fallback.

use std::collections::HashMap;
use std::path::Path;

use ndarray::Array2;
use rank1_core::targets::Targets;

use super::error::TableError;
use super::fit::missing_target;
use super::options::UnknownLevels;
use super::read::{Cell, Table};
use super::schema::{ColumnKind, CsvSchema, TargetKind};
use crate::nearest::nearest;
use crate::{Error, Split};

impl CsvSchema {
    /// Reads inputs and targets of a file with the fitted columns.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::Table`] with the first fault: form of the file, [`TableError::MissingColumn`],
    /// [`TableError::UnexpectedColumns`], [`TableError::MissingValue`], [`TableError::TextInNumericColumn`],
    /// [`TableError::NotFinite`], [`TableError::UnknownLevel`] (also for classes), [`TableError::MissingTarget`].
    pub fn read(&self, path: &Path) -> Result<Split, Error> {
        self.split_of(&Table::read(path, self.delimiter)?)
    }

    /// Reads the inputs of a file; a target column is not needed and ignored if present.
    ///
    /// # Shapes
    /// Returns `[N, D]` with `D` = [`CsvSchema::n_features`].
    ///
    /// # Errors
    /// As [`CsvSchema::read`], without those about targets.
    pub fn read_inputs(&self, path: &Path) -> Result<Array2<f32>, Error> {
        Ok(self.inputs_of(&Table::read(path, self.delimiter)?)?)
    }

    pub(super) fn split_of(&self, table: &Table) -> Result<Split, Error> {
        let inputs = self.inputs_of(table)?;
        Split::new(inputs, self.targets_of(table)?)
    }

    fn inputs_of(&self, table: &Table) -> Result<Array2<f32>, TableError> {
        let positions =
            self.columns.iter().map(|column| table.position(&column.name)).collect::<Result<Vec<_>, _>>()?;
        self.check_extra_columns(table)?;
        let mut inputs = Array2::zeros((table.n_rows(), self.n_features()));
        let mut first = 0;
        for (column, &position) in self.columns.iter().zip(&positions) {
            match &column.kind {
                ColumnKind::Numeric { impute } => {
                    for (row, cell) in table.column(position).enumerate() {
                        let number = match (cell.is_missing(&self.missing_tokens), impute) {
                            (false, _) => cell.number()?,
                            (true, Some(value)) => *value,
                            (true, None) => return Err(missing_value(cell)),
                        };
                        inputs[[row, first]] = number as f32;
                    }
                }
                ColumnKind::Categorical { levels, impute } => {
                    let known = level_positions(levels);
                    for (row, cell) in table.column(position).enumerate() {
                        let level = match (cell.is_missing(&self.missing_tokens), impute) {
                            (false, _) => known.get(cell.text()).copied(),
                            (true, Some(level)) => Some(*level),
                            (true, None) => return Err(missing_value(cell)),
                        };
                        match (level, self.unknown_levels) {
                            (Some(level), _) => inputs[[row, first + level]] = 1.0,
                            (None, UnknownLevels::AllZero) => {}
                            (None, UnknownLevels::Refuse) => return Err(unknown_level(cell, levels)),
                        }
                    }
                }
            }
            first += column.kind.width();
        }
        Ok(inputs)
    }

    fn targets_of(&self, table: &Table) -> Result<Targets, TableError> {
        let cells = table.column(table.position(&self.target)?);
        if let Some(cell) = cells.clone().find(|cell| cell.is_missing(&self.missing_tokens)) {
            return Err(missing_target(cell));
        }
        match &self.target_kind {
            TargetKind::Value => Ok(Targets::Values(cells.map(Cell::number).collect::<Result<_, _>>()?)),
            TargetKind::Classes { names } => {
                let known = level_positions(names);
                let label =
                    |cell: Cell| known.get(cell.text()).copied().ok_or_else(|| unknown_level(cell, names));
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

fn level_positions(levels: &[String]) -> HashMap<&str, usize> {
    levels.iter().enumerate().map(|(position, level)| (level.as_str(), position)).collect()
}

fn missing_value(cell: Cell) -> TableError {
    let (path, row, column, value) = cell.place();
    TableError::MissingValue { path, row, column, value }
}

fn unknown_level(cell: Cell, levels: &[String]) -> TableError {
    const SHOWN: usize = 10;
    let (path, row, column, level) = cell.place();
    let hint = nearest(cell.text(), levels).map(String::into_boxed_str);
    let mut known: Vec<String> = levels.iter().take(SHOWN).cloned().collect();
    if levels.len() > SHOWN {
        known.push(format!("... ({} in all)", levels.len()));
    }
    TableError::UnknownLevel { path, row, column, level, hint, known: known.into() }
}
