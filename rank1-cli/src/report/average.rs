//! Averages the curves of several runs onto one set of places; drawing them is in `charts`.

use super::comparison::Estimate;
use super::history::HistoryRow;
use super::input::{Evaluation, ReliabilityBin};

/// A mean curve over runs.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Curve {
    /// Places and means, in the order of the places.
    pub(crate) points: Vec<CurvePoint>,
}

/// One place of a [`Curve`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct CurvePoint {
    /// Place.
    pub(crate) x: f64,
    /// Mean over the runs that have this place.
    pub(crate) mean: f64,
    /// Standard error of the mean, zero for a single run.
    pub(crate) standard_error: f64,
}

/// Curves longer than this are thinned before drawing: a figure is a few hundred pixels wide.
const MOST_POINTS: usize = 120;

impl Curve {
    /// Places with their means.
    pub(crate) fn line(&self) -> Vec<(f64, f64)> {
        self.points.iter().map(|point| (point.x, point.mean)).collect()
    }

    fn thinned(mut self) -> Self {
        let last = self.points.len().saturating_sub(1);
        let stride = self.points.len().div_ceil(MOST_POINTS).max(1);
        let mut index = 0;
        self.points.retain(|_| {
            index += 1;
            (index - 1) % stride == 0 || index - 1 == last
        });
        self
    }
}

/// Means at every place where any run has a finite value.
pub(crate) fn at_places(runs: impl IntoIterator<Item = Vec<(f64, f64)>>) -> Curve {
    let mut all: Vec<(f64, f64)> = runs.into_iter().flatten().collect();
    all.retain(|(x, y)| x.is_finite() && y.is_finite());
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let places = all.chunk_by(|a, b| a.0 == b.0);
    Curve {
        points: places
            .filter_map(|place| point(place[0].0, place.iter().map(|pair| pair.1).collect()))
            .collect(),
    }
}

fn point(x: f64, values: Vec<f64>) -> Option<CurvePoint> {
    let estimate = Estimate::of(values)?;
    Some(CurvePoint { x, mean: estimate.mean, standard_error: estimate.standard_error.unwrap_or(0.0) })
}

/// Means of piecewise linear curves at `places`; a curve counts only where it is defined.
pub(crate) fn interpolated<'a>(runs: impl IntoIterator<Item = &'a Vec<[f64; 2]>>, places: &[f64]) -> Curve {
    let runs: Vec<_> = runs.into_iter().collect();
    let means =
        places.iter().filter_map(|x| point(*x, runs.iter().filter_map(|run| value_at(run, *x)).collect()));
    Curve { points: means.collect() }
}

fn value_at(curve: &[[f64; 2]], x: f64) -> Option<f64> {
    let right = curve.iter().position(|pair| pair[0] >= x - 1e-9)?;
    let [x1, y1] = curve[right];
    if right == 0 {
        return (x1 <= x + 1e-9).then_some(y1);
    }
    let [x0, y0] = curve[right - 1];
    let share = if x1 > x0 { ((x - x0) / (x1 - x0)).min(1.0) } else { 1.0 };
    Some(y0 + share * (y1 - y0))
}

/// Means per epoch over the epochs that every run reached. Networks of one run are averaged first: they share its
/// seed, so they do not narrow the standard error.
pub(crate) fn over_epochs<'a>(
    histories: impl IntoIterator<Item = &'a [HistoryRow]>,
    value: impl Fn(&HistoryRow) -> f64,
) -> Curve {
    let histories: Vec<_> = histories.into_iter().filter(|rows| !rows.is_empty()).collect();
    let common = histories.iter().map(|rows| last_common_epoch(rows)).fold(f64::INFINITY, f64::min);
    let runs = histories.iter().map(|rows| {
        let reached = rows.iter().filter(|row| row.epoch <= common);
        at_places([reached.map(|row| (row.epoch, value(row))).collect()]).line()
    });
    at_places(runs).thinned()
}

/// The last epoch that every network of a run reached.
fn last_common_epoch(rows: &[HistoryRow]) -> f64 {
    let networks = rows.iter().map(|row| row.network).max().unwrap_or(0);
    let last =
        |network| rows.iter().filter(|row| row.network == network).map(|row| row.epoch).reduce(f64::max);
    (0..=networks).filter_map(last).fold(f64::INFINITY, f64::min)
}

/// Bins pooled over the runs: counts are summed, confidence and accuracy weighted by count. Runs whose bins differ
/// from those of the first are left out.
pub(crate) fn pooled_bins<'a>(evaluations: impl IntoIterator<Item = &'a Evaluation>) -> Vec<ReliabilityBin> {
    let mut pooled: Vec<ReliabilityBin> = Vec::new();
    for evaluation in evaluations {
        let bins = &evaluation.reliability;
        if pooled.is_empty() {
            pooled = bins
                .iter()
                .map(|bin| ReliabilityBin { count: 0, confidence: 0.0, accuracy: 0.0, ..*bin })
                .collect();
        }
        let same = pooled.len() == bins.len()
            && pooled.iter().zip(bins).all(|(a, b)| a.lower == b.lower && a.upper == b.upper);
        for (sum, bin) in pooled.iter_mut().zip(bins).filter(|(_, bin)| same && bin.count > 0) {
            sum.count += bin.count;
            sum.confidence += bin.confidence * bin.count as f64;
            sum.accuracy += bin.accuracy * bin.count as f64;
        }
    }
    for bin in &mut pooled {
        bin.confidence /= bin.count as f64;
        bin.accuracy /= bin.count as f64;
    }
    pooled
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bin(count: usize, confidence: f64, accuracy: f64) -> ReliabilityBin {
        ReliabilityBin { lower: 0.5, upper: 1.0, count, confidence, accuracy }
    }

    #[test]
    fn a_curve_is_read_between_its_points_and_nowhere_else() {
        let curve = vec![[0.2, 1.0], [0.6, 3.0]];
        let mean = interpolated([&curve], &[0.1, 0.2, 0.4, 0.6, 0.7]);
        let values: Vec<f64> = mean.points.iter().map(|point| point.mean).collect();
        assert_eq!(mean.points.len(), 3);
        assert!(values.iter().zip([1.0, 2.0, 3.0]).all(|(got, expected)| (got - expected).abs() < 1e-12));
    }

    #[test]
    fn bins_are_weighted_by_their_counts() {
        let run = |count, accuracy| Evaluation {
            reliability: vec![bin(count, 0.8, accuracy)],
            ..Evaluation::default()
        };
        let pooled = pooled_bins([&run(1, 1.0), &run(3, 0.6), &run(0, f64::NAN)]);
        assert_eq!(pooled[0].count, 4);
        assert!((pooled[0].accuracy - 0.7).abs() < 1e-12);
    }

    #[test]
    fn epochs_that_one_run_did_not_reach_are_left_out() {
        let rows = |last: usize| -> Vec<HistoryRow> {
            (1..=last)
                .map(|epoch| HistoryRow { epoch: epoch as f64, kl: 2.0, ..HistoryRow::default() })
                .collect()
        };
        let (short, long) = (rows(3), rows(9));
        let curve = over_epochs([short.as_slice(), long.as_slice()], |row| row.kl);
        assert_eq!(curve.line(), [(1.0, 2.0), (2.0, 2.0), (3.0, 2.0)]);
    }

    #[test]
    fn networks_of_one_run_are_one_observation() {
        let row = |network, epoch, kl| HistoryRow { network, epoch, kl, ..HistoryRow::default() };
        let ensemble = [row(0, 1.0, 1.0), row(0, 2.0, 1.0), row(1, 1.0, 3.0)];
        let curve = over_epochs([ensemble.as_slice()], |row| row.kl);
        assert_eq!(curve.points, [CurvePoint { x: 1.0, mean: 2.0, standard_error: 0.0 }]);
    }

    #[test]
    fn a_long_history_is_thinned_but_keeps_its_ends() {
        let rows: Vec<HistoryRow> =
            (1..=1000).map(|epoch| HistoryRow { epoch: f64::from(epoch), ..HistoryRow::default() }).collect();
        let curve = over_epochs([rows.as_slice()], |row| row.kl);
        assert!(curve.points.len() <= MOST_POINTS + 1);
        assert_eq!((curve.points[0].x, curve.points[curve.points.len() - 1].x), (1.0, 1000.0));
    }
}
