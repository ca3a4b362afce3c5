//! The image corruptions of Hendrycks and Dietterich (2019) at five severities, made here for any set of images.
//!
//! Not for training-time augmentation, and no reader of the published files: those were made with other random numbers, and
//! small numerical differences remain. Apply a corruption to raw pixels, before normalization.
//!
//! | family | kinds |
//! |---|---|
//! | noise | `gaussian_noise`, `shot_noise`, `impulse_noise`, `speckle_noise` (extra) |
//! | blur | `defocus_blur`, `glass_blur`, `motion_blur`, `zoom_blur`, `gaussian_blur` (extra) |
//! | weather | `snow`, `frost`, `fog`, `spatter` (extra) |
//! | digital | `brightness`, `contrast`, `pixelate`, `jpeg_compression`, `saturate` (extra) |
//! | geometry | `elastic_transform` |
//!
//! **Constants** are the published ones: those of CIFAR-10-C for images whose shorter side has at most 128 pixels, those of
//! ImageNet-C for larger ones. Constants in pixels are not scaled to sizes in between.
//!
//! **Departures**: `frost` draws its ice by a program, because the photographs are not ours to ship; images are not stored
//! as JPEG files of quality 85 after corruption, as those of ImageNet-C are; of images that are not square both sides are treated
//! alike, where the scripts know squares only.
//!
//! **Gray images** (one channel) are corrupted as the brightness of a gray color image would be; `saturate` leaves
//! them as they are.
//!
//! **Randomness** depends on the seed, the index of the image, the kind and the severity, and on nothing else.
//!
//! ```
//! use rank1_data::{Corruption, ImageKey};
//!
//! let image = [40, 90, 200, 10, 130, 60]; // 2 rows, 3 columns, gray
//! let fog: Corruption = "fog:3".parse()?;
//! let foggy = fog.apply(&image, 2, 3, 1, ImageKey { seed: 1, index: 0 })?;
//! assert_eq!(foggy.len(), image.len());
//! assert_eq!(foggy, fog.apply_all(&image, 1, 2, 3, 1, 1)?);
//! # Ok::<(), rank1_data::CorruptError>(())
//! ```

mod blur;
mod contour;
mod digital;
mod draws;
mod elastic;
mod error;
mod filter;
mod ice;
mod kind;
mod noise;
mod parameters;
mod pixels;
mod plasma;
mod spatter;
mod split;
mod weather;

use std::fmt;
use std::str::FromStr;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use draws::Draws;
pub use error::CorruptError;
pub use kind::CorruptionKind;
use parameters::Table;
use pixels::Pixels;
pub use split::{corrupt_row, corrupt_split};

/// Longest side of an image: a JPEG file holds no more.
const LONGEST_SIDE: usize = 65_535;

/// What tells the random numbers of one image from those of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ImageKey {
    /// Seed of the corrupted set.
    pub seed: u64,
    /// Place of the image in the set.
    pub index: u64,
}

/// A kind of corruption and its severity; written `fog:3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Corruption {
    kind: CorruptionKind,
    severity: u8,
}

impl Corruption {
    /// Severities of every kind, from 1 to this.
    pub const SEVERITIES: u8 = 5;

    /// A corruption of severity 1 (weakest) to 5.
    ///
    /// # Errors
    /// [`CorruptError::Severity`] for any other severity.
    pub fn new(kind: CorruptionKind, severity: u8) -> Result<Self, CorruptError> {
        if (1..=Self::SEVERITIES).contains(&severity) {
            return Ok(Self { kind, severity });
        }
        Err(CorruptError::Severity { kind: kind.to_string(), got: severity.to_string() })
    }

    /// What is done to an image.
    #[must_use]
    pub fn kind(self) -> CorruptionKind {
        self.kind
    }

    /// How strongly, from 1 to 5.
    #[must_use]
    pub fn severity(self) -> u8 {
        self.severity
    }

    /// One corrupted image.
    ///
    /// # Shapes
    /// `image` and the result: `[height, width, channels]` bytes, row-major, with 1 or 3 channels.
    ///
    /// # Errors
    /// [`CorruptError::Channels`], [`CorruptError::Size`] or [`CorruptError::Length`] if the bytes are no such image;
    /// [`CorruptError::Jpeg`] if the JPEG coder fails.
    pub fn apply(
        &self,
        image: &[u8],
        height: usize,
        width: usize,
        channels: usize,
        key: ImageKey,
    ) -> Result<Vec<u8>, CorruptError> {
        check(image.len(), 1, height, width, channels)?;
        self.corrupted(&Pixels::from_bytes(image, height, width, channels), key)
    }

    /// All images of a set, corrupted in parallel; the image at place `i` has index `i`.
    ///
    /// # Shapes
    /// `images` and the result: `[n, height, width, channels]` bytes, row-major, with 1 or 3 channels.
    ///
    /// # Errors
    /// As [`Corruption::apply`].
    pub fn apply_all(
        &self,
        images: &[u8],
        n: usize,
        height: usize,
        width: usize,
        channels: usize,
        seed: u64,
    ) -> Result<Vec<u8>, CorruptError> {
        let length = check(images.len(), n, height, width, channels)?;
        let mut out = vec![0; images.len()];
        out.par_chunks_exact_mut(length).zip(images.par_chunks_exact(length)).enumerate().try_for_each(
            |(index, (out, image))| {
                let pixels = Pixels::from_bytes(image, height, width, channels);
                let key = ImageKey { seed, index: index as u64 };
                out.copy_from_slice(&self.corrupted(&pixels, key)?);
                Ok(())
            },
        )?;
        Ok(out)
    }

    fn corrupted(&self, image: &Pixels, key: ImageKey) -> Result<Vec<u8>, CorruptError> {
        use CorruptionKind as Kind;
        let table = Table::for_size(image.height, image.width);
        let level = usize::from(self.severity - 1);
        let draws = Draws::new(*self, key);
        let pixels = match self.kind {
            Kind::GaussianNoise => noise::gaussian_noise(image, table.gaussian_noise[level], draws),
            Kind::ShotNoise => noise::shot_noise(image, table.shot_noise[level], draws),
            Kind::ImpulseNoise => noise::impulse_noise(image, table.impulse_noise[level], draws),
            Kind::SpeckleNoise => noise::speckle_noise(image, table.speckle_noise[level], draws),
            Kind::DefocusBlur => blur::defocus_blur(image, table.defocus[level]),
            Kind::GlassBlur => blur::glass_blur(image, &table.glass[level], draws),
            Kind::ZoomBlur => blur::zoom_blur(image, &table.zoom[level]),
            Kind::GaussianBlur => blur::gaussian_blur(image, table.gaussian_blur[level]),
            Kind::Snow => weather::snow(image, &table.snow[level], draws),
            Kind::Frost => weather::frost(image, table.frost[level], draws),
            Kind::Fog => weather::fog(image, table.fog[level], draws),
            Kind::Spatter => spatter::spatter(image, &table.spatter[level], draws),
            Kind::Brightness => digital::brightness(image, table.brightness[level]),
            Kind::Contrast => digital::contrast(image, table.contrast[level]),
            Kind::Saturate => digital::saturate(image, table.saturate[level]),
            Kind::ElasticTransform => elastic::elastic_transform(image, &table.elastic[level], draws),
            // The programs that the published scripts call for these three round.
            Kind::MotionBlur => return Ok(blur::motion_blur(image, table.motion[level], draws).rounded()),
            Kind::Pixelate => return Ok(digital::pixelate(image, table.pixelate[level]).rounded()),
            Kind::JpegCompression => return Ok(digital::jpeg(image, table.jpeg[level])?.rounded()),
        };
        Ok(pixels.truncated())
    }
}

/// The number of bytes of one image, if `got` bytes are `images` of them.
fn check(
    got: usize,
    images: usize,
    height: usize,
    width: usize,
    channels: usize,
) -> Result<usize, CorruptError> {
    if channels != 1 && channels != 3 {
        return Err(CorruptError::Channels { got: channels });
    }
    if !(1..=LONGEST_SIDE).contains(&height) || !(1..=LONGEST_SIDE).contains(&width) {
        return Err(CorruptError::Size { height, width });
    }
    let length = height * width * channels;
    let expected = length.saturating_mul(images);
    if got != expected {
        return Err(CorruptError::Length { got, expected, images, height, width, channels });
    }
    Ok(length)
}

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.severity)
    }
}

impl FromStr for Corruption {
    type Err = CorruptError;

    fn from_str(text: &str) -> Result<Self, CorruptError> {
        let (kind, severity) =
            text.split_once(':').ok_or_else(|| CorruptError::Form { text: text.to_owned() })?;
        let (kind, severity): (CorruptionKind, _) = (kind.trim().parse()?, severity.trim());
        let refused = |_| CorruptError::Severity { kind: kind.to_string(), got: severity.to_owned() };
        Self::new(kind, severity.parse().map_err(refused)?)
    }
}

impl TryFrom<String> for Corruption {
    type Error = CorruptError;

    fn try_from(text: String) -> Result<Self, CorruptError> {
        text.parse()
    }
}

impl From<Corruption> for String {
    fn from(corruption: Corruption) -> Self {
        corruption.to_string()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
