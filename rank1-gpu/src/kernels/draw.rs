//! Kernel of the factor draws.

use cubecl::ir::ElemType;
use cubecl::prelude::*;

use super::factor::factor;
use super::noise::noise_of;
use super::philox::philox_block;
use crate::draw::Form;

/// `out[k, e, i]` = factor of `location[k, i]`, `scale[k, i]` and the noise of (k, e, i), rows member-major: row `k * n_examples + e`
/// behind `first_row` others, which are left alone.
#[cube(launch_unchecked)]
pub(crate) fn draw_factors<F: Float>(
    location: &[f32],
    scale: &[f32],
    out: &mut [F],
    key_0: u32,
    key_1: u32,
    step: u32,
    first_example: u32,
    first_member: u32,
    first_row: u32,
    n_rows: u32,
    n_examples: u32,
    width: u32,
    clip_min: f32,
    clip_max: f32,
    #[comptime] form: Form,
    #[define(F)] _stored: ElemType,
) {
    let quads = width.div_ceil(4u32);
    let unit = ABSOLUTE_POS as u32;
    if unit < n_rows * quads {
        let row = unit / quads;
        let quad = unit % quads;
        let member = row / n_examples;
        let words =
            philox_block(quad, first_example + row % n_examples, first_member + member, step, key_0, key_1);
        let noise = noise_of(words, comptime!(form.kind));
        #[unroll]
        for lane in 0..4usize {
            let index = quad * 4u32 + lane as u32;
            if index < width {
                let from = (member * width + index) as usize;
                let value = factor(location[from], scale[from], noise[lane], clip_min, clip_max, form);
                out[((first_row + row) * width + index) as usize] = F::cast_from(value);
            }
        }
    }
}
