//! Fractal height maps by the diamond-square algorithm.
//!
//! Not for their color or use; fog and frost decide that.

use super::draws::{Draws, Purpose};
use super::pixels::Pixels;

/// Amplitude at the coarsest level of the published map; only its ratio to the finer ones matters.
const FIRST_WOBBLE: f32 = 100.0;

/// A height map in `[0, 1]` of at least `height` by `width`, cut to that size from its upper left corner.
///
/// The map is periodic. Noise is uniform within the square of the wobble, which is divided by `decay` at each level:
/// the published script multiplies by it twice.
pub(super) fn plasma(height: usize, width: usize, decay: f32, draws: Draws, purpose: Purpose) -> Pixels {
    let side = height.max(width).max(2).next_power_of_two();
    let noise = draws.uniform(purpose, side * side);
    let mut map = vec![0.0_f32; side * side];
    let (mut step, mut wobble) = (side, FIRST_WOBBLE);
    while step >= 2 {
        let half = step / 2;
        let amplitude = wobble * wobble;
        let set = |map: &mut [f32], y: usize, x: usize, neighbors: [(usize, usize); 4]| {
            let sum: f32 = neighbors.iter().map(|&(y, x)| map[y % side * side + x % side]).sum();
            let at = y * side + x;
            map[at] = 0.25 * sum + amplitude * (2.0 * noise[at] - 1.0);
        };
        for y in (0..side).step_by(step) {
            for x in (0..side).step_by(step) {
                let corners = [(y, x), (y + step, x), (y, x + step), (y + step, x + step)];
                set(&mut map, y + half, x + half, corners);
            }
        }
        for y in (0..side).step_by(step) {
            for x in (0..side).step_by(step) {
                let back = side - half;
                set(
                    &mut map,
                    y,
                    x + half,
                    [(y, x), (y, x + step), (y + half, x + half), (y + back, x + half)],
                );
                set(
                    &mut map,
                    y + half,
                    x,
                    [(y, x), (y + step, x), (y + half, x + half), (y + half, x + back)],
                );
            }
        }
        (step, wobble) = (half, wobble / decay);
    }
    let least = map.iter().copied().fold(f32::INFINITY, f32::min);
    let most = map.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let range = (most - least).max(f32::MIN_POSITIVE);
    let rows = map.chunks_exact(side).take(height);
    let values = rows.flat_map(|row| &row[..width]).map(|value| (value - least) / range).collect();
    Pixels::layer(height, width, values)
}

#[cfg(test)]
mod tests {
    use super::super::{Corruption, CorruptionKind, ImageKey};
    use super::*;

    #[test]
    fn a_whole_map_spans_the_unit_interval_and_a_slower_decay_is_rougher() {
        let fog = Corruption::new(CorruptionKind::Fog, 1).expect("severity 1 exists");
        let roughness = |decay| {
            let draws = Draws::new(fog, ImageKey { seed: 2, index: 7 });
            let map = plasma(32, 32, decay, draws, Purpose::Field).values;
            let extremes = map.iter().fold((1.0_f32, 0.0_f32), |(a, b), &v| (a.min(v), b.max(v)));
            assert_eq!(extremes, (0.0, 1.0));
            map.windows(2).map(|pair| (pair[0] - pair[1]).abs()).sum::<f32>()
        };
        assert!(roughness(1.4) > roughness(1.75) && roughness(1.75) > roughness(3.0));
    }
}
