//! Files of an index that cannot be decoded, found before anything depends on them.

use rayon::prelude::*;

use super::{ImageError, ImageIndex, SkippedImage};
use crate::Error;

/// Files decoded between two reports.
const CHUNK: usize = 256;

impl ImageIndex {
    /// Decodes every file once and leaves out those that are no usable images; `done` hears the number of files looked at.
    ///
    /// # Errors
    /// [`ImageError::EmptyClass`] if a class would keep no file; [`Error::Io`].
    pub fn without_bad_images(
        &self,
        mut done: impl FnMut(usize),
    ) -> Result<(Self, Vec<SkippedImage>), Error> {
        let (mut kept, mut skipped) = (Vec::new(), Vec::new());
        for start in (0..self.len()).step_by(CHUNK) {
            let files = start..self.len().min(start + CHUNK);
            let looked: Vec<Result<(), Error>> =
                files.clone().into_par_iter().map(|i| self.picture(i).map(|_| ())).collect();
            for (i, looked) in files.clone().zip(looked) {
                match looked {
                    Ok(()) => kept.push(i),
                    Err(Error::Image(ImageError::BadImage { path, problem })) => {
                        skipped.push(SkippedImage { path: path.display().to_string(), problem });
                    }
                    Err(error) => return Err(error),
                }
            }
            done(files.end);
        }
        let clean = self.select(&kept);
        let filled: std::collections::HashSet<usize> = clean.labels().into_iter().collect();
        match (0..self.len()).find(|&i| !filled.contains(&self.label(i))) {
            Some(i) => {
                let class = self.class_names()[self.label(i)].clone();
                Err(ImageError::EmptyClass { path: self.name(i), class }.into())
            }
            None => Ok((clean, skipped)),
        }
    }
}
