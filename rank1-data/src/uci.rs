//! The UCI regression sets with their published splits, from the embedded archive, a downloaded archive or its extracted folder.
//!
//! Not for making splits: the index files are what makes results comparable, so they are read and never re-made.

mod files;
mod parse;

use std::collections::HashSet;
use std::path::Path;

use ndarray::{Array2, Axis};
use rank1_core::targets::Targets;

use crate::catalogue::{self, SetInfo};
use crate::{Dataset, Error, InputLayout, Split, Task};
use files::Files;

/// Training and test rows of one split.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fold {
    train: Vec<usize>,
    test: Vec<usize>,
}

/// One UCI set with all its splits, read once.
///
/// ```
/// let yacht = rank1_data::UciSet::open("yacht", None)?;
/// assert_eq!((yacht.n_splits(false), yacht.n_splits(true)), (20, 6));
/// let set = yacht.split(19, false)?;
/// assert_eq!((set.train.len(), set.test.len()), (277, 31));
/// # Ok::<(), rank1_data::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct UciSet {
    info: &'static SetInfo,
    inputs: Array2<f64>,
    targets: Targets,
    standard: Vec<Fold>,
    gap: Vec<Fold>,
    provenance: String,
}

impl UciSet {
    /// Reads a set from `root`, or from the embedded archive when `root` is `None` or holds no UCI sets.
    ///
    /// `root` may be a data folder with a `uci` folder in it, that folder, the archive itself, or the folder it was
    /// extracted to (with `standard` and `gap` in it).
    ///
    /// # Errors
    /// [`Error::UnknownSet`] for a name that is not one of the nine sets, [`Error::RootNeeded`] and
    /// [`Error::SetNotFound`] when the set is neither embedded nor under `root`, and whatever the files themselves give:
    /// [`Error::Io`], [`Error::Compressed`], [`Error::Parse`], [`Error::FieldCount`], [`Error::EmptyFile`],
    /// [`Error::IndexOutOfRange`], [`Error::IndexRepeated`].
    pub fn open(name: &str, root: Option<&Path>) -> Result<Self, Error> {
        let info = catalogue::find(name, |info| info.is_uci())?;
        let files = Files::locate(info, root)?;
        let table = parse::table(&files, "standard/data.txt")?;
        let features = parse::indices(&files, "standard/index_features.txt", table.ncols())?;
        let target = parse::indices(&files, "standard/index_target.txt", table.ncols())?;
        let &[target] = target.as_slice() else {
            let path = files.path("standard/index_target.txt");
            return Err(Error::FieldCount { path, row: 1, expected: 1, got: target.len() });
        };
        Ok(Self {
            info,
            inputs: table.select(Axis(1), &features),
            targets: Targets::Values(table.column(target).to_owned()),
            standard: folds(&files, "standard", table.nrows())?,
            gap: folds(&files, "gap", table.nrows())?,
            provenance: format!("{}; {} ({})", info.source, files.describe(), info.licence),
        })
    }

    /// Number of standard or gap splits.
    pub fn n_splits(&self, gap: bool) -> usize {
        self.folds(gap).len()
    }

    /// The set divided by one split.
    ///
    /// # Errors
    /// [`Error::SplitOutOfRange`].
    pub fn split(&self, split: usize, gap: bool) -> Result<Dataset, Error> {
        let folds = self.folds(gap);
        let fold = folds.get(split).ok_or(Error::SplitOutOfRange {
            set: self.info.name,
            kind: if gap { "gap" } else { "standard" },
            split,
            available: folds.len(),
        })?;
        let part =
            |rows: &[usize]| Split::from_f64(self.inputs.select(Axis(0), rows), self.targets.select(rows));
        Ok(Dataset {
            name: self.info.name.into(),
            task: Task::Regression,
            train: part(&fold.train)?,
            test: part(&fold.test)?,
            feature_names: self.feature_names(),
            class_names: Vec::new(),
            image: None,
            layout: InputLayout::Columns,
            provenance: self.provenance.clone(),
        })
    }

    fn folds(&self, gap: bool) -> &[Fold] {
        if gap { &self.gap } else { &self.standard }
    }

    fn feature_names(&self) -> Vec<String> {
        let known: Vec<String> = self.info.feature_names.split_whitespace().map(str::to_owned).collect();
        let n_features = self.inputs.ncols();
        if known.len() == n_features { known } else { (0..n_features).map(|i| format!("x{i}")).collect() }
    }
}

/// All pairs `index_train_i.txt`, `index_test_i.txt` from 0 on; each pair must be disjoint and without repeats.
fn folds(files: &Files, kind: &str, n_rows: usize) -> Result<Vec<Fold>, Error> {
    let mut folds = Vec::new();
    loop {
        let name = |part: &str| format!("{kind}/index_{part}_{}.txt", folds.len());
        let (train_name, test_name) = (name("train"), name("test"));
        if !files.contains(&train_name) && !files.contains(&test_name) {
            return Ok(folds);
        }
        let train = parse::indices(files, &train_name, n_rows)?;
        let test = parse::indices(files, &test_name, n_rows)?;
        let mut seen = HashSet::with_capacity(train.len() + test.len());
        for (rows, file) in [(&train, &train_name), (&test, &test_name)] {
            if let Some(&index) = rows.iter().find(|&&row| !seen.insert(row)) {
                return Err(Error::IndexRepeated { path: files.path(file), index });
            }
        }
        folds.push(Fold { train, test });
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
