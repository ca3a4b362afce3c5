//! A user's table as a training, a validation and a test part: at random, in time, by groups, by a column, by lists, by files.
//!
//! Not for published splits of named sets; see [`crate::uci`].

mod column;
mod error;
mod grouped;
mod listed;
mod load;
mod moments;
mod ordered;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::hash::hash;
use crate::{Error, holdout_indices};

pub use error::PartError;
pub use load::{LoadedParts, load_parts};

/// The shares of the rows that are held out; the training part has the rest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shares {
    /// Between 0 and 1; 0 for no validation part.
    pub validation: f64,
    /// Between 0 and 1.
    pub test: f64,
}

/// How the rows of a table are divided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case", deny_unknown_fields)]
pub enum TableParts {
    /// At random. The test rows are those of [`TestPart::Fraction`](super::TestPart) with the same share and seed.
    Random {
        /// How many rows are held out.
        shares: Shares,
        /// Seed of the permutation.
        seed: u64,
    },
    /// In time: the first rows train, later ones validate, the last ones test. Rows of the same time stay together.
    Time {
        /// A column of dates or numbers.
        column: String,
        /// About how many rows are held out.
        shares: Shares,
        /// Whether the column is an input as well.
        as_input: bool,
    },
    /// No group has rows in two parts. Groups are drawn at random until a part has about its share of the rows.
    Groups {
        /// The column that names the group of each row; it is no input.
        column: String,
        /// About how many rows are held out.
        shares: Shares,
        /// Seed of the permutation of the groups.
        seed: u64,
    },
    /// As a column says: `train`, `validation` (or `valid`), `test`, in any case. It is no input.
    Column {
        /// Its name.
        column: String,
    },
    /// As a JSON file says: `{"train": [...], "validation": [...], "test": [...]}`, of which `validation` may be absent. Rows
    /// are counted from 0 without the header. Rows that are not listed are in no part.
    Rows {
        /// The file.
        file: PathBuf,
    },
    /// As other files have them; a part without a file is drawn at random from the table, its share 0 for none.
    Files {
        /// The validation rows.
        validation: Option<PathBuf>,
        /// The test rows.
        test: Option<PathBuf>,
        /// The shares of parts without a file.
        shares: Shares,
        /// Seed of the permutation.
        seed: u64,
    },
}

impl TableParts {
    /// The column that divides the rows, if one does, and whether it is an input.
    pub(super) fn column(&self) -> Option<(&String, bool)> {
        match self {
            Self::Time { column, as_input, .. } => Some((column, *as_input)),
            Self::Groups { column, .. } | Self::Column { column } => Some((column, false)),
            Self::Random { .. } | Self::Rows { .. } | Self::Files { .. } => None,
        }
    }
}

/// Row numbers of the parts, from 0, each list rising. Parts that are other files have none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PartRows {
    /// The rows to fit on.
    pub train: Vec<usize>,
    /// The rows to choose on.
    pub validation: Vec<usize>,
    /// The rows to report on.
    pub test: Vec<usize>,
}

impl PartRows {
    /// All rows of a table of `n` rows divided at random; a share of 0 leaves a part without rows.
    ///
    /// # Errors
    /// [`Error::Fraction`] if a share leaves the training part or its own part empty.
    pub fn random(n: usize, shares: Shares, seed: u64) -> Result<Self, Error> {
        let hold = |rows: Vec<usize>, share: f64, seed: u64| {
            if share == 0.0 {
                return Ok((rows, Vec::new()));
            }
            let n_held = (share * n as f64).round();
            let refused = Error::Fraction { fraction: share, rows: n };
            if !(share > 0.0 && n_held < rows.len() as f64) {
                return Err(refused);
            }
            let fraction = if rows.len() == n { share } else { n_held / rows.len() as f64 };
            let (kept, held) = holdout_indices(rows.len(), fraction, seed).map_err(|_| refused)?;
            let named = |positions: Vec<usize>| positions.into_iter().map(|i| rows[i]).collect();
            Ok((named(kept), named(held)))
        };
        let (rest, test) = hold((0..n).collect(), shares.test, seed)?;
        let (train, validation) = hold(rest, shares.validation, hash(seed, u64::MAX))?;
        Ok(Self { train, validation, test })
    }

    /// All rows in a part, rising.
    pub(super) fn all(&self) -> Vec<usize> {
        let mut all = [self.train.as_slice(), &self.validation, &self.test].concat();
        all.sort_unstable();
        all
    }
}

/// How many of `n` rows each held-out part should have: validation, test.
fn counts(n: usize, shares: Shares) -> Result<[usize; 2], Error> {
    let count = |share: f64| {
        let accepted = share == 0.0 || (share > 0.0 && share < 1.0);
        let count = if share > 0.0 { (share * n as f64).round().max(1.0) as usize } else { 0 };
        if accepted { Ok(count) } else { Err(Error::Fraction { fraction: share, rows: n }) }
    };
    let counts = [count(shares.validation)?, count(shares.test)?];
    let total = shares.validation + shares.test;
    if counts[0] + counts[1] >= n { Err(Error::Fraction { fraction: total, rows: n }) } else { Ok(counts) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn random_test_rows_are_those_of_a_plain_holdout() {
        let rows = PartRows::random(101, Shares { validation: 0.1, test: 0.2 }, 5).unwrap();
        assert_eq!(rows.test, holdout_indices(101, 0.2, 5).unwrap().1);
        assert_eq!((rows.train.len(), rows.validation.len(), rows.test.len()), (71, 10, 20));
        let none = PartRows::random(101, Shares { validation: 0.0, test: 0.2 }, 5).unwrap();
        assert!(none.validation.is_empty());
    }

    #[test]
    fn shares_that_leave_nothing_are_refused() {
        for (validation, test) in
            [(0.5, 0.5), (-0.1, 0.2), (0.2, f64::NAN), (0.0, 1.0), (0.01, 0.2), (1.5, 0.1)]
        {
            let got = PartRows::random(10, Shares { validation, test }, 1);
            assert!(matches!(got, Err(Error::Fraction { .. })), "{validation} {test}: {got:?}");
        }
        assert!(counts(10, Shares { validation: 0.5, test: 0.5 }).is_err());
        assert_eq!(counts(10, Shares { validation: 0.01, test: 0.2 }).unwrap(), [1, 2]);
    }

    proptest! {
        #[test]
        fn every_row_is_in_one_part(n in 5_usize..200, validation in 0.0_f64..0.4, test in 0.0_f64..0.4, seed: u64) {
            if let Ok(rows) = PartRows::random(n, Shares { validation, test }, seed) {
                prop_assert_eq!(rows.all(), (0..n).collect::<Vec<_>>());
            }
        }
    }
}
