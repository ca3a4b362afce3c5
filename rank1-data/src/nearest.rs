//! The accepted word nearest to a mistyped one, for error messages.
//!
//! Not for matching data: a near miss is always an error, only the message uses the guess.

/// The candidate most similar to `word`, or `None` when nothing is close.
///
/// Case is ignored. Similarity is Jaro-Winkler; below 0.75 a guess would confuse more than it helps.
pub(crate) fn nearest<S: AsRef<str>>(word: &str, candidates: impl IntoIterator<Item = S>) -> Option<String> {
    const LEAST_SIMILARITY: f64 = 0.75;
    let word = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| {
            let similarity = strsim::jaro_winkler(&word, &candidate.as_ref().to_lowercase());
            (similarity, candidate)
        })
        .filter(|(similarity, _)| *similarity >= LEAST_SIMILARITY)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate.as_ref().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_finds_its_word_and_a_stranger_finds_none() {
        let sets = ["mnist10k", "boston", "concrete"];
        assert_eq!(nearest("bosten", sets).as_deref(), Some("boston"));
        assert_eq!(nearest("MNIST10", sets).as_deref(), Some("mnist10k"));
        assert_eq!(nearest("zzzz", sets), None);
    }
}
