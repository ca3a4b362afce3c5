//! A categorical column with places of their own for rare, unseen and missing levels.
//!
//! Not for columns without such places; those are [`ColumnKind::Categorical`](super::ColumnKind).

use std::collections::{HashMap, HashSet};

use ndarray::ArrayViewMut2;
use serde::{Deserialize, Serialize};

use super::encode::{Told, missing_value, unknown_level};
use super::error::TableError;
use super::levels::{LevelIndex, most_frequent, sorted_levels};
use super::missing::Tokens;
use super::options::{CsvOptions, Missing, UnknownLevels};
use super::place::shown;
use super::read::Cell;

/// A categorical column: one input per level, then one for all other levels, then one for missing cells, where there are such.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Places {
    /// Levels in order: by value when all are numbers, else alphabetical.
    pub levels: Vec<String>,
    /// Whether rare levels of the training rows share an input, which levels that come later share with them.
    pub other: bool,
    /// What a missing cell is.
    pub missing: MissingPlace,
}

/// What a missing cell of a categorical column is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissingPlace {
    /// Refused.
    Refuse,
    /// The level at this position.
    Level(usize),
    /// A level of its own.
    Own,
}

impl Places {
    /// Learns levels and places.
    ///
    /// `present` are all cells of the column that are not missing, `training` those of the training rows. Where unknown levels
    /// have a place, only levels of the training rows count, and the most frequent ones are kept if there are too many.
    pub(super) fn fit<'a>(
        present: impl Iterator<Item = Cell<'a>>,
        training: impl Iterator<Item = Cell<'a>> + Clone,
        missing_in_training: bool,
        options: &CsvOptions,
    ) -> Self {
        let own_level = options.unknown_levels == UnknownLevels::OwnLevel;
        let all = if own_level { sorted_levels(training.clone()) } else { sorted_levels(present) };
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for cell in training.clone() {
            *counts.entry(cell.text()).or_default() += 1;
        }
        let count = |level: &String| counts.get(level.as_str()).copied().unwrap_or(0);
        let mut frequent: Vec<&String> =
            all.iter().filter(|level| !own_level || count(level) >= options.rare_below).collect();
        if own_level && frequent.len() > options.max_levels {
            frequent.sort_by_key(|level| std::cmp::Reverse(count(level)));
            frequent.truncate(options.max_levels);
        }
        let other = frequent.len() < all.len();
        let kept: HashSet<&String> = frequent.into_iter().collect();
        let levels: Vec<String> = all.iter().filter(|level| kept.contains(level)).cloned().collect();
        let missing = match options.missing {
            Missing::Refuse => MissingPlace::Refuse,
            Missing::Indicator if missing_in_training => MissingPlace::Own,
            // Without a level that is not rare there is only the place of the others.
            _ => most_frequent(&levels, training).map_or(MissingPlace::Own, MissingPlace::Level),
        };
        Self { levels, other, missing }
    }

    /// Number of inputs.
    pub(super) fn width(&self) -> usize {
        self.levels.len() + usize::from(self.other) + usize::from(self.missing == MissingPlace::Own)
    }

    /// Names of the inputs behind the name of the column.
    pub(super) fn parts(&self) -> Vec<String> {
        let mut parts: Vec<String> = self.levels.iter().map(|level| format!("={level}")).collect();
        parts.extend(self.other.then(|| " is another level".to_owned()));
        parts.extend((self.missing == MissingPlace::Own).then(|| " is missing".to_owned()));
        parts
    }

    /// Sets the inputs of this column, which are zero.
    ///
    /// # Shapes
    /// `out`: `[N, width]`.
    pub(super) fn encode<'a>(
        &self,
        cells: impl Iterator<Item = Cell<'a>>,
        tokens: Tokens<'_>,
        unknown_levels: UnknownLevels,
        mut out: ArrayViewMut2<'_, f64>,
        told: &mut Told,
    ) -> Result<(), TableError> {
        let known = LevelIndex::of(&self.levels);
        let (mut n_filled, mut n_other) = (0, 0);
        let mut first_other = None;
        let mut strangers = (0, None);
        for (cell, mut row) in cells.zip(out.rows_mut()) {
            if tokens.in_text(cell.text()) {
                n_filled += 1;
                let place = match self.missing {
                    MissingPlace::Refuse => return Err(missing_value(cell)),
                    MissingPlace::Level(level) => level,
                    MissingPlace::Own => self.width() - 1,
                };
                row[place] = 1.0;
            } else if let Some(level) = known.find(cell.text()) {
                row[level] = 1.0;
            } else if self.other {
                row[self.levels.len()] = 1.0;
                n_other += 1;
                first_other.get_or_insert_with(|| shown(cell.text()));
            } else if unknown_levels == UnknownLevels::Refuse {
                return Err(unknown_level(cell, &known));
            } else {
                strangers.0 += 1;
                strangers.1.get_or_insert_with(|| shown(cell.text()));
            }
        }
        told.filled(n_filled, self.filling());
        if let Some(first) = first_other {
            told.other(n_other, first);
        }
        if let (n, Some(first)) = strangers {
            told.unknown(n, first);
        }
        Ok(())
    }

    /// What a missing cell becomes, for messages.
    pub(super) fn filling(&self) -> String {
        match self.missing {
            MissingPlace::Level(level) => format!("`{}`", shown(&self.levels[level])),
            MissingPlace::Own => "a level of their own".into(),
            MissingPlace::Refuse => "nothing".into(),
        }
    }
}
