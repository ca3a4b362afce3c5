//! Every method covers as often as its theorem says, over 200 random divisions of one pool of exchangeable rows.
//!
//! Of a division with n calibration and m test rows without ties, the number of covered test rows is beta-binomial with
//! m, rank and n + 1 - rank, whose mean share is rank / (n + 1), between coverage and coverage + 1 / (n + 1). The mean over
//! divisions must lie within five standard errors of it: at most one in a million right programs would fail.
#![allow(clippy::unwrap_used)]

use ndarray::{Array1, Array2, Axis, aview1};

use super::*;
use crate::numeric::{normal_cdf, softmax};
use crate::predictive::Interval;
use crate::testkit::normals;

const SPLITS: u64 = 200;
const POOL: usize = 400;
const CALIBRATION: usize = 150;
const CLASSES: usize = 4;
const ERRORS: f64 = 5.0;

/// A pool of scores at the observed targets; `groups` of rows have thresholds of their own.
struct Pool {
    scores: Array1<f64>,
    groups: Array1<usize>,
    n_groups: usize,
}

/// Shares summed over divisions, with what the beta-binomial law says of the sum.
#[derive(Default)]
struct Tally {
    share: f64,
    expected: f64,
    variance: f64,
    band: [f64; 2],
    divisions: f64,
}

impl Tally {
    fn add(&mut self, (covered, m): (usize, usize), n: usize, coverage: f64) {
        let rank = rank(n, coverage).unwrap();
        assert!(rank <= n, "the pool has enough rows");
        let (a, b, m) = (rank as f64, (n + 1 - rank) as f64, m as f64);
        self.share += covered as f64 / m;
        self.expected += a / (a + b);
        self.variance += a * b * (a + b + m) / ((a + b).powi(2) * (a + b + 1.0)) / m;
        self.band[0] += coverage;
        self.band[1] += coverage + 1.0 / (n as f64 + 1.0);
        self.divisions += 1.0;
    }

    fn check(&self, what: &str) {
        let error = ERRORS * self.variance.sqrt();
        assert!(
            (self.share - self.expected).abs() <= error,
            "{what}: {} against {} of {} divisions, allowed {error}",
            self.share,
            self.expected,
            self.divisions
        );
        assert!(self.band[0] <= self.expected + 1e-9 && self.expected <= self.band[1] + 1e-9);
        assert!(self.share >= self.band[0] - error && self.share <= self.band[1] + error, "{what}");
        // The bound says something: a few hundredths of coverage.
        assert!(error / self.divisions < 0.04, "{what}: {}", error / self.divisions);
    }
}

fn permutation(seed: u64) -> Vec<usize> {
    let keys: Array1<f64> = normals(seed, POOL);
    let mut order: Vec<usize> = (0..POOL).collect();
    order.sort_by(|&a, &b| keys[a].total_cmp(&keys[b]));
    order
}

/// The mean over divisions, of all rows or of every group.
fn check(what: &str, pool: &Pool, coverage: f64) {
    let mut tallies: Vec<Tally> = (0..pool.n_groups).map(|_| Tally::default()).collect();
    for split in 0..SPLITS {
        let order = permutation(1000 + split);
        let (calibration, test) = order.split_at(CALIBRATION);
        let pick = |rows: &[usize]| (pool.scores.select(Axis(0), rows), pool.groups.select(Axis(0), rows));
        let (scores, groups) = pick(calibration);
        let found = class_thresholds(scores.view(), groups.view(), pool.n_groups, coverage).unwrap();
        if pool.n_groups == 1 {
            assert_eq!(found.thresholds[0], threshold(scores.view(), coverage).unwrap());
        }
        let (scores, groups) = pick(test);
        for (group, tally) in tallies.iter_mut().enumerate() {
            let own: Array1<f64> =
                scores.iter().zip(&groups).filter(|(_, g)| **g == group).map(|(s, _)| *s).collect();
            let covered = covered(own.view(), found.thresholds[group]).iter().filter(|c| **c).count();
            tally.add((covered, own.len()), found.counts[group], coverage);
        }
    }
    tallies.iter().for_each(|tally| tally.check(what));
}

fn marginal(scores: Array1<f64>) -> Pool {
    let mut sorted = scores.to_vec();
    sorted.sort_by(f64::total_cmp);
    assert!(sorted.windows(2).all(|pair| pair[0] < pair[1]), "the pool has ties");
    Pool { groups: Array1::zeros(scores.len()), scores, n_groups: 1 }
}

/// Targets far from what the predictions say: coverage must not hang on the model.
fn values() -> (Array1<f64>, Array1<f64>, Array1<f64>) {
    let mean: Array1<f64> = normals(1, POOL);
    let scale = normals::<f64, _, _>(2, POOL).mapv(|z| 0.2 + z.abs());
    let noise = normals::<f64, _, _>(3, POOL).mapv(|z| z.powi(3) + 1.0);
    let y = &mean * 0.5 + &scale * &noise;
    (mean, scale, y)
}

#[test]
fn intervals_cover_as_often_as_the_law_of_ranks_says() {
    let (mean, scale, y) = values();
    let interval = Interval { lower: &mean - &scale, upper: &mean + &scale * 0.5 };
    let pools = [
        ("absolute", absolute_scores(mean.view(), y.view())),
        ("normalized", normalized_scores(mean.view(), scale.view(), y.view())),
        ("cqr", cqr_scores(&interval, y.view())),
    ];
    for (what, scores) in pools {
        let pool = marginal(scores.unwrap());
        for coverage in [0.3, 0.5, 0.9, 0.95] {
            check(&format!("{what} at {coverage}"), &pool, coverage);
        }
    }
}

/// Overconfident probabilities and labels drawn from flatter ones.
fn classes() -> (Array2<f64>, Array1<usize>) {
    let logits: Array2<f64> = normals(4, (POOL, CLASSES));
    let draw = normals::<f64, _, _>(5, POOL).mapv(normal_cdf);
    let mut probs = Array2::zeros((POOL, CLASSES));
    let mut labels = Array1::zeros(POOL);
    for (row, logits) in logits.rows().into_iter().enumerate() {
        probs.row_mut(row).assign(&aview1(&softmax((&logits * 3.0).view())));
        let mut left = draw[row];
        let flat = softmax((&logits * 1.5).view());
        labels[row] = flat
            .iter()
            .position(|p| {
                left -= p;
                left < 0.0
            })
            .unwrap_or(CLASSES - 1);
    }
    (probs, labels)
}

#[test]
fn sets_cover_as_often_as_the_law_of_ranks_says_of_all_rows_and_of_every_class() {
    let (probs, labels) = classes();
    let u = normals::<f64, _, _>(6, POOL).mapv(normal_cdf);
    let raps = ClassScore::Raps { penalty: 0.05, free: 1 };
    for (what, score, u) in [
        ("lac", ClassScore::Lac, None),
        ("aps", ClassScore::Aps, Some(u.view())),
        ("raps", raps, Some(u.view())),
    ] {
        let scores = score.of_classes(probs.view(), u).unwrap();
        let own = label_scores(scores.view(), labels.view()).unwrap();
        let pool = marginal(own);
        for coverage in [0.5, 0.8, 0.9] {
            check(&format!("{what} at {coverage}"), &pool, coverage);
        }
        let pool = Pool { groups: labels.clone(), n_groups: CLASSES, ..pool };
        check(&format!("{what} by class"), &pool, 0.8);
    }
}

#[test]
fn sets_without_random_numbers_cover_at_least_as_often() {
    let (probs, labels) = classes();
    for score in [ClassScore::Aps, ClassScore::Raps { penalty: 0.05, free: 1 }] {
        let scores = score.of_classes(probs.view(), None).unwrap();
        let own = label_scores(scores.view(), labels.view()).unwrap();
        let mut tally = Tally::default();
        for split in 0..SPLITS {
            let order = permutation(1000 + split);
            let (calibration, test) = order.split_at(CALIBRATION);
            let q = threshold(own.select(Axis(0), calibration).view(), 0.9).unwrap();
            let sets = prediction_sets(scores.select(Axis(0), test).view(), aview1(&[q])).unwrap();
            let found = summarize_sets(sets.view(), labels.select(Axis(0), test).view()).unwrap();
            let covered = (found.coverage * test.len() as f64).round() as usize;
            tally.add((covered, test.len()), CALIBRATION, 0.9);
        }
        // The last class of a row has the score one whatever its probability: ties, which only add coverage.
        assert!(tally.share >= tally.expected - ERRORS * tally.variance.sqrt(), "{score:?}");
    }
}
