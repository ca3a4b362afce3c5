//! Factor draws on the host, entry by entry in `f64`.

use super::factor::{Factor, factor};
use super::{At, noise};
use crate::{Draw, DrawShape, Error};

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
        let at = At { step: draw.step, member: member as u32, example: example as u32, index: index as u32 };
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

/// Rows scaled by a draw.
///
/// # Shapes
/// `x`: `[K * batch_size, D]`, member-major; `location` and `scale`: `[K, D]`; `shape.n_examples`: `batch_size` or 1;
/// returns `[K * batch_size, D]`.
///
/// # Errors
/// [`Error::BatchMismatch`] if `shape.n_examples` is neither, otherwise as [`draw_factors`].
///
/// # Source
/// `x` times [`draw_factors`], as [`crate::launch::scale_by_draw`].
pub fn scale_by_draw(
    draw: &Draw,
    shape: DrawShape,
    batch_size: usize,
    x: &[f32],
    location: &[f32],
    scale: &[f32],
) -> Result<Vec<f64>, Error> {
    let op = "host::scale_by_draw";
    shape.check_batch(op, batch_size)?;
    shape.with_batch(batch_size).elements(op)?;
    check_length(op, "x", x, &[shape.n_members * batch_size, shape.width])?;
    let factors = draw_factors(draw, shape, location, scale)?;
    let entry = |(position, &value): (usize, &f32)| {
        let (row, index) = (position / shape.width, position % shape.width);
        let (member, example) = (row / batch_size, row % batch_size % shape.n_examples);
        f64::from(value) * factors[(member * shape.n_examples + example) * shape.width + index]
    };
    Ok(x.iter().enumerate().map(entry).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{Clip, NoiseKind};

    #[test]
    fn a_draw_shared_by_the_batch_scales_all_its_rows_alike() {
        let draw = Draw::new(NoiseKind::Normal, [1, 2], 3);
        let shape = DrawShape { n_members: 3, n_examples: 1, width: 7 };
        let (location, scale) = ([1.0; 21], [0.5; 21]);
        let factors = draw_factors(&draw, shape, &location, &scale).unwrap();
        let out = scale_by_draw(&draw, shape, 5, &[2.0; 105], &location, &scale).unwrap();
        for (row, values) in out.chunks(7).enumerate() {
            let member = row / 5;
            let expected: Vec<f64> = factors[7 * member..7 * member + 7].iter().map(|f| 2.0 * f).collect();
            assert_eq!(values, expected);
        }
    }

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
        let got = scale_by_draw(&draw, shape, 4, &[0.0; 84], &[0.0; 21], &[0.0; 21]);
        assert!(matches!(got, Err(Error::BatchMismatch { n_examples: 5, batch_size: 4, .. })));
    }
}
