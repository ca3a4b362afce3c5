//! What the columns of the training rows of a table looked like, before any scaling.

use anyhow::Result;
use ndarray::Array1;
use rank1_core::drift::{LevelReference, NumberReference};
use rank1_data::{ColumnKind, CsvSchema, InputKind, Split};
use serde::{Deserialize, Serialize};

/// What stands for a row with none of the levels of its column.
const NONE_OF_THESE: &str = "none of these";

/// Neighboring encoded inputs of one column of the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnReference {
    /// What they are called: the column of the file, or the name of the input where it is one.
    pub name: String,
    /// The column of the file.
    pub column: String,
    /// Position of the first of the inputs.
    pub start: usize,
    /// How they are distributed.
    pub values: ColumnValues,
}

/// The distribution of the inputs of a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ColumnValues {
    /// One input, a quantity.
    Number {
        /// Its distribution.
        distribution: NumberReference,
    },
    /// One input, a sine or cosine of a date.
    Cyclic {
        /// Its distribution.
        distribution: NumberReference,
    },
    /// One input for each level but the last.
    Levels {
        /// Their names; the last one is for rows with none of the others.
        names: Vec<String>,
        /// Position of the level that rare and new levels share, where there is one.
        shared: Option<usize>,
        /// How often each occurs.
        counts: LevelReference,
    },
}

/// The references of all columns, from these rows of a part.
///
/// # Errors
/// No row, or inputs that are not finite.
pub(crate) fn column_references(
    split: &Split,
    rows: &[usize],
    schema: &CsvSchema,
) -> Result<Vec<ColumnReference>> {
    let input_names = schema.feature_names();
    let values_of = |input: usize| -> Vec<f64> {
        let all: Vec<f64> = split.column(input).collect();
        rows.iter().map(|&row| all[row]).collect()
    };
    let mut references = Vec::new();
    for group in schema.input_groups() {
        let inputs = group.start..group.start + group.width;
        let mut add = |name: &str, start: usize, values: ColumnValues| {
            let (name, column) = (name.to_owned(), group.column.clone());
            references.push(ColumnReference { name, column, start, values });
        };
        match group.kind {
            InputKind::Number | InputKind::Cyclic => {
                for input in inputs {
                    let distribution = NumberReference::of(Array1::from_vec(values_of(input)).view())?;
                    let values = match group.kind {
                        InputKind::Number => ColumnValues::Number { distribution },
                        _ => ColumnValues::Cyclic { distribution },
                    };
                    add(&input_names[input], input, values);
                }
            }
            _ => {
                let codes: Vec<Vec<f64>> = inputs.clone().map(values_of).collect();
                let mut counts = vec![0; group.width + 1];
                levels_of_rows(&codes).into_iter().for_each(|level| counts[level] += 1);
                let mut names = input_names[inputs].to_vec();
                names.push(NONE_OF_THESE.into());
                let name = if group.width == 1 { names[0].clone() } else { group.column.clone() };
                let shared = shared_place(schema, &group.column);
                let values = ColumnValues::Levels { names, shared, counts: LevelReference::of(counts)? };
                add(&name, group.start, values);
            }
        }
    }
    Ok(references)
}

/// The level of each row: the last of its inputs that is not zero, or one more than there are.
///
/// # Shapes
/// `codes`: for each input `[N]`; returns `[N]`.
pub(crate) fn levels_of_rows(codes: &[Vec<f64>]) -> Vec<usize> {
    let n_rows = codes.first().map_or(0, Vec::len);
    // A mark of a missing cell stands behind what fills it.
    let level = |row: usize| codes.iter().rposition(|input| input[row] != 0.0).unwrap_or(codes.len());
    (0..n_rows).map(level).collect()
}

fn shared_place(schema: &CsvSchema, column: &str) -> Option<usize> {
    match &schema.columns().iter().find(|own| own.name == column)?.kind {
        ColumnKind::Places(places) => places.other.then_some(places.levels.len()),
        _ => None,
    }
}
