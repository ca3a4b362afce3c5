//! Weighted sums over neighborhoods: Gaussian and box kernels, streaks, and enlargement about the center.
//!
//! Not for random numbers; every function here is determined by its arguments.

use super::pixels::Pixels;

/// What lies beyond the border of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edge {
    /// The border pixel repeated.
    Nearest,
    /// Mirrored between pixels, the border pixel twice: `c b a | a b c`.
    Reflect,
    /// Mirrored at the border pixel: `c b | a b c`.
    Mirror,
}

impl Edge {
    /// The position inside `0..size` that stands for any position.
    pub(super) fn index(self, position: i64, size: usize) -> usize {
        let size = size as i64;
        let folded = match self {
            Self::Nearest => position.clamp(0, size - 1),
            Self::Reflect => {
                let place = position.rem_euclid(2 * size);
                place.min(2 * size - 1 - place)
            }
            Self::Mirror if size == 1 => 0,
            Self::Mirror => {
                let place = position.rem_euclid(2 * size - 2);
                place.min(2 * size - 2 - place)
            }
        };
        folded as usize
    }
}

/// One weight of a kernel, at an offset from the pixel that is computed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Tap {
    pub(super) dy: i64,
    pub(super) dx: i64,
    pub(super) weight: f32,
}

/// The sum of `weight` times the value at the offset, over all taps, for every value of the image.
pub(super) fn correlate(image: &Pixels, taps: &[Tap], edge: Edge) -> Pixels {
    let reach = |offset: fn(&Tap) -> i64| taps.iter().map(|tap| offset(tap).abs()).max().unwrap_or(0);
    let (reach_y, reach_x) = (reach(|tap| tap.dy), reach(|tap| tap.dx));
    let (channels, row_length) = (image.channels, image.width * image.channels);
    let padded_length = row_length + 2 * reach_x as usize * channels;
    let mut padded = Vec::with_capacity(padded_length * (image.height + 2 * reach_y as usize));
    for y in -reach_y..image.height as i64 + reach_y {
        let row = &image.values[edge.index(y, image.height) * row_length..][..row_length];
        let pixel = |x: i64| &row[edge.index(x, image.width) * channels..][..channels];
        (-reach_x..0).for_each(|x| padded.extend_from_slice(pixel(x)));
        padded.extend_from_slice(row);
        let width = image.width as i64;
        (width..width + reach_x).for_each(|x| padded.extend_from_slice(pixel(x)));
    }
    let mut out = vec![0.0; image.values.len()];
    for (y, out_row) in out.chunks_exact_mut(row_length).enumerate() {
        for tap in taps {
            let row = (y as i64 + reach_y + tap.dy) as usize * padded_length;
            let from = &padded[row + (reach_x + tap.dx) as usize * channels..][..row_length];
            for (sum, value) in out_row.iter_mut().zip(from) {
                *sum += tap.weight * value;
            }
        }
    }
    image.with(out)
}

/// Gaussian weights at offsets `-radius..=radius`, summing to 1.
pub(super) fn gaussian_weights(sigma: f32, radius: usize) -> Vec<f32> {
    if radius == 0 {
        return vec![1.0];
    }
    let weight = |offset: usize| {
        let distance = (offset as f32 - radius as f32) / sigma;
        (-0.5 * distance * distance).exp()
    };
    let weights: Vec<f32> = (0..=2 * radius).map(weight).collect();
    let sum: f32 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}

/// The same weights along both axes, one after the other.
pub(super) fn separable(image: &Pixels, weights: &[f32], edge: Edge) -> Pixels {
    if let [only] = weights {
        return image.with(image.values.iter().map(|value| value * only * only).collect());
    }
    let offset = |i: usize| i as i64 - (weights.len() / 2) as i64;
    let along = |place: fn(i64, f32) -> Tap| -> Vec<Tap> {
        weights.iter().enumerate().map(|(i, &weight)| place(offset(i), weight)).collect()
    };
    let columns = correlate(image, &along(|dy, weight| Tap { dy, dx: 0, weight }), edge);
    correlate(&columns, &along(|dx, weight| Tap { dy: 0, dx, weight }), edge)
}

/// Gaussian blur with the kernel cut off at `cutoff` standard deviations.
pub(super) fn gaussian(image: &Pixels, sigma: f32, cutoff: f32, edge: Edge) -> Pixels {
    separable(image, &gaussian_weights(sigma, (cutoff * sigma + 0.5) as usize), edge)
}

/// A half Gaussian from each pixel along `degrees`, at whole-pixel offsets, summing to 1.
pub(super) fn streak(radius: usize, sigma: f32, degrees: f32) -> Vec<Tap> {
    let (sin, cos) = degrees.to_radians().sin_cos();
    let weight = |i: usize| (-0.5 * (i as f32 / sigma).powi(2)).exp();
    let length = 2 * radius + 1;
    let sum: f32 = (0..length).map(weight).sum();
    (0..length)
        .map(|i| {
            let offset = |direction: f32| (i as f32 * direction - 0.5).ceil() as i64;
            Tap { dy: offset(sin), dx: offset(cos), weight: weight(i) / sum }
        })
        .collect()
}

/// For each of `size` positions, the two positions of the crop it lies between and the weight of the second.
fn zoom_places(size: usize, factor: f64) -> Vec<(usize, usize, f32)> {
    let crop = (size as f64 / factor).ceil() as usize;
    let enlarged = ((crop as f64 * factor).round_ties_even() as usize).max(size);
    let (first, trim) = ((size - crop) / 2, (enlarged - size) / 2);
    let step = if enlarged > 1 { (crop - 1) as f64 / (enlarged - 1) as f64 } else { 0.0 };
    (trim..trim + size)
        .map(|i| {
            let place = i as f64 * step;
            let below = (place as usize).min(crop - 1);
            (first + below, first + (below + 1).min(crop - 1), (place - below as f64) as f32)
        })
        .collect()
}

/// The middle of the image enlarged by `factor`, at least 1, to the size of the image, by bilinear interpolation.
pub(super) fn clipped_zoom(image: &Pixels, factor: f64) -> Pixels {
    let (rows, columns) = (zoom_places(image.height, factor), zoom_places(image.width, factor));
    let (channels, row_length) = (image.channels, image.width * image.channels);
    let mut out = Vec::with_capacity(image.values.len());
    let mut mixed = vec![0.0; row_length];
    for &(above, below, weight) in &rows {
        let (above, below) =
            (&image.values[above * row_length..][..row_length], &image.values[below * row_length..]);
        for (value, (a, b)) in mixed.iter_mut().zip(above.iter().zip(below)) {
            *value = a + weight * (b - a);
        }
        for &(left, right, weight) in &columns {
            for channel in 0..channels {
                let (a, b) = (mixed[left * channels + channel], mixed[right * channels + channel]);
                out.push(a + weight * (b - a));
            }
        }
    }
    image.with(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(height: usize, width: usize, channels: usize) -> Pixels {
        let values = (0..height * width * channels).map(|i| (i * i % 101) as f32 / 100.0).collect();
        Pixels { height, width, channels, values }
    }

    #[test]
    fn the_three_borders_fold_positions_as_named() {
        let folded = |edge: Edge| (-4..7).map(|at| edge.index(at, 3)).collect::<Vec<_>>();
        assert_eq!(folded(Edge::Nearest), [0, 0, 0, 0, 0, 1, 2, 2, 2, 2, 2]);
        assert_eq!(folded(Edge::Reflect), [2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0]);
        assert_eq!(folded(Edge::Mirror), [0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2]);
        assert_eq!(Edge::Mirror.index(-5, 1), 0);
    }

    #[test]
    fn one_tap_moves_every_channel_by_its_offset() {
        let image = ramp(3, 5, 2);
        let moved = correlate(&image, &[Tap { dy: 1, dx: -2, weight: 0.5 }], Edge::Nearest);
        for (y, x, channel) in [(0, 4, 1), (1, 2, 0), (2, 0, 1)] {
            let from = ((y + 1).min(2) * 5 + usize::saturating_sub(x, 2)) * 2 + channel;
            assert_eq!(moved.values[(y * 5 + x) * 2 + channel], 0.5 * image.values[from]);
        }
    }

    #[test]
    fn a_separable_kernel_is_its_outer_product() {
        let (image, weights) = (ramp(5, 7, 3), gaussian_weights(0.8, 2));
        let place = |i: usize| ((i / 5) as i64 - 2, (i % 5) as i64 - 2);
        let taps: Vec<Tap> = (0..25)
            .map(|i| Tap { dy: place(i).0, dx: place(i).1, weight: weights[i / 5] * weights[i % 5] })
            .collect();
        let (two, one) =
            (separable(&image, &weights, Edge::Reflect), correlate(&image, &taps, Edge::Reflect));
        assert!(two.values.iter().zip(&one.values).all(|(a, b)| (a - b).abs() < 1e-6));
    }

    #[test]
    fn kernels_sum_to_one_and_streaks_follow_their_direction() {
        assert_eq!(gaussian_weights(0.0, 0), [1.0]);
        assert!((gaussian_weights(1.7, 7).iter().sum::<f32>() - 1.0).abs() < 1e-6);
        let taps = streak(3, 2.0, -90.0);
        assert!((taps.iter().map(|tap| tap.weight).sum::<f32>() - 1.0).abs() < 1e-6);
        assert_eq!(taps.iter().map(|tap| tap.dy).collect::<Vec<_>>(), [0, -1, -2, -3, -4, -5, -6]);
        assert!(
            taps.iter().all(|tap| tap.dx == 0) && taps.windows(2).all(|pair| pair[0].weight > pair[1].weight)
        );
    }

    #[test]
    fn magnification_one_is_the_image_and_magnification_two_is_its_middle() {
        let image = ramp(5, 7, 3);
        assert_eq!(clipped_zoom(&image, 1.0), image);
        let line = Pixels::layer(1, 8, (0..8).map(|x| x as f32).collect());
        let zoomed = clipped_zoom(&line, 2.0).values;
        // Columns 2 to 5, stretched over eight columns with both ends kept.
        assert!(
            zoomed.iter().enumerate().all(|(i, value)| (value - (2.0 + 3.0 * i as f32 / 7.0)).abs() < 1e-5)
        );
    }
}
