//! The parts of a table that are predicted worst: levels of its categories, quarters of its numbers.

use ndarray::ArrayView1;
use rank1_data::{Column, ColumnKind, CsvSchema, Split};

use crate::json;
use crate::report::table_document::SliceScore;

/// Fewest rows that a slice is judged by.
const FEWEST_ROWS: usize = 20;

/// Slices that are kept.
const KEPT: usize = 10;

/// The slices whose NLL is higher than that of all rows, the clearest first, and how many slices there were.
///
/// In the order of the difference less one standard error, so that a few odd rows do not come before many bad ones.
pub(super) fn worst(
    schema: &CsvSchema,
    split: &Split,
    nlls: ArrayView1<'_, f64>,
) -> (Vec<SliceScore>, usize) {
    let overall = nlls.sum() / nlls.len() as f64;
    let mut scores: Vec<SliceScore> =
        slices(schema, split).into_iter().filter_map(|(words, rows)| score(words, &rows, nlls)).collect();
    let n_slices = scores.len();
    scores.retain(|slice| slice.nll > overall);
    let clear = |slice: &SliceScore| slice.nll - overall - slice.standard_error;
    scores.sort_by(|a, b| clear(b).total_cmp(&clear(a)));
    scores.truncate(KEPT);
    (scores, n_slices)
}

/// None for a few rows, and for all of them.
fn score(slice: String, rows: &[usize], nlls: ArrayView1<'_, f64>) -> Option<SliceScore> {
    if rows.len() < FEWEST_ROWS || rows.len() == nlls.len() {
        return None;
    }
    let n = rows.len() as f64;
    let nll = rows.iter().map(|&row| nlls[row]).sum::<f64>() / n;
    let squares: f64 = rows.iter().map(|&row| (nlls[row] - nll).powi(2)).sum();
    let standard_error = (squares / (n - 1.0) / n).sqrt();
    Some(SliceScore { slice, count: rows.len(), nll, standard_error })
}

/// The rows of every slice, in words.
fn slices(schema: &CsvSchema, split: &Split) -> Vec<(String, Vec<usize>)> {
    let mut all = Vec::new();
    let mut first = 0;
    for column in schema.columns() {
        let width = column.kind.width();
        match &column.kind {
            ColumnKind::Categorical { levels, .. } if levels.len() == width => {
                all.extend(of_levels(column, levels, first, split));
            }
            // Only a number that is one input is known to be in the order of the cells.
            _ if width == 1 => all.extend(quarters(&column.name, split.column(first).collect())),
            _ => {}
        }
        first += width;
    }
    all
}

fn of_levels(column: &Column, levels: &[String], first: usize, split: &Split) -> Vec<(String, Vec<usize>)> {
    let of_level = |(level, name): (usize, &String)| {
        let cells = split.inputs.column(first + level);
        let rows = cells.iter().enumerate().filter(|(_, cell)| **cell > 0.5).map(|(row, _)| row).collect();
        (format!("{} = {name}", column.name), rows)
    };
    levels.iter().enumerate().map(of_level).collect()
}

/// Four slices of a number; fewer where many cells are equal.
fn quarters(name: &str, cells: Vec<f64>) -> Vec<(String, Vec<usize>)> {
    let mut sorted = cells.clone();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    let mut edges: Vec<f64> = (1..4).map(|quarter| sorted[(quarter * n / 4).saturating_sub(1)]).collect();
    edges.dedup();
    // Above the greatest cell there is nothing.
    edges.retain(|edge| *edge < sorted[n - 1]);
    (0..=edges.len())
        .map(|place| {
            let above = place.checked_sub(1).map(|below| edges[below]);
            let upto = edges.get(place).copied();
            let words = match (above, upto) {
                (None, None) => format!("{name}, all"),
                (None, Some(upto)) => format!("{name} ≤ {}", short(upto)),
                (Some(above), None) => format!("{name} > {}", short(above)),
                (Some(above), Some(upto)) => format!("{} < {name} ≤ {}", short(above), short(upto)),
            };
            let inside =
                |cell: f64| above.is_none_or(|edge| cell > edge) && upto.is_none_or(|edge| cell <= edge);
            (words, (0..n).filter(|&row| inside(cells[row])).collect())
        })
        .collect()
}

/// Four significant digits.
fn short(value: f64) -> String {
    json::cell(format!("{value:.3e}").parse().unwrap_or(value))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use ndarray::Array1;
    use rank1_data::{CsvOptions, CsvSchema};

    use super::*;

    #[test]
    fn quarters_hold_every_cell_once_and_equal_cells_stay_together() {
        let found = quarters("a", (0..40).map(f64::from).collect());
        let words: Vec<&str> = found.iter().map(|(words, _)| words.as_str()).collect();
        assert_eq!(words, ["a ≤ 9", "9 < a ≤ 19", "19 < a ≤ 29", "a > 29"]);
        assert!(found.iter().all(|(_, rows)| rows.len() == 10));
        let mostly_zero = quarters("z", (0..40).map(|i| if i < 35 { 0.0 } else { 2.0 }).collect());
        let counts: Vec<(&str, usize)> =
            mostly_zero.iter().map(|(words, rows)| (words.as_str(), rows.len())).collect();
        assert_eq!(counts, [("z ≤ 0", 35), ("z > 0", 5)]);
        assert_eq!(quarters("c", vec![3.0; 9])[0].1.len(), 9);
    }

    #[test]
    fn the_bad_level_comes_first_with_its_mean_by_hand() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        let rows: String = (0..120)
            .map(|i| format!("{},{},{}\n", ["x", "y", "z"][i % 3], i % 7, f64::from(i as u32) / 7.0))
            .collect();
        std::fs::write(&path, format!("kind,size,target\n{rows}")).unwrap();
        let schema = CsvSchema::fit(&path, "target", &CsvOptions::default()).unwrap();
        let split = schema.read(&path).unwrap();
        // Rows of `y` have 2 or 4, all others 1.
        let nlls: Array1<f64> =
            (0..120).map(|i| if i % 3 == 1 { [2.0, 4.0][i / 3 % 2] } else { 1.0 }).collect();
        let (found, n) = worst(&schema, &split, nlls.view());
        assert_eq!((found[0].slice.as_str(), found[0].count, found[0].nll), ("kind = y", 40, 3.0));
        assert!((found[0].standard_error - (40.0_f64 / 39.0 / 40.0).sqrt()).abs() < 1e-12);
        assert!(n >= 5 && found.iter().all(|slice| slice.slice != "kind = x"), "{n} {found:?}");
    }
}
