//! By what the cells of a table are separated: given, or found out from the header and the first rows.
//!
//! Not for the decimal mark; see [`super::decimal`].

use std::path::Path;

use csv::{ByteRecord, ReaderBuilder, Trim};

use super::error::TableError;
use super::written::number;

/// The separators that are found out, in order of preference.
const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Rows that are looked at beside the header.
const LOOKED_AT: usize = 200;

/// The separator of a text and where its header starts: after a line `sep=;`, which some programs write first.
///
/// `whole` tells whether the text is all there is; otherwise its last record may be cut and does not count.
pub(super) fn separator(
    text: &[u8],
    path: &Path,
    given: Option<char>,
    whole: bool,
) -> Result<(u8, usize), TableError> {
    let (announced, start) = announced(text);
    if let Some(delimiter) = given.or(announced.map(char::from)) {
        return Ok((checked(delimiter)?, start));
    }
    let text = &text[start..];
    let shapes: Vec<Shape> = SEPARATORS.iter().map(|&separator| shape(text, separator, whole)).collect();
    let of = |wanted: fn(&Shape) -> bool| {
        SEPARATORS.iter().zip(&shapes).filter(move |(_, shape)| wanted(shape)).map(|(&byte, _)| byte)
    };
    let tables: Vec<u8> = of(|shape| shape.columns > 1 && shape.regular).collect();
    if let &[first, second, ..] = tables.as_slice() {
        // `a;b` above `1,5;2` is divided by either; only one of them leaves numbers.
        let share = |shape: &Shape| shape.numbers as f64 / shape.cells.max(1) as f64;
        let most =
            shapes.iter().filter(|shape| shape.columns > 1 && shape.regular).map(share).fold(0.0, f64::max);
        let best: Vec<u8> = SEPARATORS
            .iter()
            .zip(&shapes)
            .filter(|(byte, shape)| tables.contains(byte) && share(shape) == most)
            .map(|(&byte, _)| byte)
            .collect();
        if let &[best] = best.as_slice() {
            return Ok((best, start));
        }
        let (first, second) = (char::from(first), char::from(second));
        return Err(TableError::AmbiguousSeparator { path: path.into(), first, second });
    }
    // A header that one separator divides although some rows do not follow it: the reader names such a row. Then a
    // single column, whose cells no separator divides.
    let found = tables.first().copied().or_else(|| of(|shape| shape.columns > 1).next());
    let found = found.or_else(|| of(|shape| shape.regular).next());
    Ok((found.unwrap_or(b','), start))
}

/// Whether a text that goes on tells the separator as the whole does.
pub(super) fn tells_separator(text: &[u8]) -> bool {
    let text = &text[announced(text).1..];
    SEPARATORS.iter().all(|&separator| shape(text, separator, false).rows > LOOKED_AT)
}

/// How a text looks when it is divided by one separator.
struct Shape {
    /// Records that were looked at, the header among them.
    rows: usize,
    /// Fields of the header.
    columns: usize,
    /// Whether the first rows have as many.
    regular: bool,
    /// Cells of the first rows, and how many of them are numbers with either decimal mark.
    cells: usize,
    numbers: usize,
}

fn shape(text: &[u8], separator: u8, whole: bool) -> Shape {
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(Trim::All)
        .delimiter(separator)
        .from_reader(text);
    let mut record = ByteRecord::new();
    let (mut rows, mut columns, mut cells, mut numbers) = (0, 0, 0, 0);
    let mut regular = true;
    for row in 0..=LOOKED_AT {
        let there = reader.read_byte_record(&mut record);
        if !whole && reader.position().byte() >= text.len() as u64 {
            break;
        }
        rows += usize::from(matches!(there, Ok(true)));
        match there {
            Ok(true) if row == 0 => columns = record.len(),
            Ok(true) => {
                regular &= record.len() == columns;
                cells += record.len();
                numbers += record.iter().filter(|cell| is_number(cell)).count();
            }
            Ok(false) | Err(_) => break,
        }
    }
    Shape { rows, columns, regular: regular && columns > 0, cells, numbers }
}

fn is_number(cell: &[u8]) -> bool {
    std::str::from_utf8(cell).is_ok_and(|text| number(text, '.').or_else(|| number(text, ',')).is_some())
}

/// The separator of a first line `sep=;` and the length of that line.
fn announced(text: &[u8]) -> (Option<u8>, usize) {
    let Some((start, rest)) = text.split_at_checked(4) else { return (None, 0) };
    match (start.eq_ignore_ascii_case(b"sep="), rest) {
        (true, [separator, b'\r', b'\n', ..]) => (Some(*separator), 7),
        (true, [separator, b'\n' | b'\r', ..]) => (Some(*separator), 6),
        _ => (None, 0),
    }
}

fn checked(delimiter: char) -> Result<u8, TableError> {
    u8::try_from(delimiter)
        .ok()
        .filter(|byte| byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r'))
        .ok_or(TableError::Delimiter { delimiter })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn found(text: &str) -> (char, usize) {
        let (separator, start) = separator(text.as_bytes(), Path::new("t.csv"), None, true).unwrap();
        (char::from(separator), start)
    }

    #[test]
    fn the_separator_is_the_one_that_divides_header_and_rows_alike() {
        for separator in [',', ';', '\t', '|'] {
            let text = "a,b,y\n1,2,3\n4,5,6\n".replace(',', &separator.to_string());
            assert_eq!(found(&text), (separator, 0));
        }
        // Decimal commas, quoted separators, text with other separators in it.
        assert_eq!(found("a;b;y\n1,5;2,5;3,5\n").0, ';');
        assert_eq!(found("temperature, C;y\n1,5;2\n").0, ';');
        assert_eq!(found("a,b\n\"1;2\",\"x\ny\"\n\"3;4\",2\n").0, ',');
        assert_eq!(found("a\tb,c\n1,5\t2,5\n1\t2\n").0, '\t');
        // One column.
        assert_eq!(found("a\n1\n2\n").0, ',');
        assert_eq!(found("a\n1,5\n2,5\n").0, ';');
        // Rows that do not follow are the reader's to name.
        assert_eq!(found("a,b,y\n1,2\n1,2,3\n").0, ',');
        assert_eq!(found("sep=;\r\na;b\r\n1;2\r\n"), (';', 7));
        assert_eq!(found("SEP=|\na|b\n1|2\n"), ('|', 6));
        assert_eq!(found(""), (',', 0));
    }

    #[test]
    fn two_separators_that_both_fit_are_refused() {
        let got = separator(b"a,b;c\nx,y;z\n", Path::new("t.csv"), None, true);
        assert!(matches!(got, Err(TableError::AmbiguousSeparator { first: ',', second: ';', .. })));
        assert_eq!(separator(b"a,b;c\nx,y;z\n", Path::new("t.csv"), Some(';'), true).unwrap().0, b';');
    }
}
