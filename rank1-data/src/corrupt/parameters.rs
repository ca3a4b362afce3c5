//! The published constants of every corruption at five severities, for images of 32 and of 224 pixels.
//!
//! Not for tuning: other numbers make results that cannot be compared. Source of all numbers: the generation scripts
//! of CIFAR-10-C and ImageNet-C by Hendrycks and Dietterich (2019).

/// Shorter side, in pixels, up to which the constants for 32 x 32 are nearer than those for 224 x 224.
pub(super) const LARGEST_SMALL_SIDE: usize = 128;

#[derive(Debug)]
pub(super) struct Glass {
    pub(super) sigma: f32,
    /// Farthest displacement in pixels.
    pub(super) reach: usize,
    pub(super) rounds: usize,
}

#[derive(Debug)]
pub(super) struct Zooms {
    /// Exclusive end of the magnifications, which start at 1.
    pub(super) end: f64,
    pub(super) step: f64,
}

#[derive(Debug)]
pub(super) struct Snowfall {
    pub(super) mean: f32,
    pub(super) sd: f32,
    pub(super) zoom: f64,
    /// Flakes below this are dropped.
    pub(super) least: f32,
    pub(super) radius: usize,
    pub(super) sigma: f32,
    /// Share of the image that is not whitened.
    pub(super) keep: f32,
}

#[derive(Debug)]
pub(super) struct Splash {
    pub(super) mean: f32,
    pub(super) sd: f32,
    pub(super) sigma: f32,
    pub(super) threshold: f32,
    /// Opacity of water, or the blur of mud.
    pub(super) strength: f32,
    pub(super) mud: bool,
}

#[derive(Debug)]
pub(super) struct Elastic {
    /// Displacement in pixels per unit of the smoothed field.
    pub(super) amplitude: f32,
    pub(super) sigma: f32,
    /// Largest move of a corner of the affine map, in pixels.
    pub(super) affine: f32,
}

/// All constants for one image size; index `severity - 1`.
#[derive(Debug)]
pub(super) struct Table {
    /// Standard deviation.
    pub(super) gaussian_noise: [f32; 5],
    /// Photons of a white pixel.
    pub(super) shot_noise: [f32; 5],
    /// Probability of a replaced value.
    pub(super) impulse_noise: [f32; 5],
    /// Standard deviation relative to the value.
    pub(super) speckle_noise: [f32; 5],
    pub(super) gaussian_blur: [f32; 5],
    pub(super) glass: [Glass; 5],
    /// Radius of the disk and standard deviation of its softened edge.
    pub(super) defocus: [(f32, f32); 5],
    /// Radius in pixels and standard deviation of the streak.
    pub(super) motion: [(usize, f32); 5],
    pub(super) zoom: [Zooms; 5],
    pub(super) snow: [Snowfall; 5],
    /// Weights of the image and of the ice.
    pub(super) frost: [(f32, f32); 5],
    /// Density and roughness (decay of the amplitude) of the cloud.
    pub(super) fog: [(f32, f32); 5],
    pub(super) spatter: [Splash; 5],
    pub(super) contrast: [f32; 5],
    pub(super) brightness: [f32; 5],
    /// Factor and offset of the saturation.
    pub(super) saturate: [(f32, f32); 5],
    /// Quality from 1 to 100.
    pub(super) jpeg: [u8; 5],
    /// Share of the pixels per side that is left.
    pub(super) pixelate: [f64; 5],
    pub(super) elastic: [Elastic; 5],
}

impl Table {
    /// The constants for the size nearer to the shorter side; 128, as far from 32 as from 224, counts as small.
    pub(super) fn for_size(height: usize, width: usize) -> &'static Self {
        if height.min(width) <= LARGEST_SMALL_SIDE { &SMALL } else { &LARGE }
    }
}

const fn glass(sigma: f32, reach: usize, rounds: usize) -> Glass {
    Glass { sigma, reach, rounds }
}

const fn zooms(end: f64, step: f64) -> Zooms {
    Zooms { end, step }
}

const fn snowfall(
    mean: f32,
    sd: f32,
    zoom: f64,
    least: f32,
    radius: usize,
    sigma: f32,
    keep: f32,
) -> Snowfall {
    Snowfall { mean, sd, zoom, least, radius, sigma, keep }
}

const fn water(mean: f32, sd: f32, sigma: f32, threshold: f32, strength: f32) -> Splash {
    Splash { mean, sd, sigma, threshold, strength, mud: false }
}

const fn mud(mean: f32, sd: f32, sigma: f32, threshold: f32, strength: f32) -> Splash {
    Splash { mean, sd, sigma, threshold, strength, mud: true }
}

/// The three constants as shares of `side` pixels.
const fn elastic(side: f32, amplitude: f32, sigma: f32, affine: f32) -> Elastic {
    Elastic { amplitude: side * amplitude, sigma: side * sigma, affine: side * affine }
}

/// CIFAR-10-C, 32 x 32.
static SMALL: Table = Table {
    gaussian_noise: [0.04, 0.06, 0.08, 0.09, 0.10],
    shot_noise: [500.0, 250.0, 100.0, 75.0, 50.0],
    impulse_noise: [0.01, 0.02, 0.03, 0.05, 0.07],
    speckle_noise: [0.06, 0.1, 0.12, 0.16, 0.2],
    gaussian_blur: [0.4, 0.6, 0.7, 0.8, 1.0],
    glass: [glass(0.05, 1, 1), glass(0.25, 1, 1), glass(0.4, 1, 1), glass(0.25, 1, 2), glass(0.4, 1, 2)],
    defocus: [(0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1.0, 0.2), (1.5, 0.1)],
    motion: [(6, 1.0), (6, 1.5), (6, 2.0), (8, 2.0), (9, 2.5)],
    zoom: [zooms(1.06, 0.01), zooms(1.11, 0.01), zooms(1.16, 0.01), zooms(1.21, 0.01), zooms(1.26, 0.01)],
    snow: [
        snowfall(0.1, 0.2, 1.0, 0.6, 8, 3.0, 0.95),
        snowfall(0.1, 0.2, 1.0, 0.5, 10, 4.0, 0.9),
        snowfall(0.15, 0.3, 1.75, 0.55, 10, 4.0, 0.9),
        snowfall(0.25, 0.3, 2.25, 0.6, 12, 6.0, 0.85),
        snowfall(0.3, 0.3, 1.25, 0.65, 14, 12.0, 0.8),
    ],
    frost: [(1.0, 0.2), (1.0, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45)],
    fog: [(0.2, 3.0), (0.5, 3.0), (0.75, 2.5), (1.0, 2.0), (1.5, 1.75)],
    spatter: [
        water(0.62, 0.1, 0.7, 0.7, 0.5),
        water(0.65, 0.1, 0.8, 0.7, 0.5),
        water(0.65, 0.3, 1.0, 0.69, 0.5),
        mud(0.65, 0.1, 0.7, 0.69, 0.6),
        mud(0.65, 0.1, 0.5, 0.68, 0.6),
    ],
    contrast: [0.75, 0.5, 0.4, 0.3, 0.15],
    brightness: [0.05, 0.1, 0.15, 0.2, 0.3],
    saturate: [(0.3, 0.0), (0.1, 0.0), (1.5, 0.0), (2.0, 0.1), (2.5, 0.2)],
    jpeg: [80, 65, 58, 50, 40],
    pixelate: [0.95, 0.9, 0.85, 0.75, 0.65],
    elastic: [
        elastic(32.0, 0.0, 0.0, 0.08),
        elastic(32.0, 0.05, 0.2, 0.07),
        elastic(32.0, 0.08, 0.06, 0.06),
        elastic(32.0, 0.1, 0.04, 0.05),
        elastic(32.0, 0.1, 0.03, 0.03),
    ],
};

/// ImageNet-C, 224 x 224; the elastic constants are shares of 244, as published.
static LARGE: Table = Table {
    gaussian_noise: [0.08, 0.12, 0.18, 0.26, 0.38],
    shot_noise: [60.0, 25.0, 12.0, 5.0, 3.0],
    impulse_noise: [0.03, 0.06, 0.09, 0.17, 0.27],
    speckle_noise: [0.15, 0.2, 0.35, 0.45, 0.6],
    gaussian_blur: [1.0, 2.0, 3.0, 4.0, 6.0],
    glass: [glass(0.7, 1, 2), glass(0.9, 2, 1), glass(1.0, 2, 3), glass(1.1, 3, 2), glass(1.5, 4, 2)],
    defocus: [(3.0, 0.1), (4.0, 0.5), (6.0, 0.5), (8.0, 0.5), (10.0, 0.5)],
    motion: [(10, 3.0), (15, 5.0), (15, 8.0), (15, 12.0), (20, 15.0)],
    zoom: [zooms(1.11, 0.01), zooms(1.16, 0.01), zooms(1.21, 0.02), zooms(1.26, 0.02), zooms(1.31, 0.03)],
    snow: [
        snowfall(0.1, 0.3, 3.0, 0.5, 10, 4.0, 0.8),
        snowfall(0.2, 0.3, 2.0, 0.5, 12, 4.0, 0.7),
        snowfall(0.55, 0.3, 4.0, 0.9, 12, 8.0, 0.7),
        snowfall(0.55, 0.3, 4.5, 0.85, 12, 8.0, 0.65),
        snowfall(0.55, 0.3, 2.5, 0.85, 12, 12.0, 0.55),
    ],
    frost: [(1.0, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75)],
    fog: [(1.5, 2.0), (2.0, 2.0), (2.5, 1.7), (2.5, 1.5), (3.0, 1.4)],
    spatter: [
        water(0.65, 0.3, 4.0, 0.69, 0.6),
        water(0.65, 0.3, 3.0, 0.68, 0.6),
        water(0.65, 0.3, 2.0, 0.68, 0.5),
        mud(0.65, 0.3, 1.0, 0.65, 1.5),
        mud(0.67, 0.4, 1.0, 0.65, 1.5),
    ],
    contrast: [0.4, 0.3, 0.2, 0.1, 0.05],
    brightness: [0.1, 0.2, 0.3, 0.4, 0.5],
    saturate: [(0.3, 0.0), (0.1, 0.0), (2.0, 0.0), (5.0, 0.1), (20.0, 0.2)],
    jpeg: [25, 18, 15, 10, 7],
    pixelate: [0.6, 0.5, 0.4, 0.3, 0.25],
    elastic: [
        elastic(244.0, 2.0, 0.7, 0.1),
        elastic(244.0, 2.0, 0.08, 0.2),
        elastic(244.0, 0.05, 0.01, 0.02),
        elastic(244.0, 0.07, 0.01, 0.02),
        elastic(244.0, 0.12, 0.01, 0.02),
    ],
};
