//! `cargo xtask tidy`: the rules of this repository that rustc, clippy and rustfmt do not know.
//!
//! Each rule is a pure function from text to violations, with a sample that breaks it in its tests.

mod lockfile;
mod manifests;
mod sources;
mod texts;

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::Verdict;
use crate::workspace::Workspace;

/// One broken rule at one place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Violation {
    file: PathBuf,
    line: usize,
    message: String,
}

impl Violation {
    fn new(file: &Path, line: usize, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line, message: message.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.message)
    }
}

/// Checks every file of the workspace and prints what is wrong.
pub(crate) fn run(workspace: &Workspace) -> Result<Verdict> {
    let mut violations = check(workspace)?;
    violations.sort();
    for violation in &violations {
        println!("{violation}");
    }
    match violations.len() {
        0 => println!("tidy: no violation"),
        n => println!("tidy: {n} violation{}", if n == 1 { "" } else { "s" }),
    }
    Ok(Verdict::from_passed(violations.is_empty()))
}

fn check(workspace: &Workspace) -> Result<Vec<Violation>> {
    let files = workspace.files()?;
    let mut found = manifests::members(&files);
    for file in &files {
        let bytes = std::fs::read(workspace.root.join(file))
            .with_context(|| format!("cannot read {}", file.display()))?;
        let Some(text) = texts::as_text(&bytes) else { continue };
        found.extend(texts::machine_paths(file, text));
        match file.file_name().and_then(|name| name.to_str()) {
            Some("Cargo.toml") if file.parent() == Some(Path::new("")) => {
                found.extend(manifests::workspace(file, text))
            }
            Some("Cargo.toml") => found.extend(manifests::package(file, text)),
            Some("Cargo.lock") => found.extend(lockfile::single_versions(file, text)),
            Some(name) if name.ends_with(".rs") => found.extend(sources::check(file, text)),
            _ => {}
        }
    }
    Ok(found)
}

/// The line of the first text line that contains `needle`, counted from one; the first line when there is none.
fn line_of(text: &str, needle: &str) -> usize {
    text.lines().position(|line| line.contains(needle)).map_or(1, |index| index + 1)
}

/// The crate folder that a file lies in.
fn package_of(file: &Path) -> &str {
    file.iter().next().and_then(|part| part.to_str()).unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_violation_is_printed_as_file_line_message() {
        let violation = Violation::new(Path::new("rank1-core/src/x.rs"), 7, "too long");
        assert_eq!(violation.to_string(), "rank1-core/src/x.rs:7: too long");
    }

    #[test]
    fn every_rule_is_reached_from_a_workspace_on_disk() {
        let dir = tempfile::tempdir().unwrap();
        let files = [
            ("Cargo.toml", "[workspace]\nmembers = [\"rank1-core\"]\n"),
            (
                "Cargo.lock",
                "[[package]]\nname = \"ndarray\"\nversion = \"1\"\n[[package]]\nname = \"ndarray\"\nversion = \"2\"\n",
            ),
            ("rank1-core/Cargo.toml", "[package]\nname = \"rank1-core\"\n[dependencies]\nserde = \"1\"\n"),
            ("rank1-core/src/lib.rs", "pub fn f() -> Result<(), Error> { g() }\n"),
            ("notes.md", concat!("see /ro", "ot/notes\n")),
        ];
        for (file, text) in files {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let found = check(&Workspace { root: dir.path().to_owned() }).unwrap();
        let messages: String = found.iter().map(|violation| format!("{violation}\n")).collect();
        for expected in [
            "Cargo.toml:2: members must be",
            "Cargo.lock:1: 2 versions of ndarray",
            "rank1-core/Cargo.toml:4: dependency serde must be",
            "rank1-core/src/lib.rs:1: does not open with",
            "notes.md:1: absolute path",
        ] {
            assert!(messages.contains(expected), "{expected} is missing from\n{messages}");
        }
    }
}
