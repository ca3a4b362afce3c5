//! Labelled rows of any file that a model can read: tables, class folders of images, IDX files, clinical stays.
//!
//! Not for rows without labels ([`crate::new_images`]) and not for the run's own parts ([`crate::run_split`]).

use std::path::Path;

use anyhow::{Result, bail};
use ndarray::{Array1, Array2};
use rank1_core::targets::Targets;
use rank1_data::idx::{IdxArray, read_idx};
use rank1_data::image::{FolderOptions, Formats, OnBadImage, index_labeled_images};
use rank1_data::{InputLayout, Physionet2012, PhysionetScaler, Split};
use rank1_models::recipe::{BadImages, Override, PictureFormat};
use sha2::{Digest, Sha256};

use crate::image_stream::{ImageStream, Reading};
use crate::model::Model;
use crate::part::Part;
use crate::{clinical, left_out, own_table, progress, tables};

/// The set of stays that models are trained on.
const TRAINED: char = 'a';

/// Images decoded at a time for a digest.
const BATCH: usize = 64;

/// What is said beside the file.
#[derive(Debug, Clone, Copy, Default)]
pub struct LabelledFile<'a> {
    /// The IDX file of labels.
    pub labels: Option<&'a Path>,
    /// The letter of a set of clinical stays.
    pub stays: Option<char>,
    /// `--set data.KEY=VALUE` of a table.
    pub overrides: &'a [Override],
}

/// Reads the rows at `path`, which messages call by its `option`.
///
/// # Errors
/// Rows of another kind than the model reads, classes it does not know, missing targets, and every error of the readers.
pub fn read(model: &Model, option: &str, path: &Path, also: &LabelledFile<'_>) -> Result<Part> {
    if !path.exists() {
        bail!("{option} {}: no such file", path.display());
    }
    let is_idx = model.document.image.is_some() && path.is_file();
    if also.labels.is_some() && !is_idx {
        bail!("--labels: only IDX files of images have their labels in a file of their own");
    }
    if also.stays.is_some() && model.document.scaler.is_none() {
        bail!("--stays: only runs on clinical stays have lettered sets");
    }
    if let Some(scaler) = &model.document.scaler {
        return stays(option, path, also.stays, scaler);
    }
    if model.document.schema.is_some() {
        return table(model, option, path, also.overrides);
    }
    if !also.overrides.is_empty() {
        bail!("--set: only tables are read otherwise, this run is on none");
    }
    match model.document.layout {
        InputLayout::Image { .. } if is_idx => idx(model, path, also.labels),
        InputLayout::Image { .. } => images(model, path),
        _ => bail!(
            "{option}: a file of such rows is not read; --data test or validation of `calibrate` are the run's own"
        ),
    }
}

fn table(model: &Model, option: &str, file: &Path, overrides: &[Override]) -> Result<Part> {
    let Some(schema) = model.document.schema.clone() else { bail!("the run's model.json has no columns") };
    let schema = own_table::later(&schema, overrides)?;
    if !file.is_file() {
        // It is read twice, for its notes and for its rows.
        bail!("{option} {}: expected a file", file.display());
    }
    let part = Part::from(schema.read(file)?);
    schema.read_inputs(file)?.notes.iter().for_each(|note| tables::note(&format!("note: {note}")));
    Ok(part)
}

/// Class folders, read as the model's own images were.
fn images(model: &Model, path: &Path) -> Result<Part> {
    let InputLayout::Image { height, width, channels } = model.document.layout else {
        bail!("the run's model.json has no image size");
    };
    let data = &model.recipe.get().data;
    let reading = match data.cropped_size() {
        Some(size) => Reading::resnet(size),
        None => Reading::Whole { height, width, channels },
    };
    let skip = data.bad_images == Some(BadImages::Skip);
    let on_bad = if skip { OnBadImage::Skip } else { OnBadImage::Stop };
    let has = |format| data.formats.contains(&format);
    let formats = Formats {
        webp: has(PictureFormat::Webp),
        bmp: has(PictureFormat::Bmp),
        tiff: has(PictureFormat::Tiff),
    };
    let options = FolderOptions { on_bad, formats, channels: reading.channels() };
    let (index, left) = index_labeled_images(path, &options)?;
    let index = index.with_classes(&model.document.class_names).map_err(|error| {
        let classes = model.document.class_names.join("`, `");
        anyhow::Error::from(error).context(format!("the model knows the classes `{classes}`"))
    })?;
    let index = index.with_channels(reading.channels());
    let bar = progress::CountedProgress::new(index.len(), "images looked at", true);
    let looked = index.usable_images(on_bad, |picture| reading.check(picture), |done| bar.set_position(done));
    bar.clear();
    let (index, skipped) = looked?;
    left_out::tell(&[left.bad, skipped].concat(), &left.told);
    if index.is_empty() {
        bail!("{}: none of its images can be used", path.display());
    }
    Ok(ImageStream::new(index, reading, model.document.normalizer.clone()).into())
}

/// Gray images of an IDX file, of the size that the model reads.
///
/// # Shapes
/// Returns `[N, height width]`, pixels from 0 to 1.
///
/// # Errors
/// A file that is no such images, images of another size.
pub(crate) fn gray_images(model: &Model, path: &Path) -> Result<Array2<f32>> {
    let images = gray_bytes(model, path)?;
    let width = images.shape[1] * images.shape[2];
    let pixels = images.data.iter().map(|&byte| f32::from(byte) / 255.0).collect();
    Ok(Array2::from_shape_vec((images.shape[0], width), pixels)?)
}

/// As [`gray_images`], as bytes.
pub(crate) fn gray_bytes(model: &Model, path: &Path) -> Result<IdxArray> {
    let Some((height, width)) = model.document.image else { bail!("the run's model.json has no image size") };
    let images = read_idx(path, 3)?;
    if images.shape[1..] != [height, width] {
        bail!(
            "{}: images are {}x{}, the model was trained on {height}x{width}",
            path.display(),
            images.shape[1],
            images.shape[2]
        );
    }
    Ok(images)
}

/// Gray images with their labels in another file.
fn idx(model: &Model, path: &Path, labels: Option<&Path>) -> Result<Part> {
    let Some(label_path) = labels else {
        bail!("{}: an IDX file of images needs its labels, --labels FILE", path.display());
    };
    let (inputs, labels) = (gray_images(model, path)?, read_idx(label_path, 1)?);
    let n = inputs.nrows();
    if labels.data.len() != n {
        let n_labels = labels.data.len();
        bail!("{}: expected a label for each of the {n} images, got {n_labels}", label_path.display());
    }
    let n_classes = model.document.class_names.len();
    if let Some(row) = labels.data.iter().position(|&label| usize::from(label) >= n_classes) {
        bail!(
            "{}: label {} of image {} is unknown, the model knows {n_classes} classes, from 0",
            label_path.display(),
            labels.data[row],
            row + 1
        );
    }
    let labels: Array1<usize> = labels.data.iter().map(|&label| usize::from(label)).collect();
    Ok(Split::new(inputs, Targets::Classes { labels, n_classes })?.into())
}

fn stays(option: &str, root: &Path, set: Option<char>, scaler: &PhysionetScaler) -> Result<Part> {
    let there: Vec<char> = ('a'..='z').filter(|&set| Physionet2012::is_there(root, set)).collect();
    let named: Vec<String> = there.iter().map(|set| format!("set-{set}")).collect();
    let Some(set) = set else {
        bail!("{option} {}: say with --stays LETTER which set: it has {}", root.display(), named.join(", "));
    };
    if set == TRAINED {
        bail!("--stays {set}: set-{set} trained the model; expected stays that it has never seen");
    }
    if !there.contains(&set) {
        bail!("--stays {set}: {} has no such set, it has {}", root.display(), named.join(", "));
    }
    Ok(clinical::stays(Some(root), Some(set), scaler)?.into())
}

/// SHA-256 of inputs and targets as they were read; of images on disk after they were decoded and cropped.
///
/// # Errors
/// Images that cannot be read.
pub fn digest(part: &Part) -> Result<String> {
    use rank1_models::inputs::{InputStream, Purpose};
    let mut sum = Sha256::new();
    let mut add = |rows: &Array2<f32>| rows.iter().for_each(|value| sum.update(value.to_le_bytes()));
    match part {
        Part::Stored(split) => add(&split.inputs.to_owned()),
        Part::Streamed { images, .. } => {
            for batch in images.batches((0..part.len()).collect(), BATCH, Purpose::Evaluation)? {
                add(&batch?);
            }
        }
    }
    match part.targets() {
        Targets::Classes { labels, .. } => {
            labels.iter().for_each(|&label| sum.update((label as u64).to_le_bytes()))
        }
        Targets::Values(values) => values.iter().for_each(|value| sum.update(value.to_le_bytes())),
    }
    Ok(rank1_models::recipe::hex(&sum.finalize()))
}
