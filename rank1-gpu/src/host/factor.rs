//! One factor entry on the host: its value and its derivatives in location and scale parameter, the noise held fixed.

use crate::{Draw, Family, ScaleParameter};

/// A factor entry with its derivatives, both 0 where a clip cut the entry.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Factor {
    pub(super) value: f64,
    pub(super) d_location: f64,
    pub(super) d_scale: f64,
    /// Whether a gradient passes: not where a clip cut the entry, and then not even NaN.
    pub(super) passes: bool,
}

impl Factor {
    /// The gradients in location and scale parameter from that of the factor.
    pub(super) fn backward(&self, gradient: f64) -> [f64; 2] {
        if self.passes { [gradient * self.d_location, gradient * self.d_scale] } else { [0.0; 2] }
    }
}

pub(super) fn factor(draw: &Draw, location: f64, parameter: f64, noise: f64) -> Factor {
    let (scale, slope) = positive_scale(draw.scale, parameter);
    let sum = location + scale * noise;
    let (value, d_sum) = match draw.family {
        Family::LocationScale => (sum, 1.0),
        Family::LogNormal => (sum.exp(), sum.exp()),
    };
    let (min, max) = draw
        .clip
        .map_or((f64::NEG_INFINITY, f64::INFINITY), |clip| (f64::from(clip.min()), f64::from(clip.max())));
    if value < min || value > max {
        let value = if value < min { min } else { max };
        return Factor { value, d_location: 0.0, d_scale: 0.0, passes: false };
    }
    Factor { value, d_location: d_sum, d_scale: d_sum * noise * slope, passes: true }
}

/// The positive scale of a parameter and its derivative.
pub(super) fn positive_scale(kind: ScaleParameter, parameter: f64) -> (f64, f64) {
    match kind {
        ScaleParameter::Positive => (parameter, 1.0),
        ScaleParameter::Softplus => {
            let e = (-parameter.abs()).exp();
            let positive = if parameter < 0.0 { 0.0 } else { parameter };
            let slope = if parameter < 0.0 { e / (1.0 + e) } else { 1.0 / (1.0 + e) };
            (positive + e.ln_1p() + f64::from(ScaleParameter::FLOOR), slope)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Clip, NoiseKind};

    fn draw(family: Family, scale: ScaleParameter, clip: Option<Clip>) -> Draw {
        Draw { family, scale, clip, ..Draw::new(NoiseKind::Normal, [0, 0], 0) }
    }

    #[test]
    fn derivatives_equal_central_differences() {
        for family in [Family::LocationScale, Family::LogNormal] {
            for scale in [ScaleParameter::Positive, ScaleParameter::Softplus] {
                let draw = draw(family, scale, None);
                for (location, parameter, noise) in [(1.0, 0.3, -0.7), (-0.5, 1.5, 2.0), (0.1, 0.01, 0.0)] {
                    let h = 1e-5;
                    let value = |l: f64, p: f64| factor(&draw, l, p, noise).value;
                    let got = factor(&draw, location, parameter, noise);
                    let d_location =
                        (value(location + h, parameter) - value(location - h, parameter)) / (2.0 * h);
                    let d_scale =
                        (value(location, parameter + h) - value(location, parameter - h)) / (2.0 * h);
                    assert!(
                        (got.d_location - d_location).abs() < 1e-7 * (1.0 + d_location.abs()),
                        "{draw:?}"
                    );
                    assert!((got.d_scale - d_scale).abs() < 1e-7 * (1.0 + d_scale.abs()), "{draw:?}");
                }
            }
        }
    }

    /// Values of the constraint of the priors crate, whose meaning this is: `softplus(raw) + 1e-7`.
    #[test]
    fn a_raw_scale_is_the_floored_softplus() {
        for (raw, scale) in
            [(-40.0, 1.0000000000424836e-07), (-3.4386, 0.03160497006825658), (20.0, 20.000000102061154)]
        {
            let got = positive_scale(ScaleParameter::Softplus, raw).0;
            // The floor is the `f32` nearest to 1e-7, which differs in the ninth digit.
            assert!((got - scale).abs() < 1e-14 + 1e-9 * scale, "{raw}: {got} {scale}");
        }
        for raw in [-800.0, 800.0] {
            assert!(positive_scale(ScaleParameter::Softplus, raw).0.is_finite());
        }
        assert!(positive_scale(ScaleParameter::Softplus, f64::NAN).0.is_nan());
    }

    #[test]
    fn a_cut_entry_has_no_gradient_and_one_on_the_bound_has() {
        let bounds = Clip::new(0.0, 2.0).ok();
        let draw = draw(Family::LocationScale, ScaleParameter::Positive, bounds);
        let gradients = |noise: f64, gradient: f64| {
            let factor = factor(&draw, 1.0, 1.0, noise);
            (factor.value, factor.backward(gradient))
        };
        assert_eq!(gradients(1.5, 3.0), (2.0, [0.0, 0.0]));
        assert_eq!(gradients(-1.5, f64::NAN), (0.0, [0.0, 0.0]));
        assert_eq!(gradients(1.0, 3.0), (2.0, [3.0, 3.0]));
        assert!(factor(&draw, f64::NAN, 1.0, 1.0).value.is_nan());
    }
}
