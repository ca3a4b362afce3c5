//! Rules on single `.rs` files: head line, length, name, unsafe code.

use std::path::Path;

use super::{Violation, package_of};

const MAX_LINES: usize = 400;

/// Files that may be longer, each with the reason. Empty is the aim.
const LONG_FILES: [(&str, &str); 0] = [];

const VAGUE_NAMES: [&str; 4] = ["utils.rs", "common.rs", "base.rs", "helpers.rs"];

/// The crate whose kernel launches need unsafe code.
const UNSAFE_CRATE: &str = "rank1-gpu";

pub(super) fn check(file: &Path, text: &str) -> Vec<Violation> {
    let mut found = Vec::new();
    if !text.starts_with("//!") {
        found.push(Violation::new(file, 1, "does not open with `//!` and one sentence of purpose"));
    }
    let length = text.lines().count();
    if length > MAX_LINES && !LONG_FILES.iter().any(|(name, _)| Path::new(name) == file) {
        found.push(Violation::new(file, MAX_LINES + 1, format!("{length} lines; split at {MAX_LINES}")));
    }
    if let Some(name) = VAGUE_NAMES.iter().find(|name| file.file_name().is_some_and(|found| found == **name))
    {
        found.push(Violation::new(file, 1, format!("{name} does not say what is in it")));
    }
    if is_crate_root(file) && package_of(file) != UNSAFE_CRATE && !forbids_unsafe(text) {
        found.push(Violation::new(file, 1, "crate root without `#![forbid(unsafe_code)]`"));
    }
    found
}

fn is_crate_root(file: &Path) -> bool {
    let parts: Vec<&str> = file.iter().filter_map(|part| part.to_str()).collect();
    matches!(parts.as_slice(), [_, "src", "lib.rs" | "main.rs"] | [_, "src", "bin", _])
}

fn forbids_unsafe(text: &str) -> bool {
    text.lines().any(|line| line.starts_with("#![forbid(") && line.contains("unsafe_code"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(file: &str, text: &str) -> Vec<String> {
        check(Path::new(file), text).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_clean_file_has_no_violation() {
        assert!(messages("rank1-core/src/x.rs", "//! Purpose.\nfn f() {}\n").is_empty());
    }

    #[test]
    fn a_file_without_a_head_line_is_refused() {
        let expected = ["rank1-core/src/x.rs:1: does not open with `//!` and one sentence of purpose"];
        assert_eq!(messages("rank1-core/src/x.rs", "fn f() {}\n"), expected);
    }

    #[test]
    fn four_hundred_lines_are_the_limit() {
        let lines = |n: usize| format!("//! Purpose.\n{}", "\n".repeat(n - 1));
        assert!(messages("a/src/x.rs", &lines(400)).is_empty());
        assert_eq!(messages("a/src/x.rs", &lines(401)), ["a/src/x.rs:401: 401 lines; split at 400"]);
    }

    #[test]
    fn names_that_say_nothing_are_refused() {
        for name in VAGUE_NAMES {
            let expected = [format!("a/src/{name}:1: {name} does not say what is in it")];
            assert_eq!(messages(&format!("a/src/{name}"), "//! Purpose.\n"), expected);
        }
    }

    #[test]
    fn crate_roots_forbid_unsafe_code_except_the_kernels() {
        for root in ["rank1-core/src/lib.rs", "rank1-cli/src/main.rs", "rank1-cli/src/bin/other.rs"] {
            let expected = [format!("{root}:1: crate root without `#![forbid(unsafe_code)]`")];
            assert_eq!(messages(root, "//! P.\n"), expected);
            assert_eq!(messages(root, "//! P.\n// #![forbid(unsafe_code)]\n"), expected);
            assert!(messages(root, "//! P.\n#![forbid(unsafe_code)]\n").is_empty());
        }
        assert!(messages("rank1-gpu/src/lib.rs", "//! P.\n").is_empty());
    }
}
