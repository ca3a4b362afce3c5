//! Cells and levels as messages name them.
//!
//! Not for messages; see [`super::error`].

use std::fmt;

use super::place::RowPlace;

/// A cell by its place and content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedCell {
    /// The row.
    pub row: RowPlace,
    /// The column.
    pub column: String,
    /// The cell, shortened.
    pub value: String,
}

impl fmt::Display for NamedCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` in {}, column `{}`,", self.value, self.row, self.column)
    }
}

/// The levels of a column and the one that is nearest to an unknown one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownLevels {
    /// The nearest.
    pub hint: Option<String>,
    /// All of them.
    pub levels: Vec<String>,
}

/// What a table of one column without the wanted one suggests.
pub(super) fn one_column(available: &[String]) -> &'static str {
    if available.len() == 1 { "; one column only, so data.delimiter may be another" } else { "" }
}
