//! A picture in memory, and the bytes of its file; what makes one of the other is the module `decode`.

use std::fs;
use std::path::Path;

use super::ImageError;
use super::names::shown;

/// What becomes of the channels of a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Channels {
    /// Three channels. Grey images are repeated, palettes resolved, an alpha channel dropped where everything is
    /// opaque. Transparent images, 16-bit channels and files of four inks (CMYK) are refused.
    #[default]
    Rgb,
    /// As `Rgb`, and files of four inks by the decoder's conversion, (255 - ink) (255 - black) / 255; ImageNet's training
    /// set has some.
    RgbOrCmyk,
    /// One channel; only grey images are accepted.
    Grey,
}

impl Channels {
    /// Number of channels of a decoded image.
    pub fn count(self) -> usize {
        if self == Self::Grey { 1 } else { 3 }
    }
}

/// One decoded image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Bytes, `[height, width, channels]`.
    pub pixels: Vec<u8>,
    /// Rows.
    pub height: usize,
    /// Pixels per row.
    pub width: usize,
    /// Values per pixel.
    pub channels: usize,
}

/// Largest file that is read as a picture.
const FILE_BYTES: u64 = 1 << 28;

/// The bytes of a picture's file.
///
/// # Errors
/// [`ImageError::BadImage`] for a file that cannot be read or is too large.
pub(super) fn read_picture_file(path: &Path) -> Result<Vec<u8>, ImageError> {
    let refuse = |problem: String| ImageError::BadImage { path: shown(path), problem };
    let unread = |error: std::io::Error| refuse(format!("cannot be read: {error}"));
    let length = fs::metadata(path).map_err(unread)?.len();
    if length > FILE_BYTES {
        return Err(refuse(format!("a file of {length} bytes, expected at most {FILE_BYTES}")));
    }
    fs::read(path).map_err(unread)
}
