//! Shifts of the inputs with a severity: rotated images and additive Gaussian noise.
//!
//! Not for training-time augmentation and not for the standard image corruptions. Apply a shift to raw inputs, before
//! normalization: the zero that fills rotated corners is the black of an image in `[0, 1]`.

use std::fmt;
use std::str::FromStr;

use ndarray::{Array2, ArrayView1, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

use crate::hash::normal_pair;
use crate::nearest::nearest;
use crate::{Error, Split};

/// Which quantity is shifted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShiftKind {
    /// Images turned counterclockwise; the severity is an angle in degrees.
    Rotation,
    /// Independent normal noise on every input; the severity is its standard deviation in the unit of the inputs.
    GaussianNoise,
}

impl ShiftKind {
    /// The name used in `KIND:SEVERITY`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rotation => "rotation",
            Self::GaussianNoise => "gaussian_noise",
        }
    }
}

/// A kind of shift and how strong it is; written `rotation:30` or `gaussian_noise:0.2`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Shift {
    /// Which quantity is shifted.
    pub kind: ShiftKind,
    /// How strongly, in the unit of the kind.
    pub severity: f64,
}

impl Shift {
    /// The shifted inputs with unchanged targets. `seed` matters for noise only.
    ///
    /// # Errors
    /// [`Error::ShiftNeedsImages`] for a rotation without image size, [`Error::Width`] if the rows do not have that
    /// size, [`Error::Shift`] for an impossible severity.
    pub fn apply(&self, split: &Split, image: Option<(usize, usize)>, seed: u64) -> Result<Split, Error> {
        let inputs = match self.kind {
            ShiftKind::Rotation => {
                let size = image.ok_or_else(|| Error::ShiftNeedsImages { shift: self.to_string() })?;
                rotate(split.inputs.view(), size, self.severity)?
            }
            // Noise is added in double precision where single precision would round it away.
            ShiftKind::GaussianNoise if split.remainder.is_some() => {
                let zeros = Array2::zeros(split.inputs.raw_dim());
                let noise = gaussian_noise(zeros.view(), self.severity, seed)?.mapv(f64::from);
                return Split::from_f64(split.inputs_f64() + noise, split.targets.clone());
            }
            ShiftKind::GaussianNoise => gaussian_noise(split.inputs.view(), self.severity, seed)?,
        };
        Ok(Split { inputs, remainder: None, targets: split.targets.clone() })
    }

    /// Shifts the row with this number in place, as [`Shift::apply`] shifts it among all rows.
    ///
    /// # Shapes
    /// `values`: `[D]`.
    ///
    /// # Errors
    /// As [`Shift::apply`].
    pub fn apply_row(
        &self,
        values: &mut [f32],
        image: Option<(usize, usize)>,
        row: usize,
        seed: u64,
    ) -> Result<(), Error> {
        match self.kind {
            ShiftKind::Rotation => {
                let size = image.ok_or_else(|| Error::ShiftNeedsImages { shift: self.to_string() })?;
                let turned = rotate(ArrayView1::from(&*values).insert_axis(Axis(0)), size, self.severity)?;
                values.iter_mut().zip(&turned).for_each(|(value, turned)| *value = *turned);
            }
            ShiftKind::GaussianNoise => {
                self.check()?;
                add_noise(values, self.severity, row, seed);
            }
        }
        Ok(())
    }

    fn check(self) -> Result<Self, Error> {
        let problem = match self.kind {
            ShiftKind::Rotation if !self.severity.is_finite() => "the angle is not finite",
            ShiftKind::GaussianNoise if !(self.severity >= 0.0 && self.severity.is_finite()) => {
                "the standard deviation is negative or not finite"
            }
            _ => return Ok(self),
        };
        Err(refused(&self.to_string(), problem))
    }
}

impl fmt::Display for Shift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.name(), self.severity)
    }
}

impl FromStr for Shift {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (kind, severity) =
            text.split_once(':').ok_or_else(|| refused(text, "no colon between kind and severity"))?;
        let kind = match kind.trim() {
            "rotation" => ShiftKind::Rotation,
            "gaussian_noise" => ShiftKind::GaussianNoise,
            other => {
                let problem = match nearest(other, ["rotation", "gaussian_noise"]).as_deref() {
                    Some("rotation") => "unknown kind (did you mean `rotation`?)",
                    Some("gaussian_noise") => "unknown kind (did you mean `gaussian_noise`?)",
                    _ => "unknown kind",
                };
                return Err(refused(text, problem));
            }
        };
        let severity = severity.trim().parse().map_err(|_| refused(text, "the severity is not a number"))?;
        Self { kind, severity }.check()
    }
}

fn refused(text: &str, problem: &'static str) -> Error {
    let expected = "rotation:DEGREES or gaussian_noise:STANDARD_DEVIATION";
    Error::Shift { text: text.to_owned(), problem, expected }
}

/// Images turned counterclockwise about their center by bilinear interpolation; outside the image is 0.
///
/// Multiples of 90 degrees of square images are exact.
///
/// # Shapes
/// `images` and the result: `[N, height * width]`, each row an image in row-major order.
///
/// # Errors
/// [`Error::Width`] if the rows are not `height * width` long; [`Error::Shift`] for an angle that is not finite.
pub fn rotate(
    images: ArrayView2<f32>,
    (height, width): (usize, usize),
    degrees: f64,
) -> Result<Array2<f32>, Error> {
    if images.ncols() != height * width {
        return Err(Error::Width { op: "rotate", expected: height * width, got: images.ncols() });
    }
    Shift { kind: ShiftKind::Rotation, severity: degrees }.check()?;
    let taps = rotation_taps(height, width, degrees);
    let mut out = Array2::zeros(images.raw_dim());
    for (image, mut turned) in images.axis_iter(Axis(0)).zip(out.axis_iter_mut(Axis(0))) {
        for (pixel, taps) in turned.iter_mut().zip(&taps) {
            *pixel = taps.iter().map(|&(index, weight)| weight * image[index]).sum();
        }
    }
    Ok(out)
}

/// For each output pixel, the up to four input pixels it is made of and their weights.
fn rotation_taps(height: usize, width: usize, degrees: f64) -> Vec<Vec<(usize, f32)>> {
    let (sin, cos) = match degrees.rem_euclid(360.0) {
        0.0 => (0.0, 1.0),
        90.0 => (1.0, 0.0),
        180.0 => (0.0, -1.0),
        270.0 => (-1.0, 0.0),
        angle => angle.to_radians().sin_cos(),
    };
    let (center_y, center_x) = ((height as f64 - 1.0) / 2.0, (width as f64 - 1.0) / 2.0);
    let inside = |position: f64, size: usize| position >= 0.0 && position < size as f64;
    (0..height * width)
        .map(|i| {
            let (y, x) = ((i / width) as f64 - center_y, (i % width) as f64 - center_x);
            // The y axis points down, so the source of a counterclockwise turn lies clockwise from here.
            let (from_y, from_x) = (center_y + x * sin + y * cos, center_x + x * cos - y * sin);
            let (y0, x0) = (from_y.floor(), from_x.floor());
            let (fraction_y, fraction_x) = (from_y - y0, from_x - x0);
            [
                (y0, x0, (1.0 - fraction_y) * (1.0 - fraction_x)),
                (y0, x0 + 1.0, (1.0 - fraction_y) * fraction_x),
                (y0 + 1.0, x0, fraction_y * (1.0 - fraction_x)),
                (y0 + 1.0, x0 + 1.0, fraction_y * fraction_x),
            ]
            .into_iter()
            .filter(|&(y, x, weight)| weight > 0.0 && inside(y, height) && inside(x, width))
            .map(|(y, x, weight)| (y as usize * width + x as usize, weight as f32))
            .collect()
        })
        .collect()
}

/// Inputs plus independent normal noise of standard deviation `sd`; values are not clipped.
///
/// The noise of entry `(row, column)` depends on `seed`, `row` and `column` only, and scales with `sd`: the same seed at
/// twice the severity gives twice the displacement.
///
/// # Shapes
/// `inputs` and the result: `[N, D]`.
///
/// # Errors
/// [`Error::Shift`] if `sd` is negative or not finite.
pub fn gaussian_noise(inputs: ArrayView2<f32>, sd: f64, seed: u64) -> Result<Array2<f32>, Error> {
    Shift { kind: ShiftKind::GaussianNoise, severity: sd }.check()?;
    let mut out = inputs.as_standard_layout().into_owned();
    for (row, mut values) in out.rows_mut().into_iter().enumerate() {
        add_noise(values.as_slice_mut().expect("rows of a standard layout are contiguous"), sd, row, seed);
    }
    Ok(out)
}

fn add_noise(values: &mut [f32], sd: f64, row: usize, seed: u64) {
    for (pair, values) in values.chunks_mut(2).enumerate() {
        let (first, second) = normal_pair(seed, ((row as u64) << 24) + pair as u64);
        for (value, noise) in values.iter_mut().zip([first, second]) {
            *value += (sd * noise) as f32;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
