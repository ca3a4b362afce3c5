//! Where a recipe's own file is: a path in a recipe is looked for in several places, and a run remembers which file it was.
//!
//! Not for reading it; see [`crate::source`].

use std::fs;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail};
use rank1_models::recipe::{Recipe, hex};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What stands for `data.split` in the names of other files.
const SPLIT: &str = "{split}";

/// Bytes that are read at a time for a digest.
const BLOCK: usize = 1 << 16;

/// The file or folder of `data.file`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataFile {
    /// Where it was found.
    #[serde(skip)]
    path: PathBuf,
    /// From the root of the file system.
    absolute: PathBuf,
    /// From the run folder, for a run that is moved together with its file.
    from_run: PathBuf,
    /// SHA-256 of its bytes; none for folders and pipes.
    sha256: Option<String>,
}

/// Places in which `data.file` is looked for, in this order after `--data` and the working directory.
#[derive(Debug, Clone, Copy, Default)]
pub struct Places<'a> {
    /// `--data`: the file itself, or a folder that it is in.
    pub data: Option<&'a Path>,
    /// Folder of the recipe, or the run folder.
    pub folder: Option<&'a Path>,
    /// What a run remembers.
    pub before: Option<&'a DataFile>,
}

/// Finds the file of a recipe on the user's own data; the recipe with its path, which for other recipes is as it was.
///
/// # Errors
/// A file that is nowhere, with the places; a file that cannot be read.
pub fn locate(recipe: &Recipe, places: Places<'_>) -> Result<(Recipe, Option<DataFile>)> {
    let mut located = recipe.clone();
    let Some(file) = recipe.data.file.as_deref() else { return Ok((located, None)) };
    let places_of_file = candidates(Path::new(file), places, recipe.data.set == "images");
    let Some(path) = places_of_file.iter().find(|path| path.exists()) else {
        let shown: Vec<String> = places_of_file.iter().map(|path| path.display().to_string()).collect();
        bail!(
            "data.file: cannot read {file}: No such file or directory (looked for {}); say where it is with --data",
            shown.join(", ")
        );
    };
    let name = path.to_str().with_context(|| format!("data.file: {} is not UTF-8", path.display()))?;
    located.data.file = Some(name.to_owned());
    // Tables of other parts and lists of rows are looked for as the table itself, then beside it.
    let folder = path.parent();
    let data = &mut located.data;
    for other in [&mut data.rows_file, &mut data.validation_file, &mut data.test_file] {
        let Some(named) = other.as_ref().map(|named| named.replace(SPLIT, &data.split.to_string())) else {
            continue;
        };
        let named = named.as_str();
        *other = Some(named.to_owned());
        let beside = folder.map(|folder| folder.join(named));
        let found = candidates(Path::new(named), Places { data: None, before: None, ..places }, false);
        let found = found.into_iter().chain(beside).find(|path| path.exists());
        if let Some(found) = found.as_deref().and_then(Path::to_str) {
            *other = Some(found.to_owned());
        }
    }
    Ok((located, Some(DataFile::new(path)?)))
}

fn candidates(file: &Path, places: Places<'_>, is_folder: bool) -> Vec<PathBuf> {
    let mut found = Vec::new();
    match places.data {
        Some(data) if data.is_dir() => {
            found.push(data.join(file));
            found.extend(file.file_name().map(|name| data.join(name)));
            found.extend(is_folder.then(|| data.to_path_buf()));
        }
        // Whoever names the file does not mean another.
        Some(data) => return vec![data.to_path_buf()],
        None => {}
    }
    found.push(file.to_path_buf());
    if let (Some(before), Some(run)) = (places.before, places.folder) {
        found.push(joined(run, &before.from_run));
        found.push(before.absolute.clone());
    }
    found.extend(places.folder.map(|folder| folder.join(file)));
    let mut distinct = Vec::new();
    for path in found {
        if !distinct.contains(&path) {
            distinct.push(path);
        }
    }
    distinct
}

impl DataFile {
    fn new(path: &Path) -> Result<Self> {
        let said = || format!("cannot read {}", path.display());
        let absolute = fs::canonicalize(path).with_context(said)?;
        let sha256 = if path.is_file() { Some(digest(path).with_context(said)?) } else { None };
        Ok(Self { path: path.into(), from_run: absolute.clone(), absolute, sha256 })
    }

    /// Where it was found.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The same file as it is reached from a run folder that is there.
    #[must_use]
    pub fn seen_from(&self, run: &Path) -> Self {
        let from_run = fs::canonicalize(run)
            .map_or_else(|_| self.absolute.clone(), |run| relative(&self.absolute, &run));
        Self { from_run, ..self.clone() }
    }

    /// Whether the bytes differ; not of folders and pipes.
    #[must_use]
    pub fn has_changed_to(&self, now: &Self) -> bool {
        matches!((&self.sha256, &now.sha256), (Some(before), Some(now)) if before != now)
    }
}

/// `folder` and a way from it, without the steps up where the names show them.
fn joined(folder: &Path, way: &Path) -> PathBuf {
    let mut at = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_path_buf());
    for part in way.components() {
        match part {
            Component::ParentDir if at.file_name().is_some() => {
                at.pop();
            }
            part => at.push(part),
        }
    }
    at
}

/// The way from `folder` to `path`, both absolute and without links.
fn relative(path: &Path, folder: &Path) -> PathBuf {
    let common = path.components().zip(folder.components()).take_while(|(a, b)| a == b).count();
    let up = folder.components().skip(common).map(|_| Component::ParentDir);
    up.chain(path.components().skip(common)).collect()
}

fn digest(path: &Path) -> std::io::Result<String> {
    let (mut file, mut sum, mut block) = (fs::File::open(path)?, Sha256::new(), vec![0; BLOCK]);
    loop {
        match file.read(&mut block)? {
            0 => return Ok(hex(&sum.finalize())),
            n => sum.update(&block[..n]),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_way_leads_back() {
        let way =
            |path: &str, folder: &str| relative(Path::new(path), Path::new(folder)).display().to_string();
        assert_eq!(way("/a/b/t.csv", "/a/b/runs/x"), "../../t.csv");
        assert_eq!(way("/a/t.csv", "/a"), "t.csv");
        assert_eq!(way("/c/t.csv", "/a/b"), "../../c/t.csv");
    }

    #[test]
    fn places_are_tried_in_their_order_and_data_stands_alone() {
        let before = DataFile {
            path: PathBuf::new(),
            absolute: "/then/t.csv".into(),
            from_run: "../t.csv".into(),
            sha256: None,
        };
        let run = Path::new("/runs/x");
        let all = Places { data: None, folder: Some(run), before: Some(&before) };
        let shown: Vec<_> = candidates(Path::new("t.csv"), all, false);
        let expected = ["t.csv", "/runs/t.csv", "/then/t.csv", "/runs/x/t.csv"].map(PathBuf::from);
        assert_eq!(shown, expected);
        let given = Places { data: Some(Path::new("/given.csv")), ..all };
        assert_eq!(candidates(Path::new("t.csv"), given, false), [PathBuf::from("/given.csv")]);
    }

    #[test]
    fn a_list_of_rows_is_not_taken_for_the_table_that_a_run_remembers() {
        let folder = tempfile::tempdir().unwrap();
        let table = folder.path().join("table.csv");
        std::fs::create_dir(folder.path().join("splits")).unwrap();
        std::fs::write(&table, "a,y\n1,2\n").unwrap();
        std::fs::write(folder.path().join("splits/3.json"), "{}").unwrap();
        let text = r#"
name = "t"
data = { set = "csv", file = "elsewhere/table.csv", target = "y", split = 3, rows_file = "splits/{split}.json" }
model = { kind = "mlp", hidden = [3] }
method = { kind = "deterministic" }
train = { steps = 3 }
"#;
        let recipe = rank1_models::recipe::parse(text, &[]).unwrap();
        let before = DataFile::new(&table).unwrap();
        let run = folder.path().join("run");
        let places = Places { data: None, folder: Some(&run), before: Some(&before) };
        let (located, _) = locate(recipe.get(), places).unwrap();
        let found = |file: Option<String>| std::fs::canonicalize(file.unwrap()).unwrap();
        let real = std::fs::canonicalize(folder.path()).unwrap();
        assert_eq!(found(located.data.file), real.join("table.csv"));
        assert_eq!(found(located.data.rows_file), real.join("splits/3.json"));
    }
}
