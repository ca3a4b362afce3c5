//! The closest known word to a mistyped one, for error messages.

/// A hint such as "; did you mean `uci`?", or nothing when no known word is within two edits.
pub(crate) fn hint<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    known
        .into_iter()
        .map(|candidate| (strsim::levenshtein(word, candidate), candidate))
        .min()
        .filter(|&(distance, _)| distance <= 2)
        .map(|(_, candidate)| format!("; did you mean `{candidate}`?"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hint_names_a_close_word_and_is_silent_otherwise() {
        assert_eq!(hint("--seed", ["--seeds", "--quick"]), "; did you mean `--seeds`?");
        assert_eq!(hint("banana", ["--seeds", "--quick"]), "");
    }
}
