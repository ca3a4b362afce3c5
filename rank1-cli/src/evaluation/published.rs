//! Corrupted copies of a test set as they are published: every corruption at every severity, and their means.
//!
//! Not for corruptions made here, which are shifts; see [`crate::shift`].

use std::path::Path;

use anyhow::{Result, bail};
use rank1_data::Normalizer;
use rank1_data::image::{Cifar, CifarC, ImageNetC, Preprocess};
use rank1_models::recipe::Recipe;

use super::{mean_corruption, metrics};
use crate::image_stream::{ImageStream, Reading};
use crate::model::Model;
use crate::part::Part;
use crate::progress::CountedProgress;
use crate::report::input::{Evaluation, Metrics, ShiftPoint};

/// Severities that folders of images may have.
const SEVERITIES: std::ops::RangeInclusive<usize> = 1..=5;

/// An opened corrupted copy.
enum Published {
    Cifar(CifarC),
    /// Class folders, and how the model reads their images.
    Folders(ImageNetC, Reading),
}

impl Published {
    fn open(recipe: &Recipe, path: &Path, severities: Option<&[u8]>) -> Result<Self> {
        let cifar = [Cifar::Ten, Cifar::Hundred].into_iter().find(|cifar| cifar.name() == recipe.data.set);
        match (cifar, recipe.data.cropped_size()) {
            (Some(cifar), _) => Ok(Self::Cifar(CifarC::open(cifar, path, severities)?)),
            (None, Some(_)) if severities.is_some() => {
                bail!("--severities: of images in folders the names of the folders tell the severities")
            }
            (None, Some(size)) => {
                // The images of ImageNet-C are the crops already.
                let evaluation = Preprocess::CenterCrop { size, padding: 0 };
                let reading = Reading::Cropped { training: evaluation, evaluation };
                Ok(Self::Folders(ImageNetC::open(path)?, reading))
            }
            (None, None) => bail!(
                "--corrupted: corrupted copies are read for `cifar10`, `cifar100`, `imagenet` and cropped `images`, the run is on `{}`",
                recipe.data.set
            ),
        }
    }

    /// Every corruption and severity that is there.
    fn points(&self) -> Vec<(String, usize)> {
        let names = match self {
            Self::Cifar(set) => set.corruptions(),
            Self::Folders(set, _) => set.corruptions(),
        };
        let of = |name: &str| -> Vec<(String, usize)> {
            let there: Vec<usize> = match self {
                Self::Cifar(set) => set.severities().iter().map(|&severity| severity.into()).collect(),
                Self::Folders(set, _) => SEVERITIES.filter(|&severity| set.has(name, severity)).collect(),
            };
            there.into_iter().map(|severity| (name.to_owned(), severity)).collect()
        };
        names.into_iter().flat_map(of).collect()
    }

    fn part(&self, name: &str, severity: usize, classes: &[String], scaling: &Normalizer) -> Result<Part> {
        Ok(match self {
            Self::Cifar(set) => Part::Stored(set.load(name, severity)?.to_split()?),
            Self::Folders(set, reading) => {
                let index = set.index(name, severity)?.with_classes(classes)?;
                ImageStream::new(index, *reading, scaling.clone()).into()
            }
        })
    }
}

/// Measures a model on every published corruption at every severity found in `path`.
///
/// The evaluation has a point for each, and of the whole the means over them. `severities` are those of stacked files that do
/// not tell theirs.
///
/// # Errors
/// A run on a set without corrupted copies, and every error of their readers.
pub fn evaluate_published(
    model: &mut Model,
    path: &Path,
    severities: Option<&[u8]>,
    samples: usize,
    quiet: bool,
) -> Result<Evaluation> {
    let recipe = model.recipe.get().clone();
    let set = Published::open(&recipe, path, severities)?;
    let points = set.points();
    let mut evaluation = Evaluation {
        set: recipe.data.set.clone(),
        split: "corrupted".into(),
        members: model.n_members(),
        samples,
        ..Evaluation::default()
    };
    let progress = CountedProgress::new(points.len(), "corruptions", quiet);
    for (kind, severity) in points {
        progress.begin(format!("{kind} {severity}"));
        let document = &model.document;
        let part = set.part(&kind, severity, &document.class_names, &document.normalizer)?;
        evaluation.n += part.len();
        let metrics = metrics(&model.predict_part(&part, samples)?, part.targets(), None)?;
        evaluation.shifts.push(ShiftPoint { kind, severity: severity as f64, metrics });
        progress.done();
    }
    progress.clear();
    let all: Vec<Metrics> = evaluation.shifts.iter().map(|point| point.metrics.clone()).collect();
    mean_corruption(&all, &mut evaluation.metrics);
    Ok(evaluation)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use ndarray::{Array1, Array2};
    use rank1_core::targets::Targets;
    use rank1_data::{CorruptionKind, Split};
    use rank1_models::recipe::{CheckedRecipe, parse};

    use super::*;
    use crate::corrupted_set::CorruptedSet;

    fn recipe(set: &str) -> CheckedRecipe {
        let text = format!(
            "name = \"test/x\"\ndata = {{ set = \"{set}\" }}\nmodel = {{ kind = \"lenet5\" }}\n\
             method = {{ kind = \"deterministic\" }}\n[train]\nepochs = 1\nbatch_size = 8\n\
             optimizer = {{ kind = \"adam\", learning_rate = 0.01 }}\n"
        );
        parse(&text, &[]).unwrap()
    }

    #[test]
    fn copies_of_cifar_are_read_at_all_their_severities() {
        let folder = tempfile::tempdir().unwrap();
        let inputs = Array2::from_shape_fn((2, 32 * 32 * 3), |(i, j)| ((i + j) % 256) as f32 / 255.0);
        let targets = Targets::Classes { labels: Array1::from(vec![3, 7]), n_classes: 10 };
        let kinds = [CorruptionKind::Contrast, CorruptionKind::Brightness];
        let copies =
            CorruptedSet::new(&Split::new(inputs, targets).unwrap(), (32, 32, 3), vec![1, 2, 3, 4, 5], 1)
                .unwrap();
        copies.open(folder.path(), &kinds).unwrap();
        kinds.iter().for_each(|&kind| copies.write(folder.path(), kind, |_| ()).unwrap());
        let set = Published::open(recipe("cifar10").get(), folder.path(), None).unwrap();
        let points = set.points();
        assert_eq!((points.len(), &points[6]), (10, &("contrast".to_owned(), 2)));
        let part = set.part("contrast", 2, &[], &Normalizer::imagenet(3_072)).unwrap();
        assert!(matches!(part.targets(), Targets::Classes { labels, .. } if labels.to_vec() == [3, 7]));
        assert_eq!(part.n_features(), 3_072);
    }

    #[test]
    fn sets_without_copies_are_refused_by_name() {
        let refused =
            Published::open(recipe("mnist10k").get(), Path::new("."), None).err().unwrap().to_string();
        assert!(refused.contains("the run is on `mnist10k`"), "{refused}");
        let refused = Published::open(recipe("imagenet").get(), Path::new("."), Some(&[3])).err().unwrap();
        assert!(refused.to_string().contains("--severities"), "{refused}");
        assert!(Published::open(recipe("imagenet").get(), Path::new("absent"), None).is_err());
    }
}
