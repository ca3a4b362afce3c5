//! What a fitted table schema remembers, and the names and counts that follow from it.
//!
//! Not for fitting or applying it; see [`super::fit`] and [`super::encode`].

use serde::{Deserialize, Serialize};

use super::date_column::DateColumn;
use super::missing::Tokens;
use super::options::{CsvOptions, ReadingChanges, UnknownLevels};
use super::places::Places;
use super::read::Reading;
use super::truth::TruthColumn;
use crate::{Error, Task};

/// How one feature column is encoded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ColumnKind {
    /// One input column with the number itself.
    Numeric {
        /// What replaces a missing cell; `None` refuses it.
        impute: Option<f64>,
    },
    /// One input column per level, 1 where the cell is that level, else 0.
    Categorical {
        /// Levels in order: by value when all are numbers, else alphabetical.
        levels: Vec<String>,
        /// Level that replaces a missing cell; `None` refuses it.
        impute: Option<usize>,
    },
    /// The number itself, and 1 where the cell is missing, else 0.
    NumericWithIndicator {
        /// What replaces a missing cell.
        impute: f64,
    },
    /// As categorical, with places for other levels and missing cells.
    Places(Places),
    /// 1 where the cell is true, else 0.
    Truth(TruthColumn),
    /// Days and places in the calendar.
    Date(DateColumn),
}

/// One feature column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Its name in the header.
    pub name: String,
    /// How it is encoded.
    #[serde(flatten)]
    pub kind: ColumnKind,
}

/// How the target is read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TargetKind {
    /// A real number, in its own unit.
    Value,
    /// One of these classes, in order: by value when all are numbers, else alphabetical.
    Classes {
        /// The labels as they stand in the file.
        names: Vec<String>,
    },
}

/// Columns, levels, imputed values and target of a table, fitted once and applied to every later file.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("train.csv");
/// use rank1_data::{CsvOptions, CsvSchema};
/// std::fs::write(&path, "size,color,price\n1,red,10\n2,blue,30\n")?;
/// let schema = CsvSchema::fit(&path, "price", &CsvOptions::default())?;
/// assert_eq!(schema.feature_names(), ["size", "color=blue", "color=red"]);
/// std::fs::write(&path, "color,size\nred,5\n")?;
/// assert_eq!(schema.read_inputs(&path)?.values, ndarray::array![[5.0, 0.0, 1.0]]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CsvSchema {
    pub(super) target: String,
    pub(super) target_kind: TargetKind,
    pub(super) columns: Vec<Column>,
    pub(super) ignore: Vec<String>,
    pub(super) missing_tokens: Option<Vec<String>>,
    pub(super) unknown_levels: UnknownLevels,
    pub(super) delimiter: Option<char>,
    #[serde(default)]
    pub(super) decimal: Option<char>,
    /// The decimal mark of the fitted file, for later files whose cells do not tell it.
    #[serde(default = "point")]
    pub(super) fitted_decimal: char,
}

fn point() -> char {
    '.'
}

impl CsvSchema {
    pub(super) fn new(
        target: &str,
        target_kind: TargetKind,
        columns: Vec<Column>,
        options: &CsvOptions,
    ) -> Self {
        Self {
            target: target.to_owned(),
            target_kind,
            columns,
            ignore: options.ignore.clone(),
            missing_tokens: options.missing_tokens.clone(),
            unknown_levels: options.unknown_levels,
            delimiter: options.delimiter,
            decimal: options.decimal,
            fitted_decimal: options.decimal.unwrap_or('.'),
        }
    }

    /// Whether two schemas have the same columns, levels, imputed values and target, however their files are written.
    pub fn has_columns_of(&self, other: &Self) -> bool {
        (&self.target, &self.target_kind, &self.columns)
            == (&other.target, &other.target_kind, &other.columns)
    }

    /// The same columns, for files that are written or treated otherwise; `None` leaves a setting as it is.
    #[must_use]
    pub fn with_reading(self, changes: &ReadingChanges) -> Self {
        Self {
            delimiter: changes.delimiter.or(self.delimiter),
            decimal: changes.decimal.or(self.decimal),
            missing_tokens: changes.missing_tokens.clone().or(self.missing_tokens),
            unknown_levels: changes.unknown_levels.unwrap_or(self.unknown_levels),
            ignore: self.ignore.iter().chain(&changes.ignore).cloned().collect(),
            ..self
        }
    }

    /// Names and levels of the columns of text, the target last if it is one.
    pub(super) fn levels(&self) -> impl Iterator<Item = (&String, &Vec<String>)> {
        let of_target = match &self.target_kind {
            TargetKind::Classes { names } => Some((&self.target, names)),
            TargetKind::Value => None,
        };
        let of_columns = self.columns.iter().filter_map(|column| match &column.kind {
            ColumnKind::Categorical { levels, .. } => Some((&column.name, levels)),
            ColumnKind::Places(places) => Some((&column.name, &places.levels)),
            ColumnKind::Truth(truth) => Some((&column.name, &truth.words)),
            _ => None,
        });
        of_columns.chain(of_target)
    }

    pub(super) fn tokens(&self) -> Tokens<'_> {
        Tokens(self.missing_tokens.as_deref())
    }

    /// How a file with these columns and the target is read.
    pub(super) fn table_of<T>(
        &self,
        read: impl FnOnce(&Reading<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut reading = self.reading(&[]);
        if let Some(needed) = &mut reading.needed {
            needed.push(&self.target);
        }
        read(&reading)
    }

    /// How a file with these columns is read for its inputs; `kept` columns are given back as text.
    pub(super) fn reading<'a>(&'a self, kept: &'a [String]) -> Reading<'a> {
        let numeric = |column: &&Column| column.kind.is_number();
        let target = matches!(self.target_kind, TargetKind::Value).then_some(self.target.as_str());
        let numeric = self.columns.iter().filter(numeric).map(|column| column.name.as_str()).chain(target);
        let needed = self.columns.iter().map(|column| &column.name).chain(kept);
        Reading {
            delimiter: self.delimiter,
            decimal: self.decimal,
            expected_decimal: self.fitted_decimal,
            ignore: &self.ignore,
            tokens: self.tokens(),
            categorical: &[],
            numeric: Some(numeric.collect()),
            needed: Some(needed.map(String::as_str).collect()),
            kept,
        }
    }

    /// Name of the target column.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// How the target is read.
    pub fn target_kind(&self) -> &TargetKind {
        &self.target_kind
    }

    /// The feature columns of the file, in the order of the fitted file.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// What is predicted.
    pub fn task(&self) -> Task {
        match self.target_kind {
            TargetKind::Value => Task::Regression,
            TargetKind::Classes { .. } => Task::Classification,
        }
    }

    /// Class names in label order; empty for regression.
    pub fn class_names(&self) -> &[String] {
        match &self.target_kind {
            TargetKind::Value => &[],
            TargetKind::Classes { names } => names,
        }
    }

    /// Names of the encoded input columns: `column`, `column=level`, `column is missing`, `column is another level`, and
    /// `column: days` or `column: sine of year` and the like of dates.
    pub fn feature_names(&self) -> Vec<String> {
        let names = |column: &Column| match &column.kind {
            ColumnKind::Numeric { .. } => vec![column.name.clone()],
            ColumnKind::Categorical { levels, .. } => {
                levels.iter().map(|level| format!("{}={level}", column.name)).collect()
            }
            ColumnKind::NumericWithIndicator { .. } => named(column, &["", " is missing"]),
            ColumnKind::Places(places) => named(column, &places.parts()),
            ColumnKind::Truth(truth) => {
                named(column, &["", " is missing"][..1 + usize::from(truth.indicator)])
            }
            ColumnKind::Date(date) => named(column, &date.parts()),
        };
        self.columns.iter().flat_map(names).collect()
    }

    /// Number of encoded input columns.
    pub fn n_features(&self) -> usize {
        self.columns.iter().map(|column| column.kind.width()).sum()
    }
}

impl ColumnKind {
    /// Number of input columns it is encoded to.
    pub fn width(&self) -> usize {
        match self {
            Self::Numeric { .. } => 1,
            Self::Categorical { levels, .. } => levels.len(),
            Self::NumericWithIndicator { .. } => 2,
            Self::Places(places) => places.width(),
            Self::Truth(truth) => 1 + usize::from(truth.indicator),
            Self::Date(date) => date.parts().len(),
        }
    }

    /// Whether its cells are numbers.
    pub(super) fn is_number(&self) -> bool {
        matches!(self, Self::Numeric { .. } | Self::NumericWithIndicator { .. })
    }

    /// Whether its cells are levels, of which only empty or listed ones are missing.
    pub(super) fn is_text(&self) -> bool {
        matches!(self, Self::Categorical { .. } | Self::Places(_) | Self::Truth(_))
    }
}

fn named<S: AsRef<str>>(column: &Column, parts: &[S]) -> Vec<String> {
    parts.iter().map(|part| format!("{}{}", column.name, part.as_ref())).collect()
}
