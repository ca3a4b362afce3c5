//! Calibrations of real rows cover as the law of ranks says, over 200 random divisions of an embedded set and a crude predictor.
//!
//! Coverage must not hang on the model, so none is trained: digits by their distance to the class means, yachts by a rough formula.
#![allow(clippy::unwrap_used)]

use ndarray::{Array1, Array2, Axis};
use rank1_core::noise::NoiseStream;
use rank1_core::predictive::{ClassPredictive, GaussianMixturePredictive};
use rank1_core::targets::Targets;
use rank1_data::{LoadOptions, load};
use rank1_models::predict::Predictive;

use super::apply::thresholds;
use super::{Level, Method, Settings, fit, measure};
use crate::args::AdjustName;

const DIVISIONS: u64 = 200;
const COVERAGE: f64 = 0.9;
const ERRORS: f64 = 5.0;

/// Covered shares summed over divisions beside their beta-binomial law: m rows, rank and n + 1 - rank.
#[derive(Default)]
struct Tally {
    share: f64,
    expected: f64,
    variance: f64,
}

impl Tally {
    fn add(&mut self, covered: usize, m: usize, n: usize, rank: usize) {
        let (a, b, m) = (rank as f64, (n + 1 - rank) as f64, m as f64);
        self.share += covered as f64 / m;
        self.expected += a / (a + b);
        self.variance += a * b * (a + b + m) / ((a + b).powi(2) * (a + b + 1.0)) / m;
    }

    fn check(&self, what: &str) {
        let (found, error) = (self.share - self.expected, ERRORS * self.variance.sqrt());
        assert!(
            found.abs() <= error,
            "{what}: {found} beside the law of {DIVISIONS} divisions, allowed {error}"
        );
        assert!(error / (DIVISIONS as f64) < 0.05, "{what}: the bound says nothing: {error}");
    }
}

fn division(seed: u64, n: usize) -> (Vec<usize>, Vec<usize>) {
    let mut keys = vec![0.0_f32; n];
    NoiseStream::new(seed, 0, 0).fill_normal(Default::default(), &mut keys);
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| keys[a].total_cmp(&keys[b]));
    let test = order.split_off(n / 2);
    (order, test)
}

fn settings(method: Method, per_class: bool) -> Settings {
    Settings { coverages: vec![COVERAGE], method, adjust: AdjustName::None, per_class }
}

fn level(settings: &Settings, predictive: &Predictive, targets: &Targets) -> Level {
    let names: Vec<String> = match targets {
        Targets::Classes { n_classes, .. } => (0..*n_classes).map(|class| class.to_string()).collect(),
        Targets::Values(_) => Vec::new(),
    };
    fit(settings, predictive, targets, &names).unwrap().1.levels.remove(0)
}

/// Probabilities of 500 test digits and their labels.
fn digits() -> (Array2<f64>, Array1<usize>) {
    let set = load("mnist10k", &LoadOptions::default()).unwrap();
    let (Targets::Classes { labels, n_classes }, train) = (&set.train.targets, set.train.inputs_f64()) else {
        panic!("digits have classes")
    };
    let means: Vec<Array1<f64>> = (0..*n_classes)
        .map(|class| {
            let rows: Vec<usize> = (0..labels.len()).filter(|&row| labels[row] == class).collect();
            train.select(Axis(0), &rows).mean_axis(Axis(0)).unwrap()
        })
        .collect();
    let rows: Vec<usize> = (0..set.test.len()).step_by(set.test.len() / 500).collect();
    let test = set.test.select(&rows);
    let Targets::Classes { labels, .. } = &test.targets else { panic!("digits have classes") };
    let inputs = test.inputs_f64();
    let log_probs = Array2::from_shape_fn((inputs.nrows(), *n_classes), |(row, class)| {
        -0.1 * (&inputs.row(row) - &means[class]).mapv(|d| d * d).sum()
    });
    let mut probs = log_probs;
    for mut row in probs.rows_mut() {
        let most = row.fold(f64::NEG_INFINITY, |a, &b| a.max(b));
        row.mapv_inplace(|value| (value - most).exp());
        let sum = row.sum();
        row /= sum;
    }
    (probs, labels.clone())
}

#[test]
fn sets_of_real_digits_cover_of_all_rows_and_of_every_class() {
    let (probs, labels) = digits();
    let n_classes = probs.ncols();
    let raps = Method::Raps { penalty: 0.01, free: 5 };
    for (method, per_class) in
        [(Method::Lac, false), (Method::Lac, true), (Method::Aps, false), (raps, false)]
    {
        let mut tallies: Vec<Tally> =
            (0..if per_class { n_classes } else { 1 }).map(|_| Tally::default()).collect();
        for seed in 0..DIVISIONS {
            let (calibration, test) = division(seed, labels.len());
            let part = |rows: &[usize]| {
                let probs = probs.select(Axis(0), rows).insert_axis(Axis(0)).insert_axis(Axis(0));
                let predictive = ClassPredictive::from_probs(probs.view()).unwrap();
                (predictive, labels.select(Axis(0), rows))
            };
            let ((fitted, own), (other, theirs)) = (part(&calibration), part(&test));
            let targets = Targets::classes(own.clone(), n_classes).unwrap();
            let level = level(&settings(method, per_class), &Predictive::Classes(fitted), &targets);
            let scores = measure::class_scores(method, &other).unwrap();
            let limits = thresholds(&level);
            for (class, tally) in tallies.iter_mut().enumerate() {
                let is_of = |label: usize| !per_class || label == class;
                let rows: Vec<usize> = (0..theirs.len()).filter(|&row| is_of(theirs[row])).collect();
                let covered = rows
                    .iter()
                    .filter(|&&row| scores[[row, theirs[row]]] <= limits[if per_class { class } else { 0 }]);
                let n = own.iter().filter(|&&label| is_of(label)).count();
                let rank = if per_class { level.classes[class].rank } else { level.rank.unwrap() };
                tally.add(covered.count(), rows.len(), n, rank);
            }
        }
        tallies.iter().for_each(|tally| tally.check(&format!("{method:?}, per class: {per_class}")));
    }
}

#[test]
fn intervals_of_real_yachts_cover() {
    let set = load("yacht", &LoadOptions::default()).unwrap();
    let rows = set.train.followed_by(&set.test).unwrap();
    let Targets::Values(values) = &rows.targets else { panic!("yachts have values") };
    let inputs = rows.inputs_f64();
    // Every column in the mean, so that no two yachts of one resistance have the same score.
    let mean: Array1<f64> = inputs
        .rows()
        .into_iter()
        .map(|row| row.iter().enumerate().map(|(i, x)| x * (1.0 + i as f64 * 0.37)).sum())
        .collect();
    let std: Array1<f64> = mean.mapv(|value| 1.0 + 0.3 * value.abs());
    for method in [Method::Absolute, Method::Normalized, Method::Cqr] {
        let mut tally = Tally::default();
        for seed in 0..DIVISIONS {
            let (calibration, test) = division(seed, values.len());
            let part = |rows: &[usize]| {
                let of = |all: &Array1<f64>| all.select(Axis(0), rows);
                let (means, stds) = (of(&mean).insert_axis(Axis(0)), of(&std).insert_axis(Axis(0)));
                (GaussianMixturePredictive::new(means, stds).unwrap(), of(values))
            };
            let ((fitted, own), (other, theirs)) = (part(&calibration), part(&test));
            let predictive = Predictive::Values { mixture: fitted, n_members: 1 };
            let level = level(&settings(method, false), &predictive, &Targets::values(own).unwrap());
            let scores = measure::value_scores(method, &other, &theirs, COVERAGE).unwrap();
            let limit = thresholds(&level)[0];
            let covered = scores.iter().filter(|score| **score <= limit).count();
            tally.add(covered, test.len(), calibration.len(), level.rank.unwrap());
        }
        tally.check(&format!("{method:?}"));
    }
}
