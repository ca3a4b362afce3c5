//! Blurs: defocus, glass, motion, zoom and Gaussian.
//!
//! Not for blur as a step of another corruption; the kernels are in the filter module.

use super::draws::{Draws, Purpose};
use super::filter::{Edge, Tap, clipped_zoom, correlate, gaussian, gaussian_weights, separable, streak};
use super::parameters::{Glass, Zooms};
use super::pixels::Pixels;

/// Where the published scripts cut Gaussian kernels off, in standard deviations.
pub(super) const CUTOFF: f32 = 4.0;

pub(super) fn gaussian_blur(image: &Pixels, sigma: f32) -> Pixels {
    gaussian(image, sigma, CUTOFF, Edge::Nearest)
}

pub(super) fn defocus_blur(image: &Pixels, (radius, softness): (f32, f32)) -> Pixels {
    correlate(image, &disk(radius, softness), Edge::Mirror)
}

/// Equal weights on a disk whose edge is softened by a small Gaussian kernel.
///
/// The softening mirrors at the border of the window, as published: disks of radius 8 and 10 fill it and brighten by 1 %.
fn disk(radius: f32, softness: f32) -> Vec<Tap> {
    let (reach, softening) = if radius <= 8.0 { (8, 1) } else { (radius as i64, 2) };
    let inside = |y: i64, x: i64| if (y * y + x * x) as f32 <= radius * radius { 1.0 } else { 0.0 };
    let side = 2 * reach as usize + 1;
    let place = |i: usize| ((i / side) as i64 - reach, (i % side) as i64 - reach);
    let mask: Vec<f32> = (0..side * side).map(|i| inside(place(i).0, place(i).1)).collect();
    let area: f32 = mask.iter().sum();
    let even = Pixels::layer(side, side, mask.iter().map(|value| value / area).collect());
    let soft = separable(&even, &gaussian_weights(softness, softening), Edge::Mirror);
    let tap = |(i, &weight)| Tap { dy: place(i).0, dx: place(i).1, weight };
    soft.values.iter().enumerate().filter(|(_, weight)| **weight > 0.0).map(tap).collect()
}

/// A blur, then every pixel takes the value of a random neighbor, in place, then the blur again.
///
/// A neighbor keeps its own value: the published script means to swap the two, but assigns through views of one array.
pub(super) fn glass_blur(image: &Pixels, glass: &Glass, draws: Draws) -> Pixels {
    let &Glass { sigma, reach, rounds } = glass;
    let (height, width, channels) = (image.height, image.width, image.channels);
    let mut bytes = gaussian_blur(image, sigma).truncated();
    let side = 2 * reach;
    for round in 0..rounds {
        let moves = draws.uniform(Purpose::Further(round as u32), 2 * height * width);
        let offset = |u: f32| ((u * side as f32) as usize).min(side - 1);
        for y in (reach + 1..=height.saturating_sub(reach)).rev() {
            for x in (reach + 1..=width.saturating_sub(reach)).rev() {
                let at = y * width + x;
                let (from_y, from_x) =
                    (y + offset(moves[2 * at]) - reach, x + offset(moves[2 * at + 1]) - reach);
                let from = (from_y * width + from_x) * channels;
                bytes.copy_within(from..from + channels, at * channels);
            }
        }
    }
    gaussian_blur(&Pixels::from_bytes(&bytes, height, width, channels), sigma)
}

pub(super) fn motion_blur(image: &Pixels, (radius, sigma): (usize, f32), draws: Draws) -> Pixels {
    let degrees = draws.between(Purpose::Angle, -45.0, 45.0);
    correlate(image, &streak(radius, sigma, degrees), Edge::Nearest)
}

/// The mean of the image and of its magnifications, the first of which is the image itself once more.
pub(super) fn zoom_blur(image: &Pixels, zooms: &Zooms) -> Pixels {
    let factors = zoom_factors(zooms);
    let mut sum = image.values.clone();
    for &factor in &factors {
        for (sum, value) in sum.iter_mut().zip(clipped_zoom(image, factor).values) {
            *sum += value;
        }
    }
    let scale = 1.0 / (factors.len() + 1) as f32;
    image.with(sum.into_iter().map(|value| value * scale).collect())
}

/// Magnifications from 1 in equal steps; as many as the rounded-up quotient in double precision, which at some
/// severities takes in the end.
fn zoom_factors(zooms: &Zooms) -> Vec<f64> {
    let count = ((zooms.end - 1.0) / zooms.step).ceil() as usize;
    (0..count).map(|i| 1.0 + i as f64 * zooms.step).collect()
}

#[cfg(test)]
mod tests {
    use super::super::parameters::Table;
    use super::*;

    #[test]
    fn the_number_of_magnifications_is_that_of_the_published_ranges() {
        let counts =
            |side| Table::for_size(side, side).zoom.each_ref().map(|zooms| zoom_factors(zooms).len());
        assert_eq!(counts(32), [7, 12, 16, 21, 26]);
        assert_eq!(counts(224), [12, 16, 11, 13, 11]);
    }

    #[test]
    fn a_small_disk_is_a_softened_point_and_only_disks_that_fill_their_window_exceed_one() {
        for side in [32, 224] {
            for &(radius, softness) in &Table::for_size(side, side).defocus {
                let excess = disk(radius, softness).iter().map(|tap| tap.weight).sum::<f32>() - 1.0;
                let fills = radius >= 8.0;
                assert!(excess.abs() < 1e-4 || (fills && excess < 0.02), "radius {radius}: {excess}");
            }
        }
        assert_eq!(disk(0.3, 0.4).len(), 9);
    }

    #[test]
    fn glass_moves_no_pixel_farther_than_its_reach_per_round() {
        // A ramp along x: a pixel's new value tells where it came from; the tiny blur changes nothing.
        let ramp: Vec<u8> = (0..7 * 23).map(|i| (i % 23 * 10) as u8).collect();
        let glass = Glass { sigma: 0.05, reach: 2, rounds: 1 };
        let corruption = super::super::Corruption::new(super::super::CorruptionKind::GlassBlur, 1);
        let draws =
            Draws::new(corruption.expect("severity 1 exists"), super::super::ImageKey { seed: 3, index: 5 });
        let moved = glass_blur(&Pixels::from_bytes(&ramp, 7, 23, 1), &glass, draws).truncated();
        assert_ne!(moved, ramp);
        let farthest = moved.iter().zip(&ramp).map(|(a, b)| a.abs_diff(*b)).max();
        assert_eq!(farthest, Some(20));
    }
}
