//! Rules on single `.rs` files: head line, length, name, forbidden macros, ignored tests, unsafe code.

use std::path::Path;

use super::lexer::code_lines;
use super::{Violation, package_of};

const MAX_LINES: usize = 400;

/// Files that may be longer, each with the reason. Empty is the aim.
const LONG_FILES: [(&str, &str); 0] = [];

const VAGUE_NAMES: [&str; 4] = ["utils.rs", "common.rs", "base.rs", "helpers.rs"];
const FORBIDDEN_MACROS: [&str; 3] = ["todo", "unimplemented", "dbg"];

/// The crate whose kernel launches need unsafe code.
const UNSAFE_CRATE: &str = "rank1-gpu";

pub(super) fn check(file: &Path, text: &str) -> Vec<Violation> {
    let code = code_lines(text);
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
    if is_crate_root(file) && package_of(file) != UNSAFE_CRATE && !forbids_unsafe(&code) {
        found.push(Violation::new(file, 1, "crate root without `#![forbid(unsafe_code)]`"));
    }
    for (index, (line, raw)) in code.iter().zip(text.lines()).enumerate() {
        for name in FORBIDDEN_MACROS {
            if calls_macro(line, name) {
                found.push(Violation::new(file, index + 1, format!("{name}! must not be committed")));
            }
        }
        if ignores_without_reason(line, raw) {
            found.push(Violation::new(
                file,
                index + 1,
                "ignored test without a reason: write #[ignore = \"why\"]",
            ));
        }
    }
    found
}

fn is_crate_root(file: &Path) -> bool {
    let parts: Vec<&str> = file.iter().filter_map(|part| part.to_str()).collect();
    matches!(parts.as_slice(), [_, "src", "lib.rs" | "main.rs"] | [_, "src", "bin", _])
}

fn forbids_unsafe(code: &[String]) -> bool {
    code.iter().any(|line| line.trim_start().starts_with("#![forbid(") && line.contains("unsafe_code"))
}

fn calls_macro(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(at, _)| {
        let whole_word = !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        whole_word
            && line[at + name.len()..].trim_start().starts_with('!')
            && line[at + name.len()..].trim_start()[1..].trim_start().starts_with(['(', '[', '{'])
    })
}

/// `line` has literals blanked, so the reason is read from `raw`.
fn ignores_without_reason(line: &str, raw: &str) -> bool {
    let Some(at) = line.find("#[").and_then(|start| line[start..].find("ignore").map(|at| start + at)) else {
        return false;
    };
    let attribute = line[..at].ends_with(['[', ' ', ',']) && !line[at + 6..].starts_with(['_', ':']);
    let reason = raw.get(at + 6..).and_then(|rest| rest.trim_start().strip_prefix('=')).map(str::trim_start);
    attribute && !reason.is_some_and(|reason| reason.starts_with('"') && !reason.starts_with("\"\""))
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
    fn unfinished_and_debugging_macros_are_refused_in_code_only() {
        for name in FORBIDDEN_MACROS {
            let text =
                format!("//! Purpose.\nfn f() {{ {name}!(1) }}\n// {name}!()\nlet s = \"{name}!()\";\n");
            assert_eq!(
                messages("a/src/x.rs", &text),
                [format!("a/src/x.rs:2: {name}! must not be committed")]
            );
            assert!(messages("a/src/x.rs", &format!("//! P.\nmy_{name}!(1);\n")).is_empty());
        }
    }

    #[test]
    fn ignored_tests_need_a_reason() {
        for line in ["#[ignore]", "#[test] #[ignore]", "#[cfg_attr(x, ignore)]", "#[ignore = \"\"]"] {
            assert_eq!(messages("a/src/x.rs", &format!("//! P.\n{line}\n")).len(), 1, "{line}");
        }
        for line in ["#[ignore = \"a minute long\"]", "// #[ignore]", "fn ignore() {}", "#[ignore_lints]"] {
            assert!(messages("a/src/x.rs", &format!("//! P.\n{line}\n")).is_empty(), "{line}");
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
