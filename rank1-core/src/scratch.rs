//! Buffers that grow and sums of partial results.
//!
//! Not for products; see [`crate::product`].

use rayon::prelude::*;

use crate::Real;

/// Elements that one thread adds up at a time.
const SUM_BLOCK: usize = 4096;

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
