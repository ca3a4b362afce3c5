//! Seeded permutations and the splits made of them: the fixed one of `mnist10k` and validation parts.
//!
//! Not for sets with published splits; those are read from their index files and never re-made.

use crate::{Error, Split, hash::hash};

/// All of `0..n` in a pseudo-random order that depends on `n` and `seed` only.
///
/// Index `i` gets the key `hash(seed, i)`, where `hash` is two rounds of the SplitMix64 output function; the indices are
/// sorted by key, equal keys by index. The order has no state: a longer permutation with the same seed visits the first
/// `n` indices in the same relative order.
///
/// ```
/// let order = rank1_data::permutation(5, 7);
/// let mut sorted = order.clone();
/// sorted.sort_unstable();
/// assert_eq!(sorted, [0, 1, 2, 3, 4]);
/// assert_eq!(order, rank1_data::permutation(5, 7));
/// ```
pub fn permutation(n: usize, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by_cached_key(|&index| (hash(seed, index as u64), index));
    order
}

/// Indices of the part to keep and of the part held out, both in ascending order.
///
/// The first `round(fraction * n)` entries of [`permutation`] are held out.
///
/// # Errors
/// [`Error::Fraction`] if one of the parts would be empty or the fraction is not a number between 0 and 1.
pub fn holdout_indices(n: usize, fraction: f64, seed: u64) -> Result<(Vec<usize>, Vec<usize>), Error> {
    let n_held = (fraction * n as f64).round();
    if !(fraction > 0.0 && fraction < 1.0 && n_held >= 1.0 && n_held < n as f64) {
        return Err(Error::Fraction { fraction, rows: n });
    }
    let mut held = permutation(n, seed);
    let mut kept = held.split_off(n_held as usize);
    held.sort_unstable();
    kept.sort_unstable();
    Ok((kept, held))
}

/// Indices of the part to keep and of the part held out, both in ascending order, with the same share of every class.
///
/// Of a class with `m` rows, `round(fraction * m)` are held out, at least one and at most `m - 1`; a class with one row keeps it.
///
/// # Errors
/// [`Error::Fraction`] if nothing would be held out or the fraction is not a number between 0 and 1.
pub fn stratified_holdout(
    labels: &[usize],
    fraction: f64,
    seed: u64,
) -> Result<(Vec<usize>, Vec<usize>), Error> {
    let n_classes = labels.iter().max().map_or(0, |&label| label + 1);
    let mut of_class = vec![Vec::new(); n_classes];
    for row in permutation(labels.len(), seed) {
        of_class[labels[row]].push(row);
    }
    let (mut kept, mut held) = (Vec::new(), Vec::new());
    for rows in of_class {
        let most = rows.len().saturating_sub(1);
        let n_held = ((fraction * rows.len() as f64).round() as usize).max(1).min(most);
        held.extend_from_slice(&rows[..n_held]);
        kept.extend_from_slice(&rows[n_held..]);
    }
    if held.is_empty() || !(fraction > 0.0 && fraction < 1.0) {
        return Err(Error::Fraction { fraction, rows: labels.len() });
    }
    held.sort_unstable();
    kept.sort_unstable();
    Ok((kept, held))
}

/// Divides a training part into a smaller training part and a validation part.
///
/// The choice depends on the number of rows, `fraction` and `seed` only; classes are not stratified.
///
/// # Errors
/// [`Error::Fraction`] if one of the parts would be empty.
pub fn validation_split(split: &Split, fraction: f64, seed: u64) -> Result<(Split, Split), Error> {
    let (kept, held) = holdout_indices(split.len(), fraction, seed)?;
    Ok((split.select(&kept), split.select(&held)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use ndarray::{Array1, Array2};
    use proptest::prelude::*;
    use rank1_core::targets::Targets;

    use super::*;

    #[test]
    fn every_class_gives_its_share_and_keeps_a_row() {
        let labels = [0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 0, 0, 0];
        let (kept, held) = stratified_holdout(&labels, 0.3, 4).unwrap();
        let of = |rows: &[usize], class| rows.iter().filter(|&&row| labels[row] == class).count();
        assert_eq!([0, 1, 2].map(|class| of(&held, class)), [3, 1, 0]);
        assert_eq!([0, 1, 2].map(|class| of(&kept, class)), [7, 1, 1]);
        assert_eq!(stratified_holdout(&labels, 0.3, 4).unwrap(), (kept, held.clone()));
        assert_ne!(stratified_holdout(&labels, 0.3, 5).unwrap().1, held);
        for (labels, fraction) in [(&labels[..], 0.0), (&labels[..], f64::NAN), (&[0, 1][..], 0.5)] {
            let got = stratified_holdout(labels, fraction, 4);
            assert!(matches!(got, Err(Error::Fraction { .. })), "{fraction}: {got:?}");
        }
    }

    proptest! {
        #[test]
        fn parts_are_disjoint_complete_and_repeatable(n in 2_usize..300, fraction in 0.01_f64..0.99, seed: u64) {
            match holdout_indices(n, fraction, seed) {
                Ok((kept, held)) => {
                    prop_assert_eq!(held.len(), (fraction * n as f64).round() as usize);
                    let mut all = [kept.clone(), held.clone()].concat();
                    all.sort_unstable();
                    prop_assert_eq!(all, (0..n).collect::<Vec<_>>());
                    prop_assert_eq!(holdout_indices(n, fraction, seed).unwrap(), (kept, held));
                }
                Err(Error::Fraction { .. }) => {
                    let held = (fraction * n as f64).round() as usize;
                    prop_assert!(held == 0 || held == n);
                }
                Err(other) => prop_assert!(false, "{}", other),
            }
        }

        #[test]
        fn a_longer_permutation_keeps_the_relative_order(n in 1_usize..100, more in 0_usize..100, seed: u64) {
            let long: Vec<usize> = permutation(n + more, seed).into_iter().filter(|&i| i < n).collect();
            prop_assert_eq!(long, permutation(n, seed));
        }
    }

    #[test]
    fn different_seeds_give_different_orders() {
        assert_ne!(permutation(101, 1), permutation(101, 2));
        assert_ne!(permutation(101, 1), (0..101).collect::<Vec<_>>());
    }

    #[test]
    fn rows_keep_their_targets() {
        let split = Split::new(
            Array2::from_shape_fn((11, 3), |(i, j)| (10 * i + j) as f32),
            Targets::Values(Array1::from_iter((0..11).map(|i| 10.0 * f64::from(i)))),
        )
        .unwrap();
        let (train, valid) = validation_split(&split, 0.3, 5).unwrap();
        assert_eq!((train.len(), valid.len()), (8, 3));
        for part in [&train, &valid] {
            let Targets::Values(values) = &part.targets else { panic!("regression stays regression") };
            assert!(part.inputs.column(0).iter().zip(values).all(|(x, y)| f64::from(*x) == *y));
        }
    }

    #[test]
    fn impossible_fractions_are_refused() {
        for fraction in [0.0, 1.0, -0.1, 1.5, 0.01, 0.99, f64::NAN, f64::INFINITY] {
            let got = holdout_indices(7, fraction, 0);
            assert!(matches!(got, Err(Error::Fraction { rows: 7, .. })), "{fraction}: {got:?}");
        }
        assert!(matches!(holdout_indices(1, 0.5, 0), Err(Error::Fraction { rows: 1, .. })));
    }
}
