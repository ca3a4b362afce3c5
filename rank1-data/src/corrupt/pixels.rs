//! One image or one-channel layer as numbers, and the way from bytes and back.
//!
//! Not for images of other value ranges: 1 is white, and bytes are 255 times that.

/// Weights of red, green and blue in the brightness of a pixel (ITU-R BT.601).
pub(super) const LUMA: [f32; 3] = [0.299, 0.587, 0.114];

/// Values `[height, width, channels]` in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pixels {
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) channels: usize,
    pub(super) values: Vec<f32>,
}

impl Pixels {
    pub(super) fn from_bytes(bytes: &[u8], height: usize, width: usize, channels: usize) -> Self {
        let values = bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect();
        Self { height, width, channels, values }
    }

    /// A layer of one value per pixel.
    pub(super) fn layer(height: usize, width: usize, values: Vec<f32>) -> Self {
        Self { height, width, channels: 1, values }
    }

    /// Image of the same size from new values.
    pub(super) fn with(&self, values: Vec<f32>) -> Self {
        Self { values, ..*self }
    }

    /// The brightness of every pixel.
    pub(super) fn luma(&self) -> Vec<f32> {
        if self.channels == 1 {
            return self.values.clone();
        }
        let weigh = |pixel: &[f32]| pixel.iter().zip(LUMA).map(|(value, weight)| value * weight).sum();
        self.values.chunks_exact(self.channels).map(weigh).collect()
    }

    /// The bytes that the published scripts store: clipped and cut off, not rounded.
    ///
    /// A thousandth is added first, so that a value that was not changed comes back as its own byte.
    pub(super) fn truncated(&self) -> Vec<u8> {
        self.values.iter().map(|value| (value * 255.0 + 1e-3) as u8).collect()
    }

    /// The nearest bytes, where the published scripts call a program that rounds.
    pub(super) fn rounded(&self) -> Vec<u8> {
        self.values.iter().map(|value| (value * 255.0).round() as u8).collect()
    }
}

/// A color for images of `channels` values per pixel: itself or its brightness.
pub(super) fn color(rgb: [f32; 3], channels: usize) -> Vec<f32> {
    if channels == 1 {
        return vec![rgb.iter().zip(LUMA).map(|(value, weight)| value * weight).sum()];
    }
    rgb.to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_survives_the_way_there_and_back() {
        let bytes: Vec<u8> = (0..=255).collect();
        let pixels = Pixels::from_bytes(&bytes, 4, 64, 1);
        assert_eq!(pixels.truncated(), bytes);
        assert_eq!(pixels.rounded(), bytes);
    }

    #[test]
    fn values_outside_the_unit_interval_are_clipped_and_fractions_cut_off() {
        let pixels = Pixels::layer(1, 4, vec![-0.5, 1.5, 0.9 / 255.0, f32::NAN]);
        assert_eq!(pixels.truncated(), [0, 255, 0, 0]);
        assert_eq!(pixels.rounded(), [0, 255, 1, 0]);
    }
}
