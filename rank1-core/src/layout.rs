//! The member-major row order, in one place: row `k * B + b` belongs to member `k` and example `b`.
//!
//! No other file of this crate computes row numbers from members. Sample axes come before members: `[S, K, B, C]`.

use ndarray::{Array, Array2, Array3, ArrayView, ArrayView2, ArrayView3, Axis, Dimension, RemoveAxis};

use crate::Error;

/// Row of member `member` and example `example` in a member-major batch of `batch_size` examples per member.
///
/// # Source
/// Reference code of Dusenberry et al. 2020: the batch is tiled along its first axis once per member.
pub fn row(member: usize, example: usize, batch_size: usize) -> usize {
    member * batch_size + example
}

/// `(member, example)` of a row; the inverse of [`row`].
///
/// # Panics
/// If `batch_size` is 0.
pub fn member_and_example(row: usize, batch_size: usize) -> (usize, usize) {
    (row / batch_size, row % batch_size)
}

/// Number of examples per member in a batch of `rows` rows.
///
/// # Errors
/// [`Error::ShapeMismatch`] if `n_members` is 0 or does not divide `rows`.
pub fn batch_size(op: &'static str, rows: usize, n_members: usize) -> Result<usize, Error> {
    if n_members == 0 || !rows.is_multiple_of(n_members) {
        // The nearest smaller batch that fits tells the caller which number is off.
        let expected = vec![rows.checked_div(n_members).unwrap_or(0) * n_members];
        return Err(Error::ShapeMismatch {
            op,
            argument: "rows (members x batch)",
            expected,
            got: vec![rows],
        });
    }
    Ok(rows / n_members)
}

/// Repeats a batch once per member, so that every member sees the same examples.
///
/// # Shapes
/// `batch`: `[B, ...]`; returns `[K*B, ...]`.
///
/// # Source
/// See [`row`]; an interleaved order would train the wrong member on the wrong factor without any error.
pub fn tile<A: Clone, D: Dimension + RemoveAxis>(
    batch: ArrayView<'_, A, D>,
    n_members: usize,
) -> Array<A, D> {
    let b = batch.len_of(Axis(0));
    let indices: Vec<usize> = (0..n_members * b).map(|r| member_and_example(r, b).1).collect();
    batch.select(Axis(0), &indices)
}

/// Splits the rows into members without copying.
///
/// # Shapes
/// `rows`: `[K*B, D]` in standard order; returns `[K, B, D]`.
///
/// # Errors
/// [`Error::ShapeMismatch`] if `n_members` does not divide the number of rows or the rows are not contiguous.
pub fn split_members<A>(rows: ArrayView2<'_, A>, n_members: usize) -> Result<ArrayView3<'_, A>, Error> {
    let (r, d) = rows.dim();
    let b = batch_size("split_members", r, n_members)?;
    rows.into_shape_with_order((n_members, b, d)).map_err(|_| Error::ShapeMismatch {
        op: "split_members",
        argument: "rows (standard memory order)",
        expected: vec![n_members, b, d],
        got: vec![r, d],
    })
}

/// Joins members and examples into rows; the inverse of [`split_members`].
///
/// # Shapes
/// `members`: `[K, B, D]`; returns `[K*B, D]`.
pub fn join_members<A: Clone>(members: ArrayView3<'_, A>) -> Array2<A> {
    let (k, b, d) = members.dim();
    let flat: Vec<A> = members.iter().cloned().collect();
    Array2::from_shape_vec((k * b, d), flat).expect("the product of the axes is the number of elements")
}

/// One copy per example summed back over members: the adjoint of [`tile`].
///
/// # Shapes
/// `rows`: `[K*B, D]`; returns `[B, D]`, the sum over members.
///
/// # Errors
/// [`Error::ShapeMismatch`] if `n_members` does not divide the number of rows.
///
/// # Source
/// Transpose of the linear map [`tile`].
pub fn untile_sum<F: crate::Real>(rows: ArrayView2<'_, F>, n_members: usize) -> Result<Array2<F>, Error> {
    let b = batch_size("untile_sum", rows.nrows(), n_members)?;
    let mut out = Array2::zeros((b, rows.ncols()));
    for (r, values) in rows.rows().into_iter().enumerate() {
        let mut target = out.row_mut(member_and_example(r, b).1);
        target += &values;
    }
    Ok(out)
}

/// Rows of the first member of a tiled batch: undoes [`tile`] when all members hold the same examples.
///
/// # Shapes
/// `rows`: `[K*B, ...]`; returns a view `[B, ...]`.
///
/// # Errors
/// [`Error::ShapeMismatch`] if `n_members` does not divide the number of rows.
pub fn untile<A, D: Dimension>(
    rows: ArrayView<'_, A, D>,
    n_members: usize,
) -> Result<ArrayView<'_, A, D>, Error> {
    let b = batch_size("untile", rows.len_of(Axis(0)), n_members)?;
    Ok(rows.split_at(Axis(0), b).0)
}

/// Factor draws stored example first, as the reference code samples them, in member-major order.
///
/// # Shapes
/// `draws`: `[B, K, D]`; returns `[K, B, D]`.
///
/// # Source
/// Reference code: `distribution.sample(B)` gives `[B, K, D]` and is transposed.
pub fn member_major<A: Clone>(draws: ArrayView3<'_, A>) -> Array3<A> {
    draws.permuted_axes([1, 0, 2]).as_standard_layout().into_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use ndarray::{Array1, Array3};

    use super::*;

    #[test]
    fn tiled_rows_follow_member_major_order() {
        let batch = Array1::from_iter(0..5);
        let tiled = tile(batch.view(), 3);
        for k in 0..3 {
            for b in 0..5 {
                assert_eq!(tiled[row(k, b, 5)], b);
                assert_eq!(member_and_example(row(k, b, 5), 5), (k, b));
            }
        }
    }

    #[test]
    fn tile_then_untile_is_the_identity() {
        for (k, b, d) in [(3, 5, 7), (1, 5, 7), (3, 1, 7), (3, 5, 1)] {
            let batch = Array2::from_shape_fn((b, d), |(i, j)| (i * 31 + j) as f64);
            let tiled = tile(batch.view(), k);
            assert_eq!(tiled.dim(), (k * b, d));
            assert_eq!(untile(tiled.view(), k).unwrap(), batch);
            assert_eq!(untile_sum(tiled.view(), k).unwrap(), &batch * k as f64);
            let members = split_members(tiled.view(), k).unwrap();
            assert!(members.outer_iter().all(|member| member == batch));
            assert_eq!(join_members(members), tiled);
        }
    }

    #[test]
    fn a_batch_that_members_do_not_divide_is_refused() {
        let rows = Array2::<f64>::zeros((16, 7));
        for n_members in [0, 3] {
            assert!(matches!(split_members(rows.view(), n_members), Err(Error::ShapeMismatch { .. })));
            assert!(matches!(untile(rows.view(), n_members), Err(Error::ShapeMismatch { .. })));
        }
    }

    #[test]
    fn example_first_draws_are_transposed_not_reshaped() {
        let draws = Array3::from_shape_fn((5, 3, 2), |(b, k, d)| 100 * b + 10 * k + d);
        let got = member_major(draws.view());
        assert_eq!(got.dim(), (3, 5, 2));
        assert_eq!(got[[2, 4, 1]], 421);
        assert!(got.is_standard_layout());
    }
}
