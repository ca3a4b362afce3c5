//! Gradients that arrive at an operation from its readers, in memory of a pool.

use rank1_core::Real;

use super::layer::resize;
use super::rows::zip_chunks;

/// Adds `arriving` to what has arrived before; the first to arrive is taken as it is.
pub(super) fn arrive<F: Real>(slot: &mut Vec<F>, arriving: &mut Vec<F>) {
    if slot.is_empty() {
        std::mem::swap(slot, arriving);
    } else {
        add(slot, arriving);
    }
}

/// As [`arrive`], of values that are needed elsewhere; the memory is taken from `free`.
pub(super) fn arrive_copy<F: Real>(slot: &mut Vec<F>, arriving: &[F], free: &mut Vec<Vec<F>>) {
    if slot.is_empty() {
        *slot = free.pop().unwrap_or_default();
        resize(slot, arriving.len());
        zip_chunks(slot, arriving, <[F]>::copy_from_slice);
    } else {
        add(slot, arriving);
    }
}

/// Gives memory back; nothing is not memory, and would be handed out in its place.
pub(super) fn keep<F>(free: &mut Vec<Vec<F>>, memory: Vec<F>) {
    if memory.capacity() > 0 {
        free.push(memory);
    }
}

fn add<F: Real>(slot: &mut [F], arriving: &[F]) {
    zip_chunks(
        slot,
        arriving,
        #[inline(always)]
        |slot, arriving| {
            slot.iter_mut().zip(arriving).for_each(|(s, &a)| *s += a);
        },
    );
}
