//! Normal prior whose variance is set to its best value under an inverse-gamma hyperprior.

use super::closed::{Entry, negative_entropy, second_moment};
use super::{KlValue, form, sum_entries};
use crate::posterior::{Entries, HALF_LN_2PI};
use crate::real::Real;

/// Around which point the squares that make the variance are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VarianceCenter {
    /// The prior mean: the variance maximizes the bound.
    PriorMean,
    /// Zero, as in the reference code; the maximizer only for prior mean 0.
    Zero,
}

/// `sum_i KL(q_i || N(mean, v)) - ln InvGamma(v; a, b)` at `v = (S + 2 b) / (n + 2 a + 2)`, `S` the sum of second moments.
///
/// The gradient flows through `v`; around the prior mean that part is zero because `v` is the minimizer.
pub(crate) fn empirical_bayes<T: Real>(
    entries: &Entries<'_, T>,
    mean: f64,
    concentration: f64,
    rate: f64,
    center: VarianceCenter,
    out: &mut KlValue<T>,
) {
    let q = form(entries.family);
    let n = entries.len() as f64;
    let about = match center {
        VarianceCenter::PriorMean => mean,
        VarianceCenter::Zero => 0.0,
    };
    let moment = |i, m| second_moment(q, entries.loc(i), entries.scale(i), m);
    let (mut total, mut chosen) = (0.0, 0.0);
    for i in 0..entries.len() {
        total += moment(i, mean).value;
        chosen += moment(i, about).value;
    }
    let denominator = n + 2.0 * concentration + 2.0;
    let v = (chosen + 2.0 * rate) / denominator;
    // d(value)/dv, spread over the entries through dv/dS.
    let d_v = match center {
        VarianceCenter::PriorMean => 0.0,
        VarianceCenter::Zero => (0.5 * n + concentration + 1.0 - (0.5 * total + rate) / v) / v,
    };
    let d_chosen = d_v / denominator;
    let half_precision = 0.5 / v;
    sum_entries(entries, out, |i| {
        let (loc, scale) = (entries.loc(i), entries.scale(i));
        let (information, own, other) = (negative_entropy(q, loc, scale), moment(i, mean), moment(i, about));
        Entry {
            value: information.value + own.value * half_precision,
            d_loc: information.d_loc + own.d_loc * half_precision + other.d_loc * d_chosen,
            d_scale: information.d_scale + own.d_scale * half_precision + other.d_scale * d_chosen,
        }
    });
    let log_hyperprior =
        concentration * rate.ln() - libm::lgamma(concentration) - (concentration + 1.0) * v.ln() - rate / v;
    out.value += n * (0.5 * v.ln() + HALF_LN_2PI) - log_hyperprior;
}
