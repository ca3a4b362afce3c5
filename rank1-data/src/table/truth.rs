//! Columns of truth values as one input, 1 where it is true.
//!
//! Not for other columns with two levels, nor for numbers 0 and 1, which are numbers.

use ndarray::ArrayViewMut2;
use serde::{Deserialize, Serialize};

use super::encode::{Told, missing_value, unknown_level};
use super::error::TableError;
use super::levels::{LevelIndex, most_frequent};
use super::missing::Tokens;
use super::options::{Missing, UnknownLevels};
use super::place::shown;
use super::read::Cell;

/// Words for false and true, compared without case.
const WORDS: [[&str; 2]; 5] = [["false", "true"], ["no", "yes"], ["f", "t"], ["n", "y"], ["off", "on"]];

/// A column of truth values: one input, 1 where it is true, then the indicator of missing cells if there is one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TruthColumn {
    /// The words for false and true as they stand in the file.
    pub words: Vec<String>,
    /// What replaces a missing cell; `None` refuses it.
    pub impute: Option<bool>,
    /// Whether one more input is 1 where the cell is missing.
    pub indicator: bool,
}

impl TruthColumn {
    /// The column, if these levels are a pair of truth values.
    pub(super) fn fit<'a>(
        levels: &[String],
        training: impl Iterator<Item = Cell<'a>>,
        missing_in_training: bool,
        missing: Missing,
    ) -> Option<Self> {
        let [first, second] = levels else { return None };
        let is = |level: &String, word: &str| level.eq_ignore_ascii_case(word);
        let words = WORDS.iter().find_map(|[no, yes]| {
            if is(first, no) && is(second, yes) {
                Some(vec![first.clone(), second.clone()])
            } else if is(first, yes) && is(second, no) {
                Some(vec![second.clone(), first.clone()])
            } else {
                None
            }
        })?;
        let impute = match missing {
            Missing::Refuse => None,
            _ => most_frequent(&words, training).map(|word| word == 1),
        };
        Some(Self { words, impute, indicator: missing == Missing::Indicator && missing_in_training })
    }

    /// Sets the inputs of this column, which are zero.
    ///
    /// # Shapes
    /// `out`: `[N, 1]`, or `[N, 2]` with an indicator.
    pub(super) fn encode<'a>(
        &self,
        cells: impl Iterator<Item = Cell<'a>>,
        tokens: Tokens<'_>,
        unknown_levels: UnknownLevels,
        mut out: ArrayViewMut2<'_, f64>,
        told: &mut Told,
    ) -> Result<(), TableError> {
        let known = LevelIndex::of(&self.words);
        let find = |text: &str| {
            known.find(text).or_else(|| self.words.iter().position(|word| word.eq_ignore_ascii_case(text)))
        };
        let mut n_filled = 0;
        let mut strangers = (0, None);
        for (cell, mut row) in cells.zip(out.rows_mut()) {
            let truth = if tokens.in_text(cell.text()) {
                n_filled += 1;
                if self.indicator {
                    row[1] = 1.0;
                }
                self.impute.ok_or_else(|| missing_value(cell))?
            } else {
                match find(cell.text()) {
                    Some(word) => word == 1,
                    None if unknown_levels == UnknownLevels::Refuse => {
                        return Err(unknown_level(cell, &known));
                    }
                    None => {
                        strangers.0 += 1;
                        strangers.1.get_or_insert_with(|| shown(cell.text()));
                        false
                    }
                }
            };
            row[0] = f64::from(u8::from(truth));
        }
        told.filled(n_filled, self.filling());
        if let (n, Some(first)) = strangers {
            told.unknown(n, first);
        }
        Ok(())
    }

    /// What a missing cell becomes, for messages.
    pub(super) fn filling(&self) -> String {
        let word = self.words.get(usize::from(self.impute.unwrap_or(false)));
        let marked = if self.indicator { ", and marked" } else { "" };
        format!("`{}`{marked}", word.map_or_else(String::new, |word| shown(word)))
    }
}
