//! How unsure a model was of rows that it was not fitted to.

use anyhow::Result;
use ndarray::{Array1, Axis};
use rank1_core::drift::NumberReference;
use rank1_core::metrics::{decompose_predictive, decompose_variance};
use rank1_models::predict::Predictive;
use serde::{Deserialize, Serialize};

/// Two numbers of each prediction.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    /// `[N]` one minus the largest probability, or the predictive's standard deviation.
    pub stated_risk: Array1<f64>,
    /// `[N]` mutual information in nats, or the variance of the means; none of a prediction that is one draw.
    pub epistemic: Option<Array1<f64>>,
}

impl Scores {
    /// The scores of predictions that average over so many draws.
    #[must_use]
    pub fn of(predictive: &Predictive, draws: usize) -> Self {
        let (stated_risk, epistemic) = match predictive {
            Predictive::Classes(p) => {
                let largest = p.probs().map_axis(Axis(1), |row| row.fold(0.0_f64, |a, &b| a.max(b)));
                (largest.mapv(|p| 1.0 - p), decompose_predictive(p).epistemic)
            }
            Predictive::Values { mixture, .. } => {
                let parts = decompose_variance(mixture);
                (parts.total.mapv(f64::sqrt), parts.epistemic)
            }
        };
        Self { stated_risk, epistemic: (draws > 1).then_some(epistemic) }
    }
}

/// The distributions of the scores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScoreReference {
    /// What the rows are.
    pub rows: ScoreRows,
    /// How many.
    pub n: usize,
    /// Samples per member of the predictions.
    pub samples: usize,
    /// Whether rows shared their draws (`shared`) or had their own (`per_row`).
    pub draws: String,
    /// One minus the largest probability, or the predictive's standard deviation in the target's unit.
    pub stated_risk: NumberReference,
    /// Mutual information in nats, or the variance of the means in the target's unit squared.
    pub epistemic: Option<NumberReference>,
}

/// Which held-out rows they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScoreRows {
    /// The validation rows, which stopped training.
    Validation,
    /// The test rows, because no other rows were held out, or fewer than can be compared.
    Test,
}

impl std::fmt::Display for ScoreRows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Validation => "validation",
            Self::Test => "test",
        })
    }
}

impl ScoreReference {
    /// The distributions of scores.
    ///
    /// # Errors
    /// No row, or scores that are not finite.
    pub fn of(scores: &Scores, rows: ScoreRows, samples: usize, draws: &str) -> Result<Self> {
        let epistemic = scores.epistemic.as_ref().map(|values| NumberReference::of(values.view()));
        Ok(Self {
            rows,
            n: scores.stated_risk.len(),
            samples,
            draws: draws.into(),
            stated_risk: NumberReference::of(scores.stated_risk.view())?,
            epistemic: epistemic.transpose()?,
        })
    }
}
