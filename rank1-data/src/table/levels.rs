//! Levels of categorical columns: their order, and which level a cell is.
//!
//! Not for missing cells; see [`super::missing`].

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};

use super::error::{KnownLevels, TableError};
use super::place::shown;
use super::read::{Cell, Table};
use crate::nearest::nearest;

/// The different texts of some cells: by value when all are numbers, else alphabetical.
pub(super) fn sorted_levels<'a>(cells: impl Iterator<Item = Cell<'a>>) -> Vec<String> {
    let mut levels: Vec<&str> = cells.map(Cell::text).collect();
    levels.sort_unstable();
    levels.dedup();
    let numbers: Option<Vec<f64>> = levels.iter().map(|level| level.parse().ok()).collect();
    if let Some(numbers) = numbers {
        let mut keyed: Vec<(f64, &str)> = numbers.into_iter().zip(levels).collect();
        keyed.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.cmp(b.1)));
        levels = keyed.into_iter().map(|(_, level)| level).collect();
    }
    levels.into_iter().map(str::to_owned).collect()
}

/// Refuses levels that a later file could not tell apart: `1` and `1.0`, `True` and `true`.
pub(super) fn check_written_alike(table: &Table, column: &str, levels: &[String]) -> Result<(), TableError> {
    let mut seen: HashMap<String, &String> = HashMap::new();
    for level in levels {
        if let Some(first) = seen.insert(meaning(level), level) {
            let (path, column) = (table.path.clone(), shown(column));
            let (first, second) = (shown(first), shown(level));
            return Err(TableError::LevelWrittenTwice { path, column, first, second });
        }
    }
    Ok(())
}

/// Position of the level that occurs most often; the first in order on a tie.
pub(super) fn most_frequent<'a>(levels: &[String], cells: impl Iterator<Item = Cell<'a>>) -> Option<usize> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for cell in cells {
        *counts.entry(cell.text()).or_default() += 1;
    }
    let count = |position: &usize| counts.get(levels[*position].as_str()).copied().unwrap_or(0);
    (0..levels.len()).max_by(|a, b| match count(a).cmp(&count(b)) {
        Ordering::Equal => b.cmp(a),
        other => other,
    })
}

/// Which level a text is: the same text, or the same whole number or truth value written otherwise.
pub(super) struct LevelIndex<'a> {
    levels: &'a [String],
    by_text: HashMap<&'a str, usize>,
    by_meaning: HashMap<String, usize>,
}

impl<'a> LevelIndex<'a> {
    pub(super) fn of(levels: &'a [String]) -> Self {
        let by_text = levels.iter().enumerate().map(|(i, level)| (level.as_str(), i)).collect();
        let by_meaning = levels.iter().enumerate().map(|(i, level)| (meaning(level), i)).collect();
        Self { levels, by_text, by_meaning }
    }

    pub(super) fn find(&self, text: &str) -> Option<usize> {
        self.by_text.get(text).or_else(|| self.by_meaning.get(&meaning(text))).copied()
    }

    /// The levels, for messages about a text that is none of them.
    pub(super) fn known(&self, text: &str) -> Box<KnownLevels> {
        Box::new(KnownLevels {
            hint: nearest(text, self.levels).map(|level| shown(&level)),
            levels: self.levels.to_vec(),
        })
    }
}

/// What is the same of `1` and `1.0` (spreadsheets write a column of codes so as soon as one is missing), and of `True`,
/// `TRUE` and `true`. `01` stays another code than `1`.
fn meaning(level: &str) -> String {
    let lower = level.to_ascii_lowercase();
    if lower == "true" || lower == "false" {
        return lower;
    }
    if let Some((whole, fraction)) = level.split_once('.')
        && !whole.is_empty()
        && whole.strip_prefix('-').unwrap_or(whole).bytes().all(|byte| byte.is_ascii_digit())
        && !fraction.is_empty()
        && fraction.bytes().all(|byte| byte == b'0')
    {
        return whole.to_owned();
    }
    level.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_number_or_truth_value_is_the_same_level() {
        let levels = ["1", "2", "10", "True", "Oslo"].map(str::to_owned);
        let index = LevelIndex::of(&levels);
        for (text, expected) in [
            ("1", Some(0)),
            ("1.0", Some(0)),
            ("10.00", Some(2)),
            ("true", Some(3)),
            ("TRUE", Some(3)),
            ("01", None),
            ("1.5", None),
            ("1.", None),
            ("oslo", None),
            ("false", None),
            ("", None),
        ] {
            assert_eq!(index.find(text), expected, "{text}");
        }
        let floats = ["1.0", "1.5"].map(str::to_owned);
        assert_eq!(LevelIndex::of(&floats).find("1"), Some(0));
    }
}
