//! Where the workspace is and which files belong to it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

/// The workspace on disk.
#[derive(Debug, Clone)]
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
}

impl Workspace {
    /// The parent folder of this package, whatever folder the command was typed in.
    pub(crate) fn locate() -> Result<Self> {
        let package = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = package.parent().context("the xtask package has no parent folder")?.to_owned();
        Ok(Self { root })
    }

    /// Files that git tracks or would track, relative to the root and sorted; every file when git cannot tell.
    pub(crate) fn files(&self) -> Result<Vec<PathBuf>> {
        let listed = Command::new("git")
            .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"])
            .current_dir(&self.root)
            .output();
        let mut files = match listed {
            Ok(output) if output.status.success() => {
                let names = String::from_utf8(output.stdout).context("a file name is not UTF-8")?;
                names.split_terminator('\0').map(PathBuf::from).collect()
            }
            _ => {
                let mut found = Vec::new();
                walk(&self.root, Path::new(""), &mut found)?;
                found
            }
        };
        // A file deleted from disk but not yet from the index is still listed by git.
        files.retain(|file| self.root.join(file).is_file());
        files.sort();
        files.dedup();
        Ok(files)
    }
}

fn walk(root: &Path, folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let path = root.join(folder);
    for entry in std::fs::read_dir(&path).with_context(|| format!("cannot list {}", path.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        let relative = folder.join(&name);
        if entry.file_type()?.is_dir() {
            if !["target", "out", ".git"].iter().any(|skipped| name == *skipped) {
                walk(root, &relative, found)?;
            }
        } else {
            found.push(relative);
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn located_root_holds_the_workspace_manifest() {
        let workspace = Workspace::locate().unwrap();
        let manifest = std::fs::read_to_string(workspace.root.join("Cargo.toml")).unwrap();
        assert!(manifest.contains("[workspace]"));
        assert!(workspace.files().unwrap().contains(&PathBuf::from("xtask/src/workspace.rs")));
    }

    #[test]
    fn without_git_every_file_but_build_output_is_listed() {
        let dir = tempfile::tempdir().unwrap();
        for file in ["a/b.rs", "target/x.o", "out/y.json", "c.toml"] {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let files = Workspace { root: dir.path().to_owned() }.files().unwrap();
        assert_eq!(files, [PathBuf::from("a/b.rs"), PathBuf::from("c.toml")]);
    }
}
