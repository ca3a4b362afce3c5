//! Closed forms, one entry at a time; the choice of form is made in the parent module.

use std::f64::consts::{LN_2, PI};

use super::empirical_bayes::{VarianceCenter, empirical_bayes};
use super::log_uniform::{
    cauchy_log_uniform, half_cauchy_log_uniform, log_normal_log_uniform, normal_log_uniform,
};
use super::{Form, KlKind, KlValue, form};
use crate::dist::LogDensity;
use crate::error::Error;
use crate::posterior::{Entries, HALF_LN_2PI};
use crate::prior::PriorSpec;
use crate::real::Real;

/// Divergence of one entry and its derivatives in location and constrained scale.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) value: f64,
    pub(crate) d_loc: f64,
    pub(crate) d_scale: f64,
}

/// Sums entries into `out`, overwritten; a shared scale collects its gradient, a fixed one drops it.
#[inline]
pub(crate) fn sum_entries<T: Real>(
    entries: &Entries<'_, T>,
    out: &mut KlValue<T>,
    mut entry: impl FnMut(usize) -> Entry,
) {
    let (n, n_scales) = (entries.len(), entries.n_scales());
    let per_entry = n_scales == n && n_scales != 1;
    let mut value = 0.0;
    let mut shared = 0.0;
    let KlValue { d_loc, d_scale, .. } = out;
    d_loc.clear();
    d_loc.reserve(n);
    d_scale.clear();
    d_scale.reserve(n_scales);
    for i in 0..n {
        let e = entry(i);
        value += e.value;
        d_loc.push(T::of(e.d_loc));
        if per_entry {
            d_scale.push(T::of(e.d_scale));
        } else {
            shared += e.d_scale;
        }
    }
    if n_scales == 1 {
        d_scale.push(T::of(shared));
    }
    (out.value, out.kind, out.d_prior) = (value, KlKind::ClosedForm, None);
}

/// The closed form of a pair that has one; trainable scales have their own function.
pub(crate) fn closed_form<T: Real>(
    entries: &Entries<'_, T>,
    prior: PriorSpec,
    out: &mut KlValue<T>,
) -> Result<(), Error> {
    let q = form(entries.family);
    let at = |i| (entries.loc(i), entries.scale(i));
    match (q, prior) {
        (_, PriorSpec::EmpiricalBayes { mean, concentration, rate }) => {
            empirical_bayes(entries, mean, concentration, rate, VarianceCenter::PriorMean, out);
        }
        (Form::Normal, PriorSpec::Normal { mean, std }) => {
            sum_entries(entries, out, |i| normal_normal(entries.loc(i) - mean, entries.scale(i), std));
        }
        (Form::LogNormal, PriorSpec::Normal { mean, std }) => {
            sum_entries(entries, out, |i| normal_prior(q, entries.loc(i), entries.scale(i), mean, std));
        }
        (Form::LogNormal, PriorSpec::LogNormal { location, scale }) => {
            sum_entries(entries, out, |i| normal_normal(entries.loc(i) - location, entries.scale(i), scale));
        }
        (Form::Normal, PriorSpec::TiedMean { std }) => {
            sum_entries(entries, out, |i| normal_normal(0.0, entries.scale(i), std));
        }
        (Form::Point, PriorSpec::TiedMean { std }) => {
            sum_entries(entries, out, |_| Entry { value: std.ln() + HALF_LN_2PI, d_loc: 0.0, d_scale: 0.0 });
        }
        (Form::Cauchy, PriorSpec::Cauchy { location, scale }) => {
            sum_entries(entries, out, |i| cauchy_cauchy(entries.loc(i) - location, entries.scale(i), scale));
        }
        (_, PriorSpec::ImproperUniform) => sum_entries(entries, out, |i| {
            let (loc, scale) = at(i);
            negative_entropy(q, loc, scale)
        }),
        (Form::Cauchy, PriorSpec::LogUniform) => {
            sum_entries(entries, out, |i| cauchy_log_uniform(entries.loc(i), entries.scale(i)));
        }
        (Form::HalfCauchy, PriorSpec::LogUniform) => {
            sum_entries(entries, out, |i| half_cauchy_log_uniform(entries.loc(i), entries.scale(i)));
        }
        (Form::LogNormal, PriorSpec::LogUniform) => {
            sum_entries(entries, out, |i| log_normal_log_uniform(entries.scale(i)));
        }
        (Form::Normal, PriorSpec::LogUniform) => {
            sum_entries(entries, out, |i| normal_log_uniform(entries.loc(i), entries.scale(i)));
        }
        _ => {
            let density = prior.density()?;
            let outside =
                (0..entries.len()).find(|&i| density.log_density(entries.loc(i)) <= f64::NEG_INFINITY);
            if let Some(index) = outside {
                return Err(Error::OutsideSupport {
                    family: entries.family,
                    index,
                    draw: entries.loc(index),
                });
            }
            sum_entries(entries, out, |i| Entry {
                value: -density.log_density(entries.loc(i)),
                d_loc: -density.log_density_slope(entries.loc(i)),
                d_scale: 0.0,
            });
        }
    }
    Ok(())
}

/// Normal around a fixed mean with trained standard deviations, one or one per entry.
pub(crate) fn trainable_scale<T: Real>(
    entries: &Entries<'_, T>,
    mean: f64,
    prior_scale: &[T],
    out: &mut KlValue<T>,
) {
    let q = form(entries.family);
    let shared = prior_scale.len() == 1;
    let mut total = 0.0;
    let mut d_prior = out.d_prior.take().unwrap_or_default();
    d_prior.clear();
    sum_entries(entries, out, |i| {
        let std = prior_scale[if shared { 0 } else { i }].wide();
        let (loc, scale) = (entries.loc(i), entries.scale(i));
        let d_std = (1.0 - second_moment(q, loc, scale, mean).value / (std * std)) / std;
        if shared {
            total += d_std;
        } else {
            d_prior.push(T::of(d_std));
        }
        normal_prior(q, loc, scale, mean, std)
    });
    if shared {
        d_prior.push(T::of(total));
    }
    out.d_prior = Some(d_prior);
}

/// Normal from normal: means `offset` apart, standard deviations `scale` and `std`.
#[inline]
fn normal_normal(offset: f64, scale: f64, std: f64) -> Entry {
    let ratio = scale / std;
    let z = offset / std;
    Entry {
        value: 0.5 * (ratio * ratio + z * z - 1.0) - ratio.ln(),
        d_loc: z / std,
        d_scale: ratio / std - 1.0 / scale,
    }
}

/// Any family with a second moment, from a normal prior.
#[inline]
pub(crate) fn normal_prior(q: Form, loc: f64, scale: f64, mean: f64, std: f64) -> Entry {
    if q == Form::Normal {
        return normal_normal(loc - mean, scale, std);
    }
    let information = negative_entropy(q, loc, scale);
    let moment = second_moment(q, loc, scale, mean);
    let half_precision = 0.5 / (std * std);
    Entry {
        value: information.value + std.ln() + HALF_LN_2PI + moment.value * half_precision,
        d_loc: information.d_loc + moment.d_loc * half_precision,
        d_scale: information.d_scale + moment.d_scale * half_precision,
    }
}

/// Cauchy from Cauchy: `ln( ((g1 + g2)^2 + (x1 - x2)^2) / (4 g1 g2) )`.
#[inline]
fn cauchy_cauchy(offset: f64, scale: f64, prior_scale: f64) -> Entry {
    let sum = scale + prior_scale;
    let norm = sum * sum + offset * offset;
    Entry {
        value: (norm / (4.0 * scale * prior_scale)).ln(),
        d_loc: 2.0 * offset / norm,
        d_scale: 2.0 * sum / norm - 1.0 / scale,
    }
}

/// `E[ln q]`; zero for a point mass, whose entropy is left out.
#[inline]
pub(crate) fn negative_entropy(q: Form, loc: f64, scale: f64) -> Entry {
    let value = match q {
        Form::Point => return Entry { value: 0.0, d_loc: 0.0, d_scale: 0.0 },
        Form::Normal => -scale.ln() - HALF_LN_2PI - 0.5,
        Form::LogNormal => -scale.ln() - HALF_LN_2PI - 0.5 - loc,
        Form::Cauchy => -(4.0 * PI * scale).ln(),
        Form::HalfCauchy => LN_2 - (4.0 * PI * scale).ln(),
    };
    Entry { value, d_loc: if q == Form::LogNormal { -1.0 } else { 0.0 }, d_scale: -1.0 / scale }
}

/// `E[(x - mean)^2]` of the families that have it; infinite for the Cauchy ones.
#[inline]
pub(crate) fn second_moment(q: Form, loc: f64, scale: f64, mean: f64) -> Entry {
    match q {
        Form::Normal | Form::Point => {
            let offset = loc - mean;
            Entry { value: offset * offset + scale * scale, d_loc: 2.0 * offset, d_scale: 2.0 * scale }
        }
        Form::LogNormal => {
            let first = (loc + 0.5 * scale * scale).exp();
            let second = (2.0 * (loc + scale * scale)).exp();
            Entry {
                value: second - 2.0 * mean * first + mean * mean,
                d_loc: 2.0 * (second - mean * first),
                d_scale: scale * (4.0 * second - 2.0 * mean * first),
            }
        }
        Form::Cauchy | Form::HalfCauchy => Entry { value: f64::INFINITY, d_loc: f64::NAN, d_scale: f64::NAN },
    }
}
