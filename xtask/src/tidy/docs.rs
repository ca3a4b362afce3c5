//! Rule on documentation: headings that public functions owe their readers.
//!
//! A scanner of lines, not a parser: it reads `pub fn` with the doc comment above it. Methods of trait impls carry no
//! `pub` and take the documentation of their trait.

use std::path::Path;

use super::lexer::code_lines;
use super::{Violation, package_of};

/// Crates whose functions state where their formula comes from.
const SOURCED: [&str; 2] = ["rank1-core", "rank1-priors"];

/// Crates that are used as libraries.
const LIBRARIES: [&str; 5] = ["rank1-core", "rank1-priors", "rank1-gpu", "rank1-models", "rank1-data"];

pub(super) fn check(file: &Path, text: &str) -> Vec<Violation> {
    let package = package_of(file);
    if !in_library_sources(file) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for function in public_functions(text) {
        let mut miss = |needed: bool, heading: &str, why: &str| {
            if needed && !function.doc.iter().any(|line| line == heading) {
                let message =
                    format!("public function `{}` {why} without a `{heading}` heading", function.name);
                found.push(Violation::new(file, function.line, message));
            }
        };
        miss(function.returns_result(), "# Errors", "returns a Result");
        miss(function.mentions_arrays(), "# Shapes", "takes or returns arrays");
        miss(SOURCED.contains(&package), "# Source", "is documented");
    }
    found
}

fn in_library_sources(file: &Path) -> bool {
    LIBRARIES.contains(&package_of(file)) && file.iter().nth(1).is_some_and(|part| part == "src")
}

#[derive(Debug)]
struct Function {
    name: String,
    line: usize,
    /// Doc comment lines without their slashes.
    doc: Vec<String>,
    /// From `fn` to the body, on one line.
    signature: String,
}

impl Function {
    fn returns_result(&self) -> bool {
        // The last arrow outside parentheses; those inside belong to closure and function types.
        let mut depth = 0_i32;
        let mut output = "";
        for (at, c) in self.signature.char_indices() {
            match c {
                '(' | '[' => depth += 1,
                ')' | ']' => depth -= 1,
                '-' if depth == 0 && self.signature[at..].starts_with("->") && output.is_empty() => {
                    output = &self.signature[at..];
                }
                _ => {}
            }
        }
        let output = output.split(" where ").next().unwrap_or_default();
        words(output).any(|word| word == "Result")
    }

    fn mentions_arrays(&self) -> bool {
        words(&self.signature).any(|word| {
            let rank = word
                .strip_prefix("ArrayViewMut")
                .or(word.strip_prefix("ArrayView"))
                .or(word.strip_prefix("Array"));
            rank.is_some_and(|rank| ["", "0", "1", "2", "3", "4", "5", "6", "D", "Base"].contains(&rank))
        })
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
}

/// Every `pub fn` outside test modules.
fn public_functions(text: &str) -> Vec<Function> {
    let raw: Vec<&str> = text.lines().collect();
    let code = code_lines(text);
    let mut found = Vec::new();
    let mut doc = Vec::new();
    let mut at = 0;
    while at < raw.len() {
        let line = code[at].trim();
        if let Some(comment) = raw[at].trim_start().strip_prefix("///").filter(|_| line.is_empty()) {
            doc.push(comment.trim().to_owned());
            at += 1;
        } else if line.starts_with("#[") {
            let end = attribute_end(&code, at);
            at = if is_test_only(&code[at..end]) { item_end(&code, end) } else { end };
        } else if let Some(name) = public_function_name(line) {
            let doc = std::mem::take(&mut doc);
            found.push(Function { name, line: at + 1, doc, signature: signature(&code[at..]) });
            at += 1;
        } else {
            // A plain comment between the documentation and its item does not part them.
            if !line.is_empty() {
                doc.clear();
            }
            at += 1;
        }
    }
    found
}

fn public_function_name(line: &str) -> Option<String> {
    let mut rest = line.strip_prefix("pub ")?;
    for qualifier in ["const ", "async ", "unsafe "] {
        rest = rest.strip_prefix(qualifier).unwrap_or(rest);
    }
    let name = rest.strip_prefix("fn ")?;
    words(name).next().map(str::to_owned)
}

/// The text up to the body; braces never occur before it in our signatures.
fn signature(code: &[String]) -> String {
    let mut text = String::new();
    for line in code {
        let end = line.find(['{', ';']).unwrap_or(line.len());
        // An array type such as `[f64; 2]` holds a semicolon.
        let end =
            if inside_brackets(&text, &line[..end]) { line.find('{').unwrap_or(line.len()) } else { end };
        text.push_str(line[..end].trim());
        text.push(' ');
        if end < line.len() {
            break;
        }
    }
    text
}

fn inside_brackets(before: &str, line: &str) -> bool {
    let count = |bracket: char| before.matches(bracket).count() + line.matches(bracket).count();
    count('[') > count(']')
}

/// The line after an attribute that may span several.
fn attribute_end(code: &[String], start: usize) -> usize {
    balanced_end(code, start, '[', ']')
}

fn is_test_only(attribute: &[String]) -> bool {
    let text: String = attribute.concat().split_whitespace().collect();
    text.starts_with("#[cfg(test)]") || text.starts_with("#[test]")
}

/// The line after an item with a body, or after its semicolon when it has none.
fn item_end(code: &[String], start: usize) -> usize {
    for (offset, line) in code[start..].iter().enumerate() {
        if line.contains('{') {
            return balanced_end(code, start + offset, '{', '}');
        }
        if line.trim_end().ends_with(';') {
            return start + offset + 1;
        }
    }
    code.len()
}

fn balanced_end(code: &[String], start: usize, open: char, close: char) -> usize {
    let mut depth = 0_usize;
    for (offset, line) in code[start..].iter().enumerate() {
        depth = (depth + line.matches(open).count()).saturating_sub(line.matches(close).count());
        if depth == 0 {
            return start + offset + 1;
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(file: &str, text: &str) -> Vec<String> {
        check(Path::new(file), text)
            .iter()
            .map(|found| format!("{}: {}", found.line, found.message))
            .collect()
    }

    const COMPLETE: &str = "//! Head.\n/// Adds.\n///\n/// # Shapes\n/// `x`: `[N]`\n///\n/// # Errors\n/// None.\n///\n\
                            /// # Source\n/// Definition.\n#[track_caller]\npub fn f(x: ArrayView2<f64>) -> Result<(), E> {\n}\n";

    #[test]
    fn a_complete_doc_comment_passes_and_each_heading_is_needed() {
        assert!(messages("rank1-core/src/x.rs", COMPLETE).is_empty());
        for heading in ["# Shapes", "# Errors", "# Source"] {
            let found = messages("rank1-core/src/x.rs", &COMPLETE.replace(heading, "# Else"));
            assert_eq!(found.len(), 1, "{heading}");
            assert!(found[0].starts_with("13: ") && found[0].contains(heading), "{found:?}");
        }
    }

    #[test]
    fn source_is_asked_for_in_core_and_priors_only() {
        let text = COMPLETE.replace("# Source", "# Else");
        assert_eq!(messages("rank1-priors/src/x.rs", &text).len(), 1);
        assert!(messages("rank1-models/src/x.rs", &text).is_empty());
    }

    #[test]
    fn programs_tests_and_examples_are_exempt() {
        let text = "//! Head.\npub fn f() -> Result<(), E> {}\n";
        assert_eq!(messages("rank1-data/src/x.rs", text).len(), 1);
        for file in
            ["rank1-cli/src/x.rs", "xtask/src/x.rs", "rank1-core/tests/x.rs", "rank1-core/examples/x.rs"]
        {
            assert!(messages(file, text).is_empty(), "{file}");
        }
    }

    #[test]
    fn results_are_seen_in_any_form_but_only_as_the_return_type() {
        let flagged = [
            "pub fn f() -> Result<()> {}",
            "pub const fn f() -> Result<(), E> {}",
            "pub unsafe fn f() -> std::io::Result<()> {}",
            "pub fn f(\n    x: [f64; 2],\n) -> Option<Result<f64, E>>\nwhere\n    F: Real,\n{",
            "impl T {\n    pub fn f(&self, g: impl Fn(f64) -> f64) -> Result<f64, E> {",
        ];
        for text in flagged {
            assert_eq!(messages("rank1-data/src/x.rs", text).len(), 1, "{text}");
        }
        let fine = [
            "pub fn f(g: impl Fn(f64) -> Result<f64, E>) -> f64 {}",
            "pub fn f<G>(g: G) -> f64 where G: Fn(f64) -> Result<f64, E> {}",
            "pub(crate) fn f() -> Result<(), E> {}",
            "fn f() -> Result<(), E> {}",
            "impl X for T {\n    fn f() -> Result<(), E> {}\n}",
            "// pub fn f() -> Result<(), E> {}",
            "const S: &str = \"pub fn f() -> Result<(), E> {}\";",
        ];
        for text in fine {
            assert!(messages("rank1-data/src/x.rs", text).is_empty(), "{text}");
        }
    }

    #[test]
    fn arrays_of_ndarray_are_seen_and_other_names_are_not() {
        for kind in
            ["Array2<f64>", "&ArrayView3<'_, F>", "ArrayViewMut1<f32>", "ArrayD<f64>", "ArrayBase<S, D>"]
        {
            assert_eq!(
                messages("rank1-models/src/x.rs", &format!("pub fn f(x: {kind}) {{}}")).len(),
                1,
                "{kind}"
            );
        }
        for kind in ["ArrayReader", "[f64; 3]", "Arrays", "&[f32]"] {
            assert!(
                messages("rank1-models/src/x.rs", &format!("pub fn f(x: {kind}) {{}}")).is_empty(),
                "{kind}"
            );
        }
    }

    #[test]
    fn test_modules_are_skipped_and_what_follows_them_is_not() {
        let text = "#[cfg(test)]\n#[allow(\n    unused,\n)]\nmod tests {\n    pub fn a() -> Result<(), E> { b() }\n}\n\
                    #[cfg(test)]\nmod other;\npub fn c() -> Result<(), E> {}\n";
        let expected = ["10: public function `c` returns a Result without a `# Errors` heading"];
        assert_eq!(messages("rank1-data/src/x.rs", text), expected);
    }

    #[test]
    fn documentation_belongs_to_the_next_item_only() {
        let text = "/// # Errors\n/// Sometimes.\npub struct S;\npub fn f() -> Result<(), E> {}\n";
        assert_eq!(messages("rank1-data/src/x.rs", text).len(), 1);
        let text =
            "/// # Errors\n/// Sometimes.\n#[cfg(\n    unix\n)]\n// Why.\npub fn f() -> Result<(), E> {}\n";
        assert!(messages("rank1-data/src/x.rs", text).is_empty());
    }
}
