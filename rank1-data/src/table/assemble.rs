//! A user's table as a data set with a training and a test part.
//!
//! Not for validation parts; see [`crate::validation_split`].

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::options::CsvOptions;
use super::read::Table;
use super::schema::CsvSchema;
use crate::{Dataset, Error, InputLayout, holdout_indices};

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

/// Fits a schema to a training table and reads both parts with it.
///
/// # Errors
/// As [`CsvSchema::fit`] and [`CsvSchema::read`]; [`Error::Fraction`] if a fraction leaves a part empty.
pub fn load_table(
    train: &Path,
    test: &TestPart,
    target: &str,
    options: &CsvOptions,
) -> Result<(Dataset, CsvSchema), Error> {
    let table = Table::read(train, options.delimiter)?;
    let (schema, train_part, test_part) = match test {
        TestPart::File(path) => {
            let all: Vec<usize> = (0..table.n_rows()).collect();
            let schema = CsvSchema::fit_table(&table, target, options, &all)?;
            let (train_part, test_part) = (schema.split_of(&table)?, schema.read(path)?);
            (schema, train_part, test_part)
        }
        TestPart::Fraction { fraction, seed } => {
            let (kept, held) = holdout_indices(table.n_rows(), *fraction, *seed)?;
            let schema = CsvSchema::fit_table(&table, target, options, &kept)?;
            let whole = schema.split_of(&table)?;
            (schema, whole.select(&kept), whole.select(&held))
        }
    };
    let name = train.file_stem().map_or_else(|| "table".into(), |stem| stem.to_string_lossy().into_owned());
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
    Ok((dataset, schema))
}
