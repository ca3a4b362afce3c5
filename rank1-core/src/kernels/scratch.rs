//! Buffers that grow and sums of partial results.
//!
//! Not for products; see [`crate::kernels::product`].

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

/// Memory that starts a cache line and grows: a vector across two lines takes two loads.
#[derive(Debug, Default)]
pub(crate) struct AlignedBuffer {
    values: Vec<f32>,
    /// Values before the first whole line.
    start: usize,
}

impl AlignedBuffer {
    /// As [`fit`].
    pub(crate) fn fit(&mut self, len: usize) -> &mut [f32] {
        if self.values.len() < len + CACHE_LINE {
            self.values.resize(len + CACHE_LINE, 0.0);
            // Where addresses have no meaning any start will do.
            let start = self.values.as_ptr().align_offset(CACHE_LINE * size_of::<f32>());
            self.start = if start < CACHE_LINE { start } else { 0 };
        }
        &mut self.values[self.start..self.start + len]
    }

    /// What the last [`AlignedBuffer::fit`] of this length has returned.
    pub(crate) fn kept(&self, len: usize) -> &[f32] {
        &self.values[self.start..self.start + len]
    }
}

impl Clone for AlignedBuffer {
    /// The same values from the start of a line of the copy's own, which may lie elsewhere in its memory.
    fn clone(&self) -> Self {
        let (mut copy, len) = (Self::default(), self.values.len().saturating_sub(CACHE_LINE));
        if len > 0 {
            copy.fit(len).copy_from_slice(self.kept(len));
        }
        copy
    }
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
    fn aligned_memory_starts_a_cache_line_and_is_kept_by_copies() {
        let mut buffers = vec![AlignedBuffer::default()];
        for len in [1, 16, 1000, 3] {
            let mut buffer = buffers[buffers.len() - 1].clone();
            let memory = buffer.fit(len);
            assert_eq!((memory.len(), memory.as_ptr() as usize % 64), (len, 0));
            memory[len - 1] = 7.0;
            assert_eq!(buffer.kept(len)[len - 1], 7.0);
            // Many copies at once, so that they lie differently in their memory.
            buffers.extend((0..8).map(|_| buffer.clone()));
            for copy in &buffers[buffers.len() - 8..] {
                assert_eq!((copy.kept(len), copy.kept(len).as_ptr() as usize % 64), (buffer.kept(len), 0));
            }
        }
    }
}
