//! Labels of ImageNet's validation images from plain lists or the devkit's ground truth.
//!
//! Not for `meta.mat`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::ImageError;
use crate::Error;
use crate::archive::read_members;

const GROUND_TRUTH: &str = "ILSVRC2012_validation_ground_truth.txt";

const DEVKIT: &str = "ILSVRC2012_devkit_t12.tar.gz";
/// One WordNet id per line, line `i` for the devkit's number `i`.
const DEVKIT_IDS: &str = "ILSVRC2012_synsets.txt";
/// Lists of ids, in the order in which they are looked for: our own name, and names under which they are published.
const ID_LISTS: [&str; 3] =
    ["val_labels.txt", "LOC_val_solution.csv", "imagenet_2012_validation_synset_labels.txt"];
/// Classes of the published set.
const N_CLASSES: usize = 1_000;

/// Where the labels of the validation images come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValLabels {
    /// A text with one WordNet id per line in the order of the file names, or `<file name> <id>` per line in any order
    /// (separated by blanks or a comma; further fields are ignored, as is a first line that names no id).
    Synsets(PathBuf),
    /// The devkit's numbers, and the list that says which class a number means.
    Devkit {
        /// `ILSVRC2012_devkit_t12.tar.gz` or the `ILSVRC2012_validation_ground_truth.txt` in it.
        ground_truth: PathBuf,
        /// A text with a WordNet id per line: line `i` is the class of number `i` (from 1).
        synsets: PathBuf,
    },
}

impl ValLabels {
    /// The labels that lie in a folder: `val_labels.txt`, `LOC_val_solution.csv` or
    /// `imagenet_2012_validation_synset_labels.txt`; else `ILSVRC2012_devkit_t12.tar.gz` (or the ground truth in it) beside
    /// `ILSVRC2012_synsets.txt`.
    pub fn find(folder: &Path) -> Option<Self> {
        let file = |name: &&str| Some(folder.join(name)).filter(|path| path.is_file());
        if let Some(list) = ID_LISTS.iter().find_map(file) {
            return Some(Self::Synsets(list));
        }
        let ground_truth = [DEVKIT, GROUND_TRUTH].iter().find_map(file)?;
        Some(Self::Devkit { ground_truth, synsets: file(&DEVKIT_IDS)? })
    }

    /// The files that [`ValLabels::find`] looks for, in words.
    pub(super) fn looked_for() -> String {
        format!("labels ({}, or {DEVKIT} with {DEVKIT_IDS})", ID_LISTS.join(", "))
    }
}

/// One class index per file name (the names are sorted), and the class names: all ids of the list, sorted.
pub(super) fn synsets_of(labels: &ValLabels, names: &[String]) -> Result<(Vec<usize>, Vec<String>), Error> {
    let (path, ids, class_names) = match labels {
        ValLabels::Synsets(path) => {
            let (ids, all) = read_synsets(path, names)?;
            (path, ids, sorted(&all))
        }
        ValLabels::Devkit { ground_truth, synsets } => {
            let known = read_ids(synsets)?;
            if known.len() >= N_CLASSES && known.is_sorted() {
                // Such a list is published too, for other software; with it nearly every label would be wrong.
                let expected = "the class of the devkit's number 1: the list is sorted, the numbers are not";
                let (path, value) = (synsets.clone(), known[0].clone());
                return Err(ImageError::LabelLine { path, row: 1, value, expected: expected.into() }.into());
            }
            let text = read_ground_truth(ground_truth)?;
            let mut ids = Vec::new();
            for (row, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
                let number = line.trim().parse::<usize>().ok().and_then(|number| number.checked_sub(1));
                let id =
                    number.and_then(|number| known.get(number)).ok_or_else(|| ImageError::LabelLine {
                        path: ground_truth.clone(),
                        row: row + 1,
                        value: shown(line),
                        expected: format!("a number from 1 to {}", known.len()),
                    })?;
                ids.push(id.clone());
            }
            (ground_truth, ids, sorted(&known))
        }
    };
    if ids.len() != names.len() {
        return Err(ImageError::LabelCount {
            path: path.clone(),
            n_images: names.len(),
            n_labels: ids.len(),
        }
        .into());
    }
    let rank = |id: &String| class_names.binary_search(id).expect("the class names are the distinct ids");
    Ok((ids.iter().map(rank).collect(), class_names))
}

fn sorted(ids: &[String]) -> Vec<String> {
    let mut names = ids.to_vec();
    names.sort_unstable();
    names.dedup();
    names
}

fn shown(line: &str) -> String {
    line.trim().chars().take(40).collect()
}

fn read_text(path: &Path) -> Result<String, Error> {
    let bytes = fs::read(path).map_err(Error::io(path))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// `n` and eight digits.
fn is_id(field: &str) -> bool {
    field.len() == 9 && field.starts_with('n') && field[1..].bytes().all(|byte| byte.is_ascii_digit())
}

fn fields(line: &str) -> Vec<&str> {
    line.split(|c: char| c == ',' || c.is_whitespace()).filter(|field| !field.is_empty()).collect()
}

fn not_an_id(path: &Path, row: usize, line: &str) -> ImageError {
    let expected = "a WordNet id as n01440764, alone or behind a file name".to_owned();
    ImageError::LabelLine { path: path.into(), row: row + 1, value: shown(line), expected }
}

/// The first field of every line is an id.
fn read_ids(path: &Path) -> Result<Vec<String>, Error> {
    let text = read_text(path)?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let ids = lines.map(|(row, line)| match fields(line).first() {
        Some(id) if is_id(id) => Ok((*id).to_owned()),
        _ => Err(not_an_id(path, row, line).into()),
    });
    ids.collect()
}

/// One id per file name, and all ids of the list.
fn read_synsets(path: &Path, names: &[String]) -> Result<(Vec<String>, Vec<String>), Error> {
    let text = read_text(path)?;
    let (mut in_order, mut by_name) = (Vec::new(), BTreeMap::new());
    for (row, line) in text.lines().enumerate() {
        match fields(line).as_slice() {
            [] => {}
            [id, ..] if is_id(id) => in_order.push((*id).to_owned()),
            [name, id, ..] if is_id(id) => {
                let stem = stem(name).to_owned();
                by_name.insert(stem, (*id).to_owned());
            }
            // A header such as `ImageId,PredictionString`.
            _ if row == 0 => {}
            _ => return Err(not_an_id(path, row, line).into()),
        }
    }
    if by_name.is_empty() {
        return Ok((in_order.clone(), in_order));
    }
    let find = |name: &String| {
        let missing = || ImageError::NotFound { path: path.into(), looked_for: format!("label of `{name}`") };
        by_name.get(stem(name)).cloned().ok_or_else(|| missing().into())
    };
    let ids = names.iter().map(find).collect::<Result<_, Error>>()?;
    Ok((ids, by_name.into_values().collect()))
}

fn stem(name: &str) -> &str {
    let name = name.rsplit('/').next().unwrap_or(name);
    name.split('.').next().unwrap_or(name)
}

fn read_ground_truth(path: &Path) -> Result<String, Error> {
    if path.extension().is_some_and(|extension| extension == "txt") {
        return read_text(path);
    }
    let file = fs::File::open(path).map_err(Error::io(path))?;
    let wanted = |name: &str| name.ends_with(GROUND_TRUTH).then(|| GROUND_TRUTH.to_owned());
    let mut members = read_members(file, path, wanted)?;
    let bytes = members.remove(GROUND_TRUTH).ok_or_else(|| ImageError::NotFound {
        path: path.into(),
        looked_for: format!("`data/{GROUND_TRUTH}`"),
    })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
