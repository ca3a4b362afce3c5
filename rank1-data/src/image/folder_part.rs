//! One part (`train`, `test` or `val`) of an image folder while it is read.
//!
//! Not for finding or decoding files.

use std::collections::BTreeSet;
use std::path::Path;

use super::{ImageError, Images};
use crate::Error;

/// Class and file name; the order of images.
pub(super) type Key = (String, String);

/// Images in the order they came.
#[derive(Debug, Default)]
pub(super) struct FolderPart {
    classes: BTreeSet<String>,
    keys: Vec<Key>,
    pixels: Vec<u8>,
}

impl FolderPart {
    pub(super) fn add_class(&mut self, class: &str) {
        if !self.classes.contains(class) {
            self.classes.insert(class.to_owned());
        }
    }

    pub(super) fn add_image(&mut self, key: Key, pixels: &[u8]) {
        self.keys.push(key);
        self.pixels.extend_from_slice(pixels);
    }

    /// The classes by name.
    pub(super) fn class_names(&self) -> Vec<String> {
        self.classes.iter().cloned().collect()
    }

    /// Every class has an image.
    pub(super) fn check_classes(&self, path: &Path, part: &str) -> Result<(), ImageError> {
        let filled: BTreeSet<&str> = self.keys.iter().map(|(class, _)| class.as_str()).collect();
        match self.classes.iter().find(|class| !filled.contains(class.as_str())) {
            Some(class) => {
                Err(ImageError::EmptyClass { path: path.join(part).join(class), class: class.clone() })
            }
            None => Ok(()),
        }
    }

    /// The images by class and file name.
    pub(super) fn into_images(
        self,
        size: (usize, usize, usize),
        class_names: &[String],
    ) -> Result<Images, Error> {
        let labels =
            self.keys.iter().map(|(class, _)| class_names.binary_search(class).unwrap_or(usize::MAX));
        let images = Images::new(self.pixels, size, labels.collect(), class_names.to_vec())?;
        if self.keys.is_sorted() {
            return Ok(images);
        }
        let mut order: Vec<usize> = (0..self.keys.len()).collect();
        order.sort_by(|&a, &b| self.keys[a].cmp(&self.keys[b]));
        images.select(&order)
    }
}
