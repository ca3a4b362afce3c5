//! One factor entry from its location, its scale and its noise on the device, with what its gradients need.

use cubecl::prelude::*;

use super::elementary::{is_nan, sigmoid, softplus};
use crate::draw::{Family, Form, ScaleParameter};

const FLOOR: f32 = ScaleParameter::FLOOR;

/// A drawn entry.
#[derive(CubeType, Clone, Copy)]
pub(crate) struct Drawn {
    /// The factor, cut to the bounds; NaN passes through.
    pub(crate) value: f32,
    /// Its derivative in `location + scale * noise`, as if nothing were cut.
    pub(crate) d_sum: f32,
    /// Whether the derivative passes the clip: inside the bounds, on them, and for NaN.
    pub(crate) passes: bool,
}

/// The drawn factor of a positive scale.
#[cube]
pub(crate) fn drawn(
    location: f32,
    scale: f32,
    noise: f32,
    clip_min: f32,
    clip_max: f32,
    #[comptime] form: Form,
) -> Drawn {
    let sum = location + scale * noise;
    let value = match comptime!(form.family) {
        Family::LocationScale => sum,
        Family::LogNormal => select(is_nan(sum), sum, sum.exp()),
    };
    let d_sum = match comptime!(form.family) {
        Family::LocationScale => 1.0f32,
        Family::LogNormal => value,
    };
    if comptime!(form.clipped) {
        let below = value < clip_min;
        let above = value > clip_max;
        let nan = is_nan(value);
        let cut = select(below, clip_min, select(above, clip_max, value));
        Drawn { value: select(nan, value, cut), d_sum, passes: nan || !(below || above) }
    } else {
        Drawn { value, d_sum, passes: true }
    }
}

/// The drawn factor of a scale parameter.
#[cube]
pub(crate) fn factor(
    location: f32,
    parameter: f32,
    noise: f32,
    clip_min: f32,
    clip_max: f32,
    #[comptime] form: Form,
) -> f32 {
    let scale = positive_scale(parameter, comptime!(form.scale));
    drawn(location, scale, noise, clip_min, clip_max, form).value
}

/// The positive scale of a parameter.
#[cube]
pub(crate) fn positive_scale(parameter: f32, #[comptime] kind: ScaleParameter) -> f32 {
    match comptime!(kind) {
        ScaleParameter::Positive => parameter,
        ScaleParameter::Softplus => softplus(parameter) + FLOOR,
    }
}

/// Derivative of [`positive_scale`].
#[cube]
pub(crate) fn scale_slope(parameter: f32, #[comptime] kind: ScaleParameter) -> f32 {
    match comptime!(kind) {
        ScaleParameter::Positive => 1.0f32,
        ScaleParameter::Softplus => sigmoid(parameter),
    }
}
