//! What can be said of the rows and columns of a table that was predicted; drawn by the report.

mod importance;
mod slices;

use anyhow::{Result, bail};
use ndarray::{Array1, ArrayView1, Axis};
use rank1_core::metrics::{equal_mass_bins, predicted_classes};
use rank1_core::predictive::{ClassPredictive, GaussianMixturePredictive};
use rank1_core::targets::Targets;
use rank1_models::predict::Predictive;

use super::{Request, evenly_spaced, values};
use crate::model::Model;
use crate::part::Part;
use crate::report::table_document::{CoverageBin, ErrorBin, TableDocument};

/// Rows of a regression that are kept to be drawn.
const DRAWN_ROWS: usize = 200;

/// Bins along the stated uncertainty and along the prediction.
const BINS: usize = 10;

/// Everything but metrics; none where the rows are not those of a table.
pub(super) fn describe(
    model: &mut Model,
    part: &Part,
    predictive: &Predictive,
    request: &Request<'_>,
) -> Result<Option<TableDocument>> {
    let (Some(schema), Part::Stored(split)) = (model.document.schema.clone(), part) else { return Ok(None) };
    if schema.n_features() != split.n_features() {
        return Ok(None);
    }
    let nlls = row_nlls(predictive, &split.targets)?;
    let mut document = TableDocument { target: schema.target().to_owned(), ..TableDocument::default() };
    match (predictive, &split.targets) {
        (Predictive::Values { mixture, .. }, Targets::Values(observed)) => {
            describe_values(mixture, observed.view(), &mut document)?;
        }
        (Predictive::Classes(p), Targets::Classes { labels, .. }) => {
            document.errors = class_errors(p, labels.view())?;
        }
        _ => {}
    }
    if nlls.iter().all(|nll| nll.is_finite()) {
        (document.slices, document.n_slices) = slices::worst(&schema, split, nlls.view());
        document.importance = importance::measure(model, &schema, split, request)?;
    }
    Ok(Some(document))
}

/// NLL of each row, nats.
fn row_nlls(predictive: &Predictive, targets: &Targets) -> Result<Array1<f64>> {
    Ok(match (predictive, targets) {
        (Predictive::Classes(p), Targets::Classes { labels, .. }) => {
            p.log_probs.axis_iter(Axis(0)).zip(labels).map(|(row, &label)| -row[label]).collect()
        }
        (Predictive::Values { mixture, .. }, Targets::Values(values)) => {
            -mixture.log_density(values.view())?
        }
        _ => bail!("the model predicts the other kind of target (classes or values)"),
    })
}

fn describe_values(
    mixture: &GaussianMixturePredictive,
    observed: ArrayView1<'_, f64>,
    document: &mut TableDocument,
) -> Result<()> {
    let (mean, interval) = (mixture.mean(), mixture.central_interval(values::INTERVAL)?);
    let n = observed.len();
    document.rows = evenly_spaced(n.min(DRAWN_ROWS), n)
        .into_iter()
        .map(|row| [observed[row], mean[row], interval.lower[row], interval.upper[row]])
        .collect();
    let squares: Array1<f64> = mean.iter().zip(observed).map(|(m, y)| (m - y).powi(2)).collect();
    let bins = equal_mass_bins(mixture.variance().view(), squares.view(), BINS)?;
    document.errors = bins
        .iter()
        .map(|bin| {
            let observed = bin.mean.sqrt();
            // By the slope of the root.
            let standard_error = if observed > 0.0 { 0.5 * bin.standard_error / observed } else { 0.0 };
            ErrorBin { count: bin.count, stated: bin.key.sqrt(), observed, standard_error }
        })
        .collect();
    let inside: Array1<f64> = (0..n)
        .map(|row| f64::from(u8::from((interval.lower[row]..=interval.upper[row]).contains(&observed[row]))))
        .collect();
    document.coverage = equal_mass_bins(mean.view(), inside.view(), BINS)?
        .iter()
        .map(|bin| CoverageBin {
            count: bin.count,
            prediction: bin.key,
            covered: bin.mean,
            standard_error: bin.standard_error,
        })
        .collect();
    Ok(())
}

/// One minus the largest probability against the share of wrong classes.
fn class_errors(p: &ClassPredictive, labels: ArrayView1<'_, usize>) -> Result<Vec<ErrorBin>> {
    let probs = p.probs();
    let stated = probs.map_axis(Axis(1), |row| 1.0 - row.fold(0.0_f64, |a, &b| a.max(b)));
    let wrong: Array1<f64> = predicted_classes(probs.view())?
        .iter()
        .zip(labels)
        .map(|(predicted, label)| f64::from(u8::from(predicted != label)))
        .collect();
    let bins = equal_mass_bins(stated.view(), wrong.view(), BINS)?;
    let error = |bin: &rank1_core::metrics::MassBin| ErrorBin {
        count: bin.count,
        stated: bin.key,
        observed: bin.mean,
        standard_error: bin.standard_error,
    };
    Ok(bins.iter().map(error).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn four_rows_by_hand() {
        let means = array![[1.0, 2.0, 3.0, 4.0]];
        let stds = array![[0.5, 0.5, 2.0, 2.0]];
        let mixture = GaussianMixturePredictive::new(means, stds).unwrap();
        let observed = array![1.3, 1.6, 3.0, 9.0];
        let mut document = TableDocument::default();
        describe_values(&mixture, observed.view(), &mut document).unwrap();
        assert_eq!(document.rows.len(), 4);
        assert_eq!(document.errors.iter().map(|bin| bin.stated).collect::<Vec<_>>(), [0.5, 0.5, 2.0, 2.0]);
        assert!((document.errors[0].observed - 0.3).abs() < 1e-12);
        let covered: Vec<f64> = document.coverage.iter().map(|bin| bin.covered).collect();
        // 9 is 2.5 deviations away.
        assert_eq!(covered, [1.0, 1.0, 1.0, 0.0]);
        assert!((document.rows[3][3] - (4.0 + 2.0 * 1.644_853_626_951_47)).abs() < 1e-6);
    }

    #[test]
    fn the_nll_of_a_row_is_that_of_its_target() {
        let mixture = GaussianMixturePredictive::new(array![[0.0, 1.0]], array![[1.0, 1.0]]).unwrap();
        let predictive = Predictive::Values { mixture, n_members: 1 };
        let targets = Targets::Values(array![0.0, 3.0]);
        let nlls = row_nlls(&predictive, &targets).unwrap();
        let constant = 0.5 * (2.0 * std::f64::consts::PI).ln();
        assert!((nlls[0] - constant).abs() < 1e-12 && (nlls[1] - constant - 2.0).abs() < 1e-12, "{nlls}");
        assert!((nlls.mean().unwrap() - predictive.nll(&targets).unwrap()).abs() < 1e-12);
        assert!(row_nlls(&predictive, &Targets::Classes { labels: array![0, 1], n_classes: 2 }).is_err());
    }
}
