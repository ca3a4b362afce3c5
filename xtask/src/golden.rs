//! `cargo xtask golden`: hands a folder of reference values to the golden runner of `rank1-models`.

use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::Verdict;
use crate::process::{cargo, succeeds};
use crate::workspace::Workspace;

/// Runs every golden case found in `dir`; the verdict is the runner's.
pub(crate) fn run(workspace: &Workspace, dir: &Path, strict: bool) -> Result<Verdict> {
    let words = arguments(dir, strict)?;
    Ok(Verdict::from_passed(succeeds(cargo(workspace).args(words))?))
}

fn arguments(dir: &Path, strict: bool) -> Result<Vec<String>> {
    // The runner starts in its package folder, so the path must not depend on the current one.
    let dir = dir.canonicalize().with_context(|| format!("cannot open the folder {}", dir.display()))?;
    if !dir.is_dir() {
        bail!("{} is not a folder", dir.display());
    }
    let dir = dir.to_str().with_context(|| format!("the path {} is not UTF-8", dir.display()))?;
    // Selecting the target over the workspace keeps the features of `cargo test --workspace`: nothing is rebuilt.
    let words =
        ["test", "--quiet", "--workspace", "--features", "rank1-models/burn", "--test", "golden", "--", dir];
    Ok(words.into_iter().chain(strict.then_some("--strict")).map(str::to_owned).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_passed_on_absolute_and_strictness_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().canonicalize().unwrap();
        let words = arguments(dir.path(), true).unwrap();
        assert_eq!(words[words.len() - 3..], ["--", path.to_str().unwrap(), "--strict"]);
        assert_eq!(arguments(dir.path(), false).unwrap().last().unwrap(), path.to_str().unwrap());
    }

    #[test]
    fn a_missing_folder_and_a_file_are_refused_before_anything_is_built() {
        let dir = tempfile::tempdir().unwrap();
        assert!(arguments(&dir.path().join("absent"), false).unwrap_err().to_string().contains("absent"));
        let file = dir.path().join("file.json");
        std::fs::write(&file, "{}").unwrap();
        assert!(arguments(&file, false).unwrap_err().to_string().ends_with("is not a folder"));
    }
}
