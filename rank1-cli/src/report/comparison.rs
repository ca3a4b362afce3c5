//! Tables over many runs that a report prints as they are given: ours, published figures and what was not run.

use serde::{Deserialize, Serialize};

/// What a report is given besides the runs themselves; all parts may be empty.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Comparison {
    /// Tables printed before the data sets, in this order.
    pub tables: Vec<SummaryTable>,
    /// Published figures, shown as rows of the table of their data set.
    pub claims: Vec<Claim>,
    /// Rows that were left out and why.
    pub not_run: Vec<NotRun>,
}

/// One published figure.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// Data set.
    pub set: String,
    /// Method as the source calls it, or a method key of ours.
    pub method: String,
    /// Metric key, such as `rmse` or `nll`.
    pub metric: String,
    /// The figure, in the unit of our metric (an accuracy is a fraction).
    pub claimed: f64,
    /// Its standard error, where published.
    #[serde(default)]
    pub standard_error: Option<f64>,
    /// Where it was published.
    pub source: String,
}

/// A method that was not run on a data set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NotRun {
    /// Data set.
    pub set: String,
    /// Method key.
    pub method: String,
    /// Why, as a clause: "needs the full archive".
    pub reason: String,
}

/// A table of estimates, one method per row and one quantity per column.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct SummaryTable {
    /// Heading.
    pub title: String,
    /// A sentence or two below the heading.
    pub caption: String,
    /// Heading of the first column.
    pub row_header: String,
    /// The other columns.
    pub columns: Vec<SummaryColumn>,
    /// Rows; each has as many cells as there are columns (missing ones print as n/a).
    pub rows: Vec<SummaryRow>,
}

/// A column of a [`SummaryTable`].
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct SummaryColumn {
    /// Heading.
    pub label: String,
    /// Unit, if the quantity has one.
    #[serde(default)]
    pub unit: Option<String>,
    /// Which way is better.
    #[serde(default)]
    pub better: Better,
    /// How numbers are written.
    #[serde(default)]
    pub notation: Notation,
}

/// Which direction of a quantity is better.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// Lower is better; the lowest mean is printed bold.
    Lower,
    /// Higher is better; the highest mean is printed bold.
    Higher,
    /// Descriptive: nothing is printed bold.
    #[default]
    Neither,
}

/// How the numbers of a column are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notation {
    /// As many decimals as the standard errors of the column support.
    #[default]
    Decimal,
    /// Multiplied by 100, decimals as above.
    Percent,
    /// Whole number with grouped digits.
    Count,
}

/// A row of a [`SummaryTable`].
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct SummaryRow {
    /// First cell.
    pub label: String,
    /// Where the numbers come from.
    #[serde(default)]
    pub origin: Origin,
    /// One estimate per column; `None` prints as n/a.
    pub cells: Vec<Option<Estimate>>,
}

/// Where the numbers of a row come from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Run here.
    #[default]
    Ours,
    /// Taken from a publication; never marked as best.
    Published {
        /// The publication.
        source: String,
    },
    /// Not run; the reason stands in place of the numbers.
    NotRun {
        /// Why.
        reason: String,
    },
}

/// A mean over runs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Mean over runs.
    pub mean: f64,
    /// Standard error of the mean; `None` for a single run.
    pub standard_error: Option<f64>,
    /// Number of runs.
    pub n: usize,
}

impl Estimate {
    /// Mean and standard error (sample standard deviation over the root of n) of the finite values; `None` without any.
    #[must_use]
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let finite: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        if finite.is_empty() {
            return None;
        }
        let n = finite.len();
        let mean = finite.iter().sum::<f64>() / n as f64;
        let squares: f64 = finite.iter().map(|value| (value - mean).powi(2)).sum();
        let standard_error = (n > 1).then(|| (squares / (n - 1) as f64 / n as f64).sqrt());
        // The mean of equal numbers may round: what is left is not a spread.
        let standard_error = standard_error.map(|error| if error > 1e-12 * mean.abs() { error } else { 0.0 });
        Some(Self { mean, standard_error, n })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn standard_error_of_one_three_five_is_two_over_root_three() {
        let estimate = Estimate::of([1.0, 3.0, 5.0]).unwrap();
        assert_eq!((estimate.mean, estimate.n), (3.0, 3));
        assert!((estimate.standard_error.unwrap() - 2.0 / 3f64.sqrt()).abs() < 1e-15);
    }

    #[test]
    fn equal_runs_have_no_spread_from_rounding() {
        assert_eq!(Estimate::of([0.1, 0.1, 0.1]).unwrap().standard_error, Some(0.0));
    }

    #[test]
    fn a_single_run_has_no_standard_error_and_nan_is_left_out() {
        assert_eq!(Estimate::of([f64::NAN, 2.0]), Some(Estimate { mean: 2.0, standard_error: None, n: 1 }));
        assert_eq!(Estimate::of([f64::NAN]), None);
    }
}
