//! What a calibration makes of predictions: an adjusted predictive, and further columns with intervals or sets.
//!
//! Not for where they are written.

use anyhow::{Result, bail};
use ndarray::{Array1, Array2, ArrayView1, array};
use rank1_core::calibration::{Isotonic, IsotonicClasses, Scale, Temperature};
use rank1_core::conformal::{absolute_interval, cqr_interval, normalized_interval, prediction_sets};
use rank1_core::predictive::{ClassPredictive, GaussianMixturePredictive, Interval};
use rank1_models::predict::Predictive;

use super::document::{Adjustment, Artefact, Level, Method};
use super::measure::{class_scores, percent};
use crate::commands::predict::columns::Values;
use crate::json::cell;

/// A predictive after the map.
#[derive(Debug, Clone, PartialEq)]
pub enum Adjusted {
    /// Of classes: the mixture alone, as the map says nothing of members and draws.
    Classes {
        /// `[N, C]` log-probabilities.
        log_probs: Array2<f64>,
    },
    /// Of values: the mixture spread about its mean.
    Values {
        /// The mixture, whose rows are as before.
        mixture: GaussianMixturePredictive,
        /// Members K.
        n_members: usize,
    },
}

/// Everything about a block of predictions.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// The predictive after the map.
    pub adjusted: Adjusted,
    /// `lower_90, upper_90` or `set_90` for every coverage.
    pub columns: Vec<(String, Values)>,
}

impl std::fmt::Display for Adjustment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let end = |interior: bool| if interior { "" } else { " (an end of what is tried)" };
        match self {
            Self::Temperature { temperature, interior } => {
                write!(f, "temperature {}{}", cell(*temperature), end(*interior))
            }
            Self::Scale { scale, interior } => write!(f, "scale {}{}", cell(*scale), end(*interior)),
            Self::Isotonic { .. } => f.write_str("isotonic"),
        }
    }
}

impl Adjusted {
    /// A predictive after a map, or as it is.
    ///
    /// # Errors
    /// A map of the other kind of target, or one that does not fit the number of classes.
    pub fn of(predictive: &Predictive, adjustment: Option<&Adjustment>) -> Result<Self> {
        Ok(match (predictive, adjustment) {
            (Predictive::Classes(p), None) => Self::Classes { log_probs: p.log_probs.clone() },
            (Predictive::Classes(p), Some(&Adjustment::Temperature { temperature, interior })) => {
                if !(temperature > 0.0 && temperature.is_finite()) {
                    bail!("temperature: expected a number above 0, got {temperature}");
                }
                Self::Classes { log_probs: Temperature { temperature, interior }.apply(p.log_probs.view()) }
            }
            (Predictive::Classes(p), Some(Adjustment::Isotonic { functions })) => {
                let functions =
                    functions.iter().map(|f| Isotonic::from_knots(f.knots.clone(), f.values.clone()));
                let map =
                    IsotonicClasses::from_functions(functions.collect::<Result<_, _>>()?, p.n_classes())?;
                Self::Classes { log_probs: map.apply(p.probs().view())?.mapv(f64::ln) }
            }
            (Predictive::Values { mixture, n_members }, None) => {
                Self::Values { mixture: mixture.clone(), n_members: *n_members }
            }
            (Predictive::Values { mixture, n_members }, Some(&Adjustment::Scale { scale, interior })) => {
                Self::Values { mixture: Scale { scale, interior }.apply(mixture)?, n_members: *n_members }
            }
            _ => bail!("calibration.json is about the other kind of target (classes or values)"),
        })
    }

    /// The risk that each prediction states of itself: one minus the probability of the predicted class, or the standard
    /// deviation in the target's unit.
    #[must_use]
    pub fn stated_risk(&self) -> Array1<f64> {
        match self {
            Self::Classes { log_probs } => {
                let most = |row: ArrayView1<'_, f64>| row.fold(f64::NEG_INFINITY, |a, &b| a.max(b)).exp();
                log_probs.rows().into_iter().map(|row| (1.0 - most(row)).max(0.0)).collect()
            }
            Self::Values { mixture, .. } => mixture.variance().mapv(f64::sqrt),
        }
    }

    /// `calibrated_p(<class>)…`, or `calibrated_std`: the mean stays.
    #[must_use]
    pub fn columns(&self, class_names: &[String]) -> Vec<(String, Values)> {
        match self {
            Self::Classes { log_probs } => {
                let name =
                    |class: usize| class_names.get(class).cloned().unwrap_or_else(|| class.to_string());
                let column = |(class, values): (usize, ArrayView1<'_, f64>)| {
                    let probs = values.iter().map(|log_prob| log_prob.exp()).collect();
                    (format!("calibrated_p({})", name(class)), Values::Number(probs))
                };
                log_probs.columns().into_iter().enumerate().map(column).collect()
            }
            Self::Values { mixture, .. } => {
                let stds = mixture.variance().mapv(f64::sqrt).to_vec();
                vec![("calibrated_std".into(), Values::Number(stds))]
            }
        }
    }
}

impl Artefact {
    /// The predictive after the map.
    ///
    /// # Errors
    /// Predictions of the other kind of target, or of another number of classes.
    pub fn adjust(&self, predictive: &Predictive) -> Result<Adjusted> {
        Adjusted::of(predictive, self.adjustment.as_ref())
    }

    /// `lower_90, upper_90` of values, or `set_90` of classes, for every coverage. A set is the names of its classes, the most
    /// probable first, with `|` between them; `|` and `\` in a name have a `\` before them. An empty set is an empty cell.
    ///
    /// # Errors
    /// As [`Artefact::adjust`].
    pub fn columns(&self, predictive: &Predictive) -> Result<Vec<(String, Values)>> {
        let mut columns = Vec::new();
        for level in &self.conformal.levels {
            let coverage = percent(level.coverage);
            match predictive {
                Predictive::Classes(p) => {
                    columns.push((format!("set_{coverage}"), Values::Text(self.sets(level, p)?)));
                }
                Predictive::Values { mixture, .. } => {
                    let ends = interval(self.conformal.method, level, mixture)?;
                    for (name, end) in [("lower", ends.lower), ("upper", ends.upper)] {
                        columns.push((format!("{name}_{coverage}"), Values::Number(end.to_vec())));
                    }
                }
            }
        }
        Ok(columns)
    }

    /// Both at once.
    ///
    /// # Errors
    /// As [`Artefact::adjust`].
    pub fn block(&self, predictive: &Predictive) -> Result<Block> {
        Ok(Block { adjusted: self.adjust(predictive)?, columns: self.columns(predictive)? })
    }

    fn sets(&self, level: &Level, p: &ClassPredictive) -> Result<Vec<String>> {
        let scores = class_scores(self.conformal.method, p)?;
        let sets = prediction_sets(scores.view(), thresholds(level).view())?;
        let name = |class: usize| match self.class_names.get(class) {
            Some(name) => name.replace('\\', "\\\\").replace('|', "\\|"),
            None => class.to_string(),
        };
        let text = |(set, log_probs): (ArrayView1<'_, bool>, ArrayView1<'_, f64>)| {
            let mut classes: Vec<usize> = (0..set.len()).filter(|&class| set[class]).collect();
            classes.sort_by(|&a, &b| log_probs[b].total_cmp(&log_probs[a]));
            classes.into_iter().map(name).collect::<Vec<_>>().join("|")
        };
        Ok(sets.rows().into_iter().zip(p.log_probs.rows()).map(text).collect())
    }
}

/// One threshold for all classes, or one each; infinite where there is none.
pub(super) fn thresholds(level: &Level) -> Array1<f64> {
    let of = |threshold: Option<f64>| threshold.unwrap_or(f64::INFINITY);
    if level.classes.is_empty() {
        return array![of(level.threshold)];
    }
    level.classes.iter().map(|class| of(class.threshold)).collect()
}

/// The intervals of one coverage.
pub(super) fn interval(
    method: Method,
    level: &Level,
    mixture: &GaussianMixturePredictive,
) -> Result<Interval> {
    let threshold = level.threshold.unwrap_or(f64::INFINITY);
    let mean = mixture.mean();
    Ok(match method {
        Method::Absolute => absolute_interval(mean.view(), threshold)?,
        Method::Normalized => {
            normalized_interval(mean.view(), mixture.variance().mapv(f64::sqrt).view(), threshold)?
        }
        Method::Cqr => cqr_interval(&mixture.central_interval(level.coverage)?, threshold)?,
        Method::Lac | Method::Aps | Method::Raps { .. } => {
            bail!("calibration.json is about classes, the model predicts values")
        }
    })
}

#[cfg(test)]
#[path = "apply_tests.rs"]
mod tests;
