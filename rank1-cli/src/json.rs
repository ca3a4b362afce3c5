//! JSON and text of numbers with at most nine significant digits, which is more than single precision holds.

use std::io;

use anyhow::Result;
use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

/// Digits behind the first one.
const BEHIND_FIRST: usize = 8;

/// Numbers from here on, or below the inverse, are written with an exponent.
const LARGE: f64 = 1e15;

/// Smaller ones have an exponent.
const SMALL: f64 = 1e-5;

/// A number of nine significant digits that is nearest; zero without a sign.
#[must_use]
pub fn rounded(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return if value == 0.0 { 0.0 } else { value };
    }
    format!("{value:.BEHIND_FIRST$e}").parse().unwrap_or(value)
}

/// A number as a cell of a table: the shortest text of its nine significant digits.
#[must_use]
pub fn cell(value: f64) -> String {
    let value = rounded(value);
    let plain = value == 0.0 || !value.is_finite() || (SMALL..LARGE).contains(&value.abs());
    if plain { value.to_string() } else { format!("{value:e}") }
}

/// A document as indented JSON.
///
/// # Errors
/// Values that have no JSON form.
pub fn pretty<T: Serialize>(document: &T) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let form = Rounded(PrettyFormatter::new());
    document.serialize(&mut Serializer::with_formatter(&mut bytes, form))?;
    Ok(bytes)
}

/// Indented, with rounded numbers.
struct Rounded(PrettyFormatter<'static>);

impl Formatter for Rounded {
    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        self.0.write_f64(writer, rounded(value))
    }

    fn write_f32<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f32) -> io::Result<()> {
        // Adding zero takes the sign from a zero.
        self.0.write_f32(writer, value + 0.0)
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn nine_digits_are_kept_and_no_zero_has_a_sign() {
        let cells = [0.1 + 0.2, -0.0, 1.0 / 3.0, -2.5e-7 / 3.0, 1e-300, 123_456_789_123.0, 1e22, 4.0];
        let expected = ["0.3", "0", "0.333333333", "-8.33333333e-8", "1e-300", "123456789000", "1e22", "4"];
        assert_eq!(cells.map(cell), expected);
    }

    #[test]
    fn documents_keep_their_order_and_round_their_numbers_only() {
        let document = [("z", vec![-0.0, 0.1 + 0.2]), ("a", vec![f64::NAN])];
        let text = String::from_utf8(pretty(&document).unwrap()).unwrap();
        let words: String = text.split_whitespace().collect();
        assert_eq!(words, r#"[["z",[0.0,0.3]],["a",[null]]]"#);
        assert_eq!(pretty(&1_234_567_890_123_u64).unwrap(), b"1234567890123");
    }
}
