//! The score of stated quantiles.
//!
//! Whether quantiles are met as often as they say is in [`quantile_calibration`](mod@super::quantile_calibration).

use ndarray::{Array2, ArrayView1, ArrayView2};

use super::checks;
use crate::Error;

/// Pinball loss of every quantile: `max(tau (y - q), (tau - 1) (y - q))`; smaller is better.
///
/// # Units
/// The target's own unit.
///
/// # Shapes
/// `quantiles` `[N, L]`, `levels` `[L]`, `targets` `[N]`; returns `[N, L]`.
///
/// # Errors
/// [`Error::Empty`], [`Error::ShapeMismatch`], [`Error::NotFinite`]; [`Error::OutOfRange`] for a level that is not strictly between 0 and 1.
///
/// # Source
/// Koenker and Bassett 1978, doi:10.2307/1913643. Twice its integral over levels is the CRPS.
pub fn pinball(
    quantiles: ArrayView2<'_, f64>,
    levels: ArrayView1<'_, f64>,
    targets: ArrayView1<'_, f64>,
) -> Result<Array2<f64>, Error> {
    const OP: &str = "pinball";
    checks::finite(OP, "targets", targets)?;
    checks::finite(OP, "levels", levels)?;
    levels.iter().try_for_each(|level| checks::open_unit(OP, "levels", *level))?;
    checks::same_shape(OP, "quantiles", vec![targets.len(), levels.len()], quantiles.shape().to_vec())?;
    checks::finite(OP, "quantiles", quantiles)?;
    Ok(Array2::from_shape_fn(quantiles.dim(), |(n, l)| {
        let distance = targets[n] - quantiles[[n, l]];
        (levels[l] * distance).max((levels[l] - 1.0) * distance)
    }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use ndarray::{Array1, array};
    use proptest::prelude::*;

    use super::*;
    use crate::predictive::GaussianMixturePredictive;

    #[test]
    fn values_match_hand_values_and_bad_input_is_refused() {
        let found =
            pinball(array![[1.0, 3.0]].view(), array![0.25, 0.75].view(), array![2.0].view()).unwrap();
        assert_eq!(found, array![[0.25, 0.25]]);
        for level in [0.0, 1.0, f64::NAN] {
            assert!(pinball(array![[1.0]].view(), array![level].view(), array![2.0].view()).is_err());
        }
        let got = pinball(array![[1.0, 2.0]].view(), array![0.5].view(), array![2.0].view());
        assert!(matches!(got, Err(Error::ShapeMismatch { .. })));
    }

    proptest! {
        #[test]
        fn twice_the_mean_over_levels_is_the_crps(mean in -2.0..2.0_f64, std in 0.2..2.0_f64, y in -3.0..3.0_f64) {
            let one = GaussianMixturePredictive::new(array![[mean]], array![[std]]).unwrap();
            let n = 2000;
            let levels: Array1<f64> = (0..n).map(|i| (f64::from(i) + 0.5) / f64::from(n)).collect();
            let quantiles: Vec<f64> = levels.iter().map(|l| one.quantile(*l).unwrap()[0]).collect();
            let quantiles = Array2::from_shape_vec((1, n as usize), quantiles).unwrap();
            let found = 2.0 * pinball(quantiles.view(), levels.view(), array![y].view()).unwrap().mean().unwrap();
            prop_assert!((found - one.crps(array![y].view()).unwrap()[0]).abs() < 2e-3);
        }
    }
}
