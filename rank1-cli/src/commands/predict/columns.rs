//! The columns of predictions, a block of rows at a time.
//!
//! Not for how they are written; see [`super::writer`]. Columns that are made of a predictive are added in
//! [`prediction_columns`].

use std::collections::HashSet;

use anyhow::{Result, bail};
use ndarray::Axis;
use rank1_core::metrics::{decompose_predictive, decompose_variance, predicted_classes};
use rank1_core::predictive::{ClassPredictive, GaussianMixturePredictive};
use rank1_models::predict::{AdaptivePredictive, Predictive};

use crate::model::Model;

/// The values of one column.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Texts.
    Text(Vec<String>),
    /// Numbers, written with nine significant digits.
    Number(Vec<f64>),
    /// Whole numbers.
    Integer(Vec<u64>),
    /// `true` and `false`.
    Truth(Vec<bool>),
}

impl Values {
    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Text(values) => values.len(),
            Self::Number(values) => values.len(),
            Self::Integer(values) => values.len(),
            Self::Truth(values) => values.len(),
        }
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Named columns of equal length, in the order in which they are written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Columns(Vec<(String, Values)>);

impl Columns {
    /// Adds a column behind the others.
    ///
    /// # Errors
    /// A name that is there already, or another number of rows.
    pub fn push(&mut self, name: impl Into<String>, values: Values) -> Result<()> {
        let name = name.into();
        if let Some((_, first)) = self.0.first()
            && first.len() != values.len()
        {
            bail!("column `{name}` of the output: {} rows, expected {}", values.len(), first.len());
        }
        self.0.push((name, values));
        Ok(())
    }

    /// Refuses names that occur twice, `kept` ones by the option that named them.
    ///
    /// # Errors
    /// The first such name.
    pub fn check_names(&self, kept: &[String]) -> Result<()> {
        let mut seen = HashSet::new();
        for (name, _) in &self.0 {
            if !seen.insert(name) {
                match kept.contains(name) {
                    true => bail!("--keep {name}: the predictions have a column of this name"),
                    false => bail!("the predictions have two columns `{name}`"),
                }
            }
        }
        Ok(())
    }

    /// The same columns without a row.
    #[must_use]
    pub fn emptied(self) -> Self {
        let empty = |values| match values {
            Values::Text(_) => Values::Text(Vec::new()),
            Values::Number(_) => Values::Number(Vec::new()),
            Values::Integer(_) => Values::Integer(Vec::new()),
            Values::Truth(_) => Values::Truth(Vec::new()),
        };
        Self(self.0.into_iter().map(|(name, values)| (name, empty(values))).collect())
    }

    /// Number of rows.
    #[must_use]
    pub fn n_rows(&self) -> usize {
        self.0.first().map_or(0, |(_, values)| values.len())
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Values)> {
        self.0.iter().map(|(name, values)| (name.as_str(), values))
    }
}

/// What is shown of a predictive beside what every prediction has.
#[derive(Debug, Clone, Copy)]
pub struct Shown {
    /// Probability of the central interval of a regression.
    pub interval: f64,
    /// Whether the samples of each row are told.
    pub samples: bool,
    /// Whether what the members predict is told.
    pub members: bool,
}

/// Adds the columns of a block's predictive behind those that name its rows.
///
/// # Errors
/// Probabilities that are none.
pub fn prediction_columns(
    columns: &mut Columns,
    model: &Model,
    drawn: &AdaptivePredictive,
    shown: Shown,
) -> Result<()> {
    match &drawn.predictive {
        Predictive::Classes(p) => class_columns(columns, model, p)?,
        Predictive::Values { mixture, .. } => value_columns(columns, mixture, shown.interval)?,
    }
    if shown.samples {
        let samples = drawn.samples.iter().map(|&samples| samples as u64).collect();
        columns.push("samples", Values::Integer(samples))?;
    }
    if shown.members {
        member_columns(columns, model, &drawn.predictive)?;
    }
    Ok(())
}

/// `prediction, p(<class>)..., total, aleatoric, epistemic`; uncertainties in nats.
fn class_columns(columns: &mut Columns, model: &Model, p: &ClassPredictive) -> Result<()> {
    let names = class_names(model, p);
    let probs = p.probs();
    let classes = predicted_classes(probs.view())?;
    columns.push("prediction", Values::Text(classes.iter().map(|&class| names[class].clone()).collect()))?;
    for (name, class) in names.iter().zip(probs.axis_iter(Axis(1))) {
        columns.push(format!("p({name})"), Values::Number(class.to_vec()))?;
    }
    let parts = decompose_predictive(p);
    columns.push("total", Values::Number(parts.total.to_vec()))?;
    columns.push("aleatoric", Values::Number(parts.aleatoric.to_vec()))?;
    columns.push("epistemic", Values::Number(parts.epistemic.to_vec()))
}

/// `mean, std, total, aleatoric, epistemic, lower, upper`; total, aleatoric and epistemic are variances.
fn value_columns(columns: &mut Columns, mixture: &GaussianMixturePredictive, level: f64) -> Result<()> {
    let (parts, interval) = (decompose_variance(mixture), mixture.central_interval(level)?);
    columns.push("mean", Values::Number(mixture.mean().to_vec()))?;
    columns.push("std", Values::Number(parts.total.mapv(f64::sqrt).to_vec()))?;
    columns.push("total", Values::Number(parts.total.to_vec()))?;
    columns.push("aleatoric", Values::Number(parts.aleatoric.to_vec()))?;
    columns.push("epistemic", Values::Number(parts.epistemic.to_vec()))?;
    columns.push("lower", Values::Number(interval.lower.to_vec()))?;
    columns.push("upper", Values::Number(interval.upper.to_vec()))
}

/// `m1_p(<class>)...` or `m1_mean, m1_std`, for every member.
fn member_columns(columns: &mut Columns, model: &Model, predictive: &Predictive) -> Result<()> {
    match predictive {
        Predictive::Classes(p) => {
            let names = class_names(model, p);
            for (member, log_probs) in p.member_log_probs.axis_iter(Axis(0)).enumerate() {
                for (name, class) in names.iter().zip(log_probs.axis_iter(Axis(1))) {
                    let probs = class.iter().map(|log_prob| log_prob.exp()).collect();
                    columns.push(format!("m{}_p({name})", member + 1), Values::Number(probs))?;
                }
            }
        }
        Predictive::Values { mixture, n_members } => {
            for member in 0..*n_members {
                let one = mixture.member(member, *n_members)?;
                columns.push(format!("m{}_mean", member + 1), Values::Number(one.mean().to_vec()))?;
                let std = one.variance().mapv(f64::sqrt).to_vec();
                columns.push(format!("m{}_std", member + 1), Values::Number(std))?;
            }
        }
    }
    Ok(())
}

/// Names of the classes, or their numbers.
fn class_names(model: &Model, p: &ClassPredictive) -> Vec<String> {
    if model.document.class_names.is_empty() {
        return (0..p.n_classes()).map(|c| c.to_string()).collect();
    }
    model.document.class_names.clone()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn columns_have_one_length_and_names_of_their_own() {
        let mut columns = Columns::default();
        columns.push("row", Values::Integer(vec![1, 2])).unwrap();
        columns.push("mean", Values::Text(vec!["a".into(), "b".into()])).unwrap();
        assert!(columns.push("flag", Values::Truth(vec![true])).is_err());
        columns.push("mean", Values::Number(vec![0.5, 1.0])).unwrap();
        assert_eq!(columns.n_rows(), 2);
        let kept = columns.check_names(&["mean".into()]).unwrap_err().to_string();
        assert_eq!(kept, "--keep mean: the predictions have a column of this name");
        assert!(columns.check_names(&[]).unwrap_err().to_string().contains("two columns `mean`"));
    }
}
