//! The choices a user has when a table is read; each has a default that refuses rather than guesses.
//!
//! Not the result of fitting; see [`super::CsvSchema`].

use serde::{Deserialize, Serialize};

use crate::Task;

/// What to do with a missing cell of a feature column. Missing targets are always refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// An error that names the cell.
    #[default]
    Refuse,
    /// The mean of the training rows; for categorical columns the most frequent level, the first in order on a tie.
    ImputeMean,
    /// The median of the training rows (mean of the middle two); for categorical columns as for the mean.
    ImputeMedian,
    /// Where cells of the training rows are missing: the median and one more input that is 1 where the cell was missing; for
    /// categorical columns a level of its own. Elsewhere as [`Missing::ImputeMedian`].
    Indicator,
}

/// What to do at prediction with a level that did not occur in the fitted file. Unknown classes are always refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownLevels {
    /// An error that names the level.
    #[default]
    Refuse,
    /// Zero in all columns of that feature.
    AllZero,
    /// The place of the levels that are rare in the training rows ([`CsvOptions::rare_below`]); where none is rare, as
    /// [`UnknownLevels::AllZero`]. Levels that stand only in other rows are unknown.
    OwnLevel,
}

/// What to do with columns of dates and times.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dates {
    /// An error that names the first cell.
    #[default]
    Refuse,
    /// Elapsed days, and the place in the year, the week and the day; see [`DateColumn`](super::DateColumn).
    CalendarParts,
}

/// How a table is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CsvOptions {
    /// Columns to treat as categorical although they hold numbers; the target among them makes a classification task.
    pub categorical: Vec<String>,
    /// Columns to leave out, such as row numbers; later files may or may not have them.
    pub ignore: Vec<String>,
    /// Whether columns that count the rows, as pandas writes its index, are inputs; else they are left out, and told.
    pub keep_index: bool,
    /// What to do with missing cells.
    pub missing: Missing,
    /// The cells that count as missing, compared exactly after trimming, in columns of numbers and of text alike; `None` takes
    /// [`MISSING_TOKENS`](super::MISSING_TOKENS) in columns of numbers and empty cells in columns of text. Empty cells are
    /// always missing.
    pub missing_tokens: Option<Vec<String>>,
    /// What is predicted; `None` takes regression for a numeric target and classification for text.
    pub task: Option<Task>,
    /// What to do with unknown levels at prediction.
    pub unknown_levels: UnknownLevels,
    /// Most levels a categorical feature, or classes a target, may have; where unknown levels have a place, the levels of a
    /// feature beyond the most frequent ones share it instead.
    pub max_levels: usize,
    /// Field separator, one ASCII character; `None` finds out which of comma, semicolon, tab and pipe it is.
    pub delimiter: Option<char>,
    /// Decimal mark, a point or a comma; `None` finds it out.
    pub decimal: Option<char>,
    /// Levels that occur fewer times than this in the training rows share one place, where unknown levels have one; at most 1
    /// means that none is rare.
    pub rare_below: usize,
    /// Whether a column of truth values, such as `yes` and `no`, is one input rather than two.
    pub booleans: bool,
    /// What to do with columns of dates.
    pub dates: Dates,
    /// Columns to read as dates whatever they look like; the only ones in which `20240131` is one.
    pub date_columns: Vec<String>,
    /// Whether `1/2/2024` is the first of February; `None` finds it out, and refuses a column that does not tell.
    pub day_first: Option<bool>,
    /// Whether columns that are constant in the training rows, count the rows, or are another text in every row are left out,
    /// and told.
    pub leave_out_useless: bool,
    /// Columns that are never left out for being useless.
    pub keep: Vec<String>,
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self {
            categorical: Vec::new(),
            ignore: Vec::new(),
            keep_index: false,
            missing: Missing::default(),
            missing_tokens: None,
            task: None,
            unknown_levels: UnknownLevels::default(),
            max_levels: 128,
            delimiter: None,
            decimal: None,
            rare_below: 1,
            booleans: false,
            dates: Dates::default(),
            date_columns: Vec::new(),
            day_first: None,
            leave_out_useless: false,
            keep: Vec::new(),
        }
    }
}

/// What a later file may have otherwise than the fitted one; `None` keeps what was fitted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadingChanges {
    /// Field separator.
    pub delimiter: Option<char>,
    /// Decimal mark.
    pub decimal: Option<char>,
    /// The cells that count as missing.
    pub missing_tokens: Option<Vec<String>>,
    /// What to do with unknown levels.
    pub unknown_levels: Option<UnknownLevels>,
    /// Columns to leave out, beside those that the fitted file left out.
    pub ignore: Vec<String>,
}
