//! How different the members of an ensemble are from one another.
//!
//! Members' probabilities are means over samples first; differences among the samples of one member are
//! epistemic uncertainty, see [`crate::metrics::uncertainty`].

use ndarray::{ArrayView1, ArrayView2, ArrayView3, Axis, Zip};

use crate::Error;
use crate::metrics::{checks, classification};

/// Added to the ensemble's error before dividing by it.
pub const ERROR_FLOOR: f64 = 1e-7;

/// Every diversity measure of one ensemble.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Diversity {
    /// See [`disagreement`].
    pub disagreement: f64,
    /// See [`normalized_disagreement`].
    pub normalized_disagreement: f64,
    /// See [`pairwise_kl`], in nats.
    pub pairwise_kl: f64,
    /// See [`symmetric_pairwise_kl`], in nats.
    pub symmetric_pairwise_kl: f64,
    /// See [`cosine_similarity`]; a similarity, 1 for equal members.
    pub cosine_similarity: f64,
    /// See [`bregman_kl_variance`], in nats.
    pub bregman_kl_variance: f64,
}

/// All measures at once.
///
/// # Shapes
/// `log_probs` `[K, N, C]`, `labels` `[N]`.
///
/// # Errors
/// As [`disagreement`] and [`normalized_disagreement`].
///
/// # Source
/// As the single functions.
pub fn diversity(log_probs: ArrayView3<'_, f64>, labels: ArrayView1<'_, usize>) -> Result<Diversity, Error> {
    Ok(Diversity {
        disagreement: disagreement(log_probs)?,
        normalized_disagreement: normalized_disagreement(log_probs, labels)?,
        pairwise_kl: pairwise_kl(log_probs)?,
        symmetric_pairwise_kl: symmetric_pairwise_kl(log_probs)?,
        cosine_similarity: cosine_similarity(log_probs)?,
        bregman_kl_variance: bregman_kl_variance(log_probs)?,
    })
}

/// Fraction of examples on which two members predict different classes, mean over pairs.
///
/// # Shapes
/// `log_probs` `[K, N, C]` with `K` at least 2.
///
/// # Errors
/// [`Error::OutOfRange`] for fewer than two members or a positive entry, [`Error::Empty`],
/// [`Error::NotFinite`] for NaN.
///
/// # Source
/// Dusenberry et al. 2020, arXiv:2005.07186, section 5; unordered pairs, the first class wins a tie.
pub fn disagreement(log_probs: ArrayView3<'_, f64>) -> Result<f64, Error> {
    check("disagreement", log_probs)?;
    let predicted: Vec<Vec<usize>> =
        log_probs.outer_iter().map(classification::predicted_classes).collect::<Result<_, _>>()?;
    // Counts are added before any division, so that the order of members cannot matter.
    let differ =
        |i: usize, j: usize| predicted[i].iter().zip(&predicted[j]).filter(|(a, b)| a != b).count() as f64;
    Ok(mean_over_pairs(log_probs, differ) / log_probs.len_of(Axis(1)) as f64)
}

/// [`disagreement`] divided by the error of the mixture plus [`ERROR_FLOOR`].
///
/// # Shapes
/// `log_probs` `[K, N, C]`, `labels` `[N]`.
///
/// # Errors
/// As [`disagreement`], and [`Error::ShapeMismatch`], [`Error::LabelOutOfRange`] for the labels.
///
/// # Numerics
/// An ensemble without error divides by the floor alone; read such a value as "not defined".
///
/// # Source
/// Fort et al. 2019, arXiv:1912.02757; the error is that of the mean probabilities, as in robustness_metrics.
pub fn normalized_disagreement(
    log_probs: ArrayView3<'_, f64>,
    labels: ArrayView1<'_, usize>,
) -> Result<f64, Error> {
    let raw = disagreement(log_probs)?;
    let mixture = log_probs.mapv(f64::exp).sum_axis(Axis(0));
    let error = 1.0 - classification::accuracy(mixture.view(), labels)?;
    Ok(raw / (error + ERROR_FLOOR))
}

/// `KL(p_i || p_j)` averaged over examples and the pairs `i < j`, in that one direction, in nats.
///
/// # Shapes
/// `log_probs` `[K, N, C]` with `K` at least 2.
///
/// # Errors
/// As [`disagreement`].
///
/// # Numerics
/// Infinite where a member gives probability zero to a class that another deems possible.
///
/// # Source
/// `average_kl` of robustness_metrics. It depends on the order of the members:
/// [`symmetric_pairwise_kl`] does not.
pub fn pairwise_kl(log_probs: ArrayView3<'_, f64>) -> Result<f64, Error> {
    check("pairwise_kl", log_probs)?;
    Ok(mean_over_pairs(log_probs, |i, j| mean_kl(member(log_probs, i), member(log_probs, j))))
}

/// `KL(p_i || p_j)` averaged over examples and all ordered pairs `i != j`, in nats.
///
/// # Shapes
/// `log_probs` `[K, N, C]` with `K` at least 2.
///
/// # Errors
/// As [`disagreement`].
///
/// # Numerics
/// As [`pairwise_kl`].
///
/// # Source
/// Half of Jeffreys' divergence, averaged over pairs; published as KLD for small ensembles.
pub fn symmetric_pairwise_kl(log_probs: ArrayView3<'_, f64>) -> Result<f64, Error> {
    check("symmetric_pairwise_kl", log_probs)?;
    let kl = |i: usize, j: usize| mean_kl(member(log_probs, i), member(log_probs, j));
    Ok(mean_over_pairs(log_probs, |i, j| 0.5 * (kl(i, j) + kl(j, i))))
}

/// Cosine of two members' probability vectors, averaged over examples and pairs.
///
/// # Shapes
/// `log_probs` `[K, N, C]` with `K` at least 2.
///
/// # Errors
/// As [`disagreement`].
///
/// # Source
/// What the reference code calls cosine distance; it is a similarity, in `[0, 1]`.
pub fn cosine_similarity(log_probs: ArrayView3<'_, f64>) -> Result<f64, Error> {
    check("cosine_similarity", log_probs)?;
    let probs = log_probs.mapv(f64::exp);
    let n = log_probs.len_of(Axis(1)) as f64;
    let mean_cosine = |i: usize, j: usize| {
        let (p, q) = (member(probs.view(), i), member(probs.view(), j));
        let rows = p.rows().into_iter().zip(q.rows());
        rows.map(|(p, q)| p.dot(&q) / (p.dot(&p) * q.dot(&q)).sqrt()).sum::<f64>() / n
    };
    Ok(mean_over_pairs(log_probs, mean_cosine))
}

/// Mean over members and examples of `KL(g || p_k)`, where `g` is the normalized geometric mean, in nats.
///
/// # Shapes
/// `log_probs` `[K, N, C]`; one member gives 0.
///
/// # Errors
/// [`Error::Empty`], [`Error::NotFinite`] for NaN, [`Error::OutOfRange`] for a positive entry;
/// [`Error::Undefined`] when every class of an example is impossible for some member.
///
/// # Numerics
/// Equals `-ln sum_c exp(mean_k ln p_k(c))`, which is how it is computed; a negative rounding error is set to 0.
///
/// # Source
/// Bregman variance of the KL divergence about its own centroid, `bregman_kl_variance` of robustness_metrics;
/// also the gap between the Gibbs cross-entropy and that of `g`.
pub fn bregman_kl_variance(log_probs: ArrayView3<'_, f64>) -> Result<f64, Error> {
    const OP: &str = "bregman_kl_variance";
    checks::log_probs(OP, "log_probs", log_probs)?;
    let (k, n, _) = log_probs.dim();
    let log_geometric = log_probs.sum_axis(Axis(0)) / k as f64;
    let log_total = |row: ArrayView1<'_, f64>| crate::numeric::log_sum_exp(row.iter().copied());
    let total: f64 = log_geometric.rows().into_iter().map(|row| (-log_total(row)).max(0.0)).sum();
    if total.is_finite() {
        Ok(total / n as f64)
    } else {
        Err(Error::Undefined { op: OP, what: "an example whose classes are each impossible for some member" })
    }
}

fn check(op: &'static str, log_probs: ArrayView3<'_, f64>) -> Result<(), Error> {
    checks::log_probs(op, "log_probs", log_probs)?;
    let n_members = log_probs.len_of(Axis(0));
    if n_members < 2 {
        let (value, expected) = (n_members as f64, "at least 2");
        return Err(Error::OutOfRange { op, argument: "n_members", value, expected });
    }
    Ok(())
}

fn member(values: ArrayView3<'_, f64>, k: usize) -> ArrayView2<'_, f64> {
    values.index_axis_move(Axis(0), k)
}

fn mean_over_pairs(log_probs: ArrayView3<'_, f64>, of_pair: impl Fn(usize, usize) -> f64) -> f64 {
    let k = log_probs.len_of(Axis(0));
    let pairs = (0..k).flat_map(|i| (i + 1..k).map(move |j| (i, j)));
    let total: f64 = pairs.map(|(i, j)| of_pair(i, j)).sum();
    total / (k * (k - 1) / 2) as f64
}

fn mean_kl(log_p: ArrayView2<'_, f64>, log_q: ArrayView2<'_, f64>) -> f64 {
    let total = Zip::from(log_p).and(log_q).fold(0.0, |sum, p, q| {
        // A class of probability zero under p adds nothing, even where q is zero too.
        if *p == f64::NEG_INFINITY { sum } else { sum + p.exp() * (p - q) }
    });
    total / log_p.nrows() as f64
}

#[cfg(test)]
#[path = "diversity_tests.rs"]
mod tests;
