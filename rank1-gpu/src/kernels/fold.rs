//! Kernel of sums over rows in a fixed order, a few rows at a time.

use cubecl::prelude::*;

/// `out[k, c, i]` = sum of rows `c * rows_per_unit..` of `partial[k, :, i]`, in their order.
#[cube(launch_unchecked)]
pub(crate) fn fold_rows(
    partial: &[f32],
    out: &mut [f32],
    n_members: u32,
    n_rows: u32,
    rows_per_unit: u32,
    width: u32,
) {
    let n_chunks = n_rows.div_ceil(rows_per_unit);
    let unit = ABSOLUTE_POS as u32;
    if unit < n_members * n_chunks * width {
        let index = unit % width;
        let chunk = unit / width;
        let member = chunk / n_chunks;
        let first = chunk % n_chunks * rows_per_unit;
        let end = (first + rows_per_unit).min(n_rows);
        let mut sum = 0.0f32;
        for row in first..end {
            sum += partial[((member * n_rows + row) * width + index) as usize];
        }
        out[unit as usize] = sum;
    }
}
