//! Kernels of divergences from priors: value and both gradients of four entries per unit, in one pass.

use cubecl::prelude::*;

use super::elementary::{is_nan, ln, ln_1p};
use super::factor::{positive_scale, scale_slope};
use super::noise::noise_of;
use crate::draw::{Family, Form, NoiseKind, ScaleParameter};
use crate::philox::philox_block;
use crate::prior::PriorKind;

/// Divergence of one entry and its derivatives in location and positive scale.
#[derive(CubeType, Clone, Copy)]
struct Entry {
    value: f32,
    d_location: f32,
    d_scale: f32,
}

/// Closed forms of posteriors of the prior's own family; `values[k, quad]` sums four entries.
#[cube(launch_unchecked)]
pub(crate) fn kl_closed(
    location: &[f32],
    scale: &[f32],
    values: &mut [f32],
    d_location: &mut [f32],
    d_scale: &mut [f32],
    n_members: u32,
    width: u32,
    prior_location: f32,
    prior_scale: f32,
    #[comptime] prior: PriorKind,
    #[comptime] parameter: ScaleParameter,
) {
    let quads = width.div_ceil(4u32);
    let unit = ABSOLUTE_POS as u32;
    if unit < n_members * quads {
        let mut sum = 0.0f32;
        #[unroll]
        for lane in 0..4usize {
            let index = unit % quads * 4u32 + lane as u32;
            if index < width {
                let at = (unit / quads * width + index) as usize;
                let positive = positive_scale(scale[at], parameter);
                let entry = closed_entry(location[at], positive, prior_location, prior_scale, prior);
                sum += entry.value;
                d_location[at] = entry.d_location;
                d_scale[at] = entry.d_scale * scale_slope(scale[at], parameter);
            }
        }
        values[unit as usize] = sum;
    }
}

/// Written with differences of the scales, which vanish at the prior without cancellation.
#[cube]
fn closed_entry(
    location: f32,
    scale: f32,
    prior_location: f32,
    prior_scale: f32,
    #[comptime] prior: PriorKind,
) -> Entry {
    let offset = location - prior_location;
    let difference = scale - prior_scale;
    let sum = scale + prior_scale;
    match comptime!(prior) {
        PriorKind::Normal | PriorKind::LogNormal => {
            let z = offset / prior_scale;
            // ratio^2 - 1
            let excess = difference / prior_scale * (sum / prior_scale);
            Entry {
                value: 0.5f32 * (excess + z * z) - ln(scale / prior_scale),
                d_location: z / prior_scale,
                d_scale: excess / scale,
            }
        }
        PriorKind::Cauchy => {
            let offset_squared = offset * offset;
            let norm = sum * sum + offset_squared;
            let excess = (difference * difference + offset_squared) / (4.0f32 * scale * prior_scale);
            Entry {
                value: ln_1p(excess),
                d_location: 2.0f32 * offset / norm,
                d_scale: (difference * sum - offset_squared) / norm / scale,
            }
        }
    }
}

/// Means over draws of `ln q - ln p` with the noise drawn again; `values[k, quad]` sums four entries.
#[cube(launch_unchecked)]
pub(crate) fn kl_monte_carlo(
    location: &[f32],
    scale: &[f32],
    values: &mut [f32],
    d_location: &mut [f32],
    d_scale: &mut [f32],
    key_0: u32,
    key_1: u32,
    step: u32,
    first_example: u32,
    first_member: u32,
    n_members: u32,
    n_draws: u32,
    width: u32,
    prior_location: f32,
    prior_scale: f32,
    log_constant: f32,
    #[comptime] prior: PriorKind,
    #[comptime] form: Form,
) {
    let quads = width.div_ceil(4u32);
    let unit = ABSOLUTE_POS as u32;
    if unit < n_members * quads {
        let member = unit / quads;
        let quad = unit % quads;
        let mut value = Array::<f32>::new(4usize);
        let mut sum_location = Array::<f32>::new(4usize);
        let mut sum_scale = Array::<f32>::new(4usize);
        #[unroll]
        for lane in 0..4usize {
            value[lane] = 0.0f32;
            sum_location[lane] = 0.0f32;
            sum_scale[lane] = 0.0f32;
        }
        for draw in 0..n_draws {
            let words = philox_block(quad, first_example + draw, first_member + member, step, key_0, key_1);
            let noise = noise_of(words, comptime!(form.kind));
            #[unroll]
            for lane in 0..4usize {
                let index = (quad * 4u32 + lane as u32).min(width - 1u32);
                let at = (member * width + index) as usize;
                let positive = positive_scale(scale[at], comptime!(form.scale));
                let entry = drawn_entry(
                    location[at],
                    positive,
                    noise[lane],
                    prior_location,
                    prior_scale,
                    prior,
                    form,
                );
                value[lane] += entry.value;
                sum_location[lane] += entry.d_location;
                sum_scale[lane] += entry.d_scale;
            }
        }
        let weight = 1.0f32 / f32::cast_from(n_draws);
        let mut total = 0.0f32;
        #[unroll]
        for lane in 0..4usize {
            let index = quad * 4u32 + lane as u32;
            if index < width {
                let at = (member * width + index) as usize;
                let positive = positive_scale(scale[at], comptime!(form.scale));
                total += value[lane] * weight + (ln(prior_scale / positive) + log_constant);
                d_location[at] = sum_location[lane] * weight;
                let d_positive = sum_scale[lane] * weight - 1.0f32 / positive;
                d_scale[at] = d_positive * scale_slope(scale[at], comptime!(form.scale));
            }
        }
        values[unit as usize] = total;
    }
}

/// `ln q - ln p` at one draw, without the logarithms of the scales and what follows from the noise alone.
#[cube]
fn drawn_entry(
    location: f32,
    scale: f32,
    noise: f32,
    prior_location: f32,
    prior_scale: f32,
    #[comptime] prior: PriorKind,
    #[comptime] form: Form,
) -> Entry {
    let sum = location + scale * noise;
    let log_noise = match comptime!(form.kind) {
        NoiseKind::Uniform => 0.0f32,
        NoiseKind::Normal => -0.5f32 * noise * noise,
        NoiseKind::Cauchy => -ln_1p(noise * noise),
    };
    // Minus ln p, its derivative in `sum`, and the same of the Jacobian of the exponential, which a log-normal prior has too.
    let logarithmic = comptime!(form.family == Family::LogNormal && prior != PriorKind::LogNormal);
    let x = if comptime!(logarithmic) { select(is_nan(sum), sum, sum.exp()) } else { sum };
    let z = (x - prior_location) / prior_scale;
    let penalty = match comptime!(prior) {
        PriorKind::Normal | PriorKind::LogNormal => 0.5f32 * z * z,
        PriorKind::Cauchy => ln_1p(z * z),
    };
    let slope = match comptime!(prior) {
        PriorKind::Normal | PriorKind::LogNormal => z / prior_scale,
        PriorKind::Cauchy => 2.0f32 * z / (1.0f32 + z * z) / prior_scale,
    };
    let value = log_noise + penalty;
    if comptime!(logarithmic) {
        let d_sum = slope * x - 1.0f32;
        Entry { value: value - sum, d_location: d_sum, d_scale: d_sum * noise }
    } else {
        Entry { value, d_location: slope, d_scale: slope * noise }
    }
}
