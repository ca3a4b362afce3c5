//! The parameters of four consecutive entries of a row, and the sums of their gradients.

use cubecl::prelude::*;

use super::factor::{Drawn, drawn, positive_scale, scale_slope};
use crate::draw::Form;

/// Locations, positive scales and gradient sums of one block of a member.
#[derive(CubeType)]
pub(crate) struct Lanes {
    location: Array<f32>,
    scale: Array<f32>,
    sum_location: Array<f32>,
    sum_scale: Array<f32>,
}

#[cube]
impl Lanes {
    /// Those of entries `4 quad..` of a member, sums at zero; entries behind the row repeat the last one.
    pub(crate) fn new(
        location: &[f32],
        scale: &[f32],
        member: u32,
        quad: u32,
        width: u32,
        #[comptime] form: Form,
    ) -> Self {
        let mut lanes = Lanes {
            location: Array::<f32>::new(4usize),
            scale: Array::<f32>::new(4usize),
            sum_location: Array::<f32>::new(4usize),
            sum_scale: Array::<f32>::new(4usize),
        };
        #[unroll]
        for lane in 0..4usize {
            let from = parameter_of(member, quad, lane, width);
            lanes.location[lane] = location[from];
            lanes.scale[lane] = positive_scale(scale[from], comptime!(form.scale));
            lanes.sum_location[lane] = 0.0f32;
            lanes.sum_scale[lane] = 0.0f32;
        }
        lanes
    }

    /// The factor of one lane.
    pub(crate) fn draw(
        &self,
        #[comptime] lane: usize,
        noise: f32,
        clip_min: f32,
        clip_max: f32,
        #[comptime] form: Form,
    ) -> Drawn {
        drawn(self.location[lane], self.scale[lane], noise, clip_min, clip_max, form)
    }

    /// Adds the gradient that a factor of this lane received; none where a clip cut the factor, not even NaN.
    pub(crate) fn receive(&mut self, #[comptime] lane: usize, factor: Drawn, noise: f32, gradient: f32) {
        let d_sum = select(factor.passes, gradient * factor.d_sum, 0.0f32);
        self.sum_location[lane] += d_sum;
        self.sum_scale[lane] += select(factor.passes, d_sum * noise, 0.0f32);
    }

    /// Writes the sums to row `row` of both outputs, the second times the slope of the scale.
    pub(crate) fn store(
        &self,
        scale: &[f32],
        d_location: &mut [f32],
        d_scale: &mut [f32],
        member: u32,
        row: u32,
        quad: u32,
        width: u32,
        #[comptime] form: Form,
    ) {
        #[unroll]
        for lane in 0..4usize {
            let index = quad * 4u32 + lane as u32;
            if index < width {
                let at = (row * width + index) as usize;
                let parameter = scale[parameter_of(member, quad, lane, width)];
                d_location[at] = self.sum_location[lane];
                d_scale[at] = self.sum_scale[lane] * scale_slope(parameter, comptime!(form.scale));
            }
        }
    }
}

#[cube]
fn parameter_of(member: u32, quad: u32, #[comptime] lane: usize, width: u32) -> usize {
    let index = quad * 4u32 + lane as u32;
    (member * width + index.min(width - 1u32)) as usize
}
