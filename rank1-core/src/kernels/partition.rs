//! The fixed split of images or rows into chunks: threads share the chunks, results depend on the split alone.
//!
//! Not for anything that looks at the number of threads: partial sums are added in chunk order.

use std::ops::Range;

use rayon::prelude::*;

/// Chunks of a batch; enough to keep a few cores busy, few enough for one scratch buffer each.
pub(crate) const CHUNKS: usize = 8;

/// `n` items in at most `chunks` consecutive ranges whose lengths differ by one at most; empty ranges are left out.
pub(crate) fn ranges(n: usize, chunks: usize) -> impl Iterator<Item = Range<usize>> {
    let chunks = chunks.min(n);
    (0..chunks).map(move |chunk| chunk * n / chunks..(chunk + 1) * n / chunks)
}

/// The parts of a slice that belong to `ranges`, which follow each other from 0; an item is `stride` elements long.
pub(crate) fn split_mut<F>(
    mut slice: &mut [F],
    stride: usize,
    ranges: impl Iterator<Item = Range<usize>>,
) -> impl Iterator<Item = &mut [F]> {
    ranges.map(move |range| {
        let (part, rest) = std::mem::take(&mut slice).split_at_mut(range.len() * stride);
        slice = rest;
        part
    })
}

/// Runs `f` on at most [`CHUNKS`] items, shared among threads; nothing is allocated.
pub(crate) fn share<T: Send>(mut items: impl Iterator<Item = T>, f: impl Fn(T) + Sync) {
    let mut slots: [Option<T>; CHUNKS] = std::array::from_fn(|_| items.next());
    debug_assert!(items.next().is_none(), "more items than chunks");
    slots.par_iter_mut().for_each(|slot| {
        if let Some(item) = slot.take() {
            f(item);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_cover_every_item_once_and_are_balanced() {
        for n in [0, 1, 7, 8, 9, 23, 160] {
            let all: Vec<Range<usize>> = ranges(n, CHUNKS).collect();
            assert_eq!(all.iter().cloned().flatten().collect::<Vec<_>>(), (0..n).collect::<Vec<_>>());
            let lengths = all.iter().map(ExactSizeIterator::len);
            assert!(lengths.clone().max().unwrap_or(0) - lengths.min().unwrap_or(0) <= 1, "{n}: {all:?}");
        }
    }

    #[test]
    fn split_parts_lie_where_their_ranges_say() {
        let mut values: Vec<usize> = (0..33).collect();
        let parts: Vec<Vec<usize>> =
            split_mut(&mut values, 3, ranges(11, 4)).map(|part| part.to_vec()).collect();
        for (part, range) in parts.iter().zip(ranges(11, 4)) {
            assert_eq!(*part, (range.start * 3..range.end * 3).collect::<Vec<_>>());
        }
    }
}
