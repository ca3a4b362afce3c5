//! Some rows at a time in double precision, with a last column of ones: a table is never held twice.

use ndarray::{Array2, ArrayView2, Axis};

/// Rows that are converted at a time.
const ROWS: usize = 4_096;

/// Calls `each` with the named rows of `inputs`, `[rows, D + 1]`, and which they are.
pub(super) fn for_each(
    inputs: ArrayView2<'_, f32>,
    rows: &[usize],
    mut each: impl FnMut(&Array2<f64>, &[usize]),
) {
    for rows in rows.chunks(ROWS) {
        let mut block = Array2::ones((rows.len(), inputs.ncols() + 1));
        for (mut row, &index) in block.axis_iter_mut(Axis(0)).zip(rows) {
            row.iter_mut().zip(inputs.row(index)).for_each(|(to, &from)| *to = f64::from(from));
        }
        each(&block, rows);
    }
}
