//! Row-major slices as matrices: views, one product, buffers that grow and sums of partial results.
//!
//! Not for anything with a shape of its own; callers have checked their lengths.

use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2};
use rayon::prelude::*;

use crate::Real;

/// Elements that one thread adds up at a time.
const SUM_BLOCK: usize = 4096;

/// A matrix of `rows` rows.
pub(crate) fn matrix<F>(values: &[F], rows: usize) -> ArrayView2<'_, F> {
    let columns = values.len().checked_div(rows).unwrap_or(0);
    ArrayView2::from_shape((rows, columns), values).expect("callers pass whole rows")
}

/// `out = a b + keep out`; what `out` held is not read if `keep` is 0.
pub(crate) fn multiply<F: Real>(a: ArrayView2<'_, F>, b: ArrayView2<'_, F>, keep: F, out: &mut [F]) {
    let mut out =
        ArrayViewMut2::from_shape((a.nrows(), b.ncols()), out).expect("callers pass a slice of this size");
    general_mat_mul(F::one(), &a, &b, keep, &mut out);
}

/// The first `len` elements, after growing the buffer if it is too short.
pub(crate) fn fit<F: Real>(buffer: &mut Vec<F>, len: usize) -> &mut [F] {
    if buffer.len() < len {
        buffer.resize(len, F::zero());
    }
    &mut buffer[..len]
}

/// Adds every part to `total`, in the order of the parts; parts may be longer than `total`.
pub(crate) fn add_in_order<'a, F: Real, P>(total: &mut [F], parts: P)
where
    P: Iterator<Item = &'a [F]> + Clone + Sync,
{
    total.par_chunks_mut(SUM_BLOCK).enumerate().for_each(|(block, total)| {
        for part in parts.clone() {
            let part = &part[block * SUM_BLOCK..];
            total.iter_mut().zip(part).for_each(|(sum, &value)| *sum += value);
        }
    });
}
