//! Parts of whole groups, drawn at random.
//!
//! Not for single rows; see [`PartRows::random`].

use std::collections::HashMap;

use super::super::place::shown;
use super::super::read::Table;
use super::column::refused;
use super::{PartError, PartRows, Shares, counts};
use crate::{Error, permutation};

/// The rows by groups.
///
/// # Errors
/// [`PartError::TooFewGroups`]; [`PartError::Cell`] for a row without group; [`Error::Fraction`].
pub(super) fn by_groups(
    table: &Table,
    position: usize,
    shares: Shares,
    seed: u64,
) -> Result<PartRows, Error> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for (row, cell) in table.column(position).enumerate() {
        if cell.text().is_empty() {
            return Err(part(refused(cell, "the name of a group")));
        }
        let place = *places.entry(cell.text()).or_insert(groups.len());
        match groups.get_mut(place) {
            Some(group) => group.push(row),
            None => groups.push(vec![row]),
        }
    }
    let wanted = counts(table.n_rows(), shares)?;
    let parts = 1 + wanted.iter().filter(|&&n| n > 0).count();
    if groups.len() < parts {
        return Err(part(PartError::TooFewGroups {
            path: table.path.clone(),
            column: shown(&table.header[position]),
            groups: groups.len(),
            parts,
        }));
    }
    let sizes: Vec<usize> = groups.iter().map(Vec::len).collect();
    let of_group = draw(&sizes, wanted, seed);
    let mut rows = PartRows::default();
    for (group, drawn) in groups.into_iter().zip(of_group) {
        let of_part = match drawn {
            Drawn::Train => &mut rows.train,
            Drawn::Validation => &mut rows.validation,
            Drawn::Test => &mut rows.test,
        };
        of_part.extend(group);
    }
    for of_part in [&mut rows.train, &mut rows.validation, &mut rows.test] {
        of_part.sort_unstable();
    }
    Ok(rows)
}

fn part(error: PartError) -> Error {
    Error::Table(error.into())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Drawn {
    Train,
    Validation,
    Test,
}

/// The part of each group. The test part, then the validation part, take groups in random order while that brings them nearer
/// to the wanted number of rows; a part that would stay empty takes the smallest group. One group is left for every other part.
fn draw(sizes: &[usize], [validation, test]: [usize; 2], seed: u64) -> Vec<Drawn> {
    let mut drawn = vec![Drawn::Train; sizes.len()];
    let mut free = permutation(sizes.len(), seed);
    for (part, wanted) in [(Drawn::Test, test), (Drawn::Validation, validation)] {
        let left_for_others = if part == Drawn::Test && validation > 0 { 2 } else { 1 };
        let mut size = 0;
        let mut rest = Vec::new();
        let mut n_free = free.len();
        for group in free {
            let after = size + sizes[group];
            if n_free > left_for_others && after.abs_diff(wanted) < wanted.abs_diff(size) {
                (size, drawn[group]) = (after, part);
                n_free -= 1;
            } else {
                rest.push(group);
            }
        }
        if size == 0
            && wanted > 0
            && let Some(smallest) = (0..rest.len()).min_by_key(|&i| sizes[rest[i]])
        {
            drawn[rest.remove(smallest)] = part;
        }
        free = rest;
    }
    drawn
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn parts_have_groups_and_about_their_share(
            sizes in prop::collection::vec(1_usize..10, 30..60), seed: u64,
        ) {
            let n: usize = sizes.iter().sum();
            let wanted = [n / 10, n / 5];
            let drawn = draw(&sizes, wanted, seed);
            let size = |part| drawn.iter().zip(&sizes).filter(|(of, _)| **of == part).map(|(_, n)| n).sum::<usize>();
            prop_assert!(size(Drawn::Test).abs_diff(wanted[1]) < 10);
            prop_assert!(size(Drawn::Validation).abs_diff(wanted[0]) < 10);
            prop_assert_eq!(draw(&sizes, wanted, seed), drawn);
        }

        #[test]
        fn no_part_stays_empty(sizes in prop::collection::vec(1_usize..1000, 3..6), seed: u64) {
            let n: usize = sizes.iter().sum();
            let drawn = draw(&sizes, [n.div_ceil(10), n.div_ceil(5)], seed);
            for part in [Drawn::Train, Drawn::Validation, Drawn::Test] {
                prop_assert!(drawn.contains(&part), "{:?} {:?}", sizes, drawn);
            }
        }
    }
}
