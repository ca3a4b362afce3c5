//! The distance of each column and score from its reference.

use anyhow::{Result, bail};
use ndarray::{Array1, ArrayView1};
use rank1_core::drift::{Difference, NumberReference};
use rank1_data::Split;

use super::rows::Unseen;
use crate::reference::{ColumnValues, Reference, ScoreReference, Scores, levels_of_rows};

/// One column or score before the number of all is taken into account.
pub(super) struct Compared {
    pub(super) name: String,
    pub(super) difference: Difference,
    pub(super) outside: Option<usize>,
    pub(super) first_unseen: Option<String>,
    pub(super) shared: Option<usize>,
    pub(super) auroc: Option<f64>,
}

/// Refuses columns to be left out that the reference does not have.
pub(super) fn check_ignored(reference: &Reference, ignored: &[String]) -> Result<()> {
    let is_there = |name: &&String| reference.columns.iter().any(|own| own.column == **name);
    let Some(absent) = ignored.iter().find(|name| !is_there(name)) else { return Ok(()) };
    if reference.columns.is_empty() {
        bail!("--ignore {absent}: the run is on no table, it has no columns");
    }
    let mut names: Vec<&str> = reference.columns.iter().map(|own| own.column.as_str()).collect();
    names.dedup();
    bail!("--ignore {absent}: the model has no such column; it has {}", names.join(", "))
}

/// Compares the columns that are not left out; the second value is the number of rows with anything outside.
pub(super) fn compare_columns(
    reference: &Reference,
    split: &Split,
    unseen: &[Unseen],
    ignored: &[String],
) -> Result<(Vec<Compared>, usize)> {
    let mut rows_outside = vec![false; split.len()];
    let mut compared = Vec::new();
    for own in reference.columns.iter().filter(|own| !ignored.contains(&own.column)) {
        let width = match &own.values {
            ColumnValues::Levels { names, .. } => names.len() - 1,
            _ => 1,
        };
        if own.start + width > split.n_features() {
            bail!("reference.json has other columns than the run's model; remove it to make it anew");
        }
        let values = |input: usize| -> Vec<f64> { split.column(input).collect() };
        let mut mark = |is_outside: &dyn Fn(usize) -> bool| {
            let rows: Vec<usize> = (0..split.len()).filter(|&row| is_outside(row)).collect();
            rows.iter().for_each(|&row| rows_outside[row] = true);
            rows.len()
        };
        let mut found = Compared {
            name: own.name.clone(),
            difference: Difference { distance: 0.0, p_value: 1.0 },
            outside: None,
            first_unseen: None,
            shared: None,
            auroc: None,
        };
        match &own.values {
            ColumnValues::Number { distribution } => {
                let values = Array1::from_vec(values(own.start));
                found.difference = distribution.compare(values.view())?;
                found.outside = Some(mark(&|row| distribution.is_outside(values[row])));
            }
            ColumnValues::Cyclic { distribution } => {
                found.difference = distribution.compare(Array1::from_vec(values(own.start)).view())?;
            }
            ColumnValues::Levels { names, shared, counts } => {
                let codes: Vec<Vec<f64>> = (own.start..own.start + width).map(values).collect();
                let levels = levels_of_rows(&codes);
                let mut now = vec![0; names.len()];
                levels.iter().for_each(|&level| now[level] += 1);
                found.difference = counts.compare(&now)?;
                let marked = mark(&|row| counts.is_unseen(levels[row]));
                let told = unseen.iter().find(|told| told.column == own.column);
                // A truth value cannot show a third word in its inputs, only the reader can tell it.
                found.outside = Some(told.map_or(marked, |told| told.cells.max(marked)));
                let first = levels.iter().find(|&&level| counts.is_unseen(level));
                found.first_unseen =
                    told.map(|told| told.first.clone()).or(first.map(|&level| names[level].clone()));
                found.shared = shared.map(|place| now[place] as usize);
            }
        }
        compared.push(found);
    }
    let rows_outside = rows_outside.iter().filter(|&&outside| outside).count();
    Ok((compared, rows_outside))
}

/// Compares the scores.
pub(super) fn compare_scores(reference: &ScoreReference, scores: &Scores) -> Result<Vec<Compared>> {
    let of = |name: &str, then: &NumberReference, now: ArrayView1<'_, f64>| -> Result<Compared> {
        Ok(Compared {
            name: name.into(),
            difference: then.compare(now)?,
            outside: Some(now.iter().filter(|&&value| then.is_outside(value)).count()),
            first_unseen: None,
            shared: None,
            auroc: Some(chance_above(then, now)),
        })
    };
    let mut compared = vec![of("stated risk", &reference.stated_risk, scores.stated_risk.view())?];
    if let (Some(then), Some(now)) = (&reference.epistemic, &scores.epistemic) {
        compared.push(of("epistemic uncertainty", then, now.view())?);
    }
    Ok(compared)
}

/// The chance that a new row has a larger value than a row of the reference, equal ones counting half: the AUROC of the value as a
/// sign of new rows. Exact for references of at most 2,000 distinct values (Mann and Whitney 1947).
fn chance_above(then: &NumberReference, now: ArrayView1<'_, f64>) -> f64 {
    let n = then.n();
    let own: Vec<f64> = (1..=n).map(|i| then.quantile(i as f64 / n as f64)).collect();
    let chance = |&value: &f64| {
        let below = own.partition_point(|&own| own < value);
        (below + own.partition_point(|&own| own <= value)) as f64 / (2 * own.len()) as f64
    };
    now.iter().map(chance).sum::<f64>() / now.len() as f64
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn the_chance_of_larger_values_counts_pairs_and_halves_of_equal_ones() {
        let reference = NumberReference::of(array![1.0, 2.0, 2.0, 4.0].view()).unwrap();
        let chance = |sample: &[f64]| chance_above(&reference, ArrayView1::from(sample));
        assert_eq!((chance(&[0.0]), chance(&[5.0]), chance(&[2.0])), (0.0, 1.0, 0.5));
        assert_eq!(chance(&[3.0, 1.0]), (0.75 + 0.125) / 2.0);
    }
}
