//! Risk among the predictions a method is most certain of.

use super::super::average::interpolated;
use super::super::group::SetGroups;
use super::axis::Axis;
use super::figure::{Figure, NamedCurve};

/// Risk against coverage, one curve per method.
pub(crate) fn risk_coverage(set: &SetGroups<'_>) -> Option<Figure> {
    // Below 5 % coverage the risk of a small test set is noise.
    let places: Vec<f64> = (5..=100).map(|percent| f64::from(percent) / 100.0).collect();
    let curves: Vec<NamedCurve> = set
        .groups
        .iter()
        .map(|group| NamedCurve {
            label: group.label.clone(),
            series: group.series,
            curve: interpolated(group.evaluations().map(|evaluation| &evaluation.risk_coverage), &places),
        })
        .collect();
    let (risk, meaning) = if set.regression {
        ("risk (squared error)", "mean squared error in squared target units")
    } else {
        ("risk (error rate)", "share of wrong predictions")
    };
    let risks: Vec<f64> =
        curves.iter().flat_map(|named| named.curve.points.iter().map(|point| point.mean)).collect();
    let caption = format!(
        "Risk ({meaning}) when only the most certain share of predictions is kept. A useful uncertainty puts its \
         errors at the right end; lower is better, and AURC is the area below. Mean over runs, bars ± 1 standard error."
    );
    let axes = (Axis::unit("coverage"), Axis::from_zero(risk, risks));
    Figure::of_curves("Risk and coverage", &caption, axes, &curves, None)
}
