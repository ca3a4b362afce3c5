//! Numbers as they are printed: at most nine significant digits, and no negative zero.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

/// A number with at most nine significant digits; `-0` becomes `0`, and very large and small ones have an exponent.
///
/// ```
/// assert_eq!(rank1_cli::tables::digits(1.0 / 3.0), "0.333333333");
/// assert_eq!(rank1_cli::tables::digits(-0.0), "0");
/// ```
#[must_use]
pub fn digits(value: f64) -> String {
    let value = rounded(value);
    let plain = value == 0.0 || (1e-5..1e16).contains(&value.abs());
    if plain { value.to_string() } else { format!("{value:e}") }
}

fn rounded(value: f64) -> f64 {
    // Adding 0 turns -0 into 0.
    format!("{value:.8e}").parse::<f64>().unwrap_or(value) + 0.0
}

/// A document as JSON on several lines, its numbers rounded.
pub(super) fn json<T: Serialize>(document: &T) -> serde_json::Result<Vec<u8>> {
    let mut out = Vec::new();
    document.serialize(&mut Serializer::with_formatter(&mut out, Rounding(PrettyFormatter::new())))?;
    Ok(out)
}

struct Rounding(PrettyFormatter<'static>);

impl Formatter for Rounding {
    fn write_f64<W: ?Sized + Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        self.0.write_f64(writer, rounded(value))
    }

    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn printed_numbers_have_nine_digits_and_no_negative_zero() {
        for (value, expected) in [
            (1.0, "1"),
            (-0.0, "0"),
            (0.1 + 0.2, "0.3"),
            (123_456_789.123, "123456789"),
            (-1.234_567_891_2e-7, "-1.23456789e-7"),
            (1e300, "1e300"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(digits(value), expected);
        }
    }

    #[test]
    fn a_document_keeps_its_form_and_loses_digits() {
        let document =
            json!({ "nll": -0.0, "n": 12_345_678_901_u64, "rows": [0.123_456_789_012, "x", []], "o": {} });
        let text = String::from_utf8(json(&document).unwrap()).unwrap();
        let expected =
            json!({ "nll": 0.0, "n": 12_345_678_901_u64, "rows": [0.123_456_789, "x", []], "o": {} });
        assert_eq!(text, serde_json::to_string_pretty(&expected).unwrap());
    }
}
