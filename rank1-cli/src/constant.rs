//! The constant prediction: base rates of the classes, or one Gaussian of the targets, whatever the inputs.
//!
//! Every result is shown beside it. A network that is not better on rows it was not trained on has learned nothing.

use anyhow::Result;
use ndarray::{Array2, Array3};
use rank1_core::predictive::{ClassPredictive, GaussianMixturePredictive, PredictiveAccumulator};
use rank1_core::targets::Targets;
use rank1_models::predict::Predictive;
use serde::{Deserialize, Serialize};

/// The distribution of the training targets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConstantPrediction {
    /// Share of each class; a class without a training row counts as one row, so that every NLL is finite.
    Rates(Vec<f64>),
    /// Mean and standard deviation, in the target's own unit.
    Gaussian {
        /// Mean.
        mean: f64,
        /// Standard deviation.
        std: f64,
    },
}

impl ConstantPrediction {
    /// Fitted to targets.
    #[must_use]
    pub fn of(targets: &Targets) -> Self {
        match targets {
            Targets::Classes { labels, n_classes } => {
                let mut counts = vec![0_usize; *n_classes];
                labels.iter().for_each(|&label| counts[label] += 1);
                let counted: Vec<f64> = counts.iter().map(|&count| count.max(1) as f64).collect();
                let total: f64 = counted.iter().sum();
                Self::Rates(counted.iter().map(|count| count / total).collect())
            }
            Targets::Values(values) => {
                let n = values.len() as f64;
                let mean = values.sum() / n;
                let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n;
                Self::Gaussian { mean, std: variance.sqrt().max(f64::MIN_POSITIVE.sqrt()) }
            }
        }
    }

    /// The same prediction for `n` rows.
    ///
    /// # Errors
    /// No rows.
    pub fn predictive(&self, n: usize) -> Result<Predictive> {
        Ok(match self {
            Self::Rates(rates) => Predictive::Classes(constant_classes(rates, n)?),
            Self::Gaussian { mean, std } => Predictive::Values {
                mixture: GaussianMixturePredictive::new(
                    Array2::from_elem((1, n), *mean),
                    Array2::from_elem((1, n), *std),
                )?,
                n_members: 1,
            },
        })
    }
}

fn constant_classes(rates: &[f64], n: usize) -> Result<ClassPredictive> {
    let mut accumulator = PredictiveAccumulator::new(1, n, rates.len())?;
    accumulator
        .add_log_probs(Array3::from_shape_fn((1, n, rates.len()), |(_, _, c)| rates[c].ln()).view())?;
    Ok(accumulator.predictive()?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use ndarray::Array1;

    use super::*;

    #[test]
    fn rates_have_the_entropy_of_the_classes() {
        let targets = Targets::classes(Array1::from(vec![0, 0, 0, 1]), 2).unwrap();
        let nll = ConstantPrediction::of(&targets).predictive(4).unwrap().nll(&targets).unwrap();
        assert!((nll - 0.562_335_144_618_808_3).abs() < 1e-12, "{nll}");
    }

    #[test]
    fn a_class_that_training_never_saw_has_a_finite_nll() {
        let constant = ConstantPrediction::of(&Targets::classes(Array1::from(vec![0, 0, 1]), 3).unwrap());
        let unseen = Targets::classes(Array1::from(vec![2]), 3).unwrap();
        assert!((constant.predictive(1).unwrap().nll(&unseen).unwrap() - 4_f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn a_gaussian_has_the_entropy_of_its_deviation() {
        let targets = Targets::values(Array1::from(vec![1.0, 3.0, 5.0, 7.0])).unwrap();
        let nll = ConstantPrediction::of(&targets).predictive(4).unwrap().nll(&targets).unwrap();
        let expected = 0.5 * ((2.0 * std::f64::consts::PI * 5.0).ln() + 1.0);
        assert!((nll - expected).abs() < 1e-12, "{nll} {expected}");
    }
}
