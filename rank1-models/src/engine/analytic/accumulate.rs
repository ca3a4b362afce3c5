//! Gradients of an operation's rows, accumulated over its readers in memory of a pool.

use rank1_core::Real;

use super::{resize, zip_chunks};

/// Adds a reader's part to what is accumulated; the first is taken as it is.
pub(crate) fn add<F: Real>(slot: &mut Vec<F>, part: &mut Vec<F>) {
    if slot.is_empty() {
        std::mem::swap(slot, part);
    } else {
        add_values(slot, part);
    }
}

/// As [`add`], of values that are needed elsewhere; the memory is taken from `free`.
pub(crate) fn add_copy<F: Real>(slot: &mut Vec<F>, part: &[F], free: &mut Vec<Vec<F>>) {
    if slot.is_empty() {
        *slot = free.pop().unwrap_or_default();
        resize(slot, part.len());
        zip_chunks(slot, part, <[F]>::copy_from_slice);
    } else {
        add_values(slot, part);
    }
}

/// Sums blocks of `len` values into the first: gradients of rows that all members and samples read.
pub(crate) fn sum_rows<F: Real>(gradient: &mut Vec<F>, len: usize) {
    if len == 0 || gradient.len() <= len {
        return;
    }
    let (first, others) = gradient.split_at_mut(len);
    for block in others.chunks_exact(len) {
        add_values(first, block);
    }
    gradient.truncate(len);
}

/// Gives memory back; nothing is not memory, and would be handed out in its place.
pub(crate) fn keep<F>(free: &mut Vec<Vec<F>>, memory: Vec<F>) {
    if memory.capacity() > 0 {
        free.push(memory);
    }
}

fn add_values<F: Real>(slot: &mut [F], part: &[F]) {
    zip_chunks(
        slot,
        part,
        #[inline(always)]
        |slot, part| {
            slot.iter_mut().zip(part).for_each(|(s, &a)| *s += a);
        },
    );
}
