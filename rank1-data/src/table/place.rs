//! How messages name a row and how they shorten what stands in a file.
//!
//! Not for reading; see [`super::read`].

use std::fmt;

/// Longest text of a file that a message repeats, in characters.
const LONGEST: usize = 40;

/// Most names that a message lists.
const MOST_NAMES: usize = 10;

/// A row of a table as predictions number it, and where it stands in the file.
///
/// ```
/// use rank1_data::RowPlace;
/// assert_eq!(RowPlace { row: 2, line: 3 }.to_string(), "row 2 (line 3)");
/// assert_eq!(RowPlace { row: 0, line: 1 }.to_string(), "the header (line 1)");
/// assert_eq!(RowPlace { row: 2, line: 0 }.to_string(), "row 2");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowPlace {
    /// Rows are counted from 1, the header is 0 and blank lines do not count.
    pub row: usize,
    /// 1-based line of the file on which the row starts; 0 in files without lines, such as Parquet.
    pub line: usize,
}

impl fmt::Display for RowPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.row {
            0 => write!(f, "the header (line {})", self.line),
            row if self.line == 0 => write!(f, "row {row}"),
            row => write!(f, "row {row} (line {})", self.line),
        }
    }
}

/// A text on one line and shortened.
pub(super) fn shown(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars().take(LONGEST + 1) {
        if character.is_control() {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    if escaped.chars().count() <= LONGEST {
        return escaped;
    }
    escaped.chars().take(LONGEST - 3).chain("...".chars()).collect()
}

/// The first of some texts, shortened, and how many there are if not all are shown.
pub(super) fn shown_list<S: AsRef<str>>(texts: impl IntoIterator<Item = S>) -> Vec<String> {
    let mut texts = texts.into_iter();
    let mut list: Vec<String> = texts.by_ref().take(MOST_NAMES).map(|text| shown(text.as_ref())).collect();
    let further = texts.count();
    if further > 0 {
        list.push(format!("... ({} in all)", list.len() + further));
    }
    list
}

/// A number with at most nine significant digits.
pub(super) fn shown_number(value: f64) -> String {
    let rounded = format!("{value:.8e}").parse::<f64>().unwrap_or(value);
    // Adding 0 turns -0 into 0.
    (rounded + 0.0).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_and_multi_line_texts_are_shown_short_and_on_one_line() {
        assert_eq!(shown("x\ny"), "x\\ny");
        assert_eq!(shown(&"7".repeat(100)), format!("{}...", "7".repeat(37)));
        assert_eq!(shown(&"7".repeat(40)), "7".repeat(40));
    }

    #[test]
    fn numbers_have_nine_digits_at_most() {
        assert_eq!(shown_number(1.0 / 3.0), "0.333333333");
        assert_eq!(shown_number(-0.0), "0");
        assert_eq!(shown_number(2.5), "2.5");
    }

    #[test]
    fn long_lists_are_cut_and_counted() {
        let names: Vec<String> = (0..4000).map(|i| format!("c{i}")).collect();
        let list = shown_list(&names);
        assert_eq!((list.len(), list[10].as_str()), (11, "... (4000 in all)"));
        assert_eq!(shown_list(["a", "b"]), ["a", "b"]);
    }
}
