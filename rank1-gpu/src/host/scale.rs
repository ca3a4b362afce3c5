//! Draw-and-scale of rows and images on the host, with its gradients.

use super::draws::{add, check_length, check_parameters, factors, zeros};
use crate::layout::Spread;
use crate::{Draw, DrawShape, Error, ImageLayout, ImageShape, ScaleGradients};

/// Rows scaled by a draw.
///
/// # Shapes
/// `x`: `[K * batch_size, D]`, member-major; `location` and `scale`: `[K, D]`; `shape.n_examples`: `batch_size` or 1;
/// returns `[K * batch_size, D]`.
///
/// # Errors
/// [`Error::BatchMismatch`] if `shape.n_examples` is neither, otherwise as [`super::draw_factors`].
///
/// # Source
/// `x` times [`super::draw_factors`], as [`crate::launch::scale_by_draw`].
pub fn scale_by_draw(
    draw: &Draw,
    shape: DrawShape,
    batch_size: usize,
    x: &[f32],
    location: &[f32],
    scale: &[f32],
) -> Result<Vec<f64>, Error> {
    let op = "host::scale_by_draw";
    forward(op, draw, shape, rows(op, shape, batch_size)?, x, location, scale)
}

/// Gradients of [`scale_by_draw`].
///
/// # Shapes
/// As [`scale_by_draw`]; `d_out` and `d_x` have the shape of `x`, the gradients of parameters are `[K, D]`.
///
/// # Errors
/// As [`scale_by_draw`].
///
/// # Source
/// As [`crate::launch::scale_by_draw_backward`].
pub fn scale_by_draw_backward(
    draw: &Draw,
    shape: DrawShape,
    batch_size: usize,
    x: &[f32],
    location: &[f32],
    scale: &[f32],
    d_out: &[f32],
) -> Result<ScaleGradients<Vec<f64>>, Error> {
    let op = "host::scale_by_draw_backward";
    backward(op, draw, shape, rows(op, shape, batch_size)?, x, location, scale, d_out)
}

/// Images scaled channel by channel by a draw.
///
/// # Shapes
/// `x`: `[K * B, C, H, W]` or `[K * B, H, W, C]`; `location` and `scale`: `[K, C]`; returns the shape of `x`.
///
/// # Errors
/// As [`scale_by_draw`].
///
/// # Source
/// As [`crate::launch::scale_images_by_draw`].
pub fn scale_images_by_draw(
    draw: &Draw,
    shape: DrawShape,
    images: ImageShape,
    x: &[f32],
    location: &[f32],
    scale: &[f32],
) -> Result<Vec<f64>, Error> {
    let op = "host::scale_images_by_draw";
    forward(op, draw, shape, Axes::new(op, shape, images)?, x, location, scale)
}

/// Gradients of [`scale_images_by_draw`].
///
/// # Shapes
/// As [`scale_images_by_draw`]; `d_out` and `d_x` have the shape of `x`, the gradients of parameters are `[K, C]`.
///
/// # Errors
/// As [`scale_images_by_draw`].
///
/// # Source
/// As [`crate::launch::scale_images_by_draw_backward`].
pub fn scale_images_by_draw_backward(
    draw: &Draw,
    shape: DrawShape,
    images: ImageShape,
    x: &[f32],
    location: &[f32],
    scale: &[f32],
    d_out: &[f32],
) -> Result<ScaleGradients<Vec<f64>>, Error> {
    let op = "host::scale_images_by_draw_backward";
    backward(op, draw, shape, Axes::new(op, shape, images)?, x, location, scale, d_out)
}

/// Rows as images of one pixel.
fn rows(op: &'static str, shape: DrawShape, batch_size: usize) -> Result<Axes, Error> {
    let shape_of_x = Spread::rows(op, shape, batch_size)?.shape().to_vec();
    let images = ImageShape { batch_size, height: 1, width: 1, layout: ImageLayout::ChannelsLast };
    Ok(Axes { shape_of_x, ..Axes::new(op, shape, images)? })
}

/// From a place in the scaled buffer back to the factor, axis by axis.
struct Axes {
    shape_of_x: Vec<usize>,
    batch_size: usize,
    pixels: usize,
    layout: ImageLayout,
}

impl Axes {
    fn new(op: &'static str, shape: DrawShape, images: ImageShape) -> Result<Self, Error> {
        let shape_of_x = Spread::images(op, shape, images)?.shape().to_vec();
        let ImageShape { batch_size, height, width, layout } = images;
        Ok(Self { shape_of_x, batch_size, pixels: height * width, layout })
    }

    fn check(&self, op: &'static str, argument: &'static str, values: &[f32]) -> Result<(), Error> {
        check_length(op, argument, values, &self.shape_of_x)
    }

    /// Position in `[K, n_examples, D]` of the factor that scales the entry at `at`.
    fn factor_at(&self, shape: DrawShape, at: usize) -> usize {
        let (image, inside) = (at / (self.pixels * shape.width), at % (self.pixels * shape.width));
        let channel = match self.layout {
            ImageLayout::ChannelsFirst => inside / self.pixels,
            ImageLayout::ChannelsLast => inside % shape.width,
        };
        let (member, example) = (image / self.batch_size, image % self.batch_size % shape.n_examples);
        (member * shape.n_examples + example) * shape.width + channel
    }
}

fn forward(
    op: &'static str,
    draw: &Draw,
    shape: DrawShape,
    axes: Axes,
    x: &[f32],
    location: &[f32],
    scale: &[f32],
) -> Result<Vec<f64>, Error> {
    axes.check(op, "x", x)?;
    check_parameters(op, shape, location, scale)?;
    let factors: Vec<_> = factors(draw, shape, location, scale).collect();
    let scaled = |(at, &x): (usize, &f32)| f64::from(x) * factors[axes.factor_at(shape, at)].value;
    Ok(x.iter().enumerate().map(scaled).collect())
}

fn backward(
    op: &'static str,
    draw: &Draw,
    shape: DrawShape,
    axes: Axes,
    x: &[f32],
    location: &[f32],
    scale: &[f32],
    d_out: &[f32],
) -> Result<ScaleGradients<Vec<f64>>, Error> {
    axes.check(op, "x", x)?;
    axes.check(op, "d_out", d_out)?;
    check_parameters(op, shape, location, scale)?;
    let factors: Vec<_> = factors(draw, shape, location, scale).collect();
    let mut parameters = zeros(shape);
    let mut d_x = Vec::with_capacity(x.len());
    for (at, (&x, &d_out)) in x.iter().zip(d_out).enumerate() {
        let position = axes.factor_at(shape, at);
        let (factor, d_out) = (factors[position], f64::from(d_out));
        d_x.push(d_out * factor.value);
        add(&mut parameters, shape, position, factor.backward(d_out * f64::from(x)));
    }
    Ok(ScaleGradients { d_x, parameters })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::host::draw_factors;
    use crate::{Clip, NoiseKind, ScaleParameter};

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
    fn images_in_either_order_are_scaled_alike() {
        let draw = Draw::new(NoiseKind::Normal, [1, 2], 3);
        let shape = DrawShape { n_members: 2, n_examples: 3, width: 5 };
        let images = ImageShape { batch_size: 3, height: 2, width: 7, layout: ImageLayout::ChannelsLast };
        let first = ImageShape { layout: ImageLayout::ChannelsFirst, ..images };
        let (location, scale) = ([1.0; 10], [0.5; 10]);
        let last: Vec<f32> = (0..420).map(|i| i as f32).collect();
        // From (image, pixel, channel) to (image, channel, pixel).
        let to = |at: usize| (at / 70 * 5 + at % 5) * 14 + at % 70 / 5;
        let mut planar = vec![0.0; 420];
        (0..420).for_each(|at| planar[to(at)] = last[at]);
        let out_last = scale_images_by_draw(&draw, shape, images, &last, &location, &scale).unwrap();
        let out_first = scale_images_by_draw(&draw, shape, first, &planar, &location, &scale).unwrap();
        assert!((0..420).all(|at| out_first[to(at)].to_bits() == out_last[at].to_bits()));
        // Channel 1 at two pixels, and channel 2.
        let factor = |at: usize| out_last[at] / f64::from(last[at]);
        assert!((factor(1) - factor(6)).abs() < 1e-12 && (factor(1) - factor(2)).abs() > 1e-3);
    }

    /// Along a direction in which everything moves: inputs, locations and scales.
    #[test]
    fn gradients_equal_central_differences_of_the_scaled_entries() {
        let draw = Draw {
            scale: ScaleParameter::Softplus,
            clip: Clip::new(-6.0, 6.0).ok(),
            ..Draw::new(NoiseKind::Normal, [1, 2], 3)
        };
        let images = ImageShape { batch_size: 3, height: 2, width: 2, layout: ImageLayout::ChannelsFirst };
        for n_examples in [1, 3] {
            let shape = DrawShape { n_members: 2, n_examples, width: 5 };
            let waves = |n: usize, pace: f32| -> Vec<f32> {
                // Rounded to 2^-8, so that moving them by 2^-9 is exact.
                (0..n).map(|i| ((pace * i as f32).sin() * 256.0).round() / 256.0).collect()
            };
            let (x, location, scale, d_out) =
                (waves(120, 0.7), waves(10, 0.9), waves(10, 1.3), waves(120, 2.1));
            let got =
                scale_images_by_draw_backward(&draw, shape, images, &x, &location, &scale, &d_out).unwrap();
            let h = 2f32.powi(-9);
            let signs = |n: usize| (0..n).map(|i| if i % 3 == 0 { 1.0_f32 } else { -1.0 });
            let loss = |h: f32| -> f64 {
                let moved = |values: &[f32]| -> Vec<f32> {
                    values.iter().zip(signs(values.len())).map(|(v, sign)| v + h * sign).collect()
                };
                let (x, location, scale) = (moved(&x), moved(&location), moved(&scale));
                let out = scale_images_by_draw(&draw, shape, images, &x, &location, &scale).unwrap();
                out.iter().zip(&d_out).map(|(out, d)| out * f64::from(*d)).sum()
            };
            let numeric = (loss(h) - loss(-h)) / (2.0 * f64::from(h));
            let along = |gradient: &[f64]| -> f64 {
                gradient.iter().zip(signs(gradient.len())).map(|(g, sign)| g * f64::from(sign)).sum()
            };
            let parts = [along(&got.d_x), along(&got.parameters.d_location), along(&got.parameters.d_scale)];
            assert!(parts.iter().all(|part| part.abs() > 0.1), "a direction that moves nothing: {parts:?}");
            let exact: f64 = parts.iter().sum();
            assert!((exact - numeric).abs() < 1e-4 * (1.0 + numeric.abs()), "{exact} {numeric}");
        }
    }

    #[test]
    fn wrong_batches_and_lengths_are_refused_by_name() {
        let draw = Draw::new(NoiseKind::Normal, [0, 0], 0);
        let shape = DrawShape { n_members: 3, n_examples: 5, width: 7 };
        let got = scale_by_draw(&draw, shape, 4, &[0.0; 84], &[0.0; 21], &[0.0; 21]);
        assert!(matches!(got, Err(Error::BatchMismatch { n_examples: 5, batch_size: 4, .. })));
        let (x, right) = ([0.0; 105], [0.0; 21]);
        let got = scale_by_draw_backward(&draw, shape, 5, &x, &right, &right, &[0.0; 104]);
        assert!(matches!(got, Err(Error::ShapeMismatch { argument: "d_out", got: 104, .. })));
    }
}
