//! From a recipe's `[data]` table to images: ImageNet, and the user's own.

use std::path::Path;

use anyhow::{Context, Result};
use rank1_data::image::{
    Channels, FolderOptions, Formats, ImageIndex, ImageNet, IndexedImages, OnBadImage, TestShare,
    index_own_images, read_own_images,
};
use rank1_data::{Error, Normalizer, Task};
use rank1_models::recipe::{BadImages, DataRecipe, PictureFormat, Recipe};

use crate::image_stream::{ImageStream, Reading};
use crate::source::Source;
use crate::{left_out, progress};

/// Name of ImageNet in recipes.
pub const IMAGENET: &str = "imagenet";

/// Name of a user's own images in recipes.
pub const IMAGES: &str = "images";

/// Lists the images of ImageNet; none is decoded before it is needed.
///
/// # Errors
/// No folder, and every error of the reader.
pub fn imagenet(data: &DataRecipe, size: usize, root: Option<&Path>) -> Result<Source> {
    let looked_for =
        "`train` and `val`, or the archives `ILSVRC2012_img_train.tar` and `ILSVRC2012_img_val.tar`";
    let root = root.ok_or(Error::RootNeeded { set: IMAGENET, looked_for })?;
    let set = ImageNet::open(root)?;
    Ok(streamed(data.set.clone(), size, set.train, set.val, set.provenance))
}

/// Reads a user's own images: into memory as they are, or as a list when the recipe says to which size they are cropped.
///
/// Files that are left out are named and counted on stderr, also when progress is `quiet`: they are data that the model never
/// sees.
///
/// # Errors
/// Every error of the readers.
pub fn own(recipe: &Recipe, quiet: bool) -> Result<Source> {
    let data = &recipe.data;
    let file = data.file.as_deref().context("data.set = \"images\" needs data.file")?;
    let (path, test) = (Path::new(file), TestShare { fraction: data.test_fraction, seed: recipe.seed });
    let on_bad = match data.bad_images {
        Some(BadImages::Skip) => OnBadImage::Skip,
        Some(BadImages::Stop) | None => OnBadImage::Stop,
    };
    let has = |format| data.formats.contains(&format);
    let formats = Formats {
        webp: has(PictureFormat::Webp),
        bmp: has(PictureFormat::Bmp),
        tiff: has(PictureFormat::Tiff),
    };
    let options = FolderOptions { on_bad, formats, channels: Channels::RgbOrCmyk };
    let Some(size) = data.cropped_size() else {
        let set = read_own_images(path, &options, test).map_err(with_knob)?;
        left_out::tell(&set.skipped, &set.told);
        return Ok(Source::from(set.to_dataset(&name_of(path))?));
    };
    let IndexedImages { mut train, test: mut held, left_out } =
        index_own_images(path, &options, test).map_err(with_knob)?;
    let (n, mut skipped) = (train.len() + held.len(), left_out.bad);
    if on_bad == OnBadImage::Skip {
        let bar = progress::CountedProgress::new(n, "images looked at", quiet);
        let mut before = 0;
        for part in [&mut train, &mut held] {
            let (clean, bad) = part.without_bad_images(|done| bar.set_position(before + done))?;
            before += part.len();
            *part = clean;
            skipped.extend(bad);
        }
        bar.clear();
    }
    left_out::tell(&skipped, &left_out.told);
    let mut provenance = format!("image folder {}, {} of {n} images held out", path.display(), held.len());
    if !skipped.is_empty() {
        provenance += &format!("; {} unusable files left out", skipped.len());
    }
    Ok(streamed(name_of(path), size, train, held, provenance))
}

fn with_knob(error: Error) -> anyhow::Error {
    left_out::with_knob(error, "data.bad_images = \"skip\" leaves such files out")
}

/// Both parts as streams, standardized by ImageNet's constants: statistics of one's own would take a pass over all files.
fn streamed(name: String, size: usize, train: ImageIndex, test: ImageIndex, provenance: String) -> Source {
    let (reading, class_names) = (Reading::resnet(size), train.class_names().to_vec());
    let normalizer = Normalizer::imagenet(size * size * 3);
    Source {
        name,
        task: Task::Classification,
        feature_names: Vec::new(),
        class_names,
        image: None,
        layout: reading.layout(),
        provenance,
        train: ImageStream::new(train, reading, normalizer.clone()).into(),
        test: ImageStream::new(test, reading, normalizer).into(),
        schema: None,
        scaler: None,
        notes: Vec::new(),
        validation: None,
    }
}

/// The last part of a path up to its first dot.
fn name_of(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    name.split('.').find(|part| !part.is_empty()).unwrap_or(IMAGES).to_owned()
}
