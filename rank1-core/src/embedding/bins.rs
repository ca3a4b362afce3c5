//! Bins of numbers: their edges, learned as quantiles of training rows.

use crate::Error;

/// Edges nearer to each other than this share of a column's range are one edge.
const SAME: f64 = 1e-7;

/// Ascending edges of the bins of every feature; n + 1 edges make n bins.
#[derive(Debug, Clone, PartialEq)]
pub struct Edges {
    flat: Vec<f64>,
    /// Place of the first edge of every feature, and the end.
    starts: Vec<usize>,
}

impl Edges {
    /// The edges of each feature.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] naming the first edge that is not finite or not above the one before it; [`Error::Empty`] for a
    /// feature with fewer than two.
    pub fn new(features: &[Vec<f64>]) -> Result<Self, Error> {
        const OP: &str = "Edges::new";
        let (mut flat, mut starts) = (Vec::new(), vec![0]);
        for edges in features {
            if edges.len() < 2 {
                return Err(Error::Empty { op: OP, argument: "edges of a feature" });
            }
            let wrong = edges.iter().find(|e| !e.is_finite());
            let wrong = wrong.or_else(|| edges.windows(2).find(|e| e[0] >= e[1]).map(|e| &e[1]));
            if let Some(&value) = wrong {
                let expected = "finite edges, each above the one before";
                return Err(Error::OutOfRange { op: OP, argument: "edges", value, expected });
            }
            flat.extend_from_slice(edges);
            starts.push(flat.len());
        }
        Ok(Self { flat, starts })
    }

    /// Number of features n.
    pub fn n_features(&self) -> usize {
        self.starts.len() - 1
    }

    /// The edges of a feature.
    pub fn of(&self, feature: usize) -> &[f64] {
        &self.flat[self.starts[feature]..self.starts[feature + 1]]
    }

    /// Number of bins of all features.
    pub fn n_bins(&self) -> usize {
        self.flat.len() - self.n_features()
    }

    /// Number of bins of the features before this one.
    pub fn first_bin(&self, feature: usize) -> usize {
        self.starts[feature] - feature
    }

    /// The bin of a number, counted from the feature's first, and its place in it: below 0 before the first edge, above 1
    /// after the last, else in [0, 1].
    pub fn locate(&self, feature: usize, x: f64) -> (usize, f64) {
        let edges = self.of(feature);
        // Inner edges at or below the number.
        let bin = edges[1..edges.len() - 1].partition_point(|&edge| edge <= x);
        (bin, (x - edges[bin]) / (edges[bin + 1] - edges[bin]))
    }
}

/// Edges at the quantiles i / `n_bins` of a column, linear between order statistics; equal edges are one.
///
/// # Errors
/// [`Error::OutOfRange`] for fewer than two numbers, `n_bins` that is not above 1 and below their number, numbers that are not
/// finite, and a column of one value.
///
/// # Numerics
/// Edges nearer than 1e-7 of the range are one, where the published code keeps all that differ in any bit, so that rounding
/// can give bins of slope 1e14.
pub fn quantile_edges(values: &[f64], n_bins: usize) -> Result<Vec<f64>, Error> {
    let refuse = |argument, value, expected| {
        Err(Error::OutOfRange { op: "quantile_edges", argument, value, expected })
    };
    if values.len() < 2 {
        return refuse("values", values.len() as f64, "at least two numbers");
    }
    if n_bins < 2 || n_bins >= values.len() {
        return refuse("n_bins", n_bins as f64, "more than 1 and fewer than there are numbers");
    }
    if let Some(&value) = values.iter().find(|v| !v.is_finite()) {
        return refuse("values", value, "finite numbers");
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len() - 1;
    let range = sorted[last] - sorted[0];
    if sorted[0] == sorted[last] {
        return refuse("values", sorted[0], "at least two different numbers");
    }
    let mut edges = vec![sorted[0]];
    for i in 1..n_bins {
        let position = i as f64 / n_bins as f64 * last as f64;
        let below = (position.floor() as usize).min(last - 1);
        let edge = sorted[below] + (position - below as f64) * (sorted[below + 1] - sorted[below]);
        if edge - edges[edges.len() - 1] > SAME * range {
            edges.push(edge);
        }
    }
    while edges.len() > 1 && sorted[last] - edges[edges.len() - 1] <= SAME * range {
        edges.pop();
    }
    edges.push(sorted[last]);
    Ok(edges)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_equal_steps_are_equal_steps_and_ties_make_one_edge() {
        let values: Vec<f64> = (0..=12).map(f64::from).collect();
        assert_eq!(quantile_edges(&values, 4).unwrap(), [0.0, 3.0, 6.0, 9.0, 12.0]);
        let ties: Vec<f64> = [0.0; 43].into_iter().chain([1.0; 21]).collect();
        let edges = quantile_edges(&ties, 48).unwrap();
        assert!(edges.len() <= 3 && edges.windows(2).all(|e| e[1] - e[0] > 1e-7), "{edges:?}");
        assert_eq!((edges[0], edges[edges.len() - 1]), (0.0, 1.0));
    }

    #[test]
    fn what_gives_no_bins_is_refused() {
        for (values, n_bins) in [
            (vec![1.0], 2),
            (vec![1.0, 2.0, 3.0], 3),
            (vec![1.0, 2.0, 3.0], 1),
            (vec![2.0; 9], 3),
            (vec![1.0, f64::NAN, 3.0, 4.0], 2),
            (vec![1.0, f64::INFINITY, 3.0, 4.0], 2),
        ] {
            assert!(quantile_edges(&values, n_bins).is_err(), "{values:?} {n_bins}");
        }
        assert!(Edges::new(&[vec![0.0]]).is_err());
        assert!(Edges::new(&[vec![0.0, 1.0, 1.0]]).is_err());
        assert!(Edges::new(&[vec![0.0, f64::NAN]]).is_err());
    }

    #[test]
    fn numbers_lie_in_the_bin_that_begins_at_or_below_them() {
        let edges = Edges::new(&[vec![0.0, 1.0, 4.0], vec![2.0, 3.0]]).unwrap();
        assert_eq!((edges.n_features(), edges.n_bins(), edges.first_bin(1)), (2, 3, 2));
        for (x, expected) in
            [(-1.0, (0, -1.0)), (0.5, (0, 0.5)), (1.0, (1, 0.0)), (4.0, (1, 1.0)), (7.0, (1, 2.0))]
        {
            assert_eq!(edges.locate(0, x), expected);
        }
        assert_eq!(edges.locate(1, 4.0), (0, 2.0));
    }
}
