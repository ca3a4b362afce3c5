//! Image files to predict: one file or a folder, read as the model's training images were, and looked at before anything is
//! computed.
//!
//! Not for images with labels; see [`crate::image_source`].

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use rank1_data::InputLayout;
use rank1_data::image::{ImageIndex, OnBadImage, escaped_name, has_picture_ending};
use rank1_models::recipe::BadImages;

use crate::args::BadImagesName;
use crate::image_stream::{ImageStream, Reading};
use crate::model::Model;
use crate::{left_out, progress};

/// Images and the names of their files.
#[derive(Debug)]
pub struct NewImages {
    /// The rows.
    pub images: ImageStream,
    /// One name per row: relative to the folder, or the file's own; bytes that are no text are escaped.
    pub names: Vec<String>,
    /// The files themselves.
    pub files: Vec<PathBuf>,
}

impl NewImages {
    /// The images at `path`, if the model reads images and `path` is a folder or named as an image.
    ///
    /// Every file is decoded once first: a bad one is found before the others are predicted. Those that are left out are named
    /// and counted on stderr. What happens to bad ones is `asked`, or else as in training.
    ///
    /// # Errors
    /// A folder without images, an image that cannot be used unless such are skipped, a path that cannot be read.
    pub fn find(model: &Model, path: &Path, asked: Option<BadImagesName>) -> Result<Option<Self>> {
        let InputLayout::Image { height, width, channels } = model.document.layout else { return Ok(None) };
        let is_named = path.file_name().is_some_and(has_picture_ending);
        if !path.is_dir() && !is_named {
            return Ok(None);
        }
        let data = &model.recipe.get().data;
        let reading = match data.cropped_size() {
            Some(size) => Reading::resnet(size),
            None => Reading::Whole { height, width, channels },
        };
        let on_bad = match (asked, data.bad_images) {
            (Some(BadImagesName::Skip), _) | (None, Some(BadImages::Skip)) => OnBadImage::Skip,
            (Some(BadImagesName::Stop), _) | (None, Some(BadImages::Stop) | None) => OnBadImage::Stop,
        };
        let with_knob =
            |error| left_out::with_knob(error, "--bad-images skip predicts the others and names such files");
        let (index, left) = ImageIndex::unlabeled(path, on_bad).map_err(with_knob)?;
        let index = index.with_channels(reading.channels());
        let bar = progress::CountedProgress::new(index.len(), "images looked at", false);
        let looked =
            index.usable_images(on_bad, |picture| reading.check(picture), |done| bar.set_position(done));
        bar.clear();
        let (index, skipped) = looked.map_err(with_knob)?;
        let bad = [left.bad, skipped].concat();
        if index.is_empty() {
            let first = bad.first().map(|file| format!("; {}: {}", file.path, file.problem));
            bail!(
                "{}: none of its {} images can be used{}",
                path.display(),
                bad.len(),
                first.unwrap_or_default()
            );
        }
        left_out::tell(&bad, &left.told);
        let base = if path.is_dir() { Some(path) } else { path.parent() };
        let name = |i| {
            let file = index.name(i);
            let name = base.and_then(|base| file.strip_prefix(base).ok()).unwrap_or(&file);
            escaped_name(name.as_os_str())
        };
        let names = (0..index.len()).map(name).collect();
        let files = (0..index.len()).map(|i| index.name(i)).collect();
        Ok(Some(Self {
            images: ImageStream::new(index, reading, model.document.normalizer.clone()),
            names,
            files,
        }))
    }
}
