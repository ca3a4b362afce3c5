//! Errors that predictions state of themselves against those that are observed.

use anyhow::{Result, bail};
use ndarray::{Array1, Axis};
use rank1_core::metrics::{coverage, predicted_classes};
use rank1_core::predictive::{ClassPredictive, GaussianMixturePredictive};
use rank1_core::targets::Targets;
use rank1_models::predict::Predictive;
use serde::Serialize;

/// Coverage of the interval that is looked at.
const INTERVAL: f64 = 0.9;

/// Standard errors beyond which two numbers differ.
const STANDARD_ERRORS: f64 = 3.0;

/// What labelled rows say.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Errors {
    /// Mixture NLL, nats per row; of values a density's, in the target's unit.
    pub nll: f64,
    /// Its standard error.
    pub nll_standard_error: f64,
    /// Expected against observed.
    pub checks: Vec<ErrorCheck>,
}

/// A number that predictions state beside the one that is observed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ErrorCheck {
    /// What it is.
    pub name: String,
    /// What the predictions state.
    pub expected: f64,
    /// What was observed.
    pub observed: f64,
    /// Standard error of their difference.
    pub standard_error: f64,
    /// Whether they differ by more than three of them.
    pub differs: bool,
}

impl ErrorCheck {
    fn of(name: &str, expected: f64, observed: f64, standard_error: f64) -> Self {
        let differs = (observed - expected).abs() > STANDARD_ERRORS * standard_error;
        Self { name: name.into(), expected, observed, standard_error, differs }
    }
}

impl Errors {
    /// Measures predictions of labelled rows.
    ///
    /// # Errors
    /// Targets of the other kind, or of another number.
    pub fn of(predictive: &Predictive, targets: &Targets) -> Result<Self> {
        let (nll, checks) = match (predictive, targets) {
            (Predictive::Classes(p), Targets::Classes { labels, .. }) => classes(p, labels)?,
            (Predictive::Values { mixture, .. }, Targets::Values(values)) => of_values(mixture, values)?,
            _ => bail!("the model predicts the other kind of target (classes or values)"),
        };
        Ok(Self { nll: mean(&nll), nll_standard_error: standard_error(&nll), checks })
    }
}

/// NLL of each row, and the share of wrong classes against the mean of one minus the largest probability.
fn classes(p: &ClassPredictive, labels: &Array1<usize>) -> Result<(Array1<f64>, Vec<ErrorCheck>)> {
    let probs = p.probs();
    let predicted = predicted_classes(probs.view())?;
    let n = labels.len() as f64;
    let stated = probs.map_axis(Axis(1), |row| 1.0 - row.fold(0.0_f64, |a, &b| a.max(b)));
    let wrong = predicted.iter().zip(labels).filter(|(predicted, label)| predicted != label).count();
    // If the probabilities are true, each row is an error of its own probability.
    let variance = stated.mapv(|risk| risk * (1.0 - risk)).sum();
    let nll = labels.iter().enumerate().map(|(row, &label)| -p.log_probs[[row, label]]).collect();
    Ok((nll, vec![ErrorCheck::of("error rate", mean(&stated), wrong as f64 / n, variance.sqrt() / n)]))
}

/// NLL of each row; squared errors against predicted variances, and coverage.
fn of_values(
    mixture: &GaussianMixturePredictive,
    observed: &Array1<f64>,
) -> Result<(Array1<f64>, Vec<ErrorCheck>)> {
    let nll = -mixture.log_density(observed.view())?;
    let variance = mixture.variance();
    let squares = (observed - &mixture.mean()).mapv(|error| error * error);
    let of_difference = standard_error(&(&squares - &variance));
    let covered = coverage(&mixture.central_interval(INTERVAL)?, observed.view())?;
    let of_coverage = (INTERVAL * (1.0 - INTERVAL) / observed.len() as f64).sqrt();
    Ok((
        nll,
        vec![
            ErrorCheck::of("mean squared error", mean(&variance), mean(&squares), of_difference),
            ErrorCheck::of("coverage of 90 % intervals", INTERVAL, covered, of_coverage),
        ],
    ))
}

fn mean(values: &Array1<f64>) -> f64 {
    values.sum() / values.len() as f64
}

/// Of the mean of independent values.
fn standard_error(values: &Array1<f64>) -> f64 {
    (values.var(1.0) / values.len() as f64).sqrt()
}
