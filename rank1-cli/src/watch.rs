//! Whether new rows look like those that a model was trained on: columns, scores of their predictions, errors where labels are.
//!
//! [`Findings::of`] compares, [`NewRows::read`] reads. What is compared with is [`crate::reference`], the statistics are
//! rank1-core's.

mod compare;
mod errors;
mod rows;
#[cfg(test)]
mod tests;

use anyhow::Result;
use rank1_core::drift::holm;
use rank1_core::targets::Targets;
use rank1_models::predict::Predictive;
use serde::Serialize;

use crate::part::Part;
use crate::reference::{Reference, ScoreRows, Scores};

use compare::{Compared, check_ignored, compare_columns, compare_scores};

pub use errors::{ErrorCheck, Errors};
pub use rows::{NewRows, Unseen};

/// Share of the reference's rows that are not called uncertain.
const CERTAIN: f64 = 0.95;

/// What was found, and what `rank1 watch --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Findings {
    /// The file or folder as it was typed.
    pub input: String,
    /// Number of new rows.
    pub rows: usize,
    /// Rows that the columns are compared with.
    pub training_rows: usize,
    /// Rows whose scores those of the new rows are compared with.
    pub score_rows: usize,
    /// What those are.
    pub score_rows_are: ScoreRows,
    /// Adjusted probabilities below this one are shifts.
    pub alpha: f64,
    /// Columns by rising probability, then by falling distance; none for images and clinical stays.
    pub columns: Vec<Finding>,
    /// Columns that were left out as asked.
    pub ignored: Vec<String>,
    /// Rows with a number outside the training range, or a level that training never saw; none without columns.
    pub outside: Option<Share>,
    /// The two scores; without the second where predictions are one draw.
    pub scores: Vec<Finding>,
    /// Rows whose epistemic uncertainty is above that of 95 % of the reference's rows.
    pub uncertain: Option<Uncertain>,
    /// Stated against observed errors; none without labels.
    pub errors: Option<Errors>,
    /// Names of the columns and scores that are shifted.
    pub shifted: Vec<String>,
}

/// How one column or score differs from the reference.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// What it is called.
    pub name: String,
    /// Largest difference of two shares: Kolmogorov-Smirnov of numbers, total variation of levels; from 0 to 1.
    pub distance: f64,
    /// Probability of such a distance without a shift, adjusted by Holm for the number of columns and scores.
    pub p_value: f64,
    /// Whether it is below `alpha`.
    pub shifted: bool,
    /// Rows outside the reference's range, or with a level that training never saw; none for places on circles.
    pub outside: Option<Share>,
    /// The first level that training never saw, as it stands in the file, or the name of its place.
    pub first_unseen: Option<String>,
    /// Rows in the place that rare and new levels share.
    pub shared_level: Option<Share>,
    /// Of a score: chance that a new row has a higher one than a row of the reference, the AUROC of it as a sign of new rows.
    pub auroc: Option<f64>,
}

/// So many rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Share {
    /// How many.
    pub rows: usize,
    /// Of one.
    pub share: f64,
}

impl Share {
    /// So many of all.
    #[must_use]
    pub fn of(rows: usize, all: usize) -> Self {
        Self { rows, share: rows as f64 / all.max(1) as f64 }
    }
}

/// Rows of which the model knows less than of almost all of the reference.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Uncertain {
    /// The epistemic uncertainty that 95 % of the reference's rows do not exceed.
    pub threshold: f64,
    /// Rows above it; 0.05 of them are expected.
    pub above: Share,
}

impl Findings {
    /// Compares rows and their predictions, which are by `draws` draws, with a reference.
    ///
    /// # Errors
    /// Rows of other columns than the reference's, columns to be left out that are not there, targets of the other kind.
    pub fn of(
        reference: &Reference,
        rows: &NewRows,
        predictive: &Predictive,
        draws: usize,
        (alpha, ignored): (f64, &[String]),
    ) -> Result<Self> {
        let scores = Scores::of(predictive, draws);
        check_ignored(reference, ignored)?;
        let (columns, outside) = match &rows.part {
            Part::Stored(split) if !reference.columns.is_empty() => {
                let (columns, outside) = compare_columns(reference, split, &rows.unseen, ignored)?;
                (columns, Some(outside))
            }
            _ => (Vec::new(), None),
        };
        let n = rows.part.len();
        let scored = compare_scores(&reference.scores, &scores)?;
        let (columns, scored) = judge(columns, scored, alpha, n);
        let shifted = columns.iter().chain(&scored).filter(|finding| finding.shifted);
        let shifted = shifted.map(|finding| finding.name.clone()).collect();
        let uncertain = reference.scores.epistemic.as_ref().zip(scores.epistemic.as_ref());
        let uncertain = uncertain.map(|(then, now)| {
            let threshold = then.quantile(CERTAIN);
            Uncertain { threshold, above: Share::of(now.iter().filter(|&&v| v > threshold).count(), n) }
        });
        let targets: Option<&Targets> = rows.labelled.then(|| rows.part.targets());
        Ok(Self {
            input: rows.name.clone(),
            rows: n,
            training_rows: reference.rows,
            score_rows: reference.scores.n,
            score_rows_are: reference.scores.rows,
            alpha,
            columns,
            ignored: ignored.to_vec(),
            outside: outside.map(|rows| Share::of(rows, n)),
            scores: scored,
            uncertain,
            errors: targets.map(|targets| Errors::of(predictive, targets)).transpose()?,
            shifted,
        })
    }

    /// Shifted columns and scores with a distance above this one.
    pub fn above(&self, distance: f64) -> impl Iterator<Item = &Finding> {
        let all = self.columns.iter().chain(&self.scores);
        all.filter(move |finding| finding.shifted && finding.distance > distance)
    }
}

/// Adjusts the probabilities of all together, and sorts the columns.
fn judge(
    columns: Vec<Compared>,
    scores: Vec<Compared>,
    alpha: f64,
    n: usize,
) -> (Vec<Finding>, Vec<Finding>) {
    let p_values: Vec<f64> = columns.iter().chain(&scores).map(|found| found.difference.p_value).collect();
    let n_columns = columns.len();
    let mut findings: Vec<Finding> = columns
        .into_iter()
        .chain(scores)
        .zip(holm(&p_values))
        .map(|(found, p_value)| Finding {
            name: found.name,
            distance: found.difference.distance,
            p_value,
            shifted: p_value < alpha,
            outside: found.outside.map(|rows| Share::of(rows, n)),
            first_unseen: found.first_unseen,
            shared_level: found.shared.map(|rows| Share::of(rows, n)),
            auroc: found.auroc,
        })
        .collect();
    let scores = findings.split_off(n_columns);
    findings.sort_by(|a, b| a.p_value.total_cmp(&b.p_value).then(b.distance.total_cmp(&a.distance)));
    (findings, scores)
}
