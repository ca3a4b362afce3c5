//! What the image corruptions refuse.
//!
//! Not for other shifts of the inputs; see [`crate::Error::Shift`].

use thiserror::Error as ThisError;

use crate::error::hint_text;

/// A refused corruption, image or row.
#[derive(Debug, Clone, PartialEq, ThisError)]
#[non_exhaustive]
pub enum CorruptError {
    /// No corruption has this name.
    #[error("unknown corruption `{name}`{}; known: {}", hint_text(hint), known.join(", "))]
    UnknownKind {
        /// The name that came.
        name: String,
        /// The nearest known name.
        hint: Option<String>,
        /// All accepted names.
        known: Vec<&'static str>,
    },
    /// The severity is not one of the five.
    #[error("corruption `{kind}`: severity `{got}`, expected a whole number from 1 to 5")]
    Severity {
        /// The corruption.
        kind: String,
        /// What came.
        got: String,
    },
    /// The text of a corruption has no colon.
    #[error("corruption `{text}`: no colon; expected KIND:SEVERITY such as `fog:3`")]
    Form {
        /// The text that came.
        text: String,
    },
    /// Images are neither gray nor RGB.
    #[error("images of {got} channels, expected 1 (gray) or 3 (red, green, blue)")]
    Channels {
        /// The number that came.
        got: usize,
    },
    /// A side of the image is 0, or longer than a JPEG file can be.
    #[error("images of {height} x {width} pixels, expected sides from 1 to 65535")]
    Size {
        /// Rows of pixels.
        height: usize,
        /// Pixels per row.
        width: usize,
    },
    /// The number of bytes is not the number of values of the images.
    #[error("{got} bytes, expected {expected}: {images} image(s) of {height} x {width} x {channels}")]
    Length {
        /// Number of bytes that came.
        got: usize,
        /// Number of bytes that the sizes announce.
        expected: usize,
        /// Number of images.
        images: usize,
        /// Rows of pixels.
        height: usize,
        /// Pixels per row.
        width: usize,
        /// Values per pixel.
        channels: usize,
    },
    /// The rows of a split are not images.
    #[error("corruption `{corruption}` needs images, but the inputs are {got}")]
    NotImages {
        /// The corruption.
        corruption: String,
        /// What the inputs are, in words.
        got: &'static str,
    },
    /// A value of an image row lies outside the unit interval, for example because it is already normalized.
    #[error("row {row}, column {column}: pixel {value}, expected a value from 0 to 1 (before normalization)")]
    NotPixel {
        /// 0-based row.
        row: usize,
        /// 0-based column.
        column: usize,
        /// The value.
        value: f32,
    },
    /// The JPEG coder refused the image.
    #[error("JPEG round trip of an image of {height} x {width} pixels: {reason}")]
    Jpeg {
        /// Rows of pixels.
        height: usize,
        /// Pixels per row.
        width: usize,
        /// The coder's reason.
        reason: String,
    },
}
