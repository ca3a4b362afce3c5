//! Child processes: started from the workspace root, their status kept.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::workspace::Workspace;

/// The cargo that runs this program.
pub(crate) fn cargo(workspace: &Workspace) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(&workspace.root);
    // Cargo describes the package it runs to that package; a nested cargo must not take this for itself.
    for (name, _) in std::env::vars_os() {
        if name
            .to_str()
            .is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"))
        {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a command with the terminal as its output; true when it succeeded.
pub(crate) fn succeeds(command: &mut Command) -> Result<bool> {
    let status = command.stdin(Stdio::null()).status();
    let name = command.get_program().to_string_lossy().into_owned();
    Ok(status.with_context(|| format!("cannot start `{name}`"))?.success())
}

/// The program called `name` in one of cargo's JSON messages, if it is the one about it.
pub(crate) fn executable(message: &str, name: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(message).ok()?;
    let is_named = message.pointer("/target/name")?.as_str()? == name;
    is_named.then(|| message.get("executable")?.as_str().map(PathBuf::from)).flatten()
}

/// Builds tests without running them and gives their programs.
pub(crate) fn built_tests(build: &mut Command) -> Result<Vec<PathBuf>> {
    build.args(["--message-format", "json-render-diagnostics"]).stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = build.output().context("cannot start cargo")?;
    ensure!(output.status.success(), "the tests do not build");
    let messages = String::from_utf8_lossy(&output.stdout);
    Ok(messages.lines().filter_map(test_program).collect())
}

/// The program of a test in one of cargo's JSON messages.
fn test_program(message: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(message).ok()?;
    let is_test = message.pointer("/target/kind/0")?.as_str()? == "test";
    is_test.then(|| message.get("executable")?.as_str().map(PathBuf::from)).flatten()
}

/// Runs a step and says how long it took.
pub(crate) fn timed<T>(step: impl FnOnce() -> Result<T>) -> Result<(T, Duration)> {
    let start = Instant::now();
    let value = step()?;
    Ok((value, start.elapsed()))
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_binary_is_found_in_cargos_messages() {
        let library = r#"{"reason":"compiler-artifact","target":{"name":"serde"},"executable":null}"#;
        let binary =
            r#"{"reason":"compiler-artifact","target":{"name":"rank1"},"executable":"t/release/rank1"}"#;
        assert_eq!(executable(library, "rank1"), None);
        assert_eq!(executable(binary, "rank1"), Some("t/release/rank1".into()));
        assert_eq!(executable("not json", "rank1"), None);
    }

    #[test]
    fn programs_of_tests_are_those_of_test_targets() {
        let program = r#"{"target":{"name":"rank1","kind":["bin"]},"executable":"t/rank1"}"#;
        let test = r#"{"target":{"name":"fuzz","kind":["test"]},"executable":"t/fuzz-1"}"#;
        assert_eq!((test_program(program), test_program(test)), (None, Some("t/fuzz-1".into())));
    }

    #[test]
    fn the_exit_status_decides() {
        assert!(succeeds(&mut Command::new("true")).unwrap());
        assert!(!succeeds(&mut Command::new("false")).unwrap());
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = succeeds(&mut Command::new("no-such-program-here")).unwrap_err();
        assert_eq!(error.to_string(), "cannot start `no-such-program-here`");
    }
}
