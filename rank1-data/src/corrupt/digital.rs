//! Changes made by cameras and software: brightness, contrast, saturation, fewer pixels and JPEG.
//!
//! Not for changes of shape; see the elastic transform.

use super::CorruptError;
use super::pixels::Pixels;

/// Adds to the value (the largest of red, green and blue) of every pixel; hue and saturation stay.
pub(super) fn brightness(image: &Pixels, amount: f32) -> Pixels {
    over_colors(image, |value, _, pixel| {
        let brighter = (value + amount).min(1.0);
        for channel in pixel {
            *channel = if value > 0.0 { *channel * brighter / value } else { brighter };
        }
    })
}

/// Changes the saturation `s` of every pixel to `factor s + offset`; hue and value stay.
///
/// The hue of a pixel without color is red, as usual, so that the offset tints gray pixels of color images. Images of one
/// channel have no saturation and stay as they are.
pub(super) fn saturate(image: &Pixels, (factor, offset): (f32, f32)) -> Pixels {
    if image.channels == 1 {
        return image.clone();
    }
    over_colors(image, |value, least, pixel| {
        let range = value - least;
        let saturation = if range > 0.0 { range / value } else { 0.0 };
        let saturation = (factor * saturation + offset).clamp(0.0, 1.0);
        for (i, channel) in pixel.iter_mut().enumerate() {
            // How far this channel lies towards the least one.
            let depth = match range > 0.0 {
                true => (value - *channel) / range,
                false => f32::from(u8::from(i > 0)),
            };
            *channel = value * (1.0 - saturation * depth);
        }
    })
}

/// Applies a function of largest and least channel to every pixel.
fn over_colors(image: &Pixels, change: impl Fn(f32, f32, &mut [f32])) -> Pixels {
    let mut out = image.clone();
    for pixel in out.values.chunks_exact_mut(image.channels) {
        let most = pixel.iter().copied().fold(0.0, f32::max);
        let least = pixel.iter().copied().fold(1.0, f32::min);
        change(most, least, pixel);
    }
    out
}

/// Draws every channel towards its mean.
pub(super) fn contrast(image: &Pixels, factor: f32) -> Pixels {
    let count = (image.height * image.width) as f32;
    let mut out = image.clone();
    for channel in 0..image.channels {
        let sum: f32 = image.values.iter().skip(channel).step_by(image.channels).sum();
        let mean = sum / count;
        for value in out.values.iter_mut().skip(channel).step_by(image.channels) {
            *value = (*value - mean) * factor + mean;
        }
    }
    out
}

/// Reduces both sides to `share` of their pixels and enlarges again, by averages over boxes, rounded after every pass.
pub(super) fn pixelate(image: &Pixels, share: f64) -> Pixels {
    let reduced = |side: usize| ((side as f64 * share) as usize).max(1);
    let small = resize_columns(&resize_rows(image, reduced(image.width)), reduced(image.height));
    resize_columns(&resize_rows(&small, image.width), image.height)
}

/// For each of `to` positions the range of the `from` positions whose centers lie in its box.
fn boxes(from: usize, to: usize) -> Vec<std::ops::Range<usize>> {
    let scale = from as f64 / to as f64;
    let reach = 0.5 * scale.max(1.0);
    (0..to)
        .map(|i| {
            let center = (i as f64 + 0.5) * scale;
            let first = ((center - reach + 0.5) as usize).min(from - 1);
            first..((center + reach + 0.5) as usize).clamp(first + 1, from)
        })
        .collect()
}

fn resize_rows(image: &Pixels, width: usize) -> Pixels {
    let (channels, boxes) = (image.channels, boxes(image.width, width));
    let mut values = Vec::with_capacity(image.height * width * channels);
    for row in image.values.chunks_exact(image.width * channels) {
        for range in &boxes {
            for channel in 0..channels {
                let sum: f32 = range.clone().map(|x| row[x * channels + channel]).sum();
                values.push(nearest_byte(sum / range.len() as f32));
            }
        }
    }
    Pixels { width, values, ..*image }
}

fn resize_columns(image: &Pixels, height: usize) -> Pixels {
    let length = image.width * image.channels;
    let mut values = Vec::with_capacity(height * length);
    for range in boxes(image.height, height) {
        for i in 0..length {
            let sum: f32 = range.clone().map(|y| image.values[y * length + i]).sum();
            values.push(nearest_byte(sum / range.len() as f32));
        }
    }
    Pixels { height, values, ..*image }
}

fn nearest_byte(value: f32) -> f32 {
    (value * 255.0).round() / 255.0
}

/// Compression and decompression with the color resolution halved, the default of the published script's library.
pub(super) fn jpeg(image: &Pixels, quality: u8) -> Result<Pixels, CorruptError> {
    let (height, width, channels) = (image.height, image.width, image.channels);
    let refuse = |reason: String| CorruptError::Jpeg { height, width, reason };
    let too_long = || CorruptError::Size { height, width };
    let (rows, columns) =
        (u16::try_from(height).map_err(|_| too_long())?, u16::try_from(width).map_err(|_| too_long())?);
    let bytes = recoded(&image.rounded(), (rows, columns), channels, quality).map_err(refuse)?;
    if bytes.len() != image.values.len() {
        return Err(refuse(format!("{} bytes came back", bytes.len())));
    }
    Ok(Pixels::from_bytes(&bytes, height, width, channels))
}

#[cfg(feature = "images")]
fn recoded(
    bytes: &[u8],
    (rows, columns): (u16, u16),
    channels: usize,
    quality: u8,
) -> Result<Vec<u8>, String> {
    let mut file = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut file, quality);
    encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::F_2_2);
    let color = if channels == 1 { jpeg_encoder::ColorType::Luma } else { jpeg_encoder::ColorType::Rgb };
    encoder.encode(bytes, columns, rows, color).map_err(|error| error.to_string())?;
    let decoded = image::load_from_memory_with_format(&file, image::ImageFormat::Jpeg)
        .map_err(|error| error.to_string())?;
    Ok(if channels == 1 { decoded.into_luma8().into_raw() } else { decoded.into_rgb8().into_raw() })
}

#[cfg(not(feature = "images"))]
fn recoded(_: &[u8], _: (u16, u16), _: usize, _: u8) -> Result<Vec<u8>, String> {
    Err("this build has no codec; the feature `images` of rank1-data does".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pixel(values: [f32; 3]) -> Pixels {
        Pixels { height: 1, width: 1, channels: 3, values: values.to_vec() }
    }

    #[test]
    fn brightness_scales_colors_and_lifts_black() {
        assert_eq!(brightness(&pixel([0.5, 0.25, 0.0]), 0.25).values, [0.75, 0.375, 0.0]);
        assert_eq!(brightness(&pixel([0.0; 3]), 0.25).values, [0.25; 3]);
        assert_eq!(brightness(&pixel([1.0, 0.5, 0.5]), 0.25).values, [1.0, 0.5, 0.5]);
    }

    #[test]
    fn saturation_goes_from_gray_to_the_full_color() {
        let color = pixel([0.5, 0.25, 0.375]);
        assert_eq!(saturate(&color, (1.0, 0.0)), color);
        assert_eq!(saturate(&color, (0.0, 0.0)).values, [0.5; 3]);
        assert_eq!(saturate(&color, (2.0, 0.0)).values, [0.5, 0.0, 0.25]);
        assert_eq!(saturate(&pixel([0.5; 3]), (2.0, 0.5)).values, [0.5, 0.25, 0.25]);
    }

    #[test]
    fn contrast_zero_is_the_mean_of_each_channel() {
        let two = Pixels { height: 2, width: 1, channels: 3, values: vec![0.0, 0.5, 1.0, 0.5, 0.5, 0.0] };
        assert_eq!(contrast(&two, 0.0).values, [0.25, 0.5, 0.5, 0.25, 0.5, 0.5]);
        assert_eq!(contrast(&two, 1.0), two);
    }

    #[test]
    fn pixelation_by_half_averages_blocks_of_four() {
        let image = Pixels::from_bytes(&[0, 40, 7, 9, 80, 120, 11, 13], 2, 4, 1);
        assert_eq!(pixelate(&image, 0.5).rounded(), [60, 60, 10, 10, 60, 60, 10, 10]);
        let odd: Vec<u8> = (0..35).collect();
        assert_eq!(pixelate(&Pixels::from_bytes(&odd, 5, 7, 1), 1.0).rounded(), odd);
    }

    #[test]
    fn lower_jpeg_quality_loses_more_and_an_even_image_loses_nothing() {
        let even = Pixels::from_bytes(&[128; 19 * 13 * 3], 19, 13, 3);
        assert_eq!(jpeg(&even, 40).expect("a small image").rounded(), even.rounded());
        let bytes: Vec<u8> = (0..19 * 13).map(|i| (i * 71 % 256) as u8).collect();
        let image = Pixels::from_bytes(&bytes, 19, 13, 1);
        let loss = |quality| -> f32 {
            let back = jpeg(&image, quality).expect("a small image");
            back.values.iter().zip(&image.values).map(|(a, b)| (a - b).abs()).sum()
        };
        assert!(loss(80) > 0.0 && loss(80) < loss(40) && loss(40) < loss(7));
    }
}
