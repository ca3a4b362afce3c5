//! Divergences estimated from reparameterized draws, with the gradients of the same estimate.

use super::closed::{Entry, sum_entries};
use super::log_uniform::offset;
use super::{KlKind, KlValue, form, kl_kind};
use crate::dist::LogDensity;
use crate::error::Error;
use crate::posterior::{Entries, PosteriorFamily, same_length};
use crate::prior::{PriorDensity, PriorSpec};
use crate::real::Real;

/// The Monte Carlo estimate even where a closed form exists: the mean of `ln q(x) - ln p(x)` over the draws.
///
/// Unbiased; can be negative. The horseshoe's density has a pole at its mean, so that its gradient estimate
/// has a heavy tail.
///
/// # Shapes
/// As in [`crate::kl_and_grad`]; `noise` is `[M D]`, draw-major. A point mass uses no noise.
///
/// # Errors
/// [`Error::NoDensity`] for priors that depend on the posterior or are trained, [`Error::NoKl`] where the divergence is
/// infinite, [`Error::OutsideSupport`], [`Error::Length`], [`Error::Scale`], [`Error::Parameter`].
///
/// # Source
/// Edward2's Cauchy and half-Cauchy regularizers with one draw. The draw is not clipped, as there.
pub fn kl_and_grad_monte_carlo<T: Real>(
    family: PosteriorFamily,
    prior: PriorSpec,
    loc: &[T],
    scale: &[T],
    noise: &[T],
) -> Result<KlValue<T>, Error> {
    kl_kind(family, prior)?;
    let mut out = KlValue::default();
    monte_carlo(family, prior, loc, scale, noise, &mut out)?;
    Ok(out)
}

/// [`kl_and_grad_monte_carlo`] of a pair that has a divergence, into `out`.
pub(super) fn monte_carlo<T: Real>(
    family: PosteriorFamily,
    prior: PriorSpec,
    loc: &[T],
    scale: &[T],
    noise: &[T],
    out: &mut KlValue<T>,
) -> Result<(), Error> {
    let density = prior.density()?;
    match density {
        // The trained pairs get their own copy of the loop, free of dispatch.
        PriorDensity::Cauchy(d) => mean_over_draws(family, &d, loc, scale, noise, out),
        PriorDensity::Normal(d) => mean_over_draws(family, &d, loc, scale, noise, out),
        PriorDensity::HalfCauchy(d) => mean_over_draws(family, &d, loc, scale, noise, out),
        _ => mean_over_draws(family, &density, loc, scale, noise, out),
    }?;
    if prior == PriorSpec::LogUniform {
        out.value += offset(form(family)) * loc.len() as f64;
    }
    Ok(())
}

/// [`kl_and_grad_monte_carlo`] from any density, for priors that [`PriorSpec`] does not name.
///
/// # Shapes
/// As in [`kl_and_grad_monte_carlo`].
///
/// # Errors
/// [`Error::OutsideSupport`], [`Error::Length`], [`Error::Scale`], [`Error::Parameter`].
///
/// # Source
/// Reparameterized Monte Carlo; gradients are those of the estimate with the noise held fixed.
pub fn monte_carlo_from_density<T: Real, D: LogDensity>(
    family: PosteriorFamily,
    prior: &D,
    loc: &[T],
    scale: &[T],
    noise: &[T],
) -> Result<KlValue<T>, Error> {
    let mut out = KlValue::default();
    mean_over_draws(family, prior, loc, scale, noise, &mut out)?;
    Ok(out)
}

fn mean_over_draws<T: Real, D: LogDensity>(
    family: PosteriorFamily,
    prior: &D,
    loc: &[T],
    scale: &[T],
    noise: &[T],
    out: &mut KlValue<T>,
) -> Result<(), Error> {
    const OP: &str = "kl_and_grad_monte_carlo";
    let entries = Entries::new(OP, family, loc, scale)?.with_positive_scales(OP)?;
    let n = loc.len();
    let law = family.law();
    let point = law.is_point();
    let draws = if point || n == 0 { 1 } else { (noise.len() / n).max(1) };
    if !point {
        same_length(OP, "noise", draws * n, noise.len())?;
    }
    let weight = 1.0 / draws as f64;
    let mut outside = None;
    sum_entries(&entries, out, |i| {
        let mut sum = Entry { value: 0.0, d_loc: 0.0, d_scale: 0.0 };
        for draw_idx in 0..draws {
            let noise = if point { 0.0 } else { noise[draw_idx * n + i].wide() };
            let draw = entries.draw(i, noise);
            let log_prior = prior.log_density(draw.value);
            if log_prior <= f64::NEG_INFINITY && outside.is_none() {
                outside = Some((i, draw.value));
            }
            let slope = prior.log_density_slope(draw.value);
            let (d_loc, d_scale) = law.log_density_slopes(entries.scale(i), noise);
            sum.value += weight * (entries.log_density_at_noise(i, noise) - log_prior);
            sum.d_loc += weight * (d_loc - slope * draw.d_loc);
            sum.d_scale += weight * (d_scale - slope * draw.d_scale);
        }
        sum
    });
    if let Some((index, draw)) = outside {
        return Err(Error::OutsideSupport { family, index, draw });
    }
    out.kind = KlKind::MonteCarlo { draws };
    Ok(())
}
