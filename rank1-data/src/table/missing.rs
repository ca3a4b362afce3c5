//! Which cells count as missing.
//!
//! Not for what is done with them; see [`super::Missing`].

/// The cells that count as missing in columns of numbers unless a recipe lists others; in columns of text only empty cells do.
pub const MISSING_TOKENS: [&str; 5] = ["", "NA", "NaN", "nan", "?"];

/// The tokens in force: the default ones, or those that were listed, for numbers and text alike.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tokens<'a>(pub(super) Option<&'a [String]>);

impl Tokens<'_> {
    /// Whether a cell of a column of numbers is missing.
    pub(super) fn in_numbers(self, text: &str) -> bool {
        match self.0 {
            Some(listed) => text.is_empty() || listed.iter().any(|token| token == text),
            None => MISSING_TOKENS.contains(&text),
        }
    }

    /// Whether a cell of a column of text is missing.
    pub(super) fn in_text(self, text: &str) -> bool {
        text.is_empty() || self.0.is_some_and(|listed| listed.iter().any(|token| token == text))
    }

    /// Whether a level of a column of text would be missing in a column of numbers, and nobody has decided that.
    pub(super) fn is_doubtful(self, level: &str) -> bool {
        self.0.is_none() && MISSING_TOKENS.contains(&level)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_missing_only_when_empty_or_listed() {
        let listed = vec!["-999".to_owned(), "NA".to_owned()];
        let (default, own) = (Tokens(None), Tokens(Some(&listed)));
        assert!(MISSING_TOKENS.iter().all(|token| default.in_numbers(token)));
        assert!(default.in_text("") && !default.in_text("NA") && default.is_doubtful("NA"));
        assert!(own.in_text("NA") && own.in_text("-999") && own.in_text("") && !own.in_text("?"));
        assert!(own.in_numbers("-999") && own.in_numbers("") && !own.in_numbers("NaN"));
        assert!(!own.is_doubtful("?"));
    }
}
