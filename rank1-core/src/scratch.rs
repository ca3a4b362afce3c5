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

/// Single-precision values in a cache line.
const CACHE_LINE: usize = 16;

/// As [`fit`], from the start of a cache line on: a vector across two lines takes two loads.
pub(crate) fn fit_aligned(buffer: &mut Vec<f32>, len: usize) -> &mut [f32] {
    if buffer.len() < len + CACHE_LINE {
        buffer.resize(len + CACHE_LINE, 0.0);
    }
    let start = line_start(buffer);
    &mut buffer[start..start + len]
}

/// What [`fit_aligned`] has returned.
pub(crate) fn aligned(buffer: &[f32], len: usize) -> &[f32] {
    let start = line_start(buffer);
    &buffer[start..start + len]
}

/// Elements before the first whole cache line; 0 where addresses have no meaning.
fn line_start(buffer: &[f32]) -> usize {
    let start = buffer.as_ptr().align_offset(CACHE_LINE * size_of::<f32>());
    if start < CACHE_LINE { start } else { 0 }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aligned_memory_starts_a_cache_line_and_is_found_again() {
        let mut buffer = Vec::new();
        for len in [1, 16, 1000, 3] {
            let memory = fit_aligned(&mut buffer, len);
            assert_eq!((memory.len(), memory.as_ptr() as usize % 64), (len, 0));
            memory[len - 1] = 7.0;
            assert_eq!(aligned(&buffer, len)[len - 1], 7.0);
        }
    }
}
