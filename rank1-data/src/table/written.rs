//! How a cell is written: a number with either decimal mark, a number that is written otherwise, a date, text.
//!
//! Not for whole columns; see [`super::decimal`] and [`super::fit`].

/// Characters between groups of three digits.
const GROUP_MARKS: [char; 8] = [',', '.', ' ', '\u{a0}', '\u{202f}', '\'', '\u{2019}', '_'];

/// What may stand before or behind a number.
const UNITS: [char; 6] = ['%', '$', '€', '£', '¥', '‰'];

/// How a cell is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// A number without decimal mark, such as `12`, `1e5`, `inf` or `NaN`.
    Plain,
    /// A number with a decimal point, such as `1.5`.
    Point,
    /// A number with a decimal comma, such as `1,5`.
    Comma,
    /// One mark and groups of three digits: `1.234` or `1,234` may be a number of either kind or a large one.
    Unclear(char),
    /// A number with groups of three digits, such as `1.234.567,8` or `1 234`, and its decimal mark if it has one.
    Grouped(Option<char>),
    /// A number with a unit, such as `12 %`.
    WithUnit,
    /// A date or a time of day.
    Date,
    /// Anything else.
    Text,
}

/// How a trimmed cell is written.
pub(super) fn written(text: &str) -> Written {
    if text.parse::<f64>().is_ok() {
        return match text.contains('.') {
            true if is_grouped(text, '.') => Written::Unclear('.'),
            true => Written::Point,
            false => Written::Plain,
        };
    }
    if !text.contains(|character: char| character.is_ascii_digit()) {
        return Written::Text;
    }
    if is_grouped(text, ',') && text.matches(',').count() == 1 {
        return Written::Unclear(',');
    }
    if number(text, ',').is_some() {
        return Written::Comma;
    }
    if let Some(mark) = grouped_mark(text) {
        return Written::Grouped(mark);
    }
    let bare = text.trim_matches(|character| UNITS.contains(&character)).trim();
    if bare.len() < text.len() && !matches!(written(bare), Written::Text | Written::Date | Written::WithUnit)
    {
        return Written::WithUnit;
    }
    if is_date(text) { Written::Date } else { Written::Text }
}

/// The number that a cell holds under a decimal mark, finite or not.
pub(super) fn number(text: &str, decimal: char) -> Option<f64> {
    if decimal == '.' {
        return text.parse().ok();
    }
    if text.contains('.') || text.matches(decimal).count() > 1 {
        return None;
    }
    text.replace(decimal, ".").parse().ok()
}

/// Whether a text is one to three digits and groups of three behind a mark, such as `12,345,678`; not `0,125`.
fn is_grouped(text: &str, mark: char) -> bool {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let mut groups = text.split(mark);
    let digits = |group: &str| group.bytes().all(|byte| byte.is_ascii_digit());
    let first = groups.next().unwrap_or("");
    let mut further = 0;
    let regular = groups.all(|group| {
        further += 1;
        group.len() == 3 && digits(group)
    });
    regular && further > 0 && (1..=3).contains(&first.len()) && digits(first) && !first.starts_with('0')
}

/// The decimal mark of a number in groups, if the text is one.
fn grouped_mark(text: &str) -> Option<Option<char>> {
    for group in GROUP_MARKS {
        if is_grouped(text, group) {
            return Some(None);
        }
        for decimal in ['.', ','].into_iter().filter(|&decimal| decimal != group) {
            if let Some((whole, fraction)) = text.split_once(decimal)
                && is_grouped(whole, group)
                && fraction.bytes().all(|byte| byte.is_ascii_digit())
            {
                return Some(Some(decimal));
            }
        }
    }
    None
}

/// A date such as `2024-01-31`, `31.1.24` or `1/31/2024`, perhaps with a time, or a time such as `12:30`.
fn is_date(text: &str) -> bool {
    let (date, time) = match text.split_once(['T', ' ']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    if time.is_none() && is_time(date) {
        return true;
    }
    time.is_none_or(is_time)
        && ['-', '/', '.'].into_iter().any(|mark| {
            let parts: Vec<&str> = date.split(mark).collect();
            let digits = |part: &&str| part.bytes().all(|byte| byte.is_ascii_digit());
            let below = |part: &str, limit: u16| {
                (1..=2).contains(&part.len()) && part.parse::<u16>().is_ok_and(|n| (1..=limit).contains(&n))
            };
            let [first, second, third] = parts.as_slice() else { return false };
            parts.iter().all(digits)
                && match (first.len(), third.len()) {
                    (4, _) => below(second, 12) && below(third, 31),
                    (_, 2 | 4) => {
                        (below(first, 31) && below(second, 12)) || (below(first, 12) && below(second, 31))
                    }
                    _ => false,
                }
        })
}

fn is_time(text: &str) -> bool {
    let text = text.trim_end_matches(['Z', 'z']);
    let text = text.split_once(['+', '-']).map_or(text, |(time, _)| time);
    let parts: Vec<&str> = text.split(':').collect();
    let below = |part: &str, limit: f64| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
            && part.parse::<f64>().is_ok_and(|value| value < limit)
    };
    match parts.as_slice() {
        [hour, minute] => below(hour, 24.0) && below(minute, 60.0),
        [hour, minute, second] => below(hour, 24.0) && below(minute, 60.0) && below(second, 61.0),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_told_by_how_they_are_written() {
        for (text, expected) in [
            ("12", Written::Plain),
            ("-1e5", Written::Plain),
            ("inf", Written::Plain),
            ("1.5", Written::Point),
            (".5", Written::Point),
            ("0.125", Written::Point),
            ("1234.567", Written::Point),
            ("1.5e-3", Written::Point),
            ("1,23", Written::Comma),
            ("-0,125", Written::Comma),
            ("1234,567", Written::Comma),
            ("1,5e-3", Written::Comma),
            (",5", Written::Comma),
            ("1.234", Written::Unclear('.')),
            ("-12,345", Written::Unclear(',')),
            ("1,234,567", Written::Grouped(None)),
            ("1.234.567", Written::Grouped(None)),
            ("1 234", Written::Grouped(None)),
            ("1\u{202f}234,5", Written::Grouped(Some(','))),
            ("1'234.50", Written::Grouped(Some('.'))),
            ("1.234,56", Written::Grouped(Some(','))),
            ("1,234.56", Written::Grouped(Some('.'))),
            ("12%", Written::WithUnit),
            ("$1,234.50", Written::WithUnit),
            ("3,5 €", Written::WithUnit),
            ("2024-01-31", Written::Date),
            ("2024-01-31T12:30:05.25Z", Written::Date),
            ("2024/1/3 07:05", Written::Date),
            ("31.12.2024", Written::Date),
            ("31.1.24", Written::Date),
            ("12/31/2024", Written::Date),
            ("23:59", Written::Date),
            ("", Written::Text),
            ("oslo", Written::Text),
            ("10.0.0.1", Written::Text),
            ("1.2.3", Written::Text),
            ("12-34", Written::Text),
            ("A1", Written::Text),
            ("1,2,3", Written::Text),
            ("40/50/60", Written::Text),
            ("%", Written::Text),
        ] {
            assert_eq!(written(text), expected, "{text}");
        }
    }

    #[test]
    fn the_decimal_mark_decides_which_numbers_there_are() {
        assert_eq!((number("1,5", ','), number("1,5", '.')), (Some(1.5), None));
        assert_eq!((number("1.5", '.'), number("1.5", ',')), (Some(1.5), None));
        assert_eq!((number("1e3", ','), number("1,2,3", ','), number("", ',')), (Some(1e3), None, None));
        assert_eq!(number("1,234", ','), Some(1.234));
    }
}
