//! One line per column of a table: what it is taken for, what is missing, and the option that changes it.
//!
//! Not for remarks about single cells; see [`super::TableNote`].

use std::fmt;

use super::place::{shown, shown_number};
use super::read::Table;
use super::schema::{Column, ColumnKind, CsvSchema};

/// What one column of a table is taken for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnSummary {
    /// Its name.
    pub column: String,
    /// What it is taken for, in a few words.
    pub taken_for: String,
    /// Its missing cells, in all rows of the file.
    pub missing: usize,
    /// What becomes of missing cells; empty if there are none.
    pub filling: String,
    /// The option that changes it.
    pub option: &'static str,
}

impl fmt::Display for ColumnSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { column, taken_for, missing, filling, option } = self;
        write!(f, "{}: {taken_for}", shown(column))?;
        if *missing > 0 {
            write!(f, ", {missing} missing {filling}")?;
        }
        write!(f, " ({option})")
    }
}

impl CsvSchema {
    /// One line per feature column in the order of the file, without counts of cells.
    pub fn describe(&self) -> Vec<ColumnSummary> {
        self.columns.iter().map(|column| summary(column, 0)).collect()
    }

    /// As [`CsvSchema::describe`], with the missing cells of a table.
    pub(super) fn describe_table(&self, table: &Table) -> Vec<ColumnSummary> {
        let missing = |column: &Column| {
            let Ok(position) = table.position(&column.name) else { return 0 };
            let tokens = self.tokens();
            let in_text = column.kind.is_text();
            let is_missing =
                |text: &str| if in_text { tokens.in_text(text) } else { tokens.in_numbers(text) };
            table.column(position).filter(|cell| is_missing(cell.text())).count()
        };
        self.columns.iter().map(|column| summary(column, missing(column))).collect()
    }
}

fn summary(column: &Column, missing: usize) -> ColumnSummary {
    let (taken_for, option) = match &column.kind {
        ColumnKind::Numeric { .. } | ColumnKind::NumericWithIndicator { .. } => {
            ("a number".to_owned(), "data.categorical makes levels of it")
        }
        ColumnKind::Categorical { levels, .. } => (levels_shown(levels), "data.ignore leaves it out"),
        ColumnKind::Places(places) => {
            let other = if places.other { " and a place for rare and new ones" } else { "" };
            (format!("{}{other}", levels_shown(&places.levels)), "data.unknown and data.rare_below")
        }
        ColumnKind::Truth(truth) => {
            let words: Vec<String> = truth.words.iter().map(|word| format!("`{}`", shown(word))).collect();
            (
                format!("a truth value ({})", words.join(" is 0, ") + " is 1"),
                "data.booleans = false makes levels of it",
            )
        }
        ColumnKind::Date(date) => {
            let times = if date.times { " and times" } else { "" };
            (
                format!("dates{times} ({})", date.format.pattern()),
                "data.dates, or data.categorical makes levels of it",
            )
        }
    };
    let filling = if missing > 0 { column.kind.missing_shown() } else { String::new() };
    ColumnSummary { column: column.name.clone(), taken_for, missing, filling, option }
}

fn levels_shown(levels: &[String]) -> String {
    const MOST: usize = 3;
    let mut list: Vec<String> = levels.iter().take(MOST).map(|level| format!("`{}`", shown(level))).collect();
    if levels.len() > MOST {
        list.push("...".into());
    }
    let noun = if levels.len() == 1 { "level" } else { "levels" };
    format!("{} {noun} ({})", levels.len(), list.join(", "))
}

impl ColumnKind {
    /// What becomes of missing cells, for people.
    fn missing_shown(&self) -> String {
        match self {
            Self::Numeric { impute: Some(value) } => format!("filled with {}", shown_number(*value)),
            Self::NumericWithIndicator { impute } => {
                format!("filled with {} and marked by an indicator", shown_number(*impute))
            }
            Self::Date(date) if date.indicator => "filled and marked by an indicator".into(),
            Self::Date(_) => "filled".into(),
            Self::Categorical { .. } | Self::Places(_) | Self::Truth(_) => {
                format!("read as {}", self.filling())
            }
            Self::Numeric { impute: None } => "refused".into(),
        }
    }
}
