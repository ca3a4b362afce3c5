//! What the validation rows say of a trained model, beside the constant prediction on the same rows.

use anyhow::Result;
use rank1_models::fit::{Fitted, TrainingData};
use serde::Serialize;

use crate::constant::ConstantPrediction;

/// NLLs on the validation rows, nats per example in the normalized target unit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Validation {
    /// Of the chosen trial, or the mean over the networks at the steps that were kept.
    pub nll: f64,
    /// Of base rates or one Gaussian, fitted to the other training rows.
    pub constant_nll: f64,
}

impl Validation {
    /// What was judged; none where nothing was.
    ///
    /// # Errors
    /// Rows without targets.
    pub fn of(data: &TrainingData, fitted: &Fitted) -> Result<Option<Self>> {
        let judged = fitted.trials.iter().map(|trial| trial.nll).min_by(f64::total_cmp);
        let Some(nll) = judged.or_else(|| mean(&fitted.best_nlls)) else { return Ok(None) };
        if data.validation.is_empty() {
            return Ok(None);
        }
        let held: std::collections::HashSet<usize> = data.validation.iter().copied().collect();
        let rest: Vec<usize> = (0..data.targets.len()).filter(|row| !held.contains(row)).collect();
        let constant = ConstantPrediction::of(&data.targets.select(&rest));
        let targets = data.targets.select(&data.validation);
        let constant_nll = constant.predictive(targets.len())?.nll(&targets)?;
        Ok(Some(Self { nll, constant_nll }))
    }

    /// One line where the network is not better than the constant.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        (self.nll >= self.constant_nll).then(|| {
            format!(
                "warning: on the validation rows the network (NLL {:.4}) is not better than a constant prediction ({:.4}), in the \
                 normalized unit: do not use it; try train.early_stopping, a smaller train.optimizer.learning_rate or \
                 method = {{ kind = \"deterministic\" }}",
                self.nll, self.constant_nll
            )
        })
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_that_is_level_with_a_constant_is_warned_of() {
        let level = Validation { nll: 1.25, constant_nll: 1.25 };
        assert!(level.warning().is_some_and(|text| text.contains("1.2500") && text.contains("train.")));
        assert_eq!(Validation { nll: 1.0, ..level }.warning(), None);
    }
}
