//! Weather: snow, frost and fog.
//!
//! Not for spatter, whose drops need edges and distances.

use super::draws::{Draws, Purpose};
use super::filter::{Edge, clipped_zoom, correlate, streak};
use super::ice::ice;
use super::parameters::Snowfall;
use super::pixels::Pixels;
use super::plasma::plasma;

/// Flakes of thresholded, enlarged noise, blurred along the fall, once upright and once upside down, over a whitened image.
pub(super) fn snow(image: &Pixels, snowfall: &Snowfall, draws: Draws) -> Pixels {
    let (height, width) = (image.height, image.width);
    let noise = draws.normal(Purpose::Field, height * width);
    let noise = noise.into_iter().map(|z| snowfall.mean + snowfall.sd * z).collect();
    let mut flakes = clipped_zoom(&Pixels::layer(height, width, noise), snowfall.zoom);
    for flake in &mut flakes.values {
        if *flake < snowfall.least {
            *flake = 0.0;
        }
    }
    let flakes = Pixels::from_bytes(&flakes.truncated(), height, width, 1);
    let degrees = draws.between(Purpose::Angle, -135.0, -45.0);
    let falling =
        correlate(&flakes, &streak(snowfall.radius, snowfall.sigma, degrees), Edge::Nearest).rounded();
    let layer = falling.iter().zip(falling.iter().rev());
    let layer: Vec<f32> = layer.map(|(&up, &down)| (f32::from(up) + f32::from(down)) / 255.0).collect();
    over_pixels(image, |pixel, channel, luma| {
        let value = image.values[pixel * image.channels + channel];
        let white = value.max(1.5 * luma[pixel] + 0.5);
        snowfall.keep * value + (1.0 - snowfall.keep) * white + layer[pixel]
    })
}

/// Image and ice, weighted and added.
pub(super) fn frost(image: &Pixels, (image_weight, ice_weight): (f32, f32), draws: Draws) -> Pixels {
    let ice = ice(image.height, image.width, image.channels, draws);
    let mix = |(value, ice): (&f32, &f32)| image_weight * value + ice_weight * ice;
    image.with(image.values.iter().zip(&ice.values).map(mix).collect())
}

/// A cloud added, and the range of the image brought back to what it was.
pub(super) fn fog(image: &Pixels, (density, decay): (f32, f32), draws: Draws) -> Pixels {
    let brightest = image.values.iter().copied().fold(0.0, f32::max);
    let cloud = plasma(image.height, image.width, decay, draws, Purpose::Field);
    let scale = brightest / (brightest + density);
    over_pixels(image, |pixel, channel, _| {
        (image.values[pixel * image.channels + channel] + density * cloud.values[pixel]) * scale
    })
}

/// An image computed value by value from pixel number, channel and the brightness of all pixels.
fn over_pixels(image: &Pixels, value: impl Fn(usize, usize, &[f32]) -> f32) -> Pixels {
    let luma = image.luma();
    let values = (0..image.values.len()).map(|i| value(i / image.channels, i % image.channels, &luma));
    image.with(values.collect())
}
