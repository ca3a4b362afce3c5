//! Factor draws on the host, entry by entry in `f64`.

use super::factor::{Factor, factor};
use super::{At, noise};
use crate::{Draw, DrawShape, Error, ParameterGradients};

/// All factors of a draw.
///
/// # Shapes
/// `location` and `scale`: `[K, D]`; returns `[K, n_examples, D]`.
///
/// # Errors
/// [`Error::ShapeMismatch`], [`Error::Empty`] or [`Error::OverLimit`] if the lengths do not fit `shape`.
///
/// # Source
/// As [`crate::launch::draw_factors`]; `softplus(raw) + 1e-7` is the constraint of the reference code.
pub fn draw_factors(
    draw: &Draw,
    shape: DrawShape,
    location: &[f32],
    scale: &[f32],
) -> Result<Vec<f64>, Error> {
    let op = "host::draw_factors";
    shape.elements(op)?;
    check_parameters(op, shape, location, scale)?;
    Ok(factors(draw, shape, location, scale).map(|factor| factor.value).collect())
}

/// Gradients of locations and scale parameters from those of all factors.
///
/// # Shapes
/// `location` and `scale`: `[K, D]`; `d_factors`: `[K, n_examples, D]`; returns `[K, D]` twice.
///
/// # Errors
/// As [`draw_factors`]; `d_factors` is named too.
///
/// # Source
/// As [`crate::launch::draw_factors_backward`].
pub fn draw_factors_backward(
    draw: &Draw,
    shape: DrawShape,
    location: &[f32],
    scale: &[f32],
    d_factors: &[f32],
) -> Result<ParameterGradients<Vec<f64>>, Error> {
    let op = "host::draw_factors_backward";
    let DrawShape { n_members, n_examples, width } = shape;
    shape.elements(op)?;
    check_parameters(op, shape, location, scale)?;
    check_length(op, "d_factors", d_factors, &[n_members, n_examples, width])?;
    let mut sums = zeros(shape);
    for (position, factor) in factors(draw, shape, location, scale).enumerate() {
        add(&mut sums, shape, position, factor.backward(f64::from(d_factors[position])));
    }
    Ok(sums)
}

pub(super) fn zeros(shape: DrawShape) -> ParameterGradients<Vec<f64>> {
    let zeros = vec![0.0; shape.n_members * shape.width];
    ParameterGradients { d_location: zeros.clone(), d_scale: zeros }
}

/// Adds what the factor at `position` of `[K, n_examples, D]` passes on.
pub(super) fn add(
    sums: &mut ParameterGradients<Vec<f64>>,
    shape: DrawShape,
    position: usize,
    [d_location, d_scale]: [f64; 2],
) {
    let to = position / shape.width / shape.n_examples * shape.width + position % shape.width;
    sums.d_location[to] += d_location;
    sums.d_scale[to] += d_scale;
}

/// Every factor with its derivatives, in the order of `[K, n_examples, D]`.
pub(super) fn factors<'a>(
    draw: &'a Draw,
    shape: DrawShape,
    location: &'a [f32],
    scale: &'a [f32],
) -> impl Iterator<Item = Factor> + 'a {
    let DrawShape { n_members, n_examples, width } = shape;
    (0..n_members * n_examples * width).map(move |position| {
        let (row, index) = (position / width, position % width);
        let (member, example) = (row / n_examples, row % n_examples);
        let example = draw.first_example.wrapping_add(example as u32);
        let place = draw.first_member.wrapping_add(member as u32);
        let at = At { step: draw.step, member: place, example, index: index as u32 };
        let from = member * width + index;
        let noise = noise(draw.kind, draw.key, at);
        factor(draw, f64::from(location[from]), f64::from(scale[from]), noise)
    })
}

pub(super) fn check_parameters(
    op: &'static str,
    shape: DrawShape,
    location: &[f32],
    scale: &[f32],
) -> Result<(), Error> {
    let expected = [shape.n_members, shape.width];
    check_length(op, "location", location, &expected)?;
    check_length(op, "scale", scale, &expected)
}

pub(super) fn check_length(
    op: &'static str,
    argument: &'static str,
    values: &[f32],
    expected: &[usize],
) -> Result<(), Error> {
    if values.len() == expected.iter().product::<usize>() {
        return Ok(());
    }
    Err(Error::ShapeMismatch { op, argument, expected: expected.to_vec(), got: values.len() })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{Clip, Family, NoiseKind, ScaleParameter};

    #[test]
    fn a_clip_bounds_the_factor_and_not_the_noise() {
        let clip = Some(Clip::new(0.9, 1.1).unwrap());
        let draw = Draw { clip, ..Draw::new(NoiseKind::Cauchy, [1, 2], 0) };
        let shape = DrawShape { n_members: 1, n_examples: 1, width: 101 };
        let factors = draw_factors(&draw, shape, &[1.0; 101], &[1.0; 101]).unwrap();
        assert!(factors.iter().all(|f| (f64::from(0.9_f32)..=f64::from(1.1_f32)).contains(f)));
        assert!(factors.contains(&f64::from(0.9_f32)) && factors.contains(&f64::from(1.1_f32)));
    }

    #[test]
    fn wrong_lengths_are_refused_by_name() {
        let draw = Draw::new(NoiseKind::Normal, [0, 0], 0);
        let shape = DrawShape { n_members: 3, n_examples: 5, width: 7 };
        let got = draw_factors(&draw, shape, &[0.0; 21], &[0.0; 20]);
        assert!(matches!(got, Err(Error::ShapeMismatch { argument: "scale", got: 20, .. })));
        let got = draw_factors_backward(&draw, shape, &[0.0; 21], &[0.0; 21], &[0.0; 104]);
        assert!(matches!(got, Err(Error::ShapeMismatch { argument: "d_factors", got: 104, .. })));
    }

    #[test]
    fn gradients_equal_central_differences_of_the_draw() {
        let shape = DrawShape { n_members: 2, n_examples: 5, width: 3 };
        let d_factors: Vec<f32> = (0..30).map(|i| (0.9 * i as f32).sin()).collect();
        for family in [Family::LocationScale, Family::LogNormal] {
            let draw = Draw {
                family,
                scale: ScaleParameter::Softplus,
                clip: Clip::new(-8.0, 8.0).ok(),
                ..Draw::new(NoiseKind::Normal, [1, 2], 3)
            };
            let (location, scale) = ([1.0, 0.5, -0.25, 0.75, 1.5, 0.0], [0.5, -1.0, -2.0, 0.25, 1.0, -0.5]);
            let got = draw_factors_backward(&draw, shape, &location, &scale, &d_factors).unwrap();
            let loss = |location: &[f32], scale: &[f32]| {
                let factors = draw_factors(&draw, shape, location, scale).unwrap();
                factors.iter().zip(&d_factors).map(|(f, d)| f * f64::from(*d)).sum::<f64>()
            };
            // A power of two, so that parameters move by exactly that much.
            let h = 2f32.powi(-9);
            for i in 0..6 {
                let moved = |values: [f32; 6], by: f32| {
                    let mut values = values;
                    values[i] += by;
                    values
                };
                let rise = |plus: f64, minus: f64| (plus - minus) / (2.0 * f64::from(h));
                let d_location = rise(loss(&moved(location, h), &scale), loss(&moved(location, -h), &scale));
                let d_scale = rise(loss(&location, &moved(scale, h)), loss(&location, &moved(scale, -h)));
                for (got, numeric) in [(got.d_location[i], d_location), (got.d_scale[i], d_scale)] {
                    assert!(
                        (got - numeric).abs() < 1e-4 * (1.0 + numeric.abs()),
                        "{family:?}: {got} {numeric}"
                    );
                }
            }
        }
    }
}
