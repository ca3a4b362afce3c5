//! Means of a quantity over examples that are alike in another: stated risk against what happened, coverage along the
//! prediction.
//!
//! Not for probabilities of classes; see [`super::calibration`].

use ndarray::ArrayView1;

use super::checks;
use crate::Error;

/// Examples that follow one another in the order of a key.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MassBin {
    /// Number of examples, at least 1.
    pub count: usize,
    /// Least key.
    pub lower: f64,
    /// Greatest key.
    pub upper: f64,
    /// Mean key.
    pub key: f64,
    /// Mean value.
    pub mean: f64,
    /// Standard error of the mean value; 0 for one example.
    pub standard_error: f64,
}

/// Means of `values` in bins of as many examples each, in the order of `keys`.
///
/// With the stated risk as key (a predictive variance, or one minus the largest probability) and the loss as value (the
/// squared error, or 1 for a wrong class) both means are equal where the statement is right. With the prediction as key and 1
/// for a target inside its interval the means are coverages.
///
/// # Units
/// Those of `keys` and of `values`.
///
/// # Shapes
/// `keys`, `values` `[N]`; returns `min(n_bins, N)` bins, whose counts differ by at most 1.
///
/// # Errors
/// [`Error::Empty`], [`Error::ShapeMismatch`], [`Error::NotFinite`], [`Error::OutOfRange`] for no bins.
///
/// # Numerics
/// Equal keys stay in the order of the input, and two bins may share one.
///
/// # Source
/// Levi et al. 2022, Sensors 22(15):5540, equation 7, which is about the roots of both means.
pub fn equal_mass_bins(
    keys: ArrayView1<'_, f64>,
    values: ArrayView1<'_, f64>,
    n_bins: usize,
) -> Result<Vec<MassBin>, Error> {
    const OP: &str = "equal_mass_bins";
    checks::positive_count(OP, "n_bins", n_bins)?;
    checks::finite(OP, "keys", keys)?;
    checks::same_len(OP, "values", keys.len(), values.len())?;
    checks::finite(OP, "values", values)?;
    let n = keys.len();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| keys[a].total_cmp(&keys[b]));
    let n_bins = n_bins.min(n);
    let bin = |index: usize| {
        let rows = &order[index * n / n_bins..(index + 1) * n / n_bins];
        let count = rows.len() as f64;
        let mean = rows.iter().map(|&row| values[row]).sum::<f64>() / count;
        let squares: f64 = rows.iter().map(|&row| (values[row] - mean).powi(2)).sum();
        MassBin {
            count: rows.len(),
            lower: keys[rows[0]],
            upper: keys[rows[rows.len() - 1]],
            key: rows.iter().map(|&row| keys[row]).sum::<f64>() / count,
            mean,
            standard_error: if rows.len() > 1 { (squares / (count - 1.0) / count).sqrt() } else { 0.0 },
        }
    };
    Ok((0..n_bins).map(bin).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn bins_follow_the_key_and_have_means_and_errors_by_hand() {
        let keys = array![4.0, 1.0, 3.0, 2.0, 5.0];
        let values = array![8.0, 1.0, 4.0, 3.0, 0.0];
        let bins = equal_mass_bins(keys.view(), values.view(), 2).unwrap();
        let first = MassBin { count: 2, lower: 1.0, upper: 2.0, key: 1.5, mean: 2.0, standard_error: 1.0 };
        assert_eq!(bins[0], first);
        assert_eq!((bins[1].count, bins[1].lower, bins[1].upper, bins[1].mean), (3, 3.0, 5.0, 4.0));
        // Deviations 0, 4, -4: 32 / 2 / 3.
        assert!((bins[1].standard_error - (16.0_f64 / 3.0).sqrt()).abs() < 1e-15);
    }

    #[test]
    fn there_are_never_more_bins_than_examples() {
        let bins = equal_mass_bins(array![2.0, 1.0].view(), array![0.0, 1.0].view(), 10).unwrap();
        assert_eq!(bins.iter().map(|bin| (bin.key, bin.mean)).collect::<Vec<_>>(), [(1.0, 1.0), (2.0, 0.0)]);
        assert_eq!(bins[0].standard_error, 0.0);
    }

    #[test]
    fn what_is_not_finite_or_does_not_fit_is_refused() {
        let two = array![1.0, 2.0];
        for (keys, values, n_bins) in [
            (array![1.0, f64::NAN], two.clone(), 2),
            (two.clone(), array![1.0], 2),
            (two.clone(), two.clone(), 0),
            (array![], array![], 2),
        ] {
            assert!(equal_mass_bins(keys.view(), values.view(), n_bins).is_err());
        }
    }
}
