//! Partial sums combined in an order that neither the device nor the grid changes.

use cubecl::prelude::*;
use cubecl::server::Handle;

use super::checks::limits_of;
use crate::Error;
use crate::kernels::fold;
use crate::shape::Plan;

const ROWS_PER_UNIT: usize = 32;

/// Sums over the rows of `[K, n_rows, D]` in passes of 32 consecutive rows each; the input itself if there is one row.
///
/// `partial` must hold that many floats, at most `2^31`.
pub(super) fn fold_rows(
    op: &'static str,
    client: &Client,
    (n_members, mut n_rows, width): (usize, usize, usize),
    mut partial: Handle,
) -> Result<Handle, Error> {
    while n_rows > 1 {
        let n_chunks = n_rows.div_ceil(ROWS_PER_UNIT);
        let n_sums = n_members * n_chunks * width;
        let plan = Plan::new(op, (n_sums, 4), n_sums, limits_of(client))?;
        let sums = client.empty(4 * n_sums);
        let n_terms = n_members * n_rows * width;
        // SAFETY: the caller made `partial` with `n_terms` floats, and `sums` was made with `n_sums`. A unit returns
        // unless it is one of these sums and reads rows below `n_rows` only; `n_terms` is at most 2^31, so nothing wraps.
        unsafe {
            fold::fold_rows::launch_unchecked(
                client,
                plan.count,
                plan.dim,
                BufferArg::from_raw_parts(partial, n_terms),
                BufferArg::from_raw_parts(sums.clone(), n_sums),
                n_members as u32,
                n_rows as u32,
                ROWS_PER_UNIT as u32,
                width as u32,
            );
        }
        (partial, n_rows) = (sums, n_chunks);
    }
    Ok(partial)
}
