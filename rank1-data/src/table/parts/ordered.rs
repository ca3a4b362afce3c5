//! Parts in time: the first rows train, the last ones test.
//!
//! Not for the time of a row; see [`super::moments`].

use super::super::place::shown;
use super::super::read::Table;
use super::{PartError, PartRows, Shares, counts};
use crate::Error;

/// The rows in the order of `times`, cut where the time changes, as near to the shares as that allows.
///
/// # Errors
/// [`PartError::TooFewTimes`]; [`Error::Fraction`].
pub(super) fn by_time(
    table: &Table,
    position: usize,
    times: &[f64],
    shares: Shares,
) -> Result<PartRows, Error> {
    let n = times.len();
    let [validation, test] = counts(n, shares)?;
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| times[a].total_cmp(&times[b]).then(a.cmp(&b)));
    // Numbers such as -0 and 0 are one time.
    let edges: Vec<usize> = (1..n).filter(|&i| times[order[i]] != times[order[i - 1]]).collect();
    let parts = 1 + usize::from(validation > 0) + usize::from(test > 0);
    if edges.len() + 1 < parts {
        let (path, column) = (table.path.clone(), shown(&table.header[position]));
        let too_few = PartError::TooFewTimes { path, column, times: edges.len() + 1, parts };
        return Err(Error::Table(too_few.into()));
    }
    let nearest =
        |edges: &[usize], wanted: usize| edges.iter().copied().min_by_key(|edge| edge.abs_diff(wanted));
    // The last cut leaves an edge before it for the other one.
    let for_test = &edges[usize::from(validation > 0 && test > 0).min(edges.len())..];
    let test_from = if test > 0 { nearest(for_test, n - test).unwrap_or(n) } else { n };
    let before: Vec<usize> = edges.into_iter().filter(|&edge| edge < test_from).collect();
    let valid_from = match validation {
        0 => test_from,
        _ => nearest(&before, n - test - validation).unwrap_or(test_from),
    };
    let part = |from: usize, to: usize| {
        let mut rows = order[from..to].to_vec();
        rows.sort_unstable();
        rows
    };
    Ok(PartRows {
        train: part(0, valid_from),
        validation: part(valid_from, test_from),
        test: part(test_from, n),
    })
}
