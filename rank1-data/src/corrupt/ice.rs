//! Procedural ice: feathered crystals on a cloudy pane, in the role of the photographs of the published frost.
//!
//! Not those photographs, which are not ours to ship: brightness, contrast and the scale of the crystals are similar, single
//! pixels are not, and numbers on frost are comparable with published ones as a distribution only.

use std::f32::consts::PI;

use super::blur::gaussian_blur;
use super::draws::{Draws, Purpose};
use super::pixels::{Pixels, color};
use super::plasma::plasma;

/// Crystals per image, whatever its size: the published crops show the same share of a pane at both sizes.
const CRYSTALS: usize = 7;
/// Random numbers per crystal: place, direction, length, brightness, angle and spacing of the branches.
const PER_CRYSTAL: usize = 7;
/// Standard deviation of a needle's profile as a share of the longer side.
const BREADTH: f32 = 1.0 / 160.0;
const TINT: [f32; 3] = [0.90, 0.97, 1.0];

/// A pane of ice in `[0, 1]`.
pub(super) fn ice(height: usize, width: usize, channels: usize, draws: Draws) -> Pixels {
    let cloud = plasma(height, width, 1.5, draws, Purpose::Field);
    let grain = plasma(height, width, 1.15, draws, Purpose::Further(0));
    let crystals = broadened(Pixels::layer(height, width, crystals(height, width, draws)));
    let haze = draws.between(Purpose::Further(1), 0.02, 0.40);
    let tint = color(TINT, channels);
    let values = (0..height * width * channels).map(|i| {
        let (pixel, channel) = (i / channels, i % channels);
        let pane = haze + 0.65 * cloud.values[pixel] * (0.3 + 0.7 * grain.values[pixel]);
        (pane + crystals.values[pixel] * (0.5 + 0.5 * grain.values[pixel])).min(1.0) * tint[channel]
    });
    let values = values.collect();
    Pixels { height, width, channels, values }
}

/// Needles as broad as the size of the image asks for, and as bright as thin ones.
fn broadened(crystals: Pixels) -> Pixels {
    let sigma = crystals.height.max(crystals.width) as f32 * BREADTH;
    let mut broad = gaussian_blur(&crystals, sigma);
    let gain = (sigma * (2.0 * PI).sqrt()).max(1.0);
    broad.values.iter_mut().for_each(|value| *value = (*value * gain).min(1.0));
    broad
}

/// Needles with side branches on a black pane.
fn crystals(height: usize, width: usize, draws: Draws) -> Vec<f32> {
    let mut pane = Pane { height, width, values: vec![0.0; height * width] };
    let side = height.max(width) as f32;
    let numbers = draws.uniform(Purpose::Further(2), CRYSTALS * PER_CRYSTAL);
    for crystal in numbers.chunks_exact(PER_CRYSTAL) {
        let &[y, x, turn, reach, light, angle, spacing] = crystal else { continue };
        let start = (y * height as f32, x * width as f32);
        let direction = 2.0 * PI * turn;
        let length = side * (0.5 + 0.7 * reach);
        let light = 0.6 + 0.4 * light;
        pane.needle(start, direction, length, light);
        let branch_angle = PI * (0.2 + 0.13 * angle);
        let gap = (side * (0.05 + 0.05 * spacing)).max(1.0);
        for i in 1..(length / gap) as usize {
            let along = i as f32 * gap;
            let (sin, cos) = direction.sin_cos();
            let foot = (start.0 + along * sin, start.1 + along * cos);
            // Branches are shorter towards the tip.
            let branch = 0.45 * (length - along).min(0.5 * side);
            pane.needle(foot, direction + branch_angle, branch, 0.8 * light);
            pane.needle(foot, direction - branch_angle, branch, 0.8 * light);
        }
    }
    pane.values
}

struct Pane {
    height: usize,
    width: usize,
    values: Vec<f32>,
}

impl Pane {
    /// A line that fades towards its end, shared between the four pixels around each of its points.
    fn needle(&mut self, (y, x): (f32, f32), direction: f32, length: f32, light: f32) {
        let (sin, cos) = direction.sin_cos();
        for i in 0..length as usize {
            let along = i as f32;
            let (y, x) = (y + along * sin, x + along * cos);
            let light = light * (1.0 - 0.7 * along / length);
            let (top, left) = (y.floor(), x.floor());
            for (dy, dx) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                let share = (1.0 - (y - top - dy as f32).abs()) * (1.0 - (x - left - dx as f32).abs());
                let (row, column) = (top as i64 + dy, left as i64 + dx);
                let inside =
                    (0..self.height as i64).contains(&row) && (0..self.width as i64).contains(&column);
                if inside {
                    let value = &mut self.values[row as usize * self.width + column as usize];
                    *value = value.max(light * share);
                }
            }
        }
    }
}
