//! Writes numbers and text for HTML: decimals that fit the standard error, grouped digits, escaping.

use super::comparison::{Estimate, Notation};

/// What stands where there is no number.
pub(crate) const NOT_AVAILABLE: &str = "–";

/// Text with the five characters that mean something in HTML replaced.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// A number of decimals for one column: two digits of the median standard error, or four digits of the median value.
pub(crate) fn decimals(estimates: &[Estimate], notation: Notation) -> usize {
    let scale = scale(notation);
    let (mut errors, mut values) = (Vec::new(), Vec::new());
    for estimate in estimates {
        values.push((estimate.mean * scale).abs());
        errors.extend(estimate.standard_error.map(|error| error * scale));
    }
    let positive_median = |mut values: Vec<f64>| {
        values.retain(|value| *value > 0.0 && value.is_finite());
        values.sort_unstable_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    };
    let (reference, digits) = match (positive_median(errors), positive_median(values)) {
        (Some(error), _) => (error, 2),
        (None, Some(value)) => (value, 4),
        (None, None) => return 3,
    };
    let leading = reference.log10().floor() as i32;
    usize::try_from(digits - 1 - leading).unwrap_or(0).min(5)
}

/// Mean and standard error, where there is one, as text.
pub(crate) fn written(estimate: Estimate, notation: Notation, decimals: usize) -> (String, Option<String>) {
    if notation == Notation::Count {
        return (grouped(estimate.mean), None);
    }
    let scale = scale(notation);
    let error = estimate.standard_error.map(|error| fixed(error * scale, decimals));
    (fixed(estimate.mean * scale, decimals), error)
}

fn scale(notation: Notation) -> f64 {
    if notation == Notation::Percent { 100.0 } else { 1.0 }
}

/// A number with a true minus sign, and no minus before a zero.
pub(crate) fn fixed(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return NOT_AVAILABLE.to_owned();
    }
    let text = format!("{value:.decimals$}");
    match text.strip_prefix('-') {
        Some(magnitude) if magnitude.chars().all(|digit| matches!(digit, '0' | '.')) => magnitude.to_owned(),
        Some(magnitude) => format!("−{magnitude}"),
        None => text,
    }
}

/// A whole number with its digits in groups of three.
pub(crate) fn grouped(value: f64) -> String {
    if !value.is_finite() {
        return NOT_AVAILABLE.to_owned();
    }
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    if value < 0.0 && digits != "0" { format!("−{text}") } else { text }
}

/// A count with its noun: "1 run", "3 runs".
pub(crate) fn counted(count: usize, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estimate(mean: f64, standard_error: f64) -> Estimate {
        Estimate { mean, standard_error: Some(standard_error), n: 3 }
    }

    fn pair(mean: &str, error: &str) -> (String, Option<String>) {
        (mean.to_owned(), Some(error.to_owned()))
    }

    #[test]
    fn the_standard_error_keeps_two_digits() {
        let column = [estimate(0.098_71, 0.0012), estimate(0.1034, 0.0009)];
        let places = decimals(&column, Notation::Decimal);
        assert_eq!(written(column[0], Notation::Decimal, places), pair("0.0987", "0.0012"));
    }

    #[test]
    fn a_percentage_is_scaled_before_its_decimals_are_chosen() {
        let column = [estimate(0.9712, 0.0013)];
        let places = decimals(&column, Notation::Percent);
        assert_eq!(written(column[0], Notation::Percent, places), pair("97.12", "0.13"));
    }

    #[test]
    fn a_single_run_shows_four_digits() {
        let column = [Estimate { mean: 12.3456, standard_error: None, n: 1 }];
        let places = decimals(&column, Notation::Decimal);
        assert_eq!(written(column[0], Notation::Decimal, places), ("12.35".to_owned(), None));
    }

    #[test]
    fn digits_are_grouped_and_minus_signs_are_true() {
        assert_eq!(grouped(1_234_567.0), "1\u{202f}234\u{202f}567");
        assert_eq!(grouped(12.0), "12");
        assert_eq!(fixed(-0.25, 2), "−0.25");
        assert_eq!(fixed(-0.001, 2), "0.00");
        assert_eq!(fixed(f64::NAN, 2), "–");
    }

    #[test]
    fn markup_in_text_is_inert() {
        assert_eq!(escape("<a href=\"x\">&'"), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;");
    }
}
