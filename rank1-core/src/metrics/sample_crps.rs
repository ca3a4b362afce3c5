//! CRPS of predictives that are weighted samples or weighted Gaussians, plain or for values above a threshold.
//!
//! The equally weighted mixture of a model is in [`crate::metrics::crps`].

use ndarray::{Array1, ArrayView1, ArrayView2};

use super::checks;
use crate::Error;
use crate::predictive::mean_absolute;

/// CRPS of weighted Gaussian mixtures, one for each example.
///
/// # Units
/// The target's own unit.
///
/// # Shapes
/// `weights`, `means`, `std_devs` `[N, M]`, `targets` `[N]`; returns `[N]`. Takes `N M (M + 1) / 2` evaluations of the normal
/// distribution.
///
/// # Errors
/// [`Error::Empty`], [`Error::ShapeMismatch`], [`Error::NotFinite`]; [`Error::OutOfRange`] for a weight outside of `[0, 1]` or a
/// deviation that is not above zero; [`Error::NotNormalized`] for weights that do not sum to 1.
///
/// # Source
/// Grimit et al. 2006, doi:10.1256/qj.05.235: `sum_i w_i A(y - m_i, s_i^2) - sum_ij w_i w_j A(m_i - m_j, s_i^2 + s_j^2) / 2`
/// with `A(d, v) = E|X|` for `X ~ N(d, v)`.
pub fn crps_weighted_gaussians(
    weights: ArrayView2<'_, f64>,
    means: ArrayView2<'_, f64>,
    std_devs: ArrayView2<'_, f64>,
    targets: ArrayView1<'_, f64>,
) -> Result<Array1<f64>, Error> {
    const OP: &str = "crps_weighted_gaussians";
    check(OP, weights, means, "means", targets)?;
    checks::same_shape(OP, "std_devs", means.shape().to_vec(), std_devs.shape().to_vec())?;
    checks::finite(OP, "std_devs", std_devs)?;
    if let Some(&value) = std_devs.iter().find(|std| **std <= 0.0) {
        return Err(Error::OutOfRange { op: OP, argument: "std_devs", value, expected: "above zero" });
    }
    let one = |n: usize| {
        let (w, m, s) = (weights.row(n), means.row(n), std_devs.row(n));
        let (mut to_target, mut spread) = (0.0, 0.0);
        for i in 0..w.len() {
            to_target += w[i] * mean_absolute(targets[n] - m[i], s[i]);
            spread += w[i] * w[i] * mean_absolute(0.0, s[i].hypot(s[i]));
            for j in 0..i {
                spread += 2.0 * w[i] * w[j] * mean_absolute(m[i] - m[j], s[i].hypot(s[j]));
            }
        }
        to_target - 0.5 * spread
    };
    Ok((0..targets.len()).map(one).collect())
}

/// CRPS of weighted samples, one for each example: the energy form of their distribution function.
///
/// # Units
/// The target's own unit.
///
/// # Shapes
/// `weights`, `samples` `[N, M]`, `targets` `[N]`; returns `[N]`. Takes `N M log M`.
///
/// # Errors
/// [`Error::Empty`], [`Error::ShapeMismatch`], [`Error::NotFinite`]; [`Error::OutOfRange`] for a weight outside of `[0, 1]`;
/// [`Error::NotNormalized`] for weights that do not sum to 1.
///
/// # Source
/// Gneiting and Raftery 2007, doi:10.1198/016214506000001437, equation 21:
/// `sum_i w_i |x_i - y| - sum_ij w_i w_j |x_i - x_j| / 2`. Dividing by `M`, not by `M - 1`: the samples are the predictive.
pub fn crps_weighted_samples(
    weights: ArrayView2<'_, f64>,
    samples: ArrayView2<'_, f64>,
    targets: ArrayView1<'_, f64>,
) -> Result<Array1<f64>, Error> {
    check("crps_weighted_samples", weights, samples, "samples", targets)?;
    Ok((0..targets.len()).map(|n| energy(weights.row(n), samples.row(n).to_vec(), targets[n])).collect())
}

/// CRPS with weight one on values above a threshold and none below, of weighted samples.
///
/// # Units
/// The target's own unit.
///
/// # Shapes
/// As [`crps_weighted_samples`].
///
/// # Errors
/// As [`crps_weighted_samples`]; [`Error::NotFinite`] for the threshold.
///
/// # Source
/// Gneiting and Ranjan 2011, doi:10.1198/jbes.2010.08110; equal to the CRPS after `v -> max(v, threshold)` of samples and
/// targets (Allen et al. 2023, arXiv:2202.12732).
pub fn crps_above_threshold(
    weights: ArrayView2<'_, f64>,
    samples: ArrayView2<'_, f64>,
    targets: ArrayView1<'_, f64>,
    threshold: f64,
) -> Result<Array1<f64>, Error> {
    const OP: &str = "crps_above_threshold";
    check(OP, weights, samples, "samples", targets)?;
    if !threshold.is_finite() {
        return Err(Error::NotFinite { op: OP, argument: "threshold", index: Vec::new() });
    }
    let one = |n: usize| {
        let chained = samples.row(n).iter().map(|x| x.max(threshold)).collect();
        energy(weights.row(n), chained, targets[n].max(threshold))
    };
    Ok((0..targets.len()).map(one).collect())
}

fn energy(weights: ArrayView1<'_, f64>, samples: Vec<f64>, y: f64) -> f64 {
    let mut pairs: Vec<(f64, f64)> = samples.into_iter().zip(weights.iter().copied()).collect();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let total: f64 = pairs.iter().map(|pair| pair.1).sum();
    let to_target: f64 = pairs.iter().map(|(x, w)| w * (x - y).abs()).sum();
    // Half the double sum is the integral of F (1 - F) between neighbors: all terms are positive.
    let (mut below, mut spread) = (0.0, 0.0);
    for pair in pairs.windows(2) {
        below += pair[0].1;
        spread += below * (total - below) * (pair[1].0 - pair[0].0);
    }
    to_target - spread
}

fn check(
    op: &'static str,
    weights: ArrayView2<'_, f64>,
    values: ArrayView2<'_, f64>,
    argument: &'static str,
    targets: ArrayView1<'_, f64>,
) -> Result<(), Error> {
    checks::finite(op, "targets", targets)?;
    checks::probs(op, "weights", weights)?;
    checks::same_len(op, "weights", targets.len(), weights.nrows())?;
    checks::normalized(op, "weights", weights.rows().into_iter().map(|row| row.sum()))?;
    checks::same_shape(op, argument, weights.shape().to_vec(), values.shape().to_vec())?;
    checks::finite(op, argument, values)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use approx::assert_relative_eq;
    use ndarray::{Array2, array};
    use proptest::prelude::*;

    use super::*;
    use crate::predictive::GaussianMixturePredictive;

    #[test]
    fn one_sample_is_the_absolute_error_and_two_match_hand_values() {
        let one =
            crps_weighted_samples(array![[1.0]].view(), array![[3.0]].view(), array![5.0].view()).unwrap();
        assert_eq!(one, array![2.0]);
        // 1/4 * 1 + 3/4 * 3 - 1/4 * 3/4 * 4
        let weights = array![[0.25, 0.75]];
        let (samples, y) = (array![[4.0, 0.0]], array![3.0]);
        assert_eq!(crps_weighted_samples(weights.view(), samples.view(), y.view()).unwrap(), array![1.75]);
        // Above 2: samples 4 and 2, target 3.
        let found = crps_above_threshold(weights.view(), samples.view(), y.view(), 2.0).unwrap();
        assert_eq!(found, array![0.25 + 0.75 - 0.1875 * 2.0]);
        let found = crps_above_threshold(weights.view(), samples.view(), y.view(), 9.0).unwrap();
        assert_eq!(found, array![0.0]);
    }

    #[test]
    fn bad_input_is_refused() {
        let (w, x, y) = (array![[0.5, 0.5]], array![[1.0, 2.0]], array![1.0]);
        let of = |w: &Array2<f64>, x: &Array2<f64>| crps_weighted_samples(w.view(), x.view(), y.view());
        assert!(matches!(of(&array![[0.5, 0.4]], &x), Err(Error::NotNormalized { row: 0, .. })));
        assert!(matches!(of(&array![[1.5, -0.5]], &x), Err(Error::OutOfRange { argument: "weights", .. })));
        assert!(matches!(of(&w, &array![[1.0]]), Err(Error::ShapeMismatch { argument: "samples", .. })));
        assert!(matches!(of(&w, &array![[1.0, f64::NAN]]), Err(Error::NotFinite { .. })));
        assert!(crps_above_threshold(w.view(), x.view(), y.view(), f64::INFINITY).is_err());
        let got = crps_weighted_gaussians(w.view(), x.view(), array![[1.0, 0.0]].view(), y.view());
        assert!(matches!(got, Err(Error::OutOfRange { argument: "std_devs", .. })));
    }

    proptest! {
        #[test]
        fn sorting_agrees_with_the_double_sum(
            terms in prop::collection::vec((-3.0..3.0_f64, 0.01..1.0_f64), 1..12),
            y in -4.0..4.0_f64,
        ) {
            let total: f64 = terms.iter().map(|t| t.1).sum();
            let m = terms.len();
            let x = Array2::from_shape_fn((1, m), |(_, i)| terms[i].0);
            let w = Array2::from_shape_fn((1, m), |(_, i)| terms[i].1 / total);
            let direct: f64 = (0..m).map(|i| {
                let pairs: f64 = (0..m).map(|j| w[[0, j]] * (x[[0, i]] - x[[0, j]]).abs()).sum();
                w[[0, i]] * ((x[[0, i]] - y).abs() - 0.5 * pairs)
            }).sum();
            let found = crps_weighted_samples(w.view(), x.view(), array![y].view()).unwrap();
            prop_assert!((found[0] - direct).abs() < 1e-12);
            let low = crps_above_threshold(w.view(), x.view(), array![y].view(), -9.0).unwrap();
            prop_assert!((low[0] - direct).abs() < 1e-12);
        }

        #[test]
        fn equal_weights_are_the_mixture_of_a_model(
            terms in prop::collection::vec((-3.0..3.0_f64, 0.1..2.0_f64), 1..7),
            y in -4.0..4.0_f64,
        ) {
            let m = terms.len();
            let column = |f: fn(&(f64, f64)) -> f64| terms.iter().map(f).collect::<Vec<f64>>();
            let as_rows = |v: Vec<f64>| Array2::from_shape_vec((1, m), v).unwrap();
            let as_columns = |v: Vec<f64>| Array2::from_shape_vec((m, 1), v).unwrap();
            let mixture = GaussianMixturePredictive::new(as_columns(column(|t| t.0)), as_columns(column(|t| t.1))).unwrap();
            let weights = Array2::from_elem((1, m), 1.0 / m as f64);
            let (means, stds) = (as_rows(column(|t| t.0)), as_rows(column(|t| t.1)));
            let found = crps_weighted_gaussians(weights.view(), means.view(), stds.view(), array![y].view()).unwrap();
            assert_relative_eq!(found[0], mixture.crps(array![y].view()).unwrap()[0], max_relative = 1e-10, epsilon = 1e-12);
        }
    }
}
