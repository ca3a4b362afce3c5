//! Image files to predict: one file or a folder, read as the model's training images were.
//!
//! Not for images with labels; see [`crate::image_source`].

use std::path::{Path, PathBuf};

use anyhow::Result;
use rank1_data::InputLayout;
use rank1_data::image::ImageIndex;

use crate::image_stream::{ImageStream, Reading};
use crate::model::Model;

/// Images and the names of their files.
#[derive(Debug)]
pub struct NewImages {
    /// The rows.
    pub images: ImageStream,
    /// One name per row: relative to the folder, or the file's own.
    pub names: Vec<String>,
    /// The files themselves.
    pub files: Vec<PathBuf>,
}

impl NewImages {
    /// The images at `path`, if the model reads images and `path` is a folder or named as an image.
    ///
    /// # Errors
    /// A folder without images, a path that cannot be read.
    pub fn find(model: &Model, path: &Path) -> Result<Option<Self>> {
        let InputLayout::Image { height, width, channels } = model.document.layout else { return Ok(None) };
        if !path.is_dir() && !is_image(path) {
            return Ok(None);
        }
        let reading = match model.recipe.get().data.cropped_size() {
            Some(size) => Reading::resnet(size),
            None => Reading::Whole { height, width, channels },
        };
        let index = ImageIndex::unlabeled(path)?;
        let base = if path.is_dir() { Some(path) } else { path.parent() };
        let name = |i| {
            let file = index.name(i);
            let name = base.and_then(|base| file.strip_prefix(base).ok()).unwrap_or(&file);
            name.display().to_string()
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

fn is_image(path: &Path) -> bool {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    extension.is_some_and(|extension| ["jpg", "jpeg", "png"].contains(&extension.as_str()))
}
