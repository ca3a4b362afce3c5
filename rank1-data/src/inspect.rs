//! Per-column statistics of a set: what a person looks at before training on it.
//!
//! Not for normalization, which keeps its own fitted numbers. All figures are of raw, unnormalized values.

use rank1_core::targets::Targets;
use serde::Serialize;

use crate::{Dataset, Split, Task};

/// Statistics of one column.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ColumnStats {
    /// Column name; `pixel` for all pixels of an image set together.
    pub name: String,
    /// Mean over the training rows.
    pub mean: f64,
    /// Population standard deviation over the training rows.
    pub std: f64,
    /// Smallest training value.
    pub min: f64,
    /// Median of the training values (lower middle for an even number).
    pub median: f64,
    /// Largest training value.
    pub max: f64,
    /// Number of different training values.
    pub n_distinct: usize,
    /// Mean of the test rows minus mean of the training rows, in training standard deviations; 0 for a column that is
    /// constant in the training part. Gap splits show here.
    pub test_shift: f64,
}

/// Statistics of the target.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TargetStats {
    /// Class counts.
    Classes {
        /// Class names, in label order.
        names: Vec<String>,
        /// Rows of each class in the training part.
        train: Vec<usize>,
        /// Rows of each class in the test part.
        test: Vec<usize>,
    },
    /// Real values.
    Values(ColumnStats),
}

/// What [`inspect`] finds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspection {
    /// Name of the set.
    pub name: String,
    /// What is predicted.
    pub task: Task,
    /// Training rows.
    pub n_train: usize,
    /// Test rows.
    pub n_test: usize,
    /// Input columns.
    pub n_features: usize,
    /// Height and width when each row is an image.
    pub image: Option<(usize, usize)>,
    /// One entry per column; one entry for all pixels of an image set.
    pub columns: Vec<ColumnStats>,
    /// Columns that are constant in the training part (for images: pixels).
    pub n_constant_columns: usize,
    /// Test rows whose inputs also occur in the training part, bit for bit.
    pub n_test_rows_seen_in_train: usize,
    /// The target.
    pub target: TargetStats,
    /// Where the data came from.
    pub provenance: String,
}

/// Statistics of every column and of the target.
///
/// # Panics
/// If the training part has no rows, which [`Split::new`] does not let through.
///
/// ```
/// let set = rank1_data::load("energy", &rank1_data::LoadOptions::default())?;
/// let seen = rank1_data::inspect(&set);
/// assert_eq!((seen.columns[5].name.as_str(), seen.columns[5].n_distinct), ("orientation", 4));
/// # Ok::<(), rank1_data::Error>(())
/// ```
pub fn inspect(set: &Dataset) -> Inspection {
    let columns = if set.image.is_some() {
        let all = |split: &Split| split.inputs.iter().map(|&value| f64::from(value)).collect();
        vec![column_stats("pixel", all(&set.train), all(&set.test))]
    } else {
        set.feature_names
            .iter()
            .enumerate()
            .map(|(i, name)| {
                let column = |split: &Split| split.column(i).collect();
                column_stats(name, column(&set.train), column(&set.test))
            })
            .collect()
    };
    Inspection {
        name: set.name.clone(),
        task: set.task,
        n_train: set.train.len(),
        n_test: set.test.len(),
        n_features: set.n_features(),
        image: set.image,
        columns,
        n_constant_columns: constant_columns(&set.train),
        n_test_rows_seen_in_train: rows_in_common(&set.train, &set.test),
        target: target_stats(set),
        provenance: set.provenance.clone(),
    }
}

fn column_stats(name: &str, mut train: Vec<f64>, test: Vec<f64>) -> ColumnStats {
    train.sort_by(f64::total_cmp);
    let mean_of = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (min, max) = (train[0], train[train.len() - 1]);
    let constant = min == max;
    let mean = if constant { min } else { mean_of(&train) };
    let variance =
        train.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / train.len() as f64;
    let std = if constant { 0.0 } else { variance.sqrt() };
    let difference = if test.is_empty() { 0.0 } else { mean_of(&test) - mean };
    let n_distinct = 1 + train.windows(2).filter(|pair| pair[0] != pair[1]).count();
    ColumnStats {
        name: name.to_owned(),
        mean,
        std,
        min,
        median: train[(train.len() - 1) / 2],
        max,
        n_distinct,
        test_shift: if std > 0.0 { difference / std } else { 0.0 },
    }
}

fn target_stats(set: &Dataset) -> TargetStats {
    match (&set.train.targets, &set.test.targets) {
        (Targets::Values(train), Targets::Values(test)) => {
            TargetStats::Values(column_stats("target", train.to_vec(), test.to_vec()))
        }
        (train, test) => TargetStats::Classes {
            names: set.class_names.clone(),
            train: class_counts(train),
            test: class_counts(test),
        },
    }
}

fn class_counts(targets: &Targets) -> Vec<usize> {
    let Targets::Classes { labels, n_classes } = targets else { return Vec::new() };
    let mut counts = vec![0; *n_classes];
    labels.iter().for_each(|&label| counts[label] += 1);
    counts
}

fn constant_columns(split: &Split) -> usize {
    let constant = |&column: &usize| {
        let mut values = split.column(column);
        let first = values.next();
        values.all(|value| Some(value) == first)
    };
    (0..split.n_features()).filter(constant).count()
}

fn rows_in_common(train: &Split, test: &Split) -> usize {
    let double = train.remainder.is_some() || test.remainder.is_some();
    let bits = |split: &Split, row: usize| -> Vec<u32> {
        let rounded = split.inputs.row(row);
        if !double {
            return rounded.iter().map(|value| value.to_bits()).collect();
        }
        let rest = |column| split.remainder.as_ref().map_or(0.0, |rest| rest[[row, column]]);
        let whole = |(column, &value): (usize, &f32)| (f64::from(value) + rest(column)).to_bits();
        rounded.iter().enumerate().map(whole).flat_map(|bits| [(bits >> 32) as u32, bits as u32]).collect()
    };
    let known: std::collections::HashSet<Vec<u32>> = (0..train.len()).map(|row| bits(train, row)).collect();
    (0..test.len()).filter(|&row| known.contains(&bits(test, row))).count()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use approx::assert_relative_eq;
    use ndarray::array;

    use super::*;
    use crate::InputLayout;

    #[test]
    fn statistics_agree_with_a_hand_calculation() {
        let set = Dataset {
            name: "hand".into(),
            task: Task::Regression,
            train: Split {
                inputs: array![[1.0, 7.0], [3.0, 7.0], [3.0, 7.0], [5.0, 7.0]],
                remainder: None,
                targets: Targets::Values(array![0.0, 1.0, 2.0, 3.0]),
            },
            test: Split {
                inputs: array![[7.0, 7.0], [3.0, 7.0]],
                remainder: None,
                targets: Targets::Values(array![4.0, 5.0]),
            },
            feature_names: vec!["a".into(), "b".into()],
            class_names: vec![],
            image: None,
            layout: InputLayout::Columns,
            provenance: "typed in".into(),
        };
        let seen = inspect(&set);
        let a = &seen.columns[0];
        assert_eq!((a.mean, a.min, a.median, a.max, a.n_distinct), (3.0, 1.0, 3.0, 5.0, 3));
        assert_relative_eq!(a.std, 2.0_f64.sqrt());
        assert_relative_eq!(a.test_shift, 2.0_f64.sqrt());
        assert_eq!((seen.columns[1].std, seen.columns[1].test_shift, seen.n_constant_columns), (0.0, 0.0, 1));
        assert_eq!(seen.n_test_rows_seen_in_train, 1);
        let TargetStats::Values(target) = &seen.target else { panic!("a regression target has values") };
        assert_eq!((target.mean, target.median, target.max), (1.5, 1.0, 3.0));
        assert!(serde_json::to_string(&seen).unwrap().contains(r#""kind":"values""#));
    }

    #[test]
    fn an_image_set_is_summed_up_in_one_row() {
        let set = crate::load("mnist10k", &crate::LoadOptions::default()).unwrap();
        let seen = inspect(&set);
        assert_eq!((seen.columns.len(), seen.columns[0].name.as_str()), (1, "pixel"));
        // Published figures of the test images: mean 0.1325, standard deviation 0.3105.
        assert_relative_eq!(seen.columns[0].mean, 0.1325, epsilon = 0.001);
        assert_relative_eq!(seen.columns[0].std, 0.3105, epsilon = 0.001);
        let TargetStats::Classes { train, test, .. } = &seen.target else { panic!("digits have classes") };
        assert_eq!((train.iter().sum::<usize>(), test.iter().sum::<usize>()), (8_000, 2_000));
    }
}
