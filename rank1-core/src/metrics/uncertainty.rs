//! Total, aleatoric and epistemic uncertainty of each example, in nats or as variances.
//!
//! Not a score: no label is needed. What the uncertainty is good for is measured in [`super::ood`] and
//! [`super::selective`].

use ndarray::{Array1, ArrayView2, ArrayView3, Axis, Zip};

use super::checks;
use crate::Error;
use crate::predictive::{ClassPredictive, GaussianMixturePredictive};

/// The three parts, one entry per example; total is aleatoric plus epistemic.
#[derive(Debug, Clone, PartialEq)]
pub struct Uncertainty {
    /// `[N]` entropy of the mixture, or variance of the mixture.
    pub total: Array1<f64>,
    /// `[N]` expected entropy of one draw, or mean variance of one draw.
    pub aleatoric: Array1<f64>,
    /// `[N]` mutual information of label and draw, or variance of the draws' means.
    pub epistemic: Array1<f64>,
}

/// Entropy of each row, in nats, between 0 and `ln(C)`.
///
/// # Shapes
/// `log_probs` `[N, C]`; returns `[N]`.
///
/// # Errors
/// [`Error::Empty`], [`Error::NotFinite`] for NaN, [`Error::OutOfRange`] for a positive entry.
///
/// # Source
/// `-sum_c p ln p`, with `0 ln 0 = 0`.
pub fn entropy(log_probs: ArrayView2<'_, f64>) -> Result<Array1<f64>, Error> {
    checks::log_probs("entropy", "log_probs", log_probs)?;
    Ok(row_entropies(log_probs))
}

/// Splits the entropy of the mean of `M` distributions per example.
///
/// # Shapes
/// `log_probs` `[M, N, C]`: members, or samples times members.
///
/// # Errors
/// As [`entropy`].
///
/// # Numerics
/// The mutual information is a difference of entropies; a negative rounding error is set to zero, and then
/// the total may exceed the sum of the parts by a rounding error.
///
/// # Source
/// Depeweg et al. 2018, arXiv:1710.07283: `H(mean p) = mean H(p) + I`.
pub fn decompose(log_probs: ArrayView3<'_, f64>) -> Result<Uncertainty, Error> {
    checks::log_probs("decompose", "log_probs", log_probs)?;
    let terms = log_probs.len_of(Axis(0)) as f64;
    let mixture = log_probs.mapv(f64::exp).sum_axis(Axis(0)) / terms;
    let total = row_entropies(mixture.mapv(f64::ln).view());
    let mut aleatoric = Array1::zeros(total.len());
    for term in log_probs.outer_iter() {
        aleatoric += &row_entropies(term);
    }
    Ok(with_mutual_information(total, aleatoric / terms))
}

/// Splits the entropy of an accumulated predictive, over every single draw of every member.
///
/// # Shapes
/// Returns three `[N]`.
///
/// # Source
/// As [`decompose`], from the accumulated [`ClassPredictive::expected_entropy`].
pub fn decompose_predictive(predictive: &ClassPredictive) -> Uncertainty {
    let total = row_entropies(predictive.log_probs.view());
    with_mutual_information(total, predictive.expected_entropy.clone())
}

/// Splits the variance of a Gaussian mixture.
///
/// # Units
/// The target's unit squared.
///
/// # Shapes
/// Returns three `[N]`.
///
/// # Source
/// Law of total variance: mean of variances plus variance of means (divided by `M`).
pub fn decompose_variance(predictive: &GaussianMixturePredictive) -> Uncertainty {
    let (aleatoric, epistemic) = (predictive.aleatoric_variance(), predictive.epistemic_variance());
    Uncertainty { total: &aleatoric + &epistemic, aleatoric, epistemic }
}

fn with_mutual_information(total: Array1<f64>, aleatoric: Array1<f64>) -> Uncertainty {
    let epistemic = Zip::from(&total).and(&aleatoric).map_collect(|t, a| (t - a).max(0.0));
    Uncertainty { total, aleatoric, epistemic }
}

fn row_entropies(log_probs: ArrayView2<'_, f64>) -> Array1<f64> {
    let term = |v: &f64| if *v == f64::NEG_INFINITY { 0.0 } else { -v.exp() * v };
    log_probs.rows().into_iter().map(|row| row.iter().map(term).sum::<f64>().max(0.0)).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use approx::assert_relative_eq;
    use ndarray::{Array3, Array4, array};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn certain_members_that_disagree_are_all_epistemic() {
        let log_probs = array![[[1.0_f64, 0.0]], [[0.0, 1.0]]].mapv(f64::ln);
        let parts = decompose(log_probs.view()).unwrap();
        assert_relative_eq!(parts.total[0], 2.0_f64.ln());
        assert_eq!(parts.aleatoric[0], 0.0);
        assert_relative_eq!(parts.epistemic[0], 2.0_f64.ln());
    }

    #[test]
    fn equal_members_are_all_aleatoric() {
        let log_probs = Array3::from_elem((3, 5, 4), 0.25_f64.ln());
        let parts = decompose(log_probs.view()).unwrap();
        for n in 0..5 {
            assert_relative_eq!(parts.aleatoric[n], 4.0_f64.ln(), max_relative = 1e-14);
            assert!(parts.epistemic[n] < 1e-14);
        }
    }

    #[test]
    fn variance_parts_match_hand_values() {
        let mixture = GaussianMixturePredictive::new(array![[1.0], [3.0]], array![[1.0], [2.0]]).unwrap();
        let parts = decompose_variance(&mixture);
        assert_eq!((parts.aleatoric[0], parts.epistemic[0], parts.total[0]), (2.5, 1.0, 3.5));
    }

    #[test]
    fn nan_is_refused_with_its_index() {
        let mut log_probs = Array3::from_elem((2, 3, 2), 0.5_f64.ln());
        log_probs[[1, 2, 0]] = f64::NAN;
        let got = decompose(log_probs.view());
        assert_eq!(
            got,
            Err(Error::NotFinite { op: "decompose", argument: "log_probs", index: vec![1, 2, 0] })
        );
    }

    proptest! {
        #[test]
        fn accumulated_and_direct_parts_agree(values in prop::collection::vec(-20.0..20.0_f64, 2 * 3 * 5 * 7)) {
            let logits = Array4::from_shape_vec((2, 3, 5, 7), values).unwrap();
            let predictive = ClassPredictive::from_logits(logits.view()).unwrap();
            let from_sum = decompose_predictive(&predictive);
            let rows = logits.to_shape((30, 7)).unwrap();
            let draws = crate::numeric::log_softmax(rows.view()).to_shape((6, 5, 7)).unwrap().to_owned();
            let direct = decompose(draws.mapv(|v| v.min(0.0)).view()).unwrap();
            for n in 0..5 {
                prop_assert!((from_sum.total[n] - direct.total[n]).abs() < 1e-12);
                prop_assert!((from_sum.aleatoric[n] - direct.aleatoric[n]).abs() < 1e-12);
                prop_assert!((from_sum.epistemic[n] - direct.epistemic[n]).abs() < 1e-12);
                prop_assert!(direct.total[n] <= 7.0_f64.ln() + 1e-12);
                prop_assert!(direct.total[n] >= direct.aleatoric[n] - 1e-12);
            }
        }
    }
}
