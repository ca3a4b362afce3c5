//! Rule on every text file: no absolute path of the machine it was written on.

use std::path::Path;

use super::Violation;

/// The file as text, or nothing for binary content.
pub(super) fn as_text(bytes: &[u8]) -> Option<&str> {
    if bytes.contains(&0) { None } else { std::str::from_utf8(bytes).ok() }
}

pub(super) fn machine_paths(file: &Path, text: &str) -> Vec<Violation> {
    // Put together here so that this file passes its own rule.
    let roots = ["work", "root", "home", "Users"].map(|folder| format!("/{folder}/"));
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for root in &roots {
            if line.match_indices(root).any(|(at, _)| starts_a_path(line, at)) {
                found.push(Violation::new(file, index + 1, format!("absolute path of one machine ({root})")));
            }
        }
    }
    found
}

/// False inside a longer path or an address, such as `https://example.org/home/`.
fn starts_a_path(line: &str, at: usize) -> bool {
    let before = line[..at].chars().next_back();
    before.is_none_or(|c| !c.is_alphanumeric() && !"_-./~$}".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<usize> {
        machine_paths(Path::new("a.md"), text).iter().map(|violation| violation.line).collect()
    }

    #[test]
    fn absolute_paths_are_refused_wherever_they_start() {
        let text = ["data: X", "`X`", "see \"X\"", "(X)", "a = X"]
            .map(|line| line.replace('X', concat!("/ro", "ot/data")));
        assert_eq!(lines(&text.join("\n")), [1, 2, 3, 4, 5]);
        assert_eq!(lines(concat!("/ho", "me/ann\nfine\n/wo", "rk/main\n")), [1, 3]);
    }

    #[test]
    fn addresses_relative_paths_and_variables_are_fine() {
        let text = "https://example.org/H/x ./W/x a/R/b ~/W/ $HOME/H/x ${root}/W/x /usr/share /Wshop";
        let text = text.replace("/H", concat!("/ho", "me")).replace("/W", concat!("/wo", "rk"));
        let text = text.replace("/R", concat!("/ro", "ot"));
        assert!(lines(&text).is_empty(), "{text}");
    }

    #[test]
    fn binary_content_is_not_text() {
        assert_eq!(as_text(b"a\0b"), None);
        assert_eq!(as_text(&[0xff, 0xfe]), None);
        assert_eq!(as_text("ä".as_bytes()), Some("ä"));
    }
}
