//! Divergences from priors on the host, with their gradients.

use std::f64::consts::PI;

use super::draws::check_parameters;
use super::factor::positive_scale;
use super::{At, noise};
use crate::{
    Draw, DrawShape, Error, Family, KlGradients, NoiseKind, ParameterGradients, Prior, ScaleParameter,
};

/// Divergence of each member's posterior from a prior of the same family, in closed form, with its gradients.
///
/// # Shapes
/// `location` and `scale`: `[K, D]`; returns values `[K]` and gradients `[K, D]`.
///
/// # Errors
/// As [`crate::launch::kl_closed`].
///
/// # Source
/// As [`crate::launch::kl_closed`].
pub fn kl_closed(
    prior: Prior,
    parameter: ScaleParameter,
    n_members: usize,
    width: usize,
    location: &[f32],
    scale: &[f32],
) -> Result<KlGradients<Vec<f64>>, Error> {
    let op = "host::kl_closed";
    prior.check(op)?;
    let shape = DrawShape { n_members, n_examples: 1, width };
    sum_entries(op, parameter, shape, location, scale, |_, location, scale| {
        closed_entry(prior, location, scale)
    })
}

/// Monte-Carlo estimate of the divergence of each member's posterior from a prior, with the gradients of the estimate.
///
/// # Shapes
/// `location` and `scale`: `[K, D]`; the mean over `shape.n_examples` draws; returns values `[K]` and gradients `[K, D]`.
///
/// # Errors
/// As [`crate::launch::kl_monte_carlo`].
///
/// # Source
/// As [`crate::launch::kl_monte_carlo`].
pub fn kl_monte_carlo(
    draw: &Draw,
    prior: Prior,
    shape: DrawShape,
    location: &[f32],
    scale: &[f32],
) -> Result<KlGradients<Vec<f64>>, Error> {
    let op = "host::kl_monte_carlo";
    prior.check(op)?;
    prior.check_posterior(op, draw.kind, draw.family)?;
    sum_entries(op, draw.scale, shape, location, scale, |i, location, scale| {
        let (member, index) = ((i / shape.width) as u32, (i % shape.width) as u32);
        let member = draw.first_member.wrapping_add(member);
        let weight = 1.0 / shape.n_examples as f64;
        (0..shape.n_examples as u32).fold([0.0; 3], |sum, example| {
            let example = draw.first_example.wrapping_add(example);
            let noise = noise(draw.kind, draw.key, At { step: draw.step, member, example, index });
            let entry = drawn_entry(draw, prior, location, scale, noise);
            [0, 1, 2].map(|part| sum[part] + weight * entry[part])
        })
    })
}

/// Sums `entry(i, location, positive scale)`: value and derivatives in location and positive scale.
fn sum_entries(
    op: &'static str,
    parameter: ScaleParameter,
    shape: DrawShape,
    location: &[f32],
    scale: &[f32],
    entry: impl Fn(usize, f64, f64) -> [f64; 3],
) -> Result<KlGradients<Vec<f64>>, Error> {
    shape.elements(op)?;
    check_parameters(op, shape, location, scale)?;
    let mut out = KlGradients {
        value: vec![0.0; shape.n_members],
        parameters: ParameterGradients { d_location: Vec::new(), d_scale: Vec::new() },
    };
    for (i, (&location, &raw)) in location.iter().zip(scale).enumerate() {
        let (scale, slope) = positive_scale(parameter, f64::from(raw));
        let [value, d_location, d_scale] = entry(i, f64::from(location), scale);
        out.value[i / shape.width] += value;
        out.parameters.d_location.push(d_location);
        out.parameters.d_scale.push(d_scale * slope);
    }
    Ok(out)
}

fn wide(prior: Prior) -> (f64, f64) {
    let (location, scale) = prior.parameters();
    (f64::from(location), f64::from(scale))
}

fn closed_entry(prior: Prior, location: f64, scale: f64) -> [f64; 3] {
    let (prior_location, prior_scale) = wide(prior);
    let offset = location - prior_location;
    match prior {
        // The divergence of two log-normals is that of their logarithms.
        Prior::Normal { .. } | Prior::LogNormal { .. } => {
            let (ratio, z) = (scale / prior_scale, offset / prior_scale);
            let value = 0.5 * (ratio * ratio + z * z - 1.0) - ratio.ln();
            [value, z / prior_scale, ratio / prior_scale - 1.0 / scale]
        }
        Prior::Cauchy { .. } => {
            let sum = scale + prior_scale;
            let norm = sum * sum + offset * offset;
            let value = (norm / (4.0 * scale * prior_scale)).ln();
            [value, 2.0 * offset / norm, 2.0 * sum / norm - 1.0 / scale]
        }
    }
}

fn drawn_entry(draw: &Draw, prior: Prior, location: f64, scale: f64, noise: f64) -> [f64; 3] {
    let (prior_location, prior_scale) = wide(prior);
    let half_ln_2pi = 0.5 * (2.0 * PI).ln();
    let sum = location + scale * noise;
    let (x, d_sum) = match draw.family {
        Family::LocationScale => (sum, 1.0),
        Family::LogNormal => (sum.exp(), sum.exp()),
    };
    let of_noise = match draw.kind {
        NoiseKind::Uniform => 0.0,
        NoiseKind::Normal => -0.5 * noise * noise - half_ln_2pi,
        NoiseKind::Cauchy => -PI.ln() - (noise * noise).ln_1p(),
    };
    // ln q at the draw, and its derivatives with the noise held fixed.
    let (jacobian, d_jacobian) = if draw.family == Family::LogNormal { (sum, 1.0) } else { (0.0, 0.0) };
    let log_posterior = of_noise - scale.ln() - jacobian;
    let (log_prior, slope) = match prior {
        Prior::Normal { .. } => {
            let z = (x - prior_location) / prior_scale;
            (-0.5 * z * z - prior_scale.ln() - half_ln_2pi, -z / prior_scale)
        }
        Prior::Cauchy { .. } => {
            let z = (x - prior_location) / prior_scale;
            (-(PI * prior_scale).ln() - (z * z).ln_1p(), -2.0 * z / (1.0 + z * z) / prior_scale)
        }
        Prior::LogNormal { .. } => {
            let z = (x.ln() - prior_location) / prior_scale;
            (-0.5 * z * z - prior_scale.ln() - half_ln_2pi - x.ln(), -(z / prior_scale + 1.0) / x)
        }
    };
    let d_location = -d_jacobian - slope * d_sum;
    [log_posterior - log_prior, d_location, -1.0 / scale - d_jacobian * noise - slope * d_sum * noise]
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const PRIORS: [Prior; 3] = [
        Prior::Normal { mean: 1.0, std: 0.5 },
        Prior::Cauchy { location: 1.0, scale: 0.5 },
        Prior::LogNormal { location: 0.25, scale: 0.5 },
    ];

    fn posteriors() -> impl Iterator<Item = (Draw, Prior)> {
        let draw = Draw::new(NoiseKind::Normal, [3, 4], 5);
        let cauchy = Draw { kind: NoiseKind::Cauchy, ..draw };
        let log_normal = Draw { family: Family::LogNormal, ..draw };
        [(draw, PRIORS[0]), (draw, PRIORS[1]), (cauchy, PRIORS[1])]
            .into_iter()
            .chain(PRIORS.map(|prior| (log_normal, prior)))
    }

    fn assert_slopes(entry: impl Fn(f64, f64) -> [f64; 3], what: &str) {
        for (location, scale) in [(1.0, 0.5), (0.3, 0.1), (-0.7, 1.3)] {
            let h = 1e-5;
            let got = entry(location, scale);
            let d_location = (entry(location + h, scale)[0] - entry(location - h, scale)[0]) / (2.0 * h);
            let d_scale = (entry(location, scale + h)[0] - entry(location, scale - h)[0]) / (2.0 * h);
            assert!(
                (got[1] - d_location).abs() < 1e-6 * (1.0 + d_location.abs()),
                "{what}: {got:?} {d_location}"
            );
            assert!((got[2] - d_scale).abs() < 1e-6 * (1.0 + d_scale.abs()), "{what}: {got:?} {d_scale}");
        }
    }

    #[test]
    fn gradients_equal_central_differences() {
        for prior in PRIORS {
            assert_slopes(|location, scale| closed_entry(prior, location, scale), &format!("{prior:?}"));
        }
        for (draw, prior) in posteriors() {
            for noise in [-1.7, 0.0, 0.4] {
                let what = format!("{draw:?} {prior:?} {noise}");
                assert_slopes(|location, scale| drawn_entry(&draw, prior, location, scale, noise), &what);
            }
        }
    }

    #[test]
    fn a_raw_scale_gets_the_slope_of_its_softplus() {
        let kl = |raw: f32| kl_closed(PRIORS[0], ScaleParameter::Softplus, 1, 1, &[0.5], &[raw]).unwrap();
        let h = 2f32.powi(-10);
        for raw in [-2.0, 0.0, 1.5] {
            let numeric = (kl(raw + h).value[0] - kl(raw - h).value[0]) / (2.0 * f64::from(h));
            let got = kl(raw).parameters.d_scale[0];
            assert!((got - numeric).abs() < 1e-5 * (1.0 + numeric.abs()), "{got} {numeric}");
        }
    }

    #[test]
    fn closed_forms_meet_known_values_and_vanish_at_the_prior() {
        for prior in PRIORS {
            let (location, scale) = wide(prior);
            let [value, d_location, d_scale] = closed_entry(prior, location, scale);
            assert!(value.abs() < 1e-12 && d_location.abs() < 1e-12 && d_scale.abs() < 1e-12, "{prior:?}");
        }
        // N(0, 1) from N(0, 2): ln 2 + 1/8 - 1/2. Cauchy(0, 1) from Cauchy(2, 1): ln(8 / 4).
        let normal = closed_entry(Prior::Normal { mean: 0.0, std: 2.0 }, 0.0, 1.0)[0];
        assert!((normal - (2f64.ln() - 0.375)).abs() < 1e-12, "{normal}");
        let cauchy = closed_entry(Prior::Cauchy { location: 2.0, scale: 1.0 }, 0.0, 1.0)[0];
        assert!((cauchy - 2f64.ln()).abs() < 1e-12, "{cauchy}");
    }

    /// 20,000 draws: the standard error is below 0.01 for these pairs, so that a lost constant shows.
    #[test]
    fn the_mean_of_many_draws_nears_the_closed_form() {
        let draw = Draw::new(NoiseKind::Normal, [3, 4], 5);
        let cauchy = Draw { kind: NoiseKind::Cauchy, ..draw };
        let log_normal = Draw { family: Family::LogNormal, ..draw };
        for (draw, prior) in [(draw, PRIORS[0]), (cauchy, PRIORS[1]), (log_normal, PRIORS[2])] {
            let shape = DrawShape { n_members: 1, n_examples: 20_000, width: 1 };
            let estimate = kl_monte_carlo(&draw, prior, shape, &[0.75], &[0.75]).unwrap();
            let exact = kl_closed(prior, ScaleParameter::Positive, 1, 1, &[0.75], &[0.75]).unwrap();
            assert!((estimate.value[0] - exact.value[0]).abs() < 0.05, "{prior:?} {estimate:?} {exact:?}");
            let (estimate, exact) = (estimate.parameters, exact.parameters);
            assert!((estimate.d_location[0] - exact.d_location[0]).abs() < 0.1, "{estimate:?} {exact:?}");
            assert!((estimate.d_scale[0] - exact.d_scale[0]).abs() < 0.1, "{estimate:?} {exact:?}");
        }
    }
}
