//! Rust source with the inside of comments, strings and character literals blanked out.
//!
//! Not a parser: it knows just enough of the language that a rule does not stumble over a word in a text.

/// The lines of `source`, of equal length as before, with spaces where a comment or a literal was.
pub(super) fn code_lines(source: &str) -> Vec<String> {
    let chars: Vec<char> = source.chars().collect();
    let mut code = String::with_capacity(source.len());
    let mut at = 0;
    while at < chars.len() {
        let end = blank_until(&chars, at);
        if end > at {
            code.extend(chars[at..end].iter().map(|&c| if c == '\n' { '\n' } else { ' ' }));
            at = end;
        } else {
            code.push(chars[at]);
            at += 1;
        }
    }
    code.lines().map(str::to_owned).collect()
}

/// The end of the comment or literal that starts at `at`, or `at` when none does.
fn blank_until(chars: &[char], at: usize) -> usize {
    let next = chars.get(at + 1).copied();
    match chars[at] {
        '/' if next == Some('/') => find(chars, at, |rest| rest[0] == '\n', 0),
        '/' if next == Some('*') => block_comment(chars, at),
        '"' => quoted(chars, at),
        '\'' => character(chars, at),
        'r' if !part_of_word(chars, at) => raw_string(chars, at),
        _ => at,
    }
}

fn part_of_word(chars: &[char], at: usize) -> bool {
    // `br"..."` is a raw byte string although a letter comes before the `r`.
    let before = |n: usize| at.checked_sub(n).map(|i| chars[i]);
    let is_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    is_word(before(1)) && (before(1) != Some('b') || is_word(before(2)))
}

/// The first index from `at` where `stop` holds for the rest, plus `extra`; the end of the text otherwise.
fn find(chars: &[char], at: usize, stop: impl Fn(&[char]) -> bool, extra: usize) -> usize {
    (at..chars.len()).find(|&i| stop(&chars[i..])).map_or(chars.len(), |i| i + extra)
}

fn block_comment(chars: &[char], at: usize) -> usize {
    let (mut depth, mut i) = (0_usize, at);
    while i < chars.len() {
        match (chars[i], chars.get(i + 1)) {
            ('/', Some('*')) => (depth, i) = (depth + 1, i + 2),
            ('*', Some('/')) => (depth, i) = (depth - 1, i + 2),
            _ => i += 1,
        }
        if depth == 0 {
            return i;
        }
    }
    chars.len()
}

fn quoted(chars: &[char], at: usize) -> usize {
    let mut i = at + 1;
    while i < chars.len() && chars[i] != '"' {
        i += if chars[i] == '\\' { 2 } else { 1 };
    }
    (i + 1).min(chars.len())
}

/// A character literal, told from a lifetime by its closing quote.
fn character(chars: &[char], at: usize) -> usize {
    match (chars.get(at + 1), chars.get(at + 2)) {
        (Some('\\'), _) => find(chars, (at + 3).min(chars.len()), |rest| rest[0] == '\'', 1),
        (Some(_), Some('\'')) => at + 3,
        _ => at,
    }
}

fn raw_string(chars: &[char], at: usize) -> usize {
    let hashes = chars[at + 1..].iter().take_while(|&&c| c == '#').count();
    if chars.get(at + 1 + hashes) != Some(&'"') {
        return at;
    }
    let closes = |rest: &[char]| {
        rest[0] == '"' && rest[1..].iter().take(hashes).filter(|&&c| c == '#').count() == hashes
    };
    find(chars, at + 2 + hashes, closes, 1 + hashes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(source: &str) -> String {
        code_lines(source).join("\n")
    }

    #[test]
    fn comments_are_blanked_and_lines_keep_their_length() {
        assert_eq!(code("a // b\nc /* d /* e */\nf */ g"), "a     \nc             \n     g");
    }

    #[test]
    fn strings_are_blanked_with_their_escapes_and_raw_forms() {
        assert_eq!(code(r#"x("a\"b") y"#), "x(      ) y");
        assert_eq!(code("x(r#\"a\"b\"#) y"), "x(        ) y");
        assert_eq!(code("x(br\"ab\") y"), "x(b     ) y");
        assert_eq!(code("r#type"), "r#type");
        assert_eq!(code("for\"a\""), "for   ");
    }

    #[test]
    fn character_literals_are_told_from_lifetimes() {
        assert_eq!(code(r"m('{', '\'', '\u{7f}') z"), "m(   ,     ,         ) z");
        assert_eq!(code("fn f<'a>(x: &'a str)"), "fn f<'a>(x: &'a str)");
    }

    #[test]
    fn unclosed_literals_end_with_the_text() {
        assert_eq!(code("a \"bc"), "a    ");
        assert_eq!(code("a /* bc"), "a      ");
        assert_eq!(code(r"a '\"), "a   ");
    }
}
