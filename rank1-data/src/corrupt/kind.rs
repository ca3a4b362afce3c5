//! The names of the corruptions: fifteen of the benchmark and four held out for tuning.
//!
//! Not what they do to an image; see the families beside this file.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::CorruptError;
use crate::nearest::nearest;

/// One of the nineteen corruptions of Hendrycks and Dietterich (2019).
///
/// A higher severity does not always change pixels more. With the published constants for 32 x 32 the mean absolute change
/// falls at some severities of `glass_blur`, `motion_blur`, `frost`, `elastic_transform` (at all), `spatter` and `saturate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CorruptionKind {
    /// Independent normal noise on every value.
    GaussianNoise,
    /// Poisson counts of a limited amount of light.
    ShotNoise,
    /// Values replaced by black or white.
    ImpulseNoise,
    /// Average over a disk, as by a lens out of focus.
    DefocusBlur,
    /// Blur and local displacement of pixels, as through frosted glass.
    GlassBlur,
    /// Streaks along a random direction within 45 degrees of the horizontal.
    MotionBlur,
    /// Average of the image at growing magnifications.
    ZoomBlur,
    /// Falling flakes over a whitened image.
    Snow,
    /// Ice crystals over the image, drawn by a program and not photographed.
    Frost,
    /// A cloud of fractal noise.
    Fog,
    /// Every pixel lighter by the same amount.
    Brightness,
    /// Values drawn towards the mean of their channel.
    Contrast,
    /// An affine map and a smooth random displacement.
    ElasticTransform,
    /// Fewer, larger pixels.
    Pixelate,
    /// A JPEG round trip at low quality.
    JpegCompression,
    /// Normal noise in proportion to the value (extra).
    SpeckleNoise,
    /// Gaussian blur (extra).
    GaussianBlur,
    /// Drops of water or splashes of mud (extra).
    Spatter,
    /// Colors paler or stronger (extra); gray images keep their values.
    Saturate,
}

use CorruptionKind::{
    Brightness, Contrast, DefocusBlur, ElasticTransform, Fog, Frost, GaussianBlur, GaussianNoise, GlassBlur,
    ImpulseNoise, JpegCompression, MotionBlur, Pixelate, Saturate, ShotNoise, Snow, Spatter, SpeckleNoise,
    ZoomBlur,
};

const ALL: [CorruptionKind; 19] = [
    GaussianNoise,
    ShotNoise,
    ImpulseNoise,
    DefocusBlur,
    GlassBlur,
    MotionBlur,
    ZoomBlur,
    Snow,
    Frost,
    Fog,
    Brightness,
    Contrast,
    ElasticTransform,
    Pixelate,
    JpegCompression,
    SpeckleNoise,
    GaussianBlur,
    Spatter,
    Saturate,
];
const N_STANDARD: usize = 15;

impl CorruptionKind {
    /// All nineteen, the standard ones first.
    #[must_use]
    pub fn all() -> &'static [Self] {
        &ALL
    }

    /// The fifteen over which the benchmark averages.
    #[must_use]
    pub fn standard() -> &'static [Self] {
        &ALL[..N_STANDARD]
    }

    /// The published name in snake case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            GaussianNoise => "gaussian_noise",
            ShotNoise => "shot_noise",
            ImpulseNoise => "impulse_noise",
            DefocusBlur => "defocus_blur",
            GlassBlur => "glass_blur",
            MotionBlur => "motion_blur",
            ZoomBlur => "zoom_blur",
            Snow => "snow",
            Frost => "frost",
            Fog => "fog",
            Brightness => "brightness",
            Contrast => "contrast",
            ElasticTransform => "elastic_transform",
            Pixelate => "pixelate",
            JpegCompression => "jpeg_compression",
            SpeckleNoise => "speckle_noise",
            GaussianBlur => "gaussian_blur",
            Spatter => "spatter",
            Saturate => "saturate",
        }
    }

    /// The number that tells the noise of this kind from that of the others; the place in [`CorruptionKind::all`].
    pub(super) fn site(self) -> u32 {
        self as u32
    }
}

impl fmt::Display for CorruptionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for CorruptionKind {
    type Err = CorruptError;

    fn from_str(name: &str) -> Result<Self, CorruptError> {
        ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| {
            let known: Vec<_> = ALL.iter().map(|kind| kind.name()).collect();
            CorruptError::UnknownKind { name: name.to_owned(), hint: nearest(name, &known), known }
        })
    }
}
