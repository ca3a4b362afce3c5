//! Kernel of the gradients of draw-and-scale: the noise is drawn again, factors and their gradients are never stored.

use cubecl::ir::ElemType;
use cubecl::prelude::*;

use super::lanes::Lanes;
use super::noise::noise_of;
use super::scale::{address, place};
use crate::draw::Form;
use crate::philox::philox_block;

/// `d_x = d_out * factor`, and partial sums of the gradients of location and scale.
///
/// A unit has `examples_per_unit` consecutive rows of factors of one member and of each the positions `tile`,
/// `tile + tiles` and so on; it sums in that order. Partial sums are `[K, chunks of examples, tiles, D]`.
#[cube(launch_unchecked)]
pub(crate) fn scale_backward<F: Float>(
    x: &[F],
    d_out: &[F],
    location: &[f32],
    scale: &[f32],
    d_x: &mut [F],
    d_location: &mut [f32],
    d_scale: &mut [f32],
    key_0: u32,
    key_1: u32,
    step: u32,
    first_example: u32,
    first_member: u32,
    n_members: u32,
    n_examples: u32,
    examples_per_unit: u32,
    width: u32,
    positions: u32,
    tiles: u32,
    plane: u32,
    clip_min: f32,
    clip_max: f32,
    #[comptime] planar: bool,
    #[comptime] form: Form,
    #[define(F)] _stored: ElemType,
) {
    let quads = width.div_ceil(4u32);
    let n_chunks = n_examples.div_ceil(examples_per_unit);
    let unit = ABSOLUTE_POS as u32;
    if unit < n_members * n_chunks * tiles * quads {
        let place = place(unit, tiles, quads, planar);
        let quad = place.quad;
        let member = place.row / n_chunks;
        let first = place.row % n_chunks * examples_per_unit;
        let end = (first + examples_per_unit).min(n_examples);
        let mut lanes = Lanes::new(location, scale, member, quad, width, form);
        for example in first..end {
            let words =
                philox_block(quad, first_example + example, first_member + member, step, key_0, key_1);
            let noise = noise_of(words, comptime!(form.kind));
            let row = (member * n_examples + example) * positions;
            #[unroll]
            for lane in 0..4usize {
                let index = quad * 4u32 + lane as u32;
                if index < width {
                    let factor = lanes.draw(lane, noise[lane], clip_min, clip_max, form);
                    let mut received = 0.0f32;
                    for turn in 0..positions.div_ceil(tiles) {
                        let position = place.tile + turn * tiles;
                        if position < positions {
                            let at = address(row + position, index, width, plane, planar);
                            let gradient = f32::cast_from(d_out[at]);
                            d_x[at] = F::cast_from(gradient * factor.value);
                            received += gradient * f32::cast_from(x[at]);
                        }
                    }
                    lanes.receive(lane, factor, noise[lane], received);
                }
            }
        }
        lanes.store(scale, d_location, d_scale, member, place.row * tiles + place.tile, quad, width, form);
    }
}
