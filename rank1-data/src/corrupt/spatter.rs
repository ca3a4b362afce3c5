//! Spatter: drops of water that catch the light, or splashes of mud.
//!
//! Not for the image operations that shape the drops; see the contour module.

use super::blur::gaussian_blur;
use super::contour::{distances, edges, equalize};
use super::draws::{Draws, Purpose};
use super::filter::{Edge, Tap, correlate};
use super::parameters::Splash;
use super::pixels::{Pixels, color};

const TURQUOISE: [f32; 3] = [175.0 / 255.0, 238.0 / 255.0, 238.0 / 255.0];
const MUD: [f32; 3] = [63.0 / 255.0, 42.0 / 255.0, 20.0 / 255.0];
/// Least cover of a splash of mud.
const LEAST_MUD: f32 = 0.8;
/// Distances from the rim of a drop count up to this many pixels.
const FARTHEST: f32 = 20.0;
/// Weights of a light from the upper left, rows from the top.
const EMBOSS: [[f32; 3]; 3] = [[-2.0, -1.0, 0.0], [-1.0, 1.0, 1.0], [0.0, 1.0, 2.0]];

pub(super) fn spatter(image: &Pixels, splash: &Splash, draws: Draws) -> Pixels {
    let (height, width) = (image.height, image.width);
    let noise = draws.normal(Purpose::Field, height * width);
    let noise = noise.into_iter().map(|z| splash.mean + splash.sd * z).collect();
    let mut liquid = gaussian_blur(&Pixels::layer(height, width, noise), splash.sigma);
    for value in &mut liquid.values {
        if *value < splash.threshold {
            *value = 0.0;
        }
    }
    if splash.mud { mud(image, liquid, splash) } else { water(image, &liquid, splash) }
}

fn mud(image: &Pixels, mut cover: Pixels, splash: &Splash) -> Pixels {
    for value in &mut cover.values {
        *value = if *value > splash.threshold { 1.0 } else { 0.0 };
    }
    let mut cover = gaussian_blur(&cover, splash.strength);
    for value in &mut cover.values {
        if *value < LEAST_MUD {
            *value = 0.0;
        }
    }
    blend(image, &cover.values, MUD, |value, mud, cover| value * (1.0 - cover) + mud * cover)
}

fn water(image: &Pixels, liquid: &Pixels, splash: &Splash) -> Pixels {
    let (height, width) = (liquid.height, liquid.width);
    let liquid = liquid.truncated();
    // Whole numbers from here on, as in the published script, so layers are in units of one byte.
    let mut depth = Pixels::layer(height, width, distances(&edges(&liquid, height, width), height, width));
    depth.values.iter_mut().for_each(|value| *value = value.min(FARTHEST));
    let depth: Vec<u8> = box_mean(&depth).values.iter().map(|&value| value as u8).collect();
    let depth = Pixels::layer(height, width, equalize(&depth).into_iter().map(f32::from).collect());
    let mut relief = correlate(&depth, &emboss(), Edge::Mirror);
    relief.values.iter_mut().for_each(|value| *value = value.clamp(0.0, 255.0));
    let relief = box_mean(&relief).values.into_iter().map(f32::round);
    let mut light: Vec<f32> =
        liquid.iter().zip(relief).map(|(&liquid, relief)| f32::from(liquid) * relief).collect();
    let most = light.iter().copied().fold(0.0, f32::max);
    if most > 0.0 {
        light.iter_mut().for_each(|value| *value *= splash.strength / most);
    }
    blend(image, &light, TURQUOISE, |value, water, light| value + water * light)
}

/// Combines every value with the color of the liquid and its amount at the pixel.
fn blend(image: &Pixels, amounts: &[f32], rgb: [f32; 3], mix: impl Fn(f32, f32, f32) -> f32) -> Pixels {
    let color = color(rgb, image.channels);
    let mut out = image.clone();
    for (pixel, &amount) in out.values.chunks_exact_mut(image.channels).zip(amounts) {
        for (value, &color) in pixel.iter_mut().zip(&color) {
            *value = mix(*value, color, amount);
        }
    }
    out
}

fn emboss() -> Vec<Tap> {
    let place = |i: usize| Tap { dy: i as i64 / 3 - 1, dx: i as i64 % 3 - 1, weight: EMBOSS[i / 3][i % 3] };
    (0..9).map(place).collect()
}

fn box_mean(layer: &Pixels) -> Pixels {
    let place = |i: i64| Tap { dy: i / 3 - 1, dx: i % 3 - 1, weight: 1.0 / 9.0 };
    correlate(layer, &(0..9).map(place).collect::<Vec<_>>(), Edge::Mirror)
}
