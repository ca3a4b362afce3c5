//! Files of an index that cannot be decoded, found before anything depends on them.

use rayon::prelude::*;

use super::{ImageError, ImageIndex, OnBadImage, Picture, SkippedImage};
use crate::Error;

/// Files decoded between two reports.
const CHUNK: usize = 256;

impl ImageIndex {
    /// Decodes every file once and leaves out those that are no usable images; `done` hears the number of files looked at.
    ///
    /// # Errors
    /// [`ImageError::EmptyClass`] if a class would keep no file; [`Error::Io`].
    pub fn without_bad_images(&self, done: impl FnMut(usize)) -> Result<(Self, Vec<SkippedImage>), Error> {
        let (clean, skipped) = self.usable_images(OnBadImage::Skip, |_| Ok(()), done)?;
        let filled: std::collections::HashSet<usize> = clean.labels().into_iter().collect();
        match (0..self.len()).find(|&i| !filled.contains(&self.label(i))) {
            Some(i) => {
                let class = self.class_names()[self.label(i)].clone();
                Err(ImageError::EmptyClass { path: self.name(i), class }.into())
            }
            None => Ok((clean, skipped)),
        }
    }

    /// Decodes every file once and keeps those that are images and that `usable` finds no fault with, in their order.
    ///
    /// # Errors
    /// With [`OnBadImage::Stop`] [`ImageError::BadImage`] for the first other file; [`Error::Io`].
    pub fn usable_images(
        &self,
        on_bad: OnBadImage,
        usable: impl Fn(&Picture) -> Result<(), String> + Sync,
        mut done: impl FnMut(usize),
    ) -> Result<(Self, Vec<SkippedImage>), Error> {
        let look = |i: usize| {
            let picture = self.picture(i)?;
            usable(&picture).map_err(|problem| self.refused(i, problem).into())
        };
        let (mut kept, mut skipped) = (Vec::new(), Vec::new());
        for start in (0..self.len()).step_by(CHUNK) {
            let files = start..self.len().min(start + CHUNK);
            let looked: Vec<Result<(), Error>> = files.clone().into_par_iter().map(look).collect();
            for (i, looked) in files.clone().zip(looked) {
                match looked {
                    Ok(()) => kept.push(i),
                    Err(Error::Image(ImageError::BadImage { path, problem }))
                        if on_bad == OnBadImage::Skip =>
                    {
                        skipped.push(SkippedImage { path: path.display().to_string(), problem });
                    }
                    Err(error) => return Err(error),
                }
            }
            done(files.end);
        }
        Ok((self.select(&kept), skipped))
    }

    /// The refusal of file `i`, whose name is readable whatever its bytes.
    ///
    /// # Panics
    /// If `i` is not below [`ImageIndex::len`].
    #[must_use]
    #[track_caller]
    pub fn refused(&self, i: usize, problem: String) -> ImageError {
        ImageError::BadImage { path: super::names::shown(&self.name(i)), problem }
    }
}
