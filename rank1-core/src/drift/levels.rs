//! How often each level of a category occurs, and the distance of another sample from it.

use serde::{Deserialize, Serialize};
use statrs::function::gamma::checked_gamma_ur;

use super::Difference;
use crate::Error;

/// Levels that are expected less often than this in either sample are counted together.
const RARE: f64 = 5.0;

/// Counts of the levels of a category, in a fixed order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LevelReference {
    counts: Vec<u64>,
}

impl LevelReference {
    /// The counts of a sample.
    ///
    /// # Shapes
    /// `counts` `[L]`, one for each level.
    ///
    /// # Errors
    /// [`Error::Empty`] where no row was counted.
    pub fn of(counts: Vec<u64>) -> Result<Self, Error> {
        if counts.iter().all(|&count| count == 0) {
            return Err(Error::Empty { op: "LevelReference::of", argument: "counts" });
        }
        Ok(Self { counts })
    }

    /// Whether no row of the sample had this level.
    #[must_use]
    pub fn is_unseen(&self, level: usize) -> bool {
        self.counts.get(level).is_none_or(|&count| count == 0)
    }

    /// The total variation between the shares of both samples.
    ///
    /// # Shapes
    /// `counts` `[L]`.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] for another number of levels, [`Error::Empty`] without rows.
    ///
    /// # Source
    /// Half the sum of the absolute differences of the shares; the probability is that of Pearson's chi-square for two samples,
    /// with the levels that are expected less than five times in either counted together.
    pub fn compare(&self, counts: &[u64]) -> Result<Difference, Error> {
        const OP: &str = "LevelReference::compare";
        crate::metrics::checks::same_len(OP, "counts", self.counts.len(), counts.len())?;
        let total = |counts: &[u64]| counts.iter().sum::<u64>() as f64;
        let (n, m) = (total(&self.counts), total(counts));
        if m == 0.0 {
            return Err(Error::Empty { op: OP, argument: "counts" });
        }
        let both = self.counts.iter().zip(counts).map(|(&a, &b)| (a as f64, b as f64));
        let distance = both.clone().map(|(a, b)| (a / n - b / m).abs()).sum::<f64>() / 2.0;
        let is_rare = |(a, b): &(f64, f64)| (a + b) * n.min(m) / (n + m) < RARE;
        let mut cells: Vec<(f64, f64)> = both.clone().filter(|cell| !is_rare(cell)).collect();
        let rare = both.filter(is_rare).fold((0.0, 0.0), |(a, b), cell| (a + cell.0, b + cell.1));
        if rare.0 + rare.1 > 0.0 {
            cells.push(rare);
        }
        let statistic: f64 = cells
            .iter()
            .map(|&(a, b)| {
                let (expected_a, expected_b) = ((a + b) * n / (n + m), (a + b) * m / (n + m));
                (a - expected_a).powi(2) / expected_a + (b - expected_b).powi(2) / expected_b
            })
            .sum();
        let freedom = cells.len() as f64 - 1.0;
        let p_value = if freedom < 1.0 || statistic <= 0.0 {
            1.0
        } else {
            // Both arguments are positive, which is all that it asks for.
            checked_gamma_ur(freedom / 2.0, statistic / 2.0).unwrap_or(f64::NAN).clamp(0.0, 1.0)
        };
        Ok(Difference { distance, p_value })
    }
}
