//! Linear equations of a symmetric positive definite matrix, in double precision.

use ndarray::{Array1, Array2, ArrayView1};

/// The solution of `matrix x = right`; none where the matrix is not positive definite in double precision.
///
/// Only the lower triangle of `matrix`, `[D, D]`, is read.
pub(super) fn solve(matrix: &Array2<f64>, right: &Array1<f64>) -> Option<Array1<f64>> {
    let n = right.len();
    // Rows of the lower factor, one behind the other.
    let mut factor: Vec<f64> = matrix.iter().copied().collect();
    for row in 0..n {
        let (above, current) = factor.split_at_mut(row * n);
        for column in 0..=row {
            let (before, rest) = current.split_at_mut(column);
            let other = if column == row { &*before } else { &above[column * n..column * n + column] };
            let remaining = rest[0] - dot(before, other);
            if row == column {
                if !(remaining > 0.0 && remaining.is_finite()) {
                    return None;
                }
                rest[0] = remaining.sqrt();
            } else {
                rest[0] = remaining / above[column * n + column];
            }
        }
    }
    let mut solution = right.to_vec();
    for row in 0..n {
        let known = dot(&factor[row * n..row * n + row], &solution[..row]);
        solution[row] = (solution[row] - known) / factor[row * n + row];
    }
    for row in (0..n).rev() {
        solution[row] /= factor[row * n + row];
        let found = solution[row];
        let below = factor[row * n..row * n + row].iter();
        solution.iter_mut().zip(below).for_each(|(entry, weight)| *entry -= weight * found);
    }
    Some(solution.into())
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    ArrayView1::from(a).dot(&ArrayView1::from(b))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn three_equations_by_hand() {
        // The factor is [[2, 0, 0], [1, 3, 0], [-1, 2, 1]].
        let matrix = array![[4.0, 0.0, 0.0], [2.0, 10.0, 0.0], [-2.0, 5.0, 6.0]];
        // The full matrix times (1, -2, 3).
        let right = array![4.0 - 4.0 - 6.0, 2.0 - 20.0 + 15.0, -2.0 - 10.0 + 18.0];
        let solution = solve(&matrix, &right).unwrap();
        assert!((&solution - &array![1.0, -2.0, 3.0]).iter().all(|error| error.abs() < 1e-12), "{solution}");
    }

    #[test]
    fn a_matrix_that_is_not_positive_definite_has_no_solution() {
        assert_eq!(solve(&array![[1.0, 0.0], [2.0, 1.0]], &array![1.0, 1.0]), None);
        assert_eq!(solve(&array![[f64::NAN]], &array![1.0]), None);
    }
}
