//! The words of a note.
//!
//! Not for their meaning: no stems, no stop words, no order.

/// Longest word, in bytes; longer runs of letters are not words.
const LONGEST: usize = 30;

/// Calls back with every word in lower case: runs of ASCII letters of length 2 to 30.
///
/// What stands between `[**` and `**]` replaces names and dates in the published notes and is left out.
pub(super) fn tokens(text: &str, mut take: impl FnMut(&str)) {
    let mut word = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (visible, hidden) = rest.split_once("[**").unwrap_or((rest, ""));
        for run in visible.split(|c: char| !c.is_ascii_alphabetic()) {
            if (2..=LONGEST).contains(&run.len()) {
                word.clear();
                word.extend(run.chars().map(|c| c.to_ascii_lowercase()));
                take(&word);
            }
        }
        rest = hidden.split_once("**]").map_or("", |(_, after)| after);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_lower_case_letters_outside_the_replaced_names() {
        let mut found = Vec::new();
        let text = "Pt. A [**Known lastname 12**] on O2,\nSTABLE [** 2150-1-1 **]; 3x/day [**cut";
        tokens(text, |token| found.push(token.to_owned()));
        assert_eq!(found, ["pt", "on", "stable", "day"]);
    }
}
