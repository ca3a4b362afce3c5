//! What stands for the decoders in a build without them.

use std::path::Path;

use super::ImageError;
use super::names::shown;
use super::picture::{Channels, Picture};

/// Refuses the picture: this build decodes none.
///
/// # Errors
/// [`ImageError::BadImage`] names the feature.
pub fn decode_image(_: &[u8], path: &Path, _: Channels) -> Result<Picture, ImageError> {
    let problem = "this build decodes no pictures; the feature `images` of rank1-data does".into();
    Err(ImageError::BadImage { path: shown(path), problem })
}
