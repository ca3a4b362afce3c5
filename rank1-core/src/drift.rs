//! How rows of today differ from those a model was trained on: a number by its distribution, a category by its shares.
//!
//! A reference is kept instead of the rows. Not for predictions of a model; their uncertainties are numbers like others.

mod levels;
mod number;

pub use levels::LevelReference;
pub use number::NumberReference;

/// How two samples differ.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// Largest difference of the shares that two distributions give to a set of the kind that is looked at, from 0 to 1.
    pub distance: f64,
    /// Probability of at least this distance between two samples of one distribution, asymptotically.
    pub p_value: f64,
}

/// Probabilities of several tests of which any may raise an alarm: with these below `a` the chance of a false alarm is at most
/// `a`.
///
/// # Shapes
/// `[M]` gives `[M]`, in the same order.
///
/// # Source
/// Holm 1979: the i-th smallest of M is multiplied by M - i, i from 0, and not below those before it.
#[must_use]
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut adjusted = vec![0.0; p_values.len()];
    let mut last: f64 = 0.0;
    for (rank, &place) in order.iter().enumerate() {
        last = last.max((p_values[place] * (p_values.len() - rank) as f64).min(1.0));
        adjusted[place] = last;
    }
    adjusted
}

#[cfg(test)]
mod tests;
