//! Kernel of the gradients of factor draws: the noise is drawn again, each unit sums a few examples.

use cubecl::ir::ElemType;
use cubecl::prelude::*;

use super::lanes::Lanes;
use super::noise::noise_of;
use super::philox::philox_block;
use crate::draw::Form;

/// Partial sums `[K, n_chunks, D]` over `examples_per_unit` consecutive examples each, in their order; the gradients lie behind
/// `first_row` other rows.
#[cube(launch_unchecked)]
pub(crate) fn draw_backward<F: Float>(
    location: &[f32],
    scale: &[f32],
    d_factors: &[F],
    d_location: &mut [f32],
    d_scale: &mut [f32],
    key_0: u32,
    key_1: u32,
    step: u32,
    first_example: u32,
    first_member: u32,
    first_row: u32,
    n_members: u32,
    n_examples: u32,
    examples_per_unit: u32,
    width: u32,
    clip_min: f32,
    clip_max: f32,
    #[comptime] form: Form,
    #[define(F)] _stored: ElemType,
) {
    let quads = width.div_ceil(4u32);
    let n_chunks = n_examples.div_ceil(examples_per_unit);
    let unit = ABSOLUTE_POS as u32;
    if unit < n_members * n_chunks * quads {
        let row = unit / quads;
        let quad = unit % quads;
        let member = row / n_chunks;
        let first = row % n_chunks * examples_per_unit;
        let end = (first + examples_per_unit).min(n_examples);
        let mut lanes = Lanes::new(location, scale, member, quad, width, form);
        for example in first..end {
            let words =
                philox_block(quad, first_example + example, first_member + member, step, key_0, key_1);
            let noise = noise_of(words, comptime!(form.kind));
            #[unroll]
            for lane in 0..4usize {
                let index = quad * 4u32 + lane as u32;
                if index < width {
                    let at = ((first_row + member * n_examples + example) * width + index) as usize;
                    let gradient = f32::cast_from(d_factors[at]);
                    let factor = lanes.draw(lane, noise[lane], clip_min, clip_max, form);
                    lanes.receive(lane, factor, noise[lane], gradient);
                }
            }
        }
        lanes.store(scale, d_location, d_scale, member, row, quad, width, form);
    }
}
