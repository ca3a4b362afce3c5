//! Applying a fitted schema to a file: numbers, one-hot levels and targets as arrays.
//!
//! Not for learning anything from that file; an unseen level or a missing column is an error or the fitted fallback.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use ndarray::{Array2, ArrayViewMut2, Axis, Slice};
use rank1_core::targets::Targets;

use super::date_column::DateColumn;
use super::error::TableError;
use super::levels::LevelIndex;
use super::missing::Tokens;
use super::notes::TableNote;
use super::place::{shown, shown_number};
use super::places::{MissingPlace, Places};
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
        self.inputs_with_notes(&Table::read(path, &self.reading(&[]))?)
    }

    /// As [`CsvSchema::read_inputs`], from a stream such as the standard input, which messages call `name`.
    ///
    /// # Shapes
    /// Returns `[N, D]` with `D` = [`CsvSchema::n_features`].
    ///
    /// # Errors
    /// As [`CsvSchema::read_inputs`].
    pub fn read_inputs_from(&self, reader: impl Read, name: &Path) -> Result<TableInputs, Error> {
        self.inputs_with_notes(&Table::from_reader(reader, name, &self.reading(&[]))?)
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
        let mut told = Told::default();
        let positions = self.positions_in(table, &[])?;
        let inputs = self.encode(table, &positions, &mut told)?;
        Ok((inputs, told.notes(self, &table.path)))
    }

    /// Where the feature columns stand in a table, which may have no others but the target, ignored and `kept` ones.
    pub(super) fn positions_in(&self, table: &Table, kept: &[String]) -> Result<Vec<usize>, TableError> {
        let positions =
            self.columns.iter().map(|column| table.position(&column.name)).collect::<Result<Vec<_>, _>>()?;
        self.check_extra_columns(table, kept)?;
        Ok(positions)
    }

    /// The inputs of all rows, `[N, D]`; `positions` are those of [`CsvSchema::positions_in`].
    pub(super) fn encode(
        &self,
        table: &Table,
        positions: &[usize],
        told: &mut Told,
    ) -> Result<Array2<f64>, TableError> {
        let tokens = self.tokens();
        let mut inputs = Array2::zeros((table.n_rows(), self.n_features()));
        let mut first = 0;
        for (number, (column, &position)) in self.columns.iter().zip(positions).enumerate() {
            told.column = number;
            let cells = table.column(position);
            let width = column.kind.width();
            let out = inputs.slice_axis_mut(Axis(1), Slice::from(first..first + width));
            match &column.kind {
                ColumnKind::Numeric { impute } => {
                    let n_filled = encode_numbers(cells, tokens, *impute, out)?;
                    told.filled(n_filled, column.kind.filling());
                }
                ColumnKind::NumericWithIndicator { impute } => {
                    let n_filled = encode_numbers(cells, tokens, Some(*impute), out)?;
                    told.filled(n_filled, column.kind.filling());
                }
                ColumnKind::Categorical { levels, impute } => {
                    let missing = impute.map_or(MissingPlace::Refuse, MissingPlace::Level);
                    let places = Places { levels: levels.clone(), other: false, missing };
                    places.encode(cells, tokens, self.unknown_levels, out, told)?;
                }
                ColumnKind::Places(places) => {
                    places.encode(cells, tokens, self.unknown_levels, out, told)?;
                }
                ColumnKind::Truth(truth) => {
                    truth.encode(cells, tokens, self.unknown_levels, out, told)?;
                }
                ColumnKind::Date(date) => {
                    let n_filled = date.encode(cells, tokens, out)?;
                    told.filled(n_filled, column.kind.filling());
                }
            }
            first += width;
        }
        Ok(inputs)
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
    fn check_extra_columns(&self, table: &Table, kept: &[String]) -> Result<(), TableError> {
        let is_known = |name: &String| {
            *name == self.target
                || self.ignore.contains(name)
                || kept.contains(name)
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

/// What is to be told about the cells of the columns of a table, of all its blocks together.
#[derive(Default)]
pub(super) struct Told {
    /// Number of the column that is read.
    column: usize,
    filled: BTreeMap<usize, (usize, String)>,
    unknown: BTreeMap<usize, (usize, String)>,
    other: BTreeMap<usize, (usize, String)>,
}

impl Told {
    /// So many cells were missing and became this.
    pub(super) fn filled(&mut self, n: usize, value: String) {
        if n > 0 {
            self.filled.entry(self.column).or_insert((0, value)).0 += n;
        }
    }

    /// So many cells are levels that nothing stands for; `first` is the first of them.
    pub(super) fn unknown(&mut self, n: usize, first: String) {
        self.unknown.entry(self.column).or_insert((0, first)).0 += n;
    }

    /// So many cells have the place of other levels; `first` is the first of them.
    pub(super) fn other(&mut self, n: usize, first: String) {
        self.other.entry(self.column).or_insert((0, first)).0 += n;
    }

    pub(super) fn notes(self, schema: &CsvSchema, path: &Path) -> Vec<TableNote> {
        let listed = |cells: BTreeMap<usize, (usize, String)>| -> Vec<(String, usize, String)> {
            let name = |column: usize| schema.columns[column].name.clone();
            cells.into_iter().map(|(column, (n, text))| (name(column), n, text)).collect()
        };
        let [filled, unknown, other] = [self.filled, self.unknown, self.other].map(listed);
        let path = || path.to_path_buf();
        let mut notes = Vec::new();
        if !filled.is_empty() {
            notes.push(TableNote::Filled { path: path(), columns: filled });
        }
        if !unknown.is_empty() {
            notes.push(TableNote::UnknownLevels { path: path(), columns: unknown });
        }
        if !other.is_empty() {
            notes.push(TableNote::OtherLevels { path: path(), columns: other });
        }
        notes
    }
}

/// Writes numbers, and the indicator where there is room for one; returns the number of filled cells.
fn encode_numbers<'a>(
    cells: impl Iterator<Item = Cell<'a>>,
    tokens: Tokens<'_>,
    impute: Option<f64>,
    mut out: ArrayViewMut2<'_, f64>,
) -> Result<usize, TableError> {
    let mut n_filled = 0;
    for (cell, mut row) in cells.zip(out.rows_mut()) {
        if tokens.in_numbers(cell.text()) {
            n_filled += 1;
            row[0] = impute.ok_or_else(|| missing_value(cell))?;
            if let Some(indicator) = row.get_mut(1) {
                *indicator = 1.0;
            }
        } else {
            row[0] = cell.number()?;
        }
    }
    Ok(n_filled)
}

impl ColumnKind {
    /// What fills a missing cell, for messages.
    pub(super) fn filling(&self) -> String {
        match self {
            Self::Numeric { impute: Some(value) } => shown_number(*value),
            Self::NumericWithIndicator { impute } => format!("{}, and marked", shown_number(*impute)),
            Self::Categorical { levels, impute: Some(level) } => format!("`{}`", shown(&levels[*level])),
            Self::Places(places) => places.filling(),
            Self::Truth(truth) => truth.filling(),
            Self::Date(DateColumn { impute: Some(days), indicator, .. }) => {
                let marked = if *indicator { ", and marked" } else { "" };
                format!("day {}{marked}", shown_number(*days))
            }
            Self::Numeric { impute: None } | Self::Categorical { impute: None, .. } | Self::Date(_) => {
                "nothing".into()
            }
        }
    }
}

pub(super) fn missing_value(cell: Cell) -> TableError {
    let (path, row, column, value) = cell.place();
    TableError::MissingValue { path, row, column, value }
}

pub(super) fn unknown_level(cell: Cell, known: &LevelIndex) -> TableError {
    let (path, row, column, level) = cell.place();
    TableError::UnknownLevel { path, row, column, level, known: known.known(cell.text()) }
}

fn unknown_class(cell: Cell, known: &LevelIndex) -> TableError {
    let (path, row, column, level) = cell.place();
    TableError::UnknownClass { path, row, column, level, known: known.known(cell.text()) }
}
