//! What every metric refuses before it computes: empty, misshapen, not finite, out of range.
//!
//! Holds no metric itself.

use ndarray::{ArrayView, ArrayView1, ArrayView2, Dimension};

use crate::Error;

/// Probabilities that were rounded to f32 may exceed 1 by this much.
const ROUNDING: f64 = 1e-6;
/// Rows of thousands of probabilities in half precision sum to 1 within this.
const SUM_ROUNDING: f64 = 1e-3;

pub(crate) fn same_shape(
    op: &'static str,
    argument: &'static str,
    expected: Vec<usize>,
    got: Vec<usize>,
) -> Result<(), Error> {
    if expected == got { Ok(()) } else { Err(Error::ShapeMismatch { op, argument, expected, got }) }
}

pub(crate) fn same_len(
    op: &'static str,
    argument: &'static str,
    expected: usize,
    got: usize,
) -> Result<(), Error> {
    same_shape(op, argument, vec![expected], vec![got])
}

/// Refuses an empty array and any NaN or infinity.
pub(crate) fn finite<D: Dimension>(
    op: &'static str,
    argument: &'static str,
    values: ArrayView<'_, f64, D>,
) -> Result<(), Error> {
    each(op, argument, values, |v| v.is_finite(), f64::NEG_INFINITY, f64::INFINITY, "a finite number")
}

/// Refuses an empty array, NaN and positive entries; minus infinity is a probability of zero.
pub(crate) fn log_probs<D: Dimension>(
    op: &'static str,
    argument: &'static str,
    values: ArrayView<'_, f64, D>,
) -> Result<(), Error> {
    let expected = "a log-probability (at most zero)";
    each(op, argument, values, |v| !v.is_nan(), f64::NEG_INFINITY, ROUNDING, expected)
}

/// Refuses an empty array, NaN and entries outside of `[0, 1]`; the sum of a row is not looked at.
pub(crate) fn probs<D: Dimension>(
    op: &'static str,
    argument: &'static str,
    values: ArrayView<'_, f64, D>,
) -> Result<(), Error> {
    each(op, argument, values, f64::is_finite, 0.0, 1.0 + ROUNDING, "a probability in [0, 1]")
}

fn each<D: Dimension>(
    op: &'static str,
    argument: &'static str,
    values: ArrayView<'_, f64, D>,
    is_number: impl Fn(f64) -> bool,
    low: f64,
    high: f64,
    expected: &'static str,
) -> Result<(), Error> {
    if values.is_empty() {
        return Err(Error::Empty { op, argument });
    }
    // Places are looked for only where there is one.
    let holds = |&value: &f64| is_number(value) && (low..=high).contains(&value);
    if values.iter().all(holds) {
        return Ok(());
    }
    for (index, &value) in values.into_dyn().indexed_iter() {
        if !is_number(value) {
            return Err(Error::NotFinite { op, argument, index: index.as_array_view().to_vec() });
        }
        if !(low..=high).contains(&value) {
            return Err(Error::OutOfRange { op, argument, value, expected });
        }
    }
    Ok(())
}

/// Refuses a number of labels other than `n` and a label of `n_classes` or more.
pub(crate) fn labels(
    op: &'static str,
    labels: ArrayView1<'_, usize>,
    n: usize,
    n_classes: usize,
) -> Result<(), Error> {
    same_len(op, "labels", n, labels.len())?;
    match labels.iter().position(|label| *label >= n_classes) {
        Some(row) => Err(Error::LabelOutOfRange { op, row, label: labels[row], n_classes }),
        None => Ok(()),
    }
}

/// Probabilities `[N, C]` with their labels.
pub(crate) fn probs_and_labels(
    op: &'static str,
    values: ArrayView2<'_, f64>,
    label_view: ArrayView1<'_, usize>,
) -> Result<(), Error> {
    probs(op, "probs", values)?;
    labels(op, label_view, values.nrows(), values.ncols())
}

/// Refuses the first row whose probabilities do not sum to one.
pub(crate) fn normalized(
    op: &'static str,
    argument: &'static str,
    sums: impl Iterator<Item = f64>,
) -> Result<(), Error> {
    match sums.enumerate().find(|(_, sum)| (sum - 1.0).abs() > SUM_ROUNDING || sum.is_nan()) {
        Some((row, sum)) => Err(Error::NotNormalized { op, argument, row, sum }),
        None => Ok(()),
    }
}

/// Probabilities `[N, C]` whose rows sum to one, with their labels.
pub(crate) fn normalized_probs_and_labels(
    op: &'static str,
    values: ArrayView2<'_, f64>,
    label_view: ArrayView1<'_, usize>,
) -> Result<(), Error> {
    probs_and_labels(op, values, label_view)?;
    normalized(op, "probs", values.rows().into_iter().map(|row| row.sum()))
}

/// Refuses a scalar that is not strictly between 0 and 1.
pub(crate) fn open_unit(op: &'static str, argument: &'static str, value: f64) -> Result<(), Error> {
    if value > 0.0 && value < 1.0 {
        Ok(())
    } else {
        Err(Error::OutOfRange { op, argument, value, expected: "strictly between 0 and 1" })
    }
}

/// Refuses a count of zero.
pub(crate) fn positive_count(op: &'static str, argument: &'static str, value: usize) -> Result<(), Error> {
    if value > 0 {
        Ok(())
    } else {
        Err(Error::OutOfRange { op, argument, value: 0.0, expected: "at least 1" })
    }
}

/// Index of the largest entry, the first one on ties; 0 for an empty row.
pub(crate) fn argmax(row: ArrayView1<'_, f64>) -> usize {
    row.iter()
        .enumerate()
        .fold((0, f64::NEG_INFINITY), |best, (i, &v)| if v > best.1 { (i, v) } else { best })
        .0
}
