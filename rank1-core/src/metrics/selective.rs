//! Prediction with the right to abstain: risk among the examples kept, as fewer are kept.
//!
//! Not for detecting foreign data; see [`super::ood`].

use ndarray::ArrayView1;

use super::checks;
use crate::Error;

/// Risk among the most certain examples, for every number of examples kept.
#[derive(Debug, Clone, PartialEq)]
pub struct RiskCoverage {
    /// `i / N` for `i = 1..=N`.
    pub coverage: Vec<f64>,
    /// Mean loss of the `i` examples kept.
    pub risk: Vec<f64>,
    /// Mean over `i` of the smallest risks any order could have.
    oracle_aurc: f64,
}

/// Keeps the most certain examples first and follows the mean loss.
///
/// # Units
/// The loss's own; with 0-1 losses risk is the error rate.
///
/// # Shapes
/// `uncertainty`, `losses` `[N]`; returns `N` points.
///
/// # Errors
/// [`Error::Empty`], [`Error::ShapeMismatch`], [`Error::NotFinite`].
///
/// # Numerics
/// Examples of equal uncertainty enter with their mean loss (the expectation over their orders), so the curve
/// does not depend on the order of the input.
///
/// # Source
/// El-Yaniv and Wiener 2010, JMLR 11; Geifman and El-Yaniv 2017, arXiv:1705.08500.
pub fn risk_coverage(
    uncertainty: ArrayView1<'_, f64>,
    losses: ArrayView1<'_, f64>,
) -> Result<RiskCoverage, Error> {
    const OP: &str = "risk_coverage";
    checks::finite(OP, "uncertainty", uncertainty)?;
    checks::same_len(OP, "losses", uncertainty.len(), losses.len())?;
    checks::finite(OP, "losses", losses)?;
    let mut pairs: Vec<(f64, f64)> = uncertainty.iter().copied().zip(losses.iter().copied()).collect();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let expected: Vec<f64> = pairs
        .chunk_by(|a, b| a.0 == b.0)
        .flat_map(|tied| {
            let mean = tied.iter().map(|pair| pair.1).sum::<f64>() / tied.len() as f64;
            std::iter::repeat_n(mean, tied.len())
        })
        .collect();
    let mut best = losses.to_vec();
    best.sort_by(f64::total_cmp);
    let n = pairs.len();
    Ok(RiskCoverage {
        coverage: (1..=n).map(|i| i as f64 / n as f64).collect(),
        risk: running_means(&expected),
        oracle_aurc: mean(&running_means(&best)),
    })
}

impl RiskCoverage {
    /// Area under the risk-coverage curve: the mean of the risks over all coverages.
    ///
    /// # Shapes
    /// A scalar.
    ///
    /// # Source
    /// Geifman et al. 2019, arXiv:1805.08206, equation 4.
    pub fn aurc(&self) -> f64 {
        mean(&self.risk)
    }

    /// Excess of [`RiskCoverage::aurc`] over that of the best order of the same losses; at least 0.
    ///
    /// # Shapes
    /// A scalar.
    ///
    /// # Source
    /// Geifman et al. 2019, arXiv:1805.08206, equation 5, with the exact best order in place of its limit
    /// `r + (1 - r) ln(1 - r)`.
    pub fn excess_aurc(&self) -> f64 {
        self.aurc() - self.oracle_aurc
    }

    /// Area under the generalized risk curve: mean over coverages of risk times coverage.
    ///
    /// # Shapes
    /// A scalar.
    ///
    /// # Source
    /// Traub et al. 2024, arXiv:2407.01032.
    pub fn augrc(&self) -> f64 {
        let product: f64 = self.risk.iter().zip(&self.coverage).map(|(r, c)| r * c).sum();
        product / self.risk.len() as f64
    }

    /// The largest coverage whose risk is at most `risk`; 0 when there is none.
    ///
    /// # Shapes
    /// A scalar.
    ///
    /// # Source
    /// Geifman and El-Yaniv 2017, arXiv:1705.08500; on this very set, without their confidence bound.
    pub fn coverage_at_risk(&self, risk: f64) -> f64 {
        self.risk.iter().rposition(|r| *r <= risk).map_or(0.0, |i| self.coverage[i])
    }

    /// The risk of the smallest number of examples that makes up at least `coverage`.
    ///
    /// # Shapes
    /// A scalar.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] unless `0 < coverage <= 1`.
    pub fn risk_at_coverage(&self, coverage: f64) -> Result<f64, Error> {
        let index = if coverage > 0.0 { self.coverage.iter().position(|c| *c >= coverage) } else { None };
        index.map(|i| self.risk[i]).ok_or(Error::OutOfRange {
            op: "RiskCoverage::risk_at_coverage",
            argument: "coverage",
            value: coverage,
            expected: "above 0 and at most 1",
        })
    }
}

fn running_means(values: &[f64]) -> Vec<f64> {
    let running = values.iter().enumerate().scan(0.0, |sum, (i, v)| {
        *sum += v;
        Some(*sum / (i + 1) as f64)
    });
    running.collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use approx::assert_relative_eq;
    use ndarray::{Array1, array};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn curve_matches_hand_values() {
        let curve =
            risk_coverage(array![0.4, 0.1, 0.3, 0.2].view(), array![1.0, 0.0, 0.0, 1.0].view()).unwrap();
        assert_eq!(curve.coverage, vec![0.25, 0.5, 0.75, 1.0]);
        assert_eq!(curve.risk, vec![0.0, 0.5, 1.0 / 3.0, 0.5]);
        assert_relative_eq!(curve.aurc(), (0.5 + 1.0 / 3.0 + 0.5) / 4.0);
        // Best order: 0, 0, 1/3, 1/2.
        assert_relative_eq!(curve.excess_aurc(), 0.5 / 4.0, max_relative = 1e-12);
        assert_relative_eq!(curve.augrc(), (0.25 + 0.25 + 0.5) / 4.0);
        assert_eq!(curve.coverage_at_risk(0.4), 0.75);
        assert_eq!(curve.coverage_at_risk(-0.1), 0.0);
        assert_eq!(curve.risk_at_coverage(0.5), Ok(0.5));
        assert_eq!(curve.risk_at_coverage(0.51), Ok(1.0 / 3.0));
    }

    #[test]
    fn ties_enter_with_their_mean() {
        let curve = risk_coverage(array![0.0, 0.0, 1.0].view(), array![1.0, 0.0, 0.0].view()).unwrap();
        assert_eq!(curve.risk, vec![0.5, 0.5, 1.0 / 3.0]);
    }

    #[test]
    fn bad_input_is_refused() {
        assert!(matches!(risk_coverage(array![].view(), array![].view()), Err(Error::Empty { .. })));
        let got = risk_coverage(array![0.0, f64::NAN].view(), array![0.0, 1.0].view());
        assert!(matches!(got, Err(Error::NotFinite { argument: "uncertainty", .. })));
        let got = risk_coverage(array![0.0].view(), array![0.0, 1.0].view());
        assert!(matches!(got, Err(Error::ShapeMismatch { .. })));
        let curve = risk_coverage(array![0.0].view(), array![0.0].view()).unwrap();
        for coverage in [0.0, 1.5, f64::NAN] {
            assert!(curve.risk_at_coverage(coverage).is_err());
        }
    }

    proptest! {
        #[test]
        fn no_order_beats_the_best_and_input_order_is_irrelevant(
            pairs in prop::collection::vec((0..6_i32, 0.0..1.0_f64), 1..40),
        ) {
            let uncertainty: Array1<f64> = pairs.iter().map(|p| f64::from(p.0)).collect();
            let losses: Array1<f64> = pairs.iter().map(|p| p.1).collect();
            let curve = risk_coverage(uncertainty.view(), losses.view()).unwrap();
            prop_assert!(curve.excess_aurc() >= -1e-12);
            let last = curve.risk.last().copied().unwrap();
            prop_assert!((last - losses.mean().unwrap()).abs() < 1e-12);
            let (back_u, back_l): (Array1<f64>, Array1<f64>) =
                (uncertainty.iter().rev().copied().collect(), losses.iter().rev().copied().collect());
            let back = risk_coverage(back_u.view(), back_l.view()).unwrap();
            for (a, b) in curve.risk.iter().zip(&back.risk) {
                prop_assert!((a - b).abs() < 1e-12);
            }
            let own = risk_coverage(losses.view(), losses.view()).unwrap();
            prop_assert!(own.excess_aurc().abs() < 1e-12);
        }
    }
}
