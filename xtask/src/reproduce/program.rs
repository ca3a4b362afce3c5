//! The `rank1` program: built in release mode, or the one named by `RANK1_BIN`.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, bail, ensure};

use super::plan;
use crate::process::{cargo, executable};
use crate::workspace::Workspace;

/// Builds the program unless the environment names one, and returns its path.
pub(crate) fn locate(workspace: &Workspace) -> Result<PathBuf> {
    match std::env::var_os("RANK1_BIN").filter(|path| !path.is_empty()) {
        Some(path) => given(Path::new(&path)),
        None => build(workspace),
    }
}

fn given(path: &Path) -> Result<PathBuf> {
    let absolute =
        path.canonicalize().with_context(|| format!("RANK1_BIN {} cannot be opened", path.display()))?;
    ensure!(absolute.is_file(), "RANK1_BIN {} is not a file", path.display());
    Ok(absolute)
}

fn build(workspace: &Workspace) -> Result<PathBuf> {
    eprintln!("building rank1 in release mode (the first time takes some minutes)");
    let words =
        ["build", "--release", "--package", "rank1-cli", "--message-format", "json-render-diagnostics"];
    let mut child = cargo(workspace)
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start cargo")?;
    // Cargo itself says where the binary is, wherever the target folder was configured to be.
    let stdout = child.stdout.take().context("cargo has no output")?;
    let mut program = None;
    for line in BufReader::new(stdout).lines() {
        program = executable(&line?, "rank1").or(program);
    }
    if !child.wait()?.success() {
        bail!("rank1 does not build");
    }
    program.context("cargo built no program called rank1")
}

/// Tells one build of the program from another.
pub(crate) fn fingerprint(program: &Path) -> Result<String> {
    let bytes = std::fs::read(program).with_context(|| format!("cannot read {}", program.display()))?;
    Ok(plan::fingerprint(&[bytes]))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_given_program_must_be_a_file() {
        let dir = tempfile::tempdir().unwrap();
        assert!(given(dir.path()).unwrap_err().to_string().ends_with("is not a file"));
        assert!(given(&dir.path().join("absent")).unwrap_err().to_string().ends_with("cannot be opened"));
        assert!(given(Path::new("Cargo.toml")).unwrap().is_absolute());
    }
}
