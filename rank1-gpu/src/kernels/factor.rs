//! One factor entry from its location, its scale parameter and its noise, on the device.

use cubecl::prelude::*;

use super::elementary::{is_nan, softplus};
use crate::draw::{Family, Form, ScaleParameter};

const FLOOR: f32 = ScaleParameter::FLOOR;

/// The drawn factor, cut to the bounds; NaN passes through.
#[cube]
pub(crate) fn factor(
    location: f32,
    scale: f32,
    noise: f32,
    clip_min: f32,
    clip_max: f32,
    #[comptime] form: Form,
) -> f32 {
    let scale = positive_scale(scale, comptime!(form.scale));
    let value = before_clip(location, scale, noise, comptime!(form.family));
    if comptime!(form.clipped) {
        let cut = select(value < clip_min, clip_min, select(value > clip_max, clip_max, value));
        select(is_nan(value), value, cut)
    } else {
        value
    }
}

/// The positive scale of a parameter.
#[cube]
pub(crate) fn positive_scale(parameter: f32, #[comptime] kind: ScaleParameter) -> f32 {
    match comptime!(kind) {
        ScaleParameter::Positive => parameter,
        ScaleParameter::Softplus => softplus(parameter) + FLOOR,
    }
}

#[cube]
fn before_clip(location: f32, scale: f32, noise: f32, #[comptime] family: Family) -> f32 {
    let value = location + scale * noise;
    match comptime!(family) {
        Family::LocationScale => value,
        Family::LogNormal => select(is_nan(value), value, value.exp()),
    }
}
