//! A user's table as a data set with a training and a test part.
//!
//! Not for validation parts; see [`super::load_parts`] and [`crate::validation_split`].

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::carries::{constant_columns, doubtful_levels, indistinct_columns, leading_zeros, similar_levels};
use super::fit::reading;
use super::index_column::{index_columns, index_note};
use super::notes::TableNote;
use super::options::CsvOptions;
use super::read::Table;
use super::schema::CsvSchema;
use super::target::doubtful_quantity;
use super::useless::{useless_columns, useless_note};
use crate::{Dataset, Error, InputLayout, Split, holdout_indices};

/// Where the test rows of a table come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TestPart {
    /// Another file with the same columns.
    File(PathBuf),
    /// A seeded fraction of the rows of the training file; imputed values are learned from the other rows only.
    Fraction {
        /// Between 0 and 1.
        fraction: f64,
        /// Seed of the permutation.
        seed: u64,
    },
}

/// A table that was read and divided.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedTable {
    /// Its rows.
    pub dataset: Dataset,
    /// Its columns, for later files.
    pub schema: CsvSchema,
    /// What a user should be told.
    pub notes: Vec<TableNote>,
    /// SHA-256 of the unpacked training file, in hexadecimal digits.
    pub digest: String,
}

/// Fits a schema to a training table and reads both parts with it.
///
/// # Errors
/// As [`CsvSchema::fit`] and [`CsvSchema::read`]; [`Error::Fraction`] if a fraction leaves a part empty.
pub fn load_table(
    train: &Path,
    test: &TestPart,
    target: &str,
    options: &CsvOptions,
) -> Result<LoadedTable, Error> {
    let table = Table::read(train, &reading(options))?;
    let mut notes: Vec<TableNote> =
        table.dialect_note(options.delimiter, options.decimal).into_iter().collect();
    notes.extend(index_note(&table, index_columns(&table, target, options)));
    let (schema, kept, train_part, test_part) = match test {
        TestPart::File(path) => {
            let all: Vec<usize> = (0..table.n_rows()).collect();
            let schema = CsvSchema::fit_table(&table, target, options, &all)?;
            let (train_part, found) = schema.split_of(&table)?;
            notes.extend(found);
            let test_table = schema.table_of(|reading| Table::read(path, reading))?;
            notes.extend(test_table.dialect_note(options.delimiter, options.decimal));
            let (test_part, found) = schema.split_of(&test_table)?;
            notes.extend(found);
            (schema, all, train_part, test_part)
        }
        TestPart::Fraction { fraction, seed } => {
            let (kept, held) = holdout_indices(table.n_rows(), *fraction, *seed)?;
            let schema = CsvSchema::fit_table(&table, target, options, &kept)?;
            let (whole, found) = schema.split_of(&table)?;
            notes.extend(found);
            let (train_part, test_part) = (whole.select(&kept), whole.select(&held));
            (schema, kept, train_part, test_part)
        }
    };
    notes.extend(notes_of_training(&table, &schema, target, options, &train_part, &kept));
    let name = table_name(train);
    let origin = match test {
        TestPart::File(path) => format!("{}, tested on {}", train.display(), path.display()),
        TestPart::Fraction { fraction, seed } => {
            format!("{}, a fraction of {fraction} held out with seed {seed}", train.display())
        }
    };
    let dataset = Dataset {
        name,
        task: schema.task(),
        train: train_part,
        test: test_part,
        feature_names: schema.feature_names(),
        class_names: schema.class_names().to_vec(),
        image: None,
        layout: InputLayout::Columns,
        provenance: format!("the user's table {origin}"),
    };
    Ok(LoadedTable { dataset, schema, notes, digest: table.digest })
}

/// What should be said of columns, seen from the training rows.
pub(super) fn notes_of_training(
    table: &Table,
    schema: &CsvSchema,
    target: &str,
    options: &CsvOptions,
    train: &Split,
    rows: &[usize],
) -> Vec<TableNote> {
    let mut notes = Vec::new();
    notes.extend(useless_note(table, useless_columns(table, target, options, rows)));
    notes.extend(doubtful_quantity(table, target, options));
    notes.extend(leading_zeros(table, schema));
    notes.extend(doubtful_levels(table, schema));
    notes.extend(similar_levels(table, schema));
    notes.extend(constant_columns(table, schema, rows));
    notes.extend(indistinct_columns(table, schema, train, rows));
    notes
}

/// The stem of the name of a file.
pub(super) fn table_name(file: &Path) -> String {
    file.file_stem().map_or_else(|| "table".into(), |stem| stem.to_string_lossy().into_owned())
}
