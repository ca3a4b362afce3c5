//! The elastic transform: a random affine map followed by a smooth random displacement.
//!
//! Not for changes of color.

use super::draws::{Draws, Purpose};
use super::filter::{Edge, gaussian};
use super::parameters::Elastic;
use super::pixels::Pixels;

/// Where the published script cuts the displacement's kernel off, in standard deviations.
const CUTOFF: f32 = 3.0;
/// Least doubled area, in square pixels, of the triangle that an affine map may come from.
const LEAST_AREA: f32 = 1e-3;

type Point = (f32, f32);

pub(super) fn elastic_transform(image: &Pixels, elastic: &Elastic, draws: Draws) -> Pixels {
    let (height, width) = (image.height, image.width);
    let affine =
        match source_of(&corners(height, width), &moved(&corners(height, width), elastic.affine, draws)) {
            Some(map) => sampled(image, Edge::Mirror, map),
            None => image.clone(),
        };
    let shift = |number| {
        let noise = draws.uniform(Purpose::Further(number), height * width);
        let noise = noise.into_iter().map(|u| 2.0 * u - 1.0).collect();
        let mut field = gaussian(&Pixels::layer(height, width, noise), elastic.sigma, CUTOFF, Edge::Reflect);
        field.values.iter_mut().for_each(|value| *value *= elastic.amplitude);
        field.values
    };
    let (dx, dy) = (shift(0), shift(1));
    sampled(&affine, Edge::Reflect, |y, x| {
        let pixel = y * width + x;
        (y as f32 + dy[pixel], x as f32 + dx[pixel])
    })
}

/// Three corners of a square about the center, as `(y, x)`; its half side is a third of the shorter side.
fn corners(height: usize, width: usize) -> [Point; 3] {
    let (y, x, half) = ((height / 2) as f32, (width / 2) as f32, (height.min(width) / 3) as f32);
    [(y + half, x + half), (y - half, x + half), (y - half, x - half)]
}

fn moved(corners: &[Point; 3], reach: f32, draws: Draws) -> [Point; 3] {
    let numbers = draws.uniform(Purpose::Corners, 6);
    let shift = |i: usize| reach * (2.0 * numbers[i] - 1.0);
    [0, 1, 2].map(|i| (corners[i].0 + shift(2 * i), corners[i].1 + shift(2 * i + 1)))
}

/// The affine map from the moved triangle back to the original one; `None` if either is too thin, as in images of a
/// few pixels.
fn source_of(original: &[Point; 3], moved: &[Point; 3]) -> Option<impl Fn(usize, usize) -> Point> {
    let sides = |[a, b, c]: &[Point; 3]| ((b.0 - a.0, b.1 - a.1), (c.0 - a.0, c.1 - a.1));
    let cross = |(first, second): (Point, Point)| first.0 * second.1 - first.1 * second.0;
    let (from, to) = (sides(original), sides(moved));
    let area = cross(to);
    if cross(from).abs() < LEAST_AREA || area.abs() < LEAST_AREA {
        return None;
    }
    let (start, origin) = (moved[0], original[0]);
    Some(move |y: usize, x: usize| {
        let offset = (y as f32 - start.0, x as f32 - start.1);
        // Coordinates of the pixel in the two sides of the moved triangle.
        let (first, second) = (cross((offset, to.1)) / area, cross((to.0, offset)) / area);
        (origin.0 + first * from.0.0 + second * from.1.0, origin.1 + first * from.0.1 + second * from.1.1)
    })
}

/// The image read at a source position for every pixel, by bilinear interpolation.
fn sampled(image: &Pixels, edge: Edge, source: impl Fn(usize, usize) -> Point) -> Pixels {
    let channels = image.channels;
    let mut values = Vec::with_capacity(image.values.len());
    for y in 0..image.height {
        for x in 0..image.width {
            let (from_y, from_x) = source(y, x);
            let (top, left) = (from_y.floor(), from_x.floor());
            let (down, right) = (from_y - top, from_x - left);
            let row = |dy| edge.index(top as i64 + dy, image.height) * image.width;
            let column = |dx| edge.index(left as i64 + dx, image.width);
            let (above, below, near, far) = (row(0), row(1), column(0), column(1));
            for channel in 0..channels {
                let at = |row: usize, column: usize| image.values[(row + column) * channels + channel];
                let upper = at(above, near) + right * (at(above, far) - at(above, near));
                let lower = at(below, near) + right * (at(below, far) - at(below, near));
                values.push(upper + down * (lower - upper));
            }
        }
    }
    image.with(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_affine_map_takes_the_moved_corners_back() {
        let (original, moved) =
            ([(9.0, 12.0), (3.0, 12.0), (3.0, 6.0)], [(8.0, 13.0), (2.0, 11.0), (4.0, 7.0)]);
        let map = source_of(&original, &moved).expect("the triangles have an area");
        for (corner, expected) in moved.iter().zip(original) {
            let got = map(corner.0 as usize, corner.1 as usize);
            assert!((got.0 - expected.0).abs() < 1e-5 && (got.1 - expected.1).abs() < 1e-5, "{got:?}");
        }
    }

    #[test]
    fn a_constant_image_stays_and_a_flat_triangle_has_no_map() {
        let image = Pixels { height: 5, width: 7, channels: 3, values: vec![0.25; 105] };
        assert_eq!(sampled(&image, Edge::Reflect, |y, x| (y as f32 - 40.3, x as f32 + 99.9)), image);
        assert!(source_of(&corners(2, 2), &[(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)]).is_none());
    }
}
