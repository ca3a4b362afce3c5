//! What is said of files that are left out of a set of images: named and counted on stderr, whatever else is quiet.
//!
//! Not for finding them; see [`rank1_data::image`].

use rank1_data::Error;
use rank1_data::image::{ImageError, SkippedImage};

use crate::tables;

/// Files that are named when they are left out; of more, the number is told.
const NAMED: usize = 20;

/// Names and counts files that should have been pictures, and those that are none.
pub fn tell(bad: &[SkippedImage], told: &[SkippedImage]) {
    list("files left out because they are no usable images", bad);
    list("files and folders beside the images, for your information", told);
}

fn list(what: &str, files: &[SkippedImage]) {
    if files.is_empty() {
        return;
    }
    tables::note(&format!("{what}: {}", files.len()));
    for file in files.iter().take(NAMED) {
        // A name may hold a line break.
        let line: String = format!("  {}: {}", file.path, file.problem)
            .chars()
            .map(|character| if character.is_control() { ' ' } else { character })
            .collect();
        tables::note(&line);
    }
    if files.len() > NAMED {
        tables::note(&format!("  and {} more", files.len() - NAMED));
    }
}

/// The error with what would leave the file out, if it is about an unusable one.
pub fn with_knob(error: Error, knob: &str) -> anyhow::Error {
    if matches!(error, Error::Image(ImageError::BadImage { .. })) {
        return anyhow::anyhow!("{error}; {knob}");
    }
    error.into()
}
