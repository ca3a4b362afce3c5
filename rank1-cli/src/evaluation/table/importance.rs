//! Which columns a model needs: the NLL of some rows after the cells of one column were exchanged between them.

use std::ops::Range;

use anyhow::Result;
use ndarray::{Array1, Array2};
use rank1_data::{CsvSchema, Split, permutation};

use super::super::{Request, evenly_spaced};
use super::row_nlls;
use crate::model::Model;
use crate::report::table_document::{ColumnImportance, Importance};

/// Most rows that are predicted once for each column.
const MOST_ROWS: usize = 2_000;

/// Fewest; below it single rows decide.
const FEWEST_ROWS: usize = 100;

/// Most draws per member: both NLLs have the same draws, which their difference hardly feels.
const MOST_SAMPLES: usize = 8;

/// Most multiplications of all predictions, some ten seconds of one thread. A count and no clock, so that a run has the same
/// bytes everywhere.
const MOST_WORK: f64 = 1e11;

/// Columns that are kept.
const KEPT: usize = 15;

/// How much is predicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Plan {
    rows: usize,
    samples: usize,
}

impl Plan {
    /// Fewer draws come before fewer rows; none where even the fewest rows are too many.
    ///
    /// `work` is that of one row with one draw of every member, and every row is predicted `times` times.
    fn of(n_rows: usize, samples: usize, times: usize, work: f64) -> Option<Self> {
        let affordable = MOST_WORK / (work * times as f64);
        let wanted = n_rows.min(MOST_ROWS);
        let samples = (affordable / wanted as f64).floor().clamp(1.0, samples.min(MOST_SAMPLES) as f64);
        let rows = wanted.min((affordable / samples) as usize);
        (rows >= FEWEST_ROWS.min(n_rows)).then_some(Self { rows, samples: samples as usize })
    }
}

/// The importance of every column of the file.
pub(super) fn measure(
    model: &mut Model,
    schema: &CsvSchema,
    split: &Split,
    request: &Request<'_>,
) -> Result<Option<Importance>> {
    let columns = schema.columns();
    let work = model.networks.iter().map(|n| (n.network.n_members * n.network.n_parameters()) as f64).sum();
    let Some(plan) = Plan::of(split.len(), request.samples, columns.len() + 1, work) else { return Ok(None) };
    let part = split.select(&evenly_spaced(plan.rows, split.len()));
    let inputs = model.document.normalizer.apply_split_inputs(&part)?;
    let plain = row_nlls(&model.predict_normalized(inputs.view(), plan.samples)?, &part.targets)?;
    let mut found = Vec::new();
    let mut first = 0;
    for (place, column) in columns.iter().enumerate() {
        let width = column.kind.width();
        let order = permutation(plan.rows, request.seed ^ (0x636f_6c75_6d6e + place as u64));
        let exchanged = exchanged(&inputs, first..first + width, &order);
        let without = row_nlls(&model.predict_normalized(exchanged.view(), plan.samples)?, &part.targets)?;
        let (increase, standard_error) = mean_and_error(&(without - &plain));
        found.push(ColumnImportance { column: column.name.clone(), increase, standard_error });
        first += width;
    }
    found.retain(|column| column.increase.is_finite());
    found.sort_by(|a, b| b.increase.total_cmp(&a.increase));
    found.truncate(KEPT);
    Ok(Some(Importance {
        rows: plan.rows,
        samples: plan.samples,
        nll: plain.sum() / plain.len() as f64,
        n_columns: columns.len(),
        columns: found,
    }))
}

/// The rows with some columns from other rows; all inputs of a category move together.
fn exchanged(inputs: &Array2<f32>, columns: Range<usize>, order: &[usize]) -> Array2<f32> {
    let mut moved = inputs.clone();
    for (row, &from) in order.iter().enumerate() {
        columns.clone().for_each(|column| moved[[row, column]] = inputs[[from, column]]);
    }
    moved
}

fn mean_and_error(differences: &Array1<f64>) -> (f64, f64) {
    let n = differences.len() as f64;
    let mean = differences.sum() / n;
    let squares: f64 = differences.iter().map(|difference| (difference - mean).powi(2)).sum();
    (mean, if n > 1.0 { (squares / (n - 1.0) / n).sqrt() } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn columns_of_one_category_move_together_and_others_stay() {
        let inputs = array![[1.0_f32, 0.0, 5.0], [0.0, 1.0, 6.0], [0.0, 1.0, 7.0]];
        let moved = exchanged(&inputs, 0..2, &[2, 0, 1]);
        assert_eq!(moved, array![[0.0, 1.0, 5.0], [1.0, 0.0, 6.0], [0.0, 1.0, 7.0]]);
    }

    #[test]
    fn draws_are_saved_before_rows_and_large_networks_are_left_out() {
        let plan = |rows, samples| Some(Plan { rows, samples });
        assert_eq!(Plan::of(50, 64, 7, 1e4), plan(50, 8));
        assert_eq!(Plan::of(10_000, 3, 20, 1e4), plan(2_000, 3));
        // 1e11 / (20 x 1e6) = 5,000 predictions: two draws.
        assert_eq!(Plan::of(10_000, 64, 20, 1e6), plan(2_000, 2));
        assert_eq!(Plan::of(10_000, 64, 20, 1e7), plan(500, 1));
        assert_eq!(Plan::of(10_000, 64, 20, 1e8), None);
    }

    #[test]
    fn the_mean_and_its_error_are_those_by_hand() {
        assert_eq!(mean_and_error(&array![1.0, 3.0]), (2.0, 1.0));
        assert_eq!(mean_and_error(&array![4.0]), (4.0, 0.0));
    }
}
