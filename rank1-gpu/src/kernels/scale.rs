//! Kernel of draw-and-scale: each unit draws its four factors again instead of reading them.
//!
//! Rows, images with channels last and images with channels first differ only in where an entry lies.

use cubecl::ir::ElemType;
use cubecl::prelude::*;

use super::factor::factor;
use super::noise::noise_of;
use crate::draw::Form;
use crate::philox::philox_block;

/// Which block of which row of factors a unit has, and which of its positions.
#[derive(CubeType, Clone, Copy)]
pub(crate) struct Place {
    /// Row of factors, or a chunk of them.
    pub(crate) row: u32,
    pub(crate) quad: u32,
    pub(crate) tile: u32,
}

/// Consecutive units have consecutive entries in memory: blocks of a row, or positions of a plane.
#[cube]
pub(crate) fn place(unit: u32, tiles: u32, quads: u32, #[comptime] planar: bool) -> Place {
    if comptime!(planar) {
        Place { row: unit / tiles / quads, quad: unit / tiles % quads, tile: unit % tiles }
    } else {
        Place { row: unit / quads / tiles, quad: unit % quads, tile: unit / quads % tiles }
    }
}

/// Where entry `index` at `position`, counted over all rows of factors, lies.
#[cube]
pub(crate) fn address(position: u32, index: u32, width: u32, plane: u32, #[comptime] planar: bool) -> usize {
    let at = if comptime!(planar) {
        (position / plane * width + index) * plane + position % plane
    } else {
        position * width + index
    };
    at as usize
}

/// `out[k, e, p, i] = x[k, e, p, i] * factor[k, e, i]` for every position `p` that shares the draw (k, e).
///
/// A unit has the positions `tile`, `tile + tiles` and so on. The product is f32, rounded when it is stored.
#[cube(launch_unchecked)]
pub(crate) fn scale_by_draw<F: Float>(
    x: &[F],
    location: &[f32],
    scale: &[f32],
    out: &mut [F],
    key_0: u32,
    key_1: u32,
    step: u32,
    first_example: u32,
    first_member: u32,
    n_draws: u32,
    n_examples: u32,
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
    let unit = ABSOLUTE_POS as u32;
    if unit < n_draws * tiles * quads {
        let place = place(unit, tiles, quads, planar);
        let member = place.row / n_examples;
        let words = philox_block(
            place.quad,
            first_example + place.row % n_examples,
            first_member + member,
            step,
            key_0,
            key_1,
        );
        let noise = noise_of(words, comptime!(form.kind));
        let mut factors = Array::<f32>::new(4usize);
        #[unroll]
        for lane in 0..4usize {
            let index = (place.quad * 4u32 + lane as u32).min(width - 1u32);
            let from = (member * width + index) as usize;
            factors[lane] = factor(location[from], scale[from], noise[lane], clip_min, clip_max, form);
        }
        for turn in 0..positions.div_ceil(tiles) {
            let position = place.tile + turn * tiles;
            if position < positions {
                #[unroll]
                for lane in 0..4usize {
                    let index = place.quad * 4u32 + lane as u32;
                    if index < width {
                        let at = address(place.row * positions + position, index, width, plane, planar);
                        out[at] = F::cast_from(f32::cast_from(x[at]) * factors[lane]);
                    }
                }
            }
        }
    }
}
